"""Commands that a client hands over as they were typed (`faces.client`), run for them here.

Only what a command may depend on and the client has told is used: their directory, environment,
terminal and standard input. Where that differs from what this process has and cannot change, or the
command is one that runs programs of theirs, they are told to run it themselves.
"""

from __future__ import annotations

import os
import stat
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from slipstream_git import __version__, addresses
from slipstream_git.errors import SlipError
from slipstream_git.faces import argv, inputs, replies
from slipstream_git.faces.callers import Elsewhere, line_of, noticing
from slipstream_git.faces.serving import fields
from slipstream_git.faces.serving.tenants import Tenants
from slipstream_git.operations import registry
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

# Quick, and without hooks, editors, or programs of the user's that may want to be stopped.
TAKEN = (registry.READS, registry.LOOKS, registry.STAGES)
FIELDS = (
    "version", "umask", "terminal", "directory", "inode", "mounts", "environment", "arguments",
    "until",
)  # fmt: skip
# Variables that this process has read for all repositories, once; libgit2 keeps some.
ALIKE = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR", "TZ", "SLIP_STORE")
# Of git's own, those that are looked up anew for each command.
UNLIKE = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_EDITOR", "GIT_PAGER")
# Names there that mean something else in every process; those in memory are files as any others.
OF_A_PROCESS = ("/dev/", "/proc/")
IN_MEMORY = "/dev/shm/"  # noqa: S108  (nothing is made there)
# The client waits for what has not begun: so long at least before it gives up.
MARGIN_S = 0.5
# How long a command waits for another in the same repository before it runs elsewhere.
LANE_S = 0.25
ELSEWHERE = {"wants": "elsewhere"}


class Hands(NamedTuple):
    """What a command is run with.

    begin: tells the client, by a time at the latest, that it is begun; whether that was in time.
    begun: is told of the repository in which a session was begun.
    """

    tenants: Tenants
    begin: Callable[[float], bool]
    begun: Callable[[str], None]


def run(hands: Hands, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a command; what it printed, how it ended, or what it wants."""
    told = _told(params)
    try:
        caller = Remote(hands, told)
        arguments = [os.fsdecode(word) for word in told["arguments"].split(b"\0")]
        call = argv.parse(arguments)
        if call is None or call.operation.effect not in TAKEN:
            return ELSEWHERE
        # What it does cannot be done twice.
        caller.is_writing = not call.operation.is_reading
        status = replies.answer(call, arguments, caller)
        if call.operation.name == "begin" and not status:
            hands.begun(caller.placed(call.directory))
    except _WantsInput:
        return {"wants": "input"}
    except Elsewhere:
        return ELSEWHERE
    return {"exit": status, "err": _base64(caller.said[True]), "out": _base64(caller.said[False])}


class _WantsInput(Elsewhere):
    """Standard input has not been read yet."""


class Remote:
    """The caller that a client has told of. Raises `Elsewhere` where it cannot be served here."""

    def __init__(self, hands: Hands, told: Mapping[str, bytes]) -> None:
        self._tenants = hands.tenants
        self._begin = hands.begin
        self._directory = os.fsdecode(told["directory"])
        self._input = told.get("input")
        self._until_s = float(told["until"])
        self.env: Mapping[str, str] = _environment(told["environment"])
        self.has_terminal = bool(told["terminal"])
        self.said = {False: bytearray(), True: bytearray()}
        self.is_writing = False
        if (
            told["version"] != __version__.encode()
            or int(told["umask"], 8) != UMASK
            or told["inode"] != _inode(self._directory)
            or told["mounts"] != addresses.mounts()
            or not _is_alike(self.env)
        ):
            raise Elsewhere

    def here(self) -> str | None:
        return self._directory

    @contextmanager
    def entered(self, directory: str, *, output: int) -> Iterator[Workspace]:
        del output  # nothing is run for them here
        with ExitStack() as stack:
            try:
                ws = stack.enter_context(self._tried(self.placed(directory)))
            except SlipError:  # it is for the caller's own git to say what is wrong there
                raise Elsewhere from None
            if ws is None or (self.is_writing and not self._begin(self._until_s - MARGIN_S)):
                raise Elsewhere
            yield ws._replace(env=self.env, notify=noticing(self))

    def placed(self, directory: str) -> str:
        """A directory of theirs as an absolute path."""
        return os.path.join(self._directory, directory)

    def _tried(self, place: str) -> AbstractContextManager[Workspace | None]:
        path = self.env.get("PATH")
        return self._tenants.tried(place, path, LANE_S, reading=not self.is_writing)

    def input(self) -> bytes | None:
        if self._input is None:
            raise _WantsInput
        return self._input

    def has_file(self, name: str) -> bool:
        return os.path.exists(self._placed(name))

    def file(self, name: str, *, stored: bool = False) -> bytes:
        """A regular file of theirs: anything else gives what it holds to one reader alone."""
        del stored  # as all of them are that are read here
        path = self._placed(name)
        try:
            opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as fault:
            raise SlipError("usage", f"{name}: {fault.strerror}") from None
        with open(opened, "rb") as stream:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise Elsewhere
            return inputs.all_of(stream, name)

    def _placed(self, name: str) -> str:
        path = os.path.join(self._directory, name)
        real = os.path.realpath(path)
        if real.startswith(OF_A_PROCESS) and not real.startswith(IN_MEMORY):
            raise Elsewhere
        return path

    def gone(self) -> bool:
        return False

    def tell(self, text: str, *, aside: bool = False) -> None:
        self.said[aside] += line_of(text)


# As this process has it from its start.
UMASK = os.umask(0o077)
os.umask(UMASK)


def _told(params: Mapping[str, Any]) -> dict[str, bytes]:
    """The fields, decoded. Raises `Misasked`."""
    odd = next((name for name in params if name not in (*FIELDS, "input")), None)
    if odd is not None:
        raise fields.wrong(f"command has no field {odd[: fields.LONGEST_NAME]!r}")
    lacking = next((name for name in FIELDS if name not in params), None)
    if lacking is not None:
        raise fields.wrong(f"command needs {lacking}")
    told = {name: fields.decoded(name, value) for name, value in params.items()}
    try:
        float(told["until"]), int(told["umask"], 8)
    except ValueError:
        raise fields.wrong("until and umask are numbers") from None
    if b"\0" in told["directory"] or not told["directory"].startswith(b"/"):
        raise fields.wrong("directory is an absolute path")
    return told


def _environment(block: bytes) -> dict[str, str]:
    pairs = (os.fsdecode(item).partition("=") for item in block.split(b"\0"))
    return {name: value for name, _, value in pairs if name}


def _inode(directory: str) -> bytes:
    """Which directory has this name here; it may be another than where the client is."""
    try:
        found = os.stat(directory)
    except OSError:
        return b""
    return b"%d:%d" % (found.st_dev, found.st_ino)


def _is_alike(env: Mapping[str, str]) -> bool:
    """Whether what this process cannot change for one command is what the caller has."""
    names = {*ALIKE, *filter(_is_of_git, env), *filter(_is_of_git, os.environ)}
    return all(env.get(name) == os.environ.get(name) for name in names)


def _is_of_git(name: str) -> bool:
    return name.startswith("GIT_") and not name.startswith(UNLIKE)


def _base64(data: bytes | bytearray) -> str:
    return b2a_base64(data, newline=False).decode()
