r"""The small language of the tests: a real repository, the real command line, what they hold.

    oid = repo.commit({"a.txt": "one\n", "old.txt": None}, "change a")
    assert repo.tree() == {"a.txt": b"one\n"}
    before = repo.snapshot()
    reply = repo.slip_json("begin", "work")
    assert reply.json["session"] == "work"
    assert repo.snapshot() == before

Paths are text with `surrogateescape` for bytes that are not UTF-8; contents are bytes (text where
it is only put in). Every git and every slip is a process of its own with the environment that
conftest.py has sealed. Statements are made about trees and refs, not about what was printed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import slipstream_git
from tests.children import Children, Started
from tests.places import common_dir_of, git_dir_of, held_by, is_bare, restat
from tests.starting import Starter

SOURCE = Path(slipstream_git.__file__).parent.parent
DEADLINE_S = 120
# Set by conftest.py; without one every command is started from nothing.
starter: Starter | None = None
OURS = ("refs/slip/", "refs/notes/slip/")


class Script(bytes):
    """A file's content that is committed or written with mode 755."""

    __slots__ = ()


class Link(str):
    """A symlink's target, in place of a file's content."""

    __slots__ = ()


Content = bytes | str | None


class Reply(NamedTuple):
    """What one run of `slip` came to."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> dict[str, Any]:
        """stdout as the one JSON object that `--json` promises."""
        value = json.loads(self.out)
        assert isinstance(value, dict), self.out
        return value

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a refused `--json` run."""
        error = self.json["error"]
        assert isinstance(error, dict), self.out
        return error


class Snapshot(NamedTuple):
    """All that a user owns in a repository, byte by byte; two are compared with `==`.

    Left out: objects, reflogs, stat data in the index, and what slip keeps for itself.
    """

    head: str
    refs: dict[str, str]
    stash: bytes
    status: bytes
    entries: bytes
    diff: bytes
    cached: bytes
    config: bytes
    files: dict[str, tuple[int, bytes]]


class Lab:
    """One repository, bare or with a worktree, at `path`.

    damaged: set by a test that breaks the object database on purpose; no fsck then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = False

    # --- git ---

    def git_bytes(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        expect: int | None = 0,
        env: dict[str, str] | None = None,
    ) -> bytes:
        """Run git here; its stdout. A status other than `expect` (None: any) fails the test."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"} | (env or {}),
            timeout=DEADLINE_S,
            check=False,
        )
        assert expect in (None, done.returncode), (
            f"git {arguments} exited {done.returncode}\n{done.stdout!r}\n{done.stderr.decode()}"
        )
        return done.stdout

    def git(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        expect: int | None = 0,
        env: dict[str, str] | None = None,
    ) -> str:
        """`git_bytes` as text, without the final newline."""
        out = self.git_bytes(*arguments, stdin=stdin, expect=expect, env=env)
        return os.fsdecode(out).removesuffix("\n")

    def commit(self, files: Mapping[str, Content], message: str = "work") -> str:
        """Write and delete (None) these files, and commit all that is staged then; the new id.

        In a bare repository the commit goes onto the branch that HEAD names.
        """
        if self.bare:
            return self._commit_bare(files, message)
        for path, content in files.items():
            self.write(path, content)
        if files:
            listed = b"\0".join(os.fsencode(path) for path in files)
            self.git(
                *("--literal-pathspecs", "add", "--all", "--force"),
                *("--pathspec-from-file=-", "--pathspec-file-nul"),
                stdin=listed,
            )
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", "-m", message)
        return self.oid("HEAD")

    def _commit_bare(self, files: Mapping[str, Content], message: str) -> str:
        branch = self.git("symbolic-ref", "HEAD")
        said = message.encode() + b"\n"
        person = self.git("var", "GIT_COMMITTER_IDENT").encode()
        lines = [b"commit %s" % branch.encode(), b"committer " + person]
        lines.append(b"data %d\n%s" % (len(said), said))
        if self.git("for-each-ref", branch):
            lines.append(b"from %s^0" % branch.encode())
        for path, content in files.items():
            if content is None:
                lines.append(b"D " + _quoted(path))
            else:
                data = _bytes(content)
                lines.append(b"M %o inline %s" % (_git_mode(content), _quoted(path)))
                lines.append(b"data %d\n%s" % (len(data), data))
        self.git("fast-import", "--quiet", "--date-format=raw", stdin=b"\n".join(lines) + b"\n")
        return self.oid("HEAD")

    @property
    def bare(self) -> bool:
        return is_bare(self.path)

    @property
    def git_dir(self) -> Path:
        return git_dir_of(self.path) or Path(self.git("rev-parse", "--absolute-git-dir"))

    @property
    def common_dir(self) -> Path:
        found = git_dir_of(self.path)
        if found is None:
            return Path(self.git("rev-parse", "--path-format=absolute", "--git-common-dir"))
        return common_dir_of(found)

    def oid(self, rev: str) -> str:
        found = git_dir_of(self.path)
        return (found and held_by(found, rev)) or self.git(
            "rev-parse", "--verify", "--end-of-options", rev
        )

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Every ref under `prefix`: the id it holds, or `ref: NAME` for a symbolic one."""
        out = self.git("for-each-ref", "--format=%(refname) %(objectname) %(symref)", prefix)
        rows = (line.split(" ") for line in out.splitlines())
        return {name: f"ref: {symref}" if symref else oid for name, oid, symref in rows}

    def entries(self, rev: str = "HEAD") -> dict[str, tuple[str, str]]:
        """Path to (mode as six octal digits, object id)."""
        rows: dict[str, tuple[str, str]] = {}
        for row in self.git_bytes("ls-tree", "-r", "-z", "--full-tree", rev).split(b"\0")[:-1]:
            facts, path = row.split(b"\t", 1)
            mode, _, oid = facts.decode().split(" ")
            rows[os.fsdecode(path)] = (mode, oid)
        return rows

    def tree(self, rev: str = "HEAD") -> dict[str, bytes]:
        """Path to content; a symlink's is its target, a submodule's the id of its commit."""
        entries = self.entries(rev)
        files = {path: oid.encode() for path, (_, oid) in entries.items()}
        wanted = [path for path, (mode, _) in entries.items() if mode != "160000"]
        asked = b"".join(files[path] + b"\n" for path in wanted)
        out = self.git_bytes("cat-file", "--batch", stdin=asked)
        at = 0
        for path in wanted:
            line_end = out.index(b"\n", at)
            size = int(out[at:line_end].split(b" ")[2])
            files[path] = out[line_end + 1 : line_end + 1 + size]
            at = line_end + 1 + size + 1
        return files

    def message(self, rev: str = "HEAD") -> str:
        """A commit's message, as it is stored."""
        return self.git_bytes("cat-file", "commit", rev).partition(b"\n\n")[2].decode()

    # --- the worktree ---

    def write(self, path: str, content: Content) -> None:
        """Put a file, `Script`, `Link` or nothing (None) at a path of the worktree."""
        place = self.path / path
        if place.is_symlink() or place.is_file():
            place.unlink()
        if content is None:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content)
        else:
            place.write_bytes(_bytes(content))
            place.chmod(0o755 if isinstance(content, Script) else 0o644)

    def read(self, path: str) -> bytes:
        return (self.path / path).read_bytes()

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Every file of the worktree, ignored ones too: path to (type and mode, content)."""
        if self.bare:
            return {}
        return dict(sorted(_files_under(self.path, "")))

    def snapshot(self) -> Snapshot:
        bare = self.bare
        refs = {ref: to for ref, to in self.refs().items() if not ref.startswith(OURS)}
        asked = ("status", "--porcelain=v2", "--ignored", "-z")
        status = b"" if bare else self.git_bytes(*asked)
        # Where the status knows of no difference, there is none to ask for.
        staged, unstaged = _differences(status)
        return Snapshot(
            head=(self.git_dir / "HEAD").read_text(),
            refs=refs,
            stash=self.git_bytes("stash", "list") if "refs/stash" in refs and not bare else b"",
            status=status,
            entries=b"" if bare else self.git_bytes("ls-files", "--stage", "-v", "-z"),
            # git refuses to look into a FIFO that stands where a tracked file was.
            diff=self.git_bytes("diff", "--binary", expect=None) if unstaged else b"",
            cached=self.git_bytes("diff", "--cached", "--binary") if staged else b"",
            config=(self.common_dir / "config").read_bytes(),
            files=self.files(),
        )

    # --- slip ---

    def slip(
        self,
        *arguments: str,
        stdin: bytes = b"",
        expect: int | None = 0,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Reply:
        """Run the real command line in the repository; `expect=None` takes any exit status."""
        reply = run_slip(arguments, cwd or self.path, stdin, slip_environment(env))
        told = f"slip {' '.join(arguments)} exited {reply.status}\n{reply.out!r}\n{reply.err!r}"
        assert b"Traceback" not in reply.out + reply.err, told
        assert expect in (None, reply.status), told
        return reply

    def start(
        self,
        children: Children,
        *arguments: str,
        env: dict[str, str] | None = None,
        out: int = subprocess.DEVNULL,
    ) -> Started:
        """Start the real command line and let it run, until the test ends at the latest."""
        command, values = slip_command(*arguments), slip_environment(env)
        return children.start(command, cwd=self.path, env=values, stdout=out, stderr=out)

    def slip_json(
        self,
        *arguments: str,
        stdin: bytes = b"",
        expect: int | None = 0,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Reply:
        """`slip --json`; holds that stdout is one object whose `ok` goes with the exit status."""
        reply = self.slip("--json", *arguments, stdin=stdin, expect=expect, env=env, cwd=cwd)
        assert reply.json["ok"] is (reply.status == 0), reply
        return reply


def run_slip(arguments: Sequence[str], cwd: Path, given: bytes, env: dict[str, str]) -> Reply:
    if starter is not None and starter.fits(env):
        return Reply(*starter.run(arguments, str(cwd), env, given, DEADLINE_S))
    done = subprocess.run(
        slip_command(*arguments),
        cwd=cwd,
        input=given,
        capture_output=True,
        env=env,
        timeout=DEADLINE_S,
        check=False,
    )
    return Reply(done.returncode, done.stdout, done.stderr)


def slip_command(*arguments: str) -> list[str]:
    """For tests that start slip themselves, for instance to kill it.

    `-P`: as with the installed script, modules that lie in the repository are not imported.
    """
    return [sys.executable, "-P", "-m", "slipstream_git", *arguments]


def slip_environment(env: dict[str, str] | None = None) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(SOURCE)} | (env or {})


def typed(hint: str | None, cwd: Path) -> None:
    """Type a hint into a shell that stands in ``cwd``."""
    assert hint is not None
    slip = f'slip() {{ {shlex.join(slip_command())} "$@"; }}'
    subprocess.run(
        ["bash", "-euc", f"{slip}\n{hint}"],
        cwd=cwd, env=slip_environment(), check=True, capture_output=True, timeout=DEADLINE_S,
    )  # fmt: skip


class Ground:
    """Where a test's repositories stand; remembers them all, so that each is checked at the end."""

    def __init__(self, place: Path, template: Path) -> None:
        self.place = place
        self.labs: list[Lab] = []
        self._template = template

    def repository(self, name: str = "repo") -> Lab:
        """One commit on `main`, two files, nothing else: a copy of the session's template."""
        shutil.copytree(self._template, self.place / name, symlinks=True)
        lab = self.at(self.place / name)
        # The copies have other inodes than the index noted.
        restat(lab.path)
        return lab

    def unborn(self, name: str = "unborn") -> Lab:
        """No commit yet; HEAD names `main`."""
        lab = self.at(self.place / name)
        lab.path.mkdir()
        lab.git("init", "--quiet", "--template=")
        return lab

    def detached(self, name: str = "detached") -> Lab:
        lab = self.repository(name)
        lab.git("checkout", "--quiet", "--detach")
        return lab

    def bare(self, name: str = "bare.git") -> Lab:
        """Bare, with the template's commit on `main` and no remote."""
        lab = self.at(self.place / name)
        shutil.copytree(self._template / ".git", lab.path)
        (lab.path / "index").unlink()
        lab.git("config", "core.bare", "true")
        return lab

    def linked(self, main: Lab, branch: str = "side", name: str = "linked") -> Lab:
        """A linked worktree of `main`, on a new branch."""
        lab = self.at(self.place / name)
        main.git("worktree", "add", "--quiet", "-b", branch, str(lab.path))
        return lab

    def holding_submodule(self, name: str = "super", path: str = "lib") -> Lab:
        """A repository with a checked-out submodule at `path`, committed on `main`."""
        inner = self.repository(f"{name}-{path}")
        lab = self.repository(name)
        lab.git("submodule", "--quiet", "add", str(inner.path), path)
        lab.git("commit", "--quiet", "-m", "add submodule")
        return lab

    def at(self, path: Path) -> Lab:
        """A Lab for a repository that is made some other way, such as by `git clone`."""
        lab = Lab(path)
        self.labs.append(lab)
        return lab

    def check(self) -> None:
        """Fail unless `git fsck --strict` finds every repository sound."""
        sound: set[Path] = set()
        for lab in self.labs:
            if lab.damaged or not lab.path.exists():
                continue
            shared = lab.common_dir
            if shared not in sound:
                complaints = fsck(lab)
                assert not complaints, f"git fsck in {lab.path}:\n{complaints}"
                sound.add(shared)


def fsck(lab: Lab) -> str:
    """What git finds wrong with a repository; nothing is an empty text."""
    done = subprocess.run(
        ["git", "fsck", "--strict", "--no-dangling", "--no-progress"],
        cwd=lab.path,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    lines = os.fsdecode(done.stdout + done.stderr).splitlines()
    complaints = [line for line in lines if not line.startswith(("notice:", "hint:"))]
    if done.returncode and not complaints:
        complaints = [f"exit status {done.returncode}"]
    return "\n".join(complaints)


def make_template(path: Path) -> None:
    """The repository that `Ground.repository` copies."""
    path.mkdir()
    lab = Lab(path)
    lab.git("init", "--quiet", "--template=")
    lab.commit(
        {"README.md": "# Demo\n", "src/app.py": "def main():\n    return 1\n"},
        "start",
    )


def _bytes(content: bytes | str) -> bytes:
    return os.fsencode(content) if isinstance(content, str) else content


def _git_mode(content: Content) -> int:
    if isinstance(content, Link):
        return 0o120000
    return 0o100755 if isinstance(content, Script) else 0o100644


def _quoted(path: str) -> bytes:
    """A path as `git fast-import` reads it."""
    raw = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + raw + b'"'


def _differences(status: bytes) -> tuple[bool, bool]:
    """Whether a status of porcelain's second version tells of staged and of unstaged changes."""
    rows = status.split(b"\0")
    changed = [row[2:4] for row in rows if row.startswith((b"1 ", b"2 "))]
    unmerged = any(row.startswith(b"u ") for row in rows)
    staged, unstaged = (any(xy[at : at + 1] != b"." for xy in changed) for at in (0, 1))
    return staged or unmerged, unstaged or unmerged


def _files_under(directory: Path, prefix: str) -> list[tuple[str, tuple[int, bytes]]]:
    found: list[tuple[str, tuple[int, bytes]]] = []
    for entry in os.scandir(directory):
        path = prefix + entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if entry.name == ".git":
            continue
        if stat.S_ISDIR(mode):
            found += _files_under(Path(entry.path), path + "/")
        elif stat.S_ISLNK(mode):
            # A link has no mode of its own worth comparing; systems differ.
            found.append((path, (stat.S_IFLNK, os.fsencode(Path(entry.path).readlink()))))
        elif stat.S_ISREG(mode):
            found.append((path, (mode, Path(entry.path).read_bytes())))
    return found
