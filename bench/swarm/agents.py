"""What an agent does: random edits, landed whatever is in the way; and its account of them."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from bench.git import git
from bench.swarm import effects
from bench.swarm.calls import Answer, Broken, Caller, Free
from bench.swarm.effects import TOKEN, Effect, Hunk

BRANCH = "main"
TRIES = 40
ROUNDS = 12
# Others were faster, or hold a lock: the same again is what a caller does.
AGAIN = {"killed", "ref-moved", "locked"}


class Work:
    """One session of an agent: what it is called, what it does, and how it ended.

    effects: what it did after each step that `undo` would take back; the last one counts.
    perhaps: what else it may have landed with, where a call was killed while another landed it.
    touched: paths edited since the last rebase. trail: what was called, to be told with a fault.
    fate: open, landed or aborted. claimed: somebody was told that it landed. before: the chain as
    it was before the last rebase, and what it did, where its agent was told of it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = f"work {name}"
        self.effects = [Effect()]
        self.perhaps: list[Effect] = []
        self.touched: set[str] = set()
        self.trail: list[str] = []
        self.fate = "open"
        self.claimed = False
        self.before: tuple[str, Effect] | None = None

    @property
    def effect(self) -> Effect:
        return self.effects[-1]

    @property
    def ref(self) -> str:
        return f"refs/slip/sessions/{self.name}"


def _short(effect: Effect) -> str:
    signs = (("+", effect.added), ("-", effect.removed))
    return " ".join(
        f"{sign}{path}:{token}" for sign, found in signs for path, token in sorted(found)
    )


class Quiet:
    """Plain git works beside plain git, and gc while none does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0

    @contextmanager
    def working(self) -> Iterator[None]:
        with self._changed:
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._working)
            yield


class World:
    """What all agents share.

    faults: what must not be, told as it is seen. branches: where plain git left those it made.
    """

    def __init__(self, repository: Path, anchors: int, shared: int) -> None:
        self.repository = repository
        self.anchors = anchors
        self.shared = shared
        self.faults: list[str] = []
        self.works: dict[str, Work] = {}
        self.branches: dict[str, str] = {}
        self.quiet = Quiet()
        # Held to land sessions of others, and where such a landing is not to come between.
        self.landing_others = threading.Lock()

    def tip(self, work: Work) -> str | None:
        """The session's newest step, None where it is open no more."""
        rows = git(self.repository, "for-each-ref", "--format=%(objectname)", work.ref)
        return rows.decode().strip() or None

    def landed(self, work: Work) -> bool:
        rows = git(self.repository, "log", "--first-parent", "--format=%s", BRANCH).decode()
        return work.title in rows.splitlines()


class Agent:
    """Works on sessions of its own; `run` does one work after the other."""

    executes = True
    # Whether it goes back to a chain before a rebase; a session's worktree would stand in the way.
    goes_back = True

    def __init__(self, world: World, number: int, caller: Caller, dice: random.Random) -> None:
        self.world = world
        self.number = number
        self.caller = caller
        self.dice = dice
        self.seconds = 0.0
        self.done: dict[str, int] = {}
        self._tokens = 0
        self._base: str | None = None

    def run(self, works: int) -> None:
        start = time.monotonic()
        try:
            try:
                for count in range(works):
                    work = Work(f"a{self.number:03}-{count}")
                    self.world.works[work.name] = work
                    self.work(work)
                    self.count(work.fate)
            finally:
                self.seconds = time.monotonic() - start
                self.caller.end()
        except Exception as fault:  # noqa: BLE001  (a thread must not end in silence)
            self.world.faults.append(f"BROKEN {self.number}: {fault!r}")

    def work(self, work: Work) -> None:
        """One session, from its beginning to its end."""
        if self.executes and self.dice.random() < 0.15:
            self._execute(work)
        else:
            self.begin(work)
            for _ in range(self.dice.randint(1, 3)):
                self.step(work)
        self.finish(work)

    # --- calls ---

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def change(
        self,
        work: Work,
        after: Effect | None,
        name: str,
        /,
        *,
        at: Path | None = None,
        **values: Free,
    ) -> Answer:
        """A call that makes the session do ``after``: what it did before or that, if killed."""
        self.count(name)
        answer = self.caller.call(name, at=at, **values)
        work.trail.append(f"{name} {answer.code or 'done'}")
        if answer.is_ok and after is not None:
            self._put(work, after)
        elif not answer.is_ok and answer.code in AGAIN | {"session-missing"}:
            self.look(work, after, killed=answer.code == "killed")
        return answer

    def _put(self, work: Work, after: Effect) -> None:
        if after != work.effect:
            work.effects.append(after)
            work.trail.append(f"does {_short(after)}")

    def look(self, work: Work, after: Effect | None = None, *, killed: bool = False) -> None:
        """See what a session does by now, which somebody may have landed meanwhile."""
        if killed:
            self.caller.call("recover", safe=True)
        tip = self.world.tip(work)
        if tip is None and self.world.landed(work):
            work.fate = "landed"
            work.perhaps += [after] if killed and after is not None else []
        elif tip is None:
            self.world.faults.append(f"VANISHED {work.name}")
            work.fate = "aborted"
        if tip is None:
            return
        base = effects.base_of(self.world.repository, tip)
        before = effects.items(self.world.repository, base)
        shown = effects.between(before, effects.items(self.world.repository, tip))
        if work.effect.is_shown_by(shown, before):
            return
        if after is not None and after.is_shown_by(shown, before):
            self._put(work, after)
            return
        if self._base is not None and base != self._base:
            return  # the rebase that was killed was made; who asked for it goes on from there
        self.world.faults.append(f"TORN {work.name}: {shown}, not {work.effect} nor {after}")

    # --- edits ---

    def token(self) -> str:
        self._tokens += 1
        return f"tok-{self.number:03}-{self._tokens:04}"

    def begin(self, work: Work) -> None:
        for _ in range(TRIES):
            answer = self.caller.call(
                "begin", name=work.name, title=work.title, base=BRANCH, onto=BRANCH
            )
            if answer.is_ok or self.world.tip(work):
                return
            if answer.code not in AGAIN:
                raise Broken(f"begin: {answer}")
        raise Broken(f"begin: {TRIES} tries")

    def step(self, work: Work) -> None:
        """One thing done in an open session."""
        if work.fate != "open":
            return
        chance = self.dice.random()
        steps = len(work.effects)
        if chance < 0.12 and steps > 1:
            self._undo(work)
        elif chance < 0.2:
            self._abort_and_reopen(work)
        else:
            self.edit(work)

    def edit(self, work: Work) -> None:
        """Edits in the session, by ops."""
        after, ops = self.edits(work, self._reader(work))
        self.change(work, after, "apply", session=work.name, ops=json.dumps(ops))

    def _reader(self, work: Work) -> Callable[[str], str | None]:
        tip = self.world.tip(work) or BRANCH
        return lambda path: self._text(f"{tip}:{path}")

    def _text(self, revision: str) -> str | None:
        listed = git(self.world.repository, "ls-tree", "--name-only", *revision.split(":"))
        return git(self.world.repository, "show", revision).decode() if listed else None

    def edits(
        self, work: Work, read: Callable[[str], str | None]
    ) -> tuple[Effect, list[dict[str, Any]]]:
        """Random ops, and what the session does with them. ``read``: what it has at a path."""
        after = work.effect
        own = f"own/{self.number:03}.txt"
        new = self.token()
        ops: list[dict[str, Any]] = [
            {"op": "insert", "path": own, "after": "start", "text": f"{new}\n"}
        ]
        after = after.edited(own, None, new)
        if self.dice.random() < 0.15:
            path = f"new/{self.dice.randrange(20)}.txt"
            if read(path) is None:
                new = self.token()
                ops.append({"op": "write", "path": path, "content": f"{new}\n", "create": "only"})
                return after.edited(path, None, new), ops
        path = f"shared/{self.dice.randrange(self.world.shared)}.txt"
        work.touched.add(path)
        there = TOKEN.findall(read(path) or "")
        if there and self.dice.random() < 0.5:
            old = self.dice.choice(there)
            keeps = self.dice.random() < 0.8
            to = self.token() if keeps else None
            text = f"{to}\n" if to else ""
            ops.append({"op": "str_replace", "path": path, "old": f"{old}\n", "new": text})
            return after.edited(path, old, to), ops
        new, anchor = self.token(), f"== {self.dice.randrange(self.world.anchors)} =="
        ops.append({"op": "insert", "path": path, "after": anchor, "text": f"{new}\n"})
        return after.edited(path, None, new), ops

    def _undo(self, work: Work) -> None:
        before, last = work.effects[-2:]
        kept = work.effects[:-1]
        self.change(work, before, "undo", session=work.name)
        if work.effect == before:
            work.effects = kept
            work.trail.append("undone")
            if self.dice.random() < 0.3:
                self.change(work, last, "redo", session=work.name)

    def _abort_and_reopen(self, work: Work) -> None:
        self.count("abort and reopen")
        self.caller.call("abort", session=work.name)
        for _ in range(TRIES):
            if self.world.tip(work) or self.world.landed(work):
                self.look(work, killed=True)
                return
            self.caller.call("reopen", name=work.name)
        raise Broken(f"reopen {work.name}: {TRIES} tries")

    # --- landing ---

    def _execute(self, work: Work) -> None:
        after, ops = self.edits(work, lambda path: self._text(f"{BRANCH}:{path}"))
        self.count("exec")
        answer = self.caller.call(
            "exec", session=work.name, title=work.title, message=[work.title], base=BRANCH,
            onto=BRANCH, ops=json.dumps(ops),
        )  # fmt: skip
        if answer.is_ok:
            work.claimed = True
        if answer.code == "killed":
            self.caller.call("recover", safe=True)
        if self.world.tip(work) or self.world.landed(work) or answer.is_ok:
            self._put(work, after)
            self.look(work)
        else:
            work.fate = (
                "aborted"  # the file was edited meanwhile, or it was killed: nothing is left
            )

    def finish(self, work: Work) -> None:
        """Land it, through whatever conflicts; give it up after some rounds."""
        for _ in range(ROUNDS):
            if work.fate == "open" and work.effect == Effect():
                self.edit(work)
            if work.fate == "open":
                self.land(work)
            if work.fate != "open":
                return
            self.settle(work)
        while work.fate == "open":
            self.caller.call("abort", session=work.name, safe=True)
            if self.world.tip(work) is None:
                work.fate = "landed" if self.world.landed(work) else "aborted"

    def land(self, work: Work) -> None:
        name, values = self._landing(work)
        self.count(f"{name} --all" if values.get("all") else name)
        with self.world.landing_others if len(values) > 1 or values.get("all") else nullcontext():
            answer = self.caller.call(name, **values)
        told = answer.value or {}
        self.count(f"told {answer.code or 'landed'}")
        work.trail.append(f"{name} {values} {answer.code or 'done'}")
        rows = told.get("landed") or told.get("error", {}).get("data", {}).get("landed") or []
        if name == "commit" and answer.is_ok:
            rows = [told]
        for row in rows if isinstance(rows, list) else ():
            claimed = self.world.works.get(row["session"])
            if claimed is not None and row.get("committed"):
                claimed.claimed = True
        self.look(work, killed=answer.code == "killed")

    def _landing(self, work: Work) -> tuple[str, dict[str, Any]]:
        chance = self.dice.random()
        if chance < 0.15:
            return "land", {"all": True}
        if chance < 0.3:
            works = list(self.world.works.values())
            others = [w.name for w in works if w.fate == "open" and w is not work]
            some = self.dice.sample(others, min(2, len(others)))
            return "land", {"sessions": list(dict.fromkeys([work.name, *some])), "atomic": True}
        if chance < 0.6:
            return "land", {"sessions": [work.name]}
        return "commit", {"session": work.name, "message": [work.title]}

    def settle(self, work: Work) -> None:
        """Move the session onto the branch, and decide what that leaves open."""
        tip = self.world.tip(work)
        if tip is None:
            self.look(work)
            return
        listing = self._listing(work)
        if listing is None:
            return
        if not listing:
            self._base = effects.base_of(self.world.repository, tip)
            was = work.effect
            answer = self.change(work, None, "rebase", session=work.name)
            self._remember(work, answer, was)
            listing = self._rebased(work)
        standing = work.before
        for row in listing:
            if work.before is standing:
                self.decide(work, row)

    def _listing(self, work: Work) -> list[dict[str, Any]] | None:
        """What is left to be decided; None where the session is open no more."""
        answer = self.caller.call("resolve", safe=True, session=work.name)
        if not answer.is_ok:
            self.look(work)
            return None
        assert answer.value is not None
        rows: list[dict[str, Any]] = answer.value["conflicts"]
        return rows

    def _rebased(self, work: Work) -> list[dict[str, Any]]:
        """Account for a rebase, whoever knows whether it was made; what it left open."""
        was, self._base = self._base, None
        tip = self.world.tip(work)
        if tip is None or work.fate != "open":
            self.look(work)
            return []
        if effects.base_of(self.world.repository, tip) == was:
            self.look(work)
            return []
        listing = self._listing(work) or []
        after = work.effect
        for row in listing:
            for hunk in effects.hunks_of(row):
                after = after.left_open(hunk)
        work.trail.append(f"rebased, and does {_short(after)}")
        work.effects = [after]  # an undo of the rebase is refused
        work.touched = set()
        self.look(work)
        self.count("conflicting rebase" if listing else "clean rebase")
        return listing

    # --- decisions ---

    def decide(self, work: Work, row: dict[str, Any]) -> None:
        """Decide a path, all of it or hunk by hunk."""
        hunks = effects.hunks_of(row)
        if len(hunks) == 1 or self.dice.random() < 0.3:
            candidate = self._candidate(work, row)
            if candidate is not None and self.dice.random() < 0.5:
                self._resolve(work, candidate, path=row["path"], candidate=True)
                return
            if self.dice.random() < 0.2:
                self.edit(work)
                self._resolve(work, work.effect, path=row["path"], as_is=True)
                return
        standing = work.before
        for hunk in hunks:
            if work.fate == "open" and work.before is standing:
                self._decide_hunk(work, hunk)

    def _decide_hunk(self, work: Work, hunk: Hunk) -> None:
        own = [token for _, token in work.effect.added | hunk.theirs if self._is_own(token)]
        ways = {"ours": hunk.ours_lines, "theirs": hunk.theirs_lines,
                "both": hunk.ours_lines + hunk.theirs_lines,
                "content": effects.union(hunk, own)}  # fmt: skip
        fair = [way for way, lines in ways.items() if self._is_fair(hunk, lines)]
        way = self.dice.choice(fair)
        result = effects.items_in(hunk.path, "\n".join(ways[way]))
        chosen: dict[str, Any] = {way: True}
        if way == "content":
            chosen = {"content": "".join(f"{text}\n" for text in ways[way])}
        after = work.effect.decided(hunk.ours, result)
        before = work.effect
        done = self._resolve(work, after, path=hunk.path, hunk=hunk.number, **chosen)
        if done and self.dice.random() < 0.2 and work.effect != before:
            self._undo(work)  # and the conflict is there again, for the next round
            if work.effect == before and self.goes_back and self.dice.random() < 0.7:
                self._go_back(work, hunk.path)
        self.count(f"decided: {way}")

    def _remember(self, work: Work, answer: Answer, was: Effect) -> None:
        """Keep what leads back to the chain before a rebase."""
        kept = (answer.value or {}).get("kept") if answer.is_ok else None
        number = str(kept).rpartition("/")[2]
        work.before = (f"{work.name}@{number}", was) if kept else None

    def _go_back(self, work: Work, path: str) -> None:
        """The rebase taken back and made anew: what was undone decides nothing there."""
        if work.before is None:
            return
        chain, was = work.before
        with self.world.landing_others:  # for a moment nothing is left to be decided
            tip = self.world.tip(work)
            if tip is None:
                self.look(work)
                return
            self._surely("abort", session=work.name)
            self._surely("reopen", name=chain)
            work.effects = [was]
            work.trail.append(f"back at {chain}, and does {_short(was)}")
            self.look(work)
            tip = self.world.tip(work)
            self._base = effects.base_of(self.world.repository, tip) if tip else None
            answer = self._surely("rebase", session=work.name)
            self._remember(work, answer, was)
            self._rebased(work)
            if path in ((answer.value or {}).get("remembered") or ()):
                self.world.faults.append(f"RECALLED {work.name}: {path}")
        self.count("rebased anew after an undo")

    def _surely(self, name: str, /, **values: Free) -> Answer:
        """A call that is not killed and must succeed, tried again while others are faster."""
        for _ in range(TRIES):
            answer = self.caller.call(name, safe=True, **values)
            if answer.is_ok:
                return answer
            if answer.code not in AGAIN:
                raise Broken(f"{name} {values}: {answer.value}")
        raise Broken(f"{name} {values}: {TRIES} tries")

    def _is_own(self, token: str) -> bool:
        return token.startswith(f"tok-{self.number:03}-")

    def _is_fair(self, hunk: Hunk, lines: tuple[str, ...]) -> bool:
        """Whether a result has no line twice, and brings back nothing that others took away."""
        found = effects.items_in(hunk.path, "\n".join(lines))
        return len(set(lines)) == len(lines) and all(
            self._is_own(token) for _, token in found - hunk.ours
        )

    def _candidate(self, work: Work, row: dict[str, Any]) -> Effect | None:
        """What the session would do with the candidate; None where there is none that is fair."""
        candidate = row.get("candidate")
        if not candidate or "left_out" in candidate or row["path"] in work.touched:
            return None
        path, text = row["path"], candidate["text"]
        ours = effects.items_in(path, git(
            self.world.repository, "cat-file", "blob", row["ours_oid"]).decode())  # fmt: skip
        found = effects.items_in(path, text)
        tokens = TOKEN.findall(text)
        fair = len(tokens) == len(set(tokens)) and all(self._is_own(t) for _, t in found - ours)
        if not fair:
            return None
        # All of the path's account is told by the two.
        rest = Effect(
            frozenset(i for i in work.effect.added if i[0] != path),
            frozenset(i for i in work.effect.removed if i[0] != path),
        )
        return Effect(rest.added | (found - ours), rest.removed | (ours - found))

    def _resolve(self, work: Work, after: Effect, **values: Free) -> bool:
        answer = self.change(work, after, "resolve", session=work.name, **values)
        if answer.code == "conflict":  # with an edit made since: the file as it is now
            path = values["path"]
            self.change(work, None, "resolve", session=work.name, path=path, as_is=True)
        elif not answer.is_ok and answer.code not in {*AGAIN, "session-missing", "missing"}:
            self.world.faults.append(f"REFUSED {work.name}: {values} {answer.value}")
        return answer.is_ok
