"""Notes of two machines made one: every line that either has, once.

As `git notes merge -s cat_sort_uniq` merges, without a ref that it would have to be on, and with
whichever fan-out either side has: a note that one side alone has changed or removed is as that side
has it, and of one that both have changed all lines are kept, sorted.
"""

from __future__ import annotations

from slipstream_git.gitdb import commits, notes
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import FILE, Entry


def merged(repository: Repository, ours: str | None, theirs: str, signature: bytes) -> str:
    """The commit that holds the notes of both, in the overlay where it is neither of them.

    Both are commits that the repository can read, with their history.
    """
    if ours is None or ours == theirs or _is_in(repository, ours, theirs):
        return theirs
    if _is_in(repository, theirs, ours):
        return ours
    base = _base(repository, ours, theirs)
    before = notes.every(repository, base) if base else {}
    mine, other = notes.every(repository, ours), notes.every(repository, theirs)
    tree = _tree(repository, ours)
    for target in sorted({*mine, *other}):
        old, here, there = before.get(target), mine.get(target), other.get(target)
        if there in (here, old):
            continue
        wanted = there
        if here != old and here is not None and there is not None:
            wanted = _united(repository, here, there)
        elif there is None and here != old:
            continue  # removed there, changed here: what is new is kept
        path = notes.path_of(repository, tree, target) or notes.fanned(target)
        tree = repository.trees.splice(tree, {path: Entry(FILE, wanted) if wanted else None})
    said = b"Notes of another machine merged by slip\n"
    return repository.objects.write(
        "commit", commits.encode(tree, (ours, theirs), signature, signature, said)
    )


def _united(repository: Repository, ours: str, theirs: str) -> str:
    lines = {line for oid in (ours, theirs) for line in repository.objects.blob(oid).split(b"\n")}
    text = b"".join(line + b"\n" for line in sorted(lines) if line)
    return repository.objects.write("blob", text)


def _tree(repository: Repository, commit: str) -> str:
    return commits.tree_of(repository.objects, commit)


def _is_in(repository: Repository, commit: str, head: str) -> bool:
    asked = ("merge-base", "--is-ancestor", commit, head)
    return repository.git.run(*asked, accept=(0, 1, 128)).status == 0


def _base(repository: Repository, ours: str, theirs: str) -> str | None:
    done = repository.git.run("merge-base", ours, theirs, accept=(0, 1))
    return done.out.decode().split()[0] if done.status == 0 else None
