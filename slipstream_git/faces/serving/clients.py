"""One client of a server, heard line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.faces import reports
from slipstream_git.faces.serving import rpc
from slipstream_git.faces.serving.answering import Answers, Asker
from slipstream_git.faces.serving.channels import Channel, Lines


class Client:
    """A conversation. is_answering: whether a message of it is being answered."""

    def __init__(self, answers: Answers, channel: Channel) -> None:
        self._answers = answers
        self._channel = channel
        self._asker = Asker(answers.wish.rate, self._tell)
        self.task: asyncio.Task[None] | None = None
        self.is_answering = False
        self.is_leaving = False

    async def converse(self) -> None:
        """Answer until the client has said all, or the server ends."""
        lines = Lines(self._channel, self._answers.wish.message_bytes)
        while not self.is_leaving:
            try:
                line = await lines.next()
            except SlipError as fault:
                await self.refuse(fault)
                continue
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
        await self._tell(rpc.failed(None, rpc.REFUSED - fault.exit_status, fault))

    async def _reply(self, line: bytes) -> None:
        try:
            said = await rpc.reply(line, self._answer)
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
