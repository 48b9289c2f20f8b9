"""Identity angle by FaceRes: MobileNet's 1024 features, a second judge where training or ``deg_dlib`` used dlib's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfpbench import assets
from gfpbench.images import to_bgr_arrays
from gfpbench.lazy import LazyModule
from gfpbench.metrics.identity import angle_degrees
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
    import torch.nn.functional as F
else:
    np, torch, F, cv2 = LazyModule("numpy"), LazyModule("torch"), LazyModule("torch.nn.functional"), LazyModule("cv2")

ASSET = "faceres"
SIDE_PX = 224
MEAN_BGR = (103.939, 116.779, 123.68)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Of the depthwise convolutions (Howard et al. 2017, table 1; the last but one halves, the last does not)."""
CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """MobileNet v1 without its classifier.

    Args:
        weights: ``conv1``, ``conv_dw_N`` and ``conv_pw_N`` (N from 1 to 13), each with ``.weight`` (out, in, k, k) and
            ``.bias``; ``conv_dw_N.scale`` is what its batch norm multiplies by.
    """

    weights: dict[str, torch.Tensor]

    def to(self, device: torch.device) -> Network:
        """The same on a device."""
        return Network({name: value.to(device) for name, value in self.weights.items()})

    def __call__(self, bgr: torch.Tensor) -> torch.Tensor:
        """(B, 3, 224, 224) BGR, 0 to 255 less the mean, to (B, 1024) features."""
        held = self._activated(F.conv2d(_padded(bgr, 2), self.weights["conv1.weight"], stride=2), "conv1")
        for number, stride in enumerate(STRIDES, start=1):
            deep, point = f"conv_dw_{number}", f"conv_pw_{number}"
            kernel = self.weights[f"{deep}.weight"]
            filtered = F.conv2d(_padded(held, stride), kernel, stride=stride, groups=len(kernel))
            held = self._activated(filtered * self.weights[f"{deep}.scale"].view(1, -1, 1, 1), deep)
            held = self._activated(F.conv2d(held, self.weights[f"{point}.weight"]), point)
        return held.mean((2, 3))

    def _activated(self, maps: torch.Tensor, layer: str) -> torch.Tensor:
        return (maps + self.weights[f"{layer}.bias"].view(1, -1, 1, 1)).clamp(0, 6)


def _padded(maps: torch.Tensor, stride: int) -> torch.Tensor:
    """TensorFlow's "same" for a 3 x 3 kernel and an even size: with stride 2 it pads behind only."""
    return F.pad(maps, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))


def shapes() -> dict[str, tuple[int, ...]]:
    """Name -> shape of each tensor of the file."""
    found: dict[str, tuple[int, ...]] = {"conv1.weight": (32, 3, 3, 3), "conv1.bias": (32,)}
    for number in range(1, len(STRIDES) + 1):
        before, after = CHANNELS[number - 1 : number + 1]
        deep, point = f"conv_dw_{number}", f"conv_pw_{number}"
        found |= {f"{deep}.weight": (before, 1, 3, 3), f"{deep}.scale": (before,), f"{deep}.bias": (before,)}
        found |= {f"{point}.weight": (after, before, 1, 1), f"{point}.bias": (after,)}
    return found


@lru_cache(maxsize=1)
def network(path: Path) -> Network:
    """Load the network. Raises BadInput for a file of other weights."""
    given = assets.load_weights(path)
    for name, shape in shapes().items():
        if name not in given or tuple(given[name].shape) != shape:
            has = f"has {tuple(given[name].shape)}" if name in given else "lacks it"
            raise BadInput(f"{path} does not fit FaceRes: {name} is {shape}, and the file {has}")
    return Network({name: given[name].float() for name in shapes()})


def prepared(batch: ImageBatch) -> torch.Tensor:
    """(B, 3, 224, 224) float32: the whole 8-bit image, bilinear to 224 px in 8 bits, BGR less the mean.

    As the authors' facial_analysis.py. Nothing is detected: an aligned face fills its image.
    """
    small: list[Any] = [
        cv2.resize(bgr, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR) for bgr in to_bgr_arrays(batch)
    ]
    centred = np.stack(small).astype(np.float32) - np.asarray(MEAN_BGR, np.float32)
    return torch.from_numpy(np.ascontiguousarray(centred.transpose(0, 3, 1, 2)))


def angles(network: Network, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """(B,) degrees between the features of each pair."""
    device = restored.pixels.device
    there = network.to(device)
    with torch.inference_mode():
        ours, theirs = (
            torch.cat([there(face.to(device)[None]) for face in prepared(batch)]) for batch in (restored, truth)
        )
    return angle_degrees(ours.cpu().clone(), theirs.cpu().clone())


def _score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return angles(network(assets.path(ASSET, "deg_faceres")), restored, truth)


deg_faceres = PerImageMetric(
    name="deg_faceres",
    unit="degrees",
    better="lower",
    best=0.0,
    tolerance=1e-3,
    tolerance_reason="convolutions differ by 1e-6 between thread counts and devices",
    minimum_side_px=32,
    needs_truth=True,
    source="FaceRes (Savchenko 2019, arXiv 1807.07718): facial_analysis.py in av-savchenko/HSE_FaceRec_tf@0a8ac06, "
    "on the file of @vladmandic/human; aligned faces, whole image",
    score=_score,
)
"""Identity angle by FaceRes. A relative score, never comparable with published Deg.

Strangers (all pairs of different people at 128 px): median 64 degrees of 59 official portraits, 61 of 40 generated
faces, 67 of the two embedded; the nearest pairs 43 and 42. Blur and noise move it far more than ``deg_dlib``: faces
degraded by ``paper`` are 55 to 57 degrees from their own truth, nearly strangers, so part of any gain is sharpness.
"""
