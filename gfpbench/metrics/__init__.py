"""Metrics by name: the table to read, and the one place that turns its names into callables."""

from __future__ import annotations

from collections.abc import Sequence

from gfpbench.tables import resolve
from gfpbench.types import BadInput, Metric

METRICS: dict[str, str] = {
    "psnr_rgb": "gfpbench.metrics.psnr:psnr_rgb",
    "psnr_y": "gfpbench.metrics.psnr:psnr_y",
    "ssim_rgb": "gfpbench.metrics.ssim:ssim_rgb",
    "ssim_y": "gfpbench.metrics.ssim:ssim_y",
    "ms_ssim": "gfpbench.metrics.ms_ssim:ms_ssim",
    "gmsd": "gfpbench.metrics.gmsd:gmsd",
    "niqe": "gfpbench.metrics.niqe:niqe",
}
"""Name with its convention -> "module:attribute". One file per metric, read only when asked for."""

DEFAULT: tuple[str, ...] = ("psnr_rgb", "psnr_y", "ssim_rgb", "ssim_y", "ms_ssim", "gmsd", "niqe")
"""What a run measures unless told otherwise: everything that needs no download."""


def load(names: Sequence[str] | None = None) -> tuple[Metric, ...]:
    """The metrics of these names, in this order; ``DEFAULT`` where none are given.

    Raises:
        BadInput: for a name no metric has (with the nearest ones), and for a name given twice.
    """
    wanted = DEFAULT if names is None else tuple(names)
    twice = sorted({name for name in wanted if wanted.count(name) > 1})
    if twice:
        raise BadInput(f"each metric is measured once; named more than once: {', '.join(twice)}")
    return tuple(resolve("metric", METRICS, name) for name in wanted)
