"""What clients and directories do to a server that they should not: a row of a corpus each.

Rows have the names of a corpus of bad inputs that lies outside the repository; where it lies beside
the clone, a test holds that none of them is missing here.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from slipstream_git.faces.serving import commands
from tests.children import Children, Started
from tests.lab import SOURCE, Ground, Lab, slip_command, slip_environment
from tests.servers import PATIENCE_S, PING, Line, Place, soon

CORPUS = SOURCE.parent / "shared" / "data" / "badinputs.json"
ROWS: dict[str, Callable[..., None]] = {}


def row(test: Callable[..., None]) -> Callable[..., None]:
    """A test named after the row ``daemon.NAME``."""
    ROWS["daemon." + test.__name__.removeprefix("test_daemon_")] = test
    return test


def test_every_row_is_here() -> None:
    if not CORPUS.exists():
        pytest.skip("the corpus is not beside the clone")
    rows = [entry["id"] for entry in json.loads(CORPUS.read_text()) if entry["group"] == "daemon"]
    assert set(rows) == set(ROWS)
    assert len(rows) == 19


def connections(server: Started) -> int:
    """How many sockets a server has open."""
    place = Path(f"/proc/{server.pid}/fd")
    if not place.is_dir():
        pytest.skip("only Linux tells which files a process has open")
    found = 0
    for path in place.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += "socket:" in os.readlink(path)  # noqa: PTH115
    return found


def memory(server: Started) -> int:
    """The largest part of memory that a server has had, in bytes."""
    status = Path(f"/proc/{server.pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells how much memory a process has had")
    line = next(text for text in status.read_text().splitlines() if text.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def answered(line: Line) -> tuple[int, object]:
    reply = line.hear()
    return reply["error"]["code"], reply["id"]


# The protocol ------------------------------------------------------------------------------------


@row
def test_daemon_batch_rpc(place: Place) -> None:
    place.start()
    line = place.line()
    line.say(b"[" + b",".join([PING + b',"id":1}'] * 100_000) + b"]\n")
    assert answered(line) == (-32600, None)
    line.say(PING + b',"id":{"a":1}}\n')
    assert answered(line) == (-32600, None)
    line.say(PING + b',"id":null}\n')
    assert line.hear()["id"] is None
    # Two requests may bear one number: who asks so hears it twice.
    line.say(b"[" + PING + b',"id":1},' + PING + b',"id":1}]\n')
    assert [reply["id"] for reply in line.hear()] == [1, 1]
    line.say(PING + b',"id":1,"id":2}\n')
    assert answered(line) == (-32700, None)


@row
def test_daemon_garbage(place: Place) -> None:
    place.start("--rate", "50")
    line = place.line()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(128, 256))
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    for rubbish, replies in ((hello + b"\n", 1), (request, 3), (b"\x00\xff\n" * 5, 5)):
        line.say(rubbish)
        for _ in range(replies):
            assert answered(line) == (-32700, None)
    assert line.call("ping")
    # Rubbish is counted like requests.
    line.say(b"rubbish\n" * 100)
    codes = [line.hear()["error"]["data"]["code"] for _ in range(100)]
    assert codes[0] == "bad-json"
    assert "quota" in codes


@row
def test_daemon_giant_len(place: Place) -> None:
    """A message has no length before it: what looks like one is a line like any other."""
    server = place.start()
    line = place.line()
    before = memory(server)
    for length in (b"9223372036854775808", b"-1", b"NaN"):
        line.say(b"Content-Length: " + length + b"\r\n\r\n")
        assert answered(line) == (-32700, None)
        line.say(length + b"\n")
        assert answered(line)[0] in (-32600, -32700)
    assert line.call("ping")
    assert memory(server) < before + (8 << 20)


@row
@pytest.mark.slow
def test_daemon_giant_body(place: Place) -> None:
    server = place.start("--message-bytes", str(1 << 20))
    line = place.line()
    before = memory(server)
    piece = b"x" * (1 << 20)
    for _ in range(1024):
        line.say(piece)
    line.say(b"\n")
    assert line.hear()["error"]["data"]["code"] == "too-large"
    assert line.call("ping")
    assert memory(server) < before + (16 << 20)


@row
def test_daemon_notification(place: Place, repo: Lab) -> None:
    place.start("--repo", str(repo.path))
    line = place.line()
    line.say(b'{"jsonrpc":"2.0","method":"begin","params":{"name":"quiet"}}\n')
    line.say(b'{"jsonrpc":"2.0","method":"nothing"}\n' + PING + b"}\n")
    assert [item["session"] for item in line.call("list")["sessions"]] == ["quiet"]


@row
def test_daemon_pipelined(place: Place) -> None:
    server = place.start()
    line, other = place.line(), place.line()
    before = memory(server)
    said = b"".join(PING + b',"id":%d}\n' % number for number in range(10_000))
    with ThreadPoolExecutor() as pool:
        pool.submit(line.say, said)
        # Who does not listen holds up himself alone; what he is told is not kept for him.
        assert other.call("ping")
        assert [line.hear()["id"] for _ in range(10_000)] == list(range(10_000))
    assert memory(server) < before + (16 << 20)


# Clients that go, hang or are too many -----------------------------------------------------------


@row
def test_daemon_disconnect(place: Place, repo: Lab) -> None:
    server = place.start("--repo", str(repo.path))
    line = place.line()
    line.call("list")
    before = connections(server)
    for number in range(20):
        gone = place.line()
        asked = {"jsonrpc": "2.0", "id": 1, "method": "begin", "params": {"name": f"n{number}"}}
        gone.say(json.dumps(asked).encode() + b"\n")
        gone.close()
    # What was asked for is done, though nobody hears of it.
    soon(lambda: len(line.call("list")["sessions"]) == 20)
    soon(lambda: connections(server) <= before)


@row
@pytest.mark.slow
def test_daemon_fd_leak(place: Place) -> None:
    server = place.start()
    line = place.line()
    line.call("ping")
    before = connections(server)
    for number in range(10_000):
        other = Line(place.path)
        if number % 2:
            with suppress(BrokenPipeError):  # one too many at once
                other.say(PING + b"}\n")
        other.close()
    soon(lambda: connections(server) <= before)
    assert line.call("ping")


@row
def test_daemon_slowloris(place: Place) -> None:
    place.start("--patience", "3", "--clients", "32")
    fast = place.line()

    def pace() -> float:
        taken = []
        for _ in range(300):
            begun = time.perf_counter()
            fast.call("ping")
            taken.append(time.perf_counter() - begun)
        return statistics.quantiles(taken, n=20)[-1]

    alone = pace()
    slow = [place.line() for _ in range(80)]
    for line in slow:
        line.say(b"{")
    assert pace() < 2 * alone + 0.005
    begun = time.monotonic()
    while time.monotonic() < begun + 4:
        for line in slow:
            with suppress(OSError):
                line.say(b" ")
        assert fast.call("ping")
        time.sleep(0.5)
    # Each has been told, and its place is free.
    assert slow[0].hear()["error"]["data"]["code"] == "quota"
    with pytest.raises((AssertionError, ConnectionError)):
        slow[0].hear()
    later = [place.line() for _ in range(31)]
    assert all(line.call("ping") for line in later)
    # Who has said something whole may be silent for as long as he likes.
    assert fast.call("ping")


@row
def test_daemon_idle(place: Place) -> None:
    server = place.start("--idle", "1")
    assert server.wait(PATIENCE_S) == 0
    assert not place.path.exists()


# The process and its version ---------------------------------------------------------------------


@row
def test_daemon_kill9(place: Place, repo: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIP_SOCKET", str(place.path))
    server = place.start()
    here = str(repo.path)
    lines = [place.line() for _ in range(4)]

    def load(number: int) -> None:
        for step in range(10_000):
            lines[number].call("begin", repo=here, name=f"n{number}-{step}")

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(load, number) for number in range(4)]
        soon(lambda: len(repo.refs()) > 8)
        server.kill()
        server.wait()
        for task in working:
            with pytest.raises((AssertionError, OSError)):
                task.result()
    # The command line does it itself; and what was acknowledged is there.
    assert len(repo.slip_json("list").json["sessions"]) >= 8
    place.start()
    assert place.line().call("list", repo=here)["sessions"]


@row
def test_daemon_version_skew(place: Place, repo: Lab) -> None:
    """A client of another version is told to do it himself; nobody's server is restarted."""
    place.start()
    numbers = {"version": b"2000.0", "until": b"0", "umask": b"022"}
    paths = {"directory": os.fsencode(repo.path)}
    told = place.line().ask(
        "command",
        **{name: b64encode((numbers | paths).get(name, b"0")).decode() for name in commands.FIELDS},
    )
    assert told["result"] == {"wants": "elsewhere"}


# Where it listens --------------------------------------------------------------------------------


@pytest.fixture
def refuses(place: Place, repo: Lab) -> Iterator[Callable[[Path], None]]:
    """Holds that no server listens at a path."""

    def refused(path: Path) -> None:
        reply = repo.slip_json("serve", "--socket", str(path), expect=1)
        assert reply.error["code"] == "bad-path"

    yield refused
    place.directory.chmod(0o700)


@row
def test_daemon_socket_perm(place: Place, refuses: Callable[[Path], None]) -> None:
    for mode in (0o770, 0o777, 0o710, 0o701):
        place.directory.chmod(mode)
        refuses(place.path)
    place.directory.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(place.directory, 61001, -1)
        refuses(place.path)
        os.chown(place.directory, 0, -1)
    assert list(place.directory.iterdir()) == []


@row
def test_daemon_symlink_socket(
    place: Place, refuses: Callable[[Path], None], tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    place.path.symlink_to(target)
    refuses(place.path)
    assert target.read_text() == "mine"
    (place.directory / "link").symlink_to(place.directory)
    refuses(place.directory / "link" / "s.sock")
    # Nor is the lock beside it followed.
    place.path.unlink()
    (place.directory / "t.sock.lock").symlink_to(target)
    done = subprocess.run(
        slip_command("serve", "--socket", str(place.directory / "t.sock")),
        env=slip_environment(), capture_output=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert target.read_text() == "mine"


@row
def test_daemon_long_path(place: Place, children: Children) -> None:
    """In a runtime directory whose name is too long for a socket, it listens elsewhere."""
    names = {}
    for letter in "ab":
        runtime = place.directory / (letter * 100)
        runtime.mkdir(mode=0o700)
        env = {"XDG_RUNTIME_DIR": str(runtime), "TMPDIR": str(place.directory)}
        server = children.start(
            slip_command("serve"), env=slip_environment(env), stderr=subprocess.PIPE
        )
        assert server.stderr is not None
        said = server.stderr.readline().decode().strip()
        names[letter] = said.removeprefix("slip: serving on ")
        assert Path(names[letter]).parent == place.directory / f"slip-{os.geteuid()}"
        line = Line(Path(names[letter]))
        assert line.call("ping")["pid"] == server.pid
        line.close()
    assert names["a"] != names["b"]


@row
def test_daemon_wrong_uid(place: Place) -> None:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root can become another user")
    place.start()
    os.seteuid(61001)
    try:
        with pytest.raises(PermissionError):
            place.line()
    finally:
        os.seteuid(0)
    place.directory.chmod(0o711)
    place.path.chmod(0o666)
    os.seteuid(61001)
    try:
        line = place.line()
    finally:
        os.seteuid(0)
    assert line.hear()["error"]["data"]["code"] == "path-denied"
    assert place.line().call("ping")


# Repositories ------------------------------------------------------------------------------------


def found(line: Line, here: Path, text: str) -> list[str]:
    told = line.call("search", repo=str(here), pattern=text, fixed=True)
    return [match["path"] for match in told["matches"]]


@row
def test_daemon_repo_deleted(place: Place, repo: Lab, ground: Ground) -> None:
    place.start()
    line = place.line()
    repo.commit({"a": "the first needle\n"})
    assert found(line, repo.path, "needle") == ["a"]
    shutil.rmtree(repo.path)
    line.refused(-32001, "git-failed", "search", repo=str(repo.path), pattern="needle")
    again = ground.repository()
    again.commit({"b": "another needle\n"})
    assert found(line, again.path, "needle") == ["b"]


@row
def test_daemon_repo_replaced(place: Place, repo: Lab, ground: Ground) -> None:
    place.start()
    line, other = place.line(), ground.repository("other")
    repo.commit({"a": "the first needle\n"})
    other.commit({"b": "another needle\n"})
    for _ in range(3):
        assert found(line, repo.path, "needle") == ["a"]
        swap = repo.path.with_name("swap")
        repo.path.rename(swap)
        other.path.rename(repo.path)
        assert found(line, repo.path, "needle") == ["b"]
        repo.path.rename(other.path)
        swap.rename(repo.path)


@row
def test_daemon_tenant_path(place: Place, repo: Lab) -> None:
    place.start()
    line = place.line()
    link = repo.path.with_name("link")
    link.symlink_to(repo.path)
    here = str(repo.path)
    line.call("begin", repo=here, name="one")
    line.call("list", repo=here)
    before = line.call("metrics")["repositories_opened"]
    for name in (f"{here}/", f"{here}/src/..", f"{here}/./src", str(link), f"{link}/src/"):
        assert [item["session"] for item in line.call("list", repo=name)["sessions"]] == ["one"]
    assert line.call("metrics")["repositories_opened"] == before, "by whatever name, it is one"
