"""Results made of scores that a test writes down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gfpbench.types import Case, Result, Row

METRICS: dict[str, dict[str, Any]] = {
    "psnr_rgb": {"better": "higher", "best": float("inf"), "unit": "dB"},
    "ssim_rgb": {"better": "higher", "best": 1.0, "unit": ""},
    "gmsd": {"better": "lower", "best": 0.0, "unit": ""},
    "lpips_vgg": {"better": "lower", "best": 0.0, "unit": ""},
    "niqe": {"better": "lower", "best": None, "unit": ""},
}


def result(
    restorer: str,
    scores: Mapping[str, Sequence[float | None]],
    *,
    failures: Mapping[int, str] | None = None,
    not_measured: Mapping[str, str] | None = None,
    faces: str = "made",
    degradation: str = "made",
    set_scores: Mapping[str, Mapping[str, object]] | None = None,
) -> Result:
    """A Result of as many images as there are scores, one list per metric."""
    failures = failures or {}
    count = len(next(iter(scores.values())))
    rows = tuple(
        Row(
            f"face-{number:04d}",
            f"{number:064x}",
            (128, 128),
            {},
            {},
            {name: None if number in failures else values[number] for name, values in scores.items()},
            failures.get(number),
        )
        for number in range(count)
    )
    return Result(
        Case(faces, degradation, restorer),
        rows,
        {name: METRICS[name] for name in scores},
        {},
        {},
        {},
        {},
        not_measured=not_measured or {},
        set_scores=set_scores or {},
    )
