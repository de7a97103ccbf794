"""Bad ground: names, repositories, environments and machines that are not as they should be.

Whatever is wrong, slip says so in one line with a code of its own, changes nothing, and is no
worse off afterwards. What a system or a user cannot do (mount, chown) is skipped with the reason.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.errors import ASKED_WRONGLY, CONFLICT, INTERRUPTED, REFUSED
from tests.lab import Ground, Lab, slip_command, slip_environment

SESSION = "refs/slip/sessions/"
LATIN1 = os.fsdecode(b"caf\xe9")
WRITE_A = b'[{"op": "write", "path": "a", "content": "x"}]'


def raw(
    lab: Lab,
    *arguments: str,
    before: Callable[[], object] | None = None,
    wrapper: tuple[str, ...] = (),
    cwd: Path | None = None,
    **options: Any,  # noqa: ANN401  (of subprocess.run)
) -> subprocess.CompletedProcess[bytes]:
    """slip as a process with something done to it first: ``before`` runs in the child."""
    settings: dict[str, Any] = {"input": b"", "capture_output": True} | options
    done = subprocess.run(
        [*wrapper, *slip_command(*arguments)],
        cwd=cwd or lab.path, env=slip_environment(), check=False, timeout=60, preexec_fn=before,
        **settings,
    )  # fmt: skip
    assert b"Traceback" not in (done.stdout or b"") + (done.stderr or b""), done
    return done


def code(done: subprocess.CompletedProcess[bytes]) -> str:
    """The code of a refusal: exit 1 or 2, one line of message."""
    assert done.returncode in (REFUSED, ASKED_WRONGLY), done
    error = json.loads(done.stdout)["error"]
    assert "\n" not in error["message"]
    return str(error["code"])


# Names --------------------------------------------------------------------------------------------

NO_SESSION_NAMES = [
    "", "-x", "--json", "-", "a/b", "../x", "..", ".", ".hidden", "a..b", "a.", "a.lock", "A.LOCK",
    "HEAD", "FETCH_HEAD", "@", "@{0}", "a b", "a\nb", "a\x1b[2J", "a~1", "a^", "a:b", "a*", "a\\b",
    "\u00e9", "\u202ea", LATIN1, "x" * 65, "s1@1",
]  # fmt: skip
NO_BRANCH_NAMES = [
    "", "-x", "--force", "a..b", "@", "HEAD", "a b", "a\nb", "a\x1b[2J", "refs/heads/", "main~1",
    "@{-1}", "main@{1}", ".x", "a/.x", "x.lock", "a//b", "/a", "a/", "a:b", "a\\b", "a?",
]  # fmt: skip
NO_REVISIONS = [
    "", "-x", "--all", "nowhere", "HEAD^{tree}", "HEAD:README.md", "main..main", "^main", "0" * 40,
    "0" * 39, "f" * 400, ":/nothing", "a\nb", "@{99}", LATIN1,
]  # fmt: skip


def test_names_of_sessions(repo: Lab) -> None:
    before = repo.refs()
    for name in NO_SESSION_NAMES:
        for arguments in (["begin", "--", name], ["status", f"--session={name}"]):
            reply = repo.slip_json(*arguments, expect=2)
            assert reply.error["code"] == "bad-name", arguments
        reply = repo.slip_json("reopen", "--", name, expect=None)
        assert reply.error["code"] in ("bad-name", "session-missing"), name
    assert repo.refs() == before


def test_names_of_branches_to_land_on(repo: Lab) -> None:
    repo.slip("begin", "w")
    repo.slip("write", "a", stdin=b"x\n")
    before = repo.refs()
    for name in NO_BRANCH_NAMES:
        for arguments in (["begin", f"--onto={name}"], ["commit", "-m", "x", f"--onto={name}"]):
            reply = repo.slip_json(*arguments, expect=2)
            assert reply.error["code"] == "bad-name", arguments
    assert repo.refs() == before


def test_revisions_that_are_none(repo: Lab) -> None:
    before = repo.refs()
    for revision in NO_REVISIONS:
        reply = repo.slip_json("begin", f"--base={revision}", expect=1)
        assert reply.error["code"] == "missing", revision
    assert repo.refs() == before


def test_at_is_head_to_slip_as_it_is_to_git(repo: Lab) -> None:
    begun = repo.slip_json("begin", "--base=@").json
    assert (begun["base"], begun["onto"]) == (repo.oid("HEAD"), "refs/heads/main")


def test_names_that_differ_in_case_alone(repo: Lab) -> None:
    repo.slip("begin", "Work")
    assert repo.slip_json("begin", "work", expect=1).error["code"] == "session-exists"
    reply = repo.slip_json("status", "-s", "work", expect=1)
    assert reply.error["code"] == "session-missing"


def test_arguments_that_are_not_utf8(repo: Lab) -> None:
    """Paths and messages are bytes and stay so; what must be text says so."""
    repo.slip("begin", "w", "--title", LATIN1, "--agent", LATIN1)
    repo.slip("write", LATIN1, stdin=b"x\n")
    repo.slip("sub", "x", LATIN1, "--", LATIN1)
    assert repo.tree(SESSION + "w")[LATIN1] == b"caf\xe9\n"
    repo.slip_json("read", LATIN1)
    repo.slip_json("status")
    repo.slip("status")
    repo.slip("apply", "-", "--group", LATIN1, stdin=WRITE_A)
    for arguments in (
        ["read", "no" + LATIN1], ["begin", "--allow", LATIN1, "x"], ["capture", "no" + LATIN1],
        ["commit", "-m", "x", "--author", LATIN1], ["commit", "-m", "x", "--date", LATIN1],
        ["apply", LATIN1], ["-C", LATIN1, "list"], [LATIN1], ["list", "--" + LATIN1],
        ["commit", "-F", LATIN1], ["show", LATIN1], ["merge-tree", LATIN1, "HEAD", "HEAD"],
    ):  # fmt: skip
        reply = repo.slip("--json", *arguments, expect=None)
        assert reply.status in (0, REFUSED, ASKED_WRONGLY), (arguments, reply)
        assert isinstance(reply.json["ok"], bool)
    repo.slip("commit", "-s", "w", "-m", LATIN1)
    assert repo.git_bytes("log", "-1", "--format=%B").strip() == b"caf\xe9"


def test_usage(repo: Lab) -> None:
    for arguments in (
        ["nothing"], ["begin", "a", "b"], ["begin", "--nothing"], ["apply", "nowhere.json"],
        ["apply", "-", "--format", "xml"], ["sub", "a"], ["sub", "a", "b", "--expect", "many"],
        ["sub", "a", "b", "--expect", "9" * 5000], ["commit"], ["write"], ["read"], ["-C"],
        ["read", "README.md:x-y"], ["merge-tree", "HEAD"], ["apply", "src"], ["undo", "x" * 9999],
    ):  # fmt: skip
        reply = repo.slip_json(*arguments, expect=None)
        assert reply.status in (REFUSED, ASKED_WRONGLY), arguments
        assert "\n" not in reply.error["message"]


# Refs that are not as slip left them --------------------------------------------------------------


def test_a_session_that_is_none(repo: Lab) -> None:
    """A blob, a tree, a tag and a foreign commit where a session's tip should be."""
    repo.slip("begin", "good")
    foreign = repo.oid("HEAD")
    strangers = {
        "blob": repo.oid("HEAD:README.md"),
        "tree": repo.oid("HEAD^{tree}"),
        "commit": foreign,
        "tag": repo.git("mktag", stdin=(
            f"object {foreign}\ntype commit\ntag x\ntagger A <a@example.com> 1 +0000\n\nx\n"
        ).encode()),
        "claims": repo.git("commit-tree", "HEAD^{tree}", "-m",
                           "x\n\nSlip-Format: 1\nSlip-Step: 7\nSlip-Begin: " + "9" * 40),
        "loops": repo.git("commit-tree", "HEAD^{tree}", "-m",
                          "x\n\nSlip-Format: 1\nSlip-Step: 7\nSlip-Undoes: x\nSlip-Begin: -x"),
        "rootless": repo.git("commit-tree", "HEAD^{tree}", "-m",
                             f"x\n\nSlip-Format: 1\nSlip-Step: 2\nSlip-Begin: {foreign}"),
    }  # fmt: skip
    for name, oid in strangers.items():
        repo.git("update-ref", SESSION + name, oid)
    begun = repo.oid(SESSION + "good")
    strangers["orphan"] = repo.git(
        "commit-tree",
        "HEAD^{tree}",
        "-m",
        f"x\n\nSlip-Format: 1\nSlip-Step: 2\nSlip-Begin: {begun}",
    )
    repo.git("update-ref", SESSION + "orphan", strangers["orphan"])
    repo.git("symbolic-ref", SESSION + "symbolic", "refs/heads/nowhere")
    repo.damaged = True  # fsck does not like what some of these refs hold, either
    before = repo.refs()
    listed = repo.slip_json("list").json["sessions"]
    assert [row["session"] for row in listed] == ["good"]
    for name in [*strangers, "symbolic"]:
        for arguments in (["status"], ["commit", "-m", "x"], ["log"], ["undo"], ["flush"]):
            reply = repo.slip_json(*arguments, "-s", name, stdin=WRITE_A, expect=None)
            told = (name, arguments, reply)
            allowed = (0, REFUSED) if name == "orphan" else (REFUSED,)
            assert reply.status in allowed, told
    assert repo.refs() == before
    repo.slip("apply", "-", "-s", "good", stdin=WRITE_A)
    repo.slip("commit", "-s", "good", "-m", "fine")


def test_a_base_that_was_rewritten_and_collected(repo: Lab) -> None:
    """The chain keeps its base alive: amended away, expired and pruned, it still lands."""
    repo.commit({"mine.txt": "one\n"})
    repo.slip("begin", "w")
    repo.slip("write", "a", stdin=b"x\n")
    repo.write("mine.txt", "two\n")
    repo.git("commit", "--quiet", "--all", "--amend", "-m", "rewritten")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--quiet", "--prune=now")
    repo.slip("commit", "-s", "w", "-m", "landed")
    assert repo.tree()["a"] == b"x\n"
    assert repo.tree()["mine.txt"] == b"two\n"


def test_objects_that_are_gone(repo: Lab) -> None:
    repo.slip("begin", "w")
    repo.slip("write", "a", stdin=b"x\n")
    repo.damaged = True
    for pack in (repo.path / ".git/objects/pack").iterdir():
        pack.unlink()
    head = repo.oid("HEAD")
    for arguments in (["status"], ["list"], ["apply", "-"], ["commit", "-m", "x"], ["log"],
                      ["diff"], ["abort"], ["recover"], ["begin", "other"]):  # fmt: skip
        reply = repo.slip_json(*arguments, stdin=WRITE_A, expect=None)
        assert reply.status in (0, REFUSED), arguments
    assert repo.oid("HEAD") == head


# The repository's own files -----------------------------------------------------------------------


def staged(repo: Lab) -> str:
    """A session that can land; its name."""
    repo.slip("begin", "w")
    repo.slip("write", "README.md", stdin=b"new\n")
    return "w"


def test_an_index_that_is_locked(repo: Lab) -> None:
    staged(repo)
    before = repo.snapshot()
    lock = repo.path / ".git" / "index.lock"
    lock.write_bytes(b"")
    for arguments in (["commit", "-m", "x"], ["flush", "--index"]):
        reply = repo.slip_json(*arguments, expect=1)
        assert reply.error["code"] == "locked", arguments
    assert lock.exists()
    lock.unlink()
    assert repo.snapshot() == before
    repo.slip("commit", "-m", "x")


def test_a_ref_that_is_locked(repo: Lab) -> None:
    staged(repo)
    before = repo.snapshot()
    for ref in ("refs/heads/main", SESSION + "w"):
        lock = repo.path / ".git" / f"{ref}.lock"
        lock.write_bytes(b"")
        reply = repo.slip_json("commit", "-m", "x", expect=1)
        assert reply.error["code"] == "locked", ref
        assert lock.exists(), "the lock of another is another's to remove"
        lock.unlink()
    assert repo.snapshot() == before
    repo.slip("commit", "-m", "x")


@pytest.mark.parametrize(
    "text",
    [b"", b"\0\0\0", b"garbage\n", b"\xff\xfe\n", b"ref: ../../outside\n",
     b"ref: refs/heads/a..b\n",
     b"ref: refs/heads/main\nmore\n", b"0123\n", b"f" * 40 + b"\n", b"ref: refs/heads/\xe9\n",
     b"ref: \n"],
)  # fmt: skip
def test_a_head_that_is_none(repo: Lab, text: bytes) -> None:
    staged(repo)
    repo.damaged = True
    refs = repo.refs()
    head = repo.path / ".git" / "HEAD"
    head.write_bytes(text)
    for arguments in (["list"], ["begin", "x"], ["apply", "-"], ["commit", "-m", "x"],
                      ["capture"]):  # fmt: skip
        reply = repo.slip_json(*arguments, "-s", "w", stdin=WRITE_A, expect=None)
        if arguments[0] in ("list", "begin"):
            reply = repo.slip_json(*arguments, expect=None)
        assert reply.status in (0, REFUSED, ASKED_WRONGLY), (arguments, reply)
    assert head.read_bytes() == text
    head.write_bytes(b"ref: refs/heads/main\n")
    assert set(refs) <= {*repo.refs(), SESSION + "w"}  # which may have landed


def _intent(name: str, text: bytes | None) -> Callable[[Path], object]:
    def wreck(place: Path) -> None:
        (place / "intents").mkdir(parents=True)
        if text is None:
            (place / "intents" / name).mkdir()
        else:
            (place / "intents" / name).write_bytes(text)

    return wreck


WRECKS: list[Callable[[Path], object]] = [
    lambda place: place.write_bytes(b"a file"),
    lambda place: place.symlink_to("/nowhere/at/all"),
    lambda place: (place / "lock").mkdir(parents=True),
    _intent("x.json", None),
    _intent("x.json", b"{garbage"),
    _intent("x.json", b"[]"),
    _intent("y.json", b'{"id": "../../../x"}'),
]


def test_files_of_slip_that_are_not_as_slip_left_them(repo: Lab) -> None:
    """A directory, a link or garbage where slip keeps its own: refused, and well afterwards."""
    place = repo.path / ".git" / "slip"
    for wreck in WRECKS:
        name = repo.slip("begin").text.strip()
        repo.slip("write", "README.md", "-s", name, stdin=b"new\n")
        shutil.rmtree(place, ignore_errors=True)
        head = repo.oid("HEAD")
        wreck(place)
        for arguments in (["list"], ["commit", "-m", "x", "-s", name], ["recover"]):
            reply = repo.slip_json(*arguments, expect=None)
            assert reply.status in (0, REFUSED), (arguments, reply)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
        if repo.oid("HEAD") == head:
            repo.slip("abort", "-s", name)
        else:
            repo.git("reset", "--quiet", "--hard", head)


def test_another_users_repository(repo: Lab) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a repository to another user")
    for place in (repo.path, repo.path / ".git"):
        os.chown(place, 65534, 65534)
    done = raw(repo, "--json", "list")
    assert code(done) == "git-failed"
    error = json.loads(done.stdout)["error"]
    assert "safe.directory" in error["message"]
    assert error["hint"].startswith("git config --global --add safe.directory ")
    for place in (repo.path, repo.path / ".git"):
        os.chown(place, 0, 0)


# The environment ----------------------------------------------------------------------------------


def test_variables_of_a_hook(ground: Ground) -> None:
    """What git sets for its hooks does not lead slip's own git children astray."""
    lab, other = ground.repository("a"), ground.repository("b")
    stray = lab.path.parent / "stray-index"
    leaks = {
        "GIT_INDEX_FILE": str(stray),
        "GIT_OBJECT_DIRECTORY": str(other.path / ".git/objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/nowhere",
        "GIT_PREFIX": "src/",
        "GIT_NAMESPACE": "ns",
        "GIT_QUARANTINE_PATH": "/nowhere",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_REFLOG_ACTION": "rebase",
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_COMMON_DIR": str(other.path / ".git"),
    }
    before = other.snapshot()
    objects = sorted((other.path / ".git/objects").iterdir())
    lab.slip("begin", "w", env=leaks)
    lab.slip("write", "src/app.py", stdin=b"new\n", env=leaks)
    lab.slip("commit", "-m", "x", env=leaks)
    assert lab.tree()["src/app.py"] == b"new\n"
    assert lab.git("status", "--porcelain") == ""
    assert not stray.exists()
    assert other.snapshot() == before
    assert sorted((other.path / ".git/objects").iterdir()) == objects


def test_git_dir_names_the_repository_as_it_does_for_git(ground: Ground) -> None:
    lab, other = ground.repository("a"), ground.repository("b")
    where = {"GIT_DIR": str(other.path / ".git"), "GIT_WORK_TREE": str(other.path)}
    lab.slip("begin", "w", env=where)
    assert not lab.refs("refs/slip/")
    assert list(other.refs("refs/slip/")) == [SESSION + "w"]
    reply = lab.slip_json("list", env={"GIT_DIR": "/nowhere"}, expect=1)
    assert reply.error["code"] == "git-failed"


@pytest.mark.parametrize("drop", ["HOME", "PATH", "everything"])
def test_an_environment_of_nothing(repo: Lab, drop: str) -> None:
    staged(repo)
    kept = {k: v for k, v in slip_environment().items() if k != drop}
    if drop == "everything":
        kept = {"PYTHONPATH": kept["PYTHONPATH"]}
    for arguments in (["list"], ["commit", "-m", "x"]):
        done = subprocess.run(
            slip_command("--json", *arguments), cwd=repo.path, env=kept, capture_output=True,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr
        assert done.returncode in (0, REFUSED), done


def test_a_path_without_git(repo: Lab, tmp_path: Path) -> None:
    reply = repo.slip_json("list", env={"PATH": str(tmp_path)}, expect=1)
    assert reply.error["code"] == "git-failed"
    assert "git" in reply.error["message"]


def test_a_directory_that_is_gone(repo: Lab, tmp_path: Path) -> None:
    place = repo.path / "gone"
    place.mkdir()
    done = raw(repo, "--json", "list", before=place.rmdir, cwd=place)
    assert code(done) == "git-failed"
    for directory in ("nowhere", "README.md", str(tmp_path), "", "a" * 5000):
        reply = repo.slip_json("-C", directory, "list", expect=None)
        if reply.status:
            assert reply.error["code"] == "git-failed", directory
    assert repo.slip_json("-C", "", "list").json["sessions"] == []


# The machine --------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_standard_streams_that_are_closed(repo: Lab, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    staged(repo)
    before = repo.snapshot()
    for arguments in (
        ["list"],
        ["--json", "list"],
        ["apply", "-"],
        ["read", "nowhere"],
        ["--help"],
    ):
        done = raw(repo, *arguments, before=close, input=None)
        assert done.returncode in (0, REFUSED, ASKED_WRONGLY), (arguments, done)
    assert repo.snapshot() == before
    raw(repo, "commit", "-m", "x", before=close, input=None)
    assert repo.tree()["README.md"] == b"new\n"
    assert repo.read("README.md") == b"new\n"


@pytest.mark.parametrize(
    "arguments", [["list"], ["--json", "diff"], ["--help"], ["apply", "--help"]]
)
def test_a_reader_who_has_gone(repo: Lab, arguments: list[str]) -> None:
    staged(repo)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = raw(repo, *arguments, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    # Help is click's own, and so is what it exits with then.
    assert done.returncode in ((1, INTERRUPTED) if "--help" in arguments else (INTERRUPTED,))
    assert done.stderr == b""


def test_output_that_cannot_be_written(repo: Lab) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        done = raw(repo, "list", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == REFUSED
    assert done.stderr.startswith(b"slip: git-failed: ")
    assert done.stderr.count(b"\n") == 1


def interrupted(lab: Lab, *arguments: str) -> tuple[int, bytes]:
    """The status and stderr of a command that gets a Ctrl-C when it has run for a while."""
    # A shell without job control has what it starts in the background ignore it: these tests, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        slip_command(*arguments), cwd=lab.path, env=slip_environment(), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as child:  # fmt: skip
        signal.signal(signal.SIGINT, before)
        time.sleep(1.2)
        os.killpg(child.pid, signal.SIGINT)
        try:
            status = child.wait(30)
        finally:
            child.kill()
        assert child.stderr is not None
        return status, child.stderr.read()


def test_an_interruption(repo: Lab) -> None:
    """While it reads, while it waits for another landing, and while a pattern takes for ever."""
    staged(repo)
    repo.commit({"aaa": "a" * 40 + "\n"})
    repo.slip("begin", "v")
    before = repo.snapshot()
    started = time.monotonic()
    lock = repo.path / ".git" / "slip" / "lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for arguments in (
            ["apply", "-", "-s", "w"],
            ["commit", "-s", "w", "-m", "x"],
            ["sub", "-s", "v", "--regex", "(a+)+b", "x"],
        ):
            status, err = interrupted(repo, *arguments)
            assert (status, err.count(b"\n")) == (INTERRUPTED, 1), (arguments, err)
            assert err.startswith(b"slip: interrupted: ")
    assert time.monotonic() - started < 60
    assert repo.snapshot() == before
    repo.slip("commit", "-s", "w", "-m", "x")


def test_few_open_files(repo: Lab) -> None:
    """With a handful it says so; it never dies of it, and never half way."""
    staged(repo)
    head = repo.oid("HEAD")
    for most in range(6, 40):  # with fewer, Python itself does not start

        def limit(most: int = most) -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

        before = repo.files()
        done = raw(repo, "--json", "commit", "-m", "x", before=limit)
        if done.returncode == 0:
            break
        assert code(done) in ("git-failed", "locked", "dirty"), most
        assert repo.oid("HEAD") == head, most
        assert repo.files() == before, most
    repo.slip("commit", "-m", "x", "-s", "w")
    assert repo.tree()["README.md"] == b"new\n"
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("most", [0, 100, 1000, 10_000])
def test_files_that_may_not_grow(repo: Lab, most: int) -> None:
    """A file size limit strikes like a full disk, in slip and in its git children."""
    repo.slip("begin", "w")
    repo.slip("write", "README.md", stdin=os.urandom(20_000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    for arguments in (["commit", "-m", "x"], ["write", "b"], ["begin", "x"], ["flush"]):
        before, refs = repo.snapshot(), repo.refs()
        content = os.urandom(20_000)
        done = raw(repo, "--json", *arguments, "-s", "w", before=limit, input=content)
        if arguments[0] == "begin":
            done = raw(repo, "--json", *arguments, before=limit)
        assert done.returncode in (0, REFUSED, ASKED_WRONGLY), (arguments, done)
        if arguments[0] in ("commit", "flush"):
            assert code(done) in ("git-failed", "locked"), arguments
            assert repo.refs() == refs
            assert repo.snapshot() == before
    repo.slip("commit", "-m", "x", "-s", "w")
    assert repo.git("status", "--porcelain") == ""


def in_namespace(script: str) -> tuple[str, ...]:
    """A command prefix that runs ``script`` as root of a mount namespace of its own, then slip."""
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("this system has no unshare")
    tried = subprocess.run([*prefix, "mount -t tmpfs x /mnt"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"mounting in a namespace is not allowed here: {tried.stderr.decode().strip()}")
    return (*prefix, script + ' && exec "$@"', "sh")


def test_a_file_system_that_is_read_only(repo: Lab) -> None:
    staged(repo)
    place = str(repo.path)
    wrapper = in_namespace(
        f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}' && cd '{place}'"
    )
    before, refs = repo.snapshot(), repo.refs()
    for arguments in (["list"], ["status"], ["read", "README.md"]):
        assert raw(repo, "--json", *arguments, wrapper=wrapper).returncode == 0, arguments
    for arguments in (["begin", "x"], ["apply", "-"], ["commit", "-m", "x"], ["abort"], ["flush"],
                      ["capture"], ["undo"]):  # fmt: skip
        done = raw(repo, "--json", *arguments, wrapper=wrapper, input=WRITE_A)
        if arguments != ["capture"]:
            assert code(done) in ("git-failed", "locked"), arguments
    assert repo.snapshot() == before
    assert repo.refs() == refs


def test_a_directory_that_is_read_only(repo: Lab) -> None:
    """Found out before the ref moves, and nothing is half done."""
    repo.slip("begin")
    repo.slip("write", "README.md", stdin=b"new\n")
    repo.slip("write", "src/app.py", stdin=b"new\n")
    place = str(repo.path / "src")
    wrapper = in_namespace(
        f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}'"
        f" && cd '{repo.path}'"
    )
    before, refs = repo.snapshot(), repo.refs()
    assert code(raw(repo, "--json", "commit", "-m", "x", wrapper=wrapper)) == "git-failed"
    assert repo.snapshot() == before
    assert repo.refs() == refs
    repo.slip("commit", "-m", "x")


@pytest.mark.parametrize("free", [4, 12, 28, 60])
def test_a_full_disk(ground: Ground, free: int) -> None:
    """``free`` KiB are left: the landing is refused with all as it was, or it is done."""
    lab = ground.repository()
    lab.slip("begin", "w")
    lab.slip("write", "README.md", stdin=os.urandom(20_000))
    copy = lab.path.parent / "copy"
    copy.mkdir()
    script = (
        f"mount -t tmpfs -o size=2m x '{copy}' && cp -a '{lab.path}/.' '{copy}' && cd '{copy}'"
        f" && git update-index -q --refresh && git rev-parse HEAD > '{lab.path}.old'"
        f" && dd if=/dev/zero of=.git/ballast bs=1k count=9999 2>/dev/null; truncate -s -{free}k"
        f" .git/ballast; (\"$@\") > '{lab.path}.reply'; echo $? > '{lab.path}.status';"
        f" git rev-parse HEAD > '{lab.path}.new'; rm .git/ballast;"
        f" git status --porcelain > '{lab.path}.left'; git fsck --strict --no-dangling >&2 "
    )
    wrapper = in_namespace(script)
    done = raw(lab, "--json", "commit", "-m", "x", wrapper=(*wrapper[:-2], script, "sh"))

    def told(what: str) -> str:
        return Path(f"{lab.path}.{what}").read_text().strip()

    assert done.returncode == 0, done
    reply = json.loads(told("reply"))
    assert told("left") == ""
    if told("status") == "0":
        assert told("new") == reply["commit"]
    else:
        assert told("status") == str(REFUSED)
        assert reply["error"]["code"] == "git-failed"
        assert told("new") == told("old")


# What is in the way in the worktree ---------------------------------------------------------------


def _directory(place: Path) -> None:
    place.mkdir()
    (place / "mine").write_text("mine\n")


ODD_PLACES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a directory": _directory,
    "a dangling link": lambda place: place.symlink_to("/nowhere/at/all"),
}


def test_odd_things_where_a_file_lands(repo: Lab) -> None:
    for what, make in ODD_PLACES.items():
        repo.slip("begin", "w")
        repo.slip("write", "new", stdin=b"x\n")
        place = repo.path / "new"
        make(place)
        head = repo.oid("HEAD")
        started = time.monotonic()
        reply = repo.slip_json("commit", "-m", "x", expect=None)
        assert reply.status in (REFUSED, CONFLICT), what
        assert reply.error["code"] == "dirty", what
        assert time.monotonic() - started < 30
        assert repo.oid("HEAD") == head
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
        repo.slip("abort", "-s", "w")
