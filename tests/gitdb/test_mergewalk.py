"""The walk and git make the same of random merges; the walk answers where it should."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import gitmerge, merge, mergewalk
from slipstream_git.gitdb.repository import Repository, open_repository
from tests.desk import NOW, STORES
from tests.gitdb import random_merges
from tests.gitdb.random_merges import Answer, Case, Tree
from tests.lab import Ground, Lab

RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
FILE = 0o100644


@pytest.fixture(params=STORES)
def repository(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Repository]:
    in_process = request.param == "libgit2"
    with open_repository(str(lab.path), os.environ, in_process=in_process) as opened:
        yield opened


@pytest.fixture
def lab(ground: Ground) -> Lab:
    return ground.repository()


def assert_as_git(lab: Lab, repository: Repository, case: Case) -> str:
    """Compares the merge with git's; who answered."""
    trees = [random_merges.stored(repository, tree) for tree in case]
    base = random_merges.committed(repository, trees[0])
    sides = [random_merges.committed(repository, tree, base) for tree in trees[1:]]
    repository.objects.publish().release()
    random_merges.furnished(lab, case.ours)
    wanted = random_merges.of_git(lab, *sides)
    if wanted is None:
        with pytest.raises(SlipError, match="merge-tree"):
            merge.three_way(repository, trees[0], trees[1], trees[2], NOW)
        return "git"
    if trees[0] not in trees[1:] and trees[1] != trees[2]:
        assert_foretold(repository, trees, wanted)
    found = merge.three_way(repository, trees[0], trees[1], trees[2], NOW)
    unmerged = {random_merges.without_side(conflict.path) for conflict in found.conflicts}
    assert unmerged == wanted.unmerged or (wanted.only_said and unmerged)
    if not unmerged:
        assert found.tree == wanted.tree
    repository.objects.discard()
    return found.engine


def assert_foretold(repository: Repository, trees: Sequence[str], wanted: Answer) -> None:
    """Conflicts that are found without a tree are git's, with their kinds."""
    told = mergewalk.conflicts(repository, trees[0], trees[1], trees[2])
    if told is None:
        return
    assert repository.objects.pending() == {}
    assert {conflict.path for conflict in told} == wanted.unmerged
    if told:
        assert told == gitmerge.of_trees(repository, trees[0], trees[1], trees[2], NOW).conflicts


@settings(max_examples=150, suppress_health_check=RELAXED)
@given(seed=st.integers(0, 2**40))
def test_random_merges(lab: Lab, repository: Repository, seed: int) -> None:
    assert_as_git(lab, repository, random_merges.case(random_merges.chance_of(seed)))


@pytest.mark.slow
@settings(max_examples=3000, suppress_health_check=RELAXED)
@given(seed=st.integers(0, 2**40))
def test_many_random_merges(lab: Lab, repository: Repository, seed: int) -> None:
    assert_as_git(lab, repository, random_merges.case(random_merges.chance_of(seed)))


def text_case(chance: random.Random, files: int) -> Case:
    """Many files that both sides have edited: one process of git answers for all of them."""
    base: Tree = {}
    ours: Tree = {}
    theirs: Tree = {}
    for number in range(files):
        path = f"{number:03d}"
        base[path] = (FILE, random_merges.long_text(chance))
        ours[path], theirs[path] = (
            (FILE, random_merges.edited_twice(chance, base[path][1])) for _ in range(2)
        )
    return Case(base, ours, theirs)


def assert_texts_as_git(lab: Lab, repository: Repository, case: Case) -> tuple[int, int]:
    """Compares each file's merge with git's; how many came out clean, and how many conflicted."""
    trees = [random_merges.stored(repository, tree) for tree in case]
    base = random_merges.committed(repository, trees[0])
    sides = [random_merges.committed(repository, tree, base) for tree in trees[1:]]
    repository.objects.publish().release()
    unmerged, merged = random_merges.files_of_git(lab, *sides)
    counts = [0, 0]
    for path in case.base:
        text = random_merges.merged_here(case, path)
        if text is not None:
            assert (text.data is None) == (path in unmerged), path
            if text.data is not None:
                assert text.data == merged(path), path
            counts[text.data is None] += 1
    return counts[0], counts[1]


@pytest.mark.parametrize("seed", range(4))
def test_random_texts(lab: Lab, seed: int) -> None:
    with open_repository(str(lab.path), os.environ, in_process=False) as repository:
        clean, conflicting = assert_texts_as_git(
            lab, repository, text_case(random_merges.chance_of(seed), 150)
        )
    assert clean > 30
    assert conflicting > 30


# Who answers --------------------------------------------------------------------------------------

LINES = b"".join(b"line %d\n" % n for n in range(30))
OURS, THEIRS = LINES.replace(b"line 3\n", b"ours\n"), LINES.replace(b"line 20\n", b"theirs\n")
LINK = (0o120000, b"a")


def files(*paths: str, content: bytes = LINES, **more: bytes) -> Tree:
    return dict.fromkeys(paths, (FILE, content)) | {n: (FILE, d) for n, d in more.items()}


D = files("d/a", "d/b", "k")

ENGINES: dict[str, tuple[Case, str]] = {
    "other files": (Case(D, D | files("n"), D | files("d/m")), "walk"),
    "both texts": (Case(D, D | files(k=OURS), D | files(k=THEIRS)), "walk"),
    "a mode and a text": (Case(D, D | {"k": (0o100755, LINES)}, D | files(k=THEIRS)), "walk"),
    "deleted here": (Case(D, D | files("n"), files("d/a", "d/b")), "walk"),
    "a whole directory gone": (Case(D, D | files("n"), files("k")), "walk"),
    "a directory becomes a file": (Case(D, D | files("n"), files("d", "k")), "walk"),
    "a symlink changed": (Case(D | {"l": LINK}, D | files("n") | {"l": LINK}, D), "walk"),
    "the same added": (Case(D, D | files("n", "m"), D | files("n", "o")), "walk"),
    # From here on, renames may matter, and do in most of these.
    "deleted there": (Case(D, files("d/a", "d/b", z=LINES), D | files(k=THEIRS)), "git"),
    "added where ours moved away": (
        Case(D, files("e/a", "e/b", "k"), D | files("d/new", content=b"new\n")), "git",
    ),
    "moved away where ours added": (
        Case(D, D | files("d/new", content=b"new\n"), files("e/a", "e/b", "k")), "git",
    ),
    "both deleted, ours elsewhere": (
        Case(D, files("d/a", "d/b", "z"), files("d/a", "d/b")), "git",
    ),
    "deleted in equal directories": (
        Case(D, files("d/a", "k", "z"), files("d/a", "k", "n", content=LINES)), "git",
    ),
    "modes of what both added": (
        Case(D, D | {"n": (0o100755, LINES)}, D | files("n")), "git",
    ),
    "source became a symlink": (
        Case(D, files("d/a", "d/b", "z"), D | {"k": LINK}), "git",
    ),
    "a text in conflict": (
        Case(D, D | files(k=OURS), D | files(k=OURS.replace(b"ours", b"theirs"))), "git",
    ),
    "binaries": (
        Case(D, D | files(k=b"\0" + OURS), D | files(k=b"\0" + THEIRS)), "git",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENGINES)
def test_who_answers(lab: Lab, repository: Repository, name: str) -> None:
    case, engine = ENGINES[name]
    assert assert_as_git(lab, repository, case) == engine


# Lines of attributes, and whether the walk may merge the text of `d/k.x` under them.
ATTRIBUTES = {
    "": True,
    "*.y merge=union\n*.png binary\n# merge\nk.y -merge\n* text=auto eol=lf whitespace=-a\n": True,
    "*.x merge=union\n": False,
    "*.X merge=union\n": False,
    "* -merge\n": False,
    "/d/k.x merge=mine\n": False,
    "d/* !merge\n": False,
    "[attr]mine merge=union\n": False,
    "*.x\tbinary": False,
    '"d/k.x" merge\n': False,
    "*.x \r merge=union\n": False,
}


@pytest.mark.parametrize("lines", ATTRIBUTES)
@pytest.mark.parametrize("where", ["tree", "below", "info", "user"])
def test_attributes_that_may_speak_of_merging(
    lab: Lab, repository: Repository, lines: str, where: str
) -> None:
    base = files("d/k.x", "d/other")
    name = {"tree": ".gitattributes", "below": "d/.gitattributes"}.get(where)
    if name:
        base |= files(name, content=lines.encode())
    elif where == "info":
        (lab.common_dir / "info").mkdir(exist_ok=True)
        (lab.common_dir / "info/attributes").write_text(lines)
    else:
        there = Path(os.environ["XDG_CONFIG_HOME"], "git/attributes")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(lines)
    case = Case(base, base | files("d/k.x", content=OURS), base | files("d/k.x", content=THEIRS))
    engine = assert_as_git(lab, repository, case)
    # "d/*" in d/.gitattributes passes over d/k.x, which nobody needs to know.
    assert engine == ("walk" if ATTRIBUTES[lines] else "git")


@pytest.mark.parametrize(
    ("key", "value", "engine"),
    [
        ("merge.default", "union", "git"),
        ("merge.renormalize", "true", "git"),
        ("diff.algorithm", "patience", "git"),
        ("core.attributesFile", "~/mine", "git"),
        ("merge.conflictStyle", "diff3", "walk"),
        ("merge.renames", "false", "walk"),
    ],
)
def test_configuration_that_may_speak_of_merging(
    lab: Lab, key: str, value: str, engine: str
) -> None:
    lab.git("config", key, value)
    Path(os.environ["HOME"], "mine").write_text("* merge=union\n")
    with open_repository(str(lab.path), os.environ, in_process=False) as repository:
        case = Case(D, D | files(k=OURS), D | files(k=THEIRS))
        assert assert_as_git(lab, repository, case) == engine


def test_old_modes_are_written_as_git_writes_them(lab: Lab, repository: Repository) -> None:
    """Histories of 2005 hold 100664; git reads and writes that as 100644."""
    blobs = [repository.objects.write("blob", text) for text in (LINES, OURS, THEIRS)]
    repository.objects.publish().release()

    def tree(first: str, second: str) -> str:
        rows = (b"%s\0%s" % (n, bytes.fromhex(oid)) for n, oid in ((b"a", first), (b"b", second)))
        raw = b"".join(b"100664 " + row for row in rows)
        return lab.git("hash-object", "--literally", "-w", "-t", "tree", "--stdin", stdin=raw)

    lab.damaged = True  # for `fsck --strict`
    base, ours, theirs = (
        tree(blobs[0], blobs[0]),
        tree(blobs[1], blobs[0]),
        tree(blobs[0], blobs[2]),
    )
    root = random_merges.committed(repository, base)
    sides = [random_merges.committed(repository, oid, root) for oid in (ours, theirs)]
    repository.objects.publish().release()
    merged = merge.three_way(repository, base, ours, theirs, NOW)
    assert merged.engine == "walk"
    wanted = random_merges.of_git(lab, *sides)
    assert wanted is not None
    assert merged.tree == wanted.tree
