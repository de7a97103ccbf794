"""Search: the lines are git's, on every engine, in every view, also after everything moved."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from slipstream_git.changes import sessions, staging
from slipstream_git.gitdb import locks
from slipstream_git.model import Write
from slipstream_git.reading import listing, views
from slipstream_git.reading.search import searching
from slipstream_git.reading.search.searching import Request
from slipstream_git.text.patterns import Wish
from slipstream_git.workspace import Workspace, open_workspace
from tests.lab import Content, Lab, Link

pytest.importorskip("re2")
pytest.importorskip("numpy")

FILES: dict[str, Content] = {
    "src/app.py": "import os\n\n\ndef run(task):\n    return task.get()\n\nclass A:\n    x = run\n",
    "src/big.c": "".join(f"int value_{n} = {n}; /* number {n} */\n" for n in range(3000)),
    "src/crlf.txt": "one\r\ntwo run\r\n",
    "src/empty.txt": "",
    "no-final-break": "first\nlast run",
    "latin.txt": "caf\u00e9\n".encode("latin-1"),
    "utf8/café.md": "# Café\n\nKelvin \u212a and \u017f, CAFÉ\n",
    "image.bin": b"\x89PNG\0run\n",
    "late.bin": b"a" * 8000 + b"\nrun\0\n",
    "link": Link("src/app.py"),
    "long.min.js": "x=1;" * 30_000 + "run()\n",
    "tests/test_app.py": "from app import run\n\n\ndef test_run():\n    run(1)\n",
    "attr.dat": "run as data\n",
    "forced.dat2": b"run\0run\n",
    ".gitattributes": "*.dat -diff\n*.dat2 diff\n",
}
QUERIES = [
    Wish("run"), Wish("run", word=True), Wish("RUN", ignore_case=True), Wish("run", fixed=True),
    Wish("value_29[0-9]+"), Wish("value_2999"), Wish("nothing at all"), Wish("k", ignore_case=True),
    Wish("café", ignore_case=True), Wish("caf"), Wish("."), Wish("^$"), Wish(r"\d{4,}"),
    Wish("ſ", ignore_case=True), Wish("a|e"), Wish(r"def \w+\("), Wish("one|two"), Wish("x=1"),
    Wish("get()", fixed=True), Wish(r"(\w)\1", word=True), Wish("number 7", word=True), Wish("K"),
]  # fmt: skip


@pytest.fixture
def ws(repo: Lab) -> Iterator[Workspace]:
    repo.commit(FILES, "files")
    workspace = open_workspace(str(repo.path), os.environ, in_process=True)
    with workspace.repository:
        yield workspace


def found(ws: Workspace, wish: Wish, view: views.Wish | None = None, *globs: str) -> list[str]:
    """Every line that is found, as `git grep -n` prints it."""
    request = Request(wish, globs, most=10**9, raw=True, tokens=0)
    answer = searching.search(ws, view or views.Wish(), request)
    assert not answer.truncated
    assert answer.total == len(answer.matches)
    return [f"{row.path}:{row.line}:{row.text}" for row in answer.matches]


def grepped(repo: Lab, wish: Wish, *tree: str) -> list[str]:
    """The same by git: of a tree, or of the working tree's files that git knows."""
    options = ["-F" if wish.fixed else "-P", *["-i"] * wish.ignore_case, *["-w"] * wish.word]
    out = repo.git_bytes(
        "-c", "core.quotePath=false", "grep", "-nI", *options, "-e", wish.pattern, *tree, "--",
        expect=None, env={"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    rows = out.decode("utf-8", "replace").split("\n")[:-1]
    return [
        row.removeprefix("".join(f"{name}:" for name in tree)).removesuffix("\r") for row in rows
    ]


@pytest.mark.parametrize("wish", QUERIES, ids=str)
def test_the_lines_are_git_greps(ws: Workspace, repo: Lab, wish: Wish) -> None:
    assert found(ws, wish) == grepped(repo, wish, "HEAD")


@pytest.mark.parametrize("wish", QUERIES, ids=str)
def test_a_process_that_answers_once_finds_the_same(repo: Lab, ws: Workspace, wish: Wish) -> None:
    options = ["--fixed"] * wish.fixed + ["-i"] * wish.ignore_case + ["-w"] * wish.word
    reply = repo.slip_json(
        "search", "--raw", "--tokens", "0", "--max", "1000000", *options, "--", wish.pattern
    )
    told = [f"{row['path']}:{row['line']}:{row['text']}" for row in reply.json["matches"]]
    assert reply.json["engine"] == "git"
    assert told == found(ws, wish)


WITHOUT = """
import os, sys
sys.modules[sys.argv[1]] = None
from slipstream_git.errors import SlipError
from slipstream_git.reading import views
from slipstream_git.reading.search import searching
from slipstream_git.text.patterns import Wish
from slipstream_git.workspace import open_workspace
ws = open_workspace(sys.argv[2], os.environ, in_process=True)
with ws.repository:
    request = searching.Request(Wish("(?<=def )run"), raw=True)
    answer = searching.search(ws, views.Wish(), request)
    print(answer.engine, *(f"{row.path}:{row.line}:{row.text}" for row in answer.matches))
    try:
        searching.search(ws, views.Wish(), searching.Request(Wish("a(b")))
    except SlipError as fault:
        print(fault.code)
"""


@pytest.mark.parametrize("library", ["re2", "regex", "numpy", "tree_sitter"])
def test_without_the_extra_it_is_git_that_searches(repo: Lab, library: str) -> None:
    repo.commit(FILES, "files")
    words = [sys.executable, "-c", WITHOUT, library, str(repo.path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    engine = "regex" if library == "tree_sitter" else "git"
    assert done.stdout == f"{engine} src/app.py:4:def run(task):\nusage\n"


@pytest.mark.parametrize("glob", ["src", "*.py", "!src", "src/*.c", "utf8/**", "/late.bin"])
def test_globs_choose_the_files(ws: Workspace, glob: str) -> None:
    listed = listing.files(ws, views.Wish(), (glob,), tokens=0)
    paths = {file.path for file in listed.files}
    every = found(ws, Wish("run|number"))
    chosen = [line for line in every if line.split(":")[0] in paths]
    assert found(ws, Wish("run|number"), None, glob) == chosen


def test_while_another_builds_the_index_git_answers(repo: Lab) -> None:
    repo.commit({"large.txt": LARGE, "small.txt": "NEEDLE while another builds\n"}, "large")
    lock = repo.path / ".git/slip/index/search/lock"
    workspace = open_workspace(str(repo.path), os.environ, in_process=True)
    with workspace.repository:
        request = Request(Wish("NEEDLE"))
        with locks.held_file(str(lock), 0):
            answer = searching.search(workspace, views.Wish(), request)
        assert (answer.engine, answer.total) == ("git", 1)
        again = searching.search(workspace, views.Wish(), request)
        assert (again.engine, again.total) == ("re2", 1)


def test_attributes_are_of_paths_and_not_of_blobs(repo: Lab) -> None:
    """One content at three paths: text by its attribute, binary by its bytes, and by attribute."""
    same = b"NEEDLE\0run\n"
    files: dict[str, Content] = {".gitattributes": "*.txt diff\n*.dat -diff\n"}
    repo.commit({**files, "a.txt": same, "b.bin": same, "c.dat": same, "z.txt": same}, "same")
    workspace = open_workspace(str(repo.path), os.environ, in_process=True)
    with workspace.repository:
        paths = ["a.txt", "z.txt"]
        for again in ("d", "y"):
            lines = found(workspace, Wish("NEEDLE"))
            assert lines == grepped(repo, Wish("NEEDLE"), "HEAD")
            assert [line.split(":")[0] for line in lines] == sorted(paths)
            repo.commit({f"{again}.bin": same, f"{again}.txt": same}, again)  # by the difference
            paths.append(f"{again}.txt")


LARGE = "".join(f"{number} is a line of a file\n" for number in range(120_000))


@pytest.mark.parametrize("glob", ["a/**", "z/**", "dup.txt", "!a", "z/s/*"])
def test_a_glob_may_choose_any_path_of_a_blob(repo: Lab, glob: str) -> None:
    """In a tree that is large enough for a segment."""
    same = f"NEEDLE of {glob}\n"  # no tree that another test has located
    twice = {"a/dup.txt": same, "m/dup.txt": same, "z/dup.txt": same, "z/s/other": same}
    repo.commit({"large.txt": LARGE, **twice}, "twice")
    workspace = open_workspace(str(repo.path), os.environ, in_process=True)
    with workspace.repository:
        lines = found(workspace, Wish("NEEDLE"), None, glob)
        listed = listing.files(workspace, views.Wish(), (glob,), tokens=0)
    assert list((repo.path / ".git/slip/index/search").glob("*.seg"))
    paths = [file.path for file in listed.files if file.path in twice]
    assert paths
    assert lines == [f"{path}:1:NEEDLE of {glob}" for path in paths]


def test_the_answer_is_never_stale(ws: Workspace, repo: Lab) -> None:
    """After edits, renames, deletions, branches, rebases, staged edits the next answer is right."""
    _happen(ws, repo, events=25, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_answer_is_never_stale_for_long(ws: Workspace, repo: Lab, seed: int) -> None:
    _happen(ws, repo, events=500, seed=seed)


EVENTS = {
    "write": 8, "append": 8, "rm": 4, "mv": 6, "commit": 8, "branch": 5, "rebase": 5, "stage": 8,
    "stage by command": 1, "gc": 1, "repack": 1,
}  # fmt: skip


def _happen(ws: Workspace, repo: Lab, *, events: int, seed: int) -> None:
    """Random events, each followed by a search of the working tree and one of the session."""
    chance = random.Random(seed)  # noqa: S311
    session = repo.slip_json("begin", f"s{seed}").json["session"]
    words = ["alpha", "beta", "gamma", "run"]
    for number in range(events):
        path = f"f/{chance.randrange(6)}.txt"
        line = f"{chance.choice(words)} {number}\n"
        (event,) = chance.choices(list(EVENTS), list(EVENTS.values()))
        if event == "stage":
            _stage(repo, session, path, line)
        elif event == "stage by command":
            repo.slip("write", path, "-s", session, stdin=line.encode())
        else:
            _one(repo, event, path, line, chance)
        wish = Wish(chance.choice(words))
        assert found(ws, wish) == grepped(repo, wish), (seed, number, event)
        tip = f"refs/slip/sessions/{session}"
        staged = found(ws, wish, views.Wish(session=session))
        assert staged == grepped(repo, wish, tip), (seed, number, event)


def _stage(repo: Lab, session: str, path: str, line: str) -> None:
    """By somebody else who has the repository open."""
    other = open_workspace(str(repo.path), os.environ, in_process=True)
    with other.repository:
        write = Write(path.encode(), line.encode())
        staging.apply(other, sessions.load(other, session), [write], staging.Label())


def _one(repo: Lab, event: str, path: str, line: str, chance: random.Random) -> None:
    place = repo.path / path
    place.parent.mkdir(exist_ok=True)
    if event == "write":
        place.write_text(line * chance.randrange(1, 4))
        repo.git("add", "--", path)
    elif event == "append" and place.exists():
        place.write_text(place.read_text() + line)
    elif event == "rm" and place.exists():
        place.unlink()
    elif event == "mv" and place.exists():
        place.replace(f"{place}.moved")
        repo.git("add", "--all", "f")
    elif event == "commit":
        repo.git("commit", "-q", "--allow-empty", "-am", line)
    elif event == "branch":
        repo.git("stash", "-q", expect=None)
        branch, start = chance.choice(["one", "two"]), chance.choice(["HEAD", "main"])
        repo.git("checkout", "-q", "-B", branch, start)
    elif event == "rebase":
        repo.git("stash", "-q", expect=None)
        repo.git("rebase", "-q", "main", expect=None)
        repo.git("rebase", "--abort", expect=None)
    elif event == "gc":
        repo.git("gc", "-q", "--prune=now")
    elif event == "repack":
        repo.git("repack", "-adq")
