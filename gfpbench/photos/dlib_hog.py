"""dlib's HOG detector with its 68 landmarks: finds upright faces without anything to download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gfpbench.images import Bytes
from gfpbench.metrics.dlib_faces import landmarks as landmarks_68
from gfpbench.photos.detect import Found, Points
from gfpbench.types import Json, PackageMissing

DOUBLED_UP_TO_PIXELS = 4_000_000
"""The detector's window is 80 px. Smaller photos are doubled, so that faces from 40 px are found; larger ones are not,
which would take minutes and GB."""


class DlibHog:
    """dlib's frontal face detector, and its 68 landmarks as the five that GFP-GAN aligns by.

    Finds faces from 40 px (80 in photos over 4 million pixels) turned by up to some 30 degrees; few profiles.

    Raises:
        PackageMissing: without dlib or the files of ``face_recognition_models``.
    """

    name = "dlib"

    def __init__(self, *, device: str = "cpu") -> None:
        del device  # it runs on the CPU
        try:
            import dlib
        except ModuleNotFoundError as error:
            raise PackageMissing("dlib", "whole-photo", "pip install 'gfpbench[identity]'") from error
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        # Missing landmarks are met now, not at the first photo.
        landmarks_68(np.zeros((80, 80, 3), np.uint8), dlib.rectangle(0, 0, 79, 79), "whole-photo")

    def __call__(self, rgb: Bytes) -> list[Found]:
        """Find faces in (H, W, 3) uint8 RGB, the surest first. The confidence is dlib's margin; 0 is its threshold."""
        rgb = np.ascontiguousarray(rgb)
        doublings = 1 if rgb.shape[0] * rgb.shape[1] <= DOUBLED_UP_TO_PIXELS else 0
        boxes, scores, _ = self._detector.run(rgb, doublings, 0.0)
        ordered = sorted(zip(boxes, scores, strict=True), key=lambda pair: -pair[1])
        return [
            Found(
                (float(box.left()), float(box.top()), float(box.right()), float(box.bottom())),
                five_of_68(landmarks_68(rgb, box, "whole-photo")),
                float(score),
            )
            for box, score in ordered
        ]

    def provenance(self) -> Mapping[str, Json]:
        return {
            "detector": self.name,
            "network": "none: HOG with a linear classifier, 68 landmarks by regression trees",
            "implementation": f"dlib {self._dlib.__version__}",
            "minimum_confidence": 0.0,
            "looks_at": f"photos doubled; at their own size over {DOUBLED_UP_TO_PIXELS} pixels",
        }


def dlib_hog(*, device: str = "cpu") -> DlibHog:
    """The detector with its models loaded. Raises PackageMissing without dlib or its landmarks."""
    return DlibHog(device=device)


def five_of_68(points: Points) -> Points:
    """(5, 2): the middles of the eyes' outlines, the tip of the nose, the outer corners of the mouth, of iBUG's 68."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
