"""YuNet, the small face detector that OpenCV runs: 232 kB of weights, on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gfpbench import assets
from gfpbench.images import Bytes, to_bgr
from gfpbench.photos.detect import Found
from gfpbench.types import BadInput, Json

ASSET = "yunet"
MINIMUM_CONFIDENCE = 0.8
MAXIMUM_OVERLAP = 0.3
LONGER_SIDES_PX = (1280, 320)
"""Trained on faces of 10 to 300 px: photos are looked at in this size, and smaller where that shows no face."""


class YuNet:
    """OpenCV's FaceDetectorYN on the photo shrunk to 1280 px, then to 320 px if it found none (for close portraits).

    Raises:
        BadInput: for a file that OpenCV cannot read as YuNet.
    """

    name = "opencv"

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        del device  # OpenCV runs it on the CPU
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), "", (320, 320), MINIMUM_CONFIDENCE, MAXIMUM_OVERLAP, 5000
            )
        except cv2.error as error:
            line = " ".join(str(error).split())[:200]
            raise BadInput(f"{path} is not a YuNet that OpenCV {cv2.__version__} can read: {line}") from error

    def __call__(self, rgb: Bytes) -> list[Found]:
        """Find faces in (H, W, 3) uint8 RGB, the surest first."""
        longer = max(rgb.shape[:2])
        for side in LONGER_SIDES_PX:
            if side == LONGER_SIDES_PX[0] or side < longer:
                found = self._at(rgb, min(1.0, side / longer))
                if found:
                    return found
        return []

    def _at(self, rgb: Bytes, scale: float) -> list[Found]:
        height, width = rgb.shape[:2]
        bgr = to_bgr(rgb)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (width, height):
            bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        self._network.setInputSize(size)
        rows: Any = self._network.detect(bgr)[1]
        if rows is None:  # as OpenCV says that there is no face
            return []
        ratio = np.array([width / size[0], height / size[1]])
        found = []
        for row in sorted(np.asarray(rows, dtype=np.float64), key=lambda row: -row[14]):
            corners = np.array([row[:2], row[:2] + row[2:4]]) * ratio
            left, top, right, bottom = (float(value) for value in corners.ravel())
            # Its first eye is the person's right one: the viewer's left, as everywhere here.
            found.append(Found((left, top, right, bottom), row[4:14].reshape(5, 2) * ratio, float(row[14])))
        return found

    def provenance(self) -> Mapping[str, Json]:
        return {
            "detector": self.name,
            "network": "YuNet 2023mar",
            "implementation": f"opencv {cv2.__version__}",
            "weights_sha256": assets.find(ASSET).sha256,
            "minimum_confidence": MINIMUM_CONFIDENCE,
            "looks_at": f"photos shrunk to {LONGER_SIDES_PX[0]} px, then {LONGER_SIDES_PX[1]} px if no face is found",
        }


def yunet(*, device: str = "cpu") -> YuNet:
    """The fetched weights. Raises AssetMissing where they are not here."""
    return YuNet(assets.path(ASSET, needed_by="whole-photo"), device=device)
