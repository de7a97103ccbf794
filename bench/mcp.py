"""What `slip mcp` costs: to start, to call, and in tokens.

    python bench/mcp.py PATH [--starts 15] [--calls 200] [--file src/server.c] [--name call]

PATH is a clone, which is left as it is: all is done in clones of its own.

- `initialize`: from the start of the process to the answer, against a server of the bare SDK with
  one tool. Both in turns, in one run.
- A warm `slip_apply` over real streams, against the same operation called in this process and an
  echo of the bare SDK with the same arguments, added.
- One task, in bytes of the wire at 3.6 a token: look around, find a function, read it, change a
  line of it, land; meet a conflict, take it in, resolve, check, land; note something and find it
  again. With slip's default list, and with a shell and tools that read and edit files.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.git import environment, git
from bench.git import line as said_by
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import Workspace, open_workspace

HERE = Path(__file__).resolve().parent
BYTES_A_TOKEN = 3.6
GATE = '[gate.diff]\nrun = "git diff --check HEAD"\n'
Json = dict[str, Any]
Free: TypeAlias = Any


class Host:
    """A client that counts the bytes of each message."""

    def __init__(self, command: Sequence[str], place: Path) -> None:
        self.began = time.perf_counter()
        env = environment() | {"PYTHONPATH": str(HERE.parent)}
        self._process = subprocess.Popen(
            command, cwd=place, env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._number = 0
        self.calls: list[tuple[str, int, int, int, int]] = []

    def ask(self, method: str, params: Json) -> tuple[Json, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._number += 1
        line = json.dumps(
            {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        )
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        heard = self._process.stdout.readline()
        reply: Json = json.loads(heard)
        assert reply["id"] == self._number, reply
        return reply["result"], len(heard)

    def introduce(self) -> tuple[float, int]:
        """Seconds from the start to the answer of `initialize`, and what the answer instructs."""
        client = {"name": "bench", "version": "1"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        result, _ = self.ask("initialize", hello)
        seconds = time.perf_counter() - self.began
        assert self._process.stdin is not None
        self._process.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        self._process.stdin.flush()
        return seconds, size(result.get("instructions", ""))

    def listed(self) -> int:
        """Bytes of the list of tools."""
        result, _ = self.ask("tools/list", {})
        return size({"tools": result["tools"]})

    def call(self, tool: str, *, fails: bool = False, **arguments: Free) -> Json:
        """One call, counted: what was said, the whole answer, its text, its structured content."""
        result, wire = self.ask("tools/call", {"name": tool, "arguments": arguments})
        assert bool(result.get("isError")) is fails, result
        text = "".join(item["text"] for item in result["content"])
        told = result.get("structuredContent", {})
        said = size({"name": tool, "arguments": arguments})
        self.calls.append((tool, said, wire, size(text), size(told) if told else 0))
        return told or {"text": text}

    def end(self) -> float:
        """Say no more; the processor seconds of the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def slip() -> list[str]:
    return [sys.executable, "-P", "-m", "slipstream_git", "mcp"]


def plain(which: str) -> list[str]:
    return [sys.executable, "-P", str(HERE / "plain_mcp.py"), which]


def clone(source: Path, room: Path, name: str) -> Path:
    git(room, "clone", "--quiet", "--shared", str(source), name)
    place = room / name
    git(place, "config", "user.name", "Ada")
    git(place, "config", "user.email", "ada@example.com")
    return place


# Time ---------------------------------------------------------------------------------------------


def starts(place: Path, times: int) -> None:
    rows: dict[str, list[tuple[float, float]]] = {"slip mcp": [], "bare SDK": []}
    for turn in range(times + 1):
        for name, command in (("slip mcp", slip()), ("bare SDK", plain("echo"))):
            host = Host(command, place)
            seconds, _ = host.introduce()
            spent = host.end()
            if turn:  # the first of each fills the caches
                rows[name].append((seconds, spent))
    wall, processor = (
        {n: statistics.median(r[i] for r in row) for n, row in rows.items()} for i in (0, 1)
    )
    pairs = zip(rows["slip mcp"], rows["bare SDK"], strict=True)
    ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in pairs)
    print(f"initialize, {times} of each in turns (median):")
    for name, seconds in wall.items():
        print(
            f"  {name}: {seconds * 1000:.0f} ms, processor {processor[name] * 1000:.0f} ms in all"
        )
    print(f"  ratio {ratio:.2f} (promised: at most 1.3)")


def calls(source: Path, room: Path, times: int, path: str) -> None:
    place, own = clone(source, room, "called"), clone(source, room, "own")
    ours, echo = Host(slip(), place), Host(plain("echo"), place)
    ours.introduce()
    echo.introduce()
    ws = open_workspace(str(own), environment(), in_process=True)
    begin, apply = registry.find("begin"), registry.find("apply")
    assert begin is not None
    assert apply is not None
    calling.call(begin, ws, filled(begin.parameters, {"name": "s"}))
    ours.call("slip_begin", name="s")
    spent: dict[str, list[float]] = {"slip_apply": [], "in-process": [], "echo": []}
    for turn in range(times + 10):
        ops = [{"op": "insert", "path": path, "after_line": 0, "text": f"// {turn}\n"}]
        works: dict[str, Callable[[], object]] = {
            "in-process": lambda ops=ops: applied(ws, apply, ops),  # type: ignore[misc]
            "echo": lambda ops=ops: echo.call("echo", ops=ops, session="s"),  # type: ignore[misc]
            "slip_apply": lambda ops=ops: ours.call("slip_apply", ops=ops, session="s"),  # type: ignore[misc]
        }
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if turn >= 10:
                spent[name].append(time.perf_counter() - began)
    ws.repository.close()
    ours.end()
    echo.end()
    rows = zip(spent["slip_apply"], spent["in-process"], spent["echo"], strict=True)
    ratio = statistics.median(over / (inside + echoed) for over, inside, echoed in rows)
    print(f"a warm slip_apply, {times} in turns (median):")
    for name, row in spent.items():
        print(f"  {name}: {statistics.median(row) * 1000:.2f} ms")
    print(f"  slip_apply / (in-process + echo): {ratio:.2f} (promised: at most 2)")


def applied(ws: Workspace, row: registry.Operation, ops: object) -> None:
    given = {"ops": json.dumps(ops).encode(), "session": "s"}
    calling.call(row, ws, filled(row.parameters, given))


def filled(parameters: Sequence[registry.Parameter], given: Mapping[str, Any]) -> Json:
    return {p.name: p.default for p in parameters} | dict(given)


# Tokens -------------------------------------------------------------------------------------------


def definition(place: Path, name: str, path: str) -> tuple[int, str]:
    """The line at which a function begins, and one line of it that is there once."""
    rows = (place / path).read_text(errors="replace").split("\n")
    for number, row in enumerate(rows, 1):
        if f" {name}(" in row and not row.startswith((" ", "\t", "/", "*")) and ";" not in row:
            for inner in rows[number : number + 40]:
                if len(inner.strip()) > 20 and rows.count(inner) == 1 and "/*" not in inner:
                    return number, inner
    raise SystemExit(f"{path} has no function {name}")


def with_slip(place: Path, name: str, path: str, theirs: Callable[[], None]) -> Host:
    host = Host(slip(), place)
    _, instructions = host.introduce()
    number, line = definition(place, name, path)
    host.calls.append(("(list and instructions)", 0, 0, host.listed() + instructions, 0))
    host.call("slip_begin", title=f"{name}: a change")
    host.call("sp_map", tokens=1000)
    found = host.call("sp_symbol", name=name)["matches"][0]
    assert found["path"] == path, found["path"]
    host.call("sp_lines", path=path, start=max(1, number - 5), end=number + 10)
    op = {"op": "str_replace", "path": path, "old": line, "new": f"{line} /* ours */"}
    host.call("slip_apply", ops=[op])
    theirs()
    error = host.call("slip_commit", message=["Change it"], fails=True)["error"]
    assert error["code"] == "conflict"
    rebased = host.call(error["hint"]["tool"], **error["hint"]["arguments"])
    host.call(rebased["hint"]["tool"], **rebased["hint"]["arguments"])
    host.call("slip_more", op="check")
    host.call("slip_status")
    host.call("slip_commit", message=["Change it"])
    host.call("sp_remember", text=f"{name} was changed for a reason", about=path)
    host.call("sp_recall", query=name)
    host.end()
    return host


def with_files(place: Path, name: str, path: str, theirs: Callable[[], None]) -> Host:
    host = Host(plain("files"), place)
    host.introduce()
    number, line = definition(place, name, path)
    new = f"{line} /* ours */"
    host.calls.append(("(list)", 0, 0, host.listed(), 0))
    host.call("bash", command="git switch -q -c work && git ls-files | head -200")
    host.call("bash", command=f"git grep -n -w {name} | head -50")
    host.call("read", path=path, offset=max(1, number - 100), limit=400)
    host.call("edit", path=path, old=line, new=new)
    host.call("bash", command="git commit -q -a -m 'Change it'")
    theirs()
    host.call("bash", command="git rebase @{-1}")
    host.call("bash", command="git diff")
    text = (place / path).read_text(errors="replace")
    marked = text[text.index("<<<<<<< ") : text.index("\n", text.index(">>>>>>> ")) + 1]
    host.call("read", path=path, offset=max(1, number - 20), limit=100)
    host.call("edit", path=path, old=marked, new=f"{new}\n")
    host.call("bash", command="git diff --check HEAD")
    host.call("bash", command="git add -A && GIT_EDITOR=true git rebase --continue")
    host.call("bash", command="git status")
    host.call(
        "bash", command="git switch -q - && git merge -q --ff-only work && git log --oneline -3"
    )
    note = f"{name} was changed for a reason"
    host.call("bash", command=f"echo '{note} ({path})' >> .git/NOTES.md")
    host.call("read", path=".git/NOTES.md")
    host.end()
    return host


def tokens(source: Path, room: Path, name: str, path: str) -> None:
    print(f"one task on {source.name}: {name} in {path} (tokens at {BYTES_A_TOKEN} bytes)")
    for title, work in (("slip's default list", with_slip), ("a shell, read and edit", with_files)):
        place = clone(source, room, work.__name__)
        (place / ".slip.toml").write_text(GATE)
        git(place, "add", ".slip.toml")
        git(place, "commit", "--quiet", "-m", "A gate")
        branch = said_by(place, "branch", "--show-current")

        def theirs(place: Path = place, branch: str = branch) -> None:
            meanwhile(place, branch, name, path)

        host = work(place, name, path, theirs)
        assert "/* ours */" in (place / path).read_text(errors="replace")
        told(title, host)


def meanwhile(place: Path, branch: str, name: str, path: str) -> None:
    """Somebody else changes the same line of the branch."""
    apart = place.parent / f"{place.name}-apart"
    git(place, "worktree", "add", "--quiet", "--detach", str(apart), branch)
    _, line = definition(apart, name, path)
    file = apart / path
    file.write_text(file.read_text(errors="replace").replace(line, f"{line} /* theirs */"))
    git(apart, "commit", "--quiet", "-a", "-m", "Theirs")
    made = said_by(apart, "rev-parse", "HEAD")
    git(place, "worktree", "remove", "--force", str(apart))
    here = said_by(place, "branch", "--show-current")
    if here == branch:  # files and index, too
        git(place, "reset", "--quiet", "--hard", made)
    else:
        git(place, "branch", "--force", branch, made)


def told(title: str, host: Host) -> None:
    print(f"  {title}:")
    for tool, said, wire, text, structured in host.calls:
        both = f", structured {structured}" if structured else ""
        print(f"    {tool}: said {said}, text {text}{both}, wire {wire}")
    said = sum(row[1] for row in host.calls)
    wire = sum(row[2] for row in host.calls)
    text = sum(row[3] for row in host.calls)
    structured = sum(row[4] or row[3] for row in host.calls)
    for what, heard in (("text", text), ("structured content", structured)):
        if heard != text or what == "text":
            print(f"    as {what}: {(said + heard) / BYTES_A_TOKEN:.0f} tokens")
    print(f"    all that the wire had of answers: {wire / BYTES_A_TOKEN:.0f} tokens")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("path", type=Path)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--file", default="src/server.c")
    parser.add_argument("--name", default="call")
    given = parser.parse_args()
    source = given.path.resolve()
    with tempfile.TemporaryDirectory(prefix="slip-mcp-") as directory:
        room = Path(directory)
        os.environ["HOME"] = directory
        if given.starts:
            starts(clone(source, room, "started"), given.starts)
        if given.calls:
            calls(source, room, given.calls, given.file)
        tokens(source, room, given.name, given.file)


if __name__ == "__main__":
    main()
