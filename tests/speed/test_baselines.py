"""Comparing 10,000 images under 10 metrics, intervals included: how long it takes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from gfpbench.baselines import compare
from gfpbench.images import batch_from_uint8
from gfpbench.run.fingerprints import fingerprints
from gfpbench.types import Case, Result, Row

IMAGES, METRICS = 10_000, 10


def large(seed: int, moved: float) -> Result:
    """A Result of 10,000 images whose scores are drawn, with a fingerprint for each."""
    rng = np.random.default_rng(seed)
    noise = np.random.default_rng(0).normal(25, 3, (IMAGES, METRICS))
    scores = noise + moved * rng.normal(0, 1, noise.shape)
    rgb = [np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8) for number in range(2)]
    looks = dict(zip(("degraded", "restored"), fingerprints(batch_from_uint8(rgb, ("a", "b"))), strict=True))
    names = [f"metric_{number}" for number in range(METRICS)]
    rows = tuple(
        Row(
            f"face {number:05d}",
            "0" * 64,
            (512, 512),
            {},
            {"jpeg_quality": 60, "noise_key": f"{number:x}"},
            dict(zip(names, values, strict=True)),
            None,
            {**looks, "restored": {**looks["restored"], "sha256": f"{number:012x}{seed:04x}"}},
        )
        for number, values in enumerate(scores.tolist())
    )
    record = {"unit": "", "better": "higher", "best": None, "tolerance": 0.001}
    return Result(Case("f", "d", "r"), rows, dict.fromkeys(names, record), {"weights_sha256": str(seed)}, {}, {}, {})


def test_comparing_ten_thousand_images(benchmark: Any) -> None:
    before, now = large(1, 0.0), large(2, 0.05)
    comparison = benchmark.pedantic(compare, (now, before), rounds=3, warmup_rounds=1)
    assert comparison.images == IMAGES
    assert len(comparison.metrics) == METRICS
    assert comparison.passed
    assert not compare(dataclasses.replace(now, restorer=before.restorer), before).passed
