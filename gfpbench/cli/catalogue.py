"""Rows of `gfpbench list`: restorers, face sets, degradations, metrics, protocols and assets."""

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
    """Face sets by name; any folder or archive of images works too."""
    from gfpbench.assets.datasets import FACES
    from gfpbench.decode.containers import KINDS

    folder = "Any folder of images, nested or not; aligned face crops are used as they are."
    rows: Rows = [
        {
            "name": name,
            "what": row.what,
            "images": row.images,
            "licence": row.licence,
            "get_it_from": row.where_to_get,
            "layout": row.layout,
        }
        for name, row in FACES.items()
    ]
    address = "A folder or archives at an address that fsspec knows (gs://, hf://, https://, zip://...::...), kept in "
    address += "GFPBENCH_HOME/remote. Needs gfpbench[fsspec], https:// does not."
    paths = {"PATH": folder, **{kind.example: kind.what for kind in KINDS.values()}, "s3://BUCKET/PATH": address}
    return [*rows, *({**dict.fromkeys(rows[0]), "name": name, "what": what} for name, what in paths.items())]


def degradations() -> Rows:
    """Degradation presets."""
    from gfpbench.degrade import DEGRADATIONS, describe

    return [{"name": name, "what": describe(name)} for name in DEGRADATIONS]


def metrics() -> Rows:
    """Metrics with their unit, direction and the size below which they are undefined."""
    from gfpbench.metrics import METRICS, load, set_measures
    from gfpbench.metrics.set_measures import SET_METRICS

    per_image: Rows = [
        {
            "name": metric.name,
            "unit": metric.unit,
            "better": metric.better,
            "of": "each image",
            "from_px": metric.minimum_side_px,
            "source": metric.source,
        }
        for metric in load(tuple(METRICS))
    ]
    sets: Rows = [
        {
            "name": measure.name,
            "unit": measure.metric.unit,
            "better": measure.metric.better,
            "of": "the whole set",
            "from_px": measure.metric.minimum_side_px,
            "source": f"{measure.metric.source}; against {measure.reference.what}",
        }
        for measure in set_measures.load(tuple(SET_METRICS))
    ]
    return per_image + sets


def protocols() -> Rows:
    """Protocols: how each source measures, and which metrics that takes."""
    from gfpbench.metrics.protocols import PROTOCOLS

    return [
        {
            "name": protocol.name,
            "what": protocol.what,
            "figures": [f"{figure} = {metric}" for figure, metric in protocol.figures.items()],
            "absent": dict(protocol.absent),
            "steps": list(protocol.steps),
            "source": protocol.source,
        }
        for protocol in PROTOCOLS.values()
    ]


def claims() -> Rows:
    """Published rows, by which `gfpbench explain` knows them, and claims about any faces."""
    from gfpbench import claims as published

    rows: Rows = [
        {
            "name": row.id,
            "says": ", ".join(f"{figure} {value:g}" for figure, value in row.figures.items()),
            "protocol": table.protocol.name,
            "source": table.source,
        }
        for table in published.tables()
        for row in table.rows
    ]
    return rows + [
        {"name": claim.id, "says": claim.words, "protocol": claim.protocol.name, "source": claim.source}
        for claim in published.claims()
    ]


def hypotheses() -> Rows:
    """What `gfpbench explain` tries."""
    from gfpbench.explain import HYPOTHESES

    return [{"name": one.name, "step": one.step, "what": one.words} for one in HYPOTHESES]


def assets() -> Rows:
    """Everything that has to be downloaded, and whether it is here."""
    from gfpbench import assets as table

    return table.describe()


def size_of(row: dict[str, Json]) -> str:
    """How large an asset's file is, and the download where that is a package: of the file that is here, else of each
    that can be had."""
    own = readable("bytes", row["bytes_expected"])
    made, archive = (readable("bytes", row[key]) for key in ("bytes_converted", "bytes_of_package"))
    packaged = f"{made} out of {row['package']}, a download of {archive}"
    if row["out_of_package"]:
        return packaged
    return f"{own}, or {packaged}" if row["package"] and row["state"] != "present" else own


def axes() -> Rows:
    """Axes of severity: from harmless to beyond anything trained on."""
    from gfpbench.degrade.axes import AXES, load_axis

    return [
        {
            "name": axis.name,
            "unit": axis.unit,
            "from": axis.harmless,
            "to": axis.hardest,
            "trained": list(axis.trained_range) if axis.trained_range else None,
            "changes": axis.acts_on,
            "what": axis.summary,
        }
        for axis in map(load_axis, AXES)
    ]


CATALOGUE: dict[str, Callable[[], Rows]] = {
    "restorers": restorers,
    "faces": faces,
    "degradations": degradations,
    "axes": axes,
    "metrics": metrics,
    "protocols": protocols,
    "assets": assets,
    "claims": claims,
    "hypotheses": hypotheses,
}

ON_A_SCREEN: dict[str, tuple[str, ...]] = {
    "claims": ("name", "says"),
    "faces": ("name", "what"),
    "assets": ("name", "state", "bytes_expected", "licence"),
    "axes": ("name", "unit", "from", "to", "what"),
    "metrics": ("name", "unit", "better", "from_px", "source"),
    "protocols": ("name", "what"),
}
"""Columns a person is shown where the rows hold more than fits; --json always has all."""


ONE: dict[str, str] = {
    "restorers": "restorer",
    "faces": "face set",
    "degradations": "degradation",
    "axes": "axis",
    "metrics": "metric",
    "protocols": "protocol",
    "assets": "asset",
    "claims": "claim",
    "hypotheses": "hypothesis",
}
"""What one row of each list is called."""


def readable(column: str, value: Json) -> str:
    """A value of a row as a person reads it: sizes in MB, lists with commas, nothing for None."""
    if value is None:
        return "size unknown" if column.startswith("bytes") else ""
    if column.startswith("bytes"):
        assert isinstance(value, int)
        return f"{value / 1e6:,.1f} MB" if value >= 100_000 else f"{value / 1e3:,.0f} kB"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
