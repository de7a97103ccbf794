"""How one server bears a hundred tenants at once, beside a `rg` for each search.

    python bench/load.py [--repo PATH] [--tenants 100] [--seconds 60] [--server OPTION]…

Half of the tenants are sessions of one clone, half are clones of their own with a session each;
every session stages ten changed files of its own. A client a tenant asks without a pause: mostly
searches, told up to 200 lines, and symbols, lines, states and maps between them. Answers are read
whole and none may be an error. Then the searches alone, beside a rg process for each, 4 and as many
as there are tenants at once; rg is stopped at 200 lines. Memory is the server's own (anonymous) and
its share of mapped files, as Linux counts them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.git import environment, git

CAP = 200
CHANGED = 10
PATIENCE_S = 120.0
# Literals that are rare, common, and not there; expressions with something to hold on to.
PATTERNS = (
    ("epoll_create1", "-F"), ("zzqqxxjj", "-F"), ("deprecated", "-F"), ("def main", "-F"),
    ("import os", "-F"), ("AnsibleError", "-F"), (r"def \w+_facts\(", ""), (r"retry_\w+\s*=", ""),
    ("reconnect_timeout|backoff_limit", ""), ("Backoff_Max", "-i"), ("changed in this session", ""),
)  # fmt: skip
NAMES = ("main", "AnsibleModule", "TaskExecutor", "get_bin_path", "run_command")
Request = dict[str, Any]


class Tenant(NamedTuple):
    """Where it works, in which session, and the files that are its own."""

    repo: str
    session: str
    files: Sequence[str]


class Figures(NamedTuple):
    """taken_s: of each answer, by what was asked."""

    taken_s: dict[str, list[float]]
    errors: list[str]
    seconds: float

    @property
    def all_s(self) -> list[float]:
        return sorted(taken for each in self.taken_s.values() for taken in each)

    def __str__(self) -> str:
        every = self.all_s
        cuts = statistics.quantiles(every, n=100)
        rate = len(every) / self.seconds
        return (
            f"{len(every)} answers, {rate:.0f} a second, p50 {cuts[49] * 1e3:.0f} ms,"
            f" p99 {cuts[98] * 1e3:.0f} ms, {len(self.errors)} errors"
        )


# Tenants -----------------------------------------------------------------------------------------


def tenants(
    origin: Path, room: Path, count: int, ask: Callable[[str, Request], Any]
) -> list[Tenant]:
    """Make them, through a server."""
    shared = _clone(origin, room / "shared")
    rows = git(shared, "ls-files", "-s", "*.py").decode().split("\n")[:-1]
    listed = [row.partition("\t")[2] for row in rows if row.startswith("100")]
    made = []
    for number in range(count):
        own = number >= count // 2
        place = _clone(origin, room / f"clone{number}") if own else shared
        files = random.Random(number).sample(listed, CHANGED)  # noqa: S311
        session = f"t{number}"
        ask("begin", {"repo": str(place), "name": session})
        ops = [
            {
                "op": "write",
                "path": path,
                "content": _edited(place, path, number),
            }
            for path in files
        ]
        ask("apply", {"repo": str(place), "session": session, "ops": ops})
        made.append(Tenant(str(place), session, files))
    return made


def _clone(origin: Path, place: Path) -> Path:
    git(place.parent, "clone", "-q", "--local", str(origin), str(place))
    return place


def _edited(place: Path, path: str, number: int) -> str:
    text = (place / path).read_text(errors="replace")
    return f"{text}\n# changed in this session by tenant {number}\n"


def requests(tenant: Tenant, seed: int, *, searching: bool) -> Iterator[tuple[str, Request]]:
    """What an agent asks, for ever: of ten, six searches; or nothing but these."""
    chance = random.Random(seed)  # noqa: S311
    whose = {"repo": tenant.repo, "session": tenant.session}
    while True:
        what = "search" if searching else chance.choices(KINDS, WEIGHTS)[0]
        if what == "search":
            pattern, flag = chance.choice(PATTERNS)
            more: Request = {"pattern": pattern, "fixed": flag == "-F", "ignore_case": flag == "-i"}
        elif what == "symbol":
            more = {"name": chance.choice(NAMES)}
        elif what == "lines":
            more = {"path": chance.choice(tenant.files), "start": 1, "end": 80}
        else:
            more = {}
        yield what, whose | more


KINDS = ("search", "symbol", "lines", "status", "map")
WEIGHTS = (60, 15, 15, 5, 5)


# The server --------------------------------------------------------------------------------------


class Server:
    """One of its own, with an index cache of its own."""

    def __init__(self, room: Path, options: Sequence[str]) -> None:
        run = room / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        self.path = str(run / "s.sock")
        source = Path(__file__).resolve().parent.parent
        env = environment() | {"XDG_CACHE_HOME": str(room / "cache"), "PYTHONPATH": str(source)}
        command = [sys.executable, "-m", "slipstream_git", "serve", "--socket", self.path]
        self.process = subprocess.Popen(
            [*command, "--clients", "256", "--repositories", "256", *options],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + PATIENCE_S
        while not _answers(self.path):
            if time.monotonic() > until or self.process.poll() is not None:
                raise OSError("the server does not start")
            time.sleep(0.02)

    def ask(self, method: str, params: Request) -> object:
        """One answer on a connection of its own. Raises OSError for an error."""
        with _connected(self.path) as connection:
            connection.settimeout(PATIENCE_S)
            connection.sendall(_line(method, params))
            reply = json.loads(connection.makefile("rb").readline())
        if "error" in reply:
            raise OSError(f"{method}: {reply['error']}")
        return reply["result"]

    def memory(self) -> tuple[int, int]:
        """Anonymous bytes, and its share of mapped files; of it and what it has started."""
        own = mapped = 0
        for process in _family(self.process.pid):
            try:
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            except OSError:  # a git that has just ended
                continue
            sizes = {row.split(":")[0]: int(row.split()[1]) * 1024 for row in rollup[1:]}
            own += sizes["Pss_Anon"]
            mapped += sizes["Pss_File"]
        return own, mapped

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def _family(process: int) -> list[int]:
    found = [process]
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found


def _answers(path: str) -> bool:
    try:
        _connected(path).close()
    except OSError:
        return False
    return True


def _connected(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _line(method: str, params: Request) -> bytes:
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.dumps(asked).encode() + b"\n"


class _Caller:
    """A connection that asks again when it has been answered."""

    def __init__(self, path: str, asking: Iterator[tuple[str, Request]]) -> None:
        self.connection = _connected(path)
        self._asking = asking
        self._heard = b""
        self.what = ""
        self._begun = 0.0

    def ask(self) -> None:
        self.what, params = next(self._asking)
        self._begun = time.perf_counter()
        self.connection.sendall(_line(self.what, params))

    def hear(self) -> tuple[float, bytes] | None:
        """How long the answer took, and how it begins; None while it is not whole."""
        piece = self.connection.recv(1 << 20)
        if not piece:
            raise OSError("the server hung up")
        self._heard += piece
        if not piece.endswith(b"\n"):
            return None
        taken, self._heard = (time.perf_counter() - self._begun, self._heard[:400]), b""
        return taken


def served(path: str, some: Sequence[Tenant], seconds: float, *, searching: bool) -> Figures:
    """All tenants ask at once, each its next question when it has an answer."""
    taken: dict[str, list[float]] = {}
    errors: list[str] = []
    with selectors.DefaultSelector() as ready:
        for number, tenant in enumerate(some):
            caller = _Caller(path, requests(tenant, number, searching=searching))
            ready.register(caller.connection, selectors.EVENT_READ, caller)
            caller.ask()
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            for key, _ in ready.select(1.0):
                told = key.data.hear()
                if told is None:
                    continue
                if b'"error":' in told[1][:40]:
                    errors.append(told[1].decode(errors="replace"))
                taken.setdefault(key.data.what, []).append(told[0])
                key.data.ask()
        lasted = time.monotonic() - begun
        for key in list(ready.get_map().values()):
            key.data.connection.close()
    return Figures(taken, errors, lasted)


# The other side ----------------------------------------------------------------------------------


def by_rg(some: Sequence[Tenant], at_once: int, seconds: float) -> Figures:
    """The same searches, a process each."""
    until = time.monotonic() + seconds
    begun = time.monotonic()

    def work(number: int) -> list[float]:
        taken = []
        tenant = some[number % len(some)]
        asking = requests(tenant, number, searching=True)
        while time.monotonic() < until:
            _, params = next(asking)
            started = time.perf_counter()
            _rg(tenant.repo, params)
            taken.append(time.perf_counter() - started)
        return taken

    with ThreadPoolExecutor(at_once) as pool:
        taken = [each for part in pool.map(work, range(at_once)) for each in part]
    return Figures({"rg": taken}, [], time.monotonic() - begun)


def _rg(directory: str, params: Request) -> None:
    flags = ["-F"] if params["fixed"] else ["-i"] if params["ignore_case"] else []
    child = subprocess.Popen(
        ["rg", "-n", "--no-heading", *flags, "-e", params["pattern"], "."],
        cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None
    with child.stdout:
        list(islice(child.stdout, CAP))
    child.wait()


# All of it ---------------------------------------------------------------------------------------


@contextmanager
def _room(given: str | None) -> Iterator[Path]:
    if given is not None:
        Path(given).mkdir(parents=True, exist_ok=True)
        yield Path(given)
        return
    with tempfile.TemporaryDirectory(prefix="slip-load-") as made:
        yield Path(made)


def _mb(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


def _once(server: Server, tenant: Tenant) -> None:
    """Everything that is ever asked, once."""
    for pattern, flag in PATTERNS:
        whose = {"repo": tenant.repo, "session": tenant.session, "pattern": pattern}
        server.ask("search", whose | {"fixed": flag == "-F", "ignore_case": flag == "-i"})
    for what, params in islice(requests(tenant, 0, searching=False), 60):
        server.ask(what, params)


def measure(origin: Path, room: Path, count: int, seconds: float, options: Sequence[str]) -> None:
    maker = Server(room, options)
    try:
        some = tenants(origin, room, count, maker.ask)
    finally:
        maker.end()
    server = Server(room, options)
    try:
        empty = sum(server.memory())
        _once(server, some[0])
        own, mapped = server.memory()
        print(f"empty: {_mb(empty)}")
        print(f"one tenant: {_mb(own)} of its own, {_mb(mapped)} of mapped files")
        begun = time.monotonic()
        for tenant in some:
            server.ask("search", {"repo": tenant.repo, "session": tenant.session, "pattern": "zz"})
        print(f"the first search of each: {time.monotonic() - begun:.1f} s in all")
        figures = served(server.path, some, seconds, searching=False)
        all_own, all_mapped = server.memory()
        print(f"{count} tenants: {_mb(all_own)} of its own, {_mb(all_mapped)} of mapped files")
        total, one = all_own + all_mapped, own + mapped
        print(f"  that is {total / one:.2f} times one, {total / one / count:.2%} of {count} copies")
        print(f"mix: {figures}")
        for what, taken in sorted(figures.taken_s.items()):
            cuts = statistics.quantiles(taken, n=100)
            print(f"  {what}: {len(taken)}, p50 {cuts[49] * 1e3:.0f}, p99 {cuts[98] * 1e3:.0f} ms")
        for error in figures.errors[:3]:
            print(f"  {error}")
        searches = served(server.path, some, seconds / 2, searching=True)
        print(f"searches: {searches}")
    finally:
        server.end()
    others = [by_rg(some, at_once, seconds / 4) for at_once in (4, count)]
    for at_once, other in zip((4, count), others, strict=True):
        print(f"rg, {at_once} at once: {other}")
    _compare(searches, others)


def _compare(searches: Figures, others: Sequence[Figures]) -> None:
    best = max(len(other.all_s) / other.seconds for other in others)
    last = min(statistics.quantiles(other.all_s, n=100)[98] for other in others[1:])
    rate = len(searches.all_s) / searches.seconds
    p99 = statistics.quantiles(searches.all_s, n=100)[98]
    print(f"requests a second: {rate / best:.1f} times rg's; p99: {p99 / last:.2f} of rg's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--room", help="where to make it all, and leave it")
    parser.add_argument("--server", action="append", default=[], help="an option of slip serve")
    given = parser.parse_args()
    with _room(given.room) as room:
        os.environ.setdefault("HOME", str(room))
        measure(given.repo.resolve(), room, given.tenants, given.seconds, given.server)


if __name__ == "__main__":
    main()
