"""MediaPipe's BlazeFace with the landmarks of its face mesh: finds large faces, turned ones too, by 4 MB of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from gfpbench import assets
from gfpbench.images import Bytes
from gfpbench.metrics import mediapipe_faces
from gfpbench.metrics.mediapipe_faces import FACE_SCALE, MESH_ASSET, MESH_PX, Points
from gfpbench.metrics.tfjs_graph import Graph
from gfpbench.photos.detect import Found
from gfpbench.types import Json

ASSET = "mediapipe-detector"
SIDE_PX = 256
MINIMUM_CONFIDENCE = 0.5
MAXIMUM_OVERLAP = 0.3
CELLS = ((16, 2), (8, 6))
"""Cells along a side, and how many boxes each of them may name."""
OUTPUTS = ("Identity", "Identity_1", "Identity_2", "Identity_3")
"""Confidences of the 512 and of the 384 boxes, then where they are."""
NOSE, MOUTH = 4, (61, 291)


class BlazeFace:
    """BlazeFace (the variant for 256 px) on the whole photo, and the mesh of each face for GFP-GAN's five landmarks.

    Finds faces from about a tenth of the photo's longer side, turned by up to some 45 degrees.

    Args:
        path: of the detector's weights; those of the mesh are looked for at once, so that their want is met now.
    """

    name = "mediapipe"

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        del device  # small networks, on the CPU
        self._network = Graph(path, SIDE_PX)
        assets.path(MESH_ASSET, "whole-photo")

    def __call__(self, rgb: Bytes) -> list[Found]:
        """Find faces in (H, W, 3) uint8 RGB, the surest first. The confidence lies in [0, 1]."""
        height, width = rgb.shape[:2]
        scale = SIDE_PX / max(height, width)
        boxes, keypoints, sure = self._boxes(rgb, scale)
        found = []
        for number in kept(boxes, sure):
            left, top, right, bottom = boxes[number] / scale - 0.5
            eyes = keypoints[number] / scale
            middle = np.array([left + right, top + bottom]) / 2 + 0.5
            side = FACE_SCALE * max(right - left, bottom - top)
            turn = mediapipe_faces.square(middle, eyes[1] - eyes[0], side, MESH_PX)
            points = mediapipe_faces.mesh(rgb, turn, "whole-photo") - 0.5  # whole numbers are middles of pixels here
            box = float(left), float(top), float(right), float(bottom)
            found.append(Found(box, five_of_mesh(points), float(sure[number])))
        return found

    def _boxes(self, rgb: Bytes, scale: float) -> tuple[Points, Points, Points]:
        """(N, 4) boxes and (N, 2, 2) eyes in pixels of the photo shrunk to 256 px, and (N,) confidences."""
        height, width = rgb.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        shown = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32)
        shown[: size[1], : size[0]] = cv2.resize(rgb.astype(np.float32), size, interpolation=how)
        answers = self._network(torch.from_numpy(shown)[None] / 127.5 - 1, OUTPUTS)
        numbers = [answer[0].double().numpy() for answer in answers]
        sure = 1 / (1 + np.exp(-np.clip(np.concatenate(numbers[:2])[:, 0], -100, 100)))
        places = np.concatenate(numbers[2:]).reshape(-1, 8, 2)  # middle, size, six points
        middles = anchors()
        corner, half = places[:, 0] + middles, places[:, 1] / 2
        return np.hstack([corner - half, corner + half]), places[:, 2:4] + middles[:, None], sure

    def provenance(self) -> Mapping[str, Json]:
        return {
            "detector": self.name,
            "network": "BlazeFace for 256 px, face mesh of 468 points (MediaPipe)",
            "implementation": f"torch {torch.__version__}",
            "weights_sha256": {name: assets.find(name).sha256 for name in (ASSET, MESH_ASSET)},
            "minimum_confidence": MINIMUM_CONFIDENCE,
            "looks_at": f"photos brought to {SIDE_PX} px",
        }


def anchors() -> Points:
    """(896, 2): the middle of the cell of each box, in pixels of the 256."""
    found = []
    for cells, boxes in CELLS:
        row, column = np.mgrid[:cells, :cells] + 0.5
        middles = np.stack([column, row], axis=-1).reshape(-1, 1, 2) * SIDE_PX / cells
        found.append(np.repeat(middles, boxes, axis=1).reshape(-1, 2))
    return np.concatenate(found)


def kept(boxes: NDArray[np.float64], sure: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """Which boxes are faces: sure enough, the surest first, and none that overlaps a surer one by too much."""
    left, top, right, bottom = boxes.T
    areas = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    found: list[int] = []
    for number in np.argsort(-np.asarray(sure), kind="stable").tolist():
        if sure[number] < MINIMUM_CONFIDENCE:
            break
        wide = np.minimum(right[number], right[found]) - np.maximum(left[number], left[found])
        high = np.minimum(bottom[number], bottom[found]) - np.maximum(top[number], top[found])
        shared = np.clip(wide, 0, None) * np.clip(high, 0, None)
        if areas[number] > 0 and bool((shared <= MAXIMUM_OVERLAP * (areas[number] + areas[found] - shared)).all()):
            found.append(number)
    return found


def five_of_mesh(points: Points) -> Points:
    """(5, 2): the middles between the corners of the eyes, the tip of the nose, the corners of the mouth."""
    eyes = [points[list(corners)].mean(axis=0) for corners in mediapipe_faces.EYES]
    return np.stack([*eyes, points[NOSE], *points[list(MOUTH)]])


def blazeface(*, device: str = "cpu") -> BlazeFace:
    """The fetched weights. Raises AssetMissing where they are not here."""
    return BlazeFace(assets.path(ASSET, needed_by="whole-photo"), device=device)
