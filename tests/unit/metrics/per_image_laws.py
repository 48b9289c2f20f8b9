"""What every per-image metric has to obey, as functions of the metric, so that a broken one meets the same check."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from skimage import data

from gfpbench import images
from gfpbench.types import BadInput, ImageBatch, Metric
from tests.unit.metrics import oracles

Law = Callable[[Metric], None]
HEIGHT, WIDTH = 209, 197  # odd, not square, four NIQE blocks, large enough for every metric


@cache
def photographs() -> tuple[Any, ...]:
    """Three (209, 197, 3) uint8 pieces of photographs: a face, a cat, a cup."""
    face, cat, cup = data.astronaut()[:HEIGHT, 120:], data.chelsea()[40:], data.coffee()[120:, 200:]
    return tuple(np.ascontiguousarray(image[:HEIGHT, :WIDTH]) for image in (face, cat, cup))


def batch(images: list[Any], ids: tuple[str, ...] = ("face", "cat", "cup")) -> ImageBatch:
    """Float images on the 255 scale to a batch; values between the bytes are kept, for the metric to round."""
    stacked = np.stack([np.clip(image, 0, 255).transpose(2, 0, 1) / 255 for image in images])
    return ImageBatch(torch.from_numpy(stacked.astype(np.float32)), ids)


def truth() -> ImageBatch:
    return batch([image.astype(np.float64) for image in photographs()])


def noisy(std: float, seed: int = 7) -> ImageBatch:
    rng = np.random.default_rng(seed)
    return batch([image + rng.normal(0, std, image.shape) for image in photographs()])


@cache
def restored() -> ImageBatch:
    """Each image wrong in its own way: blurred; paler with red noise; a coloured cast and a turned stripe."""
    face, cat, cup = (image.astype(np.float64) for image in photographs())
    rng = np.random.default_rng(3)
    blurred = cv2.GaussianBlur(face, (0, 0), 1.7) + 0.37
    pale = 0.8 * cat + 30 + rng.normal(0, 1, cat.shape) * np.array([14.0, 3.0, 6.0])
    cast = cup + np.array([9.3, -4.6, 1.2]) + rng.normal(0, 4, cup.shape)
    cast[60:90] = 255 - cast[60:90]  # the pattern turned over: structure and means disagree there
    return batch([blurred, pale, cast])


def as_bytes(images: ImageBatch) -> list[Any]:
    """Rounded by numpy, on its own, so that a metric's rounding is checked too. In C order, as dlib needs them."""
    return [np.rint(p.transpose(1, 2, 0) * np.float32(255)).astype(np.uint8, "C") for p in images.pixels.numpy()]


def refusal_of(metric: Metric, first: ImageBatch, second: ImageBatch) -> str:
    """The line with which the metric refuses a pair; a metric that does not, fails."""
    try:
        metric(first, second)
    except BadInput as error:
        return str(error)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        raise AssertionError(f"{metric.name} does not refuse {first.ids} {first.size}: {error!r}") from error
    raise AssertionError(f"{metric.name} scored what it cannot: {first.ids} {first.size}, {second.ids} {second.size}")


@cache
def by_oracle(name: str) -> tuple[float, ...]:
    """What the other implementation gives; once for a metric and all its saboteurs."""
    oracle, _ = oracles.ORACLES[name]
    return tuple(oracle(*pair) for pair in zip(as_bytes(restored()), as_bytes(truth()), strict=True))


def agrees_with_oracle(metric: Metric) -> None:
    """Each value equals another implementation's within the bound stated beside it."""
    _, bound = oracles.ORACLES[metric.name]
    expected = torch.tensor(by_oracle(metric.name), dtype=torch.float64)
    got = metric(restored(), truth())
    assert got.shape == expected.shape
    assert torch.isfinite(got).all()
    torch.testing.assert_close(got, expected, rtol=0, atol=bound)


def keeps_the_contract(metric: Metric) -> None:
    """(B,) float64 on the CPU, never NaN, even where half the image is flat."""
    half_flat = truth().pixels.clone()
    half_flat[:, :, :100] = 0
    for batch in (restored(), ImageBatch(half_flat, truth().ids)):
        values = metric(batch, truth())
        assert values.shape == (3,)
        assert values.dtype == torch.float64
        assert values.device.type == "cpu"
        assert not torch.isnan(values).any()


def best_on_equal_images(metric: Metric) -> None:
    """The truth against itself gives exactly ``best``; flat images too."""
    assert metric.best is not None
    flat = ImageBatch(torch.full((2, 3, HEIGHT, WIDTH), 0.4), ("one", "two"))
    for batch in (truth(), restored(), flat):
        again = ImageBatch(batch.pixels.clone(), batch.ids)
        assert metric(batch, again).tolist() == [metric.best] * len(batch)


def worse_with_more_noise(metric: Metric) -> None:
    """Each doubling of the noise makes every image's value worse."""
    values = torch.stack([metric(noisy(std), truth()) for std in (2, 4, 8, 16, 32)])
    steps = values.diff(dim=0) if metric.better == "lower" else -values.diff(dim=0)
    assert bool((steps > 0).all()), values.tolist()


def worse_with_more_blur(metric: Metric) -> None:
    """Each wider blur makes every image's value worse. None is too slight for metrics that never saw the truth."""
    images = [image.astype(np.float64) for image in photographs()]
    blurred = [batch([cv2.GaussianBlur(one, (0, 0), sigma) for one in images]) for sigma in (0.7, 1.0, 1.5, 3.0)]
    values = torch.stack([metric(one, truth()) for one in blurred])
    steps = values.diff(dim=0) if metric.better == "lower" else -values.diff(dim=0)
    assert bool((steps > 0).all()), values.tolist()


def scores_each_image_alone(metric: Metric) -> None:
    """The same bits alone, in a batch, in another order, and in another memory layout."""
    together = metric(restored(), truth())
    order = [2, 0, 1]
    assert torch.equal(metric(images.select(restored(), order), images.select(truth(), order)), together[order])
    alone = [metric(images.select(restored(), [i]), images.select(truth(), [i])) for i in range(3)]
    assert torch.equal(torch.cat(alone), together)
    channels_last = ImageBatch(restored().pixels.to(memory_format=torch.channels_last), restored().ids)
    assert torch.equal(metric(channels_last, truth()), together)


def same_bits_for_any_thread_count(metric: Metric) -> None:
    """One thread and two give the same bits, and so does a second call."""
    before, seen = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            seen.append(metric(images.select(restored(), [0, 1, 2]), images.select(truth(), [0, 1, 2])))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[1], seen[2])


def symmetric(metric: Metric) -> None:
    """Exchanging restored and truth gives the same bits."""
    assert torch.equal(metric(restored(), truth()), metric(truth(), restored()))


def same_for_mirrored_pairs(metric: Metric) -> None:
    """A pair mirrored in both images gives the same value (even sides: halving starts at the top left)."""

    def cut(images: ImageBatch, *flips: int) -> ImageBatch:
        return ImageBatch(images.pixels[..., :208, :192].flip(flips), images.ids)

    plain = metric(cut(restored()), cut(truth()))
    for flips in ((2,), (3,)):
        mirrored = metric(cut(restored(), *flips), cut(truth(), *flips))
        torch.testing.assert_close(mirrored, plain, rtol=0, atol=1e-11)


def leaves_images_alone(metric: Metric) -> None:
    """Neither the images nor the views that all metrics share are written to."""
    pair = (images.select(restored(), [0, 1, 2]), images.select(truth(), [0, 1, 2]))
    views = (
        images.to_uint8,
        images.to_255,
        images.to_luma_255,
        images.to_rounded_luma_255,
        images.to_gray_255,
        lambda one: one.pixels,
    )
    before = [view(one).clone() for one in pair for view in views]
    metric(*pair)
    after = [view(one) for one in pair for view in views]
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))


def refuses_what_is_no_pair(metric: Metric) -> None:
    """Other names, another order, a missing image, another size: refused, and the line says which."""
    pixels, ids = truth().pixels, truth().ids
    renamed = ImageBatch(pixels, ("face", "dog", "cup"))
    shuffled = ImageBatch(pixels, ("cat", "face", "cup"))
    shorter = ImageBatch(pixels[:2], ids[:2])
    smaller = ImageBatch(pixels[..., :200, :], ids)
    for other, line in ((renamed, "cat"), (shuffled, "position 0"), (shorter, "cup"), (smaller, "200 x 197")):
        refusal = refusal_of(metric, other, truth())
        assert line in refusal
        assert metric.name in refusal


def refuses_images_below_its_minimum(metric: Metric) -> None:
    """One pixel below the stated minimum is refused by size; at the minimum there is a finite value or ``best``."""
    side = metric.minimum_side_px

    def cut(images: ImageBatch, height: int, width: int) -> ImageBatch:
        return ImageBatch(images.pixels[..., :height, :width], images.ids)

    try:
        values = metric(cut(restored(), side, side), cut(truth(), side, side))
    except (BadInput, ArithmeticError, RuntimeError, ValueError) as error:
        raise AssertionError(f"{metric.name} fails at its own minimum of {side} px: {error}") from error
    assert not torch.isnan(values).any()
    if side > 1:
        refusal = refusal_of(metric, cut(restored(), side + 3, side - 1), cut(truth(), side + 3, side - 1))
        assert f"{side + 3} x {side - 1} px" in refusal


def never_looks_at_the_truth(metric: Metric) -> None:
    """A no-reference metric gives the same bits whatever truth it is handed."""
    other = ImageBatch(torch.zeros(1, 3, 8, 8), ("other",))
    assert torch.equal(metric(restored(), truth()), metric(restored(), other))


def looks_at_the_truth(metric: Metric) -> None:
    """A full-reference metric changes for every image when its truth does."""
    assert bool((metric(restored(), truth()) != metric(restored(), noisy(12))).all())


def has_plain_metadata(metric: Metric) -> None:
    """The record the report prints is complete, and JSON can hold it."""
    assert metric.better in ("higher", "lower")
    assert metric.tolerance > 0
    assert math.isfinite(metric.tolerance)
    assert len(metric.tolerance_reason) > 20
    assert len(metric.source) > 20
    assert metric.minimum_side_px >= 1
    assert (metric.best is None) == (not metric.needs_truth)


COMMON: tuple[Law, ...] = (
    agrees_with_oracle,
    keeps_the_contract,
    worse_with_more_blur,
    scores_each_image_alone,
    same_bits_for_any_thread_count,
    leaves_images_alone,
    refuses_images_below_its_minimum,
    has_plain_metadata,
)
FULL_REFERENCE: tuple[Law, ...] = (
    best_on_equal_images,
    symmetric,
    same_for_mirrored_pairs,
    refuses_what_is_no_pair,
    looks_at_the_truth,
)
NO_REFERENCE: tuple[Law, ...] = (never_looks_at_the_truth,)
SEE_NOISE: tuple[Law, ...] = (worse_with_more_noise,)
LIKE_GRAIN = ("piqe",)
"""Metrics that take slight noise for texture, which their own tests measure."""


def laws_for(metric: Metric) -> tuple[Law, ...]:
    noise = () if metric.name in LIKE_GRAIN else SEE_NOISE
    return COMMON + noise + (FULL_REFERENCE if metric.needs_truth else NO_REFERENCE)
