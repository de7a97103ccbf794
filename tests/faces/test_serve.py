"""`slip serve`: real processes over real sockets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.children import Children
from tests.lab import Ground, Lab, Script, slip_command, slip_environment
from tests.servers import PATIENCE_S, PING, Json, Line, Place, soon

# Where it listens --------------------------------------------------------------------------------


def test_it_listens_for_its_user_alone_and_goes_when_told(place: Place, children: Children) -> None:
    env = slip_environment({"XDG_RUNTIME_DIR": str(place.directory)})
    server = children.start(slip_command("--json", "serve"), env=env, stdout=subprocess.PIPE)
    place.path = place.directory / "slip" / "serve.sock"
    soon(place.answers)
    assert place.path.stat().st_mode & 0o777 == 0o600
    assert place.path.parent.stat().st_mode & 0o777 == 0o700
    assert place.line().call("ping")["pid"] == server.pid
    server.terminate()
    out, _ = server.communicate(timeout=PATIENCE_S)
    assert server.returncode == 0
    told = {"ok": True, "ended": "signal", "requests": 1, "socket": str(place.path)}
    assert json.loads(out) == told
    assert not place.path.exists()


def test_a_second_server_does_not_steal_the_socket(place: Place, repo: Lab) -> None:
    first = place.start()
    line = place.line()
    reply = repo.slip_json("serve", "--socket", str(place.path), expect=1)
    assert reply.error["code"] == "locked"
    assert str(first.pid) in reply.error["message"]
    assert line.call("ping")["pid"] == place.line().call("ping")["pid"] == first.pid


def test_a_server_takes_over_from_one_that_was_killed(place: Place) -> None:
    for _ in range(3):
        server = place.start()
        assert place.line().call("ping")["pid"] == server.pid
        server.kill()
        server.wait()
        assert place.path.is_socket()


def test_an_unsafe_directory_is_refused(place: Place, repo: Lab) -> None:
    def refused(path: Path) -> None:
        assert repo.slip_json("serve", "--socket", str(path), expect=1).error["code"] == "bad-path"

    place.directory.chmod(0o750)
    refused(place.path)
    place.directory.chmod(0o700)
    (place.directory / "link").symlink_to(place.directory)
    refused(place.directory / "link" / "s.sock")
    place.path.write_text("mine")
    refused(place.path)
    assert place.path.read_text() == "mine"
    refused(place.directory / ("x" * 100))


def test_another_user_is_not_let_in(place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    place.start()
    # As if the directory and the socket had been opened to everybody by mistake.
    place.directory.chmod(0o711)
    place.path.chmod(0o666)
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(20);"
        "s.connect(sys.argv[1]); sys.stdout.buffer.write(s.makefile('rb').read())"
    )
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-S", "-c", script, str(place.path)],
        user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, check=False,
        env={"PATH": "/usr/bin:/bin"}, timeout=PATIENCE_S,
    )  # fmt: skip
    if done.returncode == 127:
        pytest.skip("no python3 that every user may start")
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["error"]["data"]["code"] == "path-denied"
    assert place.line().call("ping")


def test_it_ends_when_nobody_is_there(place: Place) -> None:
    server = place.start("--idle", "1")
    line = place.line()
    time.sleep(1.5)
    assert line.call("ping"), "a client was there"
    line.close()
    assert server.wait(PATIENCE_S) == 0
    assert not place.path.exists()


def test_a_call_that_runs_is_finished_before_the_end(place: Place, repo: Lab) -> None:
    began = place.directory / "began"
    repo.write(".git/hooks/pre-commit", Script(f"#!/bin/sh\ntouch {began}\nsleep 1\n".encode()))
    server = place.start()
    line, here = place.line(), str(repo.path)
    line.call("begin", repo=here, name="a")
    line.call("write", repo=here, session="a", path="new", content="1\n")
    with ThreadPoolExecutor() as pool:
        landing = pool.submit(line.call, "commit", repo=here, session="a", message="new")
        soon(began.exists)
        server.terminate()
        assert landing.result()["committed"] is True
    assert server.wait(PATIENCE_S) == 0
    assert repo.tree()["new"] == b"1\n"


# What it answers ---------------------------------------------------------------------------------


def test_answers_are_those_of_the_command_line(place: Place, repo: Lab) -> None:
    place.start()
    line, here = place.line(), str(repo.path)
    begun = line.call("begin", repo=here, name="work", title="Say it")
    assert begun["ref"] in repo.refs()
    ops = [{"op": "str_replace", "path": "src/app.py", "old": "return 1", "new": "return 2"}]
    line.call("apply", repo=here, session="work", ops=ops)
    again = json.dumps({"op": "write", "path": "never", "content": "1\n"})
    line.call("apply", repo=here, session="work", ops=again, dry_run=True)
    content = b64encode(b"\xff\n").decode()
    line.call("write", repo=here, path_b64=b64encode(b"\xe9").decode(), content_b64=content)
    for words in (["status"], ["log"], ["diff"], ["list"], ["map"], ["read", "src/app.py:1-2"]):
        name, *paths = words
        told = line.call(name, repo=here, **({"paths": paths} if paths else {}))
        assert told == repo.slip_json(*words).json
    line.call("commit", repo=here, message=["Say it", "More."])
    assert repo.message() == "Say it\n\nMore.\n"
    assert repo.tree()["src/app.py"] == b"def main():\n    return 2\n"
    assert repo.tree()["\udce9"] == b"\xff\n"
    assert repo.git("status", "--porcelain") == ""


def test_refusals_have_the_exit_class_in_their_code(place: Place, repo: Lab) -> None:
    place.start()
    line, here = place.line(), str(repo.path)
    line.refused(-32001, "session-missing", "status", repo=here, session="none")
    line.refused(-32002, "bad-json", "apply", repo=here, ops="{")
    line.refused(-32001, "unsupported", "run", repo=here, command=["true"])
    line.refused(-32001, "git-failed", "list", repo="/")
    line.call("begin", repo=here, name="a")
    line.call("write", repo=here, session="a", path="README.md", content="mine\n")
    repo.commit({"README.md": "theirs\n"})
    told = line.refused(-32003, "conflict", "commit", repo=here, session="a", message="m")
    shell = repo.slip_json("commit", "-s", "a", "-m", "m", expect=3).error
    assert told == shell


def test_what_was_only_computed_is_not_written_later(place: Place, repo: Lab) -> None:
    place.start("--repo", str(repo.path))
    line = place.line()
    for name in ("one", "two"):
        line.call("begin", name=name)
        line.call("write", session=name, path=name, content=f"{name}\n")
    repo.commit({"README.md": "moved on\n"})
    merged = line.call("commit", session="one", message="m", dry_run=True)["tree"]
    line.call("write", session="two", path="more", content="1\n")
    row = repo.git("cat-file", "--batch-check", stdin=f"{merged}\n".encode())
    assert row == f"{merged} missing"


WRONG_FIELDS: list[tuple[Json, str]] = [
    ({"repo": "x"}, "absolute"),
    ({"repo": 1}, "absolute"),
    ({"repo": None}, "repo is missing"),
    ({"sesion": "a"}, "did you mean session"),
    ({"session": 1}, "text"),
    ({"session": "a\0b"}, "zero byte"),
    ({"session": "\ud800"}, "surrogate"),
    ({"session_b64": "?"}, "base64"),
    ({"session": "a", "session_b64": "YQ=="}, "twice"),
]


def test_fields_are_checked(place: Place, repo: Lab) -> None:
    place.start()
    line = place.line()
    line.refused(-32602, "usage", "status")
    for params, said in WRONG_FIELDS:
        told = line.refused(-32602, "usage", "status", **({"repo": str(repo.path)} | params))
        assert said in told["message"]


def test_a_default_repository(place: Place, repo: Lab) -> None:
    place.start("--repo", str(repo.path))
    assert place.line().call("list")["sessions"] == []


# The protocol ------------------------------------------------------------------------------------

RUBBISH: list[tuple[bytes, int]] = [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", -32700),
    (b"GET / HTTP/1.1", -32700),
    (b"\xff\xfe", -32700),
    (b"[" * 100_000, -32700),
    (b'{"jsonrpc":"2.0","method":"ping","id":1,"id":2}', -32700),
    (b'{"jsonrpc":"2.0","method":"ping","id":NaN}', -32700),
    (b"[]", -32600),
    (b"1", -32600),
    (b'{"jsonrpc":"1.0","method":"ping","id":null}', -32600),
    (b'{"method":"ping","id":null}', -32600),
    (b'{"jsonrpc":"2.0","id":null}', -32600),
    (b'{"jsonrpc":"2.0","method":1,"params":"bar"}', -32600),
    (PING + b',"params":1,"id":null}', -32600),
    (PING + b',"id":{}}', -32600),
    (PING + b',"id":true}', -32600),
    (PING + b',"id":1e999}', -32600),
    (PING + b',"repo":"/","id":null}', -32600),
    (b"[" + b",".join([PING + b"}"] * 1001) + b"]", -32600),
    (b'{"jsonrpc":"2.0","method":"pong","id":null}', -32601),
    (b'{"jsonrpc":"2.0","method":"%s","id":null}' % (b"apply" * 100_000), -32601),
    (b'{"jsonrpc":"2.0","method":"status","params":["a"],"id":null}', -32602),
]


def test_rubbish_is_answered(place: Place) -> None:
    place.start("--repo", "/")
    line = place.line()
    for said, number in RUBBISH:
        line.say(said + b"\n")
        reply = line.hear()
        assert (reply["error"]["code"], reply["id"]) == (number, None), said
        assert reply["error"]["data"]["code"]
    assert line.call("ping")


def test_batches_and_notifications(place: Place, repo: Lab) -> None:
    place.start("--repo", str(repo.path))
    line = place.line()
    begin = b'{"jsonrpc":"2.0","method":"begin","params":{"name":"n"}}'
    wrong = b'{"jsonrpc":"2.0","method":"begin","params":{"nam":"m"}}'
    line.say(b"\n" + begin + b"\r\n[" + begin + b"," + wrong + b"]\n")
    line.say(b"[" + PING + b',"id":"a"},1,' + begin + b"," + PING + b',"id":null}]\n')
    replies = line.hear()
    assert [reply["id"] for reply in replies] == ["a", None, None]
    assert [("result" in reply) for reply in replies] == [True, False, True]
    assert [row["session"] for row in line.call("list")["sessions"]] == ["n"]


def test_what_is_said_at_once_is_answered_in_order(place: Place) -> None:
    place.start()
    line = place.line()
    with ThreadPoolExecutor() as pool:
        said = b"".join(PING + b',"id":%d}\n' % number for number in range(10_000))
        pool.submit(line.say, said)
        assert [line.hear()["id"] for _ in range(10_000)] == list(range(10_000))


# Limits ------------------------------------------------------------------------------------------


def test_a_message_that_is_too_long_is_passed_over(place: Place) -> None:
    server = place.start("--message-bytes", "1000")
    line = place.line()
    for size in (1001, 3_000_000):
        line.say(b"x" * size + b"\n")
        reply = line.hear()
        assert (reply["error"]["code"], reply["id"]) == (-32001, None)
        assert reply["error"]["data"]["code"] == "too-large"
    line.say((PING + b',"id":1}').ljust(1000) + b"\n")
    assert line.hear()["result"]["pid"] == server.pid


def test_over_the_rate_is_an_error_and_no_more(place: Place) -> None:
    place.start("--rate", "5")
    line, other = place.line(), place.line()
    replies = [line.ask("ping") for _ in range(20)]
    refused = [reply["error"]["data"]["code"] for reply in replies if "error" in reply]
    assert len(refused) >= 10
    assert set(refused) == {"quota"}
    assert other.call("ping"), "another client has a rate of its own"
    time.sleep(0.5)
    assert line.call("ping")


def test_clients_over_the_limit_wait_their_turn(place: Place) -> None:
    place.start("--clients", "1")
    first, second = place.line(), place.line()
    assert first.call("ping")
    second.refused(-32001, "quota", "ping")
    first.close()
    soon(lambda: "result" in second.ask("ping"))


def test_nothing_is_left_of_clients_that_have_gone(place: Place, repo: Lab) -> None:
    server = place.start("--repo", str(repo.path))
    descriptors = Path(f"/proc/{server.pid}/fd")
    if not descriptors.is_dir():
        pytest.skip("only Linux tells which files a process has open")
    first = place.line()
    first.call("list")
    before = len(list(descriptors.iterdir()))
    for number in range(1000):
        line = Line(place.path)
        if number % 3:
            line.say(PING + b',"id":1}\n' if number % 2 else b'{"half')
        line.close()

    def welcomed() -> int:
        told = first.call("metrics")
        return int(told["connections"]) + int(told.get("refused_clients", 0))

    soon(lambda: welcomed() >= 1001)
    soon(lambda: len(list(descriptors.iterdir())) <= before)


def test_metrics_count(place: Place, repo: Lab) -> None:
    place.start("--repo", str(repo.path))
    line = place.line()
    line.call("list")
    line.refused(-32601, "usage", "lisst")
    told = line.call("metrics")
    assert (told["requests"], told["repositories"], told["clients"]) == (2, 1, 1)
    assert told["errors"] == {"usage": 1}
    assert told["methods"]["list"]["buckets"]["+Inf"] == 1
    assert told["methods"]["unknown"]["count"] == 1


# Many at once, and what changes under its feet ---------------------------------------------------


def test_clients_at_once(place: Place, repo: Lab, ground: Ground) -> None:
    place.start()
    other = ground.repository("other")

    def work(number: int) -> None:
        line, here = place.line(), str((repo, other)[number % 2].path)
        for step in range(4):
            name = f"n{number}-{step}"
            line.call("begin", repo=here, name=name)
            line.call("write", repo=here, session=name, path=name, content=f"{name}\n")
            line.call("commit", repo=here, session=name, message=name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for parity, lab in enumerate((repo, other)):
        landed = {f"n{n}-{step}" for n in (parity, parity + 2) for step in range(4)}
        assert set(lab.tree()) == landed | {"README.md", "src/app.py"}
        assert lab.git("status", "--porcelain") == ""


def test_what_others_do_is_seen_at_once(place: Place, repo: Lab) -> None:
    place.start()
    line, here = place.line(), str(repo.path)

    def found(text: str, **more: str) -> list[str]:
        reply = line.call("search", repo=here, pattern=text, fixed=True, **more)
        return [match["path"] for match in reply["matches"]]

    assert found("needle") == []
    repo.write("README.md", "a needle\n")
    assert found("needle") == ["README.md"]
    assert found("needle", rev="HEAD") == []
    repo.commit({"README.md": "a needle\n"})
    assert found("needle", rev="HEAD") == ["README.md"]
    repo.git("checkout", "-q", "-b", "side", "HEAD~1")
    assert found("needle") == []
    repo.commit({"b": "a needle\n"})
    assert found("needle") == ["b"]
    repo.git("gc", "-q", "--prune=now")
    repo.git("repack", "-q", "-adf")
    assert found("needle", rev="main") == ["README.md"]
    repo.git("mv", "b", "c")
    assert found("needle") == ["c"]
    repo.git("config", "slip.maxBatchBytes", "10")
    line.call("begin", repo=here, name="s")
    line.refused(-32001, "too-large", "apply", repo=here, ops=[{"op": "delete", "path": "c"}])


def test_a_repository_that_is_another_by_now(place: Place, ground: Ground, repo: Lab) -> None:
    place.start()
    line, here = place.line(), str(repo.path)
    line.call("begin", repo=here, name="first")
    moved = repo.path.with_name("moved")
    repo.path.rename(moved)
    line.refused(-32001, "git-failed", "list", repo=here)
    assert line.call("list", repo=str(moved))["sessions"][0]["session"] == "first"
    shutil.rmtree(moved)
    ground.repository()
    for _ in range(3):
        assert line.call("list", repo=here)["sessions"] == []
        shutil.rmtree(repo.path)
        ground.repository()
        line.call("begin", repo=here, name="again")
        shutil.rmtree(repo.path)
        ground.repository()
    inner = ground.at(repo.path / "src")
    assert line.call("files", repo=str(inner.path))["total"] == 2
    inner.git("init", "--quiet", "--template=")
    assert line.call("files", repo=str(inner.path))["total"] == 0


def test_worktrees_of_one_repository(place: Place, repo: Lab, linked_repo: Lab) -> None:
    place.start("--repositories", "1")
    line = place.line()
    for lab, branch in ((repo, "main"), (linked_repo, "side"), (repo, "main")):
        begun = line.call("begin", repo=str(lab.path / "src"))
        assert begun["onto"] == f"refs/heads/{branch}"
    assert line.call("metrics")["repositories"] == 1


@pytest.mark.slow
def test_a_pattern_that_takes_for_ever_is_stopped(place: Place, repo: Lab) -> None:
    repo.commit({"a": "a" * 40 + "b\n"})
    place.start("--repo", str(repo.path))
    line = place.line()
    line.call("begin", name="s")
    line.refused(-32001, "too-large", "sub", pattern="(a+)+$", replacement="", regex=True)
    assert line.call("ping")


# Standard streams --------------------------------------------------------------------------------


def test_standard_streams(repo: Lab) -> None:
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "begin", "params": {"name": "a"}},
        {"jsonrpc": "2.0", "method": "begin", "params": {"name": "b"}},
        {"jsonrpc": "2.0", "id": 2, "method": "list"},
    ]
    said = b"\n".join(json.dumps(item).encode() for item in asked)
    done = repo.slip("--json", "serve", "--stdio", "--repo", str(repo.path), stdin=said)
    first, second = map(json.loads, done.out.splitlines())
    assert first["result"]["session"] == "a"
    assert [row["session"] for row in second["result"]["sessions"]] == ["a", "b"]
    assert json.loads(done.err) == {"ok": True, "ended": "end", "requests": 3}


def test_standard_streams_end_when_told(children: Children) -> None:
    read, write = os.pipe()
    command, env = slip_command("serve", "--stdio"), slip_environment()
    server = children.start(command, env=env, stdin=read, stdout=subprocess.PIPE)
    os.close(read)
    os.write(write, PING + b',"id":1}\n')
    assert server.stdout is not None
    assert json.loads(server.stdout.readline())["result"]["pid"] == server.pid
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE_S) == 0
    os.close(write)


def test_what_is_begun_can_be_searched_at_once(place: Place, repo: Lab) -> None:
    """The index is made when a session begins, not when somebody waits for it."""
    repo.commit({"many.txt": b"".join(b"needle %d\n" % n for n in range(400_000))})
    place.start()
    line, here = place.line(), str(repo.path)
    line.call("begin", repo=here, name="a")
    index = repo.common_dir / "slip" / "index" / "search"
    soon(lambda: any(index.glob("*.seg")))
    found = line.call("search", repo=here, pattern="needle 399999", session="a")
    assert found["total"] == 1
    assert [row["line"] for row in found["matches"]] == [400_000]
