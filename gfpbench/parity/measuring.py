"""Measures parity: a reference and candidates restore the same inputs, in turn, one batch in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from gfpbench import baselines, devices, images, run
from gfpbench.devices import repeatable
from gfpbench.lazy import LazyModule
from gfpbench.metrics import NO_TRUTH_REASON
from gfpbench.parity import ran
from gfpbench.parity.bounds import ORDER, Bounds
from gfpbench.parity.candidate import Candidate, Shown
from gfpbench.parity.consistency import AGAIN, inconsistent, restored_again
from gfpbench.parity.controls import controls, refuse_bad_controls
from gfpbench.parity.inputs import Inputs, face_inputs, other_inputs
from gfpbench.parity.outputs import Answers, Side, scored
from gfpbench.parity.record import Bound, Compared, Finding, Parity, Quality
from gfpbench.parity.verdict import quality_of, with_scores
from gfpbench.restorers import handed_over
from gfpbench.run.guarded import load_restorer
from gfpbench.run.measures import load_measures, metric_record
from gfpbench.types import AssetMissing, BadInput, Case, ImageBatch, Metric, Problem, Restorer, Result, Row

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

METRICS = ("psnr_rgb", "ssim_rgb", "gmsd", "colour_shift")
"""Against the truth, and between the outputs: values, structure, edges, and colour at a distance, which a network that
lost a layer may change alone. More (LPIPS, identity) are asked for by name."""
WORST_METRICS = ("lpips_alex", "deg_arcface", "deg_dlib")
"""Between the outputs of the two worst faces, where their weights are here and the outputs differ."""
BATCH = 8
LITTLE_BEYOND = 10.0
"""Times the bound; what lies farther out is not explained by one input being harder than another."""
MEASURED = 2
"""Faces on which the error of the arithmetic is measured; of the other inputs it is the noise alone."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found, and the outputs that differ most, by candidate and input."""

    parity: Parity
    worst: Mapping[str, Mapping[str, Shown]]


def measure_parity(
    case: Case,
    candidates: Sequence[str | Restorer],
    *,
    reference: Restorer | None = None,
    device: str = "cpu",
    batch_size: int = BATCH,
    metrics: Sequence[str] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Compare candidates with the restorer of a case.

    Args:
        case: faces, degradation, seed, limit; its restorer is the reference.
        candidates: names, or restorers as objects.
        reference: as an object; loaded by its name in the case where None.
        device: ``auto``, ``cpu``, ``cuda``, ...
        batch_size: inputs in a call.
        metrics: against the truth and between outputs; ``METRICS`` where None.
        progress: is told what is done next.

    Raises:
        BadInput: for unknown names and what is no restorer, two restorers that loaded one file, a provider that did
            not run.
        GfpbenchError: where a control fails: the reference against itself, or a damaged copy of its outputs.
    """
    device = devices.resolve(device)
    if not candidates:
        raise BadInput("parity compares a reference with candidates, and none is given")
    measures = load_measures(METRICS if metrics is None else metrics, ())
    blank = {} if case.has_truth else {"against the truth": NO_TRUTH_REASON}
    blank |= dict(measures.unavailable) | {one.name: "a metric of sets says nothing of pairs" for one in measures.sets}
    given = [
        one if isinstance(one, str) else handed_over(one)
        for one in (case.restorer if reference is None else reference, *candidates)
    ]
    sides = [Side(_loaded(given[0], device), device)]
    for one in given[1:]:
        progress(f"loading {one if isinstance(one, str) else one.name}")
        sides.append(Side(_loaded(one, device), device))
    ran.refuse_one_file_twice(sides[0].restorer, [side.restorer for side in sides[1:]])
    with repeatable():
        return _measured(case, sides, measures.metrics, blank, batch_size, device, progress)


def _loaded(one: str | Restorer, device: str) -> Restorer:
    if not isinstance(one, str):
        return one
    if one == run.TRUTH:
        raise BadInput("'truth' restores nothing: parity compares two restorers")
    return load_restorer(one, device)


def _measured(
    case: Case,
    sides: list[Side],
    metrics: tuple[Metric, ...],
    blank: dict[str, str],
    batch_size: int,
    device: str,
    progress: Callable[[str], None],
) -> Measured:
    own, others = sides[0], sides[1:]
    found = [Candidate() for _ in others]
    problems: list[Problem] = []
    counts: dict[str, int] = {}
    first: tuple[ImageBatch, Answers] | None = None
    firsts: list[Answers] = []
    measured_on: dict[str, tuple[ImageBatch, Answers]] = {}
    metrics = _usable(metrics, blank)
    for inputs in _all_inputs(case, batch_size):
        progress(f"{sum(counts.values())} inputs compared")
        problems += inputs.problems
        answers, failures = own.taken(inputs, metrics)
        problems += [Problem("restore", name, f"the reference: {why}") for name, why in failures.items()]
        counts[inputs.group] = counts.get(inputs.group, 0) + len(answers)
        theirs = [side.taken(inputs, metrics) for side in others]
        for one, (outputs, why) in zip(found, theirs, strict=True):
            one.take(inputs.group, answers, outputs, why, inputs.given, inputs.truth)
        if first is None:
            first, firsts = (inputs.given, answers), [outputs for outputs, _ in theirs]
        _take_for_bounds(measured_on, inputs, answers)
    assert first is not None
    if not first[1]:
        raise BadInput(
            f"{own.name}: not one of the first faces is restored: {problems[0].subject}: {problems[0].reason}"
        )
    progress("restoring some again, alone")
    for side in sides:
        side.watch(images.select(first[0], [0]))
    told = [side.what_ran() for side in sides]
    for side, record in zip(sides, told, strict=True):
        ran.refuse_other_provider(side.restorer, record)
    bounds = Bounds(own.restorer, measured_on, device)
    precision = ran.precision_of(told[0])
    again = restored_again(own, first[0], first[1])
    checks = controls(again, bounds.of(precision), own.eight_bit)
    refuse_bad_controls(checks)
    here = run.environment(device)
    compared: list[Compared] = []
    for side, one, outputs, record in zip(others, found, firsts, told[1:], strict=True):
        progress(f"judging {side.name}")
        coarser = max(precision, ran.precision_of(record), key=ORDER.index)
        one.eight_bit = side.eight_bit
        allowed = _bounds_on_the_worst(bounds, coarser, one, own.eight_bit)
        more = [*_refused_batches(own, side), *_steady(side, first[0], outputs, allowed)]
        quality, worse = _quality(case, own, side, metrics, here)
        judged = one.judged(
            side.name,
            allowed,
            own.eight_bit,
            more=[*more, *worse, *ran.other_device(record, device)],
            quality=quality,
            ran=record,
        )
        compared.append(_scored_between(judged, one, metrics))
    parity = Parity(
        case=case,
        inputs=counts,
        reference=told[0],
        controls=checks,
        candidates=tuple(compared),
        problems=tuple(problems),
        not_measured=blank,
        environment=here,
    )
    return Measured(parity, {side.name: one.worst for side, one in zip(others, found, strict=True)})


def _all_inputs(case: Case, batch_size: int) -> Iterator[Inputs]:
    size: tuple[int, int] | None = None
    for inputs in face_inputs(case, batch_size):
        size = size or inputs.given.size
        yield inputs
    assert size is not None
    yield from other_inputs(size, case.seed)


def _take_for_bounds(measured_on: dict[str, tuple[ImageBatch, Answers]], inputs: Inputs, answers: Answers) -> None:
    """Keep the first two faces, and the noise, with the reference's outputs."""
    group = "face" if inputs.group == "face" else "other"
    wanted = inputs.given.ids[:MEASURED] if group == "face" else ("extreme-noise",)
    names = [name for name in wanted if name in answers and name in inputs.given.ids]
    if names and group not in measured_on:
        part = images.select(inputs.given, [inputs.given.ids.index(name) for name in names])
        measured_on[group] = (part, {name: answers[name] for name in names})


def _bounds_on_the_worst(bounds: Bounds, precision: str, one: Candidate, eight_bit: bool) -> dict[str, Bound]:
    """The bounds, measured also on the worst inputs where they lie little beyond: how far rounding carries differs
    from input to input."""
    for name, shown in one.worst.items():
        far = one.beyond(name, bounds.of(precision), eight_bit)
        if shown.candidate is not None and 1 < far <= LITTLE_BEYOND:
            group = "face" if one.group_of(name) == "face" else "other"
            bounds.also_on(group, name, shown.given, shown.reference)
    return bounds.of(precision)


def _refused_batches(own: Side, side: Side) -> list[Finding]:
    """A candidate that raises on several inputs at once, where the reference does not: each was given to it alone."""
    if not side.refused or own.refused:
        return []
    said = "raised on several inputs at once, and restored each of them alone"
    return [Finding("batch", f"{said}, in {len(side.refused)} calls: {side.refused[0]}", unsafe=False)]


def _steady(side: Side, given: ImageBatch, first: Answers, bounds: Mapping[str, Bound]) -> list[Finding]:
    names = [name for name in given.ids[:AGAIN] if name in first]
    if not names:
        return []
    return inconsistent(side, restored_again(side, given, first), bounds["face"])


def _quality(
    case: Case, own: Side, side: Side, metrics: Sequence[Metric], here: Mapping[str, object]
) -> tuple[tuple[Quality, ...], list[Finding]]:
    """The gate's paired evidence; nothing where no face was scored on both sides."""
    scored_rows = {row.id: row for row in own.rows if row.failure is None}
    if not any(
        row.failure is None and row.id in scored_rows and _scored_alike(scored_rows[row.id], row) for row in side.rows
    ):
        return (), []
    before, now = (
        Result(
            case=replace(case, restorer=name),
            rows=tuple(row for row in one.rows if row.id in scored_rows),
            metrics={metric.name: metric_record(metric) for metric in metrics},
            restorer={"restorer": name},
            degradation={},
            faces={},
            environment=dict(here),
        )
        for one, name in ((own, f"reference:{own.name}"), (side, f"candidate:{side.name}"))
    )
    spread = {
        metric.name: float(
            np.std([value for value in before.scores(metric.name) if value is not None and isfinite(value)] or [0])
        )
        for metric in metrics
    }
    return quality_of(baselines.compare(now, before, another_file="judge"), spread)


def _scored_alike(one: Row, other: Row) -> bool:
    """Whether both hold a score of some metric."""
    return any(score is not None and other.scores.get(name) is not None for name, score in one.scores.items())


def _scored_between(judged: Compared, one: Candidate, metrics: Sequence[Metric]) -> Compared:
    """PSNR, SSIM and, where they are here, LPIPS and identity between the outputs of the worst inputs."""
    pairs = {
        name: (shown.reference, shown.candidate)
        for name, shown in one.worst.items()
        if shown.candidate is not None and not torch.equal(shown.reference, shown.candidate)
    }
    more: dict[str, dict[str, float]] = {}
    beyond = [image.id for image in judged.images if image.group == "face" and not image.within and image.id in pairs]
    asked = [(metric, list(pairs)) for metric in metrics]
    asked += [(metric, beyond[:2]) for metric in (_present(WORST_METRICS) if beyond else ())]
    for metric, names in asked:
        if not metric.needs_truth:
            continue
        for name in names:
            reference, candidate = pairs[name]
            outputs = [images.quantized(ImageBatch(pixels[None], (name,))) for pixels in (candidate, reference)]
            try:
                found = scored(metric, *outputs)
            except AssetMissing:
                break
            if name in found:
                more.setdefault(name, {})[metric.name] = found[name]
    return with_scores(judged, more)


def _present(names: Sequence[str]) -> tuple[Metric, ...]:
    return load_measures(names, ()).metrics


def _usable(metrics: Sequence[Metric], blank: dict[str, str]) -> tuple[Metric, ...]:
    """The metrics whose assets are here: asked with one small pair."""
    usable = []
    for metric in metrics:
        side = max(32, metric.minimum_side_px)
        probe = ImageBatch(torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)), ("probe",))
        try:
            metric(images.quantized(probe), images.quantized(probe))
        except AssetMissing as error:
            blank[metric.name] = str(error)
            continue
        except BadInput:  # a metric of faces finds none in noise
            pass
        usable.append(metric)
    return tuple(usable)
