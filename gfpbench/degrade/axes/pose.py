"""Pose and framing: the head turned, nodded or tilted, small in its frame, or beside the middle of the crop.

All belong to the scene, so the truth is changed alike; see ``axis.py``. Roll, scale and shift are exact. Turning and
nodding go through a proxy for the head's depth that knows no face in particular:

The head is an ellipsoid that fills its outline in an FFHQ crop, with a bump for the nose. A point at the angle phi on
it, seen at x = centre + w sin(phi), goes to the angle phi + theta (1 - (2 phi / pi)^2). The middle of the face turns by
exactly the degrees said, and points towards the outline by less and less, so that the outline stays where it is,
nothing outside it moves and the map can be inverted. The nose shifts by height x sin(theta) more, as parallax does.

What a photograph does not show cannot appear: the ear and the cheek that come into view are stretched, less than four
times up to 40 degrees; a profile is out of reach. Degrees add to the pose that a face has already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gfpbench.degrade.axes.axis import Axis, Points
from gfpbench.degrade.axes.geometry import Grid, fractions, sampled
from gfpbench.degrade.fast import reflected
from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

HEAD_CENTRE = (0.5, 0.5)
HEAD_RADII = (0.32, 0.46)
NOSE_CENTRE, NOSE_RADII, NOSE_HEIGHT = (0.5, 0.6), (0.05, 0.08), 0.07
"""Fractions of the crop; eyes are 1/4 of it apart, about 6.3 cm, so 0.07 is a nose of under 2 cm."""

_FEATHER = 0.12  # of the frame's side: how far the border's own pixels reach before the surroundings blur


def turned(along: Grid, across: Grid, theta_rad: float, axis: int) -> Grid:
    """Where points go along one axis, in fractions of the crop; they keep their place across it.

    Args:
        along: places on the axis that moves (x for yaw, y for pitch).
        across: places on the other one.
        theta_rad: towards larger ``along``; under pi / 4 in size, beyond which the map folds.
        axis: 0 for x (yaw), 1 for y (pitch).
    """
    other = 1 - axis
    chord = 1 - ((across - HEAD_CENTRE[other]) / HEAD_RADII[other]) ** 2
    reach = HEAD_RADII[axis] * np.sqrt(np.maximum(chord, 0))
    inside = np.abs(along - HEAD_CENTRE[axis]) < reach
    phi = np.arcsin(np.where(inside, (along - HEAD_CENTRE[axis]) / np.maximum(reach, 1e-12), 0.0))
    ellipsoid = HEAD_CENTRE[axis] + reach * np.sin(phi + theta_rad * (1 - (2 * phi / math.pi) ** 2))
    nose = np.exp(
        -(
            ((along - NOSE_CENTRE[axis]) / NOSE_RADII[axis]) ** 2
            + ((across - NOSE_CENTRE[other]) / NOSE_RADII[other]) ** 2
        )
        / 2
    )
    # The bump is let down to nothing at the outline, with the square of the depth.
    depth = np.cos(phi) ** 2
    return np.where(inside, ellipsoid + NOSE_HEIGHT * nose * depth * math.sin(theta_rad), along)


@dataclass(frozen=True, slots=True)
class HeadTurn:
    """Yaw (axis 0) or pitch (axis 1), to a side that is drawn for each face."""

    axis: int
    keys: tuple[str, ...]

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {self.keys[0]: value if source.random() < 0.5 else -value}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """Positive degrees move the nose to the right (yaw) or down (pitch)."""
        theta = math.radians(record[self.keys[0]])
        x, y = fractions((bgr.shape[0], bgr.shape[1]))
        (along, across), size = ((x[0], y[:, 0]), bgr.shape[1]) if self.axis == 0 else ((y[:, 0], x[0]), bgr.shape[0])
        # Rows (or columns) move on their own, and the map rises along each: so it is inverted by looking it up.
        lines = [
            np.interp(along, turned(along, np.full_like(along, place), theta, self.axis), along) for place in across
        ]
        places = np.stack(lines) * size - 0.5
        if self.axis == 0:
            return sampled(bgr, places, np.arange(bgr.shape[0], dtype=np.float64)[:, None])
        return sampled(bgr, np.arange(bgr.shape[1], dtype=np.float64)[None, :], places.T)

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        sides = np.array([size_px[1], size_px[0]])
        places = (points + 0.5) / sides
        theta = math.radians(record[self.keys[0]])
        places[:, self.axis] = turned(places[:, self.axis], places[:, 1 - self.axis], theta, self.axis)
        return np.asarray(places * sides - 0.5)


@dataclass(frozen=True, slots=True)
class Roll:
    """The image turned about its middle, clockwise or not as drawn for each face; mirrored beyond its border."""

    keys: tuple[str, ...] = ("roll_deg",)

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {"roll_deg": value if source.random() < 0.5 else -value}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """Positive degrees turn the image clockwise, as seen."""
        height, width = bgr.shape[:2]
        cos, sin = _turn(record)
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        x, y = np.arange(width)[None, :] - middle_x, np.arange(height)[:, None] - middle_y
        return sampled(bgr, cos * x + sin * y + middle_x, -sin * x + cos * y + middle_y)

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        middle = np.array([size_px[1] - 1, size_px[0] - 1]) / 2
        cos, sin = _turn(record)
        return np.asarray((points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle)


def _turn(record: Parameters) -> tuple[float, float]:
    angle = np.deg2rad(record["roll_deg"])
    # The cosine of a right angle is not quite 0 in floating point, and a pixel on an edge would notice.
    return float(np.round(np.cos(angle), 14)), float(np.round(np.sin(angle), 14))


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


@dataclass(frozen=True, slots=True)
class Misalignment:
    """The image shifted by whole pixels, so that nothing is softened; the direction is drawn for each face."""

    keys: tuple[str, ...] = ("shift_x_px", "shift_y_px")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        angle, distance = uniform(source, (-math.pi, math.pi)), value / 100 * min(size_px)
        return {
            "shift_x_px": round(distance * math.cos(angle)),
            "shift_y_px": round(distance * math.sin(angle)),
        }

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """To the right and downwards by the record's pixels; what comes into view is the image mirrored."""
        height, width = bgr.shape[:2]
        rows = reflected(np.arange(height) - record["shift_y_px"], height)
        columns = reflected(np.arange(width) - record["shift_x_px"], width)
        return bgr[rows[:, None], columns[None, :]]

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        return np.asarray(points + np.array([record["shift_x_px"], record["shift_y_px"]]))


_POSE_SOURCE = "no pose is drawn in GFP-GAN's training: FFHQ's own poses are all there is"
YAW = Axis(
    name="yaw",
    summary="the head turned to a side (depth proxy)",
    unit="degrees",
    harmless=0.0,
    hardest=40.0,
    trained_range=None,
    effect=HeadTurn(0, ("yaw_deg",)),
    acts_on="scene",
    base="middle",
    source=_POSE_SOURCE,
)
PITCH = Axis(
    name="pitch",
    summary="the head nodded up or down (depth proxy)",
    unit="degrees",
    harmless=0.0,
    hardest=40.0,
    trained_range=None,
    effect=HeadTurn(1, ("pitch_deg",)),
    acts_on="scene",
    base="middle",
    source=_POSE_SOURCE,
)
ROLL = Axis(
    name="roll",
    summary="the head tilted in the plane of the image",
    unit="degrees",
    harmless=0.0,
    hardest=90.0,
    trained_range=None,
    effect=Roll(),
    acts_on="scene",
    base="middle",
    source="FFHQ, on which GFP-GAN is trained, is aligned: no roll is left",
)
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
MISALIGNMENT = Axis(
    name="misalignment",
    summary="the face away from the middle of the crop",
    unit="% of the crop",
    harmless=0.0,
    hardest=30.0,
    trained_range=None,
    effect=Misalignment(),
    acts_on="scene",
    base="middle",
    source="FFHQ, on which GFP-GAN is trained, is aligned by landmarks",
)
