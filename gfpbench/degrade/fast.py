"""Blur and downsampling in one step on the CPU: the blur is computed only at the pixels that downsampling reads.

The arithmetic is that of ``blur`` followed by ``resample``, in another order: values differ by up to 0.0005 of a
grey level, so that now and then one rounds the other way before JPEG. Choose it for speed, not for byte equality.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade import blur, resample
from gfpbench.images import Floats
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import cv2
    import scipy.fft
else:
    cv2, scipy = LazyModule("cv2"), LazyModule("scipy")

Spectrum: TypeAlias = NDArray[np.complex64]

_BAND_ROWS = 8  # rows made by one matrix product: few enough that hardly any of its factors are zero


def blurred_and_downsampled(bgr: Floats, record: Parameters) -> Floats:
    """(H, W, 3) float32 to the small image: matrix products for a separable kernel, else a Fourier transform."""
    if blur.is_off(record):
        return resample.downsampled(bgr, record)
    if blur.is_separable(record):
        return _separable(bgr, record)
    return _fourier(bgr, record)


def reflected(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Positions outside 0..size-1 mirrored back without repeating the edge (OpenCV's BORDER_REFLECT_101)."""
    if size == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * size - 2)
    return np.where(folded >= size, 2 * size - 2 - folded, folded)


def sampling_matrix(source_px: int, target_px: int, kernel: NDArray[np.float64]) -> Floats:
    """(target, source) float32: one side's blur over mirrored borders and bilinear downsampling as one linear map."""
    first, second, weight = resample.taps(source_px, target_px)
    matrix = np.zeros((target_px, source_px))
    rows = np.arange(target_px)[:, None]
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    for centre, share in ((first, 1.0 - weight), (second, weight)):
        columns = reflected(centre[:, None] + offsets, source_px)
        np.add.at(matrix, (rows, columns), share[:, None] * kernel)
    return matrix.astype(np.float32)


def _banded_product(matrix: Floats, columns: Floats) -> Floats:
    """matrix @ columns, skipping the zeros far from the matrix's diagonal band."""
    product = np.empty((matrix.shape[0], columns.shape[1]), np.float32)
    for start in range(0, matrix.shape[0], _BAND_ROWS):
        band = matrix[start : start + _BAND_ROWS]
        used = np.flatnonzero(band.any(axis=0))
        span = slice(used[0], used[-1] + 1)
        np.matmul(band[:, span], columns[span], out=product[start : start + _BAND_ROWS])
    return product


def _separable(bgr: Floats, record: Parameters) -> Floats:
    height, width, channels = bgr.shape
    small_height, small_width = resample.small_size((height, width), record["downsample_ratio"])
    kernel = blur.column_kernel(record)
    down_rows = _banded_product(sampling_matrix(height, small_height, kernel), bgr.reshape(height, width * channels))
    turned = np.ascontiguousarray(down_rows.reshape(small_height, width, channels).transpose(1, 0, 2))
    across = _banded_product(
        sampling_matrix(width, small_width, kernel), turned.reshape(width, small_height * channels)
    )
    return np.ascontiguousarray(across.reshape(small_width, small_height, channels).transpose(1, 0, 2))


@lru_cache(maxsize=64)
def _waves(length: int, frequencies: int, size: int) -> tuple[Floats, Floats]:
    """(frequencies, size) cosines and sines of a transform of that length, at distances from a kernel's middle tap."""
    phase = np.outer(np.arange(frequencies), np.arange(size) - size // 2) * (2 * np.pi / length)
    return np.cos(phase).astype(np.float32), np.sin(phase).astype(np.float32)


def _spectrum_of(kernel: Floats, shape: tuple[int, int]) -> Floats:
    """(height, width // 2 + 1) float32 transform of a kernel about its middle: real, as the kernel is symmetric."""
    size = len(kernel)
    cos_y, sin_y = _waves(shape[0], shape[0], size)
    cos_x, sin_x = _waves(shape[1], shape[1] // 2 + 1, size)
    return np.asarray(cos_y @ (kernel @ cos_x.T) - sin_y @ (kernel @ sin_x.T), dtype=np.float32)


_kept = threading.local()


def _canvas(shape: tuple[int, ...]) -> Floats:
    """This thread's scratch array of that shape. Fresh memory for every image would cost more than its transform."""
    canvas = getattr(_kept, "canvas", None)
    if canvas is None or canvas.shape != shape:
        canvas = _kept.canvas = np.zeros(shape, np.float32)
    return np.asarray(canvas)


def _fourier(bgr: Floats, record: Parameters) -> Floats:
    height, width, channels = bgr.shape
    small_height, small_width = resample.small_size((height, width), record["downsample_ratio"])
    reach = record["blur_kernel_size_px"] // 2
    shape = (
        int(scipy.fft.next_fast_len(height + 2 * reach)),
        int(scipy.fft.next_fast_len(width + 2 * reach, real=True)),
    )
    canvas = _canvas((channels, *shape))
    for plane, values in zip(canvas, cv2.split(bgr), strict=True):
        # Anything in the margin will do: it lies further from the image than the kernel reaches.
        inner = plane[: height + 2 * reach, : width + 2 * reach]
        cv2.copyMakeBorder(values, reach, reach, reach, reach, cv2.BORDER_REFLECT_101, dst=inner)
    spectrum: Spectrum = scipy.fft.rfft2(canvas)
    spectrum *= _spectrum_of(blur.kernel_of(record).astype(np.float32), shape)
    columns = scipy.fft.ifft(spectrum, axis=1, overwrite_x=True)
    above, below, down = resample.taps(height, small_height)
    rows = columns[:, above + reach] * (1 - down[:, None]) + columns[:, below + reach] * down[:, None]
    blurred = scipy.fft.irfft(rows, shape[1], axis=2, overwrite_x=True)
    left, right, across = resample.taps(width, small_width)
    small = blurred[:, :, left + reach] * (1 - across) + blurred[:, :, right + reach] * across
    return np.ascontiguousarray(small.transpose(1, 2, 0), dtype=np.float32)
