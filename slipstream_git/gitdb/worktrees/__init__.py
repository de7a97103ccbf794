"""What is checked out: which worktrees there are, and a few paths of one brought along.

`writer` has the order; `looking` and `placing` the files, `entries` and `indexes` the index,
`intents` and `leftovers` what a run that died leaves. All in the words of `jobs`.
"""
