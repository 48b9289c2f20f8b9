"""Judges a claim or a published row against measured Results: held, failed, or open with its prerequisites."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from gfpbench.claims.published import Claim, Row, Table
from gfpbench.metrics.figure_identity import unlike
from gfpbench.metrics.protocols import Protocol
from gfpbench.statistics import best_of, interval_of, is_identical, mean_of, paired_difference, people_of
from gfpbench.types import BadInput, Json, Result, any_scored

Status: TypeAlias = Literal["held", "failed", "open"]

MINIMUM_IMAGES = 5
"""Below this an interval over images says too little to call anything clear."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claim.

    Args:
        id: of the claim, or ``paper/table/method/figure``.
        source, words: who says what.
        status: ``open`` is never ``held``: it could not be measured here.
        reason: why, in one line; for ``open`` what it waits for.
        expected, got: published and measured; for a change, restored minus its rival.
        low, high: 95 % interval of ``got`` over people (over images, where each is of another).
        images: how many stand behind it.
        restorer: that was judged.
    """

    id: str
    source: str
    words: str
    status: Status
    reason: str
    expected: float | None = None
    got: float | None = None
    low: float | None = None
    high: float | None = None
    images: int = 0
    restorer: str = ""


def judge(claim: Claim, restored: Result, degraded: Result, truth: Result) -> Outcome:
    """Hold one claim against what was measured of a restorer, its input and the truth on the same faces.

    A restorer that failed on any face fails every claim, and so does one whose images cannot be scored where the
    degraded ones can: a mean over the faces that happened to work would flatter it.

    Raises:
        BadInput: where the three were not measured on the same faces.
    """
    if not restored.image_ids == degraded.image_ids == truth.image_ids:
        raise BadInput(f"{claim.id}: the restorer, its input and the truth were not measured on the same faces")

    def outcome(status: Status, reason: str, **numbers: float | int | None) -> Outcome:
        return Outcome(
            claim.id, claim.source, claim.words, status, reason,
            claim.change, restorer=restored.case.restorer, **numbers,  # type: ignore[arg-type]
        )  # fmt: skip

    failures = sum(row.failure is not None for row in restored.rows)
    if failures:
        return outcome("failed", f"{failures} of {len(restored.rows)} restorations failed")
    rival = degraded if claim.says not in ("beats-truth", "truth-is-best") else truth
    missing = not_measured(claim.protocol, claim.figure, rival)
    if missing:
        return outcome("open", missing)
    if claim.says == "truth-is-best":
        return _truth_is_best(claim, truth, outcome)
    metric = claim.protocol.figures[claim.figure]
    records = [{**one.metrics, **one.set_scores}.get(metric, {}) for one in (restored, rival)]
    if differs := unlike(*records):
        said = f"{metric} of {restored.case.restorer} and {rival.case.restorer} do not compare: {differs}"
        return outcome("open", f"waits for one measurement of both: {said}")
    if metric in rival.set_scores:
        missing = not_measured(claim.protocol, claim.figure, restored)
        if missing:
            return outcome("open", missing)
        holds, why, numbers = _change_of_sets(claim, restored.set_scores[metric], rival.set_scores[metric])
        return outcome("held" if holds else "failed", why, **numbers)
    of, scores = people_of(restored), zip(restored.scores(metric), rival.scores(metric), strict=True)
    named = [(a, b, of[name]) for name, (a, b) in zip(restored.image_ids, scores, strict=True) if b is not None]
    pairs = [(a, b) for a, b, _ in named]
    blank = sum(a is None for a, _ in pairs)
    if blank:
        return outcome(
            "failed", f"{blank} of {len(pairs)} restored images have no {metric} where {rival.case.restorer} has"
        )
    if len(pairs) < MINIMUM_IMAGES:
        return outcome("open", f"waits for {MINIMUM_IMAGES} images or more: {len(pairs)} are measured")
    best = best_of(restored.metrics[metric])
    told = [(a, b, who) for a, b, who in named if a is not None]
    # Equal images have no number: they are counted, and the change is that of the pairs that have one.
    numbered = [pair for pair in told if not (is_identical(pair[0], best) or is_identical(pair[1], best))]
    gained, lost = (
        sum(is_identical(one, best) and not is_identical(other, best) for one, other in turned)
        for turned in (((a, b) for a, b, _ in told), ((b, a) for a, b, _ in told))
    )
    if not numbered and gained and lost:
        return outcome("failed", f"{gained} images are identical now and {lost} are no longer: there is no mean change")
    ours, theirs, people = zip(*(numbered or told), strict=True)
    change = paired_difference(ours, theirs, people=people).interval
    holds, why = _holds(claim, change.mean, change.low, change.high, restored.metrics[metric]["better"])
    why += f", {len(set(people))} people" if len(set(people)) < len(people) else ""
    if gained or lost:
        why += (
            f"; {gained} of {len(told)} identical to the truth where {rival.case.restorer} is not, {lost} the other way"
        )
    if holds and (lost or (gained and claim.says == "does-not-rise")):
        holds, why = False, f"{why}: an infinite {'fall' if lost else 'rise'}"
    numbers = {"got": change.mean, "low": change.low, "high": change.high, "images": len(pairs)}
    return outcome("held" if holds else "failed", why, **numbers)


def _change_of_sets(
    claim: Claim, restored: Mapping[str, Json], rival: Mapping[str, Json]
) -> tuple[bool, str, dict[str, float | int]]:
    """A change of two numbers of whole sets: their intervals, taken as independent, make its interval.

    Restored and degraded are the same faces, so the true interval is shorter: what is clear here is clear.
    """
    change = float(restored["value"]) - float(rival["value"])

    def room(score: Mapping[str, Json], bound: str) -> float:
        # A score without an interval moves by its tolerance at least.
        told = score.get(bound)
        return float(score.get("tolerance") or 0) if told is None else abs(float(told) - float(score["value"]))

    low = change - math.hypot(room(restored, "low"), room(rival, "high"))
    high = change + math.hypot(room(restored, "high"), room(rival, "low"))
    holds, why = _holds(claim, change, low, high, str(restored["better"]))
    return holds, why, {"got": change, "low": low, "high": high, "images": int(restored["n"])}


def _holds(claim: Claim, mean: float, low: float, high: float, better: str) -> tuple[bool, str]:
    said = f"{claim.protocol.figures[claim.figure]} changes by {mean:+.4g} [{low:+.4g}, {high:+.4g}]"
    if claim.says in ("improves", "beats-truth"):
        clear = low > 0 if better == "higher" else high < 0
        return clear, said + ("" if clear else f": not clearly {better}")
    if claim.says == "does-not-fall":
        return high >= 0, said + ("" if high >= 0 else ": it falls")
    floor = -math.inf if claim.falls_by_at_most is None else -claim.falls_by_at_most
    if low > 0:
        return False, said + ": it rises"
    return high >= floor, said + ("" if high >= floor else f": it falls by more than {-floor:.4g}")


def _truth_is_best(claim: Claim, truth: Result, outcome: object) -> Outcome:
    assert callable(outcome)
    metric = claim.protocol.figures[claim.figure]
    best = truth.metrics[metric]["best"]
    scores = [score for score in truth.scores(metric) if score is not None]
    away = [score for score in scores if score != best and not math.isclose(score, float(best), abs_tol=1e-9)]
    told: Outcome = outcome(
        "failed" if away else "held",
        f"{len(away)} of {len(scores)} score something else than {best:g}, first {away[0]:.6g}"
        if away
        else f"{len(scores)} of {len(scores)} score {best:g}",
        got=away[0] if away else float(best),
        images=len(scores),
    )
    return told


def judge_row(table: Table, row: Row, figure: str, result: Result) -> Outcome:
    """Hold one published number against a Result that was measured on the table's faces in the table's way.

    It is held where the mean lies within the table's stated tolerance; the interval over images is told beside it.

    Raises:
        BadInput: where the Result is of other faces, another degradation or another restorer.
    """
    expected = row.figures[figure]
    case = result.case
    measured = (case.faces.partition(":")[0], case.degradation_named, case.restorer)
    if measured != (table.faces, table.degradation, row.restorer):
        raise BadInput(f"{row.id}: is not about {', '.join(measured)}")

    def outcome(status: Status, reason: str, **numbers: float | int | None) -> Outcome:
        words = f"{row.method}: {figure} {expected:g} @ {table.protocol.name}"
        return Outcome(
            f"{row.id}/{figure}", table.source, words, status, reason,
            expected, restorer=case.restorer, **numbers,  # type: ignore[arg-type]
        )  # fmt: skip

    failures = sum(one.failure is not None for one in result.rows)
    if failures:
        return outcome("failed", f"{failures} of {len(result.rows)} restorations failed")
    missing = not_measured(table.protocol, figure, result, table.undefined)
    if missing:
        return outcome("open", missing)
    if result.case.size_px is not None:
        return outcome("open", f"waits for the faces at their own size, not {result.case.size_px} px")
    metric = table.protocol.figures[figure]
    if metric in result.set_scores:
        score = result.set_scores[metric]
        value, low, high, images = float(score["value"]), score["low"], score["high"], int(score["n"])
        note = ""
    else:
        scored = {row.id: known for row in result.rows if (known := row.scores.get(metric)) is not None}
        scores, people = list(scored.values()), people_of(result)
        best = best_of(result.metrics.get(metric, {}))
        mean = mean_of(scores, best)
        if mean.value is None:
            return outcome("failed", f"{metric} has infinities of both signs: there is no mean")
        value, images, note = mean.value, mean.n, f" ({mean.note})" if mean.note else ""
        low, high = interval_of(scores, best, [people[name] for name in scored]) or (value, value)
    if images != table.images:
        return outcome("open", f"waits for all {table.images} images: {images} have a score")
    away = 0.0 if value == expected else abs(value - expected)
    holds = away <= table.tolerance[figure]
    said = f"{value:.4f}{note} is {away:.4g} away, {'within' if holds else 'beyond'} {table.tolerance[figure]:g}"
    return outcome("held" if holds else "failed", said, got=value, low=low, high=high, images=images)


def not_measured(
    protocol: Protocol, figure: str, result: Result, undefined: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Why a figure has no value in a Result, and what it waits for; empty where it has one."""
    metric = protocol.figures.get(figure)
    if metric is None:
        absent = dict(undefined, **protocol.absent)
        return f"waits for {figure} @ {protocol.name}: {absent.get(figure, 'it is made of the other figures')}"
    if metric in result.set_scores or any_scored(result.rows, metric):
        return ""
    if metric in result.not_measured:
        return f"waits for {metric}: {result.not_measured[metric]}"
    return f"waits for {metric}, which this run did not measure"


def open_outcome(table: Table, row: Row, figure: str, reason: str) -> Outcome:
    """The outcome of a published number that could not be measured."""
    expected = row.figures[figure]
    return Outcome(
        f"{row.id}/{figure}",
        table.source,
        f"{row.method}: {figure} {expected:g} @ {table.protocol.name}",
        "open",
        reason,
        expected,
        restorer=row.restorer or "",
    )
