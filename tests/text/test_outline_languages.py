"""Which language a file is in; Markdown; and definitions guessed by lines."""

from __future__ import annotations

import pytest

from slipstream_git.readings import Outline
from slipstream_git.text import outline


@pytest.mark.parametrize(
    ("path", "data", "language"),
    [
        ("a.py", b"", "python"),
        ("src/A.PY", b"", "python"),
        ("a.tar.gz", b"", ""),
        (".py", b"", ""),
        ("Makefile", b"", "make"),
        ("docker/Dockerfile.test", b"", "dockerfile"),
        ("Gemfile", b"", "ruby"),
        (".bashrc", b"", "bash"),
        ("a.h", b"#include <stdio.h>\nint f(void);\n", "c"),
        ("a.h", b"namespace x {\nint f();\n}\n", "cpp"),
        ("a.h", b"#include <vector>\n", "cpp"),
        ("a.h", b"class Foo {\n", "cpp"),
        ("tool", b"#!/usr/bin/env python3\n", "python"),
        ("tool", b"#!/usr/bin/python3.11 -u\n", "python"),
        ("tool", b"#!/usr/bin/env -S node --flag\n", "javascript"),
        ("tool", b"#! /bin/sh\n", "bash"),
        ("tool", b"#!/opt/own\n", ""),
        ("tool", b"no shebang", ""),
        ("a.tsx", b"", "tsx"),
        ("a.d.ts", b"", "typescript"),
    ],
)
def test_a_language_is_told_by_name_or_first_line(path: str, data: bytes, language: str) -> None:
    assert outline.language_of(path, data) == language


def headings(text: str) -> list[tuple[str, str, int, int]]:
    made = outline.outline("a.md", text.encode())
    assert made.engine == "headings"
    return [(one.parent, one.name, one.line, one.end) for one in made.symbols]


def test_headings_hold_what_follows_them() -> None:
    text = "# One\n\ntext\n\n## Two ##\n\n### Three\n## Four\nlast\n"
    assert headings(text) == [
        ("", "One", 1, 9),
        ("One", "Two", 5, 7),
        ("One.Two", "Three", 7, 7),
        ("One", "Four", 8, 9),
    ]


def test_underlined_headings_may_have_two_lines() -> None:
    assert headings("Two\nlines\n=====\n\nSub\n---\n\ntext\n\n---\n") == [
        ("", "Two lines", 1, 10),
        ("Two lines", "Sub", 5, 10),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```\n# no\n```\n",
        "~~~~ sh\n# no\n~~~\n# no\n~~~~\n",
        "- item\n\n  ```\n# no\n  ```\n",
        "<!--\n# no\n-->\n",
        "---\ntitle: x\n# no\n---\n",
        "    # no\n",
        "#no\n",
        "####### no\n",
        "> quoted\n---\n",
        "- item\n---\n",
        "text\n\n---\n",
        "| a |\n\n===\n",
    ],
)
def test_what_looks_like_a_heading_and_is_none(text: str) -> None:
    assert headings(text) == []


def test_marks_are_left_out_of_headings() -> None:
    made = outline.outline("a.md", b"# A [link](x) and `code` {#id}\n\nFirst. Second.\n")
    assert [(one.name, one.summary) for one in made.symbols] == [("A link and code", "First.")]
    assert made.summary == "First."


def guessed(path: str, text: str) -> Outline:
    made = outline.outline(path, text.encode())
    assert (made.engine, made.fault) == ("lines", "no-grammar")
    return made


def test_definitions_are_guessed_by_keyword_and_indentation() -> None:
    text = "defmodule Box do\n  def put(x) do\n    x\n  end\n\n  defp hidden, do: 1\nend\n"
    found = [(one.qualified, one.kind, one.line, one.end) for one in guessed("a.ex", text).symbols]
    assert found == [
        ("Box", "module", 1, 7),
        ("Box.put", "function", 2, 4),
        ("Box.hidden", "function", 6, 6),
    ]


def test_data_has_names_of_languages_and_no_symbols() -> None:
    made = guessed("a.yaml", "class: def\nfunction x: 1\n")
    assert (made.language, made.symbols, made.names, made.lines) == ("yaml", (), {}, 2)


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("a.c", "#define X 1\nstatic int f(int a) { return a; }\n", ["X", "f"]),
        ("a.js", "const f=()=>{const l=1};const g=1\n", ["f", "g"]),
        ("a.js", "x.on('y', function () { var hidden = 1; function shown() {} })\n", ["shown"]),
        ("a.go", "package a\nfunc (s *S) F() { var x int }\n", ["F"]),
        ("a.rs", "impl A { fn f() { let x = 1; } }\n", ["f"]),
        (
            "a.cpp",
            "int A::B::f() { return 1; }\nbool A::operator==(A x) { }\n",
            ["f", "operator=="],
        ),
        ("a.cpp", "struct A { A(); ~A(); void m() const; int x; };\n", ["A", "A", "~A", "m", "x"]),
        ("a.java", "class A { int B = 1; A() { int c; } }\n", ["A", "B", "A"]),
        ("a.rb", "x = 1\nclass A\n  B = 1\n  def c?; end\nend\n", ["A", "B", "c?"]),
        ("a.php", "<?php\n$x = 1;\nfunction f() { }\n", ["f"]),
        ("a.sh", "A=1 command\nf() { local b=1; }\n", ["f"]),
        ("a.ts", "export type A = { b: string };\n", ["A", "b"]),
        ("a.tsx", "export const A = () => <b>text {x}</b>;\n", ["A"]),
    ],
)
def test_what_is_local_is_left_out(path: str, text: str, names: list[str]) -> None:
    made = outline.outline(path, text.encode())
    assert [one.name for one in made.symbols] == names
    assert made.fault == ""
