"""Rules of the house that no linter holds: names, sizes, ambient state, and what start-up imports.

The other rules are in pyproject.toml: ruff, mypy, and the import-linter contracts.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.lab import SOURCE, slip_environment

PACKAGE = SOURCE / "slipstream_git"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 450
LONGEST_FUNCTION = 60  # the order of effects in landing is about forty lines; nothing needs more
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "handler", "misc", "common"}

# These come into a verb through Workspace, so that replay is deterministic and a server can hold
# many repositories. time.monotonic and time.sleep measure, and are free.
AMBIENT = {
    "os.environ", "os.environb", "os.getenv", "os.getcwd", "os.getcwdb", "os.chdir", "os.urandom",
    "os.path.expanduser", "pathlib.Path.cwd", "pathlib.Path.home",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
    "datetime.date.today",
    "random", "secrets", "uuid",
}  # fmt: skip
MAY_LOOK_AROUND = (
    "__main__.py",
    "faces/",
    "workspace.py",
    "gitdb/process.py",
    "gitdb/supervisor.py",
)


def inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def ambient_uses(source: str) -> Iterator[tuple[int, str]]:
    """Where a module names something in AMBIENT, by whatever name it imported it: (line, name)."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            said = dotted(node, names)
            if said in AMBIENT or said.split(".")[0] in AMBIENT:
                yield node.lineno, said


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """`t.time` after `import time as t` is "time.time"; "" for what does not begin with a name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nos.environ['X']", "os.environ"),
        ("import os as o\no.getcwd()", "os.getcwd"),
        ("from os import environ\nenviron.get('X')", "os.environ"),
        ("import time\ntime.time()", "time.time"),
        ("from time import time as now\nnow()", "time.time"),
        ("def f():\n    import random\n    random.random()", "random"),
        ("from random import choice\nchoice([])", "random.choice"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("from pathlib import Path\nPath.cwd()", "pathlib.Path.cwd"),
        ("import uuid\nuuid.uuid4()", "uuid.uuid4"),
    ],
)
def test_ambient_state_is_found_by_any_name(source: str, said: str) -> None:
    assert said in [name for _, name in ambient_uses(source)]


@pytest.mark.parametrize(
    "source", ["import time\ntime.monotonic()", "import os\nos.path.join('a')", "time = 1\ntime"]
)
def test_other_uses_are_free(source: str) -> None:
    assert list(ambient_uses(source)) == []


def test_ambient_state_comes_in_through_the_workspace() -> None:
    found = [
        f"{inside(path)}:{line} {said}"
        for path in MODULES
        if not inside(path).startswith(MAY_LOOK_AROUND)
        for line, said in ambient_uses(path.read_text())
    ]
    assert found == []


def test_no_module_has_an_empty_name() -> None:
    assert [inside(path) for path in MODULES if path.stem in EMPTY_NAMES] == []
    assert [inside(path) for path in MODULES if path.parent.name in EMPTY_NAMES] == []


def test_no_file_is_too_long() -> None:
    lengths = {inside(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    """Counted without the docstring."""
    too_long = {
        f"{inside(path)}:{node.lineno} {node.name}": length
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := function_length(node)) > LONGEST_FUNCTION
    }
    assert too_long == {}


def function_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    end = node.end_lineno or node.lineno
    doc = ast.get_docstring(node, clean=False)
    return end - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)


def named_in(source: str, known: Collection[str]) -> set[str]:
    """The modules among ``known`` that a module imports, anywhere: in a function, for types."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(inner.intersection(known))
            found.update({node.module or ""} if inner.difference(known) else ())
    return found.intersection(known)


def circle_in(sources: Mapping[str, str]) -> list[str]:
    """Modules that import each other in a circle, the first again at the end; [] without one."""
    graph = {name: named_in(text, sources) for name, text in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as fault:
        found: list[str] = fault.args[1]
        return found
    return []


def test_a_circle_is_found_however_it_is_imported() -> None:
    ways = ("import p.b", "from p import b", "from p.b import f", "def f():\n    from p import b")
    for way in ways:
        assert circle_in({"p": "", "p.a": way, "p.b": "from p.a import x"})
        assert not circle_in({"p": "", "p.a": way, "p.b": "from p import x"})
    assert circle_in({"a": "if TYPE_CHECKING:\n    from b import T", "b": "import a"})


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also not inside of functions, where a circle would only come to light later."""
    dotted_names = {
        path: ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in MODULES
    }
    named = {name.removesuffix(".__init__"): p.read_text() for p, name in dotted_names.items()}
    assert circle_in(named) == []


def imported_by(*arguments: str) -> set[str]:
    """The modules that `python ARGUMENTS` imports."""
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", *arguments],
        env=slip_environment(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    lines = done.stderr.decode().splitlines()
    return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.skipif(not (PACKAGE / "__main__.py").exists(), reason="no command line yet")
def test_version_imports_next_to_nothing() -> None:
    """Start-up is what a user of a command line feels: pygit2 costs 90 ms, click 30, re 8."""
    imported = imported_by("-m", "slipstream_git", "--version")
    assert "slipstream_git.__main__" in imported or "slipstream_git" in imported
    assert not imported & {"pygit2", "click", "re", "json", "pathspec", "unidiff", "dataclasses"}
