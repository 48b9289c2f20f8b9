"""Closed forms of what steers a prior. Laws take the module, so that broken ones can be given."""

from __future__ import annotations

from typing import Any

import torch


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def the_first_half_passes_and_the_second_is_steered(module: Any) -> None:
    features, scale, shift = seeded(2, 6, 4, 4), seeded(2, 3, 4, 4, seed=1), seeded(2, 3, 4, 4, seed=2)
    answer = module.split_sft(features, scale, shift)
    assert torch.equal(answer[:, :3], features[:, :3])
    assert torch.allclose(answer[:, 3:], scale * features[:, 3:] + shift)


def one_and_zero_change_nothing(module: Any) -> None:
    features = seeded(1, 8, 2, 2)
    assert torch.equal(module.split_sft(features, torch.ones(1, 4, 2, 2), torch.zeros(1, 4, 2, 2)), features)


LAWS = (the_first_half_passes_and_the_second_is_steered, one_and_zero_change_nothing)


def a_mean_is_a_flat_image(module: Any) -> None:
    """Of two channels, the second alone: it is constant, and its sum of squares is kept."""
    coefficients = torch.zeros(1, 8, 1, 1)
    coefficients[0, 1] = 6.0
    image = module.from_haar(coefficients)
    assert torch.equal(image[0, 1], torch.full((2, 2), 3.0))
    assert not image[0, 0].any()


def differences_have_their_directions(module: Any) -> None:
    """Vertical, horizontal and diagonal, in the order of the file (pywavelets' LH, HL, HH of db1)."""
    expected = ([[1.0, 1], [-1, -1]], [[1.0, -1], [1, -1]], [[1.0, -1], [-1, 1]])
    for place, pattern in enumerate(expected, start=1):
        coefficients = torch.zeros(1, 4, 1, 1)
        coefficients[0, place] = 2.0
        assert module.from_haar(coefficients)[0, 0].tolist() == pattern


def there_and_back(module: Any) -> None:
    image = seeded(2, 3, 8, 6)
    assert torch.allclose(module.from_haar(module.to_haar(image)), image, atol=1e-6)
    assert torch.allclose(module.to_haar(image).square().sum(), image.square().sum())


HAAR_LAWS = (a_mean_is_a_flat_image, differences_have_their_directions, there_and_back)
