"""Which images the page of a large table shows, and how small they are drawn, so that the page stays under 6 MB."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gfpbench.run.recorder import FAILED, sample_key

WORST, MEDIAN, BEST, SAMPLE = 8, 4, 8, 12

ROOM = 3_200_000
"""Characters that the images of all large tables of one page may take; the rest of a page needs less than as many."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How an image is put into a page: the file itself up to ``exact_side_px``, else WebP of at most ``side_px``."""

    exact_side_px: int
    side_px: int
    quality: int


FULL = Drawn(160, 512, 90)
"""Of a table that shows all images that were kept."""
ENCODED = Drawn(0, 512, 90)
SIZES = (
    FULL,
    ENCODED,
    *(Drawn(0, side, quality) for side, quality in ((384, 85), (256, 80), (192, 75), (128, 70))),
)
ONE_IN = 5


def of_many(kept: Sequence[str], badness: Mapping[str, float], seed: int) -> dict[str, str]:
    """The kept images that stand for a large table, with why each does: worst, median, best, sample, in this order.

    Args:
        kept: images of which something was kept, as listed.
        badness: how bad each image of the table is, infinite where it failed, minus infinite where it has no score;
            empty where no metric has a direction.
        seed: of the case; the sample depends on it and on the names alone, so that every restorer has the same one.
    """
    scored = sorted((name for name in badness if math.isfinite(badness[name])), key=lambda name: -badness[name])
    place = {name: number for number, name in enumerate(scored)}
    ranked = sorted((name for name in kept if name in place), key=place.__getitem__)
    failed = [name for name in kept if badness.get(name) == math.inf][:FAILED]
    middle = (len(scored) - 1) / 2
    near = sorted(ranked, key=lambda name: (abs(place[name] - middle), place[name]))
    drawn = sorted(kept, key=lambda name: sample_key(name, seed))
    groups = (
        ("worst", [*failed, *ranked[: WORST - len(failed)]]),
        ("best", ranked[::-1][:BEST]),
        ("median", near[:MEDIAN]),
        ("sample", drawn),
    )
    found: dict[str, str] = {}
    for why, names in groups:
        new = [name for name in names if name not in found]
        found |= dict.fromkeys(new[:SAMPLE] if why == "sample" else new, why)
    order = ("worst", "median", "best", "sample")
    return dict(sorted(found.items(), key=lambda item: order.index(item[1])))


def fewer(names: Mapping[str, str]) -> dict[str, str]:
    """Half of each kind, one at least."""
    kinds: dict[str, list[str]] = {}
    for name, why in names.items():
        kinds.setdefault(why, []).append(name)
    return {name: why for why, own in kinds.items() for name in own[: max(1, len(own) // 2)]}


def fitting(
    names: Mapping[str, str], size_of: Callable[[Sequence[str], Drawn], int], room: int
) -> tuple[dict[str, str], Drawn]:
    """The largest images that fit into ``room`` characters; where not even the smallest do, fewer of these.

    Args:
        size_of: how many characters the images of these names take.
    """
    chosen = dict(names)
    few = list(chosen)[::ONE_IN]  # of all kinds: their images tell which sizes are hopeless
    for drawn in SIZES:
        guessed = size_of(few, drawn) * len(chosen) / max(1, len(few))
        if guessed <= room and size_of(list(chosen), drawn) <= room:
            return chosen, drawn
    while size_of(list(chosen), SIZES[-1]) > room and fewer(chosen) != chosen:
        chosen = fewer(chosen)
    return chosen, SIZES[-1]
