"""`[policy]` of each commit of a series: what the next takes back is in the history as well."""

from __future__ import annotations

import shlex

import pytest

from tests.desk import Desk, Free, delete, write
from tests.lab import Content

HUGE = "x" * 50
RULES: dict[str, tuple[str, dict[str, Content | None], str]] = {
    "protected": ('protected = ["*.lock"]', {"a.lock": "1\n"}, "a.lock is protected"),
    "max_files": ("max_files = 2", dict.fromkeys("pqr", "1\n"), "would change 3 files"),
    "max_lines": ("max_lines = 9", {"p": "1\n" * 12}, "would change 12 lines"),
    "max_bytes": ("max_bytes = 45", {"p": HUGE}, "would change 51 bytes"),
    "max_file_bytes": ("max_file_bytes = 45", {"p": HUGE}, "would have 50 bytes"),
}


def adopted(desk: Desk, rule: str, files: dict[str, Content | None]) -> None:
    """A chain whose first commit has these files, and whose second takes them back."""
    repo = desk.lab
    repo.git("checkout", "--quiet", "-b", "work")
    repo.commit(files, "Too much")
    repo.commit(dict.fromkeys(files) | {"kept": "1\n"}, "Less")
    repo.git("checkout", "--quiet", "main")
    repo.commit({".slip.toml": f"[policy]\n{rule}\n"}, "rules")
    desk.call("adopt", branch="work", name="w", onto="main")


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_commit_that_breaks_a_rule_by_itself_is_refused(desk: Desk, name: str) -> None:
    rule, files, said = RULES[name]
    adopted(desk, rule, files)
    before, refs = desk.lab.snapshot(), desk.lab.refs()
    fault = desk.refused("policy", "commit", session="w", series=True, check=False)
    assert (desk.lab.snapshot(), desk.lab.refs()) == (before, refs)
    assert said in fault.message
    assert fault.message.endswith("(in the commit of 'Too much')")
    # As one commit it breaks none, and that is what is proposed.
    words = shlex.split(str(fault.hint))
    assert "--series" not in words
    desk.lab.slip(*words[1:])
    assert desk.lab.tree("main").keys() & {"kept", *files} == {"kept"}
    assert desk.lab.git("log", "--format=%s", "-2", "main").split("\n") == ["MESSAGE", "rules"]


def test_who_may_land_it_may_land_each(desk: Desk) -> None:
    adopted(desk, *RULES["protected"][:2])
    asked: dict[str, Free] = {"session": "w", "series": True}
    told = desk.call("commit", allow_protected=("*.lock",), **asked)
    assert [row["subject"] for row in told["series"]] == ["Too much", "Less"]


def test_what_is_within_the_limits_of_each_lands(desk: Desk) -> None:
    """The limit is of a commit, not of how often its lines change."""
    desk.lab.commit({".slip.toml": "[policy]\nmax_lines = 4\nmax_files = 2\n"})
    desk.begin("s")
    desk.apply(write("a", "1\n2\n"), write("b", "1\n"), session="s", group="A")
    desk.apply(delete("b"), write("a", "1\n3\n"), session="s", group="B")
    told = desk.call("commit", session="s", series=True)
    assert [row["subject"] for row in told["series"]] == ["A", "B"]
