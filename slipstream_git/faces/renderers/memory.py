"""What was learned, as text. Who wrote a fact is not who asks: it is shown as quoted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import counted, short
from slipstream_git.text import factrow, markdown
from slipstream_git.text.factrow import one_line

if TYPE_CHECKING:
    from slipstream_git import recollections


def _remembered(value: recollections.Remembered) -> Iterable[str]:
    about = f" about {one_line(value.about)}" if value.about else ""
    was = "known already, and as it was" if value.known else "remembered"
    yield f"{value.id} {value.kind}{about}: {was}, on {short(value.commit)}"
    if value.contested:
        yield f"contrary to {', '.join(value.contested)}; both stand (`slip forget ID` ends one)"


def _fact_list(value: recollections.FactList) -> Iterable[str]:
    if value.markdown:
        yield from _page(value)
        return
    yield from map(factrow.printed, value.facts)
    if not value.facts:
        yield "# no fact of that kind is remembered here"
    if value.elsewhere and not any(row.elsewhere for row in value.facts):
        yield f"# {counted(value.elsewhere, 'fact')} on commits not in this history: --all"
    if value.unread:
        yield f"# {counted(value.unread, 'line')} of the notes are none of slip's"


_TITLES = {
    "decision": "Decisions",
    "convention": "Conventions",
    "gotcha": "Gotchas",
    "todo": "To do",
    "fact": "Facts",
}


def _page(value: recollections.FactList) -> Iterable[str]:
    """A page of which each fact is a line of its own: what is kept in a file can be compared."""
    yield "# What is remembered"
    for kind, rows in groupby(value.facts, key=lambda row: row.kind):
        yield ""
        yield f"## {_TITLES[kind]}"
        yield ""
        for row in rows:
            about = f"{markdown.code(one_line(row.about))}: " if row.about else ""
            tags = "".join(f" {markdown.code(one_line(tag))}" for tag in row.tags or ())
            stale = f" *(stale: {row.stale_why})*" if row.stale else ""
            contested = f" *(contested: {', '.join(row.contested)})*" if row.contested else ""
            yield f"- {about}{markdown.plain(row.text)}{tags}{stale}{contested} {row.id}"


def _let(value: recollections.Let) -> Iterable[str]:
    if not value.purged:
        yield f'{value.id} is forgotten: "{one_line(value.text or "")}"'
        return
    yield f"{value.id} is purged: {counted(value.lines, 'line')} of the notes went"
    yield from (f"left to do: {line}" for line in value.advice or ())


def _recalled(value: recollections.Recalled) -> Iterable[str]:
    yield from map(factrow.printed, value.facts)
    if value.rest:
        yield value.rest


def _digested(value: recollections.Digested) -> Iterable[str]:
    return factrow.digested(value)


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Remembered": _remembered,
    "FactList": _fact_list,
    "Let": _let,
    "Recalled": _recalled,
    "Digested": _digested,
}
