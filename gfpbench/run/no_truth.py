"""What can be measured of inputs that have no ground truth, and why the rest is blank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from gfpbench.metrics import input_form
from gfpbench.metrics.per_image import PerImageMetric, against_input
from gfpbench.metrics.set_measures import SetMeasure
from gfpbench.types import ComparesWithInput, Metric

NO_TRUTH_REASON = "needs the ground truth, which these inputs do not have"
ITSELF_REASON = "is measured against the input, which would be compared with itself"


def needs_input(metric: Metric) -> bool:
    """Whether a metric compares with the degraded input."""
    return isinstance(metric, ComparesWithInput) and metric.needs_input


def without_truth(
    metrics: Sequence[Metric], sets: Sequence[SetMeasure]
) -> tuple[tuple[Metric, ...], tuple[SetMeasure, ...], dict[str, str]]:
    """Replace what needs a truth.

    Args:
        metrics: of single images. One that compares what a restoration has to leave as it is in the input (identity,
            landmarks, colours) is measured against the input, under its name with ``_vs_input``.
        sets: numbers of the whole set; those against the truth of the run cannot be had.

    Returns:
        The metrics and sets that can be measured, and for each of the others the reason.
    """
    kept: dict[str, Metric] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        if not metric.needs_truth:
            kept[metric.name] = metric
            continue
        form = input_form(metric.name)
        reasons[metric.name] = NO_TRUTH_REASON + (f"; against the input: {form}" if form else "")
        if form and isinstance(metric, PerImageMetric):
            kept.setdefault(form, cast(Metric, against_input(metric)))
    reasons |= {measure.name: NO_TRUTH_REASON for measure in sets if measure.against_truth}
    return tuple(kept.values()), tuple(measure for measure in sets if not measure.against_truth), reasons


def without_itself(metrics: Sequence[Metric]) -> tuple[tuple[Metric, ...], dict[str, str]]:
    """The metrics of the row of the inputs themselves: none that would compare an input with itself, and why not."""
    kept = tuple(metric for metric in metrics if not needs_input(metric))
    return kept, {metric.name: ITSELF_REASON for metric in metrics if needs_input(metric)}
