"""The words of a text, for finding: whole ones, parts of names, and pairs of ideographs. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_RUN: Final = re.compile(r"\w+")
# Scripts that put no blanks between words: Han, kana, Thai, Lao, Khmer.
_UNSPACED: Final = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1780-\u17ff]+"
)
# What says nothing of what is looked for.
_STOP: Final = frozenset({
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "before", "being", "but", "by", "can", "cannot", "could", "did", "do", "does",
    "doing", "don", "down", "each", "else", "ever", "every", "few", "for", "from", "get",
    "gets", "getting", "give", "given", "go", "goes", "going", "got", "had", "has", "have",
    "having", "he", "help", "her", "here", "his", "how", "i", "if", "in", "instead", "into",
    "is", "isn", "it", "its", "itself", "just", "know", "let", "like", "made", "make", "makes",
    "making", "many", "may", "maybe", "me", "might", "mine", "more", "most", "much", "must",
    "my", "need", "needs", "no", "nor", "not", "now", "of", "off", "on", "once", "one", "only",
    "onto", "or", "other", "our", "out", "over", "own", "please", "put", "really", "said",
    "same", "say", "says", "see", "she", "should", "show", "shown", "so", "some", "something",
    "somewhere", "still", "such", "supposed", "take", "tell", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "thing", "things", "think", "this", "those",
    "through", "to", "too", "try", "trying", "under", "until", "up", "upon", "us", "use",
    "used", "using", "very", "want", "wants", "was", "way", "we", "well", "were", "what",
    "when", "where", "whether", "which", "while", "who", "whom", "whose", "why", "will", "wish",
    "with", "within", "without", "won", "would", "yes", "yet", "you", "your",
})  # fmt: skip
# Names of branches say this of every work.
_OF_BRANCHES: Final = frozenset({
    "branch", "bug", "bugfix", "chore", "dev", "develop", "development", "feat", "feature",
    "fix", "head", "heads", "hotfix", "issue", "main", "master", "pr", "release", "staging",
    "test", "topic", "trunk", "wip", "work",
})  # fmt: skip


def of(text: str) -> list[str]:
    """Words in order, folded: a name as a whole, and its parts; no stop words."""
    return [word for word in _folded(text) if word not in _STOP]


def of_branch(name: str) -> list[str]:
    """What a branch is called after, beside what all are called."""
    short = name.rpartition("refs/heads/")[2]
    return [word for word in of(short) if word not in _OF_BRANCHES and not word.isdigit()]


def _folded(text: str) -> Iterator[str]:
    for run in _RUN.findall(unicodedata.normalize("NFKC", text)):
        at = 0
        for unspaced in _UNSPACED.finditer(run):
            yield from _name(run[at : unspaced.start()])
            yield from _pairs(unspaced[0])
            at = unspaced.end()
        yield from _name(run[at:])


def _name(run: str) -> Iterator[str]:
    parts = [part for piece in run.split("_") for part in _parts(piece)]
    if len(parts) > 1:
        yield "".join(parts).casefold()
    yield from (part.casefold() for part in parts)


def _parts(piece: str) -> Iterator[str]:
    """Parts of a name: getHTTPResponse2 is get, HTTP, Response2."""
    start = 0
    for at in range(1, len(piece)):
        before, here, after = piece[at - 1], piece[at], piece[at + 1 : at + 2]
        is_new_word = here.isupper() and (not before.isupper() or after.islower())
        if is_new_word or (before.isdigit() and here.isalpha()):
            yield piece[start:at]
            start = at
    if piece:
        yield piece[start:]


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    yield from (run[at : at + 2] for at in range(len(run) - 1))
