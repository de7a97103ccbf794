"""Warm worktrees: what a project's tools need is there, and costs one checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.changes.test_hooks import hook
from tests.children import Children
from tests.desk import Desk, batch, write
from tests.lab import Content, Lab, Script


def project(desk: Desk, settings: str, files: dict[str, Content] | None = None) -> Desk:
    """A project with an ignored directory of tools, `.slip.toml`, and a session to land."""
    repo = desk.lab
    ignored = "tools/\nmade/\n"
    repo.commit({".slip.toml": settings, ".gitignore": ignored, "lock": "1\n", **(files or {})})
    repo.write("tools/lint", Script(b"#!/bin/sh\necho linted by $0\n"))
    desk.begin("work")
    desk.apply(write("a.txt", "1\n"))
    return desk


def test_without_settings_the_error_says_what_was_missing_and_how_to_give_it(desk: Desk) -> None:
    repo = project(desk, "").lab
    repo.write("node_modules/.bin/lint", Script(b"#!/bin/sh\necho fine\n"))
    repo.write(".git/info/exclude", "node_modules\n")
    hook(repo, "pre-commit", "exec node_modules/.bin/lint")
    fault = desk.commit_refused("hook-failed")
    assert "did not find node_modules/.bin/lint" in fault.message
    assert fault.data["settings"] == ["[pool]", 'share = ["node_modules"]']
    assert fault.hint is not None
    # The hint can be typed, and then it lands.
    subprocess.run(fault.hint, shell=True, check=True, cwd=repo.path, capture_output=True)  # noqa: S602
    (run,) = desk.commit("land")["hooks"]
    assert run["output"] == "fine"


def test_share_links_from_the_callers_worktree(desk: Desk) -> None:
    repo = project(desk, '[pool]\nshare = ["tools", "absent"]\n').lab
    hook(repo, "pre-commit", "tools/lint; git add -A; git status --porcelain")
    (run,) = desk.commit("land")["hooks"]
    assert run["output"] == "linted by tools/lint\nA  a.txt"
    assert "tools" not in repo.tree()
    assert repo.read("tools/lint").startswith(b"#!")


def test_setup_runs_once_for_each_content(desk: Desk, tmp_path: Path) -> None:
    count = tmp_path / "count"
    settings = f'[pool]\nsetup = "echo x >> {count}; mkdir made; cat lock > made/it"\n'
    repo = project(desk, settings + 'setup_when = ["lock"]\n').lab
    hook(repo, "pre-commit", "cat made/it")
    for number in range(3):
        desk.apply(write(f"{number}.txt", "1\n"))
        assert desk.commit("land", keep=True)["hooks"][0]["output"] == "1"
    assert count.read_text() == "x\n"
    desk.apply(write("lock", "2\n"))
    hook(repo, "pre-commit", "true")
    desk.commit("another lock")
    assert count.read_text() == "x\nx\n"


def test_a_setup_that_fails_refuses_the_landing_and_runs_again(desk: Desk) -> None:
    repo = project(desk, '[pool]\nsetup = "echo no network; exit 4"\n').lab
    hook(repo, "pre-commit", "true")
    before, refs = repo.snapshot(), repo.refs()
    for _ in range(2):
        fault = desk.commit_refused("hook-failed")
        assert fault.data == {"hook": "setup", "exit": 4, "output": "no network"}
    assert (repo.snapshot(), repo.refs()) == (before, refs)


@pytest.mark.parametrize(
    "settings",
    [
        "[pool",
        "[pool]\nsetup = 1\n",
        '[pool]\nshare = ["../outside"]\n',
        '[pool]\nshare = ["/etc"]\n',
        '[pool]\nshare = [".git"]\n',
        '[pool]\nshared = ["x"]\n',
        "pool = 3\n",
    ],
)
def test_settings_that_say_nothing_useful_are_refused(desk: Desk, settings: str) -> None:
    desk.lab.commit({"a": "1\n"})
    desk.begin("work")
    desk.apply(write("b", "1\n"))
    desk.lab.commit({".slip.toml": settings})
    repo = desk.lab
    hook(repo, "pre-commit", "true")
    before, refs = repo.snapshot(), repo.refs()
    assert ".slip.toml" in desk.commit_refused("policy").message
    assert ".slip.toml" in desk.refused("policy", "apply", ops=batch(write("c", "1\n"))).message
    assert (repo.snapshot(), repo.refs()) == (before, refs)


def test_settings_come_from_the_commit_landed_on(desk: Desk) -> None:
    repo = project(desk, '[pool]\nshare = ["tools"]\n').lab
    desk.apply(write(".slip.toml", '[pool]\nsetup = "exit 1"\n'))
    hook(repo, "pre-commit", "tools/lint")
    assert desk.commit("land")["hooks"][0]["status"] == "passed"


def changed_at(root: Path) -> dict[str, int]:
    return {place.name: place.stat().st_ctime_ns for place in root.iterdir() if place.is_file()}


def test_only_what_changed_is_written(desk: Desk) -> None:
    repo = project(desk, "", {f"f{n}": f"{n}\n" for n in range(20)}).lab
    hook(repo, "pre-commit", "true")
    desk.commit("land", keep=True)
    root = repo.path / ".git/slip/pool/1/tree"
    before = changed_at(root)
    desk.apply(write("f3", "new\n"))
    desk.commit("again")
    after = changed_at(root)
    assert {name for name in after if before.get(name) != after[name]} == {"f3"}


def test_each_lands_in_a_worktree_of_its_own(
    desk: Desk, tmp_path: Path, children: Children
) -> None:
    """Two slow landings on two branches run side by side."""
    repo = project(desk, "").lab
    repo.git("branch", "side")
    desk.begin("other", onto="side")
    desk.apply(write("b.txt", "2\n"), session="other")
    hook(
        repo, "pre-commit",
        f"touch {tmp_path}/$(git symbolic-ref --short HEAD);"
        f" until test -e {tmp_path}/main && test -e {tmp_path}/side; do sleep 0.05; done",
    )  # fmt: skip
    running = [repo.start(children, "commit", "-s", n, "-m", n) for n in ("work", "other")]
    assert [child.wait(60) for child in running] == [0, 0]
    assert "a.txt" in repo.tree("main")
    assert "b.txt" in repo.tree("side")
    assert "a.txt" not in repo.tree("side")


def test_a_linked_worktree_shares_its_own_tools(desk: Desk, tmp_path: Path) -> None:
    repo = project(desk, '[pool]\nshare = ["tools"]\n').lab
    linked = Lab(tmp_path / "linked")
    repo.git("worktree", "add", "--quiet", "-b", "side", str(linked.path))
    linked.write("tools/lint", Script(b"#!/bin/sh\necho the linked one\n"))
    hook(repo, "pre-commit", "tools/lint")
    there = desk.at(linked)
    there.begin("side")
    there.apply(write("b.txt", "2\n"), session="side")
    assert there.commit("land", session="side")["hooks"][0]["output"] == "the linked one"
