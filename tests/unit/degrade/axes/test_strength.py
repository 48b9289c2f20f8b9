"""The axis of blur: the window reaches three sigmas, no less and no more."""

from __future__ import annotations

import pytest

from gfpbench.degrade.axes.strength import blur_steps
from gfpbench.degrade.blur import kernel_of


@pytest.mark.parametrize(
    ("sigma_px_at_512", "scale", "side_px"), [(10, 1.0, 61), (10, 0.25, 17), (40, 0.25, 61), (0.1, 1, 3), (0, 1, 1)]
)
def test_the_window_reaches_three_sigmas(sigma_px_at_512: float, scale: float, side_px: int) -> None:
    record = blur_steps(sigma_px_at_512, scale)
    assert record["blur_kernel_size_px"] == side_px
    assert record["blur_sigma_x_px"] == record["blur_sigma_y_px"] == sigma_px_at_512 * scale
    assert kernel_of(record).shape == (side_px, side_px)
