"""A session whose work somebody else has put into the branch as one commit, as forges do."""

from __future__ import annotations

import pytest

from tests.changes.test_series import LINES, TEXT, changed
from tests.desk import Desk, Json, delete, move, write
from tests.lab import Lab


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A session `s` that has changed a file, made one, moved one and deleted one."""
    desk.lab.commit({"long.txt": TEXT, "b.txt": "b\n", "gone.txt": "gone\n"}, "long")
    desk.begin("s", title="Do it")
    desk.apply(changed(10, "mine"), write("raw.bin", b"\0\xff\0"), session="s")
    desk.apply(move("b.txt", "c.txt"), delete("gone.txt"), session="s")
    return desk


def squash(repo: Lab, **changes: bytes | str | None) -> str:
    """What a forge does: the session's tree as a commit on the branch, with changes of its own."""
    files: dict[str, bytes | str | None] = {**repo.tree("refs/slip/sessions/s")}
    there = repo.tree("main")
    files |= {path: None for path in there if path not in files} | changes
    return repo.commit(files, "Do it (#7)")


def is_closed_as(desk: Desk, told: Json, commit: str) -> None:
    assert (told["committed"], told["already"], told["commit"]) == (False, True, commit)
    refs = desk.lab.refs("refs/slip")
    assert list(refs) == ["refs/slip/closed/s/1"]
    landed = desk.lab.git("log", "-1", "--format=%(trailers:key=Slip-Landed,valueonly)",
                          refs["refs/slip/closed/s/1"])  # fmt: skip
    assert landed.strip() == commit


def test_known_by_its_tree(ready: Desk) -> None:
    commit = squash(ready.lab)
    ready.lab.commit({"other.txt": "1\n"}, "after")
    head = ready.lab.oid("main")
    assert ready.call("status", session="s")["landed_as"] == commit
    told = ready.commit("again", session="s")
    is_closed_as(ready, told, commit)
    assert ready.lab.oid("main") == head
    assert ready.commit("again", session="s")["commit"] == commit


def test_known_by_its_patch_on_another_base(ready: Desk) -> None:
    repo = ready.lab
    session = repo.tree("refs/slip/sessions/s")["long.txt"].decode()
    repo.commit({"long.txt": "top\n" + TEXT, "more.txt": "1\n"}, "meanwhile")
    commit = squash(repo, **{"long.txt": "top\n" + session, "more.txt": "1\n"})
    is_closed_as(ready, ready.commit("again", session="s"), commit)


def test_known_where_its_lines_have_changed_since(ready: Desk) -> None:
    repo = ready.lab
    commit = squash(repo)
    text = repo.read("long.txt").decode().replace("mine 10", "theirs 10")
    repo.commit({"long.txt": text}, "after")
    status = ready.call("status", session="s")
    assert status["landed_as"] == commit
    assert "refusal" not in status
    before = repo.snapshot(), repo.refs()
    trial = ready.commit("again", session="s", dry_run=True)
    assert (trial["committed"], trial["commit"]) == (False, commit)
    assert (repo.snapshot(), repo.refs()) == before
    is_closed_as(ready, ready.call("commit", session="s", series=True), commit)


def test_by_land_all(ready: Desk) -> None:
    commit = squash(ready.lab)
    told = ready.call("land", all=True)
    assert [row["session"] for row in told["skipped"]] == ["s"]
    is_closed_as(ready, told["skipped"][0], commit)


def test_what_was_reverted_since_lands_again(ready: Desk) -> None:
    squash(ready.lab)
    ready.lab.git("revert", "--no-edit", "HEAD")
    assert "landed_as" not in ready.call("status", session="s")
    told = ready.commit("again", session="s")
    assert "already" not in told
    assert ready.lab.oid("main") == told["commit"]


def test_one_that_is_kept_stays_open(ready: Desk) -> None:
    squash(ready.lab)
    assert not ready.commit("again", session="s", keep=True)["committed"]
    assert "refs/slip/sessions/s" in ready.lab.refs()


@pytest.mark.parametrize(
    "instead",
    [
        {"long.txt": "".join(LINES).replace("line 10\n", "mine  10\n")},
        {"extra.txt": "1\n"},
        {"raw.bin": b"\0\xfe\0"},
    ],
    ids=["blanks", "more", "bytes"],
)
def test_what_is_not_the_same_is_not_taken_for_it(
    ready: Desk, instead: dict[str, bytes | str | None]
) -> None:
    repo = ready.lab
    squash(repo, **instead)
    assert "landed_as" not in ready.call("status", session="s")
    if "extra.txt" in instead:
        assert not ready.commit("again", session="s")["committed"]
    else:
        ready.commit_refused("conflict", "again", session="s")
    assert "refs/slip/sessions/s" in repo.refs()


def test_an_edit_that_is_not_captured_is_not_closed_over(ready: Desk) -> None:
    own = ready.lab.path.parent / "own"
    ready.call("worktree", session="s", place=str(own))
    squash(ready.lab)
    (own / "long.txt").write_text("mine alone\n")
    ready.commit_refused("dirty", "again", session="s")
    assert "refs/slip/sessions/s" in ready.lab.refs()
