"""The Inception network of the FID family: 2048 features of a face, as the published scores read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gfpbench import assets
from gfpbench.images import to_rgb_arrays, to_uint8
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image
    from torch import nn
else:
    np, torch, F, nn, Image = (
        LazyModule("numpy"),
        LazyModule("torch"),
        LazyModule("torch.nn.functional"),
        LazyModule("torch.nn"),
        LazyModule("PIL.Image"),
    )

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
    from gfpbench.metrics.inception_network import fid_inception  # built of torch's layers; its name needs none

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
