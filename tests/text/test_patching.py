"""Several files in one patch: what one file's part sees of what the others do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slipstream_git.model import EXECUTABLE, FILE, SYMLINK, File
from tests.text.test_edits import Contents, Shelf, after, failures, run

LINES = b"".join(b"%d %d\n" % (n, n * n) for n in range(40))
FIRST, LAST = LINES.replace(b"1 1\n", b"one\n"), LINES.replace(b"39 1521\n", b"last\n")


def git_diff(place: Path, old: Contents, new: Contents) -> str:
    """What `git diff --binary --full-index -M -C` prints between two trees."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(place), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    for files in (old, new):
        for there in place.iterdir():
            if there.name != ".git":
                there.unlink()
        for name, content in files.items():
            file = content if isinstance(content, File) else File(FILE, content)
            if file.mode == SYMLINK:
                (place / name).symlink_to(file.data.decode())
            else:
                (place / name).write_bytes(file.data)
                (place / name).chmod(file.mode & 0o777)
        git("add", "-A")
        git("commit", "-qm", "m")
    return git("diff", "--binary", "--full-index", "-M", "-C", "HEAD~1", "HEAD")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            {"a": LINES}, {"a": FIRST, "b": LAST}, id="copied from a file that changes above"
        ),
        pytest.param({"b": LINES}, {"b": FIRST, "a": LAST}, id="that changes below"),
        pytest.param({"a": LINES}, {"a": FIRST, "b": LINES}, id="copied whole"),
        pytest.param(
            {"a": LINES}, {"a": File(SYMLINK, b"b"), "b": LAST}, id="that becomes a symlink"
        ),
        pytest.param(
            {"a": LINES}, {"a": File(EXECUTABLE, LINES), "b": FIRST}, id="that becomes executable"
        ),
        pytest.param({"a": LINES}, {"b": FIRST, "c": LAST}, id="copied and renamed"),
        pytest.param({"b": LINES}, {"a": FIRST, "c": LAST}, id="in the other order"),
    ],
)
def test_a_copy_is_of_the_file_as_it_was(tmp_path: Path, old: Contents, new: Contents) -> None:
    diff = git_diff(tmp_path, old, new)
    assert "copy from" in diff
    outcome = run(old, {"op": "patch", "diff": diff})
    made = {**Shelf(old).files, **outcome.files}
    assert {path: file for path, file in made.items() if file} == Shelf(new).files


def moved(verb: str, old: str, new: str) -> str:
    return f"diff --git a/{old} b/{new}\n{verb} from {old}\n{verb} to {new}\n"


def one_line(path: str, old: str, new: str) -> str:
    return (
        f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-{old}\n+{new}\n"
    )


ADD = "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+1\n"


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ({"a": b"1\n", "b": b"2\n"}, {"a": b"2\n", "b": b"1\n"},
         (moved("rename", "a", "b"), moved("rename", "b", "a"))),
        ({"f": b"1\n"}, {"f": b"3\n"}, (one_line("f", "1", "2"), one_line("f", "2", "3"))),
        ({"f": b"1\n"}, {"g": b"2\n"}, (one_line("f", "1", "2"), moved("rename", "f", "g"))),
        ({"f": b"1\n"}, {"g": b"2\n"}, (moved("rename", "f", "g"), one_line("g", "1", "2"))),
        ({"f": b"1\n"}, {"h": b"2\n"},
         (moved("rename", "f", "g"), one_line("g", "1", "2"), moved("rename", "g", "h"))),
        ({"f": b"1\n"}, {"f": b"1\n", "g": b"2\n"},
         (moved("copy", "f", "g"), one_line("g", "1", "2"))),
        ({}, {"f": b"1\n", "g": b"1\n"}, (ADD, moved("copy", "f", "g"))),
        ({}, {"g": b"2\n"}, (ADD, moved("rename", "f", "g"), one_line("g", "1", "2"))),
    ],
)  # fmt: skip
def test_a_series_of_patches_may_come_as_one_text(
    old: Contents, new: Contents, parts: tuple[str, ...]
) -> None:
    assert after(old, {"op": "patch", "diff": "".join(parts)}) == new


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("missing", (moved("rename", "f", "g"), one_line("f", "1", "2"))),
        (
            "missing",
            (moved("rename", "f", "g"), moved("rename", "g", "h"), one_line("g", "1", "2")),
        ),
        ("exists", (moved("rename", "f", "there"), one_line("there", "1", "2"))),
        ("exists", (moved("copy", "f", "there"),)),
        ("exists", (moved("copy", "f", "g"), moved("copy", "f", "g"))),
        ("exists", (ADD,)),
    ],
)
def test_a_series_that_does_not_fit_together(code: str, parts: tuple[str, ...]) -> None:
    row = {"op": "patch", "diff": "".join(parts)}
    assert failures({"f": b"1\n", "there": b"7\n"}, row) == [(0, code)]
