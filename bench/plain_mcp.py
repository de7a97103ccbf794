"""Servers to measure `slip mcp` against: the SDK alone, and plain tools to read and edit files.

    python -P bench/plain_mcp.py echo|files

`echo` answers what it was asked. `files` has the tools that most agents have: a shell, reading with
numbered lines (the first 2,000), and replacing a text in a file.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

MOST_LINES = 2000
MOST_BYTES = 30_000
TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
Context = ServerRequestContext[Any, Any]


def tool(name: str, description: str, **fields: dict[str, str]) -> types.Tool:
    return types.Tool(
        name=name, description=description, input_schema={"type": "object", "properties": fields}
    )


ECHO = [tool("echo", "Answers what it was asked.")]
FILES = [
    tool("bash", "Run a command.", command=TEXT),
    tool("read", "Read a file, its lines numbered.", path=TEXT, offset=NUMBER, limit=NUMBER),
    tool("edit", "Replace a text in a file.", path=TEXT, old=TEXT, new=TEXT),
]


def bash(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "replace")[:MOST_BYTES]


def read(path: str, offset: int = 1, limit: int = MOST_LINES) -> str:
    rows = Path(path).read_text(errors="replace").split("\n")[offset - 1 : offset - 1 + limit]
    return "\n".join(f"{number:>6}\t{row}" for number, row in enumerate(rows, offset))


def edit(path: str, old: str, new: str) -> str:
    text = Path(path).read_text()
    assert text.count(old) == 1, path
    Path(path).write_text(text.replace(old, new))
    return f"{path} has been edited"


async def list_tools(
    _ctx: Context, _params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    return types.ListToolsResult(tools=ECHO if sys.argv[1] == "echo" else FILES)


async def call_tool(_ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    given = params.arguments or {}
    if params.name == "echo":
        return types.CallToolResult(
            content=[types.TextContent(text="echo")], structured_content=given
        )
    works: dict[str, Callable[..., str]] = {"bash": bash, "read": read, "edit": edit}
    said = works[params.name](**given)
    return types.CallToolResult(content=[types.TextContent(text=said)])


async def main() -> None:
    server: Server[Any] = Server(
        "plain", version="1", on_list_tools=list_tools, on_call_tool=call_tool
    )
    async with stdio_server() as (heard, said):
        await server.run(heard, said, server.create_initialization_options())


asyncio.run(main())
