from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from slipstream_git.errors import SlipError
from slipstream_git.text import scopes


def matches(globs: list[str], path: str) -> bool:
    return scopes.compile_globs(globs)(path.encode())


@pytest.mark.parametrize(
    ("globs", "inside", "outside"),
    [
        ([], ["a", "d/b"], []),
        (["*.txt"], ["a.txt", "d/a.txt", "d.txt/x"], ["a.TXT", "a.txt.b", "atxt"]),
        (["src/"], ["src/a", "d/src/a"], ["src", "srcx/a"]),
        (["src"], ["src", "src/a", "d/src"], ["asrc", "src2"]),
        (["/src"], ["src", "src/a"], ["d/src"]),
        (["./src", "./*.c"], ["src/a", "x.c"], ["d/src", "d/x.c"]),
        (["src/*.py"], ["src/a.py"], ["src/d/a.py", "d/src/a.py"]),
        (["src/**"], ["src/a", "src/d/a"], ["src", "d/src/a"]),
        (["**/t/*.py"], ["t/a.py", "d/t/a.py", "d/e/t/a.py"], ["t/d/a.py"]),
        (["a/**/b"], ["a/b", "a/x/b", "a/x/y/b", "a/b/c"], ["ab", "a/xb", "x/a/b"]),
        (["**"], ["a", "d/a"], []),
        (["**/"], ["d/a"], ["a"]),
        (["a/?/**/"], ["a/b/c/d"], ["a/b/c", "a/b", "x/a/b/c/d"]),
        (["."], ["a", "d/a"], []),
        (["!vendor/"], ["a", "d/a"], ["vendor/a", "d/vendor/a"]),
        (["*.c", "!vendor/**", "vendor/ours/**"], ["a.c", "vendor/ours/x"], ["vendor/a.c", "x"]),
        (["src/**", "!src/gen/"], ["src/a"], ["src/gen/a", "b"]),
        (["src/", "!src/gen.py"], ["src/a"], ["src/gen.py"]),
        (["?.c", "[a-c]x", "[!a]y", "[^b]z"], ["a.c", "bx", "by", "cz"], ["ab.c", "dx", "ay"]),
        (["a[!b]c"], ["axc"], ["a/c", "abc"]),
        ([r"\!x", r"\*"], ["!x", "*"], ["x", "a"]),
        (["#x#", "#?"], ["#x#", "#y"], ["x"]),
        (["a ", "[b] "], ["a ", "b "], ["a", "b"]),
        ([r"app/\[id\]/*"], ["app/[id]/x"], ["app/i/x"]),
        (["é?.txt"], ["éü.txt"], ["é.txt"]),
        (["a+(b).c"], ["a+(b).c"], ["aab.c"]),
        (["a/***/b"], ["a/b", "a/x/y/b"], []),
    ],
)
def test_globs(globs: list[str], inside: list[str], outside: list[str]) -> None:
    assert [path for path in inside if not matches(globs, path)] == []
    assert [path for path in outside if matches(globs, path)] == []


@pytest.mark.parametrize(
    "glob",
    ["", " ", "!", "/", "!/", "[a", "a[", "a\\", "a\0b", "a//b", "a/../b", "..", "x/./y", "[z-a]",
     "[[:digit:]]", r"[\]]", "[a--b]", "\ud800"],
)  # fmt: skip
def test_bad_globs(glob: str) -> None:
    with pytest.raises(SlipError) as caught:
        scopes.compile_globs([glob])(b"a")
    assert caught.value.code == "usage"
    assert "\n" not in caught.value.message
    caught.value.message.encode()


def test_permitted() -> None:
    assert scopes.permitted(b"a", [], [])
    assert scopes.permitted(b"src/a", ["src/"], ["*.lock"])
    assert not scopes.permitted(b"src/a.lock", ["src/"], ["*.lock"])
    assert not scopes.permitted(b"a", ["src/"], [])
    assert not scopes.permitted(b"a", ["a"], ["a"])
    assert not scopes.permitted(b"b", [], ["!a"])


@given(st.binary(max_size=12), st.sampled_from(["*", "a?", "[a-c]*", "!b*", "é", "**/x"]))
def test_any_bytes_are_a_path(path: bytes, glob: str) -> None:
    scopes.compile_globs([glob])(path)


def test_a_path_of_latin_1_is_matched_by_its_bytes() -> None:
    assert scopes.compile_globs(["caf*"])(b"caf\xe9")
    assert scopes.compile_globs([os.fsdecode(b"caf\xe9")])(b"caf\xe9")


def test_many_stars_take_no_time() -> None:
    assert not matches(["*a" * 30 + "*b"], "a" * 250)


def test_a_glob_without_brackets_needs_no_pathspec() -> None:
    code = (
        "import sys; from slipstream_git.text import scopes;"
        "scopes.compile_globs(['src/**', '*.py', '!a/*/b'])(b'x'); print('pathspec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize(
    ("globs", "prefix"),
    [
        ([], b""), (["*.c"], b""), (["src/"], b""), (["src"], b""), (["/src"], b""),
        (["/src/"], b"src"), (["src/**"], b"src"), (["src/a/b.c"], b"src/a"),
        (["src/*/b"], b"src"), (["src/a/*", "src/b/*"], b"src"), (["src/**", "lib/**"], b""),
        (["src/a/**", "!src/a/b/**"], b"src/a"), (["!src/**"], b""),
        (["src/a/", "src/ab/"], b"src"),
        (["**/a/b"], b""), (["./src/x/*"], b"src/x"), (["é/x/y"], "é/x".encode()),
        ([r"a\*b/c"], b""),
        (["src/**", "*.c"], b""), (["."], b""),
    ],
)  # fmt: skip
def test_literal_prefix(globs: list[str], prefix: bytes) -> None:
    assert scopes.literal_prefix(globs) == prefix


# --- oracles --------------------------------------------------------------------------------------

SEGMENTS = st.text("ab.*", min_size=1, max_size=4) | st.sampled_from(["**", "*", "a", "b"])
RARE_SEGMENTS = st.lists(
    st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[^b]", "[a-b]", r"\*", r"\a", "."]),
    min_size=1,
    max_size=4,
).map("".join)
NAMES = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=12)


def patterns(segments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.lists(segments, min_size=1, max_size=4).map("/".join)
    return st.builds(
        "{}{}{}".format, st.sampled_from(["", "", "/"]), joined, st.sampled_from(["", "", "/"])
    )


def ordinary(pattern: str) -> bool:
    """Where pathspec, git and the reading of arguments do not differ on purpose."""
    parts = pattern.strip("/").split("/")
    return not any(part in {".", "..", ""} or "***" in part for part in parts)


@given(pattern=patterns(SEGMENTS), names=PATHS)
def test_like_pathspec(pattern: str, names: list[str]) -> None:
    assume(ordinary(pattern))
    assume(not pattern.endswith("**/"))  # pathspec takes files for directories there; git does not
    spec = GitIgnoreSpec.from_lines([pattern])
    assert [matches([pattern], name) for name in names] == [spec.match_file(n) for n in names]


@given(globs=st.lists(patterns(SEGMENTS | RARE_SEGMENTS), min_size=1, max_size=3), names=PATHS)
def test_the_prefix_holds_every_match(globs: list[str], names: list[str]) -> None:
    assume(all(map(ordinary, globs)))
    prefix = scopes.literal_prefix(globs).decode()
    for name in names:
        if prefix and matches(globs, name):
            assert name.startswith(prefix + "/")


@given(
    globs=st.lists(
        st.tuples(st.booleans(), patterns(SEGMENTS | RARE_SEGMENTS)), min_size=1, max_size=4
    ),
    names=PATHS,
)
def test_the_last_glob_that_matches_decides(
    globs: list[tuple[bool, str]], names: list[str]
) -> None:
    assume(all(ordinary(glob) for _, glob in globs))
    written = [("" if include else "!") + glob for include, glob in globs]
    for name in names:
        answer = not any(include for include, _ in globs)
        for include, glob in globs:
            answer = include if matches([glob], name) else answer
        assert matches(written, name) == answer


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ignores")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def ignored(root: Path, pattern: str, names: list[str]) -> list[bool]:
    (root / ".git" / "info" / "exclude").write_text(pattern + "\n", encoding="utf-8")
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=root,
        input="".join(name + "\0" for name in names).encode(),
        capture_output=True,
        check=False,
    )
    found = done.stdout.decode().split("\0")
    return [name in found for name in names]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pattern=patterns(SEGMENTS | RARE_SEGMENTS), names=PATHS)
def test_like_git(repository: Path, pattern: str, names: list[str]) -> None:
    assume(ordinary(pattern))
    assert [matches([pattern], n) for n in names] == ignored(repository, pattern, names)
