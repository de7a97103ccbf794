"""`slip conflicts --worktrees`: what ordinary git has takes part, and is not touched."""

from __future__ import annotations

from tests.changes.concurrency.sides import LINES, MAIN, edit, found
from tests.desk import Desk
from tests.lab import Ground


def test_edits_and_branches_of_worktrees_take_part_untouched(desk: Desk, ground: Ground) -> None:
    desk.lab.commit({"f": LINES, "g": LINES})
    agent = ground.linked(desk.lab, "agent", "agent")
    agent.commit({"f": LINES.replace("line 3\n", "agent\n")})
    agent.write("g", LINES.replace("line 9\n", "agent\n"))
    agent.git("add", "g")
    agent.write("untracked", "mine\n")
    desk.lab.write("g", LINES.replace("line 9\n", "person\n"))
    desk.begin("one")
    desk.apply(edit(3, "uno"), session="one")
    before = agent.snapshot(), desk.lab.snapshot()
    assert desk.call("conflicts")["pairs"] == []
    told = desk.call("conflicts", worktrees=True)
    branch, there, here = "refs/heads/agent", str(agent.path), str(desk.lab.path)
    assert told["parties"] == sorted([branch, MAIN, there, here])
    first, second = sorted((here, there))
    assert found(told) == {
        ("one", branch): {"f": "content"},
        (first, second): {"g": "content"},
    }
    assert (agent.snapshot(), desk.lab.snapshot()) == before
    desk.lab.git("checkout", "--quiet", "--", "g")
    desk.lab.commit({"f": LINES.replace("line 3\n", "main\n")})
    told = desk.call("conflicts", sessions=("one",), worktrees=True)
    assert set(found(told)) == {("one", branch), (MAIN, "one")}
    assert (MAIN, branch) in found(desk.call("conflicts", worktrees=True))
    objects = desk.lab.git("count-objects", "-v")
    desk.call("conflicts", worktrees=True)
    assert desk.lab.git("count-objects", "-v") == objects


def test_a_worktree_in_the_middle_of_a_merge_hides_nobody(desk: Desk, ground: Ground) -> None:
    desk.lab.commit({"f": LINES})
    agent = ground.linked(desk.lab, "agent", "agent")
    agent.commit({"f": LINES.replace("line 3\n", "agent\n")})
    desk.lab.commit({"f": LINES.replace("line 3\n", "main\n")})
    agent.git("merge", "--quiet", "main", expect=1)
    for name in ("one", "two"):
        desk.begin(name)
        desk.apply(edit(9, name), session=name)
    told = desk.call("conflicts", worktrees=True)
    assert set(found(told)) == {("one", "two"), (MAIN, "refs/heads/agent")}
    assert [row["name"] for row in told["unreadable"]] == [str(agent.path)]
    assert "unmerged" in told["unreadable"][0]["why"]


def test_a_worktree_whose_directory_is_gone(desk: Desk, ground: Ground) -> None:
    agent = ground.linked(desk.lab, "agent", "agent")
    agent.path.rename(agent.path.with_name("elsewhere"))
    ground.labs.remove(agent)
    desk.begin("one")
    assert desk.call("conflicts", worktrees=True)["unreadable"] == []
