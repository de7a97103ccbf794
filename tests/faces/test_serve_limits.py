"""What a server does not exceed: sessions, memory, time; and how it tells of itself."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from slipstream_git.faces.serving.exposition import text
from slipstream_git.faces.serving.meters import Meters
from slipstream_git.faces.serving.tenants import Tenants
from slipstream_git.text.objectid import object_id
from tests.children import Children
from tests.lab import Ground, Lab, slip_environment
from tests.servers import PATIENCE_S, PING, Place, soon

linux = pytest.mark.skipif(sys.platform != "linux", reason="told by /proc")


# Limits ------------------------------------------------------------------------------------------


def test_sessions_of_a_repository(place: Place, repo: Lab, ground: Ground) -> None:
    place.start("--sessions", "2")
    line, here = place.line(), str(repo.path)
    line.call("begin", repo=here, name="one")
    line.call("begin", repo=here, name="two")
    told = line.refused(-32001, "quota", "begin", repo=here, name="three")
    assert told["hint"] == "slip list"
    line.call("begin", repo=str(ground.repository("other").path), name="three")
    line.call("abort", repo=here, session="one")
    line.call("begin", repo=here, name="three")


@linux
def test_above_its_memory_it_closes_what_was_used_longest_ago(place: Place, ground: Ground) -> None:
    labs = [ground.repository(f"r{number}") for number in range(6)]
    place.start("--memory", "1000000")  # less than any server has
    line = place.line()
    for lab in labs * 2:
        line.call("list", repo=str(lab.path))
        time.sleep(0.3)
    told = line.call("metrics")
    assert told["memory_bytes"] > 1_000_000
    assert told["repositories"] <= 2
    assert told["repositories_evicted"] >= 9
    assert told["repositories_opened"] >= 11


def opened_anew(tenants: Tenants, lab: Lab, *, reading: bool) -> bool:
    before = tenants.opened
    with tenants.entered(str(lab.path), reading=reading):
        return tenants.opened > before


def test_the_repository_that_is_closed_was_used_longest_ago(ground: Ground) -> None:
    a, b, c = (ground.repository(name) for name in "abc")
    tenants = Tenants(slip_environment(), 2)
    for lab, reading in ((a, False), (a, True), (b, True), (a, True), (c, True)):
        opened_anew(tenants, lab, reading=reading)
    assert len(tenants) == 2
    assert not opened_anew(tenants, a, reading=True), "it was read after b"
    assert not opened_anew(tenants, a, reading=False), "a place is kept whole"
    assert not opened_anew(tenants, c, reading=True)
    assert opened_anew(tenants, b, reading=True)
    tenants.close()
    assert len(tenants) == 0


def test_where_the_oldest_is_busy_the_next_is_closed(ground: Ground) -> None:
    a, b, c = (ground.repository(name) for name in "abc")
    tenants = Tenants(slip_environment(), 2)
    opened_anew(tenants, a, reading=False)
    with tenants.entered(str(a.path), reading=True):
        opened_anew(tenants, b, reading=True)
        opened_anew(tenants, c, reading=True)
        assert len(tenants) == 2
        assert not opened_anew(tenants, c, reading=True)
        assert not opened_anew(tenants, a, reading=False), "its other handle is in use"
        assert opened_anew(tenants, b, reading=True)
    tenants.close()
    assert len(tenants) == 0


def test_limits_that_are_none(repo: Lab) -> None:
    for options in (
        ["--clients", "0"], ["--rate", "-1"], ["--memory", "-1"], ["--metrics", "0"],
        ["--metrics", "65536"], ["--stdio", "--metrics", "9999"], ["--stdio", "--shared", "1"],
        ["--shared", "1"], ["--shared", "1", "--socket", "/s/s", "--metrics", "9999"],
        ["--shared", "1", "--socket", "/s/s", "--repo", "/"], ["--hang", "-1"],
    ):  # fmt: skip
        assert repo.slip_json("serve", *options, expect=2).error["code"] == "usage", options


def test_rubbish_and_methods_that_do_not_exist_count(place: Place) -> None:
    place.start("--rate", "5")
    for said, code in ((b"rubbish\n", "bad-json"), (b'{"jsonrpc":"2.0","id":1}\n', "usage")):
        line = place.line()
        line.say(said * 20)
        codes = [line.hear()["error"]["data"]["code"] for _ in range(20)]
        assert codes[0] == code
        assert codes.count("quota") >= 10
    line = place.line()
    line.say(b'{"jsonrpc":"2.0","method":"pong","id":3}\n' * 20)
    replies = [line.hear() for _ in range(20)]
    assert {reply["id"] for reply in replies} == {3}
    assert sum(reply["error"]["data"]["code"] == "quota" for reply in replies) >= 10


# Metrics -----------------------------------------------------------------------------------------


def asked(port: int, said: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.sendall(said)
        heard = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = heard.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def ended(connection: socket.socket) -> bool:
    """Whether the other side hangs up."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def get(port: int, path: str, host: str, method: str = "GET") -> tuple[int, bytes]:
    return asked(port, f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


def test_metrics_over_http(place: Place, repo: Lab) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place.start("--metrics", str(port))
    line = place.line()
    line.call("list", repo=str(repo.path))
    line.refused(-32601, "usage", "lisst")
    host = f"127.0.0.1:{port}"
    status, body = get(port, "/metrics", host)
    assert status == 200
    told = body.decode().splitlines()
    assert "slip_repositories 1" in told
    assert 'slip_errors_total{code="usage"} 1' in told
    assert 'slip_request_duration_seconds_count{method="list"} 1' in told
    assert str(repo.path) not in body.decode()
    assert get(port, "/metrics", f"localhost:{port}", "HEAD") == (200, b"")
    # A name that a web page made point here is not this server's.
    assert get(port, "/metrics", f"evil.example:{port}")[0] == 403
    assert asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")[0] == 403
    assert get(port, "/", host)[0] == 404
    assert get(port, "/metrics", host, "POST")[0] == 405
    assert asked(port, b"rubbish\r\n\r\n")[0] == 400
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.sendall(b"x" * 100_000)
        # A head without an end is not waited for.
        assert ended(connection)
    assert line.call("ping")
    taken = repo.slip_json(
        "serve", "--socket", str(place.directory / "t.sock"), "--metrics", str(port), expect=1
    )
    assert taken.error["code"] == "git-failed"


# A line of the format, as its specification has it.
LINE = re.compile(
    r"# TYPE [a-z_]+ (counter|gauge|histogram)"
    r'|[a-z_]+(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? -?[0-9.e+-]+'
)


def test_the_text_format() -> None:
    meters = Meters()
    meters.count("bytes_in", 7)
    meters.answered("list", 0.003, None)
    meters.answered("list", 99.0, "quota")
    told = text({"version": "1.2", "uptime_s": 1.5, "clients": 2, **meters.as_json()})
    lines = told.splitlines()
    assert told.endswith("\n")
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    kinds = [line.split()[2] for line in lines if line.startswith("#")]
    assert len(kinds) == len(set(kinds)), "a metric has one kind, told once"
    assert 'slip_request_duration_seconds_bucket{method="list",le="0.005"} 1' in lines
    assert 'slip_request_duration_seconds_bucket{method="list",le="+Inf"} 2' in lines
    assert "slip_bytes_in_total 7" in lines


# A server that stands still ----------------------------------------------------------------------

# The process is watched as a server is, and then reads what libgit2 never comes back from.
STUCK = """
import sys, time
from slipstream_git.faces.serving.watchdog import Watchdog
watchdog = Watchdog(1.0)
time.sleep(2.5)
print("alive", flush=True)
import pygit2
pygit2.Repository(sys.argv[1])[sys.argv[2]]
print("it came back", flush=True)
"""


def test_a_loop_that_holds_up_the_interpreter_is_ended(repo: Lab, children: Children) -> None:
    data = b"".join(b"%d\n" % number for number in range(100_000))
    oid = object_id("blob", data)
    whole = zlib.compress(b"blob %d\0" % len(data) + data)
    path = repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(whole[: len(whole) // 2])
    repo.damaged = True
    stuck = children.start(
        [sys.executable, "-c", STUCK, str(repo.path), oid],
        env=slip_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = stuck.communicate(timeout=PATIENCE_S)
    if b"it came back" in out or stuck.returncode not in (0, -signal.SIGKILL):
        pytest.skip("this libgit2 is mended")
    assert out == b"alive\n"
    assert stuck.returncode == -signal.SIGKILL


@linux
def test_a_server_that_stands_still_is_killed_and_the_next_takes_over(place: Place) -> None:
    """SIGSTOP is a person's doing, and is left alone; the watchdog goes with its server."""
    server = place.start("--hang", "1")
    watchers = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    soon(lambda: bool(watchers.read_text()))
    (watcher,) = watchers.read_text().split()
    server.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    server.send_signal(signal.SIGCONT)
    assert place.line().call("ping")["pid"] == server.pid
    server.kill()
    server.wait()
    soon(lambda: not Path(f"/proc/{watcher}").exists())
    again = place.start("--hang", "1")
    line = place.line()
    for _ in range(5):
        time.sleep(0.5)
        line.say(PING + b',"id":1}\n')
        assert line.hear()["result"]["pid"] == again.pid
    again.terminate()
    assert again.wait(PATIENCE_S) == 0
    assert [path.name for path in place.directory.iterdir()] == ["s.sock.lock"]
