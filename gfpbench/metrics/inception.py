"""The Inception network of the FID family: 2048 features of a face, as the published scores read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from gfpbench import assets
from gfpbench.images import to_rgb_arrays, to_uint8
from gfpbench.types import BadInput, ImageBatch

Resize: TypeAlias = Literal["legacy", "clean"]

ASSET = "inception-fid"
SIDE_PX = 299
SOURCES: Mapping[Resize, str] = {
    "legacy": "Heusel et al. 2017, Eq. 6, as in basicsr/metrics/fid.py (BasicSR@8d56e3a) and mseitzer/pytorch-fid",
    "clean": "Parmar et al. 2022 (arXiv 2104.11222), as GaParmar/clean-fid computes it",
}
_AT_ONCE = 16  # images of 299 px in the network together: about 1 GB


def features(batch: ImageBatch, resize: Resize, *, needed_by: str) -> torch.Tensor:
    """(B, 2048) float64 on the CPU: the last pooling layer, for the 8-bit images.

    Args:
        resize: "legacy" is bilinear to 299 px without antialiasing (align_corners False), "clean" bicubic with
            antialiasing, channel by channel in float, clipped to 0..255. Both then go to [-1, 1].
        needed_by: the metric that asks, for the message.

    Raises:
        AssetMissing: without the published weights, for which nothing else can stand in.
    """
    network = fid_inception(assets.path(ASSET, needed_by))
    return extract(network, batch, resize)


def extract(network: nn.Module, batch: ImageBatch, resize: Resize) -> torch.Tensor:
    """The same with a given network."""
    device = batch.pixels.device
    network = network.to(device)
    prepared = prepare(batch, resize)
    with torch.inference_mode():
        parts = [network(part).to("cpu", torch.float64) for part in torch.split(prepared, _AT_ONCE)]
    return torch.cat(parts).clone()


def prepare(batch: ImageBatch, resize: Resize) -> torch.Tensor:
    """(B, 3, 299, 299) float32 in [-1, 1]: what the network sees."""
    if resize == "legacy":
        signed = to_uint8(batch).to(torch.float32) / 127.5 - 1
        return F.interpolate(signed, size=(SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False)
    if resize == "clean":
        images = [torch.stack([_bicubic(rgb[..., c]) for c in range(3)]) for rgb in to_rgb_arrays(batch)]
        return (torch.stack(images) / 127.5 - 1).to(batch.pixels.device)
    raise BadInput(f"resize is 'legacy' or 'clean', not {resize!r}")


def _bicubic(plane: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
    """One (H, W) plane 0..255 to 299 px by Pillow's filter, whose support grows as the image shrinks."""
    resized = Image.fromarray(plane.astype(np.float32)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(resized).copy()).clamp_(0, 255)


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
