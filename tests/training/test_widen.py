"""A widened network restores as the narrow one does, and its new channels can be learnt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gfpbench.nano import networks
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.types import BadInput
from training.start import Start, read_start
from training.widen import widened

NARROW = Sizes.made(64, 16, 2, 0.0625, 1)


def network(sizes: Sizes, seed: int = 3) -> networks.Network:
    made = networks.restorer(sizes, seed)
    with torch.no_grad():  # as the authors begin, noise has no say and conditions are next to nothing
        for name, weight in made.named_parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))))
    return made


def start_of(made: networks.Network) -> Start:
    return Start(Path("narrow.safetensors"), "restorer", made.state_dict(), {}, None)


def degraded() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(
    "wider",
    [
        pytest.param(Sizes.made(64, 16, 2, 0.125, 1), id="everywhere"),
        pytest.param(Sizes.made(64, 16, 2, 0.0625, 2), id="at full size only"),
        pytest.param(Sizes.made(64, 16, 2, 0.1875, 2), id="by a half and more"),
        pytest.param(NARROW, id="nowhere"),
    ],
)
def test_a_wider_network_restores_as_the_narrow_one_did(wider: Sizes) -> None:
    narrow, wide = network(NARROW), networks.restorer(wider, seed=9)
    start_of(narrow).put_into(wide)
    with torch.no_grad():
        expected, its_images = networks.restored(narrow, degraded())
        image, images = networks.restored(wide, degraded())
    torch.testing.assert_close(image, expected, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(images, its_images, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_gradient_reaches_every_new_weight_by_the_second_step() -> None:
    narrow, wide = network(NARROW), networks.restorer(Sizes.made(64, 16, 2, 0.125, 2), seed=9)
    start_of(narrow).put_into(wide)
    optimiser = torch.optim.SGD(wide.parameters(), lr=0.05)
    for _ in range(2):
        optimiser.step()
        optimiser.zero_grad()
        image, images = networks.restored(wide, degraded())
        (image.square().mean() + sum(p.square().mean() for p in images)).backward()
    marked = {name: torch.full_like(weight, torch.nan) for name, weight in narrow.state_dict().items()}
    for name, old in widened(marked, {n: torch.zeros_like(w) for n, w in wide.state_dict().items()}).items():
        if old.isnan().any() and not old.isnan().all():
            gradient = wide.get_parameter(name).grad
            assert gradient is not None
            reached = gradient[~old.isnan()] != 0
            assert reached.float().mean() > 0.95, name


def test_the_embedded_network_is_widened_by_name() -> None:
    start = read_start("nano")
    sizes = Sizes.of(start.weights, start.path)
    wide = networks.restorer(Sizes.made(sizes.out_px, sizes.style, sizes.mlp, 2 * sizes.narrow, 2), seed=0)
    same = networks.restorer(sizes, seed=1)
    start.put_into(wide)
    start.put_into(same)
    face = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(
            networks.restored(wide, face)[0], networks.restored(same, face)[0], rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Sizes.made(64, 16, 2, 0.046875, 1), id="narrower"),
        pytest.param(Sizes.made(64, 32, 2, 0.125, 1), id="longer styles"),
        pytest.param(Sizes.made(64, 16, 3, 0.125, 1), id="more layers"),
        pytest.param(Sizes.made(128, 16, 2, 0.125, 1), id="larger images"),
    ],
)
def test_what_cannot_be_widened_is_refused(other: Sizes) -> None:
    with pytest.raises(BadInput, match=r"narrow\.safetensors does not fit"):
        start_of(network(NARROW)).put_into(networks.restorer(other, seed=0))


LAWS = (
    lambda: test_a_wider_network_restores_as_the_narrow_one_did(Sizes.made(64, 16, 2, 0.125, 1)),
    test_a_gradient_reaches_every_new_weight_by_the_second_step,
)
"""For broken widenings to break."""
