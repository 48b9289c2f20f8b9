"""Rows of Results as flat records, for pandas, spreadsheets, CSV and Parquet files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

from gfpbench.types import Json, PackageMissing, Result


def rows(results: Result | Sequence[Result]) -> list[dict[str, Json]]:
    """One flat record for each image of each Result: ``pandas.DataFrame(gfpbench.rows(result))``.

    Args:
        results: one Result, or several; all records have the columns of all of them.

    Returns:
        Records with ``case``, ``label``, ``restorer``, ``faces``, ``degradation``, ``seed``, ``id``, ``height_px``,
        ``width_px``, ``failure`` (the reason, None where there is none), a column for each metric (None where an image
        has no score), ``drawn.NAME`` for each drawn parameter and ``attribute.NAME`` for each attribute of a face.

    Examples:
        >>> import gfpbench
        >>> result = gfpbench.measure("bicubic", limit=2, metrics=["psnr_rgb"])
        >>> [(row["id"], round(row["psnr_rgb"], 1) > 0) for row in gfpbench.rows(result)]
        [('astronaut~0', True), ('grace_hopper~0', True)]
    """
    given = [results] if isinstance(results, Result) else list(results)
    metrics = dict.fromkeys(name for result in given for name in result.metrics)
    found = []
    for result in given:
        head = {
            "case": result.case.id,
            "label": result.label,
            "restorer": result.case.restorer,
            "faces": result.case.faces,
            "degradation": result.case.degradation,
            "seed": result.case.seed,
        }
        for row in result.rows:
            size = {"height_px": row.size_px[0], "width_px": row.size_px[1]}
            scores = {name: row.scores.get(name) for name in metrics}
            more = {**_named("drawn", row.parameters), **_named("attribute", row.attributes)}
            found.append({**head, "id": row.id, **size, "failure": row.failure, **scores, **more})
    columns = dict.fromkeys(name for record in found for name in record)
    return [{name: record.get(name) for name in columns} for record in found]


def _named(what: str, values: Mapping[str, Json]) -> dict[str, Json]:
    return {f"{what}.{name}": value for name, value in values.items()}


def csv_text(results: Sequence[Result]) -> str:
    """The records of ``rows`` as CSV: empty for None, ``inf`` for infinity, JSON for what is no single value."""
    records = rows(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(list(records[0]) if records else ["case", "id"])
    for record in records:
        writer.writerow([json.dumps(value) if isinstance(value, list | dict) else value for value in record.values()])
    return text.getvalue()


def parquet_bytes(records: Sequence[Mapping[str, Json]]) -> bytes:
    """Flat records, all with the same columns, as a Parquet file.

    A column is of booleans, of whole numbers, of float64, or of text, where its values other than None are; else of
    JSON texts. Where no row has a value it is of text.

    Raises:
        PackageMissing: where pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise PackageMissing("pyarrow", "a table in Parquet", "pip install gfpbench[parquet]") from error
    kinds = {bool: pyarrow.bool_(), int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    columns = {}
    for name in records[0] if records else ("case", "id"):
        values = [record[name] for record in records]
        found = {type(value) for value in values if value is not None} or {str}
        if found == {int, float}:
            found, values = {float}, [None if value is None else float(value) for value in values]
        if len(found) > 1 or not found <= kinds.keys():
            found, values = {str}, [None if value is None else json.dumps(value) for value in values]
        columns[name] = pyarrow.array(values, kinds[found.pop()])
    written = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), written)
    return written.getvalue()
