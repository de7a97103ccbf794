"""The tasks: what stands in the repository, what is asked for, what must come out.

Everything is made from the task's name alone, so the checker needs no file that the one who works
could read. A task may have a second commit on main (``later``): what others did since the tag
`start`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

Files = dict[str, bytes]


class Task(NamedTuple):
    """``base``: the files of the first commit. ``wanted``: those of the commit asked for.

    text: the task in plain English, without the sentence about the commit message.
    """

    name: str
    base: Mapping[str, bytes]
    wanted: Mapping[str, bytes]
    text: str
    message: str
    later: Mapping[str, bytes] | None = None


class Change(NamedTuple):
    path: str
    old: str
    new: str


def find(name: str) -> Task:
    """Raises KeyError for an unknown name."""
    return TASKS[name]()


def _eight_edits() -> Task:
    base = _project("eight-edits", 40)
    paths = sorted(path for path in base if path.endswith(".py"))[3:28:5]
    changes = []
    for n, path in enumerate(paths):
        changes.append(Change(path, f"LIMIT = {_limit(path)}", f"LIMIT = {_limit(path) * 2 + n}"))
        if n < 3:
            old = f'    """Return the {_noun(path)} for a key."""'
            changes.append(Change(path, old, f'{old[:-3]} Missing keys give None."""'))
    text = f"Make these eight changes, and no others:\n\n{_listed(changes)}"
    return Task("eight-edits", base, _changed(base, changes), text, "Raise the limits")


def _twenty_by_three() -> Task:
    base = _project("twenty-by-three", 60)
    paths = sorted(path for path in base if path.endswith(".py"))[5:45:2]
    changes = []
    for n, path in enumerate(paths):
        noun = _noun(path)
        changes += [
            Change(path, f"LIMIT = {_limit(path)}", f"LIMIT = {_limit(path) + 10 + n}"),
            Change(path, f"def find_{noun}(key):", f"def find_{noun}(key, default=None):"),
            Change(path, "    return None\n", "    return default\n"),
        ]
    text = (
        "Twenty files get a new limit, and their first function a default that it returns when it"
        f" finds nothing. The changes, three a file:\n\n{_listed(changes)}"
    )
    return Task(
        "twenty-by-three", base, _changed(base, changes), text, "Let lookups take a default"
    )


def _conflict() -> Task:
    base = _project("conflict", 12) | {
        "src/price.py": b"def price(base, rate):\n    total = base * rate\n    return total\n",
        "src/order.py": b"from price import price\n\nCURRENCY = 'EUR'\n\n\n"
        b"def order(items):\n    return sum(price(item, 1) for item in items)\n",
    }
    theirs = Change(
        "src/price.py", "    total = base * rate\n", "    total = round(base * rate, 2)\n"
    )
    wanted = (
        b"def price(base, rate, discount=0):\n    total = round((base - discount) * rate, 2)\n"
        b"    return total\n"
    )
    mine = Change(
        "src/order.py", "price(item, 1) for item in items", "price(item, 1, 0) for item in items"
    )
    later = _changed(base, [theirs])
    text = (
        "The change below was written against the tag `start`; since then somebody else committed"
        " to main. In src/price.py, `price` gets a third parameter `discount=0`, and what was"
        " `base * rate` becomes `(base - discount) * rate`. In src/order.py,"
        f" `{mine.old}` becomes `{mine.new}`.\n\nLand it on main as main is now. Where the two"
        " meet, keep both: the new total is the rounded one, to two digits, of the discounted"
        " product. Begin from `start`, as the change's author did, and bring it forward."
    )
    outcome = {**_changed(later, [mine]), "src/price.py": wanted}
    return Task("conflict", base, outcome, text, "Add a discount", later)


def _crlf() -> Task:
    base = _project("crlf", 15)
    base["win/setup.ini"] = (
        b"[setup]\r\nname = demo\r\nlevel = 2\r\n\r\n[paths]\r\nroot = C:\\demo\r\n"
    )
    base["win/run.bat"] = b"@echo off\r\nset LEVEL=2\r\nrem end"
    base["win/notes.txt"] = b"\xef\xbb\xbfFirst line\r\nSecond line\r\nThird line\r\n"
    wanted = dict(base)
    wanted["win/setup.ini"] = base["win/setup.ini"].replace(
        b"level = 2\r\n", b"level = 3\r\nstrict = yes\r\n"
    )
    wanted["win/run.bat"] = base["win/run.bat"].replace(b"LEVEL=2", b"LEVEL=3")
    wanted["win/notes.txt"] = base["win/notes.txt"].replace(b"Second line", b"Line two")
    text = (
        "In win/setup.ini, level becomes 3, and a line `strict = yes` comes right after it. In"
        " win/run.bat, LEVEL becomes 3 as well. In win/notes.txt, `Second line` becomes `Line"
        " two`. Apart from that the files stay byte for byte what they are: line endings, first"
        " bytes, and a last line without an end."
    )
    return Task("crlf", base, wanted, text, "Raise the level")


def _wrong_old() -> Task:
    base = _project("wrong-old", 15)
    base["src/server.c"] = (
        b"static int timeout\t= 30;   /* seconds */\n"
        b"static int retries = 3;\n\n"
        b"int wait_for(int fd)\n{\n\tif (fd < 0)\n\t\treturn -1;\n"
        b"\treturn poll_fd(fd, timeout);\n}\n\n/* was: static int timeout = 30; */\n"
    )
    base["src/client.py"] = (
        b"GREETING = 'hello'  \n\n\ndef greet(name):\n"
        b"    print(GREETING + ', ' + name)\n    return  name\n"
    )
    wanted = dict(base)
    wanted["src/server.c"] = base["src/server.c"].replace(b"= 30;   /*", b"= 60;   /*")
    wanted["src/server.c"] = wanted["src/server.c"].replace(
        b"\t\treturn -1;", b"\t\treturn -EBADF;"
    )
    wanted["src/client.py"] = base["src/client.py"].replace(
        b"return  name", b"return  name.title()"
    )
    text = (
        "Three changes. The text quoted here was copied from a web page, so its blanks may not be"
        " those of the files; the files are right, and blanks stay as they are there.\n\n"
        "- src/server.c: `static int timeout = 30; /* seconds */` gets 60 for 30\n"
        "- src/server.c: `if (fd < 0) return -1;` returns -EBADF\n"
        "- src/client.py: `return name` becomes a return of `name.title()`\n\n"
        "Comments that say what was stay."
    )
    return Task("wrong-old", base, wanted, text, "Wait longer and greet better")


def _rename() -> Task:
    base = _project("rename", 60)
    paths = sorted(path for path in base if path.endswith(".py"))
    for n, path in enumerate(paths[:44]):
        call = "load_settings" if n < 30 else ("preload_settings", "load_settings_file")[n % 2]
        base[path] = f"from settings import {call}\n".encode() + base[path]
        base[path] += f"\n\ndef start_{n}():\n    return {call}('{_noun(path)}')\n".encode()
    base["CHANGELOG.md"] = b"# Changes\n\n- 1.0: load_settings replaces get_settings\n"
    base["docs/load_settings.md"] = b"# Settings\n\nThere are many.\n"
    wanted = {
        path: (
            data
            if path == "CHANGELOG.md"
            else data.replace(b"import load_settings\n", b"import read_settings\n").replace(
                b"return load_settings(", b"return read_settings("
            )
        )
        for path, data in base.items()
    }
    text = (
        "Rename the function `load_settings` to `read_settings` wherever it is imported or called"
        " in the Python files; thirty of them do. Other names that only contain it"
        " (`preload_settings`, `load_settings_file`) stay, and so does CHANGELOG.md, which tells"
        " history. No file is renamed."
    )
    return Task("rename", base, wanted, text, "Rename load_settings to read_settings")


TASKS: Mapping[str, Callable[[], Task]] = {
    "eight-edits": _eight_edits,
    "twenty-by-three": _twenty_by_three,
    "conflict": _conflict,
    "crlf": _crlf,
    "wrong-old": _wrong_old,
    "rename": _rename,
}


# --- what the tasks are made of -------------------------------------------------------------------

_NOUNS = (
    "account", "address", "bill", "branch", "client", "cost", "device", "event", "invoice", "label",
    "market", "order", "parcel", "payment", "region", "report", "route", "sensor", "ticket", "user",
)  # fmt: skip
_VERBS = ("check", "store", "count", "merge", "print", "split", "close", "open")


def _project(seed: str, files: int) -> Files:
    """A small program of so many Python files, with a page about it."""
    chance = random.Random(seed)  # noqa: S311  (the same files everywhere)
    found: Files = {"README.md": b"# Demo\n\nA program that looks things up.\n"}
    for n in range(files):
        path = f"src/{_VERBS[n % 8]}/{_NOUNS[n % 20]}_{n:02}.py"
        found[path] = _module(path, chance).encode()
    return found


def _module(path: str, chance: random.Random) -> str:
    noun = _noun(path)
    parts = [
        f'"""What the program knows of each {noun}."""\n\nLIMIT = {_limit(path)}\n',
        (
            f'def find_{noun}(key):\n    """Return the {noun} for a key."""\n'
            f"    for item in all_{noun}s():\n        if item.key == key:\n"
            "            return item\n    return None\n"
        ),
    ]
    for verb in chance.sample(_VERBS, chance.randrange(2, 6)):
        lines = "".join(
            f"    step_{n} = {verb}_part({noun}, {chance.randrange(1000)})\n"
            for n in range(chance.randrange(3, 12))
        )
        parts.append(f"def {verb}_{noun}({noun}):\n{lines}    return {noun}\n")
    return "\n\n".join(parts)


def _noun(path: str) -> str:
    return path.rpartition("/")[2].partition("_")[0]


def _limit(path: str) -> int:
    return 100 + sum(path.encode()) % 400


def _changed(files: Mapping[str, bytes], changes: list[Change]) -> Files:
    found = dict(files)
    for path, old, new in changes:
        assert found[path].count(old.encode()) == 1, (path, old)
        found[path] = found[path].replace(old.encode(), new.encode())
    return found


def _listed(changes: list[Change]) -> str:
    lines = (f"- {c.path}: `{c.old.strip()}` becomes `{c.new.strip()}`" for c in changes)
    return "\n".join(lines)
