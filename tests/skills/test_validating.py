"""Files of skills that are not as they have to be: every fault at once, and nothing is run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_git.text import frontmatter, skillfiles
from tests.desk import Desk, Free, Json
from tests.lab import Lab, Link

GOOD = """\
---
name: mine
description: Does a thing. Use when it is to be done.
---

## When to use

- Whenever.

## Values

- `old`: a text.

## Guardrails

- Never else.

## Steps

1. **Run.** Look.

   ```sh
   slip search --fixed -- {old}
   ```

2. **Do.** Go on with `slip diff`.

3. **Gate.** Sound.

   ```sh
   slip check
   ```
"""
PLACE = ".slip/skills/mine/SKILL.md"


@pytest.fixture
def desk(repo: Lab) -> Desk:
    return Desk(repo, "git")


def faults(desk: Desk, text: str | bytes, path: str = PLACE) -> list[tuple[int, str]]:
    desk.lab.write(path, text)
    rows = desk.refused("bad-op", "skills", action="validate", name=path).data["faults"]
    assert isinstance(rows, list)
    assert {row["path"] for row in rows} == {str(desk.lab.path / path)}
    return [(row["line"], row["message"]) for row in rows]


def test_a_good_one(desk: Desk) -> None:
    desk.lab.write(PLACE, GOOD)
    for path in (PLACE, ".slip", ".slip/skills/mine"):
        (found,) = desk.call("skills", action="validate", name=path)["files"]
        assert (found["kind"], found["name"]) == ("skill", "mine")


def test_all_faults_at_once_with_their_lines(desk: Desk) -> None:
    text = (
        GOOD.replace("name: mine", "name: Mine!\nmodel: x\ntags: &a [x]")
        .replace("## When to use", "## When")
        .replace("- `old`: a text.", "- old, a text\n- `unused`: nobody asks.")
        .replace("slip search", "slip serach")
        .replace("`slip diff`", "`slip diff --colour`")
        .replace("3. **Gate.** Sound.", "4. **Gate.**")
        .replace("slip check\n", "slip commit -m x\n   slip check\n")
    )
    found = faults(desk, text)
    told = "\n".join(f"{line}: {said}" for line, said in found)
    for wanted in (
        "2: name has at most 64", "3: unknown key model", "4: unknown key tags",
        "4: '&a [x]': put it in quotes", "7: the section When to use is missing",
        "8: unknown section", "14: not `` `name`", "26: {old} is none of the section Values",
        "26: slip has no command serach", "29: `slip diff --colour`: slip diff has no --colour",
        "31: step 4 stands where 3 is", "31: the step does not say what it is for",
        "31: a step `Gate` has one command", "34: slip commit changes something",
        "no command has the value {unused}",
    ):  # fmt: skip
        assert wanted in told, (wanted, told)
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("rm -rf /", "steps run commands of slip"),
        ("sh -c 'echo x'", "steps run commands of slip"),
        ("slip run -- make", "yours to do"),
        ("slip serve", "yours to do"),
        ("slip demo", "yours to do"),
        ("slip skills run mine", "yours to do"),
        ("slip apply ops.json", "yours to do"),
        ("slip exec -m x", "yours to do"),
        ("slip write a", "yours to do"),
        ("slip commit -F file", "takes a file"),
        ("slip diff; rm x", "slip has no command diff;"),
        ("slip diff && rm x", "not as `slip diff` has it"),
        ("slip diff $(rm x)", "not as `slip diff` has it"),
        ("slip -C / diff", "no command -C"),
        ("slip", "no command (none)"),
        ("slip diff '", "cannot be split"),
        ("slip gc --expire", "not as `slip gc` has it"),
    ],
)
def test_what_no_step_may_run(desk: Desk, command: str, said: str) -> None:
    found = faults(desk, GOOD.replace("slip search --fixed -- {old}", command))
    assert any(said in message for _, message in found), found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("---\nname", "name", "the first line is ---"),
        ("done.\n---\n", "done.\n", "no second line ---"),
        ("name: mine", "name: other", "the file is called mine"),
        ("name: mine\n", "", "name is missing"),
        ("name: mine", "name: mine\nname: mine", "stands here twice"),
        ("name: mine", "name:", "has no value"),
        ("name: mine", "name: no", "YAML reads no text there"),
        ("name: mine", "name: 12", "YAML reads no text there"),
        ("name: mine", "name: !!python/object/apply:os.system [x]", "put it in quotes"),
        ("name: mine", "name: *a", "put it in quotes"),
        ("name: mine", "name: |\n  mine", "put it in quotes"),
        ("name: mine", "name: ../../etc", "name has at most 64"),
        ("name: mine", f"name: {'a' * 65}", "name has at most 64"),
        ("Does a thing", "x" * 1025, "at most 1024"),
        ("Does a thing", "Does \x1b[2J a thing", "control character"),
        ("Does a thing", "Does \u202e a thing", "control character"),
        ("- Whenever.\n", "", "the section is empty"),
        ("- Whenever.\n", "Whenever.\n", "not an item of the list"),
        ("## Guardrails", "## Guardrails\n\n- x\n\n## Guardrails", "stands here twice"),
        ("## Values", "## Requires\n\n- `root`: no.\n\n## Values", "root is none of session"),
        ("`old`: a text.", "`session`: mine.", "the value session is the run's session"),
        ("**Gate.** Sound", "**Check.** Sound", "a step begins with one of"),
        ("**Gate.** Sound", "**Gate: finds nothing.** Sound", "asks one of search, refs, files"),
        ("**Gate.** Sound", "**Gate: 0 times.** Sound", "a gate asks 1 to 100 times"),
        ("**Gate.** Sound", "**Run.** Sound", "no step is a gate"),
        ("   slip check\n   ```\n", "   slip check\n", "the block does not end"),
        ("```sh\n   slip check", "```python\n   slip check", "begins with ```sh"),
        ("2. **Do.** Go on", "2. **Do.** Go on\n\n   ```sh\n   slip diff\n   ```\n\n   ",
         "has no command to run"),
    ],
)  # fmt: skip
def test_each_fault(desk: Desk, old: str, new: str, said: str) -> None:
    assert old in GOOD
    found = faults(desk, GOOD.replace(old, new, 1))
    assert any(said in message for _, message in found), found


def test_bytes_that_are_no_text(desk: Desk) -> None:
    assert faults(desk, GOOD.encode().replace(b"Whenever", b"\xff")) == [(8, "is not UTF-8")]
    ((line, said),) = faults(desk, GOOD + "x" * 70_000)
    assert (line, "at most 65536" in said) == (1, True)


def test_subagents(desk: Desk) -> None:
    path = ".slip/agents/looker.md"
    head = "---\nname: looker\ndescription: Looks.\ntools: Read, Bash\n---\n\n"
    desk.lab.write(path, head + "Look with `slip diff`.\n")
    (found,) = desk.call("skills", action="validate", name=".slip")["files"]
    assert (found["kind"], found["name"]) == ("agent", "looker")
    told = faults(desk, head.replace("tools", "tool") + "Use `slip inspect`.\n", path)
    assert [line for line, _ in told] == [4, 7]
    assert faults(desk, head, path)[0][1] == "the definition says nothing"


def test_what_is_not_there(desk: Desk) -> None:
    desk.refused("usage", "skills", action="validate", name="src/app.py")
    desk.refused("git-failed", "skills", action="validate", name="none.md")
    desk.refused("missing", "skills", action="validate", name="src")


TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=30)


@given(TEXTS, TEXTS)
@settings(max_examples=400, deadline=None)
def test_what_is_taken_is_read_alike_by_yaml(plain: str, item: str) -> None:
    """The oracle is a reader of all of YAML."""
    text = f"a: {plain}\nb:\n  - {item}\nc:\n  d: {item}\ne: >-\n  x {item.strip()}\n"
    head = frontmatter.read(["---", *text.split("\n"), "---"])
    if not head.faults:
        assert yaml.safe_load(text) == {key: field.value for key, field in head.fields.items()}


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_no_bytes_are_too_odd(junk: bytes) -> None:
    for data in (junk, GOOD.encode()[: len(junk)] + junk, b"---\n" + junk):
        found = skillfiles.parse(data, "x", lambda _words, _use: None)
        assert all(fault.line >= 1 for fault in found.faults)


# The repository's own ---------------------------------------------------------------------------


def listed(desk: Desk) -> dict[str, Json]:
    rows = desk.call("skills", action="list")["skills"]
    return {row["name"]: row for row in rows if row["source"] == "repository"}


def test_the_repositorys_are_shown_as_its_own(desk: Desk) -> None:
    desk.lab.commit({PLACE: GOOD})
    assert listed(desk)["mine"]["steps"] == 3
    shown = desk.call("skills", action="show", name="mine")
    assert (shown["source"], shown["path"]) == ("repository", PLACE)
    assert shown["id"] == desk.lab.oid(f"HEAD:{PLACE}")
    assert "the repository's, not slip's" in desk.lab.slip("skills", "show", "mine").text


def test_none_runs_that_was_not_read(desk: Desk) -> None:
    desk.lab.commit({PLACE: GOOD})
    said: dict[str, Free] = {"action": "run", "name": "mine", "set": ("old=x",)}
    fault = desk.refused("path-denied", "skills", **said)
    assert fault.hint == "slip skills show .slip/skills/mine"
    oid = str(fault.data["id"])
    desk.refused("path-denied", "skills", **said, trust=oid[:6])
    assert desk.call("skills", **said, trust=oid[:7])["next"] == 3
    # Other words under the same name are not what was read.
    desk.lab.commit({PLACE: GOOD.replace("Look.", "Look again.")})
    fault = desk.refused("path-denied", "skills", **said, trust=oid)
    assert "changed since" in fault.message


def test_no_name_of_slips_is_taken_over(desk: Desk) -> None:
    theirs = GOOD.replace("name: mine", "name: land-safely")
    desk.lab.commit({".slip/skills/land-safely/SKILL.md": theirs})
    assert desk.call("skills", action="show", name="land-safely")["source"] == "slip"
    its_own = desk.call("skills", action="show", name=".slip/skills/land-safely")
    assert its_own["source"] == "repository"


def test_a_hostile_repository(desk: Desk, tmp_path: Path) -> None:
    """Front matter with code, names that climb or move a cursor, links: shown, and nothing more."""
    marker = tmp_path / "ran"
    evil = f"!!python/object/apply:os.system ['touch {marker}']"
    secret = tmp_path / "secret.md"
    secret.write_text(GOOD.replace("mine", "linked"))
    desk.lab.commit(
        {
            ".slip/skills/code/SKILL.md": GOOD.replace("name: mine", f"name: {evil}"),
            ".slip/skills/\x1b[31mred/SKILL.md": GOOD,
            ".slip/skills/..x/SKILL.md": GOOD.replace("name: mine", "name: ../../x"),
            ".slip/skills/ansi/SKILL.md": GOOD.replace("mine", "ansi").replace(
                "Look.", "\x1b]0;title\x07 $(touch {marker})"
            ),
            ".slip/skills/linked/SKILL.md": Link(str(secret)),
            ".slip/skills/whole": Link(str(tmp_path)),
        }
    )
    found = listed(desk)
    assert set(found) == {"code", '"\\033[31mred"', "..x", "ansi"}
    assert all(row["faults"] for row in found.values())
    for name in found:
        fault = desk.refused("bad-op", "skills", action="run", name=name)
        assert "\x1b" not in str(fault.as_json())
    for arguments in (("list",), ("show", "ansi"), ("validate",)):
        reply = desk.lab.slip("skills", *arguments, expect=None)
        assert b"\x1b" not in reply.out + reply.err
        assert b"\x07" not in reply.out + reply.err
    assert not marker.exists()


def test_a_value_is_one_word(desk: Desk, tmp_path: Path) -> None:
    """What is said for a place is never split, nor taken for an option or a shell's line."""
    desk.lab.commit({PLACE: GOOD})
    oid = desk.lab.oid(f"HEAD:{PLACE}")
    marker = tmp_path / "ran"
    for value in (f"$(touch {marker})", f"; touch {marker}", "--rev=HEAD", "a b", "-C/"):
        run: dict[str, Free] = {"action": "run", "name": "mine", "trust": oid, "from_step": 1}
        answer = desk.call("skills", **run, set=(f"old={value}",))
        assert answer["steps"][0]["answers"][0]["value"]["total"] == 0
    assert not marker.exists()
