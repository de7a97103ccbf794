r"""Real commits put through slip as patches: does the parent become the commit's tree, exactly?

    python bench/history.py REPO [--commits 300] [--format diff|v4a|blocks|all] [--command 20]

For each of the newest commits that have one parent, what the commit changed is written as a
`git diff --binary --full-index -M -C`, as a `*** Begin Patch` text and as SEARCH/REPLACE blocks,
its format left for slip to detect, and staged on a session whose base is the parent. All runs in
the process and publishes nothing, but for the first `--command` commits of each format, which go
through `slip begin` and `slip apply` as well. REPO is only read: the work is done in a temporary
clone that borrows its objects.

The last two formats cannot say everything. A commit with a file that they cannot express counts
under the reasons; its other files are staged and compared all the same. Their texts are written
here from the blobs, sharing no code with the readers: hunks begin with three rows of context
(blocks with one) and grow until they can stand in one place only, or get an `@@` line or an
`*** End of File`. Exit status 1 when a tree differed or a text was refused.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.git import git, line
from slipstream_git.changes import sessions, staging
from slipstream_git.errors import SlipError
from slipstream_git.model import FILE, GITLINK, SYMLINK, Entry
from slipstream_git.text import batches
from slipstream_git.workspace import Workspace, open_workspace

FORMATS = ("diff", "v4a", "blocks")
SHOWN_FAILURES = 20

_RANGES = re.compile(
    rb"^index ([0-9a-f]{40})\.\.([0-9a-f]{40})[^\n]*\n|^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@",
    re.MULTILINE,
)
_BLOCK_MARK = re.compile(rb"(?:<{5,9} SEARCH>?|>{5,9} REPLACE)\s*")


# --- what the commits changed ---------------------------------------------------------------------


class Commit(NamedTuple):
    oid: str
    tree: str
    parent: str


class FileChange(NamedTuple):
    """One file of a commit; a change of type comes as two of these, a removal and an addition."""

    old_path: bytes | None
    new_path: bytes | None
    old: Entry
    new: Entry


class Edit(NamedTuple):
    """Rows ``start`` to ``end`` (0-based, end exclusive) of the old file become ``new``."""

    start: int
    end: int
    new: list[bytes]


def newest(directory: str, count: int, skipped: Counter[str]) -> Iterator[Commit]:
    """The newest commits with one parent that change files; counts those that it passes over."""
    log = git(directory, "log", "--min-parents=1", "--max-parents=1", "--format=%H %T %P")
    for row in log.decode().splitlines():
        if not count:
            return
        commit = Commit(*row.split())
        changes = changes_of(directory, commit)
        if any(GITLINK in (change.old.mode, change.new.mode) for change in changes):
            skipped["changes a submodule"] += 1
        elif not changes:
            skipped["changes nothing"] += 1
        else:
            count -= 1
            yield commit


def changes_of(directory: str, commit: Commit) -> list[FileChange]:
    """The commit's files, renames found, copies as plain additions."""
    raw = git(directory, "diff", "--raw", "-z", "--no-abbrev", "-M", commit.parent, commit.oid)
    fields = iter(raw.split(b"\0")[:-1])
    return [change for head in fields for change in _changes(head, fields)]


def _changes(head: bytes, fields: Iterator[bytes]) -> list[FileChange]:
    old_mode, new_mode, old_oid, new_oid, status = head.lstrip(b":").decode().split(" ")
    old, new = Entry(int(old_mode, 8), old_oid), Entry(int(new_mode, 8), new_oid)
    path = next(fields)
    nothing = Entry(0, "0" * 40)
    if status == "A":
        return [FileChange(None, path, old, new)]
    if status == "D":
        return [FileChange(path, None, old, new)]
    if status == "T":
        return [FileChange(path, None, old, nothing), FileChange(None, path, nothing, new)]
    return [FileChange(path, next(fields) if status.startswith("R") else path, old, new)]


class Source:
    """The blobs of a commit's files, and which of their rows the commit changed."""

    def __init__(self, ws: Workspace, directory: str, commit: Commit) -> None:
        self._ws = ws
        diff = git(
            directory, "diff", "--text", "--full-index", "-U0", "-M", "--no-ext-diff",
            "--no-textconv", commit.parent, commit.oid,
        )  # fmt: skip
        self._ranges: dict[tuple[str, str], list[tuple[int, int, int, int]]] = {}
        ranges: list[tuple[int, int, int, int]] = []
        for found in _RANGES.finditer(diff):
            if found[1]:
                ranges = self._ranges[found[1].decode(), found[2].decode()] = []
            else:
                old, new = (int(found[n + 1] or 1) for n in (3, 5))
                # Without rows, a side's header names the row before.
                starts = int(found[3]) - bool(old), int(found[5]) - bool(new)
                ranges.append((starts[0], starts[0] + old, starts[1], starts[1] + new))

    def blob(self, entry: Entry) -> bytes:
        return self._ws.repository.objects.blob(entry.oid) if entry.mode else b""

    def edits(self, change: FileChange) -> list[Edit]:
        rows = rows_of(self.blob(change.new))
        ranges = self._ranges.get((change.old.oid, change.new.oid), [])
        return [Edit(start, end, rows[low:high]) for start, end, low, high in ranges]


def rows_of(data: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


# --- writing the formats --------------------------------------------------------------------------


class InexpressibleError(Exception):
    """The format has no words for this file's change; the message is the reason."""


def windows(
    edits: Sequence[Edit], size: int, context: int, low: int
) -> Iterator[tuple[int, int, int]]:
    """Ever wider row ranges about the first edit: first row, end, and how many edits they hold.

    An edit whose own context the range would touch is taken in.
    """
    while True:
        start, end = max(low, edits[0].start - context), edits[0].end + context
        count = 1
        while count < len(edits) and edits[count].start - context < end:
            end = edits[count].end + context
            count += 1
        yield start, min(size, end), count
        if start == low and end >= size:
            return
        context += max(1, context // 2)


def edited(rows: Sequence[bytes], edits: Sequence[Edit], start: int, end: int) -> list[bytes]:
    """Rows ``start`` to ``end`` with the edits made."""
    made: list[bytes] = []
    for edit in edits:
        made += [*rows[start : edit.start], *edit.new]
        start = edit.end
    return [*made, *rows[start:end]]


def check_text(change: FileChange, old: bytes, new: bytes) -> None:
    """That a text format can make the new file of the old one, as far as both formats agree."""
    if SYMLINK in (change.old.mode, change.new.mode):
        raise InexpressibleError("symlink")
    if change.new.mode != (change.old.mode or FILE):
        raise InexpressibleError("mode")
    if b"\0" in old + new:
        raise InexpressibleError("binary")


def is_ended(data: bytes) -> bool:
    return data.endswith(b"\n") or not data


# --- *** Begin Patch


def v4a_file(change: FileChange, source: Source) -> bytes:
    for path in (change.old_path, change.new_path):
        if path is not None and (path != path.strip() or b"\n" in path):
            raise InexpressibleError("path")
    if change.new_path is None:
        return b"*** Delete File: %b\n" % (change.old_path or b"")
    if change.old_path is None:
        return b"*** Add File: %b\n%b" % (change.new_path, _v4a_content(change, source))
    head = b"*** Update File: %b\n" % change.old_path
    if change.new_path != change.old_path:
        head += b"*** Move to: %b\n" % change.new_path
    return head if change.old == change.new else head + _v4a_hunks(change, source)


def _v4a_content(change: FileChange, source: Source) -> bytes:
    content = source.blob(change.new)
    check_text(change, b"", content)
    if not is_ended(content):
        raise InexpressibleError("no final newline")
    return b"".join(b"+" + row for row in rows_of(content))


def _v4a_hunks(change: FileChange, source: Source) -> bytes:
    old, new = source.blob(change.old), source.blob(change.new)
    check_text(change, old, new)
    if new and is_ended(old) != is_ended(new):
        raise InexpressibleError("no final newline")
    rows = [row.removesuffix(b"\n") for row in rows_of(old)]
    edits = source.edits(change)
    text, done = b"", 0
    while edits:
        start, done, count, marks = _v4a_place(rows, edits, done)
        text += marks[0] + _v4a_rows(rows, edits[:count], start, done) + marks[1]
        edits = edits[count:]
    return text


def _v4a_place(
    rows: list[bytes], edits: Sequence[Edit], done: int
) -> tuple[int, int, int, tuple[bytes, bytes]]:
    for start, end, count in windows(edits, len(rows), 3, done):
        marks = _v4a_marks(rows, done, start, end)
        if marks is not None:
            return start, end, count, marks
    raise AssertionError("a range that ends with the file has a mark for that")


def _v4a_marks(rows: list[bytes], done: int, start: int, end: int) -> tuple[bytes, bytes] | None:
    """The lines above and below a hunk that make it stand at ``start`` alone; None: there are none.

    done: the end of the hunk before it.
    """
    block = rows[start:end]
    if occurrences(rows, block, done) == 1:
        return b"@@\n", b""
    for at in range(start - 1, done - 1, -1):
        anchor = rows[at]
        if re.match(rb"\w", anchor) and anchor == anchor.strip() and rows.index(anchor, done) == at:
            if start == at + 1 or occurrences(rows, block, at + 1) == 1:
                return b"@@ %b\n" % anchor, b""
            break
    return (b"@@\n", b"*** End of File\n") if end == len(rows) else None


def occurrences(rows: list[bytes], block: list[bytes], low: int) -> int:
    if not block:
        return len(rows) - low + 1
    last = len(rows) - len(block)
    return sum(
        rows[at] == block[0] and rows[at : at + len(block)] == block for at in range(low, last + 1)
    )


def _v4a_rows(rows: list[bytes], edits: Sequence[Edit], start: int, end: int) -> bytes:
    text = b""
    for edit in edits:
        text += b"".join(b" %b\n" % row for row in rows[start : edit.start])
        text += b"".join(b"-%b\n" % row for row in rows[edit.start : edit.end])
        text += b"".join(b"+%b\n" % row.removesuffix(b"\n") for row in edit.new)
        start = edit.end
    return text + b"".join(b" %b\n" % row for row in rows[start:end])


# --- SEARCH/REPLACE blocks


def blocks_file(change: FileChange, source: Source) -> bytes:
    if change.new_path is None:
        raise InexpressibleError("delete")
    if change.old_path not in (None, change.new_path):
        raise InexpressibleError("rename")
    if re.search(rb"\A[\s#*`]|[\s:*`]\Z|\n", change.new_path):
        raise InexpressibleError("path")
    old, new = source.blob(change.old), source.blob(change.new)
    check_text(change, old, new)
    if new and not is_ended(new) and is_ended(old):
        raise InexpressibleError("no final newline")
    if change.old_path is None:
        return _block(change.new_path, [], rows_of(new))
    if not old:
        raise InexpressibleError("the file was empty")
    return b"".join(_blocks(change.new_path, rows_of(old), source.edits(change)))


def _blocks(path: bytes, rows: list[bytes], edits: list[Edit]) -> Iterator[bytes]:
    """One block for each edit or few, each of them for the file as the ones before have left it."""
    while edits:
        text = b"".join(rows)
        size = len(rows) if is_ended(text) else len(rows) - 1
        start, end, count = _blocks_place(rows, edits, text, size)
        search, taken = rows[start:end], edits[:count]
        if _loses_line_ends(search, taken):
            raise InexpressibleError("LF among CRLF")
        made = edited(rows, taken, start, end)
        yield _block(path, search, made)
        rows = [*rows[:start], *made, *rows[end:]]
        moved = len(made) - len(search)
        edits = [Edit(e.start + moved, e.end + moved, e.new) for e in edits[count:]]


def _blocks_place(
    rows: list[bytes], edits: Sequence[Edit], text: bytes, size: int
) -> tuple[int, int, int]:
    """size: how many rows end in a newline, as those of SEARCH do."""
    for start, end, count in windows(edits, size, 1, 0):
        search = b"".join(rows[start:end])
        if edits[count - 1].end <= size and search and text.find(search) == text.rfind(search):
            return start, end, count
    raise InexpressibleError("no final newline")


def _loses_line_ends(search: Iterable[bytes], edits: Iterable[Edit]) -> bool:
    """LF becomes CRLF where the lines that it replaces end so: that is how a model sends CRLF."""
    crlf = any(row.endswith(b"\r\n") for row in search)
    return crlf and any(not row.endswith(b"\r\n") for edit in edits for row in edit.new)


def _block(path: bytes, search: list[bytes], replace: list[bytes]) -> bytes:
    rows = [*search, *replace]
    if any(_BLOCK_MARK.fullmatch(row) for row in rows):
        raise InexpressibleError("the format's own marks")
    taken = {row.strip() for row in rows if row.startswith(b"=")}
    size = next((n for n in (7, 5, 6, 8, 9) if b"=" * n not in taken), 0)
    if not size:
        raise InexpressibleError("the format's own marks")
    head, middle, tail = (mark * size for mark in (b"<", b"=", b">"))
    return b"%b\n%b SEARCH\n%b%b\n%b%b REPLACE\n" % (
        path, head, b"".join(search), middle, b"".join(replace), tail,
    )  # fmt: skip


# --- one commit in one format ---------------------------------------------------------------------


class Case(NamedTuple):
    """A text, the tree that it must make, and why the text is not the whole commit."""

    text: bytes
    tree: str
    reasons: frozenset[str]


def diff_case(_: Workspace, directory: str, commit: Commit) -> Case:
    diff = git(
        directory, "diff", "--binary", "--full-index", "-M", "-C", "--no-ext-diff",
        "--no-textconv", commit.parent, commit.oid,
    )  # fmt: skip
    return Case(diff, commit.tree, frozenset())


def v4a_case(ws: Workspace, directory: str, commit: Commit) -> Case:
    case = _text_case(ws, directory, commit, v4a_file)
    if case.text:
        return case._replace(text=b"*** Begin Patch\n" + case.text + b"*** End Patch\n")
    return case


def blocks_case(ws: Workspace, directory: str, commit: Commit) -> Case:
    return _text_case(ws, directory, commit, blocks_file)


def _text_case(
    ws: Workspace, directory: str, commit: Commit, write: Callable[[FileChange, Source], bytes]
) -> Case:
    source = Source(ws, directory, commit)
    text, reasons = b"", set()
    entries: dict[bytes, Entry | None] = {}
    for change in changes_of(directory, commit):
        try:
            text += write(change, source)
        except InexpressibleError as reason:
            reasons.add(str(reason))
            continue
        if change.old_path is not None:
            entries.setdefault(change.old_path, None)
        if change.new_path is not None:
            entries[change.new_path] = change.new
    if not reasons:
        return Case(text, commit.tree, frozenset())
    trees = ws.repository.trees
    parent = line(directory, "rev-parse", f"{commit.parent}^{{tree}}")
    return Case(text, trees.splice(parent, entries), frozenset(reasons))


CASES: dict[str, Callable[[Workspace, str, Commit], Case]] = {
    "diff": diff_case,
    "v4a": v4a_case,
    "blocks": blocks_case,
}


def staged_tree(ws: Workspace, commit: Commit, text: bytes) -> str:
    """The tree of a session on the parent after the text; nothing reaches the disk."""
    draft = sessions.drafted(ws, sessions.Wish(name="history", base=commit.parent))
    staged = staging.stage(ws, draft, batches.decode(text, "auto"), staging.Label())
    return staged.session.tree


def command_tree(directory: str, commit: Commit, text: bytes) -> str:
    """The same through the real command line."""

    def slip(*arguments: str, stdin: bytes = b"") -> None:
        subprocess.run(
            [sys.executable, "-m", "slipstream_git", "-C", directory, *arguments],
            input=stdin, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    name = f"h-{commit.oid[:12]}"
    slip("begin", name, "--base", commit.parent)
    try:
        slip("apply", "-s", name, stdin=text)
        return line(directory, "rev-parse", f"refs/slip/sessions/{name}^{{tree}}")
    finally:
        slip("abort", "-s", name)


# --- the table ------------------------------------------------------------------------------------


class Tally:
    """What came of the commits in one format."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.commits = self.exact = self.mismatched = self.parts = self.command = 0
        self.command_failed = 0
        self.refused: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.failures: list[str] = []

    def take(self, ws: Workspace, directory: str, commit: Commit, commands: int) -> None:
        self.commits += 1
        case = CASES[self.form](ws, directory, commit)
        self.reasons.update(case.reasons)
        if not case.text:
            return
        try:
            tree = staged_tree(ws, commit, case.text)
        except SlipError as refusal:
            self.refused[refusal.code] += 1
            self.failures.append(f"{self.form} {commit.oid}: {refusal.code}: {refusal.message}")
            return
        finally:
            ws.repository.objects.discard()
        if tree != case.tree:
            self.mismatched += 1
            self.failures.append(f"{self.form} {commit.oid}: made {tree}, not {case.tree}")
            return
        self.exact += not case.reasons
        self.parts += bool(case.reasons)
        if self.command < commands and not case.reasons:
            self._take_command(directory, commit, case)

    def _take_command(self, directory: str, commit: Commit, case: Case) -> None:
        self.command += 1
        try:
            tree = command_tree(directory, commit, case.text)
        except subprocess.CalledProcessError as fault:
            tree = f"exit status {fault.returncode}"
        if tree != case.tree:
            self.command_failed += 1
            self.failures.append(f"{self.form} {commit.oid} by command: {tree}, not {case.tree}")

    def row(self) -> str:
        inexpressible = self.commits - self.exact - self.mismatched - self.refused.total()
        return (
            f"{self.form:8}{self.commits:8}{self.exact:8}{self.mismatched:12}"
            f"{self.refused.total():9}{inexpressible:15}{self.parts:13}"
            f"{self.command - self.command_failed:9} of {self.command}"
        )

    def details(self) -> Iterator[str]:
        for title, counter in (("refused", self.refused), ("inexpressible", self.reasons)):
            if counter:
                rows = ", ".join(f"{what} {n}" for what, n in counter.most_common())
                yield f"{self.form} {title}: {rows}"
        yield from self.failures[:SHOWN_FAILURES]


HEAD = (
    f"{'format':8}{'commits':>8}{'exact':>8}{'mismatched':>12}{'refused':>9}"
    f"{'inexpressible':>15}{'(rest exact)':>13}{'by command':>15}"
)


def main() -> int:
    """Run it; the exit status says whether every tree was as it must be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("repo", nargs="?", default=".", metavar="REPO")
    parser.add_argument("--commits", type=int, default=300, metavar="N")
    parser.add_argument("--format", choices=(*FORMATS, "all"), default="all")
    parser.add_argument("--command", type=int, default=20, metavar="N")
    options = parser.parse_args()
    tallies = [Tally(form) for form in FORMATS if options.format in (form, "all")]
    skipped: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        directory = f"{place}/clone.git"
        git(
            place,
            "clone",
            "--quiet",
            "--shared",
            "--bare",
            str(Path(options.repo).resolve()),
            directory,
        )
        ws = open_workspace(directory, os.environ, in_process=True)
        for commit in newest(directory, options.commits, skipped):
            for tally in tallies:
                tally.take(ws, directory, commit, options.command)
    print(HEAD, *(tally.row() for tally in tallies), sep="\n")
    for what, n in skipped.items():
        print(f"passed over: {what} {n}")
    print(*(text for tally in tallies for text in tally.details()), sep="\n")
    return int(any(tally.failures for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
