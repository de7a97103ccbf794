"""Outlines: languages against fixtures read by eye, Python against `ast`."""

from __future__ import annotations

import ast
import os
import random
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipstream_git.text import outline
from slipstream_git.text.outlining import detecting
from slipstream_git.text.outlining.grammar import KINDS
from tests.text import outlines

LIBRARY = Path(os.__file__).parent
NAMED = (
    "bash", "c", "cpp", "csharp", "go", "java", "javascript", "php", "python", "ruby", "rust",
    "kotlin", "lua", "scala", "swift", "tsx", "typescript",
)  # fmt: skip


@pytest.mark.parametrize("source", outlines.sources(), ids=lambda path: path.name)
def test_the_outline_of_a_fixture_is_the_one_that_was_read_by_eye(source: Path) -> None:
    expected = source.with_name(source.name + ".outline").read_text()
    assert outlines.written(outlines.read(source)) == expected


@pytest.mark.parametrize("language", NAMED)
def test_a_fixture_holds_forty_symbols(language: str) -> None:
    made = [outlines.read(path) for path in outlines.sources() if path.parent.name == language]
    assert sum(len(one.symbols) for one in made) >= 40
    assert {one.fault for one in made} == {""}


@pytest.mark.parametrize("source", outlines.sources(), ids=lambda path: path.name)
def test_places_agree_with_each_other(source: Path) -> None:
    data = source.read_bytes()
    lines = data.splitlines(keepends=True)
    for one in outlines.read(source).symbols:
        assert one.kind in KINDS
        assert 1 <= one.doc <= one.line <= one.at[0] <= one.end <= len(lines)
        assert data[one.start : one.stop] == b"".join(lines[one.doc - 1 : one.end])
        assert lines[one.at[0] - 1][one.at[1] :].startswith(one.name.encode()[:9])
        assert "\n" not in one.signature
        assert one.signature


@pytest.mark.parametrize("source", outlines.sources(), ids=lambda path: path.name)
def test_no_damage_to_a_file_breaks_what_is_said_of_it(source: Path) -> None:
    chance = random.Random(source.name)  # noqa: S311  (chance that can be repeated)
    whole = source.read_bytes()
    for _ in range(25):
        data = damaged(whole, chance)
        lines = data.replace(b"\r", b"\n").splitlines()
        made = outline.outline(source.name, data)
        for one in made.symbols:
            assert 1 <= one.doc <= one.line <= one.end <= len(lines)
            assert one.doc <= one.at[0] <= one.end
            assert one.name
            assert one.signature
            assert "\n" not in one.name + one.signature
        assert all(count > 0 for count in made.names.values())


def damaged(data: bytes, chance: random.Random) -> bytes:
    marks = (
        b"{",
        b"}",
        b'"',
        b"'",
        b"\\",
        b"(",
        b")",
        b"\r",
        b"\n",
        b"/*",
        b"\xff",
        b"#",
        b"<<X\n",
    )
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data) + 1)
        kept = data[place + chance.choice((0, chance.randint(1, 60))) :]
        data = data[:place] + chance.choice(marks) + kept
    return data


Span = tuple[str, int, int]
Change = Callable[[bytes], bytes]


def by_ast(source: bytes) -> list[Span]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    return sorted(
        (
            node.name,
            min([node.lineno, *(d.lineno for d in node.decorator_list)]),
            node.end_lineno or 0,
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )


def by_outline(source: bytes) -> list[Span]:
    defined = re.compile(r"(async )?def |class ")
    symbols = outline.outline("a.py", source).symbols
    return sorted((one.name, one.line, one.end) for one in symbols if defined.match(one.signature))


def differing(files: Iterator[Path]) -> tuple[list[str], Counter[str]]:
    """Files whose functions and classes have other spans than `ast` says, and counts."""
    wrong, counts = [], Counter[str]()
    for path in files:
        source = path.read_bytes()
        try:
            expected = by_ast(source)
        except (SyntaxError, ValueError, RecursionError):
            counts["skipped"] += 1
            continue
        counts["files"] += 1
        counts["definitions"] += len(expected)
        if by_outline(source) != expected:
            wrong.append(path.name)
    return wrong, counts


def test_spans_are_those_of_ast_in_packages_of_the_standard_library() -> None:
    packages = ("asyncio", "email", "http", "unittest", "json", "importlib")
    wrong, counts = differing(path for name in packages for path in (LIBRARY / name).glob("*.py"))
    assert wrong == []
    assert counts["definitions"] > 1500


@pytest.mark.slow
def test_spans_are_those_of_ast_in_the_whole_standard_library() -> None:
    """One file is known to differ: it has names of attributes left of their block's indentation."""
    paths = (path for path in sorted(LIBRARY.rglob("*.py")) if "site-packages" not in path.parts)
    wrong, counts = differing(paths)
    print(dict(counts), f"Python {sys.version.split()[0]}")  # noqa: T201
    assert set(wrong) <= {"test_compile.py"}


@pytest.mark.slow
def test_spans_are_those_of_ast_in_a_big_repository() -> None:
    """`SLIP_BIG_PYTHON` names the repository (measured with Ansible)."""
    place = os.environ.get("SLIP_BIG_PYTHON")
    if not place:
        pytest.skip("SLIP_BIG_PYTHON names no repository")
    wrong, counts = differing(iter(sorted(Path(place).rglob("*.py"))))
    print(dict(counts))  # noqa: T201
    assert wrong == []


SOURCE = b'''"""Doc."""
@d
def first(a):
    """One."""
    return a

class Second:
    x = 1

    def third(self): pass
'''


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"    ", b"\t"),
        lambda text: text.replace(b"class", b"\x0c\nclass"),
        lambda text: b"# coding: latin-1\n# \xe9t\xe9\n" + text.replace(b"One", b"\xe9t\xe9"),
        lambda text: text.removesuffix(b"\n"),
        lambda text: text + b"\n\n# the end\n   \n",
    ],
    ids=["lf", "bom", "crlf", "cr", "tabs", "form-feed", "latin-1", "no-final-newline", "trailing"],
)
def test_line_ends_marks_and_encodings_do_not_move_spans(change: Change) -> None:
    source = change(SOURCE)
    assert by_outline(source) == by_ast(source)
    assert len(by_outline(source)) == 3


def test_names_in_latin_1_are_shown_with_a_replacement() -> None:
    made = outline.outline("a.c", b"int caf\xe9(void) { return 1; }\nint after;\n")
    assert [one.name for one in made.symbols] == ["caf\ufffd", "after"]


def test_what_is_broken_still_gives_the_rest() -> None:
    made = outline.outline("a.py", b"x = = 1\n" + SOURCE + b"\ndef last():\n    if (\n")
    assert {"first", "Second", "third"} <= {one.name for one in made.symbols}
    assert made.fault == "syntax"


@pytest.mark.parametrize("path", ["a.py", "a.c", "a.md", "a.rb", "a.ex", "a.json", "a", "a.ts"])
@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n  ", b"# x", b"\r", b"\xff\xfe"])
def test_files_with_next_to_nothing(path: str, data: bytes) -> None:
    made = outline.outline(path, data)
    assert [one for one in made.symbols if one.kind != "heading"] == []
    assert made.lines == len(data.splitlines())


@pytest.mark.parametrize("text", [b"(" * 60_000, b"[" * 60_000 + b"]" * 60_000, b"x." * 50_000])
def test_deep_nesting_is_no_recursion(text: bytes) -> None:
    made = outline.outline("a.py", b"def f():\n    pass\n\ny = " + text + b"\n")
    assert made.engine == "tree-sitter"
    assert made.symbols[0].name == "f"


def test_a_file_too_large_is_read_by_lines_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "LARGEST", 50)
    made = outline.outline("a.py", SOURCE)
    assert (made.engine, made.fault) == ("lines", "too-large")
    assert [(one.name, one.line, one.end) for one in made.symbols if one.kind != "variable"] == [
        ("first", 3, 5),
        ("Second", 7, 10),
        ("third", 10, 10),
    ]


def test_more_symbols_than_are_kept_are_counted() -> None:
    made = outline.outline("a.py", b"".join(b"x%d = 1\n" % n for n in range(20_010)))
    assert (len(made.symbols), made.omitted, made.fault) == (20_000, 10, "too-many")


def test_binary_files_have_no_outline_and_a_late_nul_is_a_blank() -> None:
    assert outline.outline("a.py", b"\0" + SOURCE).fault == "binary"
    late = outline.outline("a.py", b"#" * 9000 + b"\0\n" + SOURCE)
    assert {one.name for one in late.symbols} >= {"first", "third"}


def test_names_are_counted_where_they_are_used() -> None:
    source = (
        b'def f(x):\n    # f in a comment\n    return f"{f(x)} f" + "f"\n\nf(1)\nclass f: pass\n'
    )
    assert outline.outline("a.py", source).names == {"f": 2, "x": 2}


def test_uses_say_where_a_name_stands() -> None:
    source = b"def f(x):\n    # f\n    return f'{f(x)} f'\nf2 = f\n"
    found = outline.uses("a.py", source, "f")
    assert [tuple(use) for use in found] == [(1, 4, True), (3, 14, False), (4, 5, False)]
    assert outline.uses("a.unknown", b"f f2 f", "f") != []


def test_wheels_that_are_missing_or_changed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    known = detecting.grammar("python")
    assert known
    missing = known._replace(wheel="tree-sitter-no-such")
    changed = known._replace(query="(no_such_node) @class")
    for made_up, fault in ((missing, "not-installed"), (changed, "incompatible")):
        monkeypatch.setattr(detecting, "grammar", {"python": made_up}.get)
        outline._reader.cache_clear()
        made = outline.outline("a.py", SOURCE)
        outline._reader.cache_clear()
        assert (made.engine, made.fault) == ("lines", fault)
        assert made.symbols


def test_the_version_names_what_an_outline_depends_on() -> None:
    version = outline.version("src/a.py")
    assert re.fullmatch(r"\d+ python tree-sitter=[\d.]+ python=[\d.]+|\d+ python .*", version)
    assert "python=" in version
    assert outline.version("b.py") == version
    assert "cpp=" in outline.version("a.h")
    assert "bash=" in outline.version("bin/tool")
