"""What a session may touch, and how much: its own `--allow` and `--deny`, and `[policy]` of the
branch that it lands on.

Every step is judged here before it is staged, and the whole of it once more when it lands, since
the branch may have changed its mind. What goes over a limit is refused where it makes things worse:
a session that is over one already may still shrink. Undo and redo are not judged before they land.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from slipstream_git import hints
from slipstream_git.changes import settings
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.settings import Policy
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import REGULAR, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths, scopes
from slipstream_git.workspace import Workspace


class _Extent(NamedTuple):
    """How much a session changes; the fields of `Policy` that limit it are called alike."""

    max_files: int
    max_lines: int
    max_bytes: int


_UNITS = {"max_files": "files", "max_lines": "lines", "max_bytes": "bytes"}


class Permit:
    """What one session may do. policy: the branch's, where the caller has it at hand.

    allowed: globs of protected paths that the caller lets it change, beside its own.
    """

    def __init__(
        self,
        ws: Workspace,
        session: Session,
        policy: Policy | None = None,
        allowed: Sequence[str] = (),
    ) -> None:
        self._ws = ws
        self._session = session
        # Before the first path: a rule that cannot be read must not look like one path's fault.
        self._policy = of(ws, session) if policy is None else policy
        self._allowed = (*session.allow_protected, *allowed)

    def path(self, path: bytes) -> None:
        """Raises `path-denied` or `policy` for a path that the session may not touch."""
        session = self._session
        if not scopes.permitted(path, session.allow, session.deny):
            bounds = [f"--allow {glob}" for glob in session.allow]
            bounds += [f"--deny {glob}" for glob in session.deny]
            raise SlipError(
                "path-denied",
                f"{paths.display(path)} is outside what {session.name} may touch"
                f" ({', '.join(bounds)})",
            )
        self._check_protected((path,))

    def step(self, tree: str) -> None:
        """Raises `policy` where the session, with ``tree`` for its newest, would be over a limit.

        Its paths are judged by `path`, by whoever knows which of them are the session's own doing.
        """
        self._check_files(self._differences(self._session.tree, tree))
        self._check_extent(self._session.base_tree, tree, self._session.tree)

    def landing(self) -> None:
        """The same for all that the session changes, as it is about to land."""
        try:
            self.change(self._session.base_tree, self._session.tree)
        except SlipError as fault:
            if "protected" in fault.data:
                fault.hint = hints.again("--allow-protected", str(fault.data["protected"]))
            raise

    def change(self, before: str, after: str) -> None:
        """The same for a part that lands by itself: from one tree to another."""
        changed = self._differences(before, after)
        self._check_protected(one.path for one in changed)
        self._check_files(changed)
        self._check_extent(before, after, None)

    def advise(self, fault: SlipError) -> None:
        """Give a refused batch the hint that its op had."""
        rows = fault.data.get("ops")
        for row in rows if isinstance(rows, list) else ():
            if "protected" in row:
                fault.hint = _rightful(row["protected"])
                return

    def _check_protected(self, changed: Iterable[bytes]) -> None:
        globs = self._policy.protected
        if not globs:
            return
        protects = scopes.compile_globs(globs)
        allows = scopes.compile_globs(self._allowed) if self._allowed else lambda _path: False
        for path in changed:
            if protects(path) and not allows(path):
                shown = paths.display(path)
                raise SlipError(
                    "policy",
                    f"{shown} is protected by .slip.toml ({', '.join(globs)}); sessions begun"
                    " with --allow-protected may change it",
                    hint=_rightful(shown),
                    data={"protected": shown},
                )

    def _check_files(self, changed: Sequence[Difference]) -> None:
        most = self._policy.max_file_bytes
        for path, size in () if most is None else oversize(self._ws.repository, changed, most):
            raise SlipError(
                "policy",
                f"{paths.display(path)} would have {size} bytes, and [policy] max_file_bytes of"
                f" .slip.toml allows {most}",
                hint=hints.of("slip", "status", "-s", self._session.name),
                data={"rule": "max_file_bytes", "limit": most, "count": size},
            )

    def _check_extent(self, base: str, tree: str, before: str | None) -> None:
        """before: a tree that may have been over a limit already."""
        limits = {
            key: most for key in _Extent._fields if (most := getattr(self._policy, key)) is not None
        }
        if not limits:
            return
        now = self._extent(base, tree, limits)
        for key, most in limits.items():
            count = getattr(now, key)
            if count <= most:
                continue
            if before is None or count > getattr(self._extent(base, before, limits), key):
                raise self._too_much(key, count, most)

    def _extent(self, base: str, tree: str, wanted: Iterable[str]) -> _Extent:
        """Lines are those that `diff --stat` counts; bytes are of added lines, or binary files."""
        from slipstream_git.text import linediff, matching
        from slipstream_git.text.scrutiny import Addition

        changed = self._differences(base, tree)
        lines = size = 0
        for _, old, new in changed if {"max_lines", "max_bytes"}.intersection(wanted) else ():
            before, after = _content(self._ws.repository, old), _content(self._ws.repository, new)
            lines += sum(linediff.count(before, after) or ())
            if matching.is_binary(after):
                size += len(after)
            else:
                added = Addition(before, after).added
                size += sum((len(line) + 1) * times for line, times in added.items())
        return _Extent(len(changed), lines, size)

    def _too_much(self, key: str, count: int, most: int) -> SlipError:
        name, unit = self._session.name, _UNITS[key]
        return SlipError(
            "policy",
            f"{name} would change {count} {unit}, and [policy] {key} of .slip.toml allows {most}",
            hint=hints.of("slip", "diff", "-s", name, "--stat"),
            data={"rule": key, "limit": most, "count": count},
        )

    def _differences(self, old: str, new: str) -> Sequence[Difference]:
        return self._ws.repository.trees.differences(old, new)


def _rightful(path: str) -> hints.Hint:
    """How a session comes by the right that this one lacks."""
    return hints.of("slip", "begin", "--allow-protected", path)


def of(ws: Workspace, session: Session) -> Policy:
    """The policy of the branch that a session lands on; of its base while there is none."""
    repository = ws.repository
    head = repository.store.ref(repository.pointed_at(session.onto)) if session.onto else None
    return settings.at(repository, head or session.base).policy


def oversize(
    repository: Repository, changed: Sequence[Difference], most: int
) -> Iterator[tuple[bytes, int]]:
    """Files of a change that are larger than ``most``, with their sizes.

    One that was too large before may stay so, shrink, and move (to where nothing was): each that
    goes makes up for one that comes and is not larger.
    """
    sizes = [(one, len(_content(repository, one.new))) for one in changed]
    large = [(one, size) for one, size in sizes if size > most]
    if not large:
        return
    came = [(one, size) for one, size in large if one.old is None]
    excused = _moved(repository, came, [one for one in changed if one.new is None])
    for one, size in large:
        before = len(_content(repository, one.old)) if one.old else 0
        if size > before and one.path not in excused:
            yield one.path, size


def _moved(
    repository: Repository,
    came: Sequence[tuple[Difference, int]],
    went: Iterable[Difference],
) -> set[bytes]:
    """Paths that came and have one each that went: the same file, else one as large or larger."""
    left = [(len(_content(repository, one.old)), one.old and one.old.oid) for one in went]
    left.sort(key=lambda gone: gone[0])
    found: set[bytes] = set()
    for same in (True, False):
        # The largest first, and each with the smallest that will do: so most find one.
        for one, size in sorted(came, key=lambda pair: -pair[1]):
            oid = one.new.oid if same and one.new else None
            fits = (g for g in left if g[0] >= size and oid in (None, g[1]))
            gone = None if one.path in found else next(fits, None)
            if gone is not None:
                left.remove(gone)
                found.add(one.path)
    return found


def _content(repository: Repository, entry: Entry | None) -> bytes:
    if entry is None or entry.mode not in REGULAR:
        return b""
    return repository.objects.blob(entry.oid)
