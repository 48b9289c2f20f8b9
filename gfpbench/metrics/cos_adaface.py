"""Identity as the NTIRE challenges measure it: cosine of AdaFace embeddings of faces aligned by five points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gfpbench import assets, images
from gfpbench.decode.point_lists import SIDE_PX, Five, PointList
from gfpbench.lazy import LazyModule
from gfpbench.metrics.figure_identity import own_identity
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
    from numpy.typing import NDArray
else:
    np, torch, cv2 = LazyModule("numpy"), LazyModule("torch"), LazyModule("cv2")

ASSET = "adaface-ir50"
NAME = "cos_adaface"
CROP_PX = 112

REFERENCE: Five = (
    (38.29459953, 51.69630051),
    (73.53179932, 51.50139999),
    (56.02519989, 71.73660278),
    (41.54930115, 92.3655014),
    (70.72990036, 92.20410156),
)
"""Where the points lie in the crop: the reference of 96 x 112 px, 8 px to the right."""

FFHQ: Five = (
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)
"""Mean places in FFHQ crops of 512 px (facexlib 0.3.0, face_restoration_helper.py)."""


def similarity(points: Five) -> NDArray[np.float64]:
    """(2, 3): the turn, scale and shift that take five points of an image to their reference.

    Fitted backwards, from the reference to the points, by least squares, and inverted, as MATLAB's cp2tform and the
    challenge's script do: the usual fit from points to reference is another one.

    Raises:
        BadInput: where the points are one point.
    """
    to, ours = np.array(REFERENCE), np.array(points, dtype=np.float64)
    centre, mean = to.mean(0), ours.mean(0)
    x, y = (to - centre).T
    u, v = (ours - mean).T
    length = (x * x + y * y).sum()
    a, b = (x * u + y * v).sum() / length, (x * v - y * u).sum() / length
    if a * a + b * b < 1e-12:
        raise BadInput("five points that are one point align no face")
    turn = np.array([[a, b], [-b, a]]) / (a * a + b * b)
    forward: NDArray[np.float64] = np.hstack([turn, (centre - turn @ mean)[:, None]])
    return forward


def aligned(rgb: images.Bytes, points: Five) -> images.Bytes:
    """(112, 112, 3) uint8: the face cut out of an image, bilinear, black beyond the border."""
    crop: Any = cv2.warpAffine(rgb, similarity(points), (CROP_PX, CROP_PX))
    return crop  # type: ignore[no-any-return]


def embeddings(network: torch.nn.Module, batch: ImageBatch, points: list[Five]) -> torch.Tensor:
    """(B, 512) float64 of length 1, on the CPU, one image at a time.

    Raises:
        BadInput: for an embedding of length 0, which has no direction.
    """
    device = batch.pixels.device
    crops = [aligned(rgb, five) for rgb, five in zip(images.to_rgb_arrays(batch), points, strict=True)]
    signed = images.to_signed(images.batch_from_uint8(crops, batch.ids))
    bgr = images.to_form(signed, images.Form(order="bgr")).to(device)
    network = network.to(device)
    with torch.inference_mode():
        found = torch.cat([network(face[None]) for face in bgr]).to("cpu", torch.float64)
    lengths = found.norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all() and torch.isfinite(lengths).all()):
        raise BadInput("an embedding is zero or not finite: the network's weights or the image are broken")
    normalised: torch.Tensor = found / lengths
    return normalised.clone()


def adaface_metric(listed: PointList | None = None) -> PerImageMetric:
    """The cosine, on faces aligned by the points of a list, or by the mean points of FFHQ where there is none."""

    def points_of(batch: ImageBatch) -> list[Five]:
        height, width = batch.size
        if listed is None:
            if height != width:
                raise BadInput(f"{NAME} needs square crops aligned as FFHQ's, not {height} x {width} px")
            return [tuple((x * width / SIDE_PX, y * width / SIDE_PX) for x, y in FFHQ)] * len(batch)
        if (height, width) != (SIDE_PX, SIDE_PX):
            raise BadInput(
                f"{NAME}: the points of {listed.file} are of {SIDE_PX} px, and these images are {height} x {width}: "
                f"measure them at {SIDE_PX} px"
            )
        return [listed.of(face_id)[1] for face_id in batch.ids]

    def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        from gfpbench.metrics.adaface import adaface  # a network: loads torch

        weights = assets.path(ASSET, NAME)
        points = points_of(truth)
        network = adaface(weights)
        ours, theirs = (embeddings(network, batch, points) for batch in (restored, truth))
        return (ours * theirs).sum(1).clamp(-1, 1)

    by = "the mean points of FFHQ crops" if listed is None else f"{listed.file} (sha256 {listed.sha256[:12]})"
    return PerImageMetric(
        name=NAME,
        unit="",
        better="higher",
        best=1.0,
        tolerance=1e-4,
        tolerance_reason="embeddings differ by 1e-5 between thread counts and devices",
        minimum_side_px=64,
        needs_truth=True,
        source="face_alignment/inference.py in zhengchen1999/NTIRE2025_RealWorld_Face_Restoration@b06055c: AdaFace "
        f"IR-50 (MS1MV2), BGR, aligned by {by}",
        score=score,
        by_points=adaface_metric,
        computed_by=lambda: {**own_identity(NAME), "settings": {"points": by}},
    )


cos_adaface = adaface_metric()
"""Cosine of AdaFace embeddings: 1 for the same image, about 0 for strangers. Not the challenge's without its points."""
