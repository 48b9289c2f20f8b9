"""Feature statistics of a set of images for FID-like metrics: mean and covariance, accumulated per batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench.assets import load_arrays
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import numpy as np
    import torch
    from scipy.linalg import blas
else:
    np, torch, blas = LazyModule("numpy"), LazyModule("torch"), LazyModule("scipy.linalg.blas")

BLOCK = 512
"""Rows that join the moments at once: the product of a few costs no less than reading and writing the (D, D) sums."""

KEPT_FEATURES = 20_000
"""Rows kept beside the moments, for intervals and for sets smaller than their dimension: 330 MB at 2048."""


class Moments:
    """Mean and covariance of a stream of features, in memory that does not grow with it.

    Batches are joined in float64 by their own means (Chan, Golub, LeVeque 1979, "Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances", eq. 2.1), so nothing is lost where the mean is large beside the spread,
    and parts gathered apart can be merged. The sums are those of BLAS's dsyrk: one triangle, for half of the work.

    Examples:
        >>> moments = Moments()
        >>> moments.add(torch.tensor([[0.0], [1.0]]))
        >>> moments.add(torch.tensor([[2.0]]))
        >>> moments.n, moments.mean.item(), round(moments.covariance.item(), 12)
        (3, 1.0, 1.0)
    """

    def __init__(self) -> None:
        self.n = 0
        self._mean = torch.zeros(0, dtype=torch.float64)
        self._scatter = torch.zeros(0, 0, dtype=torch.float64)  # the upper triangle counts

    @classmethod
    def of(cls, mean: torch.Tensor, covariance: torch.Tensor, n: int) -> Moments:
        """From a mean (D,) and a covariance (D, D) with n - 1 in its denominator, as statistics files hold them."""
        if n < 2:
            raise BadInput(f"a covariance comes from two images or more, not {n}")
        made = cls()
        made.n, made._mean, made._scatter = n, mean.to(torch.float64), covariance.to(torch.float64) * (n - 1)
        return made

    def add(self, features: torch.Tensor) -> None:
        """Take in (B, D) features of any float type. Raises BadInput for NaN, infinities and another D."""
        rows = checked_features(features)
        if self.n and rows.shape[1] != self.dimension:
            raise BadInput(f"features of {rows.shape[1]} dimensions cannot join {self.dimension}")
        mean = rows.mean(0)
        self._join(len(rows), mean, rows - mean)

    def merge(self, other: Moments) -> None:
        """Take in what another stream gathered."""
        if self.n and other.n and other.dimension != self.dimension:
            raise BadInput(f"features of {other.dimension} dimensions cannot join {self.dimension}")
        if other.n:
            self._join(other.n, other._mean, other._mean.new_zeros(0, other.dimension))
            self._scatter = self._scatter + other._scatter

    def _join(self, count: int, mean: torch.Tensor, centred: torch.Tensor) -> None:
        if not self.n:
            self._mean = torch.zeros_like(mean)
            self._scatter = mean.new_zeros(len(mean), len(mean)).T
        total = self.n + count
        step = mean - self._mean
        between = step.mul((self.n * count / total) ** 0.5)[None]
        rows = torch.cat([centred, between])
        summed = blas.dsyrk(1.0, rows.numpy().T, beta=1.0, c=self._scatter.numpy(), overwrite_c=True)
        self._scatter = torch.from_numpy(summed)  # the same memory where its columns are contiguous
        self._mean = self._mean + step * (count / total)
        self.n = total

    @property
    def dimension(self) -> int:
        return len(self._mean)

    @property
    def mean(self) -> torch.Tensor:
        """(D,) float64."""
        return self._mean

    @property
    def covariance(self) -> torch.Tensor:
        """(D, D) float64, n - 1 in the denominator. Raises BadInput for fewer than two images."""
        if self.n < 2:
            raise BadInput(f"a covariance needs two images or more, not {self.n}")
        upper = self._scatter / (self.n - 1)
        return upper.triu() + upper.triu(1).T


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Moments of a set and, unless it is too large or comes from a file, the features themselves."""

    moments: Moments
    features: torch.Tensor | None  # (N, D) float64

    @property
    def n(self) -> int:
        return self.moments.n

    def needed_features(self, metric: str) -> torch.Tensor:
        """The features, or BadInput where only moments are known."""
        if self.features is None:
            raise BadInput(f"{metric} compares single features; this set of {self.n} images has only moments")
        return self.features


def gather(features: Iterable[torch.Tensor], keep: int = KEPT_FEATURES) -> FeatureSet:
    """Moments of features that come in parts of (B, D); the rows too, while there are no more than ``keep``."""
    moments = Moments()
    kept: list[torch.Tensor] | None = []
    count, waiting = 0, list[torch.Tensor]()
    for part in features:
        rows = checked_features(part)
        if waiting and (sum(map(len, waiting)) >= BLOCK or rows.shape[1] != waiting[0].shape[1]):
            moments.add(torch.cat(waiting))
            waiting.clear()
        waiting.append(rows)
        count += len(rows)
        if kept is not None:
            kept.append(rows)
        if count > keep:
            kept = None
    if waiting:
        moments.add(torch.cat(waiting))
    if not moments.n:
        raise BadInput("no features: a set needs images")
    return FeatureSet(moments, None if kept is None else torch.cat(kept))


def checked_features(features: torch.Tensor, at_least: int = 1) -> torch.Tensor:
    """(N, D) float64 on the CPU. Raises BadInput for another shape, too few rows, NaN and infinities."""
    if features.ndim != 2 or not features.is_floating_point() or features.shape[1] == 0:
        raise BadInput(f"features are (N, D) floats, not {tuple(features.shape)} {features.dtype}")
    if len(features) < at_least:
        raise BadInput(f"a set of {len(features)} is too small: this score needs {at_least} images or more")
    rows = features.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(rows).all()):
        raise BadInput("features hold NaN or infinities: the images or the network's weights are broken")
    return rows


def load_reference(path: Path, n: int) -> FeatureSet:
    """Published statistics of a reference: .npz of pytorch-fid and clean-fid (mu, sigma), .pth of BasicSR (mean, cov).

    Args:
        n: how many images they were made from; the files do not say (50,000 for BasicSR's
            ``inception_FFHQ_512``, 70,000 for clean-fid's ``ffhq_clean_trainval70k_512``).

    Raises:
        BadInput: for a file that is missing, of another kind, holds code, or whose numbers are no mean and covariance.
    """
    held = load_arrays(path)
    names = next((pair for pair in (("mu", "sigma"), ("mean", "cov")) if set(pair) <= set(held)), None)
    if names is None:
        raise BadInput(
            f"{path}: not reference statistics: it holds {', '.join(sorted(held)) or 'nothing'}, "
            "neither mu and sigma nor mean and cov"
        )
    mean, covariance = (torch.from_numpy(np.asarray(held[name], dtype=np.float64)) for name in names)
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise BadInput(f"{path}: a mean {tuple(mean.shape)} and a covariance {tuple(covariance.shape)} do not fit")
    if not bool(torch.isfinite(mean).all() and torch.isfinite(covariance).all()):
        raise BadInput(f"{path}: the statistics hold NaN or infinities")
    asymmetry = float((covariance - covariance.T).abs().max())
    if asymmetry > 1e-6 * max(1.0, float(covariance.abs().max())):
        raise BadInput(f"{path}: the covariance is not symmetric (off by {asymmetry:.3g})")
    return FeatureSet(Moments.of(mean, (covariance + covariance.T) / 2, n), None)
