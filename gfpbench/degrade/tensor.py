"""Eq. 6 of GFP-GAN on batches of tensors, on any device.

Blur by Fourier transform and bilinear steps in float32 differ from OpenCV's by up to 0.0005 of a grey level; noise is
the same field and JPEG is exact. An image is the CPU path's, except where such a difference tips a value over a
rounding edge: before JPEG that may move a block's coefficient by a step. ``degrade.chain`` states the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade import blur, colour, jpeg_tensor, noise, resample
from gfpbench.degrade.fast import padded_sides, reflected
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import torch
    from torch.nn import functional
else:
    torch = LazyModule("torch")
    functional = LazyModule("torch.nn.functional")

Tensor: TypeAlias = "torch.Tensor"
Sizes: TypeAlias = list[tuple[int, int]]


_AT_ONCE = 32
"""Images that go through the steps together: a device is busy with one part while noise is drawn for the next."""

MOST_THREADS = 8
"""That draw noise or degrade: each needs the interpreter now and then, and on 16 processors 16 were slower than 8."""


def degraded(pixels: Tensor, parameters: Sequence[Parameters]) -> Tensor:
    """(B, 3, H, W) float32 RGB in [0, 1] to the same, each degraded by its own checked record, not yet rounded."""
    height, width = int(pixels.shape[2]), int(pixels.shape[3])
    sizes = [resample.small_size((height, width), record["downsample_ratio"]) for record in parameters]
    # Large ones first: no image shares a canvas with a much larger one, and the last part has the least to do.
    order = sorted(range(len(sizes)), key=lambda at: sizes[at], reverse=True)
    parts = [order[at : at + _AT_ONCE] for at in range(0, len(order), _AT_ONCE)]
    made = torch.empty_like(pixels)
    with ThreadPoolExecutor(min(len(sizes), torch.get_num_threads(), MOST_THREADS)) as pool:
        all_drawn = [Drawn([sizes[at] for at in part], [parameters[at] for at in part], pixels, pool) for part in parts]
        for part, drawn in zip(parts, all_drawn, strict=True):
            at = _sent(np.array(part), pixels.device)
            made[at] = _degraded(pixels[at], drawn)
    return made


class Drawn:
    """The records of some images, and their noise as other threads draw it while the device is at other steps.

    Noise is made on the CPU from its key, so that an image does not depend on the device that degraded it.
    """

    def __init__(
        self, sizes: Sizes, parameters: Sequence[Parameters], pixels: Tensor, pool: ThreadPoolExecutor
    ) -> None:
        self.sizes, self.parameters = sizes, parameters
        self.strengths = [record["noise_std_grey_levels"] for record in parameters]
        self.counts = [3 * h * w if std > 0 else 0 for (h, w), std in zip(sizes, self.strengths, strict=True)]
        # What is needed and no more goes to the device, in one copy, which it can make by itself.
        self.values = torch.empty(sum(self.counts), pin_memory=pixels.device.type == "cuda")
        self.pending = [
            pool.submit(noise.field, record["noise_key"], size, part.numpy().reshape(*size, 3))
            for part, size, record in zip(torch.split(self.values, self.counts), sizes, parameters, strict=True)
            if len(part)
        ]

    def added(self, device: torch.device) -> Tensor:
        """(B, 3, H, W) float32 RGB on that device, the noise of each image in the top left corner of a canvas of 0."""
        for one in self.pending:
            one.result()
        sides = (max(height for height, _ in self.sizes), max(width for _, width in self.sizes))
        canvases = torch.zeros(len(self.sizes), *sides, 3, device=device)
        sent = torch.split(self.values.to(device, non_blocking=True), self.counts)
        for canvas, part, (height, width) in zip(canvases, sent, self.sizes, strict=True):
            if len(part):
                canvas[:height, :width] = part.view(height, width, 3)
        strength = _sent(np.array(self.strengths, np.float32), device)
        return canvases.permute(0, 3, 1, 2).flip(1).mul_(strength[:, None, None, None]).div_(255)


def _degraded(pixels: Tensor, drawn: Drawn) -> Tensor:
    size = int(pixels.shape[2]), int(pixels.shape[3])
    parameters, sizes, full = drawn.parameters, drawn.sizes, [size] * len(drawn.sizes)
    small = _noisy(_resampled(_blurred(pixels, parameters), full, sizes), drawn)
    return _coloured(_resampled(_compressed(small, sizes, parameters), sizes, full), parameters)


def _sent(values: NDArray[Any], device: torch.device) -> Tensor:
    """An array to the device, without waiting for what the device still computes where it can copy by itself."""
    here = torch.from_numpy(values)
    return here.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else here.to(device)


def _blurred(pixels: Tensor, parameters: Sequence[Parameters]) -> Tensor:
    height, width = pixels.shape[2:]
    if all(blur.is_off(record) for record in parameters):
        return pixels
    size = max(record["blur_kernel_size_px"] for record in parameters)
    shape, reach = padded_sides((3, height, width), size), size // 2
    kernels = np.zeros((len(parameters), size, size), np.float32)
    for canvas, record in zip(kernels, parameters, strict=True):
        own = 1 if blur.is_off(record) else record["blur_kernel_size_px"]
        canvas[reach - own // 2 :, reach - own // 2 :][:own, :own] = 1.0 if own == 1 else blur.kernel_of(record)
    # The middle of each kernel goes to the corner, so that the transform of one symmetric about its middle is real.
    room = (0, shape[1] - size, 0, shape[0] - size)
    centred = functional.pad(_sent(kernels, pixels.device), room).roll((-reach, -reach), (1, 2))
    spectra = torch.fft.rfft2(centred).real
    rows, columns = (
        _sent(reflected(np.arange(-reach, whole - reach), side), pixels.device)
        for whole, side in zip(shape, (height, width), strict=True)
    )
    waves = torch.fft.rfft2(pixels.index_select(2, rows).index_select(3, columns))
    smooth: Tensor = torch.fft.irfft2(waves.mul_(spectra[:, None]), s=shape)
    return smooth[:, :, reach : reach + height, reach : reach + width]


def _taps(sources: list[int], targets: list[int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(B, longest target) indices of both neighbours and the weight of the second, for one side of each image."""
    longest = max(targets)
    first, second = np.zeros((2, len(targets), longest), np.int64)
    weight = np.zeros((len(targets), longest), np.float32)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        first[row, :target], second[row, :target], weight[row, :target] = resample.taps(source, target)
    return _sent(first, device), _sent(second, device), _sent(weight, device)


def _resampled(pixels: Tensor, sources: Sizes, targets: Sizes) -> Tensor:
    """Bilinear without antialiasing, each image from its own size to its own size in the top left corner."""
    if sources == targets:
        return pixels
    left, right, across = _taps([w for _, w in sources], [w for _, w in targets], pixels.device)
    above, below, down = _taps([h for h, _ in sources], [h for h, _ in targets], pixels.device)

    def columns(index: Tensor) -> Tensor:
        return pixels.gather(3, index[:, None, None, :].expand(-1, 3, pixels.shape[2], -1))

    wide = torch.lerp(columns(left), columns(right), across[:, None, None, :])

    def rows(index: Tensor) -> Tensor:
        return wide.gather(2, index[:, None, :, None].expand(-1, 3, -1, wide.shape[3]))

    return torch.lerp(rows(above), rows(below), down[:, None, :, None])


def _noisy(pixels: Tensor, drawn: Drawn) -> Tensor:
    return (drawn.added(pixels.device).add_(pixels) if any(drawn.counts) else pixels).clamp(0, 1)


def _compressed(pixels: Tensor, sizes: Sizes, parameters: Sequence[Parameters]) -> Tensor:
    qualities = [record["jpeg_quality"] for record in parameters]
    if all(quality is None for quality in qualities):
        return pixels
    levels = (pixels * 255).round().to(torch.int32)
    through = jpeg_tensor.round_trip(levels, sizes, [100 if q is None else q for q in qualities]) / 255
    if None not in qualities:
        return through
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
