"""What must hold for drawn parameters: each law takes a degradation and raises AssertionError where it is broken."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
import torch

from gfpbench.types import Degradation, Parameters

DRAWS = 2500
UNLIKELY = 1e-5  # the p-value below which a law is broken; the draws are fixed, so nothing flakes


@dataclass(frozen=True)
class Published:
    """A preset's ranges as its source states them, at 512 px."""

    sigma_px: tuple[float, float]
    ratio: tuple[float, float]
    noise: tuple[float, float]
    quality: tuple[int, int]
    kernels_px: tuple[int, ...] = (41,)
    colour: bool = False


PUBLISHED: Mapping[str, Published] = {
    "paper": Published((0.2, 10), (1, 8), (0, 15), (60, 100)),
    "report": Published((0.2, 10), (1, 8), (0, 15), (60, 100), (3, 5, 7, 9, 11, 13, 15)),
    "upstream": Published((0.1, 10), (0.8, 8), (0, 20), (60, 99), colour=True),
}


def many(degradation: Degradation, count: int = DRAWS, size: tuple[int, int] = (512, 512)) -> list[Parameters]:
    """Draws for many faces under one seed and for one face under many seeds, half and half."""
    faces = [degradation.draw(f"face {number}", 0, size) for number in range(count // 2)]
    return faces + [degradation.draw("face", seed, size) for seed in range(1, count - count // 2 + 1)]


def column(draws: list[Parameters], name: str) -> Any:
    return np.array([draw[name] for draw in draws])


def fills(values: Any, low: float, high: float, what: str) -> None:
    """Uniform between two bounds: inside them, everywhere (Kolmogorov-Smirnov), and close to both ends."""
    assert low <= values.min(), f"{what} goes down to {values.min()}, below {low}"
    assert values.max() <= high, f"{what} goes up to {values.max()}, above {high}"
    p = scipy.stats.kstest(values, scipy.stats.uniform(low, high - low).cdf).pvalue
    assert p > UNLIKELY, f"{what} is not uniform from {low} to {high}: p = {p:.1e}"
    reach = 12 * (high - low) / len(values)  # missed with probability e^-12
    assert values.min() < low + reach, f"{what} never comes near {low}"
    assert values.max() > high - reach, f"{what} never comes near {high}"


def each_of(values: Any, allowed: tuple[Any, ...], what: str) -> None:
    """Every allowed value, no other, equally often (chi-squared)."""
    found = {value: int((values == value).sum()) for value in allowed}
    assert sum(found.values()) == len(values), f"{what} takes values outside {allowed}"
    p = scipy.stats.chisquare(list(found.values())).pvalue if len(allowed) > 1 else 1.0
    assert p > UNLIKELY, f"{what} does not take its values equally often: p = {p:.1e}"


def happens(hits: Any, probability: float, what: str) -> None:
    p = scipy.stats.binomtest(int(np.sum(hits)), len(hits), probability).pvalue
    assert p > UNLIKELY, f"{what} happens in {np.mean(hits):.3f} of cases, not {probability}"


def ranges_are_filled(degradation: Degradation) -> None:
    """Every parameter of Eq. 6 stays in its published range and fills it evenly."""
    published = PUBLISHED[degradation.name]
    draws = many(degradation)
    uneven = column(draws, "blur_shape") == "anisotropic"
    happens(uneven, 0.5, "an anisotropic kernel")
    sigma_x, sigma_y = column(draws, "blur_sigma_x_px"), column(draws, "blur_sigma_y_px")
    angle = column(draws, "blur_angle_rad")
    fills(sigma_x[~uneven], *published.sigma_px, "isotropic sigma")
    assert (sigma_x == sigma_y)[~uneven].all(), "an isotropic kernel has two sigmas"
    assert not (sigma_x == sigma_y)[uneven].any(), "an anisotropic kernel has one sigma"
    fills(sigma_x[uneven], *published.sigma_px, "anisotropic sigma x")
    fills(sigma_y[uneven], *published.sigma_px, "anisotropic sigma y")
    fills(angle[uneven], -np.pi, np.pi, "angle")
    fills(column(draws, "downsample_ratio"), *published.ratio, "ratio")
    fills(column(draws, "noise_std_grey_levels"), *published.noise, "noise")
    each_of(column(draws, "blur_kernel_size_px"), published.kernels_px, "kernel size")
    each_of(column(draws, "jpeg_quality"), tuple(range(published.quality[0], published.quality[1] + 1)), "quality")
    assert all(type(draw["jpeg_quality"]) is int for draw in draws), "a quality is not a whole number"


def colour_is_drawn(degradation: Degradation) -> None:
    """Colour changes happen as often as upstream's options say, in its ranges, and never in the paper's equation."""
    draws = many(degradation)
    if not PUBLISHED[degradation.name].colour:
        assert not any("is_grey" in draw for draw in draws), "colour is changed, which the equation does not do"
        return
    shifts = {c: column(draws, f"shift_{c}_grey_levels") for c in ("red", "green", "blue")}
    shifted = shifts["red"] != 0
    happens(shifted, 0.3, "a colour shift")
    happens(column(draws, "is_grey"), 0.01, "a grey image")
    ordered = column(draws, "jitter_order")
    happens(ordered != "", 0.3, "colour jitter")
    for channel, values in shifts.items():
        fills(values[shifted], -20, 20, f"{channel} shift")
        assert not values[~shifted].any(), f"{channel} is shifted alone"
    ranges = {"brightness_factor": (0.5, 1.5), "contrast_factor": (0.5, 1.5), "saturation_factor": (0, 1.5)}
    for name, (low, high) in {**ranges, "hue_shift_turns": (-0.1, 0.1)}.items():
        fills(column(draws, name)[ordered != ""], low, high, name)
    orders = np.array([order.split(",") for order in ordered[ordered != ""]])
    for place in range(4):
        each_of(
            orders[:, place], ("brightness", "contrast", "saturation", "hue"), f"place {place} of the jitter's order"
        )
    values = [shifts[c][shifted] for c in shifts]
    uncorrelated({f"shift {place}": value for place, value in enumerate(values)})


def uncorrelated(columns: Mapping[str, Any]) -> None:
    """Neither the values nor their distances from the middle rise and fall together (Spearman)."""
    names = list(columns)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            for fold in (lambda v: v, lambda v: np.abs(v - np.median(v))):
                p = scipy.stats.spearmanr(fold(columns[one]), fold(columns[other])).pvalue
                assert p > UNLIKELY, f"{one} and {other} are drawn together: p = {p:.1e}"


def parameters_are_independent(degradation: Degradation) -> None:
    """No drawn parameter tells anything of another, nor of the next face's."""
    draws = many(degradation)
    uneven = [draw for draw in draws if draw["blur_shape"] == "anisotropic"]
    columns = ("downsample_ratio", "noise_std_grey_levels", "jpeg_quality")
    blur = ("blur_sigma_x_px", "blur_sigma_y_px", "blur_angle_rad")
    uncorrelated({name: column(uneven, name) for name in (*blur, *columns)})
    uncorrelated({name: column(draws, name) for name in ("blur_sigma_x_px", *columns)})
    for name in ("blur_sigma_x_px", *columns):
        values = column(draws, name)
        uncorrelated({f"{name} of one face": values[:-1], "of the next": values[1:]})


def draws_are_keyed(degradation: Degradation) -> None:
    """The same for the same seed and face, whatever ran before; another draw of everything for another seed or face."""
    size = (512, 512)
    first = degradation.draw("a", 1, size)
    before = global_randomness()
    degradation.draw("b", 1, size)
    assert global_randomness() == before, "drawing moves a global random generator"
    assert degradation.draw("a", 1, size) == first, "a draw depends on what ran before it"
    changing = ("blur_sigma_x_px", "downsample_ratio", "noise_std_grey_levels", "noise_key")
    for face, seed in (("b", 1), ("a", 2), ("a ", 1), ("A", 1), ("1", 1), ("a", 11), ("a", -1)):
        other = degradation.draw(face, seed, size)
        for name in changing:
            assert other[name] != first[name], f"{name} is the same for another face or seed ({face!r}, {seed})"
    for a, b in ((("a1", 1), ("a", 11)), (("1a", 1), ("a", 11)), (("a\0", 1), ("a", 1)), (("1", 2), ("2", 1))):
        left, right = degradation.draw(*a, size), degradation.draw(*b, size)
        for name in changing:
            assert left[name] != right[name], f"{name} is the same for {a} and {b}"
    keys = column(many(degradation, 300), "noise_key")
    assert len(set(keys)) == 300, "two images share a noise field"


def global_randomness() -> tuple[object, ...]:
    """The state of the three generators that anybody may move."""
    return (
        random.getstate(),
        np.random.get_state(legacy=False)["state"]["key"].tobytes(),
        torch.get_rng_state().numpy().tobytes(),
    )


def lengths_scale_with_the_crop(degradation: Degradation) -> None:
    """Pixel lengths belong to 512 px; ratios, grey levels and qualities to no size."""
    lengths = ("blur_sigma_x_px", "blur_sigma_y_px")
    for number in range(40):
        at_512 = degradation.draw(f"face {number}", 3, (512, 512))
        for side in (64, 128, 256, 300, 1024):
            here = degradation.draw(f"face {number}", 3, (side, side))
            for name in set(at_512) - {*lengths, "blur_kernel_size_px", "height_px", "width_px"}:
                assert here[name] == at_512[name], f"{name} changes with the size of the crop"
            for name in lengths:
                assert np.isclose(here[name], at_512[name] * side / 512), f"{name} does not scale with the crop"
            size, wanted = here["blur_kernel_size_px"], at_512["blur_kernel_size_px"] * side / 512
            assert size % 2 == 1, f"a kernel of even size {size} is not centred"
            assert abs(size - wanted) <= 1, f"a window of {wanted:.1f} px became {size} at {side} px"


def records_are_plain(degradation: Degradation) -> None:
    """A record is flat, survives JSON to the bit, and says which size it was drawn for."""
    for draw in many(degradation, 60, (96, 128)):
        assert json.loads(json.dumps(draw, allow_nan=False)) == dict(draw), "a record changes in JSON"
        assert not any(isinstance(value, dict | list) for value in draw.values()), "a record is not flat"
        assert (draw["height_px"], draw["width_px"]) == (96, 128), "a record does not know its size"


LAWS = (
    ranges_are_filled,
    colour_is_drawn,
    parameters_are_independent,
    draws_are_keyed,
    lengths_scale_with_the_crop,
    records_are_plain,
)
