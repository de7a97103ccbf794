"""Do slip's merges equal git's, on merges that people made?

    python bench/merges.py --repo NAME=PATH… [--most 1000] [--listed FILE]

Each merge commit with two parents that any ref of the repositories reaches is made again, in the
process, and by `git merge-tree`; of more than --most of a repository every so manyth, criss-cross
ones among them. --listed adds the merges of a file of JSON lines ({"repo": "OWNER/NAME", "base",
"ours", "theirs"}), of those repositories that are called NAME here. The repositories are only read:
everything is written to clones that borrow their objects.

Printed are equal/total, who answered, and every disagreement. Exit status 1 when a clean tree
differs, or fewer than 99.9 % agree.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.git import environment, git
from slipstream_git.gitdb import commits, merge, mergewalk
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.gitdb.repository import Repository, open_repository

LEAST = 0.999


class Sides(NamedTuple):
    """A merge: two commits, and their only merge base where they have but one."""

    base: str | None
    ours: str
    theirs: str


class Answer(NamedTuple):
    """A clean tree, or the paths that are left unmerged."""

    tree: str | None
    unmerged: frozenset[bytes]


def main(arguments: Sequence[str]) -> int:
    asked = _parser().parse_args(arguments)
    room = Path(tempfile.mkdtemp(prefix="slip-merges-"))
    found: Counter[str] = Counter()
    try:
        for name, _, path in (repo.partition("=") for repo in asked.repo):
            place = room / name
            git(room, "clone", "--quiet", "--mirror", "--shared", path, str(place))
            sides = {*_listed(asked.listed, name), *_merges(place, asked.most)}
            found += _compared(name, place, sorted(sides, key=str))
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return _report(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repo", action="append", required=True, metavar="NAME=PATH")
    parser.add_argument("--most", type=int, default=1000, help="merges of a repository")
    parser.add_argument("--listed", type=Path, metavar="FILE")
    return parser


def _listed(page: Path | None, name: str) -> Iterator[Sides]:
    if page is None:
        return
    with gzip.open(page, "rt") as stream:
        for row in map(json.loads, stream):
            if row["repo"].rpartition("/")[2] == name:
                yield Sides(row["base"] or None, row["ours"], row["theirs"])


def _merges(place: Path, most: int) -> Iterator[Sides]:
    """Merges of two parents, spread over the history."""
    rows = git(place, "log", "--all", "--min-parents=2", "--max-parents=2", "--format=%P")
    pairs = sorted({tuple(row.split()) for row in rows.decode().splitlines()})
    for ours, theirs in pairs[:: max(1, len(pairs) // most)]:
        bases = _asked(place, "merge-base", "--all", ours, theirs).decode().split()
        yield Sides(bases[0] if len(bases) == 1 else None, ours, theirs)


def _compared(name: str, place: Path, merges: Sequence[Sides]) -> Counter[str]:
    found: Counter[str] = Counter()
    spent = Counter[str]()
    with open_repository(str(place), environment(), in_process=True) as repository:
        for sides in merges:
            start = time.perf_counter()
            engine, ours = _made_here(repository, sides)
            middle = time.perf_counter()
            theirs = _made_by_git(place, sides)
            spent += Counter({engine: middle - start, "git itself": time.perf_counter() - middle})
            if ours != theirs:  # is it for the attributes, which a bare repository has not?
                theirs = _made_in_a_worktree(place, sides)
            outcome = _outcome(ours, theirs)
            found[outcome] += 1
            found[f"answered by {engine}"] += 1
            found["criss-cross"] += sides.base is None
            if outcome != "equal":
                print(f"{name}: {outcome} by {engine}: {sides.ours} {sides.theirs}")
                print(f"    here {ours}\n    git  {theirs}"[:2000])
            found += _verdict(repository, sides, theirs)
            repository.objects.discard()
    times = ", ".join(f"{who} {seconds:.1f} s" for who, seconds in spent.items())
    print(f"{name}: {len(merges)} merges, {dict(found)}; {times}", flush=True)
    return found


def _made_here(repository: Repository, sides: Sides) -> tuple[str, Answer]:
    if sides.base is None:
        made = merge.of_commits(repository, (), sides.ours, sides.theirs)
    else:
        trees = [_tree(repository, oid) for oid in (sides.base, sides.ours, sides.theirs)]
        made = merge.three_way(repository, trees[0], trees[1], trees[2], int(time.time()))
    return made.engine, _answer(made.tree, made.conflicts)


def _answer(tree: str | None, conflicts: Sequence[Conflict]) -> Answer:
    paths = frozenset(_without_side(conflict.path) for conflict in conflicts)
    return Answer(None if paths else tree, paths)


def _verdict(repository: Repository, sides: Sides, theirs: Answer) -> Counter[str]:
    """Whether the conflicts that are found without a tree are the same."""
    if sides.base is None:
        return Counter()
    trees = [_tree(repository, oid) for oid in (sides.base, sides.ours, sides.theirs)]
    if trees[0] in trees[1:] or trees[1] == trees[2]:
        return Counter()
    told = mergewalk.conflicts(repository, *trees)
    if told is None:
        return Counter({"verdict unknown": 1})
    if _answer(theirs.tree, told) == theirs:
        return Counter({f"verdict {'conflict' if told else 'clean'}": 1})
    print(f"verdict differs: {sides} {told} {theirs}"[:2000])
    return Counter({"verdict differs": 1})


def _tree(repository: Repository, commit: str) -> str:
    return commits.parse(commit, repository.objects.commit(commit)).tree


def _made_in_a_worktree(place: Path, sides: Sides) -> Answer:
    """The same where the attributes of ours stand in the worktree, as where it is checked out."""
    with tempfile.TemporaryDirectory(prefix="slip-merges-") as root:
        for row in git(place, "ls-tree", "-r", "-z", sides.ours).split(b"\0")[:-1]:
            facts, _, path = row.partition(b"\t")
            if path.rpartition(b"/")[2] == b".gitattributes" and facts.startswith(b"100"):
                file = Path(root, os.fsdecode(path))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(git(place, "cat-file", "blob", facts.split()[2].decode()))
        return _made_by_git(place, sides, "-C", root, "--work-tree=" + root)


def _made_by_git(place: Path, sides: Sides, *where: str) -> Answer:
    out = _asked(
        place, *where, "merge-tree", "--write-tree", "-z", "--no-messages",
        "--allow-unrelated-histories", sides.ours, sides.theirs,
    )  # fmt: skip
    tree, *rows = out.rstrip(b"\0").split(b"\0")
    paths = frozenset(_without_side(row.partition(b"\t")[2]) for row in rows)
    return Answer(None if paths else tree.decode(), paths)


def _asked(place: Path, *arguments: str) -> bytes:
    """What git prints; its exit status is 1 for no merge base and for conflicts."""
    return subprocess.run(
        ["git", "--git-dir", str(place), *arguments],
        stdout=subprocess.PIPE,
        check=False,
        env=environment(),
    ).stdout


def _without_side(path: bytes) -> bytes:
    """A path to which git appended the name of a side, which is a commit made for the merge."""
    return _SIDE.sub(b"", path)


_SIDE = re.compile(rb"~[0-9a-f]{40}(_\d+)?(?=/|$)")


def _outcome(ours: Answer, theirs: Answer) -> str:
    if ours == theirs:
        return "equal"
    if ours.tree and theirs.tree:
        return "another tree"
    if not (ours.tree or theirs.tree):
        return "other conflicts"
    return "missed conflict" if ours.tree else "needless conflict"


def _report(found: Counter[str]) -> int:
    names = ("equal", "another tree", "missed conflict", "needless conflict", "other conflicts")
    total = sum(found[name] for name in names)
    print("\n".join(f"{name}: {count}" for name, count in sorted(found.items())))
    print(f"equal: {found['equal']} of {total}, {found['equal'] / total:.3%}")
    wrong = found["another tree"] + found["missed conflict"] + found["verdict differs"]
    return int(wrong > 0 or found["equal"] < LEAST * total)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
