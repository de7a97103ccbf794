"""A session whose work is in its branch already, as one commit that somebody else made of it.

A forge that squashes a pull request makes a commit of which git does not know where it came from.
It is known again by what it does: it comes to the session's tree, or it changes what the session
changes, line by line with the lines around (git's patch id, but with blanks told apart).
"""

from __future__ import annotations

from collections.abc import Iterator

from slipstream_git.changes import carrying, closing, provenance, telling, uncaptured
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, merge, notes
from slipstream_git.outcomes import Landed
from slipstream_git.workspace import Workspace

# How far back a branch is looked through, and how many paths git is told to look for.
MOST_COMMITS = 2000
MOST_PATHS = 64
_DIFF = (
    "diff-tree", "-p", "--no-renames", "--full-index", "--binary", "--no-color", "--no-ext-diff",
    "--no-textconv", "--unified=3", "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip


def may_explain(fault: SlipError) -> bool:
    """Whether a session may collide because its branch has its work, and has gone on from there.

    Texts collide then. A file that was renamed, removed or made something else is for a person to
    decide, though a commit may look like the session's half of it.
    """
    files = fault.data.get("files")
    kinds = {file["kind"] for file in files} if isinstance(files, list) else set()
    return fault.code == "conflict" and bool(kinds) and kinds <= {"content", "add-add"}


def landing_of(ws: Workspace, session: Session, head: str | None) -> str | None:
    """The newest commit up to ``head``, since the session's base, that is the session's work.

    None where there is none that was made elsewhere, or where the session changes nothing.
    """
    if head is None or session.base is None or session.tree == session.base_tree:
        return None
    trees = ws.repository.trees
    wanted = trees.differences(session.base_tree, session.tree)
    names = {difference.path for difference in wanted}
    own: bytes | None = None
    for oid, before, after in _candidates(ws, session.base, head, names):
        found = trees.differences(before, after)
        if {difference.path for difference in found} != names:
            continue
        if after != session.tree and found != wanted:
            own = own or _patch_id(ws, session.base_tree, session.tree)
            if _patch_id(ws, before, after) != own:
                continue
        # What a session landed as is that session's: this one, if it was kept, or its twin.
        if notes.read(ws.repository, provenance.REF, oid) is None:
            return oid
    return None


def _candidates(
    ws: Workspace, base: str, head: str, names: set[bytes]
) -> Iterator[tuple[str, str, str]]:
    """Commits of one parent that touch what the session does: id, tree before, tree after."""
    paths = sorted(names)[:MOST_PATHS] if len(names) <= MOST_PATHS else []
    done = ws.repository.git.run(
        "--literal-pathspecs", "rev-list", "--no-merges", "--parents", f"-n{MOST_COMMITS}",
        f"{base}..{head}", "--", *paths,
        accept=(0, 128),
    )  # fmt: skip
    for line in done.out.decode().splitlines() if done.status == 0 else ():
        oid, *_ = line.split()
        commit = commits.parse(oid, ws.repository.objects.commit(oid))
        if len(commit.parents) != 1:
            continue
        found = ws.repository.objects.find(commit.parents[0])
        if found is not None:  # a shallow clone ends somewhere
            yield oid, commits.parse(commit.parents[0], found.data).tree, commit.tree


def _patch_id(ws: Workspace, before: str, after: str) -> bytes:
    """A digest of what changes, without where: line numbers and ids are left out."""
    import hashlib  # a cold start does not pay for it

    digest = hashlib.sha256()
    for line in ws.repository.git.run(*_DIFF, before, after).out.split(b"\n"):
        if not line.startswith(b"index "):
            digest.update((b"@@" if line.startswith(b"@@ ") else line) + b"\n")
    return digest.digest()


def closed(ws: Workspace, session: Session, commit: str, *, dry_run: bool) -> Landed:
    """Close a session as landed with this commit, and say so. Raises `dirty` or `ref-moved`."""
    if not dry_run:
        uncaptured.check(ws, session)
        # The one that makes a ref decides for the others.
        moves = closing.landed(ws, session, commit)[::-1] + carrying.moves(ws, session, commit)
        kept = ws.repository.objects.publish()
        try:
            closing.move_together(ws, moves, f"slip: {session.name} landed")
        except SlipError:
            done = closing.landed_already(ws, session.name)  # another process was first
            if done is None:
                raise
            return done
        finally:
            kept.release()
        telling.landed(ws, [session], moves, session.onto or "", commit)
    return Landed(
        session.name, committed=False, old_head=None, engine=None, already=True,
        commit=commit,
        reason="its branch has this work as a commit that was made elsewhere",
        dry_run=dry_run or None,
    )  # fmt: skip


def standing(ws: Workspace, session: Session, *, collides: bool) -> str | None:
    """The commit that a landing would find instead of something to land, or None.

    collides: the session conflicts with its branch.
    """
    head = ws.repository.pointed_at(session.onto) if session.onto else None
    commit = ws.repository.store.ref(head) if head else None
    if commit is None or commit == session.base or session.unresolved:
        return None
    if not collides:
        tree = commits.tree_of(ws.repository.objects, commit)
        trees = (session.base_tree, tree, session.tree)
        if merge.three_way(ws.repository, *trees, ws.clock()).tree != tree:
            return None
    return landing_of(ws, session, commit)
