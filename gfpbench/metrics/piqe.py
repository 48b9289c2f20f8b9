"""PIQE: how much of an image's visible texture is blurred, blocky or noisy. Needs no truth; lower is better."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from gfpbench.images import to_gray_255
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric, image_by_image
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import cv2
    import torch
    import torch.nn.functional as F
else:
    torch, F, cv2 = LazyModule("torch"), LazyModule("torch.nn.functional"), LazyModule("cv2")

BLOCK_PX = 16
SEGMENT_PX = 6
ACTIVE = 0.1
"""Variance of a contrast-normalised block above which it has something to see."""
FLAT = 0.1
"""Deviation of a segment of a block's edge below which the block is visibly distorted."""
_WINDOW_PX, _SIGMA_PX = 7, 7 / 6
_CENTRE = (7, 8)
# The authors delete column 8 and then, of what is left, column 9: one centre column stays in the surround.
_SURROUND = tuple(column for column in range(BLOCK_PX) if column not in (7, 9))


@cache
def _taps() -> torch.Tensor:
    """(7,) float64 with sum 1; the 2-D window is its outer product with itself."""
    offset = torch.arange(_WINDOW_PX, dtype=torch.float64) - _WINDOW_PX // 2
    weight = torch.exp(-(offset**2) / (2 * _SIGMA_PX**2))
    return weight / weight.sum()


def _smooth(plane: torch.Tensor) -> torch.Tensor:
    """Gaussian-weighted local means of an (H, W) float64 plane, borders repeated; by OpenCV on the CPU."""
    if plane.device.type != "cpu":
        return _smooth_by_torch(plane)
    taps = _taps().numpy()
    return torch.from_numpy(cv2.sepFilter2D(plane.numpy(), -1, taps, taps, borderType=cv2.BORDER_REPLICATE))


def _smooth_by_torch(plane: torch.Tensor) -> torch.Tensor:
    """The same on any device."""
    taps, edge = _taps().to(plane.device), _WINDOW_PX // 2
    padded = F.pad(plane[None, None], (edge, edge, edge, edge), mode="replicate")
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))[0, 0]


def _blocks(gray: torch.Tensor) -> torch.Tensor:
    """(H, W) whole numbers 0..255 to contrast-normalised blocks (N, 16, 16); incomplete ones repeat their border."""
    height, width = gray.shape
    plane = F.pad(gray[None, None], (0, -width % BLOCK_PX, 0, -height % BLOCK_PX), mode="replicate")[0, 0]
    mean = _smooth(plane)
    deviation = _smooth(plane * plane).sub_(mean * mean).abs_().sqrt_()
    normalized = (plane - mean).div_(deviation.add_(1))
    down, across = (side // BLOCK_PX for side in plane.shape)
    tiles = normalized.reshape(down, BLOCK_PX, across, BLOCK_PX)
    return tiles.permute(0, 2, 1, 3).reshape(-1, BLOCK_PX, BLOCK_PX)


def _variance(total: torch.Tensor, squares: torch.Tensor, count: int) -> torch.Tensor:
    """Sample variance from sums. The values are contrasts of about 1, so that double precision loses nothing here."""
    return (squares - total * total / count).clamp_min(0) / (count - 1)


def _visibly_distorted(blocks: torch.Tensor) -> torch.Tensor:
    """(N,) whether some 6-px segment of a block's four edges hardly varies: blocking, or detail that is gone."""
    edges = torch.stack([blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]], 1)

    def segments(values: torch.Tensor) -> torch.Tensor:
        running = F.pad(values.cumsum(-1), (1, 0))
        return running[..., SEGMENT_PX:] - running[..., :-SEGMENT_PX]

    least = _variance(segments(edges), segments(edges * edges), SEGMENT_PX).flatten(1).amin(1)
    return least < FLAT**2


def _piqe(gray: torch.Tensor) -> torch.Tensor:
    """100 (1 + sum of the active blocks' distortions) / (1 + number of active blocks).

    A visibly distorted block counts 1 - its variance, a noisy one its variance, an inactive one nothing. Noisy is one
    that deviates more than twice as much as its centre and its surround differ.
    """
    blocks = _blocks(gray[0])
    sums, squares = blocks.sum(1), (blocks * blocks).sum(1)  # of each column: centre and surround are made of columns

    def variance_of(columns: tuple[int, ...]) -> torch.Tensor:
        return _variance(sums[:, columns].sum(1), squares[:, columns].sum(1), BLOCK_PX * len(columns))

    variance = variance_of(tuple(range(BLOCK_PX)))
    deviation = variance.sqrt()
    ratio = torch.nan_to_num((variance_of(_CENTRE) / variance_of(_SURROUND)).sqrt())
    # A block without any variation is 0 / 0 here: not noisy, as every comparison with NaN is false.
    noisy = deviation > 2 * (deviation - ratio).abs() / torch.maximum(deviation, ratio)
    distortion = (1 - variance) * _visibly_distorted(blocks) + variance * noisy
    active = variance > ACTIVE
    total = torch.where(active, distortion, 0.0).cpu().cumsum(0)[-1]  # one after the other: in a fixed order
    return 100 * (1 + total) / (1 + active.sum().cpu())


def _on_gray(restored: ImageBatch, _: ImageBatch) -> torch.Tensor:
    return image_by_image(_piqe, to_gray_255(restored))


piqe = PerImageMetric(
    name="piqe",
    unit="",
    better="lower",
    best=None,
    tolerance=6.0,
    tolerance_reason=(
        "a restorer run with another thread count or batch size tips a few bytes, and then a block or two near "
        "a threshold: one image moved by up to 5.9, the mean of 59 by 0.2, measured on faces of 64 to 512 px; "
        "9.9 in the worst of 250 photographs searched for it"
    ),
    minimum_side_px=4 * BLOCK_PX,
    needs_truth=False,
    source="Venkatanath et al. 2015 (NCC), with the constants and the order of steps of MATLAB's piqe (R2018b)",
    score=_on_gray,
)
"""PIQE on the 8-bit grey image (0.299 R + 0.587 G + 0.114 B, rounded): 0 to 100, in blocks of 16 px.

The no-reference metric for small crops, where ``niqe`` is undefined. Below 64 px (16 blocks) the constant that keeps
its quotient finite weighs more than one block in sixteen, so it is undefined there. An image in which no block has
anything to see (one colour, strong blur) scores 100, the worst.

Within 1e-06 of pyiqa's ``piqe`` given the same grey image and its window in double precision; worst of 1,000 images of
64 to 384 px (``tests/bounds``): 2.2e-10. pyiqa rounds its window to single precision and half grey levels either way,
which puts a block near a threshold on its other side: by up to 17 in those images, in double precision and where the
brightest grey is 255. Elsewhere it first stretches the image until that is so, which moved faces of 128 px by 2 in the
median and 14 at most. It also drops incomplete blocks, which MATLAB completes.

How it judges 59 aligned faces of 128 px (mean; share of them scored worse than their own truth): truth 31.2; blurred by
0.5, 1, 2 px 46.9 (98 %), 80.3 (98 %), 95.2 (100 %); JPEG quality 90, 60, 30, 10: 33.3 (64 %), 48.0 (98 %), 56.9 (97 %),
71.4 (100 %); noise of 2, 5, 10, 20, 40 grey levels: 16.6 (0 %), 15.2 (2 %), 34.2 (68 %), 56.2 (95 %), 68.6 (100 %). So
it tells blur and blocks, and takes a grain of 5 levels for texture: read it beside ``hallucination`` or ``psnr_rgb``,
which do not. At 512 px anything softer than a sharp photograph is near 100: use ``niqe`` there.
"""
