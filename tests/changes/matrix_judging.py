"""What becomes of one cell of the matrix: slip's landing held to its promise, git's for comparison.

`land_by_slip` fails where a promise is broken. `land_by_git` only tells: `lands`, `refuses`,
`destroys` (exit 0, and bytes of the user's that git keeps nowhere are gone) or `halves` (refused,
and something has changed all the same). `as_told` compares the two.
"""

from __future__ import annotations

import stat
from typing import NamedTuple

from slipstream_git.errors import SlipError
from tests.changes.matrix import (
    Holdings,
    Place,
    as_checked_out,
    comparable,
    entries_of,
    holdings,
    kept_by_git,
    leftovers,
    lost,
)
from tests.lab import Content, Lab, Link, Script, fsck

REFUSALS = ("dirty", "locked", "unsupported", "git-failed")
MAIN = "refs/heads/main"
TIP = "refs/slip/sessions/work"
LANDED_CHAIN = "refs/slip/closed/work/1"
EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # what an intent to add has in the index


class Landing(NamedTuple):
    """How one of the two took it. verdict: `lands`, or the code of the refusal, or as above."""

    verdict: str
    before: Holdings
    after: Holdings


def land_by_slip(place: Place) -> Landing:
    """Land the session; holds all that is promised of a refusal, and of a landing."""
    before, refs = holdings(place), place.lab.refs()
    kept = kept_by_git(place, before.files)
    tree, lands = place.git("rev-parse", f"{TIP}^{{tree}}"), landing(place)
    locks = leftovers(place)
    try:
        with place.around():
            place.desk.commit("landed")
        verdict = "lands"
    except SlipError as fault:
        verdict = fault.code
    after = holdings(place)
    if verdict == "lands":
        assert place.git("rev-parse", "main^{tree}", "main^").split() == [tree, refs[MAIN]]
        _hold_landed(place, before, after, lands)
        assert lost(before.files, after.files, kept) == []
    else:
        assert verdict in REFUSALS
        assert place.lab.refs() == refs
        assert after == before
    assert leftovers(place) == locks
    assert fsck(place.lab) == ""
    return Landing(verdict, before, after)


def landing(place: Place) -> dict[str, Content]:
    """All paths that the session changes on the branch, with what lands there."""
    contents, modes = place.lab.tree(TIP), place.lab.entries(TIP)
    out = place.git("diff-tree", "-r", "-z", "--no-renames", "--name-only", "main", TIP)
    made: dict[str, Content] = {}
    for path in out.split("\0")[:-1]:
        mode = modes[path][0] if path in modes else ""
        if mode == "120000":
            made[path] = Link(contents[path].decode())
        else:
            data = contents.get(path)
            made[path] = Script(data) if data is not None and mode == "100755" else data
    return made


def _hold_landed(
    place: Place, before: Holdings, after: Holdings, lands: dict[str, Content]
) -> None:
    """Landed paths as the commit has them, in every worktree of the branch; nothing else moved."""
    touched: set[str] = set()
    for number, lab in enumerate(place.labs):
        was, now = before.snapshots[number], after.snapshots[number]
        assert (was.head, was.stash, was.config) == (now.head, now.stash, now.config)
        assert {**was.refs, MAIN: now.refs[MAIN]} == now.refs
        if was.head != f"ref: {MAIN}\n":
            assert (now.entries, now.diff) == (was.entries, was.diff)
            continue
        _hold_index(entries_of(was), entries_of(now), place, lands)
        for path, content in lands.items():
            name = f"{lab.path.name}/{path}"
            touched.add(name)
            _hold_file(place, lab, path, content, before, after)
    _hold_elsewhere(before, after, touched)


def _hold_elsewhere(before: Holdings, after: Holdings, touched: set[str]) -> None:
    """All but the landed paths, what is below them, and directories on the way, is as it was."""
    for name in before.files.keys() | after.files.keys():
        was, now = before.files.get(name), after.files.get(name)
        if was == now or _is_of(name, touched):
            continue
        assert _holds(name, touched), name
        assert all(found is None or stat.S_ISDIR(found[0]) for found in (was, now)), name


def _is_of(name: str, touched: set[str]) -> bool:
    """Is this one of the landed paths, or below one?"""
    return any(name == path or name.startswith(path + "/") for path in touched)


def _holds(name: str, touched: set[str]) -> bool:
    """Is this a directory on the way to a landed path?"""
    return any(path.startswith(name + "/") for path in touched)


def _hold_file(
    place: Place, lab: Lab, path: str, content: Content, before: Holdings, after: Holdings
) -> None:
    name = f"{lab.path.name}/{path}"
    was, now = before.files.get(name), after.files.get(name)
    if path not in place.sparse.get(lab.path, {path}):
        assert now is None, (name, "is left out by the sparse checkout")
        return
    if comparable(now) == as_checked_out(content):
        return
    number = place.labs.index(lab)
    entries = entries_of(before.snapshots[number]).get(path, [])
    if content is None:
        # Out of the index, and so the user's; or a directory, which the landed path never was.
        assert now is not None
        assert (not entries and now == was) or stat.S_ISDIR(now[0]), (name, now)
        return
    if now is None:
        assert [tag for _, _, tag in entries] == ["S0"], (name, "is missing")
        return
    # As the user had it; git says that it is the same.
    assert now == was, (name, now)
    assert lab.git("status", "--porcelain", "--", path) == "", name


Entries = dict[str, list[tuple[str, str, str]]]


def _hold_index(was: Entries, now: Entries, place: Place, lands: dict[str, Content]) -> None:
    """Landed entries are the commit's, and were nothing that only the index had; others stay."""
    steps = place.git("rev-list", LANDED_CHAIN).split()
    kept = {EMPTY_BLOB} | {oid for step in steps for _, oid in place.lab.entries(step).values()}
    tree = place.lab.entries("main")
    for path in was.keys() | now.keys():
        if path not in lands:
            assert now.get(path) == was.get(path), path
            continue
        assert {oid for _, oid, _ in was.get(path, [])} <= kept, path
        expected = [tree[path]] if path in tree else []
        assert [(mode, oid) for mode, oid, _ in now.get(path, [])] == expected, path


def land_by_git(place: Place, source: Lab) -> Landing:
    """`git merge --ff-only` of the same commit, or for a session of its own making, its tree."""
    if place.own_landing:
        tree = place.git("rev-parse", f"{TIP}^{{tree}}")
        new = place.git("commit-tree", tree, "-p", "main", "-m", "landed")
    else:
        place.git("fetch", "--quiet", "--no-write-fetch-head", str(source.path), "HEAD")
        new = source.oid("HEAD")
    before = holdings(place)
    kept = kept_by_git(place, before.files)
    head = place.lab.oid("HEAD")
    with place.around():
        place.lab.git("merge", "--quiet", "--ff-only", new, expect=None)
    after = holdings(place)
    if place.lab.oid("HEAD") == new:
        verdict = "destroys" if lost(before.files, after.files, kept) else "lands"
    else:
        assert place.lab.oid("HEAD") == head
        verdict = "refuses" if after == before else "halves"
    return Landing(verdict, before, after)


def as_told(ours: Landing, theirs: Landing) -> str:
    """git's verdict; `lands otherwise` where both land and the places are not the same then."""
    if ours.verdict != "lands" or theirs.verdict != "lands":
        return theirs.verdict
    one, other = _result(ours.after), _result(theirs.after)
    return "lands" if one == other else "lands otherwise"


def _result(found: Holdings) -> object:
    """What a place holds, but for ids of commits and, in nested repositories, stat data."""
    files = {name: file for name, file in found.files.items() if "/.git" not in name}
    return files, [(s.entries, s.diff, s.cached, s.stash) for s in found.snapshots]
