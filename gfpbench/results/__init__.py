"""Results on disk: a JSON file, written atomically, with one image per line for readable diffs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType

from gfpbench import codec
from gfpbench.compact import Compacting
from gfpbench.disk import replacing, sweep
from gfpbench.results.records import (
    LATER,
    check_row,
    checked_row_to_json,
    dumps,
    from_json,
    metric_to_json,
    row_from_json,
    row_to_json,
    to_json,
)
from gfpbench.types import BadInput, Json, Result, Row

__all__ = [
    "LARGE_BYTES",
    "LARGE_ROWS",
    "LATER",
    "ROWS",
    "SCHEMA",
    "SCHEMA_APART",
    "as_read",
    "check_row",
    "dumps",
    "from_json",
    "is_large",
    "metric_to_json",
    "read",
    "read_measured",
    "row_from_json",
    "row_to_json",
    "text",
    "to_json",
    "why_together",
    "write",
    "write_report_file",
]

SCHEMA = 1
"""Raised whenever an older reader would misunderstand the file."""
SCHEMA_APART = 2
"""Of a file whose rows lie in ``ROWS`` beside it."""
ROWS = "rows.parquet"
LARGE_ROWS = 10_000
"""Of all Results of a report, above which they lie in ``ROWS``: some 25 MB in results.json."""

LARGE_BYTES = 1 << 21
"""Of a file, from which it is read row by row: some 1,000 rows."""


@dataclass(frozen=True, slots=True)
class _File:
    results: tuple[Json, ...]
    schema: int


@dataclass(frozen=True, slots=True)
class _Apart:
    """Where the rows are: a file beside results.json, its hash, and how many rows of it are of each Result."""

    file: str
    sha256: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _FileApart:
    results: tuple[Json, ...]
    rows: _Apart
    schema: int


def write(results: Sequence[Result], path: Path, *, checked: bool = False) -> None:
    """Write Results to one file: to a temporary name first, then renamed, so that a reader never sees half of it.

    Args:
        checked: whether every row was read by this module, so that it need not be read back once more.

    Raises:
        BadInput: where a Result holds what JSON cannot (nothing is written).
        DiskRefused: where the disk refuses.
    """
    with replacing(path) as file:
        file.writelines(line.encode() for line in _lines(results, checked))
    sweep(path.parent)


def write_report_file(results: Sequence[Result], path: Path) -> None:
    """As ``write``, for the results.json of a report: more than ``LARGE_ROWS`` rows lie in ``ROWS`` beside it.

    All is in results.json where ``why_together`` gives a reason. A file ``ROWS`` of an earlier report goes then.

    Raises:
        BadInput: as ``write``.
        DiskRefused: where the disk refuses.
    """
    rows = path.with_name(ROWS)
    if not is_large(results) or why_together(path):
        write(results, path)
        if rows.is_file() and _parquet().is_ours(rows):
            rows.unlink(missing_ok=True)
        return
    with replacing(rows) as table:
        _parquet().write(table, [one.rows for one in results], row_to_json)
        table.flush()
        os.fsync(table.fileno())  # all of it is on the disk before results.json says so
        with Path(table.name).open("rb") as written:
            sha256 = hashlib.file_digest(written, "sha256").hexdigest()
        apart = _Apart(ROWS, sha256, tuple(len(one.rows) for one in results))
        with replacing(path) as file:
            file.writelines(line.encode() for line in _lines(results, apart=apart))
    sweep(path.parent)


def is_large(results: Sequence[Result]) -> bool:
    """Whether these have more than ``LARGE_ROWS`` rows together."""
    return sum(len(one.rows) for one in results) > LARGE_ROWS


def why_together(path: Path) -> str:
    """Why the rows of a large report stay in its results.json; empty where nothing is in the way."""
    rows = path.with_name(ROWS)
    if not _parquet().is_installed():
        return f"{ROWS} needs pyarrow, `pip install gfpbench[parquet]`"
    return f"{rows} was not written by gfpbench" if rows.exists() and not _parquet().is_ours(rows) else ""


def _parquet() -> ModuleType:
    from gfpbench.results import parquet  # few runs need it

    return parquet


def text(results: Sequence[Result]) -> str:
    """What ``write`` puts into a file. Raises BadInput as ``to_json`` does."""
    return "".join(_lines(results))


def read(path: Path) -> tuple[Result, ...]:
    """The Results of one file, in the order written.

    Raises:
        BadInput: naming the file and the field, for a file that is missing, broken or of another schema.
    """
    large = _read_large(path)
    if large is not None:
        return large
    data = codec.read(path)
    try:
        if isinstance(data, dict) and data.get("schema") == SCHEMA_APART and "rows" in data:
            return _read_apart(data, path)
        codec.check_schema(data, SCHEMA)
        listed = codec.decode(_File, data).results
        return tuple(from_json(item, f"results[{number}]") for number, item in enumerate(listed))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def read_measured(path: Path) -> tuple[Result, ...]:
    """The Results of one file that something is to be concluded from.

    Raises:
        BadInput: as ``read``; where nothing was measured, and where a case is there twice under one label.
    """
    found = read(path)
    if not found:
        raise BadInput(f"{path}: results: holds no case, so nothing was measured")
    seen = set[tuple[str, str]]()
    for number, one in enumerate(found):
        if not one.rows and not one.problems:
            raise BadInput(f"{path}: results[{number}].rows: {one.case.id} holds no image, so nothing was measured")
        if (one.case.id, one.label) in seen:
            raise BadInput(f"{path}: holds {one.case.id} more than once: keep one of them")
        seen.add((one.case.id, one.label))
    return found


def _read_apart(data: Json, path: Path) -> tuple[Result, ...]:
    """The Results of a file whose rows lie in another one beside it."""
    whole = codec.decode(_FileApart, data)
    found = [from_json(item, f"results[{number}]") for number, item in enumerate(whole.results)]
    about = whole.rows
    if Path(about.file).name != about.file or len(about.counts) != len(found):
        raise BadInput("rows: expected the name of a file beside this one, and a count for each of the results")
    rows = path.with_name(about.file)
    try:
        with rows.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(
            f"its rows lie in {about.file} beside it, which cannot be read ({error.strerror}): keep both files together"
        ) from error
    if sha256 != about.sha256:
        raise BadInput(
            f"{rows} is not the file that this was written with: it is damaged, cut short, or of another run; copy "
            "both files again, or measure again"
        )
    lists: list[tuple[Row, ...]] = []
    taken = Compacting()
    for number, item in _parquet().read(rows):
        while len(lists) < min(number, len(found)):
            lists.append(taken.taken())
        taken.add(row_from_json(item, str(rows)))
    lists.append(taken.taken())
    lists += [()] * (len(found) - len(lists))
    if tuple(map(len, lists)) != about.counts or any(len({row.id for row in own}) != len(own) for own in lists):
        raise BadInput(f"{rows} does not hold each image of each result once")
    return tuple(replace(one, rows=own) for one, own in zip(found, lists, strict=True))


def _read_large(path: Path) -> tuple[Result, ...] | None:
    """The Results of a large file as ``write`` leaves it, read row by row; None where it must be read as a whole."""
    try:
        if path.stat().st_size < LARGE_BYTES:
            return None
    except (OSError, ValueError):
        return None
    from gfpbench.codec.lines import NotInLines, read_apart

    rows = Compacting()
    try:
        data, lists = read_apart(path, "rows", lambda item: rows.add(row_from_json(item)), rows.taken)
        codec.check_schema(data, SCHEMA)
        found = [from_json(item) for item in codec.decode(_File, data).results]
    except (NotInLines, BadInput):
        return None
    if any(len({row.id for row in own}) != len(own) for own in lists):
        return None
    return tuple(replace(one, rows=own) for one, own in zip(found, lists, strict=True))


def as_read(result: Result) -> Result:
    """The Result as ``read`` gives it of what ``write`` wrote, its rows having been read by this module already."""
    return replace(from_json(json.loads(dumps(to_json(replace(result, rows=()))))), rows=result.rows)


def _lines(results: Iterable[Result], checked: bool = False, apart: _Apart | None = None) -> Iterator[str]:
    """The text of the file: rows, problems and metrics one a line, everything else one field a line.

    Rows are made into text one at a time, so that writing ten thousand takes no more memory than holding them.
    """
    yield '{\n"results": [\n'
    for number, result in enumerate(results):
        yield f"{',' if number else ''}{{\n"
        if len(set(result.image_ids)) != len(result.rows):
            raise BadInput(f"{result.case.id}: rows: an image is listed twice")
        for position, (name, value) in enumerate(sorted(to_json(replace(result, rows=())).items())):
            yield f'{"," if position else ""}"{name}": '
            if name == "rows":
                yield "["
                for place, row in enumerate(result.rows if apart is None else ()):
                    yield f"{',' if place else ''}\n{dumps(checked_row_to_json(row) if checked else row_to_json(row))}"
                yield "\n]\n"
            elif name == "problems" and value:
                yield "[\n" + ",\n".join(map(dumps, value)) + "\n]\n"
            elif name in ("metrics", "not_measured", "set_scores", "protocols") and value:
                yield "{\n" + ",\n".join(f"{dumps(key)}: {dumps(value[key])}" for key in sorted(value)) + "\n}\n"
            else:
                yield f"{dumps(value)}\n"
        yield "}\n"
    yield "],\n" if apart is None else f'],\n"rows": {dumps(asdict(apart))},\n'
    yield f'"schema": {SCHEMA if apart is None else SCHEMA_APART}\n}}\n'
