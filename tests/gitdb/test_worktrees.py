"""Placing files and the index: what git's own checkout would have made is what ours must be."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.changes import bringing
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.barriers import NEVER
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Config
from slipstream_git.gitdb.worktrees import checkouts, indexes
from slipstream_git.gitdb.worktrees.checkouts import list_worktrees, manner_of
from slipstream_git.gitdb.worktrees.intents import (
    Intent,
    Place,
    SessionMove,
    drop_intent,
    intent_path,
    pending_intents,
    write_intent,
)
from slipstream_git.gitdb.worktrees.jobs import Job, Placement, Trouble, Worktree
from slipstream_git.gitdb.worktrees.leftovers import leftovers
from slipstream_git.gitdb.worktrees.writer import Writer, finish, retreat
from slipstream_git.model import GITLINK, SYMLINK, ZERO, Entry
from slipstream_git.workspace import open_workspace
from tests.lab import Content, Ground, Lab, Link, Script, _bytes, _git_mode

TOKEN = "0ddba11"

START: dict[str, Content] = {
    "a.txt": "one\n",
    "run.sh": "echo\n",
    "gone/deep/x": "x\n",
    "keep/y": "y\n",
    "keep/z": "z\n",
    "link": Link("a.txt"),
    "turns": "file\n",
    "folder/one": "1\n",
    "folder/sub/two": "2\n",
    "other.txt": "other\n",
    "staged.txt": "before\n",
}
CHANGE: dict[str, Content] = {
    "a.txt": "one\ntwo\n",
    "run.sh": Script(b"echo\n"),
    "gone/deep/x": None,
    "keep/z": None,
    "new/far/file": "new\n",
    "link": Link("run.sh"),
    "turns": None,
    "turns/inside": "now a directory\n",
    "folder/one": None,
    "folder/sub/two": None,
    "folder": "now a file\n",
}


# -- scaffold --------------------------------------------------------------------------------------


def git_of(lab: Lab) -> Git:
    return Git(str(lab.path), os.environ)


def here(lab: Lab) -> Worktree:
    """The worktree at the lab's own directory."""
    root = os.path.realpath(lab.path)
    return next(w for w in list_worktrees(git_of(lab)) if os.path.realpath(w.root) == root)


def child_of(lab: Lab, changes: dict[str, Content], parent: str | None = "HEAD") -> str:
    """A commit on top of ``parent`` that no worktree has seen."""
    index = {"GIT_INDEX_FILE": str(lab.common_dir / "child-index")}
    lab.git("read-tree", parent or "--empty", env=index)
    lines = b""
    for path, content in sorted(changes.items(), key=lambda item: item[1] is not None):
        if content is None:
            lines += b"0 " + ZERO.encode() + b"\t" + os.fsencode(path) + b"\0"
        else:
            oid = lab.git("hash-object", "-w", "--stdin", stdin=_bytes(content)).encode()
            lines += b"%o %s\t%s\0" % (_git_mode(content), oid, os.fsencode(path))
    lab.git("update-index", "-z", "--index-info", stdin=lines, env=index)
    tree = lab.git("write-tree", env=index)
    (lab.common_dir / "child-index").unlink()
    parents = ("-p", parent) if parent else ()
    return lab.git("commit-tree", tree, *parents, "-m", "lands")


def between(lab: Lab, old: str | None, new: str) -> list[Placement]:
    before = old or lab.git("hash-object", "-t", "tree", "-w", "--stdin")
    out = lab.git_bytes("diff-tree", "-r", "-z", "--no-renames", before, new)
    fields = out.split(b"\0")[:-1]
    made = []
    for facts, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_oid, new_oid, _ = facts.decode()[1:].split(" ")
        made.append(Placement(path, entry(old_mode, old_oid), entry(new_mode, new_oid)))
    return made


def entry(mode: str, oid: str) -> Entry | None:
    return Entry(int(mode, 8), oid) if int(mode, 8) else None


def content_of(lab: Lab) -> Callable[[bytes, Entry], bytes]:
    known: dict[tuple[bytes, Entry], bytes] = {}

    def content(path: bytes, asked: Entry) -> bytes:
        if (path, asked) not in known:
            how = ["blob"] if asked.mode == SYMLINK else [b"--filters", b"--path=" + path]
            known[path, asked] = lab.git_bytes("cat-file", *how, asked.oid)
        return known[path, asked]

    return content


def writer_for(lab: Lab, new: str, **options: Any) -> Writer:  # noqa: ANN401  (a Job's own)
    worktree = here(lab)
    placements = options.pop("placements", None) or between(lab, worktree.head, new)
    options.setdefault("content", content_of(lab))
    options.setdefault("token", TOKEN)
    config = Config.parse(git_of(lab).run("config", "--list", "-z").out)
    options.setdefault("manner", manner_of(config))
    return Writer(git_of(lab), Job(worktree, placements, **options))


def land(lab: Lab, new: str, **options: Any) -> None:  # noqa: ANN401
    """As a landing does it: preflight, hold, place, the ref, settle."""
    writer = writer_for(lab, new, **options)
    writer.preflight()
    writer.hold()
    writer.place()
    lab.git("update-ref", "HEAD", new)
    assert writer.settle() == ()


def refused(lab: Lab, new: str) -> SlipError:
    """The refusal of a landing, which changed nothing."""
    before = lab.snapshot()
    with pytest.raises(SlipError) as caught:
        writer_for(lab, new).preflight()
    with pytest.raises(SlipError) as again:
        writer_for(lab, new).place()
    assert again.value.code == caught.value.code
    assert lab.snapshot() == before
    assert_tidy(lab)
    return caught.value


def whys(error: SlipError) -> dict[str, str]:
    paths = error.data["paths"]
    assert isinstance(paths, list)
    return {item["path"]: item["why"] for item in paths}


def assert_tidy(lab: Lab) -> None:
    """Nothing temporary is left anywhere."""
    assert [p for p in lab.files() if ".slip-tmp-" in p] == []
    left = {p.name for p in lab.git_dir.iterdir() if p.name.startswith(("slip-", "index."))}
    assert left == set()


def assert_clean(lab: Lab) -> None:
    """git sees no difference, and needs no refresh to see that."""
    assert lab.git("diff-files") == ""
    assert lab.git("status", "--porcelain=v2") == ""
    assert lab.git("diff") == ""


def listing(lab: Lab) -> bytes:
    return lab.git_bytes("ls-files", "-s", "-v", "-z")


@pytest.fixture
def lab(ground: Ground) -> Lab:
    made = ground.repository()
    made.commit(START, "start")
    return made


@pytest.fixture
def oracle(lab: Lab, ground: Ground, tmp_path: Path) -> Callable[[str], Lab]:
    """What git itself makes of the same worktree: ``git merge --ff-only``."""

    def checked_out(new: str) -> Lab:
        shutil.copytree(lab.path, tmp_path / "oracle", symlinks=True)
        other = ground.at(tmp_path / "oracle")
        other.git("merge", "--quiet", "--ff-only", new)
        return other

    return checked_out


# -- worktrees -------------------------------------------------------------------------------------


def test_worktrees_are_listed_with_their_git_directories(ground: Ground, lab: Lab) -> None:
    linked = ground.linked(lab)
    main, side = list_worktrees(git_of(lab))
    assert main == Worktree(str(lab.path), str(lab.git_dir), "refs/heads/main", lab.oid("HEAD"))
    assert side == Worktree(
        str(linked.path), str(linked.git_dir), "refs/heads/side", linked.oid("HEAD")
    )


def test_detached_locked_and_missing_worktrees_are_told(ground: Ground, lab: Lab) -> None:
    linked = ground.linked(lab)
    linked.git("checkout", "--quiet", "--detach")
    lab.git("worktree", "lock", "--reason", "two\nlines", str(linked.path))
    side = list_worktrees(git_of(lab))[1]
    assert (side.branch, side.locked, side.prunable) == (None, True, False)
    lab.git("worktree", "unlock", str(linked.path))
    shutil.rmtree(linked.path)
    assert list_worktrees(git_of(lab))[1].prunable


def test_bare_and_unborn_repositories(ground: Ground) -> None:
    bare = ground.bare()
    (only,) = list_worktrees(git_of(bare))
    assert (only.bare, only.git_dir) == (True, str(bare.path))
    (unborn,) = list_worktrees(git_of(ground.unborn()))
    assert (unborn.branch, unborn.head) == ("refs/heads/main", None)


def test_a_separate_git_directory(ground: Ground, tmp_path: Path) -> None:
    place = ground.repository("apart")
    place.git("init", "--quiet", f"--separate-git-dir={tmp_path / 'elsewhere'}")
    (only,) = list_worktrees(git_of(place))
    assert (only.root, only.git_dir) == (str(place.path), str(tmp_path / "elsewhere"))


def test_a_submodule_is_the_main_worktree_of_its_repository(ground: Ground) -> None:
    outer = ground.holding_submodule()
    inner = ground.at(outer.path / "lib")
    (only,) = list_worktrees(git_of(inner))
    assert (only.root, only.git_dir) == (str(inner.path), str(inner.git_dir))


def test_an_only_worktree_is_known_without_git(
    ground: Ground, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(place: Path, **env: str) -> bool:
        """Whether it is taken for the only one; then every listing must be that of git."""
        ws = open_workspace(str(place), {**os.environ, **env}, in_process=False)
        with ws.repository:
            is_only = checkouts.is_only(ws.repository.layout)
            if is_only:
                found = bringing.every_worktree(ws)
                with monkeypatch.context() as patch:
                    patch.setattr(checkouts, "is_only", lambda _layout: False)
                    assert bringing.every_worktree(ws) == found
            return is_only

    assert seen(lab.path)
    lab.git("checkout", "--quiet", "--detach")
    assert seen(lab.path)
    lab.git("checkout", "--quiet", "--orphan", "new")
    assert seen(lab.path)
    lab.git("checkout", "--quiet", "--force", "main")
    link = tmp_path / "link"
    link.symlink_to(lab.path)
    assert seen(link)
    linked = ground.linked(lab)
    assert not seen(lab.path)
    assert not seen(linked.path)
    lab.git("worktree", "remove", str(linked.path))
    assert seen(lab.path)
    lab.git("config", "core.worktree", str(tmp_path))
    assert not seen(lab.path)
    lab.git("config", "--unset", "core.worktree")
    assert not seen(lab.path, GIT_DIR=str(lab.git_dir), GIT_WORK_TREE=str(tmp_path))
    assert not seen(ground.bare().path)
    assert not seen(ground.holding_submodule().path / "lib")
    apart = ground.repository("apart")
    apart.git("init", "--quiet", f"--separate-git-dir={tmp_path / 'elsewhere'}")
    assert not seen(apart.path)
    (tmp_path / "elsewhere").rename(tmp_path / "moved")
    (apart.path / ".git").unlink()
    (apart.path / ".git").symlink_to(tmp_path / "moved")
    assert not seen(apart.path)


# -- landing as git would --------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["2", "3", "4", "split", "untracked-cache"])
def test_a_landing_equals_gits_own_checkout(
    lab: Lab, oracle: Callable[[str], Lab], form: str
) -> None:
    if form.isdigit():
        lab.git("update-index", "--index-version", form)
    elif form == "split":
        lab.git("update-index", "--split-index")
    else:
        lab.git("update-index", "--force-untracked-cache")
    lab.write("empty.txt", "only a place\n")
    lab.git("add", "--intent-to-add", "empty.txt")
    lab.write("staged.txt", "staged\n")
    lab.git("add", "staged.txt")
    lab.write("other.txt", "edited, not staged\n")
    lab.write("loose.txt", "untracked\n")
    new = child_of(lab, CHANGE)
    expected = oracle(new)
    land(lab, new)
    assert lab.files() == expected.files()
    assert listing(lab) == listing(expected)
    assert lab.git("diff-files") == expected.git("diff-files")
    assert lab.git("status", "--porcelain=v2") == expected.git("status", "--porcelain=v2")
    assert lab.git("diff") == expected.git("diff")
    assert lab.git("diff", "--cached") == expected.git("diff", "--cached")
    assert_tidy(lab)
    if form == "4":
        assert (lab.git_dir / "index").read_bytes()[4:8] == b"\0\0\0\4"


def test_a_clean_worktree_is_clean_after_a_landing(lab: Lab) -> None:
    new = child_of(lab, CHANGE)
    land(lab, new)
    assert_clean(lab)
    assert not (lab.path / "gone").exists()
    lab.git("fsck", "--strict")
    assert_tidy(lab)


def test_stat_data_is_what_git_itself_would_record(lab: Lab) -> None:
    land(lab, child_of(lab, CHANGE))

    def recorded() -> str:
        return lab.git("ls-files", "--debug", "a.txt", "link", "folder", "new", "turns", "run.sh")

    ours = recorded()
    lab.git("update-index", "--force-remove", "a.txt")
    lab.git("add", "a.txt")
    lab.git("update-index", "--really-refresh")
    assert recorded() == ours


def test_a_linked_worktree(ground: Ground, lab: Lab) -> None:
    linked = ground.linked(lab)
    new = child_of(linked, CHANGE)
    land(linked, new)
    assert_clean(linked)
    assert_clean(lab)


def test_several_thousand_paths(lab: Lab) -> None:
    lab.commit({f"many/{n % 50}/{n}": f"{n}\n" for n in range(5000)})
    new = lab.commit({f"many/{n % 50}/{n}": f"new {n}\n" for n in range(5000)})
    lab.git("reset", "--quiet", "--hard", "HEAD~")
    contents = {}
    for placement in between(lab, "HEAD", new):
        number = int(placement.path.split(b"/")[-1])
        contents[placement.old] = b"%d\n" % number
        contents[placement.new] = b"new %d\n" % number
    land(lab, new, content=lambda _, asked: contents[asked])
    assert_clean(lab)


def test_modes_follow_the_umask_as_gits_do(lab: Lab, oracle: Callable[[str], Lab]) -> None:
    (lab.path / "a.txt").chmod(0o600)
    before = os.umask(0o027)
    try:
        new = child_of(lab, {"a.txt": "changed\n", "tool": Script(b"x"), "dir/new": "n"})
        expected = oracle(new)
        land(lab, new)
    finally:
        os.umask(before)
    for path in ("a.txt", "tool", "dir", "dir/new"):
        assert (lab.path / path).stat().st_mode == (expected.path / path).stat().st_mode


@pytest.mark.parametrize("head", [True, False])
def test_the_first_commit_of_an_unborn_branch(ground: Ground, head: bool) -> None:  # noqa: FBT001
    lab = ground.unborn()
    if head:
        lab.write("mine.txt", "staged\n")
        lab.git("add", "mine.txt")
    new = child_of(lab, {"first": "1\n", "d/second": "2\n"}, None)
    land(lab, new)
    if not head:
        assert_clean(lab)
    assert lab.read("d/second") == b"2\n"
    assert lab.git("ls-files").split() == ["d/second", "first"] + ["mine.txt"] * head


def test_a_worktree_never_checked_out_is_left_empty(ground: Ground, lab: Lab) -> None:
    lab.git("worktree", "add", "--quiet", "--no-checkout", "-b", "side", "../hollow")
    hollow = ground.at(lab.path.parent / "hollow")
    new = child_of(hollow, CHANGE)
    land(hollow, new)
    assert hollow.files().keys() <= {".git"}
    assert not (hollow.git_dir / "index").exists()


def test_line_endings_and_filters_are_clean_though_not_reversible(lab: Lab) -> None:
    lab.git("config", "core.autocrlf", "true")
    lab.git("config", "filter.up.smudge", "tr a-z A-Z")
    lab.git("config", "filter.up.clean", "cat")
    lab.commit({".gitattributes": "*.up filter=up -text\n"})
    lab.git("checkout", "--quiet", "--", ".")
    new = child_of(lab, {"n.txt": "one\ntwo\n", "crlf.txt": "one\r\ntwo\r\n", "x.up": "loud\n"})
    land(lab, new)
    assert lab.read("n.txt") == b"one\r\ntwo\r\n"
    assert lab.read("x.up") == b"LOUD\n"
    assert lab.git("diff-files", "--name-only", "n.txt") == ""


def test_files_only_leaves_the_index_alone(lab: Lab) -> None:
    new = child_of(lab, CHANGE)
    before = (lab.git_dir / "index").read_bytes()
    writer = writer_for(lab, new, with_index=False)
    writer.preflight()
    writer.place()
    writer.settle()
    assert (lab.git_dir / "index").read_bytes() == before
    assert lab.git("diff", "--cached") == ""
    lab.git("add", "--all")
    assert lab.git("write-tree") == lab.git("rev-parse", f"{new}^{{tree}}")
    assert_tidy(lab)


def test_a_rename_of_case_only(lab: Lab) -> None:
    land(lab, child_of(lab, {"a.txt": None, "A.TXT": "one\n"}))
    assert_clean(lab)
    assert lab.read("A.TXT") == b"one\n"


def test_nothing_to_place_is_nothing(lab: Lab) -> None:
    before = lab.snapshot()
    land(lab, lab.oid("HEAD"), placements=[])
    assert lab.snapshot() == before


# -- what is in the way, and what is not -----------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        ("a.txt", "mine\n", "changed"),
        ("a.txt", Script(b"one\n"), "changed"),
        ("a.txt", Link("run.sh"), "changed"),
        ("a.txt", None, "deleted"),
        ("link", Link("elsewhere"), "changed"),
        ("link", "a.txt", "changed"),
        ("new/far/file", "untracked\n", "not tracked"),
        ("new/far", "a file\n", "new/far is not a directory"),
        ("new", Link("keep"), "new is not a directory"),
        ("keep/z", "mine\n", "changed"),
        ("folder/mine", "untracked\n", "a directory that holds folder/mine"),
        ("folder/sub/deep/mine", "untracked\n", "a directory that holds folder/sub/deep/mine"),
    ],
)
def test_what_is_the_users_stops_a_landing(lab: Lab, path: str, content: Content, why: str) -> None:
    lab.write(path, content)
    error = refused(lab, child_of(lab, CHANGE))
    assert error.code == "dirty"
    assert why in whys(error).values()
    assert "\n" not in error.message


def test_an_ignored_file_stops_a_landing_too(lab: Lab) -> None:
    lab.write(".git/info/exclude", "*.o\n")
    lab.write("x.o", "precious\n")
    assert whys(refused(lab, child_of(lab, {"x.o": "landed\n"}))) == {"x.o": "not tracked"}


def test_a_directory_where_a_file_lands(lab: Lab) -> None:
    (lab.path / "d/empty/deeper").mkdir(parents=True)
    new = child_of(lab, {"d": "a file\n"})
    land(lab, new)
    assert_clean(lab)


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_file_is_never_opened(
    lab: Lab, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = lab.path / "x"
    if kind == "fifo":
        os.mkfifo(place)
    else:
        monkeypatch.chdir(lab.path)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("x")
    new = child_of(lab, {"x": "landed\n"})
    with pytest.raises(SlipError) as caught:
        writer_for(lab, new).preflight()
    assert whys(caught.value) == {"x": "not a regular file"}
    place.unlink()


def test_a_huge_file_is_known_by_its_size(lab: Lab) -> None:
    with (lab.path / "a.txt").open("r+b") as file:
        file.truncate(5_000_000_000)
    started = time.monotonic()
    with pytest.raises(SlipError) as caught:
        writer_for(lab, child_of(lab, CHANGE)).preflight()
    assert time.monotonic() - started < 1
    assert whys(caught.value) == {"a.txt": "changed"}
    (lab.path / "a.txt").unlink()


def test_all_paths_in_the_way_are_told_and_the_first_named(lab: Lab) -> None:
    paths = [f"p{n}" for n in range(9)]
    new = child_of(lab, dict.fromkeys(paths, "landed\n"))
    for path in paths:
        lab.write(path, "mine\n")
    error = refused(lab, new)
    assert sorted(whys(error)) == paths
    assert error.message.endswith(
        "p0 (not tracked), p1 (not tracked), p2 (not tracked), p3 (not tracked), "
        "p4 (not tracked) and 4 more"
    )


def test_what_already_equals_the_landing_is_not_in_the_way(lab: Lab) -> None:
    for path in ("a.txt", "run.sh", "link", "new/far/file", "keep/z"):
        lab.write(path, CHANGE[path])
    lab.git("add", "a.txt")
    inode = (lab.path / "a.txt").stat().st_ino
    land(lab, child_of(lab, CHANGE))
    assert_clean(lab)
    assert (lab.path / "a.txt").stat().st_ino == inode


def test_captured_edits_are_not_in_the_way(lab: Lab) -> None:
    blob = lab.git("hash-object", "-w", "--stdin", stdin=b"captured\n")
    captured = {
        b"a.txt": [Entry(0o100644, blob)],
        b"run.sh": [None],
        b"new/far/file": [Entry(0o100644, blob)],
    }
    lab.write("a.txt", "captured\n")
    lab.git("add", "a.txt")
    lab.write("new/far/file", "captured\n")
    lab.git("rm", "--quiet", "run.sh")
    land(lab, child_of(lab, CHANGE), acceptable=lambda path: captured.get(path, ()))
    assert_clean(lab)


def test_a_deletion_the_user_made_too(lab: Lab) -> None:
    lab.git("rm", "--quiet", "keep/z")
    lab.write("gone/deep/x", None)
    land(lab, child_of(lab, CHANGE))
    assert_clean(lab)


def test_file_mode_is_not_compared_where_git_does_not(lab: Lab) -> None:
    lab.git("config", "core.fileMode", "false")
    lab.write("a.txt", Script(b"one\n"))
    land(lab, child_of(lab, {"a.txt": "two\n"}))
    assert_clean(lab)


def test_symlinks_as_files_where_git_has_them_so(lab: Lab) -> None:
    lab.git("config", "core.symlinks", "false")
    lab.git("checkout-index", "--force", "--all")
    lab.write("link", None)
    lab.git("checkout-index", "link")
    land(lab, child_of(lab, {"link": Link("keep/y")}))
    assert lab.read("link") == b"keep/y"
    assert not (lab.path / "link").is_symlink()
    assert_clean(lab)


def test_gitlinks_stay_as_they_are(lab: Lab) -> None:
    commit = lab.oid("HEAD")
    lab.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    lab.git("commit", "--quiet", "-m", "submodule")
    (lab.path / "sub").mkdir()
    placement = Placement(b"sub", Entry(GITLINK, commit), Entry(GITLINK, lab.oid("HEAD")))
    more = Placement(b"sub2", None, Entry(GITLINK, commit))
    writer = writer_for(lab, "", placements=[placement, more])
    writer.preflight()
    writer.place()
    writer.settle()
    assert (lab.path / "sub2").is_dir()
    assert lab.git("diff-files", "--name-status") == ""
    assert lab.git("diff", "--cached", "--name-status") == "M\tsub\nA\tsub2"


# -- the index -------------------------------------------------------------------------------------


def test_something_else_staged_is_in_the_way(lab: Lab) -> None:
    lab.write("a.txt", "staged\n")
    lab.git("add", "a.txt")
    lab.write("a.txt", "one\n")
    assert whys(refused(lab, child_of(lab, CHANGE))) == {"a.txt": "staged differently"}


def test_removed_from_the_index_is_in_the_way(lab: Lab) -> None:
    lab.git("rm", "--quiet", "--cached", "a.txt")
    assert whys(refused(lab, child_of(lab, CHANGE))) == {"a.txt": "removed from the index"}


def test_staged_below_and_above_is_in_the_way(lab: Lab) -> None:
    oid = lab.git("hash-object", "-w", "--stdin", stdin=b"staged\n")
    lab.git("update-index", "--add", "--cacheinfo", f"100644,{oid},folder/staged")
    assert whys(refused(lab, child_of(lab, CHANGE))) == {
        "folder/staged": "staged where a file comes"
    }
    lab.git("rm", "--quiet", "--cached", "folder/staged")
    lab.git("update-index", "--add", "--cacheinfo", f"100644,{oid},new")
    new = child_of(lab, CHANGE)
    before = lab.snapshot()
    with pytest.raises(SlipError) as caught:
        writer_for(lab, new).hold()
    assert whys(caught.value) == {"new": "staged where a directory comes"}
    assert lab.snapshot() == before
    assert_tidy(lab)


def test_a_place_kept_by_intent_to_add_is_taken(lab: Lab) -> None:
    lab.write("new/far/file", "new\n")
    lab.git("add", "--intent-to-add", "new/far/file")
    land(lab, child_of(lab, CHANGE))
    assert_clean(lab)


def test_unmerged_entries_and_a_merge_under_way(lab: Lab) -> None:
    new = child_of(lab, CHANGE)
    lab.git("checkout", "--quiet", "-b", "other")
    lab.commit({"a.txt": "theirs\n"})
    lab.git("checkout", "--quiet", "main")
    lab.commit({"a.txt": "ours\n"})
    lab.git("merge", "other", expect=1)
    error = refused(lab, new)
    assert error.code == "dirty"
    assert "a merge is under way" in error.message
    (lab.git_dir / "MERGE_HEAD").unlink()
    assert whys(refused(lab, new))["a.txt"] == "unmerged"


@pytest.mark.parametrize(
    ("name", "said"),
    [("rebase-merge", "a rebase"), ("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert")],
)
def test_other_things_under_way(lab: Lab, name: str, said: str) -> None:
    place = lab.git_dir / name
    # A commit, as git's fsck wants it there from 2.48 on.
    place.mkdir() if name == "rebase-merge" else place.write_text(lab.oid("HEAD") + "\n")
    with pytest.raises(SlipError, match=said):
        writer_for(lab, child_of(lab, CHANGE)).preflight()


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_flags_that_hide_edits_are_refused(lab: Lab, flag: str) -> None:
    lab.git("update-index", flag, "a.txt")
    lab.write("a.txt", "hidden edit\n")
    error = refused(lab, child_of(lab, CHANGE))
    assert error.code == "unsupported"
    assert "a.txt" in error.message


@pytest.mark.parametrize("cone", ["--cone", "--no-cone", "--sparse-index"])
def test_a_sparse_checkout_keeps_out_what_it_keeps_out(lab: Lab, cone: str) -> None:
    patterns = ["keep"] if cone != "--no-cone" else ["/keep/"]
    lab.git("sparse-checkout", "init", "--cone" if cone == "--sparse-index" else cone)
    if cone == "--sparse-index":
        lab.git("sparse-checkout", "init", "--cone", "--sparse-index")
    lab.git("sparse-checkout", "set", *patterns)
    assert not (lab.path / "folder").exists()
    new = child_of(lab, {"folder/one": "landed\n", "keep/y": "landed\n", "gone/deep/x": None})
    land(lab, new)
    assert_clean(lab)
    assert not (lab.path / "folder").exists()
    assert lab.read("keep/y") == b"landed\n"
    assert lab.git("ls-files", "-v", "folder/one") == "S folder/one"


def test_quick_edits_are_not_hidden_by_a_younger_index(lab: Lab) -> None:
    """An edit of the same size, in the tick the index was written in, stays visible."""
    for n in range(20):
        lab.commit({"quick": "aaaa\n"}, f"quick {n}")
        with (lab.path / "quick").open("r+b") as file:
            file.write(b"bbbb\n")
        land(lab, child_of(lab, {"a.txt": f"{n}\n"}))
        assert lab.git("diff-files", "--name-only") == "quick"


# -- the lock --------------------------------------------------------------------------------------


def test_a_lock_that_somebody_holds(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "LOCK_WAIT_S", 0.1)
    lock = lab.git_dir / "index.lock"
    lock.write_bytes(b"")
    new = child_of(lab, CHANGE)
    for attempt in ("preflight", "hold"):
        with pytest.raises(SlipError) as caught:
            getattr(writer_for(lab, new), attempt)()
        assert caught.value.code == "locked"
    assert lock.exists()
    lock.unlink()
    land(lab, new)


def test_two_writers_do_not_hold_one_index(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "LOCK_WAIT_S", 0.1)
    new = child_of(lab, CHANGE)
    first = writer_for(lab, new)
    first.hold()
    with pytest.raises(SlipError, match="locked"):
        writer_for(lab, new, token="other").hold()
    lab.git("add", "a.txt", expect=128)
    assert first.roll_back() == ()
    assert_tidy(lab)
    assert_clean(lab)


def test_a_lock_of_a_dead_slip_is_cleared(lab: Lab) -> None:
    new = child_of(lab, CHANGE)
    killed_after(writer_for(lab, new).hold)
    assert (lab.git_dir / "index.lock").exists()
    land(lab, new, token="other")
    assert not (lab.git_dir / "index.lock").exists()
    assert lab.git("status", "--porcelain", "--untracked-files=no") == ""


# -- surprises and faults --------------------------------------------------------------------------


def at(name: str, act: Callable[[], object], nth: int = 1) -> Callable[[str], None]:
    """A checkpoint that acts once, the nth time it is passed under that name."""
    passed = 0

    def checkpoint(passing: str) -> None:
        nonlocal passed
        passed += passing == name
        if passing == name and passed == nth:
            passed += 1
            act()

    return checkpoint


@pytest.mark.parametrize("path", ["a.txt", "keep/z", "new/far/file", "folder", "turns", "link"])
@pytest.mark.parametrize("when", ["temporaries-written", "removed", "set-aside", "created"])
def test_a_file_saved_at_the_last_moment(lab: Lab, path: str, when: str) -> None:
    """Whatever the user's program writes while we place, its bytes are there afterwards."""
    new = child_of(lab, CHANGE)

    def save() -> None:
        place = lab.path / path
        if place.is_dir():
            place /= "mine"
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = lab.path / "fresh"
        fresh.write_bytes(b"mine!\n")
        fresh.rename(place)

    writer = writer_for(lab, new, checkpoint=at(when, save))
    with suppress(SlipError):
        writer.place()
    writer.settle()
    kept = [p for p, (_, data) in lab.files().items() if data == b"mine!\n"]
    assert kept != []
    assert not (lab.git_dir / "index.lock").exists()


def test_a_write_through_an_open_descriptor_is_not_lost(lab: Lab) -> None:
    new = child_of(lab, CHANGE)
    with (lab.path / "a.txt").open("r+b", buffering=0) as file:
        checkpoint = at("set-aside", lambda: file.write(b"mine!\n"))
        with pytest.raises(SlipError, match=r"a\.txt"):
            writer_for(lab, new, checkpoint=checkpoint).place()
    assert lab.read("a.txt") == b"mine!\n"
    assert_tidy(lab)
    assert lab.git("diff", "--name-only") == "a.txt"


@pytest.mark.parametrize("nth", range(1, 12))
def test_a_late_surprise_takes_everything_back(lab: Lab, nth: int) -> None:
    new = child_of(lab, CHANGE)
    before = lab.snapshot()
    effects = 0

    def checkpoint(name: str) -> None:
        nonlocal effects
        effects += name in ("removed", "replaced", "created", "directory-cleared")
        if effects == nth:
            effects += 100
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(SlipError) as caught:
        writer_for(lab, new, checkpoint=checkpoint).place()
    assert caught.value.code == "git-failed"
    assert "No space left" in caught.value.message
    assert lab.snapshot() == before
    lab.git("update-index", "-q", "--refresh")
    assert lab.git("diff-files") == ""
    assert_tidy(lab)


def test_rolled_back_after_placing_all_is_as_before(lab: Lab) -> None:
    lab.write("staged.txt", "staged\n")
    lab.git("add", "staged.txt")
    before, index = lab.snapshot(), listing(lab)
    writer = writer_for(lab, child_of(lab, CHANGE))
    writer.place()
    assert writer.roll_back() == ()
    assert lab.snapshot() == before
    assert listing(lab) == index
    assert lab.git("diff-files") == ""
    assert_tidy(lab)


def test_roll_back_leaves_what_was_saved_since(lab: Lab) -> None:
    writer = writer_for(lab, child_of(lab, CHANGE))
    writer.place()
    lab.write("a.txt", "newer\n")
    lab.write("new/far/file", "newer\n")
    assert {t.path for t in writer.roll_back()} == {b"a.txt", b"new/far/file"}
    assert lab.read("a.txt") == lab.read("new/far/file") == b"newer\n"
    assert_tidy(lab)


@pytest.mark.parametrize("parent", ["keep", "new"])
def test_a_parent_swapped_for_a_symlink(lab: Lab, tmp_path: Path, parent: str) -> None:
    outside = tmp_path / "outside"
    (outside / "far").mkdir(parents=True)
    (outside / "z").write_bytes(b"z\n")
    new = child_of(lab, CHANGE)

    def swap() -> None:
        if (lab.path / parent).exists():
            (lab.path / parent).rename(lab.path / "moved")
        (lab.path / parent).symlink_to(outside)

    with pytest.raises(SlipError) as caught:
        writer_for(lab, new, checkpoint=at("temporaries-written", swap)).place()
    assert f"{parent} is not a directory" in whys(caught.value).values()
    assert sorted(str(p.relative_to(outside)) for p in outside.rglob("*")) == ["far", "z"]
    assert (outside / "z").read_bytes() == b"z\n"


def test_a_symlink_that_lands_as_a_directory_is_not_followed(lab: Lab, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    lab.commit({"d": Link(str(outside))})
    land(lab, child_of(lab, {"d": None, "d/inside": "x\n"}))
    assert list(outside.iterdir()) == []
    assert_clean(lab)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
@pytest.mark.parametrize("parent", ["keep", "folder"])
def test_a_directory_that_cannot_be_written(lab: Lab, parent: str) -> None:
    (lab.path / parent).chmod(0o555)
    try:
        error = refused(lab, child_of(lab, CHANGE))
    finally:
        (lab.path / parent).chmod(0o755)
    assert error.code == "git-failed"
    assert parent in error.message


def test_a_directory_that_cannot_be_written_by_any_user(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for root, who may write everywhere: access(2) is asked, and believed."""

    def denied(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", denied)
    error = refused(lab, child_of(lab, CHANGE))
    assert (error.code, "Permission denied" in error.message) == ("git-failed", True)


def test_without_hard_links(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    new = child_of(lab, CHANGE)
    before = lab.snapshot()
    writer = writer_for(lab, new)
    writer.place()
    assert writer.roll_back() == ()
    assert lab.snapshot() == before
    land(lab, new)
    assert_clean(lab)
    assert_tidy(lab)


# -- death and recovery ----------------------------------------------------------------------------


def in_child(act: Callable[[], object]) -> int:
    """Run in a forked process; its wait status."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(99)
    return os.waitpid(child, 0)[1]


def killed_after(act: Callable[[], None]) -> None:
    def run() -> None:
        act()
        os.kill(os.getpid(), signal.SIGKILL)

    assert os.WIFSIGNALED(in_child(run))


def dying_at(number: int) -> Callable[[str], None]:
    passed = 0

    def checkpoint(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return checkpoint


def prepared(lab: Lab, place: Path) -> Lab:
    """A copy with the user's own work in it."""
    shutil.copytree(lab.path, place, symlinks=True)
    copy = Lab(place)
    copy.git("update-index", "--refresh")
    copy.write("other.txt", "edited\n")
    copy.write("staged.txt", "staged\n")
    copy.git("add", "staged.txt")
    copy.write("loose.txt", "untracked\n")
    return copy


def whole(files: dict[str, tuple[int, bytes]], *versions: dict[str, tuple[int, bytes]]) -> bool:
    known = {(path, value) for version in versions for path, value in version.items()}
    return all((path, value) in known for path, value in files.items() if ".slip-tmp-" not in path)


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


class Death:
    """Placings of one change in copies of one repository, each killed at another point."""

    def __init__(self, lab: Lab, tmp_path: Path, way: str) -> None:
        self.lab, self.place, self.way = lab, tmp_path, way
        self.new = child_of(lab, CHANGE)
        self.placements = between(lab, "HEAD", self.new)
        self.options: dict[str, Any] = {
            "content": content_of(lab),
            "token": TOKEN,
            "barrier": NEVER,
        }
        for path, old, new in self.placements:
            for version in (old, new):
                if version:
                    self.options["content"](path, version)
        self.old = prepared(lab, tmp_path / "old")
        self.after = prepared(lab, tmp_path / "after")
        self.after.git("merge", "--quiet", "--ff-only", self.new)
        self.before, self.later = self.old.files(), self.after.files()

    def placed(self, copy: Lab, number: int) -> bool:
        """Place in a process that dies at the numbered checkpoint; whether there was one."""

        def run() -> None:
            tree, checkpoint = self.worktree(copy), dying_at(number)
            job = Job(tree, self.placements, checkpoint=checkpoint, **self.options)
            writer = Writer(git_of(copy), job)
            writer.place()
            writer.settle()

        return os.WIFSIGNALED(in_child(run))

    def recovered(self, copy: Lab, **options: Any) -> tuple[Trouble, ...]:  # noqa: ANN401
        recover = finish if self.way == "finish" else retreat
        options = self.options | options
        return recover(git_of(copy), Job(self.worktree(copy), self.placements, **options))

    def dies_recovering(self, copy: Lab, number: int) -> None:
        in_child(lambda: self.recovered(copy, checkpoint=dying_at(number)))

    @staticmethod
    def worktree(copy: Lab) -> Worktree:
        return Worktree(str(copy.path), str(copy.path / ".git"), "refs/heads/main", ZERO)

    def check_whole(self, copy: Lab, *, links: bool) -> None:
        files = copy.files()
        assert whole(files, self.before, self.later)
        if links:
            assert {p for p in self.before if p in self.later and p not in files} == set()

    def check_recovered(self, copy: Lab) -> None:
        expected = self.after if self.way == "finish" else self.old
        assert copy.files() == expected.files()
        assert listing(copy) == listing(expected)
        assert copy.git("diff-files", "--name-only") == "other.txt"
        assert_tidy(copy)
        assert list(leftovers(str(copy.path), self.placements, TOKEN)) == []


@pytest.mark.parametrize(
    ("links", "way"),
    [
        ("links", "finish"),
        ("links", "retreat"),
        pytest.param("no links", "finish", marks=pytest.mark.slow),
        pytest.param("no links", "retreat", marks=pytest.mark.slow),
    ],
)
def test_killed_anywhere_it_is_finished_or_taken_back(
    lab: Lab, tmp_path: Path, way: str, links: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is wholly old or new at once, and after recovery all are one of them."""
    if links == "no links":
        monkeypatch.setattr(os, "link", no_links)
    death = Death(lab, tmp_path, way)
    for number in itertools.count(1):
        copy = prepared(lab, tmp_path / f"at{number}")
        if not death.placed(copy, number):
            break
        if way == "finish":
            copy.git("update-ref", "HEAD", death.new)
        death.check_whole(copy, links=links == "links")
        if number % 3 == 0:
            death.dies_recovering(copy, number // 3)
        assert death.recovered(copy) == ()
        assert death.recovered(copy) == ()
        death.check_recovered(copy)
        shutil.rmtree(copy.path)
    assert number > 40


@pytest.mark.parametrize("way", ["finish", "retreat"])
def test_recovery_leaves_what_the_user_made_since(lab: Lab, way: str) -> None:
    new = child_of(lab, CHANGE)
    placements = between(lab, "HEAD", new)
    worktree = here(lab)
    killed_after(writer_for(lab, new).place)
    lab.write("a.txt", "mine\n")
    lab.write("folder", "mine\n")
    recover = finish if way == "finish" else retreat
    left = recover(git_of(lab), Job(worktree, placements, content_of(lab), TOKEN))
    assert {t.path for t in left} >= {b"a.txt", b"folder"}
    assert lab.read("a.txt") == lab.read("folder") == b"mine\n"
    assert_tidy(lab)


def test_retreat_gives_captured_edits_back(lab: Lab) -> None:
    blob = lab.git("hash-object", "-w", "--stdin", stdin=b"captured\n")
    lab.write("a.txt", "captured\n")

    def captured(_: bytes) -> Collection[Entry | None]:
        return (Entry(0o100644, blob),)

    new = child_of(lab, CHANGE)
    placements, worktree = between(lab, "HEAD", new), here(lab)
    killed_after(writer_for(lab, new, acceptable=captured).place)
    assert lab.read("a.txt") == b"one\ntwo\n"
    retreat(git_of(lab), Job(worktree, placements, content_of(lab), TOKEN, acceptable=captured))
    assert lab.read("a.txt") == b"captured\n"
    assert lab.git("diff", "--name-only") == "a.txt"


def test_bytes_written_into_the_old_file_survive_a_death(lab: Lab) -> None:
    """A program held the old file open; what it wrote after all was placed is kept, and told."""
    new = child_of(lab, CHANGE)
    placements, worktree = between(lab, "HEAD", new), here(lab)
    with (lab.path / "a.txt").open("r+b", buffering=0) as file:
        killed_after(writer_for(lab, new).place)
        file.write(b"mine!\n")
    (left,) = finish(git_of(lab), Job(worktree, placements, content_of(lab), TOKEN))
    assert left.path == b"a.txt"
    (kept,) = leftovers(str(lab.path), placements, TOKEN)
    assert lab.read(os.fsdecode(kept)) == b"mine!\n"


# -- intents ---------------------------------------------------------------------------------------


def an_intent() -> Intent:
    return Intent(
        TOKEN,
        4711,
        1_767_323_045,
        (Place("/r\udcff", "/r/.git"),),
        (
            Placement(b"\xff/a", None, Entry(0o100644, "1" * 40)),
            Placement(b"b", Entry(SYMLINK, "2" * 40), None),
        ),
        "refs/heads/main",
        None,
        "3" * 40,
        (SessionMove("refs/slip/sessions/s1", "4" * 40, None),),
    )


def test_an_intent_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert pending_intents(str(tmp_path)) == ()
    path = write_intent(str(tmp_path), an_intent())
    assert path == intent_path(str(tmp_path), TOKEN)
    assert pending_intents(str(tmp_path)) == (an_intent(),)
    drop_intent(path)
    drop_intent(path)
    assert pending_intents(str(tmp_path)) == ()


def test_half_an_intent_is_none(tmp_path: Path) -> None:
    path = Path(write_intent(str(tmp_path), an_intent()))
    path.rename(f"{path}.new")
    assert pending_intents(str(tmp_path)) == ()


def test_an_intent_from_the_future(tmp_path: Path) -> None:
    path = Path(write_intent(str(tmp_path), an_intent()))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(SlipError, match="newer"):
        pending_intents(str(tmp_path))
