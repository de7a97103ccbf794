"""Which git answers, where it takes settings from, and that no change of them is missed."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, settingfiles
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Repository, open_repository
from tests.lab import Lab


def opened(
    repo: Lab, env: Mapping[str, str] | None = None, *, in_process: bool = False
) -> Repository:
    return open_repository(str(repo.path), {**os.environ, **(env or {})}, in_process=in_process)


def stand_in(place: Path, script: str) -> str:
    """A PATH on which `git` is a script that may answer for the real one."""
    real = shutil.which("git")
    place.mkdir()
    program = place / "git"
    program.write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
    program.chmod(0o755)
    return f"{place}:{os.environ['PATH']}"


# -- which git -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        # One that tells no events is asked.
        'unset GIT_TRACE2_EVENT; case "$*" in *--version*) echo git version 2.37.9; exit;; esac',
        # One that tells them is believed.
        """[ -z "$GIT_TRACE2_EVENT" ] || echo '{"event":"version","exe":"2.37.9"}' >&2""",
    ],
)
def test_a_git_that_is_too_old_is_refused(repo: Lab, tmp_path: Path, script: str) -> None:
    path = stand_in(tmp_path / "bin", script)
    with pytest.raises(SlipError) as caught:
        opened(repo, {"PATH": path})
    assert caught.value.code == "unsupported"
    assert caught.value.message == "git version 2.37.9 is too old; slip needs 2.38"


def test_what_git_says_is_shown_without_its_events(tmp_path: Path) -> None:
    with pytest.raises(SlipError) as caught:
        open_repository(str(tmp_path), os.environ, in_process=False)
    assert "is not in a git repository" in caught.value.message
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(SlipError) as caught:
        open_repository(str(tmp_path), os.environ, in_process=False)
    assert "event" not in caught.value.message


def test_the_first_git_of_the_path_is_run(repo: Lab, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in "abc")
    first.mkdir()
    (first / "git").mkdir()  # a directory of that name is none
    second.mkdir()
    (second / "git").write_text("not executable")
    path = stand_in(third, "")
    env = {**os.environ, "PATH": f"{first}:{second}:{path}"}
    assert Git(str(repo.path), env).program == str(third / "git")
    # A relative place is another one for a git that runs elsewhere: the system looks it up.
    assert Git(str(repo.path), {**os.environ, "PATH": f"bin:{path}"}).program == "git"


# -- where its files are ---------------------------------------------------------------------------


def test_git_names_the_systems_configuration(repo: Lab, tmp_path: Path) -> None:
    for name in ("it's one", "plain"):
        place = tmp_path / name
        env = {**os.environ, "GIT_CONFIG_SYSTEM": str(place)}
        git = Git(str(repo.path), env)
        missing = git.run(*settingfiles.SYSTEM, accept=range(256))
        assert settingfiles.system_file(missing) == str(place)
        place.write_text("[a]\n\tb = c\n")
        there = git.run(*settingfiles.SYSTEM, accept=range(256))
        assert settingfiles.system_file(there) == str(place)
        place.write_text("")
        empty = git.run(*settingfiles.SYSTEM, accept=range(256))
        assert settingfiles.system_file(empty) is None
        place.write_text("[broken")
        broken = git.run(*settingfiles.SYSTEM, accept=range(256))
        assert settingfiles.system_file(broken) is None


def test_where_the_systems_attributes_are_is_asked_once(repo: Lab, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    with opened(repo) as repository:
        layout = repository.layout
        Path(layout.slip_dir).mkdir()
        found = settingfiles.system_attributes(repository.git, layout)
        assert found is not None
        assert Path(found).name == "gitattributes"
        kept = json.loads(Path(layout.slip_dir, "system").read_text())
        assert kept[0] == shutil.which("git")
        assert kept[-1] == str(Path(found).parent)
        # What is kept counts for that program in that state alone.
        Path(layout.slip_dir, "system").write_text(json.dumps([*kept[:-1], "/elsewhere"]))
        assert settingfiles.system_attributes(repository.git, layout) == "/elsewhere/gitattributes"
        others: list[object] = [[*kept[:3], 0, *kept[4:]], ["/bin/x", *kept[1:]], {}, 5, []]
        for other in others:
            Path(layout.slip_dir, "system").write_text(json.dumps(other))
            assert settingfiles.system_attributes(repository.git, layout) == found
        Path(layout.slip_dir, "system").write_text("{")
        assert settingfiles.system_attributes(repository.git, layout) == found
    # A script may start another git tomorrow, so it is asked each time.
    path = stand_in(tmp_path / "bin", f'case "$*" in *--system*) echo >>{asked};; esac')
    with opened(repo, {"PATH": path}) as repository:
        for _ in range(2):
            assert settingfiles.system_attributes(repository.git, repository.layout) == found
    assert asked.read_text() == "\n\n"


def test_nothing_is_kept_where_slip_keeps_nothing_yet(repo: Lab) -> None:
    with opened(repo) as repository:
        assert settingfiles.system_attributes(repository.git, repository.layout) is not None
        assert not Path(repository.layout.slip_dir).exists()


# -- attributes that no tree has -------------------------------------------------------------------


@pytest.mark.parametrize("where", ["none", "info", "xdg", "home", "setting", "variable"])
def test_attributes_of_every_place_count(repo: Lab, tmp_path: Path, where: str) -> None:
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    places = {
        "info": repo.common_dir / "info/attributes",
        "xdg": tmp_path / "xdg/git/attributes",
        "home": tmp_path / ".config/git/attributes",
        "setting": tmp_path / "mine",
        "variable": tmp_path / "mine",
    }
    if where == "xdg":
        env["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    if where == "setting":
        repo.git("config", "core.attributesFile", str(tmp_path / "mine"))
    if where == "variable":
        env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.attributesFile"}
        env["GIT_CONFIG_VALUE_0"] = str(tmp_path / "mine")
    if where in places:
        places[where].parent.mkdir(parents=True, exist_ok=True)
        places[where].write_text("*.txt text eol=crlf\n")
    with opened(repo, env) as repository:
        found = attributes.of_paths(repository, repo.oid("HEAD^{tree}"), [b"a.txt", b"b"])
        git = attributes.of_worktree(repository.git, [b"a.txt", b"b"])
    assert found == git
    assert (found[b"a.txt"]["eol"] == "crlf") == (where != "none")


# -- configuration that changes --------------------------------------------------------------------


def settings_seen(repository: Repository) -> str | None:
    repository.look_again()
    return repository.config.get("x.y")


def test_a_change_of_any_file_is_seen(repo: Lab, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "GIT_CONFIG_SYSTEM": str(tmp_path / "sys")}
    clean = {k: v for k, v in os.environ.items() if k != "GIT_CONFIG_GLOBAL"}
    clean.pop("GIT_CONFIG_NOSYSTEM")
    with open_repository(str(repo.path), {**clean, **env}, in_process=True) as repository:
        assert settings_seen(repository) is None
        places = [
            tmp_path / "sys",
            tmp_path / ".config/git/config",
            tmp_path / ".gitconfig",
            repo.common_dir / "config",
        ]
        for number, place in enumerate(places):
            place.parent.mkdir(parents=True, exist_ok=True)
            for value in (f"{number}a", f"{number}b"):
                repo.git("config", "-f", str(place), "x.y", value)
                assert settings_seen(repository) == value
        repo.git("config", "extensions.worktreeConfig", "true")
        repo.git("config", "--worktree", "x.y", "worktree")
        assert settings_seen(repository) == "worktree"
        repo.git("config", "--worktree", "--unset", "x.y")
        assert settings_seen(repository) == "3b"


def test_an_include_is_read_each_time(repo: Lab, tmp_path: Path) -> None:
    other = tmp_path / "other"
    repo.git("config", "include.path", str(other))
    with opened(repo, in_process=True) as repository:
        assert settings_seen(repository) is None
        for value in ("a", "b"):
            other.write_text(f"[x]\n\ty = {value}\n")
            assert settings_seen(repository) == value


def test_what_depends_on_configuration_follows_it(repo: Lab, tmp_path: Path) -> None:
    with opened(repo, in_process=True) as repository:
        repo.git("config", "core.hooksPath", str(tmp_path))
        repo.git("config", "core.sharedRepository", "group")
        repository.look_again()
        assert repository.layout.hooks_dir == str(tmp_path)
        assert repository.layout.sharing == stat.S_IRUSR | 0o260
        repo.git("config", "extensions.refStorage", "reftable")
        with pytest.raises(SlipError):
            repository.look_again()


def test_without_a_change_nothing_is_asked(repo: Lab, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    path = stand_in(tmp_path / "bin", f"echo >>{asked}")
    env = {"PATH": path, "GIT_CONFIG_SYSTEM": str(tmp_path / "missing")}
    with opened(repo, env, in_process=True) as found:
        before = asked.read_text()
        for _ in range(3):
            found.look_again()
        assert asked.read_text() == before


def test_where_git_reads_nothing_it_is_not_asked_again(repo: Lab) -> None:
    """As scripts and benchmarks turn configuration off; /dev/null is written to all the time."""
    off = {"GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_GLOBAL": os.devnull}
    env = {name: value for name, value in os.environ.items() if name != "GIT_CONFIG_NOSYSTEM"}
    with open_repository(str(repo.path), env | off, in_process=True) as repository:
        config = repository.config
        Path(os.devnull).write_bytes(b"nothing")
        before = repository._files
        assert before is not None
        assert before.unchanged()
        repository.look_again()
        assert (repository._files, repository.config) == (before, config)
        repo.git("config", "x.y", "now")
        assert settings_seen(repository) == "now"
