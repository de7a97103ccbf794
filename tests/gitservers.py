"""Real git servers for tests, on the loopback: git-http-backend behind lighttpd, and sshd.

    hub = web.repository()                     # bare, reachable at web.url
    clone = hub.clone("one")

They are killed and started again like any server; the repositories stay.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.children import Children, Started

LIGHTTPD = shutil.which("lighttpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
BACKEND = Path(
    subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    .stdout.strip(),
    "git-http-backend",
)  # fmt: skip
needs_web = pytest.mark.skipif(
    LIGHTTPD is None or not BACKEND.exists(),
    reason="lighttpd or git-http-backend is not installed",
)
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_ssh = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None, reason="sshd or ssh is not installed"
)
PATIENCE_S = 20.0

CONFIGURATION = """\
server.modules = ("mod_alias", "mod_setenv", "mod_cgi")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{place}"
server.upload-dirs = ("{place}")
server.errorlog = "{place}/error.log"
server.stream-request-body = 0
alias.url = ("/git" => "{backend}")
$HTTP["url"] =~ "^/git" {{
    cgi.assign = ("" => "")
    setenv.add-environment = (
        "GIT_PROJECT_ROOT" => "{root}",
        "GIT_HTTP_EXPORT_ALL" => "1",
        "GIT_CONFIG_GLOBAL" => "{place}/gitconfig",
        "PATH" => "{path}",
    )
}}
"""


class Web:
    """git-http-backend behind lighttpd; serves every repository below `root`."""

    def __init__(self, place: Path, root: Path, children: Children) -> None:
        self.place = place
        self.root = root
        self.port = free_port()
        self._children = children
        self._server: Started | None = None
        place.mkdir(parents=True, exist_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        (place / "gitconfig").write_text(
            "[http]\n\treceivepack = true\n[safe]\n\tdirectory = *\n"
            "[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n"
        )
        self._configuration = place / "lighttpd.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                port=self.port, place=place, root=root, backend=BACKEND, path=os.environ["PATH"]
            )
        )

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/git/{name}"

    def start(self) -> None:
        assert LIGHTTPD is not None
        command = [LIGHTTPD, "-D", "-f", str(self._configuration)]
        self._server = self._children.start(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while not _listens(self.port):
            assert self._server.poll() is None, (self.place / "error.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)

    def kill(self) -> None:
        """The server and all that it runs, at once, as a machine dies."""
        assert self._server is not None
        end_group(self._server)
        self._server = None


def end_group(server: Started) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


class Ssh:
    """sshd for the user who runs the tests; every repository is reached by its path."""

    def __init__(self, place: Path, children: Children) -> None:
        self.place = place
        self.port = free_port()
        self._children = children
        place.mkdir(parents=True)
        for name in ("host", "key", "stranger"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
            subprocess.run(command, check=True)
        shutil.copy(place / "key.pub", place / "authorized")
        (place / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\n"
            f"AuthorizedKeysFile {place}/authorized\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel ERROR\n"
        )

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def command(self, key: str = "key") -> str:
        """What `GIT_SSH_COMMAND` is to be."""
        return (
            f"ssh -F none -i {self.place}/{key} -o IdentitiesOnly=yes -o LogLevel=ERROR"
            " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        )

    def start(self) -> None:
        assert SSHD is not None
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        command = [SSHD, "-D", "-e", "-f", str(self.place / "config")]
        server = self._children.start(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while not _listens(self.port):
            assert server.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
