"""What a figure was computed by: package and version, definition, weights, settings. Unlike ones are not compared."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gfpbench import assets
from gfpbench.lazy import LazyModule
from gfpbench.types import Identified, Json

if TYPE_CHECKING:
    from gfpbench.assets import store
else:
    store = LazyModule("gfpbench.assets.store")  # most metrics need no file

PACKAGES: Mapping[str, str] = dict.fromkeys(
    ("deg_dlib", "lmd_dlib", "eye_mismatch", "hallucination", "frechet_dlib_vs_truth"), "face-recognition-models"
)
"""Metric -> the package whose files are its weights, for those that need no download."""
UNKNOWN = "unknown"


def own_identity(name: str, definition: int = 1) -> dict[str, Json]:
    """The identity of a metric of this package.

    Args:
        name: the metric's.
        definition: raised whenever the same images would score otherwise, by more than the metric's tolerance.

    Returns:
        ``package``, ``definition``, and ``weights``: asset -> sha256 of the published file (for the same weights out of
        another package too), or of the file as it was first fetched where nobody published a hash.
    """
    name = name.removesuffix("_vs_input")  # the same network, shown the input in place of the truth
    weights: dict[str, Json] = {one: weights_sha256(one) for one in assets.needed_for(name)}
    if name in PACKAGES:
        weights[PACKAGES[name]] = package_version(PACKAGES[name])
    return {"package": "gfpbench", "definition": definition, **({"weights": weights} if weights else {})}


def weights_sha256(asset: str) -> str:
    """The hash that the file of an asset must have; ``unknown`` where nobody published one and it was never fetched."""
    row = assets.find(asset)
    packaged = row.package.converted_sha256 if row.package is not None else None
    return store.expected_sha256(row) or packaged or UNKNOWN


def package_version(name: str) -> str:
    """The version of an installed package; ``unknown`` where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


def identity_record(metric: object) -> dict[str, Json]:
    """``{"identity": ...}`` for the record of a metric that has one; empty for a metric of somebody's own."""
    return {"identity": dict(metric.identity())} if isinstance(metric, Identified) else {}


def unlike(one: Mapping[str, Json], other: Mapping[str, Json]) -> str:
    """How two records of one metric differ in their identity: ``version 0.1.16, not 0.1.11``; empty where they do not.

    A record without an identity was written before identities were: nothing is known, so nothing differs.
    """
    if not (has_identity(one) and has_identity(other)):
        return ""
    return "; ".join(
        f"{field} {_short(now)}, not {_short(was)}"
        for field, now, was in _differing(one["identity"], other["identity"])
    )


def has_identity(record: Mapping[str, Json]) -> bool:
    """Whether it is known what the figure was computed by."""
    return isinstance(record.get("identity"), Mapping)


def _differing(one: Mapping[str, Json], other: Mapping[str, Json], above: str = "") -> Iterable[tuple[str, Json, Json]]:
    for field in sorted({*one, *other}):
        now, was = one.get(field), other.get(field)
        if isinstance(now, Mapping) and isinstance(was, Mapping):
            yield from _differing(now, was, f"{above}{field} ")
        elif now != was and UNKNOWN not in (now, was):
            yield f"{above}{field}", now, was


def _short(value: Json) -> str:
    text = "none" if value is None else str(value)
    return store.short(text) if len(text) == 64 else text[:60]
