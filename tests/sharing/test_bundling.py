"""`slip bundle` and `slip unbundle`: a session as one file, which nobody has to believe."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import Ground, Lab, Link, typed
from tests.sharing.hubs import Hub, push, staged

GATES = "refs/notes/slip/gates"
TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def bundled(lab: Lab, name: str = "s1", output: str = "../s1.bundle") -> Path:
    reply = lab.slip_json("bundle", "-s", name, "-o", output).json
    path = Path(reply["file"])
    assert path.stat().st_size == reply["size"]
    return path


@pytest.fixture
def pair(hub: Hub) -> tuple[Lab, Lab]:
    """A clone that has a session, and one that takes it."""
    one, two = hub.clone("one"), hub.clone("two")
    staged(one, "s1")
    one.slip("write", "README.md", "-s", "s1", stdin=b"# Mine\n")
    one.slip("undo", "-s", "s1")
    one.slip("redo", "-s", "s1")
    return one, two


def everything(lab: Lab) -> tuple[object, ...]:
    """All of a repository that may not change where a bundle is refused; objects, too."""
    counted = lab.git("count-objects", "-v")
    left = sorted(path.name for path in (lab.common_dir / "slip").glob("quarantine/*"))
    return lab.snapshot(), lab.refs(), counted, left


def refused(lab: Lab, path: Path, *options: str, code: str | None = None) -> str:
    """Refused in one line, and nothing has changed; what it said."""
    before = everything(lab)
    error = lab.slip_json("unbundle", str(path), *options, expect=None).error
    assert everything(lab) == before
    assert "\n" not in error["message"]
    assert error["code"] == code or code is None, error
    return str(error["message"])


# --- it comes as it was ---------------------------------------------------------------------------


def test_a_session_comes_as_it_was(pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    path = bundled(one)
    subprocess.run(["git", "bundle", "verify", "-q", str(path)], cwd=two.path, check=True)
    reply = two.slip_json("unbundle", str(path)).json
    assert (reply["session"], reply["steps"]) == ("s1", 4)
    tip = one.oid("refs/slip/sessions/s1")
    assert two.oid("refs/slip/sessions/s1") == reply["tip"] == tip
    assert two.slip("log", "-s", "s1").out == one.slip("log", "-s", "s1").out
    assert two.slip_json("unbundle", str(path)).json["already"]
    two.slip("commit", "-s", "s1")
    assert two.read("README.md") == b"# Mine\n"


def test_who_may_not_push_bundles_and_who_may_lands(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    path = bundled(one)
    hub.commit({"src/app.py": "def main():\n    return 2\n"}, "theirs")
    two.slip_json("unbundle", stdin=path.read_bytes())
    push(two, "s1")
    assert hub.subjects() == ["theirs", "Do s1"]
    assert hub.lab.tree()["src/app.py"].endswith(b"return 2\n")


def test_a_conflict_where_it_lands_is_one(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    path = bundled(one)
    hub.commit({"README.md": "# Theirs\n"}, "theirs")
    two.slip("unbundle", str(path))
    assert push(two, "s1", expect=3).error["data"]["files"][0]["path"] == "README.md"


def test_another_name_where_the_name_is_taken(pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    path = bundled(one)
    staged(two, "s1", "other\n")
    refused(two, path, code="session-exists")
    two.slip("unbundle", str(path), "theirs")
    assert two.oid("refs/slip/sessions/theirs") == one.oid("refs/slip/sessions/s1")
    two.slip("commit", "-s", "theirs")
    assert two.message() == "Do s1\n"


@pytest.mark.parametrize("kind", ["rebased", "captured", "adopted", "unborn", "reopened", "large"])
def test_every_kind_of_chain(hub: Hub, ground: Ground, kind: str) -> None:
    if kind == "unborn":
        one, two = ground.unborn("one"), ground.unborn("two")
        staged(one, "s1")
    else:
        one, two = hub.clone("one"), hub.clone("two")
        staged(one, "s1", "mine\n", "README.md")
    if kind == "rebased":
        one.slip("write", "other", "-s", "s1", stdin=b"1\n")
        one.commit({"README.md": "theirs\n"}, "theirs")
        one.git("push", "--quiet")
        one.slip("rebase", "-s", "s1")
        one.slip("resolve", "README.md", "--theirs", "-s", "s1")
        two.git("pull", "--quiet")
    elif kind == "captured":
        one.write("src/app.py", "edited\n")
        one.slip("capture", "-s", "s1")
    elif kind == "adopted":
        one.slip("abort", "-s", "s1")
        one.git("switch", "--quiet", "--create", "side")
        one.commit({"link": Link("README.md")}, "a link")
        one.slip("adopt", "side", "s1", "--onto", "main")
    elif kind == "reopened":
        one.slip("commit", "-s", "s1")
        one.git("push", "--quiet")
        two.git("pull", "--quiet")
        one.slip("reopen", "s1")
        one.slip("write", "more", "-s", "s1", stdin=b"1\n")
    elif kind == "large":
        one.slip("write", "large", "-s", "s1", stdin=bytes(range(256)) * 8192)
    path = bundled(one)
    two.slip("unbundle", str(path))
    for command in ("diff", "log"):
        assert two.slip(command, "-s", "s1").out == one.slip(command, "-s", "s1").out


def test_what_is_there_is_written_over_only_where_it_is_a_bundle(pair: tuple[Lab, Lab]) -> None:
    one, _ = pair
    path = bundled(one)
    one.slip("write", "more", "-s", "s1", stdin=b"1\n")
    assert bundled(one) == path
    error = one.slip_json("bundle", "-s", "s1", "-o", "README.md", expect=1).error
    assert error["code"] == "exists"
    assert one.read("README.md") == b"# Demo\n"
    error = one.slip_json("bundle", "-s", "s1", "-o", "no/such/x", expect=1).error
    assert error["code"] == "git-failed"


def test_what_gates_said_comes_where_it_is_asked_for(pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    tree = one.oid("refs/slip/sessions/s1^{tree}")
    line = json.dumps({"gate": "tests", "key": "k", "status": "green"})
    one.git("notes", "--ref=slip/gates", "add", "-m", line, tree)
    path = bundled(one)
    reply = two.slip_json("unbundle", str(path)).json
    assert (reply["verdicts"], reply["verdicts_taken"]) == (1, False)
    assert GATES not in two.refs()
    reply = two.slip_json("unbundle", str(path), "again", "--verdicts").json
    assert reply["verdicts_taken"]
    assert json.loads(two.git("notes", "--ref=slip/gates", "show", tree)) == json.loads(line)


def test_what_gates_said_comes_where_the_session_is_here_already(pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    tree = one.oid("refs/slip/sessions/s1^{tree}")
    line = json.dumps({"gate": "tests", "key": "k", "status": "green"})
    one.git("notes", "--ref=slip/gates", "add", "-m", line, tree)
    path = bundled(one)
    two.slip("unbundle", str(path))
    tip = two.oid("refs/slip/sessions/s1")
    for is_new in (True, False):
        reply = two.slip_json("unbundle", str(path), "--verdicts").json
        assert (reply["already"], reply["tip"]) == (True, tip)
        assert (reply["verdicts"], reply["verdicts_taken"]) == (int(is_new), is_new)
    assert json.loads(two.git("notes", "--ref=slip/gates", "show", tree)) == json.loads(line)


@pytest.mark.parametrize("kind", ["pipe", "link", "directory", "device"])
def test_what_is_no_regular_file_is_waited_for_by_nobody(
    pair: tuple[Lab, Lab], tmp_path: Path, kind: str
) -> None:
    one, two = pair
    path, pipe = tmp_path / "odd", tmp_path / "pipe"
    os.mkfifo(pipe)
    if kind == "directory":
        path.mkdir()
    else:
        path = {"pipe": pipe, "device": Path("/dev/zero")}.get(kind, path)
    if kind == "link":
        path.symlink_to(pipe)
    assert str(path) in refused(two, path, code="usage")
    before = one.refs()
    error = one.slip_json("bundle", "-s", "s1", "-o", str(path), expect=1).error
    assert error["code"] == "exists"
    assert one.refs() == before
    # Through standard input whatever it is can be read.
    good = bundled(one)
    with subprocess.Popen(["cat", str(good)], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        two.slip("unbundle", "-", stdin=cat.stdout.read())


# --- nothing is believed --------------------------------------------------------------------------


def test_the_base_has_to_be_here(hub: Hub) -> None:
    one, two = hub.clone("one"), hub.clone("two")
    base = one.commit({"new": "1\n"}, "new")
    staged(one, "s1")
    path = bundled(one)
    assert base in refused(two, path, code="missing")
    one.git("push", "--quiet")
    hint = two.slip_json("unbundle", str(path), expect=1).error["hint"]
    typed(hint, two.path)
    two.slip("unbundle", str(path))


def test_the_base_is_older_than_a_shallow_clone(hub: Hub, ground: Ground) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    path = bundled(one)
    hub.commit({"new": "1\n"}, "new")
    two = ground.at(ground.place / "two")
    hub.lab.git("clone", "-q", "--template=", "--depth=1", f"file://{hub.lab.path}", str(two.path))
    assert one.oid("main") in refused(two, path, code="missing")
    typed(two.slip_json("unbundle", str(path), expect=1).error["hint"], two.path)
    two.slip("unbundle", str(path))
    two.slip("commit", "-s", "s1")
    assert two.read("s1") == b"s1\n"


def cut_header(data: bytes) -> bytes:
    return data[:40]


def cut_pack(data: bytes) -> bytes:
    return data[:-30]


def flipped(data: bytes) -> bytes:
    return data[:-40] + bytes([data[-40] ^ 0xFF]) + data[-39:]


def renamed(ref: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(b"refs/slip/sessions/s1", ref, 1)


@pytest.mark.parametrize(
    "damage",
    [
        cut_header, cut_pack, flipped, lambda _: b"", lambda _: b"\0" * 4096, lambda d: d[3:],
        lambda d: d.replace(b"v2 git", b"v9 git", 1),
        lambda d: d.replace(b"# v2 git bundle\n", b"# v3 git bundle\n@filter=blob:none\n", 1),
        renamed(b"refs/heads/main"), renamed(b"refs/slip/sessions/../../heads/main"),
        renamed(b"refs/slip/sessions/a/b"), renamed(b"refs/slip/sessions/"),
        renamed(b"refs/notes/slip/gates"), renamed(b"HEAD"), renamed(b"refs/slip/sessions/\x1b[2J"),
        renamed(b"refs/slip/closed/s1/1"),
    ],
)  # fmt: skip
def test_what_is_broken_or_not_ours(
    pair: tuple[Lab, Lab], damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    one, two = pair
    path = tmp_path / "odd.bundle"
    path.write_bytes(damage(bundled(one).read_bytes()))
    refused(two, path)


def hand_made(lab: Lab, tree: str, path: Path, message: str | None = None) -> Path:
    """A bundle of a chain whose only step has this tree, or this message."""
    base = lab.oid("main")
    trailers = "Slip-Format: 1\nSlip-Session: s1\nSlip-Step: {}\nSlip-Op: {}\n"
    said = f"slip s1: begin\n\n{trailers.format(0, 'begin')}Slip-Onto: refs/heads/main\n"
    begin = lab.git("commit-tree", "main^{tree}", "-p", base, stdin=said.encode())
    said = message or f"slip s1: write\n\n{trailers.format(1, 'write')}Slip-Begin: BEGIN\n"
    said = said.replace("BEGIN", begin)
    tip = lab.git("commit-tree", tree, "-p", begin, stdin=said.encode())
    pack = lab.git_bytes(
        "pack-objects", "--revs", "--stdout", "-q", stdin=f"{tip}\n^{base}\n".encode()
    )
    head = f"# v2 git bundle\n-{base} base\n{tip} refs/slip/sessions/s1\n\n"
    path.write_bytes(head.encode() + pack)
    return path


def raw_tree(lab: Lab, *rows: tuple[str, bytes, str]) -> str:
    data = b"".join(
        mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in rows
    )
    arguments = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
    return lab.git(*arguments, stdin=data)


def test_one_that_is_hand_made_and_sound(pair: tuple[Lab, Lab], tmp_path: Path) -> None:
    one, two = pair
    tree = one.oid("refs/slip/sessions/s1^{tree}")
    two.slip("unbundle", str(hand_made(one, tree, tmp_path / "x")))
    assert two.slip_json("status", "-s", "s1").json["steps"] == 1


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("100644", b".git"), ("40000", b".git"), ("100644", b".GiT"), ("100644", b"git~1"),
        ("100644", b".g\xe2\x80\x8cit"), ("100644", b".."), ("100644", b"a/b"),
        ("160000", b"sub"), ("100777", b"mode"), ("120000", b".gitmodules"),
    ],
)  # fmt: skip
def test_a_tree_that_is_not_to_be(
    pair: tuple[Lab, Lab], tmp_path: Path, mode: str, name: bytes
) -> None:
    one, two = pair
    one.damaged = True
    blob = one.git("hash-object", "-w", "--stdin", stdin=b"x\n")
    if mode == "40000":
        blob = raw_tree(one, ("100644", b"config", blob))
    if mode == "160000":
        blob = one.oid("main")
    refused(two, hand_made(one, raw_tree(one, (mode, name, blob)), tmp_path / "x"))


def test_a_tree_with_two_of_a_name(pair: tuple[Lab, Lab], tmp_path: Path) -> None:
    one, two = pair
    one.damaged = True
    blob = one.git("hash-object", "-w", "--stdin", stdin=b"x\n")
    tree = raw_tree(one, ("100644", b"a", blob), ("100644", b"a", blob))
    refused(two, hand_made(one, tree, tmp_path / "x"))


@pytest.mark.parametrize(
    ("trailers", "journal"),
    [
        ("", ""),
        ("Slip-Format: 2\nSlip-Session: s1\nSlip-Step: 1\nSlip-Begin: BEGIN", ""),
        ("Slip-Format: 1\nSlip-Session: s1\nSlip-Step: 7\nSlip-Begin: BEGIN", ""),
        ("Slip-Format: 1\nSlip-Session: s1\nSlip-Step: 1", ""),
        (f"Slip-Format: 1\nSlip-Session: s1\nSlip-Step: 1\nSlip-Begin: {'0' * 40}", ""),
        ("Slip-Format: 1\nSlip-Session: s1\nSlip-Step: 1\nSlip-Begin: BEGIN", "{broken\n\n"),
        ("Slip-Format: 1\nSlip-Session: s1\nSlip-Step: 1\nSlip-Undoes: 9\nSlip-Begin: BEGIN", ""),
        ("Slip-Format: 1\nSlip-Session: s1\nSlip-Step: 1\nSlip-Begin: BEGIN\nSlip-Title: \x1b", ""),
    ],
)
def test_a_chain_that_is_none(
    pair: tuple[Lab, Lab], tmp_path: Path, trailers: str, journal: str
) -> None:
    one, two = pair
    message = f"x\n\n{journal}{trailers}\n"
    tree = one.oid("refs/slip/sessions/s1^{tree}")
    said = refused(two, hand_made(one, tree, tmp_path / "x", message), code="unsupported")
    assert said.startswith("s1 is refused: ")


def test_what_is_too_large(pair: tuple[Lab, Lab], tmp_path: Path) -> None:
    """What unpacks to far more than it is."""
    one, two = pair
    with (tmp_path / "zeros").open("wb") as stream:
        stream.truncate(600 << 20)
    blob = one.git("hash-object", "-w", str(tmp_path / "zeros"))
    tree = raw_tree(one, ("100644", b"zeros", blob))
    path = hand_made(one, tree, tmp_path / "x")
    assert path.stat().st_size < 2 << 20
    refused(two, path, code="too-large")


def test_ids_are_what_they_are_of(pair: tuple[Lab, Lab]) -> None:
    """What came is what git would have made of it."""
    one, two = pair
    two.slip("unbundle", str(bundled(one)))
    listed = two.git("rev-list", "--objects", "--no-object-names", "refs/slip/sessions/s1").split()
    for oid in listed:
        kind = two.git("cat-file", "-t", oid)
        data = two.git_bytes("cat-file", kind, oid)
        head = f"{kind} {len(data)}\0".encode()
        assert hashlib.sha1(head + data, usedforsecurity=False).hexdigest() == oid


def test_where_to_is_asked_for(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    before = one.refs()
    for words in (("bundle", "-s", "s1"), ("bundle", "--session=s1")):
        assert "-o" in one.slip_json(*words, expect=2).error["message"]
        assert b"-o" in one.slip(*words, expect=2).err
    assert one.refs() == before
