"""What a program prints that a call runs, read as it comes; its end is part of the answer."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from slipstream_git.gitdb.supervising import Tail
from slipstream_git.workspace import Workspace

if TYPE_CHECKING:
    from typing import Self

KEPT_BYTES: Final = 16384
_READ_BYTES: Final = 1 << 16
# Something that the program left behind may still hold the pipe.
_PATIENCE_S: Final = 1.0


class Output:
    """A pipe for both of a program's streams. workspace: the caller's, with it in their place."""

    def __init__(self, ws: Workspace) -> None:
        self._heard, self._said = os.pipe()
        self._tail = Tail(KEPT_BYTES, before=1)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.workspace = ws._replace(output=self._said, errors=self._said)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._said)
        self._thread.join(_PATIENCE_S)

    def _read(self) -> None:
        with suppress(OSError):
            while data := os.read(self._heard, _READ_BYTES):
                self._tail.add(data)
        os.close(self._heard)

    def told(self) -> dict[str, Any]:
        text = self._tail.data.decode("utf-8", "replace")
        return {"output": text, **({"output_cut": True} if self._tail.before else {})}

    def lines(self) -> list[str]:
        cut = ["# only the end of what it printed:"] if self._tail.before else []
        text = self._tail.data.decode("utf-8", "replace").removesuffix("\n")
        return [*cut, *([text] if text else [])]
