"""Aligns and crops a face as FFHQ does, from the positions of its eyes and mouth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gfpbench.images import Bytes
from gfpbench.types import BadInput

Points = NDArray[np.float64]

# Rows of the 68-point scheme (iBUG 300-W). Left and right are the viewer's.
EYE_LEFT, EYE_RIGHT = slice(36, 42), slice(42, 48)
MOUTH_LEFT, MOUTH_RIGHT = 48, 54


@dataclass(frozen=True, slots=True)
class Square:
    """The turned square that becomes the crop; (x, y) in pixels of the image, whole numbers being pixel centres.

    Args:
        centre: its middle.
        right: from the middle to the middle of its right side; its length is half a side.
        down: from the middle to the middle of its lower side.
    """

    centre: tuple[float, float]
    right: tuple[float, float]
    down: tuple[float, float]

    @property
    def side_px(self) -> float:
        """Length of a side in pixels of the image: a crop of more pixels than this is enlarged, so it is soft."""
        return 2 * math.hypot(*self.right)


def ffhq_square(landmarks: Sequence[Sequence[float]] | Points) -> Square:
    """The square FFHQ cuts around a face.

    Its half side is max(2.0 x eye distance, 1.8 x eye-to-mouth distance), along the eye line corrected by the
    eye-to-mouth line, around a point a tenth of the way from the eyes to the mouth (NVlabs/ffhq-dataset@bb67086,
    download_ffhq.py, recreate_aligned_images).

    Args:
        landmarks: (68, 2) x, y in the iBUG order, whole numbers being pixel centres.

    Raises:
        BadInput: where they are not 68 finite points, or eyes and mouth lie on a line or mirrored (left for right).
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise BadInput(f"alignment needs 68 finite x, y points, not an array of shape {points.shape}")
    eye_left, eye_right = points[EYE_LEFT].mean(0), points[EYE_RIGHT].mean(0)
    eyes = (eye_left + eye_right) / 2
    mouth = (points[MOUTH_LEFT] + points[MOUTH_RIGHT]) / 2
    eye_to_eye, eye_to_mouth = eye_right - eye_left, mouth - eyes
    turn = float(eye_to_eye[0] * eye_to_mouth[1] - eye_to_eye[1] * eye_to_mouth[0])
    eye_distance, mouth_distance = math.hypot(*eye_to_eye), math.hypot(*eye_to_mouth)
    # A face seen from the front has its mouth clockwise of the eye line; the sine is small only for impossible ones.
    if turn <= 0.1 * eye_distance * mouth_distance:
        raise BadInput("the landmarks are no upright face: eyes and mouth lie on a line, or left and right are swapped")
    axis = eye_to_eye + np.array([eye_to_mouth[1], -eye_to_mouth[0]])
    right = axis / math.hypot(*axis) * max(2.0 * eye_distance, 1.8 * mouth_distance)
    centre = eyes + 0.1 * eye_to_mouth
    x, y = float(right[0]), float(right[1])
    return Square((float(centre[0]), float(centre[1])), (x, y), (-y, x))


def in_crop(square: Square, points: Sequence[Sequence[float]] | Points, size_px: int) -> Points:
    """Where (N, 2) points of the image lie in the crop of ``size_px``; whole numbers are pixel centres."""
    away = np.asarray(points, dtype=np.float64) - np.array(square.centre)
    basis = np.array([square.right, square.down])
    unit = away @ basis.T / (basis[0] @ basis[0])
    crop: Points = (unit + 1) / 2 * size_px - 0.5
    return crop


def crop(rgb: Bytes, square: Square, size_px: int) -> Bytes:
    """Sample the square from an (H, W, 3) uint8 image: (size_px, size_px, 3) uint8.

    Cubic convolution (Keys 1981, a = -0.5) on a grid of at least two samples per image pixel, averaged over each
    pixel of the crop, so that shrinking does not alias. Beyond the border the image is mirrored about its outermost
    pixels. Written in plain array arithmetic: OpenCV's warp rounds places to 1/32 px and changes between releases,
    and the crop must be the same bytes everywhere, since baselines carry its hash.

    Raises:
        BadInput: for an image that is not (H, W, 3) uint8 with sides of at least 2.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < 2:
        raise BadInput(f"alignment needs an (H, W, 3) uint8 image, not {rgb.shape} {rgb.dtype}")
    rgb = np.moveaxis(np.ascontiguousarray(np.moveaxis(rgb, 2, 0)), 0, 2)  # the same, channel after channel
    over = max(1, math.ceil(2 * square.side_px / size_px))
    # (2u - 1) for the centres of the fine grid, u in [0, 1].
    along = (2 * np.arange(size_px * over, dtype=np.float64) + 1) / (size_px * over) - 1
    out = np.empty((size_px, size_px, 3), dtype=np.uint8)
    rows_at_once = max(1, 2**15 // (size_px * over * over))  # keeps the working arrays in the processor's cache
    for top in range(0, size_px, rows_at_once):
        bottom = min(size_px, top + rows_at_once)
        down = along[top * over : bottom * over, None]
        x = square.centre[0] + along * square.right[0] + down * square.down[0]
        y = square.centre[1] + along * square.right[1] + down * square.down[1]
        fine = _cubic(rgb, x, y).reshape(bottom - top, over, size_px, over, 3)
        out[top:bottom] = np.rint(np.clip(fine.mean(axis=(1, 3)), 0, 255)).astype(np.uint8)
    return out


def _mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    period = 2 * (length - 1)
    index = np.abs(index)
    if index.max() > period:  # seldom, and slow
        index %= period
    return np.minimum(index, period - index)


def _cubic_weights(offset: Points) -> tuple[Points, Points, Points, Points]:
    t, t2, t3 = offset, offset * offset, offset * offset * offset
    return (-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2


def _cubic(rgb: Bytes, x: Points, y: Points) -> Points:
    """The image at (x, y), each of one shape: that shape and the three channels, which are sampled one by one."""
    height, width = rgb.shape[:2]
    left, top = np.floor(x), np.floor(y)
    weights_x, weights_y = _cubic_weights(x - left), _cubic_weights(y - top)
    columns = [_mirrored(left.astype(np.int64) + step, width) for step in (-1, 0, 1, 2)]
    rows = [_mirrored(top.astype(np.int64) + step, height) * width for step in (-1, 0, 1, 2)]
    places = [[row + column for column in columns] for row in rows]
    total = np.zeros((*x.shape, 3))
    for channel in range(3):
        plane = rgb[..., channel].ravel()
        summed, line = np.zeros(x.shape), np.empty(x.shape)
        for weight_y, along in zip(weights_y, places, strict=True):
            line.fill(0.0)
            for place, weight_x in zip(along, weights_x, strict=True):
                line += weight_x * plane.take(place, mode="clip")
            summed += weight_y * line
        total[..., channel] = summed
    return total
