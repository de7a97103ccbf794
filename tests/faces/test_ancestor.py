"""The ancestor's methods, asked as its clients ask them: real servers, real sockets, real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab import Ground, Lab
from tests.servers import Free, Json, Line, Place

TEN = "".join(f"line {number}\n" for number in range(10))


class Client:
    """One of the ancestor's clients: no "jsonrpc" in what it says, nor in what it hears."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.session = ""

    def ask(self, method: str, **params: Free) -> Json:
        self.line.say(json.dumps({"id": 3, "method": method, "params": params}).encode() + b"\n")
        reply = self.line.hear()
        assert reply["id"] == 3
        assert "jsonrpc" not in reply
        return dict(reply)

    def call(self, method: str, **params: Free) -> Free:
        """The result, which there must be; of this client's session where no other is named."""
        if method not in ("session.open", "session.list"):
            params = {"session_id": self.session} | params
        reply = self.ask(method, **params)
        assert "error" not in reply, reply
        return reply["result"]

    def refused(self, number: int, code: str, method: str, **params: Free) -> Json:
        error = self.ask(method, **{"session_id": self.session} | params)["error"]
        assert (error["code"], error["data"]["code"]) == (number, code), error
        return dict(error["data"])

    def conflict(self, method: str = "session.flush", **params: Free) -> list[Json]:
        error = self.ask(method, session_id=self.session, **params)["error"]
        assert error["code"] == 409, error
        assert all(row["code"] for row in error["data"])
        return list(error["data"])

    def open(self, *files: str, **more: Free) -> Json:
        told = self.call("session.open", files=list(files), **more)
        self.session = told["session_id"]
        return dict(told["files"])

    def lines(self, path: str, **more: Free) -> list[str]:
        return list(self.call("file.read", path=path, **more)["lines"])


@pytest.fixture
def clients(place: Place, repo: Lab) -> Callable[[], Client]:
    """Makes clients of a server whose repository is `repo`."""
    repo.commit({"ten": TEN})
    place.start("--repo", str(repo.path))
    return lambda: Client(place.line())


# As its clients do -------------------------------------------------------------------------------


def test_what_its_own_description_shows(place: Place, repo: Lab) -> None:
    """No id, no "jsonrpc", absolute paths, a server that was told of no repository."""
    repo.commit({"src/main.rs": "use lib;\nfn old_name() {}\n", "src/lib.rs": "use old_name;\n"})
    place.start()
    line = place.line()
    main, lib = str(repo.path / "src/main.rs"), str(repo.path / "src/lib.rs")

    def say(method: str, **params: Free) -> Free:
        line.say(json.dumps({"method": method, "params": params}).encode() + b"\n")
        reply = line.hear()
        assert set(reply) == {"result", "id"}
        assert reply["id"] is None
        return reply["result"]

    told = say("session.open", files=[main, lib])
    session = told["session_id"]
    assert {path: row["lines"] for path, row in told["files"].items()} == {main: 2, lib: 1}
    ops = [
        {"method": "file.read", "path": main, "start": 0, "end": 1},
        {"method": "file.read", "path": lib, "start": 0, "end": 60},
        {"method": "file.str_replace", "path": main, "old": "old_name()", "new": "new_name()"},
        {"method": "file.str_replace", "path": lib, "old": "use old_name;", "new": "use new_name;"},
        {"method": "cursor.move", "path": main, "to": 1},
        {"method": "file.read", "path": main, "count": 5},
    ]
    assert say("batch", session_id=session, ops=ops) == [
        {"lines": ["use lib;"], "cursor": 1, "trailing_newline": True},
        {"lines": ["use old_name;"], "cursor": 1, "trailing_newline": True},
        {"edits_pending": 1, "match_line": 1, "match_count": 1},
        {"edits_pending": 1, "match_line": 0, "match_count": 1},
        {"status": "ok"},
        {"lines": ["fn new_name() {}"], "cursor": 2, "trailing_newline": True},
    ]
    assert b"old_name" in repo.read("src/main.rs"), "nothing is written before a flush"
    row = {"session_id": session, "file_count": 2, "dirty_count": 2}
    listed = [{**row, "files": ["src/lib.rs", "src/main.rs"]}]
    assert say("session.list") == {"sessions": listed}
    written = [{"path": f"src/{name}.rs", "edits_applied": 1} for name in ("lib", "main")]
    assert say("session.flush", session_id=session) == {"status": "ok", "files_written": written}
    assert repo.read("src/main.rs") == b"use lib;\nfn new_name() {}\n"
    assert say("session.list")["sessions"][0]["dirty_count"] == 0
    assert say("session.close", session_id=session) == {"status": "closed"}
    assert say("session.list") == {"sessions": []}
    assert repo.git("diff", "--name-only").split() == ["src/lib.rs", "src/main.rs"]


def test_asked_in_json_rpc_it_answers_so(place: Place, repo: Lab) -> None:
    place.start("--repo", str(repo.path))
    line = place.line()
    session = line.ask("session.open", files=["README.md"])["result"]["session_id"]
    ask = {"jsonrpc": "2.0", "method": "session.close", "params": {"session_id": session}}
    line.say(json.dumps(ask).encode() + b"\n")  # a notification: no reply
    assert line.ask("session.list") == {"jsonrpc": "2.0", "id": 7, "result": {"sessions": []}}
    line.refused(404, "session-missing", "session.flush", session_id=session)


def test_a_flush_with_a_message_lands(clients: Free, repo: Lab) -> None:
    one = clients()
    one.open("ten")
    for number in range(3):
        one.lines("ten")
        one.call("file.write", path="ten", start=4, end=5, content=f"four {number}\n")
        told = one.call("session.flush", message=f"Four {number}")
        assert told["files_written"] == [{"path": "ten", "edits_applied": 1}]
        assert (told["commit"], repo.message()) == (repo.oid("HEAD"), f"Four {number}\n")
        assert repo.tree()["ten"] == repo.read("ten")
        assert repo.git("status", "--porcelain") == ""
    assert one.call("session.flush", message="Nothing")["files_written"] == []
    repo.git("config", "slip.flushMessage", "As configured")
    one.call("file.str_replace", path="ten", old="four 2", new="four")
    assert one.call("session.close", flush=True)["flush"]["status"] == "ok"
    assert repo.message() == "As configured\n"


def test_a_session_by_its_name_keeps_its_edits(clients: Free, repo: Lab) -> None:
    one, two = clients(), clients()
    one.open("ten", name="work")
    one.call("file.write", path="ten", start=0, end=1, content=["first"])
    assert two.open("README.md", name="work")["README.md"]["lines"] == 1
    assert two.lines("ten", end=2) == ["first", "line 1"]
    assert repo.slip_json("list").json["sessions"][0]["session"] == "work"


def test_what_was_not_flushed_is_dropped_and_not_lost(clients: Free, repo: Lab) -> None:
    one = clients()
    one.open("ten", name="work")
    one.call("file.write", path="ten", content="mine\n")
    told = one.call("session.close")
    assert told["warnings"] == ["1 edits were not flushed; slip reopen work has them"]
    assert repo.read("ten").decode() == TEN
    repo.slip("reopen", "work")
    assert one.lines("ten") == ["mine"]


# Lines -------------------------------------------------------------------------------------------


def test_ranges_are_counted_in_what_was_read(clients: Free) -> None:
    one = clients()
    one.open("ten")
    assert one.lines("ten", start=2, end=4) == ["line 2", "line 3"]
    one.call("file.write", path="ten", start=2, end=3, content=["two", "and a half"])
    one.call("file.write", path="ten", start=3, end=4, content="three\n")
    one.call("file.write", path="ten", start=3, end=4, content="three again")
    one.call("file.str_replace", path="ten", old="line 5\nline 6\n", new="")
    one.call("file.write", path="ten", start=8, end=9, lines=["eight"])
    one.refused(409, "stale", "file.write", path="ten", start=6, end=8, content="6 and 7")
    for pending in (6, 7):
        told = one.call("file.write", path="ten", start=10, content="end")
        assert told == {"edits_pending": pending}
    assert one.lines("ten") == [
        "line 0", "line 1", "two", "and a half", "three again", "line 4", "line 7", "eight",
        "line 9", "end", "end",
    ]  # fmt: skip
    one.call("file.write", path="ten", start=0, end=11, content=[])
    assert one.lines("ten") == []


def test_without_a_read_the_text_as_it_is_counts(clients: Free) -> None:
    one = clients()
    one.open("ten")
    one.call("file.write", path="ten", start=0, content=["new", "newer"])
    one.call("file.write", path="ten", end=2, content="old")
    assert one.lines("ten", end=2) == ["old", "line 0"]
    one.refused(-32001, "out-of-range", "file.write", path="ten", start=5, end=12, content="")
    one.refused(-32001, "out-of-range", "file.read", path="ten", start=12)
    one.refused(-32001, "out-of-range", "cursor.move", path="ten", to=12)


def test_cursors(clients: Free) -> None:
    one = clients()
    one.open("ten")
    read = [one.call("file.read", path="ten", count=4) for _ in range(4)]
    assert [told["cursor"] for told in read] == [4, 8, 10, 10]
    assert [len(told["lines"]) for told in read] == [4, 4, 2, 0]
    assert one.call("file.read", path="ten", start=1, count=2)["cursor"] == 3
    assert one.lines("ten", count=1) == ["line 3"]


ENDINGS: list[tuple[bytes, Json, bytes]] = [
    (b"a\r\nb\r\nc\r\n", {"start": 1, "end": 2, "content": ["x", "y"]}, b"a\r\nx\r\ny\r\nc\r\n"),
    (b"a\r\nb\r\n", {"start": 2, "content": "c\n"}, b"a\r\nb\r\nc\r\n"),
    (b"a\r\nb\r\n", {"content": "c\nd"}, b"c\r\nd\r\n"),
    (b"a\nb\r\nc\n", {"start": 1, "end": 2, "content": ["x"]}, b"a\nx\r\nc\n"),
    (b"a\nb", {"start": 1, "end": 2, "content": ["x"]}, b"a\nx"),
    (b"a\nb", {"start": 2, "content": ["x"]}, b"a\nb\nx"),
    (b"a\nb", {"start": 1, "end": 2, "content": []}, b"a"),
    (b"a\nx\n", {"start": 1, "end": 2, "content": ""}, b"a\n"),
    (b"", {"start": 0, "content": ["x"]}, b"x\n"),
    (b"", {"content": "x"}, b"x"),
    (b"x\n", {"content": []}, b""),
    (b"x\n", {"content": ["y", ""]}, b"y\n\n"),
    (b"\xef\xbb\xbfa\nb\n", {"start": 0, "end": 1, "content": ["c"]}, b"\xef\xbb\xbfc\nb\n"),
    (b"\xef\xbb\xbfa\nb\n", {"content": ["c"]}, b"\xef\xbb\xbfc\n"),
    ("é\n雪\n".encode(), {"start": 0, "end": 1, "content": ["ß😀"]}, "ß😀\n雪\n".encode()),
    ("a\u2028b\x0cc\x85d\re\nf\n".encode(), {"start": 1, "end": 2, "content": ["x\u2028y"]},
     "a\u2028b\x0cc\x85d\re\nx\u2028y\n".encode()),
]  # fmt: skip


def test_endings_stay(clients: Free, repo: Lab) -> None:
    names = {f"f{number}": row[0] for number, row in enumerate(ENDINGS)}
    repo.commit(dict(names))
    one = clients()
    one.open(*names)
    for name, (before, write, after) in zip(names, ENDINGS, strict=True):
        read = one.call("file.read", path=name)
        text = before.decode().removeprefix("\ufeff").replace("\r\n", "\n")
        assert "\n".join(read["lines"]) + "\n" * read["trailing_newline"] == text
        one.call("file.write", path=name, **write)
        assert b"\n".join(line.encode() for line in one.lines(name)) == (
            after.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").removesuffix(b"\n")
        )
    one.call("session.flush")
    assert {name: repo.read(name) for name in names} == {
        name: row[2] for name, row in zip(names, ENDINGS, strict=True)
    }


def test_replacements(clients: Free, repo: Lab) -> None:
    repo.commit({"f": "a b\nb a b\nc\n", "crlf": "a\r\nb\r\nc\r\n", "é": "ß\n"})
    one = clients()
    one.open("f", "crlf", "é")
    one.refused(-32001, "ambiguous", "file.str_replace", path="f", old_str="b", new_str="x")
    one.refused(-32001, "no-match", "file.str_replace", path="f", old_str="z", new_str="x")
    one.refused(-32602, "bad-op", "file.str_replace", path="f", old_str="", new_str="x")
    told = one.call("file.str_replace", path="f", old_str="b", new_str="x\ny", replace_all=True)
    assert told == {"edits_pending": 1, "match_line": 0, "match_count": 3}
    told = one.call("file.str_replace", path="f", old="c\n", new="")
    assert told == {"edits_pending": 2, "match_line": 5, "match_count": 1}
    assert one.lines("f") == ["a x", "y", "x", "y a x", "y"]
    told = one.call("file.str_replace", path="crlf", old="b\nc", new="d\ne")
    assert (told["match_line"], one.lines("crlf")) == (1, ["a", "d", "e"])
    assert one.call("file.str_replace", path="é", old="ß", new="雪")["match_line"] == 0
    one.call("session.flush")
    assert repo.read("crlf") == b"a\r\nd\r\ne\r\n"
    assert repo.read("é") == "雪\n".encode()


def test_a_batch_is_all_or_nothing(clients: Free) -> None:
    one = clients()
    one.open("ten")
    ops = [
        {"method": "file.write", "path": "ten", "start": 0, "end": 1, "content": "zero"},
        {"method": "file.read", "path": "ten", "count": 2},
        {"method": "file.str_replace", "path": "ten", "old": "zero", "new": "0"},
        {"method": "file.str_replace", "path": "ten", "old": "absent", "new": "0"},
    ]
    told = one.refused(-32001, "no-match", "batch", ops=ops)
    assert told["data"]["ops"][0]["index"] == 3
    assert one.call("file.read", path="ten", count=1) == {
        "lines": ["line 0"], "cursor": 1, "trailing_newline": True
    }  # fmt: skip
    done = one.call("batch", ops=ops[:3])
    assert done[1]["lines"] == ["line 1", "line 2"], "the cursor is where it was"
    assert done[2] == {"edits_pending": 2, "match_line": 0, "match_count": 1}
    assert one.call("batch", ops=[]) == []
    one.refused(-32602, "usage", "batch", ops=[{"method": "session.flush"}])
    one.refused(-32003, "too-large", "batch", ops=[ops[1]] * 1001)
    assert one.lines("ten", end=1) == ["0"]


# Files that are not as they should be ------------------------------------------------------------


def test_files_that_are_not_there(clients: Free, repo: Lab) -> None:
    before = repo.snapshot()
    one = clients()
    for wrong, code in (("tne", "missing"), ("src", "bad-path"), ("/etc/passwd", "bad-path")):
        error = one.ask("session.open", files=["ten", wrong], repo=str(repo.path))["error"]
        assert error["data"]["code"] == code
    assert repo.snapshot() == before
    assert one.call("session.list") == {"sessions": []}
    assert one.open("new/file", "ten", create=True)["new/file"]["lines"] == 0
    one.call("file.write", path="new/file", content="hello\n")
    one.refused(-32001, "missing", "file.write", path="other", content="hello\n")
    one.call("session.flush")
    assert repo.read("new/file") == b"hello\n"
    assert (repo.path / "new/file").stat().st_mode & 0o777 == 0o644


def test_a_file_is_read_as_it_stands_on_the_disk(clients: Free, repo: Lab) -> None:
    repo.write("ten", TEN.replace("line 3", "mine"))
    repo.write("untracked", "new\n")
    one = clients()
    one.open("ten", "untracked")
    assert one.lines("ten", start=3, end=4) == ["mine"]
    one.call("file.write", path="ten", start=7, end=8, content="seven")
    one.call("file.str_replace", path="untracked", old="new", new="newer")
    one.call("session.flush")
    assert repo.read("ten").decode() == TEN.replace("line 3", "mine").replace("line 7", "seven")
    assert repo.read("untracked") == b"newer\n"


def test_what_is_no_text_is_left_alone(clients: Free, repo: Lab) -> None:
    repo.commit({"latin": b"caf\xe9\n"})
    one = clients()
    error = one.ask("session.open", files=["latin"])["error"]
    assert error["data"]["code"] == "encoding"
    assert one.call("session.list") == {"sessions": []}


# Several at once ---------------------------------------------------------------------------------


def test_two_sessions_on_one_line(clients: Free, repo: Lab) -> None:
    one, two = clients(), clients()
    for client, text in ((one, "one"), (two, "two")):
        client.open("ten", name=text)
        client.lines("ten")
        client.call("file.write", path="ten", start=5, end=6, content=text)
    others = two.call("file.read", path="ten")["other_sessions"]
    assert others == [{"session": "one", "dirty_ranges": [[5, 6]]}]
    one.call("session.flush")
    before = repo.snapshot()
    (row,) = two.conflict()
    assert (row["path"], row["code"], row["by_session"]) == ("ten", "dirty", "one")
    assert (row["your_edits"], row["conflicting_edits"]) == ([[5, 6]], [[5, 6]])
    assert "force" in row["hint"]
    assert repo.snapshot() == before
    two.refused(404, "session-missing", "session.flush", session_id="three")
    assert two.ask("session.open", files=["ten"], name="two")["error"]["code"] == 409
    two.call("session.flush", force=True)
    assert repo.read("ten").decode() == TEN.replace("line 5", "two")
    repo.slip("undo", "-s", "two")
    two.call("session.flush")
    assert repo.read("ten").decode() == TEN.replace("line 5", "one")


def test_other_lines_are_merged_after_a_refusal(clients: Free, repo: Lab) -> None:
    one, two = clients(), clients()
    for client, number in ((one, 2), (two, 7)):
        client.open("ten", name=f"s{number}")
        client.lines("ten")
        client.call("file.write", path="ten", start=number, end=number + 1, content="mine")
    one.call("session.flush")
    assert two.conflict()[0]["conflicting_edits"] == [[2, 3]]
    two.open("ten", name="s7")
    two.call("session.flush")
    merged = TEN.replace("line 2", "mine").replace("line 7", "mine")
    assert repo.read("ten").decode() == merged


def test_a_person_who_edits_meanwhile_is_not_written_over(clients: Free, repo: Lab) -> None:
    one = clients()
    one.open("ten", "README.md")
    one.call("file.write", path="ten", content="mine\n")
    one.call("file.write", path="README.md", content="mine\n")
    repo.write("ten", "theirs\n")
    before = repo.snapshot()
    (row,) = one.conflict()
    assert (row["path"], row["by_session"]) == ("ten", None)
    assert repo.snapshot() == before, "all or nothing"
    assert one.conflict("session.close", flush=True)[0]["path"] == "ten"
    told = one.call("session.flush", force=True)
    assert [file["path"] for file in told["files_written"]] == ["README.md", "ten"]
    repo.slip("undo")
    repo.slip("flush")
    assert (repo.read("ten"), repo.read("README.md")) == (b"theirs\n", b"mine\n")


def test_a_deleted_file_is_a_change_too(clients: Free, repo: Lab) -> None:
    one = clients()
    one.open("ten")
    one.call("file.write", path="ten", content="mine\n")
    (repo.path / "ten").unlink()
    assert one.conflict()[0]["path"] == "ten"
    one.call("session.flush", force=True)
    assert repo.read("ten") == b"mine\n"


def test_a_commit_by_others_and_the_way_on(clients: Free, repo: Lab) -> None:
    one, two = clients(), clients()
    for client, number in ((one, 2), (two, 7)):
        client.open("ten", name=f"s{number}")
        client.call("file.write", path="ten", start=number, end=number + 1, content="mine")
    repo.commit({"ten": TEN.replace("line 7", "theirs")})
    assert one.conflict()[0]["conflicting_edits"] == [[7, 8]]
    one.open("ten", name="s2")
    one.call("session.flush")
    assert repo.read("ten").decode() == TEN.replace("line 2", "mine").replace("line 7", "theirs")
    before = repo.snapshot()
    (row,) = two.conflict(message="Mine")
    assert (row["path"], row["code"], row["conflicting_edits"]) == ("ten", "conflict", [[7, 8]])
    assert "slip rebase" in row["hint"]
    assert repo.snapshot() == before
    one.call("session.flush", message="Mine")
    assert repo.git("status", "--porcelain") == ""


def test_clients_of_one_session_do_not_write_over_each_other(clients: Free) -> None:
    one, two = clients(), clients()
    for client in (one, two):
        client.open("ten", name="shared")
        client.lines("ten")
    one.call("file.write", path="ten", start=0, end=1, content=["a", "b", "c"])
    two.call("file.write", path="ten", start=5, end=6, content="five")
    two.refused(409, "stale", "file.write", path="ten", start=7, end=8, content="seven")
    two.lines("ten")
    two.call("file.write", path="ten", start=9, end=10, content="seven")
    one.refused(409, "stale", "batch", ops=[
        {"method": "file.write", "path": "ten", "start": 5, "end": 6, "content": "mine"}
    ])  # fmt: skip
    assert one.lines("ten") == [
        "a", "b", "c", "line 1", "line 2", "line 3", "line 4", "five", "line 6", "seven",
        "line 8", "line 9",
    ]  # fmt: skip


def test_clients_at_once(clients: Free, repo: Lab) -> None:
    def work(number: int) -> None:
        one = clients()
        one.open("ten", name=f"n{number}")
        for round_ in range(5):
            text = f"{number} {round_}"
            one.lines("ten")
            one.call("batch", ops=[
                {"method": "file.write", "path": "ten", "start": number, "end": number + 1,
                 "content": text},
                {"method": "file.str_replace", "path": "ten", "old": text, "new": text + "!"},
            ])  # fmt: skip
        one.open(name=f"n{number}")
        one.call("session.flush", message=f"n{number}")
        one.call("session.close")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, (0, 3, 6, 9)))
    assert repo.read("ten").decode().split("\n")[:-1] == [
        f"{n} 4!" if n % 3 == 0 else f"line {n}" for n in range(10)
    ]
    assert repo.git("status", "--porcelain") == ""


# The server's own end ----------------------------------------------------------------------------


def test_a_session_outlives_its_server(place: Place, repo: Lab) -> None:
    repo.commit({"ten": TEN})
    server = place.start("--repo", str(repo.path))
    one = Client(place.line())
    one.open("ten")
    one.call("file.write", path="ten", start=1, end=2, content="kept")
    server.kill()
    server.wait()
    place.start()
    two = Client(place.line())
    two.session = one.session
    two.refused(404, "session-missing", "session.flush")
    assert two.lines("ten", repo=str(repo.path), end=2) == ["line 0", "kept"]
    (row,) = two.call("session.list")["sessions"]
    assert (row["session_id"], row["dirty_count"], row["files"]) == (one.session, 1, ["ten"])
    two.call("file.write", path="ten", start=2, end=3, content="new")
    told = two.call("session.flush")
    assert told["files_written"] == [{"path": "ten", "edits_applied": 2}]
    assert repo.read("ten").decode() == TEN.replace("line 1", "kept").replace("line 2", "new")


def test_one_name_in_two_repositories(place: Place, ground: Ground, repo: Lab) -> None:
    other = ground.repository("other")
    place.start()
    one, two, three = (Client(place.line()) for _ in range(3))
    one.open(str(repo.path / "README.md"), name="work")
    two.open("README.md", name="work", repo=str(other.path))
    for client, text in ((one, "one\n"), (two, "two\n")):
        client.call("file.write", path="README.md", content=text)
        client.call("session.flush")
    assert (repo.read("README.md"), other.read("README.md")) == (b"one\n", b"two\n")
    three.refused(-32602, "usage", "session.flush", session_id="work")
    assert len(three.call("session.list")["sessions"]) == 2
    three.call("session.close", session_id="work", repo=str(other.path))
    assert [row["files"] for row in three.call("session.list")["sessions"]] == [["README.md"]]


# What is asked wrongly ---------------------------------------------------------------------------

WRONG: list[tuple[str, Json, str]] = [
    ("session.open", {"files": "ten"}, "list"),
    ("session.open", {"files": ["ten"], "nmae": "a"}, "did you mean name"),
    ("session.open", {}, "needs files"),
    ("session.open", {"files": [], "name": "../x"}, "x"),
    ("session.flush", {"session_id": "a", "froce": True}, "did you mean force"),
    ("session.flush", {"session_id": "a", "force": 1}, "true or false"),
    ("file.read", {"session_id": "a", "path": "ten", "start": -1}, "from 0 up"),
    ("file.read", {"session_id": "a", "path": "ten", "start": 2, "end": 1}, "before start"),
    ("file.read", {"session_id": "a", "path": "ten", "end": 2, "count": 1}, "not both"),
    ("file.write", {"session_id": "a", "path": "ten"}, "needs content"),
    ("file.write", {"session_id": "a", "path": "ten", "content": ["a\nb"]}, "line end"),
    ("file.write", {"session_id": "a", "path": "ten", "content": "", "lines": ""}, "twice"),
    ("file.str_replace", {"session_id": "a", "path": "ten", "old": "a", "new": None}, "new_str"),
    ("batch", {"session_id": "a", "ops": [1]}, "object"),
    ("batch", {"session_id": "a", "ops": [{"method": "file.read", "path": "x", "q": 1}]}, "'q'"),
]


def test_fields_are_checked(clients: Free, repo: Lab) -> None:
    one = clients()
    one.open("ten", name="a")
    before = repo.refs()
    for method, params, said in WRONG:
        error = one.ask(method, **params)["error"]
        assert error["code"] == -32602, (method, params)
        assert said in error["message"], (method, params, error)
        assert error["data"]["code"] in ("usage", "bad-name")
    assert one.ask("file.delete", path="ten")["error"]["code"] == -32601
    one.line.say(b'{"method": "session.list"\n')
    assert one.line.hear()["error"]["code"] == -32700
    one.line.say(b'{"method": "list", "params": {}}\n')
    assert one.line.hear()["error"]["code"] == -32600, "slip's own methods are JSON-RPC alone"
    assert repo.refs() == before


def test_limits_have_their_number(place: Place, repo: Lab) -> None:
    place.start("--repo", str(repo.path), "--rate", "2")
    one = Client(place.line())
    one.open("README.md", name="a")
    repo.git("config", "slip.maxBatchBytes", "20")
    one.refused(-32003, "too-large", "file.write", path="README.md", content="x" * 100)
    codes = {
        reply["error"]["code"] for _ in range(9) if "error" in (reply := one.ask("session.list"))
    }
    assert codes == {-32003}


def test_a_path_that_leads_out_is_no_file(clients: Free, repo: Lab) -> None:
    (repo.path / "out").symlink_to("/etc")
    (repo.path / "inner").symlink_to("src")
    for wrong in ("out/passwd", "inner/app.py", "../repo/ten", ".git/config"):
        error = clients().ask("session.open", files=[wrong])["error"]
        assert error["data"]["code"] in ("missing", "bad-path"), wrong
    one = clients()
    one.open(str(repo.path / "inner" / "app.py"))
    assert one.lines("src/app.py")[0] == "def main():"
