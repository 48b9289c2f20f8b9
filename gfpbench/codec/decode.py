"""Decodes JSON values into dataclasses by their annotations; errors name the field."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from gfpbench.codec.text import MAX_DEPTH, MAX_WHOLE, NoNumber, Twice, Wrong, cut, joined, name_in_path, shown
from gfpbench.types import BadInput, Json

T = TypeVar("T")
_Decoder: TypeAlias = Callable[[Any], Any]


def decode(
    kind: type[T],
    value: Json,
    where: str = "",
    *,
    infinite: bool = False,
    optional: Mapping[type, Collection[str]] | None = None,
    ignored: Collection[str] = (),
) -> T:
    """A dataclass (or a tuple, mapping, number, text of annotated types) from JSON values.

    A field may hold text, true or false, whole numbers, numbers, None, literals, tuples, mappings of text, other such
    dataclasses, and ``Any`` for whatever JSON can hold. Whole numbers in a field of type float become floats.

    Args:
        kind: the type wanted.
        value: from ``parse`` or ``read``.
        where: what stands before the path of a field in a message; empty for the top of a file.
        infinite: a float may be infinite, written as the text "inf" or "-inf".
        optional: dataclass -> fields that may be missing, and then have their defaults. All others must be there.
        ignored: further names that the outermost object may hold.

    Raises:
        BadInput: in one line, naming the field: for what is missing, unknown, of another type, there twice, NaN, too
            large or nested too deeply.
    """
    free = frozenset((one, name) for one, names in (optional or {}).items() for name in names)
    if ignored and isinstance(value, dict) and not isinstance(value, Twice):
        value = {name: item for name, item in value.items() if name not in ignored}
    decoder: Callable[[Any], T] = _decoder(kind, infinite, free)  # type: ignore[arg-type]  # a type is hashable
    return run(decoder, value, where)


def plain(value: Json, where: str = "") -> Json:
    """The value itself, once it is known that JSON can hold it. Raises BadInput naming the place where it cannot."""
    return run(_plain, value, where)


def run(decoder: Callable[[Any], T], value: Any, where: str) -> T:
    try:
        return decoder(value)
    except Wrong as wrong:
        raise BadInput(f"{joined(where, wrong.path)}: {wrong.reason}") from None


def _plain(value: Any, depth: int = 0) -> Any:
    kind = type(value)
    if kind is str or value is None or kind is bool or (kind is float and math.isfinite(value)):
        return value
    if isinstance(value, float | int):
        _checked_number(value)
        return value
    if depth >= MAX_DEPTH:
        raise Wrong(f"is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        items: Any = _named(value).copy()
        places: Iterable[Any] = value
    else:
        items = _listed(value).copy()
        places = range(len(items))
    # Most of a file is numbers and texts in these: they are looked at here, without a call for each.
    for place in places:
        item = items[place]
        kind = type(item)
        if kind is str or item is None or kind is bool or (kind is float and math.isfinite(item)):
            continue
        try:
            items[place] = _plain(item, depth + 1)
        except Wrong as wrong:
            wrong.path.append(place)
            raise
    return items


def _checked_number(value: float) -> None:
    if isinstance(value, NoNumber):
        raise Wrong(value.reason)
    if isinstance(value, int):
        if not -MAX_WHOLE < value < MAX_WHOLE:
            raise Wrong("the number is too large")
    elif not math.isfinite(value):  # 1e999 reads as infinity
        raise Wrong("is no finite number, or too large for one")


@cache
def _decoder(kind: Any, infinite: bool, free: frozenset[tuple[type, str]]) -> _Decoder:
    origin, args = get_origin(kind), get_args(kind)

    def inner(one: Any) -> _Decoder:
        return _decoder(one, infinite, free)

    if kind is Any:
        return _plain
    if kind in _SCALARS:
        return _infinite if kind is float and infinite else _SCALARS[kind]
    if origin in (Union, UnionType):
        others = [one for one in args if one is not NoneType]
        if len(others) == 1:
            return _maybe(inner(others[0]))
    if origin is Literal:
        return _one_of(args)
    if origin is tuple:
        return _many(inner(args[0])) if args[1:] == (...,) else _exactly([inner(one) for one in args])
    if isinstance(origin, type) and issubclass(origin, Mapping) and args[0] is str:
        return _mapping(inner(args[1]))
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, inner, {name for one, name in free if one is kind})
    raise TypeError(f"no way to read {kind!r} from JSON")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Wrong(f"expected text, not {shown(value)}")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise Wrong(f"expected true or false, not {shown(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, NoNumber):
        raise Wrong(value.reason)
    if type(value) is not int:
        raise Wrong(f"expected a whole number, not {shown(value)}")
    _checked_number(value)
    return value


def _number(value: Any) -> float:
    if type(value) is float:
        _checked_number(value)
        return value
    if type(value) is int or type(value) is NoNumber:
        _checked_number(value)
        return float(value)
    raise Wrong(f"expected a number, not {shown(value)}")


def _infinite(value: Any) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is str:
        if value in ("inf", "-inf"):
            return float(value)
        raise Wrong(f'expected a number, "inf" or "-inf", not {shown(value)}')
    return _number(value)


_SCALARS: Mapping[Any, _Decoder] = {str: _text, bool: _truth, int: _whole, float: _number}


def _maybe(inner: _Decoder) -> _Decoder:
    return lambda value: None if value is None else inner(value)


def _one_of(words: tuple[Any, ...]) -> _Decoder:
    def read_one(value: Any) -> Any:
        if type(value) is not str or value not in words:
            raise Wrong(f"expected {', '.join(map(str, words[:-1]))} or {words[-1]}, not {shown(value)}")
        return value

    return read_one


def _listed(value: Any) -> list[Any]:
    if type(value) is not list:
        raise Wrong(f"expected a list, not {'an object' if isinstance(value, dict) else shown(value)}")
    return value


def _many(inner: _Decoder) -> _Decoder:
    return lambda value: tuple(each(_listed(value), inner))


def each(items: Sequence[Any], inner: Callable[..., Any], *more: Any) -> list[Any]:
    """A function of each item, and of ``more``; what fails has the item's place in its path."""
    made: list[Any] = []
    try:
        for item in items:
            made.append(inner(item, *more))
    except Wrong as wrong:
        wrong.path.append(len(made))  # the place of what failed
        raise
    return made


def _exactly(inners: list[_Decoder]) -> _Decoder:
    def read_some(value: Any) -> tuple[Any, ...]:
        items = _listed(value)
        if len(items) != len(inners):
            raise Wrong(f"expected {len(inners)} values, not {len(items)}")
        made: list[Any] = []
        try:
            for inner, item in zip(inners, items, strict=True):
                made.append(inner(item))
        except Wrong as wrong:
            wrong.path.append(len(made))
            raise
        return tuple(made)

    return read_some


def _named(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(f"expected an object, not {'a list' if isinstance(value, list) else shown(value)}")
    if isinstance(value, Twice):
        wrong = Wrong("is there twice")
        wrong.path.append(value.name)
        raise wrong
    return value


def _mapping(inner: _Decoder) -> _Decoder:
    return lambda value: each_named(_named(value), inner)


def each_named(items: Mapping[str, Any], inner: Callable[..., Any], *more: Any) -> dict[str, Any]:
    """A function of each item of an object, and of ``more``; what fails has the item's name in its path."""
    made, name = {}, ""
    try:
        for name, item in items.items():
            made[name] = inner(item, *more)
    except Wrong as wrong:
        wrong.path.append(name)
        raise
    return made


def _record(kind: type[Any], inner: Callable[[Any], _Decoder], free: Collection[str]) -> _Decoder:
    hints = get_type_hints(kind)
    inners = {one.name: inner(hints[one.name]) for one in fields(kind)}
    needed = {one.name for one in fields(kind)} - set(free)
    without_default = {
        one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING
    } - needed
    if without_default:
        raise TypeError(f"{kind.__name__}: {sorted(without_default)} may be missing and have no default")

    def read_fields(value: Any) -> Any:
        found = _named(value)
        if not needed <= found.keys() <= inners.keys():
            missing = [name_in_path(name) for name in sorted(needed - found.keys())]
            strange = [name_in_path(name) for name in sorted(found.keys() - inners.keys())]
            wrong = [f"lacks {', '.join(missing)}"] * bool(missing)
            wrong += [f"has unknown {cut(', '.join(strange))}"] * bool(strange)
            raise Wrong(" and ".join(wrong))
        made, name = {}, ""
        try:
            for name, item in found.items():
                made[name] = inners[name](item)
        except Wrong as wrong_field:
            wrong_field.path.append(name)
            raise
        return kind(**made)

    return read_fields
