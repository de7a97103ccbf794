"""A session as one file: a git bundle that another machine can check and land.

Its refs are the session's and, where there are any, a part of the gates' notes. What it builds on
is the session's base, which whoever takes it has to have. Nothing in a bundle is believed: it is
held to the format as anything that comes in, and what its gates said is only taken where that is
asked for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence

from slipstream_git.changes import bounds, closing, freenames, sessions
from slipstream_git.changes.sessions import OPEN, Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, incoming, notes, quarantine
from slipstream_git.gitdb.incoming import Incoming
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.model import EMPTY_TREE
from slipstream_git.outcomes import Bundled, Unbundled
from slipstream_git.records import NamedTuple
from slipstream_git.sharing import checking
from slipstream_git.text import paths
from slipstream_git.text.objectid import is_id
from slipstream_git.workspace import Workspace

GATES = "refs/notes/slip/gates"
PART = "refs/notes/slip/gates-part"
_HEADS = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_LONGEST_HEADER = 1 << 16
LARGEST = 512 << 20


class Header(NamedTuple):
    """What stands before the pack. refs: by name. needs: what it builds on."""

    refs: Mapping[str, str]
    needs: Sequence[str]


def bundle(ws: Workspace, session: Session, output: str) -> Bundled:
    """Write a session to a file, whole or not at all. Raises `exists`, `git-failed`.

    output: the file's path, from where the caller stands; one that is there is written over only
    where it is a bundle.
    """
    repository = ws.repository
    path = os.path.join(ws.directory, output)
    _check_place(path)
    trees = {step.tree for step in sessions.steps(ws, session)} | {session.base_tree}
    part, count = _verdicts(ws, sorted(trees))
    lines = [b"# v2 git bundle"]
    if session.base:
        lines.append(f"-{session.base} the base of {session.name}".encode())
    lines.append(f"{session.tip} {session.ref}".encode())
    tips = [session.tip]
    if part is not None:
        lines.append(f"{part} {PART}".encode())
        tips.append(part)
    asked = "\n".join([*tips, *([f"^{session.base}"] if session.base else []), ""])
    with quarantine.opened(repository) as room:
        pack = repository.git.run(
            "pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "-q",
            stdin=asked.encode(), env=room.env,
        ).out  # fmt: skip
    repository.objects.discard()
    data = b"\n".join(lines) + b"\n\n" + pack
    _write(ws, path, data)
    return Bundled(session.name, path, session.base, session.tip, session.step, len(data), count)


def unbundle(ws: Workspace, data: bytes, name: str | None, *, verdicts: bool) -> Unbundled:
    """Make a session of a bundle, when all of it has been looked at. Nothing changes otherwise.

    Raises `unsupported` for what is no bundle of a session, `missing` where its base is not here,
    `session-exists`, and whatever is wrong with its chain.
    """
    header, pack = _parted(data)
    refs = dict(header.refs)
    part = refs.pop(PART, None)
    [(ref, tip)] = refs.items()
    told = ref.removeprefix(OPEN)
    paths.session_name(told)
    for oid in header.needs:
        if ws.repository.objects.find(oid) is None:
            raise checking.missing_base(ws, oid)
    wanted = name or told
    taken = ws.repository.store.refs(OPEN)
    already = taken.get(OPEN + wanted) == tip
    if not already:
        freenames.check(wanted, taken)
    with incoming.opened(ws.repository) as come:
        _verify(ws, data)
        done = come.indexed(pack, LARGEST)
        if done.status:
            raise SlipError("git-failed", f"the bundle is broken: {done.said}")
        session = checking.check(ws, come.view, wanted, tip)
        lines = _lines(come, part, session) if part else []
        if not already:
            come.take([tip], LARGEST)
    moves = [] if already else [RefMove(OPEN + wanted, None, tip)]
    if lines and verdicts:
        moves.append(notes.adding(ws.repository, GATES, lines, ws.signature()))
    if not moves:
        return _told(session, len(lines), taken=False, already=True)
    bounds.check_quota(ws)
    kept = ws.repository.objects.publish()
    try:
        closing.move_together(ws, moves, f"slip: unbundle {wanted}")
    finally:
        kept.release()
    return _told(session, len(lines), taken=verdicts, already=already)


def _told(session: Session, verdicts: int, *, taken: bool, already: bool) -> Unbundled:
    return Unbundled(
        session.name, session.ref, session.base, session.onto, session.tip, session.step,
        verdicts=verdicts, verdicts_taken=taken and verdicts > 0, already=already or None,
    )  # fmt: skip


# The file ----------------------------------------------------------------------------------------


def _check_place(path: str) -> None:
    try:
        is_bundle = False
        if stat.S_ISREG(os.stat(path).st_mode):  # nobody waits for who writes into a pipe
            with open(path, "rb") as stream:
                is_bundle = stream.read(len(_HEADS[0])) in _HEADS
    except FileNotFoundError:
        return
    except OSError as fault:
        raise SlipError("git-failed", f"{path}: {fault.strerror}") from None
    if not is_bundle:
        raise SlipError("exists", f"{path} is there and no bundle; it is not written over")


def _write(ws: Workspace, path: str, data: bytes) -> None:
    aside = f"{path}.{ws.token()}.new"
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            os.replace(aside, path)
        except OSError:
            os.unlink(aside)
            raise
    except OSError as fault:
        raise SlipError("git-failed", f"{path} cannot be written: {fault.strerror}") from None


def _parted(data: bytes) -> tuple[Header, bytes]:
    """A bundle's header and its pack. Raises `unsupported`."""
    if not data.startswith(_HEADS):
        raise SlipError("unsupported", "it is no git bundle", hint="slip bundle -o FILE")
    if len(data) > LARGEST:
        raise SlipError("too-large", f"the bundle has more than {LARGEST} bytes")
    end = data.find(b"\n\n", 0, _LONGEST_HEADER)
    if end < 0:
        raise SlipError("unsupported", "the bundle has no end of its header: it is cut short")
    refs: dict[str, str] = {}
    needs: list[str] = []
    for line in data[:end].decode("utf-8", "surrogateescape").split("\n")[1:]:
        oid, _, rest = line.removeprefix("-").partition(" ")
        if line == "@object-format=sha1":
            continue
        if not is_id(oid) or (rest in refs):
            raise _foreign(line)
        if line.startswith("-"):
            needs.append(oid)
        elif rest == PART or rest.startswith(OPEN):
            refs[rest] = oid
        else:
            raise _foreign(rest)
    if len(refs.keys() - {PART}) != 1:
        raise SlipError("unsupported", "the bundle holds no session, or more than one")
    return Header(refs, needs), data[end + 2 :]


def _foreign(what: str) -> SlipError:
    shown = paths.escape_for_terminal(what[:200])
    return SlipError("unsupported", f"the bundle holds {shown}, which is no session of slip's")


def _verify(ws: Workspace, data: bytes) -> None:
    """What git itself says of it: whether all that it builds on is here, with its history."""
    directory = quarantine.private_directory(ws.repository.layout)
    try:
        path = os.path.join(directory, "bundle")
        with open(path, "wb") as stream:
            stream.write(data)
        done = ws.repository.git.run("bundle", "verify", "-q", path, accept=range(256))
    except OSError as fault:
        raise SlipError("git-failed", f"{directory}: {fault.strerror}") from None
    finally:
        quarantine.remove(directory)
    if done.status:
        raise SlipError(
            "git-failed",
            f"git does not accept the bundle: {done.said}",
            hint=checking.fetching(ws),
        )


# Verdicts ----------------------------------------------------------------------------------------


def _verdicts(ws: Workspace, trees: Sequence[str]) -> tuple[str | None, int]:
    """A notes commit, in the overlay, of what gates said of these trees; and how many lines."""
    found = [
        (tree, line)
        for tree in trees
        for line in (notes.read(ws.repository, GATES, tree) or b"").splitlines()
    ]
    if not found:
        return None, 0
    move = notes.adding(ws.repository, PART, found, ws.signature())
    return move.new, len(found)


def _lines(come: Incoming, part: str, session: Session) -> list[tuple[str, bytes]]:
    """What the part says of the session's own tree and does not stand here yet."""
    view = come.view
    tree = commits.tree_of(view.objects, part)
    for difference in view.trees.differences(EMPTY_TREE, tree):
        paths.check_existing(difference.path)
    there = set((notes.read(view, GATES, session.tree) or b"").splitlines())
    lines = (notes.at_commit(view, part, session.tree) or b"").splitlines()
    return [(session.tree, line) for line in dict.fromkeys(lines) if line and line not in there]
