"""Every command that changes something, with a fault at its n-th write: all is there or nothing.

A fault is a kill (of the whole process tree, or of the process that writes), a write cut short and
then a kill, or an error that the system gives once or from then on. Each leaves the state before
or the state after, as the next slip shows it; the same command again then brings about the state
after; nobody is told that it was done when it was not; and `git fsck` is content.

The program that injects the faults is not part of this repository.
"""

from __future__ import annotations

import itertools
import json
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.factlines import About
from slipstream_git.memory import claims
from tests.changes.test_recovery_later import killed
from tests.desk import Desk, batch, delete, replace, write
from tests.lab import SOURCE, Lab, Script, slip_command, slip_environment

TOOL = SOURCE.parent / "shared" / "tools" / "crashpoints.py"
STATE = Path(__file__).parent / "crash_state.py"
MODES = "kill,kill1,torn,ENOSPC,ENOSPC+,EIO,EACCES"
OF_BRANCH = claims.identity("of the branch", About())
OPS = (replace("src/app.py", "1", "2"), write("src/new.py", "new\n"), delete("old.txt"))
AGAIN = (write("src/new.py", "new\n"), write("README.md", "other\n"))

pytestmark = [
    pytest.mark.skipif(not TOOL.exists(), reason="the injector of faults is not here"),
    pytest.mark.skipif(
        platform.machine() != "x86_64" or shutil.which("cc") is None,
        reason="the injector of faults needs x86_64 and a C compiler",
    ),
]


def fresh(desk: Desk) -> None:
    desk.lab.commit({"old.txt": "gone\n", "tool": Script(b"#!/bin/sh\n")})


def begun(desk: Desk) -> None:
    fresh(desk)
    desk.begin("work", title="T")


def staged(desk: Desk) -> None:
    begun(desk)
    desk.apply(*OPS)


def undone(desk: Desk) -> None:
    staged(desk)
    desk.call("undo", step="1")


def stacked(desk: Desk) -> None:
    staged(desk)
    desk.apply(write("more", "more\n"))


def moved(desk: Desk) -> None:
    staged(desk)
    desk.lab.commit({"README.md": "# Demo\n\nMoved on.\n"})


def labelled(desk: Desk) -> None:
    """Steps of two labels and one without, and a branch that has moved on."""
    fresh(desk)
    desk.begin("work", title="T")
    for path, label in (("one", "One"), ("two", "Two"), ("more", "One"), ("rest", "")):
        desk.apply(write(path, f"{path}\n"), group=label or None)
    desk.lab.commit({"README.md": "# Demo\n\nMoved on.\n"})


def shared_with_a_bot(desk: Desk) -> None:
    """A bot's branch with a person's commit on it, and a session that makes it anew."""
    fresh(desk)
    desk.begin("first", onto="bot", title="T")
    desk.apply(write("made", "1\n"), session="first")
    desk.call("commit", session="first", onto="bot", bot_branch="refuse")
    desk.lab.git("checkout", "--quiet", "bot")
    desk.lab.commit({"README.md": "# By hand\n"})
    desk.lab.git("checkout", "--quiet", "main")
    desk.begin("work", onto="bot", title="T")
    desk.apply(write("made", "2\n"), session="work")
    desk.lab.git("checkout", "--quiet", "bot")


def colliding(desk: Desk) -> None:
    staged(desk)
    desk.lab.commit({"src/app.py": "three\n"})


def rebased(desk: Desk) -> None:
    colliding(desk)
    desk.call("rebase")


def queued(desk: Desk) -> None:
    """Three sessions, two of which change the same file, and a branch that has moved on."""
    staged(desk)
    desk.lab.commit({"long": "".join(f"{number}\n" for number in range(20))})
    desk.begin("two", title="Two")
    desk.apply(write("two", "2\n"), replace("long", "\n3\n", "\nthree\n"), session="two")
    desk.begin("three", title="Three")
    desk.apply(replace("long", "\n15\n", "\nfifteen\n"), session="three")
    desk.lab.commit({"moved": "on\n"})


def branched(desk: Desk) -> None:
    """A branch with two commits of its own."""
    fresh(desk)
    desk.lab.git("checkout", "--quiet", "-b", "side")
    desk.lab.commit({"one": "1\n"})
    desk.lab.commit({"README.md": "# Side\n"})
    desk.lab.git("checkout", "--quiet", "main")


def aborted(desk: Desk) -> None:
    staged(desk)
    desk.call("abort")


def collectable(desk: Desk) -> None:
    """Closed sessions in packed refs, an open one, and what a dead process left."""
    aborted(desk)
    for name in ("one", "two", "three"):
        desk.begin(name)
        desk.apply(write(name, "x\n"), session=name)
    desk.commit("one", session="one")
    desk.call("abort", session="two")
    desk.lab.git("pack-refs", "--all")


def died_before(desk: Desk) -> None:
    """Files and index are placed, the branch is as it was, and its lock is there."""
    staged(desk)
    killed(desk.lab, "before", "commit", "-s", "work", "-m", "land")
    (intent,) = (desk.lab.common_dir / "slip/intents").iterdir()
    commit = json.loads(intent.read_text())["new_commit"]
    (desk.lab.common_dir / "refs/heads/main.lock").write_text(f"{commit}\n")


def died_after(desk: Desk) -> None:
    """The refs have moved, and the rest is not done."""
    staged(desk)
    killed(desk.lab, "after", "commit", "-s", "work", "-m", "land")


def given(desk: Desk) -> None:
    """A session with a worktree of its own."""
    staged(desk)
    desk.call("worktree", place="own")


def left_behind(desk: Desk) -> None:
    """Its worktree, which the session has gone on from."""
    given(desk)
    desk.apply(write("src/new.py", "newer\n"), delete("README.md"))


def gated(desk: Desk) -> None:
    """A branch with a gate, and sessions that it finds nothing wrong with."""
    desk.lab.commit({".slip.toml": '[gate.a]\nrun = "test -e README.md; ls > left"\n'})
    queued(desk)


def taught(desk: Desk) -> None:
    """Facts of the branch and of a session, and a branch that has moved on."""
    moved(desk)
    desk.call("remember", text="of the branch")
    desk.call("remember", text="of the session", session="work")


class Case:
    """A command, what it starts from, and every how manyth of its points the sample takes.

    parts: what may be there and the rest not; each of them one more word of the command.
    linked: the directory of a linked worktree, whose link is to name the place of each copy.
    """

    def __init__(
        self,
        start: Callable[[Desk], None],
        *command: str,
        sample: int,
        modes: str = MODES,
        parts: tuple[str, ...] = (),
        linked: str | None = None,
    ) -> None:
        self.start = start
        self.command = command
        self.sample = sample
        self.modes = modes
        self.parts = parts
        self.linked = linked


CASES = {
    "begin": Case(fresh, "begin", "work", "--title", "T", sample=48),
    "apply": Case(begun, "apply", "-s", "work", "AGAIN", sample=48),
    "undo": Case(stacked, "undo", "-s", "work", "1", sample=140),
    "redo": Case(undone, "redo", "-s", "work", sample=48),
    "flush": Case(staged, "flush", "-s", "work", "--index", sample=180),
    "commit": Case(staged, "commit", "-s", "work", "-m", "land", sample=300),
    "commit-merged": Case(moved, "commit", "-s", "work", "-m", "land", sample=240),
    "commit-series": Case(labelled, "commit", "-s", "work", "--series", sample=360),
    "commit-bot": Case(
        shared_with_a_bot,
        *("commit", "-s", "work", "--onto", "bot", "--bot-branch", "rebase"),
        sample=240,
    ),
    # Where a landing is refused, exec leaves the session open: a third state, and not a torn one.
    "exec": Case(
        fresh,
        "exec",
        "-s",
        "work",
        "-m",
        "land",
        "--ops",
        "OPS",
        sample=56,
        modes="kill,torn",
    ),
    "rebase": Case(moved, "rebase", "-s", "work", sample=120),
    "rebase-colliding": Case(colliding, "rebase", "-s", "work", sample=240),
    "resolve": Case(rebased, "resolve", "-s", "work", "src/app.py", "--theirs", sample=120),
    "land": Case(queued, "land", sample=900, parts=("work", "two", "three")),
    "land-atomic": Case(queued, "land", "--atomic", "work", "two", "three", sample=450),
    "split": Case(stacked, "split", "-s", "work", "--by", "path", sample=120),
    # (a gate that a full disk disturbs is red, and known to be)
    "commit-gated": Case(
        gated, "commit", "-s", "work", "-m", "land", sample=500, modes="kill,kill1"
    ),
    "land-check": Case(
        gated, "land", "--check", "work", "two", "three", sample=700, modes="kill,kill1"
    ),
    "adopt": Case(branched, "adopt", "side", sample=56),
    "abort": Case(staged, "abort", "-s", "work", sample=80),
    "reopen": Case(aborted, "reopen", "work", sample=80),
    "run": Case(
        staged,
        *("run", "-s", "work", "--capture", "--", "sh", "-ec", "echo x > x; rm -f README.md"),
        sample=240,
        modes="kill,kill1,ENOSPC,EIO",
    ),
    "worktree": Case(staged, "worktree", "-s", "work", "own", sample=120, modes="kill,ENOSPC,EIO"),
    "worktree-along": Case(
        left_behind,
        *("worktree", "-s", "work"),
        sample=120,
        modes="kill,ENOSPC,EIO",
        linked="own",
    ),
    "worktree-remove": Case(
        given,
        *("worktree", "-s", "work", "--remove"),
        sample=120,
        modes="kill,ENOSPC,EIO",
        linked="own",
    ),
    "remember": Case(taught, "remember", "-s", "work", "a new one", sample=120),
    "forget": Case(taught, "forget", OF_BRANCH, sample=120),
    "purge": Case(taught, "purge", OF_BRANCH, sample=120),
    "commit-taught": Case(taught, "commit", "-s", "work", "-m", "land", sample=240),
    "gc": Case(collectable, "gc", "--expire", "now", sample=240),
    # What stands there amid a recovery is neither; judged is what the next slip makes of it.
    "recover-back": Case(died_before, "recover", sample=180),
    "recover-on": Case(died_after, "recover", sample=180),
}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the injector keeps what it compiles, once for all tests."""
    return tmp_path_factory.mktemp("cache")


# Puts the place of this copy into both ends of a link; neither file is half written at any time.
LINK = """
test ! -d {own} || {{
    echo "gitdir: $CP_WORK/.git/worktrees/{own}" >"$CP_WORK.to" &&
    echo "$CP_WORK/{own}/.git" >"$CP_WORK.from" &&
    mv "$CP_WORK.to" {own}/.git && mv "$CP_WORK.from" .git/worktrees/{own}/gitdir
}} && """


def allowed(case: Case, repo: Lab, place: Path) -> Path:
    """A file with every state in which some of the parts are done and the others are not."""
    states = []
    for chosen in itertools.product((False, True), repeat=len(case.parts)):
        copy = place / "copy"
        shutil.copytree(repo.path, copy, symlinks=True)
        parts = list(itertools.compress(case.parts, chosen))
        if parts:
            Lab(copy).slip(*case.command, *parts)
        done = subprocess.run(
            [sys.executable, "-P", str(STATE)], cwd=copy, env=slip_environment(), check=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        states.append(done.stdout.decode())
        shutil.rmtree(copy)
    (place / "states").write_text(json.dumps(states))
    return place / "states"


def lock_kept(point: dict[str, Any]) -> bool:
    """Whether the disk would not let git take its own lock away, which then is told of."""
    syscall, _, path = point["op"].partition(" ")
    return syscall.startswith("unlink") and f"./{path}" in point["locks"]


def check(
    case: Case, repo: Lab, place: Path, cache: Path, every: int, *, shared: Path | None = None
) -> None:
    """Run the command with a fault at every so manyth point; none may be told as a violation.

    shared: a repository that stands beside each copy, in which no fault happens.
    """
    case.start(Desk(repo, "git"))
    batches = {"OPS": batch(*OPS), "AGAIN": batch(*AGAIN)}
    for name, content in batches.items():
        (place / name).write_bytes(content)
    copying = f"cp -a {shlex.quote(str(repo.path))}/. ."
    if shared is not None:
        copying += f" && cp -a {shlex.quote(str(shared))} ../{shared.name}"
    words = [*case.command, *case.parts]
    command = [str(place / word) if word in batches else word for word in words]
    link = LINK.format(own=case.linked) if case.linked else ""
    state = shlex.join([sys.executable, "-P", str(STATE)])
    sound = "git fsck --strict --no-dangling --no-progress"
    judged = ["--state", state, "--check", sound]
    if case.parts:
        judged = ["--final", state, "--check", f"{sound} && {state} {allowed(case, repo, place)}"]
    # The command again may find it done (exit 1), but must leave the state after.
    done = subprocess.run(
        [
            *(sys.executable, str(TOOL), "--setup", copying),
            *("--cmd", link + shlex.join(slip_command(*command)), "--modes", case.modes),
            *("--shard", f"{every // 2}/{every}", "--jobs", "1", "--retry", "--retry-ok", "0,1"),
            *(*judged, "--json", str(place / "report")),
        ],
        env=slip_environment({"XDG_CACHE_HOME": str(cache)}), check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert (place / "report").exists(), done.stdout.decode()
    points = json.loads((place / "report").read_text())["points"]
    assert points
    faulty = [p for p in points if p["viol"] or (p["retry"] == "STUCK" and not lock_kept(p))]
    assert not faulty, json.dumps(faulty[:5], indent=1)


@pytest.mark.parametrize("name", CASES)
def test_a_sample(name: str, repo: Lab, tmp_path: Path, cache: Path) -> None:
    check(CASES[name], repo, tmp_path, cache, CASES[name].sample)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_point(name: str, repo: Lab, tmp_path: Path, cache: Path) -> None:
    check(CASES[name], repo, tmp_path, cache, 1)
