"""JSON-RPC 2.0, pure: the bytes of one message in, the bytes of its reply out.

What an operation refuses has the code -32000 less its exit status; what was asked wrongly of the
protocol itself has the specification's own. Every error's ``data`` is the error object that
`--json` prints: code, message, hint, data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import isfinite
from typing import Any

from slipstream_git import codec
from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
REFUSED = -32000
MOST_REQUESTS = 1000
FIELDS = ("jsonrpc", "method", "params", "id")
# The ancestor's methods, which may be asked for as its clients do: without "jsonrpc", and without
# an id, too. Such a request has a reply of the same kind, and is never a notification.
PLAIN = ("session.", "file.", "cursor.", "batch")

# Answers a method with its fields. Raises SlipError, `Misasked`.
Answerer = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


class Misasked(Exception):
    """A fault that the specification has a number for."""

    def __init__(self, number: int, message: str, code: str = "usage") -> None:
        super().__init__(message)
        self.number = number
        self.error = SlipError(code, message)
        self.data: object = None

    @classmethod
    def of(cls, number: int, error: SlipError, data: object = None) -> Misasked:
        """The same for an error that is known; ``data`` is told in the place of its own."""
        fault = cls(number, error.message)
        fault.error, fault.data = error, data
        return fault


class Request(NamedTuple):
    """One call. is_silent: a notification, whatever comes of it. is_plain: it is no JSON-RPC."""

    method: str
    params: Mapping[str, Any]
    id: object
    is_silent: bool
    is_plain: bool = False


async def reply(message: bytes, answerer: Answerer) -> bytes | None:
    """The reply to one message, without a line's end; None where there is none to give.

    The requests of a batch are answered one after the other.
    """
    if not message.strip():
        return None
    try:
        asked = codec.decode_json(message)
    except SlipError as fault:
        return failed(None, PARSE_ERROR, fault)
    if not isinstance(asked, list):
        return await _one(asked, answerer)
    if not 0 < len(asked) <= MOST_REQUESTS:
        why = f"a batch has 1 to {MOST_REQUESTS} requests, not {len(asked)}"
        return failed(None, INVALID_REQUEST, SlipError("usage", why))
    replies = [await _one(item, answerer) for item in asked]
    told = [item for item in replies if item is not None]
    return b"[" + b",".join(told) + b"]" if told else None


async def _one(asked: object, answerer: Answerer) -> bytes | None:
    try:
        request = _request(asked)
    except Misasked as fault:
        return failed(_named(asked), fault.number, fault.error, is_plain=_is_plain(asked))
    said = await _said(request, answerer)
    return None if request.is_silent else said


async def _said(request: Request, answerer: Answerer) -> bytes:
    try:
        result = await answerer(request.method, request.params)
    except Misasked as fault:
        return failed(request.id, fault.number, fault.error, fault.data, is_plain=request.is_plain)
    except SlipError as fault:
        number = REFUSED - fault.exit_status
        return failed(request.id, number, fault, is_plain=request.is_plain)
    return _line({"result": result, "id": request.id}, is_plain=request.is_plain)


def _request(asked: object) -> Request:
    if not isinstance(asked, dict):
        raise Misasked(INVALID_REQUEST, "a request is an object")
    odd = next((name for name in asked if name not in FIELDS), None)
    if odd is not None:
        why = f"a request has no field {odd[:40]!r}; a method's are in params"
        raise Misasked(INVALID_REQUEST, why)
    is_plain = _is_plain(asked)
    if asked.get("jsonrpc") != "2.0" and not is_plain:
        raise Misasked(INVALID_REQUEST, 'a request says "jsonrpc": "2.0"')
    if not isinstance(asked.get("method"), str):
        raise Misasked(INVALID_REQUEST, "a request names its method")
    if not _is_id(asked.get("id")):
        raise Misasked(INVALID_REQUEST, "an id is text, a number or null")
    params = asked.get("params", {})
    if not isinstance(params, (dict, list)):
        raise Misasked(INVALID_REQUEST, "params is an object")
    is_silent = "id" not in asked and not is_plain
    if isinstance(params, list):
        params = {"": params} if params else {}
    return Request(asked["method"], params, asked.get("id"), is_silent, is_plain)


def _is_plain(asked: object) -> bool:
    if not isinstance(asked, dict) or "jsonrpc" in asked:
        return False
    method = asked.get("method")
    return isinstance(method, str) and method.startswith(PLAIN)


def _is_id(value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return value is None or (isinstance(value, (str, int)) and not isinstance(value, bool))


def _named(asked: object) -> object:
    """The id of a request that is wrong otherwise; None where it has none that could be one."""
    found = asked.get("id") if isinstance(asked, dict) else None
    return found if _is_id(found) else None


def failed(
    request_id: object,
    number: int,
    error: SlipError,
    data: object = None,
    *,
    is_plain: bool = False,
) -> bytes:
    """The reply that tells of an error. data: in the place of the error object."""
    told = {"code": number, "message": error.message, "data": data or error.as_json()}
    return _line({"error": told, "id": request_id}, is_plain=is_plain)


def _line(value: Mapping[str, Any], *, is_plain: bool) -> bytes:
    return codec.dumps(value if is_plain else {"jsonrpc": "2.0", **value}).encode()
