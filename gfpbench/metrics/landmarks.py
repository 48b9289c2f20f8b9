"""Landmark distance: how far eyes, nose, mouth and chin of the restored face lie from the truth's, in pixels."""

from __future__ import annotations

import numpy as np
import torch

from gfpbench.images import to_rgb_arrays
from gfpbench.metrics.dlib_faces import Points, face_box, landmarks
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import ImageBatch

_NAME = "lmd_dlib"


def mean_point_distance(restored: Points, truth: Points) -> float:
    """Mean Euclidean distance of (N, 2) points, not divided by the size of the face: VQFR's arithmetic."""
    return float(np.hypot(*(restored - truth).T).mean())


def _score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    values = []
    for name, ours, theirs in zip(truth.ids, to_rgb_arrays(restored), to_rgb_arrays(truth), strict=True):
        # The restored face is never searched for, so that a poor restoration stays in the mean.
        box = face_box(theirs, name, _NAME)
        values.append(mean_point_distance(landmarks(ours, box, _NAME), landmarks(theirs, box, _NAME)))
    return torch.tensor(values, dtype=torch.float64)


lmd_dlib = PerImageMetric(
    name=_NAME,
    unit="px",
    better="lower",
    best=0.0,
    tolerance=0.03,
    tolerance_reason="landmarks are whole pixels: two of 68 that tip by one pixel move the mean by 0.03",
    minimum_side_px=64,
    needs_truth=True,
    source="metric_paper/calculate_landmark_distance.py in TencentARC/VQFR@239c77a, on dlib's 68 landmarks",
    score=_score,
)
"""Mean distance of dlib's 68 landmarks, box of the truth for both. Published LMD is ``lmd_awing``."""
