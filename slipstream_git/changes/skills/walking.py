"""A skill walked: commands run, gates asked, and a stop wherever somebody has to do something.

No step behind a red gate is taken, in whatever way the run is gone on with: whoever begins further
down is asked the gates above once more, until something has landed, which settles them. What a step
runs are operations of slip, given as words and never as a line for a shell; a value of the caller's
is one word, or several where a place stands alone and several are said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from slipstream_git import hints
from slipstream_git.changes import sessions, settings
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.skills import library, standing
from slipstream_git.changes.skills.library import Entry
from slipstream_git.changes.skills.standing import Standing
from slipstream_git.errors import ASKED_WRONGLY, BUG, EXIT_STATUS, INTERRUPTED, SlipError
from slipstream_git.guides import SkillAnswer, SkillRun, SkillWalked
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths, skillfiles
from slipstream_git.text.skillfiles import Skill, Step
from slipstream_git.workspace import Workspace

LANDS: Final = ("commit", "land")
_SHORTEST_ID: Final = 7
# What says nothing of the work that a gate looks at.
_NO_WORD: Final = (ASKED_WRONGLY, BUG, INTERRUPTED)


class Performed(NamedTuple):
    """A command that was run. words: as one would type them to have the same."""

    operation: str
    value: Any
    words: Sequence[str]


# Runs a command in a session, if it knows one.
Perform = Callable[[Sequence[str], str | None], Performed]


class Wish(NamedTuple):
    """What was asked for. said: ``key=value``, each. trust: the id of a skill of the repository."""

    session: str | None = None
    said: tuple[str, ...] = ()
    from_step: int | None = None
    trust: str | None = None


def run(ws: Workspace, entry: Entry, wish: Wish, perform: Perform) -> SkillRun:
    """Walk on from where the run stands, up to the next step that is somebody's to do.

    Raises `gate-failed` at a red gate, whatever a command is refused with, `usage` for a value
    that is missing, `path-denied` for a skill of the repository that was not read first.
    """
    _check_trusted(entry, wish)
    session = _session(ws, entry.skill, wish)
    _check_required(ws, entry.skill, session)
    place = standing.path(ws, entry.source, entry.skill.name, session)
    with standing.alone(ws, place) as is_ours:
        if not is_ours:
            raise SlipError("locked", f"somebody else walks {entry.name} here just now")
        walk = _Walk(ws, entry, session, perform, place)
        walk.stand(wish)
        return walk.go()


# Before it begins ---------------------------------------------------------------------------------


def _check_trusted(entry: Entry, wish: Wish) -> None:
    if entry.source == library.OURS:
        return
    said = wish.trust or ""
    if len(said) >= _SHORTEST_ID and entry.oid.startswith(said):
        return
    why = "it has changed since" if said else "read it; --trust takes the id that it is shown with"
    raise SlipError(
        "path-denied",
        f"{entry.path} is the repository's, not slip's: {why}",
        hint=hints.of("slip", "skills", "show", entry.asked_for),
        data={"id": entry.oid},
    )


def _session(ws: Workspace, skill: Skill, wish: Wish) -> str | None:
    """The name of the session that the run is about; of one that it opens, the skill's."""
    if "session" in skill.requires:
        return sessions.choose(ws, wish.session).name
    named = wish.session or ws.default_session
    names = {word for step in skill.steps for row in step.commands for word in row.words}
    if named is None and "{session}" in names:
        return skill.name
    return paths.session_name(named) if named is not None else None


def _check_required(ws: Workspace, skill: Skill, session: str | None) -> None:
    repository = ws.repository
    if "gates" in skill.requires:
        found = _open(ws, session)
        onto = found.onto if found else repository.head()[0]
        head = repository.store.ref(repository.pointed_at(onto)) if onto else None
        if not settings.at(repository, head).gates:
            said = f"{skill.name} needs gates, and .slip.toml of the branch defines none"
            raise SlipError("usage", said, hint="slip check")
    if "remote" in skill.requires and not repository.config.below("remote"):
        hint = "git remote add origin URL"
        raise SlipError("missing", f"{skill.name} needs a remote, and there is none", hint=hint)


def _open(ws: Workspace, name: str | None) -> Session | None:
    if name is None or ws.repository.store.ref(sessions.OPEN + name) is None:
        return None
    return sessions.load(ws, name)


def _values(said: Sequence[str], skill: Skill) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in said:
        key, equals, value = text.partition("=")
        if not equals or key not in skill.values:
            shown = paths.escape_for_terminal(text[:80])
            there = f"it has {', '.join(skill.values)}" if skill.values else "it has none"
            raise SlipError(
                "usage",
                f"--set {shown}: {skill.name} takes key=value; {there}",
                hint=hints.of("slip", "skills", "show", skill.name),
            )
        found.setdefault(key, []).append(value)
    return found


# On its way ---------------------------------------------------------------------------------------


class _Walk:
    def __init__(
        self, ws: Workspace, entry: Entry, session: str | None, perform: Perform, place: str
    ) -> None:
        self._ws = ws
        self._entry = entry
        self._steps = entry.skill.steps
        self._session = session
        self._perform = perform
        self._place = place
        self._standing = Standing(entry.oid)
        self._walked: list[SkillWalked] = []
        self._again: list[int] = []

    def stand(self, wish: Wish) -> None:
        """Where it was left, or at the step that is asked for; what is said counts from now on."""
        known = standing.read(self._place)
        if known is not None and not self._is_of_this(known):
            known = None
        if known is not None and known.oid != self._entry.oid and wish.from_step is None:
            raise SlipError(
                "stale",
                f"{self._entry.name} reads otherwise than when this run began",
                hint=self._command("--from-step", "1"),
            )
        found = known or self._standing
        step = found.next if wish.from_step is None else wish.from_step
        if not 1 <= step <= len(self._steps):
            said = f"{self._entry.name} has the steps 1 to {len(self._steps)}"
            raise SlipError("out-of-range", said, hint=self._command("--from-step", "1"))
        values = {**found.values, **_values(wish.said, self._entry.skill)}
        # A run that is begun anew has landed nothing.
        landed = found.landed if step > found.landed else 0
        self._standing = found._replace(
            oid=self._entry.oid,
            next=step,
            landed=landed,
            values=values,
        )

    def _is_of_this(self, known: Standing) -> bool:
        """Whether the session is still the one of that run: a name may have been used again."""
        found = _open(self._ws, self._session)
        return found is None or known.begin is None or found.began(known.begin)

    def go(self) -> SkillRun:
        is_beginning = self._standing.next == 1
        self._ask_again()
        for step in self._steps[self._standing.next - 1 :]:
            if not self._take(step):
                break
        is_done = self._standing.next > len(self._steps)
        if is_done:
            standing.forget(self._place)
        return SkillRun(
            skill=self._entry.skill.name,
            source=self._entry.source,
            session=self._session,
            steps=self._walked,
            next=None if is_done else self._standing.next,
            done=is_done,
            guardrails=list(self._entry.skill.guardrails) if is_beginning else None,
            asked_again=self._again or None,
            again=None if is_done else str(self._command()),
        )

    def _ask_again(self) -> None:
        """The gates above, unless something has landed behind them."""
        for step in self._steps[self._standing.landed : self._standing.next - 1]:
            if step.is_gate:
                # Of luck that was seen to hold on this very tree once is enough.
                known = self._standing.green.get(str(step.number))
                tree = self._tree()
                self._ask(step, 1 if known is not None and known == tree else step.times)
                self._again.append(step.number)

    def _take(self, step: Step) -> bool:
        """Take a step; whether the next can be taken, too."""
        self._keep(step.number)  # also where this one is refused: it goes on from here
        if step.kind == skillfiles.DO:
            self._told(step, "waiting", [])
            self._keep(step.number + 1)
            return False
        if step.is_gate:
            self._told(step, "green", self._ask(step, step.times))
        else:
            self._told(step, "done", list(self._run(step)))
            if any(row.words[1] in LANDS and "--dry-run" not in row.words for row in step.commands):
                self._standing = self._standing._replace(landed=step.number)
        self._keep(step.number + 1)
        return True

    def _told(self, step: Step, status: str, answers: list[SkillAnswer]) -> None:
        self._walked.append(SkillWalked(step.number, step.kind, step.text, status, answers))

    def _keep(self, following: int) -> None:
        """Note where the run stands, and of which session it is."""
        found = _open(self._ws, self._session)
        begin = found.begin if found else self._standing.begin
        self._standing = self._standing._replace(next=following, begin=begin)
        standing.keep(self._ws, self._place, self._standing)

    def _run(self, step: Step) -> Iterator[SkillAnswer]:
        for row in step.commands:
            words = self._filled(row.words, step)
            try:
                done = self._perform(words, self._session)
            except SlipError as fault:
                raise self._stopped(fault.code, step, fault) from None
            yield SkillAnswer(str(hints.of(*done.words)), done.operation, done.value)

    def _ask(self, step: Step, times: int) -> list[SkillAnswer]:
        """Ask a gate so often; the answers. Raises `gate-failed`, or what it was asked wrongly."""
        tree = self._tree()
        answers: list[SkillAnswer] = []
        for time in range(1, times + 1):
            try:
                answers += self._run(step)
            except SlipError as fault:
                if EXIT_STATUS[fault.code] in _NO_WORD:
                    raise
                if times > 1:
                    fault.message += f" (time {time} of {times})"
                fault.data.setdefault("cause", fault.code)
                fault.code = "gate-failed"
                raise
            if step.kind == skillfiles.NOTHING and answers[-1].value.total:
                found = answers[-1]
                said = f"`{found.command}` finds {found.value.total}, and is to find nothing"
                red = SlipError("gate-failed", said, hint=found.command)
                raise self._stopped("gate-failed", step, red)
        if tree is not None and times == step.times > 1:
            green = {**self._standing.green, str(step.number): tree}
            self._standing = self._standing._replace(green=green)
        return answers

    def _tree(self) -> str | None:
        found = _open(self._ws, self._session)
        return found.tree if found else None

    # Words and refusals ---------------------------------------------------------------------------

    def _filled(self, words: Sequence[str], step: Step) -> list[str]:
        """The command with what was said in its places."""
        values: Mapping[str, Sequence[str]] = self._standing.values
        if self._session is not None:
            values = {**values, skillfiles.SESSION: [self._session]}
        wanted = {place for word in words for place in skillfiles.PLACE.findall(word)}
        missing = sorted(wanted - set(values))
        if missing:
            known = {**self._entry.skill.values, skillfiles.SESSION: "the session"}
            told = "; ".join(f"{place}: {known[place]}" for place in missing)
            sets = [word for place in missing for word in ("--set", f"{place}=VALUE")]
            asked = SlipError("usage", f"say {told}", hint=self._command(*sets))
            raise self._stopped("usage", step, asked)
        found: list[str] = []
        for word in words:
            alone = skillfiles.PLACE.fullmatch(word)
            if alone is not None:
                found += values[alone[1]]
            else:
                found.append(skillfiles.PLACE.sub(lambda place: " ".join(values[place[1]]), word))
        return found

    def _command(self, *more: str) -> hints.Hint:
        """The command line that goes on with this run."""
        words = ["slip", "skills", "run", self._entry.asked_for]
        words += ["-s", self._session] if self._session is not None else []
        words += ["--trust", self._entry.oid] if self._entry.source == library.THEIRS else []
        return hints.of(*words, *more)

    def _stopped(self, code: str, step: Step, fault: SlipError) -> SlipError:
        """The refusal of a step, with where the run stands."""
        what = f"{self._entry.name}, step {step.number} ({step.kind})"
        data = {
            **fault.data, "skill": self._entry.skill.name, "step": step.number,
            "again": str(self._command()),
        }  # fmt: skip
        hint = fault.hint or self._command()
        return SlipError(code, f"{what}: {fault.message}", hint=hint, data=data)
