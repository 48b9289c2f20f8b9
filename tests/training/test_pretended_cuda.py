"""Both stages on a CUDA device that is only pretended: no tensor is left on the CPU where a GPU would want it.

torch's fake tensors have shapes, types and devices and no numbers. They refuse what CUDA refuses: two devices in one
operation. They say nothing of values, speed or memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.training.blobs import blobs
from tests.training.small_prior import small_prior
from training import steer
from training.config import Config, read_config
from training.data import Faces, Mixture, Steps, pairs_of
from training.prior import Prior
from training.restore import Restore
from training.steer import Steer, made_faces

CUDA = "cuda:0"
pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")  # copy.deepcopy does


def moved(module: nn.Module, *args: Any, **options: Any) -> nn.Module:
    """``Module.to`` by new parameters: torch's own swaps them in place, which fake ones refuse."""
    if not args:  # a layout, which changes no device
        return module
    for part in module.modules():
        for name, weight in list(part.named_parameters(recurse=False)):
            setattr(part, name, nn.Parameter(weight.detach().to(*args), weight.requires_grad))
        for name, buffer in list(part.named_buffers(recurse=False)):
            part.register_buffer(name, buffer.to(*args))
    return module


@contextmanager
def pretended() -> Iterator[None]:
    """Every tensor made within is fake."""
    with pytest.MonkeyPatch.context() as patch, FakeTensorMode(allow_non_fake_inputs=True):
        patch.setattr(nn.Module, "to", moved)
        # Without these autocast finds no CUDA, and leaves float32 where a GPU would have bf16.
        patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        # Going backwards takes a driver. What goes forwards says where everything is.
        patch.setattr(torch.Tensor, "backward", lambda loss: None)
        patch.setattr(torch.autograd, "grad", lambda outputs, inputs, **options: (torch.zeros_like(inputs),))
        yield


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The recipe for a GPU, small."""
    path = tmp_path / "small.toml"
    path.write_text(
        """
        network = {size_px = 32, narrow = 0.0625, discriminator_width = 8}
        prior = {batch = 4, r1_every = 1}
        restore = {batch = 4, r1_every = 1, features = "dlib", identity = "dlib"}
        losses = {identity = 1.0, edge = 1.0, component_l1 = 1.0}
        """
    )
    return read_config(str(path))


@pytest.fixture
def faces() -> Faces:
    return blobs(16, 32)


def test_the_stage_prior_keeps_everything_on_the_device(config: Config, faces: Faces) -> None:
    levels = Steps(faces, 4, 0, True, None).levels(1)
    with pretended():
        stage = Prior(config, CUDA, 0)
        terms = stage.step(pairs_of(levels, CUDA), 1, 0.1)
        assert {str(term.device) for term in terms.values()} == {CUDA}
        assert stage.sampled(3, 0.7).device.type == "cpu"


@pytest.mark.parametrize("features", ["dlib", "discriminator"])
def test_the_stage_restore_keeps_everything_on_the_device(features: str, config: Config, faces: Faces) -> None:
    levels = Steps(faces, 4, 0, True, Mixture(config.degradation)).levels(1)
    config = replace(config, restore={**config.restore, "features": features})
    with pretended():
        stage = Restore(config, faces, CUDA, 0, None)
        terms = stage.step(pairs_of(levels, CUDA), 1, 0.1)
        assert {str(term.device) for term in terms.values()} == {CUDA}
        assert stage.shown(torch.zeros(3, 3, 32, 32)).device.type == "cpu"
        for key in ("l1", "perceptual", "pyramid", "adversarial", "local", "style", "identity", "discriminator"):
            assert key in terms


def test_the_stage_steer_keeps_everything_on_the_device(
    config: Config, faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, steer={**config.steer, "faces": 4}, losses=replace(config.losses, latent=1.0))
    made = made_faces(small_prior(), config, 0, tmp_path)
    every = made.beside(faces, config.steer)
    levels = Steps(every, 20, 0, False, Mixture(config.degradation)).levels(0)
    monkeypatch.setattr(steer, "prior_sha256", lambda prior: "of no numbers")
    with pretended():
        stage = Steer(config, every, CUDA, 0, None, small_prior(), made)
        terms = stage.step(pairs_of(levels, CUDA), 0, 0.1)
        assert {str(term.device) for term in terms.values()} == {CUDA}
        assert {"l1", "latent", "identity", "perceptual"} <= set(terms)
        assert stage.shown(torch.zeros(3, 3, 32, 32)).device.type == "cpu"


def test_a_tensor_left_on_the_cpu_is_seen(config: Config, faces: Faces) -> None:
    levels = Steps(faces, 4, 0, True, None).levels(1)
    with pretended():
        stage = Prior(config, CUDA, 0)
        with pytest.raises(RuntimeError, match="on the same device"):
            stage.judge(pairs_of(levels, "cpu").truth)
