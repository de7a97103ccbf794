"""Each skill in a repository in which its gate goes red, and what mends it there."""

from __future__ import annotations

from tests.desk import Desk, replace, write
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
]  # fmt: skip
