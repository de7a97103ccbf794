"""One client of a server, heard line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.faces import reports
from slipstream_git.faces.serving import rpc
from slipstream_git.faces.serving.answering import Answers
from slipstream_git.faces.serving.askers import Asker
from slipstream_git.faces.serving.channels import Channel, Lines, Slow


class Client:
    """A conversation. is_answering: whether a message of it is being answered."""

    def __init__(
        self, answers: Answers, channel: Channel, asker: Asker, patience_s: int = 0
    ) -> None:
        self._answers = answers
        self._channel = channel
        self._asker = asker
        asker.tell = self._tell
        self._patience_s = patience_s
        self.task: asyncio.Task[None] | None = None
        self.is_answering = False
        self.is_leaving = False

    async def converse(self) -> None:
        """Answer until the client has said all, or the server ends."""
        lines = Lines(self._channel, self._answers.wish.message_bytes, self._patience_s)
        while not self.is_leaving:
            try:
                line = await lines.next()
            except SlipError as fault:
                await self._refuse_rubbish(fault)
                continue
            except Slow:
                why = f"a message comes within {self._patience_s} seconds; this one did not"
                await self.refuse(SlipError("quota", why))
                return
            if line is None:
                return
            self._answers.meters.count("bytes_in", len(line) + 1)
            self.is_answering = True
            try:
                await self._reply(line)
            finally:
                self.is_answering = False

    def leave(self) -> None:
        """It has gone."""
        self._answers.forget(self._asker)

    async def refuse(self, fault: SlipError) -> None:
        """Tell of an error that answers no request in particular."""
        await self._tell(_refusal(fault))

    async def _refuse_rubbish(self, fault: SlipError) -> None:
        """The same for what is no request; it counts as one."""
        try:
            self._asker.ask()
        except SlipError as over:
            fault = over
        await self.refuse(fault)

    async def _reply(self, line: bytes) -> None:
        before = self._asker.asked
        try:
            said = await rpc.reply(line, self._answer)
            if said is not None and self._asker.asked == before:
                self._asker.ask()  # nothing in it was a request
        except SlipError as over:
            await self.refuse(over)
            return
        except Exception as raised:  # noqa: BLE001  (no message ends the conversation)
            await self.refuse(reports.translated(raised))
            return
        if said is not None:
            await self._tell(said)

    async def _tell(self, message: bytes) -> None:
        self._answers.meters.count("bytes_out", len(message) + 1)
        await self._channel.write(message + b"\n")

    async def _answer(self, method: str, params: Mapping[str, Any]) -> Any:
        return await self._answers.answer(self._asker, method, params)


def refusal(fault: SlipError) -> bytes:
    """What somebody hears who is not let in."""
    return _refusal(fault) + b"\n"


def _refusal(fault: SlipError) -> bytes:
    return rpc.failed(None, rpc.REFUSED - fault.exit_status, fault)
