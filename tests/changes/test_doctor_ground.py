"""`slip doctor`, its later checks: each red for its reason, and green when its fix is typed."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from slipstream_git import addresses
from slipstream_git.changes.doctor import ground, person
from slipstream_git.gitdb import packs
from slipstream_git.workspace import Workspace, open_workspace
from tests.changes.test_doctor import NAMES, examined, intent, make_packs, mended, red, tools
from tests.desk import NOW, Desk, write
from tests.lab import Ground, Lab, Script

__all__ = ["tools"]  # a fixture


@pytest.fixture
def desk(repo: Lab) -> Desk:
    return Desk(repo, "git")


@pytest.fixture
def ws(repo: Lab) -> Workspace:
    return open_workspace(str(repo.path), os.environ, in_process=False, clock=lambda: NOW)


def fixed(desk: Desk, name: str) -> str:
    """What --fix did about the one red check, which is green then."""
    rows = desk.call("doctor", fix=True, seconds=60)["checks"]
    assert {row["status"] for row in rows} == {"ok"}, rows
    told = {row["name"]: row["fixed"] for row in rows if "fixed" in row}
    assert list(told) == [name], told
    return str(told[name])


def unfixed(desk: Desk, name: str) -> None:
    """--fix leaves alone what only a person can decide, and changes nothing."""
    before, refs = desk.lab.snapshot(), desk.lab.refs()
    rows = {row["name"]: row for row in desk.call("doctor", fix=True, seconds=60)["checks"]}
    assert rows[name]["status"] != "ok"
    assert not any("fixed" in row for row in rows.values())
    assert (desk.lab.snapshot(), desk.lab.refs()) == (before, refs)


def test_there_are_enough() -> None:
    assert len(NAMES) == len(set(NAMES)) == 29


# Who, when, with what -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["user.name", "user.email"])
def test_nobody(desk: Desk, tools: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("USER", "some body")
    desk.lab.git("config", "--global", "--unset", key)
    desk.lab.git("config", "--global", "user.useConfigOnly", "true")
    row = red(desk, "identity", "fail")
    assert row["fix"].startswith("git config user.name 'some body' && git config user.email")
    unfixed_quietly(desk, "identity")
    mended(desk, row["fix"], tools)


def unfixed_quietly(desk: Desk, name: str) -> None:
    rows = {row["name"]: row for row in desk.call("doctor", fix=True)["checks"]}
    assert rows[name]["status"] != "ok"
    assert "fixed" not in rows[name]


def test_a_commit_from_the_future(
    desk: Desk, tools: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The clock of the test is the one that is wrong; the stub that is typed sets it."""
    desk.lab.git(
        "commit", "--quiet", "--allow-empty", "-m", "later",
        env={"GIT_COMMITTER_DATE": f"{NOW + 3600} +0000"},
    )  # fmt: skip
    (tools / "timedatectl").write_text("#!/bin/sh\n")
    (tools / "timedatectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    row = red(desk, "clock", "warn")
    assert row["detail"] == "3600 s later than now: HEAD; is this clock right?"
    assert row["fix"] == "sudo timedatectl set-ntp true"
    monkeypatch.setattr("tests.desk.NOW", NOW + 3600)
    mended(desk, row["fix"], tools)


def test_sessions_from_the_future(ws: Workspace, desk: Desk) -> None:
    desk.begin("late")
    early = ws._replace(clock=lambda: NOW - 7200)
    with ws.repository:
        assert person.clock(early).detail.startswith("7200 s later than now: ")
        assert person.clock(ws).status == "ok"


def test_extras(ws: Workspace) -> None:
    """A module of that name is nowhere; half an extra is worse than none of it."""
    none = {"reading": ("no_such_module",), "mcp": ("nor_this",)}
    found = person.extras(ws, none)
    assert (found.status, found.mend) == ("warn", None)
    assert found.detail == "none is installed; missing: reading (no_such_module)"
    assert str(found.fix).endswith("-m pip install 'slipstream-git[reading]'")
    half = {"reading": ("os",), "mcp": ("os", "nor_this")}
    assert person.extras(ws, half).detail == "installed: reading; missing: mcp (nor_this)"
    assert person.extras(ws, {"reading": ("os",), "mcp": ("nor_this",)}).status == "ok"


# What it stands on --------------------------------------------------------------------------------


def test_a_file_system_that_git_takes_for_another(desk: Desk, tools: Path) -> None:
    desk.lab.git("config", "core.ignorecase", "true")
    row = red(desk, "filesystem", "warn")
    assert "tells upper from lower case, and core.ignoreCase is true" in row["detail"]
    mended(desk, row["fix"], tools)
    desk.lab.git("config", "core.ignorecase", "true")
    assert fixed(desk, "filesystem") == "git config core.ignorecase false"
    assert desk.lab.git("config", "core.ignorecase") == "false"


def test_a_disk_of_another_machine(ws: Workspace, tmp_path: Path) -> None:
    """As the kernel lists such a mount; this machine has none."""
    listed = tmp_path / "mounts"
    place = ws.repository.layout.common_dir
    row = "36 35 98:0 / {} rw,noatime master:1 - {} server:/x rw\n"
    with ws.repository:
        for kind, status in (("nfs4", "warn"), ("fuse.sshfs", "warn"), ("ext4", "ok")):
            listed.write_text(row.format("/", "ext4") + row.format(place, kind))
            assert ground.filesystem(ws, str(listed)).status == status
        listed.write_text(row.format("/", "ext4") + row.format(f"{place}x", "nfs4"))
        assert ground.filesystem(ws, str(listed)).status == "ok"
        assert ground.filesystem(ws, str(tmp_path / "none")).detail.startswith("unknown")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gc.pruneExpire", "now"),
        ("gc.reflogExpire", "all"), ("gc.reflogExpireUnreachable", "now"),
        ("core.logAllRefUpdates", "false"), ("slip.expire", "now"),
    ],
)  # fmt: skip
def test_settings_that_prune(desk: Desk, tools: Path, key: str, value: str) -> None:
    desk.lab.git("config", key, value)
    row = red(desk, "pruning", "warn")
    unfixed(desk, "pruning")
    mended(desk, row["fix"], tools)


def test_a_shallow_clone(ground: Ground, desk: Desk, tools: Path) -> None:
    desk.lab.commit({"a": "1\n"})
    place = ground.place / "shallow"
    desk.lab.git("clone", "-q", "--depth", "1", f"file://{desk.lab.path}", str(place))
    other = desk.at(ground.at(place))
    row = red(other, "clone", "warn")
    assert row["fix"] == "git fetch --unshallow"
    mended(other, row["fix"], tools)
    assert examined(other)["clone"]["detail"] == "whole"


def test_clones_that_leave_things_out(ground: Ground, desk: Desk) -> None:
    desk.lab.git("config", "uploadpack.allowFilter", "true")
    place = ground.place / "partial"
    source = f"file://{desk.lab.path}"
    desk.lab.git("clone", "-q", "--filter=blob:none", "--sparse", source, str(place))
    row = examined(desk.at(ground.at(place)))["clone"]
    assert row["status"] == "ok"
    assert "sparse" in row["detail"]
    assert "partial" in row["detail"]


def test_an_index_that_cannot_be_read(desk: Desk, tools: Path) -> None:
    place = desk.lab.git_dir / "index"
    place.write_bytes(b"garbage")
    row = red(desk, "index", "fail")
    unfixed_quietly(desk, "index")
    mended(desk, row["fix"], tools)
    assert (desk.lab.git_dir / "index.broken").read_bytes() == b"garbage"
    assert desk.lab.git("status", "--porcelain") == ""


def test_objects_borrowed_from_nowhere(desk: Desk, tools: Path) -> None:
    place = desk.lab.common_dir / "objects/info/alternates"
    place.parent.mkdir(exist_ok=True)
    place.write_text("/nowhere/objects\n")
    row = red(desk, "alternates", "fail")
    unfixed_quietly(desk, "alternates")
    mended(desk, row["fix"], tools)
    assert place.with_name("alternates.gone").exists()


def test_objects_borrowed(ground: Ground, desk: Desk) -> None:
    place = ground.place / "borrower"
    desk.lab.git("clone", "-q", "--shared", str(desk.lab.path), str(place))
    row = examined(desk.at(ground.at(place)))["alternates"]
    assert row["detail"] == f"objects are borrowed from {desk.lab.path}/.git/objects"


@pytest.mark.parametrize(
    "spec",
    [
        "+refs/notes/*:refs/notes/*",
        "+refs/*:refs/*",
        "+refs/notes/slip/memory:refs/notes/slip/memory",
    ],
)
def test_a_fetch_that_writes_over_notes(desk: Desk, tools: Path, spec: str) -> None:
    desk.lab.git("remote", "add", "origin", str(desk.lab.path))
    assert examined(desk)["remotes"]["status"] == "ok"
    desk.lab.git("config", "--add", "remote.origin.fetch", spec)
    row = red(desk, "remotes", "fail")
    unfixed(desk, "remotes")
    mended(desk, row["fix"], tools)
    left = desk.lab.git("config", "--get-all", "remote.origin.fetch")
    assert left == "+refs/heads/*:refs/remotes/origin/*"


def test_a_fetch_of_notes_that_drops_none(desk: Desk) -> None:
    desk.lab.git("remote", "add", "origin", str(desk.lab.path))
    for spec in ("refs/notes/*:refs/notes/*", "+refs/notes/*:refs/notes/origin/*"):
        desk.lab.git("config", "--add", "remote.origin.fetch", spec)
    assert examined(desk)["remotes"]["status"] == "ok"


def test_a_remote_without_an_address(desk: Desk, tools: Path) -> None:
    desk.lab.git("config", "remote.lost.fetch", "+refs/heads/*:refs/remotes/lost/*")
    mended(desk, red(desk, "remotes", "warn")["fix"], tools)


# What slip keeps ----------------------------------------------------------------------------------


def test_notes_that_are_none(desk: Desk, tools: Path) -> None:
    desk.lab.git("update-ref", "refs/notes/slip/gates", "main")
    row = red(desk, "notes", "fail")
    assert "README.md is the note of no object" in row["detail"]
    unfixed(desk, "notes")
    mended(desk, row["fix"], tools)
    assert desk.lab.refs("refs/notes/")["refs/notes/kept/slip/gates"] == desk.lab.oid("main")


def test_a_merge_of_notes_left_half_way(desk: Desk, tools: Path) -> None:
    repo = desk.lab
    for ref, text in (("slip/memory", "ours"), ("theirs", "theirs")):
        repo.git("notes", f"--ref={ref}", "add", "-m", text, "main")
    repo.git("notes", "--ref=slip/memory", "merge", "theirs", expect=1)
    row = red(desk, "notes", "warn")
    unfixed(desk, "notes")
    mended(desk, row["fix"], tools)
    assert examined(desk)["notes"]["detail"] == "1 notes in 1 refs"


def test_a_worktree_that_is_gone(ground: Ground, desk: Desk, tools: Path) -> None:
    linked = ground.linked(desk.lab)
    assert examined(desk)["worktrees"]["detail"] == "2, all in their place"
    shutil.rmtree(linked.path)
    row = red(desk, "worktrees", "warn")
    unfixed_quietly(desk, "worktrees")
    mended(desk, row["fix"], tools)


def test_a_worktree_of_a_session_that_is_no_more(desk: Desk, tools: Path) -> None:
    desk.begin("work")
    place = Path(desk.call("worktree", session="work")["worktree"])
    assert examined(desk)["worktrees"]["status"] == "ok"
    desk.call("abort", session="work")
    row = red(desk, "worktrees", "warn")
    # It may hold what is nowhere else.
    unfixed_quietly(desk, "worktrees")
    mended(desk, row["fix"], tools)
    assert not place.exists()


@pytest.mark.parametrize("kind", ["outlines.sqlite", "search/x.seg", "torn"])
def test_a_cache_that_is_broken(desk: Desk, tools: Path, kind: str) -> None:
    place = desk.lab.common_dir / "slip/index" / (kind if kind != "torn" else "outlines.sqlite")

    def damage() -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        if kind != "torn":
            place.write_bytes(b"garbage")
            return
        database = sqlite3.connect(place)
        with database:
            database.execute("create table outlines (key text primary key, data blob)")
            database.executemany(
                "insert into outlines values (?, ?)", [(n, "x" * 900) for n in range(99)]
            )
        database.close()
        data = bytearray(place.read_bytes())
        data[5000:40_000] = b"\xff" * 35_000
        place.write_bytes(data)

    damage()
    row = red(desk, "caches", "warn")
    mended(desk, row["fix"], tools)
    damage()
    assert fixed(desk, "caches") == f"removed {place}"


def test_caches_that_are_sound(desk: Desk) -> None:
    desk.call("map")
    assert desk.lab.slip("search", "x", expect=None).status in (0, 1)
    row = examined(desk)["caches"]
    assert row["status"] == "ok"


def test_a_log_of_events_that_is_none(desk: Desk, tools: Path) -> None:
    desk.begin("work")
    place = desk.lab.common_dir / "slip/events/work.jsonl"
    assert examined(desk)["events"]["detail"] != "0 events"
    with place.open("ab") as stream:
        stream.write(b"garbage\n{}\n")
    row = red(desk, "events", "warn")
    assert row["detail"] == "2 lines of work.jsonl are no events"
    unfixed_quietly(desk, "events")
    mended(desk, row["fix"], tools)
    assert place.with_name("work.jsonl.broken").exists()


def test_a_quota_that_is_used_up(desk: Desk, tools: Path) -> None:
    desk.begin("old")
    desk.apply(write("big", os.urandom(9000)), session="old")
    desk.call("abort", session="old")
    desk.lab.git("config", "slip.quota", "10000")
    row = red(desk, "quota", "warn")
    assert row["fix"] == "slip gc --expire now"
    desk.lab.git("config", "slip.quota", "9000")
    assert red(desk, "quota", "fail")["fix"] == "slip gc --expire now"
    unfixed(desk, "quota")
    mended(desk, row["fix"], tools)
    desk.lab.git("config", "slip.quota", "1k")
    desk.begin("open")
    desk.lab.git("config", "slip.quota", "100")
    mended(desk, red(desk, "quota", "fail")["fix"], tools)


def test_a_socket_that_nobody_listens_at(desk: Desk, tools: Path) -> None:
    place = Path(addresses.address(os.environ))
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def leave() -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))

    leave()
    row = red(desk, "sockets", "warn")
    mended(desk, row["fix"], tools)
    leave()
    assert fixed(desk, "sockets") == f"removed {place}"
    place.write_text("no socket")
    row = red(desk, "sockets", "warn")
    unfixed_quietly(desk, "sockets")
    mended(desk, row["fix"], tools)


def test_a_socket_where_somebody_listens(desk: Desk) -> None:
    place = Path(addresses.address(os.environ))
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        assert examined(desk)["sockets"]["detail"] == f"a server listens at {place}"
        desk.call("doctor", fix=True)
        assert place.exists()
    place.unlink()


# What the project says ----------------------------------------------------------------------------


@pytest.mark.parametrize("before", ['[gate.a]\nrun = "true"\n', None])
def test_settings_that_cannot_be_read(desk: Desk, tools: Path, before: str | None) -> None:
    if before:
        desk.lab.commit({".slip.toml": before})
    desk.lab.commit({".slip.toml": "[gates]\n"})
    found = examined(desk)
    assert {n for n, row in found.items() if row["status"] != "ok"} == {"settings"}
    if before is None:
        assert found["settings"]["fix"] is None
        desk.lab.commit({".slip.toml": None})
        desk.lab.commit({".slip.toml": "["})
    row = red(desk, "settings", "fail")
    unfixed(desk, "settings")
    mended(desk, row["fix"], tools)
    assert desk.lab.tree().get(".slip.toml") == (before.encode() if before else None)


def test_a_gate_without_its_program(
    desk: Desk, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.lab.commit({".slip.toml": '[gate.a]\nrun = "cd src && X=1 no-such-tool -q"\n'})
    row = red(desk, "gates", "warn")
    assert row["detail"] == "gate a: no-such-tool is not on the PATH"
    assert row["fix"] is None
    (tools / "no-such-tool").write_text("#!/bin/sh\n")
    (tools / "no-such-tool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert examined(desk)["gates"]["detail"] == "2 programs, all there"


def test_a_gate_whose_script_is_not_executable(desk: Desk, tools: Path) -> None:
    desk.lab.commit({".slip.toml": '[gate.a]\nrun = "./t/run.sh"\n', "t/run.sh": "#!/bin/sh\n"})
    row = red(desk, "gates", "warn")
    unfixed(desk, "gates")
    mended(desk, row["fix"], tools)
    assert desk.lab.entries()["t/run.sh"][0] == "100755"


@pytest.mark.parametrize("run", ["./gone.sh", "/nowhere/tool", "node_modules/.bin/lint"])
def test_gates_of_paths(desk: Desk, run: str) -> None:
    share = '\n[pool]\nshare = ["node_modules"]\n'
    desk.lab.commit({".slip.toml": f'[gate.a]\nrun = "{run}"\n{share}', ".gitignore": "node_*\n"})
    assert run in red(desk, "gates", "warn")["detail"]
    if run.startswith("node"):
        desk.lab.write(run, Script(b"#!/bin/sh\n"))
        assert examined(desk)["gates"]["status"] == "ok"


# --fix, of checks that were there before ----------------------------------------------------------


def test_a_landing_that_died_is_finished(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1\n"))
    old, tip = desk.lab.oid("main"), desk.lab.oid("refs/slip/sessions/work")
    intent(
        desk.lab, "0123456789abcdef.json",
        '{"format":1,"id":"0123456789abcdef","pid":1,"at_s":1,"worktrees":[],"placements":[],'
        f'"branch":"refs/heads/main","old_head":"{old}","new_commit":"{tip}","sessions":[],'
        '"with_index":true}',
    )  # fmt: skip
    assert fixed(desk, "intents").startswith("recovered ")


def test_packs_are_merged_and_no_session_goes(desk: Desk) -> None:
    desk.begin("old")
    desk.apply(write("a", "1\n"))
    desk.call("abort", session="old")
    desk.lab.git("config", "slip.expire", "0")
    make_packs(desk.lab, packs.MOST_PACKS + 1)
    closed = desk.lab.refs("refs/slip/closed/")
    assert fixed(desk, "packs").startswith("packs of slip's own: ")
    assert desk.lab.refs("refs/slip/closed/") == closed != {}


def test_a_broken_object_with_a_sound_copy(desk: Desk) -> None:
    oid = desk.lab.oid("main:README.md")
    desk.lab.git("repack", "-q", "-a")
    place = desk.lab.common_dir / "objects" / oid[:2] / oid[2:]
    place.chmod(0o644)
    place.write_bytes(b"x")
    assert fixed(desk, "objects") == f"removed {place}"
    assert desk.lab.tree()["README.md"]


def test_a_broken_object_without_one_is_left(desk: Desk) -> None:
    oid = desk.lab.oid("main:README.md")
    place = desk.lab.common_dir / "objects" / oid[:2] / oid[2:]
    place.chmod(0o644)
    place.write_bytes(b"x")
    unfixed_quietly(desk, "objects")
    assert place.read_bytes() == b"x"
    desk.lab.damaged = True


def test_fix_says_what_it_did(desk: Desk) -> None:
    desk.lab.git("config", "core.ignorecase", "true")
    text = desk.lab.slip("doctor", "--fix").text
    assert "ok   filesystem: " in text
    assert "\n     did: git config core.ignorecase false\n" in text


def test_a_fix_that_fails_hides_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.lab.git("config", "core.ignorecase", "true")
    (desk.lab.common_dir / "config.lock").write_bytes(b"")
    rows = {row["name"]: row for row in desk.call("doctor", fix=True)["checks"]}
    assert rows["filesystem"]["status"] == "warn"
    assert "--fix could not mend it" in rows["filesystem"]["detail"]
    (desk.lab.common_dir / "config.lock").unlink()
