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
Paint: TypeAlias = Callable[[Floats, Grid, Grid, Parameters, float], Floats]


@dataclass(frozen=True, slots=True)
class Occluder:
    """A growing shape and its surface.

    Args:
        levels: x, y, record -> (H, W), finite; the record's side (-1 left, 1 right) and angle turn it.
        paint: image, x, y, record, level up to which it has grown -> its surface, broadcasting to (H, W, 3).
    """

    levels: Levels
    paint: Paint


def _superellipse(x: Grid, y: Grid, centre: tuple[float, float], aspect: float, power: float) -> Grid:
    """The half width of the superellipse about ``centre`` through each place; ``aspect`` is width over height."""
    return np.asarray((np.abs(x - centre[0]) ** power + np.abs((y - centre[1]) * aspect) ** power) ** (1 / power))


def _eyes(x: Grid, y: Grid, record: Parameters) -> Grid:
    return np.asarray(np.abs(y - EYE_LEFT[1]) + 0 * x)


def _nose(x: Grid, y: Grid, record: Parameters) -> Grid:
    return _superellipse(x, y, (NOSE_TIP[0], 0.58), 0.75, 2)


def _mouth(x: Grid, y: Grid, record: Parameters) -> Grid:
    return _superellipse(x, y, MOUTH, 1.6, 2)


def _half(x: Grid, y: Grid, record: Parameters) -> Grid:
    return np.asarray(-record["occlusion_side"] * (x - 0.5) + 0 * y)


def _bar(x: Grid, y: Grid, record: Parameters) -> Grid:
    angle = record["occlusion_angle_rad"]
    return np.asarray(np.abs((x - FACE_CENTRE[0]) * math.sin(angle) - (y - FACE_CENTRE[1]) * math.cos(angle)))


def _glasses(x: Grid, y: Grid, record: Parameters) -> Grid:
    lenses = [_superellipse(x, y, (eye[0] + 0.012 * side, eye[1] + 0.012), 1.25, 3.5) for side, eye in _EYES]
    frame = np.where(np.abs(x - 0.5) < 0.31, 9 * np.abs(y - 0.445), 9.0 + np.abs(x - 0.5))
    return np.minimum(np.minimum(*lenses), frame)


_EYES = ((-1, EYE_LEFT), (1, EYE_RIGHT))


def _mask(x: Grid, y: Grid, record: Parameters) -> Grid:
    up = 0.76 - y
    # The upper edge is highest on the bridge of the nose and falls towards the ears.
    up = up + 1.3 * (x - 0.5) ** 2 * np.clip(up / 0.1, 0, 1)
    return _superellipse(x, up, (0.5, 0.0), 1.25, 3)


_FINGERS = ((-0.117, 0.25, 0.034), (-0.039, 0.31, 0.038), (0.041, 0.29, 0.037), (0.115, 0.21, 0.032))
_THUMB = (0.212, -0.06, 0.042)
"""Place across the hand, length beyond the palm, half width: a middle finger of 8 cm where eyes are 6.3 cm apart."""
_PALM_HALF_WIDTH, _WEB, _CUFF = 0.15, -0.24, -0.45


def _hand_axes(x: Grid, y: Grid, record: Parameters) -> tuple[Grid, Grid]:
    """Along the fingers, from the wrist up, and across, the thumb being positive."""
    side = record["occlusion_side"]
    lean = math.radians(24)
    right, down = side * (x - 0.5), y - 0.9
    return -down * math.cos(lean) - right * math.sin(lean), right * math.cos(lean) - down * math.sin(lean)


def _hand(x: Grid, y: Grid, record: Parameters) -> Grid:
    """How far the hand has to slide in along its fingers until it covers a place; the arm in its sleeve follows it."""
    along, across = _hand_axes(x, y, record)
    beside = _CUFF - 4 * np.maximum(np.abs(across) - 0.25, 0)
    top = np.where((across > 0) & (across < _THUMB[0] + _THUMB[2]), _WEB, beside)
    top = np.where(np.abs(across) < _PALM_HALF_WIDTH, -0.01, top)
    for place, length, radius in (*_FINGERS, _THUMB):
        off = np.abs(across - place)
        tip = length - radius + np.sqrt(np.maximum(radius**2 - off**2, 0))
        top = np.where(off < radius, np.maximum(top, tip), top)
    return np.asarray(along - top)


def _plain(*bgr: float) -> Paint:
    return lambda image, x, y, record, level: np.array(bgr, dtype=np.float32)


def _skin(image: Floats, x: Grid, y: Grid, record: Parameters, level: float) -> Floats:
    """The median colour of the face, fingers rounded off towards their edges, and a grey sleeve."""
    inside = ((x - FACE_CENTRE[0]) / FACE_RADII[0]) ** 2 + ((y - FACE_CENTRE[1]) / FACE_RADII[1]) ** 2 < 0.5
    tone = np.median(image[inside], axis=0)
    along, across = _hand_axes(x, y, record)
    along = along - level  # from the knuckles of the hand where it is now
    shade = 0.92 - 1.5 * across**2
    for place, _, radius in (*_FINGERS, _THUMB):
        off = np.abs(across - place)
        rounded = 0.68 + 0.26 * np.sqrt(np.maximum(1 - (off / radius) ** 2, 0))
        finger = np.clip((along - (_WEB if place == _THUMB[0] else -0.03)) / 0.05, 0, 1) * (off < radius)
        shade = shade * (1 - finger) + rounded * finger
    skin = tone * np.clip(shade, 0.5, 1)[..., None]
    return np.where((along < _CUFF)[..., None], np.array([0.3, 0.27, 0.25]), skin).astype(np.float32)


def _cloth(image: Floats, x: Grid, y: Grid, record: Parameters, level: float) -> Floats:
    """Pale blue with pleats, darker towards the ears."""
    folds = 1 - 0.07 * (np.sin(2 * math.pi * y / 0.075) > 0.8) - 0.9 * (x - 0.5) ** 2
    return np.asarray(folds[..., None] * np.array([0.84, 0.78, 0.66]), dtype=np.float32)


def _lens(image: Floats, x: Grid, y: Grid, record: Parameters, level: float) -> Floats:
    """Nearly black, a little lighter downwards, as tinted glass is."""
    shade = 0.05 + 0.25 * np.clip(y - 0.42, 0, 0.3) + 0 * x
    return np.asarray(shade[..., None] * np.ones(3), dtype=np.float32)


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
