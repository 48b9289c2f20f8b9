"""The stage that steers a frozen prior, on a small random generator of the same form."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench import assets
from gfpbench.faces.random_face import _Generator
from gfpbench.images import to_signed, write_png
from gfpbench.restorers.nano import WEIGHTS
from gfpbench.types import AssetMissing, BadInput
from tests.packaged import fetched
from tests.training import laws_steering
from tests.training.blobs import blobs
from tests.training.small_prior import CHANNELS, small_prior, write_prior
from tests.training.test_train import TINY, flat, metadata
from training import mobile_prior, steering
from training.config import Config, read_config
from training.data import Mixture, Steps
from training.loop import Training
from training.mobile_prior import MobilePrior, ReadoutFit, from_haar, read_prior
from training.progress import Shown
from training.start import read_start
from training.steer import MADE, MadeFaces, Steer, _put_into, made_faces, prior_sha256
from training.steered import Steered
from training.steering import Steering
from training.train import train
from training.validation import Validation

STEPS = 3
SETTINGS = TINY + "[steer]\nfaces = 6\nhidden = 8\n[losses]\nadversarial = 0\nlocal = 0\nstyle = 0\nperceptual = 0\n"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return tiny(tmp_path_factory.mktemp("config"))


def tiny(folder: Path) -> Config:
    """Steps of milliseconds; made faces are neither turned nor lit otherwise."""
    path = folder / "tiny.toml"
    path.write_text(SETTINGS.replace("[data]\n", "[data]\naugment = false\n") + "latent = 1\n")
    return read_config(str(path))


@pytest.fixture(scope="module")
def made(config: Config, tmp_path_factory: pytest.TempPathFactory) -> MadeFaces:
    return made_faces(small_prior(), config, 0, tmp_path_factory.mktemp("made"))


def stage(config: Config, made: MadeFaces, prior: MobilePrior | None = None) -> Steer:
    faces = made.beside(blobs(8), config.steer)
    return Steer(config, faces, "cpu", 0, None, small_prior() if prior is None else prior, made)


def training(config: Config, made: MadeFaces, out: Path, steps: int) -> Training:
    out.mkdir(exist_ok=True)
    learner, faces = stage(config, made), made.beside(blobs(8), config.steer)
    whole = {"device": "cpu", "seed": 0, "steps": steps, "minutes": None, "started_from": "scratch"}
    return Training(learner, config, faces, Validation(blobs(2, seed=1)), out, **whole)  # type: ignore[arg-type]


@pytest.mark.parametrize("law", laws_steering.LAWS)
def test_split_sft(law: Any) -> None:
    law(steering)


@pytest.mark.parametrize("law", laws_steering.HAAR_LAWS)
def test_haar(law: Any) -> None:
    law(mobile_prior)


def test_at_first_the_mean_face_passes_unchanged(config: Config, made: MadeFaces) -> None:
    """Conditions of 1 and 0, and latents near the mean: what comes out is the prior's own, read at this size."""
    learner = stage(config, made)
    degraded = torch.zeros(2, 3, 32, 32)
    with torch.no_grad():
        latents, conditions, images = learner.network.encoded(degraded)
    assert all(not shift.any() and bool((scale == 1).all()) for scale, shift in conditions)
    assert [image.shape[-1] for image in images] == [8, 16]
    *_, features = learner.prior.features(latents, 2)
    restored = learner.answer(learner.network, degraded).restored
    assert torch.equal(restored, from_haar(learner.network.readout(features)))
    assert float((latents - learner.prior.mean).abs().max()) < 0.1 * float(learner.prior.mean.norm())


def test_a_step_changes_all_that_steers_and_nothing_of_the_prior(config: Config, made: MadeFaces) -> None:
    prior = small_prior()
    learner = stage(config, made, prior)
    before = {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}
    steps = Steps(made.beside(blobs(8), config.steer), 4, 0, False, Mixture({"paper": 1}))
    for number in range(STEPS):
        learner.step(steps[number], number, 0.0)
    assert prior_sha256(prior) == learner.prior_sha256 == prior_sha256(small_prior())
    assert not any(weight.requires_grad or weight.grad is not None for weight in prior.parameters())
    same = [name for name, tensor in learner.network.state_dict().items() if torch.equal(tensor, before[name])]
    assert same == []
    assert not any(name.startswith(("prior", "mapping", "levels")) for name in before)


def test_an_interrupted_run_ends_with_the_same_bits(
    config: Config, made: MadeFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Shown() as shown:
        training(config, made, tmp_path / "whole", STEPS).run(shown)
        first = training(config, made, tmp_path / "parts", STEPS)
        step = first.stage.step

        def stopped(*given: Any) -> Any:
            if given[1] == 2:
                raise KeyboardInterrupt
            return step(*given)

        monkeypatch.setattr(first.stage, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            first.run(shown)
        assert torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"] == 2
        training(config, made, tmp_path / "parts", STEPS).run(shown)
    whole, parts = (torch.load(tmp_path / run / "checkpoint.pt", weights_only=True) for run in ("whole", "parts"))
    assert flat(whole["state"]) == flat(parts["state"])
    assert not [name for name in whole["state"]["network"] if name.startswith("levels")]
    found = metadata(tmp_path / "whole" / "nano-prior.safetensors")
    assert found["name"] == "nano-prior"
    assert found["prior_weights_sha256"] == prior_sha256(small_prior())
    assert json.loads(found["losses"])["latent"] == 1
    assert json.loads(found["faces"])["made_by_the_prior"]["faces"] == 6
    again = read_start(str(tmp_path / "whole" / "nano-prior.safetensors"))
    learner = Steer(config, made.beside(blobs(8), config.steer), "cpu", 0, again, small_prior(), made)
    halves = {name: tensor.half().float() for name, tensor in learner.averaged.network.state_dict().items()}
    assert flat(learner.network.state_dict()) == flat(halves)


def test_what_was_trained_is_a_restorer(config: Config, made: MadeFaces, tmp_path: Path) -> None:
    learner = training(config, made, tmp_path, 1)
    learner.export({})
    batch = blobs(3, seed=2).batch()
    restore = Steered(tmp_path / "nano-prior.safetensors", prior=small_prior())
    assert isinstance(learner.stage, Steer)
    expected = learner.stage.shown(to_signed(batch))
    assert restore(batch).ids == batch.ids
    assert float((to_signed(restore(batch)) - expected.clamp(-1, 1)).abs().max()) < 0.01  # weights of 16 bits
    assert restore.provenance()["steps"] == "0"
    with pytest.raises(BadInput, match="trained over another prior"):
        Steered(tmp_path / "nano-prior.safetensors", prior=small_prior(1))
    with pytest.raises(BadInput, match="was not made by the stage steer"):
        Steered(WEIGHTS, prior=small_prior())
    with pytest.raises(BadInput, match="cannot read the weights"):
        Steered(tmp_path / "nothing", prior=small_prior())


def test_the_latent_term_counts_only_faces_whose_w_is_known(config: Config, made: MadeFaces) -> None:
    learner = stage(config, made)
    pairs = Steps(made.beside(blobs(8), config.steer), 2, 0, False, None)[0]
    still, mirrored = np.eye(2, 3), np.array([[-1.0, 0, 31], [0, 1, 0]])
    guess = torch.zeros(2, 3, 16)
    variance = made.latents.var(0).mean()
    for index, moved, counted in (
        ([8, 3], [still, still], [0]),  # the second is no face of the prior
        ([8, 13], [still, mirrored], [0]),
        ([9, 13], [still, still], [1, 5]),
        ([3, 13], [still, mirrored], []),
    ):
        given = type(pairs)(pairs.truth, pairs.degraded, np.array(index), np.stack(moved))
        term = learner._latent_terms(guess, given)["latent"]
        expected = made.latents[counted].square().mean() / variance if counted else torch.tensor(0.0)
        assert torch.allclose(term, expected)


def test_made_faces_are_made_once_and_again_for_other_settings(config: Config, tmp_path: Path) -> None:
    first = made_faces(small_prior(), config, 0, tmp_path)
    assert first.images.shape == (6, 32, 32, 3)
    before = (tmp_path / MADE).stat().st_mtime_ns
    again = made_faces(small_prior(), config, 0, tmp_path)
    assert (tmp_path / MADE).stat().st_mtime_ns == before
    assert flat([again.images, again.latents, again.readout]) == flat([first.images, first.latents, first.readout])
    other = made_faces(small_prior(1), config, 0, tmp_path)
    assert not torch.equal(other.images, first.images)
    assert not torch.equal(made_faces(small_prior(1), config, 1, tmp_path).latents, other.latents)


def test_the_readout_finds_a_linear_map() -> None:
    source = torch.Generator().manual_seed(0)
    features, weights = torch.randn(4, 5, 8, 8, generator=source), torch.randn(12, 6, generator=source)
    image = from_haar(torch.einsum("oc,bchw->bohw", weights[:, :5], features) + weights[:, 5][None, :, None, None])
    fit = ReadoutFit(5)
    for number in range(4):
        fit.add(features[number : number + 1], image[number : number + 1])
    assert torch.allclose(fit.solved(), weights, atol=2e-3)


def test_the_packages_form_is_read(tmp_path: Path) -> None:
    prior = small_prior()
    write_prior(tmp_path / "prior.zip", prior)
    found = read_prior(tmp_path / "prior.zip")
    assert found.channels == CHANNELS
    w = prior.drawn(2, 0.7, torch.Generator().manual_seed(1))
    assert torch.allclose(found.drawn(2, 0.7, torch.Generator().manual_seed(1)), w, atol=1e-6)
    assert torch.allclose(found.image(w)[0], prior.image(w)[0], atol=1e-5)
    assert found.image(w)[0].shape[-1] == 128
    assert not any(weight.requires_grad for weight in found.parameters())


@pytest.mark.parametrize("content", [b"no archive", None])
def test_another_file_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "prior.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as opened:
            for name in ("MappingNetwork", "SynthesisNetwork"):
                opened.writestr(f"{name}.xml", "<net/>")
                opened.writestr(f"{name}.bin", b"")
    else:
        path.write_bytes(content)
    with pytest.raises(BadInput, match="does not hold the generator of random-face") as caught:
        read_prior(path)
    assert "\n" not in str(caught.value)


def test_a_start_of_another_size_is_refused(config: Config, made: MadeFaces) -> None:
    with pytest.raises(BadInput, match="does not fit the U-Net of this config"):
        Steer(config, made.beside(blobs(8), config.steer), "cpu", 0, read_start("nano"), small_prior(), made)


def test_nanos_unet_goes_into_a_fresh_network() -> None:
    config, start = read_config("cpu"), read_start("nano")
    wide = MobilePrior(16, (16, 16, 16, 16, 16, 16), 1)
    network = Steering(config.sizes, wide, 8, 0, torch.zeros(12, 17))
    _put_into(network, start)
    found = network.state_dict()
    for name in ("conv_body_first.weight", "conv_body_up.3.conv2.weight", "toRGB.3.bias"):
        assert torch.equal(found[name], start.weights[name].float())
    assert len(network.conditions) == len(network.conv_body_up) == 4  # type: ignore[arg-type]


def test_without_the_asset_the_stage_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))
    for number, image in enumerate(blobs(10).images):
        write_png(tmp_path / f"{number}.png", image)
    with pytest.raises(AssetMissing, match="random-face"):
        train("steer", data=str(tmp_path), out=tmp_path / "out", config="cpu-steer", steps=1, device="cpu")


def test_the_packages_own_generator_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Face 0 of the face set as openvino makes it, from the same w: no level of 255 is off by more than 1."""
    pytest.importorskip("openvino", reason="the face set runs in openvino")
    fetched(monkeypatch, "random-face")
    path = assets.path("random-face", "this test")
    theirs, ours = _Generator(path), read_prior(path)
    w = theirs.w(0, 0)
    image = ((ours.image(torch.from_numpy(w))[0].clamp(-1, 1) + 1) * 127.5).round()[0].permute(1, 2, 0)
    assert np.abs(image.numpy() - theirs.image(w)).max() <= 1
