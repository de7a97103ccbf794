"""The named tuples of the house against those of `typing`, which they stand for."""

from __future__ import annotations

import pickle
import typing
from typing import Any

import pytest

from slipstream_git import records


class Ours(records.NamedTuple):
    """A point."""

    x: int
    name: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return 2 * self.x


class Theirs(typing.NamedTuple):
    """A point."""

    x: int
    name: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return 2 * self.x


BOTH = pytest.mark.parametrize("kind", [Ours, Theirs])


@BOTH
def test_values_are_given_by_place_or_by_name(kind: type[Ours]) -> None:
    made = kind(1, rest=("a",))
    assert (made.x, made.name, made.rest, made.doubled) == (1, None, ("a",), 2)
    assert made == (1, None, ("a",))
    assert made == kind(name=None, x=1, rest=("a",))
    assert hash(made) == hash((1, None, ("a",)))


@BOTH
def test_what_is_missing_or_unknown_is_refused(kind: type[Ours]) -> None:
    make: Any = kind
    for given, named in (((), {}), ((1, 2, 3, 4), {}), ((1,), {"y": 1}), ((1,), {"x": 1})):
        with pytest.raises(TypeError):
            make(*given, **named)
    with pytest.raises((ValueError, TypeError)):
        make(1)._replace(y=1)
    with pytest.raises(TypeError):
        make._make([1])


@BOTH
def test_nothing_can_be_set(kind: type[Ours]) -> None:
    made = kind(1)
    with pytest.raises(AttributeError):
        setattr(made, "x", 2)  # noqa: B010  (mypy knows it)
    with pytest.raises(AttributeError):
        setattr(made, "other", 2)  # noqa: B010
    assert made == kind(1)


@BOTH
def test_a_copy_is_of_its_kind(kind: type[Ours]) -> None:
    made = kind(1, "a")
    assert type(made._replace(x=2)) is kind
    assert made._replace(x=2) == kind(2, "a")
    assert type(kind._make([1, 2, 3])) is kind
    again = pickle.loads(pickle.dumps(made))  # noqa: S301  (its own)
    assert type(again) is kind
    assert again == made


@BOTH
def test_it_is_matched_by_its_fields(kind: type[Ours]) -> None:
    match kind(1, "a"):
        case kind(x, name):
            assert (x, name) == (1, "a")
        case _:
            pytest.fail("not matched")


def test_what_a_class_tells_of_itself_is_the_same() -> None:
    for name in ("_fields", "_field_defaults", "__match_args__", "__doc__", "__slots__"):
        assert getattr(Ours, name, None) == getattr(Theirs, name, None), name
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert repr(Ours(1, "a")) == repr(Theirs(1, "a")).replace("Theirs", "Ours")
    assert Ours(1)._asdict() == Theirs(1)._asdict()
    assert not hasattr(Ours(1), "__dict__")


def test_a_field_with_a_default_comes_last() -> None:
    with pytest.raises(TypeError, match="without a default"):

        class _Wrong(records.NamedTuple):
            a: int = 1
            b: int  # type: ignore[misc]
