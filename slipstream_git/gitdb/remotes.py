"""Other repositories, reached by git: whatever it can fetch from and push to.

git finds the transport, the credentials and the proxy. What it says when that fails is told in one
line; whether a push happened is never read from words, but from what the other side holds after.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks, sweeping
from slipstream_git.gitdb.process import Git, Output, without_credentials
from slipstream_git.gitdb.refs import PATIENTLY, locked
from slipstream_git.gitdb.repository import Repository
from slipstream_git.hints import of
from slipstream_git.records import NamedTuple
from slipstream_git.text.objectid import digest

# What was fetched, out of sight of `git branch -r` and of the user's own refspecs.
FETCHED = "refs/slip/remotes/"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:[.][A-Za-z0-9_-]+)*")
_FETCH = (
    "fetch", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-recurse-submodules",
    "--no-show-forced-updates", "--no-auto-maintenance",
)  # fmt: skip
# A connection over which nothing comes for so long is dead; git alone would wait for ever.
_STALLED_S = 120
# What passes: a server that is being started, a network that was cut, a proxy in between.
_PASSING = re.compile(
    r"(?i)failed to connect|could(?:n't| not) connect|connection (?:refused|reset|timed out|closed)"
    r"|empty reply|recv failure|send failure|early eof|hung up unexpectedly|unexpected disconnect"
    r"|returned error: 5\d\d|rpc failed|timed out|broken pipe|transfer closed|bad line length"
    r"|expected (?:flush|ref|old/new)|invalid server response|temporary failure"
)
_DENIED = re.compile(
    r"(?i)could not read (?:username|password)|authentication failed|permission denied"
    r"|prompts disabled|host key verification|returned error: 40[13]"
)
_LOCK = re.compile(r"nable to create '([^']+[.]lock)': File exists")
_PROGRESS = re.compile(rb"\((\d+)/(\d+)\)")
_PUSH_FAULT = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)

# Below whatever went wrong with ssh.
_ALWAYS = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights", "and the repository exists.",
)  # fmt: skip
_LONGEST_SAID = 500

Telling = Callable[..., None]


class Unreached(SlipError):
    """The other side could not be asked. passing: it may be, a little later. denied: it said no."""

    def __init__(self, message: str, *, hint: str, passing: bool, denied: bool) -> None:
        super().__init__("git-failed", message, hint=hint)
        self.passing = passing and not denied
        self.denied = denied


class Refusal(NamedTuple):
    """A push that git did not call done. final: the other side's own program said no."""

    said: str
    remarks: str
    final: bool


class Remote(NamedTuple):
    """Another repository.

    name: as the user called it, a remote of the configuration or a URL. key: below `FETCHED`.
    asking: somebody sits there who can be asked for a password. telling: is told how far a
    transfer has come; None where nobody watches.
    """

    repository: Repository
    name: str
    key: str
    asking: bool
    telling: Telling | None

    @property
    def shown(self) -> str:
        return without_credentials(self.name)

    def place(self, kind: str, ref: str) -> str:
        """Where one of its refs is kept here; flat, so that no name is in another's way."""
        return f"{FETCHED}{self.key}/{_flat(kind, ref)}"

    def fetched(self, refspecs: Sequence[str], *, tracking: bool = True) -> Output:
        """Fetch these; any exit status.

        tracking: the user's own tracking refs follow, as they do for `git fetch REMOTE BRANCH`.
        """
        quiet = ("--progress",) if self.telling else ("--quiet",)
        silent = () if tracking else ("--refmap=",)
        return self._reach(
            *_FETCH, *quiet, *silent, "--end-of-options", self.name, *refspecs, watched=True
        )

    def fetched_into(self, git: Git, refs: Sequence[str]) -> Output:
        """Fetch these for a git that keeps them elsewhere; no ref follows. Any exit status.

        Each object is checked on its way in, as `git fsck --strict` does.
        """
        return self._reach(
            *_FETCH, "--quiet", "--refmap=", "--end-of-options", self.name, *refs,
            watched=True, by=git.setting("fetch.fsckObjects=true", "fetch.unpackLimit=1"),
        )  # fmt: skip

    def followed(self) -> str | None:
        """Fetch as the user has it configured, and as `git fetch` alone would. `Unreached`.

        But for slip's own refs: a refspec such as `+refs/notes/*:refs/notes/*` would have what is
        only here overwritten. Gives what to say of refs of the user's that are locked, and stay as
        they are.
        """
        git = self.repository.git
        if self.repository.config.get(f"remote.{self.name}.url") is not None:
            key = f"remote.{self.name}.fetch"
            git = git.setting(f"{key}=^refs/notes/slip/*", f"{key}=^refs/slip/*")
        done = self._reach("fetch", "--quiet", "--end-of-options", self.name, watched=True, by=git)
        fault = self.unreached("fetch", done) if done.status else None
        if fault is not None and fault.code != "locked":
            raise fault
        return None if fault is None else f"{fault.message} (try: {fault.hint})"

    def head(self, ref: str, *, tracking: bool = True) -> str | None:
        """Fetch one ref; the commit that it holds there, None where it is not there.

        A tracking ref of the user's that is locked stays as it is. Raises `Unreached`.
        """
        place = self.place("head", ref)
        done = self.fetched([f"+{ref}:{place}"], tracking=tracking)
        if done.status and self._locks_here(done):
            tracking = False
            done = self.fetched([f"+{ref}:{place}"], tracking=False)
        if done.status and ref not in self.listed(ref):
            return None
        if done.status:  # it may have come up between the two questions
            done = self.fetched([f"+{ref}:{place}"], tracking=tracking)
        if done.status:
            raise self.unreached("fetch", done)
        return self.repository.store.ref(place)

    def listed(self, *patterns: str) -> Mapping[str, str]:
        """The refs that match any of these patterns, as the other side has them. `Unreached`."""
        done = self._reach("ls-remote", "--refs", "--end-of-options", self.name, *patterns)
        if done.status:
            raise self.unreached("ls-remote", done)
        lines = done.out.decode("utf-8", "surrogateescape").splitlines()
        return {line[41:]: line[:40] for line in lines}

    def push(
        self, refspecs: Mapping[str, tuple[str | None, str | None]], *, no_verify: bool = False
    ) -> Refusal | None:
        """Move refs there, each from what it holds to something else, all of them or none.

        refspecs: by full name the id that it must hold there and the id it shall hold, None where
        it is not to be there. The user's `pre-push` hook is asked. Gives what git said where git
        does not call it done, which it may be all the same.
        """
        if not refspecs:
            return None
        leases = [f"--force-with-lease={ref}:{old or ''}" for ref, (old, _) in refspecs.items()]
        # One ref moves at once or not at all, and some servers know no more than that.
        together = ("--atomic",) if len(refspecs) > 1 else ()
        unasked = ("--no-verify",) if no_verify else ()
        progress = ("--progress",) if self.telling else ()
        specs = [f"{new or ''}:{ref}" for ref, (_, new) in refspecs.items()]
        done = self._reach(
            "push", "--porcelain", "--no-follow-tags", *progress, *together, *unasked, *leases,
            "--end-of-options", self.name, *specs,
            trusting=True, watched=True,
        )  # fmt: skip
        return None if done.status == 0 else _refusal(done)

    def unreached(self, what: str, done: Output) -> SlipError:
        """The refusal where git could not do what it was asked, in one line.

        `Unreached`, or `locked` where a lock of this repository was in its way.
        """
        said = _gist(done)
        own = self._locks_here(done)
        if own:
            return locked(", ".join(name.removesuffix(".lock") for name in own), said)
        text = done.said
        if _DENIED.search(text):
            hint = of("git", "ls-remote", self.shown)
        elif "not appear to be a git repository" in text or "not found" in text:
            hint = of("git", "remote", "-v")
        else:
            hint = of("git", what, self.shown)
        return Unreached(
            f"{self.shown} cannot be reached: {said}",
            hint=hint,
            passing=_PASSING.search(text) is not None,
            denied=_DENIED.search(text) is not None,
        )

    def _reach(
        self, *arguments: str, trusting: bool = False, watched: bool = False, by: Git | None = None
    ) -> Output:
        layout, git = self.repository.layout, by or self.repository.git
        if trusting:
            git = self.repository.trusting(layout.root or layout.git_dir)
            git = git.at(layout.root, layout.git_dir) if layout.root else git.inside(layout.git_dir)
        config = self.repository.config
        if config.get("http.lowspeedtime") is None:
            git = git.setting("http.lowSpeedLimit=1", f"http.lowSpeedTime={_STALLED_S}")
        heard = _progress(self.telling) if watched and self.telling else None
        if not trusting:
            git = git.setting(*PATIENTLY[1:])
        done = git.reach(*arguments, asking=self.asking, heard=heard)
        if done.status and self._cleared(done):
            done = git.reach(*arguments, asking=self.asking, heard=heard)
        return done

    def _cleared(self, done: Output) -> bool:
        """Whether locks were in git's way that a killed fetch had left on slip's own refs.

        Looked for under the landing lock: a landing holds its locks as long as it places files.
        """
        if not any(name.startswith("refs/slip/") for name in self._locks_here(done)):
            return False
        layout = self.repository.layout
        with locks.held(layout):
            return sweeping.clear_stale_locks(layout.common_dir)

    def _locks_here(self, done: Output) -> list[str]:
        """The locks of this repository that git could not take, by their place in it."""
        home = os.path.realpath(self.repository.layout.common_dir)
        text = done.err.decode("utf-8", "surrogateescape")
        lines = [line for line in text.splitlines() if not line.startswith("remote:")]
        paths = [os.path.realpath(path) for path in _LOCK.findall("\n".join(lines))]
        return [os.path.relpath(path, home) for path in paths if path.startswith(f"{home}/")]


def named(
    repository: Repository, name: str, *, asking: bool = False, telling: Telling | None = None
) -> Remote:
    """The remote that somebody means. Raises `bad-name`; whether it is there, a fetch tells."""
    configured = repository.config.get(f"remote.{name}.url")
    texts = (name, configured or "")
    if not name or name.startswith("-") or not all(map(str.isprintable, texts)):
        raise SlipError(
            "bad-name", f"{without_credentials(name)!r} is no remote", hint="git remote -v"
        )
    is_plain = configured is not None and _PLAIN.fullmatch(name) and not name.endswith(".lock")
    key = name if is_plain else f"url-{digest(name.encode('utf-8', 'surrogateescape')).hex()[:12]}"
    return Remote(repository, name, key, asking, telling)


def kept_heads(ref: str) -> tuple[str, str]:
    """The options of `git rev-list` for the heads of other branches than ``ref`` elsewhere."""
    return f"--exclude={FETCHED}*/{_flat('head', ref)}", f"--glob={FETCHED}*/head-*"


def _flat(kind: str, ref: str) -> str:
    return f"{kind}-{digest(ref.encode()).hex()[:16]}"


def _refusal(done: Output) -> Refusal:
    out = done.out.decode("utf-8", "replace")
    said = "; ".join(dict.fromkeys(_PUSH_FAULT.findall(out))) or _gist(done)
    lines = done.err.decode("utf-8", "replace").splitlines()
    remarks = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    told = "; ".join(line for line in remarks if line)
    return Refusal(_blotted(said), _blotted(told), "hook declined" in out)


def _blotted(text: str) -> str:
    """What another repository's programs or git said, without anybody's credentials."""
    from slipstream_git.text import secrets  # only on the way to an error

    data = without_credentials(text).encode("utf-8", "surrogateescape")
    return secrets.redacted(data).decode("utf-8", "surrogateescape")


def _gist(done: Output) -> str:
    """What git said, without what it always says."""
    lines = [line.strip() for line in done.said.split("; ")]
    told = [line for line in lines if line and not line.startswith(("hint:", "warning:"))]
    chosen = [line for line in told if line not in _ALWAYS] or told
    said = _blotted("; ".join(dict.fromkeys(chosen)))
    return said[:_LONGEST_SAID] or f"exit status {done.status}"


def _progress(telling: Telling) -> Callable[[bytes], None]:
    def heard(text: bytes) -> None:
        found = _PROGRESS.findall(text)
        if found:
            telling(int(found[-1][0]), int(found[-1][1]), "objects")

    return heard
