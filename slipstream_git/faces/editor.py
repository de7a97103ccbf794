"""The commit message of a person at a terminal who gave none: their editor, with the diffstat."""

from __future__ import annotations

import os

from slipstream_git.errors import SlipError
from slipstream_git.faces import text
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import Workspace

EXPLANATION = """
# The message of the commit that session {session} becomes.
# Lines that begin with # are left out, and an empty message commits nothing.
#
"""


def message(ws: Workspace, session: str | None) -> tuple[bytes, str]:
    """What the person wrote, and the file that holds it. Raises `usage` when it is empty."""
    diff = registry.find("diff")
    if diff is None:
        raise ValueError("the table has no diff")
    found = calling.call(diff, ws, {"session": session, "stat": True})
    status = registry.find("status")
    if status is None:
        raise ValueError("the table has no status")
    proposed = calling.call(status, ws, {"session": found.session}).message or ""
    template = proposed + EXPLANATION.format(session=found.session)
    shown = text.render("diff", found, color=False, terminal=True)
    template += "".join(f"# {line}\n" for line in shown.split("\n"))
    path = os.path.join(ws.repository.layout.git_dir, f"SLIP_EDITMSG-{found.session}")
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(template)
    ws.repository.git.edit(path)
    with open(path, "rb") as written:
        content = written.read()
    kept = ws.repository.git.run("stripspace", "--strip-comments", stdin=content).out
    if not kept.strip():
        os.unlink(path)
        raise SlipError("usage", "the message is empty; nothing was committed")
    return kept, path
