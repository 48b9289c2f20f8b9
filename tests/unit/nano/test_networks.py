"""Our way through the authors' modules gives what theirs gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gfpbench.nano import networks
from gfpbench.restorers.gfpgan_sizes import Sizes

SIZES = Sizes.made(32, 16, 2, 0.0625, 2)


def signed(batch: int, side: int = 32) -> torch.Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def shaken(network: Any) -> Any:
    """With noise strengths and biases that are not zero, as they are after training: zeros would hide a wrong use."""
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn(weight.shape, generator=source) * 0.1)
    return network


def theirs(network: Any) -> Any:
    """The authors' forward cannot run channels-last."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.to(memory_format=torch.contiguous_format)
    return network


def test_restored_is_the_authors() -> None:
    network = shaken(networks.restorer(SIZES, seed=0))
    with torch.no_grad():
        ours, images = networks.restored(network, signed(3))
        expected, their_images = theirs(network)(signed(3), randomize_noise=False)
    assert torch.allclose(ours, expected, atol=2e-5)
    assert [p.shape[-1] for p in images] == [8, 16, 32]
    assert all(torch.allclose(a, b, atol=2e-5) for a, b in zip(images, their_images, strict=True))


def test_a_prior_is_the_authors() -> None:
    network = shaken(networks.prior(SIZES, seed=0))
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ours = networks.decoded(network, networks.mapped(network, z))
        expected, _ = theirs(network)([z], randomize_noise=False)
    assert torch.allclose(ours, expected, atol=2e-5)


def test_given_noise_is_used() -> None:
    network = shaken(networks.prior(SIZES, seed=0))
    noises = networks.drawn_noises(network, 2, torch.Generator().manual_seed(0))
    latents = torch.randn(2, network.num_latent, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected, _ = theirs(network)([latents], input_is_latent=True, noise=noises)
        assert torch.allclose(networks.decoded(network, latents, noises=noises), expected, atol=2e-5)
        assert not torch.allclose(networks.decoded(network, latents), expected, atol=1e-3)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    one, before = networks.restorer(SIZES, seed=3).state_dict(), torch.random.get_rng_state()
    torch.manual_seed(2)
    other, third = networks.restorer(SIZES, seed=3).state_dict(), networks.restorer(SIZES, seed=4).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["final_linear.weight"], third["final_linear.weight"])
    torch.manual_seed(1)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_weight_learns(dtype: torch.dtype) -> None:
    """Gradients reach everything but the layers that only a prior uses."""
    network = shaken(networks.restorer(SIZES, seed=0))
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        restored, images = networks.restored(network, signed(2))
    (restored.abs().mean() + torch.stack([p.abs().mean() for p in images]).sum()).backward()
    idle = {name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert {name.split(".")[1] for name in idle} == {"style_mlp"}
