"""The merge of any three trees, shown and not landed."""

from __future__ import annotations

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, merge
from slipstream_git.gitdb.merged import Merge
from slipstream_git.outcomes import MergedTree
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace


def merge_tree(ws: Workspace, base: str, ours: str, theirs: str) -> MergedTree:
    """Merge OURS and THEIRS over BASE. Raises `conflict` with paths and kinds.

    Where both sides are commits and BASE is one of their merge bases, git's own recursive merge
    of them is meant; otherwise exactly these three trees.
    """
    merged = _merged(ws, base, ours, theirs)
    if not merged.conflicts:
        _publish(ws)
        return MergedTree(clean=True, tree=merged.tree, engine=merged.engine)
    rows = [{"path": paths.display(c.path), "kind": c.kind} for c in merged.conflicts]
    names = ", ".join(f"{row['path']} ({row['kind']})" for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    raise SlipError(
        "conflict", f"conflicts in {names}{more}", data={"clean": False, "conflicts": rows}
    )


def _merged(ws: Workspace, base: str, ours: str, theirs: str) -> Merge:
    sides = [_object(ws, revision) for revision in (base, ours, theirs)]
    if all(kind == "commit" for _, kind in sides):
        (b, _), (o, _), (t, _) = sides
        bases = _merge_bases(ws, o, t)
        if b in bases:
            return merge.of_commits(ws.repository, bases, o, t)
    trees = [_tree(ws, oid, kind) for oid, kind in sides]
    return merge.three_way(ws.repository, trees[0], trees[1], trees[2], ws.clock())


def _publish(ws: Workspace) -> None:
    """Keep the merged tree readable, as ``git merge-tree`` leaves it: unreachable, until gc."""
    if ws.repository.objects.pending():
        ws.repository.objects.publish().release()


def _object(ws: Workspace, revision: str) -> tuple[str, str]:
    """The commit or tree that a revision names."""
    if revision.startswith("-"):
        raise SlipError("missing", f"{revision!r} names no commit or tree")
    for kind in ("commit", "tree"):
        done = ws.repository.git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{{kind}}}",
            accept=(0, 1, 128),
        )  # fmt: skip
        if done.status == 0:
            return done.out.decode().split()[-1], kind
    raise SlipError("missing", f"{revision!r} names no commit or tree")


def _merge_bases(ws: Workspace, ours: str, theirs: str) -> list[str]:
    done = ws.repository.git.run("merge-base", "--all", ours, theirs, accept=(0, 1))
    return done.out.decode().split()


def _tree(ws: Workspace, oid: str, kind: str) -> str:
    if kind == "tree":
        return oid
    return commits.tree_of(ws.repository.objects, oid)
