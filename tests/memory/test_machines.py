"""Memories of many processes and of several machines, and notes that others have been at."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_git import factlines
from slipstream_git.factlines import About, Digest, Fact, Forgotten
from slipstream_git.memory import store
from tests.desk import Desk, Free
from tests.lab import Ground, Lab, slip_command, slip_environment
from tests.memory.test_facts import texts

REF = factlines.REF


@pytest.mark.parametrize("processes", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_processes_that_remember_at_once_lose_nothing(desk: Desk, processes: int) -> None:
    running = [
        subprocess.Popen(
            slip_command("remember", f"fact {n} of many"), cwd=desk.lab.path,
            env=slip_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for n in range(processes)
    ]  # fmt: skip
    said = [one.communicate()[1] for one in running]
    assert [one.returncode for one in running] == [0] * processes, said
    assert texts(desk) == {f"fact {n} of many" for n in range(processes)}


def test_beside_a_git_that_writes_notes_too(desk: Desk) -> None:
    """Its lock is not ours: the ref moves under us, and both are kept."""
    head = desk.lab.oid("HEAD")
    own = b'{"fact":"aaaaaaaaaaaaaaaa","kind":"fact","text":"by hand","time":1}\n'
    running = [
        subprocess.Popen(
            slip_command("remember", f"fact {n}"), cwd=desk.lab.path, env=slip_environment(),
            stdout=subprocess.DEVNULL,
        )
        for n in range(4)
    ]  # fmt: skip
    desk.lab.git("notes", "--ref", "slip/memory", "append", "-F", "-", head, stdin=own, expect=None)
    assert [one.wait() for one in running] == [0] * 4
    desk.lab.git("notes", "--ref", "slip/memory", "append", "-F", "-", head, stdin=own)
    # git puts an empty line between what it appends; that is no line of anybody's.
    assert texts(desk) == {"by hand", *(f"fact {n}" for n in range(4))}


@pytest.fixture
def pair(desk: Desk, ground: Ground) -> tuple[Desk, Desk]:
    """Two clones of one repository, which they reach as `origin`."""
    desk.call("remember", text="of both")
    shared = ground.at(desk.lab.path)
    labs = []
    for name in ("ada", "bob"):
        place = desk.lab.path.parent / name
        shared.git("clone", "--quiet", str(desk.lab.path), str(place))
        labs.append(ground.at(place))
    found = desk.at(labs[0]), desk.at(labs[1])
    for one in found:
        one.call("pull")
    return found


def offline(ada: Desk, bob: Desk) -> None:
    """What two do that do not hear of each other."""
    same = ada.call("remember", text="found by both", about="src/m.py")
    ada.call("remember", text="of ada")
    ada.call("remember", text="the port is 8080", about="src/m.py#first")
    both = ada.call("facts")["facts"]
    ada.call("forget", id=next(one["id"] for one in both if one["text"] == "of both"))
    assert bob.call("remember", text="Found by both.", about="src/m.py")["id"] == same["id"]
    bob.call("remember", text="of bob", kind="decision")
    bob.call("remember", text="the port is 9090", about="src/m.py#first")


WANTED = {"found by both", "of ada", "of bob", "the port is 8080", "the port is 9090"}


def by_id(desk: Desk) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = desk.call("facts", all=True)["facts"]
    return rows


def test_two_clones_that_were_apart_come_to_the_same(pair: tuple[Desk, Desk]) -> None:
    ada, bob = pair
    offline(ada, bob)
    for one in (ada, bob, ada):
        one.call("push")
    assert by_id(ada) == by_id(bob)
    assert {one["text"].lower().rstrip(".") for one in by_id(ada)} == WANTED
    contested = {one["text"] for one in by_id(ada) if one.get("contested")}
    assert contested == {"the port is 8080", "the port is 9090"}
    before = ada.lab.refs()[REF]
    for one in (bob, ada):
        one.call("pull")
    assert ada.lab.refs()[REF] == bob.lab.refs()[REF] == before


def test_git_alone_merges_them(pair: tuple[Desk, Desk]) -> None:
    ada, bob = pair
    offline(ada, bob)
    for one, other in ((ada, bob), (bob, ada)):
        one.lab.git("fetch", "--quiet", str(other.lab.path), f"{REF}:refs/notes/slip/other")
    for one in (ada, bob):
        one.lab.git(
            "notes", "--ref", "slip/memory", "merge", "--quiet", "-s", "cat_sort_uniq",
            "slip/other",
        )  # fmt: skip
    assert by_id(ada) == by_id(bob)
    assert {one["text"].lower().rstrip(".") for one in by_id(ada)} == WANTED


def test_what_was_purged_there_is_told_here(pair: tuple[Desk, Desk]) -> None:
    ada, bob = pair
    identity = by_id(ada)[0]["id"]
    ada.call("purge", id=identity)
    ada.lab.git("push", "--quiet", "--force", "origin", REF)
    bob.call("remember", text="of bob")
    bob.call("pull")
    assert texts(bob) == {"of bob"}
    said = bob.lab.slip("facts").err.decode()
    assert f"slip purge {identity}" in said
    bob.call("purge", id=identity)
    assert not bob.lab.slip("facts").err
    assert b"of both" not in bob.lab.git_bytes("log", "-p", REF)


def test_a_session_that_lands_there_takes_its_facts_along(pair: tuple[Desk, Desk]) -> None:
    ada, bob = pair
    ada.begin("x")
    ada.apply({"op": "write", "path": "a", "content": "1\n"})
    ada.call("remember", text="learned", session="x")
    ada.call("push")
    bob.call("pull")
    assert texts(bob, session="x") == {"of both", "learned"}
    landed = bob.commit("land", session="x")["commit"]
    bob.call("remember", text="after")
    bob.call("push")
    ada.call("pull")
    ada.lab.git("fetch", "--quiet", str(bob.lab.path), "main:landed")
    assert ada.lab.oid("landed") == landed
    assert texts(ada, rev="landed") == {"of both", "learned", "after"}


# Lines in any order ------------------------------------------------------------------------------


COMMITS = ["1" * 40, "2" * 40, "3" * 40]
IDS = st.sampled_from(["a" * 16, "b" * 16, "c" * 16])
TIMES = st.integers(1, 6)
FACTS = st.builds(
    Fact, id=IDS, kind=st.sampled_from(factlines.KINDS), text=st.sampled_from(["x", "y"]),
    time=TIMES, about=st.sampled_from([About(), About(path="p", oid="4" * 40)]),
    session=st.sampled_from(["", "s"]),
)  # fmt: skip
LINES = st.one_of(
    FACTS,
    st.builds(Forgotten, id=IDS, time=TIMES, purged=st.booleans()),
    st.builds(Digest, key=st.just("k"), time=TIMES, tip=st.sampled_from(COMMITS),
              facts=st.lists(IDS, max_size=2).map(tuple)),
)  # fmt: skip
NOTES = st.lists(st.tuples(st.sampled_from(COMMITS), LINES), max_size=12)


def as_raw(rows: list[tuple[str, factlines.Line]]) -> dict[str, bytes]:
    """Notes as `cat_sort_uniq` leaves them."""
    found: dict[str, set[bytes]] = {}
    for commit, line in rows:
        found.setdefault(commit, set()).add(factlines.encode(line))
    return {commit: b"\n".join(sorted(lines)) + b"\n" for commit, lines in found.items()}


def meaning(raw: dict[str, bytes]) -> tuple[object, ...]:
    memory = store.understood(raw)
    digests = {key: digest for key, (digest, _) in memory.digests.items()}
    return set(memory.facts), memory.gone, memory.purged, memory.leaking, digests


@settings(max_examples=60)
@given(NOTES, NOTES, st.randoms(use_true_random=False))
def test_the_union_commutes(one: Free, other: Free, random: Free) -> None:
    mixed = one + other
    random.shuffle(mixed)
    assert meaning(as_raw(one + other)) == meaning(as_raw(other + one)) == meaning(as_raw(mixed))
    assert meaning(as_raw(one + other + one)) == meaning(as_raw(one + other))


@given(LINES)
def test_a_line_comes_back(line: factlines.Line) -> None:
    assert factlines.decode(factlines.encode(line)) == line


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe", b"[]", b"{}", b'{"fact":"aaaaaaaaaaaaaaaa","time":1}',
        b'{"fact":"aaaaaaaaaaaaaaaa","time":"1"}',
        b"[" * 9000,
        b'{"fact":"aaaaaaaaaaaaaaaa","kind":"fact","text":"","time":1}',
        b'{"fact":"aaaaaaaaaaaaaaaa","kind":"rumour","text":"t","time":1}',
        b'{"fact":"aaaaaaaaaaaaaaaa","kind":"fact","text":"t","time":1,"about":{"start":"1"}}',
        b'{"fact":"aaaaaaaaaaaaaaaa","kind":"fact","text":"t","time":1,"tags":[1]}',
        b'{"digest":"k","time":1,"tip":"t","facts":[],"sections":{"a":1}}',
        b'{"fact":"A%s","kind":"fact","text":"t","time":1}' % (b"a" * 15),
        b'{"fact":"%s\\n","kind":"fact","text":"t","time":1}' % (b"a" * 16),
        b'{"digest":"k","time":1,"tip":"t","facts":["\\u001b"],"sections":{}}',
        b'{"forgotten":"\\u001b[2J","time":1}',
        b'{"fact":"%s","kind":"fact","text":"\\ud800","time":1}' % (b"a" * 16),
        b'{"fact":"%s","kind":"fact","text":"\xed\xa0\x80","time":1}' % (b"a" * 16),
        b'{"fact":"%s","kind":"fact","text":"t","time":1,"about":{"path":"\\uDFFF"}}' % (b"a" * 16),
        b'{"digest":"k","time":1,"tip":"t","facts":[],"sections":{"\\udc80":[]}}',
        b'{"forgotten":"%s","time":%s}' % (b"a" * 16, b"9" * 40),
        b'{"forgotten":"%s","time":-1}' % (b"a" * 16),
    ],
)  # fmt: skip
def test_what_is_no_line_of_ours(line: bytes) -> None:
    assert factlines.decode(line) is None


def test_a_repository_that_only_reads(desk: Desk, ground: Ground) -> None:
    desk.call("remember", text="kept")
    lab: Lab = desk.lab
    objects = lab.common_dir / "objects"
    objects.chmod(0o500)
    try:
        if not (objects / "pack").exists():
            pytest.skip("nothing was packed")
        assert texts(desk) == {"kept"}
    finally:
        objects.chmod(0o755)
