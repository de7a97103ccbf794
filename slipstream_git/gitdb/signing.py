"""Signatures on commits, made by git with the key and program that it is configured for."""

from __future__ import annotations

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, quarantine
from slipstream_git.gitdb.repository import Repository
from slipstream_git.hints import of


def is_wanted(repository: Repository, *, sign: bool | None) -> bool:
    """Whether a commit is to be signed: as asked for, else as git is configured."""
    return repository.config.flag("commit.gpgsign") if sign is None else sign


def signed(repository: Repository, data: bytes) -> bytes:
    """The content of a commit object with git's signature in it.

    The commit's tree and parents are in the repository or the overlay. Raises `git-failed`: what
    shall be signed never becomes an unsigned commit.
    """
    commit = commits.parse("", data)
    parents = [part for parent in commit.parents for part in ("-p", parent)]
    env = _identity("AUTHOR", commit.author) | _identity("COMMITTER", commit.committer)
    with quarantine.opened(repository) as room:
        done = repository.git.run(
            "-c", "i18n.commitEncoding=utf-8",
            "commit-tree", "-S", commit.tree, *parents,
            stdin=commit.message, env={**room.env, **env}, accept=(0, 1, 128),
        )  # fmt: skip
        made = [item for item in room.loose() if item.kind == "commit"]
    if done.status or not made:
        raise _refused(done.said or "git made no commit")
    content = made[0].data
    if not _is_signed_copy(content, data):
        raise _refused("git made another commit than the one to be signed")
    return content


def _identity(role: str, line: bytes) -> dict[str, str]:
    who, _, date = line.decode("utf-8", "surrogateescape").rpartition("> ")
    name, _, email = who.partition(" <")
    return {
        f"GIT_{role}_NAME": name,
        f"GIT_{role}_EMAIL": email,
        f"GIT_{role}_DATE": f"@{date}",
    }


def _is_signed_copy(signed_data: bytes, data: bytes) -> bool:
    """Whether the one is the other with a ``gpgsig`` header of its own."""
    header, _, message = signed_data.partition(b"\n\n")
    kept, inside, found = [], False, False
    for line in header.split(b"\n"):
        inside = line.startswith(b"gpgsig") or (inside and line.startswith(b" "))
        found |= inside
        if not inside:
            kept.append(line)
    return found and b"\n".join(kept) + b"\n\n" + message == data


_SETTINGS = "^(gpg[.]|user[.]signing|commit[.]gpgsign)"


def _refused(why: str) -> SlipError:
    return SlipError(
        "git-failed",
        f"the commit cannot be signed: {why} (mend that and commit again; --no-sign would land it"
        " unsigned)",
        hint=of("git", "config", "--show-origin", "--get-regexp", _SETTINGS),
    )
