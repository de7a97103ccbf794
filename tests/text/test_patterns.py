"""Lines that match, held against `git grep -P`; faults with their place."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.text.patterns import Wish, compile_pattern

pytest.importorskip("re2")

TEXT = (
    b"def get(self):\n"
    b"    return self.get_all() -> next\n"
    b"forget get\n"
    b"\n"
    b"  12345 kelvin K \xe2\x84\xaa long \xc5\xbf\n"
    b"caf\xe9 latin\n"
    b"caf\xc3\xa9 Caf\xc3\x89\n"
    b"crlf line\r\n"
    b"a->next b->next_one\n"
    b"foobar foo-bar foo\n"
    b"tab\there\n"
    b"last line without a break"
)


def matched(wish: Wish) -> list[bytes]:
    lines = compile_pattern(wish).lines(TEXT, 0, len(TEXT))
    return [line for left, right, _ in lines for line in TEXT[left:right].split(b"\n")]


def grepped(wish: Wish, directory: Path) -> list[bytes]:
    (directory / "f").write_bytes(TEXT)
    options = ["-F" if wish.fixed else "-P"]
    options += ["-i"] * wish.ignore_case + ["-w"] * wish.word
    done = subprocess.run(
        ["git", "grep", "--no-index", "-h", *options, "-e", wish.pattern, "--", "f"],
        cwd=directory, capture_output=True, check=False,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.split(b"\n")[:-1]


PATTERNS = [
    "get", "self", "^def", "break$", r"\d{5}", "a|b", "[^a]+$", "^$", "^", "$", "x*", "foo.bar",
    r"\bget\b", r"\s\s", r"caf.\b", "café", "CAFÉ", "k", "K", "s", "->next", "next", "foo",
    r"line\r$", r"\t", "(get|self)+", r"get(?=_)", r"(?<!\.)get", r"(.)\1", r"\Aget", r"break\z",
    "get_all", "e", "[[:digit:]]+", r"\w+-\w+", "oo",
]  # fmt: skip
TEXTS = ["get", "->next", "foo", "(self)", "a", "caf", ".", "self.get_all()"]
MANNERS = ["", "ignore case", "word", "ignore case, word"]


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_lines_are_git_greps(pattern: str, manner: str, tmp_path: Path) -> None:
    wish = Wish(pattern, ignore_case="case" in manner, word="word" in manner)
    assert matched(wish) == grepped(wish, tmp_path)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("text", TEXTS)
def test_plain_text_is_git_greps(text: str, manner: str, tmp_path: Path) -> None:
    wish = Wish(text, fixed=True, ignore_case="case" in manner, word="word" in manner)
    assert matched(wish) == grepped(wish, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a(b", "at character"),
        ("[z-a]", "at character"),
        ("*a", "at character"),
        ("", "empty"),
        ("a\nb", "line break"),
        ("(?P<n>a)(?P=m)", "at character"),
        ("x" * 10_001, "at most"),
    ],
)
def test_a_pattern_that_cannot_be_read_is_refused_with_the_place(pattern: str, said: str) -> None:
    with pytest.raises(SlipError) as refused:
        compile_pattern(Wish(pattern))
    assert refused.value.code == "usage"
    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_what_re2_does_not_have_goes_to_the_other_engine() -> None:
    assert compile_pattern(Wish("get")).engine == "re2"
    assert compile_pattern(Wish("(?<!a)get")).engine == "regex"


def test_a_pattern_that_takes_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipstream_git.text.patterns.MOST_SECONDS", 0.2)
    slow = compile_pattern(Wish(r"^(x|x|xx)+(?=b)\d"))
    text = b"x" * 60 + b"\n"
    with pytest.raises(SlipError) as refused:
        list(slow.lines(text, 0, len(text)))
    assert refused.value.code == "too-large"


@pytest.mark.parametrize("pattern", ["^$", "$", "x*", "^"])
def test_behind_the_last_line_there_is_none(pattern: str) -> None:
    text = b"a\nb\n"
    lines = compile_pattern(Wish(pattern)).lines(text, 0, len(text))
    expected = [] if pattern == "^$" else [b"a", b"b"]
    assert [text[left:right] for left, right, _ in lines] == expected


@pytest.mark.parametrize("pattern", [r"\d{2}", r"\d\d|x$", "(?i)[ab]", r"é|1.", ".", "x*", r"^\W"])
def test_lines_one_behind_the_other_are_those_found_one_by_one(pattern: str) -> None:
    chance = random.Random(5)  # noqa: S311
    pieces = ["12", "a", "é", "\udce9", " ", "B", "x", "", "12"]
    lines = compile_pattern(Wish(pattern)).lines
    together = 0
    for _ in range(60):
        rows = ["".join(chance.choices(pieces, k=chance.randrange(4))) for _ in range(20)]
        rows = [row for row in rows for _ in range(chance.randrange(1, 9))]
        text = "\n".join([*rows, "end"]).encode("utf-8", "surrogateescape")
        text += b"\n" * chance.randrange(2)
        found = lines(text, 0, len(text))
        starts = [0, *(place + 1 for place, byte in enumerate(text[:-1]) if byte == 10)]
        ends = [*(start - 1 for start in starts[1:]), len(text.removesuffix(b"\n"))]
        # One by one: with the line break behind it, or an empty line would be no line.
        each = [
            text[start:end] for start, end in zip(starts, ends, strict=True)
            if lines(text[: end + 1], start, min(end + 1, len(text)))
        ]  # fmt: skip
        assert [row for a, b, _ in found for row in text[a:b].split(b"\n")] == each
        assert sum(count for _, _, count in found) == len(each)
        together += sum(count > 1 for _, _, count in found)
    assert together > 5


def test_a_pattern_in_another_encoding_finds_its_bytes() -> None:
    assert matched(Wish("caf\udce9")) == [b"caf\xe9 latin"]
