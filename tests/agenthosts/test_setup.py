"""`slip setup`: what is written for a host, that nothing else is, and that it starts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.hosts import jsontexts, plugin, settingup, tomltexts
from slipstream_git.hosts.catalogue import HOSTS
from tests.lab import Lab, slip_environment

FILES = {
    "cursor": ".cursor/mcp.json", "vscode": ".config/Code/User/mcp.json",
    "codex": ".codex/config.toml", "gemini": ".gemini/settings.json",
    "windsurf": ".codeium/windsurf/mcp_config.json", "zed": ".config/zed/settings.json",
    "claude-code": ".claude/settings.json",
}  # fmt: skip
BY_ENTRY = [name for name in FILES if name != "claude-code"]
PLUGIN = ".local/share/slip/claude-code"
pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="places of Linux")


def home(fresh: Path) -> dict[str, str]:
    """The environment of somebody whose home this is, and who has set nothing else."""
    unset = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR")
    return {"HOME": str(fresh)} | dict.fromkeys(unset, "")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    place = tmp_path / "fresh-home"
    place.mkdir()
    return place


def setup(lab: Lab, fresh: Path, *words: str, expect: int = 0) -> Any:  # noqa: ANN401
    reply = lab.slip_json("setup", *words, env=home(fresh), expect=expect)
    return reply.json if not expect else reply.error


def texts(place: Path) -> dict[str, str]:
    return {
        str(path.relative_to(place)): path.read_text()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def entry(client: str, text: str) -> dict[str, Any]:
    """The server that a host would start, read as it reads its file."""
    host = HOSTS[client]
    if client == "codex":
        said: Any = tomllib.loads(text)
    else:
        said = jsontexts.value(jsontexts.parse(text, comments=True))
    found = said[host.section]["slip"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("client", FILES)
def test_what_is_written_is_shown_written_once_and_taken_away(
    repo: Lab, fresh: Path, client: str
) -> None:
    before = repo.snapshot()
    dry = setup(repo, fresh, client, "--dry-run")
    assert not dry["done"]
    assert texts(fresh) == {}
    assert all(row["diff"] for row in dry["files"])
    reply = repo.slip("setup", client, env=home(fresh))
    assert f"+++ {fresh / FILES[client]}" in reply.err.decode()
    written = texts(fresh)
    assert FILES[client] in written
    again = setup(repo, fresh, client)
    assert (again["files"], again["advice"]) == ([], ["nothing to do"])
    assert texts(fresh) == written
    setup(repo, fresh, client, "--remove")
    assert texts(fresh) == {}
    assert setup(repo, fresh, client, "--remove")["files"] == []
    assert repo.snapshot() == before


@pytest.mark.parametrize("client", [name for name in FILES if HOSTS[name].project])
def test_a_project_gets_a_file_that_names_no_place_of_this_machine(
    repo: Lab, fresh: Path, client: str
) -> None:
    setup(repo, fresh, client, "--project")
    assert texts(fresh) == {}
    text = (repo.path / HOSTS[client].project).read_text()
    assert entry(client, text)["command"] == "slip"
    assert str(repo.path) not in text
    assert sys.executable not in text
    setup(repo, fresh, client, "--project", "--remove")
    assert not (repo.path / HOSTS[client].project).exists()


def test_windsurf_has_no_project(repo: Lab, fresh: Path) -> None:
    fault = setup(repo, fresh, "windsurf", "--project", expect=1)
    assert (fault["code"], fault["hint"]) == ("unsupported", "slip setup windsurf --user")


def test_json_and_print_write_nothing(repo: Lab, fresh: Path) -> None:
    for words in (("json",), *((name, "--print") for name in FILES)):
        assert "slip" in setup(repo, fresh, *words)["entry"]
    assert texts(fresh) == {}


def test_an_unknown_host_is_refused_with_those_that_are_known(repo: Lab, fresh: Path) -> None:
    fault = setup(repo, fresh, "emacs", expect=2)
    assert fault["code"] == "usage"
    assert "cursor" in fault["message"]
    assert setup(repo, fresh, "zed", "--user", "--project", expect=2)["code"] == "usage"


def test_without_a_home_nothing_is_guessed(repo: Lab) -> None:
    assert repo.slip_json("setup", "cursor", env={"HOME": ""}, expect=2).error["code"] == "usage"
    places = {"HOME": "", "XDG_CONFIG_HOME": str(repo.path.parent / "conf")}
    repo.slip_json("setup", "zed", env=places)
    assert (repo.path.parent / "conf/zed/settings.json").is_file()


# What is there already ---------------------------------------------------------------------------

COMMENTED = """\
// mine
{
\t"theme": "dark", /* not yet */
\t"list": [1, 2,],
\t"odd": {"b": 2,   "a": 1}, // trailing comma
}
"""


@pytest.mark.parametrize("client", [name for name in BY_ENTRY if name != "codex"])
@pytest.mark.parametrize(
    "text",
    [
        COMMENTED, COMMENTED.replace("\n", "\r\n"), '{"a": 1}', '{"a": {"slip": 1}}\n',
        '{\n    "a": [\n        1\n    ]\n}', '{\n  "a": 1 // one, and only\n}\n',
        "{\n  // nothing yet\n}\n",
    ],
)  # fmt: skip
def test_other_keys_comments_and_formatting_stay(
    repo: Lab, fresh: Path, client: str, text: str
) -> None:
    path = fresh / FILES[client]
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode())
    path.chmod(0o600)
    setup(repo, fresh, client)
    found = path.read_bytes().decode()
    assert entry(client, found)["args"][-1] == "mcp"
    kept = [line for line in text.splitlines() if line.strip() not in ("}", "")]
    without = found.replace(",", "")
    assert all(line.rstrip("}").replace(",", "") in without for line in kept)
    assert path.stat().st_mode & 0o777 == 0o600
    setup(repo, fresh, client, "--remove")
    assert path.read_bytes().decode() == text


def test_other_servers_stay_where_they_are(repo: Lab, fresh: Path) -> None:
    path = fresh / FILES["cursor"]
    path.parent.mkdir(parents=True)
    text = '{\n  "mcpServers": {\n    "other": {"command": "x"}\n  }\n}\n'
    path.write_text(text)
    setup(repo, fresh, "cursor")
    assert json.loads(path.read_text())["mcpServers"]["other"] == {"command": "x"}
    setup(repo, fresh, "cursor", "--remove")
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    ["{", '{"a": 1, "a": 2}', "[1]", '{"mcpServers": []}', '{"a" 1}', '{"a": 1} x', "[" * 900],
)
def test_what_cannot_be_read_is_left_as_it_is(repo: Lab, fresh: Path, text: str) -> None:
    path = fresh / FILES["cursor"]
    path.parent.mkdir(parents=True)
    path.write_text(text)
    fault = setup(repo, fresh, "cursor", expect=1)
    assert fault["code"] == "unsupported"
    assert fault["hint"] == "slip setup cursor --user --print"
    assert texts(fresh) == {FILES["cursor"]: text}


def test_comments_where_the_host_reads_none_are_refused(repo: Lab, fresh: Path) -> None:
    path = fresh / FILES["claude-code"]
    path.parent.mkdir(parents=True)
    path.write_text(COMMENTED)
    assert setup(repo, fresh, "claude-code", expect=1)["code"] == "unsupported"
    assert texts(fresh) == {FILES["claude-code"]: COMMENTED}


@pytest.mark.parametrize("client", BY_ENTRY)
def test_a_server_of_the_same_name_is_left_to_its_owner(
    repo: Lab, fresh: Path, client: str
) -> None:
    path = fresh / FILES[client]
    path.parent.mkdir(parents=True)
    if client == "codex":
        text = '[mcp_servers.slip]\ncommand = "ship"\n'
    else:
        text = json.dumps({HOSTS[client].section: {"slip": {"command": "ship", "args": ["mcp"]}}})
    path.write_text(text)
    assert setup(repo, fresh, client, expect=1)["code"] == "exists"
    setup(repo, fresh, client, "--remove")
    assert path.read_text() == text


def test_an_entry_of_another_slip_is_brought_up_to_date(repo: Lab, fresh: Path) -> None:
    path = fresh / FILES["cursor"]
    path.parent.mkdir(parents=True)
    old = {"command": "/old/bin/slip", "args": ["mcp"], "env": {"A": "b"}, "disabled": True}
    path.write_text(json.dumps({"mcpServers": {"slip": old}}))
    setup(repo, fresh, "cursor")
    found = entry("cursor", path.read_text())
    assert found["command"] != old["command"]
    assert (found["env"], found["disabled"]) == ({"A": "b"}, True)


@pytest.mark.parametrize("client", FILES)
def test_a_server_may_be_bound_to_a_place(repo: Lab, fresh: Path, client: str) -> None:
    setup(repo, fresh, client, "--repo", ".")
    assert any(json.dumps(str(repo.path)) in text for text in texts(fresh).values())
    setup(repo, fresh, client)
    written = [text for name, text in texts(fresh).items() if "settings" not in name]
    assert not any(f'"--repo", {json.dumps(str(repo.path))}' in text for text in written)
    setup(repo, fresh, client, "--remove")
    assert texts(fresh) == {}


def test_a_link_stays_one_and_a_pipe_is_refused(repo: Lab, fresh: Path) -> None:
    path = fresh / FILES["cursor"]
    path.parent.mkdir(parents=True)
    (fresh / "dotfiles.json").write_text("{}\n")
    path.symlink_to(fresh / "dotfiles.json")
    setup(repo, fresh, "cursor")
    assert path.is_symlink()
    assert "mcpServers" in (fresh / "dotfiles.json").read_text()
    path.unlink()
    os.mkfifo(path)
    assert setup(repo, fresh, "cursor", expect=1)["code"] == "unsupported"


@pytest.mark.parametrize(
    "text",
    ["", 'model = "x"\n', 'a = 1\n[mcp_servers.other]\ncommand = "y"\n', "# mine\n\n[a]\nb = 2"],
)
def test_toml_is_added_to_and_taken_away(text: str) -> None:
    entry = {"command": "/a/slip", "args": ["mcp"]}
    new = tomltexts.put(text, ("mcp_servers", "slip"), entry)
    assert tomllib.loads(new)["mcp_servers"]["slip"] == entry
    assert tomltexts.put(new, ("mcp_servers", "slip"), entry) == new
    assert tomltexts.drop(new).rstrip("\n") == text.rstrip("\n")


def test_toml_in_another_form_is_refused(repo: Lab, fresh: Path) -> None:
    path = fresh / FILES["codex"]
    path.parent.mkdir(parents=True)
    for text in ('mcp_servers = {other = {command = "x"}}\n', "a = \n", "mcp_servers = 3\n"):
        path.write_text(text)
        assert setup(repo, fresh, "codex", expect=1)["code"] == "unsupported"
        assert path.read_text() == text


keys = st.text('ab/*"\\é', max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(keys, values, max_size=3),
    st.sampled_from([None, 1, 2, "\t"]),
    st.lists(keys, min_size=1, max_size=3),
)
def test_json_is_put_and_dropped_as_json_has_it(
    said: dict[str, Any], indent: int | str | None, way: list[str]
) -> None:
    text = json.dumps(said, indent=indent)
    holder: Any = said
    for key in way:
        taken = not isinstance(holder, dict) or key in holder
        if taken:
            return
        holder = {}
    new = jsontexts.put(text, way, {"x": [1]}, comments=False)
    expected: Any = {"x": [1]}
    for key in reversed(way):
        expected = {key: expected}
    assert json.loads(new) == {**said, **expected}
    assert json.loads(jsontexts.drop(new, way, comments=False)) == said


# The plugin --------------------------------------------------------------------------------------


def test_the_plugin_is_whole_and_its_settings_name_it(repo: Lab, fresh: Path) -> None:
    path = fresh / FILES["claude-code"]
    path.parent.mkdir(parents=True)
    path.write_text('{\n  "model": "opus",\n  "enabledPlugins": {"a@b": true}\n}\n')
    before = path.read_text()
    setup(repo, fresh, "claude-code")
    said = json.loads(path.read_text())
    place = Path(said["extraKnownMarketplaces"]["slip"]["source"]["path"])
    assert place == fresh / PLUGIN
    market = json.loads((place / ".claude-plugin/marketplace.json").read_text())
    (row,) = market["plugins"]
    root = place / row["source"]
    manifest = json.loads((root / ".claude-plugin/plugin.json").read_text())
    assert said["enabledPlugins"] == {"a@b": True, f"{manifest['name']}@{market['name']}": True}
    assert said["model"] == "opus"
    for folder in ("commands", "output-styles"):
        assert all(p.read_text().startswith("---\n") for p in (root / folder).iterdir())
    setup(repo, fresh, "claude-code", "--remove")
    assert texts(fresh) == {FILES["claude-code"]: before}


def test_a_status_line_of_ones_own_stays(repo: Lab, fresh: Path) -> None:
    path = fresh / FILES["claude-code"]
    path.parent.mkdir(parents=True)
    path.write_text('{"statusLine": {"type": "command", "command": "mine statusline"}}')
    advice = setup(repo, fresh, "claude-code")["advice"]
    assert any("your status line is left" in line for line in advice)
    assert json.loads(path.read_text())["statusLine"]["command"] == "mine statusline"
    setup(repo, fresh, "claude-code", "--remove")
    assert json.loads(path.read_text())["statusLine"]["command"] == "mine statusline"


def test_files_of_an_older_plugin_go(repo: Lab, fresh: Path) -> None:
    setup(repo, fresh, "claude-code")
    left = fresh / PLUGIN / "plugin/commands/former.md"
    left.write_text("x")
    setup(repo, fresh, "claude-code")
    assert not left.exists()


def started(command: str, repo: Lab, fresh: Path, said: dict[str, Any]) -> bytes:
    """What a command of a host answers, started as the host would: by a shell, in its directory."""
    env = slip_environment(home(fresh))
    done = subprocess.run(
        ["sh", "-c", command], cwd=repo.path, input=json.dumps(said).encode(),
        capture_output=True, env=env, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_every_hook_and_the_status_line_start_as_they_are_written(repo: Lab, fresh: Path) -> None:
    setup(repo, fresh, "claude-code")
    repo.slip("begin", "x")
    repo.slip("remember", "the cache is emptied", "-s", "x")
    said = json.loads((fresh / PLUGIN / "plugin/hooks/hooks.json").read_text())["hooks"]
    answers = {}
    for event, rows in said.items():
        for command in (hook["command"] for row in rows for hook in row["hooks"]):
            given = {"session_id": "r", "cwd": str(repo.path), "prompt": "the cache?"}
            answers[event] = started(command, repo, fresh, given)
    told = {event for event, out in answers.items() if out}
    assert told == {"SessionStart", "UserPromptSubmit"}
    line = json.loads((fresh / FILES["claude-code"]).read_text())["statusLine"]["command"]
    assert started(line, repo, fresh, {"workspace": {"current_dir": str(repo.path)}})


def test_a_module_in_the_repository_is_not_what_starts(repo: Lab, fresh: Path) -> None:
    setup(repo, fresh, "claude-code")
    repo.write("slipstream_git/__main__.py", "print('owned')\n")
    repo.write("slipstream_git/__init__.py", "")
    said = json.loads((fresh / PLUGIN / "plugin/hooks/hooks.json").read_text())["hooks"]
    command = said["Stop"][0]["hooks"][0]["command"]
    assert b"owned" not in started(command, repo, fresh, {})


@pytest.mark.parametrize("client", [*BY_ENTRY, "claude-code", "json"])
def test_every_server_that_is_written_answers_a_client(repo: Lab, fresh: Path, client: str) -> None:
    pytest.importorskip("mcp")
    import anyio  # noqa: PLC0415  (they come with an extra)
    from mcp import ClientSession, StdioServerParameters  # noqa: PLC0415
    from mcp.client.stdio import stdio_client  # noqa: PLC0415

    told = setup(repo, fresh, client)
    if client == "json":
        found = entry("cursor", told["entry"])
    elif client == "claude-code":
        found = entry("cursor", (fresh / PLUGIN / "plugin/.mcp.json").read_text())
    else:
        found = entry(client, (fresh / FILES[client]).read_text())
    env = slip_environment(home(fresh))
    server = StdioServerParameters(
        command=found["command"], args=found["args"], env=env, cwd=str(repo.path)
    )

    async def tools() -> set[str]:
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            return {tool.name for tool in (await session.list_tools()).tools}

    assert {"slip_begin", "sp_map", "slip_more"} <= anyio.run(tools)


def test_what_is_ours_is_known(tmp_path: Path) -> None:
    for words in (["/a b/slip"], [sys.executable, "-P", "-m", "slipstream_git"]):
        assert plugin.is_our_line({"command": shlex.join([*words, "statusline"])})
        assert plugin.is_our_server({"command": words[0], "args": [*words[1:], "mcp"]})
    for other in (None, {}, {"command": "'"}, {"command": "x statusline"}, {"command": 3}):
        assert not plugin.is_our_line(other)
        assert not plugin.is_our_server(other)
    assert settingup.USER != settingup.PROJECT
