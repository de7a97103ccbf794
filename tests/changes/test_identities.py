"""Who a commit is by, computed here, against what `git var` says."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipstream_git.changes import identities
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import open_workspace
from tests.desk import batch, write
from tests.lab import Lab

UNSET = (
    "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE", "EMAIL",
)  # fmt: skip
DATE = "1767323045 +0000"
DATES = (
    "1767323045 +0000", "@1767323045 -0730", "1767323045 -0000", "1767323045 +1459", "0 +0000",
    "@0 +0000", "20260102 +0000", "100000000 +0100", "99999999 +0100", "4070908799 +0000",
    "4102444800 +0000", "@9999999999 +0000", "1767323045 +1500", "1767323045 +0060", "1767323045",
    "1767323045 +01", "2026-01-02T03:04:05Z", "", " 1767323045 +0000", "1767323045  +0000",
    "1767323045 +0000 ", "yesterday", "nonsense",
)  # fmt: skip
PLAIN_DATES = (
    "1767323045 +0000", "@1767323045 -0730", "1767323045 +1459", "100000000 +0100", "",
    "4070908799 +0000",
)  # fmt: skip
PIECES = ["a", "B", "é", "\udcff", " ", ".", ",", "<", ">", "'", '"', "\\", "\n", "\t", "\x7f", "-"]
TEXTS = st.one_of(st.none(), st.lists(st.sampled_from(PIECES), max_size=4).map("".join))


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    yield
    monkeypatch.undo()
    time.tzset()


def both(
    repo: Lab, env: Mapping[str, str], role: str, clock: Callable[[], int] | None = None
) -> tuple[bytes | None, bytes | None]:
    """The ident as it is made here, and as git says it; None for each that does not know."""
    whole = {**os.environ, **env}
    ws = open_workspace(str(repo.path), whole, in_process=False, clock=clock)
    with ws.repository:
        found = identities.plain(ws, role, {})
    said = subprocess.run(
        ["git", "var", f"GIT_{role}_IDENT"], cwd=repo.path, env=whole, capture_output=True,
        check=False,
    )  # fmt: skip
    return found, said.stdout.rstrip(b"\n") if said.returncode == 0 else None


@pytest.mark.parametrize("date", DATES)
def test_dates(repo: Lab, date: str) -> None:
    env = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_AUTHOR_DATE": date}
    found, said = both(repo, env, identities.AUTHOR)
    assert found is None or found == said
    assert (found is not None) == (date in PLAIN_DATES)


def test_dates_of_every_length(repo: Lab) -> None:
    for seconds in ("12345678", "123456789", "999999999", "1234567890", "12345678901"):
        for at in ("", "@"):
            env = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a", "GIT_AUTHOR_DATE": ""}
            env["GIT_AUTHOR_DATE"] = f"{at}{seconds} -0130"
            found, said = both(repo, env, identities.AUTHOR)
            assert found is None or found == said
            assert (found is not None) == (len(seconds) in (9, 10))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TEXTS, email=TEXTS, author=TEXTS, user=TEXTS, mail=TEXTS)
def test_names_and_addresses(
    repo: Lab, name: str | None, email: str | None, author: str | None, user: str | None,
    mail: str | None,
) -> None:  # fmt: skip
    given_ = {
        "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email, "GIT_COMMITTER_NAME": user,
    }  # fmt: skip
    env = {key: value for key, value in given_.items() if value is not None}
    configured = {"author.name": author, "user.name": user, "user.email": mail}
    for number, (key, value) in enumerate(configured.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value or ""
    env |= {"GIT_CONFIG_COUNT": str(len(configured))}
    env |= {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    for role in identities.ROLES:
        found, said = both(repo, env, role)
        assert found is None or found == said


@pytest.mark.parametrize(
    ("configured", "author", "committer"),
    [
        ({"user.name": "U", "user.email": "u@x"}, b"U <u@x>", b"U <u@x>"),
        ({"user.name": "U", "user.email": "u@x", "author.name": "A"}, b"A <u@x>", b"U <u@x>"),
        ({"user.name": "U", "user.email": "u@x", "committer.email": "c"}, b"U <u@x>", b"U <c>"),
        ({"user.name": "U", "user.email": "u", "user.useConfigOnly": "true"}, b"U <u>", b"U <u>"),
        ({"user.name": "U V", "user.email": "u+\u00e9@x"}, None, None),
        ({"user.name": "U", "user.useConfigOnly": "true"}, None, None),
        ({"user.name": "U."}, None, None),
    ],
)  # fmt: skip
def test_configured(
    repo: Lab, configured: dict[str, str], author: bytes | None, committer: bytes | None
) -> None:
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text("")
    for key, value in configured.items():
        repo.git("config", key, value)
    env = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    for role, expected in zip(identities.ROLES, (author, committer), strict=True):
        found, said = both(repo, env, role)
        assert found is None or found == said
        if expected is not None:
            assert found == expected + b" " + DATE.encode()


@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Kolkata", "America/St_Johns", "<-0330>3:30", "XYZ-5:45:30", "nonsense/x"]
)
def test_now_in_the_local_zone(repo: Lab, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    env = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a"}
    # The second may change between the two.
    pairs = [both(repo, env, identities.AUTHOR) for _ in range(3)]
    assert any(found is not None and found == said for found, said in pairs), pairs


def test_the_zone_of_a_caller_elsewhere_is_not_ours(repo: Lab) -> None:
    env = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a", "TZ": "Asia/Kolkata"}
    found, said = both(repo, env, identities.AUTHOR)
    assert found is None
    assert said is not None
    assert said.endswith(b" +0530")


def test_the_clock_is_the_workspaces(repo: Lab) -> None:
    env = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a"}
    found, _ = both(repo, env, identities.AUTHOR, lambda: 1234567890)
    assert found == b"A <a> 1234567890 +0000"


def test_configuration_between_two_landings_counts(repo: Lab) -> None:
    """In a process that lives on; whether or not the files that it may come from are known."""
    for system in ({}, {"GIT_CONFIG_SYSTEM": str(repo.path.parent / "system")}):
        env = {**os.environ, **system}
        ws = open_workspace(str(repo.path), env, in_process=True)
        with ws.repository:
            for number, scope in enumerate(("--local", "--global", "--local", "--worktree")):
                name, session = f"N{number}", f"s{number}-{len(system)}"
                if scope == "--global":
                    repo.git("config", "--unset", "user.name")
                if scope == "--worktree":
                    repo.git("config", "extensions.worktreeConfig", "true")
                repo.git("config", scope, "user.name", name)
                for operation, values in (
                    ("begin", {"name": session}),
                    ("apply", {"session": session, "ops": batch(write(session, "x"))}),
                    ("commit", {"session": session, "message": ("land",)}),
                ):
                    row = registry.find(operation)
                    assert row is not None
                    calling.call(row, ws, values)
                assert repo.git("log", "-1", "--format=%an %cn").strip() == f"{name} {name}"
        repo.git("config", "--worktree", "--unset", "user.name")
        repo.git("config", "--unset", "extensions.worktreeConfig")
