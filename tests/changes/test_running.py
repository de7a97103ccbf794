"""`slip run`: the session's files, the command's own exit status, and nothing left behind."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import signal
import time
from pathlib import Path

import pytest

from slipstream_git.changes import closing, running, sessions
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import foreground
from slipstream_git.workspace import open_workspace
from tests.children import Children, is_gone
from tests.desk import Desk, Free, Json, delete, replace, write
from tests.lab import Ground, Lab, Link, Script, slip_command, slip_environment, typed


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.lab.commit({"f": "one\ntwo\nthree\nfour\nfive\n", "d/g": "g\n", ".gitignore": "*.o\n"})
    desk.begin("s")
    desk.apply(replace("f", "two", "2"), write("new", "n\n"), delete("README.md"))
    return desk


def ran(desk: Desk, script: str, **values: Free) -> Json:
    return desk.call("run", command=("sh", "-ec", script), **values)


def captured(desk: Desk, script: str) -> dict[str, str]:
    """The status letter of each path that a script's step changes."""
    answer = desk.call("run", command=("sh", "-ec", script), capture=True)
    assert answer["exit"] == 0, answer
    return {change["path"]: change["status"] for change in answer["captured"]["changes"]}


def wait_for(path: Path, *, deadline_s: float = 30) -> str:
    """What a file holds, as soon as it holds a line."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text().strip()
        time.sleep(0.01)
    raise AssertionError(f"{path} was not written")


# What the command sees ---------------------------------------------------------------------------


def test_it_sees_the_sessions_files_and_the_users_are_left_alone(ready: Desk) -> None:
    repo = ready.lab
    repo.write("f", "mine\n")
    before = repo.snapshot()
    tip = repo.refs("refs/slip/")
    said = repo.slip(
        "run", "--", "sh", "-c",
        "cat f new; ls; git diff --name-status HEAD; echo $SLIP_SESSION; env | grep ^GIT_DIR;"
        "git commit -qam mine; git rev-parse --abbrev-ref HEAD; rm -r d; echo x > f",
    ).text.splitlines()  # fmt: skip
    assert said[:6] == ["one", "2", "three", "four", "five", "n"]
    assert said[6:] == ["d", "f", "new", "src", "D\tREADME.md", "M\tf", "A\tnew", "s", "HEAD"]
    assert repo.snapshot() == before
    assert repo.refs("refs/slip/") == tip


def test_the_diff_is_the_sessions_own_when_the_branch_has_moved(ready: Desk) -> None:
    ready.lab.commit({"other": "x\n"})
    said = ready.lab.slip("run", "--", "git", "diff", "--name-only", "HEAD").text
    assert said.split() == ["README.md", "f", "new"]


def test_streams_are_the_callers_own(ready: Desk) -> None:
    repo = ready.lab
    reply = repo.slip("run", "--", "sh", "-c", "cat; echo no >&2", stdin=b"in\0\xff")
    assert (reply.out, reply.err) == (b"in\0\xff", b"no\n")
    reply = repo.slip_json("run", "--", "echo", "--json")
    assert (reply.err, reply.json["exit"]) == (b"--json\n", 0)
    assert repo.slip("run", "--", "echo", "--json", "-C", "--").out == b"--json -C --\n"
    reply = repo.slip("run", "--capture", "--", "sh", "-c", "echo out; echo x > x")
    assert (reply.out, b"A x +1 -0" in reply.err) == (b"out\n", True)


def test_its_exit_status_is_slips(ready: Desk) -> None:
    repo = ready.lab
    for status in (1, 2, 42, 255):
        repo.slip("run", "--", "sh", "-c", f"exit {status}", expect=status)
    repo.slip("run", "--", "sh", "-c", "kill -TERM $$", expect=143)
    repo.slip("run", "--", "./f", expect=126)
    assert repo.slip("--json", "run", "--", "false", expect=1).json["exit"] == 1
    refused = repo.slip_json("run", "--timeout", "x", "--", "true", expect=2)
    assert refused.error["code"] == "usage"
    repo.slip_json("run", expect=2)


def test_a_command_that_is_not_found_is_127_and_pool_is_advised(ready: Desk) -> None:
    repo = ready.lab
    repo.write("node_modules/.bin/lint", Script(b"#!/bin/sh\necho fine\n"))
    reply = repo.slip("run", "--", "node_modules/.bin/lint", expect=127)
    assert b"node_modules/.bin/lint: command not found" in reply.err
    assert b'share = ["node_modules"]' in reply.err
    # A shell in between, whose words are not ours to read.
    reply = repo.slip_json("run", "--", "true")
    assert "settings" not in reply.json
    shell = repo.slip("--json", "run", "--", "sh", "-c", "node_modules/.bin/lint", expect=127)
    assert shell.json["settings"] == ["[pool]", 'share = ["node_modules"]']
    repo.commit({".slip.toml": '[pool]\nshare = ["node_modules"]\n'})
    assert repo.slip("run", "--", "node_modules/.bin/lint").out == b"fine\n"


def test_every_sort_of_repository(ground: Ground, store: str) -> None:
    bare = Desk(ground.bare(), store)
    bare.begin("s")
    assert captured(bare, "echo x > x; rm README.md") == {"README.md": "D", "x": "A"}
    unborn = Desk(ground.unborn(), store)
    unborn.begin("s")
    assert captured(unborn, "git status; echo x > x; git add x; git commit -qm x") == {"x": "A"}
    assert unborn.lab.refs("refs/heads/") == {}
    assert captured(unborn, "test -e x; git log 2>&1 && exit 1; echo y > y") == {"y": "A"}
    detached = Desk(ground.detached(), store)
    detached.begin("s")
    assert captured(detached, "git rm -q README.md") == {"README.md": "D"}
    linked = Desk(ground.linked(ground.repository("main")), store)
    linked.begin("s")
    assert captured(linked, "echo x > x") == {"x": "A"}


# What it changes ---------------------------------------------------------------------------------


def test_what_it_changes_is_one_step_as_git_add_stores_it(ready: Desk) -> None:
    script = (
        "echo 6 >> f; rm -r d; chmod +x new; echo out > x.o; mkdir -p gen/a; echo a > gen/a/b;"
        "ln -s f link; mkdir src2; touch src/app.py"
    )
    assert captured(ready, script) == {
        "d/g": "D",
        "f": "M",
        "gen/a/b": "A",
        "link": "A",
        "new": "M",
    }
    ready.call("commit", message=("land",))
    tree, entries = ready.lab.tree(), ready.lab.entries()
    assert tree["f"] == b"one\n2\nthree\nfour\nfive\n6\n"
    assert (tree["link"], entries["link"][0], entries["new"][0]) == (b"f", "120000", "100755")
    assert not {"d/g", "x.o", "README.md"} & tree.keys()


def test_the_step_is_a_run_that_undo_takes_back(ready: Desk) -> None:
    answer = ready.call(
        "run", command=("sh", "-c", "echo x > x"), capture=True, group="one", agent="me"
    )
    step = ready.call("log")["steps"][-1]
    assert [step[key] for key in ("op", "group", "agent", "paths")] == ["run", "one", "me", ["x"]]
    oid = ready.lab.entries(answer["captured"]["tree"])["x"][1]
    shown = ready.call("show", step="2")
    assert shown["ops"] == [{"op": "run", "path": "x", "oid": oid, "mode": "100644"}]
    ready.call("undo")
    assert ready.call("status")["tree"] == answer["tree"]
    # What it made is no version of the user's: an untracked x stays in a landing's way.
    ready.call("redo")
    ready.lab.write("x", "mine\n")
    ready.commit_refused("dirty")


def test_nothing_changed_is_no_step(ready: Desk) -> None:
    answer = ready.call("run", command=("touch", "f", "x.o"), capture=True)
    assert (answer["captured"]["unchanged"], answer["captured"]["step"]) == (True, 1)


def test_a_command_that_fails_changes_nothing(ready: Desk) -> None:
    tip = ready.call("status")["tip"]
    answer = ran(ready, "echo x > x; exit 3", capture=True)
    assert (answer["exit"], answer["dropped"], "captured" in answer) == (3, True, False)
    assert ready.call("status")["tip"] == tip
    assert captured(ready, "test ! -e x; echo y > y") == {"y": "A"}


def test_a_formatter(desk: Desk) -> None:
    desk.lab.commit({f"m{n}.py": f"x={{'a':{n}}}\n" for n in range(4)})
    desk.begin("s")
    tool = (
        "import pathlib\n"
        "for p in pathlib.Path().glob('*.py'):\n"
        "    t = p.read_text(); p.write_text(t.replace('=', ' = ').replace(':', ': '))\n"
    )
    answer = desk.call("run", command=("python3", "-c", tool), capture=True)
    assert [c["path"] for c in answer["captured"]["changes"]] == [f"m{n}.py" for n in range(4)]
    again = desk.call("run", command=("cat", "m3.py"))
    assert again["exit"] == 0
    assert desk.lab.tree(answer["captured"]["tree"])["m3.py"] == b"x = {'a': 3}\n"


def test_make(desk: Desk) -> None:
    makefile = "out: in\n\ttr a-z A-Z < in > out; echo made >> count\n"
    desk.lab.commit({"Makefile": makefile, "in": "abc\n", ".gitignore": "count\n"})
    desk.begin("s")
    command = ("make", "-s", "out")
    assert (
        desk.call("run", command=command, capture=True)["captured"]["changes"][0]["path"] == "out"
    )
    # Ignored files are found again, and what is up to date is not made twice.
    assert desk.call("run", command=command)["exit"] == 0
    assert captured(desk, "cp count counted") == {"counted": "A"}
    assert desk.lab.tree("refs/slip/sessions/s")["counted"] == b"made\n"


def test_what_it_did_to_the_index_does_not_count(ready: Desk) -> None:
    script = (
        "git update-index --assume-unchanged f; echo 6 >> f; git rm -q --cached d/g; echo h > d/g;"
        "echo x > x; git add x; echo y > y; git add y; git commit -qm mine; echo out > x.o;"
        "git add -f x.o; git checkout -q -b side"
    )
    assert captured(ready, script) == {"d/g": "M", "f": "M", "x": "A", "y": "A"}
    assert ready.call("run", command=("git", "diff", "--exit-code"))["exit"] == 0


def test_filters_and_line_ends(desk: Desk) -> None:
    repo = desk.lab
    repo.git("config", "filter.up.clean", "tr a-z A-Z")
    repo.git("config", "filter.up.smudge", "tr A-Z a-z")
    repo.commit({".gitattributes": "*.up filter=up\n*.txt text eol=crlf\n", "a.up": "ABC\n"})
    desk.begin("s")
    assert captured(desk, "grep abc a.up; echo def > b.up; printf 'x\\r\\n' > c.txt") == {
        "b.up": "A",
        "c.txt": "A",
    }
    tree = repo.tree("refs/slip/sessions/s")
    assert (tree["a.up"], tree["b.up"], tree["c.txt"]) == (b"ABC\n", b"DEF\n", b"x\n")


def test_shared_directories_are_never_captured(ready: Desk) -> None:
    repo = ready.lab
    # The project un-ignores it, which is stronger than what slip has git ignore.
    repo.commit({".slip.toml": '[pool]\nshare = ["tools"]\n'})
    repo.write("tools/t", "1\n")
    ready.apply(write(".gitignore", "!tools\n"))
    assert captured(ready, "cat tools/t; echo 2 > tools/t; echo x > x") == {"x": "A"}
    assert repo.read("tools/t") == b"2\n"
    assert captured(ready, "rm tools; mkdir tools; echo 3 > tools/t; echo y > y") == {"y": "A"}
    assert repo.read("tools/t") == b"2\n"


def test_a_nested_repository_is_not_captured(ready: Desk) -> None:
    script = "git init -q nested; echo x > nested/x; echo y > y"
    answer = ran(ready, script, capture=True)
    assert [change["path"] for change in answer["captured"]["changes"]] == ["y"]
    assert answer["not_captured"] == ["nested/"]
    assert captured(ready, "test ! -e nested; echo z > z") == {"z": "A"}


@pytest.fixture
def beside_submodule(ground: Ground, store: str) -> Desk:
    """A session in a repository with a submodule at `lib`, that has its commits from a file."""
    desk = Desk(ground.holding_submodule(), store)
    desk.begin("s")
    return desk


def test_what_is_left_in_a_submodules_directory_goes_and_is_told(beside_submodule: Desk) -> None:
    desk = beside_submodule
    answer = ran(desk, "echo x > lib/x; mkdir lib/d; echo y > lib/d/y; echo z > z", capture=True)
    assert [change["path"] for change in answer["captured"]["changes"]] == ["z"]
    assert answer["not_captured"] == ["lib"]
    answer = ran(desk, 'test -d lib; test -z "$(ls -A lib)"', capture=True)
    assert (answer["exit"], "not_captured" in answer) == (0, False)
    script = (
        "git init -q lib; cd lib; git -c user.name=x -c user.email=x commit -qm x --allow-empty"
    )
    assert ran(desk, f"{script}; echo x > x", capture=True)["not_captured"] == ["lib"]
    assert ran(desk, 'test -z "$(ls -A lib)"')["exit"] == 0
    told = desk.lab.slip("run", "--capture", "--", "sh", "-c", "echo x > lib/x")
    assert b"not captured" in told.err
    assert b"lib\n" in told.err


def test_nothing_is_removed_behind_a_link(beside_submodule: Desk, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/x").write_text("mine\n")
    ran(beside_submodule, f"rm -r lib; ln -s {tmp_path}/mine lib")
    assert ran(beside_submodule, "test -d lib; test ! -e lib/x")["exit"] == 0
    assert (tmp_path / "mine/x").read_text() == "mine\n"


def test_a_submodule_that_a_set_up_checked_out_is_restored(
    beside_submodule: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = beside_submodule
    for number, (key, value) in enumerate(
        {"protocol.file.allow": "always", "advice.detachedHead": "false"}.items()
    ):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    setup = "git submodule --quiet update --init"
    desk.lab.commit({".slip.toml": f'[pool]\nsetup = "{setup}"\n'})
    script = (
        "git -C lib rev-parse HEAD; echo 1 > lib/README.md; echo x > lib/x;"
        "git -C lib -c user.name=x -c user.email=x commit -qam mine; echo y > lib/README.md"
    )
    answer = ran(desk, script, capture=True)
    assert (answer["exit"], answer["not_captured"]) == (0, ["lib"])
    before = desk.lab.entries()["lib"][1]
    again = f'test $(git -C lib rev-parse HEAD) = {before}; test -z "$(git -C lib status --short)"'
    assert ran(desk, again)["exit"] == 0


def test_what_the_session_may_not_touch_is_refused(desk: Desk) -> None:
    desk.begin("s", allow=("src/**",))
    tip = desk.call("status")["tip"]
    script = ("sh", "-c", "echo x > src/x; echo y > y")
    desk.refused("path-denied", "run", command=script, capture=True)
    assert desk.call("status")["tip"] == tip
    assert captured(desk, "echo x > src/x") == {"src/x": "A"}


# Others at the same time -------------------------------------------------------------------------


def test_slip_works_inside(ready: Desk) -> None:
    """No lock is held, and what it staged there is merged with what the command changed."""
    repo = ready.lab
    nested = " ".join(slip_command("sub", "three", "3"))
    inner = " ".join(slip_command("run", "--", "cat", "f"))
    reply = repo.slip("run", "--capture", "--", "sh", "-c", f"{nested}; {inner}; echo x > x")
    assert b"one\n2\n3\nfour\nfive\n" in reply.out
    assert repo.tree("refs/slip/sessions/s")["f"] == b"one\n2\n3\nfour\nfive\n"
    assert repo.tree("refs/slip/sessions/s")["x"] == b"x\n"


def test_landing_inside(ready: Desk) -> None:
    land = " ".join(slip_command("commit", "-m", "land"))
    ready.lab.slip("run", "--", "sh", "-c", land)
    assert ready.lab.tree()["new"] == b"n\n"
    assert ready.lab.git("status", "--porcelain") == ""
    refused = ready.lab.slip_json(
        "begin", "again"
    )  # what it was run for is closed; another can be begun
    assert refused.json["session"] == "again"


def test_a_conflict_with_the_session_keeps_what_was_made(ready: Desk) -> None:
    repo = ready.lab
    nested = " ".join(slip_command("sub", "three", "3"))
    script = f"{nested}; sed -i s/three/drei/ f; echo kept > kept"
    reply = repo.slip_json("run", "--capture", "--", "sh", "-c", script, expect=3)
    assert reply.error["data"]["files"][0]["path"] == "f"
    assert "three" not in repo.tree("refs/slip/sessions/s")["f"].decode()
    made = repo.tree(reply.error["data"]["tree"])
    assert (made["kept"], made["f"]) == (b"kept\n", b"one\n2\ndrei\nfour\nfive\n")
    assert reply.error["hint"].startswith("slip run -s s --capture -- sh -c ")


def test_a_session_closed_meanwhile(ready: Desk) -> None:
    abort = " ".join(slip_command("abort"))
    error = closed_meanwhile(ready.lab, abort)
    assert error["data"]["ref"] == "refs/slip/closed/s/2"
    assert ready.lab.tree(error["data"]["tree"])["x"] == b"x\n"
    typed(error["hint"], ready.lab.path)
    assert (ready.call("status")["tip"], ready.call("log")["steps"][-1]["op"]) == (
        error["data"]["commit"],
        "run",
    )
    ready.call("commit", message=("land",))
    assert ready.lab.tree()["x"] == b"x\n"


def closed_meanwhile(repo: Lab, deed: str) -> Json:
    """The error of a command that does away with its session, and makes a file."""
    script = f"{deed}; echo x > x"
    reply = repo.slip_json("run", "-s", "s", "--capture", "--", "sh", "-c", script, expect=1)
    assert reply.error["code"] == "session-missing"
    return reply.error


def test_a_session_that_landed_meanwhile(ready: Desk) -> None:
    error = closed_meanwhile(ready.lab, shlex.join(slip_command("commit", "-m", "land")))
    assert "it landed as" in error["message"]
    typed(error["hint"], ready.lab.path)
    ready.call("commit", message=("more",))
    assert (ready.lab.tree()["x"], ready.lab.tree()["new"]) == (b"x\n", b"n\n")


def test_a_session_whose_ref_was_deleted_meanwhile(ready: Desk) -> None:
    error = closed_meanwhile(ready.lab, "git update-ref -d refs/slip/sessions/s")
    assert error["hint"] == "slip reopen s@1"
    typed(error["hint"], ready.lab.path)
    assert ready.call("read", paths=("x",))["files"][0]["text"] == "x\n"


def test_no_ref_is_made_for_a_chain_of_which_parts_are_gone(ready: Desk) -> None:
    ws = open_workspace(str(ready.lab.path), os.environ, in_process=False)
    with ws.repository:
        session = sessions.load(ws, "s")
        ready.lab.git("update-ref", "-d", session.ref)
        assert closing.keep(ws, session) == "s@1"
        ready.lab.git("update-ref", "-d", "refs/slip/closed/s/1")
        ready.lab.git("gc", "--quiet", "--prune=now")
        assert closing.keep(ws, session) is None
    assert ready.lab.refs("refs/slip/") == {}


def test_a_session_whose_name_is_anothers_by_now(ready: Desk) -> None:
    again = "; ".join(map(shlex.join, (slip_command("abort"), slip_command("begin", "s"))))
    error = closed_meanwhile(ready.lab, again)
    assert ready.call("status", session="s")["steps"] == 0
    typed(error["hint"], ready.lab.path)
    changes = ready.call("status", session="s")["changes"]
    assert [change["path"] for change in changes] == ["x"]


# The end -----------------------------------------------------------------------------------------


def test_a_time_limit_ends_the_whole_group(ready: Desk, tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; trap '' TERM; sleep 600"
    began = time.monotonic()
    reply = ready.lab.slip(
        "--json", "run", "--capture", "--timeout", "1", "--", "sh", "-c", script, expect=124
    )
    assert time.monotonic() - began < 60
    assert (reply.json["timed_out"], reply.json["dropped"]) == (True, True)
    assert is_gone(wait_for(tmp_path / "pid"))


def test_ctrl_c_reaches_it_and_leaves_no_process(
    ready: Desk, children: Children, tmp_path: Path
) -> None:
    script = (
        f"trap 'echo int > {tmp_path}/int; exit 0' INT; sleep 600 & echo $! > {tmp_path}/pid; wait"
    )
    tip = ready.call("status")["tip"]
    command = slip_command("run", "--capture", "--", "sh", "-c", f"echo x > x; {script}")
    # Whoever runs the tests may have had the signal ignored.
    slip = children.start(
        ["env", "--default-signal=INT", *command], cwd=ready.lab.path, env=slip_environment()
    )
    pid = wait_for(tmp_path / "pid")
    os.kill(slip.pid, signal.SIGINT)
    assert slip.wait(30) == 130
    assert wait_for(tmp_path / "int") == "int"
    assert is_gone(pid)
    assert ready.call("status")["tip"] == tip


def test_killed_slip_leaves_neither_process_nor_lock(
    ready: Desk, children: Children, tmp_path: Path
) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; echo x > x; sleep 600"
    slip = ready.lab.start(children, "run", "--capture", "--", "sh", "-c", script)
    pid = wait_for(tmp_path / "pid")
    slip.kill()
    slip.wait()
    assert is_gone(pid)
    # The slot is the same one, and as good as new.
    with (ready.lab.git_dir / "slip/pool/1/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert captured(ready, "test ! -e x; pwd; echo y > y") == {"y": "A"}
    assert [p.name for p in (ready.lab.git_dir / "slip/pool").iterdir()] == ["1"]


def test_what_it_left_running_is_ended(ready: Desk, tmp_path: Path) -> None:
    began = time.monotonic()
    ran(ready, f"sleep 600 & echo $! > {tmp_path}/pid")
    assert time.monotonic() - began < 60
    assert is_gone(wait_for(tmp_path / "pid"), deadline_s=1)


def test_a_daemon_holds_nobody_up(ready: Desk, tmp_path: Path) -> None:
    """It made itself a session of its own: it lives, but keeps neither the slot nor us."""
    ran(ready, f"setsid sh -c 'echo $$ > {tmp_path}/pid; sleep 600' & sleep 0.2")
    pid = wait_for(tmp_path / "pid")
    try:
        assert not is_gone(pid, deadline_s=0.1)
        ran(ready, "true")
        assert [p.name for p in (ready.lab.git_dir / "slip/pool").iterdir()] == ["1"]
    finally:
        os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize(
    "ruin",
    [
        "rm -rf * .git* .slip*",
        "rm .git; mkdir .git",
        "rm .git; git init -q .",
        "cd ..; rm -rf tree; ln -s $HOME tree",
        "cd ..; rm -rf tree git",
        "rm ../git/index; echo bad > ../index; echo bad > ../git/HEAD",
        "mkdir -p x/y; chmod 0 x; chmod 0 d",
        "mkdir ../git/index.lock; git config --worktree x.y z; echo f > ../git/MERGE_HEAD",
    ],
)
def test_a_ruined_slot_is_put_right(ready: Desk, home: Path, ruin: str) -> None:
    (home / "mine").write_text("mine\n")
    assert ran(ready, f"({ruin}) || true")["exit"] == 0
    answer = ready.call("run", command=("true",), capture=True)
    assert answer["captured"]["unchanged"] is True, answer
    assert ran(ready, "test -e f && test -e d/g && git diff --exit-code")["exit"] == 0
    assert (home / "mine").read_text() == "mine\n"


def test_runs_leave_slots_to_hooks(ready: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipstream_git.gitdb.pool.SLOTS_FOR_LONG", 0)
    monkeypatch.setattr("slipstream_git.gitdb.pool.PATIENCE_S", 0.1)
    assert "in use" in ready.refused("locked", "run", command=("true",)).message


# On a terminal -----------------------------------------------------------------------------------


def on_a_terminal(repo: Lab, script: str, *keys: tuple[bytes, bytes]) -> tuple[int, bytes]:
    """A script in `slip run` on a terminal: each key is typed once its prompt has been printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(repo.path)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvpe(  # noqa: S606
            *(slip_command()[0], slip_command("run", "--", "sh", "-c", script), slip_environment())
        )
    said = b""
    waiting = list(keys)
    end = time.monotonic() + 60
    try:
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                said += os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
            if waiting and waiting[0][0] in said:
                time.sleep(0.3)  # a shell that is just about to start a program may miss Ctrl-C
                os.write(terminal, waiting.pop(0)[1])
        else:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def test_a_command_may_ask_the_person(ready: Desk) -> None:
    status, said = on_a_terminal(
        ready.lab, "echo ready; read a; echo got $a", (b"ready", b"word\n")
    )
    assert (status, b"got word" in said) == (0, True), said


def test_ctrl_c_on_a_terminal(ready: Desk) -> None:
    """Before the command has asked for the terminal, slip passes it on; afterwards it gets it."""
    status, said = on_a_terminal(ready.lab, "echo ready; sleep 600", (b"ready", b"\x03"))
    assert status == 130, said
    script = "echo ready; read a; echo asked; sleep 600"
    status, said = on_a_terminal(ready.lab, script, (b"ready", b"x\n"), (b"asked", b"\x03"))
    assert status == 130, said


# Words -------------------------------------------------------------------------------------------


def test_an_interrupt_is_not_forgotten_when_the_command_ends_well(
    ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> foreground.Ended:
        raise KeyboardInterrupt

    monkeypatch.setattr(foreground, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ran(ready, "true", capture=True)
    assert running.TIMED_OUT == 124


def test_an_arguments_limit_is_no_fault_of_slips(ready: Desk) -> None:
    answer = ready.call("run", command=("true", "x" * (1 << 20)))
    assert answer["exit"] == running.NOT_RUN
    with pytest.raises(SlipError):
        ready.call("run", command=("true",), session="absent")


def test_links_are_links(ready: Desk) -> None:
    ready.lab.commit({"l": Link("f")})
    ready.begin("t")
    answer = ready.call("run", command=("ln", "-sf", "new", "l"), capture=True, session="t")
    assert ready.lab.tree(answer["captured"]["tree"])["l"] == b"new"
