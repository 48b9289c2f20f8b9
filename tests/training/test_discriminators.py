"""Discriminators give a number for each image, see differences within a batch, and cut components where they are."""

from __future__ import annotations

import pytest
import torch

from training.discriminators import COMPONENTS, Discriminator, LocalDiscriminator, component


def signed(batch: int, side: int) -> torch.Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("side", [16, 32, 64])
def test_shapes(side: int) -> None:
    torch.manual_seed(0)
    judge = Discriminator(side, 8, 16)
    maps = judge.features(signed(4, side))
    assert maps[-1].shape[-2:] == (4, 4)
    assert judge(signed(4, side)).shape == (4,)


def test_a_collapsed_batch_is_seen() -> None:
    """The last channel tells images that are all the same from those that differ."""
    torch.manual_seed(0)
    judge = Discriminator(16, 8, 16)
    varied = signed(4, 16)
    alone = judge(varied[:1])
    same = judge(varied[:1].expand(4, -1, -1, -1))
    assert torch.allclose(same, alone.expand(4), atol=1e-5)
    assert not torch.allclose(judge(varied)[:1], alone, atol=1e-4)


def test_local_maps_and_logits() -> None:
    torch.manual_seed(0)
    logits, maps = LocalDiscriminator(8)(signed(2, 28))
    assert logits.shape == (2, 1, 7, 7)
    assert [m.shape[1] for m in maps] == [8, 16, 32]


def test_components_are_cut_around_their_centres() -> None:
    """An image whose red and green are its x and y tells where each square came from."""
    side = 128
    x = torch.arange(side, dtype=torch.float32).expand(side, side)
    image = torch.stack([x, x.t(), x])[None]
    for name, (cx, cy, length) in COMPONENTS.items():
        square = component(image, name)
        assert square.shape[-2:] == (round(length * side), round(length * side))
        assert square[0, 0].mean() == pytest.approx(cx * side, abs=1)
        assert square[0, 1].mean() == pytest.approx(cy * side, abs=1)
    assert component(image[..., :32, :32], "mouth").shape[-1] == 8


def test_equal_variance_at_the_start() -> None:
    """Equalised weights and scaled activations: feature maps neither vanish nor grow with depth."""
    torch.manual_seed(0)
    spreads = [float(m.detach().std()) for m in Discriminator(64, 32, 64).features(signed(8, 64))]
    assert all(0.1 < spread < 3 for spread in spreads)
