"""Git as a child process: what its failures say."""

from __future__ import annotations

import os

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Git, without_credentials
from tests.lab import Lab


@pytest.mark.parametrize(
    "words",
    [
        ("rev-parse", "--verify", "nothing"),
        ("-c", "submodule.recurse=false", "rev-parse", "--verify", "nothing"),
        ("--literal-pathspecs", "-c", "a.b=c", b"rev-parse", "--verify", "nothing"),
    ],
)
def test_a_failure_names_the_subcommand(repo: Lab, words: tuple[str, ...]) -> None:
    with pytest.raises(SlipError) as caught:
        Git(str(repo.path), os.environ).run(*words)
    assert caught.value.message == "git rev-parse: fatal: Needed a single revision"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to https://ada:hunter2@host/x.git", "to https://host/x.git"),
        ("'http://oauth2@host/x'", "'http://host/x'"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("git+ssh://git:hunter2@host/x", "git+ssh://git@host/x"),
        ("https://host/x?private_token=hunter2&a=b", "https://host/x?private_token=…&a=b"),
        ("https://host/x?a=b&X-Amz-Signature=hunter2", "https://host/x?a=b&X-Amz-Signature=…"),
        ("git@host:x.git", "git@host:x.git"),
    ],
)
def test_what_is_secret_in_a_url(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
