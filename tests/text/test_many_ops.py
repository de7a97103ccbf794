"""What a batch costs grows with its ops, and not with their square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from slipstream_git.codec import decode_ops
from slipstream_git.errors import SlipError
from slipstream_git.model import Patch
from slipstream_git.text import effects, patches
from slipstream_git.text.edits import apply_all
from slipstream_git.text.overlay import Overlay
from tests.text.test_edits import Json, Shelf, allow_all

ROWS = b"".join(b"line %d.\n" % n for n in range(1000))


def changed(path: str) -> str:
    """A patch that makes `1` of a file `2`."""
    return (
        f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-1\n+2\n"
    )  # fmt: skip


def added(path: str) -> str:
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+1\n"


def name(number: int) -> str:
    return f"d{number % 7}/e/f{number}"


def steps_taken(work: Callable[[], object]) -> int:
    """How many calls and returns ``work`` is made of: a time that no busy machine changes."""
    taken = 0

    def count(_frame: FrameType, _event: str, _value: object) -> None:
        nonlocal taken
        taken += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return taken


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(lambda n: {"op": "patch", "diff": changed(name(n))}, id="patch"),
        pytest.param(lambda n: {"op": "patch", "diff": added("m" + name(n))}, id="patch, new file"),
        pytest.param(lambda n: {"op": "write", "path": name(n), "content": "x"}, id="write"),
        pytest.param(lambda n: {"op": "write", "path": f"m/{n}", "content": "x"}, id="new file"),
        pytest.param(lambda n: {"op": "write", "path": "m", "content": f"{n}"}, id="same file"),
        pytest.param(
            lambda n: {"op": "str_replace", "path": name(n), "old": "1", "new": "2"}, id="replace"
        ),
        pytest.param(
            lambda n: {"op": "str_replace", "path": "r", "old": f"line {n}.", "new": "x\ny"},
            id="replace in the same file",
        ),
        pytest.param(lambda n: {"op": "move", "path": name(n), "to": "m" + name(n)}, id="move"),
        pytest.param(lambda n: {"op": "delete", "path": name(n)}, id="delete"),
    ],
)
def test_the_cost_of_an_op_is_its_own(row: Callable[[int], Json]) -> None:
    shelf = Shelf({"r": ROWS} | {name(number): b"1\n" for number in range(400)})

    def cost(count: int) -> int:
        ops = decode_ops([row(number) for number in range(count)])
        return steps_taken(lambda: apply_all(ops, shelf, allow_all))

    cost(10)  # imports
    assert cost(400) < 5 * cost(100)


def test_collisions_list_a_directory_once(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[bytes] = []

    def siblings(_shelf: Shelf, directory: bytes) -> list[bytes]:
        listed.append(directory)
        return []

    monkeypatch.setattr(Shelf, "siblings", siblings)
    shelf = Shelf({"d/old": b"1\n"})
    rows = [{"op": "write", "path": f"d/{number}", "content": "x"} for number in range(20)]
    apply_all(decode_ops(rows), shelf, allow_all)
    assert sorted(listed) == [b"", b"d"]
    listed.clear()
    apply_all(decode_ops([{"op": "write", "path": "d/old", "content": "x"}]), shelf, allow_all)
    assert listed == []


# A patch is read once ------------------------------------------------------------------------


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts that were parsed, with nothing remembered from before."""
    texts: list[bytes] = []
    parse = patches.parse

    def counted(diff: bytes) -> tuple[patches.FilePatch, ...]:
        texts.append(diff)
        return parse(diff)

    monkeypatch.setattr(patches, "parse", counted)
    monkeypatch.setattr(effects, "_patched", effects._Patched())
    return texts


def test_a_patch_is_parsed_once_for_all_who_ask_for_its_paths(parses: list[bytes]) -> None:
    files = {name(number): b"1\n" for number in range(20)}
    diffs = [changed(path) for path in files]
    ops = decode_ops([{"op": "patch", "diff": diff} for diff in diffs])
    outcome = apply_all(ops, Shelf(files), allow_all)
    assert [result.path for result in outcome.results] == list(files)
    assert [effects.named(op) for op in ops] == list(files)
    assert parses == [diff.encode() for diff in diffs]


def test_a_patch_that_cannot_be_parsed_is_not_parsed_again(parses: list[bytes]) -> None:
    with pytest.raises(SlipError, match="patch"):
        apply_all([Patch(b"no patch")], Shelf({}), allow_all)
    assert parses == [b"no patch"]


def test_what_patches_name_is_forgotten_when_it_is_much(
    parses: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "MOST_REMEMBERED", 4)
    ops = [Patch(changed(f"f{number}").encode()) for number in range(10)]
    assert [effects.named(op) for op in ops] == [f"f{number}" for number in range(10)]
    assert len(effects._patched._paths) < 4
    assert effects.named(ops[0]) == "f0"
    assert len(parses) == 11


def test_the_paths_of_a_patch_are_told_in_order_and_once() -> None:
    diff = changed("b") + "diff --git a/c b/a\nrename from c\nrename to a\n" + changed("b")
    assert list(effects.touched(Patch(diff.encode()))) == [b"b", b"c", b"a"]
    assert effects.named(Patch(diff.encode())) == "a, b, c"


# Trying changes --------------------------------------------------------------------------------


def test_what_was_tried_leaves_nothing_behind() -> None:
    overlay = Overlay(Shelf({"d/x": b"1", "e/y": b"2"}), allow_all)
    ops = decode_ops([{"op": "write", "path": path, "content": path} for path in ("m/a", "m/b")])
    files = {
        path: file for path, file in apply_all(ops, Shelf({}), allow_all).files.items() if file
    }
    overlay.take(files)
    with overlay.trying({b"m/a": None, b"d/x": None, b"n/c": files[b"m/b"]}):
        assert overlay.find(b"m/a") is None
        assert not overlay.is_directory(b"d")
        assert overlay.is_directory(b"n")
        with overlay.without(b"m/b"):
            assert not overlay.is_directory(b"m")
        assert overlay.is_directory(b"m")
    assert list(overlay.changes.items()) == list(files.items())
    assert overlay.is_directory(b"d")
    assert not overlay.is_directory(b"n")


def test_a_failure_while_trying_leaves_nothing_behind() -> None:
    overlay = Overlay(Shelf({"a": b"1"}), allow_all)
    with pytest.raises(SlipError, match="is a file"), overlay.without(b"b"):
        overlay.vacant(b"a/b")
    assert overlay.changes == {}
