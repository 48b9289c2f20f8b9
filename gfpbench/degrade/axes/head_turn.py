"""Out-of-plane pose: the head turned or nodded, through a proxy for its depth that knows no face in particular.

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

import numpy as np

from gfpbench.degrade.axes.axis import Axis, Points
from gfpbench.degrade.axes.geometry import Grid, fractions, sampled
from gfpbench.images import Floats
from gfpbench.types import Parameters

HEAD_CENTRE = (0.5, 0.5)
HEAD_RADII = (0.32, 0.46)
NOSE_CENTRE, NOSE_RADII, NOSE_HEIGHT = (0.5, 0.6), (0.05, 0.08), 0.07
"""Fractions of the crop; eyes are 1/4 of it apart, about 6.3 cm, so 0.07 is a nose of under 2 cm."""


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


_SOURCE = "no pose is drawn in GFP-GAN's training: FFHQ's own poses are all there is"
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
    source=_SOURCE,
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
    source=_SOURCE,
)
