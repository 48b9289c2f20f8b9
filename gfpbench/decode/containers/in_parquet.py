"""Parquet files with the bytes of images in a column, as Hugging Face writes data sets of images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfpbench.decode.containers import ContainerBroken, Entry, named_inside
from gfpbench.decode.files import printable
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, PackageMissing

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import parquet
else:
    pyarrow, parquet = LazyModule("pyarrow"), LazyModule("pyarrow.parquet")

ROWS_AT_ONCE = 4
"""Of images in memory: a small part of a row group, of which the format has nothing smaller to begin at."""
NAMES_AT_ONCE = 10_000
BUFFER_BYTES = 2**20
CURSORS = 8
"""Files that are read at the same place as before: each keeps some rows of images."""


class InParquet:
    """One Parquet file.

    The images are in a column of structs with ``bytes`` and ``path``, or of bytes alone. An image is called what its
    ``path`` says, or the column of the option ``id``; where neither says anything, ``row-00000017``, counted from 0.
    Rows are quick to read in the order of the file; each step back begins its row group anew.

    Args:
        path: the file.
        options: ``column``, the images' where there are several, and ``id``, a column of their names.

    Raises:
        PackageMissing: where pyarrow is not installed.
    """

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise PackageMissing("pyarrow", printable(str(path)), "pip install gfpbench[parquet]") from error
        self.path = path
        self._options = options
        self._column = ""

    def entries(self) -> Iterator[Entry]:
        """As ``Container``; of the columns only names are read.

        Raises:
            BadInput: where a column is not there, or none or several hold images.
        """
        try:
            with self._opened() as file:
                column, names = self._columns(file.schema_arrow)
                self._column = column
                row = 0
                for group in range(file.metadata.num_row_groups):
                    for place, name in enumerate(_names(file, group, names)):
                        own = f"row-{row:08d}"
                        inside = None if name is None else named_inside(name)
                        yield Entry(inside or own, (group, place), place=own, is_image=True)
                        row += 1
        except (pyarrow.ArrowException, OSError) as error:
            raise ContainerBroken(f"cannot be read as parquet: {' '.join(str(error).split())[:200]}") from error

    def read(self, key: tuple[int, int], at_most: int) -> bytes:
        """As ``Container``. Raises ValueError for a row without bytes."""
        cursor = _CURSORS.pop(self, None)
        if cursor is None or not cursor.reaches(*key):
            cursor = _Cursor(self._opened(), self._column, key[0])
        value = cursor.row(key[1])
        _CURSORS[self] = cursor
        while len(_CURSORS) > CURSORS:
            del _CURSORS[next(iter(_CURSORS))]
        if value is None:
            raise ValueError("its row holds no bytes, but nothing or a path only")
        return value[:at_most]

    def _opened(self) -> parquet.ParquetFile:
        return parquet.ParquetFile(self.path, buffer_size=BUFFER_BYTES, pre_buffer=False)

    def _columns(self, schema: pyarrow.Schema) -> tuple[str, str | None]:
        """The column of images, to its bytes, and that of names, if there is one."""
        found = {field.name: field for field in schema if _holds_bytes(field.type)}
        said = _images_of_datasets(schema) & set(found)
        if len(said) == 1 and "column" not in self._options:
            found = {name: found[name] for name in said}
        wanted = self._options.get("column")
        where, there = printable(str(self.path)), ", ".join(map(repr, schema.names[:20]))
        if wanted is not None and wanted not in found:
            raise BadInput(f"{where}: has no column {wanted!r} of images; its columns are {there}")
        if wanted is None and len(found) != 1:
            several = f"{len(found)} columns of bytes ({', '.join(found)}): say which, ?column={next(iter(found), '')}"
            raise BadInput(f"{where}: has {several if found else f'no column of image bytes; its columns are {there}'}")
        field = found[wanted if wanted is not None else next(iter(found))]
        names = self._options.get("id")
        if names is not None and names not in schema.names:
            raise BadInput(f"{where}: has no column {names!r} of names; its columns are {there}")
        if not pyarrow.types.is_struct(field.type):
            return field.name, names
        has_path = field.type.get_field_index("path") >= 0
        return f"{field.name}.bytes", names or (f"{field.name}.path" if has_path else None)


class _Cursor:
    """One row group, read from its beginning on a few rows at a time."""

    def __init__(self, file: parquet.ParquetFile, column: str, group: int) -> None:
        self.group = group
        self._batches = file.iter_batches(
            batch_size=ROWS_AT_ONCE, row_groups=[group], columns=[column], use_threads=False
        )
        self._start, self._rows = 0, pyarrow.array([])

    def reaches(self, group: int, place: int) -> bool:
        """Whether a row is one that is here or still to come."""
        return group == self.group and place >= self._start

    def row(self, place: int) -> bytes | None:
        """The bytes of one row. Raises IndexError beyond the last one."""
        while place >= self._start + len(self._rows):
            self._start += len(self._rows)
            batch = next(self._batches, None)
            if batch is None:
                raise IndexError(f"row group {self.group} ends before its row {place}")
            self._rows = batch.column(0)
        value = self._rows[place - self._start].as_py()
        data = value["bytes"] if isinstance(value, dict) else value
        return None if data is None else bytes(data)


_CURSORS: dict[InParquet, _Cursor] = {}


def _names(file: parquet.ParquetFile, group: int, column: str | None) -> Iterator[str | None]:
    if column is None:
        yield from [None] * file.metadata.row_group(group).num_rows
        return
    for batch in file.iter_batches(batch_size=NAMES_AT_ONCE, row_groups=[group], columns=[column], use_threads=False):
        for value in batch.column(0):
            name: Any = value.as_py()
            name = name.get("path") if isinstance(name, dict) else name
            yield None if name is None else str(name)


def _holds_bytes(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _images_of_datasets(schema: pyarrow.Schema) -> set[str]:
    """The columns that Hugging Face's own note in the file says are images; none where there is no such note."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name for name, feature in features.items() if feature.get("_type") == "Image"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()
