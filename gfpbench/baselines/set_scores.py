"""Verdicts on set metrics (FID, KID), which are defined for a set of images only."""

from __future__ import annotations

from collections.abc import Mapping

from gfpbench.baselines.context import UNMEASURED, Context
from gfpbench.types import Json, Result, Verdict, VerdictKind


def set_scores(context: Context, result: Result, baseline: Result) -> list[Verdict]:
    """One verdict for each set metric that either holds.

    On the same model a set score may not move beyond its tolerance, because its images may not. Between two models it
    is worse or better where the two intervals are apart; that asks for more than a test of their difference would, and
    nothing less can be asked of two numbers without their features.
    """
    found: list[Verdict] = []
    planned = set(result.protocols) != set(baseline.protocols)  # then the two were asked for other metrics
    for name in dict.fromkeys((*baseline.set_scores, *result.set_scores)):
        before, now = baseline.set_scores.get(name), result.set_scores.get(name)
        if before is None or now is None:
            one, lacks = (baseline, result) if now is None else (result, baseline)
            if not planned and name not in lacks.not_measured and len(one.rows) == len(lacks.rows):
                found.append(context.verdict(name, "missing", f"{name} is in one of the two Results only"))
            continue
        if (before["n"], before["n_reference"]) != (now["n"], now["n_reference"]):
            said = f"not compared: of {now['n']} images now and {before['n']} in the baseline"
            found.append(context.verdict(name, "same", said))
            continue
        found.append(_judged(context, name, before, now))
    return found


def _judged(context: Context, name: str, before: Mapping[str, Json], now: Mapping[str, Json]) -> Verdict:
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
