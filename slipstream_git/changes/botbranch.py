"""A branch that is a bot's: made anew from its base each time, with what people added kept on top.

Whose a commit is say the provenance notes; where there are none, as in a new clone, its author and
committer. A person's commit is never dropped: it is picked onto what the bot makes now, as git's
rebase would, or the landing is refused, as was asked for. Where the bot would make what stands
there already, nothing moves, and the ids stay.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git import hints
from slipstream_git.changes import conflicts, landing, normalising, provenance, refusing, settings
from slipstream_git.changes.asking import Options
from slipstream_git.changes.conflicts import Meeting
from slipstream_git.changes.landing import Merged, Order
from slipstream_git.changes.messages import Identity
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.sessions import BRANCHES, Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, merge, remotes
from slipstream_git.gitdb.commits import Commit
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

WAYS = ("refuse", "rebase")
REMOTES = "refs/remotes/"


class Own(NamedTuple):
    """A commit that the bot makes now: its id, its tree, its message."""

    oid: str
    tree: str
    text: bytes


class Kept(NamedTuple):
    """A person's commit as it stands on what the bot makes now, the same one where it can be."""

    oid: str
    tree: str


class Standing(NamedTuple):
    """A commit of the branch as it is. is_own: the bot made it."""

    oid: str
    commit: Commit
    is_own: bool

    @property
    def said(self) -> str:
        who = self.commit.author.partition(b" <")[0].decode("utf-8", "replace")
        subject = self.commit.message.partition(b"\n")[0].decode("utf-8", "replace")
        return f"{self.oid[:10]} {who}: {subject}"


def check(ws: Workspace, options: Options) -> None:
    """Raises `usage` for a way that there is not, and for a branch that is no bot's.

    It is made anew, so it has to be named, and is never the one that a remote calls its own.
    """
    way = options.bot_branch
    if way not in WAYS:
        raise SlipError("usage", f"--bot-branch is one of {', '.join(WAYS)}, not {way!r}")
    if options.onto is None:
        said = "--bot-branch makes a branch anew, so name it with --onto"
        raise SlipError("usage", said, hint=hints.again("--onto", "bot/NAME"))
    name = options.onto.removeprefix(BRANCHES)
    heads = [ref for ref in ws.repository.store.refs(REMOTES) if ref.endswith("/HEAD")]
    if any(ws.repository.pointed_at(ref) == f"{ref.removesuffix('HEAD')}{name}" for ref in heads):
        said = f"{name} is the branch that clones check out; a bot makes one of its own anew"
        raise SlipError("usage", said, hint=hints.again("--onto", "bot/NAME"))


def whole(ws: Workspace, session: Session, order: Order) -> Merged | None:
    """The session as it lands on its own base, whatever the branch holds; None for nothing.

    ``head`` is the branch's, which is not the commit's parent.
    """
    if session.unresolved:
        raise refusing.unresolved(ws, session)
    branch = landing.branch_of(ws, session, order.options)
    rules = settings.at(ws.repository, session.base)
    if order.options.check and not rules.gates:
        raise SlipError("usage", "--check: .slip.toml defines no gate")
    Permit(ws, session, rules.policy, order.options.allow_protected).landing()
    tree, lines = normalising.as_stored(ws, session.base_tree, session.tree, order.stored)
    if tree == session.base_tree:
        return None
    head = ws.repository.store.ref(branch)
    return Merged(
        session, branch, head, session.base, session.base_tree, tree, None, tuple(lines), rules
    )


def standing(ws: Workspace, merged: Merged, order: Order) -> list[Standing]:
    """The branch's own commits, oldest first; not those of a newer base that it stands on."""
    if merged.head is None:
        return []
    span = f"{merged.start}..{merged.head}" if merged.start else merged.head
    out = ws.repository.git.run("rev-list", "--reverse", "--topo-order", span).out
    oids = out.decode().split()
    noted = {oid for oid in oids if provenance.is_bots(ws, oid)}
    # What slip landed there as anything else is work like a person's, whoever committed it.
    others = {oid for oid in oids if oid not in noted and provenance.newest(ws, oid) is not None}
    found: list[Standing] = []
    for oid in oids:
        commit = commits.parse(oid, ws.repository.objects.commit(oid))
        is_own = oid in noted if noted else _who(commit) == _who(order.identity)
        is_own = is_own and oid not in others
        found.append(Standing(oid, commit, is_own))
    newer = _of_a_newer_base(ws, merged, found)
    return [row for row in found if row.oid not in newer]


def _of_a_newer_base(ws: Workspace, merged: Merged, there: Sequence[Standing]) -> set[str]:
    """What the branch has below the bot's commits that another branch has, too.

    The bot was begun on an older base than the last time. What no other branch has is kept, whoever
    put it there.
    """
    first = next((row for row in there if row.is_own), None)
    if first is None or not first.commit.parents or first is there[0]:
        return set()
    name = merged.branch.removeprefix(BRANCHES)
    asked = (
        "rev-list", first.commit.parents[0], "--not",
        f"--exclude={name}", "--branches", f"--exclude=*/{name}", "--remotes",
        *remotes.kept_heads(merged.branch),
    )  # fmt: skip
    alone = set(ws.repository.git.run(*asked).out.decode().split())
    below = there[: there.index(first)]
    return {row.oid for row in below} - alone


def _who(of: Commit | Identity) -> tuple[bytes, bytes]:
    """The addresses of author and committer."""
    return _email(of.author), _email(of.committer)


def _email(ident: bytes) -> bytes:
    return ident.rpartition(b"> ")[0].rpartition(b"<")[2].lower()


def is_there(merged: Merged, order: Order, made: Sequence[Own], there: Sequence[Standing]) -> bool:
    """Whether the branch is the base, what the bot makes now, and people's commits alone."""
    if len(there) < len(made) or any(row.is_own for row in there[len(made) :]):
        return False
    before = merged.start
    author = order.identity.author.rpartition(b"> ")[0]
    for own, row in zip(made, there, strict=False):
        commit = row.commit
        if (commit.tree, commit.message, commit.parents) != (
            own.tree, own.text, (before,) if before else (),
        ):  # fmt: skip
            return False
        if commit.author.rpartition(b"> ")[0] != author:
            return False
        before = row.oid
    return True


def kept(
    ws: Workspace, merged: Merged, order: Order, last: Own, there: Sequence[Standing]
) -> list[Kept]:
    """People's commits on top of the bot's last one, in the overlay.

    Raises `exists` where they are to be refused, `conflict` where one does not go with what the bot
    makes, `unsupported` for a merge.
    """
    theirs = [row for row in there if not row.is_own]
    if not theirs:
        return []
    name = merged.branch.removeprefix(BRANCHES)
    listed = "; ".join(row.said for row in theirs[:3])
    data: dict[str, object] = {
        "onto": merged.branch, "commits": [row.oid for row in theirs],
    }  # fmt: skip
    if order.options.bot_branch == "refuse":
        raise SlipError(
            "exists",
            f"{name} has {len(theirs)} commit(s) that the bot did not make: {listed}",
            hint=hints.again("--bot-branch", "rebase"),
            data=data,
        )
    if any(len(row.commit.parents) != 1 for row in theirs):
        raise SlipError(
            "unsupported",
            f"{name} has a merge that the bot did not make, which cannot be picked: {listed}",
            hint=hints.of("git", "log", "--merges", f"{merged.start}..{merged.head}"),
            data=data,
        )
    found: list[Kept] = []
    at = Kept(last.oid, last.tree)
    for row in theirs:
        at = _picked(ws, merged, order, row, at)
        if not found or at != found[-1]:
            found.append(at)
    return [row for row in found if row.oid != last.oid]


def _picked(ws: Workspace, merged: Merged, order: Order, row: Standing, at: Kept) -> Kept:
    """One of them on what is there now; as it is where that has its change already."""
    commit, repository = row.commit, ws.repository
    if commit.parents == (at.oid,):
        return Kept(row.oid, commit.tree)
    parent = commit.parents[0]
    before = commits.tree_of(repository.objects, parent)
    picked = merge.three_way(repository, before, at.tree, commit.tree, ws.clock())
    if picked.conflicts:
        name = merged.branch.removeprefix(BRANCHES)
        raise conflicts.error(
            ws,
            picked.conflicts,
            f"{row.said} on {name} does not go with what the bot makes now",
            Meeting(merged.branch, merged.head, parent, "the bot", row.oid[:10],
                    trees=(before, at.tree, commit.tree)),
            hint=hints.of("git", "show", row.oid),
        )  # fmt: skip
    if picked.tree == at.tree:
        return at
    data = commits.encode(
        picked.tree, (at.oid,), commit.author, order.identity.committer, commit.message
    )
    return Kept(repository.objects.write("commit", data), picked.tree)
