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


def test_two_renames_may_swap_their_names() -> None:
    diff = "".join(
        f"diff --git a/{old} b/{new}\nrename from {old}\nrename to {new}\n"
        for old, new in ("ab", "ba")
    )
    assert after({"a": b"1\n", "b": b"2\n"}, {"op": "patch", "diff": diff}) == {
        "a": b"2\n",
        "b": b"1\n",
    }


def one_line(path: str, old: str, new: str) -> str:
    return (
        f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-{old}\n+{new}\n"
    )


def test_a_series_of_patches_may_come_as_one_text() -> None:
    rename = "diff --git a/f b/g\nrename from f\nrename to g\n"
    diff = one_line("f", "1", "2") + one_line("f", "2", "3") + rename + one_line("g", "3", "4")
    assert after({"f": b"1\n"}, {"op": "patch", "diff": diff}) == {"g": b"4\n"}


def test_a_copy_of_a_file_that_the_same_text_added() -> None:
    add = "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+1\n"
    copy = "diff --git a/f b/g\ncopy from f\ncopy to g\n"
    assert after({}, {"op": "patch", "diff": add + copy}) == {"f": b"1\n", "g": b"1\n"}


def test_what_the_patch_took_away_cannot_be_changed_by_it() -> None:
    rename = "diff --git a/f b/g\nrename from f\nrename to g\n"
    row = {"op": "patch", "diff": rename + one_line("f", "1", "2")}
    assert failures({"f": b"1\n"}, row) == [(0, "missing")]
