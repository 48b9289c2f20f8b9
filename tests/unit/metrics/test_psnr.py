"""PSNR against closed forms: a known error has a known value."""

from __future__ import annotations

import math

import pytest
import torch

from gfpbench.metrics.psnr import psnr_rgb, psnr_y
from gfpbench.types import ImageBatch


def grays(*levels: float, size: tuple[int, int] = (7, 9)) -> ImageBatch:
    """One flat grey image for each level on the 255 scale."""
    pixels = torch.tensor(levels, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, *size) / 255
    return ImageBatch(pixels.contiguous(), tuple(f"grey {i}" for i in range(len(levels))))


@pytest.mark.parametrize("error", [1, 2, 10, 100, 255])
def test_a_constant_error(error: int) -> None:
    value = psnr_rgb(grays(error, 255 - error), grays(0, 255)).tolist()
    assert value == pytest.approx([20 * math.log10(255 / error)] * 2, abs=1e-12)


def test_luma_has_a_narrower_range() -> None:
    """An error of e grey levels is 219/255 e on luma, and the peak stays 255."""
    value = psnr_y(grays(110), grays(100)).item()
    assert value == pytest.approx(20 * math.log10(255 / (10 * 219 / 255)), abs=1e-12)


@pytest.mark.parametrize(("channel", "weight"), [(0, 65.481), (1, 128.553), (2, 24.966)])
def test_each_channel_has_its_luma_weight(channel: int, weight: float) -> None:
    truth = grays(100)
    pixels = truth.pixels.clone()
    pixels[:, channel] += 20 / 255
    value = psnr_y(ImageBatch(pixels, truth.ids), truth).item()
    assert value == pytest.approx(20 * math.log10(255 / (20 * weight / 255)), abs=1e-9)


def test_one_mean_for_all_channels() -> None:
    """Errors of 10, 20 and 40 in the three channels: the errors are averaged, not the decibels."""
    truth = grays(100)
    pixels = truth.pixels + torch.tensor([10, 20, 40]).view(1, 3, 1, 1) / 255
    value = psnr_rgb(ImageBatch(pixels, truth.ids), truth).item()
    assert value == pytest.approx(10 * math.log10(255**2 / ((100 + 400 + 1600) / 3)), abs=1e-12)


def test_differences_that_an_8_bit_file_cannot_hold_do_not_count() -> None:
    truth = grays(100, 200)
    assert psnr_rgb(grays(100.4, 199.6), truth).tolist() == [math.inf, math.inf]
    assert psnr_rgb(grays(100.6, 199.4), truth).tolist() == pytest.approx([20 * math.log10(255)] * 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 86), (16, 16), (31, 67), (512, 512)])
def test_the_sum_of_squares_is_exact(size: tuple[int, int]) -> None:
    """Integer arithmetic on the same bytes gives the same mean squared error to the last bit."""
    generator = torch.Generator().manual_seed(1)
    restored, truth = (torch.randint(0, 2, (1, 3, *size), generator=generator) * 255 for _ in range(2))
    restored[..., 0, 0], truth[..., 0, 0] = 255, 0
    squares = int((restored - truth).square().sum())
    expected = 10 * torch.log10(255.0**2 / (torch.tensor(squares, dtype=torch.float64) / restored.numel()))
    pair = (ImageBatch(bytes_.to(torch.float32) / 255, ("one",)) for bytes_ in (restored, truth))
    assert torch.equal(psnr_rgb(*pair), expected.view(1))
