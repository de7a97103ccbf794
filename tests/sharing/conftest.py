"""A repository that several clones share, as a directory or behind a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.children import Children
from tests.gitservers import LIGHTTPD, Web
from tests.lab import Ground
from tests.sharing.hubs import Hub


@pytest.fixture
def hub(ground: Ground) -> Hub:
    """A bare repository with the template's commit on `main`, reached as a directory."""
    lab = ground.bare("hub.git")
    return Hub(ground, lab, str(lab.path))


@pytest.fixture
def web(tmp_path: Path, children: Children) -> Web:
    """A web server for the repositories in `tmp_path`; tests that ask for it need lighttpd."""
    assert LIGHTTPD, "marked as needs_web?"
    server = Web(tmp_path / "web", tmp_path, children)
    server.start()
    return server


@pytest.fixture
def web_hub(ground: Ground, web: Web) -> Hub:
    """The same, behind the web server."""
    lab = ground.bare("hub.git")
    return Hub(ground, lab, web.url("hub.git"))
