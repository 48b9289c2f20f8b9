"""The exact path makes the authors' image, byte for byte, at 512 px."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gfpbench.degrade import load
from gfpbench.degrade.blur import gaussian_2d
from gfpbench.degrade.chain import Chain
from gfpbench.degrade.presets import PAPER, REPORT, UPSTREAM
from gfpbench.images import to_rgb_arrays
from tests.degradation import upstream_oracle
from tests.degradation.image_cases import batch, face, pattern


@pytest.fixture(scope="module")
def clean() -> Any:
    return batch(face(512, 512), pattern(512, 512))


@pytest.mark.parametrize("chain", [PAPER, UPSTREAM, REPORT], ids=lambda chain: chain.name)
def test_the_authors_functions_make_the_same_bytes_from_our_draws(chain: Chain, clean: Any) -> None:
    for seed in range(10):
        records = [chain.draw(name, seed, clean.size) for name in clean.ids]
        for got, rgb, record in zip(
            to_rgb_arrays(chain.using("exact").apply(clean, records)), to_rgb_arrays(clean), records, strict=True
        ):
            assert (got == upstream_oracle.by_functions(rgb, record)).all(), record


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.25, 0.3, 0.35])
def test_the_weakest_blurs_are_the_authors_too(sigma: float, clean: Any) -> None:
    """Where a blur moves few values by a level, no law of quality would miss it."""
    drawn = PAPER.draw("image 1", 0, clean.size)
    for shape, across in (("isotropic", sigma), ("anisotropic", 0.2)):
        record = {
            **drawn,
            "blur_shape": shape,
            "blur_sigma_x_px": sigma,
            "blur_sigma_y_px": across,
            "jpeg_quality": 100,
        }
        record |= {"downsample_ratio": 1.0, "noise_std_grey_levels": 0.0}
        exact = PAPER.using("exact").apply(clean, [record, record])
        for got, rgb in zip(to_rgb_arrays(exact), to_rgb_arrays(clean), strict=True):
            assert (got == upstream_oracle.by_functions(rgb, record)).all()


def test_the_authors_functions_make_the_same_bytes_with_every_colour_change(clean: Any) -> None:
    changes = {
        "shift_red_grey_levels": 17.3,
        "shift_green_grey_levels": -9.2,
        "shift_blue_grey_levels": 4.9,
        "jitter_order": "hue,contrast,saturation,brightness",
        "brightness_factor": 1.31,
        "contrast_factor": 0.72,
        "saturation_factor": 0.35,
        "hue_shift_turns": -0.083,
    }
    for is_grey in (False, True):
        records = [{**UPSTREAM.draw(name, 7, clean.size), **changes, "is_grey": is_grey} for name in clean.ids]
        got = to_rgb_arrays(UPSTREAM.apply(clean, records))
        for image, rgb, record in zip(got, to_rgb_arrays(clean), records, strict=True):
            assert (image == upstream_oracle.by_functions(rgb, record)).all()


@pytest.mark.parametrize("always", [False, True], ids=["as published", "every colour change"])
def test_the_authors_dataset_makes_the_same_bytes_from_its_own_draws(tmp_path: Path, clean: Any, always: bool) -> None:
    image = tmp_path / "image.png"
    Image.fromarray(face(512, 512)).save(image)
    probabilities = {"color_jitter_prob": 1.0, "gray_prob": 0.5, "color_jitter_pt_prob": 1.0} if always else {}
    options = {**upstream_oracle.OPTIONS, **probabilities}
    seen = set()
    for seed in range(100, 108 if always else 116):
        expected, record = upstream_oracle.by_dataset(image, seed, options)
        seen.add((record["blur_shape"], bool(record["jitter_order"]), record["is_grey"]))
        (got,) = to_rgb_arrays(UPSTREAM.apply(batch(face(512, 512)), [record]))
        assert (got == expected).all(), record
    assert {shape for shape, _, _ in seen} == {"isotropic", "anisotropic"}
    assert {jittered for _, jittered, _ in seen} == ({True} if always else {True, False})


def test_kernels_are_the_authors_to_the_last_bit() -> None:
    degradations, _ = upstream_oracle.modules()
    for seed in range(200):
        record = load("upstream").draw("kernel", seed, (512, 512))
        values = [record[f"blur_{name}"] for name in ("kernel_size_px", "sigma_x_px", "sigma_y_px", "angle_rad")]
        theirs = degradations.bivariate_Gaussian(*values, isotropic=record["blur_shape"] == "isotropic")
        assert np.array_equal(gaussian_2d(*values), theirs)


def test_the_stand_in_is_gone_after_the_import() -> None:
    upstream_oracle.modules()
    assert upstream_oracle.GONE not in sys.modules
