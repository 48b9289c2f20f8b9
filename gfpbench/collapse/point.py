"""Finds the collapse point of a restorer on an axis: search, curve, interval and record."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gfpbench import devices, restorers, run
from gfpbench.collapse.curve import Curve
from gfpbench.collapse.definition import Criterion, criteria_for
from gfpbench.collapse.measuring import (
    Bench,
    axis_name,
    axis_of,
    evidence,
    load_metric,
    open_bench,
    without_score,
)
from gfpbench.collapse.record import Collapse, Question, Step
from gfpbench.collapse.search import Found, find, most_evaluations
from gfpbench.run.left_out import left_out
from gfpbench.statistics import Floats, Mean, mean_of
from gfpbench.types import BadInput, Metric, Progress, Restorer, Result

DEFAULT_DRAWS = 4
"""Of the embedded faces: eight images, so that all default axes of a small network take minutes on two cores."""


def collapse_point(
    question: Question,
    *,
    store: Path,
    device: str = "cpu",
    batch_size: int = 8,
    restorer: Restorer | None = None,
    progress: Progress | None = None,
) -> Collapse:
    """Find where a restorer collapses.

    The same images, degraded with the same draws, are restored at every severity that the search looks at. An image
    that cannot be restored, or scored, at one severity is left out at all, and noted; where half of the images or more
    fail to be restored, the restorer counts as collapsed there, because a failure is never a number.

    Args:
        question: restorer, axis, metric, criteria, faces.
        store: a folder for the Results of each severity; a search that was killed goes on from there and gives the
            same record as an undisturbed one.
        device: where the restorer works.
        restorer: the restorer itself, where it is at hand already or has no name.
        progress: told how many severities are measured, of how many at most.

    Raises:
        BadInput: for unknown names, criteria that the metric cannot be judged by, a metric that is undefined along the
            axis for half of the images.
        AssetMissing: where restorer, faces or metric need something that is not here.
    """
    device = devices.resolve(device)
    axis, metric, most = axis_of(question.axis), load_metric(question.metric), most_evaluations(question.resolution)
    criteria, note = criteria_for(metric, question.criteria)
    bench = open_bench(
        question, axis, metric, criteria, store=store, device=device, batch_size=batch_size, restorer=restorer
    )
    search = _Search(bench, criteria, progress, most)
    while True:
        try:
            found = find(search.margins, resolution=question.resolution, seed=question.seed)
            break
        except _Dropped:  # an image without a score somewhere: from the start without it, nothing measured twice
            continue
    if progress is not None:
        progress(search.most, search.most, search.what)
    return _record(search, found, (note,) if note else ())


def loaded(questions: Sequence[Question], *, load: Callable[[str], Restorer] = restorers.load) -> dict[str, Restorer]:
    """The restorers of several questions, each loaded once; every name in the questions is looked up.

    Raises:
        BadInput, AssetMissing: as ``collapse_point`` does, but before anything is measured.
    """
    for question in questions:
        axis_of(question.axis)
        criteria_for(load_metric(question.metric), question.criteria)
        most_evaluations(question.resolution)
    return {name: load(name) for name in dict.fromkeys(q.restorer for q in questions)}


def margins_at(
    question: Question,
    severity: float,
    *,
    store: Path,
    device: str = "cpu",
    restorer: Restorer | None = None,
) -> dict[str, float]:
    """The mean margin of each criterion at one severity: all above 0 means useful. Arguments as ``collapse_point``."""
    device = devices.resolve(device)
    axis, metric = axis_of(question.axis), load_metric(question.metric)
    criteria, _ = criteria_for(metric, question.criteria)
    bench = open_bench(question, axis, metric, criteria, store=store, device=device, restorer=restorer)
    search = _Search(bench, criteria, None, 1)
    try:
        margins = search.margins(severity)
    except _Dropped:
        margins = search.margins(severity)
    # As on a curve: of an infinite margin the sign counts, or one identical image would outweigh all others.
    means = Curve(np.array([severity]), margins[:, :, None]).means[:, 0]
    return {criterion.name: float(mean) for criterion, mean in zip(criteria, means, strict=True)}


@dataclass
class _Search:
    bench: Bench
    criteria: tuple[Criterion, ...]
    progress: Progress | None
    most: int
    measured: dict[float, tuple[Result, Result]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    lost: set[float] = field(default_factory=set)  # severities at which half of the images fail

    @property
    def what(self) -> str:
        return f"{self.bench.question.restorer} on {self.bench.axis.name}"

    @property
    def kept(self) -> tuple[str, ...]:
        return tuple(name for name in self.bench.ids if name not in self.dropped)

    def margins(self, severity: float) -> Floats:
        """(criteria, images) at one severity; measured once."""
        if severity not in self.measured:
            self.measured[severity] = self.bench.both(severity)
            self._drop(severity)
            if self.progress is not None:
                self.progress(len(self.measured), max(self.most, len(self.measured)), self.what)
        if severity in self.lost:
            return np.full((len(self.criteria), len(self.kept)), -math.inf)
        own, given = self.measured[severity]
        scorable = [name for name in self.kept if name not in self._unscored(severity)]
        known = evidence(self.bench.metric, own, given, scorable, self.bench.needs_other)
        margins = np.stack([criterion.margin(known) for criterion in self.criteria])
        if np.isnan(margins).any():
            raise BadInput(f"{own.case.id}: scores are infinite where they have to be compared: take another metric")
        return margins

    def _unscored(self, severity: float) -> set[str]:
        own, given = self.measured[severity]
        failed, blank = without_score(self.bench.metric, own, self.bench.needs_other)
        input_failed, input_blank = without_score(self.bench.metric, given, self.bench.needs_other)
        unreadable = set(self.bench.ids) - set(own.image_ids)
        return failed | blank | input_failed | input_blank | unreadable

    def _drop(self, severity: float) -> None:
        own, _ = self.measured[severity]
        failed, _ = without_score(self.bench.metric, own, self.bench.needs_other)
        unscored = self._unscored(severity)
        if 2 * len(failed) >= len(self.bench.ids):
            self.lost.add(severity)
            return
        if 2 * len(unscored) >= len(self.bench.ids):
            value = self.bench.axis.value_at(severity)
            raise BadInput(
                f"{self.bench.metric.name} is undefined for {len(unscored)} of {len(self.bench.ids)} images at "
                f"{value:.4g} {self.bench.axis.unit} of {self.bench.axis.name}: take another metric"
            )
        if unscored - self.dropped:
            self.dropped |= unscored
            raise _Dropped


class _Dropped(Exception):  # not an error: the search starts over from what is measured
    """An image has no score at some severity and is left out from now on."""


def _record(search: _Search, found: Found, notes: tuple[str, ...]) -> Collapse:
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
        notes=notes + _notes(search, found, len(truths)),
        environment=run.environment(bench.device),
    )


def _step(search: _Search, found: Found, place: int) -> Step:
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


def _identical(search: _Search) -> tuple[str, ...]:
    """Where images equal their truth, so that the mean of a step is one of fewer images."""
    notes = []
    for severity, pair in sorted(search.measured.items()):
        for result, what in zip(pair, ("restored", "degraded"), strict=True):
            mean = _mean(result, search.bench.metric, search.kept)
            if mean.note:
                value = f"{search.bench.axis.value_at(severity):.4g} {search.bench.axis.unit}".strip()
                notes.append(f"at {value} {mean.identical} of {mean.n} {what} images equal their truth: in no mean")
    return tuple(notes)


def _notes(search: _Search, found: Found, faces: int) -> tuple[str, ...]:
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
