"""The plain reader and click never read a command line differently."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slipstream_git.errors import SlipError
from slipstream_git.faces import argv, cli
from slipstream_git.faces.calls import Call
from slipstream_git.operations import registry

WORDS = st.sampled_from(
    ["a", "b c", "-", "--", "-1", "3", "--json", "-x", "", "é", "NAME", "--no-color", "-C", "dir"]
)


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command with a mixture of its own options, odd spellings and loose words."""
    name = draw(st.sampled_from(registry.names()))
    row = registry.find(name)
    assert row is not None
    spelled = [p.option for p in row.parameters if not p.positional]
    spelled += [p.short for p in row.parameters if p.short]
    spelled += [p.negative for p in row.parameters if p.kind.value == "switch"]
    option = st.sampled_from(spelled) if spelled else WORDS
    joined = st.builds("{}={}".format, option, WORDS)
    before = draw(st.lists(st.sampled_from(["--json", "--no-color", "-C"]), max_size=2))
    return [*before, name, *draw(st.lists(st.one_of(option, WORDS, joined), max_size=6))]


def read(arguments: list[str]) -> Call | None:
    try:
        return cli.parse(arguments)
    except SlipError:
        return None


def given_values(call: Call) -> dict[str, Any]:
    """Values as a handler would get them: a default is the same as not given."""
    values = {}
    for parameter in call.operation.parameters:
        value = call.values.get(parameter.name)
        if value not in (None, False, ()) or parameter.kind.value == "switch":
            values[parameter.name] = value
    return values


@given(lines())
@example(["land", "-C", "", "--no-checkout"])
@settings(max_examples=600, deadline=None)
def test_the_plain_reader_reads_as_click_does(arguments: list[str]) -> None:
    plain = argv.parse(arguments)
    if plain is not None:
        clicks = read(arguments)
        assert clicks is not None, arguments
        assert clicks._replace(values={}) == plain._replace(values={})
        assert given_values(clicks) == given_values(plain)


@pytest.mark.parametrize(
    "arguments",
    [
        ["apply", "-s", "x", "-"],
        ["commit", "-m", "one", "-m", "two", "--no-check"],
        ["sub", "a", "b", "*.py", "*.c", "--expect", "3"],
        ["--json", "-C", "dir", "status"],
        ["read", "a.py:1-2", "--rev=HEAD"],
    ],
)
def test_everyday_lines_are_plain(arguments: list[str]) -> None:
    assert argv.parse(arguments) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--help"], ["apply", "--help"], ["nonsense"], ["commit", "--mess", "x"], ["read"],
        ["sub", "a", "b", "--expect", "many"], ["commit", "-m"], ["commit", "-mx"],
        ["status", "extra"], ["commit", "--signoff=yes"],
    ],
)  # fmt: skip
def test_everything_unusual_is_clicks(arguments: list[str]) -> None:
    assert argv.parse(arguments) is None
