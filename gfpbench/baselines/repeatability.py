"""Repeatability: restores a few inputs again in another order and batch, and reports answers that differ."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gfpbench import run
from gfpbench.baselines.comparison import SAFETY, Context
from gfpbench.baselines.image_statistics import FEATURES, apart, image_statistics, places_moved
from gfpbench.baselines.moved_images import rate
from gfpbench.types import Face, FaceSet, Json, Result, Verdict

REPEAT = "repeat"
"""The subject of the verdict."""
INPUTS = 8
"""All in one batch where there are more images than these: a run of 16 images has batches of 7 (``batch_size_for``), so
what is wrong with full batches would be seen by whoever uses the model, and not here."""
NOISE_AT_MOST = 3.0
"""The measured noise counts up to so many times what is the same in any case: what was measured of a restorer that
draws lots is not noise."""


class Chosen:
    """Some faces of a set, in an order of their own."""

    def __init__(self, inner: FaceSet, chosen: tuple[str, ...]) -> None:
        self.inner, self.chosen, self.name = inner, chosen, inner.name

    def ids(self) -> tuple[str, ...]:
        return self.chosen

    def load(self, face_id: str) -> Face:
        return self.inner.load(face_id)

    def source(self) -> Mapping[str, Json]:
        return self.inner.source()


def restored_again(result: Result, *, device: str = "cpu", parts: run.Parts | None = None) -> Result | None:
    """Restore up to eight of a Result's inputs again: spread over the set, last first, as one batch.

    Of eight images or fewer it is two batches, so that each image has other company than in the run.

    Args:
        result: as measured.
        device: where the restorer works.
        parts: already loaded; loaded by the names in the case where None.

    Returns:
        Their rows, without scores; None where nothing is restored (the truth).
    """
    parts = parts or run.load(result.case, device=device, metrics=[])
    if parts.restorer is None or not result.rows:
        return None
    ids = result.image_ids
    spread = dict.fromkeys(ids[round(place * (len(ids) - 1) / max(1, INPUTS - 1))] for place in range(INPUTS))
    faces = Chosen(parts.faces, tuple(reversed(spread)))
    case = replace(result.case, limit=None)
    with tempfile.TemporaryDirectory() as folder:
        return run.run_case(
            case,
            replace(parts, faces=faces, metrics=(), sets=()),
            store=Path(folder),
            device=device,
            batch_size=INPUTS if len(ids) > INPUTS else max(1, len(ids) // 2),
            keep_images=0,
        )


def answers_differ(context: Context, result: Result, again: Result) -> list[Verdict]:
    """A verdict where an input has another answer in another order and company, beyond numerical noise."""
    rows = {row.id: row for row in again.rows}
    pairs = [(row, rows[row.id]) for row in result.rows if row.id in rows]
    lost = [now.id for before, now in pairs if (now.failure is None) != (before.failure is None)]
    whole = [pair for pair in pairs if pair[0].failure is None and pair[1].failure is None]
    before, now = (image_statistics([pair[side] for pair in whole], "restored") for side in (0, 1))
    differ = set(lost)
    if before is not None and now is not None:
        noise: Mapping[str, Json] = context.envelope.get("restored", {})
        for name, distance in apart(before, now).items():
            slack = max(FEATURES[name], SAFETY * min(float(noise.get(name, 0.0)), NOISE_AT_MOST * FEATURES[name]))
            differ |= {pair[1].id for pair, far in zip(whole, distance > slack, strict=True) if far}
        places, share = places_moved(before, now), context.envelope.get("places_moved")
        if places is not None and share is not None and rate(float(places.mean())) > max(0.02, 3 * rate(float(share))):
            differ |= {pair[1].id for pair, moved in zip(whole, places > 0, strict=True) if moved}
    if not differ:
        return []
    named = [row.id for row in result.rows if row.id in differ]
    reason = (
        f"restored again in another order and company, {len(named)} of {len(pairs)} inputs have another answer "
        f"({', '.join(named[:3])}): the restorer draws lots, keeps a state, or mixes the images of a batch"
    )
    return [context.verdict(REPEAT, "changed", reason, named[0])]
