"""Chains that others made, held to the format before they become sessions here.

Their objects are in a quarantine as yet (`gitdb.incoming`), and git has found each to be sound. A
chain that was made elsewhere lands by the ordinary landing; here is asked whether it is a chain at
all, what it would put into a tree, and whether its base is here.
"""

from __future__ import annotations

import os
from itertools import pairwise

from slipstream_git import hints
from slipstream_git.changes import bounds, chain, sessions
from slipstream_git.changes.chain import Step
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.repository import Repository
from slipstream_git.hints import Hint
from slipstream_git.model import EMPTY_TREE, EXECUTABLE, FILE, GITLINK, SYMLINK
from slipstream_git.text import paths, scopes
from slipstream_git.workspace import Workspace

_MODES = (FILE, EXECUTABLE, SYMLINK)


def check(ws: Workspace, view: Repository, name: str, tip: str) -> Session:
    """The session that a chain is, as ``name``. Raises `bad-name`, `unsupported`, `bad-path`, …

    view: the repository as it would be with the chain. Every message names the session.
    """
    paths.session_name(name)
    try:
        return _checked(ws, view, name, tip)
    except SlipError as fault:
        fault.message = f"{name} is refused: {fault.message}"
        raise


def _checked(ws: Workspace, view: Repository, name: str, tip: str) -> Session:
    there = ws._replace(repository=view)
    steps = _steps(there, tip)
    begin = steps[0]
    base = begin.parents[0] if begin.parents else None
    if len(begin.parents) > 1:
        raise _malformed("its begin commit is a merge")
    # The base is the project's own: it has to be here already.
    base_tree = EMPTY_TREE
    if base is not None:
        if ws.repository.objects.find(base) is None:
            raise missing_base(ws, base)
        base_tree = commits.tree_of(ws.repository.objects, base)
    if begin.tree != base_tree:
        raise _malformed("its begin commit changes files")
    session = sessions.at(there, name, tip)
    if session.onto is not None and sessions.branch_ref(ws, session.onto) != session.onto:
        raise _malformed("what it is for is no branch")
    facts = [text for step in steps for text in (step.facts.title, step.facts.agent)]
    facts += [step.facts.group for step in steps]
    if any(text != chain.one_line(text) for text in facts):
        raise _malformed("a trailer is not one plain line")
    _check_modest(session)
    for before, step in pairwise(steps):
        _check_step(view, session, before, step)
    for step in steps:
        for parent in step.parents[1:]:
            _check_tree(view, base_tree, _tree(view, parent))
    _check_journals(steps)
    return session


def _check_modest(session: Session) -> None:
    """Whether protected paths may change is for whoever lands it to say, not for who made it."""
    if session.allow_protected:
        raise SlipError(
            "policy",
            f"it allows itself protected paths ({', '.join(session.allow_protected)}), which is for"
            " whoever lands it to say; make it without --allow-protected, and land it with",
        )


def missing_base(ws: Workspace, base: str) -> SlipError:
    """That a commit which a session stands on is not here."""
    return SlipError(
        "missing",
        f"its base {base} is not in this repository; fetch the branch that has it",
        hint=fetching(ws),
        data={"base": base},
    )


def fetching(ws: Workspace) -> Hint:
    """The command that brings commits of the project which are not here."""
    if os.path.exists(os.path.join(ws.repository.layout.common_dir, "shallow")):
        return hints.of("git", "fetch", "--unshallow")
    return hints.of("git", "fetch", "--all")


def _steps(there: Workspace, tip: str) -> list[Step]:
    """The chain from its begin commit on. Raises `unsupported` where it is none."""
    most = there.repository.config.number("slip.maxSteps", bounds.MOST_STEPS)
    found = [_step(there.repository, tip)]
    begin = found[0].facts.begin or tip
    while found[-1].commit != begin:
        step = found[-1]
        if not step.parents or len(found) > most + 1 or step.facts.begin != begin:
            raise _malformed("its steps do not lead to its begin commit")
        before = _step(there.repository, step.parents[0])
        # The mark that it has landed repeats a number.
        if before.number != step.number - (0 if step.facts.landed else 1):
            raise _malformed(f"step {step.number} follows step {before.number}")
        found.append(before)
    if found[-1].number or found[-1].facts.kind != "begin":
        raise _malformed("it does not begin with a begin commit")
    return found[::-1]


def _step(view: Repository, oid: str) -> Step:
    try:
        return chain.read_step(view, oid)
    except (SlipError, ValueError):
        raise _malformed(f"{oid[:10]} is no step of a session") from None


def _check_step(view: Repository, session: Session, before: Step, step: Step) -> None:
    """Hold a step to what its session may touch, and its numbers to the chain."""
    for number in (step.facts.undoes, step.facts.redoes):
        if number >= step.number:
            raise _malformed(f"step {step.number} takes back step {number}")
    for path in _check_tree(view, before.tree, step.tree):
        # A rebase brings what the branch had gained, whoever may touch it.
        if step.facts.kind not in ("rebase", "adopt") and not scopes.permitted(
            path, session.allow, session.deny
        ):
            raise SlipError(
                "path-denied", f"step {step.number} touches {paths.display(path)}, which is denied"
            )


def _check_tree(view: Repository, before: str, after: str) -> list[bytes]:
    """The paths that differ, each of which may stand in a tree. Raises `bad-path`."""
    found = []
    for difference in view.trees.differences(before, after):
        path, old, new = difference
        paths.check_existing(path)
        if new is not None and new.mode not in _MODES and (new.mode != GITLINK or old is None):
            raise SlipError("unsupported", f"{paths.display(path)} has the mode {new.mode:o}")
        found.append(path)
    return found


def _check_journals(steps: list[Step]) -> None:
    for step in steps:
        try:
            rows = chain.read_ops(step)
        except (ValueError, RecursionError):
            raise _malformed(f"the journal of step {step.number} cannot be read") from None
        if not all(isinstance(row, dict) for row in rows):
            raise _malformed(f"the journal of step {step.number} cannot be read")


def _tree(view: Repository, commit: str) -> str:
    return commits.tree_of(view.objects, commit)


def _malformed(why: str) -> SlipError:
    return SlipError("unsupported", f"it is no chain that this version of slip reads: {why}")
