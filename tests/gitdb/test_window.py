"""A window onto a repository of somebody else's: what is in it, and what is not any more."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipstream_git.gitdb.window import Closed, Reader, Window
from tests.lab import Lab

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="links lead to /proc")

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
