"""Finds a change that is confined to a subgroup of the images, and what those images have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gfpbench.baselines.comparison import Context
from gfpbench.baselines.image_statistics import FEATURES, ImageStatistics, apart
from gfpbench.statistics import Floats
from gfpbench.types import Result, Row, Verdict

PART = "part"
"""The subject of the verdict."""
APART = 4.0
"""A cluster moved so many times as far as the next image: between two models the moves of images vary smoothly."""
CHANCE = 0.05


def part_of_the_images(
    context: Context,
    pairs: Sequence[tuple[Row, Row]],
    before: ImageStatistics,
    now: ImageStatistics,
    moved: NDArray[np.bool_],
) -> list[Verdict]:
    """A verdict where two or more images, and no more than half of all, moved and the others did not, or, between two
    models, far less.

    Args:
        pairs: (baseline, now), of images that were restored in both.
        before, now: their restored images.
        moved: (n,) those that moved by more than numerical noise.
    """
    chosen, said = moved, "moved, and the others did not"
    if not _is_part(chosen) and not context.same_model:
        chosen, said = _cluster(before, now), f"moved {APART:.0f} times as far as the others, or more"
    if not _is_part(chosen):
        return []
    ids = [pair[1].id for pair, is_in in zip(pairs, chosen, strict=True) if is_in]
    listed = ", ".join(ids[:4]) + (f" and {len(ids) - 4:,} more" if len(ids) > 4 else "")
    common = in_common([pair[0] for pair in pairs], before, chosen, context.better)
    reason = f"{len(ids)} of {len(pairs)} images {said}: {common or 'nothing recorded tells them apart'} ({listed})"
    return [context.verdict(PART, "changed", reason, ids[0])]


def _is_part(chosen: NDArray[np.bool_]) -> bool:
    return 2 <= int(chosen.sum()) <= len(chosen) // 2


def _cluster(before: ImageStatistics, now: ImageStatistics) -> NDArray[np.bool_]:
    """(n,) the images above the widest gap in how far images moved; none where there is no such gap."""
    far = np.max([distance / FEATURES[name] for name, distance in apart(before, now).items()], axis=0)
    ordered = np.sort(far)
    ratios = ordered[1:] / np.maximum(ordered[:-1], 1.0)
    if not len(ratios) or ratios.max() < APART:
        return np.zeros(len(far), dtype=np.bool_)
    return np.asarray(far >= ordered[int(ratios.argmax()) + 1])


def in_common(rows: Sequence[Row], shown: ImageStatistics, chosen: NDArray[np.bool_], better: Mapping[str, str]) -> str:
    """What tells the chosen images from all others, in a few words; empty where nothing does, or chance would as often.

    Asked in this order: brightness, difficulty (the baseline's score by its first metric), the face, each attribute,
    each drawn parameter. A property has to separate the two perfectly; the more of them are asked, the more images it
    takes before that is no accident.
    """
    patterns = math.comb(len(rows), int(chosen.sum()))
    for asked, (words, values) in enumerate(_numbers(rows, shown, better), start=1):
        if np.isnan(values).any() or 2 * asked > CHANCE * patterns:
            continue
        inside, outside = values[chosen], values[~chosen]
        if inside.max() < outside.min():
            return f"{words[0]}, up to {inside.max():.4g}"
        if inside.min() > outside.max():
            return f"{words[1]}, from {inside.min():.4g}"
    for name, labels in _labels(rows):
        inside_labels = {label for label, is_in in zip(labels, chosen, strict=True) if is_in}
        outside_labels = {label for label, is_in in zip(labels, chosen, strict=True) if not is_in}
        if len(inside_labels) < int(chosen.sum()) and not inside_labels & outside_labels:
            return f"those of {name} {', '.join(sorted(inside_labels)[:3])}"
    return ""


def _numbers(
    rows: Sequence[Row], shown: ImageStatistics, better: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str], Floats]]:
    yield (
        ("the darkest ones by mean level", "the brightest ones by mean level"),
        shown.values["mean_levels"].mean(1),
    )
    metric = next(iter(better), None)
    if metric is not None:
        hard, easy = f"the hardest ones by {metric}", f"the easiest ones by {metric}"
        words = (hard, easy) if better[metric] == "higher" else (easy, hard)
        yield words, np.array([_number(row.scores.get(metric)) for row in rows])
    for kind in ("attributes", "parameters"):
        for name in dict.fromkeys(name for row in rows for name in getattr(row, kind)):
            values = np.array([_number(getattr(row, kind).get(name)) for row in rows])
            yield (f"those of least {name}", f"those of most {name}"), values


def _labels(rows: Sequence[Row]) -> Iterator[tuple[str, list[str]]]:
    for name in dict.fromkeys(name for row in rows for name in row.attributes):
        if all(isinstance(row.attributes.get(name), str) for row in rows):
            yield name, [str(row.attributes[name]) for row in rows]
    yield "face", [row.face_sha256[:8] for row in rows]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def directions(result: Result) -> dict[str, str]:
    """The metrics of a Result in order, with the direction that is better."""
    return {name: str(record["better"]) for name, record in result.metrics.items()}
