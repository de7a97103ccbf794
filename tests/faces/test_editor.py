"""`slip commit` on a terminal: the person's own editor, begun with what is proposed."""

from __future__ import annotations

import os
import pty
from pathlib import Path

from tests.lab import Lab, slip_command, slip_environment


def on_a_terminal(repo: Lab, *arguments: str, env: dict[str, str]) -> tuple[int, bytes]:
    """Run slip on a terminal: how it ended, and what it printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(repo.path)
        command = slip_command(*arguments)
        os.execvpe(command[0], command, slip_environment(env))  # noqa: S606
    said = b""
    while True:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def test_the_editor_begins_with_the_title(repo: Lab, tmp_path: Path) -> None:
    repo.slip("begin", "s", "--title", "Say it")
    repo.slip("write", "a", stdin=b"1\n")
    env = {"GIT_EDITOR": f'f() {{ cp "$1" {tmp_path}/seen; echo more >> "$1"; }}; f'}
    status, said = on_a_terminal(repo, "commit", env=env)
    assert status == 0, said
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith("Say it\n# The message of the commit that session s becomes.\n")
    assert "# A a +1 -0\n" in seen
    assert repo.message() == "Say it\nmore\n"
