"""Work done on a branch with ordinary git, made a session: a step for each of its commits.

The base is the merge base of the branch and the one to land on, so that the session conflicts and
lands as git's own merge of the branch would. The branch and its worktree are only read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

from slipstream_git import hints
from slipstream_git.changes import bounds, chain, differences, overlapping, sessions, staging
from slipstream_git.changes.concurrency import landedwork
from slipstream_git.changes.concurrency.landedwork import Before
from slipstream_git.changes.sessions import BRANCHES, Session, Wish
from slipstream_git.changes.staging import Label
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, merge
from slipstream_git.meetings import Adopted
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

_REMOTES: Final = "refs/remotes/"
_LONGEST_NAME: Final = 64
# What `git fsck` takes for an author; a commit that some tool broke is adopted all the same.
_AUTHOR: Final = re.compile(rb"[^<>\n\0]*<[^<>\n\0]*> (0|[1-9]\d{0,16}) [+-]\d{4}")


class Branch(NamedTuple):
    """A local or remote-tracking branch: its full ref, what to call it, and its newest commit."""

    ref: str
    name: str
    head: str


class Commit(NamedTuple):
    """One commit to adopt. ``group``: the commit of a series that it would make again."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: bytes | None
    subject: str
    group: str = ""


def adopt(
    ws: Workspace,
    name: str,
    session_name: str | None,
    *,
    onto: str | None,
    title: str | None,
    agent: str | None,
) -> Adopted:
    """Make a session of a branch's work, or bring the one that was made of it up to date.

    Raises `missing`, `usage`, `unsupported` (no merge base, or several) or `session-exists`;
    `stale` where the branch's history is not the one that was adopted; `conflict` where new commits
    do not go with what was changed in the session since.
    """
    branch = _branch(ws, name)
    wanted = None if onto is None else sessions.branch_ref(ws, onto)
    session = _adopted_already(ws, branch, session_name, wanted)
    if session is None:
        return _begun(ws, branch, Wish(session_name, None, wanted, title, agent))
    if title is not None:
        raise SlipError("usage", f"{session.name} has been adopted already; it keeps its title")
    for now in sessions.tries(ws, session):
        grown = _grown(ws, now, branch, agent or "")
        answer = _told(ws, branch, now, grown)
        if grown.tip == now.tip or staging.advance(ws, now, grown.tip):
            return _met(ws, answer, now, grown)
        ws.repository.objects.discard()
    raise sessions.kept_moving(f"session {session.name}")


# Branches ----------------------------------------------------------------------------------------


def _branch(ws: Workspace, name: str) -> Branch:
    """The branch of this name, local before remote-tracking. Raises `missing` or `usage`."""
    for spelled in (BRANCHES + name, _REMOTES + name, name):
        ref = _full_name(ws, spelled)
        if ref.startswith((BRANCHES, _REMOTES)):
            ref = ws.repository.pointed_at(ref)
            short = ref.removeprefix(BRANCHES).removeprefix(_REMOTES)
            return Branch(ref, short, ws.repository.resolve(ref))
    try:
        commit = ws.repository.resolve(name)
    except SlipError:
        raise SlipError("missing", f"there is no branch {name!r}", hint="git branch -a") from None
    raise SlipError(
        "usage",
        f"{name!r} names a commit and no branch; give it one",
        hint=hints.of("git", "branch", "adopted", commit).then(
            hints.of("slip", "adopt", "adopted")
        ),
    )


def _full_name(ws: Workspace, spelled: str) -> str:
    """The ref that a name stands for; empty where it stands for none."""
    if spelled.startswith("-"):
        return ""
    done = ws.repository.git.run(
        "rev-parse", "--quiet", "--verify", "--symbolic-full-name", spelled, accept=(0, 1, 128)
    )
    return os.fsdecode(done.out).strip() if done.status == 0 else ""


def _onto(ws: Workspace, branch: Branch, wanted: str | None) -> str:
    """The branch to land on: as asked for, else what ``branch`` tracks, else the current one."""
    repository = ws.repository
    if wanted is None:
        tracked = repository.config.get(f"branch.{branch.name}.merge") or ""
        is_local = tracked.startswith(BRANCHES) and branch.ref.startswith(BRANCHES)
        if is_local and tracked != branch.ref and repository.store.ref(tracked) is not None:
            return tracked
        wanted = repository.head()[0]
        if wanted is None or wanted == branch.ref:
            raise SlipError(
                "usage",
                f"which branch shall {branch.name} land on?",
                hint=hints.of("slip", "adopt", branch.name, "--onto", "BRANCH"),
            )
    if repository.store.ref(wanted) is None:
        short = wanted.removeprefix(BRANCHES)
        raise SlipError(
            "missing", f"there is no branch {short} that {branch.name} could come from",
            hint="git branch",
        )  # fmt: skip
    return wanted


def _base(ws: Workspace, branch: Branch, onto: str) -> str:
    """The one merge base of a branch and the branch to land on. Raises `unsupported`."""
    short = onto.removeprefix(BRANCHES)
    done = ws.repository.git.run("merge-base", "--all", onto, branch.head, accept=(0, 1))
    found = done.out.decode().split()
    if len(found) == 1:
        return found[0]
    if found:
        # git would merge the bases first, and a session has one that is a commit.
        raise SlipError(
            "unsupported",
            f"{branch.name} and {short} have {len(found)} merge bases; merge {short} into"
            f" {branch.name}, and they have one",
            hint=hints.of("git", "checkout", branch.name).then(hints.of("git", "merge", short)),
        )
    shallow = ws.repository.git.run("rev-parse", "--is-shallow-repository").out.strip() == b"true"
    raise SlipError(
        "unsupported",
        f"{branch.name} and {short} have no history in common"
        + (", as far as this shallow clone goes" if shallow else ""),
        hint="git fetch --unshallow" if shallow else None,
    )


def _commits(ws: Workspace, branch: Branch, since: str) -> list[Commit]:
    """The branch's commits since an ancestor of it, oldest first; one for all amid merges."""
    out = ws.repository.git.run(
        "log", "-z", "--reverse", "--topo-order", "--no-show-signature", "--no-patch",
        "--encoding=UTF-8", "--date=raw", "--format=%H %T %P%x00%an <%ae> %ad%x00%s",
        f"{since}..{branch.head}", "--",
    ).out  # fmt: skip
    fields = out.split(b"\0")
    found = [
        _commit(ids.decode(), author, chain.one_line(subject.decode("utf-8", "replace")))
        for ids, author, subject in zip(*[iter(fields)] * 3, strict=False)
    ]
    if all(len(commit.parents) == 1 for commit in found):
        return found
    said = f"{len(found)} commits of {branch.name}, with merges"
    return [found[-1]._replace(author=None, subject=said, group="")]


def _commit(ids: str, author: bytes, subject: str) -> Commit:
    oid, tree, *parents = ids.split()
    own = author if _AUTHOR.fullmatch(author) else None
    return Commit(oid, tree, tuple(parents), own, subject, subject or oid[:10])


# Sessions ----------------------------------------------------------------------------------------


def _adopted_already(
    ws: Workspace, branch: Branch, name: str | None, onto: str | None
) -> Session | None:
    """The open session that this branch was made; None where there is none yet."""
    everyone = [s for s in sessions.every(ws) if s.branch == branch.ref]
    if name is not None:
        found = [s for s in everyone if s.name == name]
        if found and onto not in (None, found[0].onto):
            raise SlipError(
                "usage", f"{name} was adopted for another branch to land on, {found[0].onto}"
            )
    else:
        found = [s for s in everyone if onto in (None, s.onto)]
    if len(found) > 1:
        names = [session.name for session in found]
        raise SlipError(
            "usage",
            f"{branch.name} was adopted more than once: {', '.join(names)}",
            hint=hints.of("slip", "adopt", branch.name, names[0]),
            data={"sessions": names},
        )
    return found[0] if found else None


def _begun(ws: Workspace, branch: Branch, wish: Wish) -> Adopted:
    onto = _onto(ws, branch, wish.onto)
    short = onto.removeprefix(BRANCHES)
    base = branch.head if onto == branch.ref else _base(ws, branch, onto)
    if base == branch.head:
        reason = f"{branch.name} has no commit that {short} lacks"
        return Adopted(None, branch.ref, branch.head, onto, base, None, 0, [], [], reason)
    landed = landedwork.of(ws, branch.ref, branch.head, onto)
    if landed is not None and landed.adopted == branch.head:
        reason = (
            f"all of {branch.name} landed on {short} already, as {landed.landed[:10]}"
            f" ({landed.session})"
        )
        return Adopted(None, branch.ref, branch.head, onto, base, None, 0, [], [], reason)
    found = _commits(ws, branch, landed.adopted if landed else base)
    title = wish.title
    if title is None:
        title = found[0].subject if len(found) == 1 and found[0].group else branch.name
    name = _session_name(branch) if wish.name is None else wish.name
    draft = sessions.drafted(
        ws,
        wish._replace(
            name=name, base=landed.landed if landed else base, onto=onto, title=title,
            branch=branch.ref,
        ),
    )  # fmt: skip
    tip = _since_landed(ws, draft, branch, landed, found, wish.agent or "")
    answer = _told(ws, branch, draft, tip)
    sessions.opened(ws, draft, tip.tip, numbered=False)
    return _met(ws, answer, draft, tip)


def _since_landed(
    ws: Workspace,
    draft: Session,
    branch: Branch,
    landed: Before | None,
    found: Sequence[Commit],
    agent: str,
) -> Session:
    """The session with its commits; made on the landing of those before them, where they landed."""
    if landed is None:
        return _extended(ws, draft, draft.base_tree, found, agent)
    before = commits.tree_of(ws.repository.objects, landed.adopted)
    try:
        tip = _extended(ws, draft, before, found, agent)
    except SlipError as fault:
        if fault.code == "conflict":
            # There is no such session yet; git can ask for each conflict, and the branch has them.
            words = ["git", "rebase", "--onto", landed.landed[:10], landed.adopted[:10]]
            fault.hint = hints.of(*words, branch.name)
        raise
    ws.notify(
        f"what {branch.name} had at {landed.adopted[:10]} landed as {landed.landed[:10]}; these are"
        " its commits since"
    )
    return tip


def _session_name(branch: Branch) -> str | None:
    """A session's name for a branch; None where nothing of its name can be one."""
    short = branch.name.partition("/")[2] if branch.ref.startswith(_REMOTES) else branch.name
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", short).strip("-._")[:_LONGEST_NAME].rstrip("-._")
    try:
        paths.session_name(name)
    except SlipError:
        return None
    return name


def _grown(ws: Workspace, session: Session, branch: Branch, agent: str) -> Session:
    """The session with what the branch has gained since, in the overlay. Raises `stale`."""
    history = sessions.steps(ws, session)
    last = next((step.facts.adopted for step in reversed(history) if step.facts.adopted), None)
    if last is None:
        raise _other_history(session, branch, f"is no longer told of in {session.name}")
    if last == branch.head:
        return session
    done = ws.repository.git.run(
        "merge-base", "--is-ancestor", last, branch.head, accept=(0, 1, 128)
    )
    if done.status:
        raise _other_history(session, branch, "was rewritten since it was adopted")
    onto = session.onto
    # The session itself may have been rebased, so its base does not tell.
    before_growing = branch._replace(head=last)
    if (
        onto
        and ws.repository.store.ref(onto)
        and _base(ws, branch, onto) != _base(ws, before_growing, onto)
    ):
        raise _other_history(
            session, branch, f"and {onto.removeprefix(BRANCHES)} were merged since"
        )
    before = commits.tree_of(ws.repository.objects, last)
    return _extended(ws, session, before, _commits(ws, branch, last), agent)


def _other_history(session: Session, branch: Branch, why: str) -> SlipError:
    return SlipError(
        "stale",
        f"{branch.name} {why}; adopt it anew",
        hint=hints.of("slip", "abort", "-s", session.name).then(
            hints.of("slip", "adopt", branch.name, session.name)
        ),
    )


def _extended(
    ws: Workspace, session: Session, before: str, found: Sequence[Commit], agent: str
) -> Session:
    """The session with a step for each commit, in the overlay.

    before: the tree of the commit that the first stands on. Where the session has another, each
    commit's change is merged into it.
    """
    bounds.check_steps(ws, session.name, session.step + len(found) - 1)
    taken = {step.facts.group for step in sessions.steps(ws, session)}
    for commit in found:
        tree = _merged(ws, session, before, commit)
        group = _free_label(commit.group, taken) if commit.group else ""
        taken.add(group)
        subject = commit.group if group != commit.group else ""
        facts = staging.next_facts(session, Label("adopt", group, agent))
        tip = chain.write_step(
            ws,
            tree,
            (session.tip,),
            facts._replace(adopted=commit.oid, subject=subject),
            subject=commit.subject,
            author=commit.author,
        )
        session = session._replace(tip=tip, tree=tree, step=session.step + 1)
        before = commit.tree
    return session


def _free_label(wanted: str, taken: set[str]) -> str:
    """A label of its own for each commit: steps of one label would land as one commit."""
    label, number = wanted, 2
    while label in taken:
        label, number = f"{wanted} ({number})", number + 1
    return label


def _merged(ws: Workspace, session: Session, before: str, commit: Commit) -> str:
    if session.tree == before:
        return commit.tree
    merged = merge.three_way(ws.repository, before, session.tree, commit.tree, ws.clock())
    if merged.conflicts:
        from slipstream_git.changes import conflicts

        raise conflicts.error(
            ws,
            merged.conflicts,
            f"{commit.oid[:10]} ({commit.subject}) conflicts with what {session.name} has",
            conflicts.Meeting(
                session.onto, session.tip, session.base, session.name, commit.oid[:10],
                trees=(before, session.tree, commit.tree), other=session,
            ),
            hint=f"slip log -s {session.name}",
        )  # fmt: skip
    return merged.tree


def _told(ws: Workspace, branch: Branch, before: Session, after: Session) -> Adopted:
    """The reply, but for its overlaps. Before anything moves: it reads files."""
    reason = None
    if after.tip == before.tip:
        reason = f"{after.name} has all of {branch.name} already"
    return Adopted(
        session=after.name,
        branch=branch.ref,
        head=branch.head,
        onto=after.onto or "",
        base=after.base,
        commit=after.tip,
        steps=after.step - before.step,
        changes=differences.changes_between(ws.repository, before.tree, after.tree),
        overlaps=[],
        reason=reason,
    )


def _met(ws: Workspace, answer: Adopted, before: Session, after: Session) -> Adopted:
    return answer._replace(overlaps=overlapping.overlaps(ws, after, before))
