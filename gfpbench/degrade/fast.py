"""The four steps of Eq. 6 on the CPU, for speed: the blur is computed only at the pixels that downsampling reads.

The arithmetic is that of ``blur`` followed by ``resample``, in another order: values differ by up to 0.0005 of a
grey level, so that now and then one rounds the other way before JPEG. Choose it for speed, not for byte equality.
"""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade import blur, resample
from gfpbench.images import Floats, bgr_of_planes
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

_LEFT_OUT = 8e-7
"""How much of a kernel, which sums to 1, a sum of separable ones may leave out: at most 0.0002 of a grey level."""

# Of one side: long enough for a product of matrices to be fast, short enough that hardly any of its factors are zero.
_TILE_X_PX, _TILE_Y_PX = 32, 64


def blurred_and_downsampled(planes: Floats, record: Parameters) -> Floats:
    """(3, H, W) float32 RGB to the small image, (h, w, 3) BGR, by the way that costs least.

    OpenCV's filters for a small window, products of banded matrices, or a Fourier transform. Which of them depends on
    the record and the size alone.
    """
    return bgr_of_planes(_small_planes(planes, record))


def enlarged(bgr: Floats, size_px: tuple[int, int]) -> Floats:
    """``resample.resized``, bit for bit, into memory that this thread's next call overwrites."""
    large = _scratch("large", (*size_px, 3))
    return np.asarray(cv2.resize(bgr, size_px[::-1], dst=large, interpolation=cv2.INTER_LINEAR))


def _small_planes(planes: Floats, record: Parameters) -> Floats:
    if blur.is_off(record) or _has_small_window(record):
        return _filtered(planes, record)
    factors = _factors(record, _terms_that_pay(planes.shape, record))
    return _fourier(planes, record) if factors is None else _products(planes, record["downsample_ratio"], *factors)


def _has_small_window(record: Parameters) -> bool:
    """Whether OpenCV filters the whole image sooner than anything else makes the pixels that are read of it."""
    size = record["blur_kernel_size_px"]
    return bool(size <= 15 and size * record["downsample_ratio"] <= 50 if blur.is_separable(record) else size <= 7)


def _filtered(planes: Floats, record: Parameters) -> Floats:
    height, width = planes.shape[1:]
    small = resample.small_size((height, width), record["downsample_ratio"])
    result, smooth = np.empty((len(planes), *small), np.float32), _scratch("smooth", (height, width))
    off, separable = blur.is_off(record), blur.is_separable(record)
    kernel = blur.column_kernel(record) if separable else blur.kernel_of(record)
    for plane, made in zip(planes, result, strict=True):
        if off:
            smooth = plane
        elif separable:
            cv2.sepFilter2D(plane, -1, kernel, kernel, dst=smooth)
        else:
            cv2.filter2D(plane, -1, kernel, dst=smooth)
        cv2.resize(smooth, small[::-1], dst=made, interpolation=cv2.INTER_LINEAR)
    return result


def reflected(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Positions outside 0..size-1 mirrored back without repeating the edge (OpenCV's BORDER_REFLECT_101)."""
    if size == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * size - 2)
    return np.where(folded >= size, 2 * size - 2 - folded, folded)


def _terms_that_pay(shape: tuple[int, ...], record: Parameters) -> int:
    """How many separable terms cost less than a Fourier transform, from the time that both took on 512-px faces."""
    _, height, width = shape
    small_height, small_width = resample.small_size((height, width), record["downsample_ratio"])
    size = record["blur_kernel_size_px"]
    a_term = height * small_width * (size + _TILE_X_PX) + small_height * small_width * (size + _TILE_Y_PX)
    return int(_TRANSFORM * height * width * math.log2(height * width + 1) / a_term)


_TRANSFORM = 8.0
"""What a transform costs for each pixel and power of two of their number, in multiplications of matrices."""


def _factors(record: Parameters, most: int) -> tuple[Floats, Floats] | None:
    """Columns and rows (terms, size) whose products sum to the record's kernel; None where it takes more than that."""
    if blur.is_separable(record):
        column = blur.column_kernel(record)[None].astype(np.float32)
        return column, column
    if most < 2:
        return None
    kernel = blur.kernel_of(record)
    columns, strengths, rows = np.linalg.svd(kernel)
    # The absolute values of a matrix sum to no more than its side times the root of the sum of its squares.
    left_out = len(kernel) * np.sqrt(np.cumsum(strengths[::-1] ** 2)[::-1])
    terms = int(np.count_nonzero(left_out > _LEFT_OUT))
    if terms > most:
        return None
    return (columns[:, :terms].T * strengths[:terms, None]).astype(np.float32), rows[:terms].astype(np.float32)


def bands(source_px: int, target_px: int, kernels: Floats, tile: int) -> list[tuple[int, int, Floats]]:
    """One side's blurs over mirrored borders, each followed by bilinear downsampling, as linear maps of few pixels.

    Args:
        source_px, target_px: that side of the image before and after.
        kernels: (terms, size).
        tile: how many target pixels a map is for.

    Returns:
        For each tile the source pixels that it reads, start and stop, and (stop - start, terms, tile) float32 weights;
        weights of target pixels beyond the last are 0.
    """
    first, second, weight = resample.taps(source_px, target_px)
    size = kernels.shape[1]
    at = np.arange(target_px)
    starts = first[::tile] - size // 2
    stops = second[np.minimum(at[::tile] + tile, target_px) - 1] + size // 2 + 1
    weights = np.zeros((len(starts), (stops - starts).max(), len(kernels), tile), np.float32)
    rows = first - size // 2 - starts[at // tile] + np.arange(size)[:, None]
    taps = kernels.T[:, None]
    weights[at // tile, rows, :, at % tile] = taps * (1 - weight)[:, None]
    weights[at // tile, rows + (second - first), :, at % tile] += taps * weight[:, None]
    return [
        _folded(start, values[: stop - start], source_px)
        for start, stop, values in zip(starts.tolist(), stops.tolist(), weights, strict=True)
    ]


def _folded(start: int, weights: Floats, source_px: int) -> tuple[int, int, Floats]:
    """Weights of source pixels from that one on, those outside of the image added to the ones they mirror."""
    stop = start + len(weights)
    if start >= 0 and stop <= source_px:
        return start, stop, weights
    inside = reflected(np.arange(start, stop), source_px)
    start, stop = int(inside.min()), int(inside.max()) + 1
    folded = np.zeros((stop - start, *weights.shape[1:]), np.float32)
    for position, values in zip((inside - start).tolist(), weights, strict=True):
        folded[position] += values
    return start, stop, folded


def _products(planes: Floats, ratio: float, columns: Floats, rows: Floats) -> Floats:
    """The sum over terms of (columns downsampled) times the image times (rows downsampled)."""
    channels, height, width = planes.shape
    small_height, small_width = resample.small_size((height, width), ratio)
    terms = len(rows)
    tile_x = max(1, math.ceil(_TILE_X_PX / ratio), 16 // terms)
    tile_y = max(1, math.ceil(_TILE_Y_PX / ratio))
    down = [
        (start * terms, stop * terms, weights.reshape(-1, tile_y).T)
        for start, stop, weights in bands(height, small_height, columns, tile_y)
    ]
    across = bands(width, small_width, rows, tile_x)
    small = np.empty((channels, len(down) * tile_y, len(across) * tile_x), np.float32)
    lines = planes.reshape(channels * height, width)
    narrow = _scratch("narrow", (channels * height, terms * tile_x))
    for x, (left, right, weights) in enumerate(across):
        np.matmul(lines[:, left:right], weights.reshape(right - left, terms * tile_x), out=narrow)
        turned = narrow.reshape(channels, height * terms, tile_x)
        for y, (above, below, factors) in enumerate(down):
            into = small[:, y * tile_y : (y + 1) * tile_y, x * tile_x : (x + 1) * tile_x]
            np.matmul(factors, turned[:, above:below], out=into)
    return small[:, :small_height, :small_width]


@lru_cache(maxsize=64)
def _waves(length: int, size: int) -> tuple[Floats, Floats]:
    """(length // 2 + 1, size) cosines and sines of a transform of that length, at distances from a middle tap."""
    phase = np.outer(np.arange(length // 2 + 1), np.arange(size) - size // 2) * (2 * np.pi / length)
    return np.cos(phase).astype(np.float32), np.sin(phase).astype(np.float32)


def _spectrum_of(kernel: Floats, shape: tuple[int, int]) -> Floats:
    """(height, width) float32: what ``cv2.dft`` of a plane of that even size is multiplied by, value for value.

    The transform of a kernel about its middle is real, as the kernel is symmetric. OpenCV packs real and imaginary
    parts in neighbouring columns; those of the first and the last frequency across in neighbouring rows.
    """
    height, width = shape
    cos_y, sin_y = _waves(height, len(kernel))
    cos_x, sin_x = _waves(width, len(kernel))
    even, odd = cos_y @ (kernel @ cos_x.T), sin_y @ (kernel @ sin_x.T)
    half = np.concatenate((even - odd, (even + odd)[-2:0:-1]))
    packed = _scratch("kernel", shape)
    packed[:, 1:-1:2] = packed[:, 2:-1:2] = half[:, 1:-1]
    for column in (0, -1):
        packed[:-1:2, column] = half[: height // 2, column]
        packed[1::2, column] = half[1 : height // 2 + 1, column]
    return packed


_kept = threading.local()


def _scratch(name: str, shape: tuple[int, ...]) -> Floats:
    """This thread's array of that name. Fresh memory for every image would cost more than what is computed in it."""
    values = getattr(_kept, name, None)
    if values is None or values.shape != shape:
        values = np.zeros(shape, np.float32)
        setattr(_kept, name, values)
    return np.asarray(values)


def _fourier(planes: Floats, record: Parameters) -> Floats:
    _, height, width = planes.shape
    reach = record["blur_kernel_size_px"] // 2
    small = resample.small_size((height, width), record["downsample_ratio"])
    shape = _even_size(height + 2 * reach), _even_size(width + 2 * reach)
    factors = _spectrum_of(blur.kernel_of(record).astype(np.float32), shape)
    canvas, spectrum = _scratch("canvas", shape), _scratch("spectrum", shape)
    # Anything in the margin will do: it lies further from the image than the kernel reaches.
    inner = canvas[: height + 2 * reach, : width + 2 * reach]
    blurred = spectrum[reach : reach + height, reach : reach + width]
    result = np.empty((len(planes), *small), np.float32)
    for plane, made in zip(planes, result, strict=True):
        cv2.copyMakeBorder(plane, reach, reach, reach, reach, cv2.BORDER_REFLECT_101, dst=inner)
        cv2.dft(canvas, dst=spectrum)
        np.multiply(spectrum, factors, out=spectrum)
        cv2.idft(spectrum, dst=spectrum, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
        cv2.resize(blurred, small[::-1], dst=made, interpolation=cv2.INTER_LINEAR)
    return result


def _even_size(size: int) -> int:
    return 2 * int(cv2.getOptimalDFTSize((size + 1) // 2))
