"""Turns a search that came to its end into its record: points as values, means, intervals, and what is worth a note."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gfpbench import run
from gfpbench.collapse.measuring import axis_name
from gfpbench.collapse.record import Collapse, Step
from gfpbench.collapse.search import Found
from gfpbench.run.left_out import left_out
from gfpbench.statistics import Mean, mean_of
from gfpbench.types import Metric, Result

if TYPE_CHECKING:
    from gfpbench.collapse.point import Search


def record_of(search: Search, found: Found) -> Collapse:
    """The answer to a question whose search found that."""
    bench, axis = search.bench, search.bench.axis
    question = bench.question
    truths = {row.face_sha256 for row in search.measured[0.0][0].rows if row.id in search.kept}
    steps = tuple(_step(search, found, place) for place in range(found.evaluations))
    failing = found.curve.failing()
    low, high = found.interval
    return Collapse(
        question=replace(
            question, axis=axis_name(axis), criteria=tuple(criterion.name for criterion in search.criteria)
        ),
        kind=found.kind,
        severity=found.point,
        value=None if found.point is None else axis.value_at(found.point),
        interval=(low, high),
        value_interval=(axis.value_at(low), None if high is None else axis.value_at(high)),
        onset=found.onset,
        recovers=found.recovers,
        fails=tuple(search.criteria[place].name for place in failing),
        unit=axis.unit,
        trained=axis.trained_severity if axis.trained_range is not None else None,
        steps=steps,
        images=len(search.kept),
        faces=len(truths),
        restorations=len(search.measured) * len(bench.ids),
        grid_restorations=found.grid * len(bench.ids),
        better=bench.metric.better,
        notes=search.notes + _notes(search, found, len(truths)),
        environment=run.environment(bench.device),
    )


def _step(search: Search, found: Found, place: int) -> Step:
    severity = float(found.curve.severities[place])
    own, given = search.measured[severity]
    margins = {}
    for number, criterion in enumerate(search.criteria):
        infinite = not np.isfinite(found.curve.margins[number, :, place]).all()
        low, high = found.curve.mean_interval(number, place)
        numbers = (float(found.curve.means[number, place]), low, high)
        margins[criterion.name] = (None, None, None) if infinite else tuple(map(_finite, numbers))
    metric = search.bench.metric
    return Step(
        severity=severity,
        value=search.bench.axis.value_at(severity),
        restored=_finite(_mean(own, metric, search.kept).value),
        given=_finite(_mean(given, metric, search.kept).value),
        margins=margins,  # type: ignore[arg-type]  # three numbers each
        failed=sum(row.failure is not None for row in own.rows),
        case=own.case.id,
    )


def _mean(result: Result, metric: Metric, ids: tuple[str, ...]) -> Mean:
    """The mean score of these images; without value where one has no score."""
    scores = {row.id: row.scores.get(metric.name) for row in result.rows}
    values = [value for name in ids if (value := scores.get(name)) is not None]
    return mean_of(values, metric.best) if len(values) == len(ids) else Mean(None, len(values))


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _identical(search: Search) -> tuple[str, ...]:
    """Where images equal their truth, so that the mean of a step is one of fewer images."""
    notes = []
    for severity, pair in sorted(search.measured.items()):
        for result, what in zip(pair, ("restored", "degraded"), strict=True):
            mean = _mean(result, search.bench.metric, search.kept)
            if mean.note:
                value = f"{search.bench.axis.value_at(severity):.4g} {search.bench.axis.unit}".strip()
                notes.append(f"at {value} {mean.identical} of {mean.n} {what} images equal their truth: in no mean")
    return tuple(notes)


def _notes(search: Search, found: Found, faces: int) -> tuple[str, ...]:
    first = search.measured[0.0][0]  # what is left out of it is left out at every severity
    notes = [f"left out of {one.line}" for one in left_out([first])]
    unread = [problem for problem in first.problems if problem.stage == "faces"]
    if unread:
        more = f" (and {len(unread) - 1:,} more)" if len(unread) > 1 else ""
        said = f"{unread[0].subject}: {unread[0].reason}{more}"
        notes.append(f"{len(unread):,} face{'s' * (len(unread) > 1)} cannot be read: {said}")
    if search.dropped:
        notes.append(f"left out for want of a score somewhere on the axis: {', '.join(sorted(search.dropped))}")
    if search.lost:
        places = ", ".join(f"{search.bench.axis.value_at(s):.4g}" for s in sorted(search.lost))
        notes.append(f"half of the restorations or more failed at {places} {search.bench.axis.unit}")
    if faces < len(search.kept):
        notes.append(f"images of one face are not independent: the interval speaks of these {faces} faces")
    if len(search.kept) < 2:
        notes.append("one image: the interval is not known")
    if found.onset:
        value = search.bench.axis.value_at(found.onset)
        notes.append(f"useful only from {value:.4g} {search.bench.axis.unit} on")
    return (*notes, *_identical(search))
