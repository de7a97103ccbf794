"""The command line beside a server: as without one, whatever becomes of the server."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slipstream_git.faces.serving import commands
from slipstream_git.factlines import About
from slipstream_git.memory import claims
from slipstream_git.operations import registry
from tests.children import Children, Started
from tests.lab import DEADLINE_S, Ground, Lab, Reply, Script, slip_command, slip_environment
from tests.servers import Line, start_server

NO_SERVER = {"SLIP_SOCKET": ""}


class Served:
    """A server at the default address of the test's environment."""

    def __init__(self, home: Path, children: Children) -> None:
        self.path = home / ".run" / "slip" / "serve.sock"
        self._children = children
        self.process = self.start()

    def start(self) -> Started:
        self.process = start_server(self._children, self.path)
        return self.process

    def counted(self) -> tuple[int, int]:
        """How many commands it ran, and how many it left to their callers."""
        line = Line(self.path)
        told = line.call("metrics")
        line.close()
        count = told["methods"].get("command", {}).get("count", 0)
        return count - told.get("commands_elsewhere", 0), told.get("commands_elsewhere", 0)

    def ran(self, before: tuple[int, int]) -> tuple[int, int]:
        """The same, since then."""
        ran, left = self.counted()
        return ran - before[0], left - before[1]


@pytest.fixture
def served(request: pytest.FixtureRequest, home: Path, children: Children) -> Served:
    if request.config.getoption("served"):
        pytest.skip("starts servers of its own")
    return Served(home, children)


def plain(reply: Reply) -> tuple[int, bytes, bytes]:
    """An answer without what differs from run to run: ids of commits, which hold a time."""

    def same(text: bytes) -> bytes:
        return re.sub(
            rb"\b[0-9a-f]{7,64}\b", b"ID", re.sub(rb"\d+ (second|minute)s? ago", b"", text)
        )

    # The engine is told as it is: with a server it is libgit2 and the index.
    out = re.sub(rb'"engine":"[a-z0-9]+"', b'"engine":""', reply.out)
    return reply.status, same(out), same(reply.err)


BATCH = json.dumps(
    [
        {
            "op": "str_replace",
            "path": "src/app.py",
            "old": "def",
            "new": "async def",
            "count": "all",
        },
        {"op": "write", "path": "new.txt", "content": "a\nb\n"},
    ]
).encode()
LEARNED = "wrong, as it turned out"
# Each as it is typed: its words, its standard input.
COMMANDS: list[tuple[list[str], bytes]] = [
    (["status"], b""),
    (["begin", "one", "--title", "\u00e4rger"], b""),
    (["apply", "-s", "one"], BATCH),
    (["apply", "-s", "one", "-"], b"[{]"),
    (["apply", "-s", "one", BATCH.decode()], b""),
    (["apply", "-s", "one", "ops.json"], b""),
    (["apply", "-s", "one", "none.json"], b""),
    (["write", "-s", "one", "dir/x", "--create", "only"], b"\xff\x00"),
    (["write", "-s", "one", "dir/y"], b"y\n"),
    (["mv", "-s", "one", "dir/y", "dir/z"], b""),
    (["rm", "-s", "one", "dir/x"], b""),
    (["undo", "-s", "one"], b""),
    (["redo", "-s", "one"], b""),
    (["redo", "-s", "one"], b""),
    (["begin", "one"], b""),
    (["begin", "two"], b""),
    (["write", "-s", "two", "src/app.py"], b"other\n"),
    (["status"], b""),
    (["status", "-s", "one"], b""),
    (["status", "-s", "none"], b""),
    (["status", "--no-such"], b""),
    (["list"], b""),
    (["diff", "-s", "one"], b""),
    (["log", "-s", "one"], b""),
    (["show", "HEAD"], b""),
    (["why", "src/app.py:1"], b""),
    (["read", "-s", "one", "new.txt"], b""),
    (["read", "-s", "one", "nothere"], b""),
    (["lines", "-s", "one", "src/app.py", "1", "1"], b""),
    (["files", "-s", "one"], b""),
    (["map", "-s", "one"], b""),
    (["symbol", "-s", "one", "main"], b""),
    (["refs", "-s", "one", "main"], b""),
    (["search", "-s", "one", "async"], b""),
    (["search", "(", "-s", "one"], b""),
    (["remember", "-s", "one", "w\u00e4rmer", "--about", "src/app.py", "--kind", "todo"], b""),
    (["remember", "-s", "one", LEARNED], b""),
    (["recall", "-s", "one", "how warm"], b""),
    (["facts", "-s", "one"], b""),
    (["digest", "-s", "one"], b""),
    (["forget", claims.identity(LEARNED, About())], b""),
    (["resume", "-s", "one"], b""),
    (["purge", claims.identity(LEARNED, About())], b""),
    (["forget", "nothing"], b""),
    (["conflicts"], b""),
    (["-C", "src", "status", "-s", "one"], b""),
    (["-C", "nowhere", "status"], b""),
    (["-C", "/", "status"], b""),
    (["nonsense"], b""),
    (["begin", "--help"], b""),
]  # fmt: skip


def test_whatever_is_typed_is_answered_alike(ground: Ground, served: Served) -> None:
    """In two repositories alike, one command after the other; in text and in JSON."""
    pairs = [
        (ground.repository(f"{kind}-with"), ground.repository(f"{kind}-without"))
        for kind in ("text", "json")
    ]
    used = set()
    for flags, (one, other) in zip(([], ["--json"]), pairs, strict=True):
        for lab in (one, other):
            lab.write("ops.json", BATCH)
        for words, stdin in COMMANDS:
            before = served.counted()
            told = one.slip(*flags, *words, stdin=stdin, expect=None)
            ran, _ = served.ran(before)
            used |= {word for word in words if ran and word in registry.names()}
            expected = other.slip(*flags, *words, stdin=stdin, expect=None, env=NO_SERVER)
            replaced = [
                (reply.status, reply.out.replace(os.fsencode(lab.path), b"HERE"), reply.err)
                for reply, lab in ((told, one), (expected, other))
            ]
            assert plain(Reply(*replaced[0])) == plain(Reply(*replaced[1])), (flags, words)
    # All that it takes on it did.
    rows = filter(None, map(registry.find, registry.names()))
    assert used == {row.name for row in rows if row.effect in commands.TAKEN}


def test_commands_that_run_programs_stay_with_their_caller(repo: Lab, served: Served) -> None:
    repo.slip("begin", "one")
    repo.slip("write", "-s", "one", "a", stdin=b"1\n")
    before = served.counted()
    repo.slip("commit", "-s", "one", "-m", "add a")
    assert served.ran(before) == (0, 1)
    assert repo.git("show", "HEAD:a") == "1"


def test_standing_in_a_subdirectory(repo: Lab, served: Served) -> None:
    before = served.counted()
    repo.write("src/ops.json", BATCH)
    repo.slip("begin", "one", cwd=repo.path / "src")
    repo.slip("begin", "two", cwd=repo.path / "src")
    refused = repo.slip("apply", "-s", "one", "ops.json", cwd=repo.path, expect=2)
    assert b"ops.json: No such file" in refused.err
    repo.slip("apply", "-s", "one", "ops.json", cwd=repo.path / "src")
    with_server = repo.slip("status", cwd=repo.path / "src", expect=None)
    alone = repo.slip("status", cwd=repo.path / "src", env=NO_SERVER, expect=None)
    assert (with_server.out, with_server.err) == (alone.out, alone.err)
    assert served.ran(before) == (5, 0)


# What the server cannot know, or has otherwise ---------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [
        {"HOME": "/nowhere"},
        {"GIT_DIR": "/nowhere"},
        {"GIT_INDEX_FILE": "/nowhere"},
        {"GIT_CONFIG_COUNT": "0"},
        {"TZ": "Asia/Tokyo"},
        {"SLIP_STORE": "libgit2"},
        {"XDG_CACHE_HOME": "/tmp"},
    ],
)
def test_another_environment_is_served_by_itself(
    env: dict[str, str], repo: Lab, served: Served
) -> None:
    before = served.counted()
    told = repo.slip("list", env=env, expect=None)
    alone = repo.slip("list", env=env | NO_SERVER, expect=None)
    assert (told.status, told.out, told.err) == (alone.status, alone.out, alone.err)
    assert served.ran(before) == (0, 1)


def test_environments_that_differ_only_for_the_caller_are_served(repo: Lab, served: Served) -> None:
    repo.slip("begin", "one")
    repo.slip("begin", "two")
    before = served.counted()
    told = repo.slip_json("status", env={"SLIP_SESSION": "two"}).json
    assert told["session"] == "two"
    repo.slip("write", "-s", "one", "a", stdin=b"1\n", env={"GIT_AUTHOR_NAME": "Grace"})
    assert served.ran(before) == (3, 0), "standard input is asked for by an answer of its own"
    refs = [ref for ref in repo.refs() if ref.endswith("/one")]
    assert any("Grace" in repo.git("log", "-1", "--format=%an", ref) for ref in refs), refs


def test_another_umask(repo: Lab, served: Served) -> None:
    before = served.counted()
    command = 'umask 027; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *slip_command("list")],
        cwd=repo.path, env=slip_environment(), check=True, capture_output=True,
    )  # fmt: skip
    assert b"no session" in done.stdout + done.stderr or not done.stderr
    assert served.ran(before) == (0, 1)


def test_files_that_are_the_callers_descriptors(repo: Lab, served: Served) -> None:
    repo.slip("begin", "one")
    before = served.counted()
    repo.slip("apply", "-s", "one", "/dev/stdin", stdin=BATCH)
    assert served.ran(before) == (0, 1)
    assert b"async" in repo.slip("read", "-s", "one", "src/app.py").out


def test_another_version(repo: Lab, served: Served, tmp_path: Path) -> None:
    """A server that was left running over an upgrade."""
    script = (
        "import sys, slipstream_git; slipstream_git.__version__ = '99.0'\n"
        "from slipstream_git.__main__ import main; main()"
    )
    before = served.counted()
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, "--json", "list"],
        cwd=repo.path, env=slip_environment(), check=True, capture_output=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["ok"]
    assert served.ran(before) == (0, 1)


def test_other_mounts(repo: Lab, served: Served) -> None:
    """Of a sandbox that may not write, say; it is not served by a process that may."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    before = served.counted()
    done = subprocess.run(
        [*unshare, *slip_command("list")],
        cwd=repo.path, env=slip_environment(), check=False, capture_output=True,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert served.ran(before) == (0, 1)


def test_an_interruption(repo: Lab, served: Served) -> None:
    served.process.send_signal(signal.SIGSTOP)
    child = subprocess.Popen(
        slip_command("status"), cwd=repo.path, env=slip_environment(), stderr=subprocess.PIPE
    )
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, err.startswith(b"slip: interrupted: ")) == (130, True), err
    served.process.send_signal(signal.SIGCONT)


def test_a_directory_that_is_gone(repo: Lab, served: Served) -> None:
    place = repo.path / "gone"
    place.mkdir()
    before = served.counted()
    script = 'rmdir "$PWD"; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *slip_command("list")],
        cwd=place, env=slip_environment(), check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert served.ran(before) == (0, 0)


def test_a_terminal_is_asked_for_nothing(repo: Lab, served: Served) -> None:
    """Output for a terminal is that of a terminal, and a batch to be typed is refused."""
    repo.slip("begin", "one")
    heard = []
    for env in ({}, NO_SERVER):
        primary, secondary = pty.openpty()
        child = subprocess.Popen(
            slip_command("apply", "-s", "one"),
            cwd=repo.path, env=slip_environment(env), stdin=secondary,
            stdout=secondary, stderr=secondary,
        )  # fmt: skip
        assert child.wait(DEADLINE_S) == 2
        os.close(secondary)
        heard.append(os.read(primary, 4096))
        os.close(primary)
    assert heard[0] == heard[1]
    assert b"which is a terminal" in heard[0]


# A server that fails -----------------------------------------------------------------------------


def written(repo: Lab, session: str) -> int:
    """How many lines the session's file has: one for each time that the insertion was made."""
    return repo.slip("read", "-s", session, "log.txt", env=NO_SERVER).out.count(b"more")


INSERT = json.dumps(
    [{"op": "insert", "path": "log.txt", "after_line": 0, "text": "more\n"}]
).encode()


def test_a_server_that_is_stopped_costs_two_seconds(repo: Lab, served: Served) -> None:
    repo.slip("begin", "one")
    repo.slip("write", "-s", "one", "log.txt", stdin=b"")
    served.process.send_signal(signal.SIGSTOP)
    repo.slip("status", "-s", "one")
    repo.slip("apply", "-s", "one", stdin=INSERT)
    served.process.send_signal(signal.SIGCONT)
    time.sleep(0.5)  # it now finds the request that nobody waits for
    repo.slip("status", "-s", "one")
    assert written(repo, "one") == 1


def test_a_socket_that_nobody_serves(repo: Lab, served: Served) -> None:
    served.process.kill()
    served.process.wait()
    assert served.path.is_socket()
    repo.slip("begin", "one")
    served.start()
    before = served.counted()
    repo.slip("status", "-s", "one")
    assert served.ran(before) == (1, 0)


def test_killed_in_the_middle_it_is_done_once_or_said_to_be_unknown(
    repo: Lab, served: Served
) -> None:
    repo.slip("begin", "one")
    repo.slip("write", "-s", "one", "log.txt", stdin=b"")
    sure = unsure = 0
    for turn in range(12):
        child = subprocess.Popen(
            slip_command("apply", "-s", "one"),
            cwd=repo.path, env=slip_environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        killer = threading.Timer(0.02 + 0.01 * turn, served.process.kill)
        killer.start()
        _, err = child.communicate(INSERT, timeout=DEADLINE_S)
        killer.join()
        served.process.wait()
        assert child.returncode == 0 or b"the server ended in the middle" in err, err
        sure += child.returncode == 0
        unsure += child.returncode != 0
        served.start()
    assert sure <= written(repo, "one") <= sure + unsure


def test_many_at_once(repo: Lab, served: Served) -> None:
    repo.slip("begin", "one")
    repo.slip("write", "-s", "one", "log.txt", stdin=b"")
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(repo.slip, "apply", "-s", "one", stdin=INSERT) for _ in range(24)]
    assert all(one.result().status == 0 for one in done)
    assert written(repo, "one") == 24


def test_while_a_landing_is_held_up_others_go_on(repo: Lab, served: Served) -> None:
    """A hook takes its time in a call to the server; a command does not wait for it."""
    repo.write(".git/hooks/pre-commit", Script(b"#!/bin/sh\nsleep 3\n"))
    repo.slip("begin", "one")
    repo.slip("write", "-s", "one", "a", stdin=b"1\n")
    repo.slip("begin", "two")
    line = Line(served.path)
    with ThreadPoolExecutor() as pool:
        landing = pool.submit(
            line.call, "commit", repo=str(repo.path), session="one", message=["m"]
        )
        time.sleep(0.5)
        before = served.counted()
        repo.slip("status", "-s", "two")
        assert served.ran(before) == (1, 0), "readers have a lane of their own"
        repo.slip("write", "-s", "two", "b", stdin=b"2\n")
        assert served.ran(before) == (2, 1), "what was first asked for its standard input"
        assert not landing.done()
        assert landing.result()["commit"]
    line.close()


# Somebody else's socket --------------------------------------------------------------------------


class Listener:
    """A socket that is no server: what comes in is kept."""

    def __init__(self, path: Path) -> None:
        self.heard = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.heard += connection.recv(1 << 20)
                connection.sendall(b"\x16\x03garbage\n")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def test_what_answers_rubbish_is_no_server(repo: Lab, home: Path) -> None:
    place = home / ".run" / "slip"
    place.mkdir(mode=0o700)
    listener = Listener(place / "serve.sock")
    assert repo.slip_json("list").json["ok"]
    listener.close()
    assert b"command" in listener.heard


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_directory_that_others_may_enter_is_told_nothing(
    mode: int, repo: Lab, home: Path
) -> None:
    """Who listens there would learn the whole environment."""
    place = home / ".run" / "slip"
    place.mkdir()
    place.chmod(mode)
    listener = Listener(place / "serve.sock")
    assert repo.slip_json("list").json["ok"]
    listener.close()
    assert listener.heard == b""


def test_files_that_are_no_files_are_read_by_their_caller(repo: Lab, served: Served) -> None:
    """A pipe, a link to one's own standard input: whoever reads them first has all they hold."""
    repo.slip("begin", "one")
    pipe = repo.path / "pipe"
    os.mkfifo(pipe)
    (repo.path / "link").symlink_to("/dev/stdin")
    before = served.counted()
    repo.slip("apply", "-s", "one", "link", stdin=INSERT.replace(b"log.txt", b"src/app.py"))
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(repo.slip, "apply", "-s", "one", "pipe")
        time.sleep(0.5)
        pipe.write_bytes(INSERT.replace(b"log.txt", b"src/app.py"))
        asked.result()
    assert served.ran(before) == (0, 2)
    assert repo.slip("read", "-s", "one", "src/app.py").out.count(b"more") == 2
    pipe.unlink()
