"""Agents that land on one branch at once, in each other's lines on purpose; and what came of it.

    python -m bench.swarm [--agents 20] [--works 4] [--seed 1] [--kind sessions|worktrees]
                          [--kill 0.2] [--no-gc]

Each agent does so many works, one after the other. A work is a session from its beginning until it
has landed or is aborted: edits, undo and redo, abort and reopen, a landing by `commit`, `exec`,
`land`, `land --all` (of everybody's sessions) or `land --atomic`, and where that conflicts a rebase
and decisions by hunk or by path. Edits are lines that are put in, replaced and taken out, in a few
files that all share. Each line put in is a token that occurs once in the world. A fifth of all slip
commands are killed, each with its process group; the agent then looks what became of it. `git gc
--prune=now` and `git pack-refs --all` run in a loop. A person's files, changed and not committed,
stand in the main worktree, which has the branch checked out.

- sessions: a third of the agents calls a process that stays (as a server would), the others call
  the command line, half of them with libgit2 for a store.
- worktrees: half of the agents edit files in a worktree of the session's own and capture them, the
  others commit with plain git on branches in linked worktrees, which are adopted. Plain git is not
  killed, and gc waits for it: what git does to itself is not the matter here.

What must be
------------
An agent keeps account of what its session does, from its own edits and decisions alone: tokens that
it adds, and tokens of others that it takes away. A conflict hunk has three texts, as the answer
has them: O (ours, the branch's), T (theirs, the session's) and B (base). When a rebase leaves it
open the branch's stand there: the account loses T from what is added, and B and O from what is
taken away. A decision makes it some text R: what R has and O has not is added, what O has and R has
not is taken away. So with `both` either side's tokens stay; with `ours` the session's own are
dropped; with `theirs` the other's are taken away, by a decision, and stay in the branch's history.

After a kill a session must do what it did before, or what it was to do: else TORN. At the end each
commit of the branch, against its parent, must add and take away what the account of the session of
that name says as its agent last knew it:

- LOST: a work that was acknowledged has no commit, or its commit lacks something of the account
- DUP: a work with two commits, or a token that stands twice in a tree
- REVERT: a commit takes away a token that its session did not decide to take away
- PHANTOM: a commit that no agent made, or that adds a token which is not of its account
- TOUCHED: a person's file, a worktree of plain git, or one of its branches has changed
- LIED: a landing that was acknowledged and did not happen
- RECALLED: a decision that was undone decided the same conflict again, when the session was brought
  back to before its rebase and rebased anew

An agent that ends by a fault of its own is BROKEN, whatever the fault.

Besides: `git fsck --strict`, locks, temporary files, intents and quarantines that are left, whether
the files of the main worktree followed the branch, `slip doctor`, and how long the slowest agent
took as a multiple of the fastest.
"""
