"""Who asks a server, and how much of it he may have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Lock

from slipstream_git.addresses import BEGUN
from slipstream_git.errors import SlipError
from slipstream_git.faces.serving.guests import Guest
from slipstream_git.operations.serving import Wish


class Rate:
    """So many requests a second, and as many as that at once; 0 for any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._allowed = float(most)
        self._asked = time.monotonic()

    def allows(self) -> bool:
        """Whether one more is within it."""
        if not self.most:
            return True
        now = time.monotonic()
        self._allowed = min(float(self.most), self._allowed + (now - self._asked) * self.most)
        self._asked = now
        return self._allowed >= 1.0

    def take(self) -> None:
        self._allowed -= 1.0


class Rates:
    """The rates of one server: a client's, a user's, and that of all together."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._all = Rate(wish.group_rate)
        self._guard = Lock()
        self._users: dict[int, Rate] = {}

    def of(self, user: int | None) -> tuple[Rate, ...]:
        """Those that count for a client of this user; None for one on standard streams."""
        with self._guard:
            # Kept when its clients have gone, or a user would begin anew by coming again.
            of_user = self._users.setdefault(
                -1 if user is None else user, Rate(self._wish.user_rate)
            )
        return Rate(self._wish.rate), of_user, self._all


class Asker:
    """One client, as far as answers depend on it. guest: what it opened on a shared server.

    is_owner: whether it is the user whose server this is.
    """

    def __init__(
        self, rates: tuple[Rate, ...], guest: Guest | None = None, *, is_owner: bool = True
    ) -> None:
        self._rates = rates
        self.guest = guest
        self.is_owner = is_owner
        self.asked = 0
        # Says a line beside the answer.
        self.tell: Callable[[bytes], Awaitable[None]] | None = None

    def ask(self) -> None:
        """Count one more request. Raises `quota`."""
        self.asked += 1
        for rate, whose in zip(self._rates, ("", " of one user", " of all users"), strict=True):
            if not rate.allows():
                raise SlipError("quota", f"over {rate.most} requests a second{whose}; go slower")
        for rate in self._rates:
            rate.take()

    def beginner(self) -> Callable[[float], bool]:
        """What tells the client, from any thread, that a command is begun; see `commands.run`."""
        loop = asyncio.get_running_loop()

        async def tell() -> None:
            if self.tell is not None:
                await self.tell(BEGUN)

        def begin(until_s: float) -> bool:
            told = asyncio.run_coroutine_threadsafe(tell(), loop)
            with suppress(TimeoutError, OSError):
                told.result(max(0.0, until_s - time.monotonic()))
                return time.monotonic() < until_s
            told.cancel()
            return False

        return begin
