"""Broken ways to blur and downsample at once, each of which the laws have to catch; which way is taken is innocent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gfpbench.degrade import blur, fast, resample
from gfpbench.degrade.presets import PAPER
from gfpbench.types import Degradation
from tests.degradation.laws_apply import blur_is_the_formula, chain_is_the_equation
from tests.unit.degrade.test_fast import COSTS

Patch = pytest.MonkeyPatch
Law = Callable[[Degradation], None]

bands, tiled, factors, products = fast.bands, fast._tiled, fast._factors, fast._products
filtered, spectrum_of, padded, taps = fast._filtered, fast._spectrum_of, fast.padded_sides, resample.taps


def _late(source_px: int, target_px: int, kernels: Any) -> Any:
    starts, weights = bands(source_px, target_px, kernels)
    return np.minimum(starts + 1, source_px - weights.shape[2]), weights


def _without_the_last(starts: Any, weights: Any, tile: int) -> Any:
    *others, (at, start, stop, values) = tiled(starts, weights, tile)
    return [*others, (at, start, stop, np.zeros_like(values))]


def _a_term_less(kernel: Any, most: int) -> Any:
    columns, rows = factors(kernel, most) or pytest.fail("the way of products was to be taken")
    return (columns[:-1], rows[:-1]) if len(rows) > 1 else (columns, rows)


# name: (the way, where, what, by what, the law that catches it)
BROKEN: dict[str, tuple[str, Any, str, Any, Law]] = {
    "kernel upside down": (
        "filters",
        fast,
        "_filtered",
        lambda planes, kernel, record: filtered(planes, None if kernel is None else kernel[::-1], record),
        blur_is_the_formula,
    ),
    "outermost taps lost": (
        "filters",
        fast,
        "_filtered",
        lambda planes, kernel, record: filtered(
            planes, kernel if kernel is None else kernel[1:-1, 1:-1] if kernel.shape[1] > 1 else kernel[1:-1], record
        ),
        blur_is_the_formula,
    ),
    "every kernel taken for a separable one": (
        "filters",
        fast,
        "_kernel_of",
        lambda record: blur.column_kernel(record)[:, None],
        blur_is_the_formula,
    ),
    "image a pixel to the right": (
        "filters",
        fast,
        "_filtered",
        lambda planes, kernel, record: filtered(np.ascontiguousarray(np.roll(planes, 1, 2)), kernel, record),
        chain_is_the_equation,
    ),
    "kernel mirrored": (
        "a transform",
        fast,
        "_spectrum_of",
        lambda kernel, shape: spectrum_of(kernel[:, ::-1], shape),
        blur_is_the_formula,
    ),
    "no room for the kernel's reach": (
        "a transform",
        fast,
        "padded_sides",
        lambda shape, size: padded(shape, 1),
        blur_is_the_formula,
    ),
    "a term left out": ("products", fast, "_factors", _a_term_less, blur_is_the_formula),
    "too few terms": ("products", fast, "_LEFT_OUT", 0.05, blur_is_the_formula),
    "too much of the window cut off": ("filters", fast, "_CUT_OFF", 0.05, blur_is_the_formula),
    "too much of the window cut off, in products": ("products", fast, "_CUT_OFF", 0.05, blur_is_the_formula),
    "columns for rows": (
        "products",
        fast,
        "_products",
        lambda planes, ratio, columns, rows: products(planes, ratio, rows, columns[:, ::-1]),
        blur_is_the_formula,
    ),
    "edge repeated at the border": (
        "products",
        fast,
        "reflected",
        lambda index, size: np.clip(index, 0, size - 1),
        blur_is_the_formula,
    ),
    "bands a pixel late": ("products", fast, "bands", _late, blur_is_the_formula),
    "last tile lost": ("products", fast, "_tiled", _without_the_last, blur_is_the_formula),
    "second neighbour at half its share": (
        "products",
        resample,
        "taps",
        lambda source, target: (*taps(source, target)[:2], taps(source, target)[2] * 0.5),
        chain_is_the_equation,
    ),
}


def _taking(way: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(fast, "_costs", lambda shape, window, record: COSTS[way])


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_way_is_caught(name: str, monkeypatch: Patch) -> None:
    way, owner, attribute, broken, law = BROKEN[name]
    _taking(way, monkeypatch)
    monkeypatch.setattr(owner, attribute, broken)
    with pytest.raises(AssertionError):
        law(PAPER.using("fast"))


@pytest.mark.parametrize(("way", "numbers"), [*((way, 1 << 19) for way in COSTS), ("products", 1)])
def test_any_way_is_innocent(way: str, numbers: int, monkeypatch: Patch) -> None:
    """Whatever it costs, and in however many blocks of rows."""
    _taking(way, monkeypatch)
    monkeypatch.setattr(fast, "_CACHED", numbers)
    for law in (blur_is_the_formula, chain_is_the_equation):
        law(PAPER.using("fast"))
