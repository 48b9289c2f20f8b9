"""The canvas for pasting restored faces: the photo at full bit depth, with the colours below its transparency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpbench.decode import Decoded
from gfpbench.images import Bytes
from gfpbench.photos.align import CROP_PX, Matrix
from gfpbench.photos.background import Background
from gfpbench.photos.paste import Levels, enlarged

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A photo to paste into.

    Args:
        colour: (H, W, 3) uint8 or uint16 RGB, not multiplied by alpha.
        alpha: (H, W) in the same type, 0 is transparent; None where all is opaque.
    """

    colour: Levels
    alpha: Levels | None = None

    def enlarged(self, upscale: int, background: Background | None = None) -> Canvas:
        """``upscale`` times larger; the same memory where that is 1 and no network makes the background."""
        return replace(
            self,
            colour=enlarged(self.colour, upscale) if background is None else background.enlarged(self.colour, upscale),
            alpha=None if self.alpha is None else enlarged(self.alpha, upscale),
        )

    def below_white(self, face: Bytes, matrix: Matrix) -> Bytes:
        """The colours of a restored face that show as ``face`` on white, where the photo is partly transparent.

        What the restorer was given was the photo on white; pasted as it is, a face would be mixed with white twice.

        Args:
            face: (512, 512, 3) uint8.
            matrix: photo to crop.
        """
        if self.alpha is None:
            return face
        full = np.iinfo(self.alpha.dtype).max
        crop = cv2.warpAffine(
            np.ascontiguousarray(self.alpha),
            matrix,
            (CROP_PX, CROP_PX),
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float(full),
        )
        share = np.asarray(crop, dtype=np.float64)[..., None] / full
        seen = share > 0
        own = (face - 255 * (1 - share)) / np.where(seen, share, 1)
        return np.asarray(np.rint(np.clip(np.where(seen, own, face), 0, 255)), dtype=np.uint8)


def canvas_of(decoded: Decoded) -> Canvas:
    """The photo as it is stored, upright: 8 bits stay 8, more become 16; grey is repeated; alpha is kept apart.

    Works by strips of rows, so that it takes little memory beside what it returns. An 8-bit RGB photo is not copied.
    """
    samples = decoded.samples
    channels = samples.shape[2]
    if channels == 3 and samples.dtype == np.uint8:
        return Canvas(samples)
    depth = np.dtype(np.uint8 if samples.dtype == np.uint8 else np.uint16)
    colour = np.empty((*samples.shape[:2], 3), depth)
    alpha = np.empty(samples.shape[:2], depth) if channels in (2, 4) else None
    for top in range(0, len(samples), _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        strip = samples[rows]
        own = strip[..., : 3 if channels >= 3 else 1]
        if alpha is not None:
            alpha[rows] = _levels(strip[..., -1], depth)
            if decoded.premultiplied:
                full = 1.0 if strip.dtype.kind == "f" else float(np.iinfo(strip.dtype).max)
                share = strip[..., -1:].astype(np.float64) / full
                straight = np.clip(own / np.where(share > 0, share, 1), 0, full)
                own = straight if strip.dtype.kind == "f" else np.rint(straight).astype(strip.dtype)
        colour[rows] = _levels(own, depth)
    return Canvas(colour, alpha)


def _levels(values: NDArray[Any], depth: np.dtype[Any]) -> Levels:
    if values.dtype.kind != "f":
        return values.astype(depth)
    return np.rint(values.astype(np.float64) * np.iinfo(depth).max).astype(depth)
