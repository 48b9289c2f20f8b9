"""Precision and recall of a set of faces: do restored faces look real, and do they cover what real ones look like?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from gfpbench.lazy import LazyModule
from gfpbench.metrics import inception
from gfpbench.metrics.feature_sets import FeatureSet, checked_features, gather
from gfpbench.statistics import bootstrap_mean
from gfpbench.types import BadInput, Better, ImageBatch, SetScore

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

Quantity: TypeAlias = Literal["precision", "recall"]

_ROWS_AT_ONCE = 2048  # distances held together
_ROUND_OFF = 1e-12  # of the squared length of the features: equal images lie in one another's ball


def inside(points: torch.Tensor, manifold: torch.Tensor, neighbours: int = 3) -> torch.Tensor:
    """Which points (N, D) lie in the manifold of other features (M, D): (N,) bool.

    The manifold is the union of balls around each feature, each reaching to its k-th nearest neighbour among the
    others (Kynkaanniemi et al. 2019, arXiv 1904.06991, eq. 1; k = 3). Distances are float64 and squared.

    Raises:
        BadInput: for fewer features than k + 1, NaN, different dimensions.
    """
    if neighbours < 1:
        raise BadInput(f"a ball reaches to the first neighbour or further, not {neighbours}")
    first, second = checked_features(points), checked_features(manifold, neighbours + 1)
    if first.shape[1] != second.shape[1]:
        raise BadInput(f"features of {first.shape[1]} and {second.shape[1]} dimensions cannot be compared")
    centre = second.mean(0)
    first, second = first - centre, second - centre  # distances stay, and lose less in the subtraction below
    slack = _ROUND_OFF * float(torch.maximum(first.square().sum(1).max(), second.square().sum(1).max()))
    # The smallest distance is that to itself, so the k-th neighbour is the (k + 1)-th value.
    reach = torch.cat(
        [
            _squared_distances(part, second).kthvalue(neighbours + 1, dim=1).values
            for part in torch.split(second, _ROWS_AT_ONCE)
        ]
    )
    parts = [(_squared_distances(part, second) <= reach + slack).any(1) for part in torch.split(first, _ROWS_AT_ONCE)]
    return torch.cat(parts)


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Share of restored faces inside the reference's manifold (precision), or the other way round (recall).

    The interval is a bootstrap over the faces that are counted (restored for precision, reference for recall), both
    manifolds held fixed. Both shares depend on the number of images: compare only equal numbers.
    """

    quantity: Quantity
    resize: inception.Resize = "legacy"
    neighbours: int = 3
    seed: int = 0
    unit: str = ""
    better: Better = "higher"
    best: float | None = 1.0
    tolerance: float = 1e-12
    tolerance_reason: str = "a share of images: it moves by one image or not at all"
    minimum_side_px: int = 1

    @property
    def name(self) -> str:
        return f"{self.quantity}_{self.resize}"

    @property
    def minimum_images(self) -> int:
        return self.neighbours + 1

    @property
    def features_name(self) -> str:
        return f"inception_{self.resize}"

    @property
    def source(self) -> str:
        return (
            f"Kynkaanniemi et al. 2019 (arXiv 1904.06991), eq. 1 and 2, k = {self.neighbours}, on the features of FID"
        )

    def features(self, batch: ImageBatch) -> torch.Tensor:
        """(B, 2048) float64 on the CPU: those of FID. Raises AssetMissing without the network's weights."""
        return inception.features(batch, self.resize, needed_by=self.name)

    def statistics(self, features: Iterable[torch.Tensor]) -> FeatureSet:
        """The features, gathered part by part."""
        return gather(features)

    def score(self, restored: FeatureSet, reference: FeatureSet) -> SetScore:
        """The share. Raises BadInput for sets of k or fewer, and for statistics without features."""
        ours, theirs = restored.needed_features(self.name), reference.needed_features(self.name)
        for rows in (ours, theirs):
            checked_features(rows, self.minimum_images)
        counted, manifold = (ours, theirs) if self.quantity == "precision" else (theirs, ours)
        share = bootstrap_mean(inside(counted, manifold, self.neighbours).double().numpy(), seed=self.seed)
        return SetScore(share.mean, share.low, share.high, restored.n, reference.n)


precision_legacy = PrecisionRecall("precision")
"""How many of the restored faces look like some reference face."""

recall_legacy = PrecisionRecall("recall")
"""How many of the reference faces the restored ones cover."""


def _squared_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * (x @ y.T)
