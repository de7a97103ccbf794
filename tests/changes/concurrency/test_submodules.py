"""Submodules that two branches moved: adopted, told, rebased, decided and landed.

Real submodules, made and moved by git; no op of slip makes one, so sessions come from branches.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import NamedTuple

import pytest

from slipstream_git.errors import SlipError
from tests.changes.concurrency.meeting import kinds, rebase, resolve, tip
from tests.desk import Desk, Json, write
from tests.lab import Ground, Lab

LINK = "160000"


class Outer(NamedTuple):
    """A repository with a submodule at `lib`: base's commit of it, and two that follow it apart."""

    desk: Desk
    inner: Lab
    base: str
    ours: str
    theirs: str

    @property
    def lab(self) -> Lab:
        return self.desk.lab


@pytest.fixture
def outer(ground: Ground, store: str) -> Outer:
    lab = ground.holding_submodule()
    inner = Lab(lab.path / "lib")
    base = inner.oid("HEAD")
    ours = inner.commit({"n": "ours\n"})
    inner.git("checkout", "--quiet", "--detach", base)
    theirs = inner.commit({"m": "theirs\n"})
    inner.git("update-ref", "refs/heads/ours", ours)
    inner.git("update-ref", "refs/heads/theirs", theirs)
    inner.git("checkout", "--quiet", "--detach", base)
    return Outer(Desk(lab, store), inner, base, ours, theirs)


def moves_to(commit: str) -> Callable[[Outer], None]:
    """The submodule at another commit, as `git add lib` stages it."""

    def change(outer: Outer) -> None:
        outer.inner.git("checkout", "--quiet", "--detach", getattr(outer, commit))
        outer.lab.git("add", "lib")

    return change


def removes(outer: Outer) -> None:
    outer.lab.git("rm", "--quiet", "--cached", "lib")
    outer.lab.git("rm", "--quiet", "--cached", ".gitmodules")


def renames(outer: Outer) -> None:
    """As `git mv lib moved` leaves the index."""
    (commit,) = (oid for path, (_, oid) in outer.lab.entries().items() if path == "lib")
    outer.lab.git("rm", "--quiet", "--cached", "lib")
    outer.lab.git("update-index", "--add", "--cacheinfo", f"{LINK},{commit},moved")


def becomes_a_file(outer: Outer) -> None:
    blob = outer.lab.git("hash-object", "-w", "--stdin", stdin=b"a file now\n")
    outer.lab.git("update-index", "--cacheinfo", f"100644,{blob},lib")


def becomes_a_directory(outer: Outer) -> None:
    outer.lab.git("rm", "--quiet", "--cached", "lib")
    blob = outer.lab.git("hash-object", "-w", "--stdin", stdin=b"x\n")
    outer.lab.git("update-index", "--add", "--cacheinfo", f"100644,{blob},lib/x")


Change = Callable[[Outer], None]


def commit(outer: Outer, change: Change, message: str) -> str:
    """Commit it on the branch that is checked out, by the index alone; lib is as it was then."""
    change(outer)
    outer.lab.git("commit", "--quiet", "-m", message)
    oid = outer.lab.oid("HEAD")
    outer.inner.git("checkout", "--quiet", "--detach", outer.base)
    return oid


def adopt(outer: Outer, theirs: Change, ours: Change | None, name: str = "w") -> None:
    """A session of a branch on which ``theirs`` happened, and a main on which ``ours`` did."""
    lab = outer.lab
    start = lab.oid("main")
    lab.git("checkout", "--quiet", "--detach")
    oid = commit(outer, theirs, "theirs")
    lab.git("branch", f"branch-{name}", oid)
    lab.git("symbolic-ref", "HEAD", "refs/heads/main")
    lab.git("read-tree", start)
    if ours is not None:
        commit(outer, ours, "ours")
    lab.git("checkout-index", "--force", "--all", expect=None)
    outer.desk.call("adopt", branch=f"branch-{name}", name=name, onto="main")


def at_tip(outer: Outer, path: str = "lib") -> tuple[str, str] | None:
    return outer.lab.entries(tip(outer.desk)).get(path)


def files(fault: SlipError, key: str = "files") -> list[Json]:
    rows = fault.data[key]
    assert isinstance(rows, list)
    return rows


def conflict_of(outer: Outer) -> Json:
    """The one that a landing would be refused for; git says of the same what it does."""
    before = outer.lab.snapshot()
    fault = outer.desk.commit_refused("conflict", session="w")
    assert outer.lab.snapshot() == before
    assert fault.hint == "slip rebase -s w"
    rows = [row for row in files(fault) if row.get("original", row["path"]) == "lib"]
    # git lists a file and a commit of it both, one of them pushed aside.
    assert {row["kind"] for row in rows} == {rows[0]["kind"]}, rows
    return rows[0]


@pytest.mark.parametrize("take", ["ours", "theirs", "base", "as_is"])
def test_two_commits_of_it(outer: Outer, take: str) -> None:
    adopt(outer, moves_to("theirs"), moves_to("ours"))
    row = conflict_of(outer)
    assert (row["kind"], row["hunks"]) == ("submodule", [])
    assert [row[f"{side}_oid"] for side in ("base", "ours", "theirs")] == [
        outer.base, outer.ours, outer.theirs
    ]  # fmt: skip
    assert row["did"] == {
        "ours": f"made it the submodule's commit {outer.ours[:10]}",
        "theirs": f"made it the submodule's commit {outer.theirs[:10]}",
    }
    assert [commit["subject"] for commit in row["by"]] == ["ours"]
    (pair,) = outer.desk.call("conflicts")["pairs"]
    assert [(p["path"], p["kind"]) for p in pair["paths"]] == [("lib", "submodule")]

    reply = rebase(outer.desk)
    assert kinds(reply) == {"lib": "submodule"}
    assert at_tip(outer) == (LINK, outer.ours)
    outer.desk.commit_refused("conflict", session="w")
    assert resolve(outer.desk, "lib", take)["resolved"]
    decided = {"ours": outer.ours, "as_is": outer.ours}.get(take) or getattr(outer, take)
    assert at_tip(outer) == (LINK, decided)
    inside = outer.inner.snapshot()
    outer.desk.commit("land", session="w")
    assert outer.lab.entries("main")["lib"] == (LINK, decided)
    assert outer.lab.git("ls-files", "--stage", "lib").split()[1] == decided
    assert outer.inner.snapshot() == inside


def test_the_later_of_two_commits_is_git_s_own_answer(outer: Outer) -> None:
    outer.inner.git("checkout", "--quiet", "--detach", outer.ours)
    later = outer.inner.commit({"later": "x\n"})
    outer.inner.git("update-ref", "refs/heads/later", later)
    outer.inner.git("checkout", "--quiet", "--detach", outer.base)
    adopt(outer._replace(theirs=later), moves_to("theirs"), moves_to("ours"))
    assert outer.desk.commit("land", session="w")["merged"] is True
    assert outer.lab.entries("main")["lib"] == (LINK, later)


@pytest.mark.parametrize(
    ("theirs", "ours", "kind"),
    [
        (moves_to("theirs"), removes, "modify-delete"),
        (removes, moves_to("ours"), "modify-delete"),
        (moves_to("theirs"), becomes_a_file, "type"),
        (becomes_a_file, moves_to("ours"), "type"),
        (moves_to("theirs"), becomes_a_directory, "file-directory"),
        (becomes_a_directory, moves_to("ours"), "file-directory"),
    ],
    ids=[
        "gone in main", "gone in the session", "a file in main",
        "a file in the session", "a directory in main", "a directory in the session",
    ],
)  # fmt: skip
@pytest.mark.parametrize("take", ["ours", "theirs"])
def test_it_is_something_else_on_one_side(
    outer: Outer, theirs: Change, ours: Change, kind: str, take: str
) -> None:
    adopt(outer, theirs, ours)
    assert conflict_of(outer)["kind"] == kind
    sides = {"ours": lib(outer, "main"), "theirs": lib(outer, "branch-w")}
    reply = rebase(outer.desk)
    assert kinds(reply) == {"lib": kind}
    assert lib(outer, tip(outer.desk)) == sides["ours"]
    assert resolve(outer.desk, "lib", take)["resolved"]
    assert lib(outer, tip(outer.desk)) == sides[take]
    outer.desk.commit("land", session="w", no_checkout=True)
    assert lib(outer, "main") == sides[take]


def test_a_move_goes_with_its_new_name(outer: Outer) -> None:
    """git follows a submodule that is at the very commit that it was."""
    adopt(outer, moves_to("theirs"), renames)
    base = outer.lab.oid("main~1")
    assert outer.lab.git("merge-base", "main", "branch-w") == base
    made = outer.lab.git("merge-tree", "--write-tree", "main", "branch-w")
    answer = outer.desk.commit("land", session="w", no_checkout=True)
    assert answer["tree"] == made
    assert lib(outer, "main") == {}
    assert outer.lab.entries("main")["moved"] == (LINK, outer.theirs)


def lib(outer: Outer, revision: str) -> dict[str, tuple[str, str]]:
    """What stands at lib and below."""
    return {p: e for p, e in outer.lab.entries(revision).items() if (p + "/").startswith("lib/")}


def test_two_submodules_at_one_place(outer: Outer, ground: Ground) -> None:
    """Both added, from different repositories; .gitmodules collides beside."""
    other = ground.repository("other")
    commits = {side: other.commit({side: "x\n"}) for side in ("ours", "theirs")}

    def adds(side: str) -> Change:
        def change(outer: Outer) -> None:
            lab = outer.lab
            text = f'{lab.git("show", "HEAD:.gitmodules")}\n[submodule "new"]\n'
            text += f"\tpath = new\n\turl = ../{side}\n"
            blob = lab.git("hash-object", "-w", "--stdin", stdin=text.encode())
            lab.git("update-index", "--cacheinfo", f"100644,{blob},.gitmodules")
            lab.git("update-index", "--add", "--cacheinfo", f"{LINK},{commits[side]},new")

        return change

    adopt(outer, adds("theirs"), adds("ours"))
    reply = rebase(outer.desk)
    assert kinds(reply) == {".gitmodules": "content", "new": "submodule"}
    resolve(outer.desk, ".gitmodules", "theirs")
    resolve(outer.desk, "new", "theirs")
    outer.desk.commit("land", session="w", no_checkout=True)
    assert outer.lab.entries("main")["new"] == (LINK, commits["theirs"])
    assert b"url = ../theirs" in outer.lab.tree("main")[".gitmodules"]


def test_what_cannot_be_taken_for_a_commit(outer: Outer) -> None:
    adopt(outer, moves_to("theirs"), moves_to("ours"))
    rebase(outer.desk)
    before = tip(outer.desk)
    refusals: list[tuple[str, Json]] = [
        ("unsupported", {"both": True}),
        ("missing", {"candidate": True}),
        ("missing", {"theirs": True, "hunk": 1}),
    ]
    for code, values in refusals:
        outer.desk.refused(code, "resolve", path="lib", session="w", **values)
    assert tip(outer.desk) == before


def test_a_decision_is_taken_back(outer: Outer) -> None:
    adopt(outer, moves_to("theirs"), moves_to("ours"))
    rebase(outer.desk)
    resolve(outer.desk, "lib", "theirs")
    outer.desk.call("undo", session="w")
    assert at_tip(outer) == (LINK, outer.ours)
    assert outer.desk.call("status", session="w")["unresolved"] == 1
    outer.desk.call("redo", session="w")
    assert at_tip(outer) == (LINK, outer.theirs)


@pytest.mark.parametrize("atomic", [False, True])
def test_sessions_that_move_it_apart(outer: Outer, *, atomic: bool) -> None:
    """Neither collides with main, and the second with what the first has landed."""
    adopt(outer, moves_to("theirs"), None, name="w")
    adopt(outer, moves_to("ours"), None, name="v")
    (pair,) = outer.desk.call("conflicts")["pairs"]
    assert {pair["a"], pair["b"]} == {"w", "v"}
    fault = outer.desk.refused("conflict", "land", sessions=("w", "v"), atomic=atomic)
    landed = [row["session"] for row in files(fault, "landed")]
    assert landed == ([] if atomic else ["w"])
    expected = outer.base if atomic else outer.theirs
    assert outer.lab.entries("main")["lib"] == (LINK, expected)


def test_it_stays_where_the_session_leaves_it_alone(outer: Outer) -> None:
    """A session that has nothing to do with it is rebased past its move."""
    outer.desk.begin("w")
    outer.desk.apply(write("f", "f\n"), session="w")
    commit(outer, moves_to("ours"), "ours")
    assert rebase(outer.desk)["conflicts"] == []
    assert at_tip(outer) == (LINK, outer.ours)
    outer.desk.commit("land", session="w")
    assert outer.lab.entries("main")["lib"] == (LINK, outer.ours)


def test_a_repository_without_it(outer: Outer) -> None:
    """Nobody has the submodule's commits: git cannot see which is the later."""
    adopt(outer, moves_to("theirs"), moves_to("ours"))
    shutil.rmtree(outer.lab.path / "lib")
    shutil.rmtree(outer.lab.git_dir / "modules")
    (outer.lab.path / "lib").mkdir()
    assert conflict_of(outer)["kind"] == "submodule"
    rebase(outer.desk)
    resolve(outer.desk, "lib", "theirs")
    outer.desk.commit("land", session="w")
    assert outer.lab.entries("main")["lib"] == (LINK, outer.theirs)
