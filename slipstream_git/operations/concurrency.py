"""Many sessions at once: declarations only."""

from __future__ import annotations
