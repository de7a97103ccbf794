"""Texts taken apart and put together, held against git's own merge."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from slipstream_git.text import hunks, weaving
from slipstream_git.text.weaving import Collision

BASE = b"".join(b"%d\n" % n for n in range(12))


def merged_by_git(place: Path, base: bytes, ours: bytes, theirs: bytes, *more: str) -> bytes | None:
    """`git merge-file -p`; None where it conflicts."""
    names = []
    for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
        (place / name).write_bytes(text)
        names.append(str(place / name))
    done = subprocess.run(
        ["git", "merge-file", "-p", *more, *names], capture_output=True, check=False
    )
    return None if done.returncode else done.stdout


def take(weave: weaving.Weave, side: weaving.Side) -> bytes:
    return weave.text({n: c.side(side) for n, c in enumerate(weave.collisions, 1)})


def random_texts(chance: random.Random, end: bytes) -> tuple[bytes, bytes, bytes]:
    lines = [b"%d" % chance.randrange(40) for _ in range(chance.randrange(1, 25))]

    def edited() -> bytes:
        made = list(lines)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(made) + 1)
            made[at : at + chance.randrange(3)] = [b"new %d" % chance.randrange(3)] * (
                chance.randrange(3)
            )
        last = b"" if chance.random() < 0.2 else end
        return end.join(made) + last

    return end.join(lines) + end, edited(), edited()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_random_texts(tmp_path: Path, end: bytes) -> None:
    """No side is preferred but where it is chosen, and what git merges is merged as by git."""
    chance = random.Random(7)  # noqa: S311
    collided = 0

    for _ in range(60):
        base, ours, theirs = random_texts(chance, end)
        weave = weaving.taken_apart(base, ours, theirs)
        if not weave.collisions:
            assert weave.text({}) == merged_by_git(tmp_path, base, ours, theirs)
            continue
        collided += 1
        turned = weaving.taken_apart(base, theirs, ours)
        assert [c.ours for c in turned.collisions] == [c.theirs for c in weave.collisions]
        assert take(turned, "ours") == take(weave, "theirs")
        assert take(turned, "base") == take(weave, "base")
        assert all(weave.keeps(take(weave, side)) for side in ("ours", "theirs", "base", "both"))
    assert collided > 20


def test_the_parts_of_each_side() -> None:
    ours, theirs = BASE.replace(b"3\n", b"o\n"), BASE.replace(b"3\n", b"t\n").replace(b"9\n", b"")
    weave = weaving.taken_apart(BASE, ours, theirs)
    assert weave.collisions == (Collision(b"3\n", b"o\n", b"t\n"),)
    assert weave.text({}) == ours.replace(b"9\n", b"")
    assert take(weave, "theirs") == theirs
    assert take(weave, "base") == BASE.replace(b"9\n", b"")
    assert take(weave, "both") == BASE.replace(b"3\n", b"o\nt\n").replace(b"9\n", b"")
    assert weave.text({1: b""}) == BASE.replace(b"3\n", b"").replace(b"9\n", b"")


def test_hunks_are_decided_one_by_one() -> None:
    ours = BASE.replace(b"3\n", b"o3\n").replace(b"8\n", b"o8\n")
    theirs = BASE.replace(b"3\n", b"t3\n").replace(b"8\n", b"t8\n")
    weave = weaving.taken_apart(BASE, ours, theirs)
    assert len(weave.collisions) == 2
    assert weave.text({2: b"mine\n"}) == ours.replace(b"o8\n", b"mine\n")


def test_what_follows_a_last_line_without_an_end_stands_on_a_line_of_its_own() -> None:
    weave = weaving.taken_apart(b"a\nb", b"a\nours", b"a\ntheirs")
    assert take(weave, "both") == b"a\nours\ntheirs"
    assert take(weave, "theirs") == b"a\ntheirs"
    weave = weaving.taken_apart(b"a\r\nb", b"a\r\nours", b"a\r\ntheirs")
    assert take(weave, "both") == b"a\r\nours\r\ntheirs"


def test_a_decided_text_is_ended_only_where_something_follows() -> None:
    ours, theirs = b"x\n1\n2\n", b"y\n1\n2\n"
    weave = weaving.taken_apart(b"0\n1\n2\n", ours, theirs)
    assert weave.text({1: b"z"}) == b"z\n1\n2\n"
    last = weaving.taken_apart(b"1\n2\n0\n", b"1\n2\nx\n", b"1\n2\ny\n")
    assert last.text({1: b"z"}) == b"1\n2\nz"


def test_texts_too_long_to_align_collide_in_all_that_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hunks, "MOST_LINES", 5)
    ours = BASE.replace(b"3\n", b"o\n").replace(b"8\n", b"o\n")
    theirs = BASE.replace(b"3\n", b"t\n").replace(b"10\n", b"t\n")
    weave = weaving.taken_apart(BASE, ours, theirs)
    assert weave.clean == (b"0\n1\n2\n", b"11\n")
    assert len(weave.collisions) == 1
    assert [take(weave, side) for side in ("base", "ours", "theirs")] == [BASE, ours, theirs]
    assert weave.hunks[0].ours == [4, 11]


def test_a_text_is_fitted_to_the_line_ends_of_its_hunk() -> None:
    weave = weaving.taken_apart(b"0\r\n", b"1\r\n", b"2\r\n")
    assert weave.collisions[0].fitted(b"a\nb\r\n") == b"a\r\nb\r\n"
    weave = weaving.taken_apart(b"0\n", b"1\n", b"2\n")
    assert weave.collisions[0].fitted(b"a\nb\n") == b"a\nb\n"


TWO = BASE.replace(b"3\n", b"o3\n").replace(b"8\n", b"o8\n")


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        (TWO, True),
        (TWO.replace(b"o3\n", b""), True),
        (TWO.replace(b"o3\n", b"a\nb\n"), True),
        (TWO.replace(b"o3\n", b"4\n"), True),
        (TWO.replace(b"o8\n", b"9\n"), True),
        (TWO.replace(b"5\n", b"five\n"), False),
        (TWO.replace(b"1\n", b"", 1), False),
        (b"more\n" + TWO, False),
        (TWO + b"more\n", False),
        (TWO.replace(b"o8\n9\n", b"o89\n"), False),
        (TWO.replace(b"o3\n4\n", b"o34\n"), False),
        (b"", False),
    ],
)
def test_what_differs_in_its_hunks_alone(text: bytes, keeps: bool) -> None:  # noqa: FBT001
    theirs = BASE.replace(b"3\n", b"t3\n").replace(b"8\n", b"t8\n")
    assert weaving.taken_apart(BASE, TWO, theirs).keeps(text) is keeps
