"""The recognition network of AdaFace: IR-50 on aligned faces of 112 px, trained on MS1MV2."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from gfpbench import assets
from gfpbench.types import BadInput

STAGES = ((64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3))
"""Channels in, channels out and blocks of each stage; the first block of each halves the sides."""
PREFIXES = ("model.net.", "net.", "model.", "")
"""Before the names of the layers: in CVLface's safetensors, in its model.pt, in AdaFace's own checkpoint, in none."""


class IR50(nn.Module):
    """(B, 3, 112, 112) BGR faces in [-1, 1] to (B, 512) embeddings, whose cosine says how alike two identities are.

    The improved residual network of 50 layers in mk-minchul/AdaFace (net.py) and mk-minchul/CVLface@d3d09c9
    (models/iresnet/model.py, IR_50). Layers bear the names that the published files use. The embedding is not
    normalised.
    """

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        self.body = nn.Sequential(
            *(
                _Block(inside if place == 0 else outside, outside, 2 if place == 0 else 1)
                for inside, outside, blocks in STAGES
                for place in range(blocks)
            )
        )
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(512 * 7 * 7, 512),
            nn.BatchNorm1d(512, affine=False),
        )

    def forward(self, bgr: torch.Tensor) -> torch.Tensor:
        embedding: torch.Tensor = self.output_layer(self.body(self.input_layer(bgr)))
        return embedding


class _Block(nn.Module):
    """Batch norm first, two convolutions of which the second strides, and no activation after the sum."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inside != outside:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inside),
            nn.Conv2d(inside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.PReLU(outside),
            nn.Conv2d(outside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        summed: torch.Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return summed


@lru_cache(maxsize=1)
def adaface(path: Path) -> nn.Module:
    """The network with the weights of a file, in eval mode.

    Raises:
        BadInput: for a file that holds other weights.
    """
    held = assets.load_weights(path)
    prefix = next(prefix for prefix in PREFIXES if prefix == "" or any(name.startswith(prefix) for name in held))
    # AdaFace's own checkpoint also has the head of its training.
    weights = {name.removeprefix(prefix): value for name, value in held.items() if not name.startswith("head.")}
    with torch.device("meta"):
        network = IR50()
    expected = {name for name in network.state_dict() if not name.endswith("num_batches_tracked")}
    odd = [f"lacks {name}" for name in sorted(expected - weights.keys())]
    odd += [f"has {name}" for name in sorted(weights.keys() - network.state_dict().keys())]
    if odd:
        raise BadInput(f"{path} does not fit AdaFace IR-50: it {', '.join(odd[:3])} ({len(odd)} such names)")
    network = network.to_empty(device="cpu")
    try:
        network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise BadInput(f"{path} does not fit AdaFace IR-50: {str(error).splitlines()[-1].strip()}") from error
    return network.eval().requires_grad_(False)
