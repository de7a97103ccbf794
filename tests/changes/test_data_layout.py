"""A real repository held against docs/data-layout.md, read with plain git and nothing of slip."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.lab import Lab

PAGE = Path(__file__).parent.parent.parent / "docs" / "data-layout.md"


def message(repo: Lab, revision: str) -> tuple[str, list[dict[str, object]], dict[str, list[str]]]:
    """Subject, journal rows and trailers, read as the page says."""
    paragraphs = repo.git("log", "-1", "--format=%B", revision).strip().split("\n\n")
    trailers: dict[str, list[str]] = {}
    for line in paragraphs[-1].split("\n"):
        key, _, value = line.partition(": ")
        trailers.setdefault(key, []).append(value)
    rows = [json.loads(line) for line in "\n".join(paragraphs[1:-1]).split("\n") if line]
    return paragraphs[0], rows, trailers


def documented_trailers() -> set[str]:
    return set(re.findall(r"`(Slip-\w+)`", PAGE.read_text(encoding="utf-8")))


def build(repo: Lab) -> None:
    """A session with every kind of step."""
    repo.commit({"a.txt": "one\ntwo\n", "b.txt": "b\n"}, "files")
    repo.slip("begin", "x", "--title", "T", "--agent", "me", "--allow", "*", "--deny", "no/**")
    batch = json.dumps(
        [
            {"op": "str_replace", "path": "a.txt", "old": "one", "new": "1"},
            {"op": "write", "path": "long.txt", "content": "x" * 5000},
        ]
    )
    repo.slip("apply", "-s", "x", "--group", "g", "--agent", "me", "-", stdin=batch.encode())
    repo.slip("undo", "-s", "x")
    repo.slip("redo", "-s", "x")
    repo.write("b.txt", b"dirty\n")
    repo.slip("capture", "-s", "x")


def test_the_chain_is_as_documented(repo: Lab) -> None:
    build(repo)
    tip = "refs/slip/sessions/x"
    base = repo.git("rev-parse", "HEAD").strip()
    chain = repo.git("rev-list", "--reverse", "--first-parent", f"{base}..{tip}").split()
    assert len(chain) == 5
    begin = chain[0]
    assert repo.git("rev-parse", f"{begin}^").strip() == base
    assert repo.git("rev-parse", f"{begin}^{{tree}}") == repo.git("rev-parse", f"{base}^{{tree}}")
    kinds = ["begin", "apply", "undo", "redo", "capture"]
    seen: set[str] = set()
    for number, (commit, kind) in enumerate(zip(chain, kinds, strict=True)):
        subject, rows, trailers = message(repo, commit)
        seen |= trailers.keys()
        assert len(subject) <= 72
        assert trailers["Slip-Format"] == ["1"]
        assert trailers["Slip-Session"] == ["x"]
        assert trailers["Slip-Step"] == [str(number)]
        assert trailers["Slip-Op"] == [kind]
        assert bool(rows) == (kind in ("apply", "capture"))
        if number:
            assert trailers["Slip-Begin"] == [begin]
            assert repo.git("rev-parse", f"{commit}^").strip() == chain[number - 1]
    assert seen <= documented_trailers()


def test_the_journal_is_as_documented(repo: Lab) -> None:
    build(repo)
    chain = repo.git(
        "rev-list", "--reverse", "--first-parent", "HEAD..refs/slip/sessions/x"
    ).split()
    _, rows, trailers = message(repo, chain[1])
    assert trailers["Slip-Group"] == ["g"]
    assert rows[0] == {"op": "str_replace", "path": "a.txt", "old": "one", "new": "1"}
    blob = repo.git("rev-parse", f"{chain[1]}:long.txt").strip()
    assert rows[1] == {"op": "write", "path": "long.txt", "content_oid": blob}
    _, rows, _ = message(repo, chain[4])
    stored = repo.git("hash-object", "b.txt").strip()
    assert rows == [{"op": "capture", "path": "b.txt", "oid": stored, "mode": "100644"}]
    # The file as it was is reachable, whatever a merge made of it.
    assert repo.oid(f"{chain[4]}^2:b.txt") == stored


def test_a_rebase_and_what_is_decided_are_as_documented(repo: Lab) -> None:
    base = repo.commit({"a.txt": "one\ntwo\n", "gone.txt": "g\n"}, "files")
    repo.slip("begin", "x")
    repo.slip("write", "a.txt", "-s", "x", "--group", "g", stdin=b"session\ntwo\n")
    repo.slip("write", "gone.txt", "-s", "x", "--group", "g", stdin=b"kept\n")
    sides = {"base": base, "theirs": repo.oid("refs/slip/sessions/x")}
    sides["ours"] = repo.commit({"a.txt": "branch\ntwo\n", "gone.txt": None}, "branch")
    repo.slip("rebase", "-s", "x")
    tip = "refs/slip/sessions/x"
    refs = set(repo.refs("refs/slip/"))
    assert refs == {tip, "refs/slip/closed/x/1"}
    _, rows, trailers = message(repo, tip)
    assert (trailers["Slip-Op"], trailers["Slip-Unresolved"]) == (["rebase"], ["2"])
    assert trailers["Slip-Group"] == ["g"]
    assert repo.oid(f"{tip}^2") == sides["theirs"] == repo.oid("refs/slip/closed/x/1")
    assert repo.oid(f"{tip}^^") == sides["ours"]
    before = repo.oid("refs/slip/closed/x/1~2")
    assert message(repo, f"{tip}^")[2]["Slip-Rebased"] == [before]

    def side(name: str, path: str) -> dict[str, str] | None:
        entry = repo.entries(sides[name]).get(path)
        return {"mode": entry[0], "oid": entry[1]} if entry else None

    for row, path, kind in zip(
        rows, ("a.txt", "gone.txt"), ("content", "modify-delete"), strict=True
    ):
        versions = {name: side(name, path) for name in ("base", "ours", "theirs")}
        assert row == {"op": "conflict", "path": path, "kind": kind, **versions}
    repo.slip("resolve", "a.txt", "--hunk", "1", "--both", "-s", "x")
    _, rows, trailers = message(repo, tip)
    assert rows == [{"op": "resolve", "path": "a.txt", "hunk": 1, "of": 1, "take": "both"}]
    assert (trailers["Slip-Op"], trailers["Slip-Unresolved"]) == (["resolve"], ["1"])
    repo.slip("resolve", "gone.txt", "--ours", "-s", "x")
    _, rows, trailers = message(repo, tip)
    assert rows == [{"op": "resolve", "path": "gone.txt", "take": "ours", "result": None}]
    assert "Slip-Unresolved" not in trailers
    assert trailers.keys() <= documented_trailers()
    assert "refs/notes/slip/resolutions" not in repo.refs()
    repo.slip("commit", "-m", "land", "-s", "x")
    blob = repo.oid(f"{sides['theirs']}:gone.txt")
    note = json.loads(repo.git("notes", "--ref", "slip/resolutions", "show", blob))
    assert isinstance(note.pop("time"), int)
    versions = {name: side(name, "gone.txt") for name in ("base", "ours", "theirs")}
    assert note == {"path": "gone.txt", "kind": "modify-delete", **versions, "result": None}
    note = json.loads(
        repo.git("notes", "--ref", "slip/resolutions", "show", repo.oid(f"{sides['theirs']}:a.txt"))
    )
    assert note.keys() == {"base", "ours", "theirs", "result", "time"}


def test_a_landed_session_is_closed_as_documented(repo: Lab) -> None:
    build(repo)
    landed = repo.slip_json("commit", "-s", "x", "-m", "land").json["commit"]
    refs = set(repo.git("for-each-ref", "--format=%(refname)", "refs/slip", "refs/notes").split())
    assert refs == {"refs/slip/closed/x/1", "refs/notes/slip/landed"}
    _, rows, trailers = message(repo, "refs/slip/closed/x/1")
    assert not rows
    assert trailers["Slip-Landed"] == [landed]
    assert trailers["Slip-Op"] == ["landed"]
    assert trailers.keys() <= documented_trailers()
    note = json.loads(repo.git("notes", "--ref", "slip/landed", "show", landed))
    assert note["session"] == "x"
    assert "no_check" not in note
    assert note["tip"] == repo.git("rev-parse", "refs/slip/closed/x/1^").strip()


def test_an_adopted_branch_is_as_documented(repo: Lab) -> None:
    base = repo.oid("HEAD")
    repo.git("checkout", "--quiet", "-b", "side")
    adopted = [repo.commit({"a": f"{n}\n"}, "same") for n in range(2)]
    repo.git("checkout", "--quiet", "main")
    repo.slip("adopt", "side", "x")
    tip = "refs/slip/sessions/x"
    begin, *steps = repo.git("rev-list", "--reverse", f"{base}..{tip}").split()
    _, rows, trailers = message(repo, begin)
    assert not rows
    assert trailers["Slip-Branch"] == ["refs/heads/side"]
    assert trailers.keys() <= documented_trailers()
    for number, (step, commit) in enumerate(zip(steps, adopted, strict=True)):
        _, rows, trailers = message(repo, step)
        assert not rows
        assert (trailers["Slip-Op"], trailers["Slip-Adopted"]) == (["adopt"], [commit])
        assert trailers["Slip-Group"] == ["same" if number == 0 else "same (2)"]
        assert trailers.keys() <= documented_trailers()
        assert repo.oid(f"{step}^{{tree}}") == repo.oid(f"{commit}^{{tree}}")
        author = "--format=%an %ae %ad"
        assert repo.git("log", "-1", author, step) == repo.git("log", "-1", author, commit)


def test_uninstalling_leaves_an_ordinary_repository(repo: Lab) -> None:
    build(repo)
    names = repo.git("for-each-ref", "--format=delete %(refname)", "refs/slip", "refs/notes/slip")
    for line in names.splitlines():
        repo.git("update-ref", "-d", line.removeprefix("delete "))
    before = repo.snapshot()
    repo.git("gc", "--quiet", "--prune=now")
    assert repo.snapshot() == before
    assert not repo.git("for-each-ref", "refs/slip")
