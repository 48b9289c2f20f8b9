"""The core types (ImageBatch, Face, Case, Result, ...). Imports no other module of gfpbench.

Each is imported from here, and not from the file that it stands in.
"""

from __future__ import annotations

from gfpbench.types.contracts import Better, Degradation, FaceSet, Metric, Progress, Restorer, SetMetric, SetScore
from gfpbench.types.errors import (
    AssetMissing,
    BadInput,
    GfpbenchError,
    PackageMissing,
    RestorationFailed,
    UnreadableFace,
)
from gfpbench.types.images import Face, ImageBatch, Json, Parameters
from gfpbench.types.optional_contracts import (
    ComparesWithInput,
    ComputedTwoWays,
    DrawnOften,
    FindsImages,
    HoldsImages,
    Identified,
    OpensFiles,
    ReadsImages,
    SaysWhatIsFaster,
    SaysWhatRan,
    SaysWhetherOpaque,
    TimeLimited,
)
from gfpbench.types.results import NO_TRUTH, Case, Displayed, Problem, Result, Row, Verdict, VerdictKind, any_scored

__all__ = [
    # what went wrong
    "AssetMissing",
    "BadInput",
    "GfpbenchError",
    "PackageMissing",
    "RestorationFailed",
    "UnreadableFace",
    # images, and records of them
    "Face",
    "ImageBatch",
    "Json",
    "Parameters",
    # what the parts of a case offer
    "Better",
    "Degradation",
    "FaceSet",
    "Metric",
    "Progress",
    "Restorer",
    "SetMetric",
    "SetScore",
    # what they may offer besides
    "ComparesWithInput",
    "ComputedTwoWays",
    "DrawnOften",
    "FindsImages",
    "HoldsImages",
    "Identified",
    "OpensFiles",
    "ReadsImages",
    "SaysWhatIsFaster",
    "SaysWhatRan",
    "SaysWhetherOpaque",
    "TimeLimited",
    # what is measured, and what comes of it
    "NO_TRUTH",
    "Case",
    "Displayed",
    "Problem",
    "Result",
    "Row",
    "Verdict",
    "VerdictKind",
    "any_scored",
]
