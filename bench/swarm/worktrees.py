"""Agents that edit files: in a session's own worktree, or on branches with plain git."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.git import git, line
from bench.swarm.agents import AGAIN, BRANCH, TRIES, Agent, Work
from bench.swarm.calls import Broken
from bench.swarm.effects import TOKEN, Effect


def read(place: Path, path: str) -> str | None:
    file = place / path
    return file.read_text() if file.exists() else None


def write(place: Path, ops: list[dict[str, Any]]) -> None:
    """Make the ops' edits to files, as an editor would."""
    for op in ops:
        file = place / op["path"]
        if op["op"] == "write":
            file.parent.mkdir(exist_ok=True)
            file.write_text(op["content"])
        elif op["op"] == "insert":
            after = f"{op['after']}\n"
            file.write_text(file.read_text().replace(after, after + op["text"], 1))
        else:
            file.write_text(file.read_text().replace(op["old"], op["new"], 1))


class WorktreeAgent(Agent):
    """Edits files in its sessions' worktrees, and captures them."""

    executes = False
    goes_back = False

    def place(self, work: Work) -> Path:
        return self.world.repository.parent / f"own-{work.name}"

    def work(self, work: Work) -> None:
        super().work(work)
        self._remove(work)

    def begin(self, work: Work) -> None:
        super().begin(work)
        self._brought(work)

    def edit(self, work: Work) -> None:
        """Edits in the worktree, captured."""
        if not self._brought(work):
            return
        place = self.place(work)
        after, ops = self.edits(work, lambda path: read(place, path))
        write(place, ops)
        for _ in range(TRIES):
            answer = self.change(
                work, after, "capture", at=place, session=work.name, untracked=True
            )
            if work.fate != "open":
                return
            if answer.is_ok or work.effect == after:  # it was killed, and is done
                self._brought(work)  # else an undo would leave the edits where they stand
                return
            if answer.code not in AGAIN:
                raise Broken(f"capture: {work.trail} {answer.value}")
        raise Broken(f"capture: {TRIES} tries")

    def _brought(self, work: Work) -> bool:
        """Have the worktree, at the session's newest step; whether the session is open."""
        for _ in range(TRIES):
            answer = self.caller.call("worktree", session=work.name, place=str(self.place(work)))
            if answer.is_ok:
                return True
            if answer.code == "session-missing":
                self.look(work)
                return False
            if answer.code not in AGAIN:
                raise Broken(f"worktree: {answer.value}")
        raise Broken(f"worktree: {TRIES} tries")

    def _remove(self, work: Work) -> None:
        """Remove the worktree; an edit that came too late to be captured is there until then."""
        place = self.place(work)
        said: object = None
        for _ in range(TRIES):
            if not place.exists():
                return
            late = self._late(work, place)
            answer = self.caller.call("worktree", session=work.name, remove=True)
            if late and (answer.is_ok or self._late(work, place) != late):
                self.world.faults.append(f"TOUCHED {place}: {late}")
            said = answer.value
            if answer.code == "dirty":
                self.count("kept a late edit")
                with self.world.quiet.working():
                    git(place, "checkout", "--quiet", "--", ".")
                    git(place, "clean", "-fdqx")
            elif not answer.is_ok and answer.code not in {"killed", "locked", "session-missing"}:
                raise Broken(f"worktree --remove: {answer.value}")
        raise Broken(f"worktree --remove: {said} {work.trail}")

    def _late(self, work: Work, place: Path) -> set[str]:
        """Tokens of the agent that stand there and that the session never had."""
        had = set(TOKEN.findall(" ".join(work.trail)))  # what was undone is a step's, too
        had |= {token for effect in work.perhaps for _, token in effect.added}
        mine = f"tok-{self.number:03}-{self._tokens:04}"
        text = "".join(f.read_text() for f in place.rglob("*.txt") if f.is_file())
        return {token for token in TOKEN.findall(text) if token == mine and token not in had}


class BranchAgent(Agent):
    """Commits with plain git in a linked worktree, and has its branches adopted."""

    executes = False

    @property
    def place(self) -> Path:
        return self.world.repository.parent / f"linked-{self.number:03}"

    def branch(self, work: Work) -> str:
        return f"agent/{work.name}"

    def begin(self, work: Work) -> None:
        branch = self.branch(work)
        # By its id: `git checkout -b` looks a name up twice, and the branch may move in between.
        start = line(self.world.repository, "rev-parse", BRANCH)
        if self.place.exists():
            with self.world.quiet.working():
                git(self.place, "checkout", "--quiet", "-b", branch, start)
        else:
            with self.world.quiet.alone():  # two of these trip over each other
                git(self.world.repository, "worktree", "add", "--quiet", "-b", branch,
                    str(self.place), start)  # fmt: skip
        after = self._committed(work, Effect())
        for _ in range(TRIES):
            answer = self.caller.call(
                "adopt", branch=branch, name=work.name, title=work.title, onto=BRANCH
            )
            if answer.is_ok or self.world.tip(work) or self.world.landed(work):
                work.effects = [after]
                self.look(work)
                return
            if answer.code not in AGAIN:
                raise Broken(f"adopt: {answer.value}")
        raise Broken(f"adopt: {TRIES} tries")

    def step(self, work: Work) -> None:
        """A commit more, adopted; or the session closed and opened again."""
        if work.fate != "open":
            return
        if self.dice.random() < 0.2:
            self._abort_and_reopen(work)
            return
        with self.world.landing_others:
            if self.world.tip(work) is None:
                self.look(work)
                return
            after = self._committed(work, work.effect)
            self.count("adopt again")
            while work.fate == "open" and work.effect != after:
                answer = self.change(work, after, "adopt", branch=self.branch(work), name=work.name)
                if answer.code not in {"", *AGAIN}:
                    raise Broken(f"adopt: {answer.value}")

    def finish(self, work: Work) -> None:
        super().finish(work)
        head = line(self.place, "rev-parse", self.branch(work))
        if self.world.branches[self.branch(work)] != head:
            self.world.faults.append(f"TOUCHED branch {self.branch(work)}")
        if line(self.place, "status", "--porcelain"):
            self.world.faults.append(f"TOUCHED {self.place}")

    def _committed(self, work: Work, before: Effect) -> Effect:
        """One more commit on the branch; what the branch does then, as a session."""
        bare = Work(work.name)
        bare.effects = [before]
        after, ops = self.edits(bare, lambda path: read(self.place, path))
        write(self.place, ops)
        with self.world.quiet.working():
            git(self.place, "add", "--all")
            git(self.place, "commit", "--quiet", "-m", f"part of {work.title}")
        self.world.branches[self.branch(work)] = line(self.place, "rev-parse", "HEAD")
        return after
