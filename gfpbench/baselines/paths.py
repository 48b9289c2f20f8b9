"""Images degraded along another path than the baseline's: which of them that moved, and how these are compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpbench import run
from gfpbench.baselines.comparison import ALONG_ANOTHER_PATH
from gfpbench.baselines.image_statistics import FEATURES, ImageStatistics, apart
from gfpbench.baselines.repeatability import Chosen
from gfpbench.types import ComputedTwoWays, Result, Row

BEFORE_IT_WAS_RECORDED = "exact"
"""The path of Results that do not say theirs: there was no other for a run."""

WITHIN: Mapping[str, float] = {
    "mean_levels": 0.1,
    "std_levels": 0.1,
    "lowest_levels": 20.0,
    "highest_levels": 20.0,
    "sharpness_levels": 0.1,
    "noise_levels": 0.1,
    "thumbnail_rgb": 10.0,
}
"""How far two paths may be apart in the features of an image: as far as the worst image of a search is in its mean and
in single values (``gfpbench.degrade.chain``). Of 2,240 degraded faces of 64, 128 and 512 px the worst was 0.03 levels
apart in mean and spread, 1 in its extremes and 2 in its thumbnail."""

MOST = 0.5
"""Rounding moved 9 % of those faces at 512 px, 1 % at 128: what moves over half of ``ENOUGH`` images is no rounding."""
ENOUGH = 8


@dataclass(frozen=True, slots=True)
class Paths:
    """Along which path the images of a Result were degraded, and those of its baseline."""

    now: str
    before: str

    def note(self, moved: int, of: int, *, measured: bool) -> str:
        """One line on how many degraded images the path moved, and what became of these.

        Args:
            moved, of: how many images have other bytes, of how many.
            measured: whether those were measured along the baseline's path too.
        """
        if not moved:
            return f"degraded along the path {self.now}, the baseline along {self.before}: into the same images"
        became = "compared as measured along the baseline's path" if measured else "left out of the comparison"
        return f"{self._said}; it moves {moved} of {of} degraded images, {became}; --baseline-update accepts it"

    def nothing_left(self, of: int) -> str:
        """One line, where not one image has the baseline's input."""
        return (
            f"{self._said}; it moves all {of} degraded images, so that nothing can be compared: measure along the "
            f"baseline's path (--degradation NAME?path={self.before}), or accept it with --baseline-update"
        )

    @property
    def _said(self) -> str:
        return f"{ALONG_ANOTHER_PATH}{self.now}, baseline {self.before}"


def different_paths(result: Result, baseline: Result) -> Paths | None:
    """The two paths; None where they are one, or where the degradation knows none."""
    now, before = result.degradation.get("path"), baseline.degradation.get("path")
    if now is None and before is None:
        return None
    paths = Paths(*(BEFORE_IT_WAS_RECORDED if path is None else str(path) for path in (now, before)))
    return None if paths.now == paths.before else paths


def other_inputs(pairs: Sequence[tuple[Row, Row]]) -> tuple[str, ...]:
    """The names of (baseline, now) pairs whose degraded images have other bytes; none where that is not recorded."""
    return tuple(
        now.id
        for before, now in pairs
        if "degraded" in before.fingerprint
        and "degraded" in now.fingerprint
        and before.fingerprint["degraded"]["sha256"] != now.fingerprint["degraded"]["sha256"]
    )


def moved_by_the_path(result: Result, baseline: Result) -> tuple[str, ...]:
    """The names of the images whose degraded images have other bytes, where the two were degraded along two paths."""
    if different_paths(result, baseline) is None:
        return ()
    rows = {row.id: row for row in result.rows}
    return other_inputs([(row, rows[row.id]) for row in baseline.rows if row.id in rows])


def measured_along(
    result: Result, baseline: Result, *, device: str = "cpu", load: Callable[[], run.Parts | None] = lambda: None
) -> Result | None:
    """Measure those images that the path of the degradation moved again, along the baseline's path.

    Args:
        result: as measured.
        baseline: as stored.
        device: where the restorer works.
        load: gives their parts, and is called only where the path moved an image; where it gives None they are loaded
            by the names in the case.

    Returns:
        Their rows; None where both were degraded along one path, or none was moved.
    """
    paths, moved = different_paths(result, baseline), moved_by_the_path(result, baseline)
    if paths is None or not moved:
        return None
    parts = load() or run.load(result.case, device=device, metrics=tuple(result.metrics))
    if not isinstance(parts.degradation, ComputedTwoWays):
        return None
    chosen = replace(
        parts, faces=Chosen(parts.faces, moved), degradation=parts.degradation.using(paths.before), sets=()
    )
    with tempfile.TemporaryDirectory() as folder:
        case = replace(result.case, limit=None)
        return run.run_case(case, chosen, store=Path(folder), device=device, keep_images=0)


def moved_by_more(before: ImageStatistics, now: ImageStatistics, moved: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) which of the moved images another path does not explain, as far as fingerprints tell.

    Args:
        before, now: of the degraded images.
        moved: (n,) those with other bytes.
    """
    if len(moved) >= ENOUGH and moved.mean() > MOST:
        return moved
    far = np.zeros(len(moved), dtype=np.bool_)
    for name, distance in apart(before, now).items():
        far |= distance > max(FEATURES[name], WITHIN[name])
    return moved & far
