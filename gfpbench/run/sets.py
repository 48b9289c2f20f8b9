"""Set metrics in a run: features of each batch, and one score for all images at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import torch

from gfpbench.metrics.set_measures import SetMeasure
from gfpbench.process_guard import called
from gfpbench.run.recorder import Features
from gfpbench.types import AssetMissing, BadInput, GfpbenchError, ImageBatch, Json


def features_of(
    sets: Sequence[SetMeasure], restored: ImageBatch | None, truth: ImageBatch, blank: dict[str, str]
) -> dict[str, torch.Tensor]:
    """What set metrics need of this batch, each kind of features computed once: of the restored images, and of all
    true ones where the run's own truth is a reference. Keyed ``restored/NAME`` and ``truth/NAME``."""
    found: dict[str, torch.Tensor] = {}
    for measure in sets:
        small = f"undefined below {measure.metric.minimum_side_px} px on the shorter side; some images are smaller"
        if min(truth.size) < measure.metric.minimum_side_px:
            blank[measure.name] = small
            continue
        wanted = {"restored": restored, **({"truth": truth} if measure.against_truth else {})}
        for kind, batch in wanted.items():
            key = f"{kind}/{measure.metric.features_name}"
            if batch is None or key in found:
                continue
            same = found.get(f"restored/{measure.metric.features_name}") if batch is restored else None
            try:
                found[key] = _features(measure, batch) if same is None else same
            except (AssetMissing, BadInput) as error:
                blank[measure.name] = str(error)
                break
    return found


def _features(measure: SetMeasure, batch: ImageBatch) -> torch.Tensor:
    what = f"set metric {measure.name!r}"
    features = called(what, measure.metric.features, batch)
    right = isinstance(features, torch.Tensor) and features.ndim == 2 and features.dtype == torch.float64
    if not right or len(features) != len(batch) or not bool(torch.isfinite(features).all()):
        raise GfpbenchError(f"{what} must give finite float64 features, a row for each of {len(batch)} images")
    return features


def score_sets(
    sets: Sequence[SetMeasure], features: Features, written: Sequence[tuple[int, str]], blank: Mapping[str, str]
) -> tuple[dict[str, dict[str, Json]], dict[str, str]]:
    """Every set metric's score with its record, and why the others have none.

    Args:
        written: start and sha256 of each batch's features.
        blank: measures that some batch had no features for, with the reason: they get no score from the others.
    """
    scores: dict[str, dict[str, Json]] = {}
    reasons: dict[str, str] = {}
    for measure in sets:
        if measure.name in blank:
            continue
        metric, name = measure.metric, measure.metric.features_name
        try:
            restored = metric.statistics(features.read(f"restored/{name}", written))
            if measure.against_truth:
                reference = metric.statistics(features.read(f"truth/{name}", written))
            else:
                reference = measure.reference.load(measure.name)
            scores[measure.name] = {**measure.record(), **asdict(metric.score(restored, reference))}
        except BadInput as error:
            reasons[measure.name] = str(error)
    return scores, reasons
