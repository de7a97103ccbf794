"""What each error code means and what to do then: the prose of docs/errors.md.

One row a code of `slipstream_git.errors.EXIT_STATUS`; the generator refuses a row too few or too
many. The hint that comes with an error is made where the error is raised; this is the general case.
"""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    means: str
    do: str


EXPLANATIONS: dict[str, Explanation] = {
    "no-match": Explanation(
        "The text to be replaced, or an anchor, is not in the file, or too few times.",
        "The error shows the nearest lines and the first difference; take the text from there, "
        "or read the file again with `slip read PATH`.",
    ),
    "ambiguous": Explanation(
        "The text occurs more often than the op said.",
        "Add neighbouring lines to `old`, or say `count`; the error lists the line of each match.",
    ),
    "stale": Explanation(
        "The op names the blob it was written against, another one is there now, and the edit "
        "cannot be carried over. Of `slip adopt`: the branch's history is not the one that was "
        "adopted.",
        "Read the file again with `slip read PATH` and write the op against what it shows; "
        "abort the session and adopt the branch anew.",
    ),
    "exists": Explanation(
        "Something is already at the path that the op would create.",
        "Choose another path, delete first, or let `create` be `ok`.",
    ),
    "missing": Explanation(
        "There is nothing at that path, under that name, or to take back.",
        "`slip files` and `slip list` show what there is.",
    ),
    "path-denied": Explanation(
        "The path lies outside what the session may change. Of `slip skills run`: the skill is "
        "the repository's, and nobody said that it was read.",
        "Begin a session whose `--allow` and `--deny` include it; read the skill, and say "
        "`--trust` with its id.",
    ),
    "bad-path": Explanation(
        "The path cannot stand in a repository, or only on some systems: absolute, with `..`, "
        "a spelling of `.git`, a NUL.",
        "Use a path relative to the root of the repository, with `/`.",
    ),
    "too-large": Explanation(
        "A file, a batch or an answer is over its limit; `slip.maxFileBytes` (1g) and "
        "`slip.maxBatchBytes` (256m) in git config set two of them.",
        "Split it, or raise the limit that the error names.",
    ),
    "binary": Explanation(
        "A text operation was asked of a file that is not text.",
        "Write the whole file (`content_b64`), or send a binary patch.",
    ),
    "encoding": Explanation(
        "The file's bytes cannot be shown or changed as the text that was asked for.",
        "Edit it as bytes: write the whole file with `content_b64`.",
    ),
    "dirty": Explanation(
        "Files that the command would change hold edits or untracked content of yours.",
        "Take them into the session with `slip capture PATH`, or commit or move them.",
    ),
    "session-missing": Explanation(
        "There is no open session of that name.",
        "`slip list` shows the open ones; `slip reopen NAME` brings a closed one back.",
    ),
    "session-exists": Explanation(
        "An open session has that name, perhaps in another case.",
        "Use that session, choose another name, or give none and take the next free one.",
    ),
    "session-required": Explanation(
        "No session was named, and it is not clear which one is meant.",
        "Say `-s NAME` or set `SLIP_SESSION`; the error lists the open sessions.",
    ),
    "ref-moved": Explanation(
        "Others kept moving the branch or session while slip tried to.",
        "Run the same command again.",
    ),
    "unsupported": Explanation(
        "slip cannot do this here, with this kind of entry, repository or git.",
        "The message says what is missing; plain git can usually do it.",
    ),
    "git-failed": Explanation(
        "A git command that slip started failed; its words are in the message.",
        "Mend what git complains of; nothing was changed.",
    ),
    "hook-failed": Explanation(
        "A hook of the repository refused; what it printed is in the error's data.",
        "Mend what it complains of. `--no-verify` lands without `pre-commit` and `commit-msg`.",
    ),
    "policy": Explanation(
        "The repository's `.slip.toml` forbids the change.",
        "The message names the rule ([policy.md](policy.md)); a protected path takes "
        "`slip begin --allow-protected GLOB`.",
    ),
    "secret": Explanation(
        "The commit message, a name, a title or a label holds what looks like a credential "
        "([policy.md](policy.md#what-counts-as-a-credential)).",
        "Take it out; if it was real, revoke it as well.",
    ),
    "quota": Explanation(
        "Sessions would take more of the disk than `slip.quota` in git config allows, or one "
        "session more steps than `slip.maxSteps` (10000). Over a socket: a limit of `slip serve`.",
        "Land sessions, abort them and run `slip gc --expire now`, or raise the limit.",
    ),
    "locked": Explanation(
        "Another program holds a lock that is needed.",
        "Wait for it and run the same command again; `slip doctor` tells whether it still runs.",
    ),
    "out-of-range": Explanation(
        "A line number lies past the end of the file.",
        "`slip read PATH` shows how many lines there are.",
    ),
    "batch": Explanation(
        "Several ops of a batch failed, so none was applied.",
        "`data.ops` of the error has each op's index, code and remedy.",
    ),
    "not-tried": Explanation(
        "An earlier op on the same path failed, so this one was not judged.",
        "Mend the earlier op and send the batch again.",
    ),
    "usage": Explanation(
        "The command line has an unknown command or option, or lacks one.",
        "`slip COMMAND --help` shows what it takes.",
    ),
    "bad-op": Explanation(
        "An op has an unknown, missing or ill-typed field; the message names the place, such as "
        "`$.ops[2].old`. Of a skill: its file is not as skills are.",
        "Mend that field; the nearest known name is given. `slip skills validate` tells every "
        "fault of a skill, with its line ([skills.md](skills.md)).",
    ),
    "bad-json": Explanation(
        "The input is not JSON, or JSON of a kind that is refused: duplicate keys, NaN, lone "
        "surrogates, nothing at all.",
        "Mend the input at the line that the message names.",
    ),
    "bad-patch": Explanation(
        "The input is not a patch that can be read whole.",
        "Make it with `git diff --binary --full-index`, or use another format.",
    ),
    "bad-name": Explanation(
        "A session's name may hold letters, digits, `.`, `_` and `-`, begins with a letter or "
        "digit, and has at most 64 characters.",
        "Choose another name, or give none.",
    ),
    "conflict": Explanation(
        "The session and its branch changed the same place in different ways, or a rebase left "
        "such places to be decided. Nothing moved.",
        "`slip rebase` moves the session onto the branch as it is now, and `slip resolve` decides "
        "what collides ([conflicts.md](conflicts.md)); or land it on a branch of its own "
        "(`--onto`).",
    ),
    "gate-failed": Explanation(
        "A gate is red, or could not run, on the tree that would have landed. Nothing moved.",
        "The hint runs the gate's command on the tree that was judged, with all that it prints; "
        "mend the session (where the branch has moved, `slip rebase` first) and commit again. "
        "`slip check --rerun` asks anew ([gates.md](gates.md)); "
        "`--no-check` lands without.",
    ),
    "bug": Explanation(
        "slip itself failed in a way nobody foresaw.",
        "The line printed says where the report was written; please send it in.",
    ),
    "interrupted": Explanation(
        "The command was stopped, for instance with Ctrl-C.",
        "Run it again; whatever was half done is completed or taken back first.",
    ),
}
