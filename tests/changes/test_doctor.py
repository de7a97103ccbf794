"""`slip doctor`: each check goes red for its reason, and green again when its fix is typed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slipstream_git.changes.doctor import examination, storing
from slipstream_git.gitdb import loose, packs
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.text.objectid import object_id
from slipstream_git.workspace import Workspace, open_workspace
from tests.children import dead_pid
from tests.desk import NOW, Desk, Json, close_all, write
from tests.lab import Ground, Lab, Script, slip_environment

NAMES = [*examination.CHECKS, "objects"]


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for the PATH with `slip` in it, and a `sudo` that changes nothing."""
    place = tmp_path_factory.mktemp("tools")
    slip = f'#!/bin/sh\nexec "{sys.executable}" -P -m slipstream_git "$@"\n'
    for name, text in (("slip", slip), ("sudo", '#!/bin/sh\nexec "$@"\n')):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    return place


def examined(desk: Desk, **values: int) -> dict[str, Json]:
    rows = desk.call("doctor", seconds=values.get("seconds", 60))["checks"]
    assert [row["name"] for row in rows] == NAMES
    for row in rows:
        assert set(row) == {"name", "status", "detail", "fix"}
        assert row["status"] in ("ok", "warn", "fail")
        assert row["status"] != "ok" or row["fix"] is None
        assert "\n" not in row["detail"]
        assert row["detail"]
    return {row["name"]: row for row in rows}


def red(desk: Desk, name: str, status: str, **values: int) -> Json:
    """The one check that is not ok; what it found."""
    found = examined(desk, **values)
    assert {n for n, row in found.items() if row["status"] != "ok"} == {name}, found
    assert found[name]["status"] == status
    return found[name]


def mended(desk: Desk, fix: str, tools: Path) -> None:
    """Type the fix; everything is green then."""
    env = slip_environment({"PATH": f"{tools}:{os.environ['PATH']}"})
    done = subprocess.run(
        ["sh", "-c", fix], cwd=desk.lab.path, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, (fix, done.stderr)
    assert {row["status"] for row in examined(desk).values()} == {"ok"}, examined(desk)


@pytest.fixture
def work(desk: Desk) -> Desk:
    """A session, a landed one and an aborted one."""
    for name in ("landed", "aborted", "work"):
        desk.begin(name)
        desk.apply(write(name, "1\n"), session=name)
    desk.commit("land", session="landed")
    desk.call("abort", session="aborted")
    return desk


def test_a_sound_repository_is_green(work: Desk) -> None:
    before, refs = work.lab.snapshot(), work.lab.refs()
    found = examined(work)
    assert {row["status"] for row in found.values()} == {"ok"}
    assert "git version" in found["git"]["detail"]
    assert (work.lab.snapshot(), work.lab.refs()) == (before, refs)


@pytest.mark.parametrize("kind", ["bare", "unborn", "detached"])
def test_repositories_of_every_kind(ground: Ground, store: str, kind: str) -> None:
    desk = Desk(getattr(ground, kind)(), store)
    assert {row["status"] for row in examined(desk).values()} == {"ok"}


def test_exit_status_and_text(repo: Lab) -> None:
    hook = repo.common_dir / "hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    reply = repo.slip("doctor")
    assert f"warn hooks: git ignores pre-commit: not executable\n     try: chmod +x {hook}" in (
        reply.text
    )
    assert repo.slip_json("doctor").json["checks"]


# Where things are stored --------------------------------------------------------------------------


def other_git(tools: Path, case: str) -> dict[str, str]:
    """The real git behind a script that does otherwise in one case."""
    real = shutil.which("git")
    script = f'#!/bin/sh\nfor word; do case "$word" in {case} esac; done\nexec {real} "$@"\n'
    (tools / "git").write_text(script)
    (tools / "git").chmod(0o755)
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


def test_a_git_that_cannot_merge(desk: Desk, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = 'merge-tree) echo "usage: no such option" >&2; exit 129;;'
    monkeypatch.setenv("PATH", other_git(tools, case)["PATH"])
    row = red(desk, "git", "fail")
    assert "cannot merge trees" in row["detail"]
    (tools / "git").unlink()
    close_all()  # (a server goes on with the git that it has found)
    mended(desk, row["fix"], tools)


def test_a_git_that_is_too_old_is_refused_as_everywhere(repo: Lab, tools: Path) -> None:
    tells = """'{"event":"version","exe":"2.37.1"}'"""
    env = other_git(tools, f"rev-parse) echo {tells} >&2; unset GIT_TRACE2_EVENT;;")
    assert repo.slip_json("doctor", expect=1, env=env).error["code"] == "unsupported"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_user(desk: Desk, tools: Path) -> None:
    repo = desk.lab
    repo.git("config", "--global", "safe.directory", "*")
    os.chown(repo.common_dir, 12345, 12345)
    os.chown(repo.path, 12345, 12345)
    row = red(desk, "ownership", "warn")
    assert "12345" in row["detail"]
    os.chown(repo.path, 0, 0)
    mended(desk, row["fix"], tools)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_is_not_writable(desk: Desk) -> None:
    place = desk.lab.common_dir / "objects/pack"
    place.chmod(0o555)
    row = red(desk, "ownership", "fail")
    assert str(place) in row["detail"]
    place.chmod(0o755)


@pytest.fixture
def ws(repo: Lab) -> Workspace:
    return open_workspace(str(repo.path), os.environ, in_process=False, clock=lambda: NOW)


def test_a_disk_that_is_nearly_full(ws: Workspace) -> None:
    """A disk of any size is too small for some."""
    with ws.repository:
        assert storing.disk(ws, little=1 << 60, too_little=0).status == "warn"
        verdict = storing.disk(ws, little=1 << 60, too_little=1 << 60)
        assert verdict.status == "fail"
        assert verdict.fix
        assert storing.disk(ws, little=0).status == "ok"


def make_packs(repo: Lab, count: int) -> None:
    for number in range(count):
        data = b"%d" % number
        item = {object_id("blob", data): RawObject("blob", data)}
        packs.publish(str(repo.common_dir / "objects"), item).release()


def test_many_packs_of_slips_own(desk: Desk, tools: Path) -> None:
    make_packs(desk.lab, packs.MOST_PACKS + 1)
    row = red(desk, "packs", "warn")
    assert f"{packs.MOST_PACKS + 1} packs of slip's own" in row["detail"]
    mended(desk, row["fix"], tools)


def test_many_packs_of_gits(desk: Desk, ws: Workspace) -> None:
    for number in range(3):
        desk.lab.commit({"a": f"{number}\n"})
        desk.lab.git("repack", "-q", "-d")
    with ws.repository:
        verdict = storing.packs_of_slip(ws, many=2)
        assert (verdict.status, verdict.fix) == ("warn", "git gc")
        desk.lab.git("gc", "--quiet")
        assert storing.packs_of_slip(ws, many=2).status == "ok"


def test_a_pack_kept_by_the_dead(work: Desk, tools: Path) -> None:
    dead = dead_pid()
    pack = next((work.lab.common_dir / "objects/pack").glob("*.pack"))
    pack.with_suffix(".keep").write_text(f"slip {dead}\n")
    mended(work, red(work, "packs", "warn")["fix"], tools)


def test_a_pack_kept_by_the_living_or_by_a_person(work: Desk) -> None:
    kept = sorted((work.lab.common_dir / "objects/pack").glob("*.pack"))
    kept[0].with_suffix(".keep").write_text(f"slip {os.getpid()}\n")
    kept[1].with_suffix(".keep").write_text("mine\n")
    assert examined(work)["packs"]["status"] == "ok"


@pytest.mark.parametrize("content", [b"", b"\0" * 10])
def test_a_keep_that_a_power_cut_emptied(work: Desk, tools: Path, content: bytes) -> None:
    """It is older than its pack's index; an empty one that a person made later is let be."""
    kept, mine = sorted((work.lab.common_dir / "objects/pack").glob("pack-*.pack"))[:2]
    for pack, when_s in ((kept, -1), (mine, 1)):
        keep = pack.with_suffix(".keep")
        keep.write_bytes(content)
        index = pack.with_suffix(".idx").stat()
        os.utime(keep, (index.st_mtime + when_s,) * 2)
    mended(work, red(work, "packs", "warn")["fix"], tools)
    assert not kept.with_suffix(".keep").exists()
    assert mine.with_suffix(".keep").read_bytes() == content
    assert mine.exists()


def break_object(repo: Lab, oid: str, content: bytes) -> Path:
    path = repo.common_dir / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("how", ["empty", "cut", "garbage"])
def test_a_broken_loose_object(desk: Desk, tools: Path, how: str) -> None:
    """Also a cut one, which libgit2 reads for ever."""
    repo = desk.lab
    repo.damaged = True
    oid = repo.git("hash-object", "-w", "--stdin", stdin=b"lost\n" * 500)
    whole = (repo.common_dir / "objects" / oid[:2] / oid[2:]).read_bytes()
    break_object(
        repo, oid, {"empty": b"", "cut": whole[: len(whole) // 2], "garbage": b"\xff" * 40}[how]
    )
    row = red(desk, "objects", "fail")
    assert oid in row["detail"]
    assert "no other copy" in row["detail"]
    mended(desk, row["fix"], tools)
    repo.git("hash-object", "-w", "--stdin", stdin=b"lost\n" * 500)


def test_a_broken_loose_object_with_a_copy_in_a_pack(desk: Desk, tools: Path) -> None:
    repo = desk.lab
    repo.damaged = True
    repo.git("gc", "--quiet")
    oid = repo.oid("main:README.md")
    break_object(repo, oid, b"")
    row = red(desk, "objects", "warn")
    assert oid in row["detail"]
    mended(desk, row["fix"], tools)
    assert repo.tree()["README.md"] == b"# Demo\n"
    repo.damaged = False


def test_the_look_at_loose_objects_has_an_end(desk: Desk, tools: Path) -> None:
    row = red(desk, "objects", "warn", seconds=0)
    assert "0 loose objects read, stopped after 0 s at" in row["detail"]
    mended(desk, row["fix"], tools)
    scan = loose.scan(str(desk.lab.common_dir / "objects"), 0)
    assert (scan.looked_at, scan.stopped_at) == (0, None)


# What slip keeps ----------------------------------------------------------------------------------


def test_a_ref_that_holds_no_id(work: Desk, tools: Path) -> None:
    place = work.lab.common_dir / "refs/slip/sessions/odd name"
    place.write_bytes(b"nonsense\n")
    row = red(work, "refs", "fail")
    assert "refs/slip/sessions/odd name holds no id" in row["detail"]
    mended(work, row["fix"], tools)


@pytest.mark.parametrize("packed", [False, True])
def test_a_ref_whose_commit_is_gone(work: Desk, tools: Path, *, packed: bool) -> None:
    repo = work.lab
    if packed:
        repo.git("pack-refs", "--all")
    gone = "1" * 40
    if packed:
        place = repo.common_dir / "packed-refs"
        ours = repo.oid("refs/slip/closed/aborted/1")
        place.write_text(place.read_text().replace(ours, gone))
    else:
        (repo.common_dir / "refs/slip/closed/aborted/1").write_text(f"{gone}\n")
    repo.damaged = True
    row = red(work, "refs", "fail")
    assert "refs/slip/closed/aborted/1 names 1111111111" in row["detail"]
    mended(work, row["fix"], tools)
    repo.damaged = False


def test_a_ref_that_holds_no_chain(work: Desk, tools: Path) -> None:
    """Its commit is kept on a branch."""
    repo = work.lab
    oid = repo.git("commit-tree", "-m", "mine", "main^{tree}")
    repo.git("update-ref", "refs/slip/sessions/mine", oid)
    row = red(work, "refs", "fail")
    mended(work, row["fix"], tools)
    assert repo.oid("kept/sessions/mine") == oid
    assert "refs/slip/sessions/mine" not in repo.refs()


def test_a_ref_that_holds_a_tree(work: Desk, tools: Path) -> None:
    repo = work.lab
    repo.git("update-ref", "refs/slip/sessions/mine", repo.oid("main^{tree}"))
    mended(work, red(work, "refs", "fail")["fix"], tools)


def intent(repo: Lab, name: str, content: str) -> Path:
    place = repo.common_dir / "slip/intents" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    return place


def test_a_landing_that_died(work: Desk, tools: Path) -> None:
    old, tip = work.lab.oid("main"), work.lab.oid("refs/slip/sessions/work")
    intent(
        work.lab, "0123456789abcdef.json",
        '{"format":1,"id":"0123456789abcdef","pid":1,"at_s":1,"worktrees":[],"placements":[],'
        f'"branch":"refs/heads/main","old_head":"{old}","new_commit":"{tip}","sessions":[],'
        '"with_index":true}',
    )  # fmt: skip
    row = red(work, "intents", "warn")
    assert "a landing died half way" in row["detail"]
    mended(work, row["fix"], tools)


def test_an_intent_that_is_none(work: Desk, tools: Path) -> None:
    place = intent(work.lab, "x.json", "garbage")
    row = red(work, "intents", "fail")
    assert "x.json is no intent of slip's" in row["detail"]
    mended(work, row["fix"], tools)
    assert not place.exists()


def test_an_intent_of_a_newer_slip(work: Desk) -> None:
    place = intent(work.lab, "x.json", '{"format":2}')
    row = red(work, "intents", "fail")
    assert "newer" in row["detail"]
    place.unlink()


def test_a_landing_under_way_is_no_fault(work: Desk) -> None:
    place = intent(work.lab, "x.json", "garbage")
    with (work.lab.common_dir / "slip/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert examined(work)["intents"]["detail"] == "a landing is under way"
    place.unlink()


@pytest.mark.parametrize(
    "name", ["index.lock", "HEAD.lock", "packed-refs.lock", "refs/slip/sessions/work.lock"]
)
def test_a_lock_that_has_stood_for_long(work: Desk, tools: Path, name: str) -> None:
    place = work.lab.common_dir / name
    place.write_bytes(b"")
    patience_s = 600 if name == "index.lock" else 60
    os.utime(place, (NOW - patience_s, NOW - patience_s))
    assert examined(work)["locks"]["status"] == "ok"
    os.utime(place, (NOW - patience_s - 1, NOW - patience_s - 1))
    row = red(work, "locks", "warn")
    assert name in row["detail"]
    mended(work, row["fix"], tools)


def test_a_lock_in_a_linked_worktree(ground: Ground, repo: Lab, store: str, tools: Path) -> None:
    linked = ground.linked(repo)
    place = linked.git_dir / "index.lock"
    place.write_bytes(b"")
    os.utime(place, (NOW - 3600, NOW - 3600))
    desk = Desk(repo, store)
    mended(desk, red(desk, "locks", "warn")["fix"], tools)


# What the repository asks of a landing ------------------------------------------------------------


def test_hooks(desk: Desk, tools: Path) -> None:
    place = desk.lab.common_dir / "hooks"
    place.mkdir(exist_ok=True)
    for name in ("pre-commit", "commit-msg", "pre-push"):
        (place / name).write_text("#!/bin/sh\n")
    (place / "pre-commit").chmod(0o755)
    row = red(desk, "hooks", "warn")
    assert row["detail"] == "git ignores commit-msg: not executable"
    mended(desk, row["fix"], tools)
    assert examined(desk)["hooks"]["detail"] == "on a landing: pre-commit, commit-msg"


def test_a_hook_directory_that_is_not_there(desk: Desk, tools: Path) -> None:
    desk.lab.git("config", "--global", "core.hooksPath", str(desk.lab.path / "my hooks"))
    mended(desk, red(desk, "hooks", "warn")["fix"], tools)


@pytest.mark.parametrize(
    "settings",
    [
        {"gpg.program": "no-such-program"}, {"gpg.format": "none"}, {"gpg.format": "ssh"},
        {"gpg.format": "x509", "gpg.x509.program": "/nowhere/gpgsm"},
    ],
)  # fmt: skip
def test_signing(desk: Desk, tools: Path, settings: dict[str, str]) -> None:
    for key, value in settings.items():
        desk.lab.git("config", "--global", key, value)
    assert examined(desk)["signing"]["status"] == "ok"
    desk.lab.git("config", "--global", "commit.gpgSign", "true")
    mended(desk, red(desk, "signing", "fail")["fix"], tools)


def test_signing_that_can_be_done(desk: Desk) -> None:
    desk.lab.git("config", "commit.gpgSign", "true")
    desk.lab.git("config", "gpg.program", "sh")
    assert examined(desk)["signing"]["detail"] == "commits are signed by sh"


@pytest.mark.real_part
@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_lfs_that_is_not_configured(desk: Desk, tools: Path) -> None:
    desk.lab.commit({"art/.gitattributes": "# filter=other\n*.bin filter=lfs diff=lfs -text\n"})
    row = red(desk, "lfs", "fail")
    assert row["fix"] == "git lfs install --local"
    mended(desk, row["fix"], tools)
    assert "git-lfs/" in examined(desk)["lfs"]["detail"]


def test_lfs_that_is_not_there(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.lab.commit({".gitattributes": "*.bin filter=lfs\n"})
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("git", "sh"):
        (bare / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(bare))
    row = red(desk, "lfs", "fail")
    assert "not installed" in row["detail"]
    assert row["fix"] is None
    (bare / "apt-get").symlink_to("/bin/true")
    assert examined(desk)["lfs"]["fix"] == "sudo apt-get install git-lfs"


def test_attributes(desk: Desk, tools: Path) -> None:
    desk.lab.commit({".gitattributes": "*.a filter=upper -text\n*.b merge=ours\n*.c merge=union\n"})
    (desk.lab.common_dir / "info").mkdir(exist_ok=True)
    (desk.lab.common_dir / "info/attributes").write_text("*.d filter=odd\n")
    row = red(desk, "attributes", "warn")
    assert row["detail"].count("not configured") == 3
    desk.lab.commit({"a.a": Script(b"x\n"), "b.b": "1\n2\n3\n4\n5\n6\n7\n"})
    mended(desk, row["fix"], tools)
    # It says what git did before: nothing changes, and text is merged as text.
    assert desk.lab.git("status", "--porcelain") == ""
    desk.begin("work")
    desk.apply({"op": "str_replace", "path": "b.b", "old": "1\n", "new": "one\n"})
    desk.lab.commit({"b.b": "1\n2\n3\n4\n5\n6\nseven\n"})
    merged = desk.lab.git("merge-tree", "--write-tree", "main", "refs/slip/sessions/work")
    assert desk.lab.tree(merged)["b.b"] == b"one\n2\n3\n4\n5\n6\nseven\n"


def test_a_check_that_cannot_be_made_hides_no_other(desk: Desk) -> None:
    repo = desk.lab
    repo.damaged = True
    tree = repo.oid("main^{tree}")
    (repo.common_dir / "objects" / tree[:2] / tree[2:]).unlink()
    found = examined(desk)
    assert found["lfs"]["status"] == "fail"
    assert "cannot be looked at" in found["lfs"]["detail"]
    assert found["refs"]["status"] == found["objects"]["status"] == "ok"
