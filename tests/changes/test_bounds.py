"""Limits: what goes over one is refused with nothing written, and everything else goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slipstream_git.gitdb import packs
from slipstream_git.gitdb.repository import Config
from tests.desk import Desk, batch, replace, write
from tests.lab import Lab

REMEMBERED = ("usage", "told", "lock", "footprints")


def noise(size: int) -> bytes:
    """Bytes that no compression makes fewer."""
    return os.urandom(size)


def everything(repo: Lab) -> set[Path]:
    """Every file below the object directory and slip's own, but for what it remembers."""
    common = repo.common_dir
    found = [*(common / "objects").rglob("*"), *(common / "slip").rglob("*")]
    return {path for path in found if path.is_file() and path.name not in REMEMBERED}


def untouched(desk: Desk, code: str, operation: str, /, **values: object) -> None:
    """The operation is refused with this code and leaves no ref, object or file."""
    before, refs = everything(desk.lab), desk.lab.refs()
    desk.refused(code, operation, **values)
    assert desk.lab.refs() == refs
    assert everything(desk.lab) <= before


@pytest.fixture
def work(desk: Desk) -> Desk:
    desk.begin("work")
    return desk


def test_the_quota_refuses_what_writes(work: Desk) -> None:
    repo = work.lab
    repo.git("config", "slip.quota", "40k")
    work.apply(write("a", noise(30_000)))
    ops = batch(write("b", noise(30_000)))
    untouched(work, "quota", "apply", ops=ops)
    untouched(work, "quota", "exec", ops=ops, message=("land",))
    repo.write("README.md", noise(30_000).hex())
    untouched(work, "quota", "capture")
    fault = work.refused("quota", "apply", ops=ops)
    assert fault.hint == "slip gc"
    assert fault.data["limit"] == 40 << 10
    work.apply(write("small", "1\n"))


def test_the_quota_refuses_begin(work: Desk) -> None:
    repo = work.lab
    repo.git("config", "slip.quota", "1")
    untouched(work, "quota", "begin", name="more")
    repo.git("config", "slip.quota", "1m")
    work.begin("more")


def test_landing_undo_and_redo_are_never_refused(work: Desk) -> None:
    repo = work.lab
    work.apply(write("a", noise(30_000)))
    repo.git("config", "slip.quota", "1k")
    work.call("undo")
    work.call("redo")
    work.commit("land")
    # What has landed is the branch's, and remains so.
    repo.git("config", "slip.quota", "20k")
    work.begin("next")
    repo.commit({"a": "gone\n"})
    (repo.common_dir / "slip/usage").unlink()
    work.begin("later")


def test_what_git_has_repacked_still_counts(work: Desk) -> None:
    repo = work.lab
    work.apply(write("a", noise(30_000)))
    repo.git("gc", "--quiet", "--prune=now")
    repo.git("config", "slip.quota", "32k")
    untouched(work, "quota", "apply", ops=batch(write("b", noise(3_000))))


def test_what_is_gone_counts_no_more(work: Desk) -> None:
    repo = work.lab
    repo.git("config", "slip.quota", "40k")
    work.apply(write("a", noise(30_000)))
    work.call("abort")
    work.begin("next")
    ops = batch(write("b", noise(20_000)))
    untouched(work, "quota", "apply", ops=ops)
    repo.git("update-ref", "-d", "refs/slip/closed/work/1")
    work.call("apply", ops=ops)


def test_a_count_is_taken_only_when_it_decides(work: Desk) -> None:
    """And the remembered one is only a saving: it may go at any time, or be nonsense."""
    repo = work.lab
    repo.git("config", "slip.quota", "100k")
    work.apply(write("a", noise(10_000)))
    remembered = repo.common_dir / "slip/usage"
    first = remembered.read_bytes()
    work.apply(write("b", noise(10_000)))
    assert remembered.read_bytes() == first
    ops = batch(write("c", noise(90_000)))
    for broken in (b"", b"\xff", b"many\n", None):
        remembered.unlink(missing_ok=True)
        if broken is not None:
            remembered.write_bytes(broken)
        untouched(work, "quota", "apply", ops=ops)
        assert remembered.read_bytes().split(b"\n")[0].isdigit()


def test_merged_packs_are_no_reason_to_refuse(work: Desk) -> None:
    """They are counted again, because their names are new."""
    repo = work.lab
    repo.git("config", "slip.quota", "100k")
    for number in range(packs.MOST_PACKS + 2):
        work.apply(write(f"f{number}", noise(500)))
    work.apply(write("last", "1\n"))


def test_steps(work: Desk) -> None:
    repo = work.lab
    repo.git("config", "slip.maxSteps", "2")
    work.apply(write("a", "1\n"))
    work.apply(write("a", "2\n"))
    untouched(work, "quota", "apply", ops=batch(write("a", "3\n")))
    repo.write("README.md", "edited\n")
    untouched(work, "quota", "capture")
    assert work.apply(write("a", "2\n"))["unchanged"]
    work.call("undo")
    work.call("redo")
    repo.git("checkout", "--quiet", "README.md")
    work.commit("land")


def test_batches(work: Desk) -> None:
    work.lab.git("config", "slip.maxBatchBytes", "1k")
    ops = batch(write("a", "x" * 1000))
    untouched(work, "too-large", "apply", ops=ops)
    untouched(work, "too-large", "exec", ops=ops, message=("land",))
    work.apply(write("a", "x" * 100))


def test_files(work: Desk) -> None:
    repo = work.lab
    repo.git("config", "slip.maxFileBytes", "1k")
    for op in (
        write("a", "x" * 1025),
        replace("README.md", "Demo", "x" * 1025),
        {"op": "insert", "path": "README.md", "text": "x" * 1020, "after_line": 1},
    ):
        untouched(work, "too-large", "apply", ops=batch(op))
    untouched(work, "too-large", "exec", ops=batch(write("a", "x" * 1025)), message=("land",))
    work.apply(write("a", "x" * 1024))
    repo.write("README.md", "y" * 1025)
    untouched(work, "too-large", "capture")
    repo.write("README.md", "y" * 1024)
    work.call("capture")


def test_large_files_that_are_there_already_are_read_and_left(work: Desk) -> None:
    work.lab.commit({"large": "x" * 5000})
    work.lab.git("config", "slip.maxFileBytes", "1k")
    work.begin("next")
    assert work.call("read", paths=("large",), session="next")["files"][0]["total_lines"] == 1
    work.apply(write("a", "1\n"), session="next")
    work.commit("land", session="next")


@pytest.mark.parametrize("value", ["", "many", "-1", "1t", "1.5m", "0x10", "9" * 30])
def test_what_is_no_number_is_said(work: Desk, value: str) -> None:
    work.lab.git("config", "slip.maxFileBytes", value)
    fault = work.apply_refused("usage", write("a", "1\n"))
    assert "slip.maxFileBytes" in fault.message


@pytest.mark.parametrize(
    ("value", "number"), [("0", 0), ("12", 12), ("3k", 3072), ("2M", 2 << 20), ("1g", 1 << 30)]
)
def test_numbers_are_read_as_git_reads_them(repo: Lab, value: str, number: int) -> None:
    assert Config({"slip.quota": value}).number("slip.quota", 7) == number
    repo.git("config", "slip.quota", value)
    assert repo.git("config", "--type=int", "slip.quota") == str(number)
    assert Config({}).number("slip.quota", 7) == 7
