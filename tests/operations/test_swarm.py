"""Many processes at once on one repository: what was acknowledged is there, exactly once."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.children import Children, Started
from tests.desk import Desk, write
from tests.lab import Lab, slip_command, slip_environment

Env = dict[str, str]


def start(children: Children, lab: Lab, *arguments: str, env: Env) -> Started:
    return lab.start(children, "--json", *arguments, env=env, out=subprocess.PIPE)


def landing(children: Children, lab: Lab, count: int, env: Env) -> list[Started]:
    """Landings of sessions n0, n1, … under way."""
    names = [f"n{number}" for number in range(count)]
    return [start(children, lab, "commit", "-s", n, "-m", f"land {n}", env=env) for n in names]


def answers(running: list[Started]) -> list[dict[str, object]]:
    """What all of them said, every one of them with exit status 0."""
    found = []
    for child in running:
        out, err = child.communicate(timeout=300)
        assert child.returncode == 0, (out, err)
        found.append(json.loads(out))
    return found


@pytest.fixture(params=["git", "libgit2"])
def env(request: pytest.FixtureRequest) -> Env:
    """Which object store the processes use."""
    return {"SLIP_STORE": str(request.param)}


def stage(lab: Lab, count: int) -> None:
    """Sessions n0, n1, …, each of which adds a file of its own."""
    desk = Desk(lab, "git")
    for number in range(count):
        desk.begin(f"n{number}")
        desk.apply(write(f"f{number}", f"{number}\n"), session=f"n{number}")


APPLIES = """
import subprocess, sys
worker, command = sys.argv[1], sys.argv[2:]
for number in range(5):
    op = '[{"op":"write","path":"w%s/%d","content":"x"}]' % (worker, number)
    done = subprocess.run([*command, "apply", "-s", "work", "-"], input=op.encode())
    sys.exit(1) if done.returncode else None
"""


def test_ten_workers_apply_to_one_session(repo: Lab, env: Env, children: Children) -> None:
    repo.slip("begin", "work")
    running = [
        children.start(
            [sys.executable, "-c", APPLIES, str(worker), *slip_command()],
            cwd=repo.path, env=slip_environment(env), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for worker in range(10)
    ]  # fmt: skip
    for child in running:
        out, err = child.communicate(timeout=300)
        assert child.returncode == 0, (out, err)
    tip = "refs/slip/sessions/work"
    found = {path for path in repo.tree(tip) if path.startswith("w")}
    assert found == {f"w{worker}/{number}" for worker in range(10) for number in range(5)}
    assert repo.git("rev-list", "--count", f"main..{tip}") == "51"
    steps = repo.slip_json("log", "-s", "work").json["steps"]
    assert [row["step"] for row in steps] == list(range(1, 51))


def test_twenty_begin_at_once(repo: Lab, env: Env, children: Children) -> None:
    said = answers([start(children, repo, "begin", env=env) for _ in range(20)])
    assert {row["session"] for row in said} == {f"s{number}" for number in range(1, 21)}
    assert len(repo.refs("refs/slip/sessions/")) == 20


def test_one_name_is_begun_once(repo: Lab, env: Env, children: Children) -> None:
    running = [start(children, repo, "begin", "work", env=env) for _ in range(8)]
    codes = []
    for child in running:
        out, _ = child.communicate(timeout=300)
        codes.append(json.loads(out).get("error", {}).get("code"))
    assert sorted(codes, key=str) == sorted([None] + ["session-exists"] * 7, key=str)


def test_twenty_land_on_one_branch(repo: Lab, env: Env, children: Children) -> None:
    repo.write("mine", "untracked\n")
    stage(repo, 20)
    said = answers(landing(children, repo, 20, env))
    assert repo.git("rev-list", "--count", "main") == "21"
    listed = set(repo.git("rev-list", "main").splitlines())
    assert {row["commit"] for row in said} < listed
    assert len({row["commit"] for row in said}) == 20
    assert {path for path in repo.tree() if path.startswith("f")} == {f"f{n}" for n in range(20)}
    assert repo.git("status", "--porcelain") == "?? mine"
    assert len(repo.git("notes", "--ref=slip/landed", "list").splitlines()) == 20
    assert repo.refs("refs/slip/sessions/") == {}


def test_landings_among_plain_commits(bare_repo: Lab, env: Env, children: Children) -> None:
    """Somebody else moves the branch with git while sessions land."""
    stage(bare_repo, 6)
    running = landing(children, bare_repo, 6, env)
    others = 0
    while any(child.poll() is None for child in running):
        head = bare_repo.oid("main")
        tree = f"{head}^{{tree}}"
        commit = bare_repo.git("commit-tree", tree, "-p", head, "-m", f"other {others}")
        moved = bare_repo.git("update-ref", "refs/heads/main", commit, head, expect=None)
        others += moved == ""
        time.sleep(0.2)
    answers(running)
    assert {f"f{n}" for n in range(6)} < set(bare_repo.tree("main"))
    subjects = bare_repo.git("log", "--format=%s", "main").splitlines()
    assert sum(subject.startswith("land n") for subject in subjects) == 6
