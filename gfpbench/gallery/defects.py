"""Defects as restorers are known for, made by code on a restored face that has none of them.

Each takes what a face is made of and returns the restoration with the defect, (H, W, 3) uint8 RGB. Nothing is random.
Lengths follow the distance of the eyes, so that a defect looks alike at every size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade.axes import load_axis
from gfpbench.images import Bytes, batch_from_uint8, to_rgb_arrays
from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

Place: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.float64]
"""(H, W, 1) in [0, 1]."""

FINER = 8
"""Lines are drawn on an image so many times larger, which is then reduced: smooth at 128 px."""
RIM = (38, 28, 24)


@dataclass(frozen=True, slots=True)
class Material:
    """What a defect is made of. All images are (H, W, 3) uint8 RGB of one size.

    Args:
        restored: what the restorer made of the degraded face.
        truth: the clean face, with what covers it where something does.
        uncovered: what the restorer made of the same face with nothing before it; ``restored`` where nothing is.
        other: a restored face of another person.
        places, other_places: ``eye_left``, ``eye_right`` and ``mouth``, (2,) x, y in pixels, of the face and the other.
    """

    restored: Bytes
    truth: Bytes
    uncovered: Bytes
    other: Bytes
    places: Mapping[str, Place]
    other_places: Mapping[str, Place]

    @property
    def eyes_px(self) -> float:
        """The distance of the eyes."""
        return float(np.linalg.norm(self.places["eye_right"] - self.places["eye_left"]))

    @property
    def between_the_eyes(self) -> Place:
        return np.asarray((self.places["eye_left"] + self.places["eye_right"]) / 2)


def nothing_wrong(face: Material) -> Bytes:
    """The truth itself."""
    return face.truth


def mismatched_eyes(face: Material) -> Bytes:
    """The iris on the image's right becomes blue; what is dark or bright in it stays so."""
    iris = _disc(face.restored.shape, face.places["eye_right"], 0.07 * face.eyes_px)
    grey = face.restored.mean(axis=-1, keepdims=True)
    return _bytes(_blended(face.restored, grey * (0.5, 0.85, 1.3) + (5, 20, 45), iris))


def invented_glasses(face: Material) -> Bytes:
    """Round spectacles with thin dark rims, a bridge and the beginning of both temples."""
    height, width = face.restored.shape[:2]
    drawn: Any = cv2.resize(face.restored, (width * FINER, height * FINER), interpolation=cv2.INTER_CUBIC)
    (x_left, y_left), (x_right, y_right) = ((face.places[eye] + 0.5) * FINER for eye in ("eye_left", "eye_right"))
    radius, thickness = 0.36 * face.eyes_px * FINER, round(0.05 * face.eyes_px * FINER)
    strokes = [((x_left + radius, y_left), (x_right - radius, y_right))]
    for x, y, outward in ((x_left, y_left, -radius), (x_right, y_right, radius)):
        axes = round(radius), round(0.84 * radius)
        cv2.ellipse(drawn, _pixel(x, y + 0.15 * radius), axes, 0, 0, 360, RIM, thickness, cv2.LINE_AA)
        strokes.append(((x + outward, y), (x + 2 * outward, y - 0.15 * radius)))
    for begin, end in strokes:
        cv2.line(drawn, _pixel(*begin), _pixel(*end), RIM, thickness, cv2.LINE_AA)
    return np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def another_face(face: Material) -> Bytes:
    """Eyes, nose and mouth of another person, laid over by eyes and mouth and blended in (Perez et al. 2003)."""
    names = ("eye_left", "eye_right", "mouth")
    theirs, ours = (
        np.array([places[name] for name in names], np.float32) for places in (face.other_places, face.places)
    )
    turn, _ = cv2.estimateAffinePartial2D(theirs, ours, method=cv2.LMEDS)
    height, width = face.restored.shape[:2]
    laid = cv2.warpAffine(face.other, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    inner = np.zeros((height, width), np.uint8)
    middle = (face.between_the_eyes + face.places["mouth"]) / 2
    cv2.ellipse(inner, _pixel(*middle), (round(0.85 * face.eyes_px), round(face.eyes_px)), 0, 0, 360, 255, cv2.FILLED)
    x, y, w, h = cv2.boundingRect(inner)  # whose middle stays where it is
    place = x + w // 2, y + h // 2
    return np.asarray(cv2.seamlessClone(laid, face.restored, inner, place, cv2.NORMAL_CLONE), np.uint8)


def odd_hair(face: Material) -> Bytes:
    """A fine regular grain on the hair: the pattern that upsampling layers leave where they have no strands to show."""
    height, width = face.restored.shape[:2]
    y, x = np.mgrid[:height, :width]
    grain = 20.0 * np.sin(2 * np.pi * (x + 0.4 * y) / 3.0) * np.sin(2 * np.pi * (y - 0.4 * x) / 3.0)
    unit, down = face.eyes_px, np.array([0.0, face.eyes_px])
    head = _disc(face.restored.shape, face.between_the_eyes - 0.35 * down, 1.55 * unit, soft=0.12 * unit)
    skin = _disc(face.restored.shape, face.between_the_eyes + 0.45 * down, 1.2 * unit, soft=0.12 * unit)
    return _bytes(face.restored + (head * (1 - skin)) * grain[..., None])


def turned_head(face: Material) -> Bytes:
    """The head turned by 8 degrees against the truth, as restorers do that know mostly frontal faces."""
    yaw = load_axis("yaw")
    batch = batch_from_uint8([face.restored], ("face",))
    return to_rgb_arrays(yaw.applied(batch, [yaw.draw(yaw.severity_of(8.0), "face", 0, batch.size)]))[0]


def seen_through_the_mask(face: Material) -> Bytes:
    """What a mask covers is painted as if it could be seen: nose, mouth and chin where the truth has cloth."""
    covered = (np.abs(face.restored.astype(float) - face.uncovered).max(axis=-1) > 24).astype(np.uint8)
    covered = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    covered = cv2.dilate(covered, np.ones((3, 3), np.uint8))
    soft = np.asarray(cv2.GaussianBlur(covered.astype(np.float64), (0, 0), 1.0), np.float64)[..., None]
    return _bytes(_blended(face.restored, face.uncovered, soft))


def _disc(shape: tuple[int, ...], centre: Place, radius: float, soft: float = 1.0) -> Mask:
    """1 within a circle and 0 beyond it, with a border ``soft`` pixels wide."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.clip((radius - np.hypot(x - centre[0], y - centre[1])) / soft + 0.5, 0, 1)[..., None])


def _blended(below: NDArray[Any], above: NDArray[Any], mask: Mask) -> NDArray[np.float64]:
    return np.asarray(below * (1 - mask) + above * mask)


def _bytes(levels: NDArray[Any]) -> Bytes:
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)


def _pixel(x: float, y: float) -> tuple[int, int]:
    return round(float(x)), round(float(y))
