"""Doubling merged with the convolution behind it: the same numbers as one after the other, on every border."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from gfpbench.restorers.modulated import convolved_doubled, doubled, is_channels_last

Convolved = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def drawn(size: tuple[int, int], dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two images of 5 channels, a kernel to 3, a bias; numbers about 1."""
    source = torch.Generator().manual_seed(0)
    shapes = ((2, 5, *size), (3, 5, 3, 3), (3,))
    x, weight, bias = (torch.randn(shape, generator=source, dtype=dtype) for shape in shapes)
    return x, weight, bias


def is_one_after_the_other(convolved: Convolved, size: tuple[int, int]) -> None:
    """To the last bits of float64."""
    x, weight, bias = drawn(size)
    wanted = F.conv2d(doubled(x), weight, bias, padding=1)
    apart = (convolved(x, weight, bias) - wanted).abs()
    assert apart.max() < 1e-12, f"{float(apart.max())} apart at {apart.argmax()}"


@pytest.mark.parametrize("size", [(16, 16), (16, 33), (31, 18), (4, 4)])
def test_it_is_one_after_the_other(size: tuple[int, int]) -> None:
    is_one_after_the_other(convolved_doubled, size)


def test_it_keeps_the_layout_and_float32s_accuracy() -> None:
    x, weight, bias = (one.float() for one in drawn((16, 16)))
    wanted = F.conv2d(doubled(x.double()), weight.double(), bias.double(), padding=1)
    last = convolved_doubled(x.contiguous(memory_format=torch.channels_last), weight, bias)
    assert is_channels_last(last)
    for found in (last, convolved_doubled(x, weight, bias)):
        assert (found - wanted).abs().max() < 2e-5


def without_borders(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """What is left where rows and columns at the border are not computed again."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(doubled(wide), weight, bias)[:, :, 1:-1, 1:-1]


def corners_aligned(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    large = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
    return F.conv2d(large, weight, bias, padding=1)


@pytest.mark.parametrize("broken", [without_borders, corners_aligned], ids=lambda f: f.__name__)
def test_a_wrong_border_is_noticed(broken: Convolved) -> None:
    with pytest.raises(AssertionError, match="apart at"):
        is_one_after_the_other(broken, (16, 16))


class Layer(torch.nn.Module):
    def forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return convolved_doubled(x, weight, bias)


def test_an_exporter_sees_it_as_it_is_written() -> None:
    """No transposed convolution in an exported network: what reads it has its own ways to be fast."""
    exported = str(torch.export.export(Layer(), drawn((16, 16))).graph)
    assert "conv2d" in exported
    assert "upsample" in exported
    assert "transpose" not in exported
