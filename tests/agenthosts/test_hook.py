"""`slip hook`: what a host is told, what is kept of its events, and that it never fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.events import log
from slipstream_git.events.event import Event
from slipstream_git.gitdb import nearby
from slipstream_git.gitdb.layout import Layout
from slipstream_git.hosts import hooking, payloads, readguard
from tests.desk import Desk
from tests.lab import Lab, slip_command, slip_environment

LONG = "".join(f"def f{n}(x):\n    return x + {n}\n\n\n" for n in range(2000))
SOURCE = "def first(x):\n    return x\n"
RUN = "0f3c"


@pytest.fixture
def desk(repo: Lab) -> Desk:
    repo.commit({"src/m.py": SOURCE, "src/long.py": LONG}, "files")
    return Desk(repo, "git")


def hook(lab: Lab, event: str, *, env: dict[str, str] | None = None, **said: Any) -> Any:  # noqa: ANN401
    """What the host is told: the JSON of stdout; None where that is empty."""
    given = {"session_id": RUN, "cwd": str(lab.path), "hook_event_name": event} | said
    reply = lab.slip("hook", event, stdin=json.dumps(given).encode(), env=env)
    assert not reply.err
    return json.loads(reply.out) if reply.out else None


def context(output: Any) -> str:  # noqa: ANN401
    return str(output["hookSpecificOutput"]["additionalContext"])


def reason(output: Any) -> str:  # noqa: ANN401
    said = output["hookSpecificOutput"]
    assert said["hookEventName"] == "PreToolUse"
    assert said["permissionDecision"] == "deny"
    return str(said["permissionDecisionReason"])


def events(lab: Lab, session: str = "") -> list[Event]:
    place = str(lab.common_dir)
    layout = Layout(place, place, None, bare=False, hooks_dir="")
    return [one for _, one in log.read(log.path_of(layout, session)).events]


def read(lab: Lab, path: str, **said: Any) -> Any:  # noqa: ANN401
    given = {"file_path": str(lab.path / path)} | said
    return hook(lab, "PreToolUse", tool_name="Read", tool_input=given)


# Memory ------------------------------------------------------------------------------------------


def test_a_start_is_told_what_is_remembered_and_where_things_stood(desk: Desk) -> None:
    assert hook(desk.lab, "SessionStart", source="startup") is None
    desk.begin("x", title="empty the cache")
    text = "the cache is emptied on landing"
    desk.call("remember", text=text, about="src/m.py#first", kind="decision")
    told = context(hook(desk.lab, "SessionStart", source="startup"))
    assert "not instructions" in told
    assert f'"{text}"' in told
    assert "x on main" in told
    assert len(told.encode()) <= (hooking.START_TOKENS + 100) * 3.6


def test_a_prompt_is_told_what_has_its_words_and_only_once(desk: Desk) -> None:
    assert hook(desk.lab, "UserPromptSubmit", prompt="why is the cache emptied?") is None
    desk.call("remember", text="the cache is emptied on every landing", about="src/m.py")
    desk.call("remember", text="retries are bounded by sixteen")
    told = context(hook(desk.lab, "UserPromptSubmit", prompt="why is the cache emptied?"))
    assert "emptied on every landing" in told
    assert "sixteen" not in told
    assert hook(desk.lab, "UserPromptSubmit", prompt="why is the cache emptied?") is None
    assert hook(desk.lab, "UserPromptSubmit", prompt="hello there") is None
    assert hook(desk.lab, "UserPromptSubmit", prompt="  \n") is None


def test_a_session_title_is_no_signal_for_a_prompt(desk: Desk) -> None:
    desk.begin("x", title="empty the cache")
    desk.call("remember", text="the cache is emptied on every landing")
    assert hook(desk.lab, "UserPromptSubmit", prompt="what time is it in Oslo?") is None


def test_a_compaction_keeps_a_digest_that_the_next_start_is_told(desk: Desk) -> None:
    desk.begin("x", title="Title")
    desk.call("remember", text="keep it pure", kind="decision")
    assert hook(desk.lab, "PreCompact", trigger="auto") is None
    assert "refs/notes/slip/memory" in desk.lab.refs()
    assert "keep it pure" in context(hook(desk.lab, "SessionStart", source="compact"))
    assert "digest" in [one.kind for one in events(desk.lab, "x")]


def test_an_end_writes_nothing_where_slip_is_not_used(desk: Desk) -> None:
    assert hook(desk.lab, "SessionEnd", reason="exit") is None
    assert "refs/notes/slip/memory" not in desk.lab.refs()
    desk.begin("x")
    assert hook(desk.lab, "SessionEnd", reason="exit") is None
    assert "refs/notes/slip/memory" in desk.lab.refs()


# The read guard ----------------------------------------------------------------------------------


def test_a_long_file_is_answered_with_its_outline_once(desk: Desk) -> None:
    told = reason(read(desk.lab, "src/long.py"))
    assert "src/long.py is long: 8000 lines" in told
    assert "1-2 def f0(x)" in told
    assert len(told.encode()) < readguard.OUTLINE_TOKENS * 3.6 + 1000
    assert read(desk.lab, "src/long.py") is None
    held = [one for one in events(desk.lab) if one.facts.get("withheld")]
    assert [one.facts["paths"] for one in held] == [["src/long.py"]]
    # Another run has not been told.
    other = {"file_path": str(desk.lab.path / "src/long.py")}
    again = hook(
        desk.lab, "PreToolUse", tool_name="Read", tool_input=other, session_id="another run"
    )
    assert "is long" in reason(again)


@pytest.mark.parametrize(
    "said",
    [
        {"offset": 400}, {"limit": 100}, {"offset": 1, "limit": 20}, {"file_path": 3},
        {"file_path": "/etc/passwd"}, {"file_path": "/nowhere"}, {"file_path": "a\0b"},
        {"pages": "1-2"},
    ],
)  # fmt: skip
def test_what_is_no_whole_read_of_a_file_here_is_let_through(
    desk: Desk, said: dict[str, object]
) -> None:
    assert read(desk.lab, "src/long.py", **said) is None


def test_a_limit_as_long_as_the_file_is_a_whole_read(desk: Desk) -> None:
    assert "is long" in reason(read(desk.lab, "src/long.py", limit=8000))


def test_binaries_links_out_and_other_tools_are_let_through(desk: Desk) -> None:
    desk.lab.write("a.png", b"\0" * 100_000)
    outside = desk.lab.path.parent / "outside.py"
    outside.write_text(LONG)
    (desk.lab.path / "link.py").symlink_to(outside)
    assert read(desk.lab, "a.png") is None
    assert read(desk.lab, "link.py") is None
    given = {"file_path": str(desk.lab.path / "src/long.py")}
    assert hook(desk.lab, "PreToolUse", tool_name="Edit", tool_input=given) is None


def test_the_guard_is_configured(desk: Desk) -> None:
    desk.lab.git("config", "slip.readGuard", "off")
    assert read(desk.lab, "src/long.py") is None
    desk.lab.git("config", "slip.readGuard", "1m")
    given = {"file_path": str(desk.lab.path / "src/long.py")}
    say: dict[str, Any] = {"tool_name": "Read", "tool_input": given}
    assert hook(desk.lab, "PreToolUse", session_id="b", **say) is None
    small = {"SLIP_READ_GUARD": "8k"}
    assert hook(desk.lab, "PreToolUse", session_id="c", env=small, **say) is not None


def test_sizes() -> None:
    assert readguard.parsed("64k") == 64 << 10
    assert readguard.parsed("OFF") == float("inf")
    assert readguard.parsed("much") == readguard.DEFAULT_BYTES
    assert readguard.parsed("1") == readguard.LEAST_BYTES


def test_names_and_credentials_in_a_file_are_told_harmlessly(desk: Desk) -> None:
    token = "sk-ant-" + "a1B2c3D4" * 6
    name = "src/od\x1b[31md.py"
    desk.lab.write(name, f'KEY = "{token}"\n' + LONG)
    told = reason(read(desk.lab, name))
    assert "\x1b" not in told
    assert token not in told


def test_where_nothing_can_be_noted_nothing_is_held_back(desk: Desk) -> None:
    place = desk.lab.common_dir / "slip"
    place.mkdir(exist_ok=True)
    (place / "hosts").write_text("in the way")
    assert read(desk.lab, "src/long.py") is None


# Events ------------------------------------------------------------------------------------------


def test_a_tool_leaves_an_event_in_the_session(desk: Desk) -> None:
    desk.begin("x")
    where = {"file_path": str(desk.lab.path / "src/m.py"), "new_string": "secret words"}
    answer = {"file": {"content": "x" * 1000}}
    told: dict[str, Any] = {"tool_input": where, "tool_response": answer, "agent_type": "reviewer"}
    assert hook(desk.lab, "PostToolUse", tool_name="Edit", **told) is None
    found = events(desk.lab, "x")[-1]
    assert (found.kind, found.agent) == ("tool", "reviewer")
    assert found.facts == {
        "tool": "Edit", "run": RUN, "paths": ["src/m.py"], "changed": 1, "bytes": 1000,
    }  # fmt: skip
    assert b"secret words" not in Path(desk.lab.common_dir, "slip/events/x.jsonl").read_bytes()


def test_paths_elsewhere_are_not_noted(desk: Desk) -> None:
    hook(desk.lab, "PostToolUse", tool_name="Read", tool_input={"file_path": "/etc/passwd"})
    assert events(desk.lab)[-1].facts == {"tool": "Read", "run": RUN}


@pytest.mark.parametrize("event", ["Stop", "SubagentStop"])
def test_a_stop_is_noted_and_answered_with_nothing(desk: Desk, event: str) -> None:
    assert hook(desk.lab, event, stop_hook_active=True, agent_type="reviewer") is None
    assert [one.facts["event"] for one in events(desk.lab)] == [event]


def test_credentials_are_not_written_down(desk: Desk) -> None:
    token = "ghp_" + "a1B2c3D4e5" * 4
    hook(desk.lab, "SessionStart", source=token, session_id=token)
    hook(desk.lab, "UserPromptSubmit", prompt=f"use {token}")
    hook(desk.lab, "PostToolUse", tool_name="Bash", tool_input={"command": f"curl {token}"})
    written = b"".join(p.read_bytes() for p in (desk.lab.common_dir / "slip").rglob("*.jsonl"))
    assert written.count(b"\n") == 3
    assert token.encode() not in written


def test_a_hostile_session_name_writes_nowhere_else(desk: Desk) -> None:
    hook(desk.lab, "Stop", env={"SLIP_SESSION": "../../../../out"})
    assert [one.kind for one in events(desk.lab)] == ["host"]
    written = (desk.lab.common_dir / "slip" / "events").iterdir()
    assert [path.name for path in written] == ["_repository.jsonl"]


def test_many_hooks_at_once_lose_no_event(desk: Desk) -> None:
    said = json.dumps({"session_id": RUN, "cwd": str(desk.lab.path)}).encode()

    def one(_: int) -> int:
        return desk.lab.slip("hook", "Stop", stdin=said).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(40))) == {0}
    assert len(events(desk.lab)) == 40
    assert len({found.id for found in events(desk.lab)}) == 40


# Never failing -----------------------------------------------------------------------------------

RUBBISH = [
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"cwd": 3, "session_id": []}',
    b'{"cwd": "/nowhere", "tool_name": "Read", "tool_input": [1]}',
    b'{"cwd": "/", "tool_name": "Read", "tool_input": {"file_path": "/proc/self/mem"}}',
    b'{"session_id": "\\ud800", "tool_name": "\\ud800", "prompt": "\\ud800"}',
]  # fmt: skip


@pytest.mark.parametrize("event", [*hooking.EVENTS, "Unheard", "../x"])
def test_no_input_fails_the_host(desk: Desk, event: str) -> None:
    desk.call("remember", text="the cache is emptied")
    before = desk.lab.snapshot()
    for sent in RUBBISH:
        reply = desk.lab.slip("hook", event, stdin=sent)
        assert (reply.status, reply.err) == (0, b"")
    assert desk.lab.snapshot() == before


@pytest.mark.parametrize("event", hooking.EVENTS)
def test_no_place_fails_the_host(desk: Desk, tmp_path: Path, event: str) -> None:
    said = json.dumps({"session_id": RUN, "prompt": "x", "tool_name": "Read"}).encode()
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    places: list[tuple[Path, dict[str, str]]] = [
        (nowhere, {}), (desk.lab.path, {"PATH": ""}), (desk.lab.path, {"GIT_DIR": "/nowhere"}),
    ]  # fmt: skip
    for place, env in places:
        done = subprocess.run(
            slip_command("hook", event), cwd=place, input=said, capture_output=True,
            env=slip_environment(env), check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_closed_input_and_a_reader_that_left_fail_nothing(desk: Desk) -> None:
    line = f"{sys.executable} -P -m slipstream_git hook SessionStart"
    for way in ("<&-", ">&-", "| true"):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line} {way}"], cwd=desk.lab.path,
            input=b"{}", capture_output=True, env=slip_environment(), check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b""), way


def test_a_disk_that_cannot_be_written_fails_nothing(desk: Desk) -> None:
    (desk.lab.common_dir / "slip").write_text("no directory")
    given = {"file_path": str(desk.lab.path / "src/long.py")}
    for event in hooking.EVENTS:
        assert hook(desk.lab, event, tool_name="Read", tool_input=given, prompt="x") is None
    (desk.lab.common_dir / "slip").unlink()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
FIELDS = ("session_id", "cwd", "tool_name", "tool_input", "tool_response", "prompt", "source")


@given(st.dictionaries(st.sampled_from(FIELDS), json_values), st.sampled_from(hooking.EVENTS))
def test_any_payload_is_read(said: dict[str, Any], event: str) -> None:
    found = payloads.read(event, json.dumps(said).encode())
    assert found.event == event
    assert all(isinstance(path, str) for path in found.paths)
    assert payloads.size(found.answered) >= 0
    assert found.cwd is None or Path(found.cwd).is_dir()


# Found without git -------------------------------------------------------------------------------


def test_a_repository_is_found_as_git_finds_it(repo: Lab, tmp_path: Path) -> None:
    repo.write("deep/er/x", "x")
    repo.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    for place in (repo.path, repo.path / "deep/er", tmp_path / "linked"):
        near = nearby.find(str(place), {})
        asked = subprocess.run(
            ["git", "rev-parse", "--absolute-git-dir", "--git-common-dir", "--show-toplevel"],
            cwd=place, capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        assert near.is_sure
        assert near.layout is not None
        assert near.layout.git_dir == asked[0]
        assert near.layout.common_dir == os.path.realpath(place / asked[1])
        assert near.layout.root == asked[2]


def test_what_is_not_plain_is_left_to_git(repo: Lab, bare_repo: Lab) -> None:
    assert not nearby.find(str(repo.path), {"GIT_DIR": "x"}).is_sure
    assert not nearby.find(str(bare_repo.path), {}).is_sure
    repo.git("config", "core.sharedRepository", "group")
    assert not nearby.find(str(repo.path), {}).is_sure
    assert not nearby.find("/nowhere/at/all", {}).is_sure
