r"""Real commits landed twice, by slip and by git: is everything the same afterwards?

    python bench/landings.py REPO [--commits 100] [--command 10] [--keep DIR]

The newest commits of the first-parent line are rewritten with attributes (see converted.py), and
two clones stand at the one before them, with four hooks that write down what they see. Then each
commit is landed in both, in one of two ways, turn about:

- patch: slip gets `git diff --binary --full-index`, git the same with `git apply --index`;
- files: git checks out the commit's files; slip gets `write` ops with what then stands in git's
  worktree: CRLF, expanded keywords, the real content of git-lfs files.

Afterwards these must be equal: the commit's id (its tree, parent and message with it), all files of
the worktree byte for byte with their modes, `ls-files -s -v`, `status`, which must be empty, and
what the hooks saw. Where anything differs, it counts by what, and both go on from the true commit.
All runs in this process but for ``--command`` commits, which go through the command line. REPO is
only read. Exit status 1 when anything differed that git does not also get wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.converted import DATE, Converter, Step, clone, kind_of, out, run
from bench.git import environment
from slipstream_git.errors import SlipError
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import open_workspace

WAYS = ("patch", "files")
HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")
SHOWN_FAILURES = 20
WITNESS = r"""#!/bin/sh
{
  echo "$(basename "$0") $#"
  for a; do case $a in */COMMIT_EDITMSG) cat "$a";; *) echo "$a";; esac; done
  echo "on $(git symbolic-ref HEAD) tree $(git write-tree) head $(git rev-parse HEAD)"
  git diff --cached --name-status --no-renames HEAD
  echo "unstaged $(git diff --name-only)"
} >> "$WITNESS"
"""

Files = Mapping[str, tuple[int, str]]


class Change(NamedTuple):
    """One path of a commit, as git's worktree has it: None where it goes."""

    path: bytes
    mode: str


class Facts(NamedTuple):
    """All that must be the same on both sides."""

    commit: bytes
    files: Files
    entries: bytes
    status: bytes
    hooks: bytes


def target_of(place: Path) -> str:
    """A symlink's target as it is; a Path would tidy `./a`."""
    return os.readlink(place)  # noqa: PTH115


class Side:
    """One of the two clones."""

    def __init__(self, source: Path, place: Path) -> None:
        clone(source, place)
        self.place = place
        self.witness = place.parent / f"{place.name}.hooks"
        self.env = {"WITNESS": str(self.witness), "GIT_AUTHOR_DATE": DATE,
                    "GIT_COMMITTER_DATE": DATE}  # fmt: skip
        self._hashes: dict[tuple[int, ...], str] = {}
        hooks = place / ".git" / "hooks"
        hooks.mkdir()
        # git-lfs would put its own there when it first stores a file.
        for name in (*HOOKS, "pre-push", "post-checkout", "post-merge"):
            (hooks / name).write_text(WITNESS if name in HOOKS else "#!/bin/sh\nexit 0\n")
            (hooks / name).chmod(0o755)

    def fetch(self, source: Path, commit: str) -> None:
        """Have a commit's objects, and no later ones: what slip does not write is missed."""
        run(self.place, "fetch", "--quiet", "--no-write-fetch-head", str(source), commit)

    def stand_at(self, commit: str) -> None:
        """Branch, index and files are this commit's, and nothing else is there."""
        run(self.place, "reset", "--quiet", "--hard")
        run(self.place, "checkout", "--quiet", "-B", "main", commit)
        run(self.place, "clean", "--quiet", "-ffdx")
        self.witness.write_bytes(b"")

    def facts(self) -> Facts:
        seen = self.witness.read_bytes() if self.witness.exists() else b""
        self.witness.write_bytes(b"")
        quiet = {"GIT_OPTIONAL_LOCKS": "0"}
        return Facts(
            out(self.place, "cat-file", "commit", "HEAD"),
            dict(self._files(self.place, "")),
            out(self.place, "ls-files", "-s", "-v", "-z"),
            run(self.place, "status", "--porcelain=v2", "-uall", "-z", env=quiet).stdout,
            seen,
        )

    def _files(self, directory: Path, prefix: str) -> Iterator[tuple[str, tuple[int, str]]]:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name == ".git" and not prefix:
                    continue
                state = entry.stat(follow_symlinks=False)
                path = Path(entry.path)
                if stat.S_ISDIR(state.st_mode):
                    yield from self._files(path, f"{prefix}{entry.name}/")
                elif stat.S_ISLNK(state.st_mode):
                    yield prefix + entry.name, (state.st_mode, target_of(path))
                else:
                    yield prefix + entry.name, (state.st_mode, self._hash(path, state))

    def _hash(self, path: Path, state: os.stat_result) -> str:
        """Read again only where the file system says that the file is another now."""
        key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        if key not in self._hashes:
            self._hashes[key] = hashlib.sha1(path.read_bytes()).hexdigest()  # noqa: S324
        return self._hashes[key]


# --- landing --------------------------------------------------------------------------------------


def changes_of(directory: Path, step: Step) -> list[Change]:
    raw = out(directory, "diff-tree", "-r", "-z", "--no-renames", "--raw", step.parent, step.commit)
    fields = iter(raw.split(b"\0")[:-1])
    return [Change(next(fields), head.decode().split(" ")[1]) for head in fields]


def by_git(side: Side, way: str, step: Step, diff: bytes) -> str:
    """Land with git; what `git apply` had against it, when the files were checked out instead."""
    refused = ""
    if way == "patch":
        done = run(side.place, "apply", "--index", "--binary", "-", stdin=diff, expect=None)
        if done.returncode:
            refused = done.stderr.decode("utf-8", "replace").strip().splitlines()[0]
            run(side.place, "reset", "--quiet", "--hard")
    if way == "files" or refused:
        check_out(side.place, step)
    run(side.place, "commit", "--quiet", "-F", "-", stdin=step.message, env=side.env)
    return refused


def check_out(directory: Path, step: Step) -> None:
    changes = changes_of(directory, step)
    for names, arguments in (
        ([c.path for c in changes if c.mode == "000000"], ["rm", "--quiet"]),
        ([c.path for c in changes if c.mode != "000000"], ["checkout", step.commit]),
    ):
        listed = b"\0".join(names)
        options = ["--pathspec-from-file=-", "--pathspec-file-nul"]
        if names:
            run(directory, "--literal-pathspecs", *arguments, *options, stdin=listed)


def batch_of(directory: Path, changes: list[Change]) -> bytes:
    """Ops that write what stands in a worktree."""
    return json.dumps([_op(directory, change) for change in changes]).encode()


def _op(directory: Path, change: Change) -> dict[str, str]:
    path = os.fsdecode(change.path)
    if change.mode == "000000":
        return {"op": "delete", "path": path}
    place = directory / path
    if change.mode == "120000":
        return {"op": "symlink", "path": path, "target": target_of(place)}
    content = b64encode(place.read_bytes()).decode()
    return {"op": "write", "path": path, "content_b64": content, "mode": change.mode}


def by_slip(side: Side, text: bytes, message: bytes) -> None:
    """Land in this process. Raises SlipError."""

    def call(operation: str, /, **values: Any) -> None:  # noqa: ANN401  (what operations take)
        ws = open_workspace(str(side.place), environment() | side.env, in_process=True)
        row = registry.find(operation)
        if row is None:
            raise KeyError(operation)
        with ws.repository:
            calling.call(row, ws, values)

    call("begin", name="work")
    try:
        call("apply", session="work", ops=text)
        call("commit", session="work", message_file=message)
    except SlipError:
        call("abort", session="work")
        raise


def by_command(side: Side, text: bytes, message: bytes) -> None:
    """Land by the command line. Raises SlipError."""

    def slip(*arguments: str, stdin: bytes = b"") -> None:
        done = subprocess.run(
            [sys.executable, "-m", "slipstream_git", "--json", "-C", str(side.place), *arguments],
            input=stdin, capture_output=True, check=False, env=environment() | side.env,
        )  # fmt: skip
        if done.returncode:
            error = json.loads(done.stdout)["error"]
            raise SlipError(error["code"], error["message"])

    slip("begin", "work")
    try:
        slip("apply", "-s", "work", "-", stdin=text)
        slip("commit", "-s", "work", "-F", "-", stdin=message)
    except SlipError:
        slip("abort", "-s", "work")
        raise


# --- judging --------------------------------------------------------------------------------------


def differences(ours: Facts, gits: Facts, tree: bytes) -> Iterator[tuple[str, str]]:
    """What is not the same, or not as it must be: (what, an example)."""
    if ours.commit != gits.commit:
        what = "commit" if tree in ours.commit.split(b"\n")[0] else "tree"
        yield what, f"{ours.commit[:60]!r} not {gits.commit[:60]!r}"
    if ours.files != gits.files:
        paths = {path for path, _ in ours.files.items() ^ gits.files.items()}
        yield "files", " ".join(sorted(paths)[:5])
    if ours.entries != gits.entries:
        rows = set(ours.entries.split(b"\0")) ^ set(gits.entries.split(b"\0"))
        yield "index", " ".join(repr(row) for row in sorted(rows)[:4])
    if ours.status != gits.status:
        yield "status", f"{ours.status[:300]!r} not {gits.status[:300]!r}"
    if ours.hooks != gits.hooks:
        yield "hooks", f"{ours.hooks[:900]!r} not {gits.hooks[:900]!r}"


class Tally:
    """What came of the commits in one way."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.commits = self.equal = self.command = self.command_equal = self.runs = 0
        self.ours = self.gits = 0.0
        self.kinds: Counter[str] = Counter()
        self.differing: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.git_refused: Counter[str] = Counter()
        self.both_unclean = 0
        self.failures: list[str] = []

    @property
    def differing_commits(self) -> int:
        return self.commits - self.equal - self.refused.total()

    def row(self) -> str:
        return (
            f"{self.way:8}{self.commits:8}{self.equal:8}{self.differing_commits:8}"
            f"{self.refused.total():9}{self.command_equal:9} of {self.command:<3}"
            f"{self.runs:11}{1000 * self.ours / max(1, self.commits):10.0f}"
            f"{1000 * self.gits / max(1, self.commits):8.0f}"
        )

    def details(self) -> Iterator[str]:
        for title, counter in (
            ("files landed", self.kinds), ("differing in", self.differing),
            ("refused", self.refused), ("refused by git apply", self.git_refused),
        ):  # fmt: skip
            if counter:
                rows = ", ".join(f"{what} {n}" for what, n in counter.most_common())
                yield f"{self.way} {title}: {rows}"
        if self.both_unclean:
            yield f"{self.way} not clean afterwards, on both sides alike: {self.both_unclean}"
        yield from self.failures[:SHOWN_FAILURES]


HEAD = (
    f"{'way':8}{'commits':>8}{'equal':>8}{'differ':>8}{'refused':>9}{'by command':>15}"
    f"{'hook runs':>10}{'slip ms':>10}{'git ms':>8}"
)


class Match:
    """slip against git, over one repository."""

    def __init__(self, repository: Path, place: Path) -> None:
        self.repository = repository
        self.converter = Converter(repository, place / "converted")
        self.place = place
        self.tallies = {way: Tally(way) for way in WAYS}

    def run(self, count: int, commands: int) -> None:
        steps = list(self.converter.steps(count))
        self.slip, self.git = (Side(self.repository, self.place / name) for name in ("slip", "git"))
        self.git.fetch(self.converter.place, steps[-1].commit)
        for side in (self.slip, self.git):
            objects = self.converter.place / ".git" / "lfs"
            if objects.exists():
                shutil.copytree(objects, side.place / ".git" / "lfs", copy_function=os.link)
            side.fetch(self.converter.place, steps[0].parent)
            side.stand_at(steps[0].parent)
        for number, step in enumerate(steps):
            tally = self.tallies[WAYS[number % len(WAYS)]]
            if out(self.git.place, "rev-parse", f"{step.parent}^{{tree}}") != out(
                self.git.place, "rev-parse", f"{step.commit}^{{tree}}"
            ):
                self._take(tally, step, by_command if number < commands else by_slip)

    def _take(self, tally: Tally, step: Step, land: Callable[[Side, bytes, bytes], None]) -> None:
        tally.commits += 1
        options = ("--binary", "--full-index", "--no-ext-diff", "--no-textconv")
        diff = out(self.converter.place, "diff", *options, step.parent, step.commit)
        start = time.monotonic()
        refused = by_git(self.git, tally.way, step, diff)
        tally.gits += time.monotonic() - start
        if refused:
            tally.git_refused[refused.split(":")[0] + ": " + refused.split(": ")[-1]] += 1
        changes = changes_of(self.git.place, step)
        text = diff if tally.way == "patch" else batch_of(self.git.place, changes)
        start = time.monotonic()
        try:
            land(self.slip, text, step.message)
        except SlipError as fault:
            tally.refused[fault.code] += 1
            tally.failures.append(f"{tally.way} {step.commit}: {fault.code}: {fault.message}")
            self._resume(step)
            return
        tally.ours += time.monotonic() - start
        self._judge(tally, step, changes, command=land is by_command)

    def _judge(self, tally: Tally, step: Step, changes: list[Change], *, command: bool) -> None:
        ours, gits = self.slip.facts(), self.git.facts()
        tree = out(self.git.place, "rev-parse", f"{step.commit}^{{tree}}").strip()
        found = dict(differences(ours, gits, tree))
        if tree not in gits.commit.split(b"\n")[0]:
            found["git's own tree"] = "git landed another tree than the commit's"
        tally.both_unclean += bool(ours.status and ours.status == gits.status)
        tally.runs += ours.hooks.count(b"\non refs/heads/main ")
        tally.kinds.update(kind_of(change.path) or "others" for change in changes)
        tally.equal += not found
        tally.command += command
        tally.command_equal += command and not found
        for what, example in found.items():
            tally.differing[what] += 1
            tally.failures.append(f"{tally.way} {step.commit} {what}: {example}")
        if found or ours.status:
            self._resume(step)

    def _resume(self, step: Step) -> None:
        for side in (self.slip, self.git):
            side.fetch(self.converter.place, step.commit)
            side.stand_at(step.commit)


def main() -> int:
    """Run it; the exit status says whether every landing was as git's."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("repo", nargs="?", default=".", metavar="REPO")
    parser.add_argument("--commits", type=int, default=100, metavar="N")
    parser.add_argument("--command", type=int, default=10, metavar="N")
    parser.add_argument("--keep", metavar="DIR", help="work there, and leave it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(options.keep or temporary).resolve()
        place.mkdir(exist_ok=True)
        match = Match(Path(options.repo).resolve(), place)
        match.run(options.commits, options.command)
    tallies = match.tallies.values()
    print(HEAD, *(tally.row() for tally in tallies), sep="\n")
    print(*(text for tally in tallies for text in tally.details()), sep="\n")
    return int(any(tally.failures for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
