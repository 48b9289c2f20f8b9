"""Shapes in front of a face, each a family that grows: a level for every pixel, the lowest covered first.

All in fractions of an FFHQ crop (``geometry.py``). Colours are BGR in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from gfpbench.degrade.axes.geometry import EYE_LEFT, EYE_RIGHT, FACE_CENTRE, FACE_RADII, MOUTH, NOSE_TIP, Grid
from gfpbench.images import Floats
from gfpbench.types import Parameters

Levels: TypeAlias = Callable[[Grid, Grid, Parameters], Grid]
Paint: TypeAlias = Callable[[Floats, Grid, Grid, Parameters], Floats]


@dataclass(frozen=True, slots=True)
class Occluder:
    """A growing shape and its surface.

    Args:
        levels: x, y, record -> (H, W), finite; the record's side (-1 left, 1 right) and angle turn it.
        paint: picture, x, y, record -> what broadcasts to (H, W, 3): the surface wherever the shape may reach.
    """

    levels: Levels
    paint: Paint


def _superellipse(x: Grid, y: Grid, centre: tuple[float, float], aspect: float, power: float) -> Grid:
    """The half width of the superellipse about ``centre`` through each place; ``aspect`` is width over height."""
    return np.asarray((np.abs(x - centre[0]) ** power + np.abs((y - centre[1]) * aspect) ** power) ** (1 / power))


def _eyes(x: Grid, y: Grid, record: Parameters) -> Grid:
    return np.abs(y - EYE_LEFT[1]) + 0 * x


def _nose(x: Grid, y: Grid, record: Parameters) -> Grid:
    return _superellipse(x, y, (NOSE_TIP[0], 0.58), 0.75, 2)


def _mouth(x: Grid, y: Grid, record: Parameters) -> Grid:
    return _superellipse(x, y, MOUTH, 1.6, 2)


def _half(x: Grid, y: Grid, record: Parameters) -> Grid:
    return -record["occlusion_side"] * (x - 0.5) + 0 * y


def _bar(x: Grid, y: Grid, record: Parameters) -> Grid:
    angle = record["occlusion_angle_rad"]
    return np.abs((x - FACE_CENTRE[0]) * math.sin(angle) - (y - FACE_CENTRE[1]) * math.cos(angle))


def _glasses(x: Grid, y: Grid, record: Parameters) -> Grid:
    lenses = [_superellipse(x, y, (eye[0] + 0.012 * side, eye[1] + 0.012), 1.25, 3.5) for side, eye in _EYES]
    frame = np.where(np.abs(x - 0.5) < 0.31, 9 * np.abs(y - 0.445), 9.0 + np.abs(x - 0.5))
    return np.minimum(np.minimum(*lenses), frame)


_EYES = ((-1, EYE_LEFT), (1, EYE_RIGHT))


def _mask(x: Grid, y: Grid, record: Parameters) -> Grid:
    # The upper edge rises over the bridge of the nose.
    return _superellipse(x, y + 0.16 * (x - 0.5) ** 2 / 0.07 * (y < 0.76), (0.5, 0.76), 1.3, 3)


_FINGERS = ((-0.117, 0.25, 0.034), (-0.039, 0.31, 0.038), (0.041, 0.29, 0.037), (0.115, 0.21, 0.032))
_THUMB = (0.215, -0.1, 0.042)
"""Place across the hand, length beyond the palm, half width: a middle finger of 8 cm where eyes are 6.3 cm apart."""


def _hand_axes(x: Grid, y: Grid, record: Parameters) -> tuple[Grid, Grid]:
    """Along the fingers, from the wrist up, and across, the thumb being positive."""
    side = record["occlusion_side"]
    lean = math.radians(24)
    right, down = side * (x - 0.5), y - 0.9
    return -down * math.cos(lean) - right * math.sin(lean), right * math.cos(lean) - down * math.sin(lean)


def _hand(x: Grid, y: Grid, record: Parameters) -> Grid:
    """How far the hand has to slide in along its fingers until it covers a place; the arm follows it."""
    along, across = _hand_axes(x, y, record)
    # Between fingers the hand begins at the palm; beside it only a sleeve that widens comes, and late.
    top = np.where(np.abs(across) < 0.15, -0.02 - 2.0 * np.maximum(np.abs(across) - 0.12, 0), -0.6 - 6 * np.abs(across))
    for place, length, radius in (*_FINGERS, _THUMB):
        off = np.abs(across - place)
        tip = length - radius + np.sqrt(np.maximum(radius**2 - off**2, 0))
        top = np.where(off < radius, np.maximum(top, tip), top)
    return along - top


def _plain(*bgr: float) -> Paint:
    return lambda picture, x, y, record: np.array(bgr, dtype=np.float32)


def _skin(picture: Floats, x: Grid, y: Grid, record: Parameters) -> Floats:
    """The median colour of the face, rounded off towards the edges of each finger."""
    inside = ((x - FACE_CENTRE[0]) / FACE_RADII[0]) ** 2 + ((y - FACE_CENTRE[1]) / FACE_RADII[1]) ** 2 < 0.5
    tone = np.median(picture[inside], axis=0)
    _, across = _hand_axes(x, y, record)
    round_off = np.full(across.shape, 0.93)
    for place, _, radius in (*_FINGERS, _THUMB):
        off = np.abs(across - place)
        round_off = np.where(off < radius, 0.7 + 0.25 * np.sqrt(np.maximum(1 - (off / radius) ** 2, 0)), round_off)
    return (tone * round_off[..., None]).astype(np.float32)


def _cloth(picture: Floats, x: Grid, y: Grid, record: Parameters) -> Floats:
    """Pale blue with pleats, darker towards the ears."""
    folds = 1 - 0.07 * (np.sin(2 * math.pi * y / 0.075) > 0.8) - 0.9 * (x - 0.5) ** 2
    return (folds[..., None] * np.array([0.84, 0.78, 0.66])).astype(np.float32)


def _lens(picture: Floats, x: Grid, y: Grid, record: Parameters) -> Floats:
    """Nearly black, a little lighter downwards, as tinted glass is."""
    return ((0.05 + 0.25 * np.clip(y - 0.42, 0, 0.3) + 0 * x)[..., None] * np.ones(3)).astype(np.float32)


OCCLUDERS: Mapping[str, Occluder] = {
    "eyes": Occluder(_eyes, _plain(0.02, 0.02, 0.02)),
    "nose": Occluder(_nose, _plain(0.55, 0.55, 0.55)),
    "mouth": Occluder(_mouth, _plain(0.55, 0.55, 0.55)),
    "half": Occluder(_half, _plain(0.22, 0.24, 0.26)),
    "bar": Occluder(_bar, _plain(0.16, 0.2, 0.24)),
    "glasses": Occluder(_glasses, _lens),
    "mask": Occluder(_mask, _cloth),
    "hand": Occluder(_hand, _skin),
}
"""Shape -> how it grows and what it looks like."""
