"""What each term of the objective has to be, in closed form. Laws take the module, so that broken ones can be given."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gfpbench.types import BadInput
from training.losses import Weights


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def about(value: torch.Tensor, expected: float) -> bool:
    return float(value.detach()) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def l1_is_the_mean_distance(losses: Any) -> None:
    truth = seeded(2, 3, 8, 8)
    assert about(losses.l1(truth + 0.25, truth), 0.25)
    assert about(losses.l1(truth, truth), 0)
    assert about(losses.l1(torch.tensor([1.0, -3.0]), torch.zeros(2)), 2)


def adversarial_is_softplus(losses: Any) -> None:
    assert about(losses.adversarial(torch.zeros(4)), math.log(2))
    assert about(losses.adversarial(torch.full((4,), -50.0)), 50)  # does not saturate where the fake is seen through
    assert about(losses.adversarial(torch.tensor([0.0, 3.0])), (math.log(2) + math.log1p(math.exp(-3))) / 2)


def discriminating_is_logistic(losses: Any) -> None:
    assert about(losses.discriminate(torch.zeros(4), torch.zeros(4)), 2 * math.log(2))
    assert about(losses.discriminate(torch.full((4,), -50.0), torch.full((4,), 50.0)), 0)
    assert about(losses.discriminate(torch.full((4,), 50.0), torch.full((4,), -30.0)), 80)


def r1_of_a_linear_judge(losses: Any) -> None:
    """D(y) = w . y has the gradient w everywhere: gamma / 2 |w|^2, whatever the images and however many."""
    w = seeded(3, 4, 4, seed=1)
    for batch in (1, 5):
        truth = seeded(batch, 3, 4, 4).requires_grad_(True)
        assert about(losses.r1((truth * w).sum((1, 2, 3)), truth, 10.0), 5 * float(w.square().sum()))


def r1_can_be_learnt_from(losses: Any) -> None:
    w, truth = seeded(3, 4, 4, seed=1).requires_grad_(True), seeded(2, 3, 4, 4).requires_grad_(True)
    losses.r1((truth * w).sum((1, 2, 3)), truth, 10.0).backward()
    assert w.grad is not None
    assert torch.allclose(w.grad, 10 * w.detach())


def gram_of_known_features(losses: Any) -> None:
    levels = torch.tensor([1.0, -2.0, 3.0])
    flat = levels[None, :, None, None].expand(2, 3, 5, 4)
    assert torch.allclose(losses.gram(flat), (levels[:, None] * levels / 3).expand(2, 3, 3))
    apart = torch.zeros(1, 2, 1, 2)
    apart[0, 0, 0, 0] = apart[0, 1, 0, 1] = 4.0  # where one channel speaks the other is silent
    assert torch.allclose(losses.gram(apart), torch.eye(2)[None] * 16 / 4)


def style_knows_what_but_not_where(losses: Any) -> None:
    features = seeded(2, 4, 6, 6)
    moved = features.flatten(2)[..., torch.randperm(36, generator=torch.Generator().manual_seed(3))].view_as(features)
    assert about(losses.style([moved], [features]), 0)
    assert about(losses.style([2 * features], [features]), float(3 * losses.gram(features).abs().mean()))


def perceptual_is_the_mean_over_layers(losses: Any) -> None:
    layers = [seeded(2, 4, 8, 8), seeded(2, 8, 4, 4)]
    assert about(losses.perceptual([layers[0] + 0.5, layers[1] - 0.1], layers), 0.3)


def pyramid_of_a_constant_offset(losses: Any) -> None:
    truth = seeded(2, 3, 32, 32)
    smaller = [torch.nn.functional.avg_pool2d(truth, side) for side in (4, 2, 1)]
    assert about(losses.pyramid([level + 0.2 for level in smaller], truth), 3 * 0.2)
    assert about(losses.pyramid(smaller, truth), 0)
    with pytest.raises(BadInput, match=r"no level of \(5, 5\) px"):
        losses.pyramid([truth[..., :5, :5]], truth)


def local_is_the_sum_over_components(losses: Any) -> None:
    assert about(
        losses.local([torch.zeros(2, 1, 7, 7), torch.zeros(2, 1, 7, 7), torch.zeros(2, 1, 9, 9)]), 3 * math.log(2)
    )


def identity_is_the_distance_of_embeddings(losses: Any) -> None:
    eta = seeded(3, 128)
    assert about(losses.identity(eta + 0.1, eta), 0.1)


def edge_sees_slopes_and_no_offset(losses: Any) -> None:
    truth = seeded(1, 3, 8, 8)
    assert about(losses.edge(truth + 0.7, truth), 0)
    assert about(losses.edge(truth + 0.1 * torch.arange(8), truth), 0.1)
    assert about(losses.edge(truth + 0.1 * torch.arange(8)[:, None], truth), 0.1)


def the_mean_latent_has_a_distance_of_one(losses: Any) -> None:
    """Of w with a variance of 2: an answer of w itself has 0, the mean 1, and the size of w does not count."""
    w = torch.tensor([[2.0, 0.0], [0.0, -2.0]])
    for scale in (1.0, 5.0):
        truth, variance = scale * w, torch.tensor(2 * scale**2)
        assert about(losses.latent(torch.zeros(2, 3, 2), truth, variance), 1)
        assert about(losses.latent(truth[:, None].expand(-1, 3, -1), truth, variance), 0)


def the_truth_is_not_taught(losses: Any) -> None:
    """Features of the truth are what to reach: no gradient may move them."""
    for term in (losses.perceptual, losses.style):
        ours, theirs = seeded(2, 4, 8, 8).requires_grad_(True), seeded(2, 4, 8, 8, seed=1).requires_grad_(True)
        term([ours], [theirs]).backward()
        assert ours.grad is not None
        assert theirs.grad is None
    ours, theirs = seeded(2, 8).requires_grad_(True), seeded(2, 8, seed=1).requires_grad_(True)
    losses.identity(ours, theirs).backward()
    assert theirs.grad is None


def total_is_weighted_as_in_the_paper(losses: Any) -> None:
    one = torch.tensor(1.0)
    names = ("l1", "perceptual", "adversarial", "local", "style", "identity")
    paper = {name: float(losses.total({name: one}, Weights())) for name in names}
    assert paper == pytest.approx(
        {"l1": 0.1, "perceptual": 1, "adversarial": 0.1, "local": 1, "style": 200, "identity": 10}
    )
    assert about(losses.total(dict.fromkeys(names, 2 * one), Weights()), 2 * 212.2)
    with pytest.raises(BadInput, match="no term 'sharpness'"):
        losses.total({"sharpness": one}, Weights())


LAWS = (
    l1_is_the_mean_distance,
    adversarial_is_softplus,
    discriminating_is_logistic,
    r1_of_a_linear_judge,
    r1_can_be_learnt_from,
    gram_of_known_features,
    style_knows_what_but_not_where,
    perceptual_is_the_mean_over_layers,
    pyramid_of_a_constant_offset,
    local_is_the_sum_over_components,
    identity_is_the_distance_of_embeddings,
    edge_sees_slopes_and_no_offset,
    the_mean_latent_has_a_distance_of_one,
    the_truth_is_not_taught,
    total_is_weighted_as_in_the_paper,
)
