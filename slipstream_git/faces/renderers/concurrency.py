"""Sessions beside each other, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {}
