"""Candidates over real conflicting merges: how often there is one, and how often it is right.

    python -m bench.candidates REPO… [--merges 1000] [--listed FILE] [--directory DIR]

Of each REPO a sample of the merge commits with two parents is merged anew by `git merge-tree`. In
each file that conflicts by content the candidate is made from the two parents' versions (history
has no ops, so it is the second parent's diff that is replayed on the first) and compared with
what the merge commit has. The hunks are compared with git's own conflict regions. REPO is only
read: the objects that git writes go to a temporary directory.

With `--listed FILE` the merges are those of a JSON lines file (may be .gz) with `repo`, `merge`,
`ours` and `theirs`; `repo` is `owner/name`, and its repository DIR/owner+name/repo.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from slipstream_git.changes import candidates
from slipstream_git.text import hunks, matching

REGULAR = ("100644", "100755")
REGION = re.compile(
    rb"^<<<<<<< [^\n]*\n(.*?)^\|\|\|\|\|\|\| [^\n]*\n(.*?)^=======\n(.*?)^>>>>>>> [^\n]*\n",
    re.DOTALL | re.MULTILINE,
)
MARKER = re.compile(rb"^(?:<{7}|>{7}|={7}|\|{7})(?: |$)", re.MULTILINE)


class Merge(NamedTuple):
    oid: str
    ours: str
    theirs: str


class Case(NamedTuple):
    """One conflicting file: three versions, git's text with markers, what people committed."""

    base: bytes
    ours: bytes
    theirs: bytes
    marked: bytes
    committed: bytes


class Repository:
    """One repository, read; what git writes goes to `scratch`."""

    def __init__(self, path: str, scratch: str) -> None:
        self._path = path
        found = self._git("rev-parse", "--path-format=absolute", "--git-path", "objects")
        self._env = os.environ | {
            "GIT_OBJECT_DIRECTORY": scratch,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": found.decode().strip(),
        }
        self._child = subprocess.Popen(
            ["git", "-C", path, "cat-file", "--batch"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._env,
        )  # fmt: skip

    def _git(self, *arguments: str, env: dict[str, str] | None = None) -> bytes:
        command = ["git", "-C", self._path, *arguments]
        return subprocess.run(command, capture_output=True, env=env, check=False).stdout

    def sample(self, count: int) -> list[Merge]:
        """Merges with two parents, drawn with a fixed seed."""
        out = self._git("rev-list", "--merges", "--parents", "--all").decode()
        rows = [line.split() for line in out.splitlines()]
        merges = sorted(Merge(*row) for row in rows if len(row) == 3)
        random.Random(1).shuffle(merges)  # noqa: S311
        return merges[:count]

    def cases(self, merge: Merge) -> Iterator[Case]:
        out = self._git(
            "-c", "merge.conflictStyle=diff3", "merge-tree", "--write-tree", "-z",
            "--no-messages", merge.ours, merge.theirs, env=self._env,
        )  # fmt: skip
        tree, *rows = out.rstrip(b"\0").split(b"\0")
        found: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            facts, path = row.decode("utf-8", "surrogateescape").split("\t", 1)
            mode, oid, _ = facts.split(" ")
            found.setdefault(path, []).append((mode, oid))
        for path, stages in found.items():
            if len(stages) == 3 and all(mode in REGULAR for mode, _ in stages):
                names = [oid for _, oid in stages]
                names += [f"{tree.decode()}:{path}", f"{merge.oid}:{path}"]
                texts = [self._blob(name) for name in names]
                known = [text for text in texts if text is not None]
                if len(known) == len(texts) and not any(map(matching.is_binary, known)):
                    yield Case(*known)

    def _blob(self, name: str) -> bytes | None:
        asked, answered = self._pipes()
        asked.write(name.encode("utf-8", "surrogateescape") + b"\n")
        asked.flush()
        head = answered.readline().split()
        if len(head) != 3 or head[1] != b"blob":
            return None
        data = answered.read(int(head[2]))
        answered.read(1)
        return data

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        return self._child.stdin, self._child.stdout

    def close(self) -> None:
        for pipe in self._pipes():
            pipe.close()
        self._child.wait()


class Tally(NamedTuple):
    """Facts counted over files, and the seconds that each candidate took."""

    facts: Counter[str]
    seconds: list[float]

    def add(self, case: Case) -> None:
        start = time.process_time()
        found = candidates.of_texts(case.base, case.ours, case.theirs)
        self.seconds.append(time.process_time() - start)
        self.facts["files"] += 1
        if not any(MARKER.search(text) for text in case[:3]):
            self.facts["comparable"] += 1
            self.facts["as git"] += _hunks_are_gits(case)
        if found is not None:
            right = found.data == case.committed
            self.facts["made"] += 1
            self.facts["right"] += right
            self.facts["agree"] += found.both_orders_agree
            self.facts["agree, right"] += found.both_orders_agree and right

    def report(self, name: str) -> None:
        count, files = self.facts, self.facts["files"]
        if not files:
            print(f"{name}: no conflicting text")
            return
        ordered = [second * 1e3 for second in sorted(self.seconds)]
        print(
            f"{name}: {files} files; {_share(count, 'made', 'files')} have a candidate, right "
            f"{_share(count, 'right', 'made')}; both orders agree "
            f"{_share(count, 'agree', 'files')}, right {_share(count, 'agree, right', 'agree')}; "
            f"hunks as git's {_share(count, 'as git', 'comparable')}; CPU ms median "
            f"{statistics.median(ordered):.1f}, p99 {ordered[int(files * 0.99)]:.1f}, "
            f"worst {ordered[-1]:.1f}"
        )


def _share(count: Counter[str], part: str, whole: str) -> str:
    return f"{count[part]} ({count[part] / max(1, count[whole]):.1%})"


def _hunks_are_gits(case: Case) -> bool:
    regions = [(m[2], m[1], m[3]) for m in REGION.finditer(case.marked)]
    told = []
    for hunk in hunks.colliding(*case[:3]):
        spans = zip(case[:3], hunk[:3], strict=True)
        texts = (b"".join(matching.lines(text)[a - 1 : b]) for text, (a, b) in spans)
        # git ends each text with a line feed.
        told.append(tuple(t + b"\n" if t and t[-1:] != b"\n" else t for t in texts))
    # Sides alike are a conflict in this style alone.
    return told == [region for region in regions if region[1] != region[2]]


def listed(path: Path) -> Iterator[tuple[str, Merge]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        for line in stream:
            row = json.loads(line)
            yield row["repo"].replace("/", "+"), Merge(row["merge"], row["ours"], row["theirs"])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("repos", nargs="*")
    parser.add_argument("--merges", type=int, default=1000)
    parser.add_argument("--listed", type=Path)
    parser.add_argument("--directory", type=Path, default=Path())
    options = parser.parse_args()
    wanted: dict[str, list[Merge] | None] = dict.fromkeys(options.repos)
    for name, merge in listed(options.listed) if options.listed else ():
        path = str(options.directory / name / "repo")
        wanted[path] = [*(wanted.get(path) or ()), merge]
    whole = Tally(Counter(), [])
    for path, merges in wanted.items():
        tally = Tally(Counter(), [])
        with tempfile.TemporaryDirectory(prefix="slip-candidates-") as scratch:
            repository = Repository(path, scratch)
            for merge in repository.sample(options.merges) if merges is None else merges:
                for case in repository.cases(merge):
                    tally.add(case)
            repository.close()
        tally.report(path)
        whole.facts.update(tally.facts)
        whole.seconds.extend(tally.seconds)
    whole.report("all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
