"""DISTS: how far two images differ in structure and texture, by statistics of VGG-16's features. 0 for equal images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench import assets
from gfpbench.images import quantized
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric, image_by_image
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:
    torch, F = LazyModule("torch"), LazyModule("torch.nn.functional")

STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""torchvision's numbers of the convolutions of each stage; between stages DISTS pools by the L2 norm."""
CHANNELS = (3, 64, 128, 256, 512, 512)
C = 1e-6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """VGG-16's convolutions, and the weights of texture (alpha) and structure (beta) of all 1,475 channels.

    Args:
        convolutions: (weight, bias) by torchvision's number.
        alpha, beta: (1475,) float64; together they sum to 1.
    """

    convolutions: dict[int, tuple[torch.Tensor, torch.Tensor]]
    alpha: torch.Tensor
    beta: torch.Tensor

    def to(self, device: torch.device) -> Network:
        """The same on a device."""
        moved = {number: (weight.to(device), bias.to(device)) for number, (weight, bias) in self.convolutions.items()}
        return Network(moved, self.alpha.to(device), self.beta.to(device))

    def features(self, rgb: torch.Tensor) -> list[torch.Tensor]:
        """The image itself and the last feature map of each stage, for (1, 3, H, W) RGB in [0, 1]."""
        mean, std = (torch.tensor(each, device=rgb.device).view(1, 3, 1, 1) for each in (MEAN, STD))
        maps, held = [rgb], (rgb - mean) / std
        for number, stage in enumerate(STAGES):
            if number > 0:
                held = _l2_pooled(held)
            for convolution in stage:
                held = F.relu(F.conv2d(held, *self.convolutions[convolution], padding=1))
            maps.append(held)
        return maps


def _l2_pooled(maps: torch.Tensor) -> torch.Tensor:
    """Half the size by the square root of a 3 x 3 Hanning-weighted mean of squares (Henaff and Simoncelli 2016)."""
    squares = F.pad(maps * maps, (1, 1, 1, 1))
    height, width = maps.shape[-2:]
    rows = _halved(squares, -2, (height + 1) // 2)
    return (_halved(rows, -1, (width + 1) // 2) + 1e-12).sqrt()


def _halved(values: torch.Tensor, axis: int, length: int) -> torch.Tensor:
    """Every second value of one axis, weighted 1/4, 1/2, 1/4 with its neighbours: Hanning's window of five, inside."""
    before, here, after = (values.narrow(axis, start, 2 * length - 1) for start in range(3))
    step = (..., slice(None, None, 2)) if axis == -1 else (..., slice(None, None, 2), slice(None))
    return (before[step] + after[step]) * 0.25 + here[step] * 0.5


@lru_cache(maxsize=2)
def network(vgg16: Path, weights: Path) -> Network:
    """Load the network.

    Args:
        vgg16: torchvision's file, or its convolutions alone.
        weights: the authors' alpha and beta.

    Raises:
        BadInput: for weights of another network.
    """
    given, learned = assets.load_weights(vgg16), assets.load_weights(weights)
    convolutions = {}
    for number in (number for stage in STAGES for number in stage):
        try:
            convolutions[number] = (given[f"features.{number}.weight"], given[f"features.{number}.bias"])
        except KeyError as error:
            raise BadInput(f"{vgg16} does not fit vgg16: it lacks {error.args[0]}") from error
    if any(learned.get(name) is None or learned[name].numel() != sum(CHANNELS) for name in ("alpha", "beta")):
        raise BadInput(f"{weights} does not fit dists: it has to hold alpha and beta of {sum(CHANNELS)} channels")
    alpha, beta = (learned[name].detach().double().flatten() for name in ("alpha", "beta"))
    whole = alpha.sum() + beta.sum()
    return Network(convolutions, alpha / whole, beta / whole)


def distance(network: Network, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """(B,) distances of the 8-bit images, RGB in [0, 1] at their own size.

    Ding et al. 2020, Eqs. 4 to 6, with 1 - S summed over the channels in place of 1 - sum: the weights sum to 1, and
    equal images are exactly 0. Statistics over pixels are taken in double precision.
    """
    held = network.to(restored.pixels.device)

    def one(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
        apart = []
        for x, y in zip(held.features(ours[None]), held.features(theirs[None]), strict=True):
            x, y = x[0].double().flatten(1), y[0].double().flatten(1)
            mean_x, mean_y = x.mean(1), y.mean(1)
            x, y = x - mean_x[:, None], y - mean_y[:, None]
            texture = (2 * mean_x * mean_y + C) / (mean_x**2 + mean_y**2 + C)
            structure = (2 * (x * y).mean(1) + C) / ((x * x).mean(1) + (y * y).mean(1) + C)
            apart.append(torch.stack((1 - texture, 1 - structure)))
        texture, structure = torch.cat(apart, dim=1)
        value: torch.Tensor = (held.alpha * texture).sum() + (held.beta * structure).sum()
        return value

    return image_by_image(one, quantized(restored).pixels, quantized(truth).pixels)


def _score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    learned = assets.path("dists", "dists")
    return distance(network(assets.path("vgg16", "dists"), learned), restored, truth)


dists = PerImageMetric(
    name="dists",
    unit="",
    better="lower",
    best=0.0,
    tolerance=1e-5,
    tolerance_reason="convolutions differ by 1e-6 between thread counts and devices",
    minimum_side_px=16,
    needs_truth=True,
    source="Ding et al. 2020 (arXiv 2004.07728); the authors' alpha and beta on vgg16, images at their own size",
    score=_score,
)
"""DISTS at the images' own size, as pyiqa's ``dists``; the authors' script resizes to 256 px beforehand."""
