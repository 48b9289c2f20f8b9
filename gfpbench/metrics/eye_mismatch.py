"""Do the two eyes of a restored face belong together? How much more they differ in colour than the true ones do."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from gfpbench.images import Bytes, to_lab, to_rgb_arrays
from gfpbench.lazy import LazyModule
from gfpbench.metrics.dlib_faces import Points, face_box, landmarks
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
    from numpy.typing import NDArray
else:
    np, torch, cv2 = LazyModule("numpy"), LazyModule("torch"), LazyModule("cv2")

_NAME = "eye_mismatch"
LEFT, RIGHT = slice(36, 42), slice(42, 48)
"""Landmarks of the eye on the image's left and right: 6 points each, clockwise from the image's left corner."""

WIDTH, HEIGHT = 48, 24  # of an eye laid flat: corner to corner takes the middle 40
_OUTER, _INNER = (4.0, 12.0), (44.0, 12.0)
_IRIS_RADIUS, _SCLERA_FROM = 8.0, 11.0  # a human iris spans about two fifths of the eye's width


def flat_eye(rgb: Bytes, points: Points, mirrored: bool) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """One eye turned level and scaled to 48 x 24, its outer corner on the left; the right eye is mirrored for it.

    Args:
        rgb: (H, W, 3) uint8.
        points: (6, 2) landmarks of the eye in the image.
        mirrored: for the eye on the image's right.

    Returns:
        (24, 48, 3) float32 RGB 0..255, and the six landmarks in it, (6, 2).
    """
    outer, inner = (points[3], points[0]) if mirrored else (points[0], points[3])
    along = inner - outer
    across = np.array([along[1], -along[0]]) if mirrored else np.array([-along[1], along[0]])
    source = np.array([outer, inner, outer + across], dtype=np.float32)
    target = np.array([_OUTER, _INNER, (_OUTER[0], _OUTER[1] + _INNER[0] - _OUTER[0])], dtype=np.float32)
    turn = cv2.getAffineTransform(source, target)
    eye = cv2.warpAffine(
        rgb.astype(np.float32), turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(eye), points @ turn[:, :2].T + turn[:, 2]


@cache
def _distance_from_middle() -> NDArray[np.float64]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(np.hypot(x - WIDTH / 2, y - HEIGHT / 2))


def regions(flat_points: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of the iris with its pupil and of the sclera in a flat eye: between the lids, near the middle and not."""
    between = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(between, [np.rint(flat_points).astype(np.int32)], 1)
    far = _distance_from_middle()
    inside = between > 0
    return inside & (far <= _IRIS_RADIUS), inside & (far >= _SCLERA_FROM)


def mismatch(rgb: Bytes, points: Points) -> NDArray[np.float64]:
    """How unlike the two eyes of one image are: (3,) colour differences in CIE L*a*b* (1 is just visible).

    Of the mean colours of the irises, of the mean colours of the scleras, and of one eye laid over the other mirrored,
    at a sixth of its size, where noise and a pixel of misplacement are averaged away (mean over the pixels).

    Args:
        rgb: (H, W, 3) uint8.
        points: (68, 2) landmarks.
    """
    eyes, masks = [], []
    for which, mirrored in ((LEFT, False), (RIGHT, True)):
        eye, flat_points = flat_eye(rgb, points[which], mirrored)
        eyes.append(eye)
        masks.append(regions(flat_points))
    differences = []
    for region in range(2):
        # Colours are averaged as stored, then converted: one conversion of a mean, no bias from noise.
        means = [
            eye[mask[region]].mean(0) if mask[region].any() else eye.mean((0, 1))
            for eye, mask in zip(eyes, masks, strict=True)
        ]
        left, right = (_lab(mean.reshape(1, 1, 3)) for mean in means)
        differences.append(float(np.linalg.norm(left - right)))
    small = [_lab(cv2.resize(eye, (WIDTH // 6, HEIGHT // 6), interpolation=cv2.INTER_AREA)) for eye in eyes]
    differences.append(float(np.linalg.norm(small[0] - small[1], axis=-1).mean()))
    return np.array(differences)


def _lab(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """(H, W, 3) RGB 0..255 to Lab in the same layout."""
    channels = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1), dtype=np.float64)) / 255
    return np.asarray(to_lab(channels).permute(1, 2, 0).numpy())


def _score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    values = []
    for name, ours, theirs in zip(truth.ids, to_rgb_arrays(restored), to_rgb_arrays(truth), strict=True):
        points = landmarks(theirs, face_box(theirs, name, _NAME), _NAME)  # where the eyes are is not the question here
        excess = np.maximum(mismatch(ours, points) - mismatch(theirs, points), 0)
        values.append(float(excess.mean()))
    return torch.tensor(values, dtype=torch.float64)


eye_mismatch = PerImageMetric(
    name=_NAME,
    unit="Lab",
    better="lower",
    best=0.0,
    tolerance=0.01,
    tolerance_reason="a restoration that tips single bytes moves the mean colour of an eye by less than 0.01",
    minimum_side_px=96,
    needs_truth=True,
    source="this package: left-right colour differences in CIE L*a*b* at dlib's eye landmarks, less the truth's",
    score=_score,
)
"""Left-right disagreement of irises, scleras and mirrored eyes beyond the truth's own, floored at 0, mean of the three.

Landmarks and box are the truth's. Light from one side makes true eyes differ too: that part is subtracted. Differences
that the truth has and the restoration lost count as 0: symmetry is not punished here (the other metrics see it).
"""
