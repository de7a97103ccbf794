"""Filters, encodings, ident and line ends: landed as git checks out and as `git add` stores.

The oracle is git, in a copy of the repository: `git merge --ff-only` for what stands in the
worktree, `git add` and `git commit` for what is stored.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from slipstream_git.changes import bringing, recovery
from tests.changes.test_recovery import copied, killed, state
from tests.desk import Desk, Json, delete, move, replace, write
from tests.lab import Content, Ground, Lab, Script, fsck

# Without the letters of $Id$.
CASE = {"filter.case.smudge": "tr a-cj-z A-CJ-Z", "filter.case.clean": "tr A-CJ-Z a-cj-z"}
Files = dict[str, Content]


def configured(repo: Lab, config: dict[str, str]) -> None:
    for name, value in config.items():
        repo.git("config", name, value)


def twin_of(desk: Desk, ground: Ground) -> Lab:
    """A copy as it stands, for git to do the same in."""
    place = ground.place / "twin"
    shutil.copytree(desk.lab.path, place, symlinks=True)
    twin = ground.at(place)
    twin.git("update-index", "-q", "--refresh", expect=None)
    return twin


def assert_as_git_brings_it(repo: Lab, twin: Lab) -> None:
    """Files, index entries and status are what `git merge --ff-only` to the same commit gives."""
    twin.git("fetch", "--quiet", str(repo.path), "main")
    twin.git("merge", "--quiet", "--ff-only", "FETCH_HEAD")
    assert repo.files() == twin.files()
    assert repo.git_bytes("ls-files", "-s", "-v") == twin.git_bytes("ls-files", "-s", "-v")
    assert repo.git("status", "--porcelain=v2") == twin.git("status", "--porcelain=v2") == ""
    assert not list((repo.path / ".git/slip").glob("quarantine/*"))


# --- out: what stands in the worktree -------------------------------------------------------------


class Out(NamedTuple):
    """Configuration, the files before, and what lands on them."""

    config: dict[str, str]
    files: Files
    ops: list[Json]


TEXT = "one $Id$\ntwo\n"
EDITS = [replace("a.txt", "two", "2"), write("new/b.txt", "b $Id$\n"), move("c.txt", "d.txt")]
BASE: Files = {"a.txt": TEXT, "c.txt": "c\n", "plain": "p\n"}
OUT: dict[str, Out] = {
    "ident": Out({}, {".gitattributes": "*.txt ident\n", **BASE}, EDITS),
    "UTF-16": Out({}, {".gitattributes": "*.txt working-tree-encoding=UTF-16\n", **BASE}, EDITS),
    "UTF-16LE": Out(
        {}, {".gitattributes": "*.txt working-tree-encoding=UTF-16LE\n", **BASE}, EDITS
    ),
    "eol=crlf": Out({}, {".gitattributes": "*.txt eol=crlf\n", **BASE}, EDITS),
    "eol=crlf for all": Out({}, {".gitattributes": "* text eol=crlf\n", **BASE}, EDITS),
    "text=auto": Out({"core.eol": "crlf"}, {".gitattributes": "* text=auto\n", **BASE}, EDITS),
    "autocrlf": Out({"core.autocrlf": "true"}, BASE, EDITS),
    "driver": Out(CASE, {".gitattributes": "*.txt filter=case\n", **BASE}, EDITS),
    "driver by a capital name": Out(
        {name.replace("case", "Case"): value for name, value in CASE.items()},
        {".gitattributes": "*.txt filter=Case\n", **BASE},
        EDITS,
    ),
    "driver that is not configured": Out({}, {".gitattributes": "* filter=none\n", **BASE}, EDITS),
    "driver that fails, not required": Out(
        {"filter.bad.smudge": "false", "filter.bad.clean": "cat"},
        {".gitattributes": "*.txt filter=bad\n", **BASE},
        EDITS,
    ),
    "driver in the repository": Out(
        {"filter.own.smudge": "new/up.sh %f", "filter.own.clean": "tr T t"},
        {
            ".gitattributes": "*.txt filter=own\n",
            "new/up.sh": Script(b"#!/bin/sh\nexec tr t T\n"),
            **BASE,
        },
        EDITS,
    ),
    "all at once": Out(
        CASE,
        {".gitattributes": "*.txt filter=case ident eol=crlf\n", **BASE},
        EDITS,
    ),
    "nested attributes": Out(
        {},
        {".gitattributes": "*.txt eol=crlf\n", "new/.gitattributes": "*.txt -text\n", **BASE},
        EDITS,
    ),
    "attributes that land too": Out(
        {}, BASE, [*EDITS, write(".gitattributes", "*.txt eol=crlf\n"), write("e.txt", "e\n")]
    ),
    "attributes that go": Out(
        {}, {".gitattributes": "*.txt eol=crlf\n", **BASE}, [*EDITS, delete(".gitattributes")]
    ),
    "attributes that change": Out(
        CASE,
        {".gitattributes": "*.txt ident\n", **BASE},
        [*EDITS, write(".gitattributes", "*.txt filter=case\n")],
    ),
    "attributes that land deep": Out(
        CASE, BASE, [*EDITS, write("new/.gitattributes", "*.txt filter=case\n")]
    ),
}


@pytest.mark.parametrize("case", OUT)
def test_files_are_what_git_would_check_out(desk: Desk, ground: Ground, case: str) -> None:
    config, files, ops = OUT[case]
    desk.lab.commit({path: content for path, content in files.items() if "attr" not in path})
    desk.lab.commit({path: content for path, content in files.items() if "attr" in path})
    configured(desk.lab, config)
    # As they stand after a fresh checkout.
    desk.lab.git("rm", "--quiet", "--cached", "-r", ".")
    desk.lab.git("reset", "--quiet", "--hard")
    twin = twin_of(desk, ground)
    desk.begin("work")
    desk.apply(*ops)
    tree = desk.lab.oid("refs/slip/sessions/work^{tree}")
    landed = desk.commit("land")
    assert (landed["tree"], landed.get("warnings")) == (tree, None)
    assert_as_git_brings_it(desk.lab, twin)


def test_many_paths_cost_one_filter_process(desk: Desk, tmp_path: Path) -> None:
    """The landing of a hundred files with line ends starts as many gits as that of one."""
    repo, log = desk.lab, tmp_path / "trace"
    repo.commit({".gitattributes": "* text eol=crlf\n", **{f"m/{n}": "x\n" for n in range(100)}})
    repo.git("rm", "--quiet", "--cached", "-r", ".")
    repo.git("reset", "--quiet", "--hard")
    counts = []
    for number in (1, 1, 100):  # the first one of all makes a ref, and looks for it
        desk.begin("work")
        desk.apply(*(replace(f"m/{n}", "x", f"{number}", count="all") for n in range(100)[:number]))
        log.write_text("")
        desk.commit("land", env={"GIT_TRACE": str(log)})
        counts.append(log.read_text().count("built-in: git"))
        repo.git("reset", "--quiet", "--hard", "HEAD~1")
    assert counts[1] == counts[2]


def test_a_required_filter_that_fails_refuses_before_anything_moves(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitattributes": "*.txt filter=case\n", "a.txt": "a\n", "z": "z\n"})
    configured(repo, {**CASE, "filter.case.smudge": "false", "filter.case.required": "true"})
    desk.begin("work")
    desk.apply(write("z", "2\n"), write("b.txt", "b\n"))
    before, refs = repo.snapshot(), repo.refs()
    for dry_run in (True, False):
        fault = desk.commit_refused("git-failed", dry_run=dry_run)
        assert "b.txt: smudge filter case failed" in fault.message
        assert "\n" not in fault.message
        assert (repo.snapshot(), repo.refs()) == (before, refs)
    assert desk.commit("land", no_checkout=True)["committed"]


def test_a_required_filter_that_cannot_clean_refuses(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitattributes": "*.txt filter=case\n"})
    configured(repo, {**CASE, "filter.case.clean": "false", "filter.case.required": "true"})
    desk.begin("work")
    desk.apply(write("b.txt", "b\n"))
    before, refs = repo.snapshot(), repo.refs()
    assert "b.txt: clean filter 'case' failed" in desk.commit_refused("git-failed").message
    assert (repo.snapshot(), repo.refs()) == (before, refs)


CLEAN_EQUAL: dict[str, tuple[dict[str, str], str, bytes, bytes]] = {
    "driver": (CASE, "*.txt filter=case\n", b"one\n", b"ONe\n"),
    "driver whose smudge is gone": (
        {**CASE, "filter.case.smudge": "false", "filter.case.required": "true"},
        "*.txt filter=case\n", b"one\n", b"ONe\n",
    ),
    "ident": ({}, "*.txt ident\n", b"$Id$\n", b"$Id: by hand $\n"),
    "encoding": (
        {}, "*.txt working-tree-encoding=UTF-16\n", b"one\n", "\ufeffone\n".encode("utf-16-be")
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN_EQUAL)
@pytest.mark.parametrize("dropping", [False, True])
def test_a_file_that_git_calls_unchanged_is_not_in_the_way(
    desk: Desk,
    case: str,
    dropping: bool,  # noqa: FBT001
) -> None:
    """Also where the attributes that say so go with the landing."""
    repo = desk.lab
    config, lines, blob, stands = CLEAN_EQUAL[case]
    repo.commit({"a.txt": blob})
    configured(repo, config)
    repo.commit({".gitattributes": lines})
    repo.write("a.txt", stands)
    repo.git("add", "a.txt")
    assert repo.git("status", "--porcelain") == ""
    desk.begin("work")
    desk.apply(delete("a.txt"), *([delete(".gitattributes")] if dropping else []))
    desk.commit("land")
    assert not (repo.path / "a.txt").exists()
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("case", CLEAN_EQUAL)
def test_a_real_edit_is_in_the_way(desk: Desk, case: str) -> None:
    repo = desk.lab
    config, lines, blob, stands = CLEAN_EQUAL[case]
    repo.commit({"a.txt": blob})
    configured(repo, config)
    repo.commit({".gitattributes": lines})
    repo.write("a.txt", stands + stands)
    desk.begin("work")
    desk.apply(delete("a.txt"))
    before, refs = repo.snapshot(), repo.refs()
    fault = desk.commit_refused("dirty")
    assert fault.data["paths"] == [{"path": "a.txt", "why": "changed"}]
    assert (repo.snapshot(), repo.refs()) == (before, refs)


def test_a_linked_worktree_is_brought_along(desk: Desk, linked_repo: Lab) -> None:
    repo = desk.lab
    configured(repo, CASE)
    linked_repo.commit({".gitattributes": "*.txt filter=case\n", "a.txt": "a\n"})
    desk.begin("work", base="side", onto="side")
    desk.apply(write("a.txt", "b\n"), write("c.txt", "c\n"))
    linked_repo.write("a.txt", "A\n")
    desk.commit("land")
    assert (linked_repo.read("a.txt"), linked_repo.read("c.txt")) == (b"B\n", b"C\n")
    assert linked_repo.git("status", "--porcelain") == ""


def test_flush_and_back(desk: Desk) -> None:
    repo = desk.lab
    configured(repo, CASE)
    repo.commit({".gitattributes": "*.txt filter=case\n", "a.txt": "a\n"})
    desk.begin("work")
    desk.apply(write("a.txt", "b\n"), write("c.txt", "c\n"))
    desk.call("flush")
    assert (repo.read("a.txt"), repo.read("c.txt")) == (b"B\n", b"C\n")
    desk.call("undo")
    desk.call("flush")
    assert repo.git("status", "--porcelain") == ""
    assert repo.read("a.txt") == b"A\n"


def test_kills_leave_filtered_files_old_or_new(repo: Lab, tmp_path: Path) -> None:
    configured(repo, {**CASE, "filter.case.required": "true"})
    repo.commit({".gitattributes": "*.txt filter=case\n* text=auto\n"})
    repo.git("config", "core.eol", "crlf")
    repo.commit({"a.txt": "a\n", "go.txt": "g\n", "m": "m\n"})
    repo.git("rm", "--quiet", "--cached", "-r", ".")
    repo.git("reset", "--quiet", "--hard")
    repo.slip("begin", "work")
    repo.slip("write", "-s", "work", "a.txt", stdin=b"Raw\n")
    repo.slip("write", "-s", "work", "b.txt", stdin=b"b\n")
    repo.slip("write", "-s", "work", "m", stdin=b"new\n")
    repo.slip("rm", "-s", "work", "go.txt")
    old, whole = state(repo), copied(repo, tmp_path / "whole")
    whole.slip("commit", "-s", "work", "-m", "land")
    new = state(whole)
    assert (whole.read("a.txt"), whole.tree()["a.txt"]) == (b"RAW\r\n", b"raw\n")
    for number in range(8):
        lab = copied(repo, tmp_path / str(number))
        killed(lab, 0.2 + number * 0.06)
        lab.slip("recover")
        assert state(lab) in (old, new), f"kill {number}"
        assert fsck(lab) == ""
        lab.slip("commit", "-s", "work", "-m", "land")
        assert state(lab) == new
        assert not list((lab.path / ".git/slip").glob("quarantine/*"))


# --- in: what is stored ---------------------------------------------------------------------------


class In(NamedTuple):
    """Configuration, attributes, and path to (what the branch has, what is written)."""

    config: dict[str, str]
    lines: str
    written: dict[str, tuple[bytes | None, bytes]]


# Encryption with a nonce: never the same twice; what is not encrypted passes.
SALTED = {
    "filter.salt.clean": "printf 'enc %s\\n' \"$(date +%N)\"; cat",
    "filter.salt.smudge": "sed 1d",
}
IN: dict[str, In] = {
    "driver": In(CASE, "*.txt filter=case\n", {"a.txt": (None, b"Raw\n"), "b.txt": (b"b", b"BB")}),
    "a filter that strips": In(
        {"filter.strip.clean": "grep -v output", "filter.strip.smudge": "cat"},
        "*.nb filter=strip\n",
        {"a.nb": (None, b"in\noutput 1\n")},
    ),
    "one way": In(
        {"filter.gz.clean": "gzip -nc", "filter.gz.smudge": "gzip -dc", "filter.gz.required": "1"},
        "*.gz filter=gz\n",
        {"a.gz": (None, b"plain\n")},
    ),
    "ident": In({}, "* ident\n", {"a": (None, b"$Id: x $\n"), "b": (b"$Id$", b"$Id: y$ $Id$")}),
    "encoding": In({}, "a working-tree-encoding=UTF-16\n", {"a": (None, "one\n".encode("utf-16"))}),
    "text": In({}, "* text\n", {"a": (b"a\r\n", b"b\r\nc\n"), "b": (None, b"\r\n")}),
    "eol": In({}, "* eol=lf\n", {"a": (None, b"b\r\n")}),
    "text=auto": In({}, "* text=auto\n", {"a": (None, b"b\r\n"), "b": (b"b\n", b"c\r\n")}),
    "autocrlf": In({"core.autocrlf": "true"}, "", {"a": (None, b"b\r\n")}),
    "autocrlf=input": In({"core.autocrlf": "input"}, "", {"a": (b"a\n", b"b\r\n")}),
    "ident with line ends": In({}, "* text ident\n", {"a": (None, b"b\r\n")}),
}


@pytest.mark.parametrize("case", IN)
def test_what_lands_is_what_git_add_would_store(desk: Desk, ground: Ground, case: str) -> None:
    config, lines, written = IN[case]
    repo = desk.lab
    repo.commit({path: old for path, (old, _) in written.items() if old is not None})
    configured(repo, config)
    repo.commit({".gitattributes": lines})
    repo.git("reset", "--quiet", "--hard")
    twin = twin_of(desk, ground)
    twin.commit({path: raw for path, (_, raw) in written.items()}, "land")
    desk.begin("work")
    desk.apply(*(write(path, raw) for path, (_, raw) in written.items()))
    landed = desk.commit("land")
    assert landed["tree"] == repo.oid("main^{tree}") == twin.oid("main^{tree}")
    told = [line.split(" ", 1) for line in landed["warnings"]]
    assert [path for path, _ in told] == sorted(written)
    assert repo.git("status", "--porcelain=v2") == ""
    placed = repo.files()
    for path in written:
        repo.write(path, None)
    repo.git("checkout", "--", ".")
    assert repo.files() == placed


LEFT: dict[str, tuple[dict[str, str], str, bytes | None, bytes]] = {
    "CRLF stays under text=auto": ({}, "* text=auto\n", b"a\r\n", b"b\r\nc\r\n"),
    "CRLF stays under autocrlf": ({"core.autocrlf": "true"}, "", b"a\r\n", b"b\r\nc\n"),
    "binary under text=auto": ({}, "* text=auto\n", None, b"\0\r\n"),
    "-text": ({"core.autocrlf": "true"}, "* -text\n", None, b"b\r\n"),
    "stored already": (CASE, "* filter=case\n", b"a", b"b $id$\r\n"),
    "encrypted with a nonce": (SALTED, "f filter=salt\n", None, b"enc 1\nplain\n"),
    "LF": ({"core.autocrlf": "true"}, "* text=auto\n", b"a\n", b"b\n"),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_stored_already_lands_as_it_is(desk: Desk, case: str) -> None:
    config, lines, old, new = LEFT[case]
    repo = desk.lab
    repo.commit({"f": old} if old is not None else {})
    repo.commit({".gitattributes": lines})
    configured(repo, config)
    repo.git("reset", "--quiet", "--hard")
    desk.begin("work")
    desk.apply(write("f", new))
    landed = desk.commit("land")
    assert repo.tree()["f"] == new
    assert "warnings" not in landed
    if config != SALTED:  # which is never clean to a git that looks
        assert repo.git("status", "--porcelain=v2") == ""


def test_what_is_stored_as_the_branch_has_it_lands_nothing(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitattributes": "* text\n", "a": "a\n"})
    desk.begin("work")
    desk.apply(write("a", b"a\r\n"))
    refs = repo.refs()
    assert desk.commit("land")["committed"] is False
    assert repo.refs() == refs


def test_only_what_lands_is_looked_at(desk: Desk) -> None:
    """A raw blob that somebody committed long ago is no business of this landing."""
    repo = desk.lab
    repo.commit({"old": b"a\r\n"})
    repo.commit({".gitattributes": "* text\n"})
    desk.begin("work")
    desk.apply(write("b", "b\n"))
    desk.commit("land")
    assert repo.tree()["old"] == b"a\r\n"


def test_a_bare_repository_stores_as_git_add_too(bare_repo: Lab, store: str) -> None:
    desk = Desk(bare_repo, store)
    configured(bare_repo, CASE)
    bare_repo.commit({".gitattributes": "*.txt filter=case\n"})
    desk.begin("work")
    desk.apply(write("a.txt", "Raw\n"))
    assert desk.commit("land")["warnings"]
    assert bare_repo.tree()["a.txt"] == b"raw\n"


def test_hooks_see_what_git_add_would_store(desk: Desk) -> None:
    """Also where a filter never gives the same bytes twice: what they saw is what lands."""
    repo = desk.lab
    repo.commit({".gitattributes": "*.enc filter=salt\n*.txt text\n"})
    configured(repo, {**SALTED, "filter.salt.smudge": "sed '/^enc /d'"})
    place = repo.path / ".git/hooks/pre-commit"
    place.parent.mkdir(exist_ok=True)
    place.write_text('#!/bin/sh\ngit write-tree >> "$SAW"\n')
    place.chmod(0o755)
    saw = repo.path / ".git/saw"
    desk.begin("work")
    desk.apply(write("a.enc", "plain\n"), write("b.txt", b"b\r\n"))
    landed = desk.commit("land", env={"SAW": str(saw)})
    assert saw.read_text().split() == [landed["tree"]]
    assert repo.tree()["a.enc"].startswith(b"enc ")
    assert len(landed["warnings"]) == 2
    assert (repo.read("a.enc"), repo.read("b.txt")) == (b"plain\n", b"b\n")


def test_a_flush_that_died_is_taken_back_though_its_filter_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing had been placed yet, so nothing need be converted."""
    repo = desk.lab
    repo.commit({".gitattributes": "*.txt filter=case\n", "a.txt": "a\n", "z": "z\n"})
    desk.begin("work")
    desk.apply(write("a.txt", "b\n"), write("c.txt", "c\n"))
    before = repo.snapshot()
    with monkeypatch.context() as patch:
        for module, name in ((bringing, "hold"), (bringing, "roll_back"), (recovery, "drop")):
            patch.setattr(module, name, _interrupted)
        with pytest.raises(KeyboardInterrupt):
            desk.call("flush")
    configured(repo, {**CASE, "filter.case.smudge": "false", "filter.case.required": "true"})
    recovered = desk.call("recover")
    assert [row["left"] for row in recovered["intents"]] == [[]]
    assert repo.snapshot()._replace(config=before.config) == before


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
