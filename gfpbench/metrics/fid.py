"""Frechet inception distance: how far the features of restored faces lie from those of a reference set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gfpbench.lazy import LazyModule
from gfpbench.metrics import inception
from gfpbench.metrics.feature_sets import FeatureSet, Moments, checked_features, gather
from gfpbench.statistics import bootstrap_mean
from gfpbench.types import BadInput, Better, ImageBatch, SetScore

if TYPE_CHECKING:
    import numpy as np
    import torch
    from scipy.linalg import lapack
else:
    np, torch, lapack = LazyModule("numpy"), LazyModule("torch"), LazyModule("scipy.linalg.lapack")

Resize = Literal["legacy", "clean"]


def frechet_distance(a: Moments, b: Moments) -> float:
    """Distance between two Gaussians with these moments: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    Dowson & Landau 1982, eq. 4; as a score of images Heusel et al. 2017 (arXiv 1706.08500), eq. 6. The trace of the
    root is the sum of the roots of the eigenvalues of F^T S2 F for any F with F F^T = S1, which is symmetric: no
    complex numbers, no offset on the diagonal, and the same value for (a, b) and (b, a) to round-off. F is Cholesky's
    factor, for which LAPACK's dsygst computes one triangle of the product (a generalized symmetric eigenproblem of the
    second type), or the symmetric root where S1 is singular. Reported as computed: equal moments give 0 up to
    round-off, of either sign. scipy's sqrtm gives the same within a billionth of the traces.

    Raises:
        BadInput: for a set of fewer than two images, or different dimensions.
    """
    _check_dimensions(a.dimension, b.dimension)
    first, second = a.covariance, b.covariance
    factor, failed = torch.linalg.cholesky_ex(first)
    if int(failed):
        root = _symmetric_root(first)
        between = root @ second @ root
    else:
        lower, _ = lapack.dsygst(second.numpy(), factor.numpy(), itype=2, lower=1)
        between = torch.from_numpy(lower)
    trace_of_root = _roots(torch.linalg.eigvalsh(between)).sum()
    step = a.mean - b.mean
    return float(step @ step + first.trace() + second.trace() - 2 * trace_of_root)


def frechet_from_features(a: torch.Tensor, b: torch.Tensor) -> float:
    """The same distance from features (N, D), by the route that is fastest and most exact for their number.

    With fewer images than dimensions the covariances are singular and D x D matrices a waste: the trace of the root
    is then the sum of the singular values of X1 X2^T / sqrt((n1 - 1)(n2 - 1)), X being the centred features.

    Raises:
        BadInput: for fewer than two rows, NaN, different dimensions.
    """
    first, second = checked_features(a, 2), checked_features(b, 2)
    _check_dimensions(first.shape[1], second.shape[1])
    if min(len(first), len(second)) >= first.shape[1]:
        return frechet_distance(gather([first]).moments, gather([second]).moments)
    mean_1, factor_1 = _factor(first)
    mean_2, factor_2 = _factor(second)
    trace_of_root = torch.linalg.svdvals(_thin(factor_1) @ _thin(factor_2).T).sum()
    step = mean_1 - mean_2
    return float(step @ step + factor_1.square().sum() + factor_2.square().sum() - 2 * trace_of_root)


def distance(restored: FeatureSet, reference: FeatureSet) -> float:
    """The distance of two sets: from features where there are fewer of them than dimensions, else from moments."""
    few = min(restored.n, reference.n) < restored.moments.dimension
    if few and restored.features is not None and reference.features is not None:
        return frechet_from_features(restored.features, reference.features)
    return frechet_distance(restored.moments, reference.moments)


def influence(restored: torch.Tensor, reference: FeatureSet) -> torch.Tensor:
    """How much each restored image pulls on the distance: its derivative by the image's weight, (N,) summing to 0.

    The infinitesimal jackknife (Jaeckel 1972; Efron 1982, "The Jackknife, the Bootstrap and Other Resampling Plans",
    chapter 6), in closed form: for image x, 2 (m1 - m2).(x - m1) + |x - m1|^2 - (x - m1)^T T (x - m1) less its mean,
    T being the optimal transport map from the restored Gaussian to the reference. The last term is read off the
    singular vectors of the product of the two factors, so that it holds for singular covariances too.
    """
    mean, factor = _factor(checked_features(restored, 2))
    count = len(factor)
    if reference.features is not None and reference.n < factor.shape[1]:
        other = _factor(reference.features)[1].T
    else:
        other = _symmetric_root(reference.moments.covariance)
    product = factor @ other  # (N, min(n2, D)); its singular values sum to the trace of the root
    if count <= product.shape[1]:
        squares, left = torch.linalg.eigh(product @ product.T)
        transported = left.square() @ _roots(squares)
    else:
        squares, right = torch.linalg.eigh(product.T @ product)
        roots = _roots(squares)
        kept = roots > roots.max() * 1e-7
        transported = (product @ right[:, kept]).square() @ (1 / roots[kept])
    # n - 1 in the covariance: its derivative by a weight is n / (n - 1) times the centred square, n times the factor's.
    moved = 2 * (count - 1) ** 0.5 * factor @ (mean - reference.moments.mean)
    pull: torch.Tensor = moved + count * (factor.square().sum(1) - transported)
    return pull - pull.mean()


def fid_infinity(restored: FeatureSet, reference: FeatureSet, *, seed: int = 0, points: int = 15) -> float | None:
    """The distance that infinitely many images would have: a line through it over 1/N, read at 0.

    Chong & Forsyth 2020 (arXiv 1911.07023), section 4.1: 15 sizes, evenly spaced, here from N / 4 on (the paper: 5,000
    to 50,000). Seeded subsamples without repetition. Where the reference has features it shrinks in proportion, so the
    line removes the bias of both; statistics from a file keep theirs. The dependence on 1/N is a line only where N
    exceeds the dimension. None for fewer than 20 images or where features are not kept.
    """
    features = restored.features
    if features is None or restored.n < 20 or (reference.features is not None and reference.n < 20):
        return None
    rng = np.random.default_rng(seed)
    inverse, values = [], []
    fixed = _symmetric_root(reference.moments.covariance) if reference.features is None else None
    for size in np.linspace(restored.n / 4, restored.n, points).round().astype(int):
        part = _subsample(features, int(size), rng)
        if reference.features is not None:
            share = max(2, round(reference.n * int(size) / restored.n))
            values.append(frechet_from_features(part, _subsample(reference.features, share, rng)))
        elif fixed is not None:
            values.append(_distance_to_fixed(part, reference.moments.mean, fixed))
        inverse.append(1 / float(size))
    return float(np.polynomial.Polynomial.fit(inverse, values, 1).convert().coef[0])


@dataclass(frozen=True, slots=True)
class Fid:
    """FID of restored faces against a reference set, with its interval and its value for infinitely many images.

    The interval is the bootstrap over restored images of the linearised score (see ``influence``), the reference held
    fixed: where the FID of as many other images would lie. It does not resample features, because repeated images
    lower the rank and shift the whole bootstrap distribution upwards, past the score itself. It does not cover the
    bias of FID either, which is large for few images and is what ``extrapolated`` is for: compare only equal numbers
    of images.
    """

    resize: Resize
    seed: int = 0
    unit: str = ""
    better: Better = "lower"
    best: float | None = 0.0
    tolerance: float = 1e-3
    tolerance_reason: str = "features differ by 1e-5 between thread counts and devices; their FID by less than 1e-3"
    minimum_side_px: int = 1
    minimum_images: int = 2

    @property
    def name(self) -> str:
        return f"fid_{self.resize}"

    @property
    def features_name(self) -> str:
        return f"inception_{self.resize}"

    @property
    def source(self) -> str:
        return inception.SOURCES[self.resize]

    def features(self, batch: ImageBatch) -> torch.Tensor:
        """(B, 2048) float64 on the CPU: pool3 of the FID Inception. Raises AssetMissing without its weights."""
        return inception.features(batch, self.resize, needed_by=self.name)

    def statistics(self, features: Iterable[torch.Tensor]) -> FeatureSet:
        """Moments of the features, gathered part by part; the features too while there are not too many."""
        return gather(features)

    def score(self, restored: FeatureSet, reference: FeatureSet) -> SetScore:
        """The distance. Raises BadInput for a set of one, or sets of different dimensions."""
        for what, held in (("restored faces", restored), ("reference", reference)):
            if held.n < self.minimum_images:
                raise BadInput(f"{self.name} needs two images or more; the {what} has {held.n}")
        value = distance(restored, reference)
        low = high = None
        if restored.features is not None:
            pulls = influence(restored.features, reference).numpy()
            spread = bootstrap_mean(pulls, seed=self.seed)
            low, high = value + spread.low, value + spread.high
        return SetScore(
            value=value,
            low=low,
            high=high,
            n=restored.n,
            n_reference=reference.n,
            extrapolated=fid_infinity(restored, reference, seed=self.seed),
            note=_small_sample_note(restored, reference),
        )


fid_legacy = Fid("legacy")
"""FID as pytorch-fid and BasicSR compute it: bilinear resize to 299 inside the network, no antialiasing."""

fid_clean = Fid("clean")
"""FID as clean-fid computes it: antialiased bicubic resize to 299 (Parmar et al. 2022)."""


def _small_sample_note(restored: FeatureSet, reference: FeatureSet) -> str:
    dimension = restored.moments.dimension
    few = [
        f"{held.n} {what} images"
        for what, held in (("restored", restored), ("reference", reference))
        if held.n < dimension
    ]
    if not few:
        return ""
    return (
        f"{' and '.join(few)} for {dimension} dimensions: the value is biased upwards, compare it only with as many "
        "images; the extrapolation is rough"
    )


def _check_dimensions(a: int, b: int) -> None:
    if a != b:
        raise BadInput(f"features of {a} and {b} dimensions cannot be compared: they come from different networks")


def _factor(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean and X with X^T X = covariance."""
    mean = features.mean(0)
    return mean, (features - mean) / (len(features) - 1) ** 0.5


def _distance_to_fixed(features: torch.Tensor, mean: torch.Tensor, root: torch.Tensor) -> float:
    """To a Gaussian whose covariance is root @ root: what does not change is computed once by the caller."""
    ours, factor = _factor(features)
    if len(factor) < factor.shape[1]:
        product = factor @ root
        between = product @ product.T
    else:
        between = root @ gather([features], keep=0).moments.covariance @ root
    step = ours - mean
    trace_of_root = _roots(torch.linalg.eigvalsh(between)).sum()
    return float(step @ step + factor.square().sum() + root.square().sum() - 2 * trace_of_root)


def _thin(factor: torch.Tensor) -> torch.Tensor:
    """At most D rows with the same X^T X, so that a large reference costs no more than its covariance."""
    return factor if len(factor) <= factor.shape[1] else torch.linalg.qr(factor, mode="r").R


def _roots(eigenvalues: torch.Tensor) -> torch.Tensor:
    """Roots of the eigenvalues of a matrix that has no negative ones but for round-off."""
    return eigenvalues.clamp(min=0).sqrt()


def _symmetric_root(covariance: torch.Tensor) -> torch.Tensor:
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    root: torch.Tensor = (vectors * _roots(eigenvalues)) @ vectors.T
    return root


def _subsample(features: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    return features[torch.from_numpy(np.sort(rng.permutation(len(features))[:size]))]
