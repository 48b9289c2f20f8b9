"""Face detectors by name, and the default one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gfpbench.images import Bytes
from gfpbench.registry import resolve
from gfpbench.types import AssetMissing, GfpbenchError, Json

Points: TypeAlias = NDArray[np.float64]

AUTO = "auto"

DETECTORS: dict[str, str] = {
    "retinaface": "gfpbench.photos.retinaface:retinaface",
    "dlib": "gfpbench.photos.dlib_hog:dlib_hog",
    "opencv": "gfpbench.photos.yunet:yunet",
    "mediapipe": "gfpbench.photos.mediapipe:blazeface",
}
"""Name -> "module:attribute" of a factory ``(*, device: str) -> Detector``; ``auto`` takes the first that is here."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One face in a photograph, in its pixels; whole numbers are pixel centres.

    Args:
        box: left, top, right, bottom; may reach beyond the photograph.
        landmarks: (5, 2) float64 x, y: eyes, tip of the nose, corners of the mouth; the viewer's left first.
        confidence: the detector's own score; comparable between faces of one detector, never between detectors.
    """

    box: tuple[float, float, float, float]
    landmarks: Points
    confidence: float


@runtime_checkable
class Detector(Protocol):
    """Finds faces: (H, W, 3) uint8 RGB in, any number of faces out, the surest first. The same for the same photo."""

    name: str

    def __call__(self, rgb: Bytes) -> list[Found]: ...

    def provenance(self) -> Mapping[str, Json]:
        """What identifies it: its models, thresholds and the sizes it looks at. JSON."""
        ...


class DetectorMissing(AssetMissing):
    """No face detector is here."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        said = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        GfpbenchError.__init__(self, f"whole photos need a face detector, and none is here ({said})")
        self.asset = "retinaface-resnet50"
        self.needed_by = "whole-photo"


def load(name: str = AUTO, *, device: str = "cpu") -> Detector:
    """Load a detector by name; ``auto`` takes GFP-GAN's own where its weights are here, else one that works offline.

    Args:
        name: ``auto``, ``retinaface``, ``dlib``, ``opencv`` or ``mediapipe``.
        device: where a network runs.

    Raises:
        BadInput: for a name that is not known.
        AssetMissing: where what the detector needs is not here; for ``auto``, where no detector has what it needs.
    """
    if name != AUTO:
        named: Detector = resolve("face detector", DETECTORS, name, also="auto takes the best one that is here")(
            device=device
        )
        return named
    reasons: dict[str, str] = {}
    for each in DETECTORS:
        try:
            found: Detector = resolve("face detector", DETECTORS, each)(device=device)
        except AssetMissing as error:
            reasons[each] = str(error)
        else:
            return found
    raise DetectorMissing(reasons)
