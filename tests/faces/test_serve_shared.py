"""A server of several users: what each may read, and that nothing is learnt of what he may not.

The users are real to the kernel, which is what decides: the test process takes their numbers on
while it connects and while it opens directories. That needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.children import Children
from tests.lab import Ground, Lab, slip_environment
from tests.servers import PATIENCE_S, PING, Free, Line, Place, soon

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become other users"
)

GROUP = 61999
# Two in the group, one not; each has a group of its own, too.
ADA, BOB, EVE = 61001, 61002, 61003
# For the tests' own git, and not for the server's.
TRUSTING = {
    "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
}  # fmt: skip
SECRET = "the-secret-of-bob"


@contextmanager
def user(number: int) -> Iterator[None]:
    """Be this user to the kernel."""
    groups = [number, GROUP] if number in (ADA, BOB) else [number]
    before = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups(groups)
    os.setegid(number)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(before[2])
        os.setegid(before[1])
        os.setgroups(before[0])


@contextmanager
def opened(*paths: Path, flags: int = os.O_RDONLY | os.O_DIRECTORY) -> Iterator[list[int]]:
    found = [os.open(path, flags) for path in paths]
    try:
        yield found
    finally:
        for fd in found:
            os.close(fd)


class Commons:
    """A place that every user can enter, with one server, and repositories of each user's own."""

    def __init__(self, directory: Path, ground: Ground, place: Place) -> None:
        self.directory = directory
        self.ground = ground
        self.place = place
        self.lines: list[Line] = []

    def start(self, *options: str) -> None:
        self.place.directory.chmod(0o750)
        os.chown(self.place.directory, -1, GROUP)
        env = {name: value for name, value in slip_environment().items() if name not in TRUSTING}
        self.place.start("--shared", str(GROUP), *options, env=env)

    def repository(self, name: str, owner: int, mode: int = 0o755, content: str = "") -> Lab:
        """As the user would make it, in a directory of his with this mode."""
        home = self.directory / name
        home.mkdir()
        made = Ground(home, self.ground._template).repository("repo")
        self.ground.labs.append(made)
        made.commit({"content": content or f"{name} holds this\n"})
        self.give(home, owner)
        home.chmod(mode)
        return made

    def give(self, place: Path, owner: int) -> None:
        for path in (place, *place.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)

    def line(self, number: int) -> Line:
        with user(number):
            made = Line(self.place.path)
        self.lines.append(made)
        return made

    def open(self, number: int, line: Line, lab: Lab, name: str | None = None) -> Free:
        """What `open` answers to this user with descriptors that he has opened himself."""
        with user(number), opened(lab.path / ".git") as descriptors:
            return handed(line, name or str(lab.path), descriptors)


def handed(line: Line, name: str, descriptors: list[int]) -> Free:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "open", "params": {"repo": name}}
    line.hand(json.dumps(asked).encode() + b"\n", descriptors)
    return line.hear()


@pytest.fixture
def commons(ground: Ground, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commons]:
    for name, value in TRUSTING.items():
        monkeypatch.setenv(name, value)
    directory = Path(tempfile.mkdtemp(prefix="slip-c-", dir="/tmp"))
    directory.chmod(0o755)
    made = Commons(directory, ground, place)
    yield made
    for line in made.lines:
        line.close()
    made.give(directory, 0)  # or git would refuse to check what the test leaves
    ground.check()
    ground.labs = []
    shutil.rmtree(directory)


def found(line: Line, lab: Lab | str, text: str, **more: Free) -> list[str]:
    name = lab if isinstance(lab, str) else str(lab.path)
    told = line.call("search", repo=name, pattern=text, fixed=True, **({"rev": "HEAD"} | more))
    return [row["path"] for row in told["matches"]]


# Who is let in -----------------------------------------------------------------------------------


def test_two_are_let_in_and_a_third_is_not(commons: Commons) -> None:
    commons.start()
    assert commons.place.path.stat().st_mode & 0o777 == 0o660
    for number in (ADA, BOB):
        assert commons.line(number).call("ping")
    with pytest.raises(PermissionError):
        commons.line(EVE)
    # Nor where directory and socket have been opened to everybody by mistake.
    commons.place.directory.chmod(0o755)
    commons.place.path.chmod(0o666)
    line = commons.line(EVE)
    reply = line.hear()
    assert reply["error"]["data"]["code"] == "path-denied"
    assert line.socket.recv(1) == b""


def test_a_directory_that_the_group_may_write_to_is_refused(commons: Commons, repo: Lab) -> None:
    socket_path = str(commons.place.path)
    for mode in (0o770, 0o700, 0o757):
        commons.place.directory.chmod(mode)
        os.chown(commons.place.directory, -1, GROUP)
        done = repo.slip_json("serve", "--shared", str(GROUP), "--socket", socket_path, expect=1)
        assert done.error["code"] == "bad-path"
    for options in (["--shared", str(GROUP)], ["--shared", "no-such-group", "--socket", "/x/s"]):
        assert repo.slip_json("serve", *options, expect=2).error["code"] == "usage"


# What is read ------------------------------------------------------------------------------------


def test_what_a_user_may_read_is_read_to_him(commons: Commons) -> None:
    lab = commons.repository("ada", ADA, 0o700, "a needle\n")
    commons.start()
    line = commons.line(ADA)
    assert "error" not in commons.open(ADA, line, lab)
    here = str(lab.path)
    assert found(line, lab, "needle") == ["content"]
    read = line.call("lines", repo=here, path="content", rev="HEAD")
    assert read["text"] == "a needle\n"
    assert line.call("files", repo=here, rev="main")["total"] == 3
    assert "return 1" in json.dumps(line.call("symbol", repo=here, name="main", rev="HEAD"))
    assert line.call("map", repo=here, rev="HEAD")
    # What happens there counts from the next call on: commits, branches, packs, sessions.
    lab.commit({"more": "another needle\n"})
    lab.slip("begin", "s")
    lab.slip("write", "-s", "s", "staged", stdin=b"a staged needle\n")
    lab.git("branch", "old", "HEAD~1")
    commons.give(lab.path, ADA)
    assert found(line, lab, "needle") == ["content", "more"]
    assert found(line, lab, "needle", rev="old") == ["content"]
    assert found(line, lab, "needle", rev=None, session="s") == [
        "staged", "content", "more",
    ]  # fmt: skip
    assert [row["session"] for row in line.call("list", repo=here)["sessions"]] == ["s"]
    assert line.call("log", repo=here, session="s")["steps"]
    assert "staged" in json.dumps(line.call("diff", repo=here, session="s"))
    assert line.call("read", repo=here, session="s", paths=["staged"])
    lab.git("gc", "-q", "--prune=now")
    lab.git("update-ref", "-d", "refs/heads/old")
    commons.give(lab.path, ADA)
    assert found(line, lab, "needle") == ["content", "more"]
    line.refused(-32001, "missing", "files", repo=here, rev="old")
    # Nothing was written there: what slip keeps of it, it keeps in a place of its own.
    assert not (lab.path / ".git" / "slip" / "index").exists()


def test_nothing_is_written_and_no_working_tree_is_seen(commons: Commons) -> None:
    lab = commons.repository("ada", ADA)
    commons.start()
    line = commons.line(ADA)
    commons.open(ADA, line, lab)
    here = str(lab.path)
    for method in ("begin", "apply", "commit", "status", "gc", "doctor", "run", "worktree"):
        line.refused(-32001, "unsupported", method, repo=here)
    told = line.refused(-32602, "usage", "search", repo=here, pattern="x")
    assert "working tree" in told["message"]
    line.refused(-32001, "path-denied", "metrics")
    assert commons.line(0).call("metrics")["requests"]


def test_alternates_are_handed_over_too(commons: Commons) -> None:
    origin = commons.repository("origin", ADA)
    clone = commons.directory / "clone"
    commons.give(origin.path, 0)
    origin.git("clone", "-q", "--shared", "--template=", str(origin.path), str(clone))
    lab = commons.ground.at(clone)
    commons.give(origin.path, ADA)
    commons.give(clone, ADA)
    commons.start()
    line = commons.line(ADA)
    told = commons.open(ADA, line, lab)["error"]["data"]
    assert (told["code"], "alternates" in told["message"]) == ("unsupported", True)
    with user(ADA), opened(clone / ".git", origin.path / ".git" / "objects") as descriptors:
        assert "error" not in handed(line, str(clone), descriptors)
    assert found(line, lab, "origin holds") == ["content"]


# What is not -------------------------------------------------------------------------------------


def replies_to_guesses(commons: Commons, line: Line, private: Lab) -> list[Free]:
    """What somebody hears who guesses at a repository, and at one that is not there."""
    names = [str(private.path), "/nowhere/at/all"]
    told = []
    for name in names:
        for method, more in (
            ("search", {"pattern": SECRET, "rev": "HEAD"}),
            ("files", {"rev": "HEAD"}),
            ("list", {}),
            ("open", {}),
        ):
            told.append(line.ask(method, repo=name, **more)["error"])
        with user(ADA), opened(commons.directory) as descriptors:
            told.append(handed(line, name, descriptors)["error"])
    return told


def test_a_private_repository_and_none_are_told_alike(commons: Commons) -> None:
    private = commons.repository("bob", BOB, 0o700, f"{SECRET}\n")
    commons.start()
    ada, bob = commons.line(ADA), commons.line(BOB)
    with user(ADA), pytest.raises(PermissionError):
        os.open(private.path / ".git", os.O_RDONLY)
    before = replies_to_guesses(commons, ada, private)
    assert "error" not in commons.open(BOB, bob, private)
    assert found(bob, private, SECRET) == ["content"]
    after = replies_to_guesses(commons, ada, private)
    half = len(after) // 2
    # The same words, whether it is there or not, and whether somebody else has it open or not: a
    # name is looked up among those that this connection opened, and nothing else is done with it.
    assert after[:half] == after[half:] == before[:half] == before[half:]
    assert SECRET not in json.dumps(after)
    assert str(private.path) not in json.dumps(after)


def test_a_name_is_only_that_of_who_gave_it(commons: Commons) -> None:
    private = commons.repository("bob", BOB, 0o700, f"{SECRET}\n")
    own = commons.repository("ada", ADA)
    commons.start()
    ada, bob = commons.line(ADA), commons.line(BOB)
    commons.open(BOB, bob, private)
    assert found(bob, private, SECRET) == ["content"]
    # Ada's own, under the name of Bob's.
    assert "error" not in commons.open(ADA, ada, own, str(private.path))
    assert found(ada, private, SECRET) == []
    assert found(ada, private, "ada holds") == ["content"]
    other = commons.line(ADA)
    other.refused(-32001, "missing", "files", repo=str(own.path), rev="HEAD")


def test_descriptors_that_prove_nothing(commons: Commons) -> None:
    private = commons.repository("bob", BOB, 0o711, f"{SECRET}\n")
    git_dir = private.path / ".git"
    git_dir.chmod(0o711)
    commons.start()
    ada = commons.line(ADA)

    def refused(descriptors: list[int]) -> None:
        told = handed(ada, str(private.path), descriptors)["error"]["data"]
        assert told["code"] == "missing", told

    with user(ADA):
        with opened(git_dir, flags=os.O_PATH) as named:  # whoever may pass can have this
            refused(named)
        with opened(private.path / "README.md", flags=os.O_RDONLY) as file:
            refused(file)
    # A directory that he may list, with files in it that he may not read.
    git_dir.chmod(0o755)
    for hidden in ("HEAD", "objects", "refs", "objects/pack"):
        before = (git_dir / hidden).stat().st_mode
        (git_dir / hidden).chmod(0o700 if (git_dir / hidden).is_dir() else 0o600)
        with user(ADA), opened(git_dir) as listed:
            refused(listed)
        (git_dir / hidden).chmod(before)
    with user(ADA), opened(git_dir) as listed:
        assert "error" not in handed(ada, str(private.path), listed)
    # Nor does the name of a place that he has opened before.
    again = commons.line(ADA)
    with user(ADA), opened(git_dir, flags=os.O_PATH) as named:
        assert handed(again, str(private.path), named)["error"]["data"]["code"] == "missing"


def loose_object(lab: Lab, name: str) -> Path:
    oid = lab.git("rev-parse", name)
    return lab.path / ".git" / "objects" / oid[:2] / oid[2:]


@pytest.mark.parametrize("trick", ["alternates", "packs", "loose", "fan", "commondir", "refs"])
def test_a_repository_that_leads_into_another(commons: Commons, trick: str) -> None:
    """The server may read both; whoever asks, one. (It is root here: nothing else stops it.)"""
    private = commons.repository("bob", BOB, 0o700, f"{SECRET}\n")
    own = commons.repository("ada", ADA)
    theirs, ours = private.path / ".git", own.path / ".git"
    blob = loose_object(private, "HEAD:content")
    tree, commit = private.git("rev-parse", "HEAD^{tree}"), private.git("rev-parse", "HEAD")
    own.damaged = True
    if trick == "alternates":
        (ours / "objects" / "info").mkdir(exist_ok=True)
        (ours / "objects" / "info" / "alternates").write_text(f"{theirs}/objects\n")
    elif trick == "packs":
        private.git("repack", "-q", "-a")
        (ours / "objects" / "pack").mkdir(exist_ok=True)
        for path in (theirs / "objects" / "pack").iterdir():
            (ours / "objects" / "pack" / path.name).symlink_to(path)
    elif trick == "loose":
        for name in ("HEAD", "HEAD^{tree}", "HEAD:content"):
            path = loose_object(private, name)
            (ours / "objects" / path.parent.name).mkdir(exist_ok=True)
            (ours / "objects" / path.parent.name / path.name).symlink_to(path)
    elif trick == "fan":
        shutil.rmtree(ours / "objects" / blob.parent.name, ignore_errors=True)
        (ours / "objects" / blob.parent.name).symlink_to(blob.parent)
    elif trick == "commondir":
        (ours / "commondir").write_text(f"{theirs}\n")
    else:
        shutil.rmtree(ours / "refs")
        (ours / "refs").symlink_to(theirs / "refs")
    commons.give(own.path, ADA)
    commons.start()
    ada, bob = commons.line(ADA), commons.line(BOB)
    commons.open(BOB, bob, private)
    assert found(bob, private, SECRET) == ["content"]
    told = [commons.open(ADA, ada, own)]
    told += [ada.ask("search", repo=str(own.path), pattern=SECRET, rev=rev) for rev in (
        "HEAD", commit, tree)]  # fmt: skip
    told += [ada.ask("lines", repo=str(own.path), path="content", rev=commit)]
    assert SECRET not in json.dumps(told).replace(f'"pattern": "{SECRET}"', "")
    assert "error" in told[-1]


def test_no_program_of_a_repository_is_started(commons: Commons) -> None:
    lab = commons.repository("ada", ADA)
    caught = commons.directory / "caught"
    script = commons.directory / "program"
    script.write_text(f"#!/bin/sh\ntouch {caught}\ncat\n")
    script.chmod(0o755)
    lab.commit({".gitattributes": "* filter=x diff=x\n"})
    for key in (
        "core.fsmonitor", "filter.x.clean", "filter.x.smudge", "diff.x.textconv", "diff.external",
        "core.sshCommand", "core.pager", "uploadpack.packObjectsHook", "core.editor",
    ):  # fmt: skip
        lab.git("config", key, str(script))
    lab.git("config", "extensions.partialClone", "origin")
    lab.git("config", "remote.origin.url", f"ext::{script}")
    lab.git("config", "remote.origin.promisor", "true")
    lab.git("config", "core.worktree", "/etc")
    lab.git("config", "include.path", "/etc/shadow")
    lab.damaged = True
    commons.give(lab.path, ADA)
    commons.start()
    line = commons.line(ADA)
    assert "error" not in commons.open(ADA, line, lab)
    assert found(line, lab, "ada holds") == ["content"]
    here = str(lab.path)
    for method, more in (
        ("files", {"rev": "HEAD"}), ("map", {"rev": "HEAD"}), ("list", {}),
        ("lines", {"rev": "HEAD", "path": "content"}), ("diff", {}), ("log", {}),
        ("lines", {"rev": "HEAD", "path": "none"}), ("refs", {"rev": "HEAD", "name": "main"}),
    ):  # fmt: skip
        line.ask(method, repo=here, **more)
    assert not caught.exists()


def test_objects_that_are_not_what_they_say(commons: Commons) -> None:
    """What is kept by id for all users must not be of one user's making."""
    lab = commons.repository("ada", ADA)
    lab.damaged = True
    right, wrong = loose_object(lab, "HEAD:content"), loose_object(lab, "HEAD:README.md")
    right.unlink()
    shutil.copy(wrong, right)
    commons.give(lab.path, ADA)
    commons.start()
    line = commons.line(ADA)
    commons.open(ADA, line, lab)
    line.refused(-32001, "git-failed", "lines", repo=str(lab.path), path="content", rev="HEAD")


# The index ---------------------------------------------------------------------------------------


def large(mark: str) -> str:
    """More text than is searched without an index."""
    return "".join(f"{mark} {number} " + "x" * 100 + "\n" for number in range(25_000))


def test_users_share_what_both_have_and_no_more(commons: Commons) -> None:
    bob = commons.repository("bob", BOB, 0o700, large("both"))
    ada = commons.repository("ada", ADA, 0o700, large("both"))
    more = commons.repository("more", BOB, 0o700, large("both"))
    more.commit({"private": f"{SECRET}\n"})
    commons.give(more.path, BOB)
    commons.start()
    at_bob, at_ada = commons.line(BOB), commons.line(ADA)
    commons.open(BOB, at_bob, more)
    assert found(at_bob, more, SECRET) == ["private"]
    commons.open(ADA, at_ada, ada)
    assert found(at_ada, ada, "both 24999 ") == ["content"]
    assert found(at_ada, ada, SECRET) == []
    commons.open(BOB, at_bob, bob)
    assert found(at_bob, bob, "both 24999 ") == ["content"]
    root = Path(os.environ["XDG_CACHE_HOME"]) / "slip" / "shared"
    (of_socket,) = root.iterdir()
    assert of_socket.stat().st_mode & 0o077 == 0
    by_user: dict[str, set[int]] = {}
    for path in root.glob("*/6*/*/slip/index/search/*.seg"):
        held = by_user.setdefault(path.relative_to(root).parts[1].split("-")[0], set())
        held.add(path.stat().st_ino)
        assert not (path.relative_to(root).parts[1].startswith(str(ADA))) or (
            SECRET.encode() not in path.read_bytes()
        )
    assert len(by_user[str(BOB)]) == 2
    assert by_user[str(ADA)] < by_user[str(BOB)], "the same file, where all of it serves both"


# Limits ------------------------------------------------------------------------------------------


def test_descriptors_are_bounded_and_closed(commons: Commons) -> None:
    lab = commons.repository("ada", ADA)
    commons.start()
    owner, line = commons.line(0), commons.line(ADA)
    descriptors = Path(f"/proc/{owner.call('ping')['pid']}/fd")
    commons.open(ADA, line, lab)
    assert found(line, lab, "holds") == ["content"]
    before = len(list(descriptors.iterdir()))
    with user(ADA), opened(*[lab.path / ".git"] * 100) as many:
        for _ in range(20):
            line.hand(PING + b',"id":1}\n', many)
            assert "result" in line.hear()
    assert len(list(descriptors.iterdir())) <= before + 8
    told = [commons.open(ADA, line, lab, f"/name/{number}") for number in range(40)]
    assert told[-1]["error"]["data"]["code"] == "quota"
    line.close()
    soon(lambda: len(list(descriptors.iterdir())) < before)


def test_rates_of_a_user_and_of_all(commons: Commons) -> None:
    commons.start("--user-rate", "10", "--group-rate", "25")
    told: dict[int, list[str]] = {ADA: [], BOB: []}
    for number in (ADA, BOB):
        for line in [commons.line(number) for _ in range(3)]:
            for _ in range(10):
                reply = line.ask("ping")
                told[number].append(reply.get("error", {}).get("message", ""))
    assert 10 <= told[ADA].count("") <= 15, "of three clients of one user"
    assert any("of one user" in message for message in told[ADA])
    soon(lambda: "result" in commons.line(BOB).ask("ping"))


def test_a_connection_that_ends_while_it_is_answered(commons: Commons, children: Children) -> None:
    lab = commons.repository("ada", ADA)
    commons.start()
    for _ in range(20):
        line = commons.line(ADA)
        with user(ADA), opened(lab.path / ".git") as descriptors:
            asked = {"jsonrpc": "2.0", "id": 1, "method": "open", "params": {"repo": "/a"}}
            line.hand(json.dumps(asked).encode() + b"\n", descriptors)
        line.close()
    line = commons.line(ADA)
    line.socket.settimeout(PATIENCE_S)
    commons.open(ADA, line, lab)
    assert found(line, lab, "holds") == ["content"]
    assert isinstance(line.socket, socket.socket)
