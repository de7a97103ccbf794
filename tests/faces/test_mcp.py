"""`slip mcp` as hosts use it: the whole loop over real standard streams."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.children import Children, is_gone
from tests.hosts import HANDSHAKE, RawHost, SdkHost, with_sdk
from tests.lab import SOURCE, Lab, slip_command, slip_environment

pytest.importorskip("mcp")
MODERN = "2026-07-28"
GATE = '[gate.tests]\nrun = "grep -q 2 src/app.py"\ntimeout_s = 60\n'


@pytest.fixture
def host(repo: Lab, children: Children) -> Iterator[RawHost]:
    made = RawHost(children, repo.path)
    made.introduce()
    yield made
    if made.process.poll() is None:
        assert made.end() == 0


def edit(old: str, new: str) -> dict[str, Any]:
    return {"op": "str_replace", "path": "src/app.py", "old": old, "new": new}


async def edited(host: SdkHost) -> str:
    """A session with an edit, looked at in every way; its name."""
    session: str = (await host.did("slip_begin", title="a change"))["session"]
    shown = await host.did("sp_map", tokens=500)
    assert {row["path"] for row in shown["files"]} >= {"src/app.py"}
    assert (await host.did("sp_symbol", name="main"))["matches"][0]["path"] == "src/app.py"
    applied = await host.did("slip_apply", ops=[edit("return 1", "return 2")])
    assert applied["session"] == session
    # What is read is the session's own: its edits are seen.
    read = await host.did("sp_lines", path="src/app.py")
    assert (read["session"], read["text"]) == (session, "def main():\n    return 2\n")
    assert (await host.did("sp_search", pattern="return 2"))["total"] == 1
    return session


async def settled(host: SdkHost, session: str) -> None:
    """A conflict, resolved by the hints alone, gated, undone and done again."""
    conflict = await host.client.call_tool("slip_commit", {"message": ["two"]})
    assert conflict.is_error
    error = conflict.structured_content["error"]
    assert error["code"] == "conflict"
    assert error["data"]["files"][0]["path"] == "src/app.py"
    assert error["hint"] == {
        "tool": "slip_more", "arguments": {"op": "rebase", "args": {"session": session}},
    }  # fmt: skip
    rebased = await host.did(error["hint"]["tool"], **error["hint"]["arguments"])
    assert len(rebased["conflicts"]) == 1
    assert (await host.more("resolve"))["unresolved"] == 1
    resolved = await host.did(rebased["hint"]["tool"], **rebased["hint"]["arguments"])
    assert resolved["unresolved"] == 0
    assert (await host.more("check"))["gates"][0]["status"] == "green"
    await host.more("undo")
    assert (await host.did("slip_status"))["conflicts"]
    await host.more("redo")


@pytest.mark.parametrize(("mode", "version"), [("legacy", HANDSHAKE), ("auto", MODERN)])
def test_the_loop_with_the_default_list(repo: Lab, mode: str, version: str) -> None:
    """Begin, read, apply, conflict, resolve, check, undo, redo, commit: the SDK's own client."""
    repo.commit({".slip.toml": GATE}, "gates")

    async def loop(host: SdkHost) -> None:
        assert host.client.protocol_version == version
        listed = [tool.name for tool in (await host.client.list_tools()).tools]
        assert len(listed) <= 11
        assert listed[-1] == "slip_more"
        session = await edited(host)
        repo.commit({"src/app.py": "def main():\n    return 3\n"}, "meanwhile")
        await settled(host, session)
        fact = await host.did("sp_remember", text="main has to return two", about="src/app.py")
        recalled = await host.did("sp_recall", query="what does main return?")
        assert [row["id"] for row in recalled["facts"]] == [fact["id"]]
        landed = await host.did("slip_commit", message=["two"])
        assert landed["committed"] is True
        # Asked for again, because the answer was lost, say.
        assert (await host.did("slip_commit", message=["two"]))["already"] is True

    with_sdk(repo.path, mode, loop)
    assert repo.read("src/app.py") == b"def main():\n    return 2\n"
    assert repo.git("log", "--format=%s").split("\n")[0] == "two"
    assert repo.git("status", "--porcelain") == ""


SECOND = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
const [command, ...args] = JSON.parse(process.argv[2]);
const transport = new StdioClientTransport({
  command, args, cwd: process.argv[3], env: process.env, stderr: "ignore",
});
const client = new Client({ name: "second", version: "1" });
await client.connect(transport);
const said = { tools: (await client.listTools()).tools.map((tool) => tool.name), replies: [] };
for (const [name, input] of JSON.parse(process.argv[4])) {
  const reply = await client.callTool({ name, arguments: input });
  said.replies.push({ error: reply.isError ?? false, told: reply.structuredContent });
  const hint = reply.structuredContent?.error?.hint ?? reply.structuredContent?.hint;
  if (hint) {
    const next = await client.callTool({ name: hint.tool, arguments: hint.arguments });
    said.replies.push({ error: next.isError ?? false, told: next.structuredContent });
  }
}
said.resources = (await client.listResources()).resources.map((item) => item.uri);
said.prompts = (await client.listPrompts()).prompts.length;
await client.close();
console.log(JSON.stringify(said));
"""


def test_a_second_client(repo: Lab, tmp_path: Path) -> None:
    """npm's official SDK, which shares no line with Python's."""
    place = SOURCE / "node_modules"
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (place / "@modelcontextprotocol" / "sdk").is_dir():
        pytest.skip("`npm install --no-save @modelcontextprotocol/sdk` was not done here")
    (tmp_path / "node_modules").symlink_to(place)
    script = tmp_path / "second.mjs"
    script.write_text(SECOND)
    calls = [
        ["slip_begin", {"name": "one"}],
        ["slip_begin", {"name": "two"}],
        ["slip_apply", {"session": "one", "ops": [edit("return 1", "return 2")]}],
        ["slip_apply", {"session": "two", "ops": [edit("return 1", "return 3")]}],
        ["slip_commit", {"session": "one", "message": ["one"]}],
        ["slip_commit", {"session": "two", "message": ["two"]}],  # and its hint: rebase
        ["slip_more", {"op": "resolve", "args": {"session": "two", "path": "src/app.py",
                                                 "theirs": True}}],
        ["slip_commit", {"session": "two", "message": ["two"]}],
        ["slip_begin", {"name": "three"}],
    ]  # fmt: skip
    done = subprocess.run(
        ["node", str(script), json.dumps(slip_command("mcp")), str(repo.path), json.dumps(calls)],
        capture_output=True, env=slip_environment(), check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    said = json.loads(done.stdout)
    assert "slip_more" in said["tools"]
    errors = [reply["told"]["error"]["code"] for reply in said["replies"] if reply["error"]]
    assert errors == ["conflict"]
    rebased = said["replies"][6]["told"]
    assert (rebased["session"], len(rebased["conflicts"])) == ("two", 1)
    assert said["replies"][-2]["told"]["committed"] is True
    assert said["resources"] == ["slip://session/three", "slip://session/three/diff"]
    assert repo.read("src/app.py") == b"def main():\n    return 3\n"


def test_the_session_that_is_meant(host: RawHost, repo: Lab) -> None:
    repo.slip("begin", "another")
    # Nothing was begun here: what is read is the working tree.
    assert "session" not in host.did("sp_lines", path="src/app.py")
    assert host.did("slip_begin")["session"] == "s1"
    # Another session is open that was begun from this worktree, but not here.
    assert host.did("slip_status")["session"] == "s1"
    told = host.call("sp_lines", path="src/app.py")
    assert told["structuredContent"]["session"] == "s1"
    assert told["content"][0]["text"].startswith("# session s1\n")
    host.did("slip_begin", name="s2")
    error = host.refused("session-required", "slip_apply", ops=[edit("return 1", "return 2")])
    assert error["hint"]["tool"] == "slip_apply"
    assert error["hint"]["arguments"]["session"] in error["data"]["sessions"]
    host.follow(error["hint"])
    assert host.did("slip_status", session=error["hint"]["arguments"]["session"])["steps"] == 1
    assert "session" not in host.did("sp_lines", path="src/app.py")
    host.more("abort", session="s1")
    assert host.did("slip_status")["session"] == "s2"
    # A revision is no session's.
    assert host.did("sp_lines", path="src/app.py", rev="HEAD")["rev"] == repo.oid("HEAD")


def test_a_session_of_the_server_s_own(repo: Lab, children: Children) -> None:
    host = RawHost(children, repo.path, "--session", "mine")
    host.introduce()
    assert "session" not in host.did("sp_lines", path="src/app.py")
    assert host.did("slip_begin")["session"] == "mine"
    host.did("slip_begin", name="other")
    assert host.did("slip_apply", ops=[edit("return 1", "return 2")])["session"] == "mine"
    assert host.did("sp_lines", path="src/app.py")["session"] == "mine"
    assert host.did("slip_commit", message=["it"])["committed"]
    error = host.refused("session-missing", "slip_apply", ops=[])
    assert host.follow(error["hint"])["structuredContent"]["session"] == "mine"
    assert host.end() == 0


def test_help_tells_schemas(host: RawHost) -> None:
    told = host.did("slip_more", op="help")
    assert {"undo", "rebase", "run"} <= {row["op"] for row in told["ops"]}
    assert not {"serve", "mcp", "demo"} & {row["op"] for row in told["ops"]}
    commit = host.more("help", op="commit")["schema"]["properties"]
    assert {"series", "sign", "push"} <= set(commit)
    # A call that does not fit tells what would.
    error = host.refused("usage", "slip_more", op="adopt")
    assert error["data"]["schema"]["required"] == ["branch"]
    error = host.refused("usage", "slip_more", op="adpt")
    assert "did you mean adopt?" in error["message"]
    error = host.refused("usage", "slip_status", sesion="s")
    assert "did you mean session?" in error["message"]
    assert host.follow(error["hint"])["structuredContent"]["op"] == "status"
    # Spelled as a command or as a tool.
    assert host.more("merge_tree", base="HEAD", ours="HEAD", theirs="HEAD")["clean"] is True
    assert host.did("slip_more", op="sp_files")["total"] == 2


def test_resources(host: RawHost, repo: Lab) -> None:
    host.did("slip_begin", name="one", title="what it is for")
    host.did("slip_apply", ops=[edit("return 1", "return 2")])
    rows = host.ask("resources/list")["result"]["resources"]
    assert [row["uri"] for row in rows] == ["slip://session/one", "slip://session/one/diff"]
    assert rows[0]["title"] == "what it is for"
    status = host.ask("resources/read", uri="slip://session/one")["result"]["contents"][0]
    assert json.loads(status["text"])["steps"] == 1
    diff = host.ask("resources/read", uri="slip://session/one/diff")["result"]["contents"][0]
    assert "+    return 2" in diff["text"]
    assert repo.slip("diff", "-s", "one").text == diff["text"]
    templates = host.ask("resources/templates/list")["result"]["resourceTemplates"]
    assert [row["uriTemplate"] for row in templates] == [
        "slip://session/{name}", "slip://session/{name}/diff",
    ]  # fmt: skip
    for uri in ("slip://session/two", "slip://session/../x", "file:///etc/passwd"):
        error = host.ask("resources/read", uri=uri)["error"]
        assert error["code"] == -32002, error
    assert host.ask("prompts/list")["result"]["prompts"] is not None
    assert host.ask("prompts/get", name="no such")["error"]["code"] == -32602


def test_a_program_is_run_and_heard(host: RawHost) -> None:
    host.did("slip_begin")
    words = ["sh", "-c", "echo out; echo err >&2; read x; echo $?; echo 2 > made; exit 3"]
    told = host.more("run", command=words)
    assert (told["exit"], told["output"]) == (3, "out\nerr\n1\n")
    told = host.more("run", command=["sh", "-c", "echo 2 > made"], capture=True)
    assert [row["path"] for row in told["captured"]["changes"]] == ["made"]
    # Of much output, the end is kept.
    told = host.more("run", command=["sh", "-c", "seq 100000"])
    assert told["output_cut"] is True
    assert told["output"].endswith("\n100000\n")


def test_progress_is_told_and_a_gate_interrupted(host: RawHost, repo: Lab, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    repo.commit({".slip.toml": f'[gate.slow]\nrun = "echo $$ > {mark}; sleep 600"\n'}, "a gate")
    host.did("slip_begin")
    host.did("slip_apply", ops=[edit("return 1", "return 2")])
    head = repo.oid("HEAD")
    meta = {"progressToken": "t"}
    params = {"name": "slip_commit", "arguments": {"message": ["m"]}, "_meta": meta}
    host.send(id="slow", method="tools/call", params=params)
    told = [host.hear()["params"] for _ in range(3)]
    assert [row["progressToken"] for row in told] == ["t"] * 3
    assert told[0]["progress"] < told[1]["progress"] < told[2]["progress"]
    assert "gate slow" in told[-1]["message"]
    # Readers go on beside it.
    host.send(method="notifications/cancelled", params={"requestId": "slow"})
    assert is_gone(mark.read_text().strip())
    # No answer to it, and nothing has moved.
    status = host.did("slip_status")
    assert (status["session"], status["steps"]) == ("s1", 1)
    assert repo.oid("HEAD") == head
    assert host.did("slip_commit", message=["m"], check=False)["committed"] is True


def test_a_program_is_interrupted(host: RawHost, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    host.did("slip_begin")
    args = {"command": ["sh", "-c", f"echo $$ > {mark}; sleep 600"], "capture": True}
    params = {"name": "slip_more", "arguments": {"op": "run", "args": args}}
    host.send(id=77, method="tools/call", params=params)
    until = time.monotonic() + 30
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    host.send(method="notifications/cancelled", params={"requestId": 77})
    assert is_gone(mark.read_text().strip())
    assert host.did("slip_status")["steps"] == 0


def test_whoever_pipes_requests_in_is_answered(repo: Lab) -> None:
    client = {"name": "pipe", "version": "1"}
    hello = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": client}
    rows: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "slip_begin", "arguments": {}}},
    ]
    text = "".join(json.dumps({"jsonrpc": "2.0", **row}) + "\n" for row in rows)
    reply = repo.slip("mcp", stdin=text.encode())
    answers = [json.loads(line) for line in reply.out.splitlines()]
    assert [row["id"] for row in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["session"] == "s1"
    assert b"ended (end) after 2 requests" in reply.err


def test_a_signal_ends_it(host: RawHost) -> None:
    host.did("slip_begin")
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(30) == 0


def test_options_that_are_wrong(repo: Lab) -> None:
    error = repo.slip_json("mcp", "--tools", "some", expect=2).error
    assert error["message"] == "--tools is default or all"


def test_without_the_extra(repo: Lab, tmp_path: Path) -> None:
    """One line says which extra it is."""
    (tmp_path / "mcp.py").write_text("raise ImportError('no such package')\n")
    reply = repo.slip("mcp", env={"PYTHONPATH": f"{SOURCE}:{tmp_path}"}, expect=1)
    said = b"slip: unsupported: slip mcp needs the extra mcp: pip install 'slipstream-git[mcp]'\n"
    assert (reply.out, reply.err) == (b"", said)
