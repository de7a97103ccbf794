"""The command line as programs use it: one JSON object, a code, an exit status, and the bytes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from slipstream_git.errors import EXIT_STATUS
from tests.desk import batch, delete, replace, write
from tests.lab import Ground, Lab, slip_command, slip_environment, typed

TIP = "refs/slip/sessions/work"


@pytest.fixture
def work(repo: Lab) -> Lab:
    repo.slip("begin", "work")
    return repo


def test_begin_prints_its_name_alone(repo: Lab) -> None:
    assert repo.slip("begin").out == b"s1\n"
    assert repo.slip("begin", "work").out == b"work\n"


def test_a_day_in_ten_commands(repo: Lab) -> None:
    name = repo.slip("begin").text.strip()
    env = {"SLIP_SESSION": name}
    repo.slip("apply", stdin=batch(write("a", "1\n")), env=env)
    repo.slip("write", "b", stdin=b"\0\xff", env=env)
    repo.slip("sub", "Demo", "demo", "*.md", "--expect", "1", env=env)
    repo.slip("mv", "src/app.py", "app.py", env=env)
    repo.slip("rm", "b", env=env)
    repo.slip("undo", env=env)
    assert repo.slip_json("status", env=env).json["steps"] == 4
    repo.slip("commit", "-m", "Subject", "-m", "Body", env=env)
    assert repo.tree() == {
        "README.md": b"# demo\n", "a": b"1\n", "app.py": b"def main():\n    return 1\n",
        "b": b"\0\xff",
    }  # fmt: skip
    assert repo.git("log", "-1", "--format=%B") == "Subject\n\nBody\n"
    assert repo.slip_json("commit", "-m", "again", env=env).json["already"] is True


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (["apply"], b"", "bad-json"),
        (["apply"], b"[{}]", "bad-op"),
        (["apply", "--format", "diff"], b"nothing", "bad-patch"),
        (["apply"], batch(delete("none")), "missing"),
        (["apply"], batch(replace("README.md", "x", "y"), delete("none")), "batch"),
        (["apply", "--format", "xml"], b"[]", "usage"),
        (["apply", "--no-such-option"], b"[]", "usage"),
        (["no-such-command"], b"", "usage"),
        (["begin", "a/b"], b"", "bad-name"),
        (["begin", "work"], b"", "session-exists"),
        (["status", "-s", "none"], b"", "session-missing"),
        (["sub", "zzz", "y"], b"", "no-match"),
        (["sub", "m", "y", "--expect", "1"], b"", "ambiguous"),
        (["read", "README.md:9"], b"", "out-of-range"),
        (["write", "../x"], b"", "bad-path"),
        (["undo"], b"", "missing"),
        (["commit"], b"", "usage"),
        (["-C", "nowhere", "status"], b"", "git-failed"),
        (["merge-tree", "a", "b", "c"], b"", "missing"),
    ],
)
def test_codes_and_their_exit_statuses(
    work: Lab, arguments: list[str], stdin: bytes, code: str
) -> None:
    before, refs = work.snapshot(), work.refs()
    refused = work.slip_json(*arguments, stdin=stdin, expect=None)
    assert refused.error["code"] == code
    assert refused.status == EXIT_STATUS[code]
    assert set(refused.error) == {"code", "message", "hint", "data"}
    assert "\n" not in refused.error["message"]
    assert (work.snapshot(), work.refs()) == (before, refs)
    told = work.slip(*arguments, stdin=stdin, expect=refused.status)
    assert told.out == b""
    assert told.err.startswith(b"slip: ")


def test_conflict_is_exit_three(work: Lab) -> None:
    work.slip("apply", stdin=batch(replace("README.md", "Demo", "theirs")))
    work.commit({"README.md": "# ours\n"})
    refused = work.slip_json("commit", "-m", "x", expect=3)
    assert refused.error["data"]["files"][0]["path"] == "README.md"


def test_global_options_stand_before_and_after_the_command(work: Lab, ground: Ground) -> None:
    elsewhere = ground.place
    for arguments in (
        ["-C", str(work.path), "--json", "status"],
        ["status", "--json", "-C", str(work.path)],
        ["--json", "status", f"-C{work.path}"],
    ):
        reply = work.slip(*arguments, cwd=elsewhere)
        assert reply.json["session"] == "work"


@pytest.mark.parametrize(
    "batch_text",
    [
        batch(replace("README.md", "Demo", "demo")),
        b'{"op":"str_replace","path":"README.md","old":"Demo","new":"demo"}\n',
        b"--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-# Demo\n+# demo\n",
        b"*** Begin Patch\n*** Update File: README.md\n@@\n-# Demo\n+# demo\n*** End Patch\n",
        b"README.md\n<<<<<<< SEARCH\n# Demo\n=======\n# demo\n>>>>>>> REPLACE\n",
    ],
    ids=["json", "jsonl", "diff", "v4a", "blocks"],
)
def test_every_format_makes_the_same_tree(work: Lab, batch_text: bytes) -> None:
    work.slip("apply", "-", stdin=batch_text)
    assert work.tree(TIP)["README.md"] == b"# demo\n"


def test_a_git_diff_goes_through_apply_unchanged(work: Lab) -> None:
    """All that `git diff --binary --full-index -M -C` prints."""
    work.git("checkout", "--quiet", "-b", "other")
    work.commit(
        {
            "moved/app.py": work.read("src/app.py") + b"# more\n", "src/app.py": None,
            'caf\u00e9 "q"': "1\n", "bin": bytes(range(256)) * 20, "empty": b"",
            "README.md": b"# Demo\r\nno end",
        }
    )  # fmt: skip
    work.git("update-index", "--chmod=+x", "README.md")
    work.git("commit", "--quiet", "-m", "mode")
    diff = work.git_bytes("diff", "--binary", "--full-index", "-M", "-C", "main", "other")
    work.slip("apply", "-s", "work", stdin=diff)
    assert work.oid(f"{TIP}^{{tree}}") == work.oid("other^{tree}")


def test_a_batch_from_a_file_and_in_the_argument(work: Lab, ground: Ground) -> None:
    file = ground.place / "batch.json"
    file.write_bytes(batch(write("a", "1\n")))
    work.slip("apply", str(file))
    assert work.tree(TIP)["a"] == b"1\n"
    assert work.slip_json("apply", "no such file", expect=2).error["code"] == "usage"


def test_names_that_begin_with_a_dash_reach_no_git_option(work: Lab) -> None:
    ops = write("--all", "1\n"), write("-x/-y", "1\n"), write("--output=out", "1\n")
    work.slip("apply", stdin=batch(*ops))
    work.slip("sub", "1", "2", "--", "--all", "/-x/")
    work.slip("read", "--", "--all", "-x/-y")
    for rev in ("--all", "--output=out", "-h"):
        assert work.slip_json("read", f"--rev={rev}", "README.md", expect=1).error
        assert work.slip_json("begin", f"--base={rev}", expect=1).error["code"] == "missing"
    work.slip("commit", "-m", "--amend")
    assert work.git("log", "-1", "--format=%s") == "--amend"
    work.write("--all", "captured\n")
    work.slip("begin", "again")
    work.slip("capture", "-s", "again", "--", "--all")
    work.slip("commit", "-s", "again", "-m", "capture")
    assert work.tree()["--all"] == b"captured\n"
    assert set(work.refs("refs/heads/")) == {"refs/heads/main"}


def test_slip_inside_a_hook_of_git_is_not_led_astray(work: Lab, ground: Ground) -> None:
    """git sets GIT_DIR and GIT_INDEX_FILE for its hooks and aliases."""
    index = ground.place / "other-index"
    env = {"GIT_DIR": str(work.path / ".git"), "GIT_INDEX_FILE": str(index)}
    work.slip("apply", stdin=batch(write("a", "1\n")), env=env)
    assert work.tree(TIP)["a"] == b"1\n"
    work.slip("commit", "-m", "land", env={"GIT_INDEX_FILE": str(index)})
    assert not index.exists()
    assert work.git("status", "--porcelain") == ""


def test_exec_from_the_command_line(repo: Lab) -> None:
    ops = batch(write("a", "1\n"))
    reply = repo.slip_json(
        "exec", "--ops", "-", "--read", "README.md", "--read-all", "-m", "Land", stdin=ops
    )
    assert set(reply.json) >= {"ok", "reads", "apply", "commit"}
    assert repo.oid("main") == reply.json["commit"]["commit"]
    assert [row["path"] for row in reply.json["reads"]] == ["README.md", "a"]


def test_merge_tree_from_the_command_line(repo: Lab) -> None:
    reply = repo.slip_json("merge-tree", "main", "main", "main")
    assert reply.json["clean"] is True
    assert reply.json["tree"] == repo.oid("main^{tree}")


def test_recover_from_the_command_line(repo: Lab) -> None:
    assert repo.slip_json("recover").json == {"ok": True, "intents": []}


def test_a_path_of_a_subdirectory_is_told_where_paths_start(work: Lab) -> None:
    src = work.path / "src"
    said = " (paths start at the root of the repository, not in src)"
    for words in (("read", "app.py:1-1"), ("rm", "app.py"), ("mv", "app.py", "b"),
                  ("resolve", "app.py", "--ours")):  # fmt: skip
        message = work.slip_json(*words, cwd=src, expect=1).error["message"]
        assert message.endswith(said), message
        assert said in work.slip_json("-C", "src", *words, expect=1).error["message"]
        assert said not in work.slip_json(*words, expect=1).error["message"]
    assert (
        said not in work.slip_json("read", "-s", "nobody", "x", cwd=src, expect=1).error["message"]
    )


def test_an_option_of_the_users_command_goes_behind_dashes(work: Lab) -> None:
    error = work.slip_json("run", "-s", "work", "ls", "--color", expect=2).error
    assert error["message"] == "slip run has no option --color; a command's own go behind --"
    assert error["hint"] == "slip --json run -s work -- ls --color"
    typed(error["hint"], work.path)
    error = work.slip_json("run", "--timeout", "5", "echo", "-s", "work", "--x=1", expect=2).error
    assert error["hint"] == "slip --json run --timeout 5 -- echo -s work --x=1"
    # What stands before the command, or behind the dashes, is no option of it.
    assert work.slip_json("run", "--nope", "ls", expect=2).error["hint"] == "slip run --help"
    assert "Usage: slip run [OPTIONS] -- CMD…" in work.slip("run", "--help").text


def test_a_batch_that_is_sent_twice(work: Lab) -> None:
    """As `slip apply --help` tells."""
    oid = work.git("rev-parse", "HEAD:README.md")
    insert = {"op": "insert", "path": "README.md", "after_line": 0, "text": "top\n"}
    for _ in range(2):
        work.slip("apply", stdin=batch({**insert, "oid": oid}))
    assert work.slip("read", "README.md").text.count("top") == 1
    work.slip("apply", stdin=batch(insert))
    assert work.slip("read", "README.md").text.count("top") == 2


def test_output_is_sorted_and_steady(work: Lab) -> None:
    work.slip("apply", stdin=batch(*(write(name, "x") for name in "zyxab")))
    paths = [row["path"] for row in work.slip_json("status").json["changes"]]
    assert paths == sorted(paths)
    assert json.loads(work.slip("--json", "status").out) == work.slip_json("status").json


def test_an_answer_that_cannot_be_written_is_not_called_a_failure(repo: Lab) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            slip_command("begin", "work"), cwd=repo.path, env=slip_environment(), stdout=full,
            stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"begin is done, but its answer cannot be written: No space left" in done.stderr
    assert "refs/slip/sessions/work" in repo.refs()
