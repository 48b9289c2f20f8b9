"""Images of any size made from a few numbers: what a search for the worst input of a bound varies and stores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import skimage.data
from hypothesis import strategies as st
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
"""The photographs in colour that scikit-image carries; a crop of each is a content."""
DRAWN = ("blobs", "noise", "gradient", "patches", "flat parts")
CONTENTS = (*PHOTOGRAPHS, *DRAWN)


@dataclass(frozen=True, slots=True)
class Scene:
    """One image.

    Args:
        content: of ``CONTENTS``.
        seed: which crop of the photograph, or of the generator that draws.
        height, width: in pixels.
        blur_px: sigma of a Gaussian blur.
        noise_levels: sigma of Gaussian noise, the same in all channels where ``grey``.
        contrast: share of the content's deviation from its mean that stays, 0 to 1.
        grey: whether all channels are equal.
    """

    content: str
    seed: int
    height: int
    width: int
    blur_px: float = 0.0
    noise_levels: float = 0.0
    contrast: float = 1.0
    grey: bool = False

    def image(self) -> Bytes:
        """(height, width, 3) uint8 RGB."""
        random = np.random.default_rng(self.seed)
        values = _photograph(self, random) if self.content in PHOTOGRAPHS else _drawn(self, random)
        if self.grey:
            values = np.repeat(values[..., :1], 3, axis=2)
        if self.blur_px > 0:
            values = np.asarray(cv2.GaussianBlur(values, (0, 0), max(self.blur_px, 0.1)), dtype=np.float32)
        middle = values.mean(dtype=np.float64)
        values = middle + self.contrast * (values - middle)
        field = random.standard_normal((self.height, self.width, 1 if self.grey else 3))
        return np.asarray(np.clip(np.rint(values + self.noise_levels * field), 0, 255), dtype=np.uint8)


def _photograph(scene: Scene, random: np.random.Generator) -> Floats:
    whole = _loaded(scene.content)
    side = int(random.integers(96, min(whole.shape[:2])))
    top, left = (int(random.integers(0, size - side + 1)) for size in whole.shape[:2])
    crop = whole[top : top + side, left : left + side]
    way = cv2.INTER_AREA if max(scene.height, scene.width) < side else cv2.INTER_CUBIC
    return np.clip(cv2.resize(crop, (scene.width, scene.height), interpolation=way), 0, 255)


@cache
def _loaded(name: str) -> Floats:
    return np.asarray(getattr(skimage.data, name)(), dtype=np.float32)


def _drawn(scene: Scene, random: np.random.Generator) -> Floats:
    height, width = scene.height, scene.width
    shape = height, width, 3
    if scene.content == "gradient":
        slope = random.uniform(-1, 1, (2, 3))
        plane = np.linspace(0, 1, height)[:, None, None] * slope[0] + np.linspace(0, 1, width)[:, None] * slope[1]
        return _stretched(plane)
    if scene.content in ("patches", "flat parts"):
        values = np.tile(random.integers(0, 256, 3), (height, width, 1)).astype(np.float32)
        for _ in range(2 if scene.content == "flat parts" else 60):
            down, right = sorted(random.integers(0, height + 1, 2)), sorted(random.integers(0, width + 1, 2))
            part = values[down[0] : down[1], right[0] : right[1]]
            part[:] = random.integers(0, 256, part.shape if scene.content == "flat parts" else 3)
        return values
    noise = random.random(shape).astype(np.float32)
    return _stretched(
        cv2.GaussianBlur(noise, (0, 0), float(random.uniform(1, 12))) if scene.content == "blobs" else noise
    )


def _stretched(values: Any) -> Floats:
    low, high = values.min(), values.max()
    return np.asarray(255 * (values - low) / max(high - low, 1e-6), dtype=np.float32)


def sides(least: int, most: int, multiple: int = 1) -> st.SearchStrategy[int]:
    """Lengths in pixels, odd ones among them."""
    return st.integers(-(-least // multiple), most // multiple).map(lambda count: count * multiple)


def scenes(
    height: st.SearchStrategy[int], width: st.SearchStrategy[int], contents: tuple[str, ...] = CONTENTS
) -> st.SearchStrategy[Scene]:
    """Every content, sharp to soft, clean to noisy, full to hardly any contrast."""
    return st.builds(
        Scene,
        content=st.sampled_from(contents),
        seed=st.integers(0, 10**6),
        height=height,
        width=width,
        blur_px=st.just(0.0) | st.floats(0.2, 6.0),
        noise_levels=st.just(0.0) | st.floats(0.3, 25.0),
        contrast=st.just(1.0) | st.floats(0.02, 1.0),
        grey=st.booleans(),
    )
