"""Operations on the repository as a whole: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import ACTS, ALONE, operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slipstream_git import outcomes
    from slipstream_git.workspace import Workspace


@operation(ACTS)
def merge_tree(ws: Workspace, base: str, ours: str, theirs: str) -> outcomes.MergedTree:
    """Merge three trees or commits, with no session and nothing moved.

    base (BASE): the tree-ish that both sides come from
    ours (OURS): one side
    theirs (THEIRS): the other side
    """
    from slipstream_git.changes import merging

    return merging.merge_tree(ws, base, ours, theirs)


@operation(ACTS)
def recover(ws: Workspace) -> outcomes.Recovered:
    """Finish or take back landings that died half way.

    Of a push whose answer was not heard the remote is asked whether it happened. If so, its
    sessions are closed, and the branch here follows.
    """
    from slipstream_git.changes import recovery
    from slipstream_git.sharing import recalling

    done = recovery.recover(ws)
    return done._replace(intents=[*done.intents, *recalling.recover(ws)])


@operation(ACTS)
def gc(ws: Workspace, *, expire: str | None = None, dry_run: bool = False) -> outcomes.Collected:
    """Let closed sessions go that are old, and tidy up what slip keeps.

    Open sessions are never touched. The objects of what expired are then git's to prune (`git gc`).
    Also sweeps what dead processes left, and merges slip's own packs into one.

    expire (DAYS): let go what was closed so many days ago, or now, or never (default: slip.expire
        in git config, else 14)
    """
    from slipstream_git.changes import expiry

    return expiry.collect(ws, expire=expire, dry_run=dry_run)


@operation(ACTS)
def doctor(ws: Workspace, *, fix: bool = False, seconds: int = 5) -> outcomes.Examined:
    """Look whether anything here is broken, left over or missing, and say what to type.

    Without --fix it changes nothing. Exits 0 also when a check fails: the answer says which, with
    --json as `status`.

    fix: mend what can be mended without the risk of losing anything, say what was done, and look
        once more; the rest is yours to type
    seconds (N): read loose objects for so long at most (default: 5)
    """
    from slipstream_git.changes.doctor import examination

    return examination.examine(ws, seconds, fix=fix)


@operation(ALONE)
def demo(env: Mapping[str, str]) -> outcomes.Demonstrated:
    """Build a small repository and show three sessions: a landing, a merge and a conflict."""
    from slipstream_git.changes import demonstration

    return demonstration.run(env)
