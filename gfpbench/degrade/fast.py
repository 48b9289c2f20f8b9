"""Blur and downsampling in one step on the CPU: the blur is worked out only where bilinear downsampling looks.

The arithmetic is that of ``blur`` followed by ``resample``, in another order: values differ by about 1e-5 of a grey
level, so that now and then one rounds the other way before JPEG. Choose it for speed, not for byte equality.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from gfpbench.degrade import blur, resample
from gfpbench.images import Floats
from gfpbench.types import Parameters

Spectrum: TypeAlias = NDArray[np.complex64]

_BAND_ROWS = 8  # rows made by one matrix product: few enough that hardly any of its factors are zero


def blurred_and_downsampled(bgr: Floats, record: Parameters) -> Floats:
    """(H, W, 3) float32 to the small picture: matrix products for a separable kernel, else a Fourier transform."""
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


@lru_cache(maxsize=16)
def _fast_length(at_least: int) -> int:
    return int(scipy.fft.next_fast_len(at_least, real=True))


def _fourier(bgr: Floats, record: Parameters) -> Floats:
    height, width, channels = bgr.shape
    small_height, small_width = resample.small_size((height, width), record["downsample_ratio"])
    reach = record["blur_kernel_size_px"] // 2
    shape = _fast_length(height + 2 * reach), _fast_length(width + 2 * reach)
    canvas = np.zeros((channels, *shape), np.float32)
    padded = cv2.copyMakeBorder(bgr, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    canvas[:, : padded.shape[0], : padded.shape[1]] = padded.transpose(2, 0, 1)
    spectrum: Spectrum = scipy.fft.rfft2(canvas, overwrite_x=True)
    kernel = np.zeros(shape, np.float32)
    kernel[: 2 * reach + 1, : 2 * reach + 1] = blur.kernel_of(record)
    # The kernel is symmetric about its middle, so its spectrum is real once that middle is moved to the origin.
    spectrum *= scipy.fft.rfft2(np.roll(kernel, (-reach, -reach), (0, 1))).real
    columns = scipy.fft.ifft(spectrum, axis=1, overwrite_x=True)
    above, below, down = resample.taps(height, small_height)
    rows = columns[:, above + reach] * (1 - down[:, None]) + columns[:, below + reach] * down[:, None]
    blurred = scipy.fft.irfft(rows, shape[1], axis=2, overwrite_x=True)
    left, right, across = resample.taps(width, small_width)
    small = blurred[:, :, left + reach] * (1 - across) + blurred[:, :, right + reach] * across
    return np.ascontiguousarray(small.transpose(1, 2, 0), dtype=np.float32)
