"""`NamedTuple` as `typing` has it, made at a tenth of the cost.

A short command makes about a hundred of these classes before it begins. `typing.NamedTuple`
compiles every annotation, and then a constructor's source, for each: a third of all that importing
slip cost (docs/adr/0002-named-tuples.md). Here the constructors of all classes with as many fields
share one compiled code, under other names; annotations stay the text that they are.

Type checkers see `typing.NamedTuple`. What it offers beyond this (generic classes, checks of field
names) nothing here uses; tests/test_records.py holds the two against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NamedTuple
else:
    from collections import _tuplegetter as getter
    from types import FunctionType

    _codes = {}
    _GLOBALS = {"__builtins__": {}, "__name__": __name__, "new": tuple.__new__}

    class _Record(tuple):
        __slots__ = ()

        @classmethod
        def _make(cls, values: Iterable[object]) -> tuple:
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} takes {len(cls._fields)} values, not {len(made)}")
            return made

        def _replace(self, /, **changes: object) -> tuple:
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"{type(self).__name__} has no field {', '.join(changes)}")
            return made

        def _asdict(self) -> dict[str, object]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            fields = zip(self._fields, self, strict=True)
            return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in fields)})"

        def __getnewargs__(self) -> tuple:
            return tuple(self)

    def _constructor(fields: tuple[str, ...], defaults: tuple) -> FunctionType:
        """A ``__new__`` that takes these fields by place or by name."""
        code = _codes.get(len(fields))
        if code is None:
            names = ", ".join(f"a{n}" for n in range(len(fields)))
            source = f"lambda _cls, {names}: new(_cls, ({names},))"
            code = _codes[len(fields)] = eval(source, _GLOBALS).__code__  # noqa: S307  (its own)
        code = code.replace(co_varnames=("_cls", *fields), co_name="__new__")
        return FunctionType(code, _GLOBALS, "__new__", defaults)

    class _Maker(type):
        """Makes a tuple's class of a class statement."""

        def __new__(cls, name: str, bases: tuple, space: dict[str, Any]) -> type:  # noqa: ARG004
            fields = tuple(space.get("__annotations__", ()))
            defaults = {field: space[field] for field in fields if field in space}
            if fields[len(fields) - len(defaults) :] != tuple(defaults):
                raise TypeError(f"{name}: a field without a default after one with a default")
            space.setdefault("__doc__", f"{name}({', '.join(fields)})")
            for place, field in enumerate(fields):
                space[field] = getter(place, "")
            space |= {
                "__slots__": (),
                "__new__": _constructor(fields, tuple(defaults.values())),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            return type(name, (_Record,), space)

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})
