"""The terms of the objective against closed forms, and against basicsr's own."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch

from gfpbench.types import BadInput
from tests.training.laws_losses import LAWS, seeded
from tests.unit.restorers.upstream_gfpgan import upstream
from training import losses


@pytest.fixture(scope="module")
def basicsr_losses() -> ModuleType:
    upstream()  # lets basicsr be imported, or skips
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("basicsr.losses")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_closed_form(law: Callable[[Any], None]) -> None:
    law(losses)


def test_adversarial_terms_are_basicsrs(basicsr_losses: ModuleType) -> None:
    theirs = basicsr_losses.gan_loss.GANLoss("wgan_softplus", loss_weight=0.1)
    fake, true = seeded(8), seeded(8, seed=1)
    assert torch.allclose(0.1 * losses.adversarial(fake), theirs(fake, True, is_disc=False))
    both = theirs(fake, False, is_disc=True) + theirs(true, True, is_disc=True)
    assert torch.allclose(losses.discriminate(fake, true), both)


def test_local_terms_are_basicsrs(basicsr_losses: ModuleType) -> None:
    """GFP-GAN judges components with the ``vanilla`` loss: binary cross-entropy of logits."""
    theirs = basicsr_losses.gan_loss.GANLoss("vanilla")
    logits = [seeded(2, 1, 7, 7, seed=seed) for seed in range(3)]
    assert torch.allclose(losses.local(logits), sum(theirs(part, True, is_disc=False) for part in logits))


def test_r1_is_basicsrs(basicsr_losses: ModuleType) -> None:
    w, truth = seeded(3, 4, 4, seed=1), seeded(2, 3, 4, 4).requires_grad_(True)

    def judged() -> torch.Tensor:
        return (truth * w).tanh().sum((1, 2, 3))

    theirs = basicsr_losses.gan_loss.r1_penalty(judged(), truth)
    assert torch.allclose(losses.r1(judged(), truth, 10.0), 10.0 / 2 * theirs)


def test_gram_is_basicsrs(basicsr_losses: ModuleType) -> None:
    features = seeded(2, 5, 6, 7)
    theirs = basicsr_losses.basic_loss.PerceptualLoss._gram_mat(None, features)
    assert torch.allclose(losses.gram(features), theirs, atol=1e-7)


def test_gram_is_float32_whatever_it_is_given() -> None:
    assert losses.gram(seeded(1, 4, 8, 8).to(torch.bfloat16)).dtype == torch.float32


def test_layers_have_to_match() -> None:
    with pytest.raises(BadInput, match="2 feature maps cannot be compared with 1"):
        losses.perceptual([seeded(1, 2, 4, 4)] * 2, [seeded(1, 2, 4, 4)])
    with pytest.raises(BadInput, match="without terms"):
        losses.total({}, losses.Weights())
