"""`slip gc`: old closed sessions go, everything else stays, whoever works at the same time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipstream_git.gitdb import packs
from tests.children import Children, dead_pid
from tests.desk import NOW, Desk, batch, write
from tests.lab import Lab, fsck, slip_command, slip_environment

DAY_S = 86_400
OPEN, CLOSED = "refs/slip/sessions/", "refs/slip/closed/"


def closed_days_ago(desk: Desk, name: str, days: float) -> str:
    """An aborted session whose ref was written so long ago; the ref."""
    desk.begin(name)
    desk.apply(write(name, f"{name}\n" * 100), session=name)
    ref = str(desk.call("abort", session=name)["ref"])
    age(desk.lab, ref, days)
    return ref


def age(repo: Lab, ref: str, days: float) -> None:
    then = NOW - days * DAY_S
    os.utime(repo.common_dir / ref, (then, then))


@pytest.fixture
def elder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose clock stands a hundred days before."""
    monkeypatch.setattr("tests.desk.NOW", NOW - 100 * DAY_S)
    return desk


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.desk.NOW", NOW)


def test_what_is_old_goes_and_what_is_not_stays(
    elder: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, repo = elder, elder.lab
    old, recent = closed_days_ago(desk, "old", 15), closed_days_ago(desk, "recent", 13)
    desk.begin("open")
    desk.apply(write("a", "1\n"))
    before, refs = repo.snapshot(), repo.refs()
    later(monkeypatch)
    dry = desk.call("gc", dry_run=True)
    assert repo.refs() == refs
    told = desk.call("gc")
    assert told["expired"] == [{"session": "old", "ref": old, "commit": refs[old]}]
    assert dry["expired"] == told["expired"]
    assert dry["dry_run"]
    assert told["kept"] == dry["kept"] == 1
    assert repo.refs() == {ref: oid for ref, oid in refs.items() if ref != old}
    assert recent in repo.refs()
    assert repo.snapshot() == before
    assert told["bytes_after"] < told["bytes_before"]
    assert told["objects_after"] < told["objects_before"]
    assert (told["packs_before"], told["packs_after"]) == (6, 1)
    assert dry["packs_after"] == dry["packs_before"]
    again = desk.call("gc")
    assert again["expired"] == []
    assert again["bytes_before"] == again["bytes_after"] == told["bytes_after"]


@pytest.mark.parametrize(
    ("option", "setting", "gone"),
    [
        (None, None, ["a20"]), ("now", None, ["a20", "b10", "c1"]), ("5", None, ["a20", "b10"]),
        (None, "5", ["a20", "b10"]), (None, "never", []), ("never", "1", []), ("30", "1", []),
        ("0", None, ["a20", "b10", "c1"]), (None, "now", ["a20", "b10", "c1"]),
    ],
)  # fmt: skip
def test_how_old_is_asked_and_configured(
    elder: Desk,
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    setting: str | None,
    gone: list[str],
) -> None:
    for name, days in (("a20", 20), ("b10", 10), ("c1", 1)):
        closed_days_ago(elder, name, days)
    later(monkeypatch)
    if setting is not None:
        elder.lab.git("config", "slip.expire", setting)
    assert [row["session"] for row in elder.call("gc", expire=option)["expired"]] == gone


@pytest.mark.parametrize("said", ["", "soon", "-1", "1.5", "9" * 20, "2 weeks"])
def test_other_words_are_refused(desk: Desk, said: str) -> None:
    if said:
        desk.refused("usage", "gc", expire=said)
        desk.lab.git("config", "slip.expire", said)
        desk.refused("usage", "gc")


def test_a_landed_session_counts_from_its_landing(
    elder: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last commit says when, also after git has packed the refs."""
    desk = elder
    for name in ("early", "late"):
        desk.begin(name)
        desk.apply(write(name, "1\n"), session=name)
    desk.commit("early", session="early")
    later(monkeypatch)
    desk.commit("late", session="late")
    desk.lab.git("pack-refs", "--all", "--prune")
    assert [row["session"] for row in desk.call("gc")["expired"]] == ["early"]
    assert desk.lab.tree()["early"] == b"1\n"
    assert desk.call("reopen", name="late")["session"] == "late"


def test_what_expired_is_gits_to_prune(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    tip = desk.apply(write("a", "1\n"))["commit"]
    desk.call("abort")
    desk.call("gc", expire="now")
    assert repo.git("cat-file", "-t", tip) == "commit"
    repo.git("gc", "--quiet", "--prune=now")
    repo.git("cat-file", "-e", tip, expect=1)
    assert repo.refs("refs/slip/") == {}


def test_a_ref_that_holds_no_chain_is_left(desk: Desk) -> None:
    repo = desk.lab
    repo.git("update-ref", f"{CLOSED}mine/1", repo.oid("main"))
    assert desk.call("gc", expire="now")["kept"] == 1
    assert set(repo.refs("refs/slip/")) == {f"{CLOSED}mine/1"}


def test_a_locked_ref_hides_no_other(desk: Desk, children: Children) -> None:
    repo = desk.lab
    first, second = (closed_days_ago(desk, name, 20) for name in ("a", "b"))
    lock = repo.common_dir / f"{first}.lock"
    holder = children.start([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    told = desk.call("gc", expire="now")
    children.end()
    lock.unlink(missing_ok=True)
    assert [row["ref"] for row in told["expired"]] == [second]
    assert first in repo.refs()


# Touches a lock again and again, as a git does that lives.
HOLDER = """
import pathlib, sys, time
while True:
    pathlib.Path(sys.argv[1]).write_bytes(b"")
    print(flush=True)
    time.sleep(0.01)
"""


def test_what_the_dead_left_is_swept(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    dead = dead_pid()
    pack = repo.common_dir / "objects/pack"
    kept = next(pack.glob("*.pack")).with_suffix(".keep")
    kept.write_text(f"slip {dead}\n")
    temporary = pack / f".slip-{dead}-pack-x.pack.new"
    temporary.write_bytes(b"half")
    quarantine = repo.common_dir / f"slip/quarantine/{dead}-x"
    quarantine.mkdir(parents=True)
    desk.call("gc")
    assert not any(path.exists() for path in (kept, temporary, quarantine))


def test_from_the_command_line(repo: Lab) -> None:
    repo.slip("begin", "work")
    repo.slip("abort")
    assert "would expire work" in repo.slip("gc", "--expire", "now", "--dry-run").text
    assert "expired work" in repo.slip("gc", "--expire=now").text
    assert "nothing to expire" in repo.slip("gc").text
    assert repo.slip_json("gc", "--expire", "soon", expect=2).error["code"] == "usage"


WRITER = """
import json, subprocess, sys
name, command = sys.argv[1], sys.argv[2:]
for number in range(8):
    session = f"{name}-{number}"
    op = '[{"op":"write","path":"%s/%d","content":"x%d"}]' % (name, number, number)
    subprocess.run([*command, "begin", session], check=True)
    subprocess.run([*command, "apply", "-s", session, "-"], input=op.encode(), check=True)
    if number % 2:
        subprocess.run([*command, "commit", "-s", session, "-m", session], check=True)
"""


def test_amid_sessions_being_written_and_git_gc(repo: Lab, store: str, children: Children) -> None:
    """What is open stays, what landed is there; `slip gc` itself is killed now and then."""
    env = slip_environment({"SLIP_STORE": store})
    writers = [
        children.start(
            [sys.executable, "-c", WRITER, f"w{n}", *slip_command()], cwd=repo.path, env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for n in range(2)
    ]  # fmt: skip
    collected = 0
    while any(writer.poll() is None for writer in writers):
        collector = children.start(
            slip_command("--json", "gc", "--expire", "now"), cwd=repo.path, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        repo.git("gc", "--quiet", "--prune=now", expect=None)
        if collected % 3 == 2:
            collector.send_signal(signal.SIGKILL)
        out, _ = collector.communicate()
        if out:
            assert json.loads(out)["ok"], out
        collected += 1
        time.sleep(0.05)
    for writer in writers:
        _, err = writer.communicate()
        assert writer.returncode == 0, err
    repo.slip("recover")
    repo.slip("gc", "--expire", "now")
    repo.git("gc", "--quiet", "--prune=now")
    assert fsck(repo) == ""
    names = {f"w{n}-{number}" for n in range(2) for number in range(0, 8, 2)}
    assert set(repo.refs("refs/slip/")) == {f"{OPEN}{name}" for name in names}
    for name in names:
        worker, _, number = name.partition("-")
        assert repo.tree(f"{OPEN}{name}")[f"{worker}/{number}"] == f"x{number}".encode()
    landed = {f"w{n}/{number}" for n in range(2) for number in range(1, 8, 2)}
    assert landed <= set(repo.tree())
    assert len(packs.own_names(str(repo.common_dir / "objects"))) <= packs.MOST_PACKS


def test_open_sessions_are_counted_as_git_counts(desk: Desk) -> None:
    repo = desk.lab
    assert desk.call("gc")["bytes_before"] == 0
    desk.begin("work")
    desk.call("apply", ops=batch(write("a", "1\n")))
    told = desk.call("gc")
    listed = repo.git("rev-list", "--objects", f"{OPEN}work", "^main").splitlines()
    assert told["objects_after"] == len(listed)
    size = repo.git("rev-list", "--objects", "--disk-usage", f"{OPEN}work", "^main")
    assert told["bytes_after"] == int(size)
    assert Path(repo.common_dir / "slip/packing").exists()
