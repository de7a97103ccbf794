"""A window onto a repository of somebody else's: what is in it, and what is not any more."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.window import Closed, Reader, Window
from tests.lab import Lab

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="links lead to /proc")

OWNER = Reader(os.getuid(), frozenset({os.getgid()}))
STRANGER = Reader(65534, frozenset({65534}))
# An access control list as Linux keeps it: kind, rights, of whom.
NOBODY = 0xFFFFFFFF
BUT_FOR_ONE = ((1, 6, NOBODY), (2, 0, 65534), (4, 4, NOBODY), (16, 4, NOBODY), (32, 4, NOBODY))


@contextmanager
def window(place: Path, lab: Lab, reader: Reader = OWNER) -> Iterator[Window]:
    fd = os.open(lab.path / ".git", os.O_RDONLY | os.O_DIRECTORY)
    try:
        made = Window(str(place), [fd], reader)
    finally:
        os.close(fd)
    try:
        yield made
    finally:
        made.close()


def seen(place: Path, lab: Lab, oid: str) -> bool:
    """Whether git finds an object through the window."""
    told = lab.git("--git-dir", str(place), "cat-file", "--batch-check", stdin=oid.encode())
    return not told.endswith("missing")


def loose(place: Path) -> list[Path]:
    return list((place / "objects").glob("[0-9a-f][0-9a-f]/*"))


def forbid(path: Path) -> None:
    """Let everybody read it but for one user; its mode is 644 as before."""
    rows = b"".join(struct.pack("<HHI", *row) for row in BUT_FOR_ONE)
    try:
        os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + rows)
    except OSError as fault:
        if fault.errno != errno.ENOTSUP:
            raise
        pytest.skip("no access control lists here")


@pytest.mark.parametrize("kind", ["pack", "idx", "loose", "ref", "HEAD"])
def test_a_file_with_an_access_control_list_is_refused(
    tmp_path: Path, repo: Lab, kind: str
) -> None:
    if kind in ("pack", "idx"):
        repo.git("repack", "-q", "-a", "-d")
    git_dir = repo.path / ".git"
    for path in (git_dir, *git_dir.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with window(tmp_path / "before", repo, STRANGER):
        pass
    paths = {
        "loose": "objects/[0-9a-f][0-9a-f]/*", "ref": "refs/heads/*", "HEAD": "HEAD",
    }  # fmt: skip
    path = next(git_dir.glob(paths.get(kind, f"objects/pack/*.{kind}")))
    forbid(path)
    assert path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(Closed), window(tmp_path / "after", repo, STRANGER):
        pass


def test_what_is_pruned_while_no_window_is_open(tmp_path: Path, repo: Lab) -> None:
    place = tmp_path / "w"
    kept = repo.git("rev-parse", "HEAD")
    lost = repo.commit({"lost": "a slip of the pen\n"})
    with window(place, repo):
        assert seen(place, repo, lost)
        left_behind = {path: path.read_bytes() for path in loose(place)}
    assert left_behind
    assert loose(place) == []
    # As a server leaves it that was killed.
    for path, content in left_behind.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    repo.git("reset", "-q", "--hard", kept)
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    with window(place, repo):
        assert seen(place, repo, kept)
        assert not seen(place, repo, lost)
    assert [path for path in (place / "objects").rglob("*") if not path.is_dir()] == []


def test_loose_objects_count_as_long_as_they_are_there(
    tmp_path: Path, repo: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "w"
    monkeypatch.setattr("slipstream_git.gitdb.window.MOST_LOOSE_BYTES", 100_000)
    rounds = 5
    with window(place, repo) as made:
        for number in range(rounds):
            last = repo.commit({"noise": os.urandom(40_000)}, f"round {number}")
            made.look()
            assert seen(place, repo, last)
            assert sum(path.stat().st_size for path in loose(place)) > 40_000
            repo.git("gc", "-q", "--prune=now")
            made.look()
            assert seen(place, repo, last)
            assert loose(place) == []
        # Over the limit, and below it again: what was not copied does not count, either.
        repo.commit({f"noise{number}": os.urandom(40_000) for number in range(4)})
        for _ in range(2):
            with pytest.raises(SlipError) as told:
                made.look()
            assert told.value.code == "too-large"
        repo.git("gc", "-q", "--prune=now")
        last = repo.commit({"noise": os.urandom(40_000)})
        made.look()
        assert seen(place, repo, last)
        assert len(loose(place)) == 3


def numbers() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_a_server_without_descriptors_says_so_and_loses_none(tmp_path: Path, repo: Lab) -> None:
    repo.git("repack", "-q", "-a", "-d")
    repo.commit({"loose": "one\n"})
    before = numbers()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fd = os.open(repo.path / ".git", os.O_RDONLY | os.O_DIRECTORY)
    refused: list[SlipError] = []
    try:
        for more in range(1, 40):
            resource.setrlimit(resource.RLIMIT_NOFILE, (fd + more, hard))
            try:
                Window(str(tmp_path / "w"), [fd], OWNER).close()
                break
            except SlipError as fault:
                refused.append(fault)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert numbers() <= before | {str(fd)} | {str(fd + 1)}
    finally:
        os.close(fd)
    assert len(refused) > 4
    assert {fault.code for fault in refused} == {"git-failed"}
    assert all("open files" in fault.message for fault in refused)
    assert len(numbers()) == len(before)


def test_faults_of_the_servers_own_files_are_told_as_such(tmp_path: Path, repo: Lab) -> None:
    file = tmp_path / "file"
    file.write_text("in the way\n")
    place = tmp_path / "w"

    def refused(told: pytest.ExceptionInfo[SlipError]) -> bool:
        return told.value.code == "git-failed" and str(tmp_path) not in told.value.message

    with pytest.raises(SlipError) as told, window(file / "w", repo):
        pass
    assert refused(told)
    with window(place, repo) as made:
        repo.commit({"more": "text\n"})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # as a full disk
        try:
            with pytest.raises(SlipError) as told:
                made.look()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert refused(told)
        made.look()
        assert seen(place, repo, repo.git("rev-parse", "HEAD"))
        # A pack that could not be linked is linked by the next look.
        packs = place / "objects" / "pack"
        packs.rename(place / "aside")
        repo.git("repack", "-q", "-a", "-d")
        with pytest.raises(SlipError) as told:
            made.look()
        assert refused(told)
        (place / "aside").rename(packs)
        made.look()
        assert seen(place, repo, repo.git("rev-parse", "HEAD"))
        shutil.rmtree(repo.path / ".git" / "refs")
        repo.damaged = True
        with pytest.raises(Closed):
            made.look()
