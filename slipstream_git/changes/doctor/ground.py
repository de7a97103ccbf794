"""What the repository stands on: file system, settings that prune, the clone it is, its remotes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from slipstream_git import hints
from slipstream_git.changes.doctor.findings import FAIL, WARN, Finding, all_of
from slipstream_git.workspace import Workspace

_MOUNTS: Final = "/proc/self/mountinfo"
# A lock or a rename means less there: docs/safety.md, what is not promised.
_AWAY: Final = re.compile(r"(?:nfs|cifs|smb|9p|afs|ceph|gluster|lustre|sshfs|fuse\.(?!overlay))")
# What each had better not be, and what git has where nothing is said.
_PRUNING: Final[Mapping[str, tuple[str, str]]] = {
    "gc.pruneexpire": ("a gc takes what somebody is just about to refer to", "2.weeks.ago"),
    "gc.reflogexpire": ("a branch that was moved cannot be found again", "90.days.ago"),
    "gc.reflogexpireunreachable": ("what a branch was moved from is gone at once", "30.days.ago"),
}
_AT_ONCE: Final = ("now", "all")
# What a fetch would write over though it is nobody else's.
_OURS: Final = ("refs/notes/slip/", "refs/slip/sessions/", "refs/slip/closed/")


def filesystem(ws: Workspace, mounts: str = _MOUNTS) -> Finding:
    """Whether git knows how names behave here, and whether this is another machine's disk."""
    repository = ws.repository
    directory = repository.layout.common_dir
    folds = os.path.exists(os.path.join(directory, "head"))
    # Asked anew: it is looked at once more after it was mended.
    asked = ("config", "--type=bool", "--default=false", "--get", "core.ignorecase")
    knows = repository.git.run(*asked).out.strip() == b"true"
    found = []
    if folds != knows:
        how = "does not tell upper from lower case" if folds else "tells upper from lower case"
        said = f"the file system {how}, and core.ignoreCase is {str(knows).lower()}"
        words = ("config", "core.ignorecase", str(folds).lower())

        def mend() -> str:
            repository.git.run(*words)
            return f"git {' '.join(words)}"

        found.append(Finding(said, WARN, hints.of("git", *words), mend))
    kind = _kind(directory, mounts)
    if kind and _AWAY.match(kind):
        said = f"{kind} is a network's file system: locks and syncs are only as good as its server"
        found.append(Finding(said, WARN))
    return all_of(found, f"{kind or 'unknown'}; names {'fold' if folds else 'keep'} their case")


def _kind(directory: str, mounts: str) -> str:
    """The type of the file system that a directory is on; empty where that is not known."""
    longest, kind = "", ""
    with suppress(OSError), open(mounts, encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            left, _, right = line.partition(" - ")
            place = left.split(" ")[4].replace("\\040", " ")
            is_above = directory == place or directory.startswith(place.rstrip("/") + "/")
            if is_above and len(place) >= len(longest):
                longest, kind = place, right.split(" ")[0]
    return kind


def pruning(ws: Workspace) -> Finding:
    """Settings under which git drops what slip's promises, or a person's second thoughts, need."""
    config = ws.repository.config
    found = []
    for key, (why, usual) in _PRUNING.items():
        value = (config.get(key) or "").strip().lower()
        if value in _AT_ONCE:
            fix = hints.of("git", "config", key, usual)
            found.append(Finding(f"{key} is {value}: {why}", WARN, fix))
    logs = (config.get("core.logallrefupdates") or "true").lower()
    if logs in ("false", "no", "off", "0") and not ws.repository.layout.bare:
        said = "core.logAllRefUpdates is false: no reflog tells where a branch was before a landing"
        found.append(Finding(said, WARN, "git config core.logAllRefUpdates true"))
    if config.get("slip.expire") == "now":
        said = "slip.expire is now: a session that was aborted cannot be reopened after gc"
        found.append(Finding(said, WARN, "git config slip.expire 14"))
    return all_of(found, "git keeps what was dropped for a while")


def clone(ws: Workspace) -> Finding:
    """How much of the history and of the files is here."""
    repository = ws.repository
    config = repository.config
    notes = []
    if config.flag("core.sparsecheckout"):
        notes.append("sparse: what is left out lands without a file")
    partial = [key for key in config.below("remote") if key.endswith(".partialclonefilter")]
    if config.get("extensions.partialclone") or partial:
        notes.append("partial: objects are fetched when they are wanted, which needs the remote")
    shallow = os.path.join(repository.layout.common_dir, "shallow")
    if os.path.isfile(shallow) and os.path.getsize(shallow):
        said = "shallow: history ends early, so that merges may have no base, or a wrong one"
        fix = "git fetch --unshallow" if config.below("remote") else None
        return Finding("; ".join([said, *notes]), WARN, fix)
    return Finding("; ".join(notes) or "whole")


def index(ws: Workspace) -> Finding:
    """Whether git can read this worktree's index."""
    layout = ws.repository.layout
    place = os.path.join(layout.git_dir, "index")
    if layout.bare or not os.path.isfile(place):
        return Finding("there is none")
    done = ws.repository.git.run("ls-files", "--stage", "-z", accept=range(256))
    if done.status:
        # Kept: what was staged in it may be all that names some content.
        fix = hints.of("mv", place, f"{place}.broken").then(hints.of("git", "reset", "-q"))
        return Finding(f"git cannot read the index: {done.said}", FAIL, fix)
    rows = done.out.split(b"\0")[:-1]
    return Finding(f"{len(rows)} entries")


def remotes(ws: Workspace) -> Finding:
    """Remotes from which a fetch would write over slip's own refs, or that lead nowhere."""
    config = ws.repository.config
    names = sorted({key[len("remote.") :].rpartition(".")[0] for key in config.below("remote")})
    found = []
    for name in filter(None, names):
        if config.get(f"remote.{name}.url") is None and _has_refspec(config.below("remote"), name):
            said = f"{name} has no URL"
            found.append(Finding(said, WARN, hints.of("git", "remote", "remove", name)))
        for spec in _refspecs(ws, name):
            if _writes_over(spec):
                said = f"{name} fetches {spec}, which drops what is only here"
                key, exact = f"remote.{name}.fetch", f"^{re.escape(spec)}$"
                fix = hints.of("git", "config", "--unset-all", key, exact)
                found.append(Finding(said, FAIL, fix))
    if names:
        return all_of(
            found, f"{', '.join(filter(None, names))}; `slip pull` brings sessions, notes"
        )
    return Finding("none")


def _has_refspec(settings: Mapping[str, str], name: str) -> bool:
    return any(key.startswith(f"remote.{name}.") for key in settings)


def _refspecs(ws: Workspace, name: str) -> list[str]:
    words = ("config", "--get-all", f"remote.{name}.fetch")
    done = ws.repository.git.run(*words, accept=(0, 1))
    return done.out.decode("utf-8", "surrogateescape").split("\n")[:-1]


def _writes_over(spec: str) -> bool:
    """Whether a refspec, which is forced, has slip's own refs on the side of here."""
    target = spec.partition(":")[2]
    if not spec.startswith("+") or not target:
        return False
    start = target.partition("*")[0]
    if "*" not in target:
        return target.startswith(_OURS)
    return any(start.startswith(ours) or ours.startswith(start) for ours in _OURS)
