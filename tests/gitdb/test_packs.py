"""Slip's own packs: who may read them, and how many become few with nothing lost."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipstream_git.gitdb import consolidation, packs, permissions
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.repository import open_repository
from slipstream_git.text.objectid import object_id
from tests.children import Children
from tests.desk import STORES, Desk, write
from tests.lab import Lab, fsck, slip_command, slip_environment

MANY = packs.MOST_PACKS + 1


@pytest.fixture(params=STORES)
def desk(request: pytest.FixtureRequest, repo: Lab) -> Desk:
    """The operations on `repo`, over each store."""
    return Desk(repo, str(request.param))


def objects_dir(repo: Lab) -> str:
    return str(repo.common_dir / "objects")


def slip_dir(repo: Lab) -> str:
    return str(repo.common_dir / "slip")


def blob(number: int) -> tuple[str, RawObject]:
    data = b"blob %d\n" % number * (number % 7 + 1)
    return object_id("blob", data), RawObject("blob", data)


def make_packs(repo: Lab, count: int, first: int = 0) -> list[str]:
    """As many packs of one blob each, kept by nobody; the blobs' ids."""
    made = []
    for number in range(first, first + count):
        oid, item = blob(number)
        packs.publish(objects_dir(repo), {oid: item}).release()
        made.append(oid)
    return made


def consolidate(repo: Lab, *, everything: bool = False) -> bool:
    place = objects_dir(repo)
    return consolidation.consolidate(place, slip_dir(repo), sharing=0, everything=everything)


def own(repo: Lab) -> list[str]:
    return packs.own_names(objects_dir(repo))


def all_there(repo: Lab, oids: list[str]) -> bool:
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    lines = repo.git("cat-file", "--batch-check", stdin=asked).splitlines()
    return len(lines) == len(oids) and not any(line.endswith("missing") for line in lines)


# Consolidation ------------------------------------------------------------------------------------


def test_many_become_one(repo: Lab) -> None:
    oids = make_packs(repo, MANY)
    assert len(own(repo)) == MANY
    assert consolidate(repo)
    assert len(own(repo)) == 1
    assert all_there(repo, oids)
    directory = repo.common_dir / "objects/pack"
    assert sorted(path.suffix for path in directory.iterdir()) == [".idx", ".pack"]
    assert fsck(repo) == ""
    for path in directory.glob("*.idx"):
        repo.git("verify-pack", str(path))


def test_few_stay_as_they_are(repo: Lab) -> None:
    make_packs(repo, 3)
    before = own(repo)
    assert not consolidate(repo)
    assert own(repo) == before
    assert consolidate(repo, everything=True)
    assert len(own(repo)) == 1
    assert not consolidate(repo, everything=True)


def test_the_same_object_in_many_packs_is_copied_once(repo: Lab) -> None:
    oids = make_packs(repo, 5)
    for _ in range(2):
        make_packs(repo, 5)
    assert consolidate(repo, everything=True)
    listed = repo.git("verify-pack", "-v", *map(str, _indexes(repo)))
    assert listed.count(" blob ") == 5
    assert all_there(repo, oids)


def _indexes(repo: Lab) -> list[Path]:
    return sorted((repo.common_dir / "objects/pack").glob("*.idx"))


def test_a_large_pack_is_not_copied_again_and_again(repo: Lab) -> None:
    data = os.urandom(200_000)
    oid = object_id("blob", data)
    packs.publish(objects_dir(repo), {oid: RawObject("blob", data)}).release()
    (large,) = own(repo)
    oids = make_packs(repo, MANY)
    assert consolidate(repo)
    assert large in own(repo)
    assert len(own(repo)) == 2
    assert all_there(repo, [*oids, oid])


def test_what_somebody_keeps_or_git_made_is_left_alone(repo: Lab) -> None:
    oids = make_packs(repo, 6)
    directory = repo.common_dir / "objects/pack"
    repo.git("repack", "-q", "-d")
    gits = {path.stem for path in directory.glob("*.pack")} - set(own(repo))
    assert len(gits) == 1
    kept, promised, *_ = own(repo)
    (directory / f"{kept}.keep").write_text("mine\n")
    (directory / f"{promised}.promisor").write_text("")
    assert consolidate(repo, everything=True)
    assert {kept, promised} < set(own(repo))
    assert len(own(repo)) == 3
    assert gits < {path.stem for path in directory.glob("*.pack")}
    (directory / f"{promised}.promisor").unlink()
    assert all_there(repo, oids)


def test_packs_of_a_multi_pack_index_are_left_alone(repo: Lab) -> None:
    oids = make_packs(repo, 4)
    listed = own(repo)
    repo.git("multi-pack-index", "write")
    oids += make_packs(repo, 4, first=100)
    assert consolidate(repo, everything=True)
    assert set(listed) < set(own(repo))
    assert len(own(repo)) == 5
    repo.git("multi-pack-index", "verify")
    assert all_there(repo, oids)


def test_a_pack_that_is_not_sound_is_not_copied(repo: Lab) -> None:
    """Nor does it go: what it still has is for whoever mends it."""
    repo.damaged = True
    make_packs(repo, 5)
    directory = repo.common_dir / "objects/pack"
    flipped, cut, no_index, *_ = own(repo)
    for name, change in ((flipped, -25), (cut, None)):
        path = directory / f"{name}.pack"
        path.chmod(0o644)
        raw = bytearray(path.read_bytes())
        if change is None:
            del raw[20:]
        else:
            raw[change] ^= 0xFF
        path.write_bytes(raw)
    index = directory / f"{no_index}.idx"
    index.chmod(0o644)
    index.write_bytes(index.read_bytes()[:1040])
    assert consolidate(repo, everything=True)
    assert {flipped, cut, no_index} < set(own(repo))
    assert len(own(repo)) == 4


@pytest.mark.parametrize("empty", [1, 3])
@pytest.mark.parametrize("full", [0, 1, 5])
def test_packs_of_nothing_are_merged_as_any_other(repo: Lab, empty: int, full: int) -> None:
    """Earlier versions wrote one where nothing was new, as in each landing amid hooks."""
    for _ in range(empty):
        packs.publish(objects_dir(repo), {}).release()
    oids = make_packs(repo, full)
    assert consolidate(repo, everything=True) is (empty + full > 1)
    assert len(own(repo)) == 1
    assert all_there(repo, oids)
    repo.git("verify-pack", *map(str, _indexes(repo)))
    assert fsck(repo) == ""


def test_another_that_is_at_it_is_not_waited_for(repo: Lab) -> None:
    make_packs(repo, MANY)
    lock = Path(slip_dir(repo)) / "packing"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not consolidate(repo)
    assert len(own(repo)) == MANY


def test_two_writers_of_the_same_objects_share_no_keep(repo: Lab) -> None:
    oid, item = blob(1)
    first = packs.publish(objects_dir(repo), {oid: item})
    second = packs.publish(objects_dir(repo), {oid: item})
    first.release()
    repo.git("gc", "--quiet", "--prune=now")
    assert all_there(repo, [oid])
    second.release()


def test_gc_at_any_moment_takes_no_file_of_a_pack_in_the_making(
    repo: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git takes an index without a pack beside it for rubbish, and looks at its ending alone."""
    rename = os.rename

    def after_gc(source: str, target: str) -> None:
        repo.git("gc", "--quiet", "--prune=now")
        rename(source, target)

    monkeypatch.setattr("slipstream_git.gitdb.packs.os.rename", after_gc)
    oid, item = blob(1)
    kept = packs.publish(objects_dir(repo), {oid: item})
    assert all_there(repo, [oid])
    kept.release()


@pytest.mark.parametrize("store", STORES)
def test_an_open_reader_finds_what_was_moved(repo: Lab, store: str) -> None:
    oids = make_packs(repo, MANY)
    with open_repository(str(repo.path), os.environ, in_process=store == "libgit2") as reader:
        for oid in oids[:3]:
            assert reader.objects.find(oid)
        assert consolidate(repo)
        repo.git("gc", "--quiet", "--prune=never")
        make_packs(repo, 1, first=1000)
        assert all(reader.store.read(oid) for oid in oids)


def test_a_session_of_many_steps_has_few_packs(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    for number in range(MANY):
        desk.apply(write(f"f{number}", f"{number}\n"))
    assert len(own(repo)) < MANY // 2
    desk.commit("land")
    assert len(repo.tree()) == MANY + 2
    repo.git("gc", "--quiet", "--prune=now")
    assert fsck(repo) == ""


def test_a_disk_that_refuses_fails_no_command(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    make_packs(repo, MANY)
    (Path(slip_dir(repo)) / "packing").mkdir(parents=True)
    desk.apply(write("a", "1\n"))
    assert len(own(repo)) > MANY


WRITER = """
import subprocess, sys
name, command = sys.argv[1], sys.argv[2:]
subprocess.run([*command, "begin", name], check=True)
for number in range(12):
    op = '[{"op":"write","path":"%s/%d","content":"x%d"}]' % (name, number, number)
    subprocess.run([*command, "apply", "-s", name, "-"], input=op.encode(), check=True)
subprocess.run([*command, "commit", "-s", name, "-m", name], check=True)
"""
MERGER = """
import sys
from slipstream_git.gitdb import consolidation
while True:
    consolidation.consolidate(sys.argv[1], sys.argv[2], sharing=0, everything=True)
"""


@pytest.mark.parametrize("store", ["git", pytest.param("libgit2", marks=pytest.mark.slow)])
def test_merging_amid_writers_gc_and_kills(repo: Lab, store: str, children: Children) -> None:
    """Three writers, `git gc --prune=now` in a loop, and mergers that are killed."""
    env = slip_environment({"SLIP_STORE": store})
    writers = [
        children.start(
            [sys.executable, "-c", WRITER, f"w{n}", *slip_command()], cwd=repo.path, env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for n in range(3)
    ]  # fmt: skip
    while any(writer.poll() is None for writer in writers):
        merger = children.start(
            [sys.executable, "-c", MERGER, objects_dir(repo), slip_dir(repo)], env=env
        )
        # It may fail on a pack that has just gone; then it has done nothing.
        repo.git("gc", "--quiet", "--prune=now", expect=None)
        time.sleep(0.2)
        merger.send_signal(signal.SIGKILL)
        merger.wait()
    for writer in writers:
        _, err = writer.communicate()
        assert writer.returncode == 0, err
    repo.slip("recover")
    expected = {f"w{n}/{number}" for n in range(3) for number in range(12)}
    assert expected <= set(repo.tree())
    repo.git("gc", "--quiet", "--prune=now")
    assert fsck(repo) == ""


# core.sharedRepository ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["group", "all", "0640", "0660", "umask", "true", "2", "0604"])
def test_modes_are_those_that_git_gives(repo: Lab, value: str, tmp_path: Path) -> None:
    """git itself makes the first object of a directory; slip widens the same modes alike."""
    repo.git("config", "core.sharedRepository", value)
    before = os.umask(0o077)
    try:
        oid = repo.git("hash-object", "-w", "--stdin", stdin=value.encode())
        theirs = repo.common_dir / "objects" / oid[:2] / oid[2:]
        file, directory = tmp_path / "file", tmp_path / "directory"
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o444))
        sharing = permissions.parse(value)
        permissions.adjust(str(file), sharing)
        permissions.make_directory(str(directory / "below"), sharing)
    finally:
        os.umask(before)
    assert file.stat().st_mode == theirs.stat().st_mode
    for made in (directory, directory / "below"):
        assert made.stat().st_mode == theirs.parent.stat().st_mode


@pytest.mark.parametrize(("value", "open_to"), [("group", 0o060), ("all", 0o064), ("0640", 0o040)])
def test_all_that_slip_makes_is_shared(desk: Desk, value: str, open_to: int) -> None:
    repo = desk.lab
    repo.git("config", "core.sharedRepository", value)
    before = os.umask(0o077)
    try:
        desk.begin("work")
        desk.apply(write("a", "1\n"))
        desk.apply_refused("missing", {"op": "delete", "path": "none"})
        desk.call("undo", step="1")
        desk.call("redo")
        desk.commit("land")
        make_shared(repo, MANY)
        desk.begin("again")
        desk.apply(write("b", "2\n"))
        repo.commit({"b": "3\n"})
        desk.commit_refused("conflict", session="again")  # git merges in quarantine
    finally:
        os.umask(before)
    made = [repo.common_dir / "slip", *(repo.common_dir / "slip").rglob("*")]
    made += (repo.common_dir / "objects/pack").iterdir()
    made += [path for path in (repo.common_dir / "refs/slip").rglob("*") if path.is_file()]
    assert {"lock", "packing", "told", "quarantine"} <= {path.name for path in made}
    for path in made:
        mode = path.stat().st_mode
        wanted = open_to if stat.S_IMODE(mode) & stat.S_IWUSR else open_to & ~0o222
        assert mode & wanted == wanted, (path, oct(mode))
        assert not mode & (0o777 & ~0o700 & ~open_to & ~0o111), (path, oct(mode))


def make_shared(repo: Lab, count: int) -> None:
    sharing = permissions.parse(repo.git("config", "core.sharedRepository"))
    for number in range(count):
        oid, item = blob(number)
        published = packs.publish(objects_dir(repo), {oid: item}, sharing=sharing)
        assert stat.S_IMODE(Path(published.keep).stat().st_mode) & 0o040
        published.release()


def test_without_the_setting_the_umask_rules(desk: Desk) -> None:
    before = os.umask(0o077)
    try:
        desk.begin("work")
        desk.apply(write("a", "1\n"))
        desk.commit("land")
    finally:
        os.umask(before)
    for name in own(desk.lab):
        path = desk.lab.common_dir / "objects/pack" / f"{name}.pack"
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert stat.S_IMODE((Path(slip_dir(desk.lab))).stat().st_mode) == 0o700
