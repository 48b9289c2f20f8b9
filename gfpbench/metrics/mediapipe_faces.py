"""MediaPipe's face mesh and irises on aligned faces: 468 points of the face and 5 of each iris, by other networks than
dlib's and AWing's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gfpbench import assets
from gfpbench.images import Bytes, to_rgb_arrays
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from gfpbench.metrics.tfjs_graph import Graph
else:
    np, torch, cv2 = LazyModule("numpy"), LazyModule("torch"), LazyModule("cv2")

Points: TypeAlias = "NDArray[np.float64]"

MESH_ASSET, IRIS_ASSET = "mediapipe-mesh", "mediapipe-iris"
MESH_PX, IRIS_PX = 192, 64
POINTS = 468
EYES = ((33, 133), (362, 263))
"""The corners of the eye on the image's left and right, each from left to right (MediaPipe's numbers)."""
FACE_SCALE, EYE_SCALE = 1.5, 2.3
"""How much larger the squares are than the mesh's longer side and than an eye (face_landmark_landmarks_to_roi.pbtxt,
iris_landmark_landmarks_to_roi.pbtxt in google-ai-edge/mediapipe@v0.10.21)."""


@lru_cache(maxsize=2)
def _graph(path: Path, side_px: int) -> Graph:
    from gfpbench.metrics.tfjs_graph import Graph  # loads torch

    return Graph(path, side_px)


def face_square(rgb: Bytes, needed_by: str) -> Points:
    """(2, 3): from an (H, W, 3) uint8 RGB image to the square around its face in which the mesh is looked for.

    The mesh of the whole image, which one aligned face fills, says where the face is; nothing is detected. From there
    as MediaPipe goes on from one image of a video to the next.
    """
    height, width = rgb.shape[:2]
    whole = np.array([[MESH_PX / width, 0, 0], [0, MESH_PX / height, 0]], dtype=np.float64)
    points = mesh(rgb, whole, needed_by)
    low, high = points.min(axis=0), points.max(axis=0)
    return square((low + high) / 2, points[263] - points[33], FACE_SCALE * float((high - low).max()), MESH_PX)


def mesh(rgb: Bytes, turn: Points, needed_by: str) -> Points:
    """(468, 2) places x, y in pixels of an (H, W, 3) uint8 RGB image; pixel i covers i to i + 1, as in MediaPipe.

    Args:
        turn: (2, 3), from the image to the square that is shown to the network.
    """
    network = _graph(assets.path(MESH_ASSET, needed_by), MESH_PX)
    (found,) = network(_shown(rgb, turn, MESH_PX), ["Identity_2"])
    return _back(found.reshape(POINTS, 3)[:, :2].double().numpy(), turn)


def irises(rgb: Bytes, points: Points, needed_by: str) -> Points:
    """(2, 5, 2) places x, y in pixels: of the left and right eye the iris's middle and four points of its rim.

    Args:
        rgb: (H, W, 3) uint8.
        points: (468, 2) mesh that says where the eyes are.
    """
    network = _graph(assets.path(IRIS_ASSET, needed_by), IRIS_PX)
    found = []
    for number, (first, second) in enumerate(EYES):
        along = points[second] - points[first]
        side = EYE_SCALE * float(np.hypot(*along))
        turn = square((points[first] + points[second]) / 2, along, side, IRIS_PX)
        eye = _shown(rgb, turn, IRIS_PX)
        mirrored = number == 1  # the network knows the eye on the image's left
        (out,) = network(eye.flip(2) if mirrored else eye, ["Identity"])
        iris = out.reshape(-1, 3)[-5:, :2].double().numpy()
        iris[:, 0] = IRIS_PX - iris[:, 0] if mirrored else iris[:, 0]
        found.append(_back(iris, turn))
    return np.stack(found)


def square(middle: Points, level: Points, side: float, pixels: int) -> Points:
    """(2, 3): from the image to a square of ``pixels``, ``side`` wide in the image, in which ``level`` points right."""
    x, y = level / np.hypot(*level) * (pixels / side)
    turn = np.array([[x, y], [-y, x]])
    return np.asarray(np.hstack([turn, (pixels / 2 - turn @ middle)[:, None]]))


def _shown(rgb: Bytes, turn: Points, pixels: int) -> torch.Tensor:
    """(1, pixels, pixels, 3) float32 in [0, 1]: the square, bilinear, the image's border repeated."""
    half = np.array([0.5, 0.5])  # OpenCV's whole numbers are the middles of pixels
    for_opencv = np.hstack([turn[:, :2], (turn[:, 2] + turn[:, :2] @ half - half)[:, None]])
    shown = cv2.warpAffine(
        rgb.astype(np.float32), for_opencv, (pixels, pixels), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return torch.from_numpy(np.asarray(shown, dtype=np.float32))[None] / 255


def _back(points: Points, turn: Points) -> Points:
    return np.asarray((points - turn[:, 2]) @ np.linalg.inv(turn[:, :2]).T)


def _pairs(restored: ImageBatch, truth: ImageBatch, needed_by: str) -> Iterator[tuple[Points, Points, Points]]:
    """For each pair of images the mesh of the truth, and (478, 2) points of the restoration and of the truth.

    Squares of face and eyes are the truth's: a restoration is never searched for, so that a poor one stays in the mean.
    """
    for asset in (MESH_ASSET, IRIS_ASSET):  # what is missing is told before the first network has worked
        assets.path(asset, needed_by)
    for ours, theirs in zip(to_rgb_arrays(restored), to_rgb_arrays(truth), strict=True):
        turn = face_square(theirs, needed_by)
        eyes = mesh(theirs, turn, needed_by)
        found = (
            np.concatenate([mesh(rgb, turn, needed_by), irises(rgb, eyes, needed_by).reshape(-1, 2)])
            for rgb in (ours, theirs)
        )
        yield eyes, next(found), next(found)


def _distance(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    values = [float(np.hypot(*(a - b).T).mean()) for _, a, b in _pairs(restored, truth, "lmd_mediapipe")]
    return torch.tensor(values, dtype=torch.float64)


def _gaze(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    values = []
    for eyes, ours, theirs in _pairs(restored, truth, "gaze_mismatch"):
        widths = [float(np.hypot(*(eyes[second] - eyes[first]))) for first, second in EYES]
        left, right = (
            (ours[place] - theirs[place]) / width for place, width in zip((POINTS, POINTS + 5), widths, strict=True)
        )
        values.append(100 * float(np.hypot(*(left - right))))
    return torch.tensor(values, dtype=torch.float64)


_SOURCE = (
    "MediaPipe's face_landmark and iris_landmark (google-ai-edge/mediapipe@v0.10.21) as @vladmandic/human converts"
)

lmd_mediapipe = PerImageMetric(
    name="lmd_mediapipe",
    unit="px",
    better="lower",
    best=0.0,
    tolerance=1e-3,
    tolerance_reason="places of points differ by 1e-4 px between thread counts and other implementations",
    minimum_side_px=64,
    needs_truth=True,
    source=f"{_SOURCE}; mean distance of 478 points, squares of the truth",
    score=_distance,
)
"""Mean distance of 468 points of the face and 10 of the irises, in pixels. Published LMD is ``lmd_awing``."""

gaze_mismatch = PerImageMetric(
    name="gaze_mismatch",
    unit="%",
    better="lower",
    best=0.0,
    tolerance=0.01,
    tolerance_reason="middles of irises differ by 1e-4 px between thread counts, an eye is 10 px wide or more",
    minimum_side_px=64,
    needs_truth=True,
    source=f"this package, on {_SOURCE}",
    score=_gaze,
)
"""Whether the eyes still look the same way: how differently the two irises moved from where the truth has them, in
per cent of an eye's width (the length of the difference of the two shifts; an iris is some 42 % wide). Both eyes turned
alike is no mismatch. Beside ``eye_mismatch``, which compares colours."""
