"""Where things are stored: the git that does it, the disk, objects and packs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence

from slipstream_git import hints
from slipstream_git.changes.doctor.findings import (
    FAIL,
    WARN,
    Finding,
    all_of,
    removed,
    removing,
    some,
)
from slipstream_git.gitdb import loose, packs, sweeping
from slipstream_git.gitdb.loose import Scan
from slipstream_git.workspace import Workspace

# As many packs of whoever's slow every read to a third.
MANY_PACKS = 200
LITTLE_BYTES = 1 << 30
TOO_LITTLE_BYTES = 100 << 20


def git(ws: Workspace) -> Finding:
    """The git on the PATH, and whether it does what a landing asks of it."""
    run = ws.repository.git.run
    version = run("--version").out.decode("utf-8", "replace").strip()
    _, head = ws.repository.head()
    if head is not None and ws.repository.objects.find(head) is not None:
        done = run("merge-tree", "--write-tree", head, head, accept=range(256))
        if done.status:
            said = f"{version} cannot merge trees: {done.said or f'exit status {done.status}'}"
            return Finding(said, FAIL, "command -v git")
    return Finding(version)


def ownership(ws: Workspace) -> Finding:
    """Whether what is to be written can be, and whose it is."""
    layout = ws.repository.layout
    places = [layout.common_dir, layout.objects_dir, os.path.join(layout.objects_dir, "pack")]
    places += [os.path.join(layout.common_dir, "refs"), layout.slip_dir]
    there = [path for path in places if os.path.isdir(path)]
    fix = hints.of("sudo", "chown", "-R", str(os.geteuid()), layout.common_dir)
    shut = [path for path in there if not os.access(path, os.W_OK | os.X_OK)]
    if shut:
        return Finding(f"not writable: {some(shut)}", FAIL, fix)
    owner = os.stat(layout.common_dir).st_uid
    if owner != os.geteuid() and not layout.sharing:
        said = f"belongs to user {owner}, and git serves it only because safe.directory names it"
        return Finding(said, WARN, fix)
    return Finding("the repository is yours" if owner == os.geteuid() else "shared, and writable")


def disk(ws: Workspace, little: int = LITTLE_BYTES, too_little: int = TOO_LITTLE_BYTES) -> Finding:
    """Room for objects: bytes below which it is little, and too little."""
    free = shutil.disk_usage(ws.repository.layout.common_dir).free
    if free >= little:
        return Finding(f"{free >> 20} MiB free")
    status = FAIL if free < too_little else WARN
    fix = "slip gc && git gc --prune=now"
    return Finding(f"only {free >> 20} MiB free", status, fix)


def packs_of_slip(ws: Workspace, many: int = MANY_PACKS) -> Finding:
    """Packs that the dead keep from gc, and so many that reading is slow."""
    directory = os.path.join(ws.repository.layout.objects_dir, "pack")
    own = packs.own_names(ws.repository.layout.objects_dir)
    count = sum(name.endswith(".pack") for name in _names(directory))
    found = []
    kept = sweeping.kept_by_the_dead(directory)
    if kept:
        said = f"{len(kept)} kept from gc by slips that died: {some(_base(kept))}"
        found.append(Finding(said, WARN, "slip gc", lambda: _tidied(ws)))
    if len(own) > packs.MOST_PACKS:
        said = f"{len(own)} packs of slip's own"
        found.append(Finding(said, WARN, "slip gc", lambda: _tidied(ws)))
    if count - len(own) > many:
        found.append(Finding(f"{count} packs; reading slows down", WARN, "git gc"))
    return all_of(found, f"{count} packs, {len(own)} of them slip's own")


def _tidied(ws: Workspace) -> str:
    """What `slip gc` does, and no session goes."""
    from slipstream_git.changes import expiry

    done = expiry.collect(ws, expire="never", dry_run=False)
    return f"packs of slip's own: {done.packs_after} (before: {done.packs_before})"


def alternates(ws: Workspace) -> Finding:
    """Whether the repositories are there whose objects this one borrows."""
    objects_dir = ws.repository.layout.objects_dir
    place = os.path.join(objects_dir, "info", "alternates")
    if not os.path.isfile(place):
        return Finding("no objects are borrowed")
    with open(place, encoding="utf-8", errors="surrogateescape") as stream:
        lines = [line.rstrip("\n") for line in stream]
    named = [line for line in lines if line and not line.startswith("#")]
    gone = [line for line in named if not os.path.isdir(os.path.join(objects_dir, line))]
    if not gone:
        return Finding(f"objects are borrowed from {some(named)}")
    said = f"objects are to be borrowed from {some(gone)}, which is not there: mount it, or fetch"
    kept = hints.of("mv", place, f"{place}.gone") if len(gone) == len(named) else None
    return Finding(said, FAIL, kept)


def loose_objects(ws: Workspace, seconds: float) -> Finding:
    """Read loose objects whole, as neither libgit2 (which may never come back) nor git would."""
    objects_dir = ws.repository.layout.objects_dir
    scan = loose.scan(objects_dir, seconds)
    found = []
    if scan.broken:
        found.append(_broken(ws, objects_dir, scan))
    looked = f"{scan.looked_at} loose objects read"
    if scan.stopped_at is not None:
        said = f"{looked}, stopped after {seconds:g} s at {scan.stopped_at}"
        # Packed they are fewer files, and the next look comes to its end.
        found.append(Finding(said, WARN, "git gc"))
    return all_of(found, looked)


def _broken(ws: Workspace, objects_dir: str, scan: Scan) -> Finding:
    oids = list(scan.broken)
    missing = _without_a_copy(ws, oids)
    said = f"{len(oids)} broken: " + some([f"{oid} ({why})" for oid, why in scan.broken.items()])
    if missing:
        said += f"; no other copy of {some(missing)}: fetch it, or `git hash-object -w` its file"
    paths = [os.path.join(objects_dir, oid[:2], oid[2:]) for oid in oids]
    # What a pack has as well is lost to nobody.
    mend = None if missing else lambda: removed(paths)
    return Finding(said, FAIL if missing else WARN, removing(paths), mend)


def _without_a_copy(ws: Workspace, oids: Sequence[str]) -> list[str]:
    """Those that no pack has: asked in a place where git sees the packs alone."""
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    with tempfile.TemporaryDirectory(prefix="slip-doctor-") as place:
        pack = os.path.join(ws.repository.layout.objects_dir, "pack")
        os.symlink(pack, os.path.join(place, "pack"))
        env = {"GIT_OBJECT_DIRECTORY": place}
        out = ws.repository.git.run("cat-file", "--batch-check", stdin=asked, env=env).out
    known = {line.split()[0].decode() for line in out.splitlines() if line.split()[1:2] in _KINDS}
    return [oid for oid in oids if oid not in known]


_KINDS = [[kind.encode()] for kind in packs.KIND_CODES]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _base(paths: Sequence[str]) -> list[str]:
    return [os.path.basename(path) for path in paths]
