"""The demo: a small real repository, three sessions begun at once, and what becomes of each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping

from slipstream_git.changes import landing, sessions, staging
from slipstream_git.changes.asking import Options
from slipstream_git.changes.concurrency import rebasing, resolving
from slipstream_git.changes.concurrency.resolving import Choice
from slipstream_git.changes.messages import Message
from slipstream_git.changes.sessions import Wish
from slipstream_git.changes.staging import Label
from slipstream_git.codec import dumps, encode_op
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Git
from slipstream_git.model import Op, StrReplace, Write
from slipstream_git.outcomes import Demonstrated, DemoStep, Landed
from slipstream_git.results import Applied
from slipstream_git.workspace import Workspace, open_workspace

GREET = '''"""Greetings."""


def greet(name):
    return "Hello, " + name


def part(name):
    return "Bye, " + name
'''
MAIN = """from greet import greet

print(greet("world"))
"""
# The demo shows slip, not the person's own hooks, keys and line endings.
PLAIN_SETTINGS = (
    ("commit.gpgSign", "false"), ("core.hooksPath", os.devnull), ("core.autocrlf", "false"),
)  # fmt: skip
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
}  # fmt: skip


def run(env: Mapping[str, str]) -> Demonstrated:
    """Build the repository in a new temporary directory and tell what happens in it."""
    directory = tempfile.mkdtemp(prefix="slip-demo-")
    env = {**env, **IDENTITY}
    _build(directory, env)
    ws = open_workspace(directory, env, in_process=False)
    with ws.repository:
        steps = _story(ws, directory)
    return Demonstrated(directory, steps)


def _build(directory: str, env: Mapping[str, str]) -> None:
    git = Git(directory, env)
    git.run("init", "-q", "-b", "main", ".")
    for key, value in PLAIN_SETTINGS:
        git.run("config", key, value)
    for name, text in (("greet.py", GREET), ("main.py", MAIN)):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as stream:
            stream.write(text)
    git.run("add", "greet.py", "main.py")
    git.run("commit", "-q", "-m", "A program that greets")
    with open(os.path.join(directory, "main.py"), "a", encoding="utf-8") as stream:
        stream.write("# an edit of yours, not committed\n")


def _story(ws: Workspace, directory: str) -> list[DemoStep]:
    teller = _Teller(ws)
    for name in ("polite", "goodbye", "loud"):
        teller.begin(name)
    teller.apply(
        "One batch, two files, all or nothing.",
        "polite",
        _replace(b"greet.py", b'return "Hello, " + name', b'return "Good day, " + name'),
        Write(b"README.md", b"Greets politely.\n"),
    )
    teller.apply(
        "Another session edits the same file elsewhere; it is told who else does.",
        "goodbye",
        _replace(b"greet.py", b'return "Bye, " + name', b'return "Goodbye, " + name'),
    )
    teller.apply(
        "A third one edits the lines of both.",
        "loud",
        _replace(b"greet.py", b'return "Hello, " + name', b'return "HELLO, " + name.upper()'),
        _replace(b"greet.py", b'return "Bye, " + name', b'return "BYE, " + name.upper()'),
    )
    teller.commit("The first lands as one commit.", "polite", "Greet politely")
    teller.commit("The second is merged, as git merges.", "goodbye", "Say goodbye in full")
    teller.commit("The third conflicts: nothing moves, and it says why.", "loud", "Greet loudly")
    teller.rebase(
        "The conflict is taken into the session: no markers, and no file of yours moves.", "loud"
    )
    teller.resolve("It is decided a hunk at a time.", "loud", 1, "theirs")
    teller.resolve("", "loud", 2, "ours")
    teller.commit("And now it lands.", "loud", "Greet loudly")
    status = ws.repository.git.run("status", "--short").out.decode()
    log = ws.repository.git.run("log", "--oneline", "main").out.decode()
    teller.git("Your own edit is as you left it.", f"git -C {directory} status --short", status)
    teller.git("And the branch is ordinary git.", "git log --oneline main", log)
    return teller.steps


def _replace(path: bytes, old: bytes, new: bytes) -> Op:
    return StrReplace(path, old, new)


class _Teller:
    """Runs each command and keeps what it answered."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self.steps: list[DemoStep] = []

    def begin(self, name: str) -> None:
        said = "Three sessions on one repository: no worktree is made for any." * (not self.steps)
        self._tell(said, f"slip begin {name}", "begin",
                   lambda: sessions.begin(self._ws, Wish(name)))  # fmt: skip

    def apply(self, said: str, name: str, *ops: Op) -> None:
        batch = dumps([encode_op(op) for op in ops])
        command = f"slip apply -s {name} - <<< '{batch}'"

        def verb() -> Applied:
            session = sessions.load(self._ws, name)
            return staging.apply(self._ws, session, ops, Label())

        self._tell(said, command, "apply", verb)

    def commit(self, said: str, name: str, message: str) -> None:
        def verb() -> Landed:
            session = sessions.load(self._ws, name)
            return landing.commit(
                self._ws, session, landing.order(self._ws, Options(Message((message,))))
            )

        self._tell(said, f"slip commit -s {name} -m '{message}'", "commit", verb)

    def rebase(self, said: str, name: str) -> None:
        def verb() -> object:
            return rebasing.rebase(self._ws, sessions.load(self._ws, name), None, recall=True)

        self._tell(said, f"slip rebase -s {name}", "rebase", verb)

    def resolve(self, said: str, name: str, hunk: int, take: str) -> None:
        def verb() -> object:
            session = sessions.load(self._ws, name)
            choice = Choice(take, hunk=hunk)
            return resolving.resolve(self._ws, session, "greet.py", choice, Label("resolve"))

        command = f"slip resolve -s {name} greet.py --hunk {hunk} --{take}"
        self._tell(said, command, "resolve", verb)

    def git(self, said: str, command: str, output: str) -> None:
        self.steps.append(DemoStep(said, command, "git", output))

    def _tell(self, said: str, command: str, operation: str, verb: Callable[[], object]) -> None:
        try:
            value = verb()
        except SlipError as fault:
            self.steps.append(DemoStep(said, command, operation, None, fault.as_json()))
        else:
            self.steps.append(DemoStep(said, command, operation, value))
