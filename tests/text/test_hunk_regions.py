"""Hunks against git's own merge: the same conflict regions with the same texts.

merge-ort (histogram) is asked for `diff3` markers, many files in one merge; `git merge-file`
(Myers) where every line is of its own, so that both algorithms align alike.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from slipstream_git.text import alignment, hunks
from slipstream_git.text.histogram import Edit
from tests.lab import Lab

Versions = tuple[bytes, bytes, bytes]
REGION = re.compile(
    rb"^<<<<<<< [^\n]*\n(.*?)^\|\|\|\|\|\|\| [^\n]*\n(.*?)^=======\n(.*?)^>>>>>>> [^\n]*\n",
    re.DOTALL | re.MULTILINE,
)


def regions(marked: bytes) -> list[Versions]:
    """Base, ours and theirs of each conflict region.

    Regions whose sides are alike are left out: they are conflicts in this style alone.
    """
    found = [(m[2], m[1], m[3]) for m in REGION.finditer(marked)]
    return [texts for texts in found if texts[1] != texts[2]]


def as_told(versions: Versions) -> list[Versions]:
    return [
        (hunk.base_text.encode(), hunk.ours_text.encode(), hunk.theirs_text.encode())
        for hunk in hunks.colliding(*versions)
    ]


def merged_by_ort(place: Path, cases: list[Versions]) -> list[bytes]:
    """Each case as a file that git's merge of two branches leaves in its tree."""
    place.mkdir()
    lab = Lab(place)
    lab.git("init", "--quiet", "--bare", "--template=")
    stream = b""
    for number, side in enumerate((b"base", b"ours", b"theirs"), 1):
        stream += b"commit refs/heads/%s\nmark :%d\n" % (side, number)
        stream += b"committer A <a@b> 1767323045 +0000\ndata 0\n"
        stream += b"from :1\n" if number > 1 else b""
        for index, versions in enumerate(cases):
            data = versions[number - 1]
            stream += b"M 100644 inline f%d\ndata %d\n%s\n" % (index, len(data), data)
    lab.git("fast-import", "--quiet", stdin=stream)
    tree = lab.git(
        "-c", "merge.conflictStyle=diff3", "merge-tree", "--write-tree", "--name-only", "ours",
        "theirs", expect=None,
    ).split("\n")[0]  # fmt: skip
    found = lab.tree(tree)
    return [found[f"f{index}"] for index in range(len(cases))]


def versions_of(chance: random.Random) -> Versions:
    """A text of few or many different lines, and two edited ones."""
    kinds = chance.choice((2, 3, 5, 10, 40))
    base = [b"%d\n" % chance.randrange(kinds) for _ in range(chance.choice((4, 8, 20, 60)))]

    def edited() -> bytes:
        lines = list(base)
        for _ in range(chance.randrange(6)):
            at, what = chance.randrange(len(lines) + 1), chance.random()
            if what < 0.4 or at == len(lines):
                lines.insert(at, b"%d\n" % chance.randrange(kinds + 2))
            elif what < 0.7:
                del lines[at : at + chance.randrange(1, 3)]
            else:
                lines[at] = b"%d\n" % chance.randrange(kinds + 2)
        return b"".join(lines)

    return b"".join(base), edited(), edited()


@pytest.mark.parametrize("seed", range(4))
def test_the_hunks_are_the_regions_of_gits_merge(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    cases = [versions_of(chance) for _ in range(500)]
    merged = merged_by_ort(tmp_path / "merges.git", cases)
    colliding = 0
    for versions, marked in zip(cases, merged, strict=True):
        expected = regions(marked)
        assert as_told(versions) == expected, versions
        colliding += bool(expected)
    assert colliding > 100


def test_the_hunks_are_the_regions_of_merge_file(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311
    base = [b"line %d\n" % number for number in range(40)]
    colliding = 0
    for _ in range(60):
        sides = []
        for side in (b"ours", b"theirs"):
            lines = list(base)
            for _ in range(chance.randrange(1, 5)):
                at = chance.randrange(len(lines))
                lines[at : at + chance.randrange(3)] = [b"%s %d\n" % (side, chance.randrange(3))]
            sides.append(b"".join(lines))
        versions = (b"".join(base), sides[0], sides[1])
        expected = regions(merged_by_file(tmp_path, versions))
        assert as_told(versions) == expected, versions
        colliding += bool(expected)
    assert colliding > 10


def merged_by_file(place: Path, versions: Versions) -> bytes:
    for name, data in zip(("base", "ours", "theirs"), versions, strict=True):
        (place / name).write_bytes(data)
    done = subprocess.run(
        ["git", "merge-file", "--diff3", "-p", "ours", "base", "theirs"],
        cwd=place, capture_output=True, env=os.environ, check=False,
    )  # fmt: skip
    assert 0 <= done.returncode < 128, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", range(3))
def test_edits_make_the_new_text_of_the_old(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    for _ in range(300):
        old, new, _ = (text.splitlines(keepends=True) for text in versions_of(chance))
        for edits in (alignment.edits(old, new), alignment.quick_edits(old, new)):
            made: list[bytes] = []
            done = 0
            for edit in edits:
                assert made == new[: edit.low - (edit.start - done)]
                made += [*old[done : edit.start], *new[edit.low : edit.high]]
                done = edit.end
            assert made + old[done:] == new


@pytest.mark.parametrize("work", [0, 50, 500])
def test_edits_past_the_work_that_is_done_run_by_run(
    work: int,
) -> None:
    chance = random.Random(work)  # noqa: S311
    for count in (0, 7, 400):
        old = [b"%d\n" % chance.randrange(count + 1) for _ in range(count)]
        new = [line if chance.random() < 0.7 else b"new %d\n" % n for n, line in enumerate(old)]
        made: list[bytes] = []
        done = 0
        for edit in alignment.edits(old, new, work - len(old) - len(new)):
            made += [*old[done : edit.start], *new[edit.low : edit.high]]
            done = edit.end
        assert made + old[done:] == new


def test_every_other_line_changed_costs_no_more_than_its_size() -> None:
    """4.2 seconds of CPU where runs alone are matched; some 0.1 as it is."""
    old = [b"%d\n" % number for number in range(4000)]
    new = [line if number % 2 else b"new " + line for number, line in enumerate(old)]
    start = time.process_time()
    found = alignment.quick_edits(old, new)
    assert time.process_time() - start < 1
    assert found == [Edit(n, n + 1, n, n + 1) for n in range(0, 4000, 2)]


def test_texts_of_frequent_lines_alone_are_aligned() -> None:
    """None of them is rare enough to lead to a match: the shortest script is looked for."""
    old = [b"x\n", b"y\n"] * 200
    new = [*old[:100], b"new\n", *old[100:]]
    assert alignment.edits(old, new) == [Edit(100, 100, 100, 101)]
    unlike = [b"y\n", b"x\n", b"x\n"] * 900
    made = alignment.edits(old, unlike)
    assert made[-1].end <= len(old)
    assert made[-1].high <= len(unlike)
