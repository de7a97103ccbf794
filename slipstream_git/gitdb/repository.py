"""One repository, found and held: its layout, configuration, objects, trees and refs.

Discovery is git's own (``rev-parse``), so that GIT_DIR, safe.directory, linked worktrees and
submodules mean what they mean to git. What slip cannot serve is refused here, before anything
is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Protocol, Self

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import permissions, reffiles, settingfiles
from slipstream_git.gitdb.layout import Layout
from slipstream_git.gitdb.objects import Objects, ObjectStore
from slipstream_git.gitdb.process import Git, Output
from slipstream_git.gitdb.refs import RefStore
from slipstream_git.gitdb.trees import Trees
from slipstream_git.hints import of
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.text.decimals import decimal

LISTED = ("config", "--list", "-z")
OLDEST_GIT = (2, 38)
WHERE = (
    "rev-parse", "--is-bare-repository", "--show-object-format", "--absolute-git-dir",
    "--git-common-dir", "--git-path", "hooks", "--show-toplevel",
)  # fmt: skip
# So that git says on stderr, in lines of JSON, which version it is: a process less than asking.
TELLING = {"GIT_TRACE2_EVENT": "1"}
_TOLD = b'{"event":'
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# PATH_MAX: no ref has a longer name.
LONGEST_HEAD = 4096
TRUE_WORDS = ("true", "yes", "on", "1")


# By path, by name.
Attributes = Mapping[bytes, Mapping[str, str]]


class Store(ObjectStore, RefStore, Protocol):
    """Objects and refs of one repository; two makers: `GitStore` and `LibgitStore`."""

    def close(self) -> None: ...


class Config:
    """git's configuration for one repository, read once. Keys as git lists them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @classmethod
    def parse(cls, listed: bytes) -> Config:
        """What ``git config --list -z`` prints."""
        records = listed.decode("utf-8", "surrogateescape").split("\0")
        pairs = (record.partition("\n") for record in records if record)
        # A key without ``=`` is true; one with nothing behind it is false.
        return cls({key: value if equals else "true" for key, equals, value in pairs})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def get(self, key: str) -> str | None:
        return self._values.get(_normal(key))

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.get(key)
        return default if value is None else value.lower() in TRUE_WORDS

    def number(self, key: str, default: int) -> int:
        """A count or a size, with git's ``k``, ``m`` or ``g`` behind it. Raises `usage`."""
        value = self.get(key)
        if value is None:
            return default
        text = value.strip().lower()
        unit = UNITS.get(text[-1:], 1)
        digits = text[:-1] if unit > 1 else text
        count = decimal(digits)
        if count is None:
            raise SlipError(
                "usage",
                f"git config {key} is {value!r}, which is no number",
                hint=of("git", "config", "--show-origin", "--get-all", key),
            )
        return count * unit

    def below(self, section: str) -> Mapping[str, str]:
        """Every setting whose key begins with ``section.``."""
        name, dot, rest = section.partition(".")
        start = f"{name.lower()}{dot}{rest}."  # a subsection keeps its case
        return {key: value for key, value in self._values.items() if key.startswith(start)}

    @property
    def has_includes(self) -> bool:
        """Whether it names further files, which may be there or count at other times."""
        return any(key.startswith(("include.", "includeif.")) for key in self._values)

    def hooks(self) -> list[str]:
        """Names of the hooks that configuration holds, which git runs from 2.54 on."""
        keys = (key.rpartition(".") for key in self.below("hook"))
        return sorted({name for name, _, last in keys if last == "event"})


def _normal(key: str) -> str:
    """A key as git lists it: section and name in lower case, what is between them as it is."""
    section, _, rest = key.partition(".")
    subsection, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{subsection}{dot}{name.lower()}"


class BeyondTrees(NamedTuple):
    """What decides outside of trees whether texts are merged in git's ordinary way.

    is_plain: whether configuration leaves them to it. files: attributes files that may not.
    """

    is_plain: bool
    files: tuple[str, ...]


class Found(NamedTuple):
    """What there is to know of a repository before it is opened.

    files: that the configuration came from; None where it may come from others, too.
    """

    layout: Layout
    git: Git
    config: Config
    files: settingfiles.Watched | None


class Repository:
    """An opened repository. Close it, or use it as a context manager.

    find: how it was found; once more where it stays open and its configuration may have changed.
    stays_open: in a process that answers more than once.
    """

    def __init__(
        self,
        find: Callable[[], Found],
        maker: Callable[[Layout, Git], Store],
        *,
        stays_open: bool,
    ) -> None:
        self._find = find
        self._maker = maker
        self.stays_open = stays_open
        # What those who read it keep for as long as it is open, by their name.
        self.kept: dict[str, object] = {}
        self._take(find())

    def _take(self, found: Found) -> None:
        self.store = self._maker(found.layout, found.git)
        self.layout, self.git, self.config = found.layout, found.git, found.config
        self._files = found.files
        self.objects = Objects(self.store, self.layout.objects_dir, self.layout.sharing)
        self.trees = Trees(self.objects)
        # See `mergedrivers`.
        self.beyond_trees: BeyondTrees | None = None
        # See `attributes.remembering`.
        self.attributes: dict[tuple[str, frozenset[bytes]], Attributes] | None = None

    def look_again(self) -> None:
        """See the configuration as it is now, however long this has been open.

        Before an operation: what was written and not published is forgotten where it has changed.
        """
        if not self.stays_open or (self._files is not None and self._files.unchanged()):
            return
        found = self._find()
        if found.config == self.config and found.layout == self.layout:
            self._files = found.files
            return
        former = self.store
        self._take(found)
        former.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.store.close()

    def config_in(self, root: str, git_dir: str) -> Config:
        """The configuration in one of the worktrees: each may have its own."""
        if root == self.layout.root:
            return self.config
        return Config.parse(self.git.at(root, git_dir).run(*LISTED).out)

    def seen_from(self, root: str, git_dir: str, git: Git | None = None) -> Repository:
        """The same repository, with the same overlay, as it is seen from another worktree."""
        from copy import copy

        other = copy(self)
        other.layout = self.layout._replace(root=root, git_dir=git_dir, bare=False)
        other.git = git or self.git.at(root, git_dir)
        other.config = self.config_in(root, git_dir)
        return other

    def trusting(self, directory: str, *settings: str) -> Git:
        """A git that runs this repository's hooks: see `Git.trusting`."""
        configured = self.config.get("core.hookspath")
        if configured and not configured.startswith(("/", "~")):
            # Relative to the caller's worktree, where a hook manager has put them.
            settings = (*settings, f"core.hooksPath={self.layout.hooks_dir}")
        return self.git.trusting(directory, *settings)

    def head(self) -> tuple[str | None, str | None]:
        """This worktree's HEAD as (full branch ref or None when detached, commit or None)."""
        with open(os.path.join(self.layout.git_dir, "HEAD"), "rb") as stream:
            text = os.fsdecode(stream.read(LONGEST_HEAD + 1)).strip()
        if "\n" in text or len(text) > LONGEST_HEAD:
            raise SlipError("git-failed", f"{stream.name} holds more than the name of a branch")
        if text.startswith("ref: "):
            branch = text.removeprefix("ref: ").strip()
            return branch, self.store.ref(branch)
        return None, text

    def pointed_at(self, ref: str) -> str:
        """The ref that a symbolic one stands for; any other is itself."""
        if not reffiles.is_symbolic(self.layout.common_dir, ref):
            return ref
        done = self.git.run("symbolic-ref", "-q", ref, accept=(0, 1, 128))
        return os.fsdecode(done.out).strip() if done.status == 0 else ref

    def resolve(self, revision: str) -> str:
        """The commit that a revision names. Raises `missing`."""
        if revision.startswith(("-", "^")):
            raise SlipError(
                "missing", f"{revision!r} names no commit: it begins with {revision[0]!r}"
            )
        name = f"{revision}^{{commit}}"
        done = self.git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name, accept=(0, 1, 128)
        )
        if done.status:
            raise SlipError("missing", f"{revision!r} names no commit", hint="git log --oneline")
        # 2.39 prints the --end-of-options that it was given, too.
        return done.out.decode().split()[-1]


def open_repository(directory: str, env: Mapping[str, str], *, in_process: bool) -> Repository:
    """Find the repository that ``directory`` is in and open it.

    in_process: use libgit2 (for processes that live on) rather than a git child.
    Raises `git-failed` where there is none or git refuses it, `unsupported` for repositories
    that slip cannot serve yet.
    """

    def find() -> Found:
        return _found(directory, env, watched=in_process)

    return Repository(find, _with_libgit2 if in_process else _with_git, stays_open=in_process)


def open_window(directory: str, env: Mapping[str, str]) -> Repository:
    """Open a repository whose objects nobody vouches for, in a process that lives on.

    A git child reads them, so that nothing in them can bring that process down, and each is held
    against its id. Errors: as `open_repository`.
    """

    def find() -> Found:
        return _found(directory, env, watched=True)

    return Repository(find, _with_checking_git, stays_open=True)


def _with_libgit2(layout: Layout, git: Git) -> Store:
    from slipstream_git.gitdb.libgit2 import LibgitStore  # costs 80 ms

    return LibgitStore(layout, git)


def _with_git(layout: Layout, git: Git) -> Store:
    from slipstream_git.gitdb.gitstore import GitStore

    return GitStore(layout.common_dir, git)


def _with_checking_git(layout: Layout, git: Git) -> Store:
    from slipstream_git.gitdb.gitstore import CheckingStore

    return CheckingStore(layout.common_dir, git)


def _found(directory: str, env: Mapping[str, str], *, watched: bool) -> Found:
    """Ask git. watched: somebody will want to know whether the configuration is still this."""
    finder = Git(directory, env, discovering=True)
    # Each is 2 ms of a git process, and they wait for one another's disk.
    others = settingfiles.SYSTEM if watched else LISTED
    found, other = finder.together((WHERE, others), env=TELLING)
    layout = _layout(_spoken(found), directory)
    _check_version(found, finder)
    files: settingfiles.Watched | None = None
    if watched:
        files = settingfiles.watched(env, layout, _spoken(other))
        other = finder.run(*LISTED)
    config = Config.parse(other.out)
    if config.has_includes:
        files = None
    _check_supported(config)
    layout = layout._replace(sharing=permissions.parse(config.get("core.sharedrepository")))
    git = Git(layout.root or layout.git_dir, env)
    if "GIT_DIR" in env or "GIT_WORK_TREE" in env or config.get("core.worktree"):
        git = git.located(layout.git_dir, layout.root)
    # core.hooksPath says nothing about these.
    git = git.setting(*(f"{name}.enabled=false" for name in config.hooks()))
    return Found(layout, git, config, files)


def git_dir_at(directory: str, env: Mapping[str, str]) -> str | None:
    """The git directory of whoever stands in a directory; None where there is none."""
    asked = ("rev-parse", "--absolute-git-dir")
    done = Git(directory, env, discovering=True).run(*asked, accept=range(256))
    return os.fsdecode(done.out).removesuffix("\n") if done.status == 0 else None


def _layout(done: Output, directory: str) -> Layout:
    lines = os.fsdecode(done.out).split("\n")
    if len(lines) < 6:
        raise _not_found(done.said, directory)
    if len(lines) > 7:
        raise SlipError(
            "unsupported",
            f"a path of the repository of {paths.display(os.fsencode(directory))} has a line break",
        )
    bare, object_format, git_dir, common, hooks, *rest = lines
    if object_format != "sha1":
        raise SlipError("unsupported", f"{git_dir} holds {object_format} objects; slip needs sha1")
    root = rest[0] if done.status == 0 else None
    if root is None and bare != "true" and os.path.basename(git_dir) == ".git":
        root = os.path.dirname(git_dir)  # asked from inside .git itself
    common_dir = os.path.realpath(os.path.join(directory, common))
    hooks_dir = os.path.abspath(os.path.join(directory, hooks))
    return Layout(git_dir, common_dir, root, bare == "true", hooks_dir)


def _not_found(said: str, directory: str) -> SlipError:
    place = paths.display(os.fsencode(directory))
    if "dubious ownership" in said or "safe.directory" in said:
        return SlipError(
            "git-failed",
            f"{place} belongs to another user, so git refuses it (safe.directory)",
            hint=of(
                "git", "config", "--global", "--add", "safe.directory", os.path.abspath(directory)
            ),
        )
    if "not a git repository" in said:
        return SlipError("git-failed", f"{place} is not in a git repository; name one with -C DIR")
    return SlipError("git-failed", f"git cannot open {place}: {said}")


def _spoken(output: Output) -> Output:
    """What a git said beside the events that it was asked to tell."""
    lines = output.err.splitlines(keepends=True)
    return output._replace(err=b"".join(line for line in lines if not line.startswith(_TOLD)))


def _check_version(telling: Output, git: Git) -> None:
    """Raises `unsupported` for a git that is too old, by the events that it told."""
    told = (line for line in telling.err.splitlines() if line.startswith(_TOLD))
    events = (json.loads(line) for line in told if b'"version"' in line)
    version = next((e.get("exe") for e in events if e.get("event") == "version"), None)
    if version is None:
        version = git.run("--version").out.decode("utf-8", "replace").strip()
    else:
        version = f"git version {version}"
    check_version(version)


def check_version(text: str) -> None:
    """Raises `unsupported` where what ``git --version`` says is too old."""
    words = text.split()
    numbers = tuple(decimal(number) or 0 for number in words[2].split(".")[:2]) if words[2:] else ()
    if numbers < OLDEST_GIT:
        raise SlipError("unsupported", f"{text.strip() or 'this git'} is too old; slip needs 2.38")


def _check_supported(config: Config) -> None:
    storage = config.get("extensions.refstorage") or "files"
    if storage != "files":
        raise SlipError("unsupported", f"refs are stored as {storage}; slip needs files")
