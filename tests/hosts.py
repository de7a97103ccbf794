"""Agents' hosts of tests: clients of `slip mcp` over its real standard streams."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tests.children import Children, Started
from tests.lab import slip_command, slip_environment

PATIENCE_S = 60.0
HANDSHAKE = "2025-11-25"
Json = dict[str, Any]
# What a field takes, and what a line holds.
Free: TypeAlias = Any


class RawHost:
    """A client that says lines as they are, and hears lines: no library is between."""

    def __init__(self, children: Children, directory: Path, *options: str) -> None:
        self.process: Started = children.start(
            slip_command("mcp", *options),
            cwd=directory, env=slip_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        self._held = bytearray()
        self._number = 0
        self.said_bytes = self.heard_bytes = 0

    def say(self, data: bytes) -> None:
        self._input.write(data)
        self._input.flush()
        self.said_bytes += len(data)

    def send(self, **message: Free) -> None:
        self.say(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def hear(self, patience_s: float = PATIENCE_S) -> Json:
        """The next line, which must be JSON."""
        until = time.monotonic() + patience_s
        while b"\n" not in self._held:
            left = until - time.monotonic()
            ready = select.select([self._output], [], [], max(0.0, left))[0]
            assert ready, "nothing was heard"
            piece = os.read(self._output.fileno(), 1 << 20)
            assert piece, (
                f"the server hung up: {self.process.stderr and self.process.stderr.read()!r}"
            )
            self._held += piece
        line, _, rest = bytes(self._held).partition(b"\n")
        self._held = bytearray(rest)
        self.heard_bytes += len(line) + 1
        return dict(json.loads(line))

    def silence(self, for_s: float) -> None:
        """That nothing is said for so long."""
        assert not self._held
        assert not select.select([self._output], [], [], for_s)[0], "something was said"

    def ask(self, method: str, **params: Free) -> Json:
        """The whole reply to one request; notifications before it are passed over."""
        self._number += 1
        self.send(id=self._number, method=method, params=params)
        return self.reply(self._number)

    def reply(self, number: object) -> Json:
        while True:
            heard = self.hear()
            if "id" in heard:
                assert heard["id"] == number, heard
                return heard

    def introduce(self, version: str = HANDSHAKE) -> Json:
        """The handshake; what `initialize` answers."""
        client = {"name": "raw", "version": "1"}
        answer = self.ask("initialize", protocolVersion=version, capabilities={}, clientInfo=client)
        self.send(method="notifications/initialized")
        return dict(answer["result"])

    def call(self, tool: str, **arguments: Free) -> Json:
        """The result of a tool's call, whether it went well or not."""
        reply = self.ask("tools/call", name=tool, arguments=arguments)
        assert "result" in reply, reply
        return dict(reply["result"])

    def did(self, tool: str, **arguments: Free) -> Json:
        """The structured content of a call that went well."""
        result = self.call(tool, **arguments)
        assert not result.get("isError"), result
        told: Json = result["structuredContent"]
        assert told["ok"] is True
        return told

    def refused(self, code: str, tool: str, **arguments: Free) -> Json:
        """The error of a call that was refused with this code."""
        result = self.call(tool, **arguments)
        assert result.get("isError"), result
        told: Json = result["structuredContent"]
        assert (told["ok"], told["error"]["code"]) == (False, code), told
        assert result["content"][0]["text"].startswith(f"{code}: ")
        error: Json = told["error"]
        return error

    def more(self, op: str, /, **args: Free) -> Json:
        return self.did("slip_more", op=op, args=args)

    def follow(self, hint: Mapping[str, Any]) -> Json:
        """Make the calls of a hint, one after the other; the last one's result."""
        result = self.call(hint["tool"], **hint["arguments"])
        return self.follow(hint["then"]) if "then" in hint else result

    def end(self) -> int:
        """Say no more; the server's exit status."""
        self._input.close()
        return self.process.wait(PATIENCE_S)


class SdkHost:
    """The SDK's own client, in a conversation. repo: what every answer has to name."""

    def __init__(self, client: Free, repo: Path) -> None:
        self.client = client
        self._repo = str(repo)

    async def did(self, tool: str, **arguments: Free) -> Json:
        """The structured content of a call that went well."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result
        told: Json = result.structured_content
        assert told["repo"] == self._repo
        assert result.content[0].text
        return told

    async def more(self, op: str, /, **args: Free) -> Json:
        return await self.did("slip_more", op=op, args=args)


def with_sdk(directory: Path, mode: str, work: Callable[[SdkHost], Awaitable[None]]) -> None:
    """Do something as a client of the SDK's, over real streams. mode: see its `Client`."""
    # Where the extra is missing, tests that need this are skipped.
    from mcp.client.client import Client  # noqa: PLC0415
    from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415

    program, *arguments = slip_command("mcp")
    server = StdioServerParameters(
        command=program, args=arguments, env=slip_environment(), cwd=str(directory)
    )

    async def conversation() -> None:
        with open(os.devnull, "w") as nothing:  # noqa: ASYNC230, PTH123
            async with Client(stdio_client(server, errlog=nothing), mode=mode) as client:
                await work(SdkHost(client, directory))

    asyncio.run(conversation())
