"""What a search tells, whoever the engine is: everything where that was asked for."""

from __future__ import annotations

import pytest

from tests.desk import Desk
from tests.lab import Lab

STORES: tuple[dict[str, str], ...] = ({}, {"SLIP_STORE": "libgit2"})


@pytest.mark.parametrize("env", STORES)
def test_raw_is_every_line(repo: Lab, env: dict[str, str]) -> None:
    many = b"".join(b"needle %d\n" % n for n in range(700))
    repo.commit({"a": many, "b": many, "c d": many[:50]})
    told = repo.slip("search", "needle", "--raw", env=env).out.splitlines()
    wanted = repo.git_bytes("grep", "-n", "needle", "HEAD").splitlines()
    assert [b"HEAD:" + line for line in told] == wanted


@pytest.mark.parametrize("env", STORES)
def test_pages_of_raw_lines_leave_none_out(repo: Lab, env: dict[str, str]) -> None:
    many = b"".join(b"needle %d\n" % n for n in range(300))
    repo.commit({"a": many, "b": many})
    found: list[tuple[str, int]] = []
    after: list[str] = []
    for _ in range(40):
        asked = ["search", "needle", "--raw", "--max", "70", "--tokens", "300", *after]
        page = repo.slip_json(*asked, env=env).json
        assert len(page["matches"]) <= 70
        found += [(row["path"], row["line"]) for row in page["matches"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert found == [(path, line) for path in "ab" for line in range(1, 301)]


def test_functions_without_a_keyword_are_definitions(repo: Lab) -> None:
    repo.commit(
        {
            "a.c": "void user(void) {\n\treturn addReply(c);\n\tx = addReply(d);\n}\n",
            "b.h": "void addReply(client *c);\n",
            "m.c": "/* what */\nstatic inline reply *addReply(client *c,\n\t\tint n) {\n}\n",
            "tests/t.c": "int addReply(int n) {\n}\n",
            "z.java": "class Z {\n    public void addReply(int n) {\n    }\n}\n",
        }
    )
    told = repo.slip_json("search", "addReply").json["matches"]
    order = list(dict.fromkeys(row["path"] for row in told))
    assert order == ["m.c", "z.java", "tests/t.c", "a.c", "b.h"]


@pytest.mark.parametrize("env", STORES)
def test_names_with_line_ends(repo: Lab, env: dict[str, str]) -> None:
    repo.commit({"a\nb": "some\nline\n", "c": "x\0needle\n", "d": "y" * 9000 + "\n\0needle\n"})
    told = repo.slip_json("search", "needle", "--raw", env=env).json
    assert [(row["path"], row["line"]) for row in told["matches"]] == [("d", 2)]
    told = repo.slip_json("search", "line", "--raw", env=env).json
    assert [(row["path"], row["line"]) for row in told["matches"]] == [('"a\\nb"', 2)]


@pytest.mark.parametrize(
    "words", [["files", "nosuch"], ["search", "x", "nosuch"], ["map", "nosuch"]]
)
def test_paths_that_fit_nothing_are_told(repo: Lab, words: list[str]) -> None:
    assert b"no file of this tree fits nosuch" in repo.slip(*words).err


def test_options_that_mean_nothing_there(repo: Lab) -> None:
    for words in (["--rev", "HEAD", "--untracked"], ["--rev", "HEAD", "--changed"]):
        assert repo.slip_json("files", *words, expect=2).error["code"] == "usage"


def test_attributes_that_no_tree_has_count_as_they_are_now(repo: Lab) -> None:
    """In a process that stays: told, then binary, then told again."""
    repo.commit({"a.txt": "needle\n"})
    desk = Desk(repo, "libgit2")
    place = repo.common_dir / "info" / "attributes"
    named = repo.path.with_name("attributes")
    repo.git("config", "core.attributesFile", str(named))
    for path in (place, named):
        for text, total in ((None, 1), ("*.txt -diff\n", 0), ("*.txt diff\n", 1), (None, 1)):
            path.unlink(missing_ok=True)
            if text is not None:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            assert desk.call("search", pattern="needle")["total"] == total, (path, text)
