"""SSIM against a closed form, basicsr and torchmetrics, and its two backends against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from gfpbench import images
from gfpbench.metrics import ssim as subject
from gfpbench.metrics.ssim import ssim_rgb, ssim_y
from gfpbench.types import ImageBatch
from tests.unit.metrics import per_image_laws


@pytest.mark.parametrize(("first", "second"), [(0, 255), (100, 110), (1, 0)])
def test_two_flat_images(first: int, second: int) -> None:
    """Without contrast only the luminance term is left: (2ab + C1) / (a^2 + b^2 + C1)."""
    c1 = (0.01 * 255) ** 2
    pair = (ImageBatch(torch.full((1, 3, 11, 14), level / 255), ("flat",)) for level in (first, second))
    expected = (2 * first * second + c1) / (first**2 + second**2 + c1)
    assert ssim_rgb(*pair).item() == pytest.approx(expected, abs=1e-11)


def test_an_image_of_one_window() -> None:
    """At 11 x 11 px there is one window, and the formula can be written down with plain sums."""
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 256, (2, 11, 11)).astype(np.float64)
    offset = np.arange(11) - 5
    weight = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    weight /= weight.sum()
    mx, my = (weight * x).sum(), (weight * y).sum()
    vx, vy, cov = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum(), (weight * (x - mx) * (y - my)).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    pair = (ImageBatch(torch.from_numpy(p).float().expand(1, 3, 11, 11) / 255, ("one",)) for p in (x, y))
    assert ssim_rgb(*pair).item() == pytest.approx(expected, abs=1e-12)


def test_basicsr() -> None:
    """Same numbers as basicsr on RGB, and on luma within its single-precision conversion."""
    calculate = per_image_laws.oracles.basicsr().calculate_ssim
    restored, truth = per_image_laws.restored(), per_image_laws.truth()
    pairs = list(zip(images.to_bgr_arrays(restored), images.to_bgr_arrays(truth), strict=True))
    for metric, on_luma, bound in ((ssim_rgb, False, 1e-12), (ssim_y, True, 1e-6)):
        expected = [calculate(*pair, crop_border=0, test_y_channel=on_luma) for pair in pairs]
        assert metric(restored, truth).tolist() == pytest.approx(expected, abs=bound)


def test_torchmetrics() -> None:
    """torchmetrics crops its 5-px border too. It cuts variances at 0, which moves the twelfth digit."""
    restored, truth = per_image_laws.restored(), per_image_laws.truth()
    views = (images.to_255(restored), images.to_255(truth))
    _, full = structural_similarity_index_measure(
        *views, sigma=1.5, data_range=255.0, reduction="none", return_full_image=True
    )
    expected = full[..., 5:-5, 5:-5].mean((1, 2, 3)).tolist()
    assert ssim_rgb(restored, truth).tolist() == pytest.approx(expected, abs=1e-10)


def test_the_two_filters_agree() -> None:
    """OpenCV's passes (CPU) and torch's (any other device) give the same local means."""
    plane = torch.randint(0, 256, (67, 45), generator=torch.Generator().manual_seed(0)).to(torch.float64) ** 2
    taps = subject._window()
    rows = torch.nn.functional.conv2d(plane[None, None], taps.view(1, 1, -1, 1))
    expected = torch.nn.functional.conv2d(rows, taps.view(1, 1, 1, -1))[0, 0]
    torch.testing.assert_close(subject.weighted_mean(plane), expected, rtol=1e-13, atol=0)
