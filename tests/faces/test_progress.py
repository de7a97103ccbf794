"""The line that says how far long work has come, on a real terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from itertools import pairwise
from typing import NamedTuple

import pytest

from slipstream_git.faces import progress
from tests.lab import SOURCE, Content, Lab

pytest.importorskip("tree_sitter")

ERASE = "\r\x1b[K"


class Ran(NamedTuple):
    status: int
    out: bytes
    screen: str
    seconds: float


@pytest.fixture
def large(repo: Lab) -> Lab:
    body = "".join(f"def f{n}(a, b=({n}, 'x')):\n    return [a, b]\n\n\n" for n in range(400))
    files: dict[str, Content] = {f"m{n}.py": f"# {n}\n{body}" for n in range(80)}
    repo.commit(files, "many")
    return repo


def on_terminal(repo: Lab, *words: str, term: str = "xterm") -> Ran:
    """Run slip with a terminal of 60 columns as standard error."""
    ours, theirs = pty.openpty()
    pieces: list[bytes] = []

    def drain() -> None:
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                return
            pieces.append(piece)

    reader = threading.Thread(target=drain)
    began = time.monotonic()
    env = {**os.environ, "TERM": term, "PYTHONPATH": str(SOURCE)}
    asked = [sys.executable, "-m", "slipstream_git", *words]
    with subprocess.Popen(
        asked, cwd=repo.path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        reader.start()
        out, _ = child.communicate()
    reader.join()
    os.close(ours)
    return Ran(child.returncode, out, b"".join(pieces).decode(), time.monotonic() - began)


def test_a_cold_map_shows_how_far_it_is_and_cleans_up(large: Lab) -> None:
    ran = on_terminal(large, "map")
    assert ran.status == 0
    assert b"\nm0.py (1601 lines)\n" in ran.out
    assert ran.screen.startswith(ERASE)
    assert ran.screen.endswith(ERASE)
    frames = [frame for frame in ran.screen.split(ERASE) if frame]
    form = re.compile(r"slip: (\d+) of 82 files read(?: \[[#.]{30}\])?")
    counts = [int(found[1]) for frame in frames if (found := form.fullmatch(frame))]
    assert len(counts) == len(frames)
    assert counts
    assert counts == sorted(counts)
    assert len(frames) <= ran.seconds / progress.EVERY_S + 1
    assert on_terminal(large, "map").screen == ""  # nothing is left to be made


@pytest.mark.parametrize(("words", "term"), [(("map", "--json"), "xterm"), (("map",), "dumb")])
def test_nothing_is_shown_to_a_program(large: Lab, words: tuple[str, ...], term: str) -> None:
    ran = on_terminal(large, *words, term=term)
    assert (ran.status, ran.screen) == (0, "")


def test_nothing_is_shown_where_standard_error_is_no_terminal(large: Lab) -> None:
    assert large.slip("map").err == b""


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_comes_after_half_a_second_and_ten_times_a_second_at_most() -> None:
    screen, clock = Screen(), Clock()
    line = progress.Line(screen, clock)
    seen = []
    for number in range(1, 100):
        clock.now = number / 50
        before = screen.tell()
        line(number, 200)
        if screen.tell() > before:
            seen.append(clock.now)
    assert seen[0] == pytest.approx(progress.FIRST_AFTER_S)
    assert min(b - a for a, b in pairwise(seen)) >= progress.EVERY_S - 0.001
    line(200, 200)
    assert screen.getvalue().endswith(ERASE)


def test_soon_done_work_shows_nothing() -> None:
    screen, clock = Screen(), Clock()
    line = progress.Line(screen, clock)
    clock.now = 0.4
    line(1, 2)
    clock.now = 3.0
    line(2, 2)
    assert screen.getvalue() == ""


def test_what_fails_in_the_middle_leaves_an_empty_line() -> None:
    screen, clock = Screen(), Clock()
    line = progress.Line(screen, clock)
    clock.now = 1.0
    with line:
        line(1, 2)
        assert screen.getvalue().endswith("[###############...............]")
    assert screen.getvalue().endswith(f"]{ERASE}")


def test_a_terminal_that_is_gone_does_not_stop_the_work() -> None:
    screen, clock = Screen(), Clock()
    line = progress.Line(screen, clock)
    screen.close()
    clock.now = 1.0
    line(1, 3)
    line(2, 3)
    line.clear()
    assert line._stream is None
    closed = io.StringIO()
    closed.close()
    assert progress.shown(closed)._stream is None


def test_a_gate_that_runs_is_told_with_its_seconds(repo: Lab) -> None:
    gates = '[gate.first]\nrun = "sleep 1.3"\n[gate.second]\nrun = "true"\n'
    repo.commit({".slip.toml": gates})
    repo.slip("begin", "s")
    repo.slip("write", "x", stdin=b"x\n")
    for words in (("check", "--rerun"), ("commit", "-m", "land", "--no-checkout")):
        repo.git("update-ref", "-d", "refs/notes/slip/gates")
        ran = on_terminal(repo, *words)
        assert ran.status == 0
        frames = [frame for frame in ran.screen.split(ERASE) if frame]
        assert "slip: gate first (1 of 2), 1 s" in frames
        assert ran.screen.endswith(ERASE) or "slip: " in frames[-1]
    assert on_terminal(repo, "--json", "check").screen == ""


def test_what_is_doing_stays_on_one_line_and_moves_no_cursor() -> None:
    screen, clock = Screen(), Clock()
    line = progress.Line(screen, clock)
    line.doing("too soon")
    assert screen.getvalue() == ""
    clock.now = 1.0
    line.doing("a\x1b[2Jb " + "x" * 200)
    assert screen.getvalue().startswith(f"{ERASE}slip: a\\x1b[2Jb xxx")
    assert len(screen.getvalue()) < 90
    line.doing("")
    assert screen.getvalue().endswith(ERASE)
    # The next thing that takes long is shown when it has taken a while.
    line.doing("other")
    assert "other" not in screen.getvalue()
