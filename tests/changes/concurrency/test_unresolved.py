"""Every kind of conflict, made with git itself, from the rebase to the landing."""

from __future__ import annotations

import random
from base64 import b64encode
from typing import NamedTuple

import pytest

from tests.changes.concurrency.meeting import (
    LINES,
    Files,
    changed,
    kinds,
    meet,
    rebase,
    resolve,
    tip,
)
from tests.desk import Desk, Json, write
from tests.lab import Content, Lab, Link, Script, typed

OURS, THEIRS = changed(3, "ours"), changed(3, "theirs")
BINARY = b"\0\1\2"


class Case(NamedTuple):
    """What both sides make of the base; the paths that are left, with their kinds.

    until: what stands at each of these paths until it is decided.
    """

    base: Files
    ours: Files
    theirs: Files
    kinds: dict[str, str]
    until: dict[str, Content]


CASES = {
    "content": Case({"f": LINES}, {"f": OURS}, {"f": THEIRS}, {"f": "content"}, {"f": OURS}),
    "content and more": Case(
        {"f": LINES}, {"f": changed(20, "o", OURS)}, {"f": changed(9, "t", THEIRS)},
        {"f": "content"}, {"f": changed(9, "t", changed(20, "o", OURS))},
    ),
    "content, executable": Case(
        {"f": LINES}, {"f": OURS}, {"f": Script(THEIRS.encode())},
        {"f": "content"}, {"f": Script(OURS.encode())},
    ),
    "content, renamed by ours": Case(
        {"f": LINES}, {"f": None, "g": OURS}, {"f": THEIRS}, {"g": "content"},
        {"f": None, "g": OURS},
    ),
    "content, renamed by theirs": Case(
        {"f": LINES}, {"f": OURS}, {"f": None, "g": THEIRS}, {"g": "content"},
        {"f": None, "g": OURS},
    ),
    "add-add": Case({}, {"n": "1\n"}, {"n": "2\n"}, {"n": "add-add"}, {"n": "1\n"}),
    "modify-delete, deleted by ours": Case(
        {"f": LINES}, {"f": None}, {"f": THEIRS}, {"f": "modify-delete"}, {"f": None}
    ),
    "modify-delete, deleted by theirs": Case(
        {"f": LINES}, {"f": OURS}, {"f": None}, {"f": "modify-delete"}, {"f": OURS}
    ),
    "rename-delete, deleted by ours": Case(
        {"f": LINES}, {"f": None}, {"f": None, "g": THEIRS}, {"g": "rename-delete"}, {"g": None}
    ),
    "rename-delete, deleted by theirs": Case(
        {"f": LINES}, {"f": None, "g": OURS}, {"f": None}, {"g": "rename-delete"}, {"g": OURS}
    ),
    "rename-rename": Case(
        {"f": LINES}, {"f": None, "g": LINES}, {"f": None, "h": LINES},
        {"g": "rename-rename", "h": "rename-rename"}, {"f": None, "g": LINES, "h": None},
    ),
    "rename-rename, contents too": Case(
        {"f": LINES}, {"f": None, "g": OURS}, {"f": None, "h": THEIRS},
        {"g": "rename-rename", "h": "rename-rename"}, {"f": None, "g": OURS, "h": None},
    ),
    "file where ours has a directory": Case(
        {}, {"d/x": "x\n"}, {"d": "file\n"}, {"d": "file-directory"},
        {"d/x": "x\n"},
    ),
    "directory where ours has a file": Case(
        {}, {"d": "file\n"}, {"d/x": "x\n", "d/y": "y\n"}, {"d": "file-directory"},
        {"d": "file\n", "d/x": None},
    ),
    "directory made a file that ours edits": Case(
        {"d/x": LINES}, {"d/x": OURS}, {"d/x": None, "d": "file\n"}, {"d": "file-directory"},
        {"d/x": OURS},
    ),
    "type": Case(
        {"f": LINES}, {"f": OURS}, {"f": Link("README.md")}, {"f": "type"}, {"f": OURS}
    ),
    "type, by ours": Case(
        {"f": LINES}, {"f": Link("README.md")}, {"f": THEIRS}, {"f": "type"},
        {"f": Link("README.md")},
    ),
    "links": Case(
        {"f": Link("a")}, {"f": Link("b")}, {"f": Link("c")}, {"f": "content"}, {"f": Link("b")}
    ),
    "binary": Case(
        {"f": BINARY}, {"f": BINARY + b"o"}, {"f": BINARY + b"t"}, {"f": "binary"},
        {"f": BINARY + b"o"},
    ),
    "directory-rename": Case(
        {"d/a": LINES, "d/b": "b\n"}, {"d/a": None, "d/b": None, "e/a": LINES, "e/b": "b\n"},
        {"d/new": "new\n"}, {"e/new": "directory-rename"}, {"e/new": None, "d/new": None},
    ),
    "directory-rename that git only speaks of": Case(
        {"a/c/g": "g\n", "b/x/h": LINES}, {"b/x/h": None, "a/c/h": LINES}, {"b/x/g": "new\n"},
        {"b/x/g": "directory-rename"}, {"a/c/g": "g\n", "a/c/h": LINES, "b/x/g": None},
    ),
    "not UTF-8": Case(
        {"f": LINES.encode() + b"\xe9\n"}, {"f": OURS.encode() + b"\xe9\n"},
        {"f": THEIRS.encode() + b"\xe9\n"}, {"f": "content"}, {"f": OURS.encode() + b"\xe9\n"},
    ),
    "CRLF": Case(
        {"f": LINES.replace("\n", "\r\n")}, {"f": OURS.replace("\n", "\r\n")},
        {"f": THEIRS.replace("\n", "\r\n")}, {"f": "content"}, {"f": OURS.replace("\n", "\r\n")},
    ),
}  # fmt: skip


def content(value: Content) -> bytes | None:
    if value is None:
        return None
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_the_session_holds_no_marker_and_no_made_up_name(desk: Desk, case: Case) -> None:
    meet(desk, case.base, case.ours, case.theirs)
    head = desk.lab.oid("main")
    reply = rebase(desk)
    assert kinds(reply) == case.kinds
    assert reply["base"] == head == desk.lab.oid("main")
    tree = desk.lab.tree(tip(desk))
    assert {path: tree.get(path) for path in case.until} == {
        path: content(value) for path, value in case.until.items()
    }
    assert not [path for path in tree if "~" in path]
    assert not [path for path, data in tree.items() if b"<<<<<<<" in data or b">>>>>>>" in data]
    assert kinds(desk.call("status", session="w")) == case.kinds
    fault = desk.commit_refused("conflict", session="w")
    assert kinds({"conflicts": fault.data["files"]}) == case.kinds
    assert desk.lab.oid("main") == head


def test_each_side_is_taken_and_the_session_s_lands(desk: Desk, case: Case) -> None:
    """Also when everything that no ref reaches is gone meanwhile."""
    meet(desk, case.base, case.ours, case.theirs)
    rows = rebase(desk)["conflicts"]
    desk.lab.git("gc", "--quiet", "--prune=now")
    before = desk.lab.oid(f"{tip(desk)}^{{tree}}")
    for take in ("ours", "base", "theirs"):
        for row in rows:
            assert resolve(desk, row["path"], take)["resolved"]
            assert_taken(desk, row, take)
        if take != "theirs":
            for _ in rows:
                desk.call("undo", session="w")
            assert desk.lab.oid(f"{tip(desk)}^{{tree}}") == before
            assert kinds(desk.call("status", session="w")) == case.kinds
    tree = desk.lab.oid(f"{tip(desk)}^{{tree}}")
    desk.commit("land", session="w")
    assert desk.lab.oid("main^{tree}") == tree


def assert_taken(desk: Desk, row: Json, take: str) -> None:
    """The path is that side's; of a text, its lines where the sides collided."""
    wanted = row[f"{take}_oid"]
    if row["hunks"]:
        text = desk.lab.tree(tip(desk))[row["path"]].decode("utf-8", "replace")
        assert all(hunk[f"{take}_text"] in text for hunk in row["hunks"])
    else:
        place = f"{tip(desk)}:{row['path']}"
        found = desk.lab.git("rev-parse", "--verify", "--quiet", place, expect=None)
        assert (found or None) == wanted


def test_all_of_the_branch_s_leaves_nothing_to_land(desk: Desk) -> None:
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    rebase(desk)
    resolve(desk, "f", "ours")
    assert desk.commit("land", session="w")["committed"] is False


@pytest.mark.parametrize("name", ["content", "directory where ours has a file", "binary"])
def test_a_decision_taken_back_brings_the_conflict_back(desk: Desk, name: str) -> None:
    meet(desk, CASES[name].base, CASES[name].ours, CASES[name].theirs)
    rebase(desk)
    before = desk.lab.oid(f"{tip(desk)}^{{tree}}")
    path = next(iter(CASES[name].kinds))
    resolve(desk, path, "theirs")
    assert desk.call("status", session="w")["conflicts"] == []
    desk.call("undo", session="w")
    assert kinds(desk.call("status", session="w")) == CASES[name].kinds
    assert desk.lab.oid(f"{tip(desk)}^{{tree}}") == before
    desk.call("redo", session="w")
    assert desk.call("status", session="w")["conflicts"] == []
    assert desk.commit("land", session="w")["committed"]


def test_what_stands_in_the_way_is_decided_first(desk: Desk) -> None:
    meet(desk, {}, {"d": "file\n", "d2": "x"}, {"d/x": "x\n"})
    rebase(desk)
    desk.refused("missing", "resolve", path="d/x", session="w", theirs=True)
    resolve(desk, "d", "theirs")
    assert desk.lab.tree(tip(desk))["d/x"] == b"x\n"


def random_lines(chance: random.Random) -> tuple[str, str, str]:
    words = chance.choice([6, 40, 400])
    lines = [f"{chance.randrange(words)}\n" for _ in range(chance.randrange(5, 60))]

    def edited() -> str:
        made = list(lines)
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(made) + 1)
            new = [f"new {chance.randrange(4)}\n"] * chance.randrange(3)
            made[at : at + chance.randrange(3)] = new
        return "".join(made)

    return "".join(lines), edited(), edited()


def test_until_it_is_decided_it_is_git_s_own_merge_that_favours_ours(desk: Desk) -> None:
    chance = random.Random(3)  # noqa: S311
    made = {f"f{n}": random_lines(chance) for n in range(150)}
    base, ours, theirs = ({path: texts[n] for path, texts in made.items()} for n in range(3))
    meet(desk, dict(base), dict(ours), dict(theirs))
    desk.lab.git("checkout", "-q", "-b", "theirs", "main~")
    desk.lab.commit(dict(theirs))
    desk.lab.git("checkout", "-q", "main")
    assert len(rebase(desk)["conflicts"]) > 40
    desk.lab.git("merge", "-q", "-X", "ours", "-m", "merge", "theirs")
    assert desk.lab.entries(tip(desk)) == desk.lab.entries("main")


def test_what_was_left_out_is_found_by_its_hint(desk: Desk) -> None:
    meet(desk, {"f": LINES}, {"f": None}, {"f": THEIRS})
    rebase(desk)
    fault = desk.refused("missing", "read", paths=("f",), session="w")
    assert fault.hint == "slip resolve -s w"


def test_a_bare_repository(desk: Desk, bare_repo: Lab) -> None:
    bare = desk.at(bare_repo)
    meet(bare, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    assert kinds(rebase(bare)) == {"f": "content"}
    resolve(bare, "f", "both")
    bare.commit("land", session="w")
    both = LINES.replace("line 3\n", "ours\ntheirs\n").encode()
    assert bare.lab.tree("main")["f"] == both


def test_a_name_as_git_quotes_it(desk: Desk) -> None:
    desk.lab.commit({"café": LINES})
    desk.begin("w")
    desk.apply(write("café", THEIRS), session="w")
    desk.lab.commit({"café": OURS})
    rebase(desk)
    quoted = desk.lab.git("ls-files", "caf*")
    assert quoted == r'"caf\303\251"'
    assert resolve(desk, quoted, "theirs")["resolved"] is True


def test_a_name_that_is_not_utf8(desk: Desk) -> None:
    name = b"caf\xe9"
    path = name.decode("utf-8", "surrogateescape")
    desk.lab.commit({path: LINES})
    desk.begin("w")
    op = {"op": "write", "path_b64": b64encode(name).decode(), "content": THEIRS}
    desk.apply(op, session="w")
    desk.lab.commit({path: OURS})
    assert kinds(rebase(desk)) == {'"caf\\351"': "content"}
    # As it is shown, and as a shell gives it.
    reply = resolve(desk, '"caf\\351"', "theirs", hunk=1)
    assert reply["path_b64"] == b64encode(name).decode()
    desk.call("undo", session="w")
    resolve(desk, path, "theirs")
    desk.call("undo", session="w")
    hint = desk.lab.slip("resolve", "-s", "w").text.splitlines()[-1].removeprefix("try: ")
    assert hint == "slip resolve -s w --theirs $'caf\\351'"
    typed(hint, desk.lab.path)
    desk.commit("land", session="w")
    assert desk.lab.tree("main")[path] == THEIRS.encode()
