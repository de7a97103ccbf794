"""Metrics in the text format of Prometheus, over HTTP on the loopback alone.

Format: https://prometheus.io/docs/instrumenting/exposition_formats (version 0.0.4). Nothing that a
client said is in it: methods and error codes are known names, so no value has to be escaped. A
page that a browser opened cannot read it: the Host must be this address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from slipstream_git.errors import of_system

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")
LONGEST_HEAD = 8192
PATIENCE_S = 5.0
TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What is not counted up, but is as it is now.
GAUGES = {
    "uptime_s": "slip_uptime_seconds",
    "clients": "slip_clients",
    "repositories": "slip_repositories",
    "memory_bytes": "slip_memory_anonymous_bytes",
}
OF_METHODS = "slip_request_duration_seconds"


async def expose(port: int, metrics: Callable[[], Mapping[str, Any]]) -> asyncio.Server:
    """Answer ``GET /metrics``. Raises `git-failed` where the port is taken."""

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.LimitOverrunError, EOFError):
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_reply(head.decode("latin-1"), port, metrics))
                await writer.drain()
        writer.close()

    try:
        return await asyncio.start_server(heard, LOOPBACK, port, limit=LONGEST_HEAD)
    except OSError as fault:
        raise of_system(fault) from None


def _reply(head: str, port: int, metrics: Callable[[], Mapping[str, Any]]) -> bytes:
    first, *rest = head.split("\r\n")
    fields = [line.partition(":") for line in rest if line]
    hosts = [value.strip().lower() for name, _, value in fields if name.lower() == "host"]
    method, _, target = first.partition(" ")
    path, _, version = target.partition(" ")
    if not version.startswith("HTTP/1."):
        return _page("400 Bad Request", "this is HTTP/1.1\n")
    if len(hosts) != 1 or hosts[0] not in {f"{name}:{port}" for name in NAMES}:
        return _page("403 Forbidden", "this is for the loopback alone\n")
    if method not in ("GET", "HEAD"):
        return _page("405 Method Not Allowed", "GET /metrics\n", "Allow: GET, HEAD\r\n")
    if path != "/metrics":
        return _page("404 Not Found", "GET /metrics\n")
    return _page("200 OK", text(metrics()), is_head=method == "HEAD")


def _page(status: str, body: str, more: str = "", *, is_head: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body.encode())}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if is_head else body.encode())


def text(metrics: Mapping[str, Any]) -> str:
    """What `metrics` answers, a line for each value."""
    return "".join(line + "\n" for line in _lines(metrics))


def _lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "# TYPE slip_info gauge"
    yield f'slip_info{{version="{metrics["version"]}"}} 1'
    for name, value in metrics.items():
        if name in GAUGES:
            yield f"# TYPE {GAUGES[name]} gauge"
            yield f"{GAUGES[name]} {value}"
        elif isinstance(value, int) and not isinstance(value, bool):
            yield f"# TYPE slip_{name}_total counter"
            yield f"slip_{name}_total {value}"
    yield "# TYPE slip_errors_total counter"
    for code, count in metrics["errors"].items():
        yield f'slip_errors_total{{code="{code}"}} {count}'
    yield f"# TYPE {OF_METHODS} histogram"
    for method, taken in metrics["methods"].items():
        for bound, count in taken["buckets"].items():
            yield f'{OF_METHODS}_bucket{{method="{method}",le="{bound}"}} {count}'
        yield f'{OF_METHODS}_sum{{method="{method}"}} {taken["sum_s"]}'
        yield f'{OF_METHODS}_count{{method="{method}"}} {taken["count"]}'
