"""Sampling between pixels, light and its encoding, against closed forms."""

from __future__ import annotations

import numpy as np
import skimage.color

from gfpbench.degrade.axes.geometry import fractions, sampled, smooth_step
from gfpbench.degrade.axes.light import to_encoded, to_linear
from tests.degradation.image_cases import pattern


def test_whole_places_give_the_pixels_and_borders_are_mirrored() -> None:
    image = pattern(20, 30).astype(np.float32) / np.float32(255)
    x, y = np.meshgrid(np.arange(-9.0, 39), np.arange(-5.0, 25))
    expected = np.pad(image, ((5, 5), (9, 9), (0, 0)), mode="reflect")
    assert (sampled(image, x, y) == expected).all()


def test_cubic_convolution_reproduces_parabolas() -> None:
    """Of Keys' family only a = -1/2 does (Keys 1981, section IV)."""

    def parabola(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.2 + 0.01 * x + 0.0004 * x * x - 0.0003 * y * y + 0.0002 * x * y

    columns, rows = np.meshgrid(np.arange(32.0), np.arange(24.0))
    image = np.repeat(parabola(columns, rows)[..., None], 3, axis=2).astype(np.float32)
    places = np.random.default_rng(0).uniform(2, 20, (2, 50, 1))
    got = sampled(image, places[0], places[1])[..., 0]
    assert np.abs(got - parabola(places[0], places[1])).max() < 1e-6


def test_values_stay_in_range() -> None:
    edge = np.zeros((16, 16, 3), np.float32)
    edge[:, 8:] = 1
    got = sampled(edge, np.arange(0, 15, 0.1)[None, :], np.arange(16.0)[:, None])
    assert got.min() == 0
    assert got.max() == 1


def test_pixel_centres_lie_between_the_borders() -> None:
    x, y = fractions((2, 4))
    assert x.tolist() == [[0.125, 0.375, 0.625, 0.875]]
    assert y.tolist() == [[0.25], [0.75]]
    assert smooth_step(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 0.5, 1, 1]


def test_linear_light_is_skimages_and_back() -> None:
    levels = np.arange(256, dtype=np.float32)[:, None, None].repeat(3, axis=2) / np.float32(255)
    luminance = skimage.color.rgb2xyz(levels)[..., 1]
    assert np.abs(to_linear(levels)[..., 1] - luminance).max() < 1e-4  # skimage's white is not quite 1
    assert np.abs(to_encoded(to_linear(levels)) - levels).max() < 1e-5
    assert np.abs(to_encoded(np.array([-1.0, 4.0], np.float32)) - (0, 1)).max() < 1e-6
