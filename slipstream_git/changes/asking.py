"""How a landing is asked for, and how it is asked for again where it was refused.

A hint to try again repeats all that was said: a `--keep` or an `--onto` that it lost would land
something else, or elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipstream_git import hints
from slipstream_git.changes import wording
from slipstream_git.changes.messages import Message
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import without_credentials
from slipstream_git.hints import Again, Hint
from slipstream_git.records import NamedTuple

# What may pass, or is mended elsewhere: a lock, a disk, a directory that nobody may write to.
_OUTSIDE = ("locked", "git-failed")


class Options(NamedTuple):
    """How to land. push: the remote on whose branch it lands; None for the branch here."""

    message: Message
    onto: str | None = None
    check: bool | None = None
    sign: bool | None = None
    no_verify: bool = False
    no_checkout: bool = False
    keep: bool = False
    no_sync: bool = False
    merge: bool = False
    dry_run: bool = False
    series: bool = False
    each: bool = False
    bot_branch: str | None = None
    allow_protected: tuple[str, ...] = ()
    push: str | None = None


def hint_again(fault: SlipError, session: str, options: Options) -> None:
    """A hint to ask again becomes the whole command that lands this session so.

    But for what holds a credential: that is not said again.
    Where something outside was in the way and nothing else is known to help, that is the hint.
    """
    again = _again(fault)
    if fault.code == "secret" and options.series and not _holds_one(options):
        again = hints.again(without=("--series", "--each"))  # it is in a label
    if again is not None:
        # A series may have all its messages from labels; where it has not, the hint has changed.
        is_series = options.series and "--series" not in again.without
        message = () if options.message.given or is_series else hints.MESSAGE
        said = _repeated(options, again, message)
        fault.hint = hints.of("slip", "commit", "-s", session, *said)


def hint_queue_again(
    fault: SlipError, names: Sequence[str], options: Options, *, atomic: bool
) -> None:
    """The same of several sessions: the command that lands all of these so.

    names: as they were given, with ``--all`` in the place of none.
    """
    again = _again(fault)
    if again is not None:
        fault.hint = queue_again(again, names, options, atomic=atomic)


def queue_again(again: Again, names: Sequence[str], options: Options, *, atomic: bool) -> Hint:
    """The command that lands all of these so, with what is to be changed."""
    together = ["--atomic"] if atomic and "--atomic" not in again.without else []
    said = _repeated(options, again, ())
    return hints.of("slip", "land", *(names or ["--all"]), *together, *said)


def _again(fault: SlipError) -> Again | None:
    if isinstance(fault.hint, Again):
        return fault.hint
    return hints.again() if fault.hint is None and fault.code in _OUTSIDE else None


def _repeated(options: Options, again: Again, otherwise: Sequence[str]) -> list[str]:
    """The options in words, with what is to be changed. otherwise: for want of a message."""
    changed = again.changed
    gone = {_plain(name) for name in (*changed[:1], *again.without)}
    rows = [r for r in _rows(options) if _plain(r[0]) not in gone and not _holds(*r[1:])]
    message = [] if _plain("-m") in gone else list(_paragraphs(options.message)) or otherwise
    if _holds(_text(options.message)) and message:
        message = hints.MESSAGE
    return [*changed, *(word for row in rows for word in row), *message]


def _holds(*words: str) -> bool:
    """Whether there is a credential in one of them."""
    return any(wording.blotted(word) != word for word in words)


def _holds_one(options: Options) -> bool:
    return _holds(_text(options.message), *(word for row in _rows(options) for word in row[1:]))


def _plain(option: str) -> str:
    """What an option is about, said this way or that."""
    return option.removeprefix("--").removeprefix("no-")


def _rows(options: Options) -> Iterator[tuple[str, ...]]:
    message = options.message
    valued = {
        "push": options.push and without_credentials(options.push),
        "onto": options.onto,
        "author": message.author,
        "date": message.date,
        "bot-branch": options.bot_branch,
    }
    for name, value in valued.items():
        if value is not None:
            yield f"--{name}", value
    for trailer in message.trailers:
        yield "--trailer", trailer
    for glob in options.allow_protected:
        yield "--allow-protected", glob
    for name, switch in (("check", options.check), ("sign", options.sign)):
        if switch is not None:
            yield (f"--{name}" if switch else f"--no-{name}",)
    flags = {
        "--signoff": message.signoff,
        "--committer-date-is-author-date": message.one_date,
        "--merge": options.merge,
        "--series": options.series,
        "--each": options.each,
        "--dry-run": options.dry_run,
        "--no-verify": options.no_verify,
        "--no-checkout": options.no_checkout,
        "--keep": options.keep,
        "--no-sync": options.no_sync,
    }
    yield from ((name,) for name, is_on in flags.items() if is_on)


def _paragraphs(message: Message) -> Iterator[str]:
    """The message, from a file too, as `-m` takes it."""
    if message.given:
        for paragraph in _text(message).split("\n\n"):
            yield from ("-m", paragraph)


def _text(message: Message) -> str:
    if message.file is not None:
        return message.file.decode("utf-8", "surrogateescape").rstrip("\n")
    return "\n\n".join(message.paragraphs)
