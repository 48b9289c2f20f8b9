"""What the field agrees on about each metric: which way is better, what equal images score, and in which unit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gfpbench.metrics import METRICS, load, set_measures

HIGHER = {
    "psnr_rgb": math.inf,
    "psnr_y": math.inf,
    "psnr_rgb_fitted": math.inf,
    "psnr_rgb_cap80": 80.0,
    "psnr_yiq_cap80": 80.0,
    "ssim_rgb": 1.0,
    "ssim_y": 1.0,
    "ssim_rgb_fitted": 1.0,
    "ssim_yiq": 1.0,
    "ms_ssim": 1.0,
    "cos_adaface": 1.0,
    "precision_legacy": 1.0,
    "recall_legacy": 1.0,
    "pyiqa_clipiqa": None,
    "pyiqa_fgresq": None,
    "pyiqa_maniqa": None,
    "pyiqa_musiq": None,
    "pyiqa_topiq_fr": None,
    "pyiqa_topiq_nr_face": None,
}
"""Similarities and learned qualities, with their best value. All others are distances or faults: lower is better."""

NO_BEST = {"niqe", "niqe_yiq", "piqe", "deg_arcface_vqfr", "kid_legacy", "kid_clean"}
"""Without a reference, without a score for equal pairs, or unbiased about 0."""

UNITS = {
    "dB": {name for name in HIGHER if name.startswith("psnr")},
    "degrees": {"deg_arcface", "deg_arcface_vqfr", "deg_dlib", "deg_faceres"},
    "radians": {"rad_arcface_bgr"},
    "px": {"lmd_awing", "lmd_dlib", "lmd_mediapipe"},
    "%": {"gaze_mismatch"},
    "Lab": {"eye_mismatch"},
    "levels": {"hallucination"},
    "CIEDE2000": {"colour_shift"},
}

ALL = [
    *load(list(METRICS)),
    *{one.metric.name: one.metric for one in set_measures.load(list(set_measures.SET_METRICS))}.values(),
]


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_direction_best_and_unit(metric: Any) -> None:
    name = metric.name
    wanted = ("higher", HIGHER[name]) if name in HIGHER else ("lower", None if name in NO_BEST else 0.0)
    assert (metric.better, metric.best) == wanted
    assert metric.unit == next((unit for unit, names in UNITS.items() if name in names), "")
    # Noise of the last bits, not of the quality: a tolerance that hides a visible change is no tolerance.
    visible = {"dB": 0.1, "degrees": 0.1, "radians": 0.002, "px": 0.5, "Lab": 0.1, "levels": 0.01, "CIEDE2000": 0.1}
    visible |= {"%": 0.1}
    widest = {"niqe": 0.2, "niqe_yiq": 0.2, "piqe": 6.0}.get(name, visible.get(metric.unit, 0.002))
    assert 0 < metric.tolerance <= widest
