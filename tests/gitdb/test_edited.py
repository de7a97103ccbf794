"""A person's edits, as `git add` would store them: git itself says what that is."""

from __future__ import annotations

import os
import shutil

import pytest

from slipstream_git.gitdb import edited
from slipstream_git.gitdb.edited import Edit
from slipstream_git.gitdb.repository import open_repository
from slipstream_git.model import Entry
from tests.lab import Lab, Link, Script


def edits(repo: Lab, *wanted: str) -> list[Edit]:
    """All edits, untracked files too; every blob of theirs can be read."""
    with open_repository(str(repo.path), os.environ, in_process=False) as repository:
        named = [os.fsencode(path) for path in wanted]
        found = edited.edits(repository, repo.oid("HEAD"), named, untracked=True)
        for edit in found:
            assert edit.entry is None or repository.objects.find(edit.entry.oid) is not None
    return found


def as_git_adds(repo: Lab) -> list[Edit]:
    """What `git add --all` makes of the worktree, in an index of its own."""
    index = repo.git_dir / "oracle-index"
    shutil.copy2(repo.git_dir / "index", index)
    env = {"GIT_INDEX_FILE": str(index)}
    repo.git("add", "--all", env=env)
    raw = repo.git_bytes("diff-index", "--cached", "-z", "--no-renames", "HEAD", env=env)
    index.unlink()
    fields = raw.split(b"\0")[:-1]
    found = []
    for facts, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, oid, _ = facts.decode().split(" ")
        found.append(Edit(path, Entry(int(mode, 8), oid) if int(mode, 8) else None))
    return sorted(found)


ODD = [
    '"a"', '"', '"a\\n"', "cr\r", "cr\r\n", "new\nline", "\n", "-x", "--stdin", "--", " a ", "a\tb",
    "back\\slash", ":(glob)*", "*", "caf\udce9",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("tracked", [True, False])
def test_a_file_of_any_name_is_stored_itself(repo: Lab, name: str, *, tracked: bool) -> None:
    """Beside it stand the files that a careless reader of the name would take for it."""
    others = {"a": "plain a\n", "cr": "plain cr\n", "new": "n\n", "line": "l\n", "a\n": "nl\n"}
    repo.commit({**others, **({name: "before\n"} if tracked else {})})
    repo.write(name, f"the very file {name!r}\n")
    expected = as_git_adds(repo)
    assert [edit.path for edit in expected] == [os.fsencode(name)]
    assert edits(repo) == expected
    assert edits(repo, name) == expected


def test_all_kinds_of_edit_at_once_and_the_index_is_only_read(repo: Lab) -> None:
    repo.commit({"f": "f\n", "gone": "g\n", "tool": "t\n", "l": Link("f"), "d/x": "x\n", "e": "e"})
    repo.write("f", "edited\n")
    repo.write("gone", None)
    repo.write("tool", Script(b"t\n"))
    repo.write("l", Link("tool"))
    repo.write("e", None)
    repo.write("e/inner", "a directory now\n")
    repo.write("d/x", None)
    (repo.path / "d").rmdir()
    repo.write("d", "a file now\n")
    repo.write("staged", "staged\n")
    repo.git("add", "staged")
    repo.write("staged", "and edited\n")
    before, index = repo.snapshot(), (repo.git_dir / "index").read_bytes()
    assert edits(repo) == as_git_adds(repo)
    assert (repo.snapshot(), (repo.git_dir / "index").read_bytes()) == (before, index)


def test_hundreds_of_edits(repo: Lab) -> None:
    names = [f"dir{n % 7}/file{n}" for n in range(200)]
    repo.commit(dict.fromkeys(names, "before\n"))
    for name in names:
        repo.write(name, f"{name}\n")
    assert edits(repo) == as_git_adds(repo)
    assert len(edits(repo)) == 200


@pytest.mark.parametrize("setting", ["* text=auto\n", "* text\n", "*.txt eol=crlf\n", ""])
@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_line_endings_are_what_git_add_makes_of_them(
    repo: Lab, setting: str, autocrlf: str
) -> None:
    """A blob with CRLF keeps them under ``text=auto``, which `git hash-object` does not see."""
    repo.commit({"crlf.txt": "a\r\nb\r\n", "lf.txt": "a\nb\n", "mixed.txt": "a\r\nb\n"})
    repo.git("config", "core.autocrlf", autocrlf)
    repo.commit({".gitattributes": setting})
    for name in ("crlf.txt", "lf.txt", "mixed.txt", "new.txt"):
        repo.write(name, "a\r\nb\r\nc\r\n")
    assert edits(repo) == as_git_adds(repo)


def test_a_filter_and_file_modes_count(repo: Lab) -> None:
    repo.git("config", "filter.upper.clean", "tr a-z A-Z")
    repo.git("config", "core.fileMode", "false")
    repo.commit({".gitattributes": "*.up filter=upper\n", "s": Script(b"s\n"), "a.up": "A\n"})
    repo.write("a.up", "new\n")
    repo.write("new.sh", Script(b"#!\n"))
    repo.write("s", "not executable here\n")
    assert edits(repo) == as_git_adds(repo)


def test_a_split_index_and_a_linked_worktree(repo: Lab, linked_repo: Lab) -> None:
    linked_repo.git("update-index", "--split-index")
    linked_repo.write("README.md", "edited\n")
    linked_repo.write("new", "new\n")
    files = sorted(path.name for path in linked_repo.git_dir.iterdir())
    with open_repository(str(linked_repo.path), os.environ, in_process=False) as repository:
        found = edited.edits(repository, linked_repo.oid("HEAD"), [], untracked=True)
    assert [edit.path for edit in found] == [b"README.md", b"new"]
    assert sorted(path.name for path in linked_repo.git_dir.iterdir()) == files
    assert found == as_git_adds(linked_repo)
