"""Kernel inception distance: like FID, without its bias for few images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.metrics import inception
from gfpbench.metrics.feature_sets import FeatureSet, checked_features, gather
from gfpbench.statistics import bootstrap_mean
from gfpbench.types import BadInput, Better, ImageBatch, SetScore

if TYPE_CHECKING:
    import numpy as np
    import torch
else:
    np, torch = LazyModule("numpy"), LazyModule("torch")

_ROWS_AT_ONCE = 2048  # kernel rows held together


def polynomial_kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(x.y / D + 1)^3 for every pair of rows: (N, M). Binkowski et al. 2018 (arXiv 1801.01401), section 4."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def squared_mmd(x: torch.Tensor, y: torch.Tensor) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy between two samples of features (N, D), (M, D).

    Mean kernel among x, plus among y, less twice between them; a feature is never paired with itself (Gretton et al.
    2012, JMLR 13, eq. 3). Negative values are honest: the expectation for one source is 0.

    Raises:
        BadInput: for fewer than two rows, NaN, different dimensions.
    """
    first, second = checked_features(x, 2), checked_features(y, 2)
    if first.shape[1] != second.shape[1]:
        raise BadInput(f"features of {first.shape[1]} and {second.shape[1]} dimensions cannot be compared")
    among_x, between = _row_sums(first, first), _row_sums(first, second)
    among_y = _row_sums(second, second)
    n, m = len(first), len(second)
    return float(
        (among_x - _self_kernel(first)).sum() / (n * (n - 1))
        + (among_y - _self_kernel(second)).sum() / (m * (m - 1))
        - 2 * between.sum() / (n * m)
    )


def kid_from_features(
    restored: torch.Tensor, reference: torch.Tensor, *, subset_size: int = 1000, subsets: int = 100, seed: int = 0
) -> float:
    """Mean squared MMD over seeded subsets of ``subset_size`` from each set, or over all where either has no more.

    The published way (100 subsets of 1,000); the whole sets have the same expectation, with less noise.
    """
    if subset_size < 2 or subsets < 1:
        raise BadInput(f"KID takes one subset or more of two images or more, not {subsets} of {subset_size}")
    first, second = checked_features(restored, 2), checked_features(reference, 2)
    if min(len(first), len(second)) <= subset_size:
        return squared_mmd(first, second)
    rng = np.random.default_rng(seed)
    drawn = [
        squared_mmd(*(rows[torch.from_numpy(rng.permutation(len(rows))[:subset_size])] for rows in (first, second)))
        for _ in range(subsets)
    ]
    return float(np.mean(drawn))


def pseudo_values(restored: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(N,) jackknife pseudo-values of each restored image, whose mean is the squared MMD of the whole sets.

    n v - (n - 1) v_i, v_i being the score without image i (Efron 1982, chapter 2), from row sums of the kernel. They
    carry the second-order part of the variance too, which is all there is where both sets have one source.

    Raises:
        BadInput: for fewer than three restored images.
    """
    first, second = checked_features(restored, 3), checked_features(reference, 2)
    n, m = len(first), len(second)
    among = _row_sums(first, first) - _self_kernel(first)
    between = _row_sums(first, second)
    among_y = float((_row_sums(second, second) - _self_kernel(second)).sum()) / (m * (m - 1))
    whole = among.sum() / (n * (n - 1)) - 2 * between.sum() / (n * m)
    without = (among.sum() - 2 * among) / ((n - 1) * (n - 2)) - 2 * (between.sum() - between) / ((n - 1) * m)
    values: torch.Tensor = n * whole - (n - 1) * without + among_y
    return values


@dataclass(frozen=True, slots=True)
class Kid:
    """KID of restored faces against a reference set, with its interval.

    The interval is a bootstrap over restored images of the jackknife pseudo-values, the reference held fixed.
    """

    resize: inception.Resize
    subset_size: int = 1000
    subsets: int = 100
    seed: int = 0
    unit: str = ""
    better: Better = "lower"
    best: float | None = None  # about 0, and below it on equal sets: the estimate is unbiased, not positive
    tolerance: float = 1e-6
    tolerance_reason: str = "features differ by 1e-5 between thread counts and devices"
    minimum_side_px: int = 1
    minimum_images: int = 2

    @property
    def name(self) -> str:
        return f"kid_{self.resize}"

    @property
    def features_name(self) -> str:
        return f"inception_{self.resize}"

    @property
    def source(self) -> str:
        return "Binkowski et al. 2018 (arXiv 1801.01401), section 4, on the features of FID"

    def features(self, batch: ImageBatch) -> torch.Tensor:
        """(B, 2048) float64 on the CPU: those of FID. Raises AssetMissing without the network's weights."""
        return inception.features(batch, self.resize, needed_by=self.name)

    def statistics(self, features: Iterable[torch.Tensor]) -> FeatureSet:
        """The features, gathered part by part."""
        return gather(features)

    def score(self, restored: FeatureSet, reference: FeatureSet) -> SetScore:
        """The distance. Raises BadInput for a set of one, and for statistics without features."""
        ours, theirs = restored.needed_features(self.name), reference.needed_features(self.name)
        value = kid_from_features(ours, theirs, subset_size=self.subset_size, subsets=self.subsets, seed=self.seed)
        low = high = None
        if len(ours) > 2:
            spread = bootstrap_mean(pseudo_values(ours, theirs).numpy(), seed=self.seed)
            low, high = value + spread.low - spread.mean, value + spread.high - spread.mean
        few, dimension = min(restored.n, reference.n), restored.moments.dimension
        notes = [f"{few} images: one subset of all, not {self.subset_size}"] if few <= self.subset_size else []
        if few < dimension:
            notes.append(f"fewer than the {dimension} dimensions: unbiased, but compare intervals, not values")
        # Unbiased: its value for infinitely many images is expected to be this one.
        return SetScore(value, low, high, restored.n, reference.n, extrapolated=value, note="; ".join(notes))


kid_legacy = Kid("legacy")
"""KID on the features of ``fid_legacy``."""

kid_clean = Kid("clean")
"""KID on the features of ``fid_clean``."""


def _row_sums(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.cat([polynomial_kernel(part, y).sum(1) for part in torch.split(x, _ROWS_AT_ONCE)])


def _self_kernel(x: torch.Tensor) -> torch.Tensor:
    return (x.square().sum(1) / x.shape[1] + 1) ** 3
