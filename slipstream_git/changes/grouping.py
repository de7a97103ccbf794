"""The commits of a series: a session's steps by their labels, and the tree that each comes to.

A group is all steps with one label; groups stand in the order in which their labels first appear,
steps without a label last. A group's tree is made by replaying its steps, in order, on the tree of
the group before it: so labels may be mixed as the work went, and the last tree is the session's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from slipstream_git import hints
from slipstream_git.changes import chain, conflicts, sessions
from slipstream_git.changes.chain import Step
from slipstream_git.changes.conflicts import Meeting
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import merge
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

AS_ONE = hints.again(without=("--series", "--each"))
_MOST_NAMES = 3


class Change(NamedTuple):
    """A step in force with the tree that it was made on."""

    step: Step
    before: str

    @property
    def after(self) -> str:
        return self.step.tree


class Group(NamedTuple):
    """The steps of one label, which is empty for those that have none."""

    label: str
    changes: tuple[Change, ...]

    @property
    def said(self) -> str:
        """What a person calls it."""
        return repr(self.label) if self.label else "the steps without a label"

    @property
    def numbers(self) -> list[int]:
        return [change.step.number for change in self.changes]


class Part(NamedTuple):
    """A group, and the session's tree once it and all before it are made."""

    group: Group
    tree: str


def groups(ws: Workspace, session: Session) -> list[Group]:
    """The session's groups in the order in which they land."""
    active, _ = chain.effective(sessions.steps(ws, session))
    found: dict[str, list[Change]] = {}
    for step in active:
        before = chain.read_step(ws.repository, step.parents[0]).tree
        found.setdefault(step.facts.group, []).append(Change(step, before))
    last = found.pop("", None)
    named = [Group(label, tuple(changes)) for label, changes in found.items()]
    return [*named, Group("", tuple(last))] if last else named


def tell_of_lost(ws: Workspace, session: Session) -> None:
    """A notice of labels that no step has any more since a rebase: one that meets a conflict makes
    one step of all.
    """
    if not session.rebased:
        return
    kept = {group.label for group in groups(ws, session)}
    before = {
        group.label for was in sessions.before_rebases(ws, session) for group in groups(ws, was)
    }
    lost = sorted(before - kept - {""})
    if lost:
        splitting = hints.of("slip", "split", "--by", "path", "-s", session.name)
        shown = ", ".join(paths.escape_for_terminal(label) for label in lost)
        ws.notify(
            f"no step of {session.name} has these labels any more since its rebase, so no commit is"
            f" made for: {shown} ({splitting} gives it labels again)"
        )


def parts(ws: Workspace, session: Session, found: Sequence[Group]) -> list[Part]:
    """Each group with its tree, in the overlay; the last one's is the session's own.

    Raises `conflict`, naming two groups and their paths, where they cannot be had apart.
    """
    tree = session.base_tree
    made: list[Part] = []
    for group in found:
        for change in group.changes if len(found) > 1 else ():
            merged = merge.three_way(ws.repository, change.before, tree, change.after, ws.clock())
            if merged.conflicts:
                what = f"step {change.step.number}"
                meeting = Meeting(
                    session.onto, session.tip, session.base, "the groups before it", what,
                    trees=(change.before, tree, change.after), other=session,
                )  # fmt: skip
                between = _between(ws, found, group, change, [c.path for c in merged.conflicts])
                raise _inseparable(
                    conflicts.error(ws, merged.conflicts, "", meeting), group, between, session
                )
            tree = merged.tree
        made.append(Part(group, tree))
    return _whole(ws, session, made)


def _between(
    ws: Workspace,
    found: Sequence[Group],
    group: Group,
    change: Change,
    collided: Iterable[bytes],
) -> Group | None:
    """The group whose steps stand between this change and the tree that it was made on.

    Those that came before it and land later, or came later and land before; of these the first
    that changes a path which collides.
    """
    place, number = found.index(group), change.step.number
    wanted = set(collided)
    suspects: list[Group] = []
    for other, candidate in enumerate(found):
        moved = [
            c
            for c in candidate.changes
            if (other > place and c.step.number < number)
            or (other < place and c.step.number > number)
        ]
        if any(wanted & _touched(ws, c.before, c.after) for c in moved):
            return candidate
        if moved:
            suspects.append(candidate)
    return suspects[0] if suspects else None


def _touched(ws: Workspace, before: str, after: str) -> set[bytes]:
    return {difference.path for difference in ws.repository.trees.differences(before, after)}


def _whole(ws: Workspace, session: Session, made: Sequence[Part]) -> list[Part]:
    """The parts with the last at the session's tree.

    A path that one group alone changes is, from that group on, as the session has it, whatever the
    replay made of it. Raises `conflict` where several groups change a path and do not come to it.
    """
    trees = ws.repository.trees
    odd = trees.differences(made[-1].tree, session.tree) if made else ()
    if not odd:
        return list(made)
    by_path: dict[bytes, list[int]] = {difference.path: [] for difference in odd}
    for number, part in enumerate(made):
        touched = {p for c in part.group.changes for p in _touched(ws, c.before, c.after)}
        for path in by_path.keys() & touched:
            by_path[path].append(number)
    shared = {path: numbers for path, numbers in by_path.items() if len(numbers) != 1}
    if shared:
        raise _not_the_same(session, made, shared)
    owner = {path: numbers[0] for path, numbers in by_path.items()}
    return [
        part._replace(
            tree=trees.splice(part.tree, {d.path: d.new for d in odd if owner[d.path] <= number})
        )
        for number, part in enumerate(made)
    ]


# Refused -----------------------------------------------------------------------------------------


def _inseparable(
    fault: SlipError, group: Group, other: Group | None, session: Session
) -> SlipError:
    """The conflict that git found, as what it says of two groups."""
    files: Any = fault.data["files"]
    names = [file.get("original", file["path"]) for file in files]
    said = "an earlier step" if other is None else other.said
    fault.message = (
        f"{group.said} and {said} of {session.name} cannot be had apart: {_few(names)}"
        " (without --series they land as one commit)"
    )
    fault.data["groups"] = [group.label, *([] if other is None else [other.label])]
    fault.hint = AS_ONE
    return fault


def _not_the_same(
    session: Session, made: Sequence[Part], shared: dict[bytes, list[int]]
) -> SlipError:
    numbers = next((numbers for numbers in shared.values() if numbers), [len(made) - 1])
    met = [made[number].group for number in numbers[:2]]
    shown = [paths.display(path) for path in sorted(shared)]
    return SlipError(
        "conflict",
        f"{' and '.join(group.said for group in met)} of {session.name} cannot be had apart: one"
        f" after the other they do not come to what the session has in {_few(shown)} (without"
        " --series they land as one commit)",
        hint=AS_ONE,
        data={
            "onto": session.onto,
            "groups": [group.label for group in met],
            "files": [{"path": path, "kind": "content"} for path in shown],
        },
    )


def _few(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
