"""Faults at every write of the commands that reach another repository, as of those that do not.

Faults happen in the clone; the shared repository goes on, as a server would. Whether it has taken
what was pushed is found out by the next slip, which brings all of it to its end, or to nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.changes import test_crashpoints
from tests.changes.test_crashpoints import OPS, Case, cache, check
from tests.desk import Desk, write
from tests.lab import Lab

pytestmark = test_crashpoints.pytestmark
__all__ = ["cache"]

NAME = "shared.git"


def cloned(desk: Desk) -> Lab:
    """A clone whose remote stands beside each copy of it, with a session; the remote."""
    lab = desk.lab
    shared = Lab(lab.path.parent / NAME)
    lab.git("clone", "--quiet", "--bare", str(lab.path), str(shared.path))
    lab.git("remote", "add", "origin", f"../{NAME}")
    lab.git("fetch", "--quiet")
    lab.git("branch", "--quiet", "--set-upstream-to=origin/main")
    desk.begin("work", title="T")
    desk.apply(*OPS[:2])
    return shared


def moved_on(desk: Desk) -> None:
    """The branch there has what the branch here lacks."""
    cloned(desk).commit({"README.md": "# Demo\n\nMoved on.\n"}, "theirs")


def two_of_them(desk: Desk) -> None:
    moved_on(desk)
    desk.begin("two", title="Two")
    desk.apply(write("two", "2\n"), session="two")


def with_notes(desk: Desk) -> None:
    """One session went as it was before, one is closed here since, one is new; and notes."""
    cloned(desk)
    desk.begin("gone", title="Gone")
    desk.lab.slip("push")
    desk.call("abort", session="gone")
    desk.apply(write("more", "more\n"))
    desk.begin("landed", title="Landed")
    desk.apply(write("landed", "1\n"), session="landed")
    desk.commit("landed", session="landed")
    desk.begin("two", title="Two")


def from_another(desk: Desk) -> None:
    """Another clone went on with one session, and made another, on a branch that is not here."""
    shared = cloned(desk)
    desk.lab.slip("push")
    other = Lab(desk.lab.path.parent / "other")
    shared.git("clone", "--quiet", "--template=", str(shared.path), str(other.path))
    other.slip("pull")
    other.slip("write", "theirs", "-s", "work", stdin=b"theirs\n")
    other.commit({"base": "1\n"}, "a base")
    other.git("push", "--quiet")
    other.slip("begin", "new", "--title", "New")
    other.slip("write", "new", "-s", "new", stdin=b"new\n")
    other.slip("begin", "landed", "--onto", "side", "--title", "Landed")
    other.slip("write", "landed", "-s", "landed", stdin=b"1\n")
    other.slip("commit", "-s", "landed")
    other.slip("push")


def bundled(desk: Desk) -> None:
    """A bundle of a session that has a verdict, and is not here any more."""
    lab = desk.lab
    lab.commit({".slip.toml": '[gate.a]\nrun = "true"\n'})
    lab.slip("begin", "work", "--title", "T")
    lab.slip("write", "new", "-s", "work", stdin=b"new\n")
    lab.slip("check", "-s", "work")
    lab.slip("bundle", "-s", "work", "-o", ".git/work.bundle")
    lab.git("update-ref", "-d", "refs/slip/sessions/work")
    lab.git("update-ref", "-d", "refs/notes/slip/gates")


# (where the disk stays full the branch here stays, too, as is told)
ONCE = "kill,kill1,torn,ENOSPC,EIO,EACCES"
LAND = ("commit", "-s", "work", "-m", "land", "--push", "origin")
CASES = {
    "commit-push": Case(moved_on, *LAND, sample=380, modes=ONCE),
    "land-push": Case(
        two_of_them,
        "land",
        "--atomic",
        "work",
        "two",
        "--push",
        "origin",
        sample=480,
        modes=ONCE,
    ),
    "push": Case(with_notes, "push", sample=100),
    "pull": Case(from_another, "pull", sample=300),
    "unbundle": Case(bundled, "unbundle", ".git/work.bundle", "--verdicts", sample=300),
}


@pytest.mark.parametrize("name", ["commit-push", "push", "pull"])
def test_a_sample(name: str, repo: Lab, tmp_path: Path, cache: Path) -> None:
    _check(name, repo, tmp_path, cache, CASES[name].sample)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_point(name: str, repo: Lab, tmp_path: Path, cache: Path) -> None:
    _check(name, repo, tmp_path, cache, 1)


def _check(name: str, repo: Lab, place: Path, cache: Path, every: int) -> None:
    shared = None if CASES[name].start is bundled else repo.path.parent / NAME
    check(CASES[name], repo, place, cache, every, shared=shared)
