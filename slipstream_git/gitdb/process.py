"""The only file that starts git: a scrubbed environment, bytes in and bytes out, one error shape.

Git variables of the caller leak into every child when slip runs inside a hook, an alias
(``git slip``) or a rebase ``exec``: GIT_INDEX_FILE would make a child write the user's half-made
commit index, GIT_OBJECT_DIRECTORY would hide objects. So all of ``GIT_*`` is dropped but for
identity, configuration that the user passed (``git -c``), and transport and trace settings.

Children run no hooks and no fsmonitor but where `Git.trusting` was asked for: landing does, for the
hooks of the commit it makes.
User text reaches argument lists only after ``--`` or ``--end-of-options``.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple

KEPT_VARIABLES = frozenset(
    {
        "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE",
        "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE",
        "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_EXEC_PATH", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_TRACE",
        "GIT_ATTR_NOSYSTEM", "GIT_EDITOR", "GIT_DEFAULT_HASH",
        "GIT_SSH_VARIANT", "GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER", "GIT_PROXY_COMMAND",
        "GIT_HTTP_USER_AGENT", "GIT_HTTP_LOW_SPEED_LIMIT", "GIT_HTTP_LOW_SPEED_TIME",
        "GIT_HTTP_PROXY_AUTHMETHOD", "GIT_SSL_NO_VERIFY", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",
        "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_VERSION", "GIT_CURL_VERBOSE",
    }
)  # fmt: skip
KEPT_PREFIXES = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
LOCATION_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE")

# Hooks: landing alone decides which run (contract, section 5). fsmonitor: a program named by
# repository configuration, started by any command that reads the index (CVE-2022-24765 class).
NO_CODE_FROM_CONFIG = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")

# How often somebody who watches hears what a git says that runs.
HEARING_S = 0.2

# Of a URL that git quotes; it leaves them out itself in most of its messages, not in all.
_CREDENTIALS = r"(?i)\b([a-z][a-z0-9+.-]*://)([^/\s'\"]*@)"
_IN_A_QUERY = r"(?i)([?&][\w.-]*(?:token|key|passw(?:or)?d|secret|signature|auth)=)[^&#\s'\"]+"


Child = subprocess.Popen[bytes]


class Output(NamedTuple):
    status: int
    out: bytes
    err: bytes

    @property
    def said(self) -> str:
        """What git printed on stderr, as one line fit for an error message."""
        text = without_credentials(self.err.decode("utf-8", "replace"))
        lines = text.strip().splitlines()
        return "; ".join(line.strip() for line in lines if line.strip())


def without_credentials(text: str) -> str:
    """Text without the names and passwords of URLs in it, and what stands for these in a query.

    The name of who logs in by ssh stays: a command that is typed would else log in as another.
    """
    return re.sub(_IN_A_QUERY, r"\1…", re.sub(_CREDENTIALS, _bare, text))


def _bare(found: re.Match[str]) -> str:
    scheme, login = found[1], found[2]
    name, colon, _ = login.partition(":")
    if "ssh" not in scheme.lower():
        return scheme
    return f"{scheme}{name}@" if colon else f"{scheme}{login}"


def _without_git(env: Mapping[str, str], location: Sequence[str] = ()) -> dict[str, str]:
    """The caller's environment less what git put there for itself."""
    return {
        name: value
        for name, value in env.items()
        if not name.startswith("GIT_")
        or name in KEPT_VARIABLES
        or name in location
        or name.startswith(KEPT_PREFIXES)
    }


def scrubbed(env: Mapping[str, str], *, keep_location: bool = False) -> dict[str, str]:
    """The environment a git child gets: see the head of this file."""
    kept = _without_git(env, LOCATION_VARIABLES if keep_location else ())
    # Messages are parsed in few places, but they are shown in many: one language for all.
    kept |= {"LC_ALL": "C", "LANGUAGE": "", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    # libgit2 does not follow replace refs either: both stores read history as it is stored.
    kept["GIT_NO_REPLACE_OBJECTS"] = "1"
    return kept


def _program(env: Mapping[str, str]) -> str:
    """The git on the caller's PATH, so that not every start looks through all of that again."""
    for directory in os.get_exec_path(env):
        path = os.path.join(directory, "git")
        if os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
        if not os.path.isabs(path):
            break
    return "git"


class Git:
    """Runs git in one directory of one repository.

    directory: where ``-C`` points; a worktree's root or a git directory.
    env: the caller's whole environment; scrubbed here, and kept whole as ``caller``.
    discovering: for finding a repository and reading its configuration as it is: GIT_DIR and
        GIT_WORK_TREE count, and what keeps hooks from running is not set over the user's own.

    program: an absolute path where one is known, else a name for the system to look up.
    """

    def __init__(
        self, directory: str, env: Mapping[str, str], *, discovering: bool = False
    ) -> None:
        self.directory = directory
        self.caller = env
        self._env = scrubbed(env, keep_location=discovering)
        self.program = _program(env)
        self._settings: tuple[str, ...] = () if discovering else NO_CODE_FROM_CONFIG

    def at(self, root: str, git_dir: str) -> Git:
        """The same git for another worktree of the repository, whatever GIT_DIR named this one."""
        return self._like(root, {"GIT_DIR": git_dir, "GIT_WORK_TREE": root})

    def inside(self, git_dir: str) -> Git:
        """The same git for a git directory alone."""
        return self._like(git_dir, {"GIT_DIR": git_dir})

    def located(self, git_dir: str, root: str | None) -> Git:
        """The same git with its repository named, for one found through GIT_DIR."""
        place = {"GIT_DIR": git_dir} | ({"GIT_WORK_TREE": root} if root else {})
        return self._like(self.directory, place)

    def without(self, variable: str) -> Git:
        """The same git with this variable of the caller's dropped, too."""
        other = self._copied()
        other._env = {name: value for name, value in self._env.items() if name != variable}  # noqa: SLF001
        return other

    def with_variables(self, more: Mapping[str, str]) -> Git:
        """The same git with further variables."""
        return self._like(self.directory, more)

    def trusting(self, directory: str, *settings: str) -> Git:
        """A git as the caller's own shell would start it there: hooks run, in the user's language.

        settings: ``key=value`` over the user's configuration, for this git and what it starts.
        """
        other = self._copied()
        other.directory = directory
        other._env = _without_git(self.caller)  # noqa: SLF001  (its own kind)
        other._settings = tuple(part for setting in settings for part in ("-c", setting))  # noqa: SLF001
        return other

    def observed(self, *arguments: str | bytes, env: Mapping[str, str] | None = None) -> Output:
        """Run git and what it starts with both outputs in one, ``out``; any exit status.

        Written to a file and not a pipe: a hook may leave a daemon behind that never closes one.
        """
        return _observed(self._command(arguments), self.directory, self._env | dict(env or {}))

    def shell(self, command: str) -> Output:
        """Run a shell command of the user's in this git's directory, as `observed`."""
        return _observed(["sh", "-c", command], self.directory, self._env)

    def launch(
        self, command: Sequence[str], prints: tuple[int, int], env: Mapping[str, str], group: int
    ) -> Child:
        """Start a program of the user's in this git's directory, in a process group.

        Its input is the caller's; prints: the descriptors for its output and errors. Raises
        OSError.
        """
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self._env | dict(env),
            stdout=prints[0],
            stderr=prints[1],
            process_group=group,
        )

    def adding(self, env: Mapping[str, str]) -> Git:
        """The same git with more variables for what it starts."""
        return self._like(self.directory, env)

    def supervised(
        self, command: str, output: int, report: int, held: Sequence[int], seconds: Sequence[float]
    ) -> Child:
        """Start `supervisor` on a shell command of the user's in this git's directory.

        It hears its standard input, reports to ``report`` and keeps ``held``; seconds: the limit
        and the grace. Raises OSError.
        """
        script = os.path.join(os.path.dirname(__file__), "supervisor.py")
        program = [sys.executable or "python3", "-I", "-S", script]
        kept = ",".join(map(str, (report, *held)))
        words = [kept, *seconds, int("LC_CTYPE" in self._env)]
        return subprocess.Popen(
            [*program, *map(str, words), command],
            cwd=self.directory, env=self._env, pass_fds=(report, *held), start_new_session=True,
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def watcher(self, script: str, held: int) -> Child:
        """A shell that outlives this process if that is killed, in a process group of its own.

        It keeps descriptor ``held``.
        """
        return subprocess.Popen(
            ["sh", "-c", script], cwd="/", env=self._env, pass_fds=(held,), process_group=0,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def setting(self, *settings: str) -> Git:
        """The same git with further configuration, each ``name=value``."""
        other = self._copied()
        options = [word for setting in settings for word in ("-c", setting)]
        other._settings = (*self._settings, *options)  # noqa: SLF001  (its own kind)
        return other

    def _copied(self) -> Git:
        other = object.__new__(Git)  # the module `copy` takes longer to load than a git to start
        other.__dict__.update(self.__dict__)
        return other

    def _like(self, directory: str, more: Mapping[str, str]) -> Git:
        other = self._copied()
        other.directory = directory
        other._env = {**self._env, **more}  # noqa: SLF001  (its own kind)
        return other

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        accept: Sequence[int] = (0,),
    ) -> Output:
        """Run git to its end. Raises `git-failed` when its exit status is not in ``accept``."""
        try:
            done = subprocess.run(
                self._command(arguments),
                input=stdin,
                capture_output=True,
                env=self._env | dict(env or {}),
                check=False,
            )
        except OSError as fault:
            raise _cannot_start(fault) from None
        output = Output(done.returncode, done.stdout, done.stderr)
        if output.status not in accept:
            why = output.said or f"exit status {output.status}"
            raise SlipError("git-failed", f"git {_subcommand(arguments)}: {why}")
        return output

    def together(
        self, questions: Sequence[Sequence[str]], *, env: Mapping[str, str] | None = None
    ) -> list[Output]:
        """Run several gits at once, which only ask; any exit status."""
        children: list[Child] = []
        try:
            children.extend(self.start(*words, env=env, hear_errors=True) for words in questions)
            return [_answer(child) for child in children]
        except BaseException:
            for child in children:
                child.kill()
                child.communicate()
            raise

    def reach(
        self, *arguments: str, asking: bool, heard: Callable[[bytes], None] | None = None
    ) -> Output:
        """Run a git that talks to another repository, perhaps on another machine; any exit status.

        asking: somebody sits at a terminal, whom git and ssh may ask for a password. Nobody else is
        waited for: without a terminal of its own neither finds one to ask at. heard: is given what
        git says on stderr while it runs.
        """
        prompt = self.caller.get("GIT_TERMINAL_PROMPT", "1") if asking else "0"
        env = self._env | {"GIT_TERMINAL_PROMPT": prompt}
        return _reached(self._command(arguments), env, heard, alone=not asking)

    def edit(self, path: str) -> None:
        """Let the person edit a file in the editor that git would start. Raises `git-failed`."""
        editor = self.run("var", "GIT_EDITOR").out.decode().strip()
        # As git does it: the setting is a shell command, and the file its last argument.
        command = ["sh", "-c", f'{editor} "$@"', editor, path]
        if subprocess.run(command, env=self._env, check=False).returncode:
            raise SlipError("git-failed", f"the editor {editor} failed; nothing was committed")

    def start(
        self,
        *arguments: str | bytes,
        env: Mapping[str, str] | None = None,
        hear_errors: bool = False,
    ) -> Child:
        """Start a git that is talked to while it runs. The caller closes and waits for it."""
        try:
            return subprocess.Popen(
                self._command(arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if hear_errors else subprocess.DEVNULL,
                env=self._env | dict(env or {}),
            )
        except OSError as fault:
            raise _cannot_start(fault) from None

    def _command(self, arguments: tuple[str | bytes, ...]) -> list[str | bytes]:
        return [self.program, "-C", self.directory, *self._settings, *arguments]


def _subcommand(arguments: Sequence[str | bytes]) -> str:
    """The word among git's arguments that says what it shall do."""
    words = iter(map(os.fsdecode, arguments))
    for word in words:
        if word in ("-c", "-C"):
            next(words, None)
        elif not word.startswith("-"):
            return word
    return "git"


def _answer(child: Child) -> Output:
    out, err = child.communicate()
    return Output(child.returncode, out, err)


def _observed(command: Sequence[str | bytes], directory: str, env: Mapping[str, str]) -> Output:
    import tempfile  # a cold start does not pay for it

    with tempfile.TemporaryFile() as heard:
        try:
            done = subprocess.run(
                command, cwd=directory, env=env, check=False,
                stdin=subprocess.DEVNULL, stdout=heard, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as fault:
            raise _cannot_start(fault) from None
        heard.seek(0)
        return Output(done.returncode, heard.read(), b"")


def _reached(
    command: Sequence[str | bytes],
    env: Mapping[str, str],
    heard: Callable[[bytes], None] | None,
    *,
    alone: bool,
) -> Output:
    """Run a command with its outputs in files: a hook of it may leave a daemon that holds them.

    alone: in a session of its own, which is ended with the caller.
    """
    with _spooled() as out, _spooled() as err:
        try:
            child = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=alone,
            )  # fmt: skip
        except OSError as fault:
            raise _cannot_start(fault) from None
        try:
            _waited_for(child, err, heard)
        except BaseException:
            if alone:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGTERM)
            child.terminate()
            child.wait()
            raise
        out.seek(0)
        err.seek(0)
        return Output(child.returncode, out.read(), err.read())


def _spooled() -> IO[bytes]:
    """A file without a name."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("git"), "w+b")
    import tempfile  # 10 ms

    return tempfile.TemporaryFile()


def _waited_for(child: Child, said: IO[bytes], heard: Callable[[bytes], None] | None) -> None:
    if heard is None:
        child.wait()
        return
    told = 0
    while True:
        with suppress(subprocess.TimeoutExpired):
            child.wait(HEARING_S)
        text = os.pread(said.fileno(), 1 << 16, told)
        told += len(text)
        if text:
            heard(text)
        elif child.returncode is not None:
            return


def pipes(child: Child) -> tuple[IO[bytes], IO[bytes]]:
    """The child's stdin and stdout, which `Git.start` always makes."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("a git child without pipes")
    return child.stdin, child.stdout


def _cannot_start(fault: OSError) -> SlipError:
    if isinstance(fault, FileNotFoundError):
        return SlipError("git-failed", "git is not on the PATH, or the directory is gone")
    return SlipError("git-failed", f"git cannot be started: {fault.strerror}")
