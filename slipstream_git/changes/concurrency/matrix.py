"""The matrix: which open sessions would conflict with each other, or with their branch, now.

A session and its branch are merged as a landing would merge them. Two sessions are compared as the
landing of one after the other would find them, and without the branch: what is between a session
and the branch is told there, and once.

- Over the same base tree, that is the merge of the two trees.
- Over different ones, the session on the older base is first brought onto the newer one, as by a
  landing; where that conflicts, its own version stands. Then they are merged over the newer base.

Most pairs need no merge: footprints that do not meet do not conflict. What a merge came to is
remembered, so that asking again costs little. Nothing is written but that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from typing import Final

from slipstream_git.changes import conflicts, footprints, sessions
from slipstream_git.changes.concurrency import parties, settling
from slipstream_git.changes.concurrency.parties import Gathering, Party
from slipstream_git.changes.concurrency.verdicts import Row, Verdicts
from slipstream_git.changes.enclosing import Enclosing
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, merge
from slipstream_git.gitdb.merged import Conflict, own_name
from slipstream_git.meetings import Collision, Conflicts, Pair, Unreadable
from slipstream_git.model import GITLINK
from slipstream_git.records import NamedTuple
from slipstream_git.results import path_b64
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

# Of one path; and the text of all hunks of a path that are shown.
MOST_HUNKS: Final = 20
MOST_TEXT: Final = 16 << 10


class Pairing(NamedTuple):
    """A pair that may conflict, so that only a merge can tell: of ``a`` as ours, ``b`` as theirs.

    objects: the ids that decide the merge, first its sort. is_sure: nothing else decides it.
    """

    a: str
    b: str
    objects: tuple[str, ...]
    is_sure: bool
    different_onto: bool = False


def conflicts_among(
    ws: Workspace, wanted: Sequence[str] = (), branches: Sequence[str] = (), *, worktrees: bool
) -> Conflicts:
    """Compare everybody with everybody.

    wanted: only pairs with one of these sessions. branches: compare with these, too. worktrees:
    what ordinary git has in the repository's worktrees takes part, too. Raises `session-missing`,
    `missing` for a branch; whatever else is wrong is told beside what is right.
    """
    named = [_branch(ws, name) for name in branches]
    found = parties.gather(ws, wanted, worktrees=worktrees)
    return _Matrix(ws, found, frozenset(wanted), named).told()


def _branch(ws: Workspace, name: str) -> str:
    ref = ws.repository.pointed_at(sessions.branch_ref(ws, name))
    if ws.repository.store.ref(ref) is None:
        raise SlipError("missing", f"there is no branch {name}", hint="git branch --list")
    return ref


class _Matrix:
    """One answer in the making."""

    def __init__(
        self, ws: Workspace, found: Gathering, wanted: frozenset[str], named: Sequence[str]
    ) -> None:
        self._ws = ws
        self._repository = ws.repository
        self._found = found
        self._wanted = wanted
        self._everybody = [*found.sessions, *found.others]
        self._named = set(named) - {party.name for party in found.others}
        self._unreadable = list(found.unreadable)
        self._clean = 0
        self._enclosing = Enclosing(ws.repository.objects.blob)
        self._carried: dict[tuple[str, str, str], str] = {}
        self._ancestry: dict[tuple[str, str], bool] = {}
        # What merges are made of and no ref reaches: edits in worktrees, what was carried.
        self._needed = dict(ws.repository.objects.pending())
        onto = {party.onto for party in self._everybody if party.onto and party.tip}
        self._heads = parties.heads_of(ws, onto | self._named)

    def told(self) -> Conflicts:
        verdicts = Verdicts(self._repository)
        pairings = list(self._pairings())
        keys = [verdicts.key(*m.objects) if m.is_sure else None for m in pairings]
        verdicts.look_up(keys)
        pairs = []
        for pairing, key in zip(pairings, keys, strict=True):
            rows = verdicts.get(key)
            if rows is None:
                rows = self._merged(pairing)
                if rows is None:
                    continue
                verdicts.put(key, rows)
            if rows:
                collisions = [Collision(**row) for row in rows]
                pairs.append(Pair(pairing.a, pairing.b, collisions, pairing.different_onto or None))
            else:
                self._clean += 1
        verdicts.keep()
        return Conflicts(
            sorted(pairs, key=lambda pair: (pair.a, pair.b)),
            [party.name for party in self._found.sessions],
            self._clean,
            sorted({*self._heads, *(party.name for party in self._found.others)}),
            self._unreadable,
        )

    # Who meets whom ----------------------------------------------------------------------------

    def _pairings(self) -> Iterator[Pairing]:
        for a, b in combinations(self._everybody, 2):
            if self._is_asked(a, b) and a.name != b.onto and b.name != a.onto:
                try:
                    pairing = self._of_two(a, b)
                except SlipError as fault:
                    self._unreadable.append(Unreadable(a.name, fault.message, b.name))
                else:
                    yield from self._counted(pairing)
        for party in self._everybody:
            for branch in self._branches_of(party):
                try:
                    pairing = self._with_branch(party, branch)
                except SlipError as fault:
                    self._unreadable.append(Unreadable(party.name, fault.message, branch))
                else:
                    yield from self._counted(pairing)

    def _counted(self, pairing: Pairing | None) -> Iterator[Pairing]:
        if pairing is None:
            self._clean += 1
        else:
            yield pairing

    def _is_asked(self, *those: Party) -> bool:
        return not self._wanted or any(party.name in self._wanted for party in those)

    def _branches_of(self, party: Party) -> list[str]:
        """The branches that a party is compared with: where it lands, and those that were named."""
        if not self._is_asked(party) or party.tip is None:
            return []  # edits in a worktree stand on its own branch
        wanted = {party.onto or "", *self._named} - {party.name}
        return sorted(branch for branch in wanted if branch in self._heads)

    def _of_two(self, a: Party, b: Party) -> Pairing | None:
        older, newer = (b, a) if self._is_older(b, a) else (a, b)
        trees, met = self._repository.trees, a.footprint.meets(b.footprint)
        lies = footprints.lies_over(trees, older.footprint, older.base_tree, newer.base_tree)
        if lies and not met:
            return None
        apart = bool(a.onto and b.onto and a.onto != b.onto)
        if a.base_tree == b.base_tree:
            ids: tuple[str, ...] = ("trees", a.base_tree, a.tree, b.tree)
        else:
            sort = "carry-a" if older is a else "carry-b"
            ids = (sort, older.base_tree, newer.base_tree, a.tree, b.tree)
            met |= older.footprint.changed
        return Pairing(a.name, b.name, ids, not self._has_submodule(met, ids[1:]), apart)

    def _is_older(self, a: Party, b: Party) -> bool:
        """Whether the base of ``a`` comes before that of ``b``."""
        if a.time != b.time or a.base is None or b.base is None:
            return a.time < b.time
        if a.base == b.base:
            return False
        known = self._ancestry.get((a.base, b.base))
        if known is None:
            asked = ("merge-base", "--is-ancestor", a.base, b.base)
            known = self._repository.git.run(*asked, accept=(0, 1)).status == 0
            self._ancestry[a.base, b.base] = known
        return known

    def _with_branch(self, party: Party, branch: str) -> Pairing | None:
        repository, head = self._repository, self._heads[branch]
        head_tree = commits.tree_of(repository.objects, head)
        if head_tree == party.base_tree:
            return None
        if party.name.startswith(sessions.BRANCHES):
            return Pairing(branch, party.name, ("commits", head, party.tip or ""), is_sure=False)
        trees, changed = repository.trees, party.footprint.changed
        touched = trees.differing(party.base_tree, head_tree, changed)
        if not touched and footprints.lies_over(trees, party.footprint, party.base_tree, head_tree):
            return None
        ids = ("branch", party.base_tree, head_tree, party.tree)
        return Pairing(branch, party.name, ids, not self._has_submodule(changed, ids[1:]))

    def _has_submodule(self, touched: Collection[bytes], those: Collection[str]) -> bool:
        """Whether a submodule may have to be merged, which its own repository decides."""
        trees = self._repository.trees
        found = (trees.lookup(tree, path) for path in touched for tree in those)
        return any(entry is not None and entry.mode == GITLINK for entry in found)

    # What comes of it ----------------------------------------------------------------------------

    def _merged(self, pairing: Pairing) -> list[Row] | None:
        """The paths in conflict; None where they cannot be told."""
        try:
            standing = self._conflicts(pairing.objects)
            # Where both sides' files had to make room, git has two names for the one path.
            found = {own_name(c.path): c for c in reversed(standing)}
            return [self._row(path, found[path]) for path in sorted(found)]
        except SlipError as fault:
            self._unreadable.append(Unreadable(pairing.a, fault.message, pairing.b))
            return None
        finally:
            self._tidy()

    def _tidy(self) -> None:
        """Forget the merge's own objects: each further merge would be given them all."""
        objects = self._repository.objects
        objects.discard()
        for oid, item in self._needed.items():
            objects.write(item.kind, item.data, oid)

    def _conflicts(self, objects: tuple[str, ...]) -> tuple[Conflict, ...]:
        """What stands against the merge that these objects name."""
        repository, now = self._repository, self._ws.clock()
        sort, *ids = objects
        if sort == "commits":
            done = repository.git.run("merge-base", "--all", *ids, accept=(0, 1))
            bases = done.out.decode().split()
            return merge.of_commits(repository, bases, ids[0], ids[1]).conflicts
        if sort in ("carry-a", "carry-b"):
            old, base, ours, theirs = ids
            if sort == "carry-a":
                ours = self._carry(old, base, ours)
            else:
                theirs = self._carry(old, base, theirs)
            ids = [base, ours, theirs]
        base, ours, theirs = ids
        if sort == "branch":  # which may have moved far
            return merge.three_way(repository, base, ours, theirs, now).conflicts
        return merge.conflicts(repository, base, ours, theirs, now)

    def _carry(self, old: str, base: str, tree: str) -> str:
        """The tree ``tree``, begun on ``old``, brought onto ``base``."""
        known = self._carried.get((old, base, tree))
        if known is None:
            merged = merge.three_way(self._repository, old, base, tree, self._ws.clock())
            known = merged.tree
            if merged.conflicts:
                trees = settling.Inputs(old, base, tree)
                known = settling.settled(self._ws, trees, merged, "theirs").tree
            self._carried[old, base, tree] = known
            self._needed.update(self._repository.objects.pending())
        return known

    def _row(self, path: bytes, conflict: Conflict) -> Row:
        hunks = conflicts.hunks_of(self._ws, conflict)
        room, shown = MOST_TEXT, 0
        for hunk in hunks[:MOST_HUNKS]:
            room -= len(hunk.base_text) + len(hunk.ours_text) + len(hunk.theirs_text)
            if room < 0:
                break
            shown += 1
        name = paths.display(path)
        row: Row = to_json(
            Collision(
                name,
                conflict.kind,
                self._enclosing.named(path, conflict, hunks[:shown]),
                len(hunks) - shown or None,
                path_b64(path, name),
            )
        )
        return row
