"""Signed landings, with real keys and git's own verdict."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk, write
from tests.lab import Lab, typed

KEY = """
Key-Type: eddsa
Key-Curve: ed25519
Name-Real: Ada Test
Name-Email: ada@example.com
Expire-Date: 0
%no-protection
%commit
"""


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.begin("work")
    desk.apply(write("a.txt", "1\n"))
    return desk


@pytest.fixture
def ssh(ready: Desk, tmp_path: Path) -> Desk:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen (openssh-client) is not installed")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text("ada@example.com " + key.with_suffix(".pub").read_text())
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(allowed)),
        ("commit.gpgSign", "true"),
    ):
        ready.lab.git("config", name, value)
    return ready


@pytest.fixture
def gpg(ready: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    if shutil.which("gpg") is None:
        pytest.skip("gpg (gnupg) is not installed")
    # Its agent's socket needs a short path.
    home = Path("/tmp") / f"gpg-{os.getpid()}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    subprocess.run(
        ["gpg", "--batch", "--quiet", "--gen-key"], input=KEY.encode(), check=True,
        capture_output=True,
    )  # fmt: skip
    ready.lab.git("config", "commit.gpgSign", "true")
    yield ready
    subprocess.run(["gpgconf", "--kill", "all"], check=False)
    shutil.rmtree(home, ignore_errors=True)


def is_verified(repo: Lab, rev: str) -> bool:
    done = subprocess.run(["git", "verify-commit", rev], cwd=repo.path, check=False)
    return done.returncode == 0


def check_signed(desk: Desk) -> None:
    landed = desk.commit("land")
    assert is_verified(desk.lab, "main")
    assert landed["commit"] == desk.lab.oid("main")
    assert desk.lab.message() == "land\n"
    assert desk.lab.git("status", "--porcelain") == ""


def test_git_verifies_what_landed_with_ssh(ssh: Desk) -> None:
    check_signed(ssh)


def test_git_verifies_what_landed_with_gpg(gpg: Desk) -> None:
    check_signed(gpg)


def test_asked_for_or_not(ssh: Desk) -> None:
    repo = ssh.lab
    assert ssh.commit("land", sign=False, keep=True)["committed"]
    assert not is_verified(repo, "main")
    repo.git("config", "commit.gpgSign", "false")
    ssh.apply(write("b.txt", "2\n"))
    assert ssh.commit("more", sign=True)["committed"]
    assert is_verified(repo, "main")


def test_a_merge_of_two_lines_is_signed(ssh: Desk) -> None:
    repo = ssh.lab
    repo.commit({"other.txt": "o\n"})
    assert ssh.commit("land", merge=True)["merged"]
    assert is_verified(repo, "main")


def test_each_commit_of_a_series_is_signed(ssh: Desk) -> None:
    repo = ssh.lab
    ssh.apply(write("b.txt", "2\n"), group="Two")
    ssh.apply(write("c.txt", "3\n"), group="Three")
    told = ssh.commit("one", series=True)
    assert len(told["commits"]) == 3
    assert all(is_verified(repo, oid) for oid in told["commits"])
    assert told["commits"][-1] == repo.oid("main")


def test_hooks_and_signature_go_together(ssh: Desk) -> None:
    hook = ssh.lab.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho one > a.txt && git add a.txt\n")
    hook.chmod(0o755)
    assert ssh.commit("land")["hooks"][0]["changed"] == ["a.txt"]
    assert is_verified(ssh.lab, "main")
    assert ssh.lab.tree()["a.txt"] == b"one\n"


@pytest.mark.parametrize("fault", ["no key", "no program"])
def test_what_cannot_be_signed_is_no_commit(ssh: Desk, fault: str) -> None:
    repo = ssh.lab
    name, value = {
        "no key": ("user.signingKey", "/nowhere"),
        "no program": ("gpg.ssh.program", "/nowhere/ssh-keygen"),
    }[fault]
    repo.git("config", name, value)
    before, refs = repo.snapshot(), repo.refs()
    refusal = ssh.commit_refused("git-failed")
    assert "signed" in refusal.message
    assert "--no-sign would land it unsigned" in refusal.message
    typed(refusal.hint, repo.path)
    assert (repo.snapshot(), repo.refs()) == (before, refs)
    assert ssh.commit("land", sign=False)["committed"]


def test_a_dry_run_asks_for_no_key(ssh: Desk) -> None:
    ssh.lab.git("config", "user.signingKey", "/nowhere")
    assert ssh.commit("land", dry_run=True)["dry_run"]
