"""Git as a child process: what its failures say."""

from __future__ import annotations

import os

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Git
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
