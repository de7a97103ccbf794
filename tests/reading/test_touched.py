"""`slip status --mindmap`: what a session touches, in Mermaid's syntax, escaped."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.text import mermaid
from slipstream_git.text.mermaid import Node
from tests.desk import Desk, replace, write
from tests.lab import Lab

SOURCE = """\
import os


class Client:
    def fetch(self):
        return 1

    def close(self):
        return 2


def main():
    return 3
"""
LINE = re.compile(r'(?:  )+n\d+\["[\w ./:+,()@=#;…-]+"\]')


@pytest.fixture
def desk(repo: Lab) -> Desk:
    repo.commit({"src/m.py": SOURCE, "a.txt": "a\n"}, "files")
    desk = Desk(repo, "git")
    desk.begin("x", title="Title")
    return desk


def drawn(lab: Lab) -> list[str]:
    first, *lines = lab.slip("status", "--mindmap").text.splitlines()
    assert first == "mindmap"
    assert all(LINE.fullmatch(line) for line in lines), lines
    return [re.sub(r'^(\s+)n\d+\["(.*)"\]$', r"\1\2", line) for line in lines]


def test_files_and_the_symbols_that_lines_were_changed_in(desk: Desk) -> None:
    desk.apply(
        replace("src/m.py", "return 1", "return 11"),
        replace("src/m.py", "return 3\n", "return 33\n\n\ndef more():\n    return 4\n"),
        write("new.md", "# A\n\n## B\n"),
    )
    assert drawn(desk.lab) == [
        "  x: Title",
        "    A new.md",
        "      A",
        "      A.B",
        "    src/",
        "      M m.py",
        "        Client.fetch",
        "        main",
        "        more",
    ]
    told = desk.lab.slip_json("status", "--mindmap").json
    assert (told["files"], told["symbols"], told["omitted"]) == (2, 5, 0)


def test_what_is_gone_is_named_as_it_was(desk: Desk) -> None:
    gone = "\n    def close(self):\n        return 2\n"
    desk.apply(replace("src/m.py", gone, ""))
    assert drawn(desk.lab)[-1] == "        Client.close"


def test_many_files_are_counted(desk: Desk) -> None:
    desk.apply(*(write(f"f{n:02}", "x\n") for n in range(60)))
    lines = drawn(desk.lab)
    assert lines[-1] == "    20 more files"
    assert len(lines) == 42


def test_names_are_no_syntax(desk: Desk) -> None:
    desk.apply(write("a] (x)`%%{init}", "x\n"), write("b#quot;", "x\n"))
    text = desk.lab.slip("status", "--mindmap").text
    assert all(LINE.fullmatch(line) for line in text.splitlines()[1:])
    assert "a#93; (x)#96;#37;#37;#123;init#125;" in text
    assert "b#35;quot#59;" in text


@given(st.lists(st.text(max_size=100), max_size=5))
def test_any_text_is_one_line(texts: list[str]) -> None:
    lines = mermaid.mindmap(Node("x", [Node(text) for text in texts])).split("\n")
    assert len(lines) == len(texts) + 2
    for line in lines[1:]:
        name, bracket, rest = line.partition('["')
        assert bracket
        assert rest.endswith('"]')
        assert not set(rest[:-2]) & set('"<>`[]{}\\\n\r')
        assert name.strip()[1:].isdigit()
