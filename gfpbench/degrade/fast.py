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

_LEFT_OUT = 5e-7
"""How much of a kernel, which sums to 1, a sum of separable ones may leave out: at most 0.00013 of a grey level."""

_CUT_OFF = 3e-7
"""How much of a kernel may lie outside of the window that is computed: with the above at most 0.0002 of a level."""

# Of the small image: enough columns for a register of 16 numbers and, of few terms, enough rows to read a source pixel
# seldom; more of them only multiply zeros.
_TILE_X_PX, _TILE_Y_PX = 16, 4

# The images are spread over threads already; OpenBLAS spreads larger products over its own, which wait for each other.
_IN_ONE_THREAD = 1 << 18

_CACHED = 1 << 19
"""How many numbers between the two products stay in the processor's cache."""


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
    if blur.is_off(record):
        return _filtered(planes, None, record)
    kernel = _kernel_of(record)
    window = _without_margins(kernel)
    filtered, fourier, start, term = _costs(planes.shape, window.shape, record)
    factors = _factors(window, int((min(filtered, fourier) - start) / term))
    if factors is not None:
        return _products(planes, record["downsample_ratio"], *factors)
    return _fourier(planes, kernel, record) if fourier < filtered else _filtered(planes, window, record)


def _kernel_of(record: Parameters) -> blur.Kernel:
    """The (size, 1) column of a kernel that is separable into two equal ones, the (size, size) kernel otherwise."""
    return blur.column_kernel(record)[:, None] if blur.is_separable(record) else blur.kernel_of(record)


def _without_margins(kernel: blur.Kernel) -> blur.Kernel:
    """The middle rows and columns of a kernel of odd sides, the same upside down, without what hardly weighs.

    A Gaussian of a small sigma fills little of its window: at 41 taps and a sigma of 2 px, 21 of them.
    """
    # Twice for both margins, and each axis has half of what may be cut off; a column stands for its row as well.
    down, across = (2 * kernel.sum(1 - axis)[: kernel.shape[axis] // 2 - 1].cumsum() for axis in (0, 1))
    top, left = (int(np.searchsorted(outside, _CUT_OFF / 2, side="right")) for outside in (down, across))
    # Never a single column, which would stand for a separable kernel.
    return kernel[top : len(kernel) - top, left : kernel.shape[1] - left]


def _costs(shape: tuple[int, ...], window: tuple[int, ...], record: Parameters) -> tuple[float, float, float, float]:
    """What OpenCV's filters, a Fourier transform, and the start and each separable term of products take of a plane.

    In multiplications of a product of matrices, fitted to the processor time that they take of a face of 512 px.
    """
    _, height, width = shape
    separable = window[1] == 1
    down, across = (window[0], window[0]) if separable else window
    ratio = record["downsample_ratio"]
    small_height, small_width = resample.small_size((height, width), ratio)
    filtered = height * width * (35 + 0.125 * down * across if separable else 30 + 1.1 * down * across)
    # A number that is read or written costs as much as several multiplications.
    term = small_height * (width * (down + 8) + small_width * (across + 8 + _TILE_X_PX * ratio))
    padded = math.prod(padded_sides(shape, record["blur_kernel_size_px"]))
    return filtered, 8.3 * padded * math.log2(padded), 100.0 * small_height * width, term


def _filtered(planes: Floats, kernel: blur.Kernel | None, record: Parameters) -> Floats:
    height, width = planes.shape[1:]
    small = resample.small_size((height, width), record["downsample_ratio"])
    result, smooth = np.empty((len(planes), *small), np.float32), _scratch("smooth", (height, width))
    for plane, made in zip(planes, result, strict=True):
        if kernel is None:
            smooth = plane
        elif kernel.shape[1] == 1:
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


def _factors(kernel: blur.Kernel, most: int) -> tuple[Floats, Floats] | None:
    """Columns and rows (terms, size) whose products sum to the kernel; None where it takes more terms than that.

    Crosses of the kernel around its largest values: hardly more of them than singular vectors, in a fifth of the time.
    """
    if kernel.shape[1] == 1:
        column = kernel.T.astype(np.float32)
        return (column, column) if most > 0 else None
    if most < 2:
        return None
    columns: list[blur.Kernel] = []
    rows: list[blur.Kernel] = []
    left, sizes = kernel.copy(), np.abs(kernel)
    while sizes.sum() > _LEFT_OUT:
        if len(rows) == most:
            return None
        y, x = divmod(int(sizes.argmax()), kernel.shape[1])
        columns.append(left[:, x].copy())
        rows.append(left[y] / left[y, x])
        left -= columns[-1][:, None] * rows[-1]
        np.abs(left, out=sizes)
    return np.array(columns, np.float32), np.array(rows, np.float32)


def bands(source_px: int, target_px: int, kernels: Floats) -> tuple[NDArray[np.int64], Floats]:
    """One side's blurs over mirrored borders, each followed by bilinear downsampling, as linear maps of few pixels.

    Args:
        source_px, target_px: that side of the image before and after.
        kernels: (terms, size).

    Returns:
        For each target pixel the first source pixel that it reads, (target,), never a smaller one than before, and the
        (target, terms, span) float32 weights of that one and the next; all lie inside of the image.
    """
    first, _, weight = resample.taps(source_px, target_px)
    terms, size = kernels.shape
    share, span = weight[:, None, None], min(size + 1, source_px)
    # The second neighbour follows the first, except at the edge, where its share is 0.
    weights = np.zeros((target_px, terms, size + 1), np.float32)
    np.multiply(kernels, 1 - share, out=weights[:, :, :-1])
    weights[:, :, 1:] += kernels * share
    read = first[:, None] + np.arange(size + 1) - size // 2
    starts = np.clip(read[:, 0], 0, source_px - span)
    at = np.flatnonzero((read[:, 0] < 0) | (read[:, -1] >= source_px))
    inside = reflected(read[at], source_px) - starts[at, None]
    folded = np.zeros((len(at), span, terms), np.float32)
    np.add.at(folded, (np.arange(len(at))[:, None], inside), weights[at].transpose(0, 2, 1))
    weights[at, :, :span] = folded.transpose(0, 2, 1)
    return starts, weights[:, :, :span]


def _tiled(starts: NDArray[np.int64], weights: Floats, tile: int) -> list[tuple[int, int, int, Floats]]:
    """Bands of neighbours as matrices: the first of its target pixels, the source pixels from and to, and the weights.

    The weights are (terms, source pixels, tile); those of target pixels beyond the last are 0.
    """
    count, terms, span = weights.shape
    first = starts[::tile]
    last = starts[np.minimum(np.arange(tile - 1, tile * len(first), tile), count - 1)]
    widest = int((last - first).max()) + span
    at, place = np.divmod(np.arange(count), tile)
    begin = (at * widest + starts - first[at]) * tile + place
    values = np.zeros((terms, len(first) * widest * tile), np.float32)
    values[:, begin[:, None] + tile * np.arange(span)] = weights.transpose(1, 0, 2)
    matrices = values.reshape(terms, len(first), widest, tile)
    return [
        (number * tile, left, right, matrices[:, number, : right - left])
        for number, (left, right) in enumerate(zip(first.tolist(), (last + span).tolist(), strict=True))
    ]


def _products(planes: Floats, ratio: float, columns: Floats, rows: Floats) -> Floats:
    """The sum over terms of (columns downsampled) times the image times (rows downsampled)."""
    channels, height, width = planes.shape
    small_height, small_width = resample.small_size((height, width), ratio)
    terms = len(rows)
    tile_y = _TILE_Y_PX if terms < 4 else 1  # the rows of many terms fill a register between them
    upright = bands(height, small_height, columns)
    same = columns is rows and height == width
    down = _tiled(*upright, tile_y)
    across = _tiled(*(upright if same else bands(width, small_width, rows)), _TILE_X_PX)
    small = np.empty((channels, len(down) * tile_y, len(across) * _TILE_X_PX), np.float32)
    widest = max(right - left for _, left, right, _ in across)
    at_once = min(_CACHED // (terms * width), _IN_ONE_THREAD // (widest * _TILE_X_PX)) // (channels * tile_y)
    at_once = max(1, at_once)
    for top in range(0, len(down), at_once):
        some = down[top : top + at_once]
        first, count = some[0][0], len(some) * tile_y
        flat = _scratch("flat", (channels, count, terms, width))
        for at, above, below, weights in some:
            into = flat[:, at - first : at - first + tile_y]
            if tile_y == 1:
                np.matmul(weights[..., 0], planes[:, above:below], out=into[:, 0])
            else:
                np.matmul(weights.transpose(0, 2, 1), planes[:, None, above:below], out=into.transpose(0, 2, 1, 3))
        lines = flat.reshape(channels * count, terms, width).transpose(1, 0, 2)
        parts = _scratch("parts", (terms, channels, count, _TILE_X_PX))
        for at, left, right, weights in across:
            np.matmul(lines[:, :, left:right], weights, out=parts.reshape(terms, channels * count, _TILE_X_PX))
            np.add.reduce(parts, 0, out=small[:, first : first + count, at : at + _TILE_X_PX])
    return small[:, :small_height, :small_width]


@lru_cache(maxsize=64)
def _waves(length: int, size: int, packed: bool) -> tuple[Floats, Floats]:
    """(frequencies, size // 2 + 1) cosines and sines of a transform of that length, at distances from a middle tap.

    Those of distances above 0 twice, for the tap on the other side. The frequencies are 0 to length // 2, and packed
    all but the first and the last of them two times running, as OpenCV has a real and an imaginary part of each.
    """
    frequencies = (np.arange(length) + 1) // 2 if packed else np.arange(length // 2 + 1)
    phase = np.outer(frequencies, np.arange(size // 2 + 1)) * (2 * np.pi / length)
    twice = np.where(np.arange(size // 2 + 1) > 0, 2, 1)
    return (twice * np.cos(phase)).astype(np.float32), (twice * np.sin(phase)).astype(np.float32)


def _spectrum_of(kernel: Floats, shape: tuple[int, int]) -> Floats:
    """(height, width) float32: what ``cv2.dft`` of a plane of that even size is multiplied by, value for value.

    The transform of a kernel about its middle is real, as the kernel is symmetric. OpenCV packs real and imaginary
    parts in neighbouring columns; those of the first and the last frequency across in neighbouring rows.
    """
    height, width = shape
    cos_y, sin_y = _waves(height, len(kernel), packed=False)
    cos_x, sin_x = _waves(width, len(kernel), packed=True)
    middle = len(kernel) // 2
    half = kernel[middle:] * np.float32(0.5)
    right, left = half[:, middle:], half[:, middle::-1]
    even, odd = _scratch("even", (len(cos_y), width)), _scratch("odd", (len(cos_y), width))
    _multiply(cos_y, (right + left) @ cos_x.T, even)
    _multiply(sin_y, (right - left) @ sin_x.T, odd)
    packed = _scratch("kernel", shape)
    np.subtract(even, odd, out=packed[: len(even)])
    np.add(even[-2:0:-1], odd[-2:0:-1], out=packed[len(even) :])
    for column in (0, -1):
        packed[:-1:2, column] = even[:-1, column]
        packed[1::2, column] = even[1:, column]
    return packed


def _multiply(left: Floats, right: Floats, out: Floats) -> None:
    rows = max(1, _IN_ONE_THREAD // right.size)
    for at in range(0, len(left), rows):
        np.matmul(left[at : at + rows], right, out=out[at : at + rows])


_kept = threading.local()


def _scratch(name: str, shape: tuple[int, ...]) -> Floats:
    """This thread's array of that name. Fresh memory for every image would cost more than what is computed in it."""
    values, count = getattr(_kept, name, None), math.prod(shape)
    if values is None or values.size < count:
        values = np.zeros(count, np.float32)
        setattr(_kept, name, values)
    return np.asarray(values[:count].reshape(shape))


def _fourier(planes: Floats, kernel: blur.Kernel, record: Parameters) -> Floats:
    _, height, width = planes.shape
    size = len(kernel)
    small, reach = resample.small_size((height, width), record["downsample_ratio"]), size // 2
    shape = padded_sides(planes.shape, size)
    factors = _spectrum_of((kernel * kernel.T if kernel.shape[1] == 1 else kernel).astype(np.float32), shape)
    canvas, spectrum = _scratch("canvas", shape), _scratch("spectrum", shape)
    # The margin lies further from the image than the kernel reaches; what an image before this one left there would
    # still move last bits.
    inner = canvas[: height + 2 * reach, : width + 2 * reach]
    canvas[len(inner) :] = canvas[:, inner.shape[1] :] = 0
    blurred = spectrum[reach : reach + height, reach : reach + width]
    result = np.empty((len(planes), *small), np.float32)
    for plane, made in zip(planes, result, strict=True):
        cv2.copyMakeBorder(plane, reach, reach, reach, reach, cv2.BORDER_REFLECT_101, dst=inner)
        cv2.dft(canvas, dst=spectrum)
        np.multiply(spectrum, factors, out=spectrum)
        cv2.idft(spectrum, dst=spectrum, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
        cv2.resize(blurred, small[::-1], dst=made, interpolation=cv2.INTER_LINEAR)
    return result


def padded_sides(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Sides with room for a kernel's reach around an image that OpenCV transforms fast."""
    height, width = (_fast_side(side + size - 1) for side in shape[1:])
    return height, width


@lru_cache(maxsize=256)
def _fast_side(least: int) -> int:
    """The next multiple of 16 without a factor above 7. Of two such sides the smaller is faster, as a rule."""
    sixteenths = math.ceil(least / 16)
    while 210**12 % sixteenths:
        sixteenths += 1
    return 16 * sixteenths
