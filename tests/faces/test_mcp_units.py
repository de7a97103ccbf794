"""`slip mcp` without a server: the list of tools and what it costs, hints as calls, grounds."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from slipstream_git import errors, hints
from slipstream_git.errors import SlipError
from slipstream_git.faces.mcp import hinting, prompts, tools
from slipstream_git.faces.mcp.calls import Desk, Reply
from slipstream_git.faces.mcp.grounds import Grounds
from slipstream_git.faces.mcp.hinting import Asked
from slipstream_git.faces.mcp.watching import Watcher
from slipstream_git.operations import registry
from slipstream_git.operations.serving import Hosting
from tests.lab import SOURCE, Ground, Lab

PACKAGE = SOURCE / "slipstream_git"
BYTES_A_TOKEN = 3.6
MOST_TOKENS = 2500
MOST_TOOLS = 11


def listed(which: str) -> list[dict[str, Any]]:
    """Tools as the wire has them."""
    return [
        {
            "name": tool.name, "description": tool.description,
            "inputSchema": tool.schema, "annotations": tool.annotations,
        }
        for tool in tools.tools(which)
    ]  # fmt: skip


def desk_of(repo: Lab, which: str = "default") -> Desk:
    return Desk(Hosting(str(repo.path), None, which), {}, None)


def nobody() -> Watcher:
    return Watcher(lambda _done, _of, _what: None)


def asked(operation: str = "status", which: str = "default", **given: Any) -> Asked:  # noqa: ANN401
    return Asked(tools.operations()[operation], given, which)


# The list -----------------------------------------------------------------------------------------


def test_the_default_list_is_small() -> None:
    rows = listed("default")
    assert len(rows) <= MOST_TOOLS
    size = len(json.dumps({"tools": rows}, separators=(",", ":")).encode())
    assert size / BYTES_A_TOKEN <= MOST_TOKENS
    names = [row["name"] for row in rows]
    assert names[:8] == [
        "sp_map", "sp_symbol", "sp_lines", "sp_search",
        "slip_begin", "slip_apply", "slip_status", "slip_commit",
    ]  # fmt: skip
    assert names[8:] == ["sp_remember", "sp_recall", "slip_more"]


def test_all_operations_are_reached() -> None:
    reached = {name for name in registry.names() if tools.named(name)}
    alone = {"demo", "serve", "mcp", "setup", "hook", "statusline"}
    assert set(registry.names()) - reached == alone
    everything = tools.listed("all")
    assert set(everything.values()) == reached
    assert {"slip_merge_tree", "sp_refs", "slip_run"} <= set(everything)
    more = tools.tools("default")[-1]
    assert all(name in more.schema["properties"]["op"]["description"] for name in reached)


@pytest.mark.parametrize("which", tools.LISTS)
def test_a_tool_is_whole(which: str) -> None:
    for tool in tools.tools(which):
        assert tool.description
        assert set(tool.schema["properties"]) >= set(tool.schema.get("required", ()))
        assert set(tool.annotations) == {"readOnlyHint", "destructiveHint", "idempotentHint"}
        for field in tool.schema["properties"].values():
            assert field["type"] in ("string", "integer", "boolean", "array", "object")


def test_annotations_are_the_table_s_effects() -> None:
    told = {tool.name: tool.annotations for tool in tools.tools("all")}
    assert told["sp_map"]["readOnlyHint"]
    assert told["slip_status"]["readOnlyHint"]
    assert not told["slip_apply"]["readOnlyHint"]
    assert not told["slip_apply"]["destructiveHint"]
    for name in ("slip_commit", "slip_run", "slip_gc", "slip_more"):
        assert told[name]["destructiveHint"]
        assert not told[name]["readOnlyHint"]


# Hints --------------------------------------------------------------------------------------------


def test_a_hint_is_a_call() -> None:
    made = hinting.of(asked(), hints.of("slip", "commit", "-s", "a", "--no-check", "-m", "x y"))
    args = {"session": "a", "check": False, "message": ["x y"]}
    assert made == {"tool": "slip_commit", "arguments": args}
    made = hinting.of(asked(), "slip abort -s a && slip reopen a")
    reopen = {"tool": "slip_more", "arguments": {"op": "reopen", "args": {"name": "a"}}}
    abort = {"op": "abort", "args": {"session": "a"}}
    assert made == {"tool": "slip_more", "arguments": abort, "then": reopen}
    assert hinting.of(asked(which="all"), "slip reopen a") == {
        "tool": "slip_reopen", "arguments": {"name": "a"},
    }  # fmt: skip
    made = hinting.of(asked()._replace(repo="/other"), "slip reopen a")
    arguments: dict[str, Any] = {"op": "reopen", "args": {"name": "a"}, "repo": "/other"}
    assert made == {"tool": "slip_more", "arguments": arguments}
    # A name that is not UTF-8, and one that begins with a dash.
    made = hinting.of(asked(), hints.command(["slip", "files"], [b"-caf\xe9"]))
    assert made is not None
    assert made["arguments"]["args"] == {"globs_b64": ["LWNhZuk="]}
    assert hinting.of(asked(), "git fsck") is None
    assert hinting.of(asked(), hints.of("git", "diff").then(hints.of("slip", "apply"), "|")) is None


def test_a_hint_to_ask_again_changes_what_was_asked() -> None:
    was = asked("commit", session="a", series=True, each=True, check=True)
    made = hinting.of(was, hints.again("--onto", "b", without=("--series", "--each")))
    arguments = {"session": "a", "check": True, "onto": "b"}
    assert made == {"tool": "slip_commit", "arguments": arguments}
    made = hinting.of(was, hints.again("--no-check"))
    assert made is not None
    assert made["arguments"]["check"] is False
    made = hinting.of(was, hints.again("-m", "MESSAGE"))
    assert made is not None
    assert made["arguments"]["message"] == ["MESSAGE"]


def test_hints_in_answers() -> None:
    told = {"hint": "slip status", "rows": [{"fix": "git fsck"}], "text": "slip status", "n": 1}
    made = hinting.in_json(asked(), told, str)
    assert made == {
        "hint": {"tool": "slip_status", "arguments": {}},
        "rows": [{"fix": None, "shell": "git fsck"}],
        "text": "slip status",
        "n": 1,
    }
    assert hinting.as_text(asked(), "slip abort && slip list") == (
        'slip_more {"op": "abort", "args": {}}, then slip_more {"op": "list", "args": {}}'
    )


def _words(call: ast.Call) -> Iterator[str]:
    """What a call of `hints.of` or `hints.command` would have for words, its variables guessed."""
    name = ast.unparse(call.func)
    given = call.args
    if name.endswith("command") and isinstance(call.args[0], ast.List):
        given = call.args[0].elts
    previous = ""
    for node in given:
        if isinstance(node, ast.Starred):
            if "MESSAGE" in ast.unparse(node):
                yield from hints.MESSAGE
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            word = node.value
        elif isinstance(node, ast.JoinedStr):
            word = _guessed(node)
        else:
            said = ast.unparse(node)
            word = "1" if "number" in said or said.startswith("str(len(") else "src/app.py"
        yield "work" if previous in ("-s", "--session") else word
        previous = word
    if name.endswith("command"):
        yield "src/app.py"


def _guessed(text: ast.JoinedStr) -> str:
    said = ""
    for part in text.values:
        guess = "theirs" if said == "--" else "work"
        said += str(part.value) if isinstance(part, ast.Constant) else guess
    return said


def _hints_of(tree: ast.Module) -> Iterator[hints.Hint]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "of", "hints.of", "command", "hints.command",
        ):  # fmt: skip
            words = list(_words(node))
            if words[:1] == ["slip"]:
                yield hints.of(*words)
        elif isinstance(node, ast.keyword) and node.arg in ("hint", "fix"):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield hints.plain(node.value.value)
            elif isinstance(node.value, ast.JoinedStr):
                yield hints.plain(_guessed(node.value))


def every_hint() -> list[str]:
    """The commands of slip that the source proposes, as they are found in it."""
    found: dict[str, None] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if {"faces", "hosts"} & set(path.parts):  # what only the command line says
            continue
        for hint in _hints_of(ast.parse(path.read_text())):
            found |= dict.fromkeys(" ".join(map(str, words)) for words in hint.commands)
    return [line for line in found if line.startswith("slip ")]


EVERY_HINT = every_hint()


def test_hints_are_found_in_the_source() -> None:
    assert len(EVERY_HINT) > 40, EVERY_HINT
    assert {"slip rebase", "slip commit", "slip resolve"} <= {
        " ".join(hint.split()[:2]) for hint in EVERY_HINT
    }


@pytest.mark.parametrize("which", tools.LISTS)
def test_every_hint_of_the_source_can_be_called(repo: Lab, which: str) -> None:
    """Each is a tool with fields that it has: whatever it is refused for, it is not for those."""
    desk = desk_of(repo, which)
    for hint in EVERY_HINT:
        desk.answer("slip_begin", {"name": "work"}, nobody())
        made = hinting.of(asked(which=which), hints.plain(hint))
        assert made is not None, hint
        reply = follow(desk, made)
        if reply.is_error:
            error = reply.told["error"]
            assert error["code"] in errors.EXIT_STATUS
            assert error["code"] not in ("bug", "bad-json"), (hint, error)
            assert not _is_misasked(error), (hint, error)
    desk.close()


def follow(desk: Desk, made: Mapping[str, Any]) -> Reply:
    reply = desk.answer(made["tool"], made["arguments"], nobody())
    return follow(desk, made["then"]) if "then" in made and not reply.is_error else reply


def _is_misasked(error: Mapping[str, Any]) -> bool:
    """Whether a call was refused for its fields."""
    said = ("has no field", "needs ", "is text", "is true or false", "is a whole number")
    is_help = error["hint"] and error["hint"]["arguments"].get("op") == tools.HELP
    return bool(is_help) and any(words in error["message"] for words in said)


# Grounds ------------------------------------------------------------------------------------------


def test_grounds(ground: Ground, tmp_path: Path) -> None:
    repo, other = ground.repository(), ground.repository("other")
    linked = ground.linked(repo)
    for place in (repo, linked):
        grounds = Grounds(str(place.path))
        for inside in (repo, linked):
            assert grounds.directory(str(inside.path)) == str(inside.path)
        assert grounds.directory(None) == str(place.path)
        for outside in (str(other.path), "/", f"{repo.path}-x", str(tmp_path / "none")):
            with pytest.raises(SlipError, match="is not this server's"):
                grounds.directory(outside)
    bare = ground.bare()
    assert Grounds(str(bare.path)).directory(".") == str(bare.path)
    below = Grounds(str(repo.path / "src"))
    assert below.directory(None) == str(repo.path / "src")
    assert below.directory("..") == str(repo.path)


# Who waits ----------------------------------------------------------------------------------------


def test_progress_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[float, float | None, str]] = []
    watcher = Watcher(lambda done, of, what: told.append((done, of, what)))
    monkeypatch.setattr("slipstream_git.faces.mcp.watching.EVERY_S", 0)
    watcher.progress(5, 10)
    watcher.progress(10, 10)
    watcher.progress(1, 4, "packs")
    watcher.doing("waiting")
    watcher.doing("")
    assert [row[0] for row in told] == [5, 10, 11, 12]
    assert told[2:] == [(11, 14, "1 of 4 packs"), (12, None, "waiting")]


def test_who_leaves_is_heard_once() -> None:
    heard: list[str] = []
    watcher = nobody()
    watcher.interruption(lambda: heard.append("interrupted"))
    watcher.leave()
    assert heard.pop() == "interrupted"
    with pytest.raises(KeyboardInterrupt):
        watcher.progress(1, 2)
    watcher.progress(2, 2)
    watcher.doing("tidying up")
    # A program that is started when nobody waits any more.
    watcher.interruption(lambda: heard.append("at once"))
    assert heard == ["at once"]


# Prompts ------------------------------------------------------------------------------------------


def test_prompts_are_skills(tmp_path: Path) -> None:
    for name, text in {
        "one": '---\nname: first\ndescription: "What it is: for"\n---\n\n# Do it\n',
        "two": "# No front matter\n",
        "three": "---\nname: broken",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "SKILL.md").write_text(text)
    (tmp_path / "four").mkdir()
    found = prompts.below(str(tmp_path))
    assert set(found) == {"first", "two", "three"}
    assert found["first"] == ("first", "What it is: for", "# Do it\n")
    assert found["two"].text == "# No front matter\n"
    assert prompts.below(str(tmp_path / "none")) == {}
