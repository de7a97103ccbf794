"""How much memory one batch takes: a process that opens, begins and applies once, and says.

    python -m bench.memory REPOSITORY BATCH

Prints the peak resident size in bytes. It is its own process because a peak never goes down;
`peak` starts it behind a shell, since Linux lets a program that was started directly inherit the
peak of the one that started it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from bench.git import environment
from bench.installed import SOURCE
from slipstream_git.changes import sessions, staging
from slipstream_git.text import batches
from slipstream_git.workspace import open_workspace


def peak(repository: Path, batch: Path) -> int:
    """Bytes at the highest point, libgit2's mapped packs counted in."""
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "bench.memory",
         str(repository), str(batch)],
        cwd=SOURCE, env=environment(), stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return int(done.stdout)


def main() -> None:
    repository, batch = sys.argv[1:]
    ws = open_workspace(repository, os.environ, in_process=True)
    with ws.repository:
        sessions.begin(ws, sessions.Wish("memory"))
        ops = batches.decode(Path(batch).read_bytes(), "auto")
        staging.apply(ws, sessions.load(ws, "memory"), ops, staging.Label())
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(used if sys.platform == "darwin" else used * 1024)


if __name__ == "__main__":
    main()
