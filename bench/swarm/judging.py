"""What came of a swarm: every commit of the branch against the account of its session."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

from bench.git import environment, git
from bench.swarm import effects
from bench.swarm.agents import BRANCH, Work, World
from bench.swarm.effects import Effect, Items


def judge(world: World) -> list[str]:
    """Everything that must not be, one line each, beginning with the word for it."""
    faults = list(world.faults)
    commits = _commits(world.repository)
    titles = Counter(title for _, title in commits[1:])
    for work in world.works.values():
        faults += _of_work(work, titles[work.title])
    works = {work.title: work for work in world.works.values()}
    before = effects.items(world.repository, commits[0][0])
    for oid, title in commits[1:]:
        counts = effects.counted(world.repository, oid)
        twice = [item for item, count in counts.items() if count > 1]
        faults += [f"DUP {oid[:10]} {title}: {twice}"] * bool(twice)
        after = frozenset(counts)
        if title not in works:
            faults.append(f"PHANTOM {oid[:10]}: {title}")
        else:
            faults += _of_commit(works[title], effects.between(before, after), before)
        before = after
    return faults


def _commits(repository: Path) -> list[tuple[str, str]]:
    rows = git(repository, "log", "--reverse", "--first-parent", "--format=%H %s", BRANCH)
    return [(row[:40], row[41:]) for row in rows.decode().splitlines()]


def _of_work(work: Work, commits: int) -> list[str]:
    faults = []
    if commits > 1:
        faults.append(f"DUP {work.name}: {commits} commits")
    if work.fate == "landed" and not commits:
        faults.append(f"LOST {work.name}")
    if work.fate != "landed" and commits:
        faults.append(f"PHANTOM {work.name}: {work.fate}")
    if work.claimed and not commits:
        faults.append(f"LIED {work.name}")
    if work.fate == "open":
        faults.append(f"OPEN {work.name}")
    return faults


def _of_commit(work: Work, shown: Effect, before: Items) -> list[str]:
    accounts = [work.effect, *work.perhaps]
    if any(account.is_shown_by(shown, before) for account in accounts):
        return []
    account = accounts[0]
    wrong = {
        "LOST": (account.added - shown.added) | ((account.removed & before) - shown.removed),
        "PHANTOM": shown.added - account.added,
        "REVERT": shown.removed - account.removed,
    }
    trail = "\n    ".join(["", *work.trail])
    return [f"{word} {work.name}: {sorted(found)}{trail}" for word, found in wrong.items() if found]


def left_behind(repository: Path) -> list[str]:
    """Locks, temporary files, intents and quarantines that stand there though nobody works."""
    common = repository / ".git"
    found = [*common.rglob("*.lock"), *(common / "objects").rglob("tmp_*")]
    found += (common / "objects/pack").glob(".slip-*")
    found += (common / "objects/pack").glob("pack-511b511b*.keep")
    for name in ("intents", "quarantine"):
        if (common / "slip" / name).is_dir():
            found += (common / "slip" / name).iterdir()
    found += repository.parent.rglob(".slip-tmp-*")
    return sorted(str(path.relative_to(repository.parent)) for path in found)


def fsck(repository: Path) -> str:
    """What git finds wrong; empty where it finds nothing."""
    done = subprocess.run(
        ["git", "-C", str(repository), "fsck", "--strict", "--no-dangling", "--no-progress"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, env=environment(),
    )  # fmt: skip
    return done.stdout.decode().strip() if done.returncode else ""
