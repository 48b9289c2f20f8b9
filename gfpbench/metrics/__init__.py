"""Metrics by name: the metric table, and the function that loads a metric from it.

To add one: write a file with a ``PerImageMetric``, and add its row to ``METRICS`` and its oracle (somebody else's
implementation or a closed form) to ``ORACLES`` in ``tests/unit/metrics/every_metric.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from gfpbench.registry import companion, listed, named_alike, resolve
from gfpbench.types import BadInput, Metric

_FILE = "gfpbench/metrics/__init__.py"
TABLE = f"METRICS in {_FILE}"

METRICS: dict[str, str] = {
    "psnr_rgb": "gfpbench.metrics.psnr:psnr_rgb",
    "psnr_y": "gfpbench.metrics.psnr:psnr_y",
    "ssim_rgb": "gfpbench.metrics.ssim:ssim_rgb",
    "ssim_y": "gfpbench.metrics.ssim:ssim_y",
    "ms_ssim": "gfpbench.metrics.ms_ssim:ms_ssim",
    "gmsd": "gfpbench.metrics.gmsd:gmsd",
    "niqe": "gfpbench.metrics.niqe:niqe",
    "piqe": "gfpbench.metrics.piqe:piqe",
    "lpips_alex": "gfpbench.metrics.lpips:lpips_alex",
    "lpips_vgg": "gfpbench.metrics.lpips:lpips_vgg",
    "dists": "gfpbench.metrics.dists:dists",
    "deg_arcface": "gfpbench.metrics.identity:deg_arcface",
    "deg_dlib": "gfpbench.metrics.identity:deg_dlib",
    "cos_adaface": "gfpbench.metrics.cos_adaface:cos_adaface",
    "lmd_awing": "gfpbench.metrics.landmarks:lmd_awing",
    "lmd_dlib": "gfpbench.metrics.landmarks:lmd_dlib",
    "eye_mismatch": "gfpbench.metrics.eye_mismatch:eye_mismatch",
    "hallucination": "gfpbench.metrics.hallucination:hallucination",
    "colour_shift": "gfpbench.metrics.colour_shift:colour_shift",
    # The same under the conventions of single papers and packages (see protocols.py).
    "psnr_rgb_fitted": "gfpbench.metrics.colour_fit:psnr_rgb_fitted",
    "ssim_rgb_fitted": "gfpbench.metrics.colour_fit:ssim_rgb_fitted",
    "psnr_rgb_cap80": "gfpbench.metrics.pyiqa_defaults:psnr_rgb_cap80",
    "psnr_yiq_cap80": "gfpbench.metrics.pyiqa_defaults:psnr_yiq_cap80",
    "ssim_yiq": "gfpbench.metrics.pyiqa_defaults:ssim_yiq",
    "lpips_vgg_bgr": "gfpbench.metrics.bgr:lpips_vgg_bgr",
    "lpips_vgg_bgr_01": "gfpbench.metrics.bgr:lpips_vgg_bgr_01",
    "deg_arcface_vqfr": "gfpbench.metrics.identity:deg_arcface_vqfr",
    "rad_arcface_bgr": "gfpbench.metrics.bgr:rad_arcface_bgr",
}
"""Name with its convention -> "module:attribute". One file per metric, read only when asked for."""

DEFAULT: tuple[str, ...] = ("psnr_rgb", "psnr_y", "ssim_rgb", "ssim_y", "ms_ssim", "gmsd", "niqe", "piqe")
"""What a run measures unless told otherwise: the pixel metrics, which need no face and no download."""


def load(names: Sequence[str] | None = None) -> tuple[Metric, ...]:
    """The metrics of these names, in this order; ``DEFAULT`` where none are given.

    Raises:
        BadInput: for a name no metric has (with the nearest ones), and for a name given twice.
    """
    wanted = DEFAULT if names is None else listed("metric", names)
    twice = sorted({name for name in wanted if wanted.count(name) > 1})
    if twice:
        raise BadInput(f"each metric is measured once; named more than once: {', '.join(twice)}")
    if names is None:
        for name in DEFAULT:
            companion(METRICS, name, f"DEFAULT in {_FILE}", TABLE)
    found = tuple(resolve("metric", METRICS, name) for name in wanted)
    for name, metric in zip(wanted, found, strict=True):
        named_alike("metric", name, metric.name, TABLE)
    return found
