"""The log of events: numbers, torn lines, many writers, bounds, and that it never refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.events import event as events_event
from slipstream_git.events import folding, log, standing
from slipstream_git.events.event import KINDS, LONGEST_LINE, Event, decode, encode
from slipstream_git.events.log import Place
from slipstream_git.gitdb.layout import Layout
from slipstream_git.text import secrets
from tests.lab import slip_environment


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "objects").mkdir()
    return Layout(str(tmp_path), str(tmp_path), None, bare=True, hooks_dir="")


def event(number: int, session: str = "x", kind: str = "step", **facts: object) -> Event:
    return Event(f"{kind} {number}", 1767323045 + number, kind, session, "ada", facts)


def numbers(layout: Layout, session: str = "x") -> list[int]:
    return [number for number, _ in log.read(log.path_of(layout, session)).events]


def test_an_event_comes_back_and_its_number_is_its_line(layout: Layout) -> None:
    written = [event(n, step=n, paths=["a b", "\u00e9.txt"], ops={"sub": 2}) for n in range(1, 6)]
    for one in written:
        log.append(layout, one)
    page = log.read(log.path_of(layout, "x"))
    assert page.events == list(enumerate(written, 1))
    assert log.sessions(layout) == ["x"]
    log.append(layout, event(1, session="", kind="gate", gate="tests"))
    assert log.sessions(layout) == ["", "x"]


def test_a_reader_goes_on_where_it_was(layout: Layout) -> None:
    place, seen = Place(), list[int]()
    for number in range(1, 20):
        log.append(layout, event(number, step=number))
        if number % 3 == 0:
            page = log.read(log.path_of(layout, "x"), place)
            assert page.anew is (number == 3)
            place, seen = page.place, seen + [n for n, _ in page.events]
    assert seen == list(range(1, 19))
    # What is not ended yet is not read, and not passed over either.
    path = Path(log.path_of(layout, "x"))
    line = encode(event(20, step=20))
    with path.open("ab") as stream:
        stream.write(line[:20])
    assert [n for n, _ in log.read(str(path), place).events] == [19]


def test_a_torn_line_is_ended_and_garbage_is_counted(layout: Layout) -> None:
    log.append(layout, event(1))
    path = Path(log.path_of(layout, "x"))
    with path.open("ab") as stream:
        stream.write(b'\xff\xfe\n[]\n{"kind":"step","at":true,"id":"y"}\n{"kind":"ste')
    log.append(layout, event(2))
    page = log.read(str(path))
    assert [n for n, _ in page.events] == [1, 6]
    assert page.skipped == 4


@pytest.mark.parametrize("writers", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_writers_at_once_lose_nothing_and_no_number_comes_twice(
    layout: Layout, writers: int
) -> None:
    source = (
        "import sys\n"
        "from slipstream_git.events import log\n"
        "from slipstream_git.events.event import Event\n"
        "from slipstream_git.gitdb.layout import Layout\n"
        "place = sys.argv[1]\n"
        "layout = Layout(place, place, None, True, '')\n"
        "for n in range(10):\n"
        "    name = f'{sys.argv[2]}.{n}'\n"
        "    log.append(layout, Event(name, 1, 'drop', 'x', name, {}), 9_000)\n"
    )
    for at in range(0, writers, 25):
        running = [
            subprocess.Popen(
                [sys.executable, "-c", source, layout.common_dir, str(n)], env=slip_environment()
            )
            for n in range(at, at + 25)
        ]
        assert [one.wait() for one in running] == [0] * 25
    page = log.read(log.path_of(layout, "x"))
    state = folding.folded(folding.from_json(page.before), page.events)
    assert page.place.gone > 0
    assert page.place.number == state.number == state.counts["drop"] == writers * 10
    assert [n for n, _ in page.events] == list(range(page.place.gone + 1, writers * 10 + 1))
    assert Path(log.path_of(layout, "x")).stat().st_size <= 9_000 + LONGEST_LINE


def test_lines_that_go_leave_their_sum_and_their_numbers(layout: Layout) -> None:
    whole = folding.State()
    carried = standing.Carried()
    late = standing.Carried()
    for number in range(1, 400):
        one = event(number, op="apply", paths=[f"p{number % 7}"], ops={"write": 1})
        log.append(layout, one, 16_000)
        whole = folding.fold(whole, number, one)
        if number % 11 == 0:
            carried = standing.carried(layout, "x", carried)
            assert carried.state == whole
        if number == 100:
            late = standing.carried(layout, "x", late)
    assert log.read(log.path_of(layout, "x")).place.gone > 200
    # One who was away so long that lines went unread is brought up by their sum.
    assert standing.carried(layout, "x", late).state == whole
    assert standing.carried(layout, "x", standing.Carried()).state == whole


def test_a_log_that_was_begun_anew_is_read_anew(layout: Layout) -> None:
    for number in range(1, 30):
        log.append(layout, event(number))
    carried = standing.carried(layout, "x", standing.Carried())
    assert log.expire(layout, {"y"}, 0) == ["x"]
    assert standing.carried(layout, "x", carried).state == folding.State()
    for number in range(100, 140):
        log.append(layout, event(number))
    state = standing.carried(layout, "x", carried).state
    assert (state.number, state.counts) == (40, {"step": 40})


def test_what_a_short_process_carries_is_kept_aside(layout: Layout) -> None:
    for number in range(400):
        log.append(layout, event(number, op="apply", commit="c" * 40, paths=["a" * 100]))
    first = standing.now(layout, "x")
    assert Path(log.carried_path(layout, "x")).exists()
    log.append(layout, event(400, op="apply"))
    again = standing.now(layout, "x")
    assert (first.number, again.number, again.counts["step"]) == (400, 401, 401)
    Path(log.carried_path(layout, "x")).write_bytes(b"{}")
    assert standing.now(layout, "x") == again


@pytest.mark.parametrize("trouble", ["read-only", "a file in the way", "full"])
def test_what_cannot_be_written_is_lost_and_nothing_else(
    layout: Layout, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(layout, event(1))
    path = Path(log.path_of(layout, "x"))
    before = path.read_bytes()
    if trouble == "read-only":
        monkeypatch.setattr(os, "open", _refusing)
    elif trouble == "full":
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    else:
        path.parent.rename(path.parent.parent / "aside")
        path.parent.write_bytes(b"")
    log.append(layout, event(2))
    monkeypatch.undo()
    if trouble == "a file in the way":
        assert path.parent.read_bytes() == b""
    else:
        assert path.read_bytes() == before
        log.append(layout, event(3))
        assert numbers(layout) == [1, 2]


def _refusing(*_: object, **__: object) -> int:
    raise PermissionError(13, "no")


def test_somebody_who_stands_still_with_the_lock_costs_a_moment(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_PATIENCE_S", 0.05)
    log.append(layout, event(1))
    handle = log._locked(log.path_of(layout, "x"), 0)
    assert handle is not None
    began = time.monotonic()
    log.append(layout, event(2))
    assert time.monotonic() - began < 1
    os.close(handle)
    assert numbers(layout) == [1]


def test_an_event_is_bounded_and_holds_no_secret() -> None:
    token = "ghp_" + "016C7M5dYzFq1aB2cD3eF4gH5iJ6kL7mN8oP"
    many = [f"dir/{n}/" + "x" * 400 for n in range(10_000)]
    line = encode(event(1, group=f"with {token}", paths=[token, *many], changed=10_001))
    assert len(line) <= LONGEST_LINE
    assert token.encode() not in line
    found = decode(line)
    assert found is not None
    assert found.facts["changed"] == 10_001
    assert b"ghp_" not in encode(Event("i", 1, "begin", "x", f"key={token}", {"title": token}))


def test_an_event_costs_well_under_a_millisecond(layout: Layout) -> None:
    one = event(1, op="apply", commit="c" * 40, paths=[f"src/a{n}.py" for n in range(20)])
    log.append(layout, one)
    best = min(_seconds(layout, one) for _ in range(5))
    assert best < 0.0005


def _seconds(layout: Layout, one: Event) -> float:
    began = time.process_time()
    for _ in range(50):
        log.append(layout, one)
    return (time.process_time() - began) / 50


TEXT = st.text(st.characters(), max_size=30)
VALUES = {
    "text": TEXT,
    "count": st.integers(1, 2**40),
    "names": st.lists(TEXT.filter(bool), min_size=1, max_size=5),
    "counts": st.dictionaries(TEXT.filter(bool), st.integers(1, 99), min_size=1, max_size=4),
    "sizes": st.dictionaries(TEXT.filter(bool), st.integers(1, 99), min_size=1, max_size=4),
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(sorted(KINDS)))
    fields = draw(st.lists(st.sampled_from(sorted(KINDS[kind])), unique=True))
    facts = {name: draw(VALUES[KINDS[kind][name]]) for name in fields}
    facts = {name: value for name, value in facts.items() if value}
    name, agent = draw(st.sampled_from(["", "x"])), draw(TEXT)
    identity = draw(st.sampled_from([f"{kind} {n}" for n in range(5)]))
    return Event(identity, draw(st.integers(0, 2**33)), kind, name, agent, facts)


@given(events())
def test_a_line_is_its_event(one: Event) -> None:
    line = encode(one)
    assert b"\n" not in line
    assert line.isascii()
    assert decode(line) == one


@given(st.lists(events(), max_size=30), st.data())
def test_folding_in_parts_is_folding_at_once(several: list[Event], data: st.DataObject) -> None:
    numbered = list(enumerate(several, 1))
    cut = data.draw(st.integers(0, len(numbered)))
    once = folding.folded(folding.State(), numbered)
    first = folding.folded(folding.State(), numbered[:cut])
    carried = folding.from_json(json.loads(json.dumps(folding.to_json(first))))
    assert carried == first
    assert folding.folded(carried, numbered[cut:]) == once
    # Told twice, it counts once.
    twice = [(n, one) for n, one in numbered for _ in range(2)]
    assert folding.folded(folding.State(), twice) == once


def test_ten_thousand_events_are_folded_quickly() -> None:
    several = [
        (n, event(n, op="apply", paths=[f"p{n % 600}", "q"], ops={"write": 3}))
        for n in range(10_000)
    ]
    began = time.process_time()
    state = folding.folded(folding.State(), several)
    assert time.process_time() - began < 1.0
    assert state.counts == {"step": 10_000}


@pytest.mark.parametrize("field", ["id", "session", "agent", "group", "paths"])
def test_no_field_makes_a_line_too_long_or_endless(field: str) -> None:
    long = "x" * 200_000
    plain = event(1, group="g", paths=["a" * 240] * 32)
    facts = {"group": long} if field == "group" else {"paths": [long] * 1000}
    one = plain._replace(**{field: long} if field in plain._fields else {"facts": facts})
    line = encode(one)
    assert len(line) <= LONGEST_LINE
    assert decode(line) is not None


def test_paths_that_do_not_fit_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_event, "LONGEST_LINE", 100)
    found = decode(encode(event(1, paths=["a" * 200, "b"], changed=2)))
    assert found is not None
    assert found.facts == {"changed": 2}


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "abcdefghijklmnopqrstuvwxyzabcdefghij",
        "xoxb-" + "abcdefghijkl-mnopqrstuvwx-abcdefghijklmnopqrstuvwx",
        "sk_live_" + "abcdefghijklmnopqrstuvwx",
        "glpat-" + "abcdefghijklmnopqrst",
        "npm_" + "abcdefghijklmnopqrstuvwxyzabcdefghij",
    ],
)
def test_what_is_looked_at_for_secrets(token: str) -> None:
    known = bool(secrets.find(token.encode()))
    assert events_event._may_hold_secret(token)
    assert events_event._may_hold_secret(f"see {token}, please")
    line = encode(Event("i", 1, "begin", "x", "", {"title": f"see {token}"}))
    assert (token.encode() in line) != known


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [[]], {"a": "b"}, {"a": 1}, [1], ["a"]])
@pytest.mark.parametrize("field", folding.State._fields)
def test_a_state_that_was_damaged_is_another_or_none(field: str, value: object) -> None:
    whole = folding.folded(folding.State(), [(n, event(n, paths=["a"])) for n in range(1, 4)])
    state = folding.from_json({**folding.to_json(whole), field: value})
    several = [
        event(9)._replace(kind=kind, facts={name: _OF[shape] for name, shape in fields.items()})
        for kind, fields in KINDS.items()
    ]
    folding.folded(state, enumerate(several, 10))
    assert state == folding.State() or type(getattr(state, field)) is type(getattr(whole, field))


_OF = {
    "text": "t", "count": 1, "names": ["n"], "counts": {"c": 1}, "sizes": {"s": 1},
}  # fmt: skip


@pytest.mark.parametrize("place", [["x"] * 4, [-1, 0, 0, 0], [1], 3, [1, 2, 3, None]])
@pytest.mark.parametrize("damage", ["place", "state", "both"])
def test_a_damaged_fold_is_read_anew(layout: Layout, place: object, damage: str) -> None:
    for number in range(1, 6):
        log.append(layout, event(number))
    whole = standing.now(layout, "x")
    good = list(log.read(log.path_of(layout, "x")).place)
    state = folding.to_json(whole) | ({"counts": []} if damage != "place" else {})
    said = {"form": 1, "place": good if damage == "state" else place, "state": state}
    Path(log.carried_path(layout, "x")).write_text(json.dumps(said))
    assert standing.now(layout, "x") == whole


def test_what_dead_writers_left_is_swept(layout: Layout) -> None:
    log.append(layout, event(1))
    path = log.path_of(layout, "x")
    old, new = Path(log.aside(path)), Path(log.aside(log.carried_path(layout, "x")))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(log.aside, path).result() != log.aside(path)
    for one in (old, new):
        one.write_bytes(b"{}")
    os.utime(old, (1, 1))
    assert log.expire(layout, {"x"}, time.time()) == []
    assert (old.exists(), new.exists()) == (False, True)
    assert log.sessions(layout) == ["x"]


def test_a_log_that_is_replaced_again_and_again_is_waited_for(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(layout, event(1))
    path, left = log.path_of(layout, "x"), list(range(40))
    real = log._tried

    def tried(handle: int) -> bool:
        if left:
            left.pop()
            Path(f"{path}.other").write_bytes(Path(path).read_bytes())
            Path(f"{path}.other").replace(path)
        return real(handle)

    monkeypatch.setattr(log, "_tried", tried)
    log.append(layout, event(2))
    assert numbers(layout) == [1, 2]
