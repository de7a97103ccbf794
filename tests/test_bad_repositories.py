"""Repositories that are damaged, locked, odd or under attack: refused, or handled right.

Rows have the names of a corpus that lies outside the repository, as in test_bad_inputs; each is
built for real. What test_bad_ground and other files hold already stands in `ELSEWHERE`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import resource
import shutil
import stat
import subprocess
import threading
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slipstream_git.errors import EXIT_STATUS, REFUSED
from tests.lab import SOURCE, Ground, Lab, slip_command, slip_environment
from tests.test_bad_ground import NO_REVISIONS, code, in_namespace, raw, staged
from tests.test_bad_inputs import CORPUS, ask, hold_refusal

SESSION = "refs/slip/sessions/"
TOKEN = "s3kr3t"


class Held(NamedTuple):
    """All that a refusal leaves as it was: the files, and git's own but for objects and caches."""

    files: dict[str, tuple[int, bytes]]
    git: dict[str, bytes]


def held(lab: Lab) -> Held:
    found = {}
    for place in sorted((lab.path / ".git").rglob("*")):
        inside = place.relative_to(lab.path / ".git")
        if inside.parts[0] not in ("objects", "slip") and stat.S_ISREG(place.lstat().st_mode):
            found[str(inside)] = place.read_bytes()
    return Held(lab.files(), found)


def refused(lab: Lab, codes: str, *commands: tuple[str, ...], stdin: bytes = b"x\n") -> None:
    """Each command is refused with one of ``codes``, in one line and soon; nothing changes."""
    before = held(lab)
    for arguments in commands:
        answer = ask(lab, *arguments, stdin=stdin)
        assert answer.code in codes.split(), (arguments, answer.body)
        assert answer.code in EXIT_STATUS
        hold_refusal(answer, answer.code)
        assert held(lab) == before, arguments


COMMIT = ("commit", "-m", "x", "-s", "w")
CAPTURE = ("capture", "-s", "w")
APPLY = ("write", "README.md", "-s", "w")


# Names --------------------------------------------------------------------------------------------

NAMES: dict[str, list[str]] = {
    "repo.name_at": ["@", "@{-1}", "HEAD"],
    "repo.name_ctrl": ["a\nb", "a\x1b[2J"],
    "repo.name_dash": ["-x"],
    "repo.name_dot": [".x", "x.", "a..b"],
    "repo.name_empty": [""],
    "repo.name_lock": ["x.lock"],
    "repo.name_long": ["x" * 300],
    "repo.name_slash": ["a/b"],
    "repo.name_special": ["FETCH_HEAD", "objects/x"],
    "repo.name_trav": ["../../heads/main"],
    "repo.name_unicode": ["\u00e9", "\udcff"],
}


def test_names_of_sessions_of_the_corpus(repo: Lab) -> None:
    staged(repo)
    for names in NAMES.values():
        for name in names:
            commands = (
                ("begin", "--", name),
                ("status", f"--session={name}"),
                ("abort", f"-s{name}"),
            )
            refused(repo, "bad-name usage" if name == "" else "bad-name", *commands)


def test_revisions_of_the_corpus(repo: Lab, tmp_path: Path) -> None:
    """repo.rev_blob, repo.rev_dash: no commit, and no option of git's either."""
    staged(repo)
    tree = repo.oid("HEAD^{tree}")
    repo.git("tag", "-a", "-m", "x", "of-a-tree", tree)
    repo.git("tag", "-a", "-m", "x", "of-a-tag", "of-a-tree")
    touched = tmp_path / "touched"
    for base in (
        "of-a-tree", "of-a-tag", tree, repo.oid("HEAD:README.md"), f"--upload-pack=touch {touched}",
        f"--output={touched}", *NO_REVISIONS,
    ):  # fmt: skip
        refused(repo, "missing", ("begin", f"--base={base}"))
    assert not touched.exists()


# Objects ------------------------------------------------------------------------------------------


def loose(lab: Lab, oid: str) -> Path:
    return lab.path / ".git/objects" / oid[:2] / oid[2:]


def spoil(place: Path, at: int | None = None) -> None:
    """Flip a bit of a file, in its middle if nowhere else."""
    data = bytearray(place.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 0x10
    place.chmod(0o644)
    place.write_bytes(data)


@pytest.mark.parametrize("what", ["blob", "tree", "commit"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_flipped_bit(repo: Lab, what: str, packed: bool) -> None:  # noqa: FBT001
    """repo.bitflip"""
    staged(repo)
    repo.damaged = True
    names = {"blob": "HEAD:src/app.py", "tree": "HEAD:src", "commit": "HEAD"}
    oid = repo.oid(names[what])
    if packed:
        repo.git("repack", "-adq")
        for index in (repo.path / ".git/objects/pack").glob("*.idx"):
            index.with_suffix(".rev").unlink(missing_ok=True)
            show = repo.git("show-index", stdin=index.read_bytes())
            rows = (line.split() for line in show.splitlines())
            starts = sorted((int(start), name) for start, name, *_ in rows)
            pack = index.with_suffix(".pack")
            ends = [*(start for start, _ in starts[1:]), pack.stat().st_size - 20]
            for (start, name), end in zip(starts, ends, strict=True):
                if name == oid:
                    spoil(pack, (start + end) // 2)
    else:
        spoil(loose(repo, oid))
    commands = [("read", "src/app.py", "-s", "w"), ("sub", "main", "x", "-s", "w")]
    if what != "commit":
        refused(repo, "git-failed", *commands)
    before = held(repo)
    for arguments in (*commands, ("begin", "other"), ("status", "-s", "w"), COMMIT):
        answer = ask(repo, *arguments)
        assert answer.code in ("", "git-failed"), (arguments, answer.body)
        if answer.code:
            assert "\n" not in answer.message
    if repo.git("rev-parse", "main", expect=None) == before.git["refs/heads/main"].decode().strip():
        assert repo.files() == before.files


def raw_tree(lab: Lab, *entries: tuple[bytes, bytes, str]) -> str:
    """A commit of a tree with exactly these entries, whatever git thinks of them."""
    data = b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(oid)) for mode, name, oid in entries)
    stored = b"tree %d\0%s" % (len(data), data)
    tree = hashlib.sha1(stored).hexdigest()  # noqa: S324
    loose(lab, tree).parent.mkdir(exist_ok=True)
    loose(lab, tree).write_bytes(zlib.compress(stored))
    return lab.git("commit-tree", tree, "-m", "odd")


BLOB, SCRIPT, DIRECTORY = b"100644", b"100755", b"40000"
README = (BLOB, b"README.md")
# In place of an id, the file's or the directory's of the template.
ODD_TREES: dict[str, list[tuple[bytes, bytes]]] = {
    "repo.tree_dotgit": [(BLOB, b".git"), README],
    "repo.tree_dotgit, a directory in capitals": [(DIRECTORY, b".GIT"), README],
    "repo.tree_dotgit, as NTFS reads it": [README, (DIRECTORY, b"git~1")],
    "repo.tree_dotgit, as HFS reads it": [(DIRECTORY, ".g\u200cit".encode()), README],
    "repo.tree_unsorted": [(BLOB, b"z"), README],
    "repo.tree_unsorted, a directory": [(DIRECTORY, b"src"), (BLOB, b"src.c")],
    "repo.tree_unsorted, twice": [README, (SCRIPT, b"README.md")],
    "repo.tree_unsorted, file and directory": [(BLOB, b"a"), (BLOB, b"a.b"), (DIRECTORY, b"a")],
    "repo.tree_unsorted, no name": [(BLOB, b""), README],
    "repo.tree_unsorted, a path": [README, (BLOB, b"a/b")],
    "repo.tree_unsorted, upwards": [(DIRECTORY, b".."), README],
}


@pytest.mark.parametrize("row", ODD_TREES)
def test_trees_that_git_would_not_write(repo: Lab, row: str) -> None:
    """Rewritten they would lose entries or mean something else; checked out they would do harm."""
    repo.damaged = True
    ids = {DIRECTORY: repo.oid("HEAD:src")}
    blob = repo.oid("HEAD:README.md")
    odd = raw_tree(repo, *((mode, name, ids.get(mode, blob)) for mode, name in ODD_TREES[row]))
    repo.git("update-ref", "refs/heads/odd", odd)
    staged(repo)
    assert ask(repo, "begin", "v", "--base", "odd").status in (0, REFUSED)
    for arguments in (("write", "new"), ("write", "README.md"), ("read", "README.md"), ("rm", "z"),
                      ("mv", "README.md", "b"), ("sub", "Demo", "x", "README.md")):  # fmt: skip
        # git grep passes over names that are not where they belong.
        refused(repo, "git-failed session-missing no-match", (*arguments, "-s", "v"))
    refused(repo, "git-failed conflict", (*COMMIT, "--onto", "odd"))
    assert repo.oid("odd") == odd
    assert ask(repo, *COMMIT).status == 0


def test_a_tree_with_padded_modes(repo: Lab) -> None:
    """repo.tree_unsorted, the half that git reads without harm and writes as it should be."""
    repo.damaged = True
    blob, source = repo.oid("HEAD:README.md"), repo.oid("HEAD:src")
    odd = raw_tree(repo, (BLOB, b"README.md", blob), (b"040000", b"src", source))
    repo.git("reset", "--quiet", "--hard", odd)
    assert ask(repo, "exec", "--ops", '[{"op":"write","path":"new","content":"x"}]', "-m", "on",
               "--read", "src/app.py").status == 0  # fmt: skip
    repo.git("read-tree", "HEAD")
    assert repo.oid("HEAD^{tree}") == repo.git("write-tree")
    assert repo.git("status", "--porcelain") == ""


def test_a_damaged_index(repo: Lab) -> None:
    """repo.corrupt_index"""
    staged(repo)
    index = repo.path / ".git/index"
    whole = index.read_bytes()
    for text in (b"", b"garbage\n", os.urandom(5000), b"DIRC\0\0\0\2\0\0\0\1" + b"x" * 80,
                 b"DIRC\0\0\0\x09" + whole[8:]):  # fmt: skip
        index.write_bytes(text)
        refused(repo, "git-failed", COMMIT, CAPTURE)
    index.write_bytes(whole)
    assert ask(repo, *COMMIT).status == 0
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("text", [b"", b"garbage\n", bytes(range(256))])
def test_a_damaged_head(repo: Lab, text: bytes) -> None:
    """repo.corrupt_head"""
    staged(repo)
    (repo.path / ".git/HEAD").write_bytes(text)
    repo.damaged = True
    refused(repo, "git-failed bad-name usage", ("list",), ("begin", "x"), COMMIT, APPLY)
    (repo.path / ".git/HEAD").write_bytes(b"ref: refs/heads/main\n")
    repo.damaged = False
    assert ask(repo, *COMMIT).status == 0


@pytest.mark.parametrize("start", [b"ref: refs/heads/", b""])
def test_a_head_of_a_megabyte(repo: Lab, start: bytes) -> None:
    """repo.corrupt_head: to git it is a branch that is not there yet, or a commit."""
    staged(repo)
    head = repo.path / ".git/HEAD"
    head.write_bytes(start + b"f" * (1 << 20))
    refused(repo, "git-failed", ("begin", "x"), CAPTURE)
    head.write_bytes(b"ref: refs/heads/main\n")
    assert ask(repo, *COMMIT).status == 0


# Refs and worktrees -------------------------------------------------------------------------------


def test_a_base_branch_that_is_deleted(repo: Lab) -> None:
    """repo.base_deleted"""
    repo.git("branch", "topic")
    ask(repo, "begin", "w", "--base", "topic", "--onto", "topic")
    ask(repo, *APPLY, stdin=b"new\n")
    repo.git("branch", "--quiet", "-D", "topic")
    refused(repo, "missing", COMMIT)
    assert ask(repo, "diff", "-s", "w").body["changes"]
    assert ask(repo, *COMMIT, "--onto", "topic").status == 0
    assert repo.tree("topic")["README.md"] == b"new\n"


def test_a_lock_of_packed_refs(repo: Lab) -> None:
    """repo.packed_refs_lock: waited for as git does; what deletes no ref goes on."""
    staged(repo)
    repo.git("pack-refs", "--all")
    lock = repo.path / ".git/packed-refs.lock"
    lock.write_bytes(b"")
    refused(repo, "locked", COMMIT, ("abort", "-s", "w"))
    assert ask(repo, *APPLY, stdin=b"newer\n").status == 0
    assert ask(repo, "begin", "x").status == 0
    lock.unlink()
    assert ask(repo, *COMMIT).status == 0


def test_locks_that_others_left(repo: Lab) -> None:
    """repo.stale_ref_lock, repo.index_lock: the refusal names the file."""
    staged(repo)
    for name in ("refs/heads/main.lock", "index.lock"):
        lock = repo.path / ".git" / name
        lock.write_bytes(b"")
        os.utime(lock, (0, 0))
        refused(repo, "locked", COMMIT)
        assert name in ask(repo, *COMMIT).message
        assert lock.exists()
        lock.unlink()
    assert ask(repo, *COMMIT).status == 0


def test_a_branch_of_another_worktree(ground: Ground) -> None:
    """repo.target_checked_out_elsewhere: it is brought along (contract), unless it is edited."""
    lab = ground.repository()
    linked = ground.linked(lab)
    staged(lab)
    linked.write("README.md", "mine\n")
    refused(lab, "dirty", (*COMMIT, "--onto", "side"))
    linked.git("checkout", "--quiet", "README.md")
    assert ask(lab, *COMMIT, "--onto", "side").status == 0
    assert linked.read("README.md") == b"new\n"
    assert (linked.git("status", "--porcelain"), lab.git("status", "--porcelain")) == ("", "")


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_worktree_that_is_not_there(ground: Ground, is_locked: bool) -> None:  # noqa: FBT001
    """repo.worktree_locked: told on landing, and refused from within once git has let go of it."""
    lab = ground.repository()
    linked = ground.linked(lab)
    if is_locked:
        lab.git("worktree", "lock", str(linked.path))
    away = linked.path.with_name("away")
    linked.path.rename(away)
    ask(lab, "begin", "w", "--base", "side", "--onto", "side")
    ask(lab, *APPLY, stdin=b"new\n")
    (warning,) = ask(lab, *COMMIT).body["warnings"]
    assert str(linked.path) in warning
    lab.git("worktree", "prune")
    back = Lab(away)
    if is_locked:
        assert back.git("log", "-1", "--format=%s") == "x"
    else:
        assert ask(back, "list").code == "git-failed"
        assert ask(back, *COMMIT).code == "git-failed"


def test_a_git_file_that_names_another_repository(ground: Ground, tmp_path: Path) -> None:
    """repo.gitfile_foreign: it is that repository, and one of another user's is refused."""
    other = ground.repository("other")
    place = tmp_path / "here"
    place.mkdir()
    (place / ".git").write_text(f"gitdir: {other.path / '.git'}\n")
    here = Lab(place)
    assert ask(here, "begin", "w").status == 0
    assert list(other.refs(SESSION)) == [SESSION + "w"]
    if os.geteuid() == 0:
        for owned in (other.path, other.path / ".git"):
            os.chown(owned, 65534, 65534)
        assert ask(here, "list").code == "git-failed"
        for owned in (other.path, other.path / ".git"):
            os.chown(owned, 0, 0)


def test_two_commit_one_session(repo: Lab) -> None:
    """repo.session_double_commit: one lands, the other says that there is nothing left to land."""
    staged(repo)
    base = repo.oid("HEAD")
    both = [
        subprocess.Popen(slip_command("--json", *COMMIT), cwd=repo.path, env=slip_environment(),
                         stdout=subprocess.PIPE) for _ in range(2)
    ]  # fmt: skip
    replies = [json.loads(child.communicate()[0]) for child in both]
    # Who comes when the other is done is told that it has landed already.
    landed = [r for r in replies if r.get("committed") and not r.get("already")]
    assert len(landed) == 1
    for reply in replies:
        if reply["ok"]:
            assert reply.get("commit") in (None, repo.oid("HEAD"))
        else:
            assert reply["error"]["code"] in ("session-missing", "ref-moved")
    assert repo.oid("HEAD^") == base
    assert repo.git("status", "--porcelain") == ""


def test_refs_packed_in_a_loop(repo: Lab) -> None:
    """repo.pack_refs, repo.repack_ad: nothing is lost to `pack-refs` and `repack` meanwhile."""
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            repo.git("pack-refs", "--all", expect=None)
            repo.git("repack", "-adfq", expect=None)
            repo.git("prune-packed", "--quiet", expect=None)

    other = threading.Thread(target=churn)
    other.start()
    try:
        for number in range(6):
            name = f"w{number}"
            assert ask(repo, "begin", name).status == 0
            for part in range(3):
                answer = ask(repo, "write", f"{name}/{part}", "-s", name, stdin=b"x\n")
                assert answer.status == 0, answer.body
            answer = ask(repo, "commit", "-s", name, "-m", name)
            assert answer.status == 0, answer.body
    finally:
        over.set()
        other.join()
    assert {f"w{n}/{part}" for n in range(6) for part in range(3)} < set(repo.tree())


def test_reftable(tmp_path: Path) -> None:
    """repo.reftable, in a git that has it and in one that has not."""
    lab = Lab(tmp_path)
    if "ref-format" in lab.git("init", "-h", expect=None):
        lab.git("init", "--quiet", "--ref-format=reftable")
    else:
        lab.git("init", "--quiet")
        lab.git("config", "core.repositoryFormatVersion", "1")
        lab.git("config", "extensions.refStorage", "reftable")
    before = held(lab)
    for arguments in (("begin", "w"), ("list",)):
        hold_refusal(answer := ask(lab, *arguments), answer.code)
        assert answer.code in ("unsupported", "git-failed")
    assert held(lab) == before


@pytest.mark.slow
def test_a_hundred_thousand_refs(repo: Lab) -> None:
    """repo.refs_100k"""
    head = repo.oid("HEAD")
    rows = "".join(f"{head} refs/tags/t{number:06}\n" for number in range(100_000))
    (repo.path / ".git/packed-refs").write_text(
        "# pack-refs with: peeled fully-peeled sorted \n" + rows
    )
    started = time.monotonic()
    staged(repo)
    assert ask(repo, *COMMIT).status == 0
    assert time.monotonic() - started < 20
    assert len(repo.refs("refs/tags/")) == 100_000


@pytest.mark.slow
def test_two_hundred_thousand_entries(repo: Lab) -> None:
    """repo.dir_200k"""
    blob = repo.oid("HEAD:README.md")
    rows = "".join(f"100644 blob {blob}\tf{number:06}\n" for number in range(200_000))
    wide = repo.git("mktree", stdin=rows.encode())
    top = repo.git("mktree", stdin=f"040000 tree {wide}\twide\n".encode())
    repo.git("update-ref", "refs/heads/wide", repo.git("commit-tree", top, "-m", "wide"))
    ask(repo, "begin", "w", "--base", "wide", "--onto", "wide")
    for arguments in (("write", "wide/f100000"), ("write", "wide/new"), ("rm", "wide/f000001")):
        answer = ask(repo, *arguments, "-s", "w", stdin=b"x\n")
        assert answer.status == 0
        assert answer.seconds < 10
    assert ask(repo, *COMMIT).status == 0
    assert repo.git("diff", "--name-status", "wide^", "wide").split() == [
        "D", "wide/f000001", "M", "wide/f100000", "A", "wide/new",
    ]  # fmt: skip


# What configuration and remotes would have run ----------------------------------------------------


def test_programs_that_configuration_names(repo: Lab, tmp_path: Path) -> None:
    """repo.config_exec: none runs, but for the hooks of a landing."""
    spy = tmp_path / "spy"
    spy.write_text(f'#!/bin/sh\necho "$0" >> {tmp_path}/ran\n')
    spy.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction", "post-rewrite"):
        shutil.copy(spy, hooks / name)
    for key in ("core.fsmonitor", "core.sshCommand", "core.editor", "core.pager", "core.askPass",
                "diff.external", "sequence.editor", "interactive.diffFilter"):  # fmt: skip
        repo.git("config", key, str(spy))
    repo.git("config", "core.hooksPath", str(hooks))
    staged(repo)
    for arguments in (("list",), ("status", "-s", "w"), ("diff", "-s", "w"), ("flush", "-s", "w"),
                      ("read", "README.md", "-s", "w"), ("undo", "-s", "w"), ("redo", "-s", "w"),
                      ("capture", "-s", "w"), ("doctor",), ("gc",)):  # fmt: skip
        assert ask(repo, *arguments).status == 0, arguments
    assert not (tmp_path / "ran").exists()
    assert ask(repo, *COMMIT).status == 0
    ran = set((tmp_path / "ran").read_text().split())
    assert ran == {str(hooks / "reference-transaction")}
    repo.git("config", "--unset", "core.fsmonitor")
    repo.git("config", "--unset", "core.hooksPath")


REMOTES: dict[str, list[str]] = {
    "repo.remote_ext": ["ext::sh -c 'touch {}'"],
    "repo.remote_dash": [
        "--upload-pack=touch {}", "-oProxyCommand=touch {}", "ssh://-oProxyCommand=touch {}/x",
    ],
    "repo.remote_creds": [f"https://user:{TOKEN}@127.0.0.1:1/x", f"https://{TOKEN}@127.0.0.1:1/x"],
    "repo.remote_url_ctrl": [
        f"https://user:{TOKEN}@127.0.0.1:1/\nhost=evil", "file:///nowhere/\x1b[2Jx",
    ],
}  # fmt: skip


@pytest.mark.parametrize("row", REMOTES)
def test_remotes_of_a_partial_clone(repo: Lab, tmp_path: Path, row: str) -> None:
    """No command of slip takes a remote, but git asks one for an object that a clone left out."""
    repo.damaged = True
    missing = loose(repo, repo.oid("HEAD:src/app.py"))
    for key, value in {
        "core.repositoryFormatVersion": "1", "extensions.partialClone": "origin",
        "remote.origin.promisor": "true", "remote.origin.partialCloneFilter": "blob:none",
    }.items():  # fmt: skip
        repo.git("config", key, value)
    staged(repo)
    missing.unlink()
    touched = tmp_path / "touched"
    for url in REMOTES[row]:
        repo.git("config", "remote.origin.url", url.format(touched))
        refused(
            repo, "git-failed", ("read", "src/app.py", "-s", "w"), ("sub", "main", "x", "-s", "w"),
        )  # fmt: skip
        for arguments in (("sub", "main", "x", "-s", "w"), ("read", "src/app.py"), ("doctor",)):
            done = raw(repo, *arguments)
            for said in (done.stdout, done.stderr):
                assert TOKEN.encode() not in said
                assert b"\x1b" not in said
    assert not touched.exists()


# Who and what a commit says -----------------------------------------------------------------------


def test_headers_are_not_injected(repo: Lab) -> None:
    """repo.identity_inject: refused where it is an argument; git's own cleaning where it is not."""
    staged(repo)
    inject = "a <x>\nparent " + "0" * 40
    refused(
        repo, "usage", (*COMMIT, "--author", inject), (*COMMIT, "--author", "a\nb <x@y>"),
        (*COMMIT, "--author", "a <x\ny>"), (*COMMIT, "--date", "1 +0000\nparent x"),
    )  # fmt: skip
    env = {"GIT_AUTHOR_NAME": inject, "GIT_COMMITTER_EMAIL": "e>\nparent x"}
    repo.slip(*COMMIT, env=env)
    head = repo.git_bytes("cat-file", "commit", "HEAD").partition(b"\n\n")[0]
    assert [line.split(b" ")[0] for line in head.splitlines()] == [
        b"tree", b"parent", b"author", b"committer",
    ]  # fmt: skip


def test_messages(repo: Lab) -> None:
    """repo.message_inject: a NUL is refused as git refuses it; the rest is the user's own text."""
    staged(repo)
    refused(repo, "usage", ("commit", "-s", "w", "-F", "-"), stdin=b"a\0b\n")
    text = "a\x1b[2J\n\nSlip-Format: 1\nSlip-Step: 3\nSlip-Session: x\nSlip-Landed: y\n"
    assert ask(repo, "commit", "-s", "w", "-m", text).status == 0
    assert repo.message() == text
    done = raw(repo, "begin", "v")
    assert done.returncode == 0
    for arguments in (["list"], ["status"], ["log"]):
        done = raw(repo, *arguments)
        assert (done.returncode, b"\x1b" in done.stdout) == (0, False)
    assert [row["session"] for row in ask(repo, "list").body["sessions"]] == ["v"]


# The machine --------------------------------------------------------------------------------------

WAYS_OUT = ("fsync", "rename", "replace", "link", "unlink", "write", "mkdir")


@pytest.mark.parametrize("call", WAYS_OUT)
def test_a_disk_that_fails(ground: Ground, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """repo.eio: each such call fails once, the first, the second, and so on.

    It is never called a success where nothing landed, and the next slip makes all whole.
    """
    real = getattr(os, call)
    for number in range(1, 60):
        lab = ground.repository(f"{call}{number}")
        staged(lab)
        base = lab.oid("HEAD")
        calls = 0

        def failing(*arguments: Any, number: int = number, **options: Any) -> Any:  # noqa: ANN401
            nonlocal calls
            calls += 1
            if calls == number:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*arguments, **options)

        monkeypatch.setattr(os, call, failing)
        answer = ask(lab, *COMMIT)
        monkeypatch.setattr(os, call, real)
        moved = lab.oid("HEAD") != base
        if answer.status == 0:
            assert moved
        else:
            hold_refusal(answer, answer.code)
            assert answer.code in ("git-failed", "locked", "dirty")
            assert not moved, (number, answer.body)
            assert lab.read("README.md") == b"# Demo\n"
        # Not removed, it is a living process's own, which a command in its own process clears.
        (lab.path / ".git/index.lock").unlink(missing_ok=True)
        assert ask(lab, "recover").status == 0
        assert lab.git("status", "--porcelain") == ""
        assert not list(lab.path.rglob(".slip-tmp-*"))
        if not moved:
            assert ask(lab, *COMMIT).status == 0
        if calls < number:
            return
    pytest.fail(f"more than {number} calls of {call}")


@pytest.mark.parametrize("where", [".git/objects", ".git/refs", ".git"])
def test_a_part_that_cannot_be_written(repo: Lab, where: str) -> None:
    """repo.noperm"""
    staged(repo)
    place = str(repo.path / where)
    wrapper = in_namespace(
        f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}'"
        f" && cd '{repo.path}'"
    )
    before = held(repo)
    for arguments in (COMMIT, APPLY, ("begin", "x")):
        done = raw(repo, "--json", *arguments, wrapper=wrapper, input=b"y\n")
        assert code(done) in ("git-failed", "locked"), arguments
        assert held(repo) == before
    assert raw(repo, "--json", "read", "README.md", wrapper=wrapper).returncode == 0


def test_little_memory(repo: Lab) -> None:
    """repo.oom: what does not fit is refused, and what fits goes on."""
    staged(repo)
    before = held(repo)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))

    done = raw(repo, "--json", *APPLY, before=limit, input=b"x" * (150 << 20))
    assert code(done) in ("too-large", "git-failed")
    assert held(repo) == before
    assert raw(repo, "--json", *COMMIT, before=limit).returncode == 0
    assert repo.read("README.md") == b"new\n"


@pytest.mark.parametrize("left", [0, 1, 2, 4, 8, 16])
def test_no_inodes_left(ground: Ground, left: int) -> None:
    """repo.quota_inode"""
    lab = ground.repository()
    staged(lab)
    copy = lab.path.parent / "copy"
    copy.mkdir()
    reply = Path(f"{lab.path}.reply")
    script = (
        f"mount -t tmpfs -o nr_inodes=2000 x '{copy}' && cp -a '{lab.path}/.' '{copy}'"
        f" && cd '{copy}' && git update-index -q --refresh && mkdir .git/ballast"
        f" && free=$(($(stat -f -c %d .) - {left})) && seq $free | (cd .git/ballast && xargs touch)"
        f"; (\"$@\") > '{reply}'; rm -r .git/ballast; git rev-parse HEAD HEAD~1"
        "; git status --porcelain"
    )
    wrapper = in_namespace(script)
    done = raw(lab, "--json", *COMMIT, wrapper=(*wrapper[:-2], script, "sh"))
    answer = json.loads(reply.read_text())
    lines = done.stdout.decode().split("\n")
    if answer["ok"]:
        assert lines[0] == answer["commit"]
    else:
        assert answer["error"]["code"] in ("git-failed", "locked")
        assert lab.oid("HEAD") == lines[0]
    assert not any(line.startswith((" M", "M", "D", "??")) for line in lines), lines


# The corpus ---------------------------------------------------------------------------------------

HERE = Path(__file__)
# Rows that other files hold: where.
ELSEWHERE = {
    "repo.alternates": "changes/test_poisoned.py test_alternates_are_looked_through",
    "repo.cwd_deleted": "test_bad_ground.py test_a_directory_that_is_gone",
    "repo.disk_full": "test_bad_ground.py test_a_full_disk",
    "repo.emfile": "test_bad_ground.py test_few_open_files",
    "repo.empty_loose": "changes/test_poisoned.py test_staged_and_landed_all_the_same",
    "repo.truncated_loose": "changes/test_poisoned.py test_a_base_that_is_broken_is_said",
    "repo.env_git_dir": "test_bad_ground.py test_variables_of_a_hook",
    "repo.gpgsign": "changes/test_signing.py test_what_cannot_be_signed_is_no_commit",
    "repo.hooks": "changes/test_hooks.py test_hooks_see_what_git_commit_shows_them",
    "repo.name_case": "test_bad_ground.py test_names_that_differ_in_case_alone",
    "repo.partial": "changes/test_refusals.py test_odd_repositories",
    "repo.shallow": "changes/test_refusals.py test_odd_repositories",
    "repo.readonly": "test_bad_ground.py test_a_file_system_that_is_read_only",
    "repo.session_concurrent": "operations/test_swarm.py test_ten_workers_apply_to_one_session",
    "repo.session_type": "test_bad_ground.py test_a_session_that_is_none",
    "repo.stdin_closed": "test_bad_ground.py test_standard_streams_that_are_closed",
    "repo.unborn": "changes/test_sessions.py test_unborn",
    "repo.worktree": "gitdb/test_worktrees.py test_a_linked_worktree",
}


def test_every_row_of_the_corpus_is_here() -> None:
    if not CORPUS.is_file():
        pytest.skip("the corpus of bad inputs does not lie beside the repository")
    rows = {row["id"] for row in json.loads(CORPUS.read_text()) if row["group"] == "repo"}
    here = set(re.findall(r"repo\.[a-z0-9_]+", HERE.read_text())) | set(NAMES)
    assert rows - here == set()


def test_rows_that_are_elsewhere_are_there() -> None:
    for where in ELSEWHERE.values():
        file, test = where.split(" ")
        assert f"def {test}(" in (SOURCE / "tests" / file).read_text(), where
