"""The table of operations: complete, documented, and the same on every face."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from slipstream_git import codec, model
from slipstream_git.operations import registry
from tests.lab import Lab

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize("name", registry.names())
def test_a_row_is_whole(name: str) -> None:
    row = registry.find(name)
    assert row is not None
    assert row.summary
    assert not row.summary.endswith(".")
    for parameter in row.parameters:
        assert parameter.help, f"{name}: {parameter.name} has no help"
        assert parameter.help == parameter.help.strip()


@pytest.mark.parametrize("name", registry.names())
def test_an_indented_docstring_says_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 takes the indentation out of docstrings, those before it leave it."""
    row = registry.find(name)
    assert row is not None
    bare = inspect.getdoc(row.handler)
    assert bare is not None
    for text in (bare, bare.replace("\n", "\n    ").replace("\n    \n", "\n\n") + "\n    "):
        monkeypatch.setattr(row.handler, "__doc__", text)
        assert registry.find(name) == row


def test_every_declared_operation_is_in_the_table() -> None:
    for area, names in registry.AREAS.items():
        module = importlib.import_module(f"slipstream_git.operations.{area}")
        declared = {
            value.__name__.strip("_").replace("_", "-")
            for value in vars(module).values()
            if inspect.isfunction(value)
            and value.__module__ == module.__name__
            and not value.__name__.startswith("_")
        }
        assert declared == set(names)


@pytest.mark.parametrize("name", registry.names())
def test_a_row_says_what_inspect_says(name: str) -> None:
    row = registry.find(name)
    assert row is not None
    signature = inspect.signature(row.handler)
    parameters = list(signature.parameters.values())[1:]
    assert [p.name for p in parameters] == [p.name for p in row.parameters]
    for parameter, own in zip(parameters, row.parameters, strict=True):
        empty = inspect.Parameter.empty
        assert (parameter.default if parameter.default is not empty else ...) == own.default
        assert (parameter.kind is inspect.Parameter.KEYWORD_ONLY) != own.positional


@pytest.mark.parametrize("name", registry.names())
def test_every_shape_has_a_rendering(name: str) -> None:
    row = registry.find(name)
    assert row is not None
    area = importlib.import_module(f"slipstream_git.faces.renderers.{registry.area(name)}")
    for returned in str(row.handler.__annotations__["return"]).split(" | "):
        module, _, shape = returned.rpartition(".")
        assert hasattr(importlib.import_module(f"slipstream_git.{module}"), shape)
        assert shape in area.RENDERERS


@pytest.mark.parametrize("name", registry.names())
def test_help_and_docs(repo: Lab, name: str) -> None:
    reply = repo.slip(name, "--help")
    assert name in reply.text
    assert f"## slip {name}\n" in (DOCS / "cli.md").read_text(encoding="utf-8")


def test_every_op_is_described() -> None:
    described = {line.split(":")[0] for line in codec.describe_ops()}
    assert described == set(model.OPS)


def test_usage_faults_are_json_too(repo: Lab) -> None:
    reply = repo.slip("--json", "commit", "--nonsense", expect=2)
    assert reply.error["code"] == "usage"
    assert reply.error["hint"] == "slip commit --help"
    assert not reply.err


def test_an_unknown_command_names_the_nearest(repo: Lab) -> None:
    reply = repo.slip("comit", expect=2)
    assert b"did you mean `slip commit`?" in reply.err


def test_completion_is_offered(repo: Lab) -> None:
    reply = repo.slip(env={"_SLIP_COMPLETE": "bash_source"})
    assert "_SLIP_COMPLETE=bash_complete" in reply.text


def test_help_leads_to_each_area_and_its_page(repo: Lab) -> None:
    told = repo.slip("--help").text
    assert list(registry.TITLES) == list(registry.AREAS)
    for title, page in registry.TITLES.values():
        assert f"{title} ({page}):" in told
        assert (DOCS.parent / page).is_file()
