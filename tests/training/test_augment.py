"""DiffAugment changes true and made images within its bounds, by the generator it is given."""

from __future__ import annotations

import torch

from training.augment import _hidden, _shifted, diffaugment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_generator_decides() -> None:
    images = torch.rand(4, 3, 32, 32, generator=generator()) * 2 - 1
    assert torch.equal(diffaugment(images, generator(1)), diffaugment(images, generator(1)))
    assert not torch.equal(diffaugment(images, generator(1)), diffaugment(images, generator(2)))


def test_a_shift_moves_pixels() -> None:
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 4, 4] = 1
    moved = _shifted(image, torch.tensor([[1, -1]]), 1)
    assert moved.nonzero()[0].tolist() == [0, 0, 3, 5]
    assert torch.equal(_shifted(image, torch.tensor([[0, 0]]), 1), image)


def test_a_square_is_hidden() -> None:
    hidden = _hidden(torch.ones(1, 1, 8, 8), torch.tensor([[2, -2]]))
    assert hidden.sum() == 64 - 4 * 2
    assert hidden[0, 0, 2:6, :2].sum() == 0


def test_a_grey_image_keeps_its_level_within_half() -> None:
    """Saturation and contrast leave one level alone: what is neither hidden nor shifted in moved by brightness only."""
    out = diffaugment(torch.full((16, 3, 32, 32), 0.2), generator())
    middle = out[:, :, 12, 12]
    seen = middle[(middle != 0).all(1)]
    assert len(seen) > 2
    assert ((seen - 0.2).abs() <= 0.5 + 1e-5).all()


def test_a_gradient_flows() -> None:
    images = torch.rand(2, 3, 32, 32, generator=generator()).requires_grad_(True)
    diffaugment(images, generator()).square().sum().backward()
    assert images.grad is not None
    assert bool(images.grad.any())
