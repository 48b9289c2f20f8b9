"""What must hold for degraded images: each law takes a degradation and raises AssertionError where it is broken.

Expected images come from ``reference``, which shares no code with what is tested, or from a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import scipy.stats
import torch
from numpy.typing import NDArray

from gfpbench.degrade.noise import field
from gfpbench.images import to_rgb_arrays
from gfpbench.types import Degradation, ImageBatch
from tests.degradation import reference
from tests.degradation.image_cases import batch, face, flat, pattern
from tests.degradation.laws_draw import global_randomness

Levels = NDArray[np.float64]

NOTHING: Mapping[str, Any] = {
    "blur_shape": "isotropic",
    "blur_kernel_size_px": 1,
    "blur_sigma_x_px": 0.0,
    "blur_sigma_y_px": 0.0,
    "blur_angle_rad": 0.0,
    "downsample_ratio": 1.0,
    "noise_std_grey_levels": 0.0,
    "jpeg_quality": None,
    "shift_red_grey_levels": 0.0,
    "shift_green_grey_levels": 0.0,
    "shift_blue_grey_levels": 0.0,
    "is_grey": False,
    "jitter_order": "",
}
ROUNDING = 0.5 + 5e-3  # levels: 8 bits, and float32 on the way


def record(degradation: Degradation, size: tuple[int, int], face_id: str = "face", **steps: Any) -> dict[str, Any]:
    """A drawn record with every step off but those given."""
    drawn = dict(degradation.draw(face_id, 0, size))
    return {**drawn, **{name: value for name, value in NOTHING.items() if name in drawn}, **steps}


def isotropic(sigma_px: float, size_px: int) -> dict[str, Any]:
    return {"blur_sigma_x_px": sigma_px, "blur_sigma_y_px": sigma_px, "blur_kernel_size_px": size_px}


def anisotropic(sigma_x_px: float, sigma_y_px: float, angle_rad: float, size_px: int) -> dict[str, Any]:
    return {
        "blur_shape": "anisotropic",
        "blur_sigma_x_px": sigma_x_px,
        "blur_sigma_y_px": sigma_y_px,
        "blur_angle_rad": angle_rad,
        "blur_kernel_size_px": size_px,
    }


def levels(images: ImageBatch) -> list[Levels]:
    return [image.astype(np.float64) for image in to_rgb_arrays(images)]


def degraded(degradation: Degradation, clean: ImageBatch, **steps: Any) -> list[Levels]:
    """The same steps on every image, each with its own noise."""
    return levels(degradation.apply(clean, [record(degradation, clean.size, name, **steps) for name in clean.ids]))


def psnr(one: Levels, other: Levels) -> float:
    error = ((one - other) ** 2).mean()
    return math.inf if error == 0 else float(10 * np.log10(255**2 / error))


def close(got: Levels, expected: Levels, bound: float, what: str) -> None:
    worst = np.abs(got - expected).max()
    assert worst <= bound, f"{what}: {worst:.2f} levels from the reference, more than {bound}"


def _pairs(sizes: Sequence[tuple[int, int]]) -> list[ImageBatch]:
    return [batch(face(*size), pattern(*size)) for size in sizes]


def blur_is_the_formula(degradation: Degradation) -> None:
    """Every kernel, made anew from its formula and applied over mirrored borders, gives the same rounded image."""
    kernels = [isotropic(s, k) for s, k in ((0.4, 41), (1.5, 9), (2.5, 11), (6.0, 15), (9.0, 41))]
    turned = ((3.0, 0.7, 0.5, 15), (0.6, 4.0, 0.5, 13), (2.0, 5.0, -2.2, 41), (1.0, 3.0, 3.0, 11))
    for clean in _pairs(((48, 64),)):
        for steps in (*kernels, *(anisotropic(*values) for values in turned)):
            for got, rgb in zip(degraded(degradation, clean, **steps), to_rgb_arrays(clean), strict=True):
                expected = 255 * reference.blurred(rgb / 255.0, {**NOTHING, **steps})
                close(got, expected, ROUNDING, f"blur {steps}")


def downsampling_is_bilinear(degradation: Degradation) -> None:
    """Both sides shrink by the ratio and come back by linear interpolation between pixel centres."""
    for clean in _pairs(((60, 88), (45, 31))):
        height, width = clean.size
        for ratio in (0.8, 1.0, 1.3, 2.0, 3.7, 7.99):
            for got, rgb in zip(
                degraded(degradation, clean, downsample_ratio=ratio), to_rgb_arrays(clean), strict=True
            ):
                small = reference.resized(rgb / 255.0, int(height // ratio), int(width // ratio))
                close(got, 255 * reference.resized(small, height, width), ROUNDING, f"ratio {ratio}")


def jpeg_is_the_quality_said(degradation: Degradation) -> None:
    """The image is what Pillow's JPEG makes of it at that quality, colours and all."""
    for clean in _pairs(((64, 80), (37, 51))):
        for quality in (10, 30, 55, 60, 61, 75, 90, 99, 100):
            for got, rgb in zip(degraded(degradation, clean, jpeg_quality=quality), to_rgb_arrays(clean), strict=True):
                close(got, reference.compressed(rgb, quality).astype(np.float64), 2, f"JPEG {quality}")


def noise_is_as_strong_as_said(degradation: Degradation) -> None:
    """In levels of 0..255: zero mean, the deviation drawn, bell-shaped, clipped at both ends, never wrapped."""
    for std in (2.0, 8.0, 15.0):
        for got in degraded(degradation, flat(128, 128, 160, 2), noise_std_grey_levels=std):
            noise, count = got - 128, got.size
            expected = math.sqrt(std**2 + 1 / 12)  # rounding to whole levels adds its own variance
            assert abs(noise.std() / expected - 1) < 4.5 / math.sqrt(2 * count), (
                f"noise {std} has std {noise.std():.3f}"
            )
            assert abs(noise.mean()) < 4.5 * expected / math.sqrt(count), f"noise {std} has mean {noise.mean():.3f}"
            assert abs(scipy.stats.kurtosis(noise.ravel())) < 4.5 * math.sqrt(24 / count), "noise is not Gaussian"
    for level, sign in ((0, 1), (255, -1)):
        (got,) = degraded(degradation, flat(level, 128, 160), noise_std_grey_levels=15.0)
        pushed = sign * (got - level)
        mean = 15 / math.sqrt(2 * math.pi)  # half of a Gaussian is cut off at the end of the range
        assert abs(pushed.mean() - mean) < 0.25, (
            f"noise at level {level} moves the mean by {pushed.mean():.2f}, not {mean:.2f}"
        )
        # In the small image too: interpolating what was not clipped would let the two signs cancel.
        (got,) = degraded(degradation, flat(level, 128, 160), noise_std_grey_levels=15.0, downsample_ratio=4.0)
        found = (sign * (got - level)).mean()
        assert abs(found - mean) < 0.7, f"noise at level {level} is not clipped before the image is enlarged"


def noise_is_independent(degradation: Degradation) -> None:
    """Between pixels, rows, channels, images and faces; and the same again for the same key."""
    clean = flat(128, 128, 160, 3)
    got = np.stack(degraded(degradation, clean, noise_std_grey_levels=10.0)) - 128
    assert (got == np.stack(degraded(degradation, clean, noise_std_grey_levels=10.0)) - 128).all(), (
        "noise is not repeated"
    )
    channels = [(got[:, :, :, a], got[:, :, :, b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    images = [(got[0], got[1]), (got[0], got[2]), (got[1], got[2])]
    shifts = [(got[:, 1:], got[:, :-1]), (got[:, :, 1:], got[:, :, :-1]), (got[:, 2:], got[:, :-2])]
    mirrored = [(got, got[:, ::-1]), (got, got[:, :, ::-1])]
    for one, other in (*channels, *images, *shifts, *mirrored):
        found = float(np.mean(one * other) / got.var())
        assert abs(found) < 5.5 / math.sqrt(one.size), f"noise is correlated: {found:.3f}"


def chain_is_the_equation(degradation: Degradation) -> None:
    """All steps together, as drawn: blur, then down, then noise, then JPEG, then back to size, then colour."""
    clean = _pairs(((96, 112),))[0]
    records = [degradation.draw(f"face {number}", 9, clean.size) for number in range(10)]
    hard: dict[str, Any] = {"downsample_ratio": 3.3, "noise_std_grey_levels": 12.0, "jpeg_quality": 62}
    records += [record(degradation, clean.size, **anisotropic(0.5, 3.0, 0.6, 9), **hard)]
    records += [record(degradation, clean.size, **isotropic(1.2, 9), downsample_ratio=1.0, noise_std_grey_levels=10.0)]
    for drawn in records:
        ratio = drawn["downsample_ratio"]
        noise = field(drawn["noise_key"], (int(96 // ratio), int(112 // ratio)))[..., ::-1].astype(np.float64)
        for got, rgb in zip(levels(degradation.apply(clean, [drawn] * 2)), to_rgb_arrays(clean), strict=True):
            expected = reference.degraded(rgb, drawn, noise)
            # A value on a rounding edge before JPEG may move one coefficient of one block.
            assert np.abs(got - expected).mean() < 0.35, f"{np.abs(got - expected).mean():.2f} levels off with {drawn}"
            close(got, expected, 12, f"the chain with {drawn}")


def nothing_changes_nothing(degradation: Degradation) -> None:
    """With every step off the image is the same to the byte; with every step at its limit, within a bound."""
    for clean in _pairs(((64, 80),)):
        for got, rgb in zip(degraded(degradation, clean), to_rgb_arrays(clean), strict=True):
            close(got, rgb.astype(np.float64), 0, "all steps off")
        limit = {**isotropic(1e-3, 41), "downsample_ratio": 1.0, "noise_std_grey_levels": 0.0}
        for got, rgb in zip(degraded(degradation, clean, **limit), to_rgb_arrays(clean), strict=True):
            close(got, rgb.astype(np.float64), 0, "sigma -> 0, r = 1, delta = 0")
    grey = batch(np.repeat(face(64, 80)[..., :1], 3, axis=2))
    # Without colour there is no chroma to halve: quality 100 divides by 1 and only rounds, three times.
    close(degraded(degradation, grey, **limit, jpeg_quality=100)[0], levels(grey)[0], 2, "q = 100 on grey")
    colour = batch(face(64, 80))
    assert psnr(degraded(degradation, colour, **limit, jpeg_quality=100)[0], levels(colour)[0]) > 36, (
        "q = 100 on a face"
    )


def more_is_never_better(degradation: Degradation) -> None:
    """More blur, more noise, lower quality, a larger ratio: PSNR never rises beyond the slack."""
    clean = batch(face(96, 96), face(80, 96)[:, ::-1].repeat(2, 0)[:96])
    series: Sequence[tuple[float, list[dict[str, Any]]]] = (
        (0.0, [isotropic(sigma, 41) for sigma in (0.2, 0.6, 1, 1.6, 2.5, 4, 6, 10)]),
        (0.0, [anisotropic(sigma, 2.0, 0.7, 41) for sigma in (0.2, 0.6, 1, 1.6, 2.5, 4, 6, 10)]),
        (0.02, [{"noise_std_grey_levels": std} for std in (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 20.0)]),
        (0.1, [{"jpeg_quality": quality} for quality in (100, 97, 93, 88, 80, 70, 60)]),
        # Without antialiasing an even ratio averages and an odd one picks, so small steps may cross.
        (0.5, [{"downsample_ratio": ratio} for ratio in (1.0, 1.6, 2.4, 3.3, 4.6, 6.1, 8.0)]),
    )
    for slack, steps in series:
        for index, rgb in enumerate(levels(clean)):
            scores = [psnr(degraded(degradation, clean, **step)[index], rgb) for step in steps]
            for (worse, better), step in zip(zip(scores[1:], scores, strict=False), steps[1:], strict=True):
                assert worse <= better + slack, f"PSNR rises from {better:.2f} to {worse:.2f} dB at {step}"
            assert scores[0] - scores[-1] > 3, f"nothing is lost between {steps[0]} and {steps[-1]}"


def images_are_kept(degradation: Degradation) -> None:
    """Same names, size and type; whole levels in [0, 1]; the clean batch and the records are left as they were."""
    for clean in _pairs(((40, 56), (17, 23))):
        before = clean.pixels.clone()
        records = [dict(degradation.draw(name, 4, clean.size)) for name in clean.ids]
        copies = [dict(one) for one in records]
        got = degradation.apply(clean, records)
        assert (got.ids, got.pixels.shape, got.pixels.dtype) == (clean.ids, clean.pixels.shape, torch.float32)
        whole = (got.pixels * 255).round()
        assert torch.equal(got.pixels, whole / 255), "values are not whole levels"
        assert torch.equal(clean.pixels, before), "the clean batch was written to"
        assert records == copies, "a record was written to"


def other_images_do_not_matter(degradation: Degradation) -> None:
    """The same bytes alone or in a batch, in any order, in any thread; no global random state is moved."""
    clean = batch(*[(face, pattern)[n % 2](48, 40) for n in range(5)])
    records = [degradation.draw(name, 2, clean.size) for name in clean.ids]
    state = global_randomness()
    together = to_rgb_arrays(degradation.apply(clean, records))
    assert global_randomness() == state, "degrading moves a global random generator"

    def alone(index: int) -> NDArray[np.uint8]:
        one = ImageBatch(clean.pixels[index : index + 1], (clean.ids[index],))
        return to_rgb_arrays(degradation.apply(one, [records[index]]))[0]

    with ThreadPoolExecutor(3) as pool:
        threaded = list(pool.map(alone, range(5)))
    backwards = ImageBatch(clean.pixels.flip(0), clean.ids[::-1])
    turned = to_rgb_arrays(degradation.apply(backwards, records[::-1]))[::-1]
    for index in range(5):
        for other in (alone(index), threaded[index], turned[index]):
            assert (together[index] == other).all(), "an image depends on the images it is degraded with"


def every_parameter_counts(degradation: Degradation) -> None:
    """Changing any one number of a record changes the image."""
    clean = batch(pattern(64, 64))
    base = record(degradation, clean.size, **anisotropic(0.8, 2.0, 0.4, 9), downsample_ratio=2.0)
    base |= {"noise_std_grey_levels": 3.0, "jpeg_quality": 90}
    other: dict[str, Any] = {
        "blur_sigma_x_px": 1.2,
        "blur_sigma_y_px": 3.0,
        "blur_angle_rad": 1.2,
        "blur_kernel_size_px": 5,
        "downsample_ratio": 2.6,
        "noise_std_grey_levels": 6.0,
        "noise_key": "f" * 32,
        "jpeg_quality": 70,
    }
    if "is_grey" in base:
        factors = {"brightness_factor": 0.9, "contrast_factor": 0.9, "saturation_factor": 0.8, "hue_shift_turns": 0.05}
        base |= {**factors, "jitter_order": "contrast,brightness,hue,saturation"}
        other |= {name: value * 0.7 for name, value in factors.items()}
        other |= {f"shift_{c}_grey_levels": 9.0 for c in ("red", "green", "blue")} | {
            "is_grey": True,
            "jitter_order": "",
        }
    first = levels(degradation.apply(clean, [base]))[0]
    for name, value in other.items():
        changed = levels(degradation.apply(clean, [{**base, name: value}]))[0]
        assert np.abs(changed - first).mean() > 0.05, f"{name} is drawn but does nothing"


def colour_is_the_formula(degradation: Degradation) -> None:
    """Shifts, grey and the four adjustments are what their formulas say, on the right channels, in the order drawn."""
    if "is_grey" not in degradation.draw("face", 0, (48, 64)):
        return
    factors = {"brightness_factor": 1.3, "contrast_factor": 0.6, "saturation_factor": 1.4, "hue_shift_turns": -0.07}
    clean = _pairs(((48, 64),))[0]
    changes: tuple[dict[str, Any], ...] = (
        {"shift_red_grey_levels": 18.0, "shift_green_grey_levels": -7.0, "shift_blue_grey_levels": 3.0},
        {"is_grey": True},
        {"is_grey": True, "shift_red_grey_levels": 20.0},
        {**factors, "jitter_order": "brightness,contrast,saturation,hue"},
        {**factors, "jitter_order": "hue,saturation,contrast,brightness"},
    )
    for steps in changes:
        for got, rgb in zip(degraded(degradation, clean, **steps), to_rgb_arrays(clean), strict=True):
            close(got, 255 * reference.coloured(rgb / 255.0, {**NOTHING, **steps}), 0.6, f"colour {steps}")


LAWS = (
    nothing_changes_nothing,
    images_are_kept,
    other_images_do_not_matter,
    blur_is_the_formula,
    downsampling_is_bilinear,
    noise_is_as_strong_as_said,
    noise_is_independent,
    jpeg_is_the_quality_said,
    chain_is_the_equation,
    every_parameter_counts,
    colour_is_the_formula,
    more_is_never_better,
)
