"""`slip commit --push`: a landing on a branch of another repository, by compare-and-swap."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.children import Children
from tests.lab import Ground, Lab, slip_command, typed
from tests.sharing.hubs import Hub, hook, push, staged

PATIENCE_S = 30.0
# In a hook of a clone: somebody else pushes first, so many times.
OTHERS_FIRST = """\
n=$(ls "$place" | wc -l)
[ "$n" -ge {times} ] && exit 0
touch "$place/$n"
unset GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE
cd {other} && echo "$n" >"other$n" && git add . && git commit -qm "other $n" && git push -q
"""


def sessions(lab: Lab) -> list[str]:
    return [ref.removeprefix("refs/slip/sessions/") for ref in lab.refs("refs/slip/sessions/")]


def waiting(lab: Lab) -> list[Path]:
    """Pushes of which it is not known what became of them."""
    return sorted((lab.common_dir / "slip" / "pushes").glob("*.json"))


def soon(path: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.01)


# --- it lands there, and here ---------------------------------------------------------------------


def test_it_lands_there_and_the_branch_here_follows(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    base = hub.lab.oid("main")
    reply = push(one, "s1").json
    assert reply["commit"] == hub.lab.oid("main") == one.oid("main") == one.oid("origin/main")
    assert reply["pushed"] == {
        "remote": "origin", "ref": "refs/heads/main", "old": base, "tries": 1, "followed": True,
    }  # fmt: skip
    assert reply["checkout"] == "updated"
    assert one.read("s1") == b"s1\n"
    assert one.git("status", "--porcelain") == ""
    assert sessions(one) == []
    assert "s1" in one.git("notes", "--ref=slip/landed", "show", "main")
    assert waiting(one) == []
    # What slip keeps stays here.
    assert list(hub.lab.refs()) == ["refs/heads/main"]
    assert "slip" not in one.git("branch", "--all")


def test_what_others_pushed_is_merged_and_comes_along(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1", "top\n# Demo\n", "README.md")
    theirs = hub.commit({"src/app.py": "def main():\n    return 2\n"}, "theirs")
    reply = push(one, "s1").json
    assert one.git("log", "--format=%H", "-2", "main").split() == [reply["commit"], theirs]
    assert reply["merged"]
    assert [change["path"] for change in reply["changes"]] == ["README.md"]
    assert one.read("src/app.py") == b"def main():\n    return 2\n"
    assert one.git("status", "--porcelain") == ""


@pytest.mark.parametrize("times", [1, 3])
def test_a_race_that_is_lost_is_run_again(hub: Hub, times: int) -> None:
    one, other = hub.clone("one"), hub.clone("other")
    staged(one, "s1")
    hook(one, "pre-push", OTHERS_FIRST.format(times=times, other=other.path))
    reply = push(one, "s1").json
    assert reply["pushed"]["tries"] == times + 1
    assert hub.subjects() == [*(f"other {n}" for n in range(times)), "Do s1"]
    assert hub.is_linear()
    assert one.oid("main") == hub.lab.oid("main")
    assert waiting(one) == []


def test_a_branch_that_is_not_there_is_made(hub: Hub) -> None:
    one = hub.clone("one")
    one.commit({"mine": "1\n"}, "mine, not pushed")
    one.git("switch", "--quiet", "--create", "topic")
    staged(one, "s1")
    reply = push(one, "s1").json
    assert hub.subjects("topic") == ["mine, not pushed", "Do s1"]
    assert reply["pushed"]["ref"] == "refs/heads/topic"
    assert one.oid("topic") == hub.lab.oid("topic") == one.oid("origin/topic")


def test_a_branch_that_comes_up_meanwhile_is_not_written_over(hub: Hub) -> None:
    one, other = hub.clone("one"), hub.clone("other")
    other.git("switch", "--quiet", "--create", "topic")
    other.git("config", "push.default", "current")
    one.git("switch", "--quiet", "--create", "topic")
    staged(one, "s1")
    hook(one, "pre-push", OTHERS_FIRST.format(times=1, other=other.path))
    push(one, "s1")
    assert hub.subjects("topic") == ["other 0", "Do s1"]


def test_the_branch_that_is_tracked_there_is_meant(hub: Hub) -> None:
    hub.lab.git("branch", "trunk", "main")
    one = hub.clone("one")
    one.git("switch", "--quiet", "--create", "mine", "--track", "origin/trunk")
    staged(one, "s1")
    assert push(one, "s1").json["pushed"]["ref"] == "refs/heads/trunk"
    assert hub.subjects("trunk") == ["Do s1"]
    assert one.oid("mine") == hub.lab.oid("trunk")


def test_from_a_bare_clone_and_by_url(hub: Hub) -> None:
    one = hub.clone("one", "--bare")
    one.slip("begin", "s1", "--onto", "main", "--title", "Do s1")
    one.slip("write", "s1", "-s", "s1", stdin=b"1\n")
    reply = one.slip_json("commit", "-s", "s1", "--push", hub.url).json
    assert reply["commit"] == hub.lab.oid("main") == one.oid("main")


def test_exec_lands_there(hub: Hub) -> None:
    one = hub.clone("one")
    ops = json.dumps([{"op": "write", "path": "x", "content": "1\n"}])
    reply = one.slip_json("exec", "--ops", ops, "-m", "Add x", "--push", "origin").json
    assert reply["commit"]["commit"] == hub.lab.oid("main") == one.oid("main")
    assert hub.subjects() == ["Add x"]


# --- the branch here stays as it is ---------------------------------------------------------------


def test_commits_of_ones_own_stay_here(hub: Hub) -> None:
    one = hub.clone("one")
    mine = one.commit({"mine": "1\n"}, "mine")
    staged(one, "s1")
    before = one.snapshot()
    reply = push(one, "s1")
    assert not reply.json["pushed"]["followed"]
    assert hub.subjects() == ["Do s1"]
    assert one.oid("main") == mine
    after = one.snapshot()
    tracking = {ref: oid for ref, oid in after.refs.items() if ref != "refs/remotes/origin/main"}
    refs = {ref: oid for ref, oid in before.refs.items() if ref != "refs/remotes/origin/main"}
    assert tracking == refs
    assert after._replace(refs={}, status=b"") == before._replace(refs={}, status=b"")
    assert sessions(one) == []
    typed(typeable(reply.err), one.path)
    assert one.git("log", "--format=%s", "-2").splitlines() == ["mine", "Do s1"]


def typeable(notice: bytes) -> str:
    """The command that a notice ends with."""
    return notice.decode().partition("when that is settled: ")[2].partition(")")[0]


def test_a_file_in_the_way_stays_and_the_branch_with_it(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1", "theirs\n", "README.md")
    one.write("README.md", "mine, not committed\n")
    base = one.oid("main")
    reply = push(one, "s1")
    assert hub.subjects() == ["Do s1"]
    assert one.read("README.md") == b"mine, not committed\n"
    assert one.oid("main") == base
    assert sessions(one) == []
    one.git("stash", "--quiet")
    typed(typeable(reply.err), one.path)
    assert one.oid("main") == hub.lab.oid("main")


def test_what_was_captured_is_not_in_the_way(hub: Hub) -> None:
    one = hub.clone("one")
    one.write("README.md", "captured\n")
    one.slip("begin", "s1", "--title", "Do s1")
    one.slip("capture", "-s", "s1")
    assert push(one, "s1").json["pushed"]["followed"]
    assert one.git("status", "--porcelain") == ""


def test_no_checkout_moves_refs_only(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    reply = push(one, "s1", "--no-checkout").json
    assert reply["behind_worktrees"] == [str(one.path)]
    assert not (one.path / "s1").exists()
    assert one.oid("main") == hub.lab.oid("main")


def test_steps_made_meanwhile_stay_open(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    more = " ".join(slip_command("write", "more", "-s", "s1"))
    hook(one, "pre-push", f"unset GIT_DIR; echo more | {more}")
    push(one, "s1")
    assert sessions(one) == ["s1"]
    (one.git_dir / "hooks" / "pre-push").unlink()
    push(one, "s1", "-m", "the rest")
    assert hub.subjects() == ["Do s1", "the rest"]
    assert hub.lab.tree("main")["more"] == b"more\n"


# --- it is refused --------------------------------------------------------------------------------


def test_a_conflict_moves_nothing(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1", "mine\n", "README.md")
    theirs = hub.commit({"README.md": "theirs\n"}, "theirs")
    base = one.oid("main")
    error = push(one, "s1", expect=3).error
    assert error["data"]["onto_commit"] == theirs
    assert hub.lab.oid("main") == theirs
    assert (one.oid("main"), sessions(one)) == (base, ["s1"])
    assert waiting(one) == []


def test_a_server_that_says_no_is_asked_once(hub: Hub) -> None:
    one = hub.clone("one")
    place = hook(hub.lab, "pre-receive", 'echo "not on a sunday" >&2; date >>"$place/ran"; exit 1')
    staged(one, "s1")
    base = one.oid("main")
    error = push(one, "s1", expect=1).error
    assert error["code"] == "git-failed"
    assert "hook declined" in error["message"]
    assert "not on a sunday" in error["message"]
    assert "\n" not in error["message"]
    assert len((place / "ran").read_text().splitlines()) == 1
    assert hub.lab.oid("main") == one.oid("main") == base
    assert (sessions(one), waiting(one)) == (["s1"], [])
    (hub.lab.git_dir / "hooks" / "pre-receive").unlink()
    typed(error["hint"], one.path)
    assert hub.subjects() == ["Do s1"]


def test_a_pre_push_hook_has_its_say(hub: Hub) -> None:
    one = hub.clone("one")
    place = hook(one, "pre-push", 'cat >>"$place/said"; echo "$1" >>"$place/said"; exit 1')
    staged(one, "s1")
    assert push(one, "s1", expect=1).error["code"] == "git-failed"
    said = (place / "said").read_text()
    assert "refs/heads/main" in said
    assert "origin" in said
    assert hub.subjects() == []
    push(one, "s1", "--no-verify")
    assert hub.subjects() == ["Do s1"]


def test_hooks_of_a_commit_see_what_lands_there(hub: Hub) -> None:
    one = hub.clone("one")
    theirs = hub.commit({"theirs": "1\n"}, "theirs")
    script = 'git rev-parse HEAD >"$place/head"; git diff --cached --name-only >"$place/names"'
    place = hook(one, "pre-commit", f"{script}; echo formatted >s1; git add s1")
    staged(one, "s1")
    push(one, "s1")
    assert (place / "head").read_text().split() == [theirs]
    assert (place / "names").read_text().split() == ["s1"]
    assert hub.lab.tree("main")["s1"] == b"formatted\n"


@pytest.mark.parametrize(
    "name",
    ["--upload-pack=touch pwned", "-oProxyCommand=touch pwned", "", "a\nb", "http://x\x1b[31m/"],
)
def test_a_name_that_is_none_is_refused(hub: Hub, name: str) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    error = one.slip_json("commit", "-s", "s1", f"--push={name}", expect=2).error
    assert error["code"] == "bad-name"
    assert not list(one.path.glob("pwned*"))
    assert sessions(one) == ["s1"]


def test_a_program_for_a_transport_is_left_to_git_which_refuses_it(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    command = f"ext::sh -c touch% {one.path}/pwned"
    error = one.slip_json("commit", "-s", "s1", f"--push={command}", expect=1).error
    assert error["code"] == "git-failed"
    assert "not allowed" in error["message"]
    assert not (one.path / "pwned").exists()


def test_nobody_is_reached(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    began = time.monotonic()
    error = one.slip_json("commit", "-s", "s1", "--push", "nowhere", expect=1).error
    assert "nowhere cannot be reached" in error["message"]
    assert error["hint"] == "git remote -v"
    one.git("remote", "set-url", "origin", "http://ada:hunter2@127.0.0.1:9/x.git")
    one.git("config", "slip.pushPatience", "1")
    reply = one.slip_json("commit", "-s", "s1", "--push", "origin", expect=1)
    assert b"trying again" in reply.err
    assert b"hunter2" not in reply.out + reply.err
    assert time.monotonic() - began < PATIENCE_S
    assert sessions(one) == ["s1"]


def test_a_dry_run_tells_and_moves_nothing(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    hub.commit({"theirs": "1\n"}, "theirs")
    before, there = one.snapshot(), hub.lab.refs()
    reply = push(one, "s1", "--dry-run").json
    assert reply["dry_run"]
    assert [change["path"] for change in reply["changes"]] == ["s1"]
    head = hub.lab.oid("main")
    assert (reply["pushed"]["remote"], reply["pushed"]["ref"], reply["pushed"]["old"]) == (
        "origin", "refs/heads/main", head,
    )  # fmt: skip
    said = one.slip("commit", "-s", "s1", "--push", "origin", "--dry-run").out.decode()
    assert f"would land on main of origin, which is at {head[:10]}" in said
    new = one.slip("commit", "-s", "s1", "--push", "origin", "--dry-run", "--onto", "new").text
    assert "would land on new of origin, not there yet" in new
    assert (one.snapshot(), hub.lab.refs()) == (before, there)


def test_one_that_landed_here_alone_is_told(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    one.slip("commit", "-s", "s1")
    error = push(one, "s1", expect=1).error
    assert error["code"] == "missing"
    assert hub.subjects() == []
    typed(error["hint"], one.path)
    assert hub.subjects() == ["Do s1"]
    reply = push(one, "s1").json
    assert (reply["already"], reply["committed"]) == (True, False)


# --- several in one push --------------------------------------------------------------------------


def test_several_land_in_one_push(hub: Hub) -> None:
    one = hub.clone("one")
    place = hook(hub.lab, "pre-receive", 'date >>"$place/ran"')
    for name in ("s1", "s2", "s3"):
        staged(one, name)
    hub.commit({"theirs": "1\n"}, "theirs")
    reply = one.slip_json("land", "--all", "--push", "origin").json
    assert [row["session"] for row in reply["landed"]] == ["s1", "s2", "s3"]
    assert hub.subjects() == ["theirs", "Do s1", "Do s2", "Do s3"]
    assert len((place / "ran").read_text().splitlines()) == 1
    assert one.oid("main") == hub.lab.oid("main")
    assert sessions(one) == []
    noted = one.git("notes", "--ref=slip/landed", "list").splitlines()
    assert len(noted) == 3


def test_one_that_collides_is_left_out_or_all_are(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    staged(one, "s2", "mine\n", "README.md")
    staged(one, "s3")
    hub.commit({"README.md": "theirs\n"}, "theirs")
    one.slip_json("land", "--all", "--atomic", "--push", "origin", expect=3)
    assert hub.subjects() == ["theirs"]
    reply = one.slip_json("land", "--all", "--push", "origin", expect=3)
    assert [row["session"] for row in reply.error["data"]["landed"]] == ["s1", "s3"]
    assert hub.subjects() == ["theirs", "Do s1", "Do s3"]
    assert sessions(one) == ["s2"]


def test_several_branches_are_several_pushes(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    one.slip("begin", "s2", "--onto", "topic", "--title", "Do s2")
    one.slip("write", "s2", "-s", "s2", stdin=b"2\n")
    error = one.slip_json("land", "--all", "--push", "origin", expect=1).error
    assert error["code"] == "unsupported"
    assert error["hint"] == "slip land s1 --push origin"


# --- nobody heard the answer ----------------------------------------------------------------------


def killed_in_a_push(hub: Hub, one: Lab, children: Children) -> Path:
    """Kill slip once the push is there; what lets the other side's hook go on."""
    wait = 'touch "$place/began"; while [ ! -e "$place/go" ]; do sleep 0.02; done'
    place = hook(hub.lab, "post-receive", wait)
    child = one.start(children, "commit", "-s", "s1", "--push", "origin")
    soon(place / "began")
    child.send_signal(signal.SIGKILL)
    child.wait()
    (hub.lab.git_dir / "hooks" / "post-receive").unlink()
    return place / "go"


def test_a_killed_push_that_happened_is_found(hub: Hub, children: Children) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    killed_in_a_push(hub, one, children).touch()
    assert (sessions(one), len(waiting(one))) == (["s1"], 1)
    # Whoever would land it elsewhere is told first, and nothing is lost by asking.
    error = one.slip_json("commit", "-s", "s1", expect=1).error
    assert error["code"] == "locked"
    hub.commit({"theirs": "1\n"}, "theirs")
    reply = push(one, "s1").json
    assert reply["already"]
    assert hub.subjects() == ["Do s1", "theirs"]
    assert (sessions(one), waiting(one)) == ([], [])
    assert one.git("log", "--format=%s", "-1", "main") == "Do s1"
    assert one.read("s1") == b"s1\n"


def test_recover_asks_what_became_of_it(hub: Hub, children: Children) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    killed_in_a_push(hub, one, children).touch()
    error = one.slip_json("commit", "-s", "s1", expect=1).error
    assert error["hint"] == "slip recover"
    rows = one.slip_json("recover").json["intents"]
    assert [(row["session"], row["outcome"]) for row in rows] == [("s1", "pushed")]
    assert one.oid("main") == hub.lab.oid("main")
    assert (sessions(one), waiting(one)) == ([], [])
    assert one.slip_json("recover").json["intents"] == []
    assert len(one.git("notes", "--ref=slip/landed", "show", "main").splitlines()) == 1


def test_one_that_did_not_happen_is_forgotten_in_time(hub: Hub, children: Children) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    place = hook(one, "pre-push", 'touch "$place/began"; sleep 2; exit 1')
    child = one.start(children, "commit", "-s", "s1", "--push", "origin")
    soon(place / "began")
    child.send_signal(signal.SIGKILL)
    child.wait()
    (one.git_dir / "hooks" / "pre-push").unlink()
    assert one.slip_json("recover").json["intents"][0]["outcome"] == "unknown"
    [path] = waiting(one)
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "at_s": said["at_s"] - 3600}))
    assert one.slip_json("recover").json["intents"][0]["outcome"] == "undone"
    one.slip("commit", "-s", "s1")
    assert one.git("log", "--format=%s", "-1") == "Do s1"


def test_one_killed_before_it_happened_lands_once(hub: Hub, children: Children) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    place = hook(one, "pre-push", 'touch "$place/began"; sleep 1; touch "$place/done"')
    child = one.start(children, "commit", "-s", "s1", "--push", "origin")
    soon(place / "began")
    child.send_signal(signal.SIGKILL)
    child.wait()
    # The git that it had started goes on and pushes, and so does the next slip.
    push(one, "s1")
    soon(place / "done")
    time.sleep(0.3)
    push(one, "s1")
    assert hub.subjects() == ["Do s1"]
    assert (sessions(one), waiting(one)) == ([], [])


def test_many_clones_of_one_directory(hub: Hub, children: Children) -> None:
    labs = [hub.clone(f"c{n}") for n in range(4)]
    for lab in labs:
        staged(lab, lab.path.name)
    started = [
        lab.start(children, "commit", "-s", lab.path.name, "--push", "origin") for lab in labs
    ]
    assert [child.wait(PATIENCE_S * 2) for child in started] == [0] * 4
    assert sorted(hub.subjects()) == [f"Do c{n}" for n in range(4)]
    assert hub.is_linear()


def test_two_in_one_clone(hub: Hub, ground: Ground, children: Children) -> None:
    one = hub.clone("one")
    for n in range(3):
        staged(one, f"s{n}")
    started = [
        one.start(children, "commit", "-s", f"s{n}", "--push", "origin", out=subprocess.PIPE)
        for n in range(3)
    ]
    said = [child.communicate(timeout=PATIENCE_S * 2) for child in started]
    assert [child.returncode for child in started] == [0] * 3, said
    assert sorted(hub.subjects()) == ["Do s0", "Do s1", "Do s2"]
    assert one.oid("main") == hub.lab.oid("main")
