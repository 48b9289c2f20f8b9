"""PIQE against pyiqa, where it is defined, and what it is known to like and dislike."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from gfpbench import images
from gfpbench.metrics.piqe import piqe
from gfpbench.types import BadInput, ImageBatch


def face(side_px: int) -> Any:
    """A portrait, sharp at any side up to 224 px."""
    crop = np.ascontiguousarray(data.astronaut()[:224, 112:336])
    interpolation = cv2.INTER_AREA if side_px < 224 else cv2.INTER_CUBIC
    return cv2.resize(crop, (side_px, side_px), interpolation=interpolation)


def batch(*samples: Any) -> ImageBatch:
    return images.batch_from_uint8(list(samples), tuple(f"image {i}" for i in range(len(samples))))


def scores(*samples: Any) -> list[float]:
    images_ = batch(*samples)
    return [float(value) for value in piqe(images_, images_)]


def degraded(image: Any) -> list[Any]:
    """A face, softer, blocky and noisy."""
    _, file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])
    noise = np.random.default_rng(0).normal(0, 12, image.shape)
    noisy = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    return [image, cv2.GaussianBlur(image, (0, 0), len(image) / 150), cv2.imdecode(file, 1), noisy]


@pytest.mark.parametrize("side_px", [128, 192, 512])
def test_pyiqa_in_double_precision(pyiqa_metric: Any, side_px: int) -> None:
    """A white pixel keeps pyiqa from stretching the image. In single precision it may put a block on the other side
    of a threshold, which moves it by 1.6 a block at 128 px."""
    images = degraded(face(side_px))
    for image in images:
        image[0, 0] = 255
    pixels = batch(*images).pixels
    metric = pyiqa_metric("piqe")
    expected = [metric(one[None].double()).item() for one in pixels]
    assert scores(*images) == pytest.approx(expected, abs=2e-3)
    single = [metric(one[None]).item() for one in pixels]
    assert scores(*images) == pytest.approx(single, abs=400 / (side_px / 16) ** 2)


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_an_image_of_one_colour_is_the_worst(level: int) -> None:
    """Black too, which pyiqa cannot score."""
    assert scores(np.full((128, 128, 3), level, np.uint8)) == [100.0]


def test_128_px_orders_blur_and_jpeg() -> None:
    image = face(128)
    blurred = [cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (0.5, 1, 2)]
    values = scores(image, *blurred)
    assert values == sorted(values)
    assert values[0] < 50 < 75 < values[-1]
    compressed = [cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, q])[1], 1) for q in (60, 30, 10)]
    values = scores(image, *compressed)
    assert values == sorted(values)
    assert values[-1] > values[0] + 20


def test_slight_grain_counts_as_texture_and_more_as_noise() -> None:
    """The weakness its docstring states: 2 to 5 grey levels of noise score better than none, 20 and more worse."""
    image = face(128)
    noise = np.random.default_rng(1).normal(0, 1, image.shape)
    clean, slight, strong, stronger = scores(
        *(np.clip(np.rint(image + std * noise), 0, 255).astype(np.uint8) for std in (0, 3, 20, 40))
    )
    assert slight < clean < strong < stronger


def test_64_px_is_the_least() -> None:
    assert 0 < scores(face(64))[0] < 100
    with pytest.raises(BadInput, match="piqe is undefined below 64 px"):
        scores(face(63))


def test_a_last_incomplete_block_repeats_its_border() -> None:
    """As MATLAB completes it: a side of 70 px scores as the same image whose border was repeated to 80 px."""
    image = face(128)[:70, :75]
    completed = np.pad(image, ((0, 10), (0, 5), (0, 0)), mode="edge")
    assert scores(image) == scores(completed)


def test_brightness_is_not_stretched() -> None:
    """A darker image has less contrast above the constant 1: unlike pyiqa, the value sees that."""
    dark = (face(128) // 4).astype(np.uint8)
    with_white = dark.copy()
    with_white[0, 0] = 255
    assert abs(scores(dark)[0] - scores(with_white)[0]) < 3
    assert torch.isfinite(torch.tensor(scores(dark))).all()
