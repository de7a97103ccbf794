"""What the events of one session come to: pure, a step at a time, and small enough to be carried.

`fold` is the whole of it; nobody reads a log from its start who has a `State`. An event whose id
has been seen among the last `MOST_IDS` counts no second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from slipstream_git.events.event import Event
from slipstream_git.records import NamedTuple

# Who tells of one happening twice does so at once.
MOST_IDS: Final = 256
MOST_PATHS: Final = 256
MOST_AGENTS: Final = 64
# A blob is told apart by so much of its id.
_BLOB_DIGITS: Final = 12
MOST_BLOBS: Final = 4096


class Agent(NamedTuple):
    """Who was at work: how many acts, the last of them, and when that was."""

    acts: int
    last: str
    at_s: int


class Served(NamedTuple):
    """What was told to readers. whole: bytes of the files that it was of, each blob once.

    counted: the blobs that `whole` has.
    """

    answers: int = 0
    bytes: int = 0
    whole: int = 0
    counted: Mapping[str, int] = {}


class State(NamedTuple):
    """A session as its events tell it, since it was begun last.

    number: of the last event. standing: open, landed or dropped; empty where nobody said.
    ops: how many of each. paths: how often each was touched, the latest last. gates: what each
    said last. conflict: paths that stood in the way last, until the next landing or rebase.
    digests: numbers of the events at which a digest was written. counts: events by kind.
    """

    number: int = 0
    at_s: int = 0
    standing: str = ""
    begin: str = ""
    onto: str = ""
    title: str = ""
    tip: str = ""
    steps: int = 0
    unresolved: int = 0
    ops: Mapping[str, int] = {}
    paths: Mapping[str, int] = {}
    gates: Mapping[str, str] = {}
    conflict: tuple[str, ...] = ()
    landed: tuple[str, ...] = ()
    agents: Mapping[str, Agent] = {}
    served: Served = Served()
    facts: tuple[str, ...] = ()
    digests: tuple[int, ...] = ()
    counts: Mapping[str, int] = {}
    seen: tuple[str, ...] = ()


def folded(state: State, events: Iterable[tuple[int, Event]]) -> State:
    """A state and what happened then."""
    for number, event in events:
        state = fold(state, number, event)
    return state


def fold(state: State, number: int, event: Event) -> State:
    """A state and one event more."""
    if event.id in state.seen:
        return state._replace(number=number)
    if event.kind == "begin" and state.standing:
        # The name of one that is over. Who was at work, and what was told, is the new one's own.
        state = State(seen=state.seen)
    state = state._replace(
        number=number,
        at_s=max(state.at_s, event.at_s),
        seen=(*state.seen, event.id)[-MOST_IDS:],
        counts=_more(state.counts, event.kind),
    )
    if event.agent:
        state = state._replace(agents=_agents(state.agents, event))
    happened = _HAPPENED.get(event.kind)
    return happened(state, event) if happened else state


def to_json(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    said = state._asdict()
    said["agents"] = {name: list(agent) for name, agent in state.agents.items()}
    said["served"] = list(state.served)
    return said


def from_json(said: Mapping[str, Any] | None) -> State:
    """The state of what `to_json` gave; an empty one where that is nothing of the kind."""
    try:
        values = {name: (said or {})[name] for name in State._fields}
        for name in ("conflict", "landed", "facts", "digests", "seen"):
            values[name] = _listed(values[name], int if name == "digests" else str)
        agents = _mapped(values["agents"], list)
        values["agents"] = {name: Agent(*agent) for name, agent in agents.items()}
        values["served"] = Served(*values["served"])
        state = State(**values)
        _mapped(state.gates, str)
        for counts in (state.ops, state.paths, state.counts, state.served.counted):
            _mapped(counts, int)
        several: list[State | Served | Agent] = [state, state.served, *state.agents.values()]
        if not all(map(_has_shape, several)):
            return State()
    except (AttributeError, KeyError, TypeError, ValueError):
        return State()
    return state


def _listed(value: object, kind: type) -> tuple[Any, ...]:
    """A list of one kind of value. Raises TypeError."""
    if not isinstance(value, list) or any(type(item) is not kind for item in value):
        raise TypeError(kind)
    return tuple(value)


def _mapped(value: object, kind: type) -> Mapping[str, Any]:
    """An object of one kind of value. Raises TypeError."""
    if not isinstance(value, dict) or any(type(item) is not kind for item in value.values()):
        raise TypeError(kind)
    return value


def _has_shape(told: State | Served | Agent) -> bool:
    """Whether each field is of the kind that it is declared as, the outermost one."""
    plain = {"int": int, "str": str}
    kinds = {name: plain.get(str(kind)) for name, kind in type(told).__annotations__.items()}
    return all(
        kind is None or type(getattr(told, name)) is kind for name, kind in kinds.items()
    )  # fmt: skip


# What each kind does -----------------------------------------------------------------------------


def _begin(state: State, event: Event) -> State:
    facts = event.facts
    return state._replace(
        standing="open", begin=facts.get("begin", ""), tip=facts.get("begin", ""),
        onto=facts.get("onto", ""), title=facts.get("title", ""),
    )  # fmt: skip


def _step(state: State, event: Event) -> State:
    facts = event.facts
    ops = state.ops
    for name, count in facts.get("ops", {}).items():
        ops = _more(ops, name, count)
    return state._replace(
        standing="open", steps=state.steps + 1, tip=facts.get("commit", state.tip),
        unresolved=facts.get("unresolved", 0), ops=ops,
        paths=_latest(state.paths, facts.get("paths", ())),
    )  # fmt: skip


def _rebase(state: State, event: Event) -> State:
    facts = event.facts
    return state._replace(
        tip=facts.get("commit", state.tip), onto=facts.get("onto", state.onto), conflict=(),
        unresolved=facts.get("unresolved", 0),
    )  # fmt: skip


def _conflict(state: State, event: Event) -> State:
    return state._replace(conflict=tuple(event.facts.get("paths", ())))


def _gate(state: State, event: Event) -> State:
    name = event.facts.get("gate", "")
    return state._replace(gates={**state.gates, name: event.facts.get("status", "")})


def _land(state: State, event: Event) -> State:
    kept = event.facts.get("kept")
    commits = (*state.landed, event.facts.get("commit", ""))
    return state._replace(
        standing="open" if kept else "landed", landed=commits[-MOST_PATHS:], conflict=()
    )


def _drop(state: State, event: Event) -> State:  # noqa: ARG001
    return state._replace(standing="dropped")


def _reopen(state: State, event: Event) -> State:
    return state._replace(standing="open", tip=event.facts.get("tip", state.tip))


def _remember(state: State, event: Event) -> State:
    fact = event.facts.get("fact", "")
    return state._replace(facts=(*(f for f in state.facts if f != fact), fact)[-MOST_PATHS:])


def _forget(state: State, event: Event) -> State:
    return state._replace(facts=tuple(f for f in state.facts if f != event.facts.get("fact")))


def _digest(state: State, event: Event) -> State:  # noqa: ARG001
    return state._replace(digests=(*state.digests, state.number)[-MOST_PATHS:])


def _served(state: State, event: Event) -> State:
    before, blobs = state.served, event.facts.get("blobs", {})
    short = {oid[:_BLOB_DIGITS]: size for oid, size in blobs.items()}
    new = {oid: size for oid, size in short.items() if oid not in before.counted}
    counted = {**before.counted, **new} if new else before.counted
    while len(counted) > MOST_BLOBS:
        counted = dict(list(counted.items())[MOST_BLOBS // 2 :])
    return state._replace(
        served=Served(
            before.answers + 1,
            before.bytes + event.facts.get("bytes", 0),
            before.whole + sum(new.values()),
            counted,
        )
    )


_HAPPENED: Final = {
    "begin": _begin, "step": _step, "rebase": _rebase, "conflict": _conflict, "gate": _gate,
    "land": _land, "drop": _drop, "reopen": _reopen, "remember": _remember, "forget": _forget,
    "digest": _digest, "served": _served,
}  # fmt: skip


def _more(counts: Mapping[str, int], name: str, count: int = 1) -> dict[str, int]:
    return {**counts, name: counts.get(name, 0) + count}


def _latest(paths: Mapping[str, int], touched: Iterable[str]) -> dict[str, int]:
    found = dict(paths)
    for path in touched:
        found[path] = found.pop(path, 0) + 1
    while len(found) > MOST_PATHS:
        del found[next(iter(found))]
    return found


def _agents(agents: Mapping[str, Agent], event: Event) -> dict[str, Agent]:
    before = agents.get(event.agent, Agent(0, "", 0))
    found = {name: agent for name, agent in agents.items() if name != event.agent}
    found[event.agent] = Agent(before.acts + 1, event.kind, max(before.at_s, event.at_s))
    while len(found) > MOST_AGENTS:
        del found[next(iter(found))]
    return found
