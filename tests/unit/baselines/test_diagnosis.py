"""The likely kind of a change, guessed from fingerprints of real changes to images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from gfpbench.baselines.diagnosis import _tint, likely_change
from gfpbench.baselines.image_statistics import ImageStatistics, image_statistics
from gfpbench.images import Bytes
from gfpbench.types import Row
from tests.unit.baselines import sample

COUNT, SIDE = 12, 128


def textured(number: int) -> Bytes:
    """A smooth image with some fine detail on it."""
    detail = np.random.default_rng((number, 1)).normal(0, 6, (SIDE, SIDE, 1))
    return np.clip(sample.image(number, SIDE) + cv2.GaussianBlur(detail, (0, 0), 1)[..., None], 0, 255).astype(np.uint8)


def seen(images: list[Bytes]) -> ImageStatistics:
    rows = [
        Row(str(i), "", (SIDE, SIDE), {}, {}, {}, None, sample.fingerprint(rgb, rgb)) for i, rgb in enumerate(images)
    ]
    found = image_statistics(rows, "restored")
    assert found is not None
    return found


def _noisy(rgb: Bytes) -> Bytes:
    noise = np.random.default_rng(int(rgb[0, 0, 0])).normal(0, 4, rgb.shape)
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


def _moved(rgb: Bytes) -> Bytes:
    matrix = np.array([[1, 0, 2.0], [0, 1, 0]])
    moved: Any = cv2.warpAffine(rgb, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return moved


CHANGES: dict[str, tuple[Callable[[Bytes], Any], str]] = {
    "mirror": (lambda rgb: rgb[:, ::-1], "geometry: mirrored"),
    "turned over": (lambda rgb: rgb[::-1], "geometry: upside down"),
    "channels": (lambda rgb: rgb[..., ::-1], "colour: channels exchanged, RGB is now BGR"),
    "inverted": (lambda rgb: 255 - rgb, "colour: inverted"),
    "gamma": (lambda rgb: (255 * (rgb / 255) ** 0.8).astype(np.uint8), "colour: brightness or contrast"),
    "brighter": (lambda rgb: np.clip(rgb.astype(int) + 12, 0, 255).astype(np.uint8), "colour: brightness"),
    "one level": (lambda rgb: rgb + np.array([1, 0, 0], np.uint8), "colour: mean R +1.00, G +0.00"),
    "moved": (_moved, "geometry: moved by about +"),
    "blur": (lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 1), "blur: -"),
    "noise": (_noisy, "noise: +"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_named(name: str) -> None:
    change, said = CHANGES[name]
    before = [textured(i) for i in range(COUNT)]
    now = [np.ascontiguousarray(change(rgb)) for rgb in before]
    assert likely_change(seen(before), seen(now), SIDE).startswith(said)


def test_exchanged_images_and_a_constant_are_named() -> None:
    before = [textured(i) for i in range(COUNT)]
    assert likely_change(seen(before), seen(before[1:] + before[:1]), SIDE).startswith("pairing: 12 images")
    assert likely_change(seen(before), seen([textured(99)] * COUNT), SIDE).startswith("identity: every image")


@pytest.mark.parametrize(
    ("deviations", "said"), [(2.5, "colour: mean R +1.00, G +1.00, B +1.00 grey levels"), (1.5, "")]
)
def test_a_tint_is_said_where_it_is_alike_in_all_images(deviations: float, said: str) -> None:
    """By more than two deviations of what images differ by, of which 19 in 20 would be less by chance."""
    before = seen([textured(i) for i in range(COUNT)])
    sway = np.where(np.arange(COUNT) % 2, 1, -1)[:, None] / deviations
    now = ImageStatistics(before.sha256, {**before.values, "mean_levels": before.values["mean_levels"] + 1 + sway})
    assert _tint(before, now) == said
