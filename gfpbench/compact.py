"""Rows of large Results in a fraction of the memory: scores as bytes, the rest compressed until somebody asks for it.

A row as Python objects takes some 6 KB, most of it for numbers that few readers look at. Compact rows equal the plain
ones field by field; only their mappings are of another class.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gfpbench.types import Json, Row

PLAIN_AT_MOST = 1000
"""Rows of one Result that stay as they are."""
TOGETHER = 16
"""Rows that are compressed together: more take less memory, fewer are opened faster one at a time."""
FIELDS = ("attributes", "parameters", "fingerprint", "read")
_LEVEL = 1
_EMPTY: Mapping[str, Any] = {}


class _Equal(Mapping[str, Any]):
    """A mapping that equals a dict of the same items."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return dict(self) == (dict(other) if isinstance(other, Mapping) else other)

    __hash__ = None  # type: ignore[assignment]  # as a dict has none

    def __repr__(self) -> str:
        return repr(dict(self))


class _Chunk:
    """The fields of a few rows, compressed."""

    __slots__ = ("data",)

    def __init__(self, rows: Sequence[Row]) -> None:
        fields = [[dict(getattr(row, name)) for name in FIELDS] for row in rows]
        self.data = zlib.compress(json.dumps(fields, allow_nan=False, separators=(",", ":")).encode(), _LEVEL)


@lru_cache(maxsize=64)
def _opened(chunk: _Chunk) -> list[list[dict[str, Json]]]:
    found: list[list[dict[str, Json]]] = json.loads(zlib.decompress(chunk.data))
    return found


class _Packed(_Equal):
    """One field of one row in a chunk."""

    __slots__ = ("_chunk", "_place")

    def __init__(self, chunk: _Chunk, place: int) -> None:
        self._chunk, self._place = chunk, place

    def _open(self) -> dict[str, Json]:
        return _opened(self._chunk)[self._place // len(FIELDS)][self._place % len(FIELDS)]

    def __getitem__(self, name: str) -> Json:
        return self._open()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open())

    def __len__(self) -> int:
        return len(self._open())


class _Scores(_Equal):
    """The scores of one row as bytes; NaN, which no score is, for None."""

    __slots__ = ("_data", "_places")

    def __init__(self, places: Mapping[str, int], data: bytes) -> None:
        self._places, self._data = places, data

    def __getitem__(self, name: str) -> float | None:
        value: float = struct.unpack_from("<d", self._data, 8 * self._places[name])[0]
        return None if value != value else value

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self._places else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@lru_cache(maxsize=64)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


@lru_cache(maxsize=4096)
def _one(size_px: tuple[int, int]) -> tuple[int, int]:
    return size_px


def compact(rows: Sequence[Row]) -> list[Row]:
    """Equal rows in less memory; those of one call are compressed together.

    Args:
        rows: as ``results`` reads and writes them: JSON values, scores that are floats or None.
    """
    chunk = _Chunk(rows)
    made = []
    for number, row in enumerate(rows):
        attributes, parameters, fingerprint, read = (
            _Packed(chunk, number * len(FIELDS) + place) if getattr(row, name) else _EMPTY
            for place, name in enumerate(FIELDS)
        )
        values = [math.nan if value is None else value for value in row.scores.values()]
        made.append(
            replace(
                row,
                size_px=_one(row.size_px),
                attributes=attributes,
                parameters=parameters,
                scores=_Scores(_places(tuple(row.scores)), struct.pack(f"<{len(values)}d", *values)),
                fingerprint=fingerprint,
                read=read,
            )
        )
    return made


class Compacting:
    """Collects the rows of one Result after the other: the first thousand plain, the others compact."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._new: list[Row] = []

    def add(self, row: Row) -> None:
        if len(self._rows) < PLAIN_AT_MOST:
            self._rows.append(row)
            return
        self._new.append(row)
        if len(self._new) == TOGETHER:
            self._rows += compact(self._new)
            self._new.clear()

    def taken(self) -> tuple[Row, ...]:
        """All rows since the last call, in order."""
        found = (*self._rows, *(compact(self._new) if self._new else ()))
        self._rows, self._new = [], []
        return found
