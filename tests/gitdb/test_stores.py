"""Both object stores give one answer: reading, compare-and-swap of refs, trees, packs, merges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import merge, quarantine
from slipstream_git.gitdb.barriers import AT_ONCE
from slipstream_git.gitdb.gitstore import GitStore
from slipstream_git.gitdb.libgit2 import LibgitStore
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.repository import Repository, open_repository
from slipstream_git.model import EMPTY_TREE, FILE, Entry
from tests.desk import NOW, STORES
from tests.lab import Lab, Link, Script


@pytest.fixture(params=STORES)
def repository(request: pytest.FixtureRequest, repo: Lab) -> Iterator[Repository]:
    """`repo`, opened over each store."""
    in_process = request.param == "libgit2"
    with open_repository(str(repo.path), os.environ, in_process=in_process) as opened:
        yield opened


# --- objects --------------------------------------------------------------------------------------


def test_objects_are_read_as_git_has_them(repo: Lab, repository: Repository) -> None:
    repo.git("tag", "-a", "-m", "v1", "v1")
    for name in ("main", "main^{tree}", "main:README.md", "v1"):
        oid = repo.oid(name)
        found = repository.objects.read(oid)
        assert found.kind == repo.git("cat-file", "-t", oid)
        assert found.data == repo.git_bytes("cat-file", found.kind, oid)
    assert repository.objects.find("1" * 40) is None
    with pytest.raises(SlipError) as caught:
        repository.objects.blob(repo.oid("main"))
    assert caught.value.code == "git-failed"


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"no end", b"\0" * 70_000, b"missing\n", os.urandom(300_000)]
)
def test_what_is_published_is_there_for_everybody(
    repo: Lab, repository: Repository, data: bytes
) -> None:
    oid = repository.objects.write("blob", data)
    assert repository.objects.blob(oid) == data
    assert oid in repository.objects.pending()
    assert repo.git("cat-file", "-e", oid, expect=None) == ""
    kept = repository.objects.publish(AT_ONCE)
    assert repo.git_bytes("cat-file", "blob", oid) == data
    assert repository.store.read(oid) is not None
    repo.git("gc", "--quiet", "--prune=now")
    assert repo.git_bytes("cat-file", "blob", oid) == data
    kept.release()
    repo.git("gc", "--quiet", "--prune=now")
    repo.git("cat-file", "-e", oid, expect=1)


def test_nothing_is_published_where_nothing_is_new(
    repo: Lab, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And to release it removes nothing, wherever the process stands."""
    before = repo.files()
    kept = repository.objects.publish(AT_ONCE)
    monkeypatch.chdir(repo.path)
    for _ in range(2):
        kept.release()
    assert not repository.objects.published
    assert repo.files() == before
    assert not list((repo.common_dir / "objects/pack").iterdir())
    repository.objects.write("blob", b"x")
    assert Path(repository.objects.publish().keep).exists()


def test_what_is_discarded_never_was(repo: Lab, repository: Repository) -> None:
    oid = repository.objects.write("blob", b"x")
    repository.objects.discard()
    assert repository.objects.find(oid) is None
    assert repo.git("count-objects", "-v").splitlines()[3] == "packs: 0"


def test_a_quarantine_shows_what_is_pending_and_leaves_nothing(
    repo: Lab, repository: Repository
) -> None:
    oid = repository.objects.write("blob", b"pending")
    with quarantine.opened(repository) as room:
        env = dict(room.env)
        assert repository.git.run("cat-file", "blob", oid, env=env).out == b"pending"
        assert repository.git.run("cat-file", "-e", repo.oid("main"), env=env).status == 0
        made = repository.git.run("hash-object", "-w", "--stdin", stdin=b"made", env=env).out
        assert [item.data for item in room.loose()] == [b"made"]
    assert not Path(room.directory).exists()
    repo.git("cat-file", "-e", made.decode().strip(), expect=1)


# --- refs -----------------------------------------------------------------------------------------

REF = "refs/slip/test/a"


def move(repository: Repository, *moves: RefMove) -> str | None:
    """The code with which a transaction is refused."""
    try:
        repository.store.move(list(moves), "test")
    except SlipError as fault:
        return fault.code
    return None


def test_refs_move_by_compare_and_swap(repo: Lab, repository: Repository) -> None:
    first = repo.oid("main")
    second = repo.commit({"a": "1"})
    assert repository.store.ref(REF) is None
    assert move(repository, RefMove(REF, None, first)) is None
    assert repository.store.ref(REF) == first
    assert move(repository, RefMove(REF, None, second)) == "ref-moved"
    assert move(repository, RefMove(REF, second, first)) == "ref-moved"
    assert move(repository, RefMove(REF, first, second)) is None
    assert move(repository, RefMove(REF, first, None)) == "ref-moved"
    assert repo.refs("refs/slip/") == {REF: second}
    assert move(repository, RefMove(REF, second, None)) is None
    assert repo.refs("refs/slip/") == {}
    assert move(repository, RefMove(REF, second, None)) == "ref-moved"


def test_a_transaction_is_all_or_nothing(repo: Lab, repository: Repository) -> None:
    oid = repo.oid("main")
    moves = [RefMove(f"{REF}{n}", None, oid) for n in range(3)]
    repo.git("update-ref", moves[1].name, oid)
    assert move(repository, *moves) == "ref-moved"
    assert repo.refs("refs/slip/") == {moves[1].name: oid}
    back = RefMove(moves[1].name, oid, None)
    assert move(repository, moves[0], moves[2], back) is None
    assert set(repo.refs("refs/slip/")) == {moves[0].name, moves[2].name}


def test_a_ref_is_there_though_its_object_is_not(repo: Lab, repository: Repository) -> None:
    """While gc repacks, git may not find an object for a moment; no branch is unborn for that."""
    repo.damaged = True
    (repo.common_dir / "refs/heads/odd").write_text("1" * 40 + "\n")
    assert repository.store.ref("refs/heads/odd") == "1" * 40
    assert repository.store.ref("refs/heads/even") is None


@pytest.mark.parametrize("fault", [KeyError, pygit2.GitError, None])
def test_an_object_that_is_not_found_at_first(
    repo: Lab,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    fault: type[Exception] | None,
) -> None:
    """A gc took the pack away that was about to be opened."""
    oid = repo.oid("main:README.md")
    repo.git("gc", "--quiet")
    once = [True]
    ask = GitStore._ask

    def asked(store: GitStore, name: str) -> RawObject | None:
        return None if fault is None and once and once.pop() else ask(store, name)

    class Moving:
        def read_header(self, oid: str) -> tuple[int, int]:
            raise (fault or KeyError)(oid)

    monkeypatch.setattr(GitStore, "_ask", asked)
    if isinstance(repository.store, LibgitStore):
        monkeypatch.setattr(repository.store, "_odb", Moving())
    found = repository.store.read(oid)
    assert found is not None
    assert found.data == b"# Demo\n"


def test_a_ref_to_nothing_is_refused(repo: Lab, repository: Repository) -> None:
    assert move(repository, RefMove(REF, None, "1" * 40)) == "git-failed"
    assert repo.refs("refs/slip/") == {}


def test_a_name_that_a_ref_stands_in_the_way_of(repo: Lab, repository: Repository) -> None:
    oid = repo.oid("main")
    assert move(repository, RefMove(REF, None, oid)) is None
    assert move(repository, RefMove(f"{REF}/below", None, oid)) is not None
    assert repo.refs("refs/slip/") == {REF: oid}


def test_a_locked_ref_is_waited_for(repo: Lab, repository: Repository) -> None:
    lock = repo.path / ".git" / f"{REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.write_bytes(b"")
    assert move(repository, RefMove(REF, None, repo.oid("main"))) == "locked"
    lock.unlink()
    assert move(repository, RefMove(REF, None, repo.oid("main"))) is None


def test_refs_are_listed_by_name_packed_or_not(repo: Lab, repository: Repository) -> None:
    oid = repo.oid("main")
    for name in ("b", "a/z", "a-x"):
        repo.git("update-ref", f"refs/slip/sessions/{name}", oid)
    repo.git("pack-refs", "--all")
    repo.git("update-ref", "refs/slip/sessions/c", oid)
    found = repository.store.refs("refs/slip/sessions/")
    assert list(found) == [f"refs/slip/sessions/{name}" for name in ("a-x", "a/z", "b", "c")]
    assert set(found.values()) == {oid}


# --- trees ----------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "a.b", "a-b", "A", "\udce9"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(PATHS, st.integers(0, 9), max_size=8)


@pytest.fixture
def blobs(repo: Lab) -> list[str]:
    return [repo.git("hash-object", "-w", "--stdin", stdin=b"%d" % n) for n in range(10)]


def one_tree(files: dict[str, int]) -> dict[bytes, int]:
    """Without the files that are directories of others."""
    return {
        os.fsencode(path): number
        for path, number in files.items()
        if not any(other.startswith(path + "/") for other in files)
    }


def git_tree(repo: Lab, files: dict[bytes, int], blobs: list[str]) -> str:
    """The tree as git writes it from an index."""
    env = {"GIT_INDEX_FILE": str(repo.path / ".git/tree-index")}
    (repo.path / ".git/tree-index").unlink(missing_ok=True)
    lines = b"".join(
        b"100644 %s\t%s\0" % (blobs[number].encode(), path) for path, number in files.items()
    )
    if lines:
        repo.git("update-index", "-z", "--index-info", stdin=lines, env=env)
    else:
        repo.git("read-tree", "--empty", env=env)
    return repo.git("write-tree", env=env)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, FILES)
def test_a_spliced_tree_is_the_one_git_writes(
    repo: Lab,
    repository: Repository,
    blobs: list[str],
    old_files: dict[str, int],
    new_files: dict[str, int],
) -> None:
    old, new = one_tree(old_files), one_tree(new_files)
    before, after = git_tree(repo, old, blobs), git_tree(repo, new, blobs)
    changes: dict[bytes, Entry | None] = dict.fromkeys(old)
    changes |= {path: Entry(FILE, blobs[number]) for path, number in new.items()}
    assert repository.trees.splice(before, changes) == after
    told = repository.trees.differences(before, after)
    expected = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    assert [row.path for row in told] == expected
    assert dict(repository.trees.walk(after)) == {
        path: Entry(FILE, blobs[number]) for path, number in new.items()
    }
    additions = set(repository.trees.additions(before, after))
    reached = repo.git("rev-list", "--objects", "--no-object-names", after, "--not", before)
    assert set(reached.split()) <= additions | {EMPTY_TREE}


def test_lookups(repo: Lab, repository: Repository) -> None:
    repo.commit({"d/e/f": "1", "tool": Script(b"x"), "link": Link("d")})
    tree, trees = repo.oid("main^{tree}"), repository.trees
    assert trees.lookup(tree, b"d/e/f") == Entry(FILE, repo.oid("main:d/e/f"))
    assert trees.lookup(tree, b"d/e") == Entry(0o040000, repo.oid("main:d/e"))
    assert trees.leaf(tree, b"d/e") is None
    assert trees.lookup(tree, b"d/e/f/g") is None
    assert trees.lookup(tree, b"none") is None
    blocked = trees.blocker(tree, b"link/x/y")
    assert blocked is not None
    assert (blocked[0], blocked[1].mode) == (b"link", 0o120000)
    assert trees.blocker(tree, b"d/e/new") is None


# --- merge ----------------------------------------------------------------------------------------


def test_a_trivial_merge_asks_nobody(repo: Lab, repository: Repository) -> None:
    one = repo.oid("main^{tree}")
    repo.commit({"a": "1\n"})
    two = repo.oid("main^{tree}")
    for base, ours, theirs, want in (
        (one, one, two, two), (one, two, one, two), (one, two, two, two), (two, one, one, one),
    ):  # fmt: skip
        merged = merge.three_way(repository, base, ours, theirs, NOW)
        assert (merged.tree, merged.conflicts) == (want, ())


def test_a_merge_of_trees_that_are_only_pending(repo: Lab, repository: Repository) -> None:
    base = repo.oid("main^{tree}")
    readme = repository.objects.write("blob", b"# demo\n")
    new = repository.objects.write("blob", b"new\n")
    ours = repository.trees.splice(base, {b"README.md": Entry(FILE, readme)})
    theirs = repository.trees.splice(base, {b"new": Entry(FILE, new)})
    merged = merge.three_way(repository, base, ours, theirs, NOW)
    both = {b"README.md": Entry(FILE, readme), b"new": Entry(FILE, new)}
    assert (merged.tree, merged.conflicts) == (repository.trees.splice(base, both), ())
    assert repo.git("count-objects", "-v").splitlines()[3] == "packs: 0"
    repository.objects.publish().release()
    assert set(repo.tree(merged.tree)) == {"README.md", "new", "src/app.py"}


def test_head(repo: Lab, repository: Repository) -> None:
    assert repository.head() == ("refs/heads/main", repo.oid("main"))
    repo.git("checkout", "--quiet", "--detach")
    assert repository.head() == (None, repo.oid("main"))
    repo.git("checkout", "--quiet", "--orphan", "new")
    assert repository.head() == ("refs/heads/new", None)


def test_resolve(repo: Lab, repository: Repository) -> None:
    repo.git("tag", "-a", "-m", "v1", "v1")
    for name in ("main", "v1", "HEAD", "main^0", repo.oid("main")[:8]):
        assert repository.resolve(name) == repo.oid("main")
    for name in ("none", "--all", "main:README.md", "main^{tree}", "main~5", "a b"):
        with pytest.raises(SlipError) as caught:
            repository.resolve(name)
        assert caught.value.code == "missing"
