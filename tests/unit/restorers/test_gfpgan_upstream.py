"""Seeded weights in the authors' file format: our loader and restorer make the authors' image, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.images import quantized, resized, select, to_uint8
from gfpbench.restorers import load
from gfpbench.types import ImageBatch
from tests.unit.restorers import upstream_gfpgan as upstream

SIZES = {
    "64 px": upstream.SMALL,
    "128 px": {**upstream.SMALL, "out_size": 128, "narrow": 0.0625},
    "32 px, one layer": upstream.TINY,
}


@pytest.fixture(scope="session")
def one(degraded: ImageBatch) -> ImageBatch:
    """One 512-px degraded face."""
    return quantized(resized(select(degraded, [0]), (512, 512)))


def differing(a: ImageBatch, b: ImageBatch) -> tuple[int, float]:
    """How many levels of 255 two images are apart at most, and the share of values that differ."""
    apart = (to_uint8(a).int() - to_uint8(b).int()).abs()
    return int(apart.max()), float((apart > 0).float().mean())


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_clean_small(size: dict[str, Any], degraded: ImageBatch, tmp_path: Path) -> None:
    network = upstream.clean(size)
    path = upstream.saved(network, tmp_path / "net.pth")
    faces = quantized(resized(degraded, (size["out_size"],) * 2))
    wanted = upstream.by_functions(network, faces, return_rgb=False, randomize_noise=False)
    restorer = load(f"checkpoint:{path}?batch=1&code=authors")
    assert torch.equal(to_uint8(restorer(faces)), to_uint8(wanted))
    shared = load(f"checkpoint:{path}?code=shared")(faces)
    assert differing(shared, wanted)[0] <= 1
    assert differing(shared, wanted)[1] < 2e-4
    assert (shared.pixels - restorer(faces).pixels).abs().max() < 1 / 2550


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_original_small(size: dict[str, Any], degraded: ImageBatch, tmp_path: Path) -> None:
    network = upstream.original(size)
    path = upstream.saved(network, tmp_path / "net.pth")
    faces = quantized(resized(degraded, (size["out_size"],) * 2))
    with upstream.native_operations():
        wanted = upstream.by_functions(network, faces, return_rgb=False, randomize_noise=False)
    got = load(f"checkpoint:{path}")(faces)
    assert differing(got, wanted)[0] <= 1
    assert differing(got, wanted)[1] < 2e-4


def test_clean_full_size(one: ImageBatch, tmp_path: Path) -> None:
    """86 million weights, GFPGANer.enhance itself, and spandrel's call beside it."""
    network = upstream.clean(upstream.FULL)
    path = upstream.saved(network, tmp_path / "GFPGANv1.4.pth")
    wanted = upstream.by_gfpganer(network, one, randomize_noise=False)
    restorer = load(f"checkpoint:{path}?code=authors")
    assert restorer.provenance()["works_at_px"] == 512
    assert torch.equal(to_uint8(restorer(one)), to_uint8(wanted))
    del restorer
    levels, share = differing(load(f"checkpoint:{path}?code=shared")(one), wanted)
    assert levels <= 1
    assert share < 1e-3

    # spandrel hands the network images in [0, 1] where it was trained in [-1, 1], and leaves out the way back. What it
    # loads from the file is called as it is with a smaller network in its place: it adds nothing of a size.
    from spandrel import ImageModelDescriptor, ModelLoader, SizeRequirements

    descriptor = ModelLoader().load_from_file(path)
    assert isinstance(descriptor, ImageModelDescriptor)
    small, face = upstream.clean(upstream.SMALL), quantized(resized(one, (64, 64)))
    descriptor._model, descriptor.size_requirements = small, SizeRequirements()
    wanted = upstream.by_functions(small, face, return_rgb=False, randomize_noise=False)
    with torch.no_grad():
        torch.manual_seed(0)
        theirs = ImageBatch(descriptor(face.pixels).clone(), face.ids)
        # The whole difference: the range, and the noise that it draws anew.
        torch.manual_seed(0)
        explained = small(face.pixels, return_rgb=False, randomize_noise=True)[0].clamp(0, 1)
    assert differing(theirs, wanted)[0] > 50
    assert torch.equal(theirs.pixels, explained)


def test_original_full_size(one: ImageBatch, tmp_path: Path) -> None:
    network = upstream.original(upstream.FULL)
    path = upstream.saved(network, tmp_path / "GFPGANv1.pth")
    with upstream.native_operations():
        wanted = upstream.by_gfpganer(network, one, randomize_noise=False)
    got = load(f"checkpoint:{path}")(one)
    assert differing(got, wanted)[0] <= 1
    assert differing(got, wanted)[1] < 1e-3


def test_a_batch_of_eight_is_eight_of_one(degraded: ImageBatch, tmp_path: Path) -> None:
    faces = resized(degraded, (64, 64))
    for name, network in (("clean", upstream.clean(upstream.SMALL)), ("original", upstream.original(upstream.SMALL))):
        path = upstream.saved(network, tmp_path / f"{name}.pth")
        together = load(f"checkpoint:{path}?batch=8")(faces)
        alone = load(f"checkpoint:{path}?batch=1")(faces)
        assert (together.pixels - alone.pixels).abs().max() < 1e-5, name
        assert differing(together, alone)[1] < 2e-4, name


def test_noise_that_is_drawn_anew_would_be_seen(degraded: ImageBatch) -> None:
    """Noise strengths start at zero, where the trap cannot be seen; the weights of these tests have others."""
    network, face = upstream.clean(upstream.SMALL), resized(select(degraded, [0]), (64, 64))
    drawn = [network(face.pixels, randomize_noise=True)[0] for seed in (1, 2) if torch.manual_seed(seed)]
    assert (drawn[0] - drawn[1]).abs().max() > 0.1
