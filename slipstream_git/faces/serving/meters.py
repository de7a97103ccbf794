"""What a server counts: requests, refusals, bytes, and how long each method took."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from threading import Lock
from typing import Any

# Upper bounds, in seconds; the last bucket has no bound.
BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Histogram:
    """How many calls took how long."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def as_json(self) -> dict[str, Any]:
        """``buckets``: up to so many seconds, so many calls, those of smaller ones included."""
        total = 0
        buckets: dict[str, int] = {}
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            buckets[bound] = total
        return {"count": total, "sum_s": round(self.sum_s, 6), "buckets": buckets}


class Meters:
    """Counters of one server. Methods that do not exist are counted together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.totals: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._methods: dict[str, Histogram] = {}

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.totals[what] += number

    def answered(self, method: str, seconds: float, refusal: str | None) -> None:
        with self._lock:
            self.totals["requests"] += 1
            if refusal is not None:
                self.errors[refusal] += 1
            self._methods.setdefault(method, Histogram()).add(seconds)

    def as_json(self) -> dict[str, Any]:
        with self._lock:
            return {
                **self.totals,
                "errors": dict(sorted(self.errors.items())),
                "methods": {name: self._methods[name].as_json() for name in sorted(self._methods)},
            }
