"""Verdicts on restored images whose fingerprints moved, independent of the metric scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gfpbench.baselines.comparison import SAFETY, Context, MetricComparison
from gfpbench.baselines.diagnosis import likely_change
from gfpbench.baselines.image_statistics import (
    FEATURES,
    ImageStatistics,
    apart,
    image_statistics,
    places_moved,
    same_bytes,
)
from gfpbench.baselines.subgroup import part_of_the_images
from gfpbench.types import Json, Row, Verdict

ENOUGH = 8
"""Of fewer images a share says little."""
FEW_PLACES = 0.02
"""Of so few images, moved values for each of their blocks that say something all the same: five in 256."""


def same_images(context: Context) -> NDArray[np.bool_]:
    """(n,) whether the restored image is the baseline's, byte for byte; False where unknown."""
    before, now = (image_statistics(context.rows(side), "restored") for side in (0, 1))
    if before is None or now is None:
        return np.zeros(len(context.pairs), dtype=np.bool_)
    return same_bytes(before, now)


def image_verdicts(
    context: Context, judged: Sequence[Verdict], metrics: Sequence[MetricComparison]
) -> tuple[list[Verdict], str]:
    """What the restored images tell beyond their scores, and the likely kind of change."""
    whole = [pair for pair in context.pairs if pair[0].failure is None and pair[1].failure is None]
    before, now = (image_statistics([pair[side] for pair in whole], "restored") for side in (0, 1))
    if before is None or now is None:
        return [], ""
    ids = [pair[1].id for pair in whole]
    verdicts = _given_away(context, whole, before, now)
    moved, feature = beyond(before, now, context.envelope.get("restored", {}))
    visible = moved if moved.any() else ~same_bytes(before, now)
    if context.same_model:
        said = f"differ in {feature.removesuffix('_levels').removesuffix('_rgb')} by more than numerical noise"
        if context.same_machine and context.envelope.get("exact") is True and not moved.any():
            moved, said = ~same_bytes(before, now), "are other bytes, and this restorer gives the same ones every time"
        elif context.same_machine and not moved.any() and _too_many(context, before, now):
            moved = ~same_bytes(before, now)
            said = "are other bytes, where numerical noise moves far fewer images, or fewer places in them"
        if context.another:
            verdicts.append(_of_another_file(context, before, now, moved, judged, metrics, ids))
        # An improvement is a change of the images too: where the scores have said so, nothing is added.
        elif moved.any() and not any(verdict.kind in ("better", "worse") for verdict in judged):
            reason = f"the restored images changed: {int(moved.sum())} of {len(ids)} {said}"
            verdicts.append(context.verdict("images", "changed", reason, ids[int(np.flatnonzero(moved)[0])]))
    elif not same_bytes(before, now).all():
        said = _said_of_another(context, before, now, ~same_bytes(before, now), judged, metrics)
        verdicts.append(context.verdict("images", "alike", said))
    verdicts += part_of_the_images(context, whole, before, now, moved)
    if any("the metric changed" in verdict.reason for verdict in judged):
        return verdicts, "metric: the same images score differently"
    different = [verdict for verdict in (*verdicts, *judged) if verdict.kind not in ("same", "alike")]
    if not different or not visible.any():
        return verdicts, ""
    return verdicts, likely_change(before.only(visible), now.only(visible), min(whole[0][1].size_px))


def _of_another_file(
    context: Context,
    before: ImageStatistics,
    now: ImageStatistics,
    moved: NDArray[np.bool_],
    judged: Sequence[Verdict],
    metrics: Sequence[MetricComparison],
    ids: Sequence[str],
) -> Verdict:
    """The verdict on the images of another file where that may not move them: it fails, however good they are."""
    scored = any(verdict.kind != "same" for verdict in judged)
    if not moved.any() and not scored:
        other = int((~same_bytes(before, now)).sum())
        said = f"the same images, but for rounding in {other} of {len(ids)}" if other else "the same images"
        return context.verdict("images", "alike", f"{context.another}, {said}")
    different = moved if moved.any() else ~same_bytes(before, now)
    said = _said_of_another(context, before, now, different, judged, metrics)
    first = ids[int(np.flatnonzero(different)[0])] if different.any() else None
    return context.verdict("images", "changed", f"{said}; --baseline-update accepts it", first)


def _said_of_another(
    context: Context,
    before: ImageStatistics,
    now: ImageStatistics,
    moved: NDArray[np.bool_],
    judged: Sequence[Verdict],
    metrics: Sequence[MetricComparison],
) -> str:
    """What is true of another model: how many images differ, by how much, and whether they are as good."""
    far = apart(before, now)
    levels = max(float(far[name].max()) for name in ("thumbnail_rgb", "lowest_levels", "highest_levels", "mean_levels"))
    kinds = [kind for kind in ("worse", "better") if any(verdict.kind == kind for verdict in judged)]
    quality = f"quality {' and '.join(kinds)}" if kinds else "quality alike"
    if metrics:
        first = metrics[0]
        within = max(abs(first.low), abs(first.high))
        unit = f" {first.unit}" if first.unit else ""
        quality += f", {first.metric} {'by' if kinds else 'within'} {first.difference if kinds else within:.3g}{unit}"
    how = f"by up to {levels:.0f} levels" if levels >= 1 else "by less than a level"
    counted = f"{int(moved.sum()):,} of {len(moved):,} images differ, {how} in their thumbnails and extremes"
    return f"{context.another}; {counted}; {quality}"


def _too_many(context: Context, before: ImageStatistics, now: ImageStatistics) -> bool:
    """Whether more images have other bytes than noise explains: a drift too small for any metric, but everywhere.

    Another order of sums tips a value here and there; a layer in half precision tips some in every block. So where both
    sides and the envelope know it, the places that differ are counted, and without that the images. At 512 px noise
    alone may move them all, and then this says nothing.
    """
    other, few = float((~same_bytes(before, now)).mean()), len(now.sha256) < ENOUGH
    if other <= 0.5:
        return False
    places, noise = places_moved(before, now), context.envelope.get("places_moved")
    if places is not None and noise is not None:
        return rate(float(places.mean())) > max(FEW_PLACES if few else 0.0, 3 * rate(float(noise)))
    share = context.envelope.get("bytes_moved")
    return not few and share is not None and other > 3 * float(share)


def rate(share: float) -> float:
    """Moved values for each block, where this share of the blocks has any: 0.63 of them at one each, by chance."""
    return -math.log(max(1e-3, 1 - share))


def _given_away(
    context: Context, whole: Sequence[tuple[Row, Row]], before: ImageStatistics, now: ImageStatistics
) -> list[Verdict]:
    """Restored images that are the truth, or their own input, where the baseline's were not: no restoration."""
    found = []
    given = [image_statistics([pair[side] for pair in whole], "degraded") for side in (0, 1)]

    def is_own_input(side: int, restored: ImageStatistics, place: int) -> bool:
        known = given[side]
        return known is not None and known.sha256[place] == restored.sha256[place]

    for said, places in (
        (
            "is the ground truth itself: the restorer has seen it",
            [
                i
                for i, (old, new) in enumerate(whole)
                if new.face_sha256.startswith(now.sha256[i])
                and not old.face_sha256.startswith(before.sha256[i])
                and not is_own_input(1, now, i)  # where the input is the truth, or there is none
            ],
        ),
        (
            "is its own input: nothing was restored",
            [i for i in range(len(whole)) if is_own_input(1, now, i) and not is_own_input(0, before, i)],
        ),
    ):
        if places:
            image = whole[places[0]][1].id
            reason = f"the restored image of {image} {said} ({len(places)} of {len(whole)} images)"
            found.append(context.verdict("images", "worse", reason, image))
    return found


def beyond(
    before: ImageStatistics, now: ImageStatistics, envelope: Mapping[str, Json]
) -> tuple[NDArray[np.bool_], str]:
    """(n,) whether an image differs by more than noise in any feature, and the feature that differs most."""
    moved = np.zeros(len(now.sha256), dtype=np.bool_)
    most, feature = 0.0, "thumbnail_rgb"
    for name, distance in apart(before, now).items():
        slack = max(FEATURES[name], SAFETY * float(envelope.get(name, 0.0)))
        moved |= distance > slack
        share = float(distance.max()) / slack
        if share > most:
            most, feature = share, name
    return moved, feature
