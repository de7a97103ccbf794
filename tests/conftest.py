"""The seal around every test, and the repositories that a test can ask for by name.

Two gits are sealed: the binary reads its environment, libgit2 its own search paths, which it fixes
when it is loaded. pygit2 is sealed once it has been imported, and never imported for the sake of
it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import hypothesis
import pytest

from tests import desk, lab
from tests.children import Children
from tests.desk import STORES
from tests.lab import Ground, Lab, make_template
from tests.servers import start_server
from tests.starting import Starter

GITCONFIG = """\
[user]
\tname = Ada Test
\temail = ada@example.com
[init]
\tdefaultBranch = main
[protocol "file"]
\tallow = always
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""
DATE = "1767323045 +0000"  # 2026-01-02 03:04:05

# Thousands of tests each wait for the disk; in memory all of them take a sixth of that time.
MEMORY = Path("/dev/shm")
WANTED_BYTES = 6 << 30


# Rooms whose tests hold over both object stores: `make test` runs each over one of the two, and
# `make test-all` over both. What tells the stores apart is in tests/gitdb, over both at all times.
DRAWN = [Path(__file__).parent / room for room in ("changes", "changes/concurrency", "operations")]


def _in_memory() -> None:
    """Let temporary directories of tests be in memory, where there is enough of it."""
    if "TMPDIR" in os.environ or "PYTEST_DEBUG_TEMPROOT" in os.environ:
        return
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > WANTED_BYTES:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


_in_memory()
# Compiling all of the code anew takes a command four times as long as what it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell's job in the background ignores Ctrl-C, and so would all that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no fault of the code; examples that failed are printed, not kept on disk.
hypothesis.settings.register_profile("house", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("house")


def seal(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Make the environment the same on every machine, with `home` as the user's own."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "SLIP_", "XDG_", "SSH_", "GPG_", "LC_", "EMAIL")):
            patch.delenv(name)
    config = home / ".gitconfig"
    config.write_text(GITCONFIG)
    values = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "XDG_RUNTIME_DIR": str(home / ".run"),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_DATE": DATE,
        "GIT_TERMINAL_PROMPT": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "EDITOR": "false",
        "VISUAL": "false",
        "GIT_EDITOR": "false",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "TERM": "dumb",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    for name, value in values.items():
        patch.setenv(name, value)
    (home / ".run").mkdir(mode=0o700)
    seal_pygit2(home)


def seal_pygit2(home: Path) -> None:
    pygit2 = sys.modules.get("pygit2")
    if pygit2 is None:
        return
    paths = pygit2.settings.search_path
    level = pygit2.enums.ConfigLevel
    paths[level.GLOBAL] = str(home)
    paths[level.XDG] = str(home / ".config" / "git")
    paths[level.SYSTEM] = ""
    paths[level.PROGRAMDATA] = ""


@pytest.fixture(scope="session", autouse=True)
def sealed_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The seal for what session fixtures do, and in it what starts the commands of tests."""
    with pytest.MonkeyPatch.context() as patch:
        seal(patch, tmp_path_factory.mktemp("home"))
        if request.config.getoption("cold"):
            yield
            return
        starter = Starter(lab.slip_environment())
        patch.setattr(lab, "starter", starter)
        yield
        starter.close()


@pytest.fixture(autouse=True)
def home(
    sealed_session: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """A new HOME for every test, with a `.gitconfig` in it, and nothing kept of the last one."""
    place = tmp_path_factory.mktemp("home")
    seal(monkeypatch, place)
    if not request.config.getoption("served"):
        yield place
    else:
        servers = Children()
        start_server(servers, place / ".run" / "slip" / "serve.sock")
        yield place
        servers.end()
    desk.close_all()
    shutil.rmtree(place, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "every command line of a test finds a server (slow; whatever it prints stays the same)"
    parser.addoption("--served", action="store_true", help=told)
    told = "every command line starts an interpreter of its own, and is not forked off one"
    parser.addoption("--cold", action="store_true", help=told)


@pytest.fixture(scope="session")
def template(sealed_session: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("template") / "repo"
    make_template(place)
    return place


@pytest.fixture
def ground(tmp_path: Path, template: Path) -> Iterator[Ground]:
    """Makes repositories; each is put through `git fsck --strict` when the test ends."""
    made = Ground(tmp_path, template)
    yield made
    made.check()


@pytest.fixture
def repo(ground: Ground) -> Lab:
    """One commit on `main` with README.md and src/app.py."""
    return ground.repository()


@pytest.fixture
def children() -> Iterator[Children]:
    """Starts processes that do not outlive the test."""
    started = Children()
    yield started
    started.end()


@pytest.fixture
def bare_repo(ground: Ground) -> Lab:
    return ground.bare()


@pytest.fixture
def linked_repo(ground: Ground, repo: Lab) -> Lab:
    """A linked worktree of `repo`, on the branch `side`."""
    return ground.linked(repo)


@pytest.fixture
def unborn_repo(ground: Ground) -> Lab:
    return ground.unborn()


@pytest.fixture
def detached_repo(ground: Ground) -> Lab:
    return ground.detached()


@pytest.fixture
def submodule_repo(ground: Ground) -> Lab:
    """Holds a submodule at `lib`."""
    return ground.holding_submodule()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        spec = getattr(item, "callspec", None)
        if spec is None or "store" not in spec.params or item.path.parent not in DRAWN:
            continue
        # (a test that has its stores from elsewhere draws for itself)
        own = [mark for mark in item.iter_markers("parametrize") if "store" in mark.args[0]]
        if not own and spec.params["store"] != drawn(item, spec.id):
            item.add_marker(pytest.mark.slow)


def drawn(item: pytest.Item, case: str) -> str:
    """The store that `make test` runs this case of a test over, as if by lot."""
    words = [word for word in case.split("-") if word not in STORES]
    name = [item.path.name, item.name.partition("[")[0], *words]
    return STORES[(crc32("\n".join(name).encode()) >> 8) % len(STORES)]


class NoExcuses:
    """In CI, where everything is installed, a skipped `real_part` test fails the run."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and "real_part" in report.keywords:
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section("real_part tests skipped, which CI does not allow")
            for nodeid in sorted(self.skipped):
                terminalreporter.line(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") == "true" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(NoExcuses())
