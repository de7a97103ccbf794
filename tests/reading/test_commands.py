"""The reading commands as a user calls them: exact, capped, and always with how to go on."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

from tests.lab import Content, Lab, Link, Reply, Script, typed

pytest.importorskip("tree_sitter")

APP = '''"""The application: it runs things."""

import os


class Runner:
    """Runs what it is given."""

    def run(self, task):
        # run() in a comment is no use of it
        return task.get("run")

    def _stop(self):
        return os.getpid()


def run_all(tasks):
    """Run each of them."""
    return [Runner().run(task) for task in tasks]
'''
TEST = "from app import Runner, run_all\n\n\ndef test_run():\n    run_all([Runner()])\n"
FILES: dict[str, Content] = {
    "src/app.py": APP,
    "src/use.py": "from app import run_all\n\nRESULT = run_all([])\n",
    "tests/test_app.py": TEST,
    "docs/guide.md": "# Guide\n\n## First steps\n\nText.\n",
    "big.txt": "".join(f"row {number}\n" for number in range(5000)),
    "sub dir/naïve.txt": "x\n",
    b"odd-\xff.txt".decode("utf-8", "surrogateescape"): "latin \u00e9\n".encode("latin-1"),
    "link": Link("src/app.py"),
}


@pytest.fixture
def here(repo: Lab) -> Lab:
    repo.commit({**FILES, "README.md": None}, "files")
    return repo


def ok(reply: Reply) -> dict[str, Any]:
    assert reply.status == 0, reply.err
    return reply.json


def refused(here: Lab, *words: str, stdin: bytes = b"") -> dict[str, Any]:
    reply = here.slip_json(*words, stdin=stdin, expect=None)
    assert reply.status != 0
    return reply.error


# Views -------------------------------------------------------------------------------------------


def test_the_working_tree_is_read_as_it_stands(here: Lab) -> None:
    (here.path / "src/use.py").write_text("fresh = 1\n")
    (here.path / "new.py").write_text("untracked = 1\n")
    before = here.snapshot()
    assert [row["text"] for row in ok(here.slip_json("search", "fresh"))["matches"]] == [
        "fresh = 1"
    ]
    assert ok(here.slip_json("search", "untracked"))["total"] == 0
    assert ok(here.slip_json("search", "untracked", "--untracked"))["total"] == 1
    assert ok(here.slip_json("search", "fresh", "--rev", "HEAD"))["total"] == 0
    assert here.snapshot() == before


def test_a_session_is_read_with_what_it_stages(here: Lab) -> None:
    here.slip("begin", "s")
    here.slip("write", "src/more.py", stdin=b"def staged():\n    pass\n")
    found = ok(here.slip_json("symbol", "staged", "-s", "s"))
    assert found["session"] == "s"
    assert found["matches"][0]["path"] == "src/more.py"
    listed = ok(here.slip_json("files", "--changed", "-s", "s"))
    assert [row["path"] for row in listed["files"]] == ["src/more.py"]
    # Without a name it is the working tree that is read, as with any other tool.
    assert refused(here, "symbol", "staged")["code"] == "missing"
    environment = {"SLIP_SESSION": "s"}
    assert ok(here.slip_json("symbol", "staged", env=environment))["session"] == "s"


def test_a_range_that_was_read_can_be_edited_with_its_id(here: Lab) -> None:
    here.slip("begin", "s")
    told = ok(here.slip_json("lines", "src/use.py", "3", "3", "-s", "s"))
    assert told["text"] == "RESULT = run_all([])\n"
    op = {"op": "replace_lines", "path": told["path"], "start": 3, "end": 3, "text": "RESULT = 1\n",
          "oid": told["oid"]}  # fmt: skip
    ok(here.slip_json("apply", "-s", "s", stdin=json.dumps([op]).encode()))
    late = json.dumps([op | {"text": "X\n"}]).encode()
    assert refused(here, "apply", "-s", "s", stdin=late)["code"] == "stale"


def test_an_unmerged_file_is_read_as_it_stands(here: Lab) -> None:
    here.git("checkout", "-qb", "other")
    here.commit({"src/use.py": "other = 1\n"})
    here.git("checkout", "-q", "main")
    here.commit({"src/use.py": "main = 1\n"})
    here.git("merge", "other", expect=1)
    rows = ok(here.slip_json("search", "<<<<<<<|>>>>>>>"))["matches"]
    assert [row["line"] for row in rows] == [1, 5]


def test_a_session_and_a_revision_are_not_read_at_once(here: Lab) -> None:
    here.slip("begin", "s")
    assert refused(here, "files", "-s", "s", "--rev", "HEAD")["code"] == "usage"
    assert refused(here, "files", "--rev", "nowhere")["code"] == "missing"
    assert refused(here, "files", "-s", "none")["code"] == "session-missing"


def test_bare_and_unborn_repositories_are_read(bare_repo: Lab, unborn_repo: Lab) -> None:
    bare_repo.commit({"a.py": "def f():\n    pass\n"})
    assert ok(bare_repo.slip_json("symbol", "f"))["matches"][0]["path"] == "a.py"
    assert ok(unborn_repo.slip_json("files"))["total"] == 0
    assert ok(unborn_repo.slip_json("search", "x"))["total"] == 0
    assert ok(unborn_repo.slip_json("map"))["files"] == []


# files -------------------------------------------------------------------------------------------


def test_files_are_those_of_ls_tree(here: Lab) -> None:
    listed = ok(here.slip_json("files", "--tokens", "0"))
    assert [(row["mode"], row["oid"]) for row in listed["files"]] == list(here.entries().values())
    assert not listed["truncated"]
    odd = next(row for row in listed["files"] if row["path"].startswith('"odd'))
    assert odd["path"] == '"odd-\\377.txt"'
    assert odd["path_b64"] == "b2RkLf8udHh0"


def test_what_does_not_fit_is_gone_on_with(here: Lab) -> None:
    told: list[str] = []
    cursor: list[str] = []
    while True:
        part = ok(here.slip_json("files", "--tokens", "12", *cursor))
        told += [row["path"] for row in part["files"]]
        assert part["total"] == 8
        if not part["truncated"]:
            break
        cursor = ["--after", part["next"]]
    assert told == [row["path"] for row in ok(here.slip_json("files"))["files"]]
    here.commit({"one-more.txt": "x\n"})
    assert refused(here, "files", *cursor)["code"] == "stale"
    assert refused(here, "files", "--after", "nonsense")["code"] == "usage"


def test_directories_have_their_counts(here: Lab) -> None:
    told = ok(here.slip_json("files", "--tree"))["directories"]
    assert {row["path"]: row["files"] for row in told} == {
        "docs/": 1, "src/": 2, "sub dir/": 1, "tests/": 1,
    }  # fmt: skip


# lines -------------------------------------------------------------------------------------------


def test_an_empty_file_has_no_lines(here: Lab) -> None:
    here.commit({"empty": ""})
    told = ok(here.slip_json("lines", "empty"))
    assert (told["text"], told["total_lines"], told["next"]) == ("", 0, None)
    assert refused(here, "lines", "empty", "1", "0")["code"] == "out-of-range"


def test_lines_are_capped_and_say_where_to_go_on(here: Lab) -> None:
    told = ok(here.slip_json("lines", "big.txt", "--tokens", "100"))
    assert told["start"] == 1
    assert told["next"] == told["end"] + 1
    assert told["total_lines"] == 5000
    assert "slip lines big.txt" in here.slip("lines", "big.txt", "--tokens", "100").text
    last = ok(here.slip_json("lines", "big.txt", "4999", "6000"))
    assert (last["start"], last["end"], last["next"]) == (4999, 5000, None)


def test_a_file_that_is_too_long_is_told_by_its_outline(here: Lab) -> None:
    text = "".join(f"def f{n}():\n    return {n}\n\n" for n in range(900))
    here.commit({"long.py": text})
    here.slip("begin", "s")
    (told,) = ok(here.slip_json("read", "long.py", "-s", "s"))["files"]
    assert (told["truncated"], told["end"], told["total_lines"]) == (True, 40, 2700)
    assert text.startswith(told["text"])
    assert [row["line"] for row in told["outline"]] == list(range(1, 2700, 3))
    assert "slip read --force long.py" in here.slip("read", "long.py", "-s", "s").text
    (whole,) = ok(here.slip_json("read", "--force", "long.py", "-s", "s"))["files"]
    assert whole["text"] == text
    (part,) = ok(here.slip_json("read", "long.py:1-2600", "-s", "s"))["files"]
    assert part["end"] == 2000
    assert "outline" not in part


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nothing.txt",), "missing"),
        (("src",), "missing"),
        (("big.txt", "5001"), "out-of-range"),
        (("big.txt", "7", "6"), "out-of-range"),
        (("big.txt", "0"), "out-of-range"),
        (("big.txt", "--tokens=-1"), "usage"),
    ],
)
def test_lines_that_are_not_there_are_refused(here: Lab, words: tuple[str, ...], code: str) -> None:
    assert refused(here, "lines", *words)["code"] == code


def test_a_path_of_any_name_is_a_word_of_its_hint(here: Lab) -> None:
    here.commit({"a;b $(c)": "1\n"})
    hint = refused(here, "lines", "a;b $(c)", "7")["hint"]
    assert hint == "slip lines 'a;b $(c)' 1 1"
    typed(hint, here.path)
    hint = refused(here, "lines", "d/it's", "7")["hint"]
    assert hint == """slip files 'it'"'"'s'"""
    typed(hint, here.path)


def test_bytes_that_are_no_text_are_told_as_such(here: Lab) -> None:
    told = ok(here.slip_json("lines", b"odd-\xff.txt".decode("utf-8", "surrogateescape")))
    assert told["text"] == "latin \ufffd\n"
    assert told["lossy"] is True


# symbol, refs ------------------------------------------------------------------------------------


def test_a_symbol_is_its_text(here: Lab) -> None:
    told = ok(here.slip_json("symbol", "Runner.run"))["matches"]
    assert len(told) == 1
    assert told[0]["text"].startswith("    def run(self, task):\n")
    assert (told[0]["start"], told[0]["end"], told[0]["kind"]) == (9, 11, "method")
    assert told[0]["oid"] == here.oid("HEAD:src/app.py")


@pytest.mark.parametrize("name", ["run_all", "app.run_all", "src/app.py:run_all", "app::run_all"])
def test_a_name_may_say_what_it_stands_in(here: Lab, name: str) -> None:
    (told,) = ok(here.slip_json("symbol", name))["matches"]
    assert (told["path"], told["name"]) == ("src/app.py", "run_all")


def test_ambiguous_names_are_listed(here: Lab) -> None:
    here.commit({"other/app.py": "def run_all():\n    return 2\n"})
    told = ok(here.slip_json("symbol", "run_all", "--tokens", "1"))
    assert len(told["matches"]) == 1
    assert [row["path"] for row in told["others"]] == ["src/app.py"]
    (one,) = ok(here.slip_json("symbol", "run_all", "--inside", "src"))["matches"]
    assert one["path"] == "src/app.py"
    assert refused(here, "symbol", "run_all", "--inside", "docs")["code"] == "missing"


def test_what_no_file_defines_is_missing_with_a_hint_that_works(here: Lab) -> None:
    error = refused(here, "symbol", "getpid")
    assert error["code"] == "missing"
    assert error["hint"] == "slip search --word getpid"
    assert ok(here.slip_json("search", "--word", "getpid"))["total"] == 1


def test_uses_are_in_code(here: Lab) -> None:
    told = ok(here.slip_json("refs", "run"))
    assert [(row["path"], row["line"], row.get("defines")) for row in told["uses"]] == [
        ("src/app.py", 9, True),
        ("src/app.py", 19, None),
    ]
    assert told["exact"] is True


# map ---------------------------------------------------------------------------------------------


def test_a_map_begins_with_what_the_rest_refers_to(here: Lab) -> None:
    told = ok(here.slip_json("map"))
    assert told["files"][0]["path"] == "src/app.py"
    assert told["files"][0]["summary"] == "The application: it runs things."
    names = [row["name"] for row in told["files"][0]["symbols"]]
    assert names[:2] == ["Runner", "run"]
    assert told["omitted"] == 0
    assert here.slip_json("map").json == told


def test_a_map_keeps_to_its_budget_and_goes_on(here: Lab) -> None:
    told = ok(here.slip_json("map", "--tokens", "60"))
    assert told["tokens"] <= 60 or len(told["files"]) == 1
    assert told["omitted"] > 0
    rest = ok(here.slip_json("map", "--after", told["next"]))
    paths = [row["path"] for row in told["files"] + rest["files"]]
    assert paths == [row["path"] for row in ok(here.slip_json("map"))["files"]]
    only = ok(here.slip_json("map", "docs"))
    assert [row["path"] for row in only["files"]] == ["docs/guide.md"]
    assert [row["kind"] for row in only["files"][0]["symbols"]] == ["heading", "heading"]


def test_what_a_session_touches_comes_first(here: Lab) -> None:
    here.slip("begin", "s")
    here.slip("write", "zz.py", "-s", "s", stdin=b"def last():\n    pass\n")
    assert ok(here.slip_json("map", "-s", "s"))["files"][0]["path"] == "zz.py"


def test_a_session_of_a_large_tree_has_the_map_of_its_base_with_its_own_files_first(
    here: Lab,
) -> None:
    many = {f"many/m{n:02}.py": f"def many_{n:02}():\n    pass\n" for n in range(40)}
    many |= {f"use{n}.py": "many_07()\nmany_07()\n" for n in range(3)}
    here.commit(many, "many")
    before = [row["path"] for row in ok(here.slip_json("map", "--tokens", "0"))["files"]]
    here.slip("begin", "s")
    # A new file, one that changes what it defines, and one that goes.
    here.slip("write", "new.py", "-s", "s", stdin=b"def new():\n    many_31()\n")
    here.slip("write", "many/m05.py", "-s", "s", stdin=b"def other():\n    pass\n")
    here.slip("rm", "many/m20.py", "-s", "s")
    told = ok(here.slip_json("map", "-s", "s", "--tokens", "0"))["files"]
    paths = [row["path"] for row in told]
    assert set(paths[:2]) == {"new.py", "many/m05.py"}
    of_file = {row["path"]: [item["name"] for item in row["symbols"]] for row in told}
    assert of_file["many/m05.py"] == ["other"]
    gone = {"many/m20.py", "many/m05.py"}
    assert paths[2:] == [path for path in before if path not in gone]
    here.slip("write", "new.py", "-s", "s", stdin=b"def new():\n    run_all([many_07()])\n")
    paths = [row["path"] for row in ok(here.slip_json("map", "-s", "s", "--tokens", "0"))["files"]]
    assert set(paths[2:4]) == {"src/app.py", "many/m07.py"}  # what the work refers to


@pytest.mark.skipif(sys.platform == "darwin", reason="APFS takes no such names")
def test_files_of_odd_names_are_mapped_and_searched_for_symbols(here: Lab) -> None:
    for name in (b"odd\xff.py", b"new\nline.py"):
        (here.path / os.fsdecode(name)).write_text("def odd():\n    pass\n")
    here.git("add", ".")
    here.git("commit", "-qm", "odd")
    told = ok(here.slip_json("symbol", "odd"))["matches"]
    assert sorted(row["path"] for row in told) == ['"new\\nline.py"', '"odd\\377.py"']
    mapped = {row["path"] for row in ok(here.slip_json("map", "--tokens", "0"))["files"]}
    assert {row["path"] for row in told} < mapped
    assert ok(here.slip_json("refs", "odd"))["total"] == 2


def test_of_too_many_names_the_rest_are_counted(here: Lab) -> None:
    here.commit({f"d{n}/x.py": "def twin():\n    return 1\n" for n in range(30)}, "twins")
    told = ok(here.slip_json("symbol", "twin", "--tokens", "40"))
    assert len(told["matches"]) + len(told["others"]) + told["omitted"] == 30
    assert told["others"]
    text = here.slip("symbol", "twin", "--tokens", "40").text
    more = 30 - len(told["matches"])
    assert text.endswith(f"# {more} more of that name; choose with --inside PATH\n")


# search ------------------------------------------------------------------------------------------


def test_definitions_come_first_and_tests_last(here: Lab) -> None:
    told = ok(here.slip_json("search", "run_all"))
    assert list(dict.fromkeys(row["path"] for row in told["matches"])) == [
        "src/app.py", "src/use.py", "tests/test_app.py",
    ]  # fmt: skip
    assert told["matches"][0]["symbol"] == "run_all"
    assert (told["total"], told["files"]) == (5, 3)


def test_where_git_gives_up_the_index_answers(here: Lab) -> None:
    here.commit({"long.txt": "".join(f"{'a' * 400}b\n" for _ in range(200))}, "long")
    assert ok(here.slip_json("search", "(a+)+$", "long.txt"))["total"] == 0
    told = ok(here.slip_json("search", "(a|aa)+b$", "long.txt"))
    assert told["total"] == 200


def test_what_is_left_out_is_counted(here: Lab) -> None:
    told = ok(here.slip_json("search", "row", "--max", "3"))
    assert len(told["matches"]) == 3
    assert (told["total"], told["truncated"]) == (5000, True)
    text = here.slip("search", "row", "--max", "3").text
    assert text.startswith("# 5000 lines in 1 file\n")
    assert "+4997 more" in text


def test_raw_lines_are_those_of_git_grep(here: Lab) -> None:
    raw = here.slip("search", "run", "--raw", "--tokens", "0").text
    assert raw == here.git("grep", "-n", "run") + "\n"


def test_context_and_counts(here: Lab) -> None:
    told = ok(here.slip_json("search", "RESULT", "--context", "1"))["matches"]
    assert [(row["line"], row.get("context")) for row in told] == [(2, True), (3, None)]
    counts = ok(here.slip_json("search", "run_all", "--count"))["counts"]
    assert [(row["path"], row["lines"]) for row in counts] == [
        ("src/app.py", 1), ("src/use.py", 2), ("tests/test_app.py", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a(b",), "at character"),
        (("",), "empty"),
        (("x", "--fixed", "--regex"), "not both"),
        (("x", "--max", "0"), "at least 1"),
        (("x", "--context", "-1"), "at least 0"),
        (("x", "a//b"), "glob"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(
    here: Lab, words: tuple[str, ...], said: str
) -> None:
    error = refused(here, "search", *words)
    assert error["code"] == "usage"
    assert said in error["message"]


def test_a_pattern_with_what_re2_does_not_have_is_found(here: Lab) -> None:
    assert ok(here.slip_json("search", r"(?<=def )run\b"))["total"] == 1
    assert ok(here.slip_json("search", r"(\w)\1_"))["total"] == 0


def test_long_lines_are_cut_and_said_to_be(here: Lab) -> None:
    here.commit({"wide.js": "var needle=1;" + "x=1;" * 5000 + "\n"})
    (row,) = ok(here.slip_json("search", "needle"))["matches"]
    assert row["cut"] is True
    assert len(row["text"]) <= 240
    assert row["text"].startswith("var needle=1;x=1;")
    assert row["text"].endswith("…")
    assert row["column"] == 5


def test_of_a_long_line_the_part_around_the_match_is_told(here: Lab) -> None:
    line = "x=1;" * 5000 + "é" * 60 + " needle=2;" + "ü" * 300
    here.commit({"wide.js": f"  {line}\r\n", "end.js": "é" * 200 + "needle\n"})
    wide, end = ok(here.slip_json("search", "needle", "*.js"))["matches"][::-1]
    column = line.encode().index(b"needle") + 3
    for row, place in ((wide, column), (end, 401)):
        assert (row["cut"], row["column"], row.get("lossy")) == (True, place, None)
        assert len(row["text"].encode()) <= 240
        assert "needle" in row["text"]
    assert wide["text"].startswith("…é")
    assert wide["text"].endswith("ü…")
    assert end["text"].endswith("éneedle")
    shown = here.slip("search", "needle", "wide.js").text
    assert "needle=2;ü" in shown
    assert f"…  (column {column})" in shown
    raw = here.slip("search", "--raw", "--tokens", "0", "needle", "wide.js").text
    assert raw == f"wide.js:1:  {line}\n"
    (use,) = ok(here.slip_json("refs", "needle", "--tokens", "0"))["uses"][-1:]
    assert (use["cut"], use["column"]) == (True, use["column"])
    assert "needle" in use["text"]


@pytest.mark.parametrize(
    ("words", "column"),
    [
        (("needle",), 301), (("-w", "needle"), 309), (("-i", "NEEDLE$"), 309), (("x{9}n",), 292),
        (("(?<=x )needle",), None), (("(?<= )needle",), 309), (("--fixed", "s n"), 307),
    ],
)  # fmt: skip
def test_the_column_is_where_the_pattern_matches(
    here: Lab, words: tuple[str, ...], column: int | None
) -> None:
    here.commit({"wide.txt": "x" * 300 + "needles needle\n"})
    rows = ok(here.slip_json("search", *words, "--", "wide.txt"))["matches"]
    assert [row["column"] for row in rows] == ([column] if column else [])


def test_a_map_tells_scripts_that_their_first_line_alone_names(here: Lab) -> None:
    scripts: dict[str, Content] = {
        "bin/serve": Script(b"#!/usr/bin/env python3\ndef serve(port):\n    return port\n"),
        "bin/build": "#!/bin/bash\nbuild_all() {\n  true\n}\n",
        "bin/front": "#!/usr/bin/env node\nfunction front(a) { return a }\n",
        "bin/rake.in": Script(b"#!/usr/bin/env ruby\ndef rake(a)\n  a\nend\n"),
        "bin/plain.in": "#!/usr/bin/env ruby\ndef plain(a)\n  a\nend\n",
        "bin/program": Script(b"\x7fELF\0\0def binary(a):\n    pass\n"),
        "NOTES": "def nothing(a):\n    pass\n",
    }
    here.commit(scripts, "scripts")
    told = here.slip_json("map", "bin", "NOTES", "--rev", "HEAD", "--tokens", "0").json
    names = {
        row["path"]: (row["lang"], [s["name"] for s in row["symbols"]]) for row in told["files"]
    }
    assert names == {
        "bin/serve": ("python", ["serve"]),
        "bin/build": ("bash", ["build_all"]),
        "bin/front": ("javascript", ["front"]),
        "bin/rake.in": ("ruby", ["rake"]),
    }
    again = here.slip_json("map", "bin", "NOTES", "--rev", "HEAD", "--tokens", "0").json
    assert again == told
    assert here.slip_json("symbol", "rake").json["matches"][0]["path"] == "bin/rake.in"


def test_short_tests_by_the_hundred_are_counted(here: Lab) -> None:
    tests: dict[str, Content] = {
        f"tests/unit/deep/down/test_{n}.py": f"def test_{n}():\n    run_all([])\n"
        for n in range(40)
    }
    tests["tests/unit/deep/down/test_long.py"] = "def test_long():\n    pass\n" * 30
    here.commit(tests, "tests")
    told = here.slip_json("map", "--rev", "HEAD", "--tokens", "0").json
    paths = [row["path"] for row in told["files"]]
    assert "tests/test_app.py" in paths  # alone where it is
    assert "tests/unit/deep/down/test_long.py" in paths
    assert told["short"] == [{"path": "tests/unit/deep/", "files": 40}]
    assert (told["omitted"], told["next"]) == (0, None)
    shown = here.slip("map", "--rev", "HEAD", "--tokens", "0").text
    assert shown.endswith("# short tests; slip map PATH shows them\ntests/unit/deep/ (40 files)\n")
    inside = here.slip_json("map", "tests/unit", "--rev", "HEAD", "--tokens", "0").json
    assert len(inside["files"]) == 41
    assert "short" not in inside
    some, first = walked(here)
    assert first["omitted"] == len(paths) - len(first["files"]) + 40
    assert [row["path"] for page in some for row in page["files"]] == paths
    assert [page.get("short") for page in some] == [None] * (len(some) - 1) + [told["short"]]
    here.write("tests/unit/deep/down/test_7.py", "def test_7():\n    run_all([7])\n")
    touched = here.slip_json("map", "--tokens", "0").json
    assert touched["files"][0]["path"] == "tests/unit/deep/down/test_7.py"
    assert touched["short"][0]["files"] == 39


def walked(here: Lab) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every page of a map, each as small as can be."""
    pages = [here.slip_json("map", "--rev", "HEAD", "--tokens", "1").json]
    while pages[-1]["next"]:
        words = ("--rev", "HEAD", "--tokens", "1", "--after", pages[-1]["next"])
        pages.append(here.slip_json("map", *words).json)
    return pages, pages[0]


def test_a_private_name_of_javascript_is_found(here: Lab) -> None:
    here.commit(
        {"a.js": "class Foo {\n  #hide() { return 1 }\n  show() { return this.#hide() }\n}\n"}
    )
    for name in ("#hide", "Foo.#hide"):
        (found,) = here.slip_json("symbol", name).json["matches"]
        assert (found["name"], found["start"]) == ("Foo.#hide", 2)
    (found,) = here.slip_json("symbol", "Foo#show").json["matches"]
    assert found["name"] == "Foo.show"


def test_a_qualified_name_is_found_among_more_files_than_are_read(here: Lab) -> None:
    many: dict[str, Content] = {
        f"many/m{n}.py": f"class A{n}:\n    def same(self):\n        pass\n" for n in range(450)
    }
    here.commit(many, "many")
    for number in (3, 99, 399, 449):
        (found,) = here.slip_json("symbol", f"A{number}.same").json["matches"]
        assert found["path"] == f"many/m{number}.py"
    (found,) = here.slip_json("symbol", "m449.A449.same").json["matches"]
    assert found["name"] == "A449.same"


def test_what_has_a_body_comes_before_its_prototype(here: Lab) -> None:
    header = "int diff_tree(int a,\n              int b,\n              int c);\n"
    here.commit({"a.h": header, "z.c": header.replace(";", "\n{\n\treturn a;\n}")})
    told = here.slip_json("symbol", "diff_tree").json["matches"]
    assert [(row["path"], row["start"], row["end"]) for row in told] == [
        ("z.c", 1, 6),
        ("a.h", 1, 3),
    ]
