"""Eq. 6 of GFP-GAN on batches of tensors, on any device.

Blur by Fourier transform and bilinear steps in float32 differ from OpenCV's by up to 0.0005 of a grey level; noise is
the same field and JPEG is exact. An image is the CPU path's, except where such a difference tips a value over a
rounding edge: before JPEG that may move a block's coefficient by a step. ``degrade.chain`` states the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gfpbench.degrade import blur, colour, jpeg_tensor, noise, resample
from gfpbench.degrade.fast import reflected
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

Tensor: TypeAlias = "torch.Tensor"
Sizes: TypeAlias = list[tuple[int, int]]


def degraded(pixels: Tensor, parameters: Sequence[Parameters]) -> Tensor:
    """(B, 3, H, W) float32 RGB in [0, 1] to the same, each degraded by its own checked record, not yet rounded."""
    size = int(pixels.shape[2]), int(pixels.shape[3])
    sizes = [resample.small_size(size, record["downsample_ratio"]) for record in parameters]
    small = _resampled(_blurred(pixels, parameters), [size] * len(sizes), sizes)
    small = _compressed(_noisy(small, sizes, parameters), sizes, parameters)
    large = _resampled(small, sizes, [size] * len(sizes))
    return _coloured(large, parameters)


def _blurred(pixels: Tensor, parameters: Sequence[Parameters]) -> Tensor:
    height, width = pixels.shape[2:]
    reach = max(record["blur_kernel_size_px"] // 2 for record in parameters)
    if all(blur.is_off(record) for record in parameters):
        return pixels
    rows, columns = (
        torch.from_numpy(reflected(np.arange(-reach, side + reach), side)).to(pixels.device) for side in (height, width)
    )
    shape = height + 2 * reach, width + 2 * reach
    kernels = np.zeros((len(parameters), *shape), np.float32)
    for canvas, record in zip(kernels, parameters, strict=True):
        size = 1 if blur.is_off(record) else record["blur_kernel_size_px"]
        canvas[:size, :size] = 1.0 if size == 1 else blur.kernel_of(record)
        canvas[:] = np.roll(canvas, (-(size // 2), -(size // 2)), (0, 1))
    spectra = torch.fft.rfft2(torch.from_numpy(kernels).to(pixels.device)).real
    mirrored = pixels.index_select(2, rows).index_select(3, columns)
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(mirrored) * spectra[:, None], s=shape)
    return smooth[:, :, reach : reach + height, reach : reach + width]


def _taps(sources: list[int], targets: list[int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(B, longest target) indices of both neighbours and the weight of the second, for one side of each image."""
    longest = max(targets)
    first, second = np.zeros((2, len(targets), longest), np.int64)
    weight = np.zeros((len(targets), longest), np.float32)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        first[row, :target], second[row, :target], weight[row, :target] = resample.taps(source, target)
    return tuple(torch.from_numpy(part).to(device) for part in (first, second, weight))  # type: ignore[return-value]


def _resampled(pixels: Tensor, sources: Sizes, targets: Sizes) -> Tensor:
    """Bilinear without antialiasing, each image from its own size to its own size in the top left corner."""
    if sources == targets:
        return pixels
    left, right, across = _taps([w for _, w in sources], [w for _, w in targets], pixels.device)
    above, below, down = _taps([h for h, _ in sources], [h for h, _ in targets], pixels.device)

    def columns(index: Tensor) -> Tensor:
        return pixels.gather(3, index[:, None, None, :].expand(-1, 3, pixels.shape[2], -1))

    share = across[:, None, None, :]
    wide = columns(left) * (1 - share) + columns(right) * share

    def rows(index: Tensor) -> Tensor:
        return wide.gather(2, index[:, None, :, None].expand(-1, 3, -1, wide.shape[3]))

    share = down[:, None, :, None]
    return rows(above) * (1 - share) + rows(below) * share


def _noisy(pixels: Tensor, sizes: Sizes, parameters: Sequence[Parameters]) -> Tensor:
    """Noise is made on the CPU from its key, so that an image does not depend on the device that degraded it."""
    added = np.zeros((len(sizes), *pixels.shape[1:]), np.float32)
    for canvas, (height, width), record in zip(added, sizes, parameters, strict=True):
        if record["noise_std_grey_levels"] > 0:
            field = noise.field(record["noise_key"], (height, width)) * record["noise_std_grey_levels"] / 255.0
            canvas[:, :height, :width] = field[..., ::-1].transpose(2, 0, 1)
    return (pixels + torch.from_numpy(added).to(pixels.device)).clamp(0, 1)


def _compressed(pixels: Tensor, sizes: Sizes, parameters: Sequence[Parameters]) -> Tensor:
    qualities = [record["jpeg_quality"] for record in parameters]
    if all(quality is None for quality in qualities):
        return pixels
    levels = (pixels * 255).round().to(torch.int32)
    through = (
        jpeg_tensor.round_trip(levels, sizes, [100 if q is None else q for q in qualities]).to(torch.float32) / 255
    )
    off = torch.tensor([quality is None for quality in qualities], device=pixels.device).view(-1, 1, 1, 1)
    return torch.where(off, pixels, through)


def _coloured(pixels: Tensor, parameters: Sequence[Parameters]) -> Tensor:
    if not any("is_grey" in record for record in parameters):
        return pixels
    return torch.stack([_coloured_one(rgb, record) for rgb, record in zip(pixels, parameters, strict=True)])


def _coloured_one(rgb: Tensor, record: Parameters) -> Tensor:
    if "is_grey" not in record:
        return rgb
    shift = [record[f"shift_{name}_grey_levels"] / 255.0 for name in ("red", "green", "blue")]
    if any(shift):
        rgb = (rgb + rgb.new_tensor(shift).view(3, 1, 1)).clamp(0, 1)
    if record["is_grey"]:
        weights = rgb.new_tensor((0.299, 0.587, 0.114)).view(3, 1, 1)
        rgb = (rgb * weights).sum(0, keepdim=True).expand(3, -1, -1)
    return colour.jittered(rgb, record)
