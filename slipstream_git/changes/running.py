"""A command run where the session's files are: in a warm worktree, and nowhere near the user's own.

What it changes there is dropped, or folded back into the session as one step. HEAD is detached at
the session's base, so that `git diff HEAD` is what the session changes, whatever its branch has got
since, and a `git commit` in there moves no branch.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Final

from slipstream_git import hints
from slipstream_git.changes import bounds, capturing, chain, sessions, settings, staging, warm
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.settings import Pool
from slipstream_git.changes.staging import Label
from slipstream_git.codec import bytes_field
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, edited, foreground, merge
from slipstream_git.gitdb.edited import Edit
from slipstream_git.gitdb.foreground import Ended
from slipstream_git.gitdb.pool import Slot
from slipstream_git.model import Entry
from slipstream_git.outcomes import Ran
from slipstream_git.records import NamedTuple
from slipstream_git.results import Applied
from slipstream_git.text import objectid, paths
from slipstream_git.workspace import Workspace

NOT_FOUND: Final = 127
NOT_RUN: Final = 126
# As timeout(1) has it.
TIMED_OUT: Final = 124
# Of the slot alone: git keeps refs/worktree/ in its own git directory.
_UNBORN: Final = "refs/worktree/unborn"


class Wish(NamedTuple):
    """What to run, and what becomes of what it changes.

    timeout_s: None for as long as it takes. rev: the commit or tree that it runs on; None for the
    session's.
    """

    command: tuple[str, ...]
    capture: bool
    label: Label
    timeout_s: int | None = None
    rev: str | None = None


def run(ws: Workspace, session: Session, wish: Wish) -> Ran:
    """Run a command in a warm worktree that holds the session's tree, or another.

    Raises `missing` for a revision that is not there, `usage` where its changes were to be taken
    in; `hook-failed` for a set-up that fails, `locked`; and where what it made cannot be folded
    back: `conflict`, `path-denied`, `too-large`, … KeyboardInterrupt when it was interrupted.
    """
    repository = ws.repository
    staging.labelled(ws, session, wish.label)  # before anybody waits
    if wish.rev is not None and wish.capture:
        said = "--rev runs on other files than the session's, so there is nothing to --capture"
        raise SlipError("usage", said)
    head = repository.store.ref(repository.pointed_at(session.onto)) if session.onto else None
    pool = settings.at(repository, head or session.base).pool
    tree = session.tree if wish.rev is None else _tree_of(ws, wish.rev)
    # A landing was to stand on the branch's head.
    at = (session.base if wish.rev is None else head or session.base) or _UNBORN
    with warm.leased(repository, tree, at, pool, for_long=True) as slot:
        began = time.monotonic()
        ended = _ended(ws, session, slot, wish, pool)
        ran = Ran(
            session.name,
            exit=ended.status,
            seconds=round(time.monotonic() - began, 3),
            tree=tree,
            timed_out=ended.timed_out or None,
        )
        if ended.status == NOT_FOUND:
            advice = warm.advised_settings(repository.layout.root, pool)
            ran = ran._replace(settings=advice or None)
        if not wish.capture or ended.status:
            return ran._replace(dropped=True if wish.capture else None)
        captured = _captured(ws, session, slot, wish, pool)
        left = [paths.display(path) for path in edited.left_out(slot.seen_from(), session.tree)]
        return ran._replace(captured=captured, not_captured=left or None)


def _tree_of(ws: Workspace, rev: str) -> str:
    """The tree that a revision names: its own, where it is the id of one."""
    objects = ws.repository.objects
    found = objects.find(rev) if objectid.is_id(rev) else None
    if found is not None and found.kind == "tree":
        return rev
    return commits.tree_of(objects, ws.repository.resolve(rev))


def _ended(ws: Workspace, session: Session, slot: Slot, wish: Wish, pool: Pool) -> Ended:
    git = slot.trusting()
    env = {"SLIP_SESSION": session.name, **warm.ignoring(ws.env, slot, pool)}
    start = partial(git.launch, wish.command, (ws.output, ws.errors), env)
    try:
        ended = foreground.run(git, start, slot.lock, wish.timeout_s, ws.interruption)
    except FileNotFoundError:
        ws.notify(f"{wish.command[0]}: command not found")
        return Ended(NOT_FOUND, timed_out=False)
    except OSError as fault:
        ws.notify(f"{wish.command[0]}: {fault.strerror}")
        return Ended(NOT_RUN, timed_out=False)
    return ended._replace(status=TIMED_OUT) if ended.timed_out else ended


# Folding back ------------------------------------------------------------------------------------


def _captured(ws: Workspace, session: Session, slot: Slot, wish: Wish, pool: Pool) -> Applied:
    """What the command changed, as one step on the session, wherever that is by now."""
    changed = _changed(ws, session, slot, pool)
    bounds.check_captured(ws, [Edit(*item) for item in changed.items()])
    made = ws.repository.trees.splice(session.tree, changed)
    permit = Permit(ws, session)
    for path in changed:
        if ws.repository.trees.lookup(session.tree, path) is None:
            paths.check(path)
        permit.path(path)
    now = session
    for _ in range(sessions.TRIES):
        tree = _merged(ws, session, now, made, wish)
        if tree == now.tree:
            return capturing.met(ws, capturing.told(ws, now, now), now, now)
        Permit(ws, now).step(tree)
        bounds.check_steps(ws, now.name, now.step)
        facts = staging.labelled(ws, now, wish.label)
        program = os.path.basename(wish.command[0])
        tip = chain.write_step(ws, tree, (now.tip,), facts, _journal(ws, now, tree), program)
        # Before anything moves: it reads files, one of which may be broken.
        after = now._replace(tip=tip, tree=tree, step=now.step + 1)
        told = capturing.told(ws, now, after)
        bounds.check_quota(ws)
        try:
            if staging.advance(ws, now, tip):
                return capturing.met(ws, told, now, after)
            now = sessions.again(ws, now)
        except SlipError as fault:
            if fault.code != "session-missing":
                raise
            raise _kept(ws, after, fault.message) from None
    raise sessions.kept_moving(f"session {session.name}")


def _changed(ws: Workspace, session: Session, slot: Slot, pool: Pool) -> dict[bytes, Entry | None]:
    """Paths that the command left otherwise, with what `git add` stores for each; None: deleted."""
    trees = ws.repository.trees
    shared = [
        name for name in map(os.fsencode, pool.share) if trees.lookup(session.tree, name) is None
    ]
    # Whatever the command did to the index, its files count.
    slot.restore_index()
    found = edited.edits(slot.seen_from(), session.tree, (), untracked=True)
    return {
        path: entry
        for path, entry in found
        if entry != trees.leaf(session.tree, path)
        and not any(path == name or path.startswith(name + b"/") for name in shared)
    }


def _merged(ws: Workspace, before: Session, now: Session, made: str, wish: Wish) -> str:
    """What the command made, on the session as it is now. Raises `conflict`."""
    if now.tree == before.tree:
        return made
    merged = merge.three_way(ws.repository, before.tree, now.tree, made, ws.clock())
    if not merged.conflicts:
        return merged.tree
    from slipstream_git.changes import conflicts

    # Nothing is lost while a person looks at it: git keeps what no ref reaches for two weeks.
    ws.repository.objects.publish().release()
    group = ["--group", wish.label.group] if wish.label.group else []
    agent = ["--agent", wish.label.agent] if wish.label.agent else []
    words = ["slip", "run", "-s", now.name, "--capture", *group, *agent, "--", *wish.command]
    fault = conflicts.error(
        ws,
        merged.conflicts,
        f"{now.name} was changed while the command ran, and what it made does not fit any more",
        conflicts.Meeting(
            now.onto, None, now.base, now.name, wish.command[0],
            trees=(before.tree, now.tree, made), other=now,
        ),
        advice=f"; run it again (what it made is the tree {made[:10]})",
        hint=hints.of(*words),
    )  # fmt: skip
    fault.data["tree"] = made
    raise fault


def _kept(ws: Workspace, session: Session, why: str) -> SlipError:
    """The session is gone; its chain with what the command made is kept among the closed ones."""
    from slipstream_git.changes import closing

    name = closing.keep(ws, session)
    data = {"session": session.name, "commit": session.tip, "tree": session.tree}
    made = f"what the command made is the tree {session.tree[:10]}"
    hint = None
    if name is not None:
        ref = f"{sessions.CLOSED}{name.replace('@', '/')}"
        data["ref"] = ref
        made += f", kept as {name}"
        hint = hints.of("slip", "reopen", name)
        if ws.repository.store.ref(session.ref) is not None:  # nothing can be opened beside it
            hint = hints.of("git", "diff", "--binary", f"{ref}^", ref).then(
                hints.of("slip", "apply", "-s", session.name, "-"), "|"
            )
    return SlipError("session-missing", f"{why}; {made}", hint=hint, data=data)


def _journal(ws: Workspace, now: Session, tree: str) -> list[dict[str, Any]]:
    """A row for each path that the step changes: what its own tree has there."""
    rows = []
    for path, _, new in ws.repository.trees.differences(now.tree, tree):
        name, text = bytes_field("path", path)
        facts = {"oid": new.oid, "mode": f"{new.mode:o}"} if new else {"oid": None}
        rows.append({"op": "run", name: text, **facts})
    return rows
