"""Turn and scale a face so that its five landmarks lie where GFP-GAN expects them, in a crop of 512 px."""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpbench.images import Bytes
from gfpbench.photos.detect import Points
from gfpbench.types import BadInput

Matrix: TypeAlias = NDArray[np.float64]

CROP_PX = 512
TEMPLATE: Points = np.array(
    [
        (192.98138, 239.94708),  # eyes
        (318.90277, 240.1936),
        (256.63416, 314.01935),  # tip of the nose
        (201.26117, 371.41043),  # corners of the mouth
        (313.08905, 371.15118),
    ]
)
"""Where FFHQ faces have their landmarks at 512 px: FaceRestoreHelper in xinntao/facexlib@v0.3.0."""
BEYOND_RGB = (132, 133, 135)
"""The grey that fills what lies beyond the photo; upstream writes it in BGR."""


def similarity(landmarks: Points) -> Matrix:
    """The (2, 3) turn, scale and shift from photo to crop that brings five landmarks nearest to the template.

    Least median of squares, as FaceRestoreHelper.align_warp_face in xinntao/facexlib@v0.3.0.

    Raises:
        BadInput: where they are not five finite points, eyes and mouth lie on a line, or left and right are swapped.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise BadInput(f"a face is aligned by 5 finite landmarks, not by an array of shape {points.shape}")
    eye_left, eye_right, _, mouth_left, mouth_right = points
    across, down = eye_right - eye_left, (mouth_left + mouth_right - eye_left - eye_right) / 2
    # However the head is turned in the image, its mouth lies clockwise of the line from eye to eye.
    if float(across[0] * down[1] - across[1] * down[0]) <= 0:
        raise BadInput("its landmarks are no face: eyes and mouth lie on a line, or left and right are swapped")
    estimate = cv2.estimateAffinePartial2D(points, TEMPLATE, method=cv2.LMEDS)[0]
    matrix = np.asarray(np.nan if estimate is None else estimate, dtype=np.float64)
    if not np.isfinite(matrix).all() or scale_of(matrix) == 0:
        raise BadInput("its landmarks are no face: no turn and scale brings them near where a face has them")
    return matrix


def crop_face(rgb: Bytes, matrix: Matrix) -> Bytes:
    """(512, 512, 3) uint8: the aligned face, sampled linearly; what lies beyond the photo is grey.

    Faces larger than 512 px are sampled without averaging, as upstream samples them.
    """
    crop = cv2.warpAffine(
        np.ascontiguousarray(rgb),
        matrix,
        (CROP_PX, CROP_PX),
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=BEYOND_RGB,
    )
    return np.asarray(crop, dtype=np.uint8)


def scale_of(matrix: Matrix) -> float:
    """Crop pixels per photo pixel."""
    return math.hypot(float(matrix[0, 0]), float(matrix[1, 0]))


def corners_of(matrix: Matrix) -> Points:
    """(4, 2) corners of the crop in pixels of the photo, around it from the upper left."""
    inverse = cv2.invertAffineTransform(matrix)
    edge = CROP_PX - 0.5
    corners = np.array([(-0.5, -0.5, 1), (edge, -0.5, 1), (edge, edge, 1), (-0.5, edge, 1)])
    return np.asarray(corners @ np.asarray(inverse).T, dtype=np.float64)


def share_beyond(matrix: Matrix, size: tuple[int, int]) -> float:
    """How much of the crop, 0 to 1, lies beyond a photo of (height, width)."""
    height, width = size
    photo = np.array([(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)])
    corners = corners_of(matrix)
    centre = corners.mean(0)  # OpenCV's polygons are float32: keep their numbers small
    inside, _ = cv2.intersectConvexConvex((corners - centre).astype(np.float32), (photo - centre).astype(np.float32))
    share = 1 - inside / (CROP_PX / scale_of(matrix)) ** 2
    return min(1.0, max(0.0, share)) if share > 1e-5 else 0.0
