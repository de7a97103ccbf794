"""Globs: which paths an op, a gate or a reader is about.

A glob is a line of a .gitignore (gitwildmatch), read as an argument: ``*.txt`` at any depth,
``/a`` or ``a/b`` from the root, ``a/`` a directory, a match takes everything beneath it, a later
glob outranks an earlier one, ``!`` takes out. A list of nothing but ``!`` globs starts from all.
Unlike a line of a file, ``#`` and trailing blanks are literal, and a leading ``./`` is the root.

Importing pathspec costs a cold command 40 ms, so globs of plain text, ``*`` and ``**`` (nearly
all that people write) become regular expressions here; brackets, ``?`` and backslashes are
pathspec's. A property test holds the two, and git itself, to the same answers. Where pathspec
departs from git inside brackets the glob is refused rather than read differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby

from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple

Matcher = Callable[[bytes], bool]

_MAGIC = frozenset("*?[\\")
_NEEDS_PATHSPEC = re.compile(r"[?\[\\]")
_STARS = re.compile(r"\*{3,}")
# Inside brackets: a nested [ (and so POSIX classes), a backslash, and Python's set operators.
_ODD_BRACKET = re.compile(r"(?<!\\)\[[!^]?\]?[^\]]*?(?:\[|\\|--|&&|~~|\|\|)")


class _Glob(NamedTuple):
    """One glob: whether it takes in or out, and what it says after the ``!``."""

    include: bool
    pattern: str


class _Run(NamedTuple):
    """Neighbouring globs of one sign, as one search over the path's text."""

    include: bool
    search: Callable[[str], object]


def compile_globs(globs: Sequence[str]) -> Matcher:
    """A predicate over repository paths; every path passes an empty list.

    Raises ``usage`` for a glob that cannot be read, or that could never match.
    """
    return _compiled(tuple(globs))


def permitted(path: bytes, allow: Sequence[str], deny: Sequence[str]) -> bool:
    """Whether an op may touch the path: in ``allow`` (where there is one), and not in ``deny``."""
    return compile_globs(allow)(path) and not (deny and compile_globs(deny)(path))


def literal_prefix(globs: Sequence[str]) -> bytes:
    """The deepest directory that holds whatever the globs may match, without a final slash.

    ``b""`` is the root: for an empty list, one of nothing but ``!``, and any glob that matches at
    every depth. A walk may leave out the rest of the tree.
    """
    wanted = [glob.pattern for glob in map(_parsed, globs) if glob.include]
    if not wanted:
        return b""
    shared = _fixed_directory(wanted[0])
    for pattern in wanted[1:]:
        shared = _common(shared, _fixed_directory(pattern))
    return "/".join(shared).encode("utf-8", "surrogateescape")


def _common(left: list[str], right: list[str]) -> list[str]:
    count = 0
    while count < min(len(left), len(right)) and left[count] == right[count]:
        count += 1
    return left[:count]


def _fixed_directory(pattern: str) -> list[str]:
    """The leading components that every match has above it."""
    if "/" not in pattern[:-1]:
        return []
    components = pattern.removeprefix("/").split("/")[:-1]
    fixed = 0
    while fixed < len(components) and _MAGIC.isdisjoint(components[fixed]):
        fixed += 1
    return components[:fixed]


@lru_cache(maxsize=256)
def _compiled(globs: tuple[str, ...]) -> Matcher:
    runs = [
        _Run(include, re.compile("|".join(_regex(glob.pattern) for glob in run), re.DOTALL).search)
        for include, run in groupby(map(_parsed, globs), key=lambda glob: glob.include)
    ]
    runs.reverse()
    otherwise = all(not run.include for run in runs)

    def matches(path: bytes) -> bool:
        text = path.decode("utf-8", "surrogateescape")
        for include, search in runs:
            if search(text):
                return include
        return otherwise

    return matches


def _parsed(glob: str) -> _Glob:
    pattern = glob.removeprefix("!")
    if pattern in (".", "./"):
        return _Glob(not glob.startswith("!"), "**")
    if pattern.startswith("./"):
        pattern = pattern[1:]
    _check_text(glob, pattern)
    pattern = "/".join(_STARS.sub("**", part) for part in pattern.split("/"))
    return _Glob(not glob.startswith("!"), pattern)


def _check_text(glob: str, pattern: str) -> None:
    if not pattern.strip() or pattern == "/":
        raise _unreadable(glob, "it names nothing")
    if "\0" in pattern or not _encodable(pattern):
        raise _unreadable(glob, "no path holds such characters")
    components = pattern.removeprefix("/").removesuffix("/").split("/")
    if not {"", ".", ".."}.isdisjoint(components):
        raise _unreadable(glob, "no path holds an empty, '.' or '..' component")


def _encodable(pattern: str) -> bool:
    try:
        pattern.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(glob: str, reason: str) -> SlipError:
    shown = ascii(glob)[1:-1]
    return SlipError("usage", f"glob '{shown}': {reason}", data={"glob": shown})


def _regex(pattern: str) -> str:
    """A regular expression to be searched for; the pattern matches where it is found."""
    return _by_pathspec(pattern) if _NEEDS_PATHSPEC.search(pattern) else _by_hand(pattern)


def _by_hand(pattern: str) -> str:
    """For patterns of text, ``*`` and ``**``."""
    directory = pattern.endswith("/")
    # "**/**" says no more than "**".
    named = pattern.strip("/").split("/")
    pairs = zip(named, ["", *named], strict=False)
    components = [name for name, before in pairs if {name, before} != {"**"}]
    tail = "/" if directory else r"(?:/|\Z)"
    if components[-1] == "**":
        tail = "/[^/]+/" if directory else "/"
        components.pop()
    if not components:
        return "/" if directory else ""
    return _head(components, anchored="/" in pattern[:-1]) + tail


def _head(components: list[str], *, anchored: bool) -> str:
    joined = "/".join(
        "(?:.*/)?" if component == "**" else _component(component) for component in components
    )
    # The slash after a "**" is inside its group, so that it may stand for no directory at all.
    return (r"\A" if anchored else r"(?:\A|/)") + joined.replace("(?:.*/)?/", "(?:.*/)?")


def _component(component: str) -> str:
    """Atomic groups, since the first place where a piece fits is always good enough.

    With plain stars ``*a*a*a*a*b`` would take a time that grows with the power of its stars.
    """
    if component == "*":
        return "[^/]+"
    first, *pieces = component.split("*")
    if not pieces:
        return re.escape(first)
    last = pieces.pop()
    middle = "".join(f"(?>[^/]*?{re.escape(piece)})" for piece in pieces if piece)
    return f"{re.escape(first)}{middle}[^/]*{re.escape(last)}"


def _by_pathspec(pattern: str) -> str:
    if _ODD_BRACKET.search(pattern):
        raise _unreadable(pattern, "brackets may hold characters and ranges only, as in [a-z0-9_]")
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    if pattern.endswith("/**/"):  # directories alone; pathspec takes files, too
        pattern += "*/"
    try:
        regex, _ = GitIgnoreSpecPattern.pattern_to_regex(_as_line(pattern))
        # A negated bracket matches no separator in git; in pathspec it does.
        regex = (regex or "").replace("[^", "[^/").replace("(?P<ps_d>/)", "/")
        re.compile(regex)
    except (ValueError, re.error) as error:
        raise _unreadable(pattern, "a backslash or bracket is left open") from error
    if not regex:
        raise _unreadable(pattern, "a bracket is left open")
    return regex


def _as_line(pattern: str) -> str:
    """The pattern as a line of a .gitignore, where ``#``, ``!`` and final blanks mean more."""
    line = "\\" + pattern if pattern[0] in "#!" else pattern
    return line[:-1] + "\\ " if line[-1] == " " and line[-2:-1] != "\\" else line
