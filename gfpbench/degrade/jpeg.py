"""JPEG compression, the fourth step of Eq. 6: one round trip through libjpeg with 4:2:0 chroma.

JPEG_q of GFP-GAN's Eq. 6; basicsr's ``add_jpg_compression`` @8d56e3a with a whole-number quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gfpbench.images import Bytes, Floats
from gfpbench.lazy import LazyModule
from gfpbench.types import GfpbenchError, Parameters

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")


@dataclass(frozen=True, slots=True)
class Jpeg:
    """How the quality is drawn: each whole number of the range with equal chance, both ends included.

    Args:
        quality: libjpeg's scale, 1 (worst) to 100.
    """

    quality: tuple[int, int]

    def draw(self, source: np.random.Generator) -> Parameters:
        return {"jpeg_quality": int(source.integers(self.quality[0], self.quality[1], endpoint=True))}


def to_bytes(bgr: Floats) -> Bytes:
    """[0, 1] to whole levels, rounded half to even: as ``cv2.imencode`` does with floats, without its warning."""
    # One pass: scaled in float32, rounded half to even, limited to 0..255. The absolute value in its name meets
    # nothing negative: images are clipped with the noise.
    return np.asarray(cv2.convertScaleAbs(bgr, alpha=255), dtype=np.uint8)


def encode(bgr: Bytes, quality: int) -> bytes:
    """(h, w, 3) uint8 BGR to a JPEG stream of that quality."""
    done, stream = cv2.imencode(".jpg", bgr, [int(cv2.IMWRITE_JPEG_QUALITY), quality])
    if not done:
        raise GfpbenchError(f"OpenCV could not encode an image of shape {bgr.shape} as JPEG at quality {quality}")
    return bytes(stream.tobytes())


def round_trip(bgr: Bytes, quality: int) -> Bytes:
    """(h, w, 3) uint8 BGR through a JPEG stream and back."""
    decoded = cv2.imdecode(np.frombuffer(encode(bgr, quality), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(decoded, dtype=np.uint8)


def compressed(bgr: Floats, record: Parameters) -> Floats:
    """(h, w, 3) float32 in [0, 1] through JPEG at the record's quality; unchanged and unrounded where that is null."""
    quality = record["jpeg_quality"]
    if quality is None:
        return bgr
    decoded = round_trip(to_bytes(bgr), quality).astype(np.float32)
    decoded /= np.float32(255)
    return decoded
