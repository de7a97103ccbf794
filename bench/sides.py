"""What races: slip in the process, slip as a command, and git in the spellings people use.

Every side works in a clone of its own that borrows the objects of the measured repository, so
that the packs of one do not slow down the reads of another, and the repository stays as it was.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import edits
from bench.edits import Site
from bench.git import environment, git, line
from bench.installed import Installed
from slipstream_git.changes import sessions, staging
from slipstream_git.text import batches
from slipstream_git.workspace import open_workspace

HERE = Path(__file__).resolve().parent
SESSION = "bench"
SESSION_REF = f"refs/slip/sessions/{SESSION}"
GIT_REF = "refs/bench/edits"


def clone(source: Path, place: Path) -> Path:
    """A clone that borrows the objects and has no files checked out."""
    git(".", "clone", "--quiet", "--shared", "--no-checkout", str(source.resolve()), str(place))
    return place


def command(
    arguments: Sequence[str],
    directory: Path,
    stdin: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run one program to its end, as a shell would."""
    with (stdin or Path(os.devnull)).open("rb") as stream:
        subprocess.run(
            arguments,
            cwd=directory,
            stdin=stream,
            stdout=subprocess.DEVNULL,
            check=True,
            env=env or environment(),
        )


class InProcess:
    """A batch on a session of an open workspace: decoded, staged, on disk, the ref moved."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site]) -> None:
        self.name = name
        self._sites = sites
        self._place = place
        self._ws = open_workspace(str(place), environment(), in_process=True)
        sessions.begin(self._ws, sessions.Wish(SESSION))
        self._batch = b""

    def prepare(self, turn: int) -> None:
        self._batch = edits.batch(self._sites, turn + 1)

    def run(self, turn: int) -> None:
        del turn
        ops = batches.decode(self._batch, "auto")
        staging.apply(self._ws, sessions.load(self._ws, SESSION), ops, staging.Label())

    def outcome(self) -> str:
        return line(self._place, "rev-parse", f"{SESSION_REF}^{{tree}}")


class SlipApply:
    """The whole command `slip apply`, from nothing."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site], installed: Installed) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._slip = str(installed.slip)
        self._batch = place.with_suffix(".json")
        command([self._slip, "begin", SESSION], place)

    def prepare(self, turn: int) -> None:
        self._batch.write_bytes(edits.batch(self._sites, turn + 1))

    def run(self, turn: int) -> None:
        del turn
        command([self._slip, "apply", "-s", SESSION, "-"], self._place, self._batch)

    def outcome(self) -> str:
        return line(self._place, "rev-parse", f"{SESSION_REF}^{{tree}}")


class Plumbing:
    """plumbing.sh: an index of its own, `git apply --cached`, write-tree, commit-tree."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site]) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._diff = place.with_suffix(".diff")
        self._index = place.with_suffix(".index")
        git(place, "update-ref", GIT_REF, "HEAD")

    def prepare(self, turn: int) -> None:
        self._diff.write_bytes(edits.diff(self._sites, turn + 1))
        self._index.unlink(missing_ok=True)

    def run(self, turn: int) -> None:
        del turn
        script = str(HERE / "plumbing.sh")
        command(["sh", script, GIT_REF, str(self._diff), str(self._index)], self._place)

    def outcome(self) -> str:
        return line(self._place, "rev-parse", f"{GIT_REF}^{{tree}}")


class FastImport:
    """fast-import.sh: no index, one commit streamed into `git fast-import`."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site]) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._pairs = place.with_suffix(".pairs")
        self._paths = place.with_suffix(".paths")
        self._scratch = place.with_suffix(".entries")
        paths = sorted({site.path for site in sites})
        self._paths.write_text("".join(f"{path}\n" for path in paths))
        git(place, "update-ref", GIT_REF, "HEAD")

    def prepare(self, turn: int) -> None:
        self._pairs.write_bytes(edits.pairs(self._sites, turn + 1))

    def run(self, turn: int) -> None:
        del turn
        files = [str(file) for file in (self._pairs, self._paths, self._scratch)]
        command(["sh", str(HERE / "fast-import.sh"), GIT_REF, *files], self._place)

    def outcome(self) -> str:
        return line(self._place, "rev-parse", f"{GIT_REF}^{{tree}}")


class SlipExec:
    """The whole command `slip exec`: begin, apply, land, the worktree brought along."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site], installed: Installed) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._slip = str(installed.slip)
        self._batch = place.with_suffix(".json")
        git(place, "checkout", "--quiet")

    def prepare(self, turn: int) -> None:
        self._batch.write_bytes(edits.batch(self._sites, turn + 1))

    def run(self, turn: int) -> None:
        command([self._slip, "exec", "--ops", "-", "-m", f"turn {turn}"], self._place, self._batch)

    def outcome(self) -> str:
        return _committed(self._place)


class GitCommit:
    """`git apply && git commit -a`, in a worktree. ``settings``: configuration for the commit."""

    def __init__(
        self, name: str, place: Path, sites: Sequence[Site], settings: Sequence[str] = ()
    ) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._settings = [word for setting in settings for word in ("-c", setting)]
        self._diff = place.with_suffix(".diff")
        git(place, "checkout", "--quiet")

    def prepare(self, turn: int) -> None:
        self._diff.write_bytes(edits.diff(self._sites, turn + 1))

    def run(self, turn: int) -> None:
        command(["git", "apply", "--whitespace=nowarn", str(self._diff)], self._place)
        words = ["git", *self._settings, "commit", "--quiet", "-a", "-m", f"turn {turn}"]
        command(words, self._place)

    def outcome(self) -> str:
        return _committed(self._place)


class SlipCommit:
    """The whole command `slip commit` of a session whose branch has moved since, checked out."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site], installed: Installed) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._slip = str(installed.slip)
        self._batch = place.with_suffix(".json")
        git(place, "checkout", "--quiet")

    def prepare(self, turn: int) -> None:
        session = f"turn-{turn}"
        self._batch.write_bytes(edits.batch(self._sites, turn + 1))
        command([self._slip, "begin", session], self._place)
        command([self._slip, "apply", "-s", session, "-"], self._place, self._batch)
        _move_branch(self._place, turn)

    def run(self, turn: int) -> None:
        command([self._slip, "commit", "-s", f"turn-{turn}", "-m", "landed"], self._place)

    def outcome(self) -> str:
        return _committed(self._place)


class GitCommitFiles:
    """`git commit -- FILES` in a worktree in which nothing else has changed."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site]) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._files = sorted({site.path for site in sites})
        self._diff = place.with_suffix(".diff")
        git(place, "checkout", "--quiet")

    def prepare(self, turn: int) -> None:
        _move_branch(self._place, turn)
        self._diff.write_bytes(edits.diff(self._sites, turn + 1))
        command(["git", "apply", "--whitespace=nowarn", str(self._diff)], self._place)

    def run(self, turn: int) -> None:
        del turn
        command(["git", "commit", "--quiet", "-m", "landed", "--", *self._files], self._place)

    def outcome(self) -> str:
        return _committed(self._place)


def _move_branch(place: Path, turn: int) -> None:
    """One more commit on the branch that is checked out, of a file that no session has."""
    (place / "moved-on").write_text(f"{turn}\n")
    git(place, "add", "--force", "moved-on")
    git(place, "commit", "--quiet", "-m", "moved on")


def _committed(place: Path) -> str:
    """HEAD's tree, where worktree and index are equal to it."""
    dirty = line(place, "status", "--porcelain", "--untracked-files=no")
    return f"{line(place, 'rev-parse', 'HEAD^{tree}')} {dirty}"


class BeginInProcess:
    """Opening a session in an open workspace."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self._place = place
        self._ws = open_workspace(str(place), environment(), in_process=True)
        self._session = ""

    def prepare(self, turn: int) -> None:
        self._session = f"process-{turn}"

    def run(self, turn: int) -> None:
        del turn
        sessions.begin(self._ws, sessions.Wish(self._session))

    def outcome(self) -> str:
        return line(self._place, "rev-parse", f"refs/slip/sessions/{self._session}^{{tree}}")


class SlipBegin:
    """The whole command `slip begin`."""

    def __init__(self, name: str, place: Path, installed: Installed) -> None:
        self.name = name
        self._place = place
        self._slip = str(installed.slip)
        self._session = ""

    def prepare(self, turn: int) -> None:
        self._session = f"command-{turn}"

    def run(self, turn: int) -> None:
        del turn
        command([self._slip, "begin", self._session], self._place)

    def outcome(self) -> str:
        return line(self._place, "rev-parse", f"refs/slip/sessions/{self._session}^{{tree}}")


class Worktree:
    """`git worktree add --detach`. The trees stay: deleting one would slow down what follows."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self._place = place
        self._made = place

    def prepare(self, turn: int) -> None:
        self._made = self._place.with_suffix(f".worktree-{turn}")

    def run(self, turn: int) -> None:
        del turn
        arguments = ["git", "worktree", "add", "--quiet", "--detach", str(self._made)]
        command(arguments, self._place)

    def outcome(self) -> str:
        return line(self._made, "write-tree")


class Command:
    """A program that prints next to nothing."""

    def __init__(self, name: str, arguments: Sequence[str], place: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._place = place

    def prepare(self, turn: int) -> None:
        del turn

    def run(self, turn: int) -> None:
        del turn
        command(self._arguments, self._place)

    def outcome(self) -> str:
        return ""
