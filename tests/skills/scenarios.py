"""Each skill in a repository in which its gate goes red, and what mends it there."""

from __future__ import annotations

import json

from tests.desk import Desk, delete, replace, write
from tests.skills.walks import Scenario

# Green where no file says BROKEN.
GATE = '[gate.tests]\nrun = "! grep -rq BROKEN src"\n'


def gated(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": GATE, "src/a.py": "def total():\n    return 1\n"})


# land-safely --------------------------------------------------------------------------------------


def broken_work(desk: Desk) -> None:
    gated(desk)
    desk.begin("work")
    desk.apply(write("src/b.py", "BROKEN = 1\n"))


def mended_work(desk: Desk) -> None:
    desk.apply(write("src/b.py", "SOUND = 1\n"), session="work")


def work_landed(desk: Desk) -> None:
    assert desk.lab.tree()["src/b.py"] == b"SOUND = 1\n"
    assert desk.lab.message() == "Add b\n"


# codemod ------------------------------------------------------------------------------------------


def many_places(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit(
        {"src/a.py": "old_name()\nold_name()\n", "docs/x.md": "old_name is old\n"}, "places"
    )


def written_once_more(desk: Desk) -> None:
    """Behind gates that were green: they are asked again."""
    desk.apply(write("src/late.py", "old_name()\n"), session="codemod")


def late_mended(desk: Desk) -> None:
    desk.apply(replace("src/late.py", "old_name", "new_name"), session="codemod")


def all_replaced(desk: Desk) -> None:
    tree = desk.lab.tree()
    assert tree["src/a.py"] == b"new_name()\nnew_name()\n"
    assert tree["docs/x.md"] == b"new_name is old\n"
    assert tree["src/late.py"] == b"new_name()\n"


# split-change -------------------------------------------------------------------------------------


def large_change(desk: Desk) -> None:
    gated(desk)
    desk.begin("work")
    desk.apply(write("src/b.py", "BROKEN = 1\n"), write("docs/b.md", "b\n"))


def in_two_commits(desk: Desk) -> None:
    assert desk.lab.git("log", "--format=%s", "-2").split("\n") == ["src/", "docs/"]
    assert desk.lab.tree()["src/b.py"] == b"SOUND = 1\n"


def mended_source(desk: Desk) -> None:
    desk.apply(write("src/b.py", "SOUND = 1\n"), session="work", group="src/")


# red-union ----------------------------------------------------------------------------------------

UNION = '[gate.union]\nrun = "test \\"$(cat src/*.txt | grep -c one)\\" -lt 2"\n'


def red_together(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": UNION, "src/0.txt": "zero\n"})
    for name in ("left", "right"):
        desk.begin(name, title=f"Add {name}")
        desk.apply(write(f"src/{name}.txt", "one\n"), session=name)


def right_mended(desk: Desk) -> None:
    desk.apply(write("src/right.txt", "two\n"), session="right")


def both_landed(desk: Desk) -> None:
    tree = desk.lab.tree()
    assert (tree["src/left.txt"], tree["src/right.txt"]) == (b"one\n", b"two\n")


# resolve-conflicts --------------------------------------------------------------------------------


def colliding(desk: Desk) -> None:
    gated(desk)
    desk.begin("work")
    desk.apply(replace("src/a.py", "return 1", "return 2"))
    desk.lab.commit({"src/a.py": "def total():\n    return 3\n"}, "meanwhile")


def rebased(desk: Desk) -> None:
    try:
        desk.call("rebase", session="work")
    except Exception as fault:  # noqa: BLE001  (the conflict that is told)
        assert getattr(fault, "code", "") == "conflict"  # noqa: PT017


def decided(desk: Desk) -> None:
    desk.call("resolve", path="src/a.py", hunk=1, theirs=True, session="work")


def two_returned(desk: Desk) -> None:
    assert desk.lab.tree()["src/a.py"] == b"def total():\n    return 2\n"


# dependency-bump ----------------------------------------------------------------------------------


def pinned_twice(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit({"requirements.txt": "left-pad==1.0\n", "lock.json": '"left-pad==1.0"\n'})


def declared_alone(desk: Desk) -> None:
    op = replace("requirements.txt", "left-pad==1.0", "left-pad==2.0")
    desk.apply(op, session="dependency-bump")


def locked_too(desk: Desk) -> None:
    command = ("sed", "-i", "s/1.0/2.0/", "lock.json")
    desk.call("run", command=command, capture=True, session="dependency-bump")


def bumped(desk: Desk) -> None:
    assert desk.lab.tree()["lock.json"] == b'"left-pad==2.0"\n'


# api-rename ---------------------------------------------------------------------------------------


def two_languages(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit(
        {
            "src/a.py": "def fetch_all():\n    return 1\n\n\nfetch_all()\n",
            "src/b.js": "function show() {\n  return fetch_all();\n}\n",
            "docs/api.md": "Call `fetch_all`, or FETCH_ALL from the environment.\n",
        }
    )


def environment_renamed(desk: Desk) -> None:
    desk.apply(replace("docs/api.md", "FETCH_ALL", "FETCH_EVERY"), session="api-rename")


def renamed(desk: Desk) -> None:
    tree = desk.lab.tree()
    assert tree["src/b.js"] == b"function show() {\n  return fetch_every();\n}\n"
    assert tree["docs/api.md"] == b"Call `fetch_every`, or FETCH_EVERY from the environment.\n"


# backport -----------------------------------------------------------------------------------------


def fixed_on_main(desk: Desk) -> None:
    """The release branch has a gate of its own, which wants each change told of."""
    gate = '[gate.told]\nrun = "grep -q total NEWS || ! grep -q fixed src/a.py"\n'
    desk.lab.commit({".slip.toml": gate, "src/a.py": "broken\n", "NEWS": "none\n"}, "release")
    desk.lab.git("branch", "release")
    desk.lab.commit({".slip.toml": None, "other": "x\n"}, "unrelated")
    desk.lab.commit({"src/a.py": "fixed\n"}, "Mend total")


def brought(desk: Desk) -> None:
    patch = desk.lab.git_bytes("show", "main")
    desk.call("apply", ops=patch, session="backport")


def told(desk: Desk) -> None:
    desk.apply(write("NEWS", "total is right\n"), session="backport")


def on_the_release(desk: Desk) -> None:
    tree = desk.lab.tree("release")
    assert (tree["src/a.py"], tree["NEWS"]) == (b"fixed\n", b"total is right\n")
    assert "other" not in tree
    assert desk.lab.git("symbolic-ref", "--short", "HEAD") == "main"


# revert -------------------------------------------------------------------------------------------


def harm_done(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit({"src/a.py": "def total():\n    return turbo(1)\n"}, "Harm")
    desk.lab.commit({"src/c.py": "turbo(2)\n"}, "built on it")


def taken_back(desk: Desk) -> None:
    desk.call("apply", ops=desk.lab.git_bytes("show", "-R", "HEAD~1"), session="revert")


def rest_taken_back(desk: Desk) -> None:
    desk.apply(delete("src/c.py"), session="revert")


def harm_gone(desk: Desk) -> None:
    tree = desk.lab.tree()
    assert tree["src/a.py"] == b"def total():\n    return 1\n"
    assert "src/c.py" not in tree


# release-notes ------------------------------------------------------------------------------------


def landed_since(desk: Desk) -> None:
    gated(desk)
    desk.lab.git("tag", "v1")
    desk.lab.commit({"CHANGES.md": "# Changes\n\n## v1\n\n- First.\n", "src/b.py": "b\n"}, "Add b")


def written_with_a_gap(desk: Desk) -> None:
    text = "# Changes\n\n## v2\n\n- TODO: what b is for.\n\n## v1\n"
    desk.apply(replace("CHANGES.md", "# Changes\n\n## v1\n", text), session="release-notes")


def gap_filled(desk: Desk) -> None:
    op = replace("CHANGES.md", "TODO: what b is for.", "`b` counts.")
    desk.apply(op, session="release-notes")


def notes_landed(desk: Desk) -> None:
    assert b"## v2\n\n- `b` counts.\n" in desk.lab.tree()["CHANGES.md"]


# flaky-test ---------------------------------------------------------------------------------------


def luck(desk: Desk) -> None:
    """A gate that is red each third time, until it does not look at the clock of others."""
    count = desk.lab.path.parent / "count"
    script = f"echo x >> {count}; test $(($(wc -l < {count}) % 3)) -ne 0 || grep -q sure src/a.py"
    desk.lab.commit({".slip.toml": f"[gate.unit]\nrun = {json.dumps(script)}\n"})
    desk.lab.commit({"src/a.py": "maybe\n"})
    desk.begin("work")
    desk.apply(write("src/b.py", "b\n"))


def made_sure(desk: Desk) -> None:
    desk.apply(write("src/a.py", "sure\n"), session="work")


def sure(desk: Desk) -> None:
    assert desk.lab.tree()["src/a.py"] == b"sure\n"


# secret-removal -----------------------------------------------------------------------------------

KEY = "AKIA" + "QWERTYUIOPASDFGH"


def keys_about(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit({"src/a.py": f'KEY = "{KEY}"\n', "docs/x.md": f"use {KEY}\n"})


def one_taken_out(desk: Desk) -> None:
    op = write("src/a.py", 'import os\n\nKEY = os.environ["KEY"]\n')
    desk.apply(op, session="secret-removal")


def other_taken_out(desk: Desk) -> None:
    desk.apply(write("docs/x.md", "use your own key\n"), session="secret-removal")


def no_key_left(desk: Desk) -> None:
    assert not any(KEY.encode() in content for content in desk.lab.tree().values())


# licence-headers ----------------------------------------------------------------------------------


def two_without(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit({"src/a.py": "a\n", "src/b.py": "#!/bin/sh\nb\n", "vendor/c.py": "c\n"})


def one_headed(desk: Desk) -> None:
    desk.apply(write("src/a.py", "# SPDX: MIT\na\n"), session="licence-headers")


def other_headed(desk: Desk) -> None:
    desk.call("sub", pattern=r"\A(?!#)", replacement="# SPDX: MIT\n", globs=("src/app.py",),
              regex=True, session="licence-headers")  # fmt: skip
    desk.apply(write("src/b.py", "#!/bin/sh\n# SPDX: MIT\nb\n"), session="licence-headers")


def all_headed(desk: Desk) -> None:
    tree = desk.lab.tree()
    assert tree["src/b.py"] == b"#!/bin/sh\n# SPDX: MIT\nb\n"
    assert tree["vendor/c.py"] == b"c\n"


# staged-migration ---------------------------------------------------------------------------------


def to_be_migrated(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit({"src/a.py": "def old_way(): ...\n", "src/b.py": "old_way()\n"})
    desk.begin("work")


def expanded(desk: Desk) -> None:
    op = write("src/a.py", "def old_way(): ...\ndef new_way(): ...\n")
    desk.apply(op, session="work", group="expand")


def migrated(desk: Desk) -> None:
    desk.apply(write("src/b.py", "new_way()\n"), session="work", group="migrate")


def contracted_but_for_docs(desk: Desk) -> None:
    op = write("src/a.py", "# no old_way any more\ndef new_way(): ...\n")
    desk.apply(op, session="work", group="contract")


def contracted(desk: Desk) -> None:
    op = write("src/a.py", "def new_way(): ...\n")
    desk.apply(op, session="work", group="contract")


def three_commits(desk: Desk) -> None:
    subjects = desk.lab.git("log", "--format=%s", "-3").split("\n")
    assert subjects == ["contract", "migrate", "expand"]


# review, onboarding-map, adopt-branch -------------------------------------------------------------


def nothing_landed(desk: Desk) -> None:
    assert "src/b.py" not in desk.lab.tree()
    assert "refs/slip/sessions/work" in desk.lab.refs()


def map_with_a_gap(desk: Desk) -> None:
    text = "# Map\n\nsrc/a.py adds. TODO: how to test.\n"
    desk.apply(write("docs/MAP.md", text), session="onboarding-map")


def map_filled(desk: Desk) -> None:
    op = replace("docs/MAP.md", "TODO: how to test.", "`make test` tests.")
    desk.apply(op, session="onboarding-map")


def map_landed(desk: Desk) -> None:
    assert desk.lab.tree()["docs/MAP.md"] == b"# Map\n\nsrc/a.py adds. `make test` tests.\n"


def branch_left(desk: Desk) -> None:
    gated(desk)
    desk.lab.git("checkout", "-q", "-b", "agent")
    desk.lab.commit({"src/b.py": "BROKEN = 1\n"}, "first")
    desk.lab.commit({"src/c.py": "c\n"}, "second")
    desk.lab.git("checkout", "-q", "main")


def adopted_mended(desk: Desk) -> None:
    desk.apply(write("src/b.py", "SOUND = 1\n"), session="adopt-branch")


def adopted_landed(desk: Desk) -> None:
    assert desk.lab.tree()["src/b.py"] == b"SOUND = 1\n"
    assert desk.lab.tree("agent")["src/b.py"] == b"BROKEN = 1\n"


MESSAGE = ("message=Add b",)
SCENARIOS = [
    Scenario(
        "land-safely", 3, broken_work, mended_work, work_landed, session="work", said=MESSAGE
    ),
    Scenario(
        "codemod", 5, many_places, late_mended, all_replaced,
        doing={7: written_once_more}, session="codemod",
        said=("old=old_name", "new=new_name", "count=3", "message=Rename"),
    ),
    Scenario(
        "split-change", 4, large_change, mended_source, in_two_commits, session="work",
        said=("by=directory", "message=why"),
    ),
    Scenario(
        "red-union", 3, red_together, right_mended, both_landed,
        said=("sessions=left", "sessions=right"),
    ),
    Scenario(
        "resolve-conflicts", 3, colliding, decided, two_returned,
        doing={2: rebased}, session="work", said=MESSAGE,
    ),
    Scenario(
        "dependency-bump", 3, pinned_twice, locked_too, bumped,
        doing={2: declared_alone}, session="dependency-bump",
        said=("old=left-pad==1.0", "message=left-pad 2.0"),
    ),
    Scenario(
        "api-rename", 7, two_languages, environment_renamed, renamed, session="api-rename",
        said=("old=fetch_all", "new=fetch_every", "count=4", "message=Rename"),
    ),
    Scenario(
        "backport", 4, fixed_on_main, told, on_the_release, doing={2: brought},
        session="backport", said=("branch=release", "message=Mend total"),
    ),
    Scenario(
        "revert", 3, harm_done, rest_taken_back, harm_gone, doing={2: taken_back},
        session="revert", said=("trace=turbo", "message=Take turbo back"),
    ),
    Scenario(
        "release-notes", 4, landed_since, gap_filled, notes_landed, doing={2: written_with_a_gap},
        session="release-notes",
        said=("since=v1", "version=v2", "file=CHANGES.md", "message=Release v2"),
    ),
    Scenario(
        "flaky-test", 3, luck, made_sure, sure, session="work", said=("gate=unit", "message=Sure"),
    ),
    Scenario(
        "secret-removal", 4, keys_about, other_taken_out, no_key_left, doing={3: one_taken_out},
        session="secret-removal", said=("pattern=AKIA[0-9A-Z]{16}", "message=Take the key out"),
    ),
    Scenario(
        "licence-headers", 3, two_without, other_headed, all_headed, doing={2: one_headed},
        session="licence-headers",
        said=("header=# SPDX: MIT", "files=*.py", "files=!vendor/**", "message=Headers"),
    ),
    Scenario(
        "staged-migration", 6, to_be_migrated, contracted, three_commits,
        doing={1: expanded, 3: migrated, 5: contracted_but_for_docs}, session="work",
        said=("old=old_way", "message=why"),
    ),
    Scenario("review", 3, broken_work, mended_work, nothing_landed, session="work"),
    Scenario(
        "onboarding-map", 5, gated, map_filled, map_landed, doing={3: map_with_a_gap},
        session="onboarding-map", said=("file=docs/MAP.md", "message=A map"),
    ),
    Scenario(
        "adopt-branch", 3, branch_left, adopted_mended, adopted_landed, session="adopt-branch",
        said=("branch=agent", "message=Take the work in"),
    ),
]  # fmt: skip
