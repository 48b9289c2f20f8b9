"""The table of all images of a large table: a script beside the page, which holds data and is read when asked for.

A page that is opened from a disk may read no file but a script; so this is one. It calls one function of the page with
a JSON text. The page itself is whole without it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gfpbench.disk import write_whole
from gfpbench.report.formatting import printable
from gfpbench.report.model import Group
from gfpbench.types import BadInput, Json, Row

DIGITS = 6
WORDS_AT_MOST = 50
"""Different texts of a drawn parameter or an attribute, above which they are names and no column."""
REASON_AT_MOST = 200
MARK = "// Rows of a gfpbench page.\n"


@dataclass(frozen=True, slots=True)
class RowTable:
    """One file beside the page; ``digest`` of its data stands in both, so that another page's file is noticed."""

    file: str
    digest: str
    count: int
    text: str = field(repr=False)


def row_table(group: Group, number: int) -> RowTable:
    """All images of a table: scores of every row with six digits, failures, drawn parameters and attributes.

    Args:
        number: of the table on its page, from 1.
    """
    ids = group.image_ids
    rows: dict[str, Row] = {}
    lines = {}
    for line in group.lines:
        own = {row.id: row for row in line.result.rows}
        rows = {**own, **rows}
        mine = [own.get(name) for name in ids]
        scores = {printable(column.metric): [_score(row, column.metric) for row in mine] for column in group.columns}
        failed = {at: printable(row.failure, REASON_AT_MOST) for at, row in enumerate(mine) if row and row.failure}
        lines[printable(line.label)] = {"scores": scores, "failed": failed}
    drawn = _columns([rows[name].parameters for name in ids])
    known = _columns([rows[name].attributes for name in ids])
    data = {"ids": list(map(printable, ids)), "lines": lines, "drawn": drawn, "attributes": known}
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    script = f"{MARK}gfpbenchRows({json.dumps(digest)}, {json.dumps(text)});\n"
    return RowTable(f"rows-{number}.js", digest, len(ids), script)


def write_row_tables(tables: Sequence[RowTable], folder: Path) -> None:
    """Write the files beside a page; those of an earlier page go. Raises BadInput for a file that is not ours."""
    wanted = {table.file: table for table in tables}
    there = [path for path in folder.glob("rows-*.js") if path.name in wanted or _is_ours(path)]
    for path in there:
        if not _is_ours(path):
            raise BadInput(
                f"{path}: was not written by gfpbench and would be replaced: give another folder, or remove it"
            )
    for name, table in wanted.items():
        write_whole(folder / name, table.text)
    for path in there:
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK.encode()
    except OSError:
        return False


def _score(row: Row | None, metric: str) -> Json:
    return None if row is None or row.failure is not None else _number(row.scores.get(metric))


def _number(value: Json) -> Json:
    """Six digits; infinity as text, as in results.json; None for NaN, which is no value."""
    if value is None or isinstance(value, int):
        return value
    if not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return float(f"{value:.{DIGITS}g}")


def _columns(records: Sequence[Mapping[str, Json]]) -> dict[str, list[Json]]:
    """Numbers, flags and texts of few kinds that are not the same for all images: name -> a value for each."""
    found: dict[str, list[Json]] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        values = [record.get(name) for record in records]
        if not all(value is None or isinstance(value, int | float | str) for value in values):
            continue
        texts = {value for value in values if isinstance(value, str)}
        if len(texts) <= WORDS_AT_MOST and len(set(values)) > 1:
            found[printable(name)] = [printable(v, 80) if isinstance(v, str) else _number(v) for v in values]
    return found
