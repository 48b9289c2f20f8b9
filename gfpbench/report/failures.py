"""The worst restorations by what is wrong with them, as the 2021 report's figures 5 to 16 sort them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gfpbench import metrics
from gfpbench.decode import KEPT_LIMITS, read_rgb
from gfpbench.images import batch_from_uint8
from gfpbench.report.selection import ENCODED
from gfpbench.report.strips import data_uri, images_of
from gfpbench.run.fingerprints import fingerprints
from gfpbench.types import AssetMissing, BadInput, ImageBatch, Metric, Result

WORST = 4

KINDS = (
    ("lost identity", "deg_dlib"),
    ("mismatched eyes", "eye_mismatch"),
    ("invented detail", "hallucination"),
    ("wrong colour", "colour_shift"),
    ("residual noise", ""),
)
"""Kind of failure and the metric that measures it; residual noise is measured here."""

NOISE_SAYS = "noise estimate of the restored image less that of the truth (Immerkær 1996), grey levels"


@dataclass(frozen=True, slots=True)
class Failure:
    """One restored face among the worst of its kind; images as data URIs, None where unreadable."""

    restorer: str
    face: str
    score: float
    degraded: str | None
    restored: str | None
    truth: str | None


@dataclass(frozen=True, slots=True)
class FailureKind:
    """One kind of failure: how it is measured, the worst faces first, and why there are none."""

    name: str
    measured_by: str
    unit: str
    worst: tuple[Failure, ...]
    not_measured: str


def failure_kinds(results: Sequence[Result], store: Path) -> tuple[FailureKind, ...]:
    """The worst kept images of these Results by each kind of failure."""
    kept = [
        (result.case.restorer, row.id, images_of(store, result.case.id, row.id))
        for result in results
        for row in result.rows
        if row.failure is None
    ]
    pairs = [
        (restorer, face, paths, _image(paths["restored"], face), _image(paths["truth"], face))
        for restorer, face, paths in kept
        if "restored" in paths and "truth" in paths
    ]
    kinds = []
    for name, metric_name in KINDS:
        metric, why = _loaded(metric_name)
        scored, reason = [], ""
        for restorer, face, paths, restored, truth in pairs if not why else ():
            try:
                score = _noise(restored, truth) if metric is None else float(metric(restored, truth)[0])
            except AssetMissing as error:
                why = str(error)
                break
            except (
                BadInput
            ) as error:  # a face that cannot be scored is not among the worst; say so if it is all of them
                reason = str(error)
                continue
            scored.append((score, restorer, face, paths))
        if not why and not scored:
            why = reason if pairs else "no images were kept"
        bad = -1.0 if metric is not None and metric.better == "higher" else 1.0
        scored.sort(key=lambda item: (-bad * item[0], item[1], item[2]))
        worst = tuple(
            Failure(
                restorer,
                face,
                score,
                data_uri(paths["degraded"], ENCODED) if "degraded" in paths else None,
                data_uri(paths["restored"], ENCODED),
                data_uri(paths["truth"], ENCODED),
            )
            for score, restorer, face, paths in ([] if why else scored[:WORST])
        )
        says = NOISE_SAYS if metric_name == "" else metric_name
        kinds.append(FailureKind(name, says, metric.unit if metric is not None else "", worst, why))
    return tuple(kinds)


def _loaded(name: str) -> tuple[Metric | None, str]:
    if not name:
        return None, ""
    if name not in metrics.METRICS:
        return None, f"there is no metric {name!r} in this version"
    try:
        return metrics.load([name])[0], ""
    except AssetMissing as error:
        return None, str(error)


def _noise(restored: ImageBatch, truth: ImageBatch) -> float:
    ours, theirs = (float(fingerprints(batch)[0]["noise_levels"]) for batch in (restored, truth))
    return ours - theirs


def _image(path: Path, face: str) -> ImageBatch:
    return batch_from_uint8([read_rgb(path, KEPT_LIMITS)], (face,))
