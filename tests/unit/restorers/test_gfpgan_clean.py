"""A clean GFP-GAN network as a restorer: configuration, answers that are not images."""

from __future__ import annotations

import pytest
import torch

from gfpbench.images import select
from gfpbench.restorers.gfpgan_clean import GfpganClean, clean_network
from gfpbench.types import BadInput, ImageBatch


class Fixed(torch.nn.Module):
    """Answers with one value everywhere, and keeps how it was called."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor, **options: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        self.options, self.range, self.trains = options, torch.aminmax(x), self.training
        return torch.full_like(x, self.value), []


def test_the_network_is_called_as_it_was_trained(degraded: ImageBatch) -> None:
    network = Fixed(3.0).train()
    restored = GfpganClean("fixed", network, 128, "cpu", {})(select(degraded, [0]))
    assert network.options == {"return_rgb": False, "randomize_noise": False}
    assert network.range[0] < -0.5  # [-1, 1], not [0, 1]
    assert not network.trains
    assert restored.pixels.unique().tolist() == [1.0]  # clamped


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_not_finite_is_raised(value: float, degraded: ImageBatch) -> None:
    with pytest.raises(BadInput, match="not finite"):
        GfpganClean("fixed", Fixed(value), 128, "cpu", {})(degraded)


def test_weights_that_do_not_fit_are_refused() -> None:
    config = {"out_size": 32, "num_style_feat": 8, "num_mlp": 1, "narrow": 0.03125}
    with pytest.raises(BadInput, match=r"the weights do not fit GFPGANv1Clean.*Missing key"):
        clean_network(config, {"conv_body_first.bias": torch.zeros(8)})
