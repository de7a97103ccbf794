"""Conflicts as data: which files, which hunks, what each side did, and who made the other side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from slipstream_git.changes import authors, candidates
from slipstream_git.changes.authors import Touch
from slipstream_git.changes.enclosing import Enclosing
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.sides import Names, Sides, Trees, joined
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.model import FILE, REGULAR, ZERO, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.results import path_b64
from slipstream_git.text import hunks, matching, paths, weaving
from slipstream_git.text.hunks import Hunk
from slipstream_git.text.weaving import Weave
from slipstream_git.workspace import Workspace

# What an answer holds at most; it says what it leaves out.
MOST_FILES = 200
MOST_HUNKS = 50
MOST_HUNK_LINES = 200
MOST_HUNK_CHARACTERS = 10_000
MOST_CHARACTERS = 500_000
MOST_CANDIDATES = 50


# The versions of base, ours and theirs.
Entries = tuple[Entry | None, Entry | None, Entry | None]
# The numbers of a path's hunks.
Decided = Mapping[bytes, Collection[int]]


class Meeting(NamedTuple):
    """What met what: the base, the other side's branch and head, and both sides' names.

    trees: the three that were merged; without them names and deeds are not told. session: whose
    change is theirs, where it is one's; it has the candidates. other: the session that is ours,
    where no branch is.
    """

    onto: str | None
    onto_commit: str | None
    base: str | None
    ours: str
    theirs: str
    trees: tuple[str, str, str] | None = None
    session: Session | None = None
    other: Session | None = None


def error(
    ws: Workspace,
    found: Sequence[Conflict],
    message: str,
    meeting: Meeting,
    *,
    advice: str = "",
    hint: str | None = None,
    decided: Decided | None = None,
) -> SlipError:
    """The `conflict` error, with every conflicting file and its hunks in ``data``.

    advice: how to go on, the end of the message. decided: as `files` has it.
    """
    told = files(ws, found, meeting, decided)
    known = list(dict.fromkeys(row.get("original", row["path"]) for row in told))
    names = ", ".join(known[:5])
    more = f" and {len(known) - 5} more" if len(known) > 5 else ""
    data = {
        "onto": meeting.onto,
        "onto_commit": meeting.onto_commit,
        "base": meeting.base,
        "sides": {"ours": meeting.ours, "theirs": meeting.theirs},
        "files": told,
    }
    return SlipError("conflict", f"{message}: {names}{more}{advice}", hint=hint, data=data)


def files(
    ws: Workspace, found: Sequence[Conflict], meeting: Meeting, decided: Decided | None = None
) -> list[dict[str, Any]]:
    """The conflicting files as JSON values, the first `MOST_FILES` of them explained.

    decided: where hunks are decided one by one, the numbers of those that are; the others are told
    with theirs. Costs one git process at most, to ask who made the other side.
    """
    found = joined(ws.repository, found, meeting.trees)
    told = _Told(ws, found[:MOST_FILES], meeting, decided)
    explained = [told.row(conflict) for conflict in found[:MOST_FILES]]
    bare = [_facts(conflict) | {"unexplained": True} for conflict in found[MOST_FILES:]]
    return explained + [row | {"hunks": [], "by": []} for row in bare]


def weave(ws: Workspace, entries: Entries) -> Weave | None:
    """The text of a conflict taken apart; None for one that has no hunks."""
    if entries[1] is None or entries[2] is None:
        return None
    if any(entry is not None and entry.mode not in REGULAR for entry in entries):
        return None
    texts = [ws.repository.objects.blob(entry.oid) if entry else b"" for entry in entries]
    if any(map(matching.is_binary, texts)):
        return None
    found = weaving.taken_apart(texts[0], texts[1], texts[2])
    return found if found.collisions else None


def hunks_of(ws: Workspace, conflict: Conflict) -> Sequence[Hunk]:
    """The hunks of a conflict, whole."""
    found = weave(ws, (conflict.base, conflict.ours, conflict.theirs))
    return found.hunks if found else ()


def _facts(conflict: Conflict) -> dict[str, Any]:
    entries = {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs}
    oids = {f"{side}_oid": entry.oid if entry else None for side, entry in entries.items()}
    shown = paths.display(conflict.path)
    row: dict[str, Any] = {"path": shown, "kind": conflict.kind, **oids}
    encoded = path_b64(conflict.path, shown)
    if encoded:
        row["path_b64"] = encoded
    if any(entry and entry.mode != FILE for entry in entries.values()):
        row |= {f"{side}_mode": f"{e.mode:06o}" if e else None for side, e in entries.items()}
    return row


class _Told:
    """The conflicts of one merge as they are told; what is asked of git is asked once."""

    def __init__(
        self,
        ws: Workspace,
        found: Sequence[Conflict],
        meeting: Meeting,
        decided: Decided | None,
    ) -> None:
        self._ws = ws
        self._decided = decided
        self._meeting = meeting
        self._found = found
        trees = meeting.trees
        self._sides = Sides(ws.repository, Trees(*trees)) if trees else None
        self._names = {conflict.path: self._named(conflict) for conflict in found}
        self._touches = self._touched()
        self._lines = authors.Lines(ws)
        self._enclosing = Enclosing(ws.repository.objects.blob)
        self._room = MOST_CHARACTERS
        self._tries = MOST_CANDIDATES

    def row(self, conflict: Conflict) -> dict[str, Any]:
        """One file of `error.data.files`."""
        found = hunks_of(self._ws, conflict)
        row = _facts(conflict) | self._renames(conflict)
        if self._sides:
            row["did"] = self._did(conflict, self._sides)
        row |= self._hunks(conflict, found)
        candidate = self._candidate(conflict) if found else None
        if candidate:
            row["candidate"] = candidate
        row["by"] = to_json(self._by(conflict, found))
        return row

    def _named(self, conflict: Conflict) -> Names:
        return self._sides.names(conflict) if self._sides else Names(None, None, None)

    def _renames(self, conflict: Conflict) -> dict[str, Any]:
        if self._sides is None:
            return {}
        names = self._names[conflict.path]
        found: dict[str, Any] = {}
        original = self._sides.original(conflict)
        if original is not None:
            found["original"] = paths.display(original)
        if conflict.kind == "directory-rename":
            source = next((name for name in names[1:] if name not in (None, conflict.path)), None)
        else:
            source = names.base
        renamed = self._sides.renamed_to(names)
        if source is not None and (renamed or source not in (conflict.path, original)):
            found["from"] = paths.display(source)
        if renamed:
            found["renamed_to"] = {side: paths.display(name) for side, name in renamed.items()}
        return found

    def _did(self, conflict: Conflict, sides: Sides) -> dict[str, str]:
        """What each side did; of ours also which commit took the file away."""
        did = sides.did(conflict)
        names = self._names[conflict.path]
        gone = names.base or conflict.path
        if did["ours"].startswith(("deleted", "renamed ")):
            touches = self._touches.get(gone, ())
            by = next((touch for touch in touches if touch.new == ZERO), None)
            if by is not None:
                did["ours"] += f" ({by.commit[:10]})"
        return did

    def _hunks(self, conflict: Conflict, found: Sequence[Hunk]) -> dict[str, Any]:
        """As many hunks as an answer holds, and how many it leaves out."""
        decided = (self._decided or {}).get(conflict.path, ())
        left = [(number, hunk) for number, hunk in enumerate(found, 1) if number not in decided]
        told = []
        for number, hunk in left[:MOST_HUNKS]:
            named = self._enclosing.named(self._path(conflict), conflict, [hunk])[0]
            short = hunks.clipped(named, MOST_HUNK_LINES, MOST_HUNK_CHARACTERS)
            self._room -= sum(map(len, (short.base_text, short.ours_text, short.theirs_text)))
            if self._room < 0:
                break
            told.append({} if self._decided is None else {"hunk": number})
            told[-1] |= to_json(short)
        row: dict[str, Any] = {"hunks": told}
        if len(left) > len(told):
            row["hunks_left_out"] = len(left) - len(told)
        if decided:
            row["decided"] = sorted(decided)
        return row

    def _path(self, conflict: Conflict) -> bytes:
        """The real path of a conflict, where git has pushed the file aside."""
        original = self._sides.original(conflict) if self._sides else None
        return original or conflict.path

    def _candidate(self, conflict: Conflict) -> dict[str, Any] | None:
        session = self._meeting.session
        if session is None or not self._tries:
            return None
        self._tries -= 1
        candidate = candidates.of(self._ws, session, conflict)
        if candidate is None or len(candidate.data) > self._room:
            return None
        told = candidates.told(candidate)
        self._room -= len(told["text"])
        return told

    # Who made the other side --------------------------------------------------------------------

    def _touched(self) -> Mapping[bytes, list[Touch]]:
        meeting = self._meeting
        wanted = list(self._wanted())
        if meeting.other is not None:
            return authors.of_session(self._ws, meeting.other, wanted)
        if meeting.onto_commit is None:
            return {}
        return authors.of_branch(self._ws, meeting.base, meeting.onto_commit, wanted)

    def _wanted(self) -> Iterator[bytes]:
        """The paths of the other side whose changes are part of the conflicts."""
        for conflict in self._found:
            yield from self._keys(conflict)

    def _keys(self, conflict: Conflict) -> list[bytes]:
        """Where the other side touched what conflicts; a directory stands for all below it."""
        names = self._names[conflict.path]
        keys = [self._path(conflict), names.ours, names.base]
        if conflict.kind == "directory-rename" and conflict.ours is None and names.theirs:
            keys.append(names.theirs.rpartition(b"/")[0])
        return list(dict.fromkeys(key for key in keys if key))

    def _by(self, conflict: Conflict, found: Sequence[Hunk]) -> list[authors.Row]:
        touches = [t for key in self._keys(conflict) for t in self._touches.get(key, ())]
        ours = conflict.ours
        lines = self._lines.touched(touches, ours.oid, found) if ours and found else set()
        return authors.rows(touches, lines)
