r"""The one door for paths: what may be a path, how it is shown, what collides with it.

A repository path is ``bytes`` inside, ``/``-separated, relative to the root. There are two gates:

``check``           for a path that an op creates: safe, and fit for a checkout on any system.
``check_existing``  for a path that is in the tree already: safe only, since real repositories hold
                    ``aux.c``, trailing blanks and colons, and those must stay editable.

Safe means: nothing that leaves the work tree or reaches ``.git`` by any spelling that git refuses
with ``core.protectNTFS`` and ``core.protectHFS`` on, whatever the configuration says: the one
who checks out may have another system. The lists are those of git's read-cache.c, path.c and
utf8.c. Nothing is normalised: a path that is not in normal form is refused, never repaired.

Not here: what the tree holds (a file in the way, a symlink on the way, a submodule).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from slipstream_git.errors import SlipError

MAX_COMPONENT_BYTES: Final = 255  # NAME_MAX of Linux, macOS and NTFS
MAX_PATH_BYTES: Final = 4096
MAX_TARGET_BYTES: Final = 4095  # symlink(2): PATH_MAX counts the closing NUL
_SHOWN_CHARS: Final = 200

_C0_C1 = "\x00-\x1f\x7f-\x9f"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_C0_C1}\u2028\u2029{_BIDI}]")
# As text for a terminal: line ends and tabs are wanted, lone surrogates would break the encoder.
_UNSHOWABLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_BIDI}\ud800-\udfff]")
_C_LETTERS = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}

# Code points that HFS+ drops from names (git, utf8.c: next_hfs_char), and the blanks of no width
# that a reader cannot see either.
_IGNORED = dict.fromkeys(
    (0xAD, 0x200B, 0x2060, 0xFEFF, *range(0x200C, 0x2010), *range(0x202A, 0x202F),
     *range(0x206A, 0x2070))
)  # fmt: skip
# Where git's HFS reader gives up and takes the name as ended: bytes that are not UTF-8.
_MALFORMED = re.compile("[\udc80-\udcff\ufffe\uffff].*", re.DOTALL)
# What NTFS takes for the same name: trailing dots and blanks, a stream after a colon.
_NTFS_TAIL = r"[ .]*(?::.*)?"
_DOT_GIT = re.compile(rf"(?:\.git|git~1){_NTFS_TAIL}", re.DOTALL)
_DOT_GITMODULES = re.compile(
    rf"(?:\.gitmodules|gitmod~[1-4]|gi7eba~[1-9]|gi7eb~[1-9][0-9]|gi7e~[1-9][0-9]{{2}}"
    rf"|gi7~[1-9][0-9]{{3}}|gi~[1-9][0-9]{{4}}|g~[1-9][0-9]{{5}}|~[1-9][0-9]{{6}}){_NTFS_TAIL}",
    re.DOTALL,
)
_SEPARATORS = re.compile(rb"[/\\]")
_DRIVE = re.compile(rb"[A-Za-z]:")
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$)"
    r" *(?:[.:].*)?",
    re.DOTALL | re.IGNORECASE,
)
# UTF-8 that encodes a code point with too many bytes, or half of a UTF-16 pair. Other bytes that
# are not UTF-8 are somebody's Latin-1 and stay.
_FALSE_UTF8 = re.compile(
    rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]"
    rb"|\xed[\xa0-\xbf][\x80-\xbf]"
)
LONGEST_SESSION_NAME = 64
_SESSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PSEUDO_REF = re.compile(r"(?:[A-Z]+_)?HEAD")


def check(path: bytes) -> bytes:
    """The path as given, fit to be created; else ``bad-path`` with the reason.

    Refuses what ``check_existing`` refuses, and what some system cannot check out or a person
    cannot read: control and bidi characters, backslash, colon, a trailing dot or blank, device
    names (``con``, ``aux.c``), false UTF-8, components over 255 and paths over 4096 bytes.
    """
    check_existing(path)
    reason = _unportable(path)
    if reason:
        raise _refused(path, reason)
    return path


def check_existing(path: bytes) -> bytes:
    """The path as given, safe to touch where it is in the tree already; else ``bad-path``."""
    reason = _unsafe(path)
    if reason:
        raise _refused(path, reason)
    return path


def check_symlink_target(path: bytes, target: bytes) -> bytes:
    """The target as given, for a link to be created at ``path``; else ``bad-path``.

    Judged by its text alone, from the link's directory: it must stay inside the repository and
    out of ``.git``. A link to a link is not followed, a link to itself or to nothing is fine.
    """
    name = path.rpartition(b"/")[2]
    if _DOT_GITMODULES.fullmatch(_folded_name(name)):
        raise _refused(path, "git refuses a symlink of this name")
    reason = _bad_target(path, target)
    if reason:
        shown = _clipped(display(target))
        raise SlipError("bad-path", f"symlink {_clipped(display(path))} to {shown}: {reason}")
    return target


def _refused(path: bytes, reason: str) -> SlipError:
    return SlipError("bad-path", f"path {_clipped(display(path))}: {reason}")


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _unsafe(path: bytes) -> str | None:
    if not path:
        return "it is empty"
    if b"\0" in path:
        return "it holds a NUL"
    if path.startswith(b"/"):
        return "it is absolute; give it relative to the repository's root"
    for component in path.split(b"/"):
        if component in (b"", b".", b".."):
            return "it is not in normal form (an empty, '.' or '..' component)"
    return "it reaches into .git" if _reaches_git(path) else None


def _reaches_git(path: bytes) -> bool:
    return any(
        _is_dot_git(component) for component in _SEPARATORS.split(path) if _maybe_git(component)
    )


def _maybe_git(component: bytes) -> bool:
    """Whether the full test is worth its cost: on plain ASCII the first letter tells."""
    return component[:1] in b".gG" or not component.isascii()


def is_reserved(component: bytes) -> bool:
    """Whether git refuses to check out a path with this component in it."""
    return component in (b".", b"..") or _is_dot_git(component)


def _is_dot_git(component: bytes) -> bool:
    name = _folded_name(component)
    return bool(_DOT_GIT.fullmatch(name) or _DOT_GIT.fullmatch(_MALFORMED.sub("", name)))


def _folded_name(component: bytes) -> str:
    """The component as the most forgiving file system would read it: no case, nothing unseen."""
    text = component.decode("utf-8", "surrogateescape")
    if text.isascii():
        return text.lower()
    import unicodedata

    return unicodedata.normalize("NFKC", text.translate(_IGNORED)).casefold()


def _unportable(path: bytes) -> str | None:
    if len(path) > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES} bytes"
    if b"\\" in path:
        return "it holds a backslash, which is a separator on Windows"
    if _FALSE_UTF8.search(path):
        return "it holds bytes that only pretend to be UTF-8"
    if _CONTROL.search(path.decode("utf-8", "surrogateescape")):
        return "it holds a control character"
    reasons = map(_unportable_component, path.split(b"/"))
    return next(filter(None, reasons), None)


def _unportable_component(component: bytes) -> str | None:
    if len(component) > MAX_COMPONENT_BYTES:
        return f"a component is longer than {MAX_COMPONENT_BYTES} bytes"
    if b":" in component:
        return "it holds a colon, which Windows cannot store"
    if component.endswith((b".", b" ")):
        return "a component ends with a dot or a blank, which Windows drops"
    if _DEVICE.fullmatch(component.decode("utf-8", "surrogateescape")):
        return "a component is the name of a Windows device"
    return None


def _bad_target(path: bytes, target: bytes) -> str | None:
    if not target:
        return "the target is empty"
    if b"\0" in target or b"\n" in target:
        return "the target holds a NUL or a line end"
    if len(target) > MAX_TARGET_BYTES:
        return f"the target is longer than {MAX_TARGET_BYTES} bytes"
    if target[:1] in b"/\\" or _DRIVE.match(target):
        return "the target is absolute"
    if _escapes(path, target):
        return "the target leaves the repository"
    return "the target reaches into .git" if _reaches_git(target) else None


def _escapes(path: bytes, target: bytes) -> bool:
    depth = path.count(b"/")
    for component in _SEPARATORS.split(target):
        if component == b"..":
            depth -= 1
        elif component not in (b"", b"."):
            depth += 1
        if depth < 0:
            return True
    return False


def collision_key(component: bytes) -> bytes:
    """Equal for two names of which some file system can hold only one (README, readme; NFC, NFD).

    For one component: ``a/b`` and ``A/b`` collide in their first. Bytes that are not UTF-8 fold
    by ASCII case alone.
    """
    if component.isascii():
        return component.lower()
    try:
        text = component.decode()
    except UnicodeDecodeError:
        return component.lower()
    import unicodedata

    folded = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFC", folded).encode()


@lru_cache(maxsize=1 << 15)  # a server and a map show the same ones again and again
def display(path: bytes) -> str:
    r"""The path as text for messages and JSON: itself, or git's C-quoted form.

    Quoted (``"caf\351"``, with the quotes) where it is not UTF-8, holds control characters, or
    begins with a quote itself; so no two paths are shown alike.
    """
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return c_quoted(path)
    return c_quoted(path) if _CONTROL.search(text) or text.startswith('"') else text


def legible(path: bytes) -> str:
    """The path as text for who reads its parts, its ending say; what is not UTF-8 is replaced."""
    return path.decode("utf-8", "replace")


def c_quoted(path: bytes) -> str:
    """The path as git quotes it where it is told to (core.quotePath)."""
    return '"' + "".join(map(_c_escape, path)) + '"'


def _c_escape(byte: int) -> str:
    if byte in _C_LETTERS:
        return "\\" + _C_LETTERS[byte]
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def from_text(text: str) -> bytes:
    """The bytes of a path that came as text (an argument, JSON, TOML); not yet checked.

    Bytes of an argument that are not UTF-8 come back as they were (PEP 383). ``bad-path`` where
    the text holds any other half of a surrogate pair: no file has such a name.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        shown = _clipped(escape_for_terminal(text))
        raise SlipError("bad-path", f"path {shown}: it holds a lone surrogate") from None


def escape_for_terminal(text: str) -> str:
    r"""The text with what a terminal would act on written out: ``\x1b``, ``\u202e``.

    Line feeds and tabs stay. For the eye: backslashes are not doubled, so it cannot be undone.
    """
    return _UNSHOWABLE.sub(lambda found: _escaped(ord(found[0])), text)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def session_name(name: str) -> str:
    """The name as given, fit to end a ref; else ``bad-name``. Uniqueness is the caller's to ask."""
    reason = _bad_name(name)
    if reason:
        shown = _clipped(escape_for_terminal(name).replace("\n", "\\n").replace("\t", "\\t"))
        raise SlipError("bad-name", f"session name '{shown}': {reason}")
    return name


def is_plain_branch(short: str) -> bool:
    """Whether every git takes it for a branch's name and for nothing else, so needs no asking.

    Words of letters, digits, ``_`` and ``-`` between slashes.
    """
    words = short.replace("_", "x").replace("-", "x").split("/")
    is_plain = short.isascii() and all(map(str.isalnum, words))
    return is_plain and short != "HEAD" and not short.startswith("-")


def _bad_name(name: str) -> str | None:
    if not _SESSION_NAME.fullmatch(name):
        return "it must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit"
    if ".." in name or name.endswith(".") or name.lower().endswith(".lock"):
        return "git refuses names that hold '..' or end with '.' or '.lock'"
    return "it is one of git's own names" if _PSEUDO_REF.fullmatch(name) else None
