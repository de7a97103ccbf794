"""Commands to be typed, as errors and checks tell them: text for a shell that knows its words.

Who proposes a command gives its words, and here they are quoted, once. So a branch called `a;b` is
typed as that branch, and whoever makes another command of it (for another place, say) asks for the
words and never takes the text apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

JOINTS: Final = ("&&", "|", ">>")
_SPECIAL: Final = frozenset("'\"\\`$;<>()*?[]{}~!#\n")
_LETTERS: Final = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x27: "\\'", 0x5C: "\\\\"}
MESSAGE: Final = ("-m", "MESSAGE")


class Hint(str):
    """A command line that can be typed as it stands.

    commands: the words of each command; what follows the joint ``>>`` is a file. None where only
    the text is known. joints: what stands between them, of ``JOINTS``.
    """

    __slots__ = ("commands", "joints")

    commands: tuple[tuple[str | bytes, ...], ...]
    joints: tuple[str, ...]

    def then(self, other: Hint, joint: str = "&&") -> Hint:
        """This, and the other behind it."""
        return _joined((*self.commands, *other.commands), (*self.joints, joint, *other.joints))


class Again(Hint):
    """What was asked for once more, with ``changed`` said otherwise and ``without`` left out.

    Whoever knows what was asked for makes a whole command of it; until then it is one to commit.
    """

    __slots__ = ("changed", "without")

    changed: tuple[str, ...]
    without: tuple[str, ...]


def of(*words: str | bytes) -> Hint:
    """One command. Bytes are paths, which are spelled in one line."""
    return _joined((words,), ())


def command(words: Sequence[str], paths: Iterable[bytes]) -> Hint:
    """A command on these paths."""
    names = list(paths)
    end = ["--"] if any(name.startswith(b"-") for name in names) else []
    return of(*words, *end, *names)


def again(*changed: str, without: Sequence[str] = ()) -> Again:
    """The same once more, with an option (and its value) added or in the place of what was said."""
    message = () if changed[:1] == MESSAGE[:1] else MESSAGE
    words = ("slip", "commit", *changed, *message)
    found = Again(" ".join(map(_typed, words)))
    found.commands, found.joints = (words,), ()
    found.changed, found.without = changed, tuple(without)
    return found


def within(directory: str, hint: Hint) -> Hint:
    """The same in a shell of its own that goes to a directory first."""
    return _filled(f"({of('cd', directory)} && {hint})", (), ())


def plain(text: str) -> Hint:
    """A text of blanks and words that mean nothing to a shell; other texts are taken whole."""
    if isinstance(text, Hint):
        return text
    if not _SPECIAL.isdisjoint(text):
        return _filled(text, (), ())
    commands: list[list[str]] = [[]]
    joints = []
    for word in text.split():
        if word in JOINTS:
            joints.append(word)
            commands.append([])
        else:
            commands[-1].append(word)
    return _filled(text, tuple(map(tuple, commands)), tuple(joints))


def _joined(commands: tuple[tuple[str | bytes, ...], ...], joints: tuple[str, ...]) -> Hint:
    texts = [" ".join(map(_typed, words)) for words in commands]
    pairs = zip(joints, texts[1:], strict=True)
    text = texts[0] + "".join(f" {joint} {after}" for joint, after in pairs)
    return _filled(text, commands, joints)


def _filled(
    text: str, commands: tuple[tuple[str | bytes, ...], ...], joints: tuple[str, ...]
) -> Hint:
    hint = Hint(text)
    hint.commands, hint.joints = commands, joints
    return hint


def _typed(word: str | bytes) -> str:
    """A word as a shell takes it; what cannot be typed stands in it as bash and zsh spell it.

    Line breaks of text stay, within quotes, which every shell takes.
    """
    import shlex  # only on the way to an error

    data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _spelled(data)
    lines = [text] if isinstance(word, bytes) else text.replace("\t", " ").split("\n")
    return shlex.quote(text) if all(map(str.isprintable, lines)) else _spelled(data)


def _spelled(data: bytes) -> str:
    return "$'" + "".join(map(_escaped, data)) + "'"


def _escaped(byte: int) -> str:
    if byte in _LETTERS:
        return _LETTERS[byte]
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"
