"""What is looked for in added lines, and in no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.text import scrutiny
from slipstream_git.text.scrutiny import Addition, Place
from tests.text import secret_corpus as corpus
from tests.text.secret_corpus import Drawer

TOKEN = corpus.TOKENS[1].draw(Drawer(1)).encode()
OTHER = corpus.TOKENS[3].draw(Drawer(2)).encode()
LEFT = b"a\n<<<<<<< HEAD\nb\n||||||| base\nc\n=======\nd\n>>>>>>> topic\ne\n"


def markers(old: bytes | None, new: bytes) -> list[int]:
    return [place.line for place in Addition(old, new).conflict_markers()]


def credentials(old: bytes | None, new: bytes) -> list[Place]:
    return list(Addition(old, new).credentials())


def test_markers_of_a_conflict_are_found_each() -> None:
    assert markers(b"a\nb\ne\n", LEFT) == [2, 4, 6, 8]
    assert markers(None, LEFT) == [2, 4, 6, 8]
    assert markers(b"", LEFT.replace(b"\n", b"\r\n")) == [2, 4, 6, 8]
    (first, *_) = Addition(None, LEFT).conflict_markers()
    assert first[:4] == ("conflict-markers", "conflict-marker", 2, "<<<<<<< HEAD")


@pytest.mark.parametrize("left", [b"<<<<<<< x\n", b">>>>>>> x", b"<<<<<<<\n", b"||||||| 1a2b\n"])
def test_one_that_was_forgotten_is_found(left: bytes) -> None:
    assert markers(b"a\nb\n", b"a\n" + left + b"b\n" * left.endswith(b"\n")) == [2]


@pytest.mark.parametrize(
    "line",
    [
        b"Title\n=======\n\ntext\n",
        b"  <<<<<<< HEAD\n",
        b'"<<<<<<< HEAD"\n',
        b"<<<<<<<< eight\n",
        b"<<<<<<<HEAD\n",
        b">>>>>> six\n",
        b"=======\n",
        b"a <<<<<<< b\n",
    ],
)
def test_what_is_no_marker_passes(line: bytes) -> None:
    assert markers(None, line) == []


def test_markers_that_were_there_are_nobodys() -> None:
    assert markers(LEFT, b"first\n" + LEFT + b"last\n") == []
    assert markers(LEFT, LEFT.replace(b"\n", b"\r\n")) == []
    assert markers(LEFT, LEFT + b">>>>>>> again\n") == [10]
    assert markers(b"a\n" + LEFT + b"z\n", b"z\n" + LEFT + b"a\n") == []


def test_binary_files_are_passed_over() -> None:
    assert markers(None, b"\0\n" + LEFT) == []
    assert credentials(None, b"\0 " + TOKEN) == []


def test_a_credential_is_told_without_itself() -> None:
    (place,) = credentials(b"a\n", b"a\nkey = '" + TOKEN + b"'\n")
    assert place[:4] == ("secrets", "github-token", 2, "key = '[secret:github-token]'")
    assert TOKEN.decode() not in str(place)


def test_two_in_one_line_are_both_hidden() -> None:
    first, second = credentials(None, b"a = '" + TOKEN + b"', b = '" + OTHER + b"'\n")
    assert first.text == second.text == "a = '[secret:github-token]', b = '[secret:gitlab-token]'"
    assert (first.rule, second.rule) == ("github-token", "gitlab-token")


def test_a_credential_that_was_there_is_nobodys_today() -> None:
    old = b"x\nkey = '" + TOKEN + b"'\ny\n"
    assert credentials(old, b"new\n" + old + b"new\n") == []
    assert credentials(old, old.replace(b"\n", b"\r\n")) == []
    assert credentials(b"1\n" + old, old + b"1\n") == []
    changed = old.replace(TOKEN, OTHER)
    assert [place.rule for place in credentials(old, changed)] == ["gitlab-token"]


def test_a_private_key_of_which_the_middle_is_new_is_found() -> None:
    key = corpus.pem(Drawer(5)).encode()
    rows = key.split(b"\n")
    other = b"\n".join([*rows[:4], b"Q" * 64, b"R" * 64, *rows[6:]])
    (place,) = credentials(b"# a\n" + other + b"\n", b"# a\n" + key + b"\n")
    assert place[:3] == ("secrets", "private-key", 6)
    assert place.text == "[secret:private-key]"
    assert credentials(key, b"x\n" + key + b"\ny\n") == []


def test_long_lines_are_cut_behind_what_was_hidden() -> None:
    (place,) = credentials(None, b"x" * 30 + b" " + TOKEN + b" " + b"y" * 500)
    assert len(place.text) == 100
    assert "[secret:github-token]" in place.text


def test_a_mark_is_of_the_line_and_not_of_its_place() -> None:
    line = b"key = '" + TOKEN + b"'"
    (here,) = credentials(None, line)
    (there,) = credentials(None, b"a\n\n\t" + line + b"  \r\n")
    assert here.mark == there.mark == scrutiny.mark(line)
    assert len(here.mark) == 12


LINES = st.lists(
    st.sampled_from(
        [b"a", b"b", b"", b"<<<<<<< x", b"=======", b">>>>>>> y", b"k='" + TOKEN + b"'"]
    ),
    max_size=12,
)


@given(LINES, LINES)
def test_only_lines_that_are_more_than_before_are_told(old: list[bytes], new: list[bytes]) -> None:
    before, after = b"\n".join(old), b"\n".join(new)
    addition = Addition(before, after)
    for place in (*addition.conflict_markers(), *addition.credentials()):
        line = new[place.line - 1]
        assert new.count(line) > old.count(line)
    gained = [line for line in set(new) if new.count(line) > old.count(line) and b"'" in line]
    assert bool(gained) == bool(credentials(before, after))
