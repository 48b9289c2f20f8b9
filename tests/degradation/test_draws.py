"""Drawn parameters follow their published ranges, for every preset; any face id and seed will do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.degrade import load
from gfpbench.types import Degradation
from tests.degradation import laws_draw
from tests.degradation.laws_draw import PUBLISHED


@pytest.mark.parametrize("law", laws_draw.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("preset", PUBLISHED)
def test_law(preset: str, law: Callable[[Degradation], None]) -> None:
    law(load(preset))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    preset=st.sampled_from(sorted(PUBLISHED)),
    face=st.text(max_size=40),
    seed=st.integers(-(2**70), 2**70),
    size=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
def test_any_face_and_seed_draws_within_the_ranges(preset: str, face: str, seed: int, size: tuple[int, int]) -> None:
    published, draw, scale = PUBLISHED[preset], load(preset).draw(face, seed, size), min(size) / 512
    for name in ("blur_sigma_x_px", "blur_sigma_y_px"):
        assert published.sigma_px[0] * scale * 0.9999 <= draw[name] <= published.sigma_px[1] * scale * 1.0001
    assert published.ratio[0] <= draw["downsample_ratio"] <= published.ratio[1]
    assert published.noise[0] <= draw["noise_std_grey_levels"] <= published.noise[1]
    assert published.quality[0] <= draw["jpeg_quality"] <= published.quality[1]
    assert draw["blur_kernel_size_px"] % 2 == 1
    assert draw == load(preset).draw(face, seed, size)
