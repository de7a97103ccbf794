"""What a command that died half way left, brought to the old state or the new one.

The branch decides: when it holds the landed commit, the rest is finished; when it does not, files
and index are taken back. What a person has changed since is left alone, and told. Called under the
landing lock, so an intent that is there belongs to nobody alive.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from slipstream_git.changes import bringing, sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, locks, permissions, reflocks, sweeping
from slipstream_git.gitdb.barriers import AT_ONCE, Barrier
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.worktrees import intents, writer
from slipstream_git.gitdb.worktrees.checkouts import manner_of
from slipstream_git.gitdb.worktrees.intents import Intent, Place
from slipstream_git.gitdb.worktrees.jobs import (
    Acceptable,
    Convertible,
    Job,
    Placement,
    Trouble,
    Worktree,
)
from slipstream_git.gitdb.worktrees.writer import Writer
from slipstream_git.model import EMPTY_TREE
from slipstream_git.outcomes import LeftAlone, Recovered, RecoveredIntent
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

# Refusals by a git that lived to say so: it gave its own locks back.
ANOTHERS = ("locked", "ref-moved", "dirty", "hook-failed")


def recover(ws: Workspace) -> Recovered:
    """Finish or take back every landing that died, and say what became of each."""
    layout = ws.repository.layout
    with locks.held(layout):
        done = finish_all(ws)
        sweeping.clear_stale_locks(layout.common_dir)
        return Recovered(done)


def recover_if_idle(ws: Workspace) -> None:
    """The same before another command, unless a living landing holds the lock.

    What cannot be recovered now is told and left for the next time; it is no reason to refuse the
    command that was asked for.
    """
    layout = ws.repository.layout
    try:
        with locks.held(layout, patience_s=0.0):
            finish_all(ws)
    except SlipError as fault:
        if fault.code != "locked":
            ws.notify(f"a landing that died cannot be brought to its end: {fault.message}")


def finish_all(ws: Workspace) -> list[RecoveredIntent]:
    """Bring every intent to its end. The caller holds the landing lock."""
    layout = ws.repository.layout
    permissions.share(layout.slip_dir, layout.sharing)
    sweeping.sweep(layout)
    pending = intents.pending_intents(layout.common_dir)
    return [_finish(ws, intent) for intent in pending]


def _finish(ws: Workspace, intent: Intent) -> RecoveredIntent:
    repository = ws.repository
    path = intents.intent_path(repository.layout.common_dir, intent.id)
    moves = _moves(intent)
    if moves:
        _clear_ref_locks(
            repository,
            path,
            moves,
            [
                os.path.join(repository.layout.common_dir, place.git_dir)
                for place in intent.worktrees
            ],
        )
    # A flush moves no ref that could decide, and neither does a mere deletion: what was asked for
    # is finished.
    landed = not moves or moves[0].new is None or has_landed(repository, moves)
    if landed:
        _renew(path)
        finish_refs(repository, moves)
    troubles: list[Trouble] = []
    for place in intent.worktrees:
        troubles += _bring(ws, intent, place, forward=landed)
    intents.drop_intent(path)
    return RecoveredIntent(
        session=_session_name(intent),
        branch=intent.branch,
        commit=intent.new_commit,
        outcome=_outcome(intent, moves, landed=landed),
        left=[LeftAlone(paths.display(t.path), t.why) for t in troubles],
    )


def _outcome(intent: Intent, moves: Sequence[RefMove], *, landed: bool) -> str:
    if not moves:
        return "flushed"
    if not landed:
        return "undone"
    return "landed" if intent.branch is not None else _became(moves)


def _became(moves: Sequence[RefMove]) -> str:
    """What moves of slip's own refs alone have made of a session."""
    name, _, new = moves[0]
    is_made = any(_is_session(move.name) and move.new is not None for move in moves)
    if is_made and not any(move.name.startswith(sessions.CLOSED) for move in moves):
        return "pulled"
    if _is_session(name):
        return "closed" if new is None else "reopened"
    if is_made:
        return "rebased"
    return "expired" if new is None else "closed"


def _session_name(intent: Intent) -> str:
    names = [m.ref.removeprefix(sessions.OPEN) for m in intent.sessions if _is_session(m.ref)]
    closed = [m.ref for m in intent.sessions if m.ref.startswith(sessions.CLOSED)]
    names += [ref.removeprefix(sessions.CLOSED).rpartition("/")[0] for ref in closed]
    if intent.branch is not None:
        return ", ".join(dict.fromkeys(names))  # several where they landed together
    return names[0] if names else ""


def _is_session(ref: str) -> bool:
    return ref.startswith(sessions.OPEN)


def landed_after_all(
    ws: Workspace, intent: str, moves: Sequence[RefMove], fault: BaseException
) -> bool:
    """After a failure among the visible effects, in the landing's own process: did it land?

    git moves the refs of a transaction one by one, so its death (or a full disk) can leave the
    branch moved and the rest not: then the rest is moved here. A dead child's locks are cleared
    either way; after a refusal the child gave back its own, and any that is there is another's.
    """
    repository = ws.repository
    if not (isinstance(fault, SlipError) and fault.code in ANOTHERS):
        _clear_ref_locks(repository, intent, moves, [repository.layout.git_dir])
    if not has_landed(repository, moves):
        return False
    with suppress(SlipError):
        _renew(intent)
        finish_refs(repository, moves)
    return True


def _renew(intent: str) -> None:
    """Date an intent anew, so that locks taken from now on are known for its own, too."""
    with suppress(OSError):
        os.utime(intent)


def _clear_ref_locks(
    repository: Repository, intent: str, moves: Sequence[RefMove], git_dirs: Sequence[str]
) -> None:
    layout = repository.layout
    born = os.stat(intent).st_mtime
    reflocks.clear_dead(layout.common_dir, [layout.git_dir, *git_dirs], moves, intended_at_s=born)


def _moves(intent: Intent) -> list[RefMove]:
    """Every ref move of an intent, the one that decides first; none for a flush."""
    others = [RefMove(*move) for move in intent.sessions]
    if intent.branch is None or intent.new_commit is None:
        return [move for move in others if move.old != move.new]
    return [RefMove(intent.branch, intent.old_head, intent.new_commit), *others]


def has_landed(repository: Repository, moves: Sequence[RefMove]) -> bool:
    """Whether the transaction happened: the branch holds the commit, or stands on it.

    Somebody may have amended it since; then the refs that moved with the branch tell.
    """
    branch, others = moves[0], moves[1:]
    if branch.new is None:
        return all(repository.store.ref(move.name) is None for move in moves)
    if any(m.new not in (None, m.old) and repository.store.ref(m.name) == m.new for m in others):
        return True
    now = repository.store.ref(branch.name)
    if now is None or now == branch.old or branch.new is None:
        return False
    if now == branch.new:
        return True
    done = repository.git.run("merge-base", "--is-ancestor", branch.new, now, accept=(0, 1, 128))
    return done.status == 0


def finish_refs(repository: Repository, moves: Sequence[RefMove]) -> None:
    """Move the refs that should have gone with the first and are as they were before."""
    for number, move in enumerate(moves):
        if number == 0 and move.new is not None:
            continue  # it decided
        if repository.store.ref(move.name) == move.old:
            repository.store.move([move], "slip: recover")


def _bring(ws: Workspace, intent: Intent, place: Place, *, forward: bool) -> Sequence[Trouble]:
    """Bring one worktree to the old state or the new one, if nobody has gone on there since."""
    repository = ws.repository
    worktree = _worktree(ws, place)
    if worktree is None:
        return ()
    acceptable = _versions(ws, intent)
    if not _stands_as_left(worktree, place, intent, landed=forward):
        # A commit, a switch, an amend: what is there is what somebody wanted. Only what the dead
        # run left beside the files is cleared away.
        acceptable = _with_both_sides(acceptable, intent.placements)
        intent = intent._replace(placements=_as_it_stands(repository, worktree, intent.placements))
        forward = True
    elif intent.branch is None and not _placed_any(ws, intent, worktree):
        forward = False  # a flush that had not begun, or was taken back by hand
    job = Job(
        worktree._replace(branch=intent.branch, head=intent.old_head),
        intent.placements,
        _content(ws, intent, worktree),
        intent.id,
        acceptable=acceptable,
        with_index=intent.with_index,
        manner=manner_of(repository.config_in(worktree.root, worktree.git_dir)),
    )
    return (writer.finish if forward else writer.retreat)(repository.git, job)


def _stands_as_left(worktree: Worktree, place: Place, intent: Intent, *, landed: bool) -> bool:
    """Whether a worktree is on the branch and the commit that the dead run left it on."""
    head = intent.new_commit if landed and intent.branch is not None else place.head
    return (worktree.branch, worktree.head) == (place.branch, head)


def _as_it_stands(
    repository: Repository, worktree: Worktree, placements: Sequence[Placement]
) -> tuple[Placement, ...]:
    """Placements that leave every path as the worktree's own commit has it."""
    trees = repository.trees
    tree = EMPTY_TREE
    if worktree.head is not None:
        tree = commits.tree_of(repository.objects, worktree.head)
    entries = {p.path: trees.leaf(tree, p.path) for p in placements}
    return tuple(Placement(path, entry, entry) for path, entry in entries.items())


def _with_both_sides(acceptable: Acceptable, placements: Sequence[Placement]) -> Acceptable:
    """The versions kept elsewhere, with what the dead run was to replace and to place."""
    sides = {p.path: (p.old, p.new) for p in placements}
    return lambda path: [*acceptable(path), *sides.get(path, ())]


def _placed_any(ws: Workspace, intent: Intent, worktree: Worktree) -> bool:
    """Whether a dead flush had brought any file to its new content."""
    job = Job(
        worktree,
        intent.placements,
        _content(ws, intent, worktree),
        intent.id,
        acceptable=_versions(ws, intent),
        with_index=False,
        recovering="forward",
    )
    looking = Writer(ws.repository.git, job)
    looking.preflight()
    return bool({p.path for p in intent.placements if p.old != p.new} - looking.changing())


def _content(ws: Workspace, intent: Intent, worktree: Worktree) -> Convertible:
    tree = _index_tree(ws.repository, intent)
    return bringing.content_of(ws.repository, worktree, tree, intent.placements)


def _worktree(ws: Workspace, place: Place) -> Worktree | None:
    """The worktree of this repository that a place names, wherever the repository is now."""
    git_dir = os.path.normpath(os.path.join(ws.repository.layout.common_dir, place.git_dir))
    for worktree in bringing.every_worktree(ws):
        if worktree.git_dir == git_dir and os.path.isdir(worktree.root):
            return worktree
    return None


def _versions(ws: Workspace, intent: Intent) -> Acceptable:
    """The versions of a path that the intent's sessions keep; none when their chains are gone."""
    found = []
    for move in intent.sessions:
        if _is_session(move.ref) and move.old is not None:
            name = move.ref.removeprefix(sessions.OPEN)
            with suppress(SlipError):
                found.append(bringing.versions(ws, sessions.at(ws, name, move.old)))
    return bringing.of_any(found)


def _index_tree(repository: Repository, intent: Intent) -> str:
    """The tree whose attributes say how files stand in the worktree."""
    for oid in (intent.new_commit, intent.old_head):
        if oid is not None and repository.objects.find(oid) is not None:
            return commits.tree_of(repository.objects, oid)
    return EMPTY_TREE


def _place(ws: Workspace, worktree: Worktree) -> Place:
    """A worktree by its git directory's place in the repository, which may be moved or copied."""
    common_dir = ws.repository.layout.common_dir
    git_dir = os.path.relpath(worktree.git_dir, common_dir)
    return Place(worktree.root, git_dir, worktree.branch, worktree.head)


def disks(ws: Workspace, worktrees: Iterable[Worktree]) -> list[str]:
    """Where a landing or flush writes: paths that stand for the file systems of all of it."""
    layout = ws.repository.layout
    own = [layout.common_dir, layout.objects_dir, layout.slip_dir]
    return own + [path for worktree in worktrees for path in (worktree.root, worktree.git_dir)]


def take_back(writers: Sequence[Writer], intent: str, barrier: Barrier) -> list[str]:
    """Undo what was placed, and forget the intent when that is on the disk.

    Gives a line for each path that somebody changed since. What the disk does not take is left to
    the intent, for the next slip.
    """
    left = bringing.roll_back(writers)
    with suppress(SlipError):
        barrier.raised()
        drop(intent)
    return left


def drop(intent: str) -> None:
    """Forget an intent whose landing has come to its end."""
    intents.drop_intent(intent)


# Intents -----------------------------------------------------------------------------------------


def noted(ws: Workspace, moves: Sequence[RefMove]) -> str:
    """Write down moves of slip's own refs that go together, as `intended`; the intent's path."""
    return _written(
        ws,
        Intent(
            id=ws.token(),
            pid=os.getpid(),
            at_s=ws.clock(),
            worktrees=(),
            placements=(),
            sessions=tuple(intents.SessionMove(*move) for move in moves),
        ),
        AT_ONCE,
    )


def intended(
    ws: Workspace,
    *,
    token: str,
    chains: Sequence[Session],
    moves: Sequence[RefMove],
    placements: Sequence[Placement],
    places: Sequence[Worktree],
    index: bool,
    barrier: Barrier,
) -> str:
    """Write down what is about to be done, durable when the barrier is raised; the intent's path.

    chains: the sessions. moves: the branch's first, then those that go with it; empty for a flush.
    """
    branch = moves[0] if moves else None
    others = list(moves[1:])
    # A flush moves no ref, and --keep not this one: it is named for the versions it keeps.
    named = {move.name for move in others}
    others += [RefMove(s.ref, s.tip, s.tip) for s in chains if s.ref not in named]
    intent = Intent(
        id=token,
        pid=os.getpid(),
        at_s=ws.clock(),
        worktrees=tuple(_place(ws, worktree) for worktree in places),
        placements=tuple(placements),
        branch=branch.name if branch else None,
        old_head=branch.old if branch else None,
        new_commit=branch.new if branch else None,
        sessions=tuple(intents.SessionMove(*move) for move in others),
        with_index=index,
    )
    return _written(ws, intent, barrier)


def _written(ws: Workspace, intent: Intent, barrier: Barrier) -> str:
    try:
        layout = ws.repository.layout
        return intents.write_intent(
            layout.common_dir, intent, sharing=layout.sharing, barrier=barrier
        )
    except OSError as fault:
        raise SlipError("git-failed", f"the intent cannot be written: {fault.strerror}") from None
