"""RetinaFace with a ResNet-50, through facexlib: the detector that GFP-GAN's authors use."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from gfpbench import assets
from gfpbench.images import Bytes, to_bgr
from gfpbench.photos.detect import Found, Points
from gfpbench.types import BadInput, Json, PackageMissing

ASSET = "retinaface-resnet50"
MINIMUM_CONFIDENCE = 0.97
"""As FaceRestoreHelper.get_face_landmarks_5 in xinntao/facexlib@v0.3.0."""
MAXIMUM_PIXELS = 12_000_000
"""A larger photo is shrunk to this for detection: upstream feeds it whole, which takes several GB of memory."""


class RetinaFace:
    """facexlib's RetinaFace on photographs at their own size, confidence above 0.97, as GFPGANer asks it.

    Args:
        path: ``detection_Resnet50_Final.pth``.
        device: where the network runs.

    Raises:
        BadInput: for a file that is not these weights.
        PackageMissing: without facexlib.
    """

    name = "retinaface"

    def __init__(self, path: Path, device: str = "cpu") -> None:
        weights = {key.removeprefix("module."): value for key, value in assets.load_weights(path).items()}
        if "body.conv1.weight" not in weights:  # told before ten million weights are drawn for nothing
            raise BadInput(f"{path} does not hold the weights of RetinaFace with a ResNet-50")
        self._network = _network(device)
        try:
            self._network.load_state_dict(weights, strict=True)
        except RuntimeError as error:
            line = " ".join(str(error).split())[:200]
            raise BadInput(f"{path} does not hold the weights of RetinaFace with a ResNet-50: {line}") from error
        self._network.requires_grad_(False).eval()

    def __call__(self, rgb: Bytes) -> list[Found]:
        """Find faces in (H, W, 3) uint8 RGB, the surest first."""
        height, width = rgb.shape[:2]
        scale = min(1.0, (MAXIMUM_PIXELS / (height * width)) ** 0.5)
        bgr = to_bgr(rgb)
        if scale < 1:
            size = (max(1, int(width * scale)), max(1, int(height * scale)))
            bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        with torch.no_grad():
            rows = self._network.detect_faces(bgr, MINIMUM_CONFIDENCE)
        # Places of a shrunk photo, as those of pixel centres.
        ratio = np.array([width / bgr.shape[1], height / bgr.shape[0]])
        return [_found(np.asarray(row, dtype=np.float64), ratio) for row in rows]

    def provenance(self) -> Mapping[str, Json]:
        return {
            "detector": self.name,
            "network": "RetinaFace, ResNet-50",
            "implementation": f"facexlib {version('facexlib')}",
            "weights_sha256": assets.find(ASSET).sha256,
            "minimum_confidence": MINIMUM_CONFIDENCE,
            "looks_at": f"photos at their own size, shrunk to {MAXIMUM_PIXELS} pixels where they have more",
        }


def retinaface(*, device: str = "cpu") -> RetinaFace:
    """The fetched weights. Raises AssetMissing where they are not here, or facexlib is not installed."""
    return RetinaFace(assets.path(ASSET, needed_by="whole-photo"), device)


def _found(row: Points, ratio: Points) -> Found:
    corners, landmarks = row[:4].reshape(2, 2), row[5:15].reshape(5, 2)
    if (ratio != 1).any():
        corners, landmarks = ((places + 0.5) * ratio - 0.5 for places in (corners, landmarks))
    left, top, right, bottom = (float(value) for value in corners.ravel())
    return Found((left, top, right, bottom), landmarks, float(row[4]))


def _network(device: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it builds its backbone with an argument that torchvision has renamed
            from facexlib.detection.retinaface import RetinaFace as Network

            with torch.random.fork_rng(devices=[]):  # initial weights are drawn and then replaced
                return Network(network_name="resnet50", device=device)
    except ModuleNotFoundError as error:
        raise PackageMissing("facexlib", "whole-photo", "pip install 'gfpbench[upstream]'") from error
