"""A set distance that needs no download: Frechet distance of dlib's face embeddings. Not FID, and never called so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gfpbench.images import to_rgb_arrays
from gfpbench.lazy import LazyModule
from gfpbench.metrics.feature_sets import FeatureSet, gather
from gfpbench.metrics.fid import Fid
from gfpbench.metrics.identity import dlib_embedder
from gfpbench.types import BadInput, Better, ImageBatch, PackageMissing, SetScore

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

BOX = (0.234, 0.297, 0.813, 0.883)
"""Left, top, right, bottom of a face in an aligned crop, as shares of it: where dlib's detector finds it.

The median over 59 aligned portraits of 128 px; the edges vary by 0.02 to 0.05 of the side.
"""


@dataclass(frozen=True, slots=True)
class FrechetDlib:
    """How far the identities and looks in a set of restored crops are from those of a reference set.

    128 dimensions in place of FID's 2048: a few hundred images are enough for a full covariance. The box is fixed, so
    that a restoration in which no detector finds a face counts too; crops have to be aligned. Values are small (unlike
    faces are about 0.6 apart in this space) and compare with nothing published.
    """

    seed: int = 0
    name: str = "frechet_dlib"
    features_name: str = "dlib_128"
    unit: str = ""
    better: Better = "lower"
    best: float | None = 0.0
    tolerance: float = 1e-6
    tolerance_reason: str = "dlib repeats its bits on one machine; other builds differ in the last digits of float32"
    minimum_side_px: int = 64
    minimum_images: int = 2
    source: str = "Dowson & Landau 1982, eq. 4, on dlib's face_recognition_resnet_model_v1 (davisking/dlib-models)"

    def features(self, batch: ImageBatch) -> torch.Tensor:
        """(B, 128) float64: the embedding of the face at ``BOX``. Raises PackageMissing without dlib or its models."""
        try:
            embedder = dlib_embedder()
        except PackageMissing as error:
            raise PackageMissing(error.asset, self.name, "pip install gfpbench[identity]") from error
        import dlib

        height, width = batch.size
        left, top, right, bottom = BOX
        edges = (left * width, top * height, right * width, bottom * height)
        box = dlib.rectangle(*(round(edge) for edge in edges))
        return torch.stack([embedder.embed(rgb, box) for rgb in to_rgb_arrays(batch)])

    def statistics(self, features: Iterable[torch.Tensor]) -> FeatureSet:
        """Moments of the features, gathered part by part; the features too while there are not too many."""
        return gather(features)

    def score(self, restored: FeatureSet, reference: FeatureSet) -> SetScore:
        """The distance, its interval and what is known of its bias, as for FID."""
        for what, held in (("restored faces", restored), ("reference", reference)):
            if held.n < self.minimum_images:
                raise BadInput(f"{self.name} needs two images or more; the {what} has {held.n}")
        return Fid("legacy", seed=self.seed).score(restored, reference)  # the distance knows nothing of the network


frechet_dlib = FrechetDlib()
"""Frechet distance over dlib's 128-D face embeddings of aligned crops."""
