"""Commands without a person at them: nothing of theirs outlives them, and little is kept."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from slipstream_git.gitdb import supervising
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.supervising import BEFORE_BYTES, KEPT_BYTES, Ended, Tail
from tests.children import Children
from tests.lab import slip_environment


def ran(place: Path, command: str, *, timeout_s: float = 60, **env: str) -> Ended:
    git = Git(str(place), {**os.environ, **env}).trusting(str(place))
    return supervising.run(git, command, timeout_s=timeout_s)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pids(place: Path) -> list[int]:
    """Who wrote down its number in this directory."""
    return [int(path.read_text()) for path in sorted(place.glob("*.pid"))]


def test_how_it_ended_and_what_it_said(tmp_path: Path) -> None:
    ended = ran(tmp_path, "echo out; echo err >&2; exit 3")
    assert ended == Ended(3, timed_out=False, tail=b"out\nerr\n")
    assert ran(tmp_path, "kill -SEGV $$").status == -signal.SIGSEGV
    assert ran(tmp_path, "nosuch-program").status == 127
    assert ran(tmp_path, "pwd").tail == f"{tmp_path}\n".encode()


def test_there_is_nothing_to_read_and_no_terminal(tmp_path: Path) -> None:
    ended = ran(
        tmp_path, "wc -c; (: < /dev/tty) 2>/dev/null || echo none; ls /proc/self/fd | wc -l"
    )
    assert ended.tail.split() == [b"0", b"none", b"4"]  # three streams, and the directory itself


def test_the_environment_is_the_callers(tmp_path: Path) -> None:
    """Python puts LC_CTYPE into its own where the locale is C, and that is not the caller's."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    git = Git(str(tmp_path), {**bare, "LANG": "C", "X": "\udcff"}).trusting(str(tmp_path))
    said = supervising.run(git, "env; echo $X", timeout_s=60).tail
    assert b"LC_CTYPE" not in said
    assert b"X=\xff\n" in said
    assert b"LC_CTYPE=x" in ran(tmp_path, "env", LC_CTYPE="x").tail


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to an ancestor")
@pytest.mark.parametrize(
    "command",
    [
        "sleep 600 & echo $! > a.pid",
        "setsid sh -c 'echo $$ > a.pid; exec sleep 600' & sleep 0.3",
        "(setsid sh -c '(echo $$ > a.pid; exec setsid sleep 600) &' &) ; sleep 0.3",
        "trap '' TERM HUP; (setsid sleep 600 & echo $! > a.pid); sleep 0.1",
        "setsid sh -c 'echo $$ > a.pid; kill -STOP $$; sleep 600' & sleep 0.3",
    ],
    ids=["background", "daemon", "double-fork", "deaf", "stopped"],
)
def test_what_is_left_in_the_background_is_ended(tmp_path: Path, command: str) -> None:
    assert ran(tmp_path, command).status == 0
    assert len(pids(tmp_path)) == 1
    assert not [pid for pid in pids(tmp_path) if is_alive(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to an ancestor")
def test_a_time_limit_ends_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "GRACE_S", 0.5)
    began = time.monotonic()
    command = (
        "trap '' TERM; echo $$ > a.pid; (setsid sh -c 'trap : TERM; echo $$ > b.pid;"
        " while :; do sleep 600; done' &); echo said; sleep 600"
    )
    ended = ran(tmp_path, command, timeout_s=1)
    assert (ended.timed_out, ended.tail) == (True, b"said\n")
    assert time.monotonic() - began < 20
    assert len(pids(tmp_path)) == 2
    assert not [pid for pid in pids(tmp_path) if is_alive(pid)]


def test_who_ends_when_told_may_say_so(tmp_path: Path) -> None:
    ended = ran(tmp_path, "trap 'echo told; exit 0' TERM; while :; do sleep 0.1; done", timeout_s=1)
    assert (ended.timed_out, ended.status) == (True, 0)
    assert ended.tail.endswith(b"told\n")


def test_a_gigabyte_costs_neither_memory_nor_disk(tmp_path: Path) -> None:
    """Without a line's end; measured in a process of its own."""
    script = (
        "import os, resource, sys\n"
        "from slipstream_git.gitdb import supervising\n"
        "from slipstream_git.gitdb.process import Git\n"
        "git = Git('.', dict(os.environ)).trusting('.')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "ended = supervising.run(git, 'head -c 1000000000 /dev/zero; printf end', timeout_s=300)\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "print(grown, len(ended.tail), ended.tail[-3:], len(ended.before))\n"
    )
    git = Git(str(tmp_path), slip_environment()).trusting(str(tmp_path))
    program = tmp_path / "measure.py"
    program.write_text(script)
    said = supervising.run(git, f"{sys.executable} {program}", timeout_s=300)
    grown, kept, end, before = said.tail.decode().split()
    assert int(grown) < 4096  # KiB
    assert (kept, end, before) == (str(KEPT_BYTES), "b'end'", str(BEFORE_BYTES))
    assert list(tmp_path.iterdir()) == [program]


def test_a_tail_is_the_end() -> None:
    tail = Tail(4, before=3)
    for part in (b"", b"ab", b"cd"):
        tail.add(part)
    assert (tail.data, tail.before) == (b"abcd", b"")
    for part in (b"e", b"fghijklmnop", b"q"):
        tail.add(part)
        assert tail.before
    assert (tail.data, tail.before) == (b"nopq", b"klm")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to an ancestor")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_caller_is_killed(
    tmp_path: Path, children: Children, number: signal.Signals
) -> None:
    script = (
        "import os\n"
        "from slipstream_git.gitdb import supervising\n"
        "from slipstream_git.gitdb.process import Git\n"
        "git = Git('.', dict(os.environ)).trusting('.')\n"
        "supervising.run(git, 'setsid sh -c \"echo $$ > a.pid; exec sleep 600\" & sleep 600',"
        " timeout_s=600)\n"
    )
    started = children.start([sys.executable, "-c", script], cwd=tmp_path, env=slip_environment())
    deadline = time.monotonic() + 30
    while not [path for path in tmp_path.glob("*.pid") if path.read_text().endswith("\n")]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(started.pid, number)
    started.wait()
    while any(map(is_alive, pids(tmp_path))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
