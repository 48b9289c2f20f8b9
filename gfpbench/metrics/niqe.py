"""NIQE: how far local statistics are from those of pristine photographs. Needs no truth; lower is better."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gfpbench.images import to_full_range_luma_255, to_rounded_luma_255
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from scipy import special
else:
    np, torch, cv2, special = LazyModule("numpy"), LazyModule("torch"), LazyModule("cv2"), LazyModule("scipy.special")

Floats: TypeAlias = "NDArray[np.float64]"

BLOCK_PX = 96
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products are modelled: right, below and the two diagonals (Mittal et al. 2013, Eqs. 4 to 7)."""

PRISTINE_FILE = Path(__file__).with_name("niqe_pristine.npz")
PRISTINE_SHA256 = "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296"
"""basicsr/metrics/niqe_pris_params.npz of BasicSR 1.4.2 (Apache-2.0), unchanged: the NIQE authors' pristine model."""

# MATLAB's imresize(x, 0.5) on an even side: the antialiased cubic at these eight distances, exact in binary.
_HALVING = (-3, -9, 29, 111, 111, 29, -9, -3)
_HALVING_SCALE = 256


class Pristine(NamedTuple):
    """The Gaussian fitted to the features of pristine photographs, and the window they were made with."""

    mean: Floats  # (36,)
    covariance: Floats  # (36, 36)
    taps: Floats  # (7,): the 7 x 7 Gaussian window is their outer product


@cache
def pristine() -> Pristine:
    """Read the pristine model. Raises BadInput where the file is not the one this metric is defined by."""
    content = PRISTINE_FILE.read_bytes()
    if hashlib.sha256(content).hexdigest() != PRISTINE_SHA256:
        raise BadInput(f"{PRISTINE_FILE.name} is not the file NIQE is defined by (sha256 differs): reinstall gfpbench")
    stored = np.load(io.BytesIO(content), allow_pickle=False)
    return Pristine(stored["mu_pris_param"][0], stored["cov_pris_param"], stored["gaussian_window"].sum(1))


class Shapes(NamedTuple):
    """The shape parameters that are tried, and what follows from each: all (9801,), basicsr's grid."""

    alpha: Floats
    ratio: Floats  # Gamma(2/a)^2 / (Gamma(1/a) Gamma(3/a)): grows with a
    between: Floats  # (9800,): half-way from each ratio to the next
    scale: Floats  # sqrt(Gamma(1/a) / Gamma(3/a))
    mean: Floats  # Gamma(2/a) / Gamma(1/a)


@cache
def _shapes() -> Shapes:
    alpha = np.arange(0.2, 10.001, 0.001)
    first, second, third = (special.gamma(order / alpha) for order in (1, 2, 3))
    ratio = second**2 / (first * third)
    return Shapes(alpha, ratio, (ratio[1:] + ratio[:-1]) / 2, np.sqrt(first / third), second / first)


def _contrast_normalized(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """(x - mean) / (deviation + 1) with 7 x 7 Gaussian moments, borders repeated (Eq. 1).

    Moments are summed in double precision and kept in single, as basicsr does: on smooth skin E[x^2] - E[x]^2 loses
    enough digits that NIQE itself moves by up to 0.02 if this is done in double precision.
    """
    taps = pristine().taps

    def smooth(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        wide = cv2.sepFilter2D(plane.astype(np.float64), -1, taps, taps, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(wide, dtype=np.float32)

    mean = smooth(luma)
    deviation = np.sqrt(np.abs(smooth(luma * luma) - mean * mean))
    return np.asarray((luma - mean) / (deviation + 1), dtype=np.float32)


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """MATLAB's imresize(x, 0.5), antialiased bicubic with mirrored borders, in float32 on [0, 1] as basicsr does."""
    for _ in range(2):  # down the rows, then, transposed, along them
        padded = np.pad(plane.astype(np.float64), ((3, 3), (0, 0)), mode="symmetric")
        rows = len(plane) // 2
        total = sum(tap * padded[start : start + 2 * rows : 2] for start, tap in enumerate(_HALVING))
        plane = np.asarray(total / _HALVING_SCALE, dtype=np.float32).T
    return plane


def _moments(values: torch.Tensor) -> tuple[Floats, Floats, Floats, Floats]:
    """Of (N, s, s): RMS of the negative and of the positive values, mean magnitude, mean square; (N,) each."""

    def total(terms: torch.Tensor) -> Floats:
        return np.asarray(terms.sum(-1).to(torch.float64).sum(-1).numpy())

    right, left = values.clamp_min(0), values.clamp_max(0)
    left_count, right_count = (np.count_nonzero(side.numpy(), axis=(1, 2)) for side in (left, right))
    left_squares, right_squares = total(left * left), total(right * right)
    magnitude, size = total(right) - total(left), values[0].numel()
    with np.errstate(divide="ignore", invalid="ignore"):  # a block without negative values has no left side: NaN
        left_rms, right_rms = np.sqrt(left_squares / left_count), np.sqrt(right_squares / right_count)
    return left_rms, right_rms, magnitude / size, (left_squares + right_squares) / size


def _asymmetric_gaussian(values: torch.Tensor) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Fit an asymmetric generalised Gaussian to each of N blocks by matching moments (Lasmar et al. 2009).

    Returns:
        Index of the shape in ``_shapes()``, left and right scale; (N,) each. A block without values on one side has
        the first shape and NaN scales, as in basicsr.
    """
    left_rms, right_rms, magnitude, square = _moments(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = left_rms / right_rms
        ratio = magnitude**2 / square * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes = _shapes()
    nearest = np.searchsorted(shapes.between, ratio)
    nearest = np.where(np.isnan(ratio), 0, nearest)
    return nearest, left_rms * shapes.scale[nearest], right_rms * shapes.scale[nearest]


def _block_features(normalized: NDArray[np.float32], block_px: int) -> Floats:
    """18 numbers for each block of a contrast-normalised image: (blocks, 18)."""
    down, across = (side // block_px for side in normalized.shape)
    tiles = torch.from_numpy(np.ascontiguousarray(normalized)).view(down, block_px, across, block_px)
    blocks = tiles.permute(0, 2, 1, 3).reshape(-1, block_px, block_px)
    shapes = _shapes()
    shape, left, right = _asymmetric_gaussian(blocks)
    columns = [shapes.alpha[shape], (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = _asymmetric_gaussian(blocks * torch.roll(blocks, shift, (1, 2)))
        columns += [shapes.alpha[shape], (right - left) * shapes.mean[shape], left, right]
    return np.stack(columns, axis=1)


def _features(luma: NDArray[np.float32]) -> Floats:
    """36 numbers for each 96 x 96 block of an (H, W) luma of whole numbers, 18 at each size: (blocks, 36)."""
    height, width = (side // BLOCK_PX * BLOCK_PX for side in luma.shape)
    luma = luma[:height, :width]
    full = _block_features(_contrast_normalized(luma), BLOCK_PX)
    smaller = _halved(luma / np.float32(255)) * np.float32(255)
    half = _block_features(_contrast_normalized(smaller), BLOCK_PX // 2)
    return np.concatenate([full, half], axis=1)


def _distance(name: str, features: Floats) -> float:
    """Mahalanobis-like distance of an image's feature Gaussian to the pristine one (Eq. 10).

    Blocks with an undefined feature (flat ones) leave the covariance, and the mean where they are undefined.
    """
    defined = ~np.isnan(features).any(axis=1)
    if defined.sum() < 2:
        raise BadInput(
            f"niqe is undefined for {name}: {len(features) - defined.sum()} of its {len(features)} blocks of "
            f"{BLOCK_PX} px are flat and it takes two that are not; leave this image out"
        )
    model = pristine()
    gap = model.mean - np.nanmean(features, axis=0)
    covariance = (model.covariance + np.cov(features[defined], rowvar=False)) / 2
    return float(np.sqrt(gap @ np.linalg.pinv(covariance) @ gap))


def _niqe(restored: ImageBatch, _: ImageBatch) -> torch.Tensor:
    return _distances(restored.ids, to_rounded_luma_255(restored))


def _niqe_yiq(restored: ImageBatch, _: ImageBatch) -> torch.Tensor:
    return _distances(restored.ids, to_full_range_luma_255(restored).round())


def _distances(names: tuple[str, ...], luma: torch.Tensor) -> torch.Tensor:
    """(B,) distances. Runs on the CPU whatever the device: most of it is small float64 algebra."""
    planes = luma[:, 0].to("cpu", torch.float32).numpy()
    values = [_distance(name, _features(plane)) for name, plane in zip(names, planes, strict=True)]
    return torch.tensor(values, dtype=torch.float64)


niqe = PerImageMetric(
    name="niqe",
    unit="",
    better="lower",
    best=None,
    tolerance=0.1,
    tolerance_reason=(
        "a restorer run with another thread count or batch size moves by up to 1e-5 on [-1, 1] and tips a few bytes: "
        "at most 0.02 at 512 px and 0.1 at 256 px (four blocks), measured on 11 faces at 256 and 512 px;"
        " 0.14 in the worst of 250 photographs searched for it (small, or hardly an error)"
    ),
    minimum_side_px=2 * BLOCK_PX,
    needs_truth=False,
    source="Mittal, Soundararajan and Bovik 2013; BasicSR@8d56e3a basicsr/metrics/niqe.py, crop_border 0, convert_to y",
    score=_niqe,
)
"""NIQE on BT.601 luma rounded to whole numbers, 96 x 96 blocks, two scales, basicsr's arithmetic and pristine model.

Worst of 400 crops of photographs searched for it (``tests/bounds``: 192 to 420 px, blurred, noisy, nearly flat): 0.079
from basicsr, and 0.00075 given the same rounded luma and halved image, where a shape lies between two steps of
the grid. basicsr makes those two in single precision, in an order that depends on the processor, which shows where an
image is smooth: worst of 150 drawn images, 1.5 and 0.0027. Here the order is fixed: the same bits for any batch
size and thread count. Incomplete blocks at the right and bottom are left out, as there.
"""

niqe_yiq = replace(
    niqe,
    name="niqe_yiq",
    source="Mittal, Soundararajan and Bovik 2013; chaofengc/IQA-PyTorch v0.1.16, niqe_arch.py, color_space yiq",
    score=_niqe_yiq,
)
"""NIQE on the Y of YIQ, 0..255, rounded: pyiqa's ``niqe``, within 0.03, since pyiqa computes in double precision."""
