"""`--bot-branch`: a branch that a bot makes anew, and that people work on, too."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from tests.changes.test_series import TEXT, changed
from tests.desk import Desk, Free, Json, batch, replace, write
from tests.lab import Lab
from tests.text import secret_corpus as corpus

BOT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Mod Bot"), ("EMAIL", "bot@example.com"))
}
ONTO = "bot/mod"
TOKEN = corpus.TOKENS[1].draw(corpus.Drawer(1))
NOTES = "refs/notes/slip/landed"


@pytest.fixture
def bot(desk: Desk) -> Desk:
    desk.lab.commit({"long.txt": TEXT, "b.txt": "b\n"}, "long")
    return desk


def run(desk: Desk, *ops: Json, way: str = "refuse", later: int = 0, **values: Free) -> Json:
    """The bot's job, at some time of its own."""
    values.setdefault("message", ("Do it",))
    dates = {f"GIT_{who}_DATE": f"{1800000000 + later} +0000" for who in ("AUTHOR", "COMMITTER")}
    told = desk.call("exec", ops=batch(*ops or OPS), onto=ONTO, base="main", bot_branch=way,
                     env=BOT | dates, **values)["commit"]  # fmt: skip
    assert isinstance(told, dict)
    return told


OPS = (changed(10, "new"),)


def refused(desk: Desk, code: str, *ops: Json, **values: Free) -> SlipError:
    with pytest.raises(SlipError) as caught:
        run(desk, *ops, **values)
    assert caught.value.code == code, caught.value
    return caught.value


def by_hand(repo: Lab, files: dict[str, bytes | str | None], said: str, branch: str = ONTO) -> str:
    """A person's commit on a branch."""
    repo.git("checkout", "--quiet", branch)
    oid = repo.commit(files, said)
    repo.git("checkout", "--quiet", "main")
    return oid


def subjects(repo: Lab) -> list[str]:
    return repo.git("log", "--reverse", "--format=%s", f"main..{ONTO}").splitlines()


def test_it_is_made_and_run_again_it_stays(bot: Desk) -> None:
    repo = bot.lab
    first = run(bot)
    assert repo.oid(ONTO) == first["commit"]
    assert repo.git("rev-parse", f"{ONTO}^") == repo.oid("main")
    refs = repo.refs()
    for later, series in ((60, False), (3600, False)):
        again = run(bot, later=later, series=series)
        assert (again["committed"], again["already"], again["commit"]) == (
            False, True, first["commit"],
        )  # fmt: skip
        assert repo.refs() == refs
    # A clone has the commits and not the notes.
    repo.git("update-ref", "-d", NOTES)
    assert run(bot, later=7200)["commit"] == first["commit"]


def test_it_is_made_anew_when_the_ops_or_the_base_change(bot: Desk) -> None:
    repo = bot.lab
    first = run(bot)
    second = run(bot, changed(10, "newer"), later=60)
    assert repo.oid(ONTO) == second["commit"] != first["commit"]
    assert subjects(repo) == ["Do it"]
    base = repo.commit({"other.txt": "1\n"}, "main goes on")
    third = run(bot, changed(10, "newer"), later=120)
    assert repo.git("rev-parse", f"{ONTO}^") == base
    assert repo.oid(ONTO) == third["commit"]
    fourth = run(bot, {**changed(10, "x"), "group": "A"}, {**changed(30, "y"), "group": "B"},
                 series=True, later=180)  # fmt: skip
    assert subjects(repo) == ["A", "B"]
    assert run(bot, {**changed(10, "x"), "group": "A"}, {**changed(30, "y"), "group": "B"},
               series=True, later=240)["commits"] == fourth["commits"]  # fmt: skip


def test_peoples_commits_refuse_what_would_make_it_anew(bot: Desk) -> None:
    repo = bot.lab
    run(bot)
    mine = by_hand(repo, {"mine.txt": "1\n"}, "A person's")
    # Nothing new: nothing to refuse, and nothing moves.
    refs = repo.refs()
    assert run(bot, later=60)["already"]
    assert repo.refs() == refs
    fault = refused(bot, "exists", changed(10, "newer"), later=120)
    assert fault.data["commits"] == [mine]
    assert "Ada Test: A person's" in fault.message
    words = shlex.split(fault.hint or "")
    assert words[words.index("--bot-branch") + 1] == "rebase"
    name = str(fault.data["session"])
    assert repo.oid(ONTO) == mine
    assert {ref for ref in repo.refs() if ref not in refs} == {f"refs/slip/sessions/{name}"}
    told = bot.call("commit", session=name, message=("Do it",), onto=ONTO, bot_branch="rebase",
                    env=BOT)  # fmt: skip
    assert len(told["kept"]) == 1


def test_peoples_commits_are_kept_on_top(bot: Desk) -> None:
    repo = bot.lab
    run(bot)
    repo.git("update-ref", "-d", NOTES)
    by_hand(repo, {"mine.txt": "1\n"}, "One")
    text = repo.tree(ONTO)["long.txt"].decode().replace("line 30\n", "mine 30\n")
    by_hand(repo, {"long.txt": text}, "Two")
    repo.commit({"other.txt": "1\n"}, "main goes on")
    told = run(bot, changed(10, "newer"), way="rebase", later=60)
    assert subjects(repo) == ["Do it", "One", "Two"]
    assert repo.oid(ONTO) == told["kept"][-1]
    assert repo.oid(f"{ONTO}~2") == told["commit"]
    assert repo.oid(f"{ONTO}~3") == repo.oid("main")
    tree = repo.tree(ONTO)
    assert tree["mine.txt"] == b"1\n"
    assert b"mine 30" in tree["long.txt"]
    assert b"newer 10" in tree["long.txt"]
    authors = repo.git("log", "--reverse", "--format=%an", f"main..{ONTO}").splitlines()
    assert authors == ["Mod Bot", "Ada Test", "Ada Test"]
    refs = repo.refs()
    assert run(bot, changed(10, "newer"), way="rebase", later=120)["commit"] == told["commit"]
    assert repo.refs() == refs


def test_a_persons_commit_that_does_not_go_with_it_is_a_conflict(bot: Desk) -> None:
    repo = bot.lab
    run(bot)
    text = repo.tree(ONTO)["long.txt"].decode().replace("new 10\n", "mine 10\n")
    mine = by_hand(repo, {"long.txt": text}, "Otherwise")
    fault = refused(bot, "conflict", changed(10, "newer"), way="rebase", later=60)
    assert repo.oid(ONTO) == mine
    assert "Otherwise" in fault.message
    files: Free = fault.data["files"]
    assert [file["path"] for file in files] == ["long.txt"]


def test_a_merge_by_a_person_is_not_picked(bot: Desk) -> None:
    repo = bot.lab
    run(bot)
    repo.commit({"other.txt": "1\n"}, "main goes on")
    repo.git("checkout", "--quiet", ONTO)
    repo.git("merge", "--quiet", "--no-edit", "main")
    repo.git("checkout", "--quiet", "main")
    head = repo.oid(ONTO)
    refused(bot, "unsupported", changed(10, "newer"), way="rebase", later=60)
    assert repo.oid(ONTO) == head


def test_worktrees_that_have_it_checked_out_follow(bot: Desk) -> None:
    repo = bot.lab
    run(bot)
    by_hand(repo, {"mine.txt": "1\n"}, "One")
    linked: Path = repo.path.parent / "linked"
    repo.git("worktree", "add", "--quiet", str(linked), ONTO)
    run(bot, changed(12, "newer"), way="rebase", later=60)
    assert "newer 12" in (linked / "long.txt").read_text()
    assert "line 10\n" in (linked / "long.txt").read_text()
    assert (linked / "mine.txt").exists()
    assert repo.git("-C", str(linked), "status", "--porcelain") == ""
    (linked / "long.txt").write_text("dirty\n")
    head = repo.oid(ONTO)
    refused(bot, "dirty", changed(14, "newest"), way="rebase", later=120)
    assert repo.oid(ONTO) == head
    assert (linked / "long.txt").read_text() == "dirty\n"


def test_what_is_merged_into_the_base_has_nothing_left(bot: Desk) -> None:
    repo = bot.lab
    run(bot)
    repo.git("merge", "--quiet", "--squash", ONTO)
    repo.git("commit", "--quiet", "-m", "Do it (#1)")
    refs = repo.refs()
    assert run(bot, later=60)["committed"] is False
    assert repo.refs() == refs


def test_gates_judge_what_the_branch_comes_to(bot: Desk) -> None:
    """Not the bot's own tree, which a person may have had to mend."""
    repo = bot.lab
    repo.commit({".slip.toml": '[gate.ok]\nrun = "grep -q mended b.txt"\n'}, "gate")
    refused(bot, "gate-failed")
    repo.git("branch", ONTO, "main")
    run(bot, check=False)
    by_hand(repo, {"b.txt": "mended\n"}, "Mend it")
    told = run(bot, changed(12, "newer"), way="rebase", later=60)
    assert len(told["kept"]) == 1
    by_hand(repo, {"b.txt": "broken\n"}, "Break it")
    head = repo.oid(ONTO)
    refused(bot, "gate-failed", changed(14, "newest"), way="rebase", later=120)
    assert repo.oid(ONTO) == head


def test_hooks_stand_on_the_base(bot: Desk) -> None:
    repo = bot.lab
    run(bot)
    log = repo.path.parent / "log"
    hook = repo.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ngit diff --cached --name-only HEAD >> {log}\n")
    hook.chmod(0o755)
    run(bot, replace("b.txt", "b", "bb"), later=60)
    assert log.read_text().split() == ["b.txt"]
    assert run(bot, replace("b.txt", "b", "bb"), later=120)["already"]


def test_how_it_is_asked_for(bot: Desk) -> None:
    refused(bot, "usage", way="overwrite")
    refused(bot, "usage", merge=True)
    bot.begin("s", onto=ONTO, title="Titled")
    bot.apply(write("x", "1\n"), session="s")
    told = bot.call("commit", session="s", onto=ONTO, bot_branch="refuse", dry_run=True, env=BOT)
    assert not told["committed"]
    assert ONTO not in bot.lab.git("branch", "--list")
    told = bot.call("commit", session="s", onto=ONTO, bot_branch="refuse", env=BOT)
    assert bot.lab.message(ONTO) == "Titled\n"
    bot.begin("t", onto=ONTO, title="Titled")
    bot.apply(write("x", "1\n"), session="t")
    again = bot.call("commit", session="t", onto=ONTO, bot_branch="refuse", env=BOT)
    assert (again["already"], again["commit"]) == (True, told["commit"])
    assert not bot.lab.refs("refs/slip/sessions")


def test_a_persons_commit_is_theirs_whoever_the_bot_runs_as(bot: Desk) -> None:
    """By the notes of the clone that made the branch; and what a person lands there by slip."""
    repo = bot.lab
    run(bot)
    repo.git("checkout", "--quiet", ONTO)
    repo.write("hand.txt", "1\n")
    repo.git("add", "hand.txt")
    repo.git("commit", "--quiet", "-m", "By hand", env=BOT)
    repo.git("checkout", "--quiet", "main")
    bot.begin("fix", base=ONTO, onto=ONTO)
    bot.apply(write("fix.txt", "1\n"), session="fix")
    bot.call("commit", session="fix", message=("By slip",), env=BOT)
    told = run(bot, changed(10, "newer"), way="rebase", later=60)
    assert subjects(repo) == ["Do it", "By hand", "By slip"]
    assert len(told["kept"]) == 2
    assert {"hand.txt", "fix.txt"} <= set(repo.tree(ONTO))


def test_what_landed_as_anything_else_is_never_made_anew(bot: Desk) -> None:
    bot.begin("work", onto=ONTO)
    bot.apply(write("landed", "1\n"), session="work")
    landed = bot.call("commit", session="work", message=("by the same hand",), env=BOT)["commit"]
    bot.begin("s", base="main", onto=ONTO)
    bot.apply(write("x", "1\n"), session="s")
    fault = refused_commit(bot, "exists", "refuse")
    assert fault.data["commits"] == [landed]
    told = bot.call("commit", session="s", onto=ONTO, bot_branch="rebase", message=("m",), env=BOT)
    assert told["kept"] == [bot.lab.oid(ONTO)]
    assert bot.lab.tree(ONTO)["landed"] == b"1\n"


def refused_commit(bot: Desk, code: str, way: str) -> SlipError:
    return bot.refused(
        code, "commit", session="s", onto=ONTO, bot_branch=way, message=("m",), env=BOT
    )


def test_it_is_named_and_not_the_one_that_clones_check_out(bot: Desk) -> None:
    bot.begin("s", onto=ONTO)
    bot.apply(write("x", "1\n"), session="s")
    bot.refused("usage", "commit", session="s", bot_branch="rebase", message=("m",), env=BOT)
    bot.lab.git("update-ref", "refs/remotes/origin/main", "main")
    bot.lab.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    fault = bot.refused(
        "usage", "commit", session="s", onto="main", bot_branch="rebase", message=("m",), env=BOT
    )
    assert "clones check out" in fault.message


def test_its_policy_is_asked(bot: Desk) -> None:
    bot.lab.commit({".slip.toml": '[policy]\nprotected = ["x"]\n'})
    bot.lab.git("checkout", "-q", "-b", "side")
    bot.lab.commit({"x": "1\n"})
    bot.lab.git("checkout", "-q", "main")
    bot.call("adopt", branch="side", name="s")
    refused_commit(bot, "policy", "rebase")


def test_gates_judge_it_also_where_a_persons_commit_comes_to_nothing(bot: Desk) -> None:
    bot.lab.commit({".slip.toml": '[gate.a]\nrun = "test ! -e bad"\n'})
    bot.begin("s", onto=ONTO)
    bot.apply(write("x", "1\n"), session="s")
    bot.call("commit", session="s", onto=ONTO, bot_branch="rebase", message=("m",), env=BOT)
    bot.lab.git("checkout", "-q", ONTO)
    bot.lab.commit({"fix": "1\n"})
    bot.lab.git("checkout", "-q", "main")
    before = bot.lab.refs("refs/heads/")
    bot.begin("s", onto=ONTO)
    bot.apply(write("x", "1\n"), write("fix", "1\n"), write("bad", "1\n"), session="s")
    fault = refused_commit(bot, "gate-failed", "rebase")
    assert bot.lab.refs("refs/heads/") == before
    bot.lab.slip(*shlex.split(str(fault.hint))[1:], expect=1)


BUILT_IN = (
    ("secrets", {"b.txt": f"key = '{TOKEN}'\n"}),
    ("secrets", {f"{TOKEN}.txt": "x\n"}),
    ("conflict-markers", {"b.txt": "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n"}),
    ("oversize", {"large": "x" * 201}),
)


@pytest.mark.parametrize(("check", "files"), BUILT_IN)
def test_built_in_checks_see_what_people_added(
    bot: Desk, check: str, files: dict[str, bytes | str | None]
) -> None:
    repo = bot.lab
    repo.commit({".slip.toml": "[policy]\nmax_file_bytes = 200\n"}, "rules")
    run(bot, write("x", "1\n"))
    by_hand(repo, files, "By hand")
    before = repo.refs("refs/heads/")
    # It stays as it is, and so nothing lands.
    assert run(bot, write("x", "1\n"), later=60)["already"]
    fault = refused(bot, "gate-failed", write("x", "2\n"), way="rebase", later=120)
    assert repo.refs("refs/heads/") == before
    assert TOKEN not in str(fault.as_json())
    rows: Free = fault.data["gates"]
    assert [row["name"] for row in rows] == [check]
    assert "added by people" in fault.message
    assert "By hand" in repo.git(*shlex.split(str(fault.hint))[1:])
    told = run(bot, write("x", "2\n"), way="rebase", check=False, later=180)
    assert len(told["kept"]) == 1
    by_hand(repo, dict.fromkeys(files), "Take it out")
    told = run(bot, write("x", "3\n"), way="rebase", later=240)
    assert len(told["kept"]) == 2


def test_gates_of_the_whole_are_told(bot: Desk) -> None:
    """Once, of the tree with people's commits, however many the bot makes."""
    repo = bot.lab
    repo.commit({".slip.toml": '[gate.a]\nrun = "cat b.txt"\n'}, "gate")
    run(bot)
    by_hand(repo, {"b.txt": "by hand\n"}, "By hand")
    ops = ({**changed(10, "x"), "group": "A"}, {**changed(30, "y"), "group": "B"})
    told = run(bot, *ops, way="rebase", series=True, later=60)
    assert [(row["name"], row["status"], row["tail"]) for row in told["gates"]] == [
        ("a", "green", "by hand")
    ]
    note = repo.git("notes", "--ref=slip/gates", "show", f"{ONTO}^{{tree}}")
    assert note.count("\n") == 0
