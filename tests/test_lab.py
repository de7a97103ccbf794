"""The language of the tests, tested: a snapshot that sees nothing would make every test pass."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import SOURCE, Ground, Lab, Link, Script, fsck

needs_slip = pytest.mark.skipif(
    not (SOURCE / "slipstream_git" / "__main__.py").exists(), reason="no command line yet"
)


def test_a_repository_starts_with_one_commit(repo: Lab) -> None:
    assert repo.tree() == {"README.md": b"# Demo\n", "src/app.py": b"def main():\n    return 1\n"}
    assert (
        repo.git("log", "--format=%an <%ae> %at %s")
        == "Ada Test <ada@example.com> 1767323045 start"
    )
    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert repo.git("diff-files") == ""
    assert repo.refs() == {"refs/heads/main": repo.oid("HEAD")}


def test_commit_writes_deletes_and_sets_modes(repo: Lab) -> None:
    odd = os.fsdecode(b'caf\xe9 "q"\n[x]*')
    oid = repo.commit(
        {
            "README.md": None,
            "run": Script(b"#!/bin/sh\n"),
            "link": Link("run"),
            odd: b"\0\xff",
            "deep/er/file": "text\n",
        },
        "all kinds",
    )
    assert oid == repo.oid("HEAD")
    assert repo.tree("HEAD") == {
        "src/app.py": b"def main():\n    return 1\n",
        "run": b"#!/bin/sh\n",
        "link": b"run",
        odd: b"\0\xff",
        "deep/er/file": b"text\n",
    }
    modes = {path: mode for path, (mode, _) in repo.entries().items()}
    assert (modes["run"], modes["link"], modes[odd]) == ("100755", "120000", "100644")
    assert repo.git("status", "--porcelain") == ""


def test_the_same_commits_have_the_same_ids(ground: Ground) -> None:
    one, two = ground.repository("one"), ground.repository("two")
    assert one.commit({"a": "1"}, "m") == two.commit({"a": "1"}, "m")


def test_a_bare_repository_takes_the_same_commit(bare_repo: Lab, repo: Lab) -> None:
    files = {"README.md": None, "x": Script(b"x"), 'od"d\\\n': b"1", "l": Link("x")}
    assert bare_repo.commit(dict(files), "same") == repo.commit(dict(files), "same")
    assert bare_repo.git("rev-parse", "--is-bare-repository") == "true"
    assert bare_repo.snapshot().files == {}
    assert bare_repo.snapshot().refs == {"refs/heads/main": bare_repo.oid("HEAD")}


def test_an_unborn_repository_takes_a_first_commit(unborn_repo: Lab) -> None:
    unborn_repo.snapshot()
    assert unborn_repo.refs() == {}
    unborn_repo.commit({"a": "1"})
    assert unborn_repo.tree() == {"a": b"1"}


def test_a_detached_head(detached_repo: Lab) -> None:
    assert detached_repo.snapshot().head.strip() == detached_repo.oid("main")


def test_a_linked_worktree_shares_refs_and_has_its_own_head(linked_repo: Lab, repo: Lab) -> None:
    linked_repo.commit({"side.txt": "s"}, "side")
    assert repo.oid("side") == linked_repo.oid("HEAD") != repo.oid("HEAD")
    assert linked_repo.common_dir == repo.git_dir != linked_repo.git_dir


def test_a_submodule_is_checked_out(submodule_repo: Lab) -> None:
    entries = submodule_repo.entries()
    assert entries["lib"][0] == "160000"
    assert submodule_repo.tree()["lib"] == entries["lib"][1].encode()
    assert (submodule_repo.path / "lib" / "README.md").exists()
    assert submodule_repo.git("status", "--porcelain") == ""


def edit(repo: Lab) -> None:
    repo.write("README.md", "# Other\n")


def stage(repo: Lab) -> None:
    repo.write("README.md", "# Other\n")
    repo.git("add", "README.md")


def chmod(repo: Lab) -> None:
    (repo.path / "README.md").chmod(0o600)


def untracked(repo: Lab) -> None:
    repo.write("new", "1")


def ignored(repo: Lab) -> None:
    repo.write("skip.log", "other")


def flag(repo: Lab) -> None:
    repo.git("update-index", "--skip-worktree", "README.md")


def stash(repo: Lab) -> None:
    stage(repo)
    repo.git("stash", "--quiet")


def branch(repo: Lab) -> None:
    repo.git("branch", "other")


def tag(repo: Lab) -> None:
    repo.git("tag", "v1")


def detach(repo: Lab) -> None:
    repo.git("checkout", "--quiet", "--detach")


def configure(repo: Lab) -> None:
    repo.git("config", "x.y", "1")


@pytest.mark.parametrize(
    "change",
    [edit, stage, chmod, untracked, ignored, flag, stash, branch, tag, detach, configure],
)
def test_a_snapshot_sees(change: Callable[[Lab], None], repo: Lab) -> None:
    repo.commit({".gitignore": "*.log\n"})
    repo.write("skip.log", "kept")
    before = repo.snapshot()
    assert repo.snapshot() == before
    change(repo)
    assert repo.snapshot() != before


def test_a_snapshot_does_not_see_what_slip_keeps(repo: Lab) -> None:
    before = repo.snapshot()
    repo.git("update-ref", "refs/slip/sessions/x", "HEAD")
    repo.git("notes", "--ref=slip/gates", "add", "-m", "green", "HEAD^{tree}")
    repo.git("update-index", "--refresh")
    assert repo.snapshot() == before


def test_damage_fails_the_test(repo: Lab, ground: Ground) -> None:
    assert fsck(repo) == ""
    blob = repo.oid("HEAD:README.md")
    (repo.git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    assert blob in fsck(repo)
    with pytest.raises(AssertionError, match="git fsck in"):
        ground.check()
    repo.damaged = True
    ground.check()


def test_nothing_of_the_machine_shows(
    repo: Lab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origins = repo.git("config", "--list", "--show-origin", "--name-only").splitlines()
    assert {line.split("\t")[0] for line in origins} == {
        f"file:{home}/.gitconfig",
        "file:.git/config",
    }
    assert Path.home() == home
    assert not [name for name in os.environ if name in {"GIT_DIR", "GIT_INDEX_FILE"}]
    assert repo.git("var", "GIT_EDITOR") == "false"


def test_libgit2_is_sealed_too(repo: Lab, home: Path) -> None:
    code = (
        "import pathlib, sys, pygit2, tests.conftest as c\n"
        "c.seal_pygit2(pathlib.Path(sys.argv[1]))\n"
        "repo = pygit2.Repository(sys.argv[2])\n"
        "print(repo.config['user.name'], pygit2.Config.get_global_config()['user.email'])\n"
        "try: pygit2.Config.get_system_config(); print('a system config')\n"
        "except OSError: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home), str(repo.path)],
        env=os.environ | {"HOME": "/nowhere"},
        cwd=SOURCE,
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"Ada Test ada@example.com\n"


def test_conftest_does_not_import_pygit2() -> None:
    code = "import sys, tests.conftest; assert 'pygit2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=SOURCE, check=True)


def test_git_faults_fail_the_test(repo: Lab) -> None:
    with pytest.raises(AssertionError, match="exited 128"):
        repo.git("rev-parse", "--verify", "nothing")
    assert repo.git("rev-parse", "--verify", "--quiet", "nothing", expect=1) == ""


@needs_slip
def test_slip_runs_the_real_command_line(repo: Lab) -> None:
    before = repo.snapshot()
    assert "slip" in repo.slip("--version").text
    assert repo.snapshot() == before


@needs_slip
def test_slip_json_is_one_object(repo: Lab) -> None:
    reply = repo.slip_json("no-such-command", expect=2)
    assert reply.error["code"] == "usage"


@needs_slip
def test_slip_with_another_status_fails_the_test(repo: Lab) -> None:
    with pytest.raises(AssertionError, match="exited 2"):
        repo.slip("no-such-command")


@needs_slip
def test_modules_in_the_repository_are_not_imported(repo: Lab) -> None:
    repo.write("json.py", "raise SystemExit(99)")
    repo.write("slipstream_git/__init__.py", "raise SystemExit(99)")
    repo.slip("--version")
