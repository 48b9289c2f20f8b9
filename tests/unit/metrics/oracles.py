"""Other people's metrics, and the papers' formulas written out plainly, for the real metrics and the saboteurs to meet.

Every oracle takes two (H, W, 3) uint8 RGB images, restored and truth, and returns a float.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate
from scipy.signal import convolve2d
from skimage.color import rgb2ycbcr
from skimage.measure import block_reduce
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

Image = NDArray[np.uint8]
Oracle = Callable[[Image, Image], float]
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@cache
def basicsr() -> Any:
    """basicsr's metrics. 1.4.2 asks torchvision for a module that is gone: it gets a stand-in, for the import only."""
    import importlib

    from torchvision.transforms.functional import rgb_to_grayscale

    name = "torchvision.transforms.functional_tensor"
    stand_in = types.ModuleType(name)
    stand_in.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    before = sys.modules.get(name)
    sys.modules[name] = stand_in
    try:
        return importlib.import_module("basicsr.metrics")
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


def luma(image: Image) -> NDArray[np.float64]:
    """scikit-image's BT.601 luma, 16..235."""
    return np.asarray(rgb2ycbcr(image)[..., 0])


def gray(image: Image) -> NDArray[np.float64]:
    """MATLAB's rgb2gray on bytes, in whole numbers."""
    red, green, blue = (image[..., channel].astype(np.int64) for channel in range(3))
    return ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.float64)


def ssim_map(restored: Any, truth: Any, **options: Any) -> NDArray[np.float64]:
    """scikit-image's SSIM map where the 11 x 11 window fits, in Wang's settings unless told otherwise."""
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255} | options
    _, full = structural_similarity(np.float64(restored), np.float64(truth), full=True, **settings)
    return np.asarray(full[5:-5, 5:-5])


def psnr_rgb(restored: Image, truth: Image) -> float:
    return float(peak_signal_noise_ratio(truth, restored, data_range=255))


def psnr_y(restored: Image, truth: Image) -> float:
    return float(peak_signal_noise_ratio(luma(truth), luma(restored), data_range=255))


def ssim_rgb(restored: Image, truth: Image) -> float:
    return float(np.mean([ssim_map(restored[..., c], truth[..., c]).mean() for c in range(3)]))


def ssim_y(restored: Image, truth: Image) -> float:
    return float(ssim_map(luma(restored), luma(truth)).mean())


def ms_ssim(restored: Image, truth: Image) -> float:
    """Five of scikit-image's SSIMs. A huge K1 makes the luminance term 1 and leaves contrast times structure."""
    first, second = gray(restored), gray(truth)
    value = 1.0
    for scale, weight in enumerate(MS_SSIM_WEIGHTS):
        last = scale == len(MS_SSIM_WEIGHTS) - 1
        mean = ssim_map(first, second, **({} if last else {"K1": 1e9})).mean()
        value *= max(mean, 0.0) ** weight
        odd = [(0, side % 2) for side in first.shape]
        first, second = (block_reduce(np.pad(p, odd, mode="edge"), 2, np.mean) for p in (first, second))
    return float(value)


def gmsd(restored: Image, truth: Image) -> float:
    """Xue's Eqs. 4 to 6 with scipy's convolution, in the order of the authors' GMSD.m."""
    prewitt = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]]) / 3

    def magnitude(image: Image) -> NDArray[np.float64]:
        # MATLAB's "same" keeps the later half for an even kernel; scipy's the earlier: flip around it.
        smooth = convolve2d(gray(image)[::-1, ::-1], np.full((2, 2), 0.25), mode="same")[::-1, ::-1][::2, ::2]
        return np.sqrt(convolve2d(smooth, prewitt, mode="same") ** 2 + convolve2d(smooth, prewitt.T, mode="same") ** 2)

    first, second = magnitude(restored), magnitude(truth)
    return float(np.std((2 * first * second + 170) / (first**2 + second**2 + 170), ddof=1))


def niqe(restored: Image, truth: Image) -> float:
    return float(basicsr().calculate_niqe(restored[..., ::-1], crop_border=0))


def piqe(restored: Image, truth: Image) -> float:
    """MATLAB's piqe, block after block as its documentation and the paper describe them."""
    plane = gray(restored)
    plane = np.pad(plane, [(0, -side % 16) for side in plane.shape], mode="edge")
    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mean = correlate(plane, window, mode="nearest")
    spread = np.sqrt(np.abs(correlate(plane**2, window, mode="nearest") - mean**2))
    contrast, distortions, active = (plane - mean) / (spread + 1), 0.0, 0
    for top, left in product(range(0, plane.shape[0], 16), range(0, plane.shape[1], 16)):
        block = contrast[top : top + 16, left : left + 16]
        variance = block.var(ddof=1)
        if variance <= 0.1:
            continue
        active += 1
        edges = (block[0], block[-1], block[:, 0], block[:, -1])
        if any(edge[start : start + 6].std(ddof=1) < 0.1 for edge in edges for start in range(11)):
            distortions += 1 - variance
        centre, surround = block[:, 7:9], np.delete(np.delete(block, 7, axis=1), 8, axis=1)
        ratio, deviation = centre.std(ddof=1) / surround.std(ddof=1), np.sqrt(variance)
        if deviation > 2 * abs(deviation - ratio) / max(deviation, ratio):
            distortions += variance
    return float(100 * (distortions + 1) / (active + 1))


ORACLES: dict[str, tuple[Oracle, float]] = {
    "psnr_rgb": (psnr_rgb, 1e-10),
    "psnr_y": (psnr_y, 1e-10),
    "ssim_rgb": (ssim_rgb, 1e-11),
    "ssim_y": (ssim_y, 1e-11),
    "ms_ssim": (ms_ssim, 1e-11),
    "gmsd": (gmsd, 1e-11),
    # basicsr halves the image with a single-precision dot product whose order depends on the processor.
    "niqe": (niqe, 0.005),
    "piqe": (piqe, 1e-9),
}
"""Metric name -> the oracle and how far apart the two may be."""


def as_tensor(image: Image) -> torch.Tensor:
    """(1, 3, H, W) float32 in [0, 1], for libraries that want that."""
    return torch.from_numpy(image.transpose(2, 0, 1).copy()).float()[None] / 255
