"""Commands to be typed: quoted once, and never with a name that a shell would act on."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator

import pytest

from slipstream_git import hints
from tests.lab import SOURCE

PACKAGE = SOURCE / "slipstream_git"
WORDS = (
    b"caf\xe9", "caf\udce9", "é", "a b", "it's", "\\", "'", "\x1b[31m", "\u202ex", "two\nlines",
    b"two\nlines", b"\t'\\", "", "&&", "|", ">>", "-x", "$HOME", "\u3000",
)  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_word_comes_back_from_the_shell(word: str | bytes) -> None:
    hint = hints.of("printf", "%s", word)
    assert hint.commands == (("printf", "%s", word),)
    done = subprocess.run(["bash", "-c", hint.encode()], capture_output=True, check=True)
    data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
    assert done.stdout == data
    if isinstance(word, bytes):
        assert hint.isprintable()


def test_commands_are_joined_and_plain_text_is_taken_apart() -> None:
    both = hints.of("git", "diff", "a b").then(hints.of("slip", "apply", "-"), "|")
    assert both == "git diff 'a b' | slip apply -"
    assert both.joints == ("|",)
    plain = hints.plain("slip abort -s s && slip reopen s")
    assert plain.commands == (("slip", "abort", "-s", "s"), ("slip", "reopen", "s"))
    assert hints.plain(both) is both
    # What a shell would act on stays whole; nobody takes it apart.
    assert hints.plain("rm 'a && b'").commands == ()


def _given(tree: ast.Module) -> Iterator[ast.expr]:
    """What is given for a hint or a fix."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("hint", "fix"):
            yield node.value
        elif isinstance(node, ast.Assign):
            names = {getattr(target, "attr", "") or ast.unparse(target) for target in node.targets}
            if names & {"hint", "fix"}:
                yield node.value


def _interpolated(value: ast.AST) -> Iterator[str]:
    """What stands in the f-strings of an expression, but for what is a word of `hints.of`."""
    if isinstance(value, ast.FormattedValue):
        yield ast.unparse(value.value)
    elif not isinstance(value, ast.Call):
        for part in ast.iter_child_nodes(value):
            yield from _interpolated(part)


def test_only_names_that_are_plain_stand_in_texts() -> None:
    """Sessions' and commands' names need no quotes; anything else is a word given to `hints`."""
    plain = {"session.name", "chosen.name", "(here or everyone)[0].name", "number", "row.name"}
    plain |= {"command", "close[0]"}
    # Here `name` is a session's.
    named = {"bounds.py name", "freenames.py name", "sessions.py name"}
    rows = {
        f"{path.name} {said}"
        for path in PACKAGE.rglob("*.py")
        for value in _given(ast.parse(path.read_text()))
        for said in _interpolated(value)
    }
    assert {row for row in rows if row.partition(" ")[2] not in plain} == named


def test_nobody_else_quotes_for_a_shell() -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "import shlex" in path.read_text()
    }
    # What git is to run as a merge driver is a script; what a gate or a skill runs is read, not
    # written, as is a host's status line.
    read = {"changes/gating/surroundings.py", "hosts/plugin.py", "text/skillfiles.py"}
    assert users == {"hints.py", "gitdb/gitmerge.py", *read}
