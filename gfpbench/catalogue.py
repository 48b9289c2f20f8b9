"""What there is to choose from, as rows for `gfpbench list` and its --json."""

from __future__ import annotations

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
    from gfpbench.faces import describe

    return [{"name": name, "what": what} for name, what in describe().items()]


def degradations() -> Rows:
    """Degradation presets."""
    from gfpbench.degrade import describe

    return [{"name": name, "what": what} for name, what in describe().items()]


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
