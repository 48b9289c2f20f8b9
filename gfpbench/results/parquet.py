"""The rows of large Results in one Parquet file, exactly: read back, each is the JSON value that it was."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, Json, PackageMissing, Row

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import parquet
else:
    pyarrow, parquet = LazyModule("pyarrow"), LazyModule("pyarrow.parquet")

MARK = b"gfpbench rows"
TOGETHER = 4096
"""Rows of one row group: written and read together."""
COLUMNS_AT_MOST = 400
"""Of drawn parameters, attributes and scores; what is rarer lies in the column ``rest``."""
BYTES_AT_MOST = 1 << 33
FOOTER_BYTES_AT_MOST = 1 << 24
_TEXTS = ("id", "face_sha256", "failure")
_SIZES = ("height_px", "width_px")
_OPEN = ("scores", "parameters", "attributes")
_NESTED = ("fingerprint", "read", "rest")
_KINDS: tuple[type, ...] = (float, int, bool, str)
_INFINITE = {"inf": float("inf"), "-inf": float("-inf")}


def is_installed() -> bool:
    """Whether pyarrow is here, which writes and reads these files."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def is_ours(path: Path) -> bool:
    """Whether a file was written by ``write``, told by its footer, without pyarrow."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - 8))
            tail = file.read(8)
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] != b"PAR1" or not 0 < length <= min(end - 8, FOOTER_BYTES_AT_MOST):
                return False
            file.seek(end - 8 - length)
            return MARK in file.read(length)
    except OSError:
        return False


def write(file: IO[bytes], tables: Sequence[Sequence[Row]], to_json: Callable[[Row], Mapping[str, Json]]) -> None:
    """Write the rows of several Results, one after the other.

    A column is called what its value is in a row of results.json: ``id``, ``failure``, ``scores.psnr_rgb``,
    ``parameters.noise_std_grey_levels``, ``attributes.age``; ``height_px`` and ``width_px`` are its size, ``result``
    its place in the list of Results. Fingerprints, and how files were read, are JSON texts. A column has one type; a
    value of another one, and whatever no column can hold, is in the JSON text of ``rest`` under the same names. An
    empty cell is a value that is not there. Equal rows give equal bytes, by one version of pyarrow.

    Args:
        file: open for writing.
        tables: the rows of each Result.
        to_json: as they stand in results.json.
    """
    kinds = _columns(row for table in tables for row in table)
    types = {float: pyarrow.float64(), int: pyarrow.int64(), bool: pyarrow.bool_(), str: pyarrow.string()}
    schema = pyarrow.schema(
        [("result", pyarrow.int32()), *((name, types[kind]) for name, kind in kinds.items())],
        metadata={"gfpbench": MARK},
    )
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        numbered = ((number, row) for number, table in enumerate(tables) for row in table)
        while some := list(islice(numbered, TOGETHER)):
            cells = [_cells(to_json(row), kinds) for _, row in some]
            columns = [[number for number, _ in some], *([one.get(name) for one in cells] for name in kinds)]
            writer.write_table(pyarrow.table(columns, schema=schema))


def read(path: Path) -> Iterator[tuple[int, dict[str, Json]]]:
    """The rows of a file that ``write`` wrote, each with the place of its Result.

    Raises:
        BadInput: naming the file, where it is none of ours.
        PackageMissing: where pyarrow is not installed.
    """
    if not is_installed():
        raise PackageMissing("pyarrow", str(path), "pip install gfpbench[parquet]")
    try:
        with parquet.ParquetFile(path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            if sum(group.total_byte_size for group in groups) > BYTES_AT_MOST:
                raise BadInput(f"{path}: is larger than any file of gfpbench")
            for batch in file.iter_batches(batch_size=TOGETHER, use_threads=False):
                names = batch.schema.names
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield _row(dict(zip(names, values, strict=True)))
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise BadInput(f"{path}: is not the Parquet file that gfpbench writes ({reason})") from error


def _columns(rows: Iterable[Row]) -> dict[str, type]:
    """The columns behind ``result`` in their order, each with the type of most of its values."""
    found: dict[tuple[str, str], Counter[type]] = {}
    for row in rows:
        for field in _OPEN:
            for name, value in getattr(row, field).items():
                kind = float if field == "scores" else type(value)
                if kind in _KINDS:
                    found.setdefault((field, name), Counter())[kind] += 1
    often = sorted(found, key=lambda key: (-found[key].total(), key))[:COLUMNS_AT_MOST]
    own = {
        f"{field}.{name}": max(_KINDS, key=lambda kind, key=(field, name): found[key][kind])  # type: ignore[misc]
        for field, name in sorted(often, key=lambda key: (_OPEN.index(key[0]), key[1]))
        if _fits(str, name)
    }
    return {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(_SIZES, int), **own, **dict.fromkeys(_NESTED, str)}


def _cells(row: Mapping[str, Json], kinds: Mapping[str, type]) -> dict[str, Json]:
    """What the columns hold of a row."""
    cells: dict[str, Json] = {}
    rest: dict[str, Json] = {}
    given = {**{name: row[name] for name in _TEXTS}, **dict(zip(_SIZES, row["size_px"], strict=True))}
    for name, value in given.items():
        if value is not None:
            (cells if _fits(kinds[name], value) else rest)[name] = value
    for field in _OPEN:
        for name, value in row[field].items():
            column = f"{field}.{name}"
            number = _INFINITE.get(value, value) if field == "scores" and isinstance(value, str) else value
            if column in kinds and _fits(kinds[column], number):
                cells[column] = number
            else:
                rest.setdefault(field, {})[name] = value
    cells |= {name: _text(row[name]) for name in ("fingerprint", "read") if row.get(name)}
    return {**cells, "rest": _text(rest)} if rest else cells


def _row(cells: Mapping[str, Json]) -> tuple[int, dict[str, Json]]:
    """A row from its cells, with the place of its Result. Raises KeyError, TypeError or ValueError for others."""
    rest = json.loads(cells["rest"] or "{}")
    opened: dict[str, dict[str, Json]] = {field: {} for field in _OPEN}
    for column, value in cells.items():
        field, dot, name = column.partition(".")
        if dot and value is not None:
            opened[field][name] = str(value) if field == "scores" and math.isinf(value) else value
    row: dict[str, Json] = {name: rest.get(name, cells[name]) for name in _TEXTS}
    row["size_px"] = [rest.get(name, cells[name]) for name in _SIZES]
    for field in _OPEN:
        whole = {**opened[field], **rest.get(field, {})}
        row[field] = {name: whole[name] for name in sorted(whole)}
    row |= {name: json.loads(cells[name]) for name in ("fingerprint", "read") if cells[name]}
    return cells["result"], row


def _fits(kind: type, value: Json) -> bool:
    if isinstance(value, str):
        return kind is str and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))
    return type(value) is kind and (not isinstance(value, int) or -(1 << 63) <= value < 1 << 63)


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
