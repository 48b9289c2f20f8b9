"""Landmark distance: how far eyes, nose, mouth and chin of the restored face lie from the truth's, in pixels.

As published, on the 98 points of the AWing network (``lmd_awing``), and without a download on dlib's 68 (``lmd_dlib``).
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfpbench import assets
from gfpbench.images import to_rgb_arrays
from gfpbench.lazy import LazyModule
from gfpbench.metrics.dlib_faces import Points, face_box, landmarks
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, ImageBatch, PackageMissing

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn
else:
    np, torch, cv2, nn = LazyModule("numpy"), LazyModule("torch"), LazyModule("cv2"), LazyModule("torch.nn")

ASSET = "awing-wflw98"
LANDMARKS = 98
INPUT_PX, MAP_PX = 256, 64
_NAME, _DLIB = "lmd_awing", "lmd_dlib"
_NETWORK = "AWing, four hourglasses, 98 landmarks"


def mean_point_distance(restored: Points, truth: Points) -> float:
    """Mean Euclidean distance of (N, 2) points, not divided by the size of the face: VQFR's arithmetic."""
    return float(np.hypot(*(restored - truth).T).mean())


def _dlib_score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    values = []
    for name, ours, theirs in zip(truth.ids, to_rgb_arrays(restored), to_rgb_arrays(truth), strict=True):
        # The restored face is never searched for, so that a poor restoration stays in the mean.
        box = face_box(theirs, name, _DLIB)
        values.append(mean_point_distance(landmarks(ours, box, _DLIB), landmarks(theirs, box, _DLIB)))
    return torch.tensor(values, dtype=torch.float64)


lmd_dlib = PerImageMetric(
    name=_DLIB,
    unit="px",
    better="lower",
    best=0.0,
    tolerance=0.03,
    tolerance_reason="landmarks are whole pixels: two of 68 that tip by one pixel move the mean by 0.03",
    minimum_side_px=64,
    needs_truth=True,
    source="metric_paper/calculate_landmark_distance.py in TencentARC/VQFR@239c77a, on dlib's 68 landmarks",
    score=_dlib_score,
)
"""Mean distance of dlib's 68 landmarks, box of the truth for both. Published LMD is ``lmd_awing``."""


def points_of(heat_maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, 64, 64) heat maps to (N, 2) places x, y in cells: the highest cell's middle, a quarter towards its neighbour.

    As ``calculate_points`` of facexlib and VQFR, with its oddities: neighbours to the left and right are those in
    memory, across the rim; once any of the maps is highest in the last row, every map takes its last cell for the
    neighbour below, and once any is highest in the first row, its first cell for the one above. Theirs stops where a
    map is highest in the very last cell; here that is its own neighbour.
    """
    count, height, width = heat_maps.shape
    lines, rows = heat_maps.reshape(count, -1), np.arange(count)
    highest = lines.argmax(axis=1)
    last = height * width - 1
    right, left = lines[rows, np.minimum(highest + 1, last)], lines[rows, highest - 1]
    below, above = highest + width, highest - width
    down = lines[rows, np.full(count, last) if (below > last).any() else below]
    up = lines[rows, np.zeros(count, dtype=np.intp) if (above <= 0).any() else above]
    step = np.sign(np.stack([right - left, down - up], axis=1)).astype(np.float64)
    return np.asarray(np.stack([highest % width, highest // width], axis=1) + 0.25 * step + 0.5)


def landmarks_of(network: nn.Module, rgb: NDArray[np.uint8], device: torch.device) -> NDArray[np.float64]:
    """(98, 2) places x, y in pixels of an (H, W, 3) uint8 RGB image, which the network sees at 256 px in [0, 1]."""
    height, width = rgb.shape[:2]
    small = np.ascontiguousarray(cv2.resize(rgb, (INPUT_PX, INPUT_PX)).transpose(2, 0, 1))
    with torch.inference_mode():
        outputs, _ = network((torch.from_numpy(small).to(torch.float32) / 255)[None].to(device))
    # The last hourglass speaks; its last map is the outline of the face, not a point.
    heat_maps = outputs[-1][0, :-1].to("cpu", torch.float32).numpy()
    return np.asarray(points_of(heat_maps) * np.array([width / MAP_PX, height / MAP_PX]))


@lru_cache(maxsize=1)
def awing(path: Path) -> nn.Module:
    """facexlib's network with the weights of ``alignment_WFLW_4HG.pth``, in eval mode.

    Raises:
        BadInput: for a file that holds other weights.
        PackageMissing: without facexlib.
    """
    weights = assets.load_weights(path)
    if "conv1.conv.weight" not in weights or "l3.weight" not in weights:
        raise BadInput(f"{path} does not hold the weights of {_NETWORK}")
    network = _facexlibs_network()
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"{path} does not hold the weights of {_NETWORK}: {line}") from error
    return network.eval().requires_grad_(False)


def _facexlibs_network() -> nn.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what else it imports asks torchvision for names of another time
            from facexlib.alignment.awing_arch import FAN
    except ModuleNotFoundError as error:
        raise PackageMissing("facexlib", _NAME, "pip install 'gfpbench[upstream]'") from error
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn and then replaced
        made: Any = FAN(num_modules=4, num_landmarks=LANDMARKS, device="cpu")
    network: nn.Module = made
    return network


def _score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    device = restored.pixels.device
    network = awing(assets.path(ASSET, _NAME)).to(device)
    values = [
        mean_point_distance(landmarks_of(network, ours, device), landmarks_of(network, theirs, device))
        for ours, theirs in zip(to_rgb_arrays(restored), to_rgb_arrays(truth), strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64)


lmd_awing = PerImageMetric(
    name=_NAME,
    unit="px",
    better="lower",
    best=0.0,
    tolerance=0.2,
    tolerance_reason="a point that tips to the next cell of its heat map, 8 px at 512 px, moves the mean by 0.08 px",
    minimum_side_px=lmd_dlib.minimum_side_px,
    needs_truth=True,
    source="metric_paper/calculate_landmark_distance.py in TencentARC/VQFR@239c77a; awing_arch.py in facexlib 0.3.0",
    score=_score,
)
"""Mean distance of AWing's 98 landmarks in pixels, not divided by anything: LMD as VQFR and PMRF publish it.

The whole crop is shown to the network, so that faces must be aligned as FFHQ's are; no detector is involved and no face
can be lost. facexlib's own ``get_landmarks`` cannot run on numpy 1.24 or later, which has no ``np.float``.
"""
