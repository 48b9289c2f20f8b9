"""A direction is found from labels, checked on samples it has not seen, and moves its attribute and little else.

The stand-in for a prior is a generator whose image is (1 + u.w) A + (1 + v.w) B: the weight of A is the attribute,
the weight of B is everything else, and both are known in closed form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gfpbench.images import batch_from_uint8
from gfpbench.nano import networks
from gfpbench.nano.direction import Direction, Steered, found_direction, moved_latents, read_direction
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.types import BadInput
from tests.training.blobs import blobs
from tests.unit.nano.laws_direction import LAWS

LABELLED = 300
SIZES = Sizes.made(32, 16, 1, 0.0625, 2)
U = torch.nn.functional.one_hot(torch.tensor(0), 16).float()
V = torch.nn.functional.one_hot(torch.tensor(1), 16).float()


def two_tone(decoder: Any) -> Any:
    """Make a generator of the closed form: only the first and the last layer to RGB listen to w, each its own way."""
    with torch.no_grad():
        for module in decoder.modules():
            if type(module).__name__ == "ModulatedConv2d":
                nn.init.zeros_(module.modulation.weight)
                nn.init.ones_(module.modulation.bias)
        for to_rgb in decoder.to_rgbs[:-1]:
            nn.init.zeros_(to_rgb.modulated_conv.weight)
        for layer, towards in ((decoder.to_rgbs[-1], U), (decoder.to_rgb1, V)):
            layer.modulated_conv.modulation.weight.copy_(towards.expand_as(layer.modulated_conv.modulation.weight))
    return decoder


def parts(decoder: Any, latents: torch.Tensor) -> torch.Tensor:
    """(B, 2) least-squares weights of A and B in each image."""
    minus_u, minus_v = -U[None], -V[None]
    with torch.no_grad():
        a, b = (networks.decoded(decoder, w).flatten() for w in (minus_v, minus_u))  # 1 A + 0 B, and the other way
        images = networks.decoded(decoder, latents).flatten(1)
    return torch.linalg.lstsq(torch.stack([a, b], dim=1), images.t()).solution.t()


@pytest.fixture(scope="module")
def decoder() -> Any:
    return two_tone(networks.prior(SIZES, seed=0))


@pytest.fixture(scope="module")
def latents() -> torch.Tensor:
    return torch.randn(LABELLED, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def attribute(decoder: Any, latents: torch.Tensor) -> Direction:
    """Found as a person would find it: samples labelled by how they look."""
    looks = parts(decoder, latents)[:, 0]
    return found_direction("brightness", latents, (looks > looks.median()).tolist())


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Any) -> None:
    law(found_direction)


def test_the_stand_in_is_of_its_closed_form(decoder: Any, latents: torch.Tensor) -> None:
    expected = torch.stack([1 + latents @ U, 1 + latents @ V], dim=1)
    assert torch.allclose(parts(decoder, latents), expected, atol=1e-3)


def test_the_attribute_moves_and_the_rest_stays(decoder: Any, latents: torch.Tensor, attribute: Direction) -> None:
    assert attribute.holds
    few = latents[:32]
    before, after = parts(decoder, few), parts(decoder, moved_latents(few, attribute, 2.0))
    moved = (after - before).double()
    assert torch.allclose(moved[:, 0], torch.full((32,), 2.0 * attribute.spread, dtype=torch.float64), rtol=0.02)
    assert float(moved[:, 1].abs().max()) < 0.15 * 2.0 * attribute.spread


def test_without_leaves_the_other_attribute_exactly_alone(
    decoder: Any, latents: torch.Tensor, attribute: Direction
) -> None:
    other = Direction("the rest", tuple(V.tolist()), 1.0, 1.0, 1.0, 0.5)
    few = latents[:8]
    after = parts(decoder, moved_latents(few, attribute.without([other]), 2.0))
    assert torch.allclose(after[:, 1], parts(decoder, few)[:, 1], atol=1e-3)
    with pytest.raises(BadInput, match="brightness cannot be told from brightness"):
        attribute.without([attribute])


def test_layers_can_be_chosen(attribute: Direction) -> None:
    latents = torch.zeros(1, 8, 16)
    moved = moved_latents(latents, attribute, 1.0, slice(6, None))
    assert not moved[:, :6].any()
    assert torch.allclose(moved[0, 7], attribute.spread * torch.tensor(attribute.vector), atol=1e-6)
    assert not latents.any()


def test_a_face_is_restored_with_the_attribute_moved(tmp_path: Path, attribute: Direction) -> None:
    network = networks.restorer(SIZES, seed=0)
    two_tone(network.stylegan_decoder)
    with torch.no_grad():  # the U-Net asks for w = 0, and its features change nothing
        nn.init.zeros_(network.final_linear.weight)
        nn.init.zeros_(network.final_linear.bias)
        for scale, shift in zip(network.condition_scale, network.condition_shift, strict=True):
            nn.init.zeros_(scale[2].weight)
            nn.init.ones_(scale[2].bias)
            nn.init.zeros_(shift[2].weight)
            nn.init.zeros_(shift[2].bias)
        for layer in (network.stylegan_decoder.to_rgbs[-1], network.stylegan_decoder.to_rgb1):
            layer.modulated_conv.weight.mul_(0.02)  # far from where an image is clamped
    halves = {name: tensor.contiguous().half() for name, tensor in network.state_dict().items()}
    save_file(halves, tmp_path / "nano.safetensors")
    batch = batch_from_uint8(list(blobs(2).images), ("0", "1"))
    still, moved, twice = (
        Steered(tmp_path / "nano.safetensors", attribute, amount)(batch).pixels for amount in (0.0, 1.0, 2.0)
    )
    with torch.no_grad():
        plain, _ = networks.restored(network, batch.pixels * 2 - 1)
    assert torch.allclose(still, (plain + 1) / 2, atol=2e-3)  # half precision in the file
    assert torch.allclose(twice - still, 2 * (moved - still), atol=1e-5)
    assert float((moved - still).abs().max()) > 1e-3


def test_a_direction_is_kept(tmp_path: Path, attribute: Direction) -> None:
    attribute.save(tmp_path / "brightness.json")
    assert read_direction(tmp_path / "brightness.json") == attribute
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(BadInput, match=r"other\.json holds no direction"):
        read_direction(tmp_path / "other.json")


def test_mistakes_are_named(latents: torch.Tensor, attribute: Direction) -> None:
    with pytest.raises(BadInput, match="0 samples of the rarer kind"):
        found_direction("glasses", latents, [True] * len(latents))
    with pytest.raises(BadInput, match="latents and 3 labels"):
        found_direction("glasses", latents, [True] * 3)
    with pytest.raises(BadInput, match="has 16 numbers, these latents 4"):
        moved_latents(torch.zeros(1, 4), attribute, 1.0)
    assert np.isfinite(attribute.vector).all()
