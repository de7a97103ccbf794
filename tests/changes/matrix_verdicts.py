"""Where slip and `git merge --ff-only` answer differently, and why slip's answer is meant.

docs/worktree-states.md has the same table for readers; test_worktree_matrix.py holds the two equal,
and every cell to this: a difference that is not here fails, and so does a line here that no longer
is one. BROKEN has the cells in which slip does not keep its promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.changes.matrix import ALL, KINDS, SOME, TRACKED, UNTRACKED, but

# The git whose verdicts these are; others may have learned since.
GIT_VERSION = "2.39"

Cells = dict[str, tuple[str, ...]]


class Difference(NamedTuple):
    """slip: `lands`, or the code of its refusal. git: `refuses`, `lands`, `lands otherwise`
    (the same commit, but other files or index entries), `destroys` or `halves`.
    """

    reason: str
    slip: str
    git: str
    cells: Cells


class Verdict(NamedTuple):
    slip: str
    git: str


IN_PLACE = ("modify", "mode", "to symlink")
GOING = ("delete", "move from", "recase")

EQUAL = "What equals the landing is nobody's to lose, and is taken as landed."
ENDINGS = "`git add` would store the very blob: status calls the file unchanged, merge does not."
CAPTURED = "The session has the content: it was captured."
STAYS = "Nothing has to go: what the user put there in place of the tracked file stays."
EMPTY = "An empty directory holds nothing of the user's."
IGNORED = "An ignored file is the user's as much as any other; git overwrites it."
UNSEEN = "Stat data proves nothing: slip compares content, and finds the edit."
UNREADABLE = "What cannot be read is not known to be unchanged; git believes the stat data."
LINKS = "A link that the user put on the way is neither followed nor replaced."
STAGED = "What is staged is the user's; git drops it from the index, and with it what it names."
AHEAD = "What is staged equals the landing but the file does not; git leaves the file behind."
ABSENT = "A deletion is an edit: a file that the user took away does not come back by itself."
UNDER_WAY = "Index and HEAD belong to what is under way, until it is over."
WORKTREES = "Every worktree that has the branch is brought along, or none; git knows one."
FLAGS = "A flag asks git not to look: the file under it is not known, and not touched."
SYSTEM = "What the system refuses is found out before anything moves, not half way."

DIFFERENCES = (
    Difference(EQUAL, "lands", "refuses", {
        "equal to what lands": but(ALL, "delete"),
        "equal to what lands and staged": ("from directory",),
        "intent to add of what lands": ("add", "move to"),
        "mode flipped": ("mode",),
    }),
    Difference(ENDINGS, "lands", "refuses", {
        "crlf of what is there": TRACKED,
        "crlf of what lands": but(ALL, "delete", "move from", "to symlink"),
    }),
    Difference(CAPTURED, "lands", "refuses", {
        "captured": ("modify", "mode"),
        "captured beside": UNTRACKED,
    }),
    Difference(STAYS, "lands", "refuses", {
        "removed from the index": GOING,
        "removed from the index and modified": GOING,
        "staged what lands and put back": (*GOING, "move to"),
        "a directory with files": (*GOING, "to directory"),
        "a directory with ignored files": (*GOING, "to directory"),
        "a nested repository": (*GOING, "to directory"),
    }),
    Difference(EMPTY, "lands", "refuses", {"an empty directory": TRACKED}),
    Difference(IGNORED, "dirty", "destroys", {"ignored": UNTRACKED}),
    Difference(UNSEEN, "dirty", "destroys", {"edited unseen": TRACKED}),
    Difference(UNREADABLE, "dirty", "lands", {"unreadable": TRACKED}),
    Difference(LINKS, "dirty", "destroys", {
        "parent a link to inside": IN_PLACE,
        "parent a link to nowhere": IN_PLACE,
        "parent a link to outside": IN_PLACE,
    }),
    Difference(LINKS, "dirty", "lands", {
        "parent a link to inside": ("delete", "move from"),
        "parent a link to nowhere": ("delete", "move from"),
        "parent a link to outside": ("delete", "move from"),
    }),
    Difference(STAGED, "dirty", "destroys", {"a submodule": ("from directory",)}),
    Difference(STAGED, "dirty", "lands", {
        "a submodule": ("add below",),
        "staged": ("from directory",),
    }),
    Difference(AHEAD, "dirty", "lands", {
        "staged what lands and modified": but(ALL, "delete", "to directory", "from directory"),
    }),
    Difference(AHEAD, "lands", "lands otherwise", {
        "staged mode": ("mode",),
        "staged what lands and put back": (*IN_PLACE, "add", "add below"),
    }),
    Difference(ABSENT, "dirty", "lands", {
        "deleted": IN_PLACE,
        "parent missing": IN_PLACE,
        "renamed by case": (*IN_PLACE, "from directory"),
        "renamed without telling git": IN_PLACE,
    }),
    Difference(UNDER_WAY, "dirty", "lands", {
        "a bisection begun": SOME,
        "a bisection under way": SOME,
        "a rebase under way": SOME,
        "a revert under way": SOME,
        "an am under way": SOME,
    }),
    Difference(WORKTREES, "dirty", "lands", {"two worktrees one modified": TRACKED}),
    Difference(WORKTREES, "locked", "lands", {"two worktrees one index locked": SOME}),
    Difference(WORKTREES, "lands", "lands otherwise", {
        "two worktrees": ALL,
        "two worktrees one sparse": ("modify", "delete"),
    }),
    Difference(FLAGS, "unsupported", "lands", {
        "assume unchanged": TRACKED,
        "skip worktree": TRACKED,
    }),
    Difference(FLAGS, "lands", "lands otherwise", {
        "skip worktree without the file": (*IN_PLACE, "delete"),
    }),
    Difference(SYSTEM, "git-failed", "halves", {
        "immutable": (*IN_PLACE, "to directory", "from directory"),
        "parent read only": but(ALL, "delete", "move from"),
        "top read only": SOME,
    }),
    Difference(SYSTEM, "git-failed", "lands", {
        "immutable": GOING,
        "parent read only": ("delete", "move from"),
    }),
)  # fmt: skip

# A promise not kept, by state: the kinds of change, and what is wrong. Each is a strict xfail.
BROKEN: dict[str, tuple[tuple[str, ...], str]] = {
    "no index": (
        SOME,
        "the branch moves, files and index stay behind, and the checkout is told to be updated",
    ),
    "two worktrees one sparse": (
        ("add", "move from", "to directory", "from directory"),
        "a worktree that is sparse by its own configuration gets new files that it leaves out",
    ),
}


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """The table as the docs have it: reason, slip, git, state, kinds."""
    for reason, slip, git, cells in DIFFERENCES:
        for state, kinds in cells.items():
            yield reason, slip, git, state, ", ".join(sorted(kinds, key=list(KINDS).index))


def argued() -> dict[tuple[str, str], Verdict]:
    """By state and kind."""
    return {
        (state, kind): Verdict(slip, git)
        for _, slip, git, cells in DIFFERENCES
        for state, kinds in cells.items()
        for kind in kinds
    }
