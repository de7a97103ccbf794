"""`.slip.toml` as it is read: every table and key, and everything that is refused."""

from __future__ import annotations

import os

import pytest

from slipstream_git.changes import settings
from slipstream_git.changes.settings import Builtin, Gate, Policy, Pool, Settings
from slipstream_git.errors import SlipError
from slipstream_git.workspace import open_workspace
from tests.lab import Lab

WHOLE = """
[gate.tests]
run = "pytest -q"
timeout_s = 60
paths = ["src/**"]
versions = ["python3 -V"]
files = ["~/.npmrc"]
variables = ["CI"]
[pool]
setup = "npm ci"
setup_when = ["package-lock.json"]
share = ["node_modules", ".venv"]
[policy]
protected = [".github/**", "!.github/CODEOWNERS"]
max_files = 50
max_lines = 2_000
max_bytes = 0
max_file_bytes = 5_000_000
[builtin]
secrets = false
allow = ["tests/data/**"]
allow_lines = ["0123456789ab"]
"""


def read(lab: Lab, text: str | bytes) -> Settings:
    head = lab.commit({".slip.toml": text})
    with open_workspace(str(lab.path), os.environ, in_process=False).repository as repository:
        return settings.at(repository, head)


def test_every_table_and_key(repo: Lab) -> None:
    assert read(repo, WHOLE) == Settings(
        gates=(
            Gate("tests", "pytest -q", 60, ("src/**",), ("python3 -V",), ("~/.npmrc",), ("CI",)),
        ),
        pool=Pool("npm ci", ("package-lock.json",), ("node_modules", ".venv")),
        policy=Policy((".github/**", "!.github/CODEOWNERS"), 50, 2000, 0, 5_000_000),
        builtin=Builtin(secrets=False, allow=("tests/data/**",), allow_lines=("0123456789ab",)),
    )


def test_nothing_said_is_no_policy_and_every_check(repo: Lab) -> None:
    assert read(repo, "") == Settings()
    assert all(getattr(Settings().builtin, name) for name in Builtin._fields[:4])
    with open_workspace(str(repo.path), os.environ, in_process=False).repository as repository:
        assert settings.at(repository, None) == Settings()
        assert settings.at(repository, repo.commit({".slip.toml": None})) == Settings()


@pytest.mark.parametrize(
    "text",
    [
        "polcy = 1\n",
        "gate = 1\n",
        "[gate]\ntests = 1\n",
        "[gate.tests]\n",
        '[gate.tests]\nrun = ""\n',
        "[gate.tests]\nrun = 1\n",
        '[gate.tests]\nrun = "a\\u0000"\n',
        '[gate.tests]\nrun = "true"\ntimout_s = 1\n',
        '[gate.tests]\nrun = "true"\ntimeout_s = 0\n',
        '[gate.tests]\nrun = "true"\ntimeout_s = true\n',
        '[gate.tests]\nrun = "true"\npaths = "src"\n',
        '[gate.tests]\nrun = "true"\npaths = ["[a"]\n',
        '[gate.tests]\nrun = "true"\nversions = [1]\n',
        '[gate.tests]\nrun = "true"\nfiles = "x"\n',
        '[gate.tests]\nrun = "true"\nvariables = {}\n',
        '[gate."a b"]\nrun = "true"\n',
        '[gate.""]\nrun = "true"\n',
        '[gate.secrets]\nrun = "true"\n',
        '[gate.conflict-markers]\nrun = "true"\n',
        "[polices]\nprotected = []\n",
        "policy = 1\n",
        '[policy]\nprotect = [".github/**"]\n',
        '[policy]\nprotected = ".github/**"\n',
        "[policy]\nprotected = [1]\n",
        '[policy]\nprotected = ["a/../b"]\n',
        '[policy]\nprotected = ["[a"]\n',
        "[policy]\nmax_files = true\n",
        "[policy]\nmax_files = -1\n",
        "[policy]\nmax_lines = 1.5\n",
        '[policy]\nmax_bytes = "5m"\n',
        "builtin = false\n",
        "[builtin]\nsecret = false\n",
        "[builtin]\nsecrets = 0\n",
        '[builtin]\nsyntax = "warn"\n',
        "[builtin]\nallow = true\n",
        '[builtin]\nallow = [""]\n',
        '[builtin]\nallow_lines = ["0123"]\n',
        '[builtin]\nallow_lines = ["0123456789ab\\n"]\n',
        "[builtin]\nallow_lines = [12]\n",
        b"\xff\n",
    ],
)
def test_what_is_misspelled_is_refused(repo: Lab, text: str | bytes) -> None:
    with pytest.raises(SlipError) as caught:
        read(repo, text)
    assert caught.value.code == "policy"
    assert caught.value.message.startswith(f".slip.toml of {repo.oid('HEAD')[:10]}: ")
    assert "\n" not in caught.value.message
    # What can be typed shows the file.
    shown = repo.git(*str(caught.value.hint).split()[1:], expect=None)
    assert shown or text == b"\xff\n"
