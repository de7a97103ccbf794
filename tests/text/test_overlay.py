"""What stands where, while a batch is in the making."""

from __future__ import annotations

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.model import FILE, File
from slipstream_git.text.overlay import Overlay, check_collisions
from tests.text.test_edits import Contents, Shelf, allow_all


def over(files: Contents, **changes: bytes | None) -> Overlay:
    """An overlay in which files were made and removed (None); ``__`` in a name stands for `/`."""
    overlay = Overlay(Shelf(files), allow_all)
    for name, data in changes.items():
        path = name.replace("__", "/").encode()
        overlay.take({path: None if data is None else File(FILE, data)})
    return overlay


def code(overlay: Overlay, path: bytes) -> str | None:
    try:
        overlay.vacant(path)
    except SlipError as fault:
        return fault.code
    return None


def test_find_prefers_what_the_batch_made() -> None:
    overlay = over({"a": b"old", "b": b"old"}, a=b"new", b=None)
    assert overlay.find(b"a") == File(FILE, b"new")
    assert overlay.find(b"b") is None
    assert overlay.find(b"c") is None


def test_a_directory_is_where_a_file_is_below_now() -> None:
    files = {"d/x": b"", "d/y": b""}
    assert over(files).is_directory(b"d")
    assert over(files, d__x=None).is_directory(b"d")
    assert not over(files, d__x=None, d__y=None).is_directory(b"d")
    assert over({}, d__e__f=b"").is_directory(b"d")
    assert not over({}, d__e__f=b"").is_directory(b"d/e/f")
    assert not over({}, d__e=None).is_directory(b"d")


def test_vacant_looks_at_parents_made_and_removed() -> None:
    assert code(over({"d": b""}), b"d/x") == "bad-path"
    assert code(over({"d": b""}, d=None), b"d/x") is None
    assert code(over({}, d=b""), b"d/e/x") == "bad-path"
    assert code(over({"d/x": b""}), b"d") == "bad-path"
    assert code(over({"d/x": b""}, d__x=None), b"d") is None


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (b"src/clinet.py", "src/client.py"),
        (b"scr/clinet.py", "src/client.py"),
        (b"READM.md", "README.md"),
        (b"src", None),
        (b"src/deep", None),  # deeper/x is close, but a directory
        (b"other/thing", None),
        (b"src/gone.py", None),
    ],
)
def test_a_missing_path_names_the_one_that_may_be_meant(path: bytes, meant: str | None) -> None:
    files = {"src/client.py": b"", "src/deeper/x": b"", "README.md": b"", "src/gone.py": b""}
    overlay = over(files, **{"src__gone.py": None})
    with pytest.raises(SlipError) as caught:
        overlay.existing(path)
    _, _, named = caught.value.message.partition("did you mean ")
    assert (named.removesuffix("?") or None) == meant


def test_vacant_lets_an_odd_name_stay_where_it_stands_and_makes_none() -> None:
    assert code(over({"aux.c": b""}), b"aux.c") is None
    assert code(over({}), b"aux.c") == "bad-path"


@pytest.mark.parametrize(
    ("files", "changes", "collides"),
    [
        ({"A": b""}, {"a": b""}, True),
        ({"A": b""}, {"a": b"", "A": None}, False),
        ({"A/x": b""}, {"a/y": b""}, True),
        ({"A/x": b""}, {"a/y": b"", "A/x": None}, False),
        ({}, {"caf\u00e9": b"", "cafe\u0301": b""}, True),
        ({"A": b"", "a": b""}, {"a": b"edited"}, False),
        ({"x/A": b""}, {"y/a": b""}, False),
    ],
)
def test_collisions_are_judged_on_the_outcome(
    files: dict[str, bytes], changes: dict[str, bytes | None], *, collides: bool
) -> None:
    made = {
        path.encode(): None if data is None else File(FILE, data) for path, data in changes.items()
    }
    if collides:
        with pytest.raises(SlipError) as caught:
            check_collisions(Shelf(files), made)
        assert caught.value.code == "bad-path"
    else:
        check_collisions(Shelf(files), made)
