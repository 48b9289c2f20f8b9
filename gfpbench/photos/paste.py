"""Pastes restored faces back into the photo, blended at their edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpbench.images import Bytes, to_depth
from gfpbench.photos.align import CROP_PX, Matrix, corners_of
from gfpbench.types import BadInput

FaceMask: TypeAlias = NDArray[np.float64]
"""(512, 512) in [0, 1]: how much of each pixel of a restored face is shown."""

Levels: TypeAlias = NDArray[Any]
"""uint8 or uint16; the largest number is full intensity."""

_MARGIN_PX = 4
MAXIMUM_SIDE_PX = 32_000
"""OpenCV's warps count pixels in 16 bits."""


def enlarged(photo: Levels, upscale: int) -> Levels:
    """The photo that faces are pasted into: Lanczos over 8 pixels, as upstream enlarges it without an upsampler.

    Args:
        photo: (H, W) or (H, W, C).
        upscale: 1 gives the same array.
    """
    height, width = photo.shape[:2]
    size = (width * upscale, height * upscale)
    if max(size) > MAXIMUM_SIDE_PX:
        raise BadInput(f"a photo of {size[0]} x {size[1]} px is too long to paste into: {MAXIMUM_SIDE_PX} px at most")
    if upscale == 1:
        return photo
    return np.asarray(
        cv2.resize(np.ascontiguousarray(photo), size, interpolation=cv2.INTER_LANCZOS4), dtype=photo.dtype
    )


def paste_back(
    photo: Levels, faces: Sequence[Bytes], matrices: Sequence[Matrix], masks: Sequence[FaceMask | None], upscale: int
) -> Levels:
    """Paste aligned faces into a photo, in order, later ones over earlier ones.

    As FaceRestoreHelper.paste_faces_to_input_image in xinntao/facexlib@v0.3.0, except that each face touches only its
    own surroundings (upstream warps and blurs whole frames: seconds a face in a large photo) and that the photo is
    8-bit between two faces (upstream cuts once; one grey level where faces overlap). Kept from it: values are cut to
    whole levels, not rounded, and with ``upscale`` over 1 a face lands half a pixel right of and below its place.

    Args:
        photo: (H, W, 3) uint8 or uint16, already enlarged by ``upscale``. Not changed.
        faces: (512, 512, 3) uint8 each, in the same colour order as the photo.
        matrices: photo (before it was enlarged) to crop, for each face.
        masks: how much of each face is shown; None shows the whole square with soft edges.
        upscale: 1 or more.

    Returns:
        (H, W, 3) in the type of ``photo``: the photo with the faces in it; equal to it outside their squares.
    """
    out = photo.copy()
    for face, matrix, mask in zip(faces, matrices, masks, strict=True):
        if face.shape != (CROP_PX, CROP_PX, 3) or face.dtype != np.uint8:
            raise BadInput(f"a restored face is ({CROP_PX}, {CROP_PX}, 3) uint8, not {face.shape} {face.dtype}")
        back = placed(matrix, upscale)
        left, top, right, bottom = surroundings(matrix, upscale, out.shape[:2])
        if right <= left or bottom <= top:
            continue  # all of it lies beyond the photo
        back[:, 2] -= (left, top)
        region = out[top:bottom, left:right]
        out[top:bottom, left:right] = _blended(region, to_depth(face, region.dtype), back, mask, upscale)
    return out


def placed(matrix: Matrix, upscale: int) -> Matrix:
    """The (2, 3) transform from crop to enlarged photo."""
    back = np.asarray(cv2.invertAffineTransform(matrix), dtype=np.float64) * upscale
    back[:, 2] += 0.5 * upscale if upscale > 1 else 0.0
    return back


def surroundings(matrix: Matrix, upscale: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of the part of an enlarged photo of (height, width) that a face touches."""
    corners = (corners_of(matrix) + 0.5) * upscale
    margin = _MARGIN_PX * upscale
    left, top = (max(0, int(np.floor(value)) - margin) for value in corners.min(0))
    right, bottom = (int(np.ceil(value)) + margin for value in corners.max(0))
    return left, top, min(size[1], right), min(size[0], bottom)


def _blended(region: Levels, face: Levels, back: Matrix, mask: FaceMask | None, upscale: int) -> Levels:
    size = (region.shape[1], region.shape[0])
    turned = cv2.warpAffine(face, back, size)
    if mask is None:
        inside = _inside(back, size, upscale)
        soft = feathered(inside)[..., None]
        return np.asarray(soft * (inside[..., None] * turned) + (1 - soft) * region).astype(region.dtype)
    shown = np.asarray(cv2.warpAffine(mask, back, size), dtype=np.float64)[..., None]
    return np.asarray(shown * turned + (1 - shown) * region).astype(region.dtype)


def _inside(back: Matrix, size: tuple[int, int], upscale: int) -> NDArray[np.float32]:
    """1 where the face's square is, without the edge that was mixed with the black around it."""
    square = cv2.warpAffine(np.ones((CROP_PX, CROP_PX), np.float32), back, size)
    return np.asarray(cv2.erode(square, np.ones((2 * upscale, 2 * upscale), np.uint8)), dtype=np.float32)


def feathered(inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """The square drawn in and blurred by a twentieth of its side, so that it fades out within itself."""
    edge = int(float(inside.sum()) ** 0.5) // 20
    core = cv2.erode(inside, np.ones((2 * edge, 2 * edge), np.uint8))
    return np.asarray(cv2.GaussianBlur(core, (2 * edge + 1, 2 * edge + 1), 0), dtype=np.float32)
