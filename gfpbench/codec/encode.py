"""Encodes dataclasses as JSON values that ``decode`` reads back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from gfpbench.codec.decode import each, each_named, run
from gfpbench.codec.text import Wrong, cut, shown
from gfpbench.types import Json


def encode(value: Any, where: str = "", *, infinite: bool = False) -> Json:
    """What ``decode`` reads, as JSON values: dataclasses as objects in the order of their fields, tuples as lists.

    Raises:
        BadInput: naming the place of NaN, of an infinity that is not allowed, and of what JSON cannot hold.
    """
    return run(lambda item: _encoded(item, infinite), value, where)


def _encoded(value: Any, infinite: bool) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        if infinite and not math.isnan(value):
            return "inf" if value > 0 else "-inf"
        raise Wrong(f"is {value}, which no file may hold")
    if isinstance(value, int):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _each_named({one.name: getattr(value, one.name) for one in fields(value)}, infinite)
    if isinstance(value, Mapping):
        return _each_named(value, infinite)
    if isinstance(value, list | tuple):
        return each(value, lambda item: _encoded(item, infinite))
    raise Wrong(f"JSON cannot hold this: {cut(ascii(value))}")


def _each_named(value: Mapping[Any, Any], infinite: bool) -> dict[str, Json]:
    strange = next((key for key in value if not isinstance(key, str)), None)
    if strange is not None:
        raise Wrong(f"the names of fields must be text, not {shown(strange)}")
    return each_named(value, lambda item: _encoded(item, infinite))
