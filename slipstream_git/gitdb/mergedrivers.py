"""Whether git would merge texts in its ordinary way, found without starting git.

Attributes and configuration may name another driver for a path. Here is only asked whether any
may: a line of an attributes file counts when it says something of merging and its pattern is not
certain to pass over the path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from slipstream_git.gitdb import attributes
from slipstream_git.gitdb.repository import BeyondTrees, Config, Repository

TELLING = frozenset({b"merge", b"binary"})
GLOB = frozenset(b"*?[\\")
BLANK = b" \t\r"
BLANKS = re.compile(rb"[ \t\r]+")
BOM = b"\xef\xbb\xbf"
# Where a git before 2.42, which cannot be asked, has the attributes of the system.
LIKELY = ("/etc/gitattributes", "/usr/etc/gitattributes", "/usr/local/etc/gitattributes")


def beyond(repository: Repository) -> BeyondTrees:
    """What configuration and the attributes outside of trees say; looked up once a process.

    The files are read anew each time, since anybody may edit them meanwhile.
    """
    if repository.beyond_trees is None:
        own = os.path.join(repository.layout.common_dir, "info", "attributes")
        files = (own, *_asked(repository), _of_user(repository))
        repository.beyond_trees = BeyondTrees(_is_plain(repository.config), files)
    return repository.beyond_trees


def are_plain(repository: Repository, tree: str, paths: Collection[bytes]) -> bool:
    """Whether git is certain to merge ``paths`` as texts, by the attributes of ``tree``."""
    outside = beyond(repository)
    if not outside.is_plain:
        return False
    if any(_may_tell(_read(name), paths) for name in outside.files):
        return False
    inside = attributes.files_above(repository, tree, paths)
    return not any(_may_tell(repository.objects.blob(entry.oid), paths) for _, entry in inside)


def _is_plain(config: Config) -> bool:
    return (
        config.get("merge.default") is None
        and not config.flag("merge.renormalize")
        and config.get("attr.tree") is None
        and (config.get("diff.algorithm") or "histogram").lower() == "histogram"
        and not _is_odd(config.get("core.attributesFile") or "")
    )


def _is_odd(path: str) -> bool:
    """Whether git expands a path of its configuration in a way that is not known here."""
    return path.startswith("%") or (path.startswith("~") and not path.startswith("~/"))


def _asked(repository: Repository) -> Collection[str]:
    done = repository.git.run("var", "GIT_ATTR_SYSTEM", accept=range(256))
    return LIKELY if done.status else (os.fsdecode(done.out).strip(),)


def _of_user(repository: Repository) -> str:
    """The user's own attributes file, where git would read it."""
    env = repository.git.caller
    home = env.get("HOME", "/")
    named = repository.config.get("core.attributesFile")
    if named is None:
        config = env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        return os.path.join(config, "git", "attributes")
    if named.startswith("~/"):
        return os.path.join(home, named[2:])
    return os.path.join(repository.git.directory, named)


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError:
        return b"* merge"  # git may be able to read it, or may not


def _may_tell(text: bytes, paths: Collection[bytes]) -> bool:
    """Whether an attributes file may say how to merge one of ``paths``."""
    if not any(word in text for word in (*TELLING, b"[attr]")):
        return False
    lines = (line.strip(BLANK) for line in text.removeprefix(BOM).split(b"\n"))
    return any(_line_may_tell(BLANKS.split(line), paths) for line in lines if line)


def _line_may_tell(words: list[bytes], paths: Collection[bytes]) -> bool:
    pattern, *values = words
    if pattern.startswith(b"#"):
        return False
    if pattern.startswith((b'"', b"[attr]")):
        return True
    if not any(value.lstrip(b"-!").partition(b"=")[0] in TELLING for value in values):
        return False
    # Without regard to case and to where the pattern stands: it may only be missed too seldom.
    end = pattern.lower().removeprefix(b"*").strip(b"/")
    return bool(GLOB.intersection(end)) or any(path.lower().endswith(end) for path in paths)
