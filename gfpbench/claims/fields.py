"""A TOML table read field by field: missing fields, wrong types and unknown fields are named with their place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gfpbench import codec
from gfpbench.types import BadInput


def numbers(where: str, values: Mapping[str, Any]) -> dict[str, float]:
    """Values that are all numbers, infinite allowed. Raises BadInput naming one that is not."""
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise BadInput(f"{where}: {codec.name_in_path(key)} must be a number, not {codec.shown(value)}")
    return {key: float(value) for key, value in values.items()}


class Fields:
    """A table of a data file, read field by field; ``done`` refuses unknown fields."""

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        self.where, self._values, self._read = where, values, set[str]()

    def value(self, key: str, kind: type) -> Any:
        self._read.add(key)
        found = self._values.get(key)
        if not isinstance(found, kind) or isinstance(found, bool):
            raise BadInput(f"{self.where}: {key} must be {kind.__name__}, not {codec.shown(found)}")
        return found

    def text(self, key: str, default: str | None = None) -> str:
        self._read.add(key)
        if default is not None and key not in self._values:
            return default
        found: str = self.value(key, str)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        found = self.value(key, list) if key in self._values else []
        if not all(isinstance(item, str) for item in found):
            raise BadInput(f"{self.where}: {key} must hold text, not {codec.shown(found)}")
        return tuple(found)

    def number(self, key: str) -> float | None:
        self._read.add(key)
        return numbers(self.where, {key: self._values[key]})[key] if key in self._values else None

    def numbers(self, key: str) -> dict[str, float]:
        return numbers(self.where, self.value(key, dict))

    def each(self, key: str) -> list[Fields]:
        found = self.value(key, list) if key in self._values else []
        for number, item in enumerate(found, 1):
            if not isinstance(item, dict):
                raise BadInput(f"{self.where}: {key} {number} must be a table, not {codec.shown(item)}")
        return [Fields(f"{self.where}: {key} {number}", item) for number, item in enumerate(found, 1)]

    def done(self) -> None:
        strange = sorted(map(codec.name_in_path, set(self._values) - self._read))
        if strange:
            raise BadInput(f"{self.where}: has unknown {', '.join(strange)}")
