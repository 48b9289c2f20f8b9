"""Occlusion: something in front of the face, in a stated place and of a stated share of the face.

The truth is covered alike. GFP-GAN is not asked to take a mask off, and scoring it against the face behind would
measure a guess; what breaks is the rest: hallucinated eyes on a mask, smeared cheeks beside a hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.geometry import FACE_CENTRE, FACE_RADII, Grid, fractions
from gfpbench.degrade.axes.occluders import OCCLUDERS
from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.types import BadInput, Parameters

Mask: TypeAlias = NDArray[np.bool_]


def face_mask(size_px: tuple[int, int]) -> Mask:
    """(H, W): the pixels whose centres lie in the ellipse that counts as the face."""
    x, y = fractions(size_px)
    return np.asarray(((x - FACE_CENTRE[0]) / FACE_RADII[0]) ** 2 + ((y - FACE_CENTRE[1]) / FACE_RADII[1]) ** 2 <= 1)


def grown(size_px: tuple[int, int], record: Parameters) -> tuple[Mask, float]:
    """(H, W): the pixels behind the occluder, with the level up to which it has grown.

    They are the stated share of the face to the nearest pixel, hard-edged. At a larger share the same shape covers
    them and more. It reaches beyond the face as far as it grew.
    """
    shape, fraction = record["occlusion_shape"], record["occlusion_fraction"]
    if shape not in OCCLUDERS or not 0 <= fraction <= 1:
        raise BadInput(
            f"no occluder {shape!r} covers {fraction} of a face: shapes are {', '.join(OCCLUDERS)}, shares 0 to 1"
        )
    x, y = fractions(size_px)
    levels: Grid = OCCLUDERS[shape].levels(x, y, record)
    levels = levels + (x + y / 7) * 1e-6  # whole rows of equal level would come all at once
    on_face = np.sort(levels[face_mask(size_px)])
    count = round(fraction * on_face.size)
    level = float(on_face[count - 1]) if count else -math.inf
    return np.asarray(levels <= level), level


@dataclass(frozen=True, slots=True)
class Occlusion:
    """One shape of ``OCCLUDERS``; the side it comes from and the angle of a bar are drawn for each face."""

    shape: str
    keys: tuple[str, ...] = ("occlusion_shape", "occlusion_fraction", "occlusion_side", "occlusion_angle_rad")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        side, angle = source.random() < 0.5, uniform(source, (0.0, math.pi))
        return {
            "occlusion_shape": self.shape,
            "occlusion_fraction": value / 100,
            "occlusion_side": 1 if side else -1,
            "occlusion_angle_rad": angle,
        }

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        size = bgr.shape[0], bgr.shape[1]
        mask, level = grown(size, record)
        if not mask.any():
            return bgr
        surface = OCCLUDERS[record["occlusion_shape"]].paint(bgr, *fractions(size), record, level)
        return np.where(mask[..., None], surface, bgr).astype(np.float32)


def _axis(shape: str, summary: str, hardest: float) -> Axis:
    return Axis(
        name=f"occlusion-{shape}",
        summary=summary,
        unit="% of the face",
        harmless=0.0,
        hardest=hardest,
        trained_range=None,
        effect=Occlusion(shape),
        acts_on="scene",
        base="middle",
        source="no occluder is drawn in GFP-GAN's training",
    )


EYES = _axis("eyes", "a black bar over the eyes", 60.0)
NOSE = _axis("nose", "a grey patch over the nose", 60.0)
MOUTH = _axis("mouth", "a grey patch over the mouth", 60.0)
HALF = _axis("half", "a board from one side", 75.0)
BAR = _axis("bar", "a bar across the face at any angle", 75.0)
GLASSES = _axis("glasses", "dark glasses", 45.0)
MASK = _axis("mask", "a surgical mask", 70.0)
HAND = _axis("hand", "a hand before mouth and cheek", 60.0)
