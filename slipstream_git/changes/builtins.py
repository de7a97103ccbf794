"""The built-in checks: what no change set should bring to a branch, judged on what it adds.

    conflict-markers  lines that a merge left to be decided
    secrets           credentials, also in names of files and in what symbolic links point to
    oversize          files larger than `[policy] max_file_bytes`, or than a host would take
    syntax            files that could be parsed before and cannot any more

They start no process and look at added lines alone: what stood there before, or is only moved, is
nobody's fault today. `[builtin]` of `.slip.toml` on the branch switches them off, one by one, and
names paths and lines that they leave alone; the change set's own does not count.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Final, Protocol

from slipstream_git import hints
from slipstream_git.changes import permitting, wording
from slipstream_git.changes.factfile import FactFile
from slipstream_git.changes.messages import Identity
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.settings import Builtin, Settings
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import REGULAR, SYMLINK, Entry
from slipstream_git.outcomes import GateRow
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths, scopes
from slipstream_git.text.objectid import sha256

NAMES: Final = ("conflict-markers", "secrets", "oversize", "syntax")
#: Where nothing is said: hosts warn of files larger than this, and refuse twice as much.
LARGEST_FILE: Final = 50_000_000
# Longer files are not parsed, nor more than so much of them for one landing.
_MOST_PARSED: Final = 1 << 20
_MOST_PARSED_IN_ALL: Final = 16 << 20
_MOST_TOLD: Final = 50
_READ: Final = (*REGULAR, SYMLINK)
# Directories of the package that hold what decides what is found.
_RULES: Final = ("changes", "text", "text/outlining")


class Finding(NamedTuple):
    """What a check found. line: of the file as it would be, from 1; None for the whole file.

    check: its name. rule: what of. text: the line, without the secret, or the reason. mark: of the
    line, for `[builtin] allow_lines`; empty where there is no line.
    """

    check: str
    rule: str
    path: bytes
    line: int | None
    text: str
    mark: str = ""

    @property
    def shown_path(self) -> str:
        """The path, no credential in it."""
        from slipstream_git.text import secrets

        return paths.display(secrets.redacted(self.path))

    def told(self) -> str:
        """In one line, as it may be shown to anybody."""
        place = self.shown_path + (f":{self.line}" if self.line else "")
        marked = f" (mark {self.mark})" if self.mark else ""
        return f"{place}: {self.rule}: {self.text}{marked}"


class Landing(Protocol):
    """What is about to land: of a session, onto a tree, by the branch's rules."""

    @property
    def session(self) -> Session: ...
    @property
    def head_tree(self) -> str: ...
    @property
    def rules(self) -> Settings: ...


class Checks:
    """The checks of one landing, for as many tries as it takes: what was clean stays so."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._clean: set[tuple[bytes, Entry | None, Entry, Settings]] = set()
        self._plain: set[bytes] = set()

    def findings(self, before: str, after: str, rules: Settings) -> list[Finding]:
        """What the checks that are on find in the change from one tree to the other.

        In the order of `NAMES`, then of paths and lines. Reads blobs; writes nothing.
        """
        wanted = enabled(rules.builtin)
        if not wanted or before == after:
            return []
        differences = self._repository.trees.differences(before, after)
        looked = list(self._looked_at(differences, rules))
        found = [f for one in looked for f in self._found(one, rules, wanted)]
        if found:  # which is rare: only then it is asked what went elsewhere
            found = self._not_moved(found, differences)
        if "secrets" in wanted:
            found += self._named(differences, rules)
        if "oversize" in wanted:
            found += self._oversize(looked, differences, rules)
        if "syntax" in wanted:
            found += self._broken(looked)
        faulty = {finding.path for finding in found}
        self._clean |= {
            (path, old, new, rules) for path, old, new in looked if new and path not in faulty
        }
        return sorted(found, key=lambda f: (NAMES.index(f.check), f.path, f.line or 0))

    def rows(
        self, before: str, after: str, rules: Settings, facts: FactFile | None = None
    ) -> list[GateRow]:
        """The same, a row for each check: green, red, or skipped where it is off.

        facts: where it is remembered that nothing was found, as to find that again costs 20 ms.
        """
        began = time.monotonic()
        wanted = enabled(rules.builtin)
        key = None if facts is None else _known_by(before, after, rules)
        is_clean = bool(facts and key and facts.find({key}).get(key) is True)
        found = [] if is_clean else self.findings(before, after, rules)
        if facts and key and not found and not is_clean:
            facts.add({key: True})
        seconds = round(time.monotonic() - began, 3)
        return [_row(name, found, wanted, seconds) for name in NAMES]

    def refuse(self, what: Landing, tree: str, text: bytes, who: Identity) -> None:
        """Raises `gate-failed` for findings in a tree, `secret` for those in message or names."""
        name, rules = what.session.name, what.rules
        found = self.findings(what.head_tree, tree, rules)
        if found:
            raise refusal(name, tree, found)
        if rules.builtin.secrets:
            from slipstream_git.text import secrets

            said = {"commit message": text, "author": who.author, "committer": who.committer}
            for part, words in said.items():
                told = secrets.find(words)
                if told:
                    fault = wording.refusal(part, told[0].rule)
                    fault.hint = hints.again()  # which leaves out what holds a credential
                    fault.data |= {"session": name, "rule": told[0].rule}
                    raise fault

    def refuse_steps(self, what: Landing, trees: Sequence[str]) -> None:
        """The same for each of the trees that come one after the other. Raises `gate-failed`."""
        for before, after in pairwise(trees):
            found = self.findings(before, after, what.rules)
            if found:
                raise refusal(what.session.name, after, found)

    def _looked_at(
        self, differences: Sequence[Difference], rules: Settings
    ) -> Iterator[Difference]:
        """Files and links that the change adds or changes; one that it only moves is neither."""
        leaves = _left_alone(rules)
        gone = {one.old.oid for one in differences if one.old and not one.new}
        for one in differences:
            new = one.new
            if new is None or new.mode not in _READ or leaves(one.path):
                continue
            if (one.old is None and new.oid in gone) or (one.old and one.old.oid == new.oid):
                continue
            if (one.path, one.old, new, rules) not in self._clean:
                yield one

    def _found(self, one: Difference, rules: Settings, wanted: frozenset[str]) -> Iterator[Finding]:
        from slipstream_git.text.scrutiny import Addition, Place

        old, new = self._text(one.old), self._text(one.new) or b""
        addition = Addition(old, new)
        places: list[Place] = []
        if "conflict-markers" in wanted:
            places += addition.conflict_markers()
        if "secrets" in wanted:
            places += addition.credentials()
        for place in places:
            if place.mark not in rules.builtin.allow_lines:
                check, rule, line, text, mark = place
                yield Finding(check, rule, one.path, line, text, mark)

    def _oversize(
        self, looked: Sequence[Difference], differences: Sequence[Difference], rules: Settings
    ) -> Iterator[Finding]:
        most = rules.policy.max_file_bytes
        most = LARGEST_FILE if most is None else most
        paths = {one.path for one in looked}
        for path, size in permitting.oversize(self._repository, differences, most):
            if path in paths:
                text = f"{size} bytes, and {most} are allowed"
                yield Finding("oversize", "file-too-large", path, None, text)

    def _not_moved(
        self, found: Iterable[Finding], differences: Sequence[Difference]
    ) -> list[Finding]:
        """Without lines that the change takes out elsewhere, as often as it does."""
        from slipstream_git.text.scrutiny import Addition, mark

        gone = Counter(
            mark(line)
            for one in differences
            if one.old and one.old.mode in _READ
            for line in Addition(self._text(one.old), self._text(one.new) or b"").removed
        )
        kept = []
        for finding in found:
            if gone[finding.mark] > 0:
                gone[finding.mark] -= 1
            else:
                kept.append(finding)
        return kept

    def _broken(self, looked: Iterable[Difference]) -> list[Finding]:
        """Files that were parsed to the end before, and have faults now."""
        found, left = [], _MOST_PARSED_IN_ALL
        for path, old, new in looked:
            if old is None or new is None or {old.mode, new.mode}.difference(REGULAR):
                continue
            before, after = self._content(old) or b"", self._content(new) or b""
            if max(len(before), len(after)) > _MOST_PARSED or len(after) > left:
                continue
            left -= len(after)
            line = _first_fault(path, before, after)
            if line is not None:
                text = "it could be parsed before, and from here on it cannot"
                found.append(Finding("syntax", "syntax-error", path, line, text))
        return found

    def _named(self, differences: Sequence[Difference], rules: Settings) -> Iterator[Finding]:
        """New names that hold a credential which no name had that goes."""
        from slipstream_git.text import secrets
        from slipstream_git.text.scrutiny import mark

        names = [one.path for one in differences if one.old is None]
        names = [name for name in names if name not in self._plain]
        if not secrets.find(b"\n".join(names)):  # in one go, as there may be many
            self._plain.update(names)
            return
        gone = b"\n".join(one.path for one in differences if one.new is None)
        known = {gone[one.start : one.stop] for one in secrets.find(gone)}
        leaves = _left_alone(rules)
        for name in names:
            new = [one for one in secrets.find(name) if name[one.start : one.stop] not in known]
            if new and not leaves(name) and mark(name) not in rules.builtin.allow_lines:
                text = "the name of the file"
                yield Finding("secrets", new[0].rule, name, None, text, mark(name))

    def _text(self, entry: Entry | None) -> bytes | None:
        """What is judged of a file, in UTF-8; of a link, where it points to."""
        from slipstream_git.text import scrutiny

        if entry is None or entry.mode not in _READ:
            return None
        return scrutiny.readable(self._repository.objects.blob(entry.oid))

    def _content(self, entry: Entry | None) -> bytes | None:
        if entry is None or entry.mode not in REGULAR:
            return None
        return self._repository.objects.blob(entry.oid)


def refusal(session: str, tree: str, found: Sequence[Finding]) -> SlipError:
    """The `gate-failed` for these findings; no credential is in it."""
    first, names = found[0], list(dict.fromkeys(finding.check for finding in found))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    rows = [_row(name, found, frozenset(NAMES), 0.0) for name in names]
    return SlipError(
        "gate-failed",
        f"check {first.check} is red: {first.told()}{more}",
        hint=_look(session, first),
        data={
            "session": session,
            "tree": tree,
            "gates": to_json(rows),
            "findings": [_shown(finding) for finding in found[:_MOST_TOLD]],
        },
    )


def _look(session: str, finding: Finding) -> hints.Hint:
    """How to see what was found; a name that holds a credential is not repeated."""
    if finding.shown_path != paths.display(finding.path):
        return hints.of("slip", "status", "-s", session)
    line = f":{finding.line}" if finding.line else ""
    return hints.of("slip", "read", "-s", session, f"{finding.shown_path}{line}")


def _shown(finding: Finding) -> dict[str, object]:
    shown = finding._asdict() | {"path": finding.shown_path}
    return {key: value for key, value in shown.items() if value not in (None, "")}


def _row(name: str, found: Sequence[Finding], wanted: frozenset[str], seconds: float) -> GateRow:
    mine = [finding.told() for finding in found if finding.check == name]
    status = "red" if mine else "green" if name in wanted else "skipped"
    tail = "\n".join(mine[:_MOST_TOLD]) or None
    return GateRow(name, status, cached=False, seconds=seconds, exit=None, tail=tail)


def _known_by(before: str, after: str, rules: Settings) -> str | None:
    """All that decides what is found, in one word; None where that cannot be told.

    The rules are known by the state of their files, and the grammars that are installed by that of
    the directories where they are.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    states: list[tuple[str, int]] = []
    try:
        for directory in _RULES:
            with os.scandir(os.path.join(package, directory)) as entries:
                states += [(e.path, e.stat().st_mtime_ns) for e in entries if e.is_file()]
    except OSError:  # in a zip file, say
        return None
    states.sort()
    for place in sys.path:
        with suppress(OSError):
            states.append((place, os.stat(place).st_mtime_ns))
    said = (before, after, rules.builtin, rules.policy.max_file_bytes, states)
    return f"clean-{sha256(repr(said).encode()).hexdigest()[:40]}"


def _left_alone(rules: Settings) -> Callable[[bytes], bool]:
    """Whether a path is one that no check looks at."""
    allowed = rules.builtin.allow
    return scopes.compile_globs(allowed) if allowed else lambda _path: False


def enabled(builtin: Builtin) -> frozenset[str]:
    """The names of the checks that are on."""
    return frozenset(name for name in NAMES if getattr(builtin, name.replace("-", "_")))


def _first_fault(path: bytes, before: bytes, after: bytes) -> int | None:
    from slipstream_git.text import parsing

    name = paths.display(path)
    line = parsing.first_fault(name, after)
    return line if line and parsing.first_fault(name, before) == 0 else None
