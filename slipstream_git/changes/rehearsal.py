"""The hooks that `git commit` would run, where index and files hold exactly what lands.

They run in a warm worktree and outside the landing lock, because a hook may take minutes. What they
leave in its index is what lands; what else they change is told and forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from slipstream_git import hints
from slipstream_git.changes import hooks, messages, settings, warm
from slipstream_git.changes.hooks import Passed, Proposal
from slipstream_git.changes.messages import Identity
from slipstream_git.changes.settings import Pool
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import refs
from slipstream_git.gitdb.pool import Slot
from slipstream_git.gitdb.process import Output
from slipstream_git.gitdb.repository import Repository
from slipstream_git.hints import Hint
from slipstream_git.outcomes import HookRun
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace


def run(ws: Workspace, proposal: Proposal, names: Sequence[str]) -> Passed:
    """Run hooks on a proposal, whose objects are in the overlay. Raises `hook-failed`."""
    repository = ws.repository
    pool = settings.at(repository, proposal.head).pool
    kept = repository.objects.publish()
    try:
        with warm.leased(repository, proposal.tree, _head(repository, proposal), pool) as slot:
            rehearsal = _Rehearsal(ws, slot, proposal, pool)
            for name in names:
                rehearsal.run(name)
            return rehearsal.passed()
    finally:
        kept.release()


def after(ws: Workspace, proposal: Proposal) -> list[HookRun]:
    """Run `post-commit`; the commit has landed, so its failure is told and changes nothing."""
    repository = ws.repository
    pool = settings.at(repository, proposal.head).pool
    with warm.leased(repository, proposal.tree, _head(repository, proposal), pool) as slot:
        done = _run(slot, hooks.AFTER, (), proposal.identity)
    if not done.status:
        _pass_on(ws.notify, hooks.AFTER, done)
    return [
        HookRun(hooks.AFTER, "failed" if done.status else "passed", done.status, output=_said(done))
    ]


def _head(repository: Repository, proposal: Proposal) -> str:
    """What HEAD shall be: the branch, where that holds the commit that the proposal stands on.

    Of several that land together only the first stands on the branch as it is; for the others it
    is detached at the commit before. After the landing it is so for all but the last.
    """
    now = refs.read_ref(repository.git, repository.layout.common_dir, proposal.branch)
    return proposal.branch if now == proposal.on else proposal.head or proposal.branch


class _Rehearsal:
    """One proposal going through its hooks."""

    def __init__(self, ws: Workspace, slot: Slot, proposal: Proposal, pool: Pool) -> None:
        self._repository = ws.repository
        self._notify = ws.notify
        self._slot = slot
        self._proposal = proposal
        self._pool = pool
        self._tree = proposal.tree
        self._runs: list[HookRun] = []
        self._message = os.path.join(slot.git_dir, "COMMIT_EDITMSG")
        with open(self._message, "wb") as stream:
            stream.write(proposal.text)

    def run(self, name: str) -> None:
        arguments = {
            "pre-commit": (),
            "prepare-commit-msg": (self._message, "message"),
            "commit-msg": (self._message,),
        }[name]
        done = _run(self._slot, name, arguments, self._proposal.identity)
        if done.status:
            raise self._refused(name, done)
        _pass_on(self._notify, name, done)
        tree, left = self._slot.staged_tree(), self._slot.unstaged()
        self._runs.append(
            HookRun(
                name,
                "passed",
                0,
                changed=_shown(self._changed(tree)),
                not_landed=_shown(left),
                output=_said(done),
            )
        )
        self._tree = tree

    def passed(self) -> Passed:
        with open(self._message, "rb") as stream:
            text = messages.stripspace(stream.read())
        if not text:
            raise SlipError("hook-failed", "the hooks left an empty commit message")
        objects = self._repository.objects
        added = self._repository.trees.additions(self._proposal.tree, self._tree)
        return Passed(self._tree, text, {oid: objects.read(oid) for oid in added}, self._runs)

    def _changed(self, tree: str) -> list[bytes]:
        return [d.path for d in self._repository.trees.differences(self._tree, tree)]

    def _refused(self, name: str, done: Output) -> SlipError:
        missing = warm.missing_program(done)
        advice = warm.advised_settings(self._repository.layout.root, self._pool) if missing else []
        said = warm.tail(done)
        data: dict[str, object] = {"hook": name, "exit": done.status, "output": said}
        last = said.splitlines()[-1].strip() if said else "it said nothing"
        why = f"it did not find {missing}" if missing else last
        hint: Hint = hints.again()
        if advice:
            data["settings"] = advice
            hint = warm.settings_hint(advice)
        elif name in hooks.SKIPPED_BY_NO_VERIFY:
            why += " (mend that and commit again; --no-verify would skip the hook)"
        return SlipError(
            "hook-failed",
            f"the hook {name} refused with exit status {done.status}: {why}",
            hint=hint,
            data=data,
        )


def _run(slot: Slot, name: str, arguments: Sequence[str], identity: Identity) -> Output:
    """One hook, with the environment that `git commit` gives it."""
    author, _, date = identity.author.decode("utf-8", "surrogateescape").rpartition("> ")
    who, _, email = author.partition(" <")
    env = {
        "GIT_INDEX_FILE": slot.index,
        "GIT_EDITOR": ":",
        "GIT_PREFIX": "",
        "GIT_AUTHOR_NAME": who,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_AUTHOR_DATE": f"@{date}",
    }
    given = ("--", *arguments) if arguments else ()
    return slot.trusting().observed("hook", "run", "--ignore-missing", name, *given, env=env)


def _pass_on(notify: Callable[[str], None], name: str, done: Output) -> None:
    """Tell what a hook said that passed, as git would: a person may have to read it."""
    for line in warm.tail(done).splitlines():
        notify(f"{name}: {line}")


def _said(done: Output) -> str | None:
    return warm.tail(done) or None


def _shown(changed: Sequence[bytes]) -> list[str] | None:
    return [paths.display(path) for path in changed] or None
