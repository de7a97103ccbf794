"""One repository, found and held: its layout, configuration, objects, trees and refs.

Discovery is git's own (``rev-parse``), so that GIT_DIR, safe.directory, linked worktrees and
submodules mean what they mean to git. What slip cannot serve is refused here, before anything
is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, Self

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import permissions, reffiles
from slipstream_git.gitdb.objects import Objects, ObjectStore
from slipstream_git.gitdb.process import Git, Output
from slipstream_git.gitdb.refs import RefStore
from slipstream_git.gitdb.trees import Trees
from slipstream_git.records import NamedTuple

if TYPE_CHECKING:
    from slipstream_git.gitdb.mergedrivers import Beyond

LISTED = ("config", "--list", "-z")
OLDEST_GIT = (2, 38)
QUESTIONS = (
    ("--version",),
    (
        "rev-parse", "--is-bare-repository", "--show-object-format", "--absolute-git-dir",
        "--git-common-dir", "--git-path", "hooks", "--show-toplevel",
    ),
    LISTED,
)  # fmt: skip
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LONGEST_NUMBER = 18
# PATH_MAX: no ref has a longer name.
LONGEST_HEAD = 4096
TRUE_WORDS = ("true", "yes", "on", "1")


# By path, by name.
Attributes = Mapping[bytes, Mapping[str, str]]


class Store(ObjectStore, RefStore, Protocol):
    """Objects and refs of one repository; two makers: `GitStore` and `LibgitStore`."""

    def close(self) -> None: ...


class Layout(NamedTuple):
    """Where a repository's parts are. Absolute paths; ``root`` is None without a worktree.

    sharing: who else may write there, see `permissions.parse`.
    """

    git_dir: str
    common_dir: str
    root: str | None
    bare: bool
    hooks_dir: str
    sharing: int = 0

    @property
    def slip_dir(self) -> str:
        """What slip keeps beside the objects: caches, intents, the lock."""
        return os.path.join(self.common_dir, "slip")

    @property
    def objects_dir(self) -> str:
        return os.path.join(self.common_dir, "objects")


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
        if not (digits.isascii() and digits.isdigit() and len(digits) < LONGEST_NUMBER):
            raise SlipError(
                "usage",
                f"git config {key} is {value!r}, which is no number",
                hint=f"git config --show-origin --get-all {key}",
            )
        return int(digits) * unit

    def below(self, section: str) -> Mapping[str, str]:
        """Every setting whose key begins with ``section.``."""
        name, dot, rest = section.partition(".")
        start = f"{name.lower()}{dot}{rest}."  # a subsection keeps its case
        return {key: value for key, value in self._values.items() if key.startswith(start)}

    def hooks(self) -> list[str]:
        """Names of the hooks that configuration holds, which git runs from 2.54 on."""
        keys = (key.rpartition(".") for key in self.below("hook"))
        return sorted({name for name, _, last in keys if last == "event"})


def _normal(key: str) -> str:
    """A key as git lists it: section and name in lower case, what is between them as it is."""
    section, _, rest = key.partition(".")
    subsection, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{subsection}{dot}{name.lower()}"


class Repository:
    """An opened repository. Close it, or use it as a context manager."""

    def __init__(self, layout: Layout, git: Git, config: Config, store: Store) -> None:
        self.layout = layout
        self.git = git
        self.config = config
        self.store = store
        self.objects = Objects(store, layout.objects_dir, layout.sharing)
        self.trees = Trees(self.objects)
        # See `mergedrivers`.
        self.beyond_trees: Beyond | None = None
        # See `attributes.remembering`.
        self.attributes: dict[tuple[str, frozenset[bytes]], Attributes] | None = None

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
    finder = Git(directory, env, discovering=True)
    # Each is 2 ms of a git process, and they wait for one another's disk.
    version, found, listed = finder.together(QUESTIONS)
    layout = _layout(found, directory)
    _check_version(version.out.decode("utf-8", "replace"))
    config = Config.parse(listed.out)
    _check_supported(config)
    layout = layout._replace(sharing=permissions.parse(config.get("core.sharedrepository")))
    git = Git(layout.root or layout.git_dir, env)
    if "GIT_DIR" in env or "GIT_WORK_TREE" in env or config.get("core.worktree"):
        git = git.located(layout.git_dir, layout.root)
    # core.hooksPath says nothing about these.
    git = git.setting(*(f"{name}.enabled=false" for name in config.hooks()))
    store: Store
    if in_process:
        from slipstream_git.gitdb.libgit2 import LibgitStore  # costs 80 ms

        store = LibgitStore(layout, git)
    else:
        from slipstream_git.gitdb.gitstore import GitStore

        store = GitStore(layout.common_dir, git)
    return Repository(layout, git, config, store)


def _layout(done: Output, directory: str) -> Layout:
    lines = os.fsdecode(done.out).split("\n")
    if len(lines) < 6:
        raise _not_found(done.said, directory)
    if len(lines) > 7:
        raise SlipError("unsupported", f"a path of the repository of {directory} has a line break")
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
    if "dubious ownership" in said or "safe.directory" in said:
        return SlipError(
            "git-failed",
            f"{directory} belongs to another user, so git refuses it (safe.directory)",
            hint=f"git config --global --add safe.directory {os.path.abspath(directory)}",
        )
    if "not a git repository" in said:
        return SlipError(
            "git-failed", f"{directory} is not in a git repository; name one with -C DIR"
        )
    return SlipError("git-failed", f"git cannot open {directory}: {said}")


def _check_version(text: str) -> None:
    words = text.split()
    numbers = tuple(int(n) for n in words[2].split(".")[:2] if n.isdigit()) if words[2:] else ()
    if numbers < OLDEST_GIT:
        raise SlipError("unsupported", f"{text.strip() or 'this git'} is too old; slip needs 2.38")


def _check_supported(config: Config) -> None:
    storage = config.get("extensions.refstorage") or "files"
    if storage != "files":
        raise SlipError("unsupported", f"refs are stored as {storage}; slip needs files")
