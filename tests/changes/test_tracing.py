"""From a line to the commit, session, step, op and agent that made it."""

from __future__ import annotations

import shutil

from tests.desk import Desk, replace, write
from tests.lab import Lab


def landed(desk: Desk) -> str:
    desk.begin("fix", title="Fix it", agent="bot")
    desk.apply(write("lib/a.py", "one\ntwo\nthree\n"), group="first")
    desk.apply(replace("lib/a.py", "two", "TWO"), write("other", "x\n"), agent="helper")
    return str(desk.commit("Fix all of it")["commit"])


def test_a_landed_line_leads_to_its_step_and_op(desk: Desk) -> None:
    commit = landed(desk)
    told = desk.call("why", place="lib/a.py:2")
    assert told["commit"] == commit
    assert told["subject"] == "Fix all of it"
    assert told["author"] == "Ada Test <ada@example.com>"
    assert (told["session"], told["title"], told["agent"]) == ("fix", "Fix it", "helper")
    assert (told["step"], told["kind"], told["op_index"]) == (2, "apply", 0)
    assert told["op"] == {"op": "str_replace", "path": "lib/a.py", "old": "two", "new": "TWO"}
    assert told["kept_as"] == "fix@1"
    first = desk.call("why", place="lib/a.py:3")
    assert (first["step"], first["group"], first["agent"]) == (1, "first", "bot")
    assert first["op"]["op"] == "write"


def test_where_the_branch_moved_on_and_the_lines_with_it(desk: Desk) -> None:
    lines = [f"line {number}\n" for number in range(40)]
    desk.lab.commit({"long": "".join(lines)})
    desk.begin("fix")
    desk.apply(replace("long", "line 30", "line 30, mended"))
    desk.lab.commit({"long": "".join(["top\n"] * 9 + lines)})
    assert desk.commit("mend")["merged"]
    told = desk.call("why", place="long:40")
    assert (told["text"], told["session"], told["step"]) == ("line 30, mended", "fix", 1)
    assert "session" not in desk.call("why", place="long:1")


def test_lines_of_a_session_and_of_the_working_tree(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1\n2\n"))
    mine = desk.call("why", place="a:2", session="work")
    assert (mine["session"], mine["step"], mine["op_index"]) == ("work", 1, 0)
    assert "commit" not in mine
    base = desk.call("why", place="README.md:1", session="work")
    assert base["commit"] == desk.lab.oid("HEAD")
    assert "session" not in base
    desk.lab.write("README.md", "changed\n")
    edited = desk.call("why", place="README.md:1")
    assert edited == {"path": "README.md", "line": 1, "text": "changed"}
    assert desk.call("why", place="README.md:1", rev="HEAD")["commit"] == desk.lab.oid("HEAD")


def test_names_that_git_quotes_and_lines_that_moved(desk: Desk) -> None:
    name = 'sp ace/caf\u00e9 "x".py'
    desk.begin("odd")
    desk.apply(write(name, "a\nb\n"))
    desk.commit("add")
    desk.lab.git("mv", name, "plain")
    desk.lab.git("commit", "-qm", "move")
    told = desk.call("why", place="plain:2")
    assert (told["session"], told["step"], told["op"]["path"]) == ("odd", 1, name)


def test_a_chain_that_is_gone(desk: Desk) -> None:
    commit = landed(desk)
    desk.lab.git("update-ref", "-d", "refs/slip/closed/fix/1")
    desk.lab.git("gc", "-q", "--prune=now")
    told = desk.call("why", place="lib/a.py:2")
    assert (told["commit"], told["session"], told["chain_gone"]) == (commit, "fix", True)
    assert "step" not in told
    desk.lab.git("update-ref", "-d", "refs/notes/slip/landed")
    assert "session" not in desk.call("why", place="lib/a.py:2")


def test_what_landed_beside_the_session(desk: Desk) -> None:
    """A line that somebody else's note does not explain."""
    landed(desk)
    desk.lab.git("notes", "--ref=slip/landed", "append", "-m", "not of slip", "HEAD")
    assert desk.call("why", place="other:1")["session"] == "fix"


def test_refusals(desk: Desk) -> None:
    desk.refused("usage", "why", place="README.md")
    desk.refused("usage", "why", place="README.md:x")
    desk.refused("out-of-range", "why", place="README.md:0")
    desk.refused("out-of-range", "why", place="README.md:9999")
    desk.refused("missing", "why", place="none:1")
    desk.refused("missing", "why", place="src:1")
    desk.refused("bad-path", "why", place="../x:1")
    desk.refused("usage", "why", place="README.md:1", rev="HEAD", session="x")


def test_in_a_bare_repository_it_is_of_head(bare_repo: Lab, store: str) -> None:
    told = Desk(bare_repo, store).call("why", place="README.md:1")
    assert told["commit"] == bare_repo.oid("HEAD")


def test_without_a_worktree_of_that_file(desk: Desk) -> None:
    shutil.rmtree(desk.lab.path / "src")
    desk.refused("missing", "why", place="src/app.py:1")
    assert desk.call("why", place="src/app.py:1", rev="HEAD")["commit"]


def test_a_split_hides_no_op(desk: Desk) -> None:
    """What landed leads through the step that a rule made, to the op that wrote it."""
    desk.lab.commit({"both": "a\nb\n"})
    desk.begin("fix", title="Fix it")
    desk.apply(write("lib/a.py", "one\ntwo\n"), write("docs/x", "x\n"))
    desk.apply(replace("lib/a.py", "two", "TWO"), replace("both", "a\n", "A\n"), agent="helper")
    was = desk.lab.oid("refs/slip/sessions/fix")
    desk.call("split", by="directory")
    desk.apply(replace("both", "b\n", "B\n"))
    mine = desk.call("why", place="lib/a.py:2", session="fix")
    desk.commit("Fix all of it")
    for told in (mine, desk.call("why", place="lib/a.py:2")):
        assert (told["kind"], told["group"], told["agent"]) == ("split", "lib/", "helper")
        assert (told["was_step"], told["was_commit"]) == (2, was)
        assert told["op"] == {"op": "str_replace", "path": "lib/a.py", "old": "two", "new": "TWO"}
    first = desk.call("why", place="docs/x:1")
    assert (first["was_step"], first["op"]["op"]) == (1, "write")
    assert b"of step 2 before that" in desk.lab.slip("why", "lib/a.py:2").out


def test_what_a_rebase_decided_is_not_looked_for_before_it(desk: Desk) -> None:
    desk.begin("fix", title="Fix it")
    desk.apply(replace("README.md", "# Demo", "# Mine"), write("new", "one\n"))
    desk.lab.commit({"README.md": "# Theirs\n"})
    desk.call("rebase")
    desk.call("resolve", path="README.md", content=b"# Both\n")
    desk.commit("Fix")
    told = desk.call("why", place="new:1")
    assert (told["kind"], told["was_step"], told["op"]["op"]) == ("rebase", 1, "write")
    decided = desk.call("why", place="README.md:1")
    assert decided["kind"] == "resolve"
    assert "was_step" not in decided
