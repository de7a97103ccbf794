"""What git's own merge says of three trees, and sessions that hold any files at all."""

from __future__ import annotations

import re

from slipstream_git.changes import chain, sessions, staging
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.staging import Label
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.process import Output
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.model import Entry
from slipstream_git.workspace import Workspace
from tests.changes.concurrency.random_trees import Files
from tests.changes.concurrency.sides import MAIN

SIGNATURE = b"A <a@example.com> 1767323045 +0000"


def written(ws: Workspace, files: Files) -> str:
    """The tree of these files, in the overlay."""
    objects = ws.repository.objects
    rows: dict[bytes, Entry | None] = {
        path: Entry(mode, objects.write("blob", data)) for path, (mode, data) in files.items()
    }
    return ws.repository.trees.splice(objects.write("tree", b""), rows)


def committed(ws: Workspace, tree: str, *parents: str, later: int = 0) -> str:
    signature = SIGNATURE.replace(b"23045", b"%d" % (23045 + later))
    return ws.repository.objects.write(
        "commit", commits.encode(tree, parents, signature, signature, b"x\n")
    )


def put_main(ws: Workspace, tree: str, later: int, *parents: str) -> str:
    """Let main be a new commit with this tree, so many seconds later than the first."""
    commit = committed(ws, tree, *parents, later=later)
    old = ws.repository.store.ref(MAIN)
    ws.repository.objects.publish().release()
    ws.repository.store.move([RefMove(MAIN, old, commit)], "test")
    return commit


def session(ws: Workspace, name: str, base: str, files: Files) -> Session:
    """An open session, begun on that commit, with these files."""
    sessions.begin(ws, sessions.Wish(name, base=base, onto="main"))
    begun = sessions.load(ws, name)
    facts = staging.next_facts(begun, Label())
    tip = chain.write_step(ws, written(ws, files), (begun.tip,), facts)
    assert staging.advance(ws, begun, tip)
    return sessions.load(ws, name)


def merge_tree(ws: Workspace, base: str, ours: str, theirs: str) -> tuple[str, list[bytes]]:
    """The tree that `git merge-tree` makes of three, and the paths in conflict.

    A file that stands where the other side has a directory is told by its own name, without the
    commit that git adds to it.
    """
    listed, _, said = _asked(ws, base, ours, theirs).out.partition(b"\0\0")
    tree, *names = listed.split(b"\0")
    names = names or _only_said(ws, said, ours, theirs)
    return tree.decode(), sorted({re.sub(rb"~[0-9a-f]{40}(_\d+)?$", b"", name) for name in names})


def _only_said(ws: Workspace, messages: bytes, ours: str, theirs: str) -> list[bytes]:
    """Paths of conflicts that git speaks of and does not list; what both have alike is beside."""
    records, found = messages.split(b"\0"), []
    while records and records[0].isdigit():
        count = int(records[0])
        if records[count + 1].startswith(b"CONFLICT"):
            found += records[1 : count + 1]
        records = records[count + 3 :]
    trees = ws.repository.trees
    return [path for path in found if trees.leaf(ours, path) != trees.leaf(theirs, path)] or found


def by_git(ws: Workspace, base: str, ours: str, theirs: str) -> str | None:
    """The clean merge of three trees by git itself; None where it conflicts.

    git may call a merge a conflict and name no path: where a directory seems to have been moved to
    where the added file would be in the way.
    """
    done = _asked(ws, base, ours, theirs)
    return done.out.partition(b"\0")[0].decode() if done.status == 0 else None


def _asked(ws: Workspace, base: str, ours: str, theirs: str) -> Output:
    root = committed(ws, base)
    sides = committed(ws, ours, root), committed(ws, theirs, root)
    ws.repository.objects.publish().release()
    return ws.repository.git.run(
        "merge-tree", "--write-tree", "-z", "--name-only", "--messages", *sides, accept=(0, 1)
    )
