"""`slip commit --push` of several commits: a series, and a branch that a bot makes anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab import Lab
from tests.sharing.hubs import Hub, hook, push
from tests.sharing.test_pushing import OTHERS_FIRST, sessions, waiting

BOT = ("--onto", "bot/x", "--bot-branch", "rebase", "--series")
DATE = ("--date", "@1767323045 +0000", "--committer-date-is-author-date")


def labelled(lab: Lab, name: str, **parts: str) -> None:
    lab.slip("begin", name)
    for label, content in parts.items():
        lab.slip("write", f"{label}.txt", "-s", name, "--group", label, stdin=content.encode())


def test_every_commit_lands_there_and_here(hub: Hub) -> None:
    one = hub.clone("one")
    labelled(one, "s1", first="1\n", second="2\n")
    theirs = hub.commit({"theirs": "x\n"}, "theirs")
    reply = push(one, "s1", "--series").json
    assert hub.subjects() == ["theirs", "first", "second"]
    assert reply["commits"] == [hub.lab.oid("main~"), hub.lab.oid("main")]
    assert reply["commit"] == one.oid("main") == one.oid("origin/main")
    assert hub.lab.oid("main~2") == theirs
    assert one.git("status", "--porcelain") == ""
    assert sessions(one) == []
    assert waiting(one) == []
    notes = [
        json.loads(one.git("notes", "--ref=slip/landed", "show", oid)) for oid in reply["commits"]
    ]
    assert [(note["group"], note["steps"]) for note in notes] == [("first", [1]), ("second", [2])]


def test_all_of_a_series_is_merged_again_where_others_were_faster(hub: Hub) -> None:
    one, two = hub.clone("one"), hub.clone("two")
    labelled(one, "s1", first="1\n", second="2\n")
    hook(one, "pre-push", OTHERS_FIRST.format(times=2, other=two.path))
    reply = push(one, "s1", "--series").json
    assert reply["pushed"]["tries"] == 3
    assert hub.subjects() == ["other 0", "other 1", "first", "second"]
    assert hub.is_linear()


def test_a_dry_run_moves_nothing(hub: Hub) -> None:
    one = hub.clone("one")
    labelled(one, "s1", first="1\n", second="2\n")
    before = one.refs("refs/heads/"), sessions(one), hub.lab.refs()
    reply = push(one, "s1", "--series", "--dry-run").json
    assert [row["subject"] for row in reply["series"]] == ["first", "second"]
    assert (one.refs("refs/heads/"), sessions(one), hub.lab.refs()) == before


def run_bot(hub: Hub, name: str, **parts: str) -> tuple[Lab, dict[str, Any]]:
    """A bot's run in a clone of its own."""
    return run_bot_in(hub.clone(name), **parts)


def run_bot_in(lab: Lab, **parts: str) -> tuple[Lab, dict[str, Any]]:
    lab.git("config", "user.name", "Bot")
    lab.git("config", "user.email", "bot@example.com")
    lab.slip("begin", "codemod", "--base", "main")
    for label, content in parts.items():
        write = ("write", f"{label}.txt", "-s", "codemod", "--group", label)
        lab.slip(*write, stdin=content.encode())
    return lab, push(lab, "codemod", *BOT, *DATE).json


def test_a_bots_branch_is_made_there_and_made_anew(hub: Hub) -> None:
    first, made = run_bot(hub, "first", a="1\n", b="2\n")
    assert made["commit"] == hub.lab.oid("bot/x") == first.oid("bot/x")
    assert hub.lab.oid("bot/x~2") == hub.lab.oid("main")
    # Nothing new: nothing moves, and the ids are the same.
    _, again = run_bot(hub, "again", a="1\n", b="2\n")
    assert (again["already"], again["commits"]) == (True, made["commits"])
    # The base has moved on: so does the branch, which is no fast-forward.
    hub.commit({"new": "x\n"}, "theirs")
    third, anew = run_bot(hub, "third", a="1\n", b="3\n")
    assert anew["commit"] == hub.lab.oid("bot/x") == third.oid("bot/x")
    assert hub.lab.oid("bot/x~2") == hub.lab.oid("main")
    assert hub.lab.git("log", "--format=%s", "main..bot/x").splitlines() == ["b", "a"]


def test_what_people_pushed_to_a_bots_branch_stays_on_top(hub: Hub) -> None:
    run_bot(hub, "first", a="1\n", b="2\n")
    person = hub.clone("person")
    person.git("checkout", "-q", "bot/x")
    fix = person.commit({"fix": "x\n"}, "a person's fix")
    person.git("push", "-q")
    hub.commit({"new": "x\n"}, "theirs")
    lab, anew = run_bot(hub, "second", a="1\n", b="2\n")
    assert hub.lab.git("log", "--format=%s", "main..bot/x").splitlines() == [
        "a person's fix", "b", "a",
    ]  # fmt: skip
    assert anew["kept"] == [hub.lab.oid("bot/x")]
    assert hub.lab.oid("bot/x") == lab.oid("bot/x") != fix
    assert hub.lab.git("log", "-1", "--format=%an", "bot/x") == "person"
    refused = hub.clone("third")
    refused.git("config", "user.email", "bot@example.com")
    labelled(refused, "codemod", a="9\n")
    before = hub.lab.refs()
    reply = push(
        refused, "codemod", "--onto", "bot/x", "--bot-branch", "refuse", "--series", expect=1
    )
    assert reply.error["code"] == "exists"
    assert reply.error["data"]["commits"] == [hub.lab.oid("bot/x")]
    assert hub.lab.refs() == before


def test_one_begun_on_an_older_base_takes_no_commit_of_it_for_a_persons(hub: Hub) -> None:
    hub.clone("old")
    hub.commit({"new": "x\n"}, "theirs")
    run_bot(hub, "first", a="1\n", b="2\n")
    person = hub.clone("person")
    person.git("checkout", "-q", "bot/x")
    person.commit({"fix": "x\n"}, "a person's fix")
    person.git("push", "-q")
    hub.commit({"newest": "x\n"}, "theirs, too")
    old = Lab(hub.ground.place / "old")
    base = old.oid("main")
    _, anew = run_bot_in(old, a="1\n", b="3\n")
    assert hub.lab.git("log", "--format=%s", f"{base}..bot/x").splitlines() == [
        "a person's fix", "b", "a",
    ]  # fmt: skip
    assert anew["kept"] == [hub.lab.oid("bot/x")]


def test_what_no_other_branch_has_is_a_persons_wherever_it_stands(hub: Hub) -> None:
    run_bot(hub, "first", a="1\n")
    base = hub.lab.oid("main")
    person = hub.clone("person")
    person.git("checkout", "-q", "-b", "work", "main")
    person.commit({"fix": "x\n"}, "a person's fix")
    person.git("-c", "user.email=bot@example.com", "cherry-pick", "origin/bot/x")
    person.git("push", "-q", "--force", "origin", "work:bot/x")
    run_bot(hub, "second", a="2\n")
    assert hub.lab.git("log", "--format=%s", f"{base}..bot/x").splitlines() == [
        "a person's fix", "a",
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["1\n", "2\n"])
def test_one_that_was_deleted_there_is_pushed_again(hub: Hub, content: str) -> None:
    bot, _ = run_bot(hub, "bot", a="1\n")
    bot.git("checkout", "-q", "bot/x")
    hub.lab.git("branch", "-q", "-D", "bot/x")
    _, again = run_bot_in(bot, a=content)
    assert hub.lab.oid("bot/x") == bot.oid("bot/x") == again["commit"]
    assert hub.lab.tree("bot/x")["a.txt"] == content.encode()
    assert again["pushed"]["remote"] == "origin"
    assert bot.git("status", "--porcelain") == ""
    assert (sessions(bot), waiting(bot)) == ([], [])


def test_people_stay_on_one_that_was_deleted_there(hub: Hub) -> None:
    bot, _ = run_bot(hub, "bot", a="1\n")
    bot.git("checkout", "-q", "bot/x")
    bot.git("config", "user.email", "ada@example.com")
    bot.commit({"fix": "x\n"}, "a person's fix")
    hub.lab.git("branch", "-q", "-D", "bot/x")
    run_bot_in(bot, a="2\n")
    assert hub.lab.git("log", "--format=%s", "main..bot/x").splitlines() == ["a person's fix", "a"]
    assert hub.lab.oid("bot/x") == bot.oid("bot/x")
