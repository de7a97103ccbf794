"""The same base, ops, message, identity and dates give the same ids, whatever else differs.

Each clone is worked on by real processes in an environment of its own: another locale, time zone,
umask, home, hash seed, process id and order of directories on the disk.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.desk import Json, delete, move, replace, write
from tests.lab import Ground, Lab, Script

DATE = "2026-03-04T05:06:07+02:00"
OPS: list[Json] = [
    {**replace("src/a.py", "one", "eins", count="all"), "group": "Say it in German"},
    {**write("src/Ünï/ß.txt", "groß\n"), "group": "Say it in German"},
    {**move("src/b.py", "lib/b.py"), "group": "Move b"},
    {**write("lib/run", "#!/bin/sh\n", mode="100755"), "group": "Move b"},
    {"op": "sub", "globs": ["*.md"], "pattern": "old", "replacement": "new"},
    {**delete("gone.txt"), "group": "Say it in German"},
    {**write("ı.txt", "dotless\n"), "group": "Move b"},
]
HERE = {"LC_ALL": "C", "LANG": "C", "TZ": "UTC", "PYTHONHASHSEED": "1"}
THERE = {
    "LC_ALL": "tr_TR.UTF-8",
    "LANG": "de_DE.ISO-8859-15",
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "2",
    "PYTHONUTF8": "0",
}


@pytest.fixture
def clones(ground: Ground, repo: Lab, tmp_path: Path) -> list[Lab]:
    """Two clones of one repository, their objects and directories in another order."""
    files: dict[str, bytes | str | None] = {
        f"docs/{name}.md": f"old {name}\n" for name in ("z", "A", "ä", "_", "a0", "a-b", "ab")
    }
    files |= {"src/a.py": "one\ntwo\n" * 9, "src/b.py": "b\n" * 30, "gone.txt": "x\n"}
    files["tool"] = Script(b"#!/bin/sh\n")
    repo.commit(files, "base")
    repo.git("branch", "moved")
    repo.git("checkout", "--quiet", "moved")
    repo.commit({"src/b.py": "b\n" * 29 + "c\n", "more.md": "more\n"}, "meanwhile")
    repo.git("checkout", "--quiet", "main")
    found = []
    for number, name in enumerate(("here", "there")):
        place = tmp_path / name
        place.mkdir()
        lab = ground.at(place / "clone")
        options = ("--config=core.abbrev=40",) if number else ()
        repo.git("clone", "--quiet", *options, f"file://{repo.path}", str(lab.path))
        lab.git("branch", "moved", "origin/moved")
        if number:
            lab.git("gc", "--quiet")
            shuffled(lab)
        found.append(lab)
    return found


def shuffled(lab: Lab) -> None:
    """The files of a worktree made anew in another order, which the disk may list them in."""
    files = [(path, lab.read(path), (lab.path / path).stat().st_mode) for path in lab.tree()]
    random.Random(7).shuffle(files)  # noqa: S311
    for path, data, mode in files:
        (lab.path / path).unlink()
        (lab.path / path).write_bytes(data)
        (lab.path / path).chmod(mode)


def landed(clones: list[Lab], *arguments: str, stdin: bytes = b"") -> Json:
    """What both clones say of the landing, which must be the same."""
    answers: list[Json] = []
    for lab, env, mask in zip(clones, (HERE, THERE), (0o022, 0o077), strict=True):
        home = lab.path.parent / "home"
        home.mkdir(exist_ok=True)
        (home / ".gitconfig").write_bytes((Path.home() / ".gitconfig").read_bytes())
        own = {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), **env}
        dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
        before = os.umask(mask)
        try:
            told = lab.slip_json(*arguments, stdin=stdin, env=own | dates).json
        finally:
            os.umask(before)
        # The chain holds times; what lands does not.
        answers.append(told["commit"])
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.parametrize("onto", ["main", "moved", "new/branch"])
@pytest.mark.parametrize(
    ("how", "count"),
    [
        (("-m", "All of it"), 1),
        (("--series", "-m", "The rest"), 3),
        (("--series", "-m", "Body", "--split", "directory"), 4),
        (("--series", "-m", "Body", "--split", "path", "--label", "Update {}"), 13),
    ],
    ids=["one", "series", "by-directory", "by-path"],
)
def test_one_ops_file_gives_the_same_ids(
    clones: list[Lab], onto: str, how: tuple[str, ...], count: int
) -> None:
    is_split = "--split" in how
    rows = [{k: v for k, v in op.items() if k != "group" or not is_split} for op in OPS]
    base = clones[0].oid("main")
    where = ("--base", base, "--onto", onto)
    batch = json.dumps(rows).encode()
    told = landed(clones, "exec", *where, "--ops", "-", *how, stdin=batch)
    assert [lab.oid(onto) for lab in clones] == [told["commit"]] * 2
    assert len(told["commits"]) == count
    assert (told["engine"] in ("walk", "git")) == (onto == "moved")
    logs = [lab.git("log", "--format=%H %T %an %ae %ad %cd %B", onto) for lab in clones]
    assert logs[0] == logs[1]
    assert "Wed Mar 4 05:06:07 2026 +0200" in logs[0]


def test_a_date_is_enough_and_needs_no_environment(clones: list[Lab]) -> None:
    """Also at another time: nothing of the clock is in what lands."""
    base = clones[0].oid("main")
    dates = ("--date", "@1767323045 +0100", "--committer-date-is-author-date")
    found = []
    for lab, now in zip(clones, ("1111111111 +0000", "2222222222 +0000"), strict=True):
        env = {"GIT_AUTHOR_DATE": now, "GIT_COMMITTER_DATE": now}
        batch = json.dumps(OPS).encode()
        words = ("exec", "--base", base, "--series", "-m", "The rest", *dates, "--ops", "-")
        told = lab.slip_json(*words, stdin=batch, env=env).json["commit"]
        found.append(told["commits"])
        rows = lab.git("log", "-3", "--date=raw", "--format=%ad %cd", "main").splitlines()
        assert rows == ["1767323045 +0100 1767323045 +0100"] * 3
    assert found[0] == found[1]
