"""Bad and odd input, row by row: refused in one line with nothing changed, or handled right.

Rows have the names of a corpus of such inputs that lies outside the repository; where it lies
beside the clone, a test holds that none of its rows is missing here. What a row sends is written
out below all the same, so the tests need nothing but themselves.

Most rows go through the command line's `run` inside this process, which is twenty times as fast
as a process each and the same code; a sample of every kind goes through a real process.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import zlib
from base64 import b64decode, b64encode, b85encode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slipstream_git.errors import ASKED_WRONGLY, REFUSED
from slipstream_git.faces import command
from slipstream_git.gitdb import gitstore
from tests.lab import SOURCE, Content, Ground, Lab, Link, Script, slip_command, slip_environment

CORPUS = SOURCE.parent / "shared" / "data" / "badinputs.json"
GROUPS = ("path", "ops", "patch")
SECONDS = 1.0  # of processor time, children's too: the clock of a busy machine proves nothing
OID = "0123456789012345678901234567890123456789"
NUMBERS = b"".join(b"line %d\n" % n for n in range(1, 201))

BASE: dict[str, Content] = {
    "README.md": "# Demo\n",
    "src/app.py": "def main():\n    return 1\n",
    "Docs/a": "a\n",
    "\u00e9.txt": "composed\n",
    "link": Link("README.md"),
    "passwd": Link("/etc/passwd"),
    "up": Link("../.."),
    "sub-internal/x": "x\n",
    "run.sh": Script(b"#!/bin/sh\nexit 0\n"),
    "bom.txt": b"\xef\xbb\xbfone\ntwo\n",
    "mixed.txt": b"one\r\ntwo\nthree\r\nfour\n",
    "cr.txt": b"one\rtwo\rthree\r",
    "latin1.txt": b"caf\xe9 one\nna\xefve two\n",
    "utf16.txt": "one two\n".encode("utf-16"),
    "empty.txt": b"",
    "newline.txt": b"\n",
    "no-end.txt": b"one\ntwo",
    "aaa.txt": b"aaa\n",
    "three.txt": b"x = 1\ny = 2\nx = 1\nz = 3\nx = 1\n",
    "tabs.txt": b"if a:\n\treturn b\n",
    "meta.txt": b"a .* b\n",
    "numbers.txt": NUMBERS,
    "twice.txt": b"begin\nsame\nend\n" * 2,
    "bytes.bin": bytes(range(256)),
    "alone/file": b"alone\n",
}


class Answer(NamedTuple):
    """One command run inside this process. ``seconds``: processor time, children's included."""

    status: int
    body: dict[str, Any]
    seconds: float

    @property
    def code(self) -> str:
        return "" if self.status == 0 else str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


class Standing(NamedTuple):
    """What a refusal must leave as it was, byte by byte: slip's own refs, too."""

    head: bytes
    refs: str
    index_file: bytes
    files: dict[str, tuple[int, bytes]]


def standing(lab: Lab) -> Standing:
    git_dir = lab.path / ".git"
    return Standing(
        (git_dir / "HEAD").read_bytes(),
        lab.git("for-each-ref", "--format=%(refname) %(objectname) %(symref)"),
        (git_dir / "index").read_bytes(),
        lab.files(),
    )


def ask(lab: Lab, *arguments: str, stdin: bytes = b"") -> Answer:
    """`slip --json` inside this process."""
    before, streams = _processor_seconds(), (sys.stdin, sys.stdout, sys.stderr)
    ours = [io.TextIOWrapper(io.BytesIO(data)) for data in (stdin, b"", b"")]
    try:
        sys.stdin, sys.stdout, sys.stderr = ours
        status = command.run(["--json", "-C", str(lab.path), *arguments])
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
    out, err = (stream.detach().getvalue() for stream in ours[1:])
    assert (out.count(b"\n"), err) == (1, b""), (out, err)
    body = json.loads(out)
    assert body["ok"] is (status == 0), body
    return Answer(status, body, _processor_seconds() - before)


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def hold_refusal(answer: Answer, code: str) -> None:
    """That it is a refusal with this code, said in one line."""
    assert answer.code == code, answer.body
    assert answer.status in (REFUSED, ASKED_WRONGLY)
    assert answer.message
    assert "\n" not in answer.message
    assert len(answer.message) < 2000
    assert answer.seconds < SECONDS


# The ground that the rows stand on ----------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Lab]:
    """One repository for every row that leaves it as it was; with a submodule at `sub`."""
    ground = Ground(tmp_path_factory.mktemp("shelf"), template)
    lab = ground.repository()
    lab.commit(BASE, "the base of every row")
    lab.git("update-index", "--add", "--cacheinfo", f"160000,{lab.oid('HEAD')},sub")
    lab.git("commit", "--quiet", "-m", "a submodule")
    (lab.path / "sub").mkdir()
    yield lab
    ground.check()


@pytest.fixture
def session(shelf: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """An open session on the shelf; after the test it is gone without a trace."""
    assert ask(shelf, "begin", "row").status == 0
    yield "row"
    for ref in shelf.refs("refs/slip/"):
        shelf.git("update-ref", "-d", ref)


def batch(*ops: Mapping[str, Any]) -> bytes:
    return json.dumps(ops).encode()


def b64(data: bytes) -> str:
    return b64encode(data).decode()


# Paths: each through every way that a path can come in --------------------------------------------

BAD_PATHS: dict[str, bytes] = {
    "path.GIT": b".GIT",
    "path.GIT_tilde1": b"GIT~1/config",
    "path.Git": b".Git",
    "path.Git_zwnj_end": ".GiT\u200c".encode(),
    "path.abs": b"/etc/passwd",
    "path.bslash_git": rb"a\.git\config",
    "path.bslash_trav": rb"..\x",
    "path.c1": "a\x9b31m".encode(),
    "path.colon": b"a:b",
    "path.con_txt": b"con.txt",
    "path.cr": b"a\r",
    "path.dot": b".",
    "path.dot_comp": b"a/./b",
    "path.dotdot": b"..",
    "path.drive": rb"C:\x",
    "path.drive2": b"c:x",
    "path.dslash": b"a//b",
    "path.empty": b"",
    "path.esc": b"a\x1b[2Jb",
    "path.file_url": b"file:///etc/passwd",
    "path.fullwidth_git": "\uff0e\uff47\uff49\uff54".encode(),
    "path.git": b".git",
    "path.git_ads": b".git::$INDEX_ALLOCATION/config",
    "path.git_ads2": b".git:stream",
    "path.git_bom": ".git\ufeff".encode(),
    "path.git_config": b".git/config",
    "path.git_dot": b".git.",
    "path.git_dotspace": b".git. .",
    "path.git_nested_comp": b"a/.git/config",
    "path.git_nested_upper": b"a/b/.GiT/HEAD",
    "path.git_sub": b".git/hooks/post-checkout",
    "path.git_tilde1": b"git~1",
    "path.git_zwnj": ".g\u200cit".encode(),
    "path.len5000": b"a" * 5000,
    "path.line_sep": "a\u2028b".encode(),
    "path.lre": "a\u2066b".encode(),
    "path.nul_git": b".git\0x",
    "path.overlong_slash": b"..\xc0\xafx",
    "path.path4097": b"/".join([b"x" * 100] * 41),
    "path.rlo": "a\u202etxt.exe".encode(),
    "path.surrogate": b"\xed\xa0\x80",
    "path.tab": b"a\tb",
    "path.trail_dot": b"a.",
    "path.trail_space": b"a ",
    "path.trav": b"../x",
    "path.trav_inside": b"a/../b",
    "path.trav_mid": b"a/../../x",
}
ODD_PATHS: dict[str, bytes] = {
    "path.dash": b"-rf",
    "path.dashdash": b"--upload-pack=x",
    "path.dollar": b"$HOME/`id`/$(id)",
    "path.dotless_i": ".g\u0131t".encode(),
    "path.glob": b"[a]*.py",
    "path.home": b"~/.ssh/config",
    "path.quote": b"a\"b'c",
    "path.space": b"a b c",
    "path.star": b'a*?<>|"',
    "path.unicode": "\u00fcn\u00efc\u00f8d\u00e9/\u6587\u4ef6".encode(),
}


def c_quoted(path: bytes) -> bytes:
    return b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'


def creation(path: bytes, content: bytes = b"x\n", mode: int = 0o100644) -> bytes:
    """A git diff that makes a file of one line, its name quoted."""
    name = c_quoted(b"b/" + path)
    return b"diff --git %s %s\nnew file mode %o\n--- /dev/null\n+++ %s\n@@ -0,0 +1 @@\n+%s" % (
        c_quoted(b"a/" + path),
        name,
        mode,
        name,
        content,
    )


def doors(path: bytes) -> dict[str, bytes]:
    """Every op that can make a file at ``path``."""
    name = b64(path)
    return {
        "write": batch({"op": "write", "path_b64": name, "content": "x\n"}),
        "move": batch({"op": "move", "path": "README.md", "to_b64": name}),
        "copy": batch({"op": "copy", "path": "README.md", "to_b64": name}),
        "symlink": batch({"op": "symlink", "path_b64": name, "target": "README.md"}),
        "patch": batch({"op": "patch", "diff_b64": b64(creation(path))}),
    }


@pytest.mark.parametrize("row", BAD_PATHS)
def test_a_bad_path_is_refused_at_every_door(shelf: Lab, session: str, row: str) -> None:
    before = standing(shelf)
    for door, text in doors(BAD_PATHS[row]).items():
        answer = ask(shelf, "apply", "-", "-s", session, stdin=text)
        expected = {"bad-path", "bad-patch"} if door == "patch" else {"bad-path"}
        assert answer.code in expected, (door, answer.body)
        hold_refusal(answer, answer.code)
        assert not set(answer.message) & set("\x1b\x9b\u202e\u2066\r\t\0"), door
    assert standing(shelf) == before


@pytest.mark.parametrize("row", ODD_PATHS)
def test_an_odd_path_is_taken_at_every_door(shelf: Lab, session: str, row: str) -> None:
    path = ODD_PATHS[row]
    at = os.fsdecode(path)
    for door, text in doors(path).items():
        assert ask(shelf, "apply", "-", "-s", session, stdin=text).status == 0, door
        tree = shelf.tree("refs/slip/sessions/row")
        assert tree[at] == {"write": b"x\n", "patch": b"x\n", "symlink": b"README.md"}.get(
            door, b"# Demo\n"
        )
        assert ask(shelf, "undo", "-s", session).status == 0, door
        assert at not in shelf.tree("refs/slip/sessions/row")


def test_odd_paths_land_where_they_say(repo: Lab) -> None:
    repo.slip("begin", "odd")
    text = batch(
        *({"op": "write", "path_b64": b64(p), "content": "x\n"} for p in ODD_PATHS.values())
    )
    repo.slip("apply", "-", stdin=text)
    repo.slip("commit", "-m", "odd names")
    for path in ODD_PATHS.values():
        assert repo.tree()[os.fsdecode(path)] == b"x\n"
        assert repo.read(os.fsdecode(path)) == b"x\n"
    assert repo.git("status", "--porcelain") == ""
    repo.slip("begin", "gone")
    repo.slip("rm", "--", *(os.fsdecode(path) for path in ODD_PATHS.values()))
    repo.slip("commit", "-m", "and away")
    assert set(repo.files()) == {"README.md", "src/app.py"}


def test_bad_and_odd_paths_as_arguments(repo: Lab) -> None:
    """The same through a real process, where a path is an argument (which cannot hold a NUL)."""
    repo.slip("begin", "w")
    before = repo.snapshot()
    for row in ("path.git_zwnj", "path.abs", "path.surrogate", "path.empty", "path.esc"):
        reply = repo.slip_json("write", "--", os.fsdecode(BAD_PATHS[row]), stdin=b"x\n", expect=1)
        assert reply.error["code"] == "bad-path", row
    for row in ("path.dash", "path.glob", "path.home"):
        repo.slip("write", "--", os.fsdecode(ODD_PATHS[row]), stdin=b"x\n")
        assert repo.tree("refs/slip/sessions/w")[os.fsdecode(ODD_PATHS[row])] == b"x\n"
    repo.slip("write", os.fsdecode(b"caf\xe9"), stdin=b"x\n")
    assert repo.tree("refs/slip/sessions/w")[os.fsdecode(b"caf\xe9")] == b"x\n"
    assert repo.snapshot() == before


# Batches ------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """What `slip apply` reads (``text``), and what comes of it.

    code: the refusal's, empty where the batch is handled. made: by path, what the session holds
    then (None: nothing); every other path is as it was. form: for `--format`.
    """

    text: bytes
    code: str = ""
    made: Mapping[str, bytes | None] = {}
    form: str = "auto"


def one(op: str, **fields: object) -> bytes:
    return batch({"op": op, **fields})


def replaced(path: str, old: str, new: str, **fields: object) -> bytes:
    return one("str_replace", path=path, old=old, new=new, **fields)


BARE_INSIDE = [f"vendor/{name}" for name in ("HEAD", "config", "objects/x", "refs/heads/x")]

PATH_BATCHES: dict[str, Row] = {
    "path.case_collision": Row(one("write", path="readme.md", content=""), "bad-path"),
    "path.case_dir_collision": Row(one("write", path="docs/b", content=""), "bad-path"),
    "path.case_rename": Row(
        one("move", path="README.md", to="readme.md"),
        made={"README.md": None, "readme.md": b"# Demo\n"},
    ),
    "path.df_nonadjacent": Row(
        batch(
            {"op": "write", "path": "sub-internal/y", "content": ""},
            {"op": "write", "path": "sub/x", "content": ""},
        ),
        "bad-path",
    ),
    "path.df_same_batch": Row(
        batch(
            {"op": "write", "path": "n", "content": ""},
            {"op": "write", "path": "n/b", "content": ""},
        ),
        "bad-path",
    ),
    "path.df_same_batch, the other way round": Row(
        batch(
            {"op": "write", "path": "n/b", "content": ""},
            {"op": "write", "path": "n", "content": ""},
        ),
        "bad-path",
    ),
    "path.embedded_bare": Row(
        batch(*({"op": "write", "path": path, "content": ""} for path in BARE_INSIDE)), "bad-path"
    ),
    "path.exec_config": Row(
        batch(*({"op": "write", "path": path, "content": "x"} for path in (
            ".envrc", ".vscode/tasks.json", "Makefile", ".github/workflows/ci.yml"))),
        made={".envrc": b"x", ".vscode/tasks.json": b"x", "Makefile": b"x",
              ".github/workflows/ci.yml": b"x"},
    ),
    "path.file_then_under": Row(one("write", path="README.md/b", content=""), "bad-path"),
    "path.gitmodules_cr": Row(
        one("write", path=".gitmodules", content='[submodule "x"]\n\tpath = "sub\r"\n\turl = u\n'),
        "bad-path",
    ),
    "path.gitmodules_cr, line ends": Row(
        one("write", path=".gitmodules", content='[submodule "x"]\r\n\tpath = sub\r\n'),
        made={".gitmodules": b'[submodule "x"]\r\n\tpath = sub\r\n'},
    ),
    "path.mode_tree": Row(one("chmod", path="src", mode="100755"), "bad-path"),
    "path.mode_tree, symlink": Row(one("chmod", path="link", mode="100755"), "unsupported"),
    "path.nfc_nfd": Row(one("write", path="e\u0301.txt", content=""), "bad-path"),
    "path.submodule_add": Row(
        one("write", path="m", content=OID, mode="160000"), "bad-op"
    ),
    "path.submodule_add, by a patch": Row(
        creation(b"m", b"Subproject commit " + OID.encode() + b"\n", 0o160000), "unsupported"
    ),
    "path.submodule_inside": Row(one("write", path="sub/x", content=""), "bad-path"),
    "path.submodule_replace": Row(one("write", path="sub", content=""), "unsupported"),
    "path.symlink_abs": Row(one("symlink", path="l", target="/etc/passwd"), "bad-path"),
    "path.symlink_huge": Row(one("symlink", path="l", target="x/" * 2500), "bad-path"),
    "path.symlink_huge, NUL": Row(one("symlink", path="l", target="a\0b"), "bad-path"),
    "path.symlink_huge, line end": Row(one("symlink", path="l", target="a\nb"), "bad-path"),
    "path.symlink_into_git": Row(one("symlink", path="l", target=".git/hooks"), "bad-path"),
    "path.symlink_loop": Row(one("symlink", path="l", target="l"), made={"l": b"l"}),
    "path.through_symlink": Row(one("write", path="up/x", content=""), "bad-path"),
}  # fmt: skip

OPS_BATCHES: dict[str, Row] = {
    "ops.bad_utf8_stdin": Row(b"\xff\xfe", "bad-json"),
    "ops.bad_utf8_stdin, inside": Row(b'[{"op": "write", "path": "a\xff"}]', "bad-json"),
    "ops.big_int": Row(
        b'[{"op": "read", "path": "README.md", "start": %s}]' % (b"1" * 5000), "bad-json"
    ),
    "ops.bom": Row(b"\xef\xbb\xbf" + one("write", path="a", content="x"), made={"a": b"x"}),
    "ops.bom_file": Row(
        batch(
            {"op": "str_replace", "path": "bom.txt", "old": "one", "new": "1"},
            {"op": "insert", "path": "bom.txt", "after_line": 0, "text": "zero"},
        ),
        made={"bom.txt": b"\xef\xbb\xbfzero\n1\ntwo\n"},
    ),
    "ops.content_null": Row(one("write", path="a", content=None), "bad-op"),
    "ops.cr_only": Row(
        replaced("cr.txt", "two", "2"), made={"cr.txt": b"one\r2\rthree\r"}
    ),
    "ops.deep_list": Row(b"[" * 100_000, "bad-json"),
    "ops.deep_list, of objects": Row(b'[{"op":' * 100_000, "bad-json"),
    "ops.delete_dir": Row(one("delete", path="src"), "bad-path"),
    "ops.delete_last": Row(one("delete", path="alone/file"), made={"alone/file": None}),
    "ops.delete_root": Row(one("delete", path=""), "bad-path"),
    "ops.delete_root, dot": Row(one("delete", path="."), "bad-path"),
    "ops.dup_ops_same_path": Row(
        batch(
            {"op": "write", "path": "a", "content": "1"},
            {"op": "write", "path": "a", "content": "2"},
        ),
        made={"a": b"2"},
    ),
    "ops.empty": Row(b"", "bad-json"),
    "ops.empty, blanks": Row(b" \n\t\n", "bad-json"),
    "ops.empty_file": Row(replaced("empty.txt", "a", "b"), "no-match"),
    "ops.empty_list": Row(b"[]"),
    "ops.extra_field": Row(
        b'[{"op": "delete", "path": "README.md", "recusrive": true}]', "bad-op"
    ),
    "ops.final_nl_only": Row(
        one("insert", path="newline.txt", after_line=1, text="x"), made={"newline.txt": b"\nx\n"}
    ),
    "ops.float_as_int": Row(b'[{"op": "read", "path": "README.md", "start": 1.0}]', "bad-op"),
    "ops.float_as_int, infinite": Row(
        b'[{"op": "read", "path": "README.md", "start": 1e999}]', "bad-op"
    ),
    "ops.float_as_int, not a number": Row(
        b'[{"op": "read", "path": "README.md", "start": NaN}]', "bad-json"
    ),
    "ops.float_as_int, true": Row(
        b'[{"op": "read", "path": "README.md", "start": true}]', "bad-op"
    ),
    "ops.huge_batch": Row(b'[{"op": "read", "path": "a"}' + b",0" * 100_000 + b"]", "too-large"),
    "ops.last_op_fails": Row(
        batch(
            *({"op": "write", "path": f"n{n}", "content": "x"} for n in range(99)),
            {"op": "delete", "path": "nowhere"},
        ),
        "missing",
    ),
    "ops.latin1_file": Row(
        replaced("latin1.txt", "two", "2"), made={"latin1.txt": b"caf\xe9 one\nna\xefve 2\n"}
    ),
    "ops.missing_file": Row(replaced("nowhere", "a", "b"), "missing"),
    "ops.missing_file, delete": Row(one("delete", path="nowhere"), "missing"),
    "ops.missing_file, move": Row(one("move", path="nowhere", to="x"), "missing"),
    "ops.missing_file, chmod": Row(one("chmod", path="nowhere", mode="100755"), "missing"),
    "ops.missing_file, read": Row(one("read", path="nowhere"), "missing"),
    "ops.mixed_eol": Row(
        replaced("mixed.txt", "two\n", "2\n"), made={"mixed.txt": b"one\r\n2\nthree\r\nfour\n"}
    ),
    "ops.move_exists": Row(one("move", path="README.md", to="run.sh"), "exists"),
    "ops.move_into_self": Row(one("move", path="src", to="src/e"), "bad-path"),
    "ops.move_self": Row(one("move", path="README.md", to="README.md"), "bad-op"),
    "ops.neg_line": Row(one("read", path="README.md", start=-1), "bad-op"),
    "ops.neg_line, backwards": Row(one("read", path="README.md", start=2, end=1), "bad-op"),
    "ops.neg_line, vast": Row(one("read", path="README.md", start=10**30), "bad-op"),
    "ops.neg_line, past the end": Row(one("read", path="README.md", start=3), "out-of-range"),
    "ops.no_final_nl": Row(
        replaced("no-end.txt", "one", "1"), made={"no-end.txt": b"1\ntwo"}
    ),
    "ops.nul_in_content": Row(one("write", path="a", content="a\0b"), made={"a": b"a\0b"}),
    "ops.null": Row(b"null", "bad-json"),
    "ops.null, as JSON": Row(b"null", "bad-op", form="json"),
    "ops.old_ambiguous": Row(replaced("three.txt", "x = 1", "x = 2"), "ambiguous"),
    "ops.old_empty": Row(replaced("README.md", "", "x"), "bad-op"),
    "ops.old_overlap": Row(replaced("aaa.txt", "aa", "b"), "ambiguous"),
    "ops.op_case": Row(one("Write", path="a", content=""), "bad-op"),
    "ops.op_missing": Row(b'[{"path": "a"}]', "bad-op"),
    "ops.op_unknown": Row(one("chown", path="a"), "bad-op"),
    "ops.path_int": Row(one("read", path=1), "bad-op"),
    "ops.path_list": Row(one("read", path=["a"]), "bad-op"),
    "ops.path_missing": Row(one("write", content="x"), "bad-op"),
    "ops.raw_control": Row(b'[{"op": "write", "path": "a", "content": "x\ny"}]', "bad-json"),
    "ops.read_after_write": Row(
        batch({"op": "write", "path": "a", "content": "new\n"}, {"op": "read", "path": "a"}),
        made={"a": b"new\n"},
    ),
    "ops.regex_meta": Row(replaced("meta.txt", ".*", "\\1"), made={"meta.txt": b"a \\1 b\n"}),
    "ops.scalar": Row(b"42", "bad-json"),
    "ops.scalar, as JSON": Row(b"42", "bad-op", form="json"),
    "ops.stale_if_match": Row(one("delete", path="README.md", oid=OID), "stale"),
    "ops.stale_if_match, edit": Row(replaced("README.md", "Demo", "x", oid=OID), "stale"),
    "ops.surrogate_pair": Row(
        b'[{"op": "write", "path": "a", "content": "\\ud83d\\ude00"}]',
        made={"a": "\U0001f600".encode()},
    ),
    "ops.symlink_target": Row(replaced("link", "README", "x"), "unsupported"),
    "ops.tabs_spaces": Row(replaced("tabs.txt", "    return b", "    return c"), "no-match"),
    "ops.trailing_garbage": Row(b'{"op": "read", "path": "README.md"} x', "bad-json"),
    "ops.two_docs": Row(b'{"op": "read", "path": "a"}{"op": "read", "path": "a"}', "bad-json"),
    "ops.utf16": Row(one("write", path="a", content="").decode().encode("utf-16"), "bad-json"),
    "ops.utf16, no mark": Row(
        one("write", path="a", content="").decode().encode("utf-16-le"), "bad-json"
    ),
    "ops.utf16_file": Row(replaced("utf16.txt", "one", "1"), "binary"),
    "ops.write_create_only": Row(
        one("write", path="README.md", content="", create="only"), "exists"
    ),
    "a surrogate in content": Row(
        b'[{"op": "write", "path": "a", "content": "\\ud800"}]', "bad-op"
    ),
    "a surrogate in a path": Row(b'[{"op": "write", "path": "\\udc80", "content": ""}]', "bad-op"),
    "a surrogate in a field's name": Row(b'[{"op": "read", "\\ud800": 1}]', "bad-op"),
    "a surrogate in an op's name": Row(b'[{"op": "\\ud800"}]', "bad-op"),
    "a surrogate in a key given twice": Row(b'[{"\\ud800": 1, "\\ud800": 2}]', "bad-json"),
    "an escape in a field's name": Row(b'[{"op": "read", "\\u001b[2J": 1}]', "bad-op"),
    "duplicate keys": Row(b'[{"op": "read", "op": "delete", "path": "a"}]', "bad-json"),
    "both spellings": Row(one("write", path="a", file="b", content=""), "bad-op"),
    "not base64": Row(one("write", path="a", content_b64="!"), "bad-op"),
    "base64 beyond ASCII": Row(one("write", path="a", content_b64="\u00e9"), "bad-op"),
    "an op that is a list": Row(b"[[]]", "bad-op"),
    "an op that is a string": Row(b'["delete README.md"]', "bad-op"),
    "an op that is an object": Row(b'[{"op": {"op": "read"}}]', "bad-op"),
    "ops that are no list": Row(b'{"ops": 1}', "bad-op"),
    "a mode that is a number": Row(one("chmod", path="README.md", mode=100644), "bad-op"),
    "create that is a list": Row(one("write", path="a", content="", create=[]), "bad-op"),
    "a count of nought": Row(replaced("README.md", "Demo", "x", count=0), "bad-op"),
    "a count of a list": Row(replaced("README.md", "Demo", "x", count=["all"]), "bad-op"),
    "a short oid": Row(one("delete", path="README.md", oid="01234567"), "bad-op"),
    "globs that are no list": Row(one("sub", globs="*", pattern="a", replacement="b"), "bad-op"),
    "an empty pattern": Row(one("sub", globs=[], pattern="", replacement="b"), "bad-op"),
    "old as new": Row(replaced("README.md", "Demo", "Demo"), "bad-op"),
    "a pattern that is none": Row(
        one("sub", globs=[], pattern="(", replacement="", regex=True), "bad-op"
    ),
    "a template that is none": Row(
        one("sub", globs=[], pattern="a", replacement="\\9", regex=True), "bad-op"
    ),
    "a template cut off": Row(
        one("sub", globs=[], pattern="a", replacement="\\", regex=True), "bad-op"
    ),
    "a pattern nested deeply": Row(
        one("sub", globs=[], pattern="(" * 5000 + ")" * 5000, replacement="", regex=True), "bad-op"
    ),
    "a glob that is none": Row(one("sub", globs=["["], pattern="zzz", replacement=""), "usage"),
    "insert nowhere": Row(one("insert", path="README.md", text="x"), "bad-op"),
    "insert far below": Row(
        one("insert", path="README.md", text="x", after_line=9), "out-of-range"
    ),
    "lines far below": Row(
        one("replace_lines", path="empty.txt", start=1, end=1, text="x",
            oid="e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        "out-of-range",
    ),
    "prose": Row(b"please delete README.md", "bad-json"),
    "a byte": Row(b"\0", "bad-json"),
    "JSON lines, one wrong": Row(
        b'{"op": "write", "path": "a", "content": "x"}\n{"op": "write", "path": }\n', "bad-json"
    ),
    "blocks without an end": Row(b"a.py\n<<<<<<< SEARCH\nx\n=======\n", "bad-patch"),
    "blocks without a path": Row(
        b"<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n", "bad-patch"
    ),
    "a patch text without an end": Row(
        b"*** Begin Patch\n*** Update File: README.md\n@@\n-# Demo\n", "bad-patch"
    ),
}  # fmt: skip


def git_diff(path: str, *lines: str, extra: str = "") -> bytes:
    head = f"diff --git a/{path} b/{path}\n{extra}--- a/{path}\n+++ b/{path}\n"
    return (head + "".join(f"{line}\n" for line in lines)).encode()


def binary_diff(path: str, kind: str, data: bytes, size: int | None = None) -> bytes:
    """A git binary patch whose forward hunk is ``data``, deflated, said to be of ``size`` bytes."""
    packed = zlib.compress(data, 9)
    head = (
        f"diff --git a/{path} b/{path}\nindex {OID}..{OID[::-1]} 100644\n"
        f"GIT binary patch\n{kind} {len(data) if size is None else size}\n"
    )
    return head.encode() + b"".join(_base85(packed)) + b"\n"


def _base85(packed: bytes) -> Iterator[bytes]:
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for at in range(0, len(packed), 52):
        piece = packed[at : at + 52]
        yield letters[len(piece) - 1 : len(piece)] + b85encode(piece, pad=True) + b"\n"


def created_binary(path: str, data: bytes, size: int | None = None) -> bytes:
    blank = "0" * 40
    made = binary_diff(path, "literal", data, size)
    return made.replace(
        f"index {OID}..{OID[::-1]} 100644\n".encode(),
        f"new file mode 100644\nindex {blank}..{OID}\n".encode(),
    )


APP = ("@@ -1,2 +1,2 @@", " def main():", "-    return 1", "+    return 2")
APP_2 = b"def main():\n    return 2\n"
README = ("@@ -1 +1 @@", "-# Demo", "+# Other")

PATCH_BATCHES: dict[str, Row] = {
    "patch.abs_header": Row(
        b"--- /dev/null\n+++ /tmp/x\n@@ -0,0 +1 @@\n+x\n", "bad-path"
    ),
    "patch.abs_header, git": Row(
        b"diff --git a//tmp/x b//tmp/x\nnew file mode 100644\n--- /dev/null\n+++ b//tmp/x\n"
        b"@@ -0,0 +1 @@\n+x\n",
        "bad-path",
    ),
    "patch.ambiguous_ctx": Row(
        git_diff("twice.txt", "@@ -50,3 +50,3 @@", " begin", "-same", "+other", " end"), "ambiguous"
    ),
    "patch.bad_hunk_header": Row(
        git_diff("README.md", "@@ -1,x +1 @@", "-# Demo", "+# Other"), "bad-patch"
    ),
    "patch.binary_bomb": Row(created_binary("bomb", bytes(64 << 20), 100), "too-large"),
    "patch.binary_bomb, declared": Row(created_binary("bomb", b"", 1 << 40), "too-large"),
    "patch.binary_delta": Row(
        binary_diff("bytes.bin", "delta", b"\x10\x10\x90\x10"), "no-match"
    ),
    "patch.binary_files_differ": Row(
        b"diff --git a/bytes.bin b/bytes.bin\nindex 0123456..1234567 100644\n"
        b"Binary files a/bytes.bin and b/bytes.bin differ\n",
        "bad-patch",
    ),
    "patch.binary_literal": Row(
        created_binary("new.bin", bytes(range(200))), made={"new.bin": bytes(range(200))}
    ),
    "patch.copy": Row(
        b"diff --git a/README.md b/COPY.md\nsimilarity index 100%\ncopy from README.md\n"
        b"copy to COPY.md\n",
        made={"COPY.md": b"# Demo\n"},
    ),
    "patch.count_long": Row(
        git_diff("README.md", "@@ -1 +1 @@", "-# Demo", "+# Other", "+more"), "bad-patch"
    ),
    "patch.count_short": Row(
        git_diff("README.md", "@@ -1,5 +1,5 @@", "-# Demo", "+# Other"), "bad-patch"
    ),
    "patch.create_exists": Row(creation(b"README.md"), "exists"),
    "patch.dev_null_both": Row(
        b"--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+x\n", "bad-patch"
    ),
    "patch.empty": Row(b"", "bad-patch", form="diff"),
    "patch.fuzz": Row(
        git_diff("src/app.py", "@@ -1,2 +1,2 @@", " def mine():", "-    return 1", "+    return 2"),
        "no-match",
    ),
    "patch.garbage": Row(b"please change the file\n", "bad-patch", form="diff"),
    "patch.git_header": Row(
        b"--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+x\n", "bad-path"
    ),
    "patch.header_mismatch": Row(
        git_diff("README.md", *README).replace(b"+++ b/README.md", b"+++ b/other"), "bad-patch"
    ),
    "patch.index_mismatch": Row(
        git_diff("src/app.py", *APP, extra="index 0123456..1234567 100644\n"),
        made={"src/app.py": APP_2},
    ),
    "patch.mail_patch": Row(
        b"From " + OID.encode() + b" Mon Sep 17 00:00:00 2001\nFrom: A <a@example.com>\n"
        b"Date: Fri, 2 Jan 2026 03:04:05 +0000\nSubject: [PATCH] return 2\n\nWhy.\n---\n"
        b" src/app.py | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n"
        + git_diff("src/app.py", *APP)
        + b"-- \n2.39.5\n\n",
        made={"src/app.py": APP_2},
    ),
    "patch.mode_bad": Row(
        b"diff --git a/README.md b/README.md\nold mode 100644\nnew mode 160000\n", "unsupported"
    ),
    "patch.mode_bad, a tree": Row(
        b"diff --git a/README.md b/README.md\nold mode 100644\nnew mode 040000\n", "bad-patch"
    ),
    "patch.mode_bad, 666": Row(
        b"diff --git a/README.md b/README.md\nold mode 100644\nnew mode 100666\n", "bad-patch"
    ),
    "patch.mode_only": Row(
        b"diff --git a/README.md b/README.md\nold mode 100644\nnew mode 100755\n",
        made={"README.md": b"# Demo\n"},
    ),
    "patch.neg": Row(
        git_diff("README.md", "@@ -1,-3 +1 @@", "-# Demo", "+# Other"), "bad-patch"
    ),
    "patch.no_nl_marker": Row(
        git_diff("no-end.txt", "@@ -1,2 +1,2 @@", " one", "-two", "\\ No newline at end of file",
                 "+2", "\\ No newline at end of file"),
        made={"no-end.txt": b"one\n2"},
    ),
    "patch.no_nl_missing": Row(
        git_diff("no-end.txt", "@@ -1,2 +1,2 @@", " one", "-two", "+2"), "no-match"
    ),
    "patch.offset": Row(
        git_diff("numbers.txt", "@@ -60,3 +60,3 @@", " line 99", "-line 100", "+line C",
                 " line 101"),
        made={"numbers.txt": NUMBERS.replace(b"line 100\n", b"line C\n")},
    ),
    "patch.overflow": Row(
        git_diff("README.md", "@@ -99999999999999999999 +1 @@", "-# Demo", "+# Other"), "bad-patch"
    ),
    "patch.quoted_bad": Row(
        b'--- /dev/null\n+++ "b/\\9"\n@@ -0,0 +1 @@\n+x\n', "bad-patch"
    ),
    "patch.quoted_nul": Row(
        b'--- /dev/null\n+++ "b/a\\000b"\n@@ -0,0 +1 @@\n+x\n', "bad-path"
    ),
    "patch.quoted_path": Row(
        b'--- /dev/null\n+++ "b/\\303\\251\\""\n@@ -0,0 +1 @@\n+x\n', made={'\u00e9"': b"x\n"}
    ),
    "patch.quoted_path, with a tab": Row(
        b'--- /dev/null\n+++ "b/\\303\\251\\t\\""\n@@ -0,0 +1 @@\n+x\n', "bad-path"
    ),
    "patch.space_path": Row(
        b"diff --git a/a b b/a b\nnew file mode 100644\n--- /dev/null\n+++ b/a b\t\n"
        b"@@ -0,0 +1 @@\n+x\n",
        made={"a b": b"x\n"},
    ),
    "patch.trav_header": Row(b"--- /dev/null\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n", "bad-path"),
    "patch.truncated": Row(git_diff("src/app.py", *APP[:3]), "bad-patch"),
    "patch.two_files_second_bad": Row(
        git_diff("src/app.py", *APP)
        + git_diff("README.md", "@@ -1 +1 @@", "-# Nothing", "+# Other"),
        "no-match",
    ),
    "patch.type_change": Row(
        b"diff --git a/README.md b/README.md\ndeleted file mode 100644\n--- a/README.md\n"
        b"+++ /dev/null\n@@ -1 +0,0 @@\n-# Demo\ndiff --git a/README.md b/README.md\n"
        b"new file mode 120000\n--- /dev/null\n+++ b/README.md\n@@ -0,0 +1 @@\n+src/app.py\n"
        b"\\ No newline at end of file\n",
        made={"README.md": b"src/app.py"},
    ),
    "patch.type_change, to outside": Row(
        b"diff --git a/README.md b/README.md\ndeleted file mode 100644\n--- a/README.md\n"
        b"+++ /dev/null\n@@ -1 +0,0 @@\n-# Demo\ndiff --git a/README.md b/README.md\n"
        b"new file mode 120000\n--- /dev/null\n+++ b/README.md\n@@ -0,0 +1 @@\n+/etc/passwd\n"
        b"\\ No newline at end of file\n",
        "bad-path",
    ),
    "a header that leaves, as a source": Row(
        b"--- a/../../../../etc/passwd\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "bad-path"
    ),
    "a rename that leaves": Row(
        b"diff --git a/README.md b/../x\nsimilarity index 100%\nrename from README.md\n"
        b"rename to ../x\n",
        "bad-path",
    ),
    "a count beyond all lines": Row(
        git_diff("README.md", "@@ -1,999999999 +1,999999999 @@", "-# Demo"), "bad-patch"
    ),
    "a name that does not end": Row(
        b'--- /dev/null\n+++ "b/a\n@@ -0,0 +1 @@\n+x\n', "bad-patch"
    ),
}  # fmt: skip

BATCHES = PATH_BATCHES | OPS_BATCHES | PATCH_BATCHES


@pytest.mark.parametrize("name", BATCHES)
def test_batches(shelf: Lab, session: str, name: str) -> None:
    row = BATCHES[name]
    before = standing(shelf)
    form = ("--format", row.form)
    answer = ask(shelf, "apply", "-", "-s", session, *form, stdin=row.text)
    if row.code:
        hold_refusal(answer, row.code)
        assert standing(shelf) == before
        return
    assert answer.status == 0, answer.body
    after = standing(shelf)
    assert after._replace(refs="") == before._replace(refs="")
    _hold_made(shelf, row.made)


def _hold_made(lab: Lab, made: Mapping[str, bytes | None]) -> None:
    expected: dict[str, bytes | None] = {**lab.tree("HEAD"), **made}
    assert lab.tree("refs/slip/sessions/row") == {
        path: data for path, data in expected.items() if data is not None
    }


PROCESS_SAMPLE = (
    "path.through_symlink", "path.case_rename", "ops.bad_utf8_stdin", "ops.big_int",
    "ops.deep_list", "ops.empty", "ops.extra_field", "ops.last_op_fails", "ops.surrogate_pair",
    "a surrogate in a field's name", "an escape in a field's name", "patch.trav_header",
    "patch.binary_bomb", "patch.mail_patch", "patch.count_short",
)  # fmt: skip


@pytest.mark.parametrize("name", PROCESS_SAMPLE)
def test_batches_by_the_command_line(shelf: Lab, session: str, name: str) -> None:
    """What people see: one line with the code, and on a terminal's stream no control byte."""
    row = BATCHES[name]
    before = standing(shelf)
    reply = shelf.slip("apply", "-", "-s", session, stdin=row.text, expect=None)
    if not row.code:
        assert reply.status == 0
        _hold_made(shelf, row.made)
        return
    assert reply.status in (REFUSED, ASKED_WRONGLY)
    first = reply.err.decode().split("\n")[0]
    assert first.startswith(f"slip: {row.code}: ")
    assert not reply.out
    assert not set(reply.err) & (set(range(32)) - set(b"\n\t"))
    assert standing(shelf) == before


def test_what_refusals_tell(shelf: Lab, session: str) -> None:
    def refusal(name: str) -> dict[str, Any]:
        # Somebody new, who is told in full what others have been told before.
        who = ("-s", session, "--agent", "newcomer")
        answer = ask(shelf, "apply", "-", *who, stdin=BATCHES[name].text)
        error = answer.body["error"]
        assert isinstance(error, dict)
        return error

    assert refusal("ops.last_op_fails")["data"]["ops"][0]["index"] == 99
    assert refusal("ops.old_ambiguous")["data"]["ops"][0]["lines"] == [1, 3, 5]
    assert "str_replace, sub, write" in refusal("ops.op_unknown")["message"]
    assert "100000" in refusal("ops.huge_batch")["message"]
    assert "write" in refusal("ops.op_case")["message"]


def test_what_handled_rows_tell(shelf: Lab, session: str) -> None:
    answer = ask(shelf, "apply", "-", "-s", session, stdin=BATCHES["ops.read_after_write"].text)
    assert answer.body["ops"][1]["text"] == "new\n"
    answer = ask(shelf, "apply", "-", "-s", session, stdin=BATCHES["patch.offset"].text)
    assert answer.body["ops"][0]["offset"] == 39
    answer = ask(shelf, "apply", "-", "-s", session, stdin=b"[]")
    assert answer.body["unchanged"] is True
    answer = ask(shelf, "apply", "-", "-s", session, stdin=BATCHES["patch.mode_only"].text)
    assert answer.body["changes"][0]["mode"] == "100755"
    assert shelf.entries("refs/slip/sessions/row")["README.md"][0] == "100755"


# Rows that need a ground of their own -------------------------------------------------------------


def test_reading_a_symlink_gives_its_target(shelf: Lab, session: str) -> None:
    """path.read_through_symlink."""
    answer = ask(shelf, "apply", "-", "-s", session, stdin=one("read", path="passwd"))
    assert answer.body["ops"][0]["text"] == "/etc/passwd"
    assert answer.body["ops"][0]["mode"] == "120000"
    answer = ask(shelf, "read", "passwd", "-s", session)
    assert answer.body["files"][0]["text"] == "/etc/passwd"


def test_capture_does_not_read_through_a_symlink(repo: Lab, tmp_path: Path) -> None:
    """path.read_worktree_symlink."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.py").write_text("secret\n")
    shutil.rmtree(repo.path / "src")
    (repo.path / "src").symlink_to(outside)
    repo.slip("begin", "w")
    for arguments in (["src/app.py"], ["--untracked"], []):
        repo.slip("capture", "-s", "w", *arguments, expect=None)
        held = repo.tree("refs/slip/sessions/w")
        assert b"secret\n" not in held.values()
    reply = repo.slip("apply", "-", stdin=one("read", path="src/app.py"), expect=None)
    assert b"secret" not in reply.out + reply.err
    assert (outside / "app.py").read_text() == "secret\n"


def test_a_directory_takes_the_place_of_a_symlink(ground: Ground, tmp_path: Path) -> None:
    """path.symlink_then_dir: nothing is written where the link led."""
    lab = ground.repository()
    outside = tmp_path / "outside"
    outside.mkdir()
    lab.commit({"a": Link(str(outside))})
    lab.slip("begin")
    lab.slip("apply", "-", stdin=batch(
        {"op": "delete", "path": "a"}, {"op": "write", "path": "a/f", "content": "x\n"}
    ))  # fmt: skip
    lab.slip("commit", "-m", "a directory now")
    assert list(outside.iterdir()) == []
    assert not (lab.path / "a").is_symlink()
    assert lab.read("a/f") == b"x\n"
    assert lab.git("status", "--porcelain") == ""


def refused_landing(lab: Lab, code: str) -> None:
    """`slip commit` is refused and nothing at all has changed."""
    before, held = lab.snapshot(), standing(lab)
    reply = lab.slip_json("commit", "-m", "no", expect=REFUSED)
    assert reply.error["code"] == code
    assert lab.snapshot() == before
    assert standing(lab)._replace(index_file=b"") == held._replace(index_file=b"")


def test_a_landing_does_not_delete_through_a_symlink(repo: Lab, tmp_path: Path) -> None:
    """path.wt_delete_through."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.py").write_bytes(repo.read("src/app.py"))
    repo.slip("begin")
    repo.slip("rm", "src/app.py")
    shutil.rmtree(repo.path / "src")
    (repo.path / "src").symlink_to(outside)
    refused_landing(repo, "dirty")
    assert (outside / "app.py").is_file()


def test_a_landing_leaves_edited_files(repo: Lab) -> None:
    """path.wt_dirty."""
    repo.slip("begin")
    repo.slip("write", "README.md", stdin=b"theirs\n")
    repo.write("README.md", "mine\n")
    refused_landing(repo, "dirty")


def test_a_landing_leaves_untracked_files(repo: Lab) -> None:
    """path.wt_untracked, ignored ones too."""
    repo.commit({".gitignore": "ignored\n"})
    for path in ("new.txt", "ignored"):
        repo.slip("begin", "w")
        repo.slip("write", path, stdin=b"theirs\n")
        repo.write(path, "mine\n")
        refused_landing(repo, "dirty")
        repo.slip("abort", "-s", "w")


def test_a_landing_does_not_write_into_a_hard_link(repo: Lab, tmp_path: Path) -> None:
    """path.wt_hardlink."""
    other = tmp_path / "other-name"
    os.link(repo.path / "README.md", other)
    repo.slip("begin")
    repo.slip("write", "README.md", stdin=b"new\n")
    repo.slip("commit", "-m", "new")
    assert repo.read("README.md") == b"new\n"
    assert other.read_bytes() == b"# Demo\n"


def test_a_landing_replaces_a_program_that_runs(repo: Lab) -> None:
    """path.wt_running_exec."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    repo.commit({"tool": Script(Path(sleep).read_bytes())})
    repo.slip("begin")
    repo.slip("write", "tool", stdin=b"#!/bin/sh\n")
    running = subprocess.Popen([repo.path / "tool", "60"])
    try:
        repo.slip("commit", "-m", "another tool")
        assert repo.read("tool") == b"#!/bin/sh\n"
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()


def test_a_file_saved_while_landing_is_left(repo: Lab, tmp_path: Path) -> None:
    """path.wt_race: saved after the preflight, at the last moment before files are placed."""
    repo.slip("begin")
    repo.slip("write", "README.md", stdin=b"theirs\n")
    script = tmp_path / "race.py"
    script.write_text(
        "import sys\n"
        "from slipstream_git.changes import bringing\n"
        "from slipstream_git.faces.command import run\n"
        "place = bringing.place\n"
        "def late(writers):\n"
        f"    open({str(repo.path / 'README.md')!r}, 'w').write('mine\\n')\n"
        "    place(writers)\n"
        "bringing.place = late\n"
        "sys.exit(run(['--json', 'commit', '-m', 'x']))\n"
    )
    head = repo.oid("HEAD")
    done = subprocess.run(
        [sys.executable, "-P", script], cwd=repo.path, env=slip_environment(), capture_output=True,
        check=False,
    )  # fmt: skip
    assert repo.read("README.md") == b"mine\n"
    assert done.returncode == REFUSED, done.stdout + done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "dirty"
    assert repo.oid("HEAD") == head


def test_a_directory_that_cannot_be_written(ground: Ground) -> None:
    """path.wt_readonly_dir: found out before the ref moves."""
    lab = ground.repository()
    lab.slip("begin")
    lab.slip("write", "src/app.py", stdin=b"new\n")
    head, before = lab.oid("HEAD"), lab.files()
    (lab.path / "src").chmod(0o555)
    try:
        if os.access(lab.path / "src", os.W_OK):
            pytest.skip("this user may write where the mode says nobody may")
        reply = lab.slip_json("commit", "-m", "x", expect=REFUSED)
        assert reply.error["code"] == "git-failed"
        assert lab.oid("HEAD") == head
        assert lab.files() == before
    finally:
        (lab.path / "src").chmod(0o755)
    lab.slip("commit", "-m", "x")


@pytest.mark.parametrize(
    ("attribute", "stands"),
    [
        ("filter=shout", b"NEW\n"),
        ("working-tree-encoding=UTF-16LE", "new\n".encode("utf-16-le")),
    ],
)
def test_a_file_that_stands_otherwise_than_it_is_stored(
    repo: Lab, attribute: str, stands: bytes
) -> None:
    """path.gitattributes_filter, path.gitattributes_wte: as git checks it out, or not at all."""
    repo.git("config", "filter.shout.smudge", "tr a-z A-Z")
    repo.git("config", "filter.shout.clean", "tr A-Z a-z")
    repo.commit({".gitattributes": f"*.txt {attribute}\n"})
    repo.slip("begin")
    repo.slip("write", "a.txt", stdin=b"new\n")
    before = repo.snapshot()
    reply = repo.slip_json("commit", "-m", "x", expect=None)
    if reply.status:
        assert reply.error["code"] == "unsupported"
        assert repo.snapshot() == before
    else:
        assert repo.read("a.txt") == stands
        assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("setting", ['[submodule "../../x"]\n', '[submodule "x"]\n\turl = -u./x\n'])
def test_false_submodules_are_content_like_any_other(repo: Lab, setting: str) -> None:
    """path.gitmodules_name, path.gitmodules_url: no submodule is ever initialised here."""
    repo.damaged = True  # to git fsck, which says of both what it thinks
    repo.slip("begin")
    repo.slip("write", ".gitmodules", stdin=setting.encode())
    repo.slip("commit", "-m", "modules")
    assert repo.read(".gitmodules") == setting.encode()
    assert set(repo.files()) == {".gitmodules", "README.md", "src/app.py"}


def test_deleting_all_that_there_is(repo: Lab) -> None:
    """ops.delete_last, for a whole repository."""
    repo.slip("begin")
    repo.slip("rm", "README.md", "src/app.py")
    repo.slip("commit", "-m", "nothing left")
    assert repo.tree() == {}
    assert repo.files() == {}
    assert not (repo.path / "src").exists()


# Big ones -----------------------------------------------------------------------------------------


def test_a_blob_too_large_to_edit(
    shelf: Lab, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ops.file_3gb, small: what is over the limit is never read into memory."""
    monkeypatch.setattr(gitstore, "LARGEST_OBJECT", 1000)
    before = standing(shelf)
    hold_refusal(
        ask(shelf, "apply", "-", "-s", session, stdin=replaced("numbers.txt", "line 1\n", "x")),
        "too-large",
    )
    assert standing(shelf) == before


def test_input_without_an_end(repo: Lab) -> None:
    """A batch or a content that never ends is refused once it is too large, memory bounded."""
    repo.slip("begin")
    before = repo.snapshot()
    for arguments in (["apply", "/dev/zero"], ["commit", "-F", "/dev/zero"]):
        reply = _bounded(repo, *arguments)
        assert reply["error"]["code"] == "too-large"
        assert "bytes" in reply["error"]["message"]
    assert repo.snapshot() == before


def _bounded(lab: Lab, *arguments: str) -> dict[str, Any]:
    """`slip --json` that may have four GiB of memory and no more."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    done = subprocess.run(
        slip_command("--json", *arguments),
        cwd=lab.path, env=slip_environment(), capture_output=True, check=False, timeout=60,
        preexec_fn=limit, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.slow
def test_contents_of_a_hundred_megabytes(repo: Lab) -> None:
    """ops.file_100mb, ops.long_string: written, edited, landed."""
    line = b"0123456789abcde\n"
    data = line * (100 << 16)
    repo.slip("begin")
    repo.slip("write", "big", stdin=data)
    repo.slip("apply", "-", stdin=one("write", path="long", content="y" * (50 << 20)))
    repo.slip("apply", "-", stdin=one("insert", path="big", after_line=1, text="here"))
    repo.slip("apply", "-", stdin=replaced("big", "here\n", "there\n"))
    repo.slip("commit", "-m", "big")
    assert repo.read("big") == line + b"there\n" + data[len(line) :]
    assert repo.read("long") == b"y" * (50 << 20)


@pytest.mark.slow
def test_a_blob_of_three_gigabytes(repo: Lab) -> None:
    """ops.file_3gb, as large as it says: written by git, refused by slip within its memory."""
    with (repo.path / "vast").open("wb") as stream:
        stream.truncate(3 << 30)
    repo.git("-c", "core.bigFileThreshold=1m", "-c", "core.compression=1", "add", "vast")
    repo.git("commit", "--quiet", "-m", "vast")
    repo.slip("begin")
    before = repo.refs()
    for words in (["mv", "vast", "far"], ["read", "vast"], ["write", "vast"]):
        with (repo.path / "vast").open("rb") as stream:
            done = subprocess.run(
                slip_command("--json", *words),
                cwd=repo.path, env=slip_environment(), capture_output=True, check=False,
                stdin=stream,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)),
            )  # fmt: skip
        assert json.loads(done.stdout)["error"]["code"] == "too-large", words
    assert repo.refs() == before


@pytest.mark.slow
def test_a_patch_of_fifty_megabytes(repo: Lab) -> None:
    """patch.huge: in linear time."""

    def seconds(count: int) -> float:
        path = f"n{count}"
        old = [b"line %d\n" % n for n in range(count * 4)]
        repo.commit({path: b"".join(old)})
        repo.slip("begin", path)
        hunks = (
            b"@@ -%d,2 +%d,2 @@\n %s-%s+%s" % (at + 1, at + 1, old[at], old[at + 1], b"new\n")
            for at in range(0, count * 4, 4)
        )
        diff = git_diff(path) + b"".join(hunks)
        start = time.monotonic()
        repo.slip("apply", "-", "-s", path, stdin=diff)
        took = time.monotonic() - start
        new = [b"new\n" if n % 4 == 1 else line for n, line in enumerate(old)]
        assert repo.tree(f"refs/slip/sessions/{path}")[path] == b"".join(new)
        return took

    small, large = seconds(50_000), seconds(400_000)
    assert large < 8 * small * 2.5


@pytest.mark.slow
def test_a_hundred_megabytes_of_attributes(repo: Lab) -> None:
    """path.gitattributes_huge: git itself would not read it, and its fsck refuses it."""
    repo.slip("begin")
    text = b"*.a text\n" * (101 * (1 << 20) // 9)
    reply = repo.slip_json("write", ".gitattributes", stdin=text, expect=1)
    assert reply.error["code"] == "too-large"


# The corpus ---------------------------------------------------------------------------------------

OWN_TESTS = frozenset(
    {
        "path.read_through_symlink", "path.read_worktree_symlink", "path.symlink_then_dir",
        "path.wt_delete_through", "path.wt_dirty", "path.wt_untracked", "path.wt_hardlink",
        "path.wt_running_exec", "path.wt_race", "path.wt_readonly_dir",
        "path.gitmodules_name", "path.gitmodules_url",
        "path.gitattributes_filter", "path.gitattributes_wte", "path.gitattributes_huge",
        "ops.file_100mb", "ops.file_3gb", "ops.long_string", "patch.huge",
    }
)  # fmt: skip


def corpus() -> list[dict[str, Any]]:
    if not CORPUS.is_file():
        pytest.skip("the corpus of bad inputs does not lie beside the repository")
    return [row for row in json.loads(CORPUS.read_text()) if row["group"] in GROUPS]


def _covered() -> Iterable[str]:
    return {*BAD_PATHS, *ODD_PATHS, *BATCHES, *OWN_TESTS}


def test_every_row_of_the_corpus_is_here() -> None:
    assert {row["id"] for row in corpus()} - set(_covered()) == set()


def test_paths_are_those_of_the_corpus() -> None:
    """The bytes and the verdict, so that no row is here in name only."""
    for row in corpus():
        if "path_b64" in row:
            side = BAD_PATHS if row["expected"] == "reject" else ODD_PATHS
            assert side[row["id"]] == b64decode(row["path_b64"]), row["id"]


def test_verdicts_are_those_of_the_corpus() -> None:
    """An empty list is decided the other way: it is a batch of nothing, and fine."""
    for row in corpus():
        ours = BATCHES.get(row["id"])
        if ours is not None and row["id"] != "ops.empty_list":
            assert bool(ours.code) is (row["expected"] == "reject"), row["id"]
