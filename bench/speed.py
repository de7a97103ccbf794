"""How fast slip is, as ratios to what git offers for the same work.

    python bench/speed.py [--repo NAME=PATH]… [--linux] [--rows abcdefghij] [--turns 15]
                          [--write FILE] [--keep]

Without --repo and --linux a repository of 5,000 files is made up, so that this runs anywhere.
The repositories are only read: everything happens in clones that borrow their objects, in a
temporary directory, whose worktrees are deleted at the end and never before. On ext4 a deleted
big tree slows the next worktrees down (seen: six times), which flatters rows a and b of a later
run; so repeat those with --keep, and delete when all is done.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import installed, rows, trees
from bench.installed import Installed
from bench.rows import Bench, Figure, Repository, number

BEGIN = "<!-- speed: written by `make bench` -->\n"
END = "<!-- /speed -->\n"
HEAD = """# Benchmarks

"""
EXPLANATION = """\
What is compared takes turns in one run (A B A B …). Each turn gives a ratio; the table shows the
median, the least and the greatest. In every turn both sides must have made the same tree, else
the run stops. Milliseconds are medians on one machine, given for context: they promise nothing.

- **a, b**: `git worktree add --detach` against opening a session (one commit, one ref). Use a disk
  from which no big tree was deleted lately: that makes new worktrees slow, and these rows better
  than they are.
- **c, d**: edits by `old` and `new` text, from the JSON to the commit on the session's ref, in a
  process that is running already; against `bench/plumbing.sh` (read-tree into an index of its own,
  `git apply --cached` of a diff made beforehand, write-tree, commit-tree, update-ref) and, for
  information, `bench/fast-import.sh`, which needs no index. The scripts are started anew each
  time, as they would be; so part of what c and d show is that slip's process is there already,
  and f shows what is left where it is not.
- **e to h**: whole commands, installed from a wheel with compiled bytecode. In g the worktree is
  brought along, and slip's landing survives a power cut; the second line compares it with a commit
  that is told to do likewise (`core.fsync=all`). In h another commit was made since the session was
  begun, so that it is merged; git commits the same files, and has nothing to merge.
- **i**: whole commands while `slip serve` runs and has the repository open. **j**: one call over a
  connection that is open: the commit, the branch and the worktree, without waiting for the disk;
  against `bench/plain.py`, started anew, which edits the files and does nothing else.

Each edit of c, d and f to h changes one line; from turn to turn the chain grows by one commit on
each side, and each side works in a clone of its own.
"""


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; exit status 1 when a target was missed."""
    asked = _parser().parse_args(arguments)
    repositories = _repositories(asked)
    room = Path(tempfile.mkdtemp(prefix="slip-bench-"))
    try:
        there = installed.install(room / "installed")
        bench = Bench(room, there, asked.turns)
        figures = rows.measure(bench, repositories, asked.rows)
    finally:
        if asked.keep:
            print(f"kept: {room}", file=sys.stderr)
        else:
            shutil.rmtree(room, ignore_errors=True)
    text = _report(figures, repositories, there, asked)
    print(text)
    if asked.write:
        _write(asked.write, text)
    return int(any(figure.verdict == "MISSED" for figure in figures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repo", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--linux", action="store_true", help="make and use the kernel's tree")
    parser.add_argument("--rows", default="abcdefghij", help="which rows (default: all)")
    parser.add_argument("--turns", type=int, default=15, help="turns of a race (default: 15)")
    parser.add_argument(
        "--keep", action="store_true", help="do not delete the clones and worktrees"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this page")
    return parser


def _repositories(asked: argparse.Namespace) -> list[Repository]:
    places = [(name, Path(path)) for name, _, path in (r.partition("=") for r in asked.repo)]
    if asked.linux:
        places.append((trees.LINUX, trees.linux()))
    if not places:
        places.append((trees.MADE_UP, trees.synthetic()))
    return [Repository(name, path, rows.count_files(path)) for name, path in places]


# --- the report -----------------------------------------------------------------------------------


def _report(
    figures: Sequence[Figure],
    repositories: Sequence[Repository],
    there: Installed,
    asked: argparse.Namespace,
) -> str:
    sizes = ", ".join(f"{r.name} ({r.files:,} files)" for r in repositories)
    lines = [
        "| row | repository | ratio of | median | least, greatest | turns | target | | ms |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_table_line, figures),
        "",
        f"Repositories: {sizes}. {_machine()}; {there.how}.",
        "",
        f"To repeat it: `{_again(asked)}`, one row with `--rows c`;",
        "`bench/trees.py` tells where repositories come from.",
    ]
    return "\n".join(lines) + "\n"


def _table_line(figure: Figure) -> str:
    ratio = figure.ratio
    spread = f"{number(ratio.least)}, {number(ratio.most)}" if ratio.turns > 1 else ""
    target = str(figure.target) if figure.target else ""
    cells = (
        figure.row, figure.repository, figure.what, number(ratio.median), spread,
        str(ratio.turns), target, figure.verdict, figure.times,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    git = subprocess.run(["git", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
    return (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"{git.strip()}"
    )


def _again(asked: argparse.Namespace) -> str:
    """The command line, without the paths of this machine."""
    words = ["python bench/speed.py"]
    words += [f"--repo {repo.partition('=')[0]}=PATH" for repo in asked.repo]
    words += ["--linux"] if asked.linux else []
    words += [f"--turns {asked.turns}"]
    return " ".join(words)


def _write(page: Path, table: str) -> None:
    """Put the table between its marks, the rest of the page left as it is."""
    old = page.read_text() if page.exists() else f"{HEAD}{EXPLANATION}\n{BEGIN}{END}"
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        before, after = f"{old.rstrip()}\n\n", ""
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
