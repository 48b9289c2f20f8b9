"""Scores against what was drawn for each image: the data of the page's scatter, which its script draws."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gfpbench.report.formatting import printable
from gfpbench.report.model import Group
from gfpbench.report.summary import measured
from gfpbench.types import Json

POINTS_AT_MOST = 300
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Scatter:
    """``points`` is JSON for the script; ``note`` says of how many images these are."""

    points: str
    note: str


def scatter_of(group: Group) -> Scatter | None:
    """The drawn parameters that differ between images, and every metric of input and restorers; None without either.

    Of more than 300 images a sample is kept, chosen by a hash of their ids, so that it is the same for equal ids.
    """
    rows = {row.id: row for line in reversed(group.lines) for row in line.result.rows}
    names = [name for name in group.image_ids if name in rows]
    kept = sorted(names, key=lambda name: hashlib.sha256(name.encode(errors="surrogatepass")).digest())[:POINTS_AT_MOST]
    drawn = _varied([rows[name].parameters for name in kept])
    lines = [line for line in group.lines if line.role != "truth"]
    scores = {
        column.metric: {
            printable(line.label): [_number(values.get(name)) for name in kept]
            for line in lines
            if (values := measured(line.result, column.metric))
        }
        for column in group.columns
    }
    scores = {metric: found for metric, found in scores.items() if found}
    if not drawn or not scores:
        return None
    units = {column.metric: column.unit for column in group.columns if column.metric in scores}
    colours = {printable(line.label): group.lines.index(line) % 6 for line in lines}
    data = {
        "ids": [printable(name) for name in kept],
        "drawn": {printable(key): values for key, values in drawn.items()},
        "scores": scores,
        "units": units,
        "colours": colours,
    }
    few = len(kept) < len(names)
    note = f"A sample of {len(kept):,} of {len(names):,} images." if few else ""
    return Scatter(json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False), note)


def _varied(records: Sequence[Mapping[str, Json]]) -> dict[str, list[float | None]]:
    """The parameters that are numbers, and not the same one for all images."""
    keys = dict.fromkeys(key for record in records for key in record)
    columns = {key: [_number(record.get(key)) for record in records] for key in keys}
    return {key: values for key, values in columns.items() if len({value for value in values if value is not None}) > 1}


def _number(value: Json) -> float | None:
    """A finite number, rounded as the eye needs it; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
