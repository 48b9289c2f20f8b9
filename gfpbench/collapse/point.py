"""Finds the collapse point of a restorer on an axis: search, curve, interval and record."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gfpbench import devices, restorers
from gfpbench.collapse.assembly import record_of
from gfpbench.collapse.curve import Curve
from gfpbench.collapse.definition import Criterion, criteria_for, evidence, without_score
from gfpbench.collapse.measuring import (
    Bench,
    axis_of,
    load_metric,
    open_bench,
)
from gfpbench.collapse.record import Collapse, Question
from gfpbench.collapse.search import find, most_evaluations, scanned
from gfpbench.statistics import Floats
from gfpbench.types import BadInput, Progress, Restorer, Result

if TYPE_CHECKING:
    from gfpbench.run import Workers

DEFAULT_DRAWS = 4
"""Of the embedded faces: eight images, so that all default axes of a small network take minutes on two cores."""


def collapse_point(
    question: Question,
    *,
    store: Path,
    device: str = "cpu",
    batch_size: int = 8,
    restorer: Restorer | None = None,
    workers: Workers | None = None,
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
        workers: as ``collapse_points`` takes them.
        progress: told how many severities are measured, of how many at most.

    Raises:
        BadInput: for unknown names, criteria that the metric cannot be judged by, a metric that is undefined along the
            axis for half of the images.
        AssetMissing: where restorer, faces or metrics need something that is not here.
    """
    given = {} if restorer is None else {question.restorer: restorer}
    how: dict[str, Any] = {"store": store, "device": device, "batch_size": batch_size, "progress": progress}
    how["workers"] = workers
    return next(collapse_points([question], restorers=given, **how))


def collapse_points(
    questions: Sequence[Question],
    *,
    store: Path,
    device: str = "cpu",
    batch_size: int = 8,
    restorers: Mapping[str, Restorer] | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Iterator[Collapse]:
    """The answers to several questions, one after the other; arguments and errors as of ``collapse_point``.

    Args:
        restorers: those that are at hand already, by name.
        workers: processes that measure, in the same bytes. The severities that a search looks at in any case are given
            to those that are idle, of later searches too. Each restorer then has to have a name.
    """
    device = devices.resolve(device)
    searches: dict[int, Search] = {}

    def opened(number: int) -> Search:
        if number not in searches:
            asked = questions[number]
            metric, most = load_metric(asked.metric), most_evaluations(asked.resolution)
            criteria, note = criteria_for(metric, asked.criteria)
            given: dict[str, Any] = {"restorer": (restorers or {}).get(asked.restorer), "workers": workers}
            how: dict[str, Any] = {"store": store, "device": device, "batch_size": batch_size, **given}
            bench = open_bench(asked, axis_of(asked.axis), metric, criteria, **how)
            searches[number] = Search(bench, criteria, progress, most, (note,) if note else ())
        return searches[number]

    def look_ahead(number: int) -> None:
        for later in range(number, len(questions)):
            if workers is not None and workers.has_spare:
                opened(later).expect()

    for number in range(len(questions)):
        yield opened(number).record(partial(look_ahead, number))
        del searches[number]


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
    workers: Workers | None = None,
) -> dict[str, float]:
    """The mean margin of each criterion at one severity: all above 0 means useful. Arguments as ``collapse_point``."""
    device = devices.resolve(device)
    axis, metric = axis_of(question.axis), load_metric(question.metric)
    criteria, _ = criteria_for(metric, question.criteria)
    given: dict[str, Any] = {"store": store, "device": device, "restorer": restorer, "workers": workers}
    bench = open_bench(question, axis, metric, criteria, **given)
    search = Search(bench, criteria, None, 1)
    try:
        margins = search.margins(severity)
    except _Dropped:
        margins = search.margins(severity)
    # As on a curve: of an infinite margin the sign counts, or one identical image would outweigh all others.
    means = Curve(np.array([severity]), margins[:, :, None]).means[:, 0]
    return {criterion.name: float(mean) for criterion, mean in zip(criteria, means, strict=True)}


@dataclass
class Search:
    """One question on its way to an answer."""

    bench: Bench
    criteria: tuple[Criterion, ...]
    progress: Progress | None
    most: int
    notes: tuple[str, ...] = ()
    measured: dict[float, tuple[Result, Result]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    lost: set[float] = field(default_factory=set)  # severities at which half of the images fail
    look_ahead: Callable[[], None] = lambda: None
    expected: bool = False

    def expect(self) -> None:
        """Have what every search measures begun by processes that are idle."""
        if not self.expected:
            self.expected = True
            for severity in scanned(self.bench.question.resolution):
                self.bench.expect(severity)

    def record(self, look_ahead: Callable[[], None]) -> Collapse:
        """The answer; ``look_ahead`` is called before each severity is measured."""
        self.look_ahead, question = look_ahead, self.bench.question
        while True:
            try:
                found = find(self.margins, resolution=question.resolution, seed=question.seed)
                break
            except _Dropped:  # an image without a score somewhere: from the start without it, nothing measured twice
                continue
        if self.progress is not None:
            self.progress(self.most, self.most, self.what)
        return record_of(self, found)

    @property
    def what(self) -> str:
        return f"{self.bench.question.restorer} on {self.bench.axis.name}"

    @property
    def kept(self) -> tuple[str, ...]:
        return tuple(name for name in self.bench.ids if name not in self.dropped)

    def margins(self, severity: float) -> Floats:
        """(criteria, images) at one severity; measured once."""
        if severity not in self.measured:
            self.look_ahead()
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
