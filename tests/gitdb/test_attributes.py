"""Attributes of the tree that lands, and files that git calls unchanged whatever their endings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from slipstream_git.changes import bringing
from slipstream_git.gitdb import attributes
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Repository, open_repository
from slipstream_git.gitdb.worktrees.jobs import Placement, Worktree
from slipstream_git.text.objectid import object_id
from tests.desk import Desk, write
from tests.lab import Content, Lab, Link


@pytest.fixture
def repository(repo: Lab) -> Iterator[Repository]:
    with open_repository(str(repo.path), os.environ, in_process=False) as opened:
        yield opened


def test_attribute_files_above_paths(repo: Lab, repository: Repository) -> None:
    files: dict[str, Content] = {
        f"{place}.gitattributes": "* text\n" for place in ("", "d/", "d/e/", "f/")
    }
    repo.commit({**files, "g/.gitattributes": Link("x"), "g/x": "* -text\n"})
    repo.damaged = True  # git fsck, too, warns of the symlink
    tree = repo.oid("HEAD^{tree}")
    found = attributes.files_above(repository, tree, [b"d/e/f", b"d/x", b"new/y", b"g/x"])
    # A symlink is no attributes file to git.
    assert [path for path, _ in found] == [
        b".gitattributes", b"d/.gitattributes", b"d/e/.gitattributes"
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["true", "yes", "1", "on", "True"])
def test_every_word_for_true_is_true(repo: Lab, word: str) -> None:
    repo.git("config", "core.autocrlf", word)
    with open_repository(str(repo.path), os.environ, in_process=False) as repository:
        values = attributes.of_paths(repository, repo.oid("HEAD^{tree}"), [b"f"])
        assert attributes.with_crlf(repository, values) == {b"f"}


# -- files that clean to a known blob --------------------------------------------------------------

# Configuration, attributes, blob, and what stands in the worktree.
CLEAN: dict[str, tuple[str | None, str | None, bytes, bytes]] = {
    "LF under autocrlf": ("true", None, b"a\nb\n", b"a\nb\n"),
    "mixed under autocrlf": ("true", None, b"a\nb\n", b"a\r\nb\n"),
    "CRLF under autocrlf=input": ("input", None, b"a\nb\n", b"a\r\nb\r\n"),
    "CRLF under text=auto": (None, "* text=auto\n", b"a\nb\n", b"a\r\nb\r\n"),
    "mixed under text": (None, "f text\n", b"a\nb\n", b"a\r\nb\n"),
    "LF under eol=crlf": (None, "f text eol=crlf\n", b"a\nb\n", b"a\nb\n"),
    "CRLF under eol=lf": (None, "f eol=lf\n", b"a\nb\n", b"a\r\nb\r\n"),
}


def prepared(repo: Lab, case: str) -> None:
    """A worktree with the file `f` as in that case, which git calls clean."""
    autocrlf, lines, blob, stands = CLEAN[case]
    repo.commit({"f": blob})
    if autocrlf:
        repo.git("config", "core.autocrlf", autocrlf)
    if lines:
        repo.commit({".gitattributes": lines})
    repo.write("f", stands)
    # Until then git takes a file of another size for changed, without a look at it.
    repo.git("add", "f")
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("case", CLEAN)
def test_a_file_that_git_calls_clean_is_not_in_the_way(repo: Lab, case: str) -> None:
    prepared(repo, case)
    desk = Desk(repo, "git")
    desk.begin("work")
    desk.apply(write("f", "a\nb\nc\n"))
    desk.commit("land")
    assert repo.tree()["f"] == b"a\nb\nc\n"
    assert repo.git("status", "--porcelain") == ""
    landed = repo.read("f")
    repo.write("f", None)
    repo.git("checkout", "--", "f")
    assert repo.read("f") == landed


@pytest.mark.parametrize("case", CLEAN)
def test_a_real_edit_is_still_in_the_way(repo: Lab, case: str) -> None:
    prepared(repo, case)
    repo.write("f", repo.read("f").replace(b"a", b"A"))
    desk = Desk(repo, "git")
    desk.begin("work")
    desk.apply(write("f", "a\nb\nc\n"))
    before = repo.snapshot()
    fault = desk.commit_refused("dirty")
    assert fault.data["paths"] == [{"path": "f", "why": "changed"}]
    assert repo.snapshot() == before


@pytest.mark.parametrize("case", ["CRLF under text=auto", "LF under autocrlf"])
def test_what_was_captured_may_have_other_endings(repo: Lab, case: str) -> None:
    """The hint of the refusal above helps."""
    prepared(repo, case)
    repo.write("f", repo.read("f").replace(b"a", b"A"))
    desk = Desk(repo, "git")
    desk.begin("work")
    desk.call("capture", paths=("f",))
    desk.apply(write("f", "landed\n"))
    repo.write("f", repo.read("f").replace(b"A\r\n", b"A\n"))
    desk.commit("land")
    assert repo.tree()["f"] == b"landed\n"
    assert repo.git("status", "--porcelain") == ""


def test_a_file_that_cleans_to_what_lands_stays(repo: Lab) -> None:
    prepared(repo, "CRLF under text=auto")
    desk = Desk(repo, "git")
    desk.begin("work")
    desk.apply(write("f", "new\n"))
    repo.write("f", "new\r\n")
    desk.commit("land")
    assert repo.read("f") == b"new\r\n"
    assert repo.git("status", "--porcelain") == ""


def test_the_attributes_of_the_worktree_decide_also_uncommitted(repo: Lab) -> None:
    repo.commit({"f": "a\nb\n"})
    repo.write(".gitattributes", "* text=auto\n")
    repo.write("f", "a\r\nb\r\n")
    assert repo.git("diff") == ""
    desk = Desk(repo, "git")
    desk.begin("work")
    desk.apply(write("f", "c\n"))
    desk.commit("land")
    assert repo.git("status", "--porcelain") == "?? .gitattributes"


def test_a_linked_worktree_is_judged_by_its_own(repo: Lab, linked_repo: Lab) -> None:
    repo.commit({"f": "a\nb\n", ".gitattributes": "* text=auto\n"})
    linked_repo.git("merge", "--quiet", "--ff-only", "main")
    linked_repo.write("f", "a\r\nb\r\n")
    repo.write(".gitattributes", "* -text\n")
    desk = Desk(repo, "git")
    desk.begin("work", base="side", onto="side")
    desk.apply(write("f", "c\n"))
    desk.commit("land")
    assert linked_repo.read("f") == b"c\n"
    assert linked_repo.git("status", "--porcelain") == ""


def test_the_executable_bit_is_no_line_ending(repo: Lab) -> None:
    prepared(repo, "CRLF under text=auto")
    (repo.path / "f").chmod(0o755)
    desk = Desk(repo, "git")
    desk.begin("work")
    desk.apply(write("f", "c\n"))
    desk.commit_refused("dirty")


@pytest.mark.parametrize("files", [{"f": "a\n"}, {"f": "a\r\n"}])
def test_files_that_nobody_converts_cost_one_process_when_edited(
    repo: Lab, repository: Repository, monkeypatch: pytest.MonkeyPatch, files: dict[str, Content]
) -> None:
    """And none when they are as git wrote them: that needs no way back."""
    repo.commit({**files, "g": "g\n"})
    here = Worktree(str(repo.path), str(repo.git_dir), "refs/heads/main", repo.oid("HEAD"))
    placements = [Placement(path, None, None) for path in (b"f", b"g")]
    content = bringing.content_of(repository, here, repo.oid("HEAD^{tree}"), placements)
    real, calls = subprocess.run, []

    def counted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  (as in subprocess)
        calls.append(arguments)
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", counted)
        for path in (b"f", b"g"):
            assert content.cleaned(path, b"edit\r\n") == object_id("blob", b"edit\r\n")
    assert len(calls) == 1


@pytest.mark.parametrize("path", [b"-x", b'"a"', b"new\nline", b"d/e"])
def test_cleaned_is_what_git_add_stores(repo: Lab, path: bytes) -> None:
    repo.write(".gitattributes", "* text=auto\nd/* -text\n")
    git = Git(str(repo.path), os.environ)
    stored = b"a\r\n" if path == b"d/e" else b"a\n"
    expected = repo.git("hash-object", "--stdin", "--no-filters", stdin=stored)
    assert attributes.cleaned(git, path, b"a\r\n") == expected


def test_a_filter_that_fails_says_nothing(repo: Lab) -> None:
    repo.git("config", "filter.broken.clean", "false")
    repo.git("config", "filter.broken.required", "true")
    repo.write(".gitattributes", "* filter=broken\n")
    assert attributes.cleaned(Git(str(repo.path), os.environ), b"f", b"a\n") is None
