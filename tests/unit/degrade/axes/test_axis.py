"""An axis refuses what it cannot use, and says so in a line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench.degrade.axes import load_axis
from gfpbench.types import BadInput, Degradation
from tests.degradation.image_cases import batch, face, pattern


@pytest.mark.parametrize("severity", [-0.01, 1.01, math.nan, math.inf, "hard", None])
def test_a_severity_lies_between_0_and_1(severity: Any) -> None:
    axis = load_axis("noise")
    for use in (axis.at, axis.value_at):
        with pytest.raises(BadInput, match="between 0"):
            use(severity)


def test_a_value_off_the_axis() -> None:
    with pytest.raises(BadInput, match=r"from 100 to 1 quality, not 101"):
        load_axis("jpeg").severity_of(101)


def test_it_is_a_degradation() -> None:
    for name in ("noise", "roll"):
        assert isinstance(load_axis(name).at(0.5), Degradation)


def test_records_that_do_not_fit() -> None:
    clean = batch(face(64, 64))
    degradation = load_axis("motion-blur").at(0.5)
    record = degradation.draw("image 0", 0, clean.size)
    with pytest.raises(BadInput, match="as many"):
        degradation.apply(clean, [])
    with pytest.raises(BadInput, match="of axis 'noise', not 'motion-blur'"):
        degradation.apply(clean, [load_axis("noise").at(0.5).draw("image 0", 0, clean.size)])
    with pytest.raises(BadInput, match="lacks 'motion_angle_rad'"):
        degradation.apply(clean, [{key: value for key, value in record.items() if key != "motion_angle_rad"}])
    with pytest.raises(BadInput, match="must be finite"):
        degradation.apply(clean, [{**record, "motion_length_px": math.nan}])
    with pytest.raises(BadInput, match="drawn for 32 x 32"):
        degradation.apply(clean, [degradation.draw("image 0", 0, (32, 32))])
    with pytest.raises(BadInput, match="0 x 5 px"):
        degradation.draw("image 0", 0, (0, 5))
    mask = load_axis("occlusion-mask")
    drawn = mask.draw(0.5, "image 0", 0, clean.size)
    for wrong in ({"occlusion_shape": "hat"}, {"occlusion_fraction": 1.5}):
        with pytest.raises(BadInput, match="no occluder"):
            mask.applied(clean, [{**drawn, **wrong}])


def test_a_base_is_a_cut_through_the_trained_ranges() -> None:
    """The varied step takes the place of the base's own; the other three stay in the middle."""
    record = load_axis("noise+middle").at(0.25).draw("a", 0, (512, 512))
    assert record["noise_std_grey_levels"] == 30
    middle = [record[key] for key in ("blur_sigma_x_px", "downsample_ratio", "jpeg_quality")]
    assert middle == [5.1, 4.5, 80]
    clean = batch(pattern(64, 64))
    bare, based = load_axis("noise"), load_axis("noise+middle")
    assert not torch.equal(bare.degraded(clean, 0.5, 0).pixels, based.degraded(clean, 0.5, 0).pixels)


def test_the_noise_field_is_one_field_scaled() -> None:
    axis, grey = load_axis("noise"), batch(np.full((48, 48, 3), 128, np.uint8))
    soft, loud = (axis.degraded(grey, severity, 0).pixels * 255 - 128 for severity in (0.1, 0.2))
    assert (loud - 2 * soft).abs().max() <= 1.51  # three roundings to whole levels
