"""Gates asked through a server: in its threads, beside others who read."""

from __future__ import annotations

import time
from pathlib import Path

from tests.changes.test_check import gated
from tests.lab import Lab
from tests.servers import Place


def ready(repo: Lab, run: str) -> None:
    repo.commit({".slip.toml": f"[gate.a]\nrun = '''{run}'''\n"})
    repo.slip("begin", "s")
    repo.slip("write", "x", stdin=b"x\n")


def test_check_and_commit_are_methods(place: Place, repo: Lab) -> None:
    ready(repo, "(setsid sleep 600 &); test ! -e bad || { echo found; exit 2; }")
    place.start()
    line, here = place.line(), str(repo.path)
    first = line.call("check", repo=here, session="s")
    assert [(row["status"], row["cached"]) for row in gated(first)] == [("green", False)]
    assert gated(line.call("check", repo=here, session="s", gate=["a"]))[0]["cached"] is True
    line.call("write", repo=here, session="s", path="bad", content="x\n")
    data = line.refused(-32004, "gate-failed", "check", repo=here, session="s", rerun=True)
    assert gated(data["data"])[0]["tail"] == "found"
    before = repo.oid("main")
    line.refused(-32004, "gate-failed", "commit", repo=here, session="s", message=["land"])
    assert repo.oid("main") == before
    line.call("rm", repo=here, session="s", paths=["bad"])
    landed = line.call("commit", repo=here, session="s", message=["land"])
    assert gated(landed)[0] == gated(first)[0] | {"cached": True}


def test_who_reads_does_not_wait_for_a_gate(place: Place, repo: Lab, tmp_path: Path) -> None:
    go, began = tmp_path / "go", tmp_path / "began"
    ready(repo, f"touch {began}; while test ! -e {go}; do sleep 0.05; done")
    place.start()
    slow, quick, here = place.line(), place.line(), str(repo.path)
    asked = b'{"jsonrpc":"2.0","id":1,"method":"check","params":{"repo":"%s","session":"s"}}\n'
    slow.say(asked % here.encode())
    deadline = time.monotonic() + 60
    while not began.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert quick.call("status", repo=here, session="s")["steps"] == 1
    assert quick.call("ping")
    go.touch()
    assert gated(slow.hear()["result"])[0]["status"] == "green"
