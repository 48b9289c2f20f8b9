"""Photographs made of the two portraits that the packages carry, with faces whose landmarks are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from gfpbench.decode import decode_rgb
from gfpbench.faces.align import crop, ffhq_square, in_crop
from gfpbench.faces.embedded import file_bytes
from gfpbench.faces.manifest import read_manifest
from gfpbench.photos import Found
from gfpbench.types import ImageBatch

Bytes = NDArray[np.uint8]
Points = NDArray[np.float64]
PORTRAIT_PX = 256


@dataclass
class Known:
    """A detector that was told where the faces are."""

    found: list[Found]
    name: str = "known"

    def __call__(self, rgb: Bytes) -> list[Found]:
        return list(self.found)

    def provenance(self) -> Mapping[str, Any]:
        return {"detector": self.name}


@dataclass
class Painter:
    """A restorer that does to the pixels of each crop what it is told."""

    paint: Callable[[torch.Tensor], torch.Tensor]
    name: str = "painter"
    seen: list[ImageBatch] = field(default_factory=list)

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        self.seen.append(degraded)
        return ImageBatch(self.paint(degraded.pixels.clone()).clamp(0, 1), degraded.ids)

    def provenance(self) -> Mapping[str, Any]:
        return {"restorer": self.name}


@dataclass(frozen=True)
class Place:
    """One face: which of the portraits, the middle of its square in the photo, the square's side, its turn."""

    centre: tuple[float, float]
    side_px: float
    turn_degrees: float = 0.0
    portrait: int = 0


@lru_cache(maxsize=4)
def portrait(number: int) -> tuple[Bytes, Points]:
    """An FFHQ-like crop of 256 px and its five landmarks."""
    entry = read_manifest()[number]
    square = ffhq_square(entry.landmarks)
    points = in_crop(square, np.asarray(entry.landmarks, dtype=np.float64), PORTRAIT_PX)
    five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    return crop(decode_rgb(file_bytes(entry), entry.name), square, PORTRAIT_PX), five


def ground(height: int, width: int, seed: int = 0) -> Bytes:
    """A background without faces: smooth colours with some texture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (6, 6, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)


def scene(height: int, width: int, places: Sequence[Place], seed: int = 0) -> tuple[Bytes, list[Found]]:
    """A photo with faces in it, and where they are."""
    photo, found = ground(height, width, seed), []
    for number, place in enumerate(places):
        image, five = portrait(place.portrait)
        turn = np.deg2rad(place.turn_degrees)
        scale = place.side_px / PORTRAIT_PX
        linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        middle = np.full(2, (PORTRAIT_PX - 1) / 2)
        matrix = np.column_stack([linear, np.array(place.centre) - linear @ middle])
        if scale < 0.7:  # shrunk by areas first, so that small faces are not jagged
            small = max(2, round(PORTRAIT_PX * scale))
            shrunk: Any = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
            image = shrunk
            own = np.column_stack([linear * PORTRAIT_PX / small, np.zeros(2)])
            own[:, 2] = np.array(place.centre) - own[:, :2] @ np.full(2, (small - 1) / 2)
        else:
            own = matrix
        size = (width, height)
        turned = cv2.warpAffine(image, own, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        shown = cv2.warpAffine(np.ones(image.shape[:2], np.float32), own, size) > 0.999
        photo = np.where(shown[..., None], turned, photo).astype(np.uint8)
        landmarks = five @ linear.T + matrix[:, 2]
        (left, top), (right, bottom) = landmarks.min(0).tolist(), landmarks.max(0).tolist()
        found.append(Found((left, top, right, bottom), landmarks, 0.999 - number / 1000))
    return photo, found


def upstream_helper(upscale: int, bgr: Bytes, landmarks: Sequence[Points]) -> Any:
    """facexlib's FaceRestoreHelper without its networks, which it would download; given the photo and the landmarks."""
    from facexlib.utils import face_restoration_helper as module

    no_network = SimpleNamespace(init_detection_model=None, init_parsing_model=None)
    before = {name: getattr(module, name) for name in vars(no_network)}
    try:
        for name in before:
            setattr(module, name, lambda *_, **__: None)
        helper = module.FaceRestoreHelper(upscale, face_size=512, device="cpu", use_parse=False)
    finally:
        for name, function in before.items():
            setattr(module, name, function)
    helper.read_image(bgr)
    helper.all_landmarks_5 = [points.copy() for points in landmarks]
    helper.det_faces = [None] * len(landmarks)
    return helper
