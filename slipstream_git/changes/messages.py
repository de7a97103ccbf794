"""Commit messages and identities, as git itself makes them: cleanup, trailers, sign-off, idents."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git import hints
from slipstream_git.changes import identities, wording
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Output
from slipstream_git.gitdb.repository import Repository
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

GIT_SPACE = b" \t\r\n"  # git's isspace() knows no other
LONGEST_SECONDS = 17  # of what fits 64 bits with room to spare: three thousand million years


class Message(NamedTuple):
    """What the caller said of the commit to be. one_date: the committer's is the author's."""

    paragraphs: tuple[str, ...] = ()
    file: bytes | None = None
    author: str | None = None
    date: str | None = None
    trailers: tuple[str, ...] = ()
    signoff: bool = False
    one_date: bool = False

    @property
    def given(self) -> bool:
        return bool(self.paragraphs) or self.file is not None


class Identity(NamedTuple):
    """Raw author and committer lines of a commit."""

    author: bytes
    committer: bytes


def text(repository: Repository, message: Message, identity: Identity) -> bytes:
    """The commit's message, cleaned as ``git commit -m`` cleans it. Raises `usage` when empty."""
    if message.file is not None and message.paragraphs:
        raise SlipError("usage", "-m and -F exclude each other")
    raw = message.file
    if raw is None:
        raw = "\n\n".join(message.paragraphs).encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise SlipError("usage", "the commit message holds a NUL byte")
    cleaned = stripspace(raw)
    if not cleaned:
        raise SlipError("usage", "a commit needs a message", hint=hints.again(*hints.MESSAGE))
    return _with_trailers(repository, cleaned, message, identity)


def stripspace(text: bytes) -> bytes:
    """``git stripspace``, without its process: no space at line ends, single blank lines."""
    paragraphs: list[list[bytes]] = [[]]
    for line in text.split(b"\n"):
        stripped = line.rstrip(GIT_SPACE)
        if stripped:
            paragraphs[-1].append(stripped)
        elif paragraphs[-1]:
            paragraphs.append([])
    return b"\n".join(b"".join(line + b"\n" for line in lines) for lines in paragraphs if lines)


def _with_trailers(
    repository: Repository, cleaned: bytes, message: Message, identity: Identity
) -> bytes:
    lines = [_trailer(trailer) for trailer in message.trailers]
    if message.signoff:
        who = identity.committer.rsplit(b" ", 2)[0].decode("utf-8", "surrogateescape")
        lines.append(f"Signed-off-by: {who}")
    return with_trailers(repository, cleaned, lines) if lines else cleaned


def with_trailers(
    repository: Repository, text: bytes, lines: Sequence[str], *, once: bool = False
) -> bytes:
    """A message with trailers, each `Key: value`. once: none that is there already."""
    options = [f"--trailer={line}" for line in lines]
    if once:
        options.insert(0, "--if-exists=addIfDifferent")
    return repository.git.run("interpret-trailers", *options, stdin=text).out


def _trailer(text: str) -> str:
    key, equals, value = text.partition("=")
    if not equals:
        key, equals, value = text.partition(":")
    if not equals or not key.strip() or "\n" in text:
        raise SlipError("usage", f"--trailer takes KEY=VALUE, not {wording.blotted(text)!r}")
    return f"{key.strip()}: {value.strip()}"


def identity(ws: Workspace, message: Message) -> Identity:
    """Author and committer as git has them configured. Raises `git-failed` where it has none.

    git is asked where it would do more than to take what is there: guess a name, clean one, read a
    date as people write it.
    """
    env = {}
    if message.author is not None:
        env["GIT_AUTHOR_NAME"], env["GIT_AUTHOR_EMAIL"] = _author(message.author)
    if message.date is not None:
        env["GIT_AUTHOR_DATE"] = message.date
    idents = {role: identities.plain(ws, role, env) for role in identities.ROLES}
    unsure = [role for role, ident in idents.items() if ident is None]
    # Side by side: each is 2 ms of a git process.
    asked = [("var", f"GIT_{role}_IDENT") for role in unsure]
    answers = ws.repository.git.together(asked, env=env) if asked else []
    idents |= {role: _ident(done) for role, done in zip(unsure, answers, strict=True)}
    author, committer = (idents[role] or b"" for role in identities.ROLES)
    if message.one_date:
        committer = committer.rpartition(b"> ")[0] + b"> " + author.rpartition(b"> ")[2]
    return Identity(author, committer)


def _author(text: str) -> tuple[str, str]:
    name, bracket, rest = text.partition("<")
    email, closing, after = rest.partition(">")
    if not (bracket and closing and name.strip()) or after.strip() or "\n" in text:
        raise SlipError("usage", f"--author takes `Name <email>`, not {wording.blotted(text)!r}")
    return name.strip(), email.strip()


def _storable(ident: bytes) -> bytes:
    """An ident that `git fsck` accepts; git itself stores dates that it then calls broken."""
    seconds, _, zone = ident.rpartition(b"> ")[2].partition(b" ")
    if len(seconds) > LONGEST_SECONDS or len(zone) != len("+0000"):
        date = f"{seconds.decode()} {zone.decode()}"
        raise SlipError("usage", f"git cannot store this date: {date}")
    return ident


def _ident(done: Output) -> bytes:
    if done.status == 0:
        return _storable(done.out.rstrip(b"\n"))
    said = done.said
    if "date" in said:
        raise SlipError("usage", f"git does not read this date: {said}")
    raise SlipError(
        "git-failed",
        "git does not know who you are (user.name and user.email)",
        hint="git config --global user.email you@example.com",
    )
