"""The verdict on a candidate: what its differences, findings and scores add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gfpbench.baselines import Comparison
from gfpbench.baselines.scores import EFFECT
from gfpbench.parity.record import Bound, Compared, Difference, Finding, Outcome, Quality, Safety
from gfpbench.types import Json

VISIBLE = 0.01
"""Share of an image's values that may differ by more than 4 levels before a person should look, arithmetic or not: the
bound of a coarse precision says what it costs, not that nobody sees it."""

BRANCH_LEVELS, BRANCH_TIMES = 1.0, 10.0
"""The mean difference of an input that is no face, in levels and in bounds of its own, from which it is no arithmetic
where every face is within: one value of white that overflows, or a branch for dark images."""

LOSSES = ("quality", "detail", "compression")
"""Kinds of finding that make a candidate worse: its images are the right ones, and less of them is left."""


def quality_of(comparison: Comparison, spread: Mapping[str, float]) -> tuple[tuple[Quality, ...], list[Finding]]:
    """The gate's evidence against the truth, and a finding for each metric that is worse.

    A loss that is sure and less than ``EFFECT`` of the spread of the images is a reason to look: half precision costs
    a thousandth of a decibel on every face.

    Args:
        spread: of the reference's images, for each metric.
    """
    records = {one.metric: one for one in comparison.metrics}
    found = tuple(
        Quality(one.metric, one.unit, one.expected, one.got, one.difference, one.low, one.high, one.p_value, one.kind)
        for one in comparison.metrics
    )
    worse = []
    for verdict in comparison.verdicts:
        if verdict.kind not in ("worse", "missing") or verdict.metric not in records:
            continue
        one = records[verdict.metric]
        sure = verdict.kind == "worse" and "mean" in verdict.reason and not one.identical_before
        small = sure and abs(one.difference) <= EFFECT * spread[verdict.metric]
        more = f", by less than {EFFECT:.0%} of the spread of the images" if small else ""
        reason = f"{verdict.metric} against the truth: {one.difference:+.2g} {one.unit}".rstrip()
        worse.append(Finding("quality", f"{reason}: {verdict.reason}{more}", verdict.image or "", not small))
    return found, worse


def judge(
    name: str,
    *,
    differences: Sequence[Difference],
    bounds: Mapping[str, Bound],
    findings: Sequence[Finding] = (),
    quality: Sequence[Quality] = (),
    ran: Mapping[str, Json] | None = None,
) -> Compared:
    """A candidate's verdict.

    Args:
        differences: of all its outputs, with ``within`` set.
        bounds: of faces (``face``) and of other inputs (``other``).
        findings: what was noticed; failures of single outputs are added here.
    """
    images = tuple(sorted(differences, key=lambda one: (not one.failure, one.within, -one.mean_levels, one.id)))
    told = [*_failures(images), *_branch(images, bounds), *findings]
    if all(one.within for one in images):  # what the arithmetic explains needs no look for its quality
        told = [one for one in told if one.kind != "quality" or one.unsafe]
    told.sort(key=lambda one: not one.unsafe)  # what decides comes first
    outcome = _outcome(images, told)
    safety = _safety(images, outcome, told)
    reasons = [one.reason for one in told]
    reasons += _said(images, bounds, quality, outcome)
    return Compared(
        name=name,
        outcome=outcome,
        safety=safety,
        reasons=tuple(dict.fromkeys(reasons)),
        precision=bounds["face"].precision,
        bounds=bounds,
        images=images,
        findings=tuple(told),
        quality=tuple(quality),
        ran=ran or {},
    )


def _failures(images: Sequence[Difference]) -> list[Finding]:
    failed = [one for one in images if one.failure]
    if not failed:
        return []
    kinds = {one.id: "not finite" if "finite" in one.failure or "NaN" in one.failure else "failure" for one in failed}
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return [Finding(kinds[failed[0].id], f"no output for {failed[0].id}{more}: {failed[0].failure}", failed[0].id)]


def _branch(images: Sequence[Difference], bounds: Mapping[str, Bound]) -> list[Finding]:
    """Of two networks nobody knows what they do far from any face; of one and the same, that it does the same."""
    if not all(one.within and not one.failure for one in images if one.group == "face"):
        return []
    least = max(BRANCH_LEVELS, BRANCH_TIMES * bounds["other"].mean_levels) if "other" in bounds else 0.0
    apart = [one for one in images if one.group != "face" and not one.within and one.mean_levels >= least]
    if not apart or len(apart) == len(images):
        return []
    worst = max(apart, key=lambda one: one.mean_levels)
    return [
        Finding(
            "branch",
            f"the same on every face, and {worst.mean_levels:.3g} levels apart in the mean on {worst.id}: a fault in "
            "dark, bright, grey or noisy images, which these faces are not",
            worst.id,
        )
    ]


def _outcome(images: Sequence[Difference], findings: Sequence[Finding]) -> Outcome:
    unsafe = [one for one in findings if one.unsafe]
    if any(one.kind not in LOSSES for one in unsafe):
        return "broken"
    if unsafe:
        return "worse"
    if all(one.equal for one in images):
        return "bit-equal"
    return "equal within the arithmetic" if all(one.within for one in images) else "different but as good"


def _safety(images: Sequence[Difference], outcome: Outcome, findings: Sequence[Finding]) -> Safety:
    if outcome in ("broken", "worse"):
        return "unsafe"
    visible = any(one.over_4 > VISIBLE for one in images if one.group == "face")
    return "look" if findings or visible or outcome == "different but as good" else "safe"


def _said(
    images: Sequence[Difference], bounds: Mapping[str, Bound], quality: Sequence[Quality], outcome: Outcome
) -> list[str]:
    if outcome == "bit-equal":
        return [f"every value of {len(images)} outputs is the same"]
    lines: list[str] = []
    for group, kind in (("face", "face"), ("other", "other input")):
        own = [one for one in images if (one.group == "face") == (group == "face") and not one.failure]
        if not own or group not in bounds:
            continue
        said = kind if len(own) == 1 else f"{kind}s"
        bound, beyond = bounds[group], [one for one in own if not one.within]
        most, mean = max(one.max_levels for one in own), max(one.mean_levels for one in own)
        figures = (
            f"up to {most:.3g} levels, {mean:.2g} in the mean; bound {bound.max_levels:.3g} and {bound.mean_levels:.2g}"
        )
        if beyond:
            verb = "differs" if len(beyond) == 1 else "differ"
            more = f"{len(beyond)} of {len(own)} {said} {verb} by more than {bound.precision} explains ({figures})"
            lines.insert(0, more)
        else:
            lines.append(f"{len(own)} {said} within the arithmetic of {bound.precision} ({figures})")
    seen = max((one.over_4 for one in images if one.group == "face"), default=0.0)
    if seen > VISIBLE:
        lines.append(f"{seen:.1%} of the values of a face differ by more than 4 levels")
    if outcome == "different but as good" and quality:
        faces = sum(one.group == "face" for one in images)
        told = "1 face tells" if faces == 1 else f"{faces} faces tell"
        lines.append(f"no metric against the truth is worse, as far as {told}")
    return lines


def with_scores(compared: Compared, more: Mapping[str, Mapping[str, float]]) -> Compared:
    """The same with further metrics between the outputs of some images."""
    images = tuple(
        replace(one, scores={**one.scores, **more[one.id]}) if one.id in more else one for one in compared.images
    )
    return replace(compared, images=images)
