from __future__ import annotations

import base64
import json
import os
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipstream_git.errors import SlipError
from slipstream_git.text import paths

BAD_INPUTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "badinputs.json"
EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def refused(path: bytes) -> bool:
    return refusal(path) is not None


def refusal(path: bytes) -> SlipError | None:
    try:
        assert paths.check(path) is path
    except SlipError as error:
        return error
    return None


def bad_input_rows() -> list[dict[str, str]]:
    if not BAD_INPUTS.exists():
        return []
    rows: list[dict[str, str]] = json.loads(BAD_INPUTS.read_text(encoding="utf-8"))
    return [row for row in rows if row["group"] == "path" and "path_b64" in row]


@pytest.mark.skipif(not BAD_INPUTS.exists(), reason="the corpus of bad inputs is not here")
def test_corpus_of_bad_inputs() -> None:
    wrong = [
        row["id"]
        for row in bad_input_rows()
        if refused(base64.b64decode(row["path_b64"])) != (row["expected"] == "reject")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path",
    [
        b"a", b"a/b", b".gitmodules", b".gitattributes", b".gitignore", b".mailmap", b"caf\xe9",
        "café/文件".encode(), b".github/x", b"git", b"git~2", b"..a", b"...a", b".a", b"console",
        b"com", b"auxiliary.c", b"x.con", b"nul-1", b" a", b"~", b"a" * 255, b"x.git", b".gitx",
        b"\xc0 propos", "a\u200db".encode(), b"'", b"C",
    ],
)  # fmt: skip
def test_fit_to_be_created(path: bytes) -> None:
    assert paths.check(path) == path
    assert paths.check_existing(path) == path


@pytest.mark.parametrize(
    "path",
    [
        b"aux.c", b"a/CON", b"Com1.txt", b"lpt9", b"nul .txt", "com\u00b9".encode(), b"conin$",
        b"a:b", b"a ", b"a.", b"a./b", b"a\\b", b"a\nb", b"a\x7f", "a\u202e".encode(),
        "a\u2028".encode(), "a\u009b".encode(), b"a" * 256, b"a/" * 2048 + b"a",
        b"\xc0\xaf", b"\xed\xa0\x80", b"\xe0\x80\xaf",
    ],
)  # fmt: skip
def test_stays_editable_where_it_is_but_is_not_created(path: bytes) -> None:
    assert paths.check_existing(path) == path
    assert refused(path)


@pytest.mark.parametrize(
    "path",
    [
        b"", b"\0", b"a\0b", b"/", b"/a", b"a/", b"a//b", b".", b"..", b"a/./b", b"a/../b",
        b".git", b".GIT/x", b"a/.gIt", b"git~1", b"GIT~1 . .", b".git . ", b".git:x",
        b".git::$INDEX_ALLOCATION", "a/.g\u200cit/b".encode(), "\ufeff.git".encode(),
        "．ｇｉｔ".encode(), b"a\\.git\\b", b".git\\x", b".git\xff", ".g\u00adit".encode(),
    ],
)  # fmt: skip
def test_never_safe(path: bytes) -> None:
    with pytest.raises(SlipError) as caught:
        paths.check_existing(path)
    assert caught.value.code == "bad-path"
    assert refused(path)


def test_a_refusal_is_one_line_that_names_the_path_escaped_and_short() -> None:
    error = refusal(b"a\x1b[2J\n")
    assert error is not None
    assert error.message == r'path "a\033[2J\n": it holds a control character'
    error = refusal(b"x" * 5000)
    assert error is not None
    assert len(error.message) < 300


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda s: s.encode("utf-8", "replace")))
def test_any_bytes_are_judged_and_what_may_be_created_may_exist(path: bytes) -> None:
    if not refused(path):
        assert paths.check_existing(path) == path


# --- git as the oracle ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("oracle")
    git(root, "init", "-q")
    return root


def git(root: Path, *arguments: str | bytes) -> int:
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "core.protectNTFS=true", "-c", "core.protectHFS=true", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    return done.returncode


def git_refuses(root: Path, path: bytes, mode: bytes = b"100644") -> bool:
    entry = b"%s,%s,%s" % (mode, EMPTY_BLOB.encode(), path)
    return git(root, "update-index", "--add", "--replace", "--cacheinfo", entry) != 0


SPELLINGS = st.lists(
    st.sampled_from(
        [".git", ".GIT", "git~1", ".g", "it", "G", "i", "t", "~1", " ", ".", ":", "x", "/", "a",
         "\\", "\u200c", "\u200f", "\u202a", "\u206f", "\ufeff", "\u0131", "é", "\ufffe", ":$i"]
    ).map(str.encode)
    | st.sampled_from([b"\xff", b"\xe9", b"\xed\xa0\x80", b"\xc0\xae", b"\xf4\x90\x80\x80"]),
    min_size=1,
    max_size=6,
).map(b"".join)  # fmt: skip


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=SPELLINGS)
def test_whatever_git_refuses_is_refused(repository: Path, path: bytes) -> None:
    if git_refuses(repository, path):
        with pytest.raises(SlipError):
            paths.check_existing(path)


@pytest.mark.parametrize(
    "path",
    [b".gitmodules", b".GITMODULES", b"gitmod~1", b"GI7EBA~1", b".gitmodules .", b".gitmodules:x",
     ".gitmod\u200cules".encode(), b"gi7eba~9", b"gitmod~4", b"gi7eb~10"],
)  # fmt: skip
def test_a_symlink_that_git_takes_for_gitmodules(repository: Path, path: bytes) -> None:
    assert git_refuses(repository, path, b"120000")
    with pytest.raises(SlipError):
        paths.check_symlink_target(path, b"x")


# --- symlinks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"a", b"a"), (b"a", b"b"), (b"d/a", b"../b"), (b"d/a", b".."), (b"a", b"."),
        (b"a", b"d/../b"), (b"d/e/a", b"../../b/"), (b"a", b"caf\xe9"), (b"a", b".github"),
        (b"a", b"x" * 4095), (b"a", b"b//c"),
    ],
)  # fmt: skip
def test_targets_inside(path: bytes, target: bytes) -> None:
    assert paths.check_symlink_target(path, target) == target


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"a", b""), (b"a", b"b\0"), (b"a", b"b\n"), (b"a", b"x" * 4096), (b"a", b"/etc/passwd"),
        (b"a", b".."), (b"d/a", b"../../b"), (b"d/a", b"x/../../../b"), (b"a", b".git/hooks"),
        (b"d/a", b"../.GIT"), (b"a", b"sub/git~1/x"), (b"a", "b/.g\u200cit".encode()),
        (b"a", b"..\\x"), (b"a", b"C:\\x"), (b"a", b"\\\\host\\x"), (b"a", b"b/../../x/.."),
    ],
)  # fmt: skip
def test_targets_refused(path: bytes, target: bytes) -> None:
    with pytest.raises(SlipError) as caught:
        paths.check_symlink_target(path, target)
    assert caught.value.code == "bad-path"
    assert "\n" not in caught.value.message


@given(
    st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["..", ".", "c", ""]), min_size=1, max_size=7),
)
def test_escape_is_what_normpath_says(link: list[str], target: list[str]) -> None:
    steps = "/".join(target).lstrip("/")
    # normpath forgets "c/../..", which leaves only for an instant; every prefix is asked instead.
    prefixes = ["/".join([*link[:-1], *steps.split("/")[: n + 1]]) for n in range(len(target))]
    leaves = any(os.path.normpath(prefix).startswith("..") for prefix in prefixes)
    if steps:
        try:
            paths.check_symlink_target("/".join(link).encode(), steps.encode())
        except SlipError:
            assert leaves
        else:
            assert not leaves


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"README", b"readme"),
        ("Ä".encode(), "a\u0308".encode()),
        ("ß".encode(), b"SS"),
        (b"CAF\xc9", b"caf\xc9"),
    ],
)
def test_colliding_names(one: bytes, other: bytes) -> None:
    assert paths.collision_key(one) == paths.collision_key(other)


def test_names_that_do_not_collide() -> None:
    assert paths.collision_key(b"a") != paths.collision_key("ä".encode())
    assert paths.collision_key(b"git") != paths.collision_key("g\u0131t".encode())


@given(st.text(max_size=12))
def test_normal_forms_and_ascii_case_collide(text: str) -> None:
    key = paths.collision_key(unicodedata.normalize("NFC", text).encode("utf-8", "replace"))
    apart = unicodedata.normalize("NFD", text).encode("utf-8", "replace")
    assert key == paths.collision_key(apart)
    assert key == paths.collision_key(apart.lower())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"a/b c", "a/b c"),
        ("é文".encode(), "é文"),
        (b"caf\xe9", r'"caf\351"'),
        (b'\xe9"\\\a\b\t\n\v\f\r\x1b\x7f', r'"\351\"\\\a\b\t\n\v\f\r\033\177"'),
        (b'"caf"', r'"\"caf\""'),
        (b'a"b', 'a"b'),
        ("a\u202e".encode(), r'"a\342\200\256"'),
    ],
)
def test_display(path: bytes, text: str) -> None:
    assert paths.display(path) == text


def test_display_quotes_as_git_does(repository: Path) -> None:
    names = [b"caf\xe9", b"a\x1bb", b'"q"', b"a\tb\\\n\xff", b"x\x01\x7f"]
    for name in names:
        assert not git_refuses(repository, b"display/" + name)
    listed = subprocess.run(
        ["git", "ls-files", "display"], cwd=repository, capture_output=True, check=True
    )
    shown = {paths.display(b"display/" + name) for name in names if name != b'"q"'}
    assert shown <= set(listed.stdout.decode().splitlines())


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_no_two_paths_are_shown_alike(one: bytes, other: bytes) -> None:
    assert (paths.display(one) == paths.display(other)) == (one == other)
    assert paths.escape_for_terminal(paths.display(one)) == paths.display(one)


@given(st.text(max_size=20))
def test_from_text(text: str) -> None:
    assert paths.from_text(text).decode() == text


def test_from_text_refuses_half_a_pair() -> None:
    with pytest.raises(SlipError) as caught:
        paths.from_text("a\ud800b")
    assert (caught.value.code, caught.value.message) == (
        "bad-path",
        r"path a\ud800b: it holds a lone surrogate",
    )


def test_escape_for_terminal() -> None:
    given_text = "a\tb\n\x1b[31m\r\x7f\u009b\u202e\u2028\ud800é\\"
    wanted = "a\tb\n" + r"\x1b[31m\x0d\x7f\x9b\u202e\u2028\ud800" + "é\\"
    assert paths.escape_for_terminal(given_text) == wanted


# --- session names --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "s1", "A.b-c_d", "0", "a" * 64, "head", "a.lockx", "HEAD2"])
def test_session_names(name: str) -> None:
    assert paths.session_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "-x", ".x", "x.", "a..b", "x.lock", "X.LOCK", "a" * 65, "a/b", "a b", "a\n", "é", "\udcff",
     "@", "@{-1}", "a@{1}", "HEAD", "FETCH_HEAD", "a~1", "a^", "a:b", "a\x1b", "../../heads/main"],
)  # fmt: skip
def test_bad_session_names(name: str) -> None:
    with pytest.raises(SlipError) as caught:
        paths.session_name(name)
    assert caught.value.code == "bad-name"
    assert "\n" not in caught.value.message
    caught.value.message.encode()


@settings(max_examples=60, deadline=None)
@given(name=st.text("aZ0._-@{/", min_size=1, max_size=8))
def test_good_names_are_good_refs(repository: Path, name: str) -> None:
    try:
        paths.session_name(name)
    except SlipError:
        return
    assert git(repository, "check-ref-format", f"refs/slip/sessions/{name}") == 0


@settings(max_examples=60, deadline=None)
@given(name=st.text("aZ0_-/.", min_size=1, max_size=8))
def test_plain_branches_are_branches(repository: Path, name: str) -> None:
    if paths.is_plain_branch(name):
        assert git(repository, "check-ref-format", "--branch", name) == 0


@pytest.mark.parametrize(
    "name",
    ["", "-x", "-", "@", "@{-1}", "HEAD", "a/", "/a", "a//b", "a.b", "é", "٣", "\udcff", "a b"],
)
def test_what_git_is_asked_about(name: str) -> None:
    assert not paths.is_plain_branch(name)
