"""Ways to run GFP-GAN wrongly that give a plausible image, and the laws that have to notice each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from spandrel.architectures.GFPGAN import GFPGAN

from gfpbench import assets, images
from gfpbench.assets import loading
from gfpbench.images import batch_from_uint8, select
from gfpbench.restorers import (
    checkpoint_file,
    face_network,
    gfpgan_files,
    gfpgan_shared,
    gfpgan_v1,
    modulated,
    precision,
    stylegan2_layers,
)
from gfpbench.types import ImageBatch
from tests.unit.restorers import gfpgan_laws as laws
from tests.unit.restorers import upstream_gfpgan as upstream

Patch = pytest.MonkeyPatch
Sabotage = Callable[[Patch], None]
SIZE = upstream.TINY
VERSIONS = {"authors": upstream.clean, "shared": upstream.clean, "original": upstream.original}


def options(version: str) -> str:
    return "" if version == "original" else f"?code={version}"


@pytest.fixture(scope="module")
def faces() -> ImageBatch:
    from skimage import data

    crops = [data.astronaut()[top : top + 192, 120:312].copy() for top in (0, 10, 20, 30)]
    return batch_from_uint8(crops, ("a", "b", "c", "d"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, torch.nn.Module]]:
    folder = tmp_path_factory.mktemp("weights")
    networks = {name: make(SIZE) for name, make in VERSIONS.items()}
    return {name: (upstream.saved(net, folder / f"{name}.pth"), net) for name, net in networks.items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_ours_keeps_the_laws(version: str, made: Any, faces: ImageBatch, tmp_path: Path) -> None:
    path, network = made[version]
    laws.makes_the_authors_image(path, network, faces, options(version))
    laws.repeats_itself(path, faces)
    laws.keeps_size_and_range(path, faces)
    laws.takes_averaged_weights(tmp_path, VERSIONS[version], SIZE, faces)
    laws.refuses_missing_weights(tmp_path, VERSIONS[version], SIZE)
    laws.runs_in_evaluation_mode(path, options(version))


def unit_range(patch: Patch) -> None:
    patch.setattr(face_network, "to_signed", lambda batch: batch.pixels.clone())


def not_mapped_back(patch: Patch) -> None:
    patch.setattr(face_network, "from_signed", lambda pixels, ids: ImageBatch(pixels.clamp(0, 1), ids))


def bgr_in(patch: Patch) -> None:
    patch.setattr(face_network, "to_signed", lambda batch: images.to_signed(batch).flip(1))


def bgr_out(patch: Patch) -> None:
    patch.setattr(face_network, "from_signed", lambda pixels, ids: images.from_signed(pixels.flip(1), ids))


def imagenet_normalisation(patch: Patch) -> None:
    patch.setattr(face_network, "to_signed", lambda batch: (batch.pixels - 0.485) / 0.229)


ANYWHERE: tuple[Sabotage, ...] = (unit_range, not_mapped_back, bgr_in, bgr_out, imagenet_normalisation)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sabotage", ANYWHERE, ids=lambda s: s.__name__)
def test_a_wrong_range_or_order_is_seen(
    sabotage: Sabotage, version: str, made: Any, faces: ImageBatch, monkeypatch: Patch
) -> None:
    sabotage(monkeypatch)
    path, network = made[version]
    with pytest.raises(AssertionError, match="levels apart"):
        laws.makes_the_authors_image(path, network, select(faces, [0]), options(version))


def no_demodulation(patch: Patch) -> None:
    one = torch.ones(1, 1, 1, 1)
    patch.setattr(modulated.Modulated, "divided", lambda self, style, gain=1.0: one * gain)


def wrong_epsilon(patch: Patch) -> None:
    patch.setattr(modulated, "EPSILON", 1e-3)


def no_modulation(patch: Patch) -> None:
    patch.setattr(modulated.Modulated, "scaled", lambda self, x, style: x)


def corners_aligned(patch: Patch) -> None:
    def doubled(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)

    for module in (modulated, gfpgan_shared, gfpgan_v1):
        patch.setattr(module, "doubled", doubled, raising=False)


def nearest(patch: Patch) -> None:
    for module in (gfpgan_shared, gfpgan_v1):
        patch.setattr(module, "doubled", lambda x: F.interpolate(x, scale_factor=2.0))


def styles_of_the_first(patch: Patch) -> None:
    """Every image of a batch gets the style of the first: the price of sharing too much."""
    style = modulated.Modulated.style
    patch.setattr(modulated.Modulated, "style", lambda self, latent: style(self, latent[:1]).expand(len(latent), -1))


def no_noise(patch: Patch) -> None:
    for module in (gfpgan_shared, gfpgan_v1):
        forward = module.Styled.forward
        patch.setattr(module.Styled, "forward", lambda s, x, latent, noise, f=forward: f(s, x, latent, noise * 0))


def latents_off_by_one(patch: Patch) -> None:
    for module in (gfpgan_shared, gfpgan_v1):
        forward = module.Decoder.forward
        patch.setattr(module.Decoder, "forward", lambda s, latents, *a, f=forward: f(s, latents.roll(1, 1), *a))


def scale_and_shift_exchanged(patch: Patch) -> None:
    for module in (gfpgan_shared, gfpgan_v1):
        forward = module.Decoder.forward
        patch.setattr(
            module.Decoder, "forward", lambda s, z, scales, shifts, *a, f=forward: f(s, z, shifts, scales, *a)
        )


INSIDE: tuple[Sabotage, ...] = (
    no_demodulation,
    wrong_epsilon,
    no_modulation,
    corners_aligned,
    nearest,
    styles_of_the_first,
    no_noise,
    latents_off_by_one,
    scale_and_shift_exchanged,
)


@pytest.mark.parametrize("version", ["shared", "original"])
@pytest.mark.parametrize("sabotage", INSIDE, ids=lambda s: s.__name__)
def test_a_slip_in_our_own_layers_is_seen(
    sabotage: Sabotage, version: str, made: Any, faces: ImageBatch, monkeypatch: Patch
) -> None:
    sabotage(monkeypatch)
    path, network = made[version]
    with pytest.raises(AssertionError, match=r"levels apart|values differ"):
        laws.makes_the_authors_image(path, network, select(faces, [0, 1]), options(version))


def plain_activation(patch: Patch) -> None:
    plain = lambda x: F.leaky_relu(x, 0.2)  # noqa: E731
    patch.setattr(stylegan2_layers, "scaled_leaky_relu", plain)


def filter_shifted(patch: Patch) -> None:
    right = stylegan2_layers.filtered
    shifted = lambda x, before, after, gain=1.0, stride=1: right(x, before + 1, after - 1, gain, stride)  # noqa: E731
    patch.setattr(stylegan2_layers, "filtered", shifted)


def gain_of_enlarging_forgotten(patch: Patch) -> None:
    right = stylegan2_layers.filtered
    for module in (stylegan2_layers, gfpgan_v1):
        patch.setattr(
            module, "filtered", lambda x, before, after, gain=1.0, stride=1: right(x, before, after, 1.0, stride)
        )


def weights_not_equalised(patch: Patch) -> None:
    init = stylegan2_layers.Equalised.__init__

    def without_gain(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.gain = 1.0

    patch.setattr(stylegan2_layers.Equalised, "__init__", without_gain)


@pytest.mark.parametrize(
    "sabotage",
    [plain_activation, filter_shifted, gain_of_enlarging_forgotten, weights_not_equalised],
    ids=lambda s: s.__name__,
)
def test_a_slip_in_the_layers_of_version_1_is_seen(
    sabotage: Sabotage, made: Any, faces: ImageBatch, monkeypatch: Patch
) -> None:
    sabotage(monkeypatch)
    path, network = made["original"]
    with pytest.raises(AssertionError, match="levels apart"):
        laws.makes_the_authors_image(path, network, select(faces, [0]))


def test_noise_drawn_anew_is_seen(made: Any, faces: ImageBatch, monkeypatch: Patch) -> None:
    forward = GFPGAN.forward
    monkeypatch.setattr(GFPGAN, "forward", lambda self, x, return_rgb=True, randomize_noise=True: forward(self, x))
    with pytest.raises(AssertionError, match="two images"):
        laws.repeats_itself(made["authors"][0], faces)
    path, network = made["authors"]
    with pytest.raises(AssertionError, match="levels apart"):
        laws.makes_the_authors_image(path, network, select(faces, [0]), options("authors"))


@pytest.mark.parametrize("version", ["authors", "original"])
def test_plain_weights_taken_for_averaged_ones_are_seen(
    version: str, faces: ImageBatch, monkeypatch: Patch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "find_weights", lambda path: loading.find_weights(path, ("params", "params_ema")))
    with pytest.raises(AssertionError, match="levels apart"):
        laws.takes_averaged_weights(tmp_path, VERSIONS[version], SIZE, select(faces, [0]))


@pytest.mark.parametrize("version", VERSIONS)
def test_loading_that_forgives_is_seen(version: str, monkeypatch: Patch, tmp_path: Path) -> None:
    def forgiving(network: torch.nn.Module, weights: Any, path: Path, architecture: str) -> None:
        network.to_empty(device="cpu").load_state_dict(dict(weights), strict=False)

    monkeypatch.setattr(gfpgan_files, "fit", forgiving)
    with pytest.raises(AssertionError, match="were accepted"):
        laws.refuses_missing_weights(tmp_path, VERSIONS[version], SIZE)
    assert checkpoint_file.fit is not forgiving


@pytest.mark.parametrize("version", VERSIONS)
def test_training_mode_is_seen(version: str, made: Any, monkeypatch: Patch) -> None:
    def placed(network: torch.nn.Module, settings: face_network.Settings) -> torch.nn.Module:
        return network.train()

    monkeypatch.setattr(gfpgan_files, "placed", placed)
    with pytest.raises(AssertionError, match="training mode"):
        laws.runs_in_evaluation_mode(made[version][0], options(version))


def test_a_resize_that_is_not_undone_is_seen(made: Any, faces: ImageBatch, monkeypatch: Patch) -> None:
    once = images.resized
    monkeypatch.setattr(face_network, "resized", lambda batch, size: once(batch, size) if size == (32, 32) else batch)
    with pytest.raises(AssertionError, match=r"in, .* out"):
        laws.keeps_size_and_range(made["authors"][0], faces)


def test_an_answer_that_is_not_clamped_is_seen(made: Any, faces: ImageBatch, monkeypatch: Patch) -> None:
    class Loose:
        """A batch whose own checks were got round."""

        def __init__(self, pixels: torch.Tensor, ids: tuple[str, ...]) -> None:
            self.pixels, self.ids, self.size = pixels, ids, (100, 76)

    monkeypatch.setattr(face_network, "from_signed", lambda pixels, ids: Loose((pixels + 1) / 2, ids))
    monkeypatch.setattr(
        face_network, "resized", lambda batch, size: batch if isinstance(batch, Loose) else images.resized(batch, size)
    )
    monkeypatch.setattr(face_network, "moved", lambda batch, device: batch)
    with pytest.raises(AssertionError, match=r"below 0|above 1"):
        laws.keeps_size_and_range(made["authors"][0], faces)


def test_disabled_cudnn_is_seen(monkeypatch: Patch) -> None:
    """torch's flags() turns cuDNN off unless told otherwise: slow on a GPU, and seen nowhere else."""
    flags = torch.backends.cudnn.flags

    def forgetful(**given: Any) -> Any:
        given.pop("enabled", None)
        return flags(**given)

    with precision.arithmetic("fp32", "cpu", autocast=False):
        assert torch.backends.cudnn.enabled
    monkeypatch.setattr(torch.backends.cudnn, "flags", forgetful)
    with precision.arithmetic("fp32", "cpu", autocast=False):
        assert not torch.backends.cudnn.enabled
