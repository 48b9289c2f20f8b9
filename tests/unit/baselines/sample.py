"""A small Result made of numbers, for the decision to work on: sixteen images with PSNR, SSIM and fingerprints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gfpbench.images import Bytes, batch_from_uint8, pixels_sha256
from gfpbench.run.fingerprints import fingerprints
from gfpbench.types import Case, Result, Row

CASE = Case("some", "noise", "model")
METRICS = {
    "psnr_rgb": {"unit": "dB", "better": "higher", "best": float("inf"), "tolerance": 0.001},
    "error": {"unit": "", "better": "lower", "best": 0.0, "tolerance": 0.0001},
}
ENVIRONMENT = {"torch": "2.15.0", "opencv": "5.0.0", "device": "cpu", "device_name": "some", "code_sha256": "a"}
ENVELOPE = {
    where: {"exact": False, "scores": {"psnr_rgb": size, "error": size / 10}, "restored": {}, "degraded": {}}
    for where, size in (("repeat", 0.0001), ("elsewhere", 0.01))
}


def image(number: int, side: int = 32) -> Bytes:
    """(32, 32, 3) uint8: smooth, different for each number."""
    corners = np.random.default_rng(number).uniform(40, 215, (3, 3, 3))
    y, x = np.mgrid[0:side, 0:side] / (side - 1) * 1.999
    i, j, v, u = y.astype(int), x.astype(int), (y % 1)[..., None], (x % 1)[..., None]
    rows = [(1 - u) * corners[i + k, j] + u * corners[i + k, j + 1] for k in (0, 1)]
    return np.round((1 - v) * rows[0] + v * rows[1]).astype(np.uint8)


def fingerprint(restored: Bytes, degraded: Bytes) -> dict[str, object]:
    batch = batch_from_uint8([degraded, restored], ("degraded", "restored"))
    return dict(zip(batch.ids, fingerprints(batch), strict=True))


def result(count: int = 16, **changes: Any) -> Result:
    """PSNR about 24 +- 2, the truth ``image(i)``, the restored image another one."""
    rng = np.random.default_rng(5)
    rows = tuple(
        Row(
            id=f"face {i:02d}",
            face_sha256=pixels_sha256(image(i)),
            size_px=(32, 32),
            attributes={},
            parameters={"jpeg_quality": 60 + i, "noise_std": 3.25 * i, "noise_key": f"{i:x}"},
            scores={"psnr_rgb": 24 + 2 * rng.standard_normal(), "error": 0.1 + 0.02 * rng.random()},
            fingerprint=fingerprint(image(1000 + i), image(2000 + i)),
        )
        for i in range(count)
    )
    made = Result(
        CASE, rows, METRICS, {"restorer": "model", "weights_sha256": "abc"}, {"name": "noise"}, {}, ENVIRONMENT
    )
    return dataclasses.replace(made, **changes)


def baseline(count: int = 16, **changes: Any) -> Result:
    return result(count, envelope=ENVELOPE, **changes)


def each(result: Result, change: Callable[[int, Row], Row]) -> Result:
    return dataclasses.replace(result, rows=tuple(change(i, row) for i, row in enumerate(result.rows)))


def with_scores(result: Result, metric: str, moves: Sequence[float]) -> Result:
    """Scores moved, and one byte of each image with them, so that the metric is not to blame."""

    def moved(i: int, row: Row) -> Row:
        if moves[i] == 0:
            return row
        rgb = image(1000 + i)
        rgb[0, 0, 0] ^= 1
        prints = {**row.fingerprint, "restored": fingerprint(rgb, rgb)["restored"]}
        score = row.scores[metric]
        assert score is not None
        return dataclasses.replace(row, scores={**row.scores, metric: score + moves[i]}, fingerprint=prints)

    return each(result, moved)


def failed(result: Result) -> Result:
    """Every restoration failed."""

    def dead(i: int, row: Row) -> Row:
        prints = {"degraded": row.fingerprint["degraded"]}
        return dataclasses.replace(row, scores=dict.fromkeys(row.scores), failure="boom", fingerprint=prints)

    return each(result, dead)
