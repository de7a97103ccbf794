"""What gates do that they should not: a row of a corpus each.

Rows have the names of a corpus of bad inputs that lies outside the repository; where it lies beside
the clone, a test holds that none of them is missing here.
"""

from __future__ import annotations

import fcntl
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.changes.test_check import gated, listed, ready, red, rows
from tests.children import Children, is_gone
from tests.desk import Desk, write
from tests.gates import gates
from tests.lab import SOURCE, Lab, slip_command, slip_environment

CORPUS = SOURCE.parent / "shared" / "data" / "badinputs.json"
ROWS: dict[str, Callable[..., None]] = {}


@pytest.fixture
def desk(repo: Lab) -> Desk:
    """Which object store it is makes no difference to what a gate does."""
    return Desk(repo, "git")


def row(test: Callable[..., None]) -> Callable[..., None]:
    """A test named after the row ``check.NAME``."""
    ROWS["check." + test.__name__.removeprefix("test_check_")] = test
    return test


def test_every_row_is_here() -> None:
    if not CORPUS.exists():
        pytest.skip("the corpus is not beside the clone")
    ids = [entry["id"] for entry in json.loads(CORPUS.read_text()) if entry["group"] == "check"]
    assert set(ids) == set(ROWS)
    assert len(ids) == 9


@row
def test_check_cleanup(desk: Desk, children: Children, tmp_path: Path) -> None:
    """Killed: what it left in its slot is swept by the next."""
    go = shlex.quote(str(tmp_path / "go"))
    run = f"test -e {go} || {{ mkdir half; echo x > half/x; echo $$ > {go}.pid; sleep 600; }}; ls"
    ready(desk, gates(a=run))
    started = desk.lab.start(children, "check")
    pid = tmp_path / "go.pid"
    deadline = time.monotonic() + 60
    while not pid.exists() or not pid.read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.kill()
    started.wait()
    assert is_gone(pid.read_text().strip())
    place = desk.lab.path / ".git/slip/pool/1"
    assert (place / "tree/half/x").exists()
    (tmp_path / "go").touch()
    (place / "git/index.lock").touch()
    # What watched over it has the slot until nothing of the gate is left.
    with (place / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert "half" not in gated(desk.call("check"))[0]["tail"]
    assert not (place / "tree/half").exists()
    assert not (place / "git/index.lock").exists()


@row
def test_check_exit_0_flaky(desk: Desk) -> None:
    """A verdict is the tree's: another tree has none, and the session may change meanwhile."""
    repo = desk.lab
    command = shlex.join([*slip_command("-C", str(repo.path), "write", "-s", "s", "late")])
    environment = f"PYTHONPATH={shlex.quote(str(SOURCE))}"
    ready(desk, gates(a=f"echo x | {environment} {command}; test ! -e late"))
    answer = desk.call("check")
    assert rows(answer) == {"a": ("green", False)}
    now = desk.call("status")["tree"]
    assert now != answer["tree"]
    assert repo.git("notes", "--ref=slip/gates", "list").split()[1] == answer["tree"]
    data = desk.commit_refused("gate-failed").data
    assert (data["tree"], rows(data)) == (now, {"a": ("red", False)})


@row
def test_check_fork(desk: Desk, tmp_path: Path) -> None:
    """A daemon that forks twice and leads a session of its own."""
    if sys.platform != "linux":
        pytest.skip("only Linux gives orphans to an ancestor")
    pid = tmp_path / "pid"
    script = f"(setsid sh -c '(setsid sleep 600 & echo $! > {pid}) &' &)"
    ready(desk, gates(a=f"{script}; while test ! -s {pid}; do sleep 0.02; done"))
    assert rows(desk.call("check")) == {"a": ("green", False)}
    assert is_gone(pid.read_text().strip())


@row
def test_check_missing(desk: Desk) -> None:
    ready(desk, gates(a="no-such-program", b="./f", c="/nowhere/tool"))
    fault = desk.refused("gate-failed", "check")
    assert [(gate["status"], gate["exit"]) for gate in listed(fault)] == [
        ("error", 127), ("error", 126), ("error", 127),
    ]  # fmt: skip
    assert desk.lab.refs("refs/notes/slip/gates") == {}
    desk.commit_refused("gate-failed")


@row
def test_check_modifies(desk: Desk) -> None:
    """The verdict is of the tree, whatever became of its files."""
    run = "rm -rf f src; echo other > new; chmod 000 README.md; ln -s / root; mkdir -p d/e"
    ready(desk, gates(a=run, b="cat f; ls; test ! -L root"))
    answer = desk.call("check")
    assert rows(answer) == {"a": ("green", False), "b": ("green", False)}
    assert gated(answer)[1]["tail"].split() == ["one", "README.md", "f", "new", "src"]
    landed = desk.commit("land")
    assert landed["tree"] == answer["tree"]
    assert desk.lab.tree("main")["new"] == b"n\n"


@row
def test_check_output_1gb(desk: Desk) -> None:
    """Without a line's end, binary, and with what moves a terminal's cursor."""
    run = "head -c 1000000000 /dev/zero; printf '\\377\\033[2J\\033]0;x\\007 end'; exit 1"
    ready(desk, gates(a=run))
    fault = desk.refused("gate-failed", "check")
    [gate] = listed(fault)
    assert len(gate["tail"].encode()) <= 3 * 8192
    assert gate["tail"].endswith(" end")
    reply = desk.lab.slip("check", expect=4)
    assert b"\x1b" not in reply.err
    assert b"\\x1b[2J" in reply.err
    assert len(reply.err) < 200_000
    note = desk.lab.git_bytes("notes", "--ref=slip/gates", "show", gate_tree(fault.data))
    assert b"\x1b" not in note
    assert len(note) < 100_000


def gate_tree(data: dict[str, object]) -> str:
    return str(data["tree"])


@row
def test_check_signal(desk: Desk) -> None:
    ready(desk, gates(a="kill -SEGV $$", b="kill -KILL $$"))
    data = red(desk)
    assert [(gate["status"], gate["exit"]) for gate in gated(data)] == [
        ("red", 139), ("error", 137),
    ]  # fmt: skip


@row
def test_check_tmp_full(desk: Desk) -> None:
    """No room for the files: refused, and nothing half made stays in its way."""
    ready(desk, gates(a="wc -c < large"), write("large", "x" * 4_000_000))
    before, refs = desk.lab.snapshot(), desk.lab.refs()
    limited = shlex.join(slip_command("--json", "check"))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1000; {limited}"],
        cwd=desk.lab.path, env=slip_environment(), capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done
    assert json.loads(done.stdout)["error"]["code"] == "git-failed"
    assert not (desk.lab.path / ".git/slip/pool/1/tree").exists()
    assert (desk.lab.snapshot(), desk.lab.refs()) == (before, refs)
    assert gated(desk.call("check"))[0]["tail"] == "4000000"


@row
def test_check_writes_repo(desk: Desk) -> None:
    """By git's variables, and by the worktree's own `.git`."""
    repo = desk.lab
    run = (
        "git add -A && git commit -q --allow-empty -m evil &&"
        " git update-ref refs/heads/main HEAD && git update-ref -d refs/tags/kept;"
        " git branch evil; git config user.name evil; git reset -q --hard HEAD^; git gc -q;"
        " git --git-dir=$(git rev-parse --git-common-dir) update-ref refs/heads/main HEAD^; true"
    )
    ready(desk, gates(a=run))
    repo.git("tag", "kept")
    before, refs = repo.snapshot(), repo.refs()
    loose = sorted(path for path in (repo.path / ".git/objects").glob("??/*"))
    env = {
        "GIT_DIR": str(repo.path / ".git"),
        "GIT_WORK_TREE": str(repo.path),
        "GIT_OBJECT_DIRECTORY": str(repo.path / ".git/objects"),
        "GIT_INDEX_FILE": str(repo.path / ".git/index"),
    }
    answer = repo.slip_json("check", env=env).json
    assert gated(answer)[0]["status"] == "green"
    after = {name: oid for name, oid in repo.refs().items() if "notes/slip" not in name}
    assert (repo.snapshot(), after) == (before, refs)
    assert sorted(path for path in (repo.path / ".git/objects").glob("??/*")) == loose
