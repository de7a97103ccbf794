"""What a patch makes of a file. Real git writes the patches and is the oracle, unidiff a second."""

from __future__ import annotations

import io
import os
import subprocess
import time
import zlib
from base64 import b85encode
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unidiff.patch import PatchSet

from slipstream_git.errors import SlipError
from slipstream_git.text import patches
from slipstream_git.text.patches import FilePatch, Patched, Placed

REAL_GIT = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Repo(NamedTuple):
    """A repository of its own, sealed from the configuration of whoever runs the tests."""

    root: Path

    def git(self, *argv: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> bytes:
        seal = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.root)}
        who = {
            f"GIT_{who}_{what}": "t"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", **seal, **who}
        done = subprocess.run(
            ["git", *argv], cwd=self.root, env=env, input=stdin, capture_output=True, check=False
        )
        assert done.returncode in ok, done.stderr.decode()
        return done.stdout

    def commit_both(self, *states: dict[bytes, tuple[bytes, bytes]]) -> None:
        """Branches s0, s1, …, one a state: {path: (mode, content)}."""
        stream = b""
        for number, state in enumerate(states):
            stream += (
                b"commit refs/heads/s%d\ncommitter t <t> 0 +0000\ndata 1\nx\ndeleteall\n" % number
            )
            for path, (mode, data) in state.items():
                stream += b"M %s inline %s\ndata %d\n%s\n" % (mode, path, len(data), data)
        for number in range(len(states)):
            self.git("update-ref", "-d", f"refs/heads/s{number}")
        self.git("fast-import", "--quiet", "--force", stdin=stream)

    def diff(self, old: str = "s0", new: str = "s1") -> bytes:
        return self.git("diff", "--binary", "--full-index", "-M", "-C", old, new)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path)
    repo.git("init", "-q", ".")
    return repo


def one(diff: bytes) -> FilePatch:
    (patch,) = patches.parse(diff)
    return patch


def apply(diff: bytes, data: bytes) -> Patched:
    return patches.apply_file(one(diff), data)


def plain(body: bytes, name: bytes = b"x") -> bytes:
    return b"--- a/%b\n+++ b/%b\n%b" % (name, name, body)


def bad(diff: bytes, code: str = "bad-patch") -> SlipError:
    with pytest.raises(SlipError) as caught:
        patches.parse(diff)
    assert caught.value.code == code, caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("patch line ")
    return caught.value


def misfit(diff: bytes, data: bytes, code: str = "no-match") -> SlipError:
    with pytest.raises(SlipError) as caught:
        apply(diff, data)
    assert caught.value.code == code, caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("x: ")
    return caught.value


def numbered(*edits: tuple[int, bytes], count: int = 100) -> bytes:
    """Lines `1` to `count`, some of them replaced."""
    rows = {n: b"%d\n" % n for n in range(1, count + 1)} | dict(edits)
    return b"".join(rows.values())


# --- git's patches give git's bytes -----------------------------------------------------------

ROW = st.sampled_from(
    [
        b"",
        b"a",
        b"a",
        b"b",
        b"}",
        b"\t",
        b"\x0c",
        b"a\x0cb",
        b"\x85",
        b"\xe9t\xe9",
        b"\r",
        b"a\r",
        b"a\rb",
        b"-- ",
        b"++ x",
        b"@@ -1 +1 @@",
        b"diff --git a/x b/x",
        b"\\ No newline at end of file",
        b" a",
    ]
)


def joined(rows: list[bytes], crlf: bool, final: bool) -> bytes:  # noqa: FBT001
    newline = b"\r\n" if crlf else b"\n"
    return newline.join(rows) + (newline if final and rows else b"")


ROWS = st.lists(ROW, max_size=25) | st.builds(lambda row, n: [row] * n, ROW, st.integers(1, 40))
CONTENT = st.just(b"") | st.builds(joined, ROWS, st.booleans(), st.booleans())


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, bytes]:
    old = draw(CONTENT)
    rows = old.split(b"\n")
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(rows)))
        rows[start : start + draw(st.integers(0, 3))] = draw(st.lists(ROW, max_size=3))
    return old, b"\n".join(rows)


@REAL_GIT
@given(pair=edited() | st.tuples(CONTENT, CONTENT), context=st.sampled_from([0, 1, 3, 10]))
def test_text_diffs_apply_to_the_byte(repo: Repo, pair: tuple[bytes, bytes], context: int) -> None:
    for side, data in zip(("old", "new"), pair, strict=True):
        (repo.root / side).mkdir(exist_ok=True)
        (repo.root / side / "x").write_bytes(data)
    # --text, since git calls files with NUL binary; --no-prefix makes old/ and new/ the prefixes
    options = ("diff", "--no-index", "--no-prefix", "--text", f"-U{context}")
    diff = repo.git(*options, "old/x", "new/x", ok=(0, 1))
    assert bool(diff) == (pair[0] != pair[1])
    if diff:
        result = apply(diff, pair[0])
        assert result.data == pair[1]
        assert all(placed.offset == 0 for placed in result.placed)


BYTES = (
    CONTENT
    | st.binary(max_size=300)
    | st.builds(lambda b: b * 40, st.binary(min_size=1, max_size=50))
)
FILE = st.tuples(st.sampled_from([b"100644", b"100644", b"100755"]), BYTES) | st.tuples(
    st.just(b"120000"), st.sampled_from([b"a", b"dir/to", b"\xff \n"])
)
PATHS = st.sampled_from(
    [
        b"a",
        b"b",
        b"b/b",
        b"a b",
        b"a b/a b",
        b"b c b",
        b"\xc3\xa9",
        b"\xff",
        b'q"q',
        b"tab\tx",
        b"back\\s",
        b"-",
        b"dev/null",
        b"a/dev/null",
        b" lead",
        b"new\nline",
    ]
)


def spelled(path: bytes) -> bytes:
    """As fast-import wants it: always C-quoted."""
    return b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'


@st.composite
def two_trees(draw: st.DrawFn) -> tuple[dict[bytes, tuple[bytes, bytes]], ...]:
    old = draw(st.dictionaries(PATHS, FILE, max_size=4))
    new = old | draw(st.dictionaries(PATHS, FILE, max_size=3))
    for path in draw(st.sets(PATHS, max_size=3)) & new.keys():
        mode, data = new.pop(path)
        if draw(st.booleans()):  # a rename, perhaps with an edit
            new[draw(PATHS)] = (mode, data + draw(st.sampled_from([b"", b"", b"\nz"])))
    return tuple({path: tree[path] for path in _without_nesting(tree)} for tree in (old, new))


def _without_nesting(tree: dict[bytes, tuple[bytes, bytes]]) -> list[bytes]:
    return [path for path in tree if not any(p.startswith(path + b"/") for p in tree)]


@REAL_GIT
@given(trees=two_trees())
def test_whole_trees_apply(
    repo: Repo, trees: tuple[dict[bytes, tuple[bytes, bytes]], dict[bytes, tuple[bytes, bytes]]]
) -> None:
    old, new = trees
    repo.commit_both(*({spelled(path): file for path, file in tree.items()} for tree in trees))
    diff = repo.diff()
    made = dict(old)
    if diff:
        for patch in patches.parse(diff):
            _apply_to_tree(patch, old, made)
    assert made == new


def _apply_to_tree(
    patch: FilePatch, old: dict[bytes, tuple[bytes, bytes]], made: dict[bytes, tuple[bytes, bytes]]
) -> None:
    mode, data = old[patch.old_path] if patch.old_path is not None else (b"100644", b"")
    result = patches.apply_file(patch, data).data
    if (
        patch.change in {"delete", "rename"}
        and patch.old_path is not None
        and (made.get(patch.old_path) == old[patch.old_path])
    ):
        del made[patch.old_path]
    if patch.new_path is not None:
        made[patch.new_path] = (b"%o" % patch.new_mode if patch.new_mode else mode, result)


@REAL_GIT
@given(pair=edited())
def test_unidiff_reads_the_same_rows(repo: Repo, pair: tuple[bytes, bytes]) -> None:
    for side, data in zip(("old", "new"), pair, strict=True):
        (repo.root / side).mkdir(exist_ok=True)
        (repo.root / side / "x").write_bytes(data)
    diff = repo.git("diff", "--no-index", "--no-prefix", "--text", "old/x", "new/x", ok=(0, 1))
    if not diff:
        return
    theirs = PatchSet(io.StringIO(diff.decode("latin-1"), newline="\n"))[0]
    ours = one(diff).hunks
    assert [(h.source_start, h.source_length, h.target_start, h.target_length) for h in theirs] == [
        (h.old_start, h.old_count, h.new_start, h.new_count) for h in ours
    ]
    for their, our in zip(theirs, ours, strict=True):
        rows = [row for row in our.body.split(b"\n")[:-1] if not row.startswith(b"\\")]
        lines = [line for line in their if line.line_type != "\\"]
        assert [f"{line.line_type}{line.value}".encode("latin-1") for line in lines] == [
            row + b"\n" for row in rows
        ]


# --- what git prints: names, modes, mails, binaries -------------------------------------------


def test_renames_copies_modes_and_type_changes(repo: Repo) -> None:
    body = numbered()
    old = {
        b"keep": (b"100644", body),
        b"go": (b"100644", body + b"x\n"),
        b"mode": (b"100644", b"m\n"),
    }
    old |= {b"type": (b"100644", b"t\n"), b"link": (b"120000", b"here")}
    new = {
        b"keep": (b"100644", body + b"k\n"),
        b"copy": (b"100755", body),
        b"gone": (b"100644", body + b"x\n"),
    }
    new |= {
        b"mode": (b"100755", b"m\n"),
        b"type": (b"120000", b"keep"),
        b"link": (b"120000", b"there"),
    }
    repo.commit_both(old, new)
    found = [
        (p.change, p.old_path, p.new_path, p.old_mode, p.new_mode)
        for p in patches.parse(repo.diff())
    ]
    assert found == [
        ("copy", b"keep", b"copy", 0o100644, 0o100755),
        ("rename", b"go", b"gone", None, None),
        ("modify", b"keep", b"keep", 0o100644, 0o100644),
        ("modify", b"link", b"link", 0o120000, 0o120000),
        ("modify", b"mode", b"mode", 0o100644, 0o100755),
        ("delete", b"type", None, 0o100644, None),
        ("add", None, b"type", None, 0o120000),
    ]


def test_format_patch_mails_in_a_row(repo: Repo) -> None:
    repo.commit_both({b"x": (b"100644", b"a\n")})
    stream = (
        b"commit refs/heads/s0\ncommitter t <t> 0 +0000\ndata %d\n%s\nfrom refs/heads/s0^0\n"
        b"M 100644 inline %s\ndata %d\n%s\n"
    )
    for path, message, data in (
        (b"x", b"one\n\n- a list\n+ more\n@@ at\n", b"a\nb\n"),
        (b"y", b"two", b"\0\1\2" * 30),
        (b"z", b"three", b"-- \n"),
    ):
        repo.git(
            "fast-import", "--quiet", stdin=stream % (len(message), message, path, len(data), data)
        )
    mails = repo.git("format-patch", "--stdout", "--full-index", "--root", "s0")
    assert mails.count(b"\n-- \n") == 4
    found = patches.parse(mails)
    assert [patch.new_path for patch in found] == [b"x", b"x", b"y", b"z"]
    assert [
        patches.apply_file(patch, data).data
        for patch, data in zip(found[1:], (b"a\n", b"", b""), strict=True)
    ] == [
        b"a\nb\n",
        b"\0\1\2" * 30,
        b"-- \n",
    ]
    assert len(patches.parse(repo.git("log", "-p", "--stat", "--binary", "s0"))) == 4


def test_binary_literal_and_delta(repo: Repo) -> None:
    base = bytes(range(256)) * 400
    edit = base[:5000] + b"edit\0" + base[5000:]
    repo.commit_both({b"x": (b"100644", base)}, {b"x": (b"100644", edit), b"y": (b"100644", b"\0")})
    delta, literal = patches.parse(repo.diff())
    assert delta.binary is not None
    assert literal.binary is not None
    assert (delta.binary.kind, literal.binary.kind) == ("delta", "literal")
    assert patches.apply_file(delta, base) == Patched(edit, ())
    assert patches.apply_file(literal, b"").data == b"\0"


@pytest.mark.parametrize("other", [b"", b"\0" * (256 * 400), bytes(range(256)) * 401])
def test_a_delta_wants_its_own_pre_image(repo: Repo, other: bytes) -> None:
    base = bytes(range(256)) * 400
    repo.commit_both({b"x": (b"100644", base)}, {b"x": (b"100644", base + b"\0x")})
    misfit(repo.diff(), other)


def binary(kind: bytes, size: int, data: bytes) -> bytes:
    packed = zlib.compress(data)
    rows = b""
    for at in range(0, len(packed), 52):
        part = packed[at : at + 52]
        count = bytes([len(part) + (64 if len(part) <= 26 else 70)])
        rows += count + b85encode(part, pad=True) + b"\n"
    return b"diff --git a/x b/x\nGIT binary patch\n%s %d\n%s\n" % (kind, size, rows)


def test_a_binary_never_grows_past_what_it_declares() -> None:
    assert apply(binary(b"literal", 3, b"a\0b"), b"old").data == b"a\0b"
    bad(binary(b"literal", 10, b"\0" * 50_000_000), "too-large")
    bad(binary(b"literal", (1 << 30) + 1, b"\0"), "too-large")
    bad(binary(b"delta", 11, b"\1" + b"\xff\xff\xff\xff\xff\x07" + b"\x90\x01" * 2), "too-large")
    bad(binary(b"literal", 4, b"abc"))


@pytest.mark.parametrize(
    "delta",
    [
        b"\3\3\x03ab",  # an insert past the delta's end
        b"\3\3\x91\x01\x03",  # a copy past the base's end
        b"\3\3\x00",  # the reserved command
        b"\3\2\x03abc",  # more than it says
        b"\3\4\x03abc",  # less than it says
    ],
)
def test_a_broken_delta_is_refused(delta: bytes) -> None:
    with pytest.raises(SlipError) as caught:
        apply(binary(b"delta", len(delta), delta), b"old")
    assert caught.value.code == "bad-patch"


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"literal x\n",
        b"literal 3\n",
        b"literal 3\nzzz\n\n",
        b"literal 3\n!abcde\n\n",
        b"literal 3\nCabcde\n\n",
        b"literal 3\nJ\x7f\x7f\x7f\x7f\x7f\n\n",
        b"literal 1\n\n\n",
    ],
)
def test_a_malformed_binary_is_refused(tail: bytes) -> None:
    bad(b"diff --git a/x b/x\nGIT binary patch\n" + tail)


def test_binary_content_that_is_not_there_is_refused(repo: Repo) -> None:
    repo.commit_both({b"x": (b"100644", b"\0")}, {b"x": (b"100644", b"\0\1")})
    assert "--binary" in bad(repo.git("diff", "s0", "s1")).message
    bad(b"Binary files a/x and b/x differ\n")


# --- names ------------------------------------------------------------------------------------

CHANGE = b"@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b"a/x", b"b/x", b"x"),
        (b"x", b"x", b"x"),
        (b"src/x", b"src/x", b"src/x"),
        (b"a/x", b"a/x", b"a/x"),
        (b"old/src/x", b"new/src/x", b"src/x"),
        (b"i/x", b"w/x", b"x"),
        (b"x.orig", b"x", b"x"),
        (b"a/x", b"b/x~", b"x"),
        (b"a/x y\t", b"b/x y\t", b"x y"),
        (b"x\t2024-01-01 10:00:00.000000000 +0100", b"x\t2024-01-02 10:00:00 +0100", b"x"),
        (b'"a/\\303\\251\\t\\""', b'"b/\\303\\251\\t\\""', b'\xc3\xa9\t"'),
        (b"a/\xff", b"b/\xff", b"\xff"),
        (b"a/x\r", b"b/x\r", b"x"),
        # names for the path gate to refuse, as they stand
        (b"/etc/x", b"/etc/x", b"/etc/x"),
        (b"a/x", b"/etc/x", b"/etc/x"),
        (b"a/x", b"b//etc/x", b"/etc/x"),
        (b"a//etc/x", b"b//etc/x", b"/etc/x"),
        (b"a/../../x", b"b/../../x", b"../../x"),
        (b"a/x", b"b/../../x", b"../../x"),
        (b"a/x", b"b/.git/hooks/pre-commit", b".git/hooks/pre-commit"),
    ],
)
def test_names_of_plain_diffs(old: bytes, new: bytes, name: bytes) -> None:
    patch = one(b"--- %b\n+++ %b\n%b" % (old, new, CHANGE))
    assert (patch.old_path, patch.new_path, patch.change) == (name, name, "modify")


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (b"/dev/null", b"b/x", "add"),
        (b"/dev/null\t1970-01-01", b"x", "add"),
        (b"a/x\t1970-01-01 01:00:00.000000000 +0100", b"b/x\t2024-01-02 10:00:00 +0100", "add"),
        (b"a/x\t1969-12-31 19:00:00 -0500", b"b/x\t2024-01-02 10:00:00 +0100", "add"),
    ],
)
def test_additions_of_plain_diffs(old: bytes, new: bytes, change: str) -> None:
    patch = one(b"--- %b\n+++ %b\n@@ -0,0 +1 @@\n+a\n" % (old, new))
    assert (patch.change, patch.old_path, patch.new_path) == (change, None, b"x")
    assert patches.apply_file(patch, b"").data == b"a\n"


@pytest.mark.parametrize("side", [b"/dev/null", b"b/x\t1970-01-01 00:00:00 +0000"])
def test_deletions_of_plain_diffs(side: bytes) -> None:
    diff = b"--- a/x\n+++ %b\n@@ -1 +0,0 @@\n-a\n" % side
    patch = one(diff)
    assert (patch.change, patch.old_path, patch.new_path) == ("delete", b"x", None)
    assert patches.apply_file(patch, b"a\n").data == b""
    assert "left" in misfit(diff, b"a\nb\n").message


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"a/x b/x", b"x"),
        (b"a/a b b/a b", b"a b"),
        (b"a/a b/a b/a b/a", b"a b/a"),
        (b"src/x src/x", b"src/x"),
        (b"x x", b"x"),
        (b'"a/\\303\\251" "b/\\303\\251"', b"\xc3\xa9"),
        (b'a/x "b/x"', b"x"),
        (b'"a/x" b/x', b"x"),
    ],
)
def test_names_of_a_git_header_alone(header: bytes, name: bytes) -> None:
    patch = one(b"diff --git %b\nold mode 100644\nnew mode 100755\n" % header)
    assert (patch.old_path, patch.new_path) == (name, name)
    assert (patch.old_mode, patch.new_mode) == (0o100644, 0o100755)
    assert patches.apply_file(patch, b"kept\n") == Patched(b"kept\n", ())


@pytest.mark.parametrize(
    "diff",
    [
        b"diff --git a/x b/x\n--- a/x\n+++ b/y\n" + CHANGE,
        b"diff --git a/x b/x\n--- a/y\n+++ b/x\n" + CHANGE,
        b"diff --git a/x b/y\n--- a/x\n+++ b/y\n" + CHANGE,
        b"diff --git a/x  b/\n--- a/x\n+++ b/x\n" + CHANGE,
        b"--- a/x\n+++ b/y\n" + CHANGE,
        b"diff --git a/x b/y\nrename from x\nrename to z\n",
        b"diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/z\n" + CHANGE,
        b'diff --git a/x "b/y"\nrename from x\nrename to z\n',
        b"diff --git a/x b/y\nrename from x\n",
        b"diff --git a/x b/x\nold mode 100644\n",
        b"diff --git a/x b/x\nnew file mode 100644\ndeleted file mode 100644\n",
        b"diff --git a/x b/x\nnew file mode 100644\nnew file mode 100644\n",
        b"diff --git a/x b/x\nnew file mode 100644\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+a\n",
        b"diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n" + CHANGE,
        b"diff --git a/x b/x\nindex 1234567..89abcde 100644\n",
        b"diff --git a/x b/x\n",
        b"diff --git a/x b/x",
        b"diff --git a/x b/x\nold mode 100644\nnew mode 100755",
    ],
)
def test_headers_that_contradict_themselves(diff: bytes) -> None:
    bad(diff)


def test_prefixes_of_unequal_length(repo: Repo) -> None:
    repo.commit_both(
        {b"x y": (b"100644", b"a\n")}, {b"x y": (b"100644", b"b\n"), b"n": (b"100644", b"\n")}
    )
    diff = repo.git("diff", "--src-prefix=old/", "--dst-prefix=newer/", "s0", "s1")
    assert [patch.new_path for patch in patches.parse(diff)] == [b"n", b"x y"]


def test_an_escaping_name_comes_out_of_a_contradiction() -> None:
    patch = one(b"diff --git a/x b/x\n--- a/x\n+++ b/../../x\n" + CHANGE)
    assert patch.new_path == b"../../x"


def test_both_sides_dev_null() -> None:
    assert "/dev/null" in bad(b"--- /dev/null\n+++ /dev/null\n" + CHANGE).message
    assert (
        "/dev/null" in bad(b"diff --git a/x b/x\n--- /dev/null\n+++ /dev/null\n" + CHANGE).message
    )


def test_dev_null_in_a_hand_written_git_header_means_an_addition() -> None:
    patch = one(b"diff --git a/x b/x\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n")
    assert (patch.change, patch.new_path, patch.new_mode) == ("add", b"x", None)


@pytest.mark.parametrize(
    "name", [b'"b/\\9"', b'"b/\\400"', b'"b/\\x41"', b'"b/x', b'"b/\\"', b'"b/x"y', b"b/", b""]
)
def test_badly_quoted_and_empty_names(name: bytes) -> None:
    bad(b"--- a/x\n+++ %b\n%b" % (name, CHANGE))


@pytest.mark.parametrize("name", [b'"b/a\\000b"', b"b/a\0b"])
def test_a_nul_in_a_name(name: bytes) -> None:
    bad(b"--- %b\n+++ %b\n%b" % (name, name, CHANGE), "bad-path")
    bad(b"diff --git %b %b\nold mode 100644\nnew mode 100755\n" % (name, name), "bad-path")


@pytest.mark.parametrize("mode", [b"100664", b"100666", b"040000", b"120777", b"100644x", b"644"])
def test_modes_git_does_not_have(mode: bytes) -> None:
    bad(b"diff --git a/x b/x\nold mode 100644\nnew mode %b\n" % mode)
    bad(b"diff --git a/x b/x\nnew file mode %b\n" % mode)


@pytest.mark.parametrize(
    "lines",
    [
        (
            b"new file mode 160000\nindex 0000000..1234567\n--- /dev/null\n+++ b/x\n"
            b"@@ -0,0 +1 @@\n+Subproject commit 1\n"
        ),
        b"index 1234567..89abcde 160000\n--- a/x\n+++ b/x\n" + CHANGE,
        b"old mode 100644\nnew mode 160000\n",
    ],
)
def test_submodules_are_unsupported(lines: bytes) -> None:
    bad(b"diff --git a/x b/x\n" + lines, "unsupported")


def test_a_type_change_in_one_file_is_refused() -> None:
    bad(b"diff --git a/x b/x\nold mode 100644\nnew mode 120000\n")


# --- hunks: shape -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"@@ -1,x +1 @@\n-a\n+b\n", 3),
        (b"@@ -1,-3 +1 @@\n-a\n+b\n", 3),
        (b"@@ -99999999999999999999 +1 @@\n-a\n+b\n", 3),
        (b"@@ -2147483647 +1 @@\n-a\n+b\n", 3),
        (b"@@ -1,4294967297 +1 @@\n-a\n+b\n", 3),
        (b"@@ -0,1 +1 @@\n-a\n+b\n", 3),
        (b"@@ -1 +1\n-a\n+b\n", 3),
        (b"@@ def f():\n-a\n+b\n", 3),
        (b"@@@ -1 -1 +1 @@@\n--a\n++b\n", 3),
        (b"@@ -1,5 +1,5 @@\n-a\n+b\n", 6),
        (b"@@ -1,3 +1,3 @@\n-a\n+b\n@@ -9 +9 @@\n-a\n+b\n", 6),
        (b"@@ -1 +1 @@\n-a\n+b\n+c\n", 6),
        (b"@@ -1 +1 @@\n-a\n+b\n c\n", 6),
        (b"@@ -1 +1 @@\n-a\n+b\n\n-c\n", 7),
        (b"@@ -1 +1 @@\n-a\n-b\n", 5),
        (b"@@ -1,2 +1 @@\n a\n b\n", 5),
        (b"@@ -1 +1 @@\n-a\n+b", 5),
        (b"@@ -1 +1 @@\n-a\n", 5),
        (b"@@ -1 +1 @@\n", 4),
        (b"", 3),
        (b"@@ -1 +1 @@\n a\n", 5),
        (b"@@ -0,0 +0,0 @@\n", 4),
        (b"@@ -1 +1 @@\n\\ No newline at end of file\n-a\n+b\n", 4),
        (b"@@ -1,2 +1 @@\n-a\n\\ No newline at end of file\n-b\n+b\n", 5),
        (b"@@ -1,2 +1,2 @@\n a\n\\ No newline at end of file\n-b\n+b\n", 5),
        (b"@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n\\ No newline at end of file\n", 7),
        (b"@@ -1 +1 @@\n-a\n+b\n\\nonsense\n", 6),
    ],
)
def test_malformed_hunks_name_their_line(body: bytes, line: int) -> None:
    assert bad(plain(body)).data == {"line": line}


@pytest.mark.parametrize(
    ("diff", "line"),
    [
        (b"", 1),
        (b"\n \n", 1),
        (b"Dear all,\nplease apply.\n", 1),
        (b"prose\n@@ -1 +1 @@\n-a\n+b\n", 2),
        (b"prose\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", 2),
        (b"GIT binary patch\nliteral 0\n", 1),
        (b"diff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1 -1 +1 @@@\n--a\n++b\n", 1),
    ],
)
def test_texts_without_a_file(diff: bytes, line: int) -> None:
    assert bad(diff).data == {"line": line}


def test_every_cut_of_a_patch_is_refused() -> None:
    diff = plain(b"@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n")
    for size in range(len(diff)):
        with pytest.raises(SlipError, match="patch line"):
            patches.parse(diff[:size])


def test_an_empty_row_is_an_empty_context_line() -> None:
    assert apply(plain(b"@@ -1,3 +1,3 @@\n\n-b\n+c\n\n"), b"\nb\n\n").data == b"\nc\n\n"
    assert apply(plain(b"@@ -1,2 +1,2 @@\n\r\n-b\n+c\n"), b"\r\nb\n").data == b"\r\nc\n"


def test_prose_between_files_is_left_out() -> None:
    diff = (
        b"Only in a: z\n"
        + plain(CHANGE)
        + b"\nIndex: y\n=====\n"
        + plain(CHANGE, b"y")
        + b"-- \n2.39.5\n\n"
    )
    assert [patch.new_path for patch in patches.parse(diff)] == [b"x", b"y"]
    assert len(patches.parse(plain(CHANGE) + plain(CHANGE, b"y"))) == 2


def test_a_second_file_that_does_not_fit_leaves_the_first_a_value() -> None:
    first, second = patches.parse(plain(CHANGE) + plain(CHANGE, b"y"))
    assert patches.apply_file(first, b"a\n").data == b"b\n"
    with pytest.raises(SlipError, match="y: hunk 1"):
        patches.apply_file(second, b"z\n")


# --- hunks: places ----------------------------------------------------------------------------

MIDDLE = plain(b"@@ -49,3 +49,3 @@\n 49\n-50\n+fifty\n 51\n")


def test_a_hunk_at_its_line() -> None:
    result = apply(MIDDLE, numbered())
    assert result == Patched(numbered((50, b"fifty\n")), (Placed((49, 51), 0),))


def test_a_hunk_forty_lines_away_is_found_and_reported() -> None:
    above = b"".join(b"new %d\n" % n for n in range(40))
    result = apply(MIDDLE, above + numbered())
    assert result == Patched(above + numbered((50, b"fifty\n")), (Placed((89, 91), 40),))
    assert apply(MIDDLE, numbered()[8:]).placed == (Placed((45, 47), -4),)


def test_two_places_are_ambiguous_unless_one_is_the_stated_line() -> None:
    error = misfit(MIDDLE, b"top\n" + numbered() + numbered(), "ambiguous")
    assert error.data == {"hunk": 1, "lines": [50, 150]}
    assert apply(MIDDLE, numbered() + numbered()).placed[0].offset == 0


def test_once_a_hunk_has_moved_the_numbers_are_no_longer_believed() -> None:
    diff = plain(b"@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n@@ -5,3 +5,3 @@\n a\n-b\n+B\n c\n")
    block = b"a\nb\nc\n"
    error = misfit(diff, b"0\n1\n2\n3\n" + block + b"x\n" + block, "ambiguous")
    assert error.data == {"hunk": 2, "lines": [5, 9]}


def test_hunks_stand_in_their_order() -> None:
    diff = plain(b"@@ -5,3 +5,3 @@\n 5\n-6\n+six\n 7\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n")
    assert misfit(diff, numbered(count=9)).data["hunk"] == 2


def test_no_fuzz_and_no_blank_is_forgiven() -> None:
    error = misfit(MIDDLE, numbered((51, b"51 \n")))
    assert error.data == {
        "hunk": 1,
        "line": 51,
        "expected": "51\n",
        "found": "51 \n",
        "nearest": [{"start": 50, "end": 52, "text": "50\n51 \n52\n"}],
    }
    assert "'51 \\n'" in error.message


def test_the_nearest_lines_are_found_far_away() -> None:
    above = b"".join(b"new %d\n" % n for n in range(40))
    assert misfit(MIDDLE, above + numbered((50, b"L\n"))).data["line"] == 90


@pytest.mark.parametrize("data", [b"", b"a", b"a\r\n", b"A\n", b"a\nb"])
def test_a_carriage_return_and_a_missing_newline_are_part_of_the_line(data: bytes) -> None:
    diff = (
        plain(b"@@ -1 +1 @@\n-a\n+b\n")
        if data != b"a\nb"
        else plain(b"@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    )
    misfit(diff, data)


def test_marks_of_a_missing_newline_on_either_side() -> None:
    none = b"\\ No newline at end of file\n"
    assert apply(plain(b"@@ -1 +1 @@\n-a\n" + none + b"+b\n" + none), b"a").data == b"b"
    assert apply(plain(b"@@ -1 +1 @@\n-a\n" + none + b"+b\n"), b"a").data == b"b\n"
    assert apply(plain(b"@@ -1 +1 @@\n-a\n+b\n" + none), b"a\n").data == b"b"
    misfit(plain(b"@@ -1 +1 @@\n-a\n+b\n" + none), b"a\nmore\n")
    misfit(plain(b"@@ -1 +1 @@\n-a\n" + none + b"+b\n"), b"a\n")


def test_nothing_is_glued_to_a_line_without_newline() -> None:
    misfit(plain(b"@@ -1,0 +2 @@\n+b\n"), b"a")
    assert apply(plain(b"@@ -1,0 +2 @@\n+b\n"), b"a\n").data == b"a\nb\n"


def test_hunks_without_context_stand_by_their_number() -> None:
    assert apply(plain(b"@@ -0,0 +1 @@\n+top\n"), b"a\n").data == b"top\na\n"
    assert apply(plain(b"@@ -3 +3 @@\n-a\n+b\n"), b"a\n" * 4).data == b"a\na\nb\na\n"
    misfit(plain(b"@@ -3 +3 @@\n-x\n+b\n"), b"a\nx\na\na\n")
    misfit(plain(b"@@ -9,0 +10 @@\n+b\n"), b"a\n")


def test_ends_of_a_file_hold_a_hunk_as_in_git() -> None:
    top = plain(b"@@ -1,2 +1,3 @@\n+new\n a\n b\n")
    assert apply(top, b"a\nb\n").data == b"new\na\nb\n"
    misfit(top, b"0\na\nb\n")
    end = plain(b"@@ -1,2 +1,3 @@\n a\n b\n+new\n")
    assert apply(end, b"0\na\nb\n").placed == (Placed((2, 4), 1),)
    misfit(end, b"0\na\nb\nc\n")


def test_an_addition_over_a_file_is_refused() -> None:
    misfit(
        b"diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n",
        b"b\n",
        "exists",
    )


def test_the_index_line_is_only_a_hint() -> None:
    diff = b"diff --git a/x b/x\nindex 1234567..89abcde 100644\n--- a/x\n+++ b/x\n" + CHANGE
    assert one(diff).old_oid == b"1234567"
    assert apply(diff, b"a\n").data == b"b\n"


def test_a_great_patch_takes_linear_time() -> None:
    def seconds(count: int) -> float:
        old = numbered(count=3 * count)
        hunk = b"@@ -%d,3 +%d,3 @@\n %d\n-%d\n+x\n %d\n"
        starts = range(1, 3 * count, 3)
        diff = plain(b"".join(hunk % (n, n, n, n + 1, n + 2) for n in starts))
        start = time.process_time()
        assert len(apply(diff, old).placed) == count
        assert len(apply(diff, b"moved\n" + old).placed) == count
        return time.process_time() - start

    seconds(100)
    assert seconds(40_000) < 40 * max(seconds(4_000), 0.02)


def test_hunks_that_overlap_are_called_that() -> None:
    """`git diff -W` can print them; `git apply` refuses them too."""
    body = b"@@ -1,3 +1,3 @@\n-1\n+one\n 2\n 3\n@@ -3,2 +3,2 @@\n 3\n-4\n+four\n"
    fault = misfit(plain(body), b"1\n2\n3\n4\n")
    assert fault.message.endswith("its lines are partly those of the hunk before it")


# --- *** Begin Patch --------------------------------------------------------------------------


def v4a(body: bytes) -> bytes:
    return b"*** Begin Patch\n*** Update File: x\n%b*** End Patch\n" % body


def test_files_of_a_begin_patch_text() -> None:
    text = (
        b"*** Begin Patch\n*** Add File: new.py\n+a\n+\n+b\n\n*** Delete File: old.py\n"
        b"*** Update File: from.py\n*** Move to: to.py\n@@\n-a\n+b\n"
        b"*** Update File: moved\n*** Move to: m\n*** End Patch"
    )
    found = patches.parse(text)
    assert [(p.change, p.old_path, p.new_path) for p in found] == [
        ("add", None, b"new.py"),
        ("delete", b"old.py", None),
        ("rename", b"from.py", b"to.py"),
        ("rename", b"moved", b"m"),
    ]
    assert patches.apply_file(found[0], b"").data == b"a\n\nb\n"
    assert patches.apply_file(found[1], b"anything").data == b""
    assert patches.apply_file(found[2], b"a\n").data == b"b\n"
    assert patches.apply_file(found[3], b"kept").data == b"kept"


CLASSES = (
    b"class A:\n  def f(self):\n    pass\n  def g(self):\n    pass\n"
    b"class B:\n  def f(self):\n    pass\n"
)


def test_anchors_choose_among_equal_blocks() -> None:
    body = b"@@ class B:\n@@ def f(self):\n-    pass\n+    return 1\n"
    result = apply(v4a(body), CLASSES)
    assert result.data == CLASSES[: CLASSES.rindex(b"    pass")] + b"    return 1\n"
    assert result.placed == (Placed((8, 8), 0),)
    error = misfit(v4a(b"@@ class A:\n-    pass\n+    return 1\n"), CLASSES, "ambiguous")
    assert error.data["lines"] == [3, 5, 8]


def test_an_anchor_above_an_earlier_hunk_still_holds() -> None:
    first = b"@@ class A:\n   def f(self):\n-    pass\n+    1\n"
    body = first + b"@@ class A:\n   def g(self):\n-    pass\n+    2\n"
    assert apply(v4a(body), CLASSES).data.count(b"pass") == 1


def test_an_anchor_that_is_nowhere_is_no_match() -> None:
    error = misfit(v4a(b"@@ class C:\n-    pass\n+    1\n"), CLASSES)
    assert "class C:" in error.message


def test_hunks_of_a_begin_patch_text_follow_each_other() -> None:
    assert apply(v4a(b" a\n-b\n+c\n@@\n-b\n+d\n"), b"a\nb\nb\n").data == b"a\nc\nd\n"
    misfit(v4a(b"-2\n+two\n@@\n-1\n+one\n"), b"1\n2\n")


def test_end_of_file_pins_a_hunk() -> None:
    assert apply(v4a(b"-a\n+b\n*** End of File\n"), b"a\na\n").data == b"a\nb\n"
    misfit(v4a(b"-a\n+b\n*** End of File\n"), b"a\nz\n")
    assert apply(v4a(b"+b\n*** End of File\n"), b"a\n").data == b"a\nb\n"


def test_rows_that_stand_by_nothing_could_stand_anywhere() -> None:
    misfit(v4a(b"+b\n"), b"a\n", "ambiguous")
    assert apply(v4a(b"+b\n"), b"").data == b"b\n"


@pytest.mark.parametrize(
    ("body", "old", "new"),
    [
        (b" a\n-b\n+c\n", b"a\nb", b"a\nc"),
        (b" a\n b\n+c\n", b"a\nb", b"a\nb\nc"),
        (b"-a\n b\n", b"a\nb", b"b"),
        (b"-a\n+c\n b\n", b"a\nb", b"c\nb"),
        (b"-b\n", b"a\nb", b"a"),
        (b" a\n-b\n+c\n", b"a\nb\n", b"a\nc\n"),
        (b"-a\n", b"a", b""),
    ],
)
def test_a_file_keeps_its_own_final_newline_or_none(body: bytes, old: bytes, new: bytes) -> None:
    result = apply(v4a(body), old)
    assert result.data == new
    assert result.placed[0].matched == "exact"


@pytest.mark.parametrize(
    ("body", "old", "new", "matched"),
    [
        (b" a\n-b\n+c\n+d\n", b"a\r\nb\r\n", b"a\r\nc\r\nd\r\n", "eol"),
        (b"+c\n a\n-b\n", b"a\r\nb\r\nz\n", b"c\r\na\r\nz\n", "eol"),
        (b" a\n-b\n+c\n", b"a\r\nb", b"a\r\nc", "eol"),
        (b"-b\n+c\n+d\n", b"a\r\nb", b"a\r\nc\r\nd", "exact"),
        (b" a\r\n-b\r\n+c\r\n", b"a\r\nb\r\n", b"a\r\nc\r\n", "exact"),
        (b" a\r\n-b\r\n+c\r\n", b"a\nb\n", b"a\nc\n", "eol"),
        (b" a\n-b\n+c\n", b"a\nb\r\n", b"a\nc\r\n", "eol"),
        (b"-b\n+c\n", b"b\r\nb\n", b"b\r\nc\n", "exact"),
    ],
)
def test_line_endings_are_the_files(body: bytes, old: bytes, new: bytes, matched: str) -> None:
    result = apply(v4a(body), old)
    assert result.data == new
    assert result.placed[0].matched == matched


def test_a_text_that_came_with_crlf_throughout() -> None:
    text = v4a(b"@@ a\n-b\n+c\n").replace(b"\n", b"\r\n")
    assert apply(text, b"a\nb\n").data == b"a\nc\n"


def test_empty_rows_before_a_section_are_layout() -> None:
    text = (
        b"*** Begin Patch\n\n*** Update File: x\n\n@@\n a\n\n-b\n+c\n\n"
        b"*** Delete File: y\n\n*** End Patch\n"
    )
    assert patches.apply_file(patches.parse(text)[0], b"a\n\nb\n").data == b"a\n\nc\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"*** Begin Patch\n", 2),
        (b"*** Begin Patch\n*** End Patch\n", 2),
        (b"*** Begin Patch\n*** Update File: x\n@@\n-a\n+b\n", 6),
        (b"*** Begin Patch\nhello\n*** End Patch\n", 2),
        (b"*** Begin Patch\n*** Update File: x\n*** End Patch\n", 2),
        (b"*** Begin Patch\n*** Update File:\n@@\n-a\n*** End Patch\n", 2),
        (v4a(b"@@\n a\n"), 4),
        (v4a(b"@@ a\n"), 3),
        (v4a(b"@@\n-a\nb\n"), 5),
        (v4a(b"@@ -1,2 +1,2 @@\n-a\n+b\n"), 3),
        (v4a(b"*** Move to:\n-a\n"), 3),
        (v4a(b"*** End of File\n"), 2),
        (b"*** Begin Patch\n*** Add File: x\n+a\nb\n*** End Patch\n", 4),
        (b"*** Begin Patch\n*** Delete File: x\n-a\n*** End Patch\n", 3),
        (v4a(b"-a\n") * 2, 5),
    ],
)
def test_malformed_begin_patch_texts_name_their_line(text: bytes, line: int) -> None:
    assert bad(text).data == {"line": line}


def test_a_nul_in_a_begin_patch_name() -> None:
    bad(b"*** Begin Patch\n*** Delete File: a\0b\n*** End Patch\n", "bad-path")


@REAL_GIT
@given(
    rows=st.lists(st.sampled_from([b"a", b"b", b"", b"\x0c\xe9"]), max_size=8), crlf=st.booleans()
)
def test_a_begin_patch_text_of_a_whole_file(rows: list[bytes], crlf: bool) -> None:  # noqa: FBT001
    newline = b"\r\n" if crlf else b"\n"
    old = newline.join([b"top", *rows, b"end"])
    body = b"".join(b" %b\n" % row for row in [b"top", *rows]) + b"-end\n+END\n+more\n"
    for final in (b"", newline):
        assert (
            apply(v4a(body), old + final).data
            == newline.join([b"top", *rows, b"END", b"more"]) + final
        )


def test_anchors_and_endings_together() -> None:
    body = b"@@ class B:\n@@ def f(self):\n-    pass\n+    return 1\n"
    result = apply(v4a(body), CLASSES.replace(b"\n", b"\r\n"))
    assert result.data.endswith(b"  def f(self):\r\n    return 1\r\n")
    assert result.placed[0].matched == "eol"


def test_hostile_headers_take_linear_time() -> None:
    blanks = b"diff --git " + b"a/.. " * 2000 + b"\nold mode 100644\nnew mode 100755\n"
    start = time.process_time()
    assert len(patches.parse(blanks * 200)) == 200
    assert time.process_time() - start < 5
