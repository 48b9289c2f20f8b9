"""Verdicts per metric: means by effect size and evidence, single images by noise and as outliers; set scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gfpbench.baselines.comparison import SAFETY, UNMEASURED, Context, ImageChange, MetricComparison
from gfpbench.baselines.moved_images import same_images
from gfpbench.metrics.figure_identity import unlike
from gfpbench.statistics import Floats, best_of, holm, is_identical, mean_of, paired_columns
from gfpbench.types import Json, Result, Row, Verdict, VerdictKind

LEVEL = 0.05
EFFECT = 0.05
"""A mean is better where it also rose by so much of the spread of the baseline's images: where PSNR spreads by 2 dB, by
0.1 dB. Less than that is a change of the arithmetic that happened to go up."""
FEW = 6
"""Of fewer images every sign pattern is too likely: 2 in 2^5 is above 0.05."""
SAME_IMAGE = 1e-5
"""Relative; the same bytes on the same machine may score so differently: float32 networks sum in another order."""
FEW_FOR_A_LINE = 10
"""Of fewer images the spread is too uncertain to call one of them out of line."""
OUT_OF_LINE = 8.0
"""A fall so many robust standard deviations beyond the median of all images is out of line: at ten thousand normal
differences that happens once in 10^11 runs; beyond it stands the demand that no image rises a third as far, which
differences with heavy tails on both sides fail."""

OTHER_METRIC = "not compared: the metric is another one than the baseline's"
"""How the verdict on a metric of unlike identity begins."""


def _array(rows: Sequence[Row], names: Sequence[str]) -> Floats:
    """(n, m) scores; NaN where there is none."""
    return np.array(
        [[math.nan if (s := row.scores.get(name)) is None else s for name in names] for row in rows]
    ).reshape(len(rows), len(names))


def scores(
    context: Context, names: list[str], result: Result, baseline: Result
) -> tuple[tuple[MetricComparison, ...], list[Verdict]]:
    """One record and at least one verdict for each metric."""
    before, now = _array(context.rows(0), names), _array(context.rows(1), names)
    verdicts = _blanks(context, names, before, now, result)
    names = [name for column, name in enumerate(names) if (~np.isnan(before + now) | (before == now))[:, column].any()]
    if not names:
        return (), verdicts
    before, now = _array(context.rows(0), names), _array(context.rows(1), names)
    bests = [best_of(result.metrics[name]) for name in names]
    equal_before, equal_now = _identical(before, bests), _identical(now, bests)
    unnumbered = _without_number(before, now, equal_before | equal_now)
    evidence = paired_columns(np.where(unnumbered, np.nan, now), np.where(unnumbered, np.nan, before))
    # Holm's correction over the metrics of this case, Bonferroni's over the cases.
    p_values = [min(1.0, p * context.questions) for p in holm([float(p) for p in evidence.p_value])]
    same = same_images(context)
    both = np.array([before.failure is None and now.failure is None for before, now in context.pairs])
    metrics = []
    for column, name in enumerate(names):
        record = result.metrics[name]
        sign = 1.0 if record["better"] == "higher" else -1.0
        there = ~np.isnan(before[:, column]) & ~np.isnan(now[:, column])
        a, b = before[there, column], now[there, column]
        with np.errstate(invalid="ignore"):
            gain = np.where(a == b, 0.0, sign * (b - a))
        noise = float(context.envelope.get("scores", {}).get(name, 0.0))
        factor = 1.0 if "scores" in context.envelope or context.same_machine else UNMEASURED
        slack = max(factor * float(record["tolerance"]), SAFETY * noise)
        images = [image for image, is_there in zip(context.ids, there, strict=True) if is_there]
        sure = p_values[column] < LEVEL and not evidence.low[column] <= 0 <= evidence.high[column]
        mean = sign * float(evidence.mean[column])
        kind, said = _judged(context, gain, a, mean, slack, sure)
        equal = equal_before[there, column], equal_now[there, column]
        if lost := int((equal[0] & ~equal[1]).sum()):
            told = f"{lost} of {int(equal[0].sum())} images equal to their truth are no longer"
            kind, said = "worse", f"{told}; {said}" if sure and kind == "worse" else told
        rescored = there & same & ~_close(before[:, column], now[:, column], slack, context.same_machine)
        worst = np.argsort(gain, kind="stable")[:3]
        verdict_image = images[int(worst[0])] if kind != "same" and len(images) else None
        # A metric that gives a number in place of a blank. On another machine a face may be found that was not.
        appeared = both & same & np.isnan(before[:, column]) & ~np.isnan(now[:, column]) & context.same_machine
        for images_of, how in ((appeared, "have a score where there was none"), (rescored, "score differently")):
            if images_of.any():
                kind = "changed"
                verdict_image = context.ids[int(np.flatnonzero(images_of)[0])]
                said = f"the metric changed: {int(images_of.sum())} images are the same bytes and {how}"
        metrics.append(
            MetricComparison(
                metric=name,
                unit=str(record["unit"]),
                better=record["better"],
                n=len(a),
                expected=_mean(a[~unnumbered[there, column]], bests[column]),
                got=_mean(b[~unnumbered[there, column]], bests[column]),
                difference=float(evidence.mean[column]),
                low=float(evidence.low[column]),
                high=float(evidence.high[column]),
                p_value=p_values[column],
                slack=slack,
                largest=float(np.abs(gain).max()),
                moved=int((np.abs(gain) > slack).sum()),
                worst=tuple(ImageChange(images[i], float(a[i]), float(b[i])) for i in worst if gain[i] < 0),
                kind=kind,
                identical_before=int(equal[0].sum()),
                identical_now=int(equal[1].sum()),
                averaged=int((~unnumbered[there, column]).sum()),
            )
        )
        numbers = metrics[-1].expected, metrics[-1].got
        verdicts.append(context.verdict(name, kind, said, verdict_image, numbers))
    return tuple(metrics), verdicts


def set_scores(context: Context, result: Result, baseline: Result) -> list[Verdict]:
    """One verdict for each set metric that the baseline holds.

    On the same model a set score may not move beyond its tolerance, because its images may not. Between two models it
    is worse or better where the two intervals are apart; that asks for more than a test of their difference would, and
    nothing less can be asked of two numbers without their features.
    """
    found: list[Verdict] = []
    planned = set(result.protocols) != set(baseline.protocols)  # then the two were asked for other metrics
    for name in baseline.set_scores:
        before, now = baseline.set_scores[name], result.set_scores.get(name)
        if now is None:
            if not planned and name not in result.not_measured and len(baseline.rows) == len(result.rows):
                found.append(context.verdict(name, "missing", f"{name} is in the baseline and was not measured"))
            continue
        if (before["n"], before["n_reference"]) != (now["n"], now["n_reference"]):
            said = f"not compared: of {now['n']} images now and {before['n']} in the baseline"
            found.append(context.verdict(name, "same", said))
            continue
        if differs := unlike(now, before):
            found.append(context.verdict(name, "changed", f"{OTHER_METRIC}: {differs}"))
            continue
        found.append(_judged_set(context, name, before, now))
    return found


def _judged_set(context: Context, name: str, before: Mapping[str, Json], now: Mapping[str, Json]) -> Verdict:
    sign = 1.0 if now["better"] == "higher" else -1.0
    numbers = float(before["value"]), float(now["value"])
    gain = 0.0 if numbers[0] == numbers[1] else sign * (numbers[1] - numbers[0])
    slack = float(now["tolerance"]) * (1.0 if context.same_machine else UNMEASURED)
    if abs(gain) <= slack:
        return context.verdict(name, "same", "within tolerance", None, numbers)
    if _apart(before, now):
        kind: VerdictKind = "better" if gain > 0 else "worse"
        return context.verdict(name, kind, "by more than the intervals of both", None, numbers)
    if context.same_model:
        return context.verdict(name, "changed", f"moved by {gain:+.4g}, which the same images never do", None, numbers)
    return context.verdict(name, "same", "within the intervals of both", None, numbers)


def _apart(before: Mapping[str, Json], now: Mapping[str, Json]) -> bool:
    """Whether the two intervals do not touch; False where one is unknown."""
    known = [record[side] for record in (before, now) for side in ("low", "high") if record.get(side) is not None]
    if len(known) < 4:
        return False
    low, high, now_low, now_high = map(float, known)
    return high < now_low or now_high < low


def _identical(scores: Floats, bests: Sequence[float | None]) -> NDArray[np.bool_]:
    """(n, m) whether an image equals its truth: its score is the metric's infinite best."""
    return np.array([[is_identical(score, best) for score, best in zip(row, bests, strict=True)] for row in scores])


def _without_number(before: Floats, now: Floats, equal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n, m) pairs that leave the means: identical in one of the two, unless a column has no others."""
    left = ~np.isnan(before) & ~np.isnan(now) & ~equal
    return np.asarray(equal & left.any(axis=0))


def _mean(scores: Floats, best: float | None) -> float:
    mean = mean_of(scores.tolist(), best).value
    return math.nan if mean is None else mean


def _judged(
    context: Context, gain: Floats, before: Floats, mean: float, slack: float, sure: bool
) -> tuple[VerdictKind, str]:
    """The verdict on one metric. ``gain`` is positive where an image is better than in the baseline."""
    moved = int((np.abs(gain) > slack).sum())
    effect = mean > max(slack, EFFECT * _spread(before))
    fallen = _fallen(gain, before, slack, context.same_model)
    if sure and mean < -slack:
        return "worse", "the mean is worse by more than noise and chance"
    if fallen is not None:
        return (
            "worse",
            f"one image falls out of line: {gain[fallen]:+.4g} where half of all move {np.median(gain):+.4g}",
        )
    if sure and effect:
        fell = int((gain < -slack).sum())
        if fell and context.same_model:  # the same weights do not restore some faces better and others worse
            said = f"{fell} of {len(gain)} images are worse by more than numerical noise, though the mean is better"
            return "changed", said
        return "better", "the mean is better by more than noise and chance: the baseline is stale"
    if moved and context.same_model:
        said = f"{moved} of {len(gain)} images moved by more than numerical noise"
        if mean < -slack and not (gain > slack).any():
            return "worse", f"{said}, all of them down"
        if effect and not (gain < -slack).any() and moved * 2 > len(gain):
            return "better", f"{said}, all of them up: the baseline is stale"
        return "changed", f"{said}, neither surely better nor surely worse"
    if not moved:
        return "same", "within numerical noise"
    if sure and mean > slack:
        return (
            "alike",
            f"up by less than {EFFECT:.0%} of the spread of the images: too little to call it better",
        )
    few = "" if len(gain) >= FEW else f": {len(gain)} are too few for evidence, which takes {FEW}"
    return "alike", f"neither better nor worse, as far as these images tell{few}"


def _spread(before: Floats) -> float:
    """The standard deviation of the finite scores; 0 of fewer than two."""
    finite = before[np.isfinite(before)]
    return float(finite.std()) if len(finite) > 1 else 0.0


def _fallen(gain: Floats, before: Floats, slack: float, same_model: bool) -> int | None:
    """The image that went wrong while the others did not, or None.

    It fell by more than the noise, farther than OUT_OF_LINE allows, and three times as far as any image rose. Between
    two models images move anyway: there it must also have fallen as far as the baseline's images lie apart.
    """
    place = int(np.argmin(gain))
    fall = -float(gain[place])
    middle = float(np.median(gain))
    spread = 1.4826 * float(np.median(np.abs(gain - middle))) if np.isfinite(middle) else math.inf
    if len(gain) < FEW_FOR_A_LINE:
        return None
    if not (fall > slack and fall > 3 * max(0.0, float(gain.max())) and -fall < middle - OUT_OF_LINE * spread):
        return None
    if not same_model and fall <= _spread(before):
        return None
    return place


def _blanks(context: Context, names: list[str], before: Floats, now: Floats, result: Result) -> list[Verdict]:
    """Scores that were there and are not, of images that were restored: without a reason that concerns the metric as a
    whole (an asset that is not here), or because the metric could not score the image."""
    found = []
    restored = np.array([row.failure is None for row in context.rows(1)])
    said = {(p.subject, p.reason.partition(": ")[0]): p.reason for p in result.problems if p.stage == "metric"}
    for column, name in enumerate(names):
        lost = np.flatnonzero(restored & np.isnan(now[:, column]) & ~np.isnan(before[:, column]))
        undefined = [place for place in lost if (context.ids[place], name) in said]
        if len(undefined) or (len(lost) and name not in result.not_measured):
            image = context.ids[int(undefined[0] if undefined else lost[0])]
            why = f": {said[image, name]}" if undefined else ""
            found.append(context.verdict(name, "missing", f"{len(lost)} images have no score any more{why}", image))
    return found


def _close(a: Floats, b: Floats, slack: float, same_machine: bool) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        distance = np.where(a == b, 0.0, np.abs(a - b))
    finite = np.where(np.isfinite(a), np.abs(a), 0.0)
    return np.asarray(distance <= (np.maximum(SAME_IMAGE * finite, 1e-9) if same_machine else slack))
