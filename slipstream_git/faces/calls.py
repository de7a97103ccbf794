"""A command as it was parsed, by whichever reader parsed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipstream_git.operations.registry import Operation
from slipstream_git.records import NamedTuple


class Call(NamedTuple):
    """One command: the values by parameter name, None where not given, and how to answer."""

    operation: Operation
    directory: str
    values: Mapping[str, Any]
    json: bool = False
    plain: bool = False
