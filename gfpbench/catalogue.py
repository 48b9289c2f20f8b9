"""What there is to choose from, as rows for `gfpbench list` and its --json."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeAlias

from gfpbench.types import Json

Rows: TypeAlias = list[dict[str, Json]]


def restorers() -> Rows:
    """Restorers by name, and the forms that take a path."""
    from gfpbench.restorers import describe

    return [{"name": name, "what": what} for name, what in describe().items()]


def faces() -> Rows:
    """Face sets by name; any folder of pictures works too."""
    from gfpbench.faces import FACES
    from gfpbench.tables import resolve

    named = [(name, inspect.getdoc(resolve("face set", FACES, name)) or "") for name in FACES]
    rows: Rows = [{"name": name, "what": text.partition("\n")[0]} for name, text in named]
    return [
        *rows,
        {"name": "PATH", "what": "Any folder of pictures, nested or not; aligned face crops are used as they are."},
    ]


def degradations() -> Rows:
    """Degradation presets."""
    from gfpbench.degrade import DEGRADATIONS, describe

    return [{"name": name, "what": describe(name)} for name in DEGRADATIONS]


def metrics() -> Rows:
    """Metrics with their unit, direction and the size below which they are undefined."""
    from gfpbench.metrics import METRICS, load

    return [
        {
            "name": metric.name,
            "unit": metric.unit,
            "better": metric.better,
            "from_px": metric.minimum_side_px,
            "source": metric.source,
        }
        for metric in load(tuple(METRICS))
    ]


def assets() -> Rows:
    """Everything that has to be downloaded, and whether it is here."""
    from gfpbench import assets as table

    return table.describe()


CATALOGUE: dict[str, Callable[[], Rows]] = {
    "restorers": restorers,
    "faces": faces,
    "degradations": degradations,
    "metrics": metrics,
    "assets": assets,
}

ON_A_SCREEN: dict[str, tuple[str, ...]] = {"assets": ("name", "state", "bytes_expected", "licence", "needed_by")}
"""Columns a person is shown where the rows hold more than fits; --json always has all."""


def readable(column: str, value: Json) -> str:
    """A value of a row as a person reads it: sizes in MB, lists with commas, nothing for None."""
    if value is None:
        return "size unknown" if column.startswith("bytes") else ""
    if column.startswith("bytes"):
        return f"{value / 1e6:,.1f} MB"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
