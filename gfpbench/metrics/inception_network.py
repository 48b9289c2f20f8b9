"""The Inception network of FID, KID, precision and recall: torchvision's layers, pooled as TensorFlow's graph does."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from gfpbench import assets
from gfpbench.types import BadInput


@lru_cache(maxsize=1)
def fid_inception(path: Path) -> nn.Module:
    """The network with weights from a file such as pt_inception-2015-12-05-6726825d.pth, in eval mode.

    Raises:
        BadInput: for a file that holds other weights.
    """
    weights = assets.load_weights(path)
    # The published file has the 1008-way classifier too, and no counters of the batch norms.
    weights = {name: value for name, value in weights.items() if not name.startswith(("fc.", "AuxLogits."))}
    network = FidInception()
    try:
        missing, unexpected = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise BadInput(f"{path} does not fit the FID Inception: {str(error).splitlines()[-1].strip()}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        odd = [f"lacks {name}" for name in missing] + [f"has {name}" for name in unexpected]
        raise BadInput(f"{path} does not fit the FID Inception: it {', '.join(odd[:3])} ({len(odd)} such names)")
    return network.eval().requires_grad_(False)


class FidInception(nn.Module):
    """Inception v3 as TensorFlow's FID graph of 2015-12-05 has it: [-1, 1] images of 299 px to (B, 2048).

    Torchvision's layers in torchvision's names, so that the published file fits, with three differences in how the
    pooled branches work (mseitzer/pytorch-fid, inception.py): average pooling leaves the zero padding out of its
    mean, and the very last block takes a maximum there instead of a mean, an oddity of that graph.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.inception import Inception3

        # init_weights=False: torchvision's truncated normal takes half a minute, and a file replaces it anyway.
        whole = Inception3(num_classes=1, aux_logits=False, transform_input=False, init_weights=False)
        for name, layer in whole.named_children():
            if name not in ("dropout", "fc", "avgpool"):
                self.add_module(name, layer)
        # The first two blocks pool to 32 and 64 features as torchvision's do; only the arithmetic differs.
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7b"):
            self.add_module(name, _PooledBranch(getattr(whole, name), maximum=False))
        self.add_module("Mixed_7c", _PooledBranch(whole.Mixed_7c, maximum=True))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        for layer in self.children():
            pixels = layer(pixels)
        return pixels.mean((2, 3))


class _PooledBranch(nn.Module):
    """A torchvision block whose pooled branch (always its last) works as TensorFlow's does, under the same names."""

    def __init__(self, block: Any, *, maximum: bool) -> None:
        super().__init__()
        for name, layer in block.named_children():
            self.add_module(name, layer)
        # The block goes on computing its other branches. It is kept out of the registry, where its layers are by now,
        # and hands its own pooling through unused.
        block.branch_pool = nn.Identity()
        self.__dict__["_block"] = block
        self._maximum = maximum

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        branches = self.__dict__["_block"]._forward(pixels)
        if self._maximum:
            pooled = F.max_pool2d(pixels, kernel_size=3, stride=1, padding=1)
        else:
            pooled = F.avg_pool2d(pixels, kernel_size=3, stride=1, padding=1, count_include_pad=False)
        branches[-1] = self.get_submodule("branch_pool")(pooled)
        return torch.cat(branches, 1)
