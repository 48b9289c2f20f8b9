"""Set metrics by name: the features, the distance and the reference set of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gfpbench import assets
from gfpbench.metrics import OFFERED_BY_ALL, common_record
from gfpbench.metrics.feature_sets import FeatureSet, load_reference
from gfpbench.metrics.figure_identity import own_identity
from gfpbench.registry import attribute_of, companion, unknown
from gfpbench.types import BadInput, Json, SetMetric


@dataclass(frozen=True, slots=True)
class Reference:
    """What the restored faces of a run are compared with as a set.

    Args:
        what: in words.
        asset: the file that holds its statistics; None for the truth of the run itself.
        n: how many images it was made from; None for the truth.
    """

    what: str
    asset: str | None
    n: int | None

    def load(self, needed_by: str) -> FeatureSet:
        """Its statistics from the file. Raises AssetMissing where that is not here, BadInput for the truth."""
        if self.asset is None or self.n is None:
            raise BadInput(f"{needed_by} is measured against the run's own truth, which no file holds")
        return load_reference(assets.path(self.asset, needed_by), self.n)


TRUTH = Reference("the truth of the same run", None, None)

REFERENCES: dict[str, Reference] = {
    "truth": TRUTH,
    "ffhq50k": Reference(
        "50,000 images of FFHQ at 512 px, BasicSR's inception_FFHQ_512.pth", "ffhq-inception-stats-512", 50_000
    ),
    "ffhq70k": Reference(
        "70,000 images of FFHQ at 512 px, clean-fid's ffhq_clean_trainval70k_512.npz", "ffhq-clean-stats-512", 70_000
    ),
}
"""Name -> reference set."""


OFFERED = (*OFFERED_BY_ALL, "minimum_images", "features_name", "features", "statistics", "score", "definition")
"""The attributes that a set metric has, and one that it may have besides."""


@dataclass(frozen=True, slots=True)
class SetMeasure:
    """A set metric against one reference; its name says both: ``fid_legacy_vs_ffhq50k``."""

    name: str
    metric: SetMetric
    reference: Reference

    @property
    def against_truth(self) -> bool:
        """Whether the run's own clean images are the reference, so that their features are needed too."""
        return self.reference.asset is None

    def record(self) -> dict[str, Json]:
        """What a Result keeps about it, so that it can be read without the code that measured it."""
        metric = self.metric
        return {
            **common_record(metric),
            "minimum_images": metric.minimum_images,
            "features": metric.features_name,
            "reference": self.reference.what,
            "source": metric.source,
            "identity": own_identity(self.name, int(getattr(metric, "definition", 1))),
        }


_FILE = "gfpbench/metrics/set_measures.py"
TABLE = f"SET_METRICS in {_FILE}"

SET_METRICS: dict[str, tuple[str, str]] = {
    "fid_legacy_vs_ffhq50k": ("gfpbench.metrics.fid:fid_legacy", "ffhq50k"),
    "fid_legacy_vs_truth": ("gfpbench.metrics.fid:fid_legacy", "truth"),
    "fid_clean_vs_ffhq70k": ("gfpbench.metrics.fid:fid_clean", "ffhq70k"),
    "fid_clean_vs_truth": ("gfpbench.metrics.fid:fid_clean", "truth"),
    "kid_legacy_vs_truth": ("gfpbench.metrics.kid:kid_legacy", "truth"),
    "kid_clean_vs_truth": ("gfpbench.metrics.kid:kid_clean", "truth"),
    "precision_legacy_vs_truth": ("gfpbench.metrics.precision_recall:precision_legacy", "truth"),
    "recall_legacy_vs_truth": ("gfpbench.metrics.precision_recall:recall_legacy", "truth"),
    "frechet_dlib_vs_truth": ("gfpbench.metrics.frechet_dlib:frechet_dlib", "truth"),
}
"""Name -> ("module:attribute" of the metric, name of the reference)."""


def load(names: Sequence[str]) -> tuple[SetMeasure, ...]:
    """The set measures of these names, in this order. Raises BadInput for a name no measure has."""
    wrong = next((name for name in names if name not in SET_METRICS), None)
    if wrong is not None:
        raise unknown("set metric", wrong, SET_METRICS)
    return tuple(_measure(name, *SET_METRICS[name]) for name in names)


def _measure(name: str, target: str, reference: str) -> SetMeasure:
    """A row as an object. Raises BadInput saying which file lacks what the row names."""
    subject = f"set metric {name!r}"
    against = companion(REFERENCES, reference, subject, f"REFERENCES in {_FILE}")
    if against.asset is not None:
        companion(assets.ASSETS, against.asset, f"{subject}, by its reference {reference!r},", assets.TABLE)
    return SetMeasure(name, attribute_of("set metric", name, target), against)
