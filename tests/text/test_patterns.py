"""Lines that match, held against `git grep -P`; faults with their place."""

from __future__ import annotations

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
    return [TEXT[left:right] for left, right in lines]


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
    assert [text[left:right] for left, right in lines] == ([] if pattern == "^$" else [b"a", b"b"])


def test_a_pattern_in_another_encoding_finds_its_bytes() -> None:
    assert matched(Wish("caf\udce9")) == [b"caf\xe9 latin"]
