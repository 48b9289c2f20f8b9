"""What is measured: metrics of images and numbers of sets, loaded by their names and protocols, and their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gfpbench import assets
from gfpbench import metrics as metric_table
from gfpbench.metrics import set_measures
from gfpbench.metrics.figure_identity import identity_record
from gfpbench.metrics.set_measures import SetMeasure
from gfpbench.process_guard import called
from gfpbench.registry import listed, unknown
from gfpbench.types import AssetMissing, Json, Metric


@dataclass(frozen=True)
class Measures:
    """What is measured, as ``Parts`` holds it."""

    metrics: tuple[Metric, ...]
    unavailable: Mapping[str, str]
    sets: tuple[SetMeasure, ...]
    protocols: Mapping[str, Mapping[str, str]]


def load_measures(metrics: Sequence[str] | None, protocols: Sequence[str]) -> Measures:
    """The metrics of these names and of these protocols, as ``parts.load`` says."""
    from gfpbench.metrics import protocols as protocol_table  # a run with parts of one's own needs none of them

    loaded: list[Metric] = []
    sets: list[SetMeasure] = []
    unavailable: dict[str, str] = {}
    metrics, protocols = None if metrics is None else listed("metric", metrics), listed("protocol", protocols)
    if metrics is None and not protocols:
        loaded = list(metric_table.load(None))
    wanted = [*(metrics or ()), *(protocol_table.metrics_of(protocols) if protocols else ())]
    known = {*metric_table.every_name(), *set_measures.SET_METRICS}
    for name in dict.fromkeys(wanted):
        if name not in known:
            raise unknown("metric", name, known)
        try:
            if name in set_measures.SET_METRICS:
                sets += _set_measure(name)
            else:
                loaded += metric_table.load([name])
        except AssetMissing as error:
            unavailable[name] = str(error)
    for name in protocols:
        unavailable |= protocol_table.find(name).not_measured
    return Measures(
        metrics=tuple(loaded),
        unavailable=unavailable,
        sets=tuple(sets),
        protocols={name: dict(protocol_table.find(name).figures) for name in protocols},
    )


def _set_measure(name: str) -> tuple[SetMeasure, ...]:
    """The measure, once it is sure that its reference is here: features are not computed to be thrown away."""
    measures = set_measures.load([name])
    for measure in measures:
        if measure.reference.asset is not None:
            assets.path(measure.reference.asset, name)
    return measures


def metric_record(metric: Metric) -> dict[str, Json]:
    """What a Result keeps about a metric, so that it can be read without the code that measured it."""
    return {
        **metric_table.common_record(metric),
        "needs_truth": metric.needs_truth,
        **({"needs_input": True} if metric_table.needs_input(metric) else {}),
        "source": metric.source,
        **called(f"the identity of metric {metric.name!r}", identity_record, metric),
    }
