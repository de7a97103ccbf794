"""More shapes of the contract: what sessions that meet each other, or their branch, answer.

The rules of outcomes.py hold here, too.
"""

from __future__ import annotations
