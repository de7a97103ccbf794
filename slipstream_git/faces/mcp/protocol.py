"""The Model Context Protocol through its official SDK: the only file that knows it.

Both kinds of revision are the SDK's affair: those that begin with `initialize`, and the one in
which each request says for itself what it speaks. Lines are ours, because the SDK passes over in
silence what it cannot read: see `Wire`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from slipstream_git import __version__, codec
from slipstream_git.errors import SlipError
from slipstream_git.faces.mcp import prompts, tools
from slipstream_git.faces.mcp.watching import Watcher
from slipstream_git.faces.serving import rpc
from slipstream_git.faces.serving.channels import FileChannel, Lines
from slipstream_git.operations.serving import Hosting

if TYPE_CHECKING:
    from slipstream_git.faces.mcp.calls import Desk, Reply

MESSAGE_BYTES: Final = 64 << 20
# As many calls at once; others wait.
THREADS: Final = 32
# How long a client that says no more is still answered, and how long calls may go on after that.
LAST_WORDS_S: Final = 1.5
GRACE_S: Final = 10.0

# What these answer is the same as long as a server runs.
_UNCHANGING: Final[tuple[CacheableMethod, ...]] = (
    "tools/list", "prompts/list", "resources/templates/list",
)  # fmt: skip
DAY_MS: Final = 86_400_000
# What a resource that is not there has for a number, in revisions that begin with `initialize`.
_MISSING: Final = -32002

Context = ServerRequestContext[Any, Any]


def converse(
    wish: Hosting,
    source: int,
    sink: int,
    in_main_thread: Callable[[Callable[[], Any]], Any],
    begun: Callable[[Callable[[], object]], None],
) -> tuple[int, bool]:
    """Serve one client to its end; how many requests there were, and whether a call is stuck.

    begun: is handed what ends it, to be called from any thread.
    """
    desk = _Desk(wish, in_main_thread)
    pool = ThreadPoolExecutor(THREADS, "slip-call")
    face = _Face(wish.tools, desk, pool)

    async def serve() -> int:
        wire = Wire(source, sink)
        loop = asyncio.get_running_loop()
        begun(lambda: loop.call_soon_threadsafe(wire.stop))
        await wire.serve(face.server())
        return wire.requests

    requests = asyncio.run(serve())
    pool.shutdown(wait=False, cancel_futures=True)
    is_stuck = face.are_busy(GRACE_S)
    if not is_stuck:
        desk.close()
    return requests, is_stuck


class _Desk:
    """The desk, made when it is first wanted: `initialize` is answered before it is loaded."""

    def __init__(self, wish: Hosting, in_main_thread: Callable[[Callable[[], Any]], Any]) -> None:
        self._wish = wish
        self._in_main_thread = in_main_thread
        self._guard = threading.Lock()
        self._made: Desk | None = None

    def __call__(self) -> Desk:
        from slipstream_git.faces.mcp.calls import Desk

        with self._guard:
            if self._made is None:
                self._made = Desk(self._wish, os.environ, self._in_main_thread)
            return self._made

    def close(self) -> None:
        """No call may be under way."""
        if self._made is not None:
            self._made.close()


# Lines --------------------------------------------------------------------------------------------


class Wire:
    """Messages as lines of JSON. What is none is passed over, with the protocol's error.

    It is also the stream that the SDK writes to.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._channel = FileChannel(source, sink)
        self._lines = Lines(self._channel, MESSAGE_BYTES)
        self._writing = asyncio.Lock()
        self._stopping = asyncio.Event()
        # By the id of each request that was not answered yet.
        self._open: dict[Any, None] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.requests = 0

    def stop(self) -> None:
        """Hear no more."""
        self._stopping.set()

    async def serve(self, server: Server[Any]) -> None:
        to_server, heard = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        hearing = asyncio.create_task(self._hear(to_server))
        try:
            await server.run(heard, self, server.create_initialization_options())
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing

    async def _hear(self, to_server: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            async with to_server:
                async for message in self._messages(stopped):
                    await to_server.send(SessionMessage(message))
                # Whoever pipes requests in and closes the pipe is answered, too.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WORDS_S):
                        await self._idle.wait()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        finally:
            stopped.cancel()

    async def _messages(self, stopped: asyncio.Task[bool]) -> AsyncIterator[types.JSONRPCMessage]:
        while True:
            line = asyncio.create_task(self._lines.next())
            await asyncio.wait({line, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not line.done():
                line.cancel()
                return
            try:
                said = line.result()
                if said is None:
                    return
                message = self._read(said)
            except SlipError as fault:  # a line that is too long
                await self._fail(None, types.INVALID_REQUEST, fault.message)
            except rpc.Misasked as fault:
                await self._fail(fault.data, fault.number, str(fault))
            except OSError:
                return
            else:
                if message is not None:
                    yield message

    def _read(self, line: bytes) -> types.JSONRPCMessage | None:
        """One message. Raises `rpc.Misasked`, with the request's id as its data."""
        if not line.strip():
            return None
        try:
            asked = codec.decode_json(line)
        except SlipError as fault:
            raise rpc.Misasked(types.PARSE_ERROR, f"this is no JSON: {fault.message}") from None
        try:
            message = types.jsonrpc_message_adapter.validate_python(asked, by_name=False)
        except ValidationError as fault:
            raise _no_message(asked, fault) from None
        if isinstance(message, types.JSONRPCRequest):
            self.requests += 1
            key = coerce_request_id(message.id)
            if key in self._open:
                # An answer would be that of the other.
                said = f"id {message.id!r} is of a request that is not answered yet"
                raise rpc.Misasked(types.INVALID_REQUEST, said[:200])
            self._open[key] = None
            self._idle.clear()
        elif isinstance(message, types.JSONRPCNotification):
            if "id" in asked:  # of another kind than ids are: somebody waits for an answer
                raise rpc.Misasked(types.INVALID_REQUEST, "an id is text or a whole number")
            self._hear_cancelled(message)
        return message

    def _hear_cancelled(self, message: types.JSONRPCNotification) -> None:
        """A request that is cancelled is not answered."""
        if message.method == "notifications/cancelled":
            self._settle((message.params or {}).get("requestId"))

    def _settle(self, request: Any) -> None:
        if isinstance(request, (str, int)):
            self._open.pop(coerce_request_id(request), None)
        if not self._open:
            self._idle.set()

    async def _fail(self, request: Any, number: int, said: str) -> None:
        error = types.ErrorData(code=number, message=said)
        with suppress(OSError):
            await self._write(types.JSONRPCError(jsonrpc="2.0", id=request, error=error))

    async def _write(self, message: types.JSONRPCMessage) -> None:
        line = message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        async with self._writing:
            await self._channel.write(line)

    # The stream that the SDK writes to -------------------------------------------------------

    async def send(self, item: SessionMessage, /) -> None:
        message = item.message
        try:
            await self._write(message)
        except OSError:
            raise anyio.BrokenResourceError from None
        finally:
            if isinstance(message, (types.JSONRPCResponse, types.JSONRPCError)):
                self._settle(message.id)

    async def aclose(self) -> None:
        """The descriptors stay open to the process's end."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_fault: object) -> None:
        pass


def _no_message(asked: object, fault: ValidationError) -> rpc.Misasked:
    """What is JSON and no message."""
    found = asked.get("id") if isinstance(asked, dict) else None
    where = "a message is one object" if not isinstance(asked, dict) else _named(fault)
    misasked = rpc.Misasked(types.INVALID_REQUEST, where)
    is_id = isinstance(found, (str, int)) and not isinstance(found, bool)
    misasked.data = found if is_id else None
    return misasked


def _named(fault: ValidationError) -> str:
    names = {str(row["loc"][-1]) for row in fault.errors(include_input=False) if row["loc"]}
    return f"this is no JSON-RPC 2.0 message: {', '.join(sorted(names))[:200]}"


# The protocol's requests --------------------------------------------------------------------------


class _Face:
    """What is answered to each request."""

    def __init__(self, which: str, desk: Callable[[], Desk], pool: ThreadPoolExecutor) -> None:
        self._which = which
        self._desk = desk
        self._pool = pool
        self._calls: set[Future[Any]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._is_introduced = False
        self._is_warm = False

    def server(self) -> Server[Any]:
        server: Server[Any] = Server(
            "slip",
            version=__version__,
            title="slip: change sets for git",
            instructions=tools.INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            cache_hints=dict.fromkeys(_UNCHANGING, CacheHint(DAY_MS, "public")),
        )
        server.middleware.append(self._around)
        return server

    async def _around(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """What holds for every request."""
        is_introduction = ctx.method == "initialize"
        if is_introduction and self._is_introduced:
            raise MCPError(types.INVALID_REQUEST, "initialize comes once in a conversation")
        answer = await call_next(ctx)
        self._is_introduced = self._is_introduced or is_introduction
        if not self._is_warm and not is_introduction:
            # When the client has been answered: what it will ask for next costs less then.
            self._is_warm = True
            self._pool.submit(lambda: self._desk().warm())
        return answer

    # Tools -----------------------------------------------------------------------------------

    async def _list_tools(
        self, _ctx: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        rows = [
            types.Tool(
                name=tool.name,
                description=tool.description,
                input_schema=dict(tool.schema),
                annotations=types.ToolAnnotations.model_validate(tool.annotations),
            )
            for tool in tools.tools(self._which)
        ]
        return types.ListToolsResult(tools=rows)

    async def _call_tool(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        given = params.arguments or {}
        reply: Reply = await self._aside(
            ctx, lambda watcher: self._desk().answer(params.name, given, watcher)
        )
        return types.CallToolResult(
            content=[types.TextContent(text=reply.text)],
            structured_content=reply.told,
            is_error=reply.is_error,
        )

    async def _aside(self, ctx: Context, work: Callable[[Watcher], Any]) -> Any:
        """What ``work`` answers, in a thread. Cancelled, it is told so, and nobody waits for it."""
        loop = asyncio.get_running_loop()

        def tell(done: float, of: float | None, what: str) -> None:
            loop.call_soon_threadsafe(self._tell, ctx, done, of, what)

        watcher = Watcher(tell)
        call = self._pool.submit(work, watcher)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            return await asyncio.wrap_future(call)
        except rpc.Misasked as fault:
            raise MCPError(fault.number, str(fault)) from None
        except asyncio.CancelledError:
            watcher.leave()
            raise

    def _tell(self, ctx: Context, done: float, of: float | None, what: str) -> None:
        """Report progress; the SDK drops it where nobody asked for it."""
        task = asyncio.create_task(ctx.session.report_progress(done, of, what))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def are_busy(self, patience_s: float) -> bool:
        """Whether calls still run after so long."""
        return bool(wait(list(self._calls), patience_s).not_done)

    # Resources and prompts -------------------------------------------------------------------

    async def _list_resources(
        self, ctx: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        from slipstream_git.faces.mcp import resources

        rows = await self._looked(ctx, lambda watcher: resources.listed(self._desk(), watcher))
        return types.ListResourcesResult(
            resources=[types.Resource.model_validate(row, by_name=False) for row in rows]
        )

    async def _list_templates(
        self, _ctx: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        from slipstream_git.faces.mcp import resources

        rows = [types.ResourceTemplate.model_validate(row) for row in resources.TEMPLATES]
        return types.ListResourceTemplatesResult(resource_templates=rows)

    async def _read_resource(
        self, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        from slipstream_git.faces.mcp import resources

        uri = str(params.uri)
        rows = await self._looked(ctx, lambda watcher: resources.read(self._desk(), uri, watcher))
        contents = [types.TextResourceContents.model_validate(row) for row in rows]
        return types.ReadResourceResult(contents=[*contents])

    async def _looked(self, ctx: Context, work: Callable[[Watcher], Any]) -> Any:
        try:
            return await self._aside(ctx, work)
        except SlipError as fault:
            number = _MISSING if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS else None
            is_missing = fault.code in ("missing", "session-missing", "bad-name")
            code = (number if is_missing else None) or types.INVALID_PARAMS
            raise MCPError(code, fault.message, codec.to_json(fault.as_json())) from None

    async def _list_prompts(
        self, _ctx: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        rows = [
            types.Prompt(name=row.name, description=row.description)
            for row in prompts.listed().values()
        ]
        return types.ListPromptsResult(prompts=rows)

    async def _get_prompt(
        self, _ctx: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        found = prompts.listed().get(params.name)
        if found is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt {params.name[:40]!r}")
        said = types.PromptMessage(role="user", content=types.TextContent(text=found.text))
        return types.GetPromptResult(description=found.description, messages=[said])
