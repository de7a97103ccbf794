"""Rows of tree objects, held against a reading of the bytes one by one."""

from __future__ import annotations

import random

import pytest

from slipstream_git.gitdb import treerows
from slipstream_git.gitdb.treerows import EMPTY, Shapes

Plain = list[tuple[bytes, bytes, bytes]]
NAMES = [
    b"%s%d" % (stem, n) for stem in (b"a", b"a-b", b"name ", b"100644 a", b"\xc3") for n in range(9)
]


def read(raw: bytes) -> Plain:
    rows = []
    while raw:
        head, _, rest = raw.partition(b"\0")
        mode, _, name = head.partition(b" ")
        rows.append((mode, name, rest[:20]))
        raw = rest[20:]
    return rows


def encoded(rows: Plain) -> bytes:
    ordered = sorted(rows, key=lambda row: row[1] + b"/" * (row[0] == b"40000"))
    return b"".join(b"%s %s\0%s" % row for row in ordered)


def identity(chance: random.Random) -> bytes:
    """An id; often of bytes that a tree has between its ids."""
    return bytes(chance.choices(b"\0 a1064/" if chance.random() < 0.5 else range(256), k=20))


def drawn(chance: random.Random) -> Plain:
    names = chance.sample(NAMES, chance.randint(1, len(NAMES)))
    modes = (b"100644", b"100755", b"40000", b"120000", b"160000")
    return [(chance.choice(modes), name, identity(chance)) for name in names]


def changed(chance: random.Random, rows: Plain) -> Plain:
    found = list(rows)
    for number in chance.sample(range(len(rows)), chance.randint(0, len(rows))):
        found[number] = (*found[number][:2], identity(chance))
    if chance.random() < 0.3:
        del found[0]
    if chance.random() < 0.3 and found:
        found[-1] = (b"100755", *found[-1][1:])
    return found


def test_rows_and_their_differences() -> None:
    for seed in range(300):
        chance = random.Random(seed)  # noqa: S311
        shapes = Shapes()
        before = drawn(chance)
        sides = [encoded(before), encoded(changed(chance, before))]
        told = [{name: (mode, oid) for mode, name, oid in read(raw)} for raw in sides]
        rows = [shapes.rows(raw) for raw in sides]
        for side, expected in zip(rows, told, strict=True):
            found = {name: (entry.mode, entry.oid) for name, entry in side.items()}
            assert found == {n: (int(m, 8), o.hex()) for n, (m, o) in expected.items()}
            assert all(side.get(name) == (found.get(name)) for name in NAMES)
        names = {name for name, _ in told[0].items() ^ told[1].items()}
        assert set(rows[0].differing(rows[1])) == set(rows[1].differing(rows[0])) == names


@pytest.mark.parametrize("mode", [b"1006440", b"00100644", b"1" + b"7" * 30, b"1" * 5000])
def test_a_mode_of_too_many_digits(mode: bytes) -> None:
    with pytest.raises(ValueError, match="not write"):
        Shapes().rows(mode + b" a\0" + b"x" * 20)
    assert list(Shapes().rows(b"0100644 a\0" + b"x" * 20).items())


def test_so_many_shapes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(treerows, "MOST_SHAPES", 2)
    shapes = Shapes()
    raws = [b"100644 %s\0" % name + b"x" * 20 for name in (b"a", b"b", b"c")]
    kept = [shapes.rows(raw).shape for raw in raws]
    assert shapes.rows(raws[2]).shape is kept[2]
    assert shapes.rows(raws[1]).shape is not kept[1]


def test_versions_of_a_tree_share_its_shape() -> None:
    shapes = Shapes()
    raw = b"100644 a\0" + b"x" * 20 + b"40000 b\0" + b"y" * 20
    same = raw.replace(b"x", b"\0")
    assert shapes.rows(raw).shape is shapes.rows(same).shape
    assert shapes.rows(raw).differing(shapes.rows(same)) == [b"a"]
    assert shapes.rows(raw).shape is not shapes.rows(raw.replace(b"100644", b"100755")).shape
    assert list(EMPTY.items()) == []
    assert sorted(EMPTY.differing(shapes.rows(raw))) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"100644 a\0" + b"x" * 19, "an entry that git would not write"),
        (b"100644 a\0" + b"x" * 20 + b"100644 b\0", "an entry that git would not write"),
        (b"100644 a\0" + b"x" * 20 + b"junk", "an entry that git would not write"),
        (b"100644 a/b\0" + b"x" * 20, "an entry that git would not write"),
        (b"100644 \0" + b"x" * 20, "an entry that git would not write"),
        (b"100644 b\0" + b"x" * 20 + b"100644 a\0" + b"x" * 20, "not in order"),
        (b"100644 a\0" + b"x" * 20 + b"40000 a\0" + b"x" * 20, "two entries of one name"),
        (b"40000 .git\0" + b"x" * 20, "an entry .git"),
    ],
)
def test_what_git_would_not_have_written(raw: bytes, why: str) -> None:
    shapes = Shapes()
    shapes.rows(b"100644 a\0" + b"x" * 20 + b"100644 b\0" + b"x" * 20)
    with pytest.raises(ValueError, match=why):
        shapes.rows(raw)
