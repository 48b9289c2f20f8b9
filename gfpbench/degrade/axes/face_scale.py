"""Small faces: the face's share of the frame goes down, as if it were cut out with more and more around it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gfpbench.degrade.axes.axis import Axis, Points
from gfpbench.images import Floats
from gfpbench.types import Parameters

_FEATHER = 0.12  # of the frame's side: how far the border's own pixels reach before the surroundings blur


@dataclass(frozen=True, slots=True)
class FaceScale:
    """The whole crop made smaller in the middle of the frame; around it its border goes on, out of focus.

    Mirroring, as elsewhere, would put other faces around this one. The small crop keeps the parity of the frame's
    sides, so that it is centred to the pixel.
    """

    keys: tuple[str, ...] = ("face_height_px", "face_width_px")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        height, width = (max(2 - side % 2, side - 2 * round(side * (1 - value / 100) / 2)) for side in size_px)
        return {"face_height_px": height, "face_width_px": width}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """Pixel areas are averaged, so that shrinking does not alias."""
        height, width = bgr.shape[:2]
        small_height, small_width = record["face_height_px"], record["face_width_px"]
        if (small_height, small_width) == (height, width):
            return bgr
        small = cv2.resize(bgr, (small_width, small_height), interpolation=cv2.INTER_AREA)
        top, left = (height - small_height) // 2, (width - small_width) // 2
        frame = cv2.copyMakeBorder(small, top, top, left, left, cv2.BORDER_REPLICATE)
        beyond_y, beyond_x = _beyond(height, small_height)[:, None], _beyond(width, small_width)[None, :]
        reach = _FEATHER * min(height, width)
        soft = cv2.GaussianBlur(frame, (0, 0), reach / 2, borderType=cv2.BORDER_REPLICATE)
        weight = np.clip(np.maximum(beyond_y, beyond_x) / reach, 0, 1).astype(np.float32)[..., None]
        return np.asarray(frame * (1 - weight) + soft * weight)

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        frame = np.array([size_px[1], size_px[0]])
        small = np.array([record["face_width_px"], record["face_height_px"]])
        return np.asarray((points + 0.5 - frame / 2) * small / frame + frame / 2 - 0.5)


def _beyond(side: int, small: int) -> Points:
    """How far each pixel of a side lies outside the small crop in its middle."""
    return np.asarray(np.maximum(np.abs(np.arange(side) - (side - 1) / 2) - (small - 1) / 2, 0))


FACE_SCALE = Axis(
    name="face-scale",
    summary="the face small in its frame",
    unit="% of the frame's side",
    harmless=100.0,
    hardest=10.0,
    trained_range=None,
    effect=FaceScale(),
    acts_on="scene",
    base="middle",
    spacing="geometric",
    source="FFHQ, on which GFP-GAN is trained, has all faces at one scale",
)
