"""The table of oracles, one row for each metric of the package, and the laws that all metrics keep.

A metric is not tested by being listed: it is compared with somebody else's code or with its own definition written out
plainly, on images or features of which the value is far from 0. Networks have seeded weights, the same on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from scipy import linalg, ndimage
from skimage.color import rgb2lab
from skimage.measure import block_reduce

from gfpbench.images import select
from gfpbench.metrics.feature_sets import gather
from gfpbench.registry import companion
from gfpbench.types import BadInput, ImageBatch, Metric, SetMetric
from tests.unit.metrics import (
    face_laws,
    identity_laws,
    mediapipe_oracles,
    network_oracles,
    oracles,
    per_image_laws,
    protocol_laws,
    pyiqa_oracles,
    set_laws,
)

TABLE = "ORACLES in tests/unit/metrics/every_metric.py"
SET_TABLE = "SET_ORACLES in tests/unit/metrics/every_metric.py"

Pair = tuple[ImageBatch, ImageBatch]
Value = Callable[[Any, Any, Path], float | None]


@dataclass(frozen=True, slots=True)
class Oracle:
    """What a metric must give.

    Args:
        value: two (H, W, 3) uint8 RGB images, restored and truth, and a folder with seeded weights, to the number;
            None where the metric must refuse the pair.
        within: how far apart the two may be.
        images: restored and truth, of which no value is within ``within`` of 0.
    """

    value: Value
    within: float
    images: Callable[[], Pair]


def photographs() -> Pair:
    return per_image_laws.restored(), per_image_laws.truth()


def _small(places: list[int]) -> Pair:
    """A corner of 96 px, for networks."""
    return tuple(  # type: ignore[return-value]
        ImageBatch(batch.pixels[places][..., -96:, -96:].contiguous(), tuple(batch.ids[place] for place in places))
        for batch in photographs()
    )


def small() -> Pair:
    return _small([1, 2])


def exchanged() -> Pair:
    """Each image and another one, inverted: seeded networks of identity tell hardly anything nearer apart."""
    truth = small()[1]
    return ImageBatch(1 - truth.pixels.flip(0), truth.ids), truth


def one_small() -> Pair:
    return _small([2])


def _faces(change: Callable[[], ImageBatch]) -> Callable[[], Pair]:
    return lambda: (change(), face_laws.truth())


def deg_dlib(restored: Any, truth: Any, folder: Path) -> float:
    """dlib alone, from saved files."""
    paths = [folder / "restored.png", folder / "truth.png"]
    for path, image in zip(paths, (restored, truth), strict=True):
        Image.fromarray(image).save(path)
    return identity_laws.by_hand(*paths)


def lmd_dlib(restored: Any, truth: Any, _: Path) -> float:
    ours, theirs = face_laws.by_dlib(restored, truth), face_laws.by_dlib(truth, truth)
    return float(np.sqrt(((ours - theirs) ** 2).sum(1)).mean())


def eye_mismatch(restored: Any, truth: Any, _: Path) -> float:
    """The definition with scipy's interpolation and scikit-image's Lab."""
    points = face_laws.by_dlib(truth, truth)

    def unlike(image: Any) -> Any:
        flat = []
        for which, mirrored in ((slice(36, 42), False), (slice(42, 48), True)):
            eye = points[which]
            outer, inner = (eye[3], eye[0]) if mirrored else (eye[0], eye[3])
            x_step = (inner - outer) / 40
            y_step = np.array([x_step[1], -x_step[0]]) if mirrored else np.array([-x_step[1], x_step[0]])
            row, column = np.mgrid[:24, :48]
            at = outer + (column - 4)[..., None] * x_step + (row - 12)[..., None] * y_step
            planes = [
                ndimage.map_coordinates(image[..., c].astype(float), [at[..., 1], at[..., 0]], order=1, mode="nearest")
                for c in range(3)
            ]
            corners = np.linalg.solve(np.stack([x_step, y_step], 1), (eye - outer).T).T + np.array([4, 12])
            lids = cv2.fillPoly(np.zeros((24, 48), np.uint8), [np.rint(corners).astype(np.int32)], 1) > 0
            far = np.hypot(column - 24, row - 12)
            flat.append((np.stack(planes, -1), lids & (far <= 8), lids & (far >= 11)))
        found = []
        for region in (1, 2):
            left, right = (rgb2lab(eye[0][eye[region]].mean(0)[None, None] / 255) for eye in flat)
            found.append(np.linalg.norm(left - right))
        left, right = (rgb2lab(block_reduce(eye[0], (6, 6, 1), np.mean) / 255) for eye in flat)
        return np.array([*found, np.linalg.norm(left - right, axis=-1).mean()])

    return float(np.maximum(unlike(restored) - unlike(truth), 0).mean())


def dists(restored: Any, truth: Any, folder: Path) -> float:
    """pyiqa's implementation on the same weights."""
    theirs = network_oracles.pyiqa_dists(
        network_oracles.backbone_weights("vgg", folder), network_oracles.dists_weights(folder)
    )
    return float(theirs(oracles.as_tensor(restored), oracles.as_tensor(truth)))


def _plain(value: Callable[[Any, Any], float]) -> Value:
    return lambda restored, truth, _: value(restored, truth)


scripts = protocol_laws

ORACLES: dict[str, Oracle] = {
    **{name: Oracle(_plain(value), within, photographs) for name, (value, within) in oracles.ORACLES.items()},
    "psnr_rgb_fitted": Oracle(scripts.vqfr_psnr, 1e-4, photographs),
    "ssim_rgb_fitted": Oracle(scripts.vqfr_ssim, 1e-5, photographs),
    "psnr_rgb_cap80": Oracle(scripts.SCRIPTS["pyiqa-default", "psnr"][0], 1e-4, photographs),
    "psnr_yiq_cap80": Oracle(scripts.SCRIPTS["pyiqa-default", "psnry"][0], 1e-4, photographs),
    "ssim_yiq": Oracle(scripts.SCRIPTS["pyiqa-default", "ssim"][0], 1e-4, photographs),
    "niqe_yiq": Oracle(scripts.pyiqa_niqe, 0.03, photographs),
    "lpips_alex": Oracle(scripts.of("alex"), 1e-5, small),
    "lpips_vgg": Oracle(scripts.of("vgg"), 1e-5, small),
    "lpips_vgg_bgr": Oracle(scripts.of("vgg", order=-1), 1e-5, small),
    "lpips_vgg_bgr_01": Oracle(scripts.of("vgg", order=-1, signed=False), 1e-5, small),
    "dists": Oracle(dists, 1e-5, small),
    # OpenCV reads a PNG as grey with a rounding of its own: 1 % of these angles.
    "deg_arcface": Oracle(scripts.cos_dist, 0.3, exchanged),
    "deg_arcface_vqfr": Oracle(scripts.cos_dist_of_the_mean, 0.3, exchanged),
    "rad_arcface_bgr": Oracle(scripts.identity_distance, 1e-4, exchanged),
    "deg_faceres": Oracle(network_oracles.faceres_angle, 1e-3, small),
    "lmd_awing": Oracle(scripts.landmark_distance, 1e-9, one_small),
    "cos_adaface": Oracle(scripts.adaface_cosine, 5e-5, exchanged),
    "lmd_mediapipe": Oracle(mediapipe_oracles.distance, 1e-3, small),
    "gaze_mismatch": Oracle(mediapipe_oracles.gaze, 0.02, small),
    "deg_dlib": Oracle(deg_dlib, 1e-4, _faces(lambda: face_laws.blurred(2.5))),
    "lmd_dlib": Oracle(lmd_dlib, 1e-9, _faces(lambda: face_laws.blurred(3.0))),
    # OpenCV's warp is in single precision.
    "eye_mismatch": Oracle(eye_mismatch, 1e-3, _faces(lambda: face_laws.painted_eyes((face_laws.LEFT,)))),
    "hallucination": Oracle(_plain(face_laws.hallucination_by_scipy), 1e-9, _faces(lambda: face_laws.textured(12.0))),
    "colour_shift": Oracle(_plain(face_laws.shift_by_skimage), 1e-6, _faces(lambda: face_laws.casts()[1])),
    # Bit for bit: the same network, filled by pyiqa's own code.
    **{name: Oracle(pyiqa_oracles.value(name), 0.0, one_small) for name in pyiqa_oracles.SMALL},
}
"""Metric -> its oracle: as many rows as ``gfpbench.metrics.METRICS`` has."""


def oracle_of(metric: Metric) -> Oracle:
    """Raises BadInput for a metric without a row, naming the file that lacks it."""
    return companion(ORACLES, metric.name, f"metric {metric.name!r}", TABLE)


@cache
def expected(name: str, folder: Path) -> tuple[float | None, ...]:
    oracle = ORACLES[name]
    restored, truth = map(per_image_laws.as_bytes, oracle.images())
    return tuple(oracle.value(ours, theirs, folder) for ours, theirs in zip(restored, truth, strict=True))


@cache
def _scored(metric: Any) -> tuple[torch.Tensor, bool]:
    restored, truth = oracle_of(metric).images()
    before = restored.pixels.clone(), truth.pixels.clone()
    values: torch.Tensor = metric(restored, truth)
    return values, torch.equal(restored.pixels, before[0]) and torch.equal(truth.pixels, before[1])


def scored(metric: Any) -> torch.Tensor:
    """The metric on its oracle's images; kept, since networks are slow."""
    return _scored(metric)[0]


def equals_its_oracle(metric: Metric, folder: Path) -> None:
    """Each value is the oracle's, and none of them is 0: a metric that says nothing cannot agree."""
    within, values = oracle_of(metric).within, expected(metric.name, folder)
    got = scored(metric)
    assert got.shape == (len(values),)
    assert got.dtype == torch.float64
    assert got.device.type == "cpu"
    for ours, theirs in zip(got.tolist(), values, strict=True):
        assert theirs is not None
        assert math.isfinite(theirs)
        assert abs(theirs) > 3 * within, f"the oracle of {metric.name} gives {theirs}, which proves nothing"
        assert abs(ours - theirs) <= within, f"{metric.name}: {ours!r} is not {theirs!r}"


def best_on_equal_images(metric: Metric, folder: Path) -> None:
    if metric.best is None:
        return
    truth = oracle_of(metric).images()[1]
    again = ImageBatch(truth.pixels.clone(), truth.ids)
    for value in metric(again, truth).tolist():
        assert value == metric.best or abs(value - metric.best) <= metric.tolerance, f"{metric.name}: {value}"


def scores_each_image_alone(metric: Metric, folder: Path) -> None:
    """In another order the same values in that order, to the metric's tolerance."""
    restored, truth = oracle_of(metric).images()
    order = list(range(len(truth)))[::-1]
    if len(order) > 1:
        turned = metric(select(restored, order), select(truth, order))
        torch.testing.assert_close(turned, scored(metric)[order], rtol=0, atol=metric.tolerance)


def minds_its_truth(metric: Metric, folder: Path) -> None:
    """Another truth is another value; a metric without a reference gives the same bits whatever truth it is handed."""
    restored, truth = oracle_of(metric).images()
    if not metric.needs_truth:
        other = ImageBatch(torch.zeros(1, 3, 8, 8), ("other",))
        assert torch.equal(metric(restored, other), scored(metric))
        return
    if len(truth) == 1:
        other = ImageBatch(truth.pixels.flip(-1), truth.ids)
    else:
        other = ImageBatch(truth.pixels.roll(1, 0), truth.ids)
    try:
        values = metric(restored, other)
    except BadInput:
        return  # no face is found in it, or it is dropped: it was looked at
    assert bool((values != scored(metric)).all())


def refuses_what_is_no_pair(metric: Metric, folder: Path) -> None:
    if not metric.needs_truth:
        return
    restored, truth = oracle_of(metric).images()
    others = [ImageBatch(restored.pixels, tuple(f"not {name}" for name in restored.ids))]
    if len(truth) > 1:
        others += [select(restored, list(range(len(truth)))[::-1]), select(restored, [0])]
    others.append(ImageBatch(restored.pixels[..., :-1, :].contiguous(), restored.ids))
    for other in others:
        assert metric.name in per_image_laws.refusal_of(metric, other, truth)


def refuses_images_below_its_minimum(metric: Metric, folder: Path) -> None:
    side = metric.minimum_side_px - 1
    if side:
        below = ImageBatch(torch.rand(1, 3, side, side), ("small",))
        assert f"{side} x {side} px" in per_image_laws.refusal_of(metric, below, below)


def leaves_images_alone(metric: Any, folder: Path) -> None:
    """Where it is scored for the other laws."""
    assert _scored(metric)[1], f"{metric.name} changed the images that it was given"


def has_plain_metadata(metric: Metric, folder: Path) -> None:
    assert metric.better in ("higher", "lower")
    assert 0 < metric.tolerance < math.inf
    assert len(metric.tolerance_reason) > 20
    assert len(metric.source) > 20
    assert metric.minimum_side_px >= 1


LAWS = (
    equals_its_oracle,
    best_on_equal_images,
    scores_each_image_alone,
    minds_its_truth,
    refuses_what_is_no_pair,
    refuses_images_below_its_minimum,
    leaves_images_alone,
    has_plain_metadata,
)


def frechet(a: Any, b: Any) -> float:
    root = linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    step = a.mean(0) - b.mean(0)
    return float(step @ step + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * root))


def kernel_distance(a: Any, b: Any) -> float:
    """Unbiased squared MMD of the cubic kernel, sum by sum (Binkowski et al. 2018)."""

    def kernel(x: Any, y: Any) -> float:
        return float((x @ y / len(x) + 1) ** 3)

    n, m = len(a), len(b)
    within_a = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_b = sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_a + within_b - 2 * sum(kernel(x, y) for x in a for y in b) / (n * m)


def share_inside(points: Any, manifold: Any) -> float:
    """Share of points in any ball that reaches to the third nearest other feature (Kynkaanniemi et al. 2019)."""
    radii = [sorted(np.linalg.norm(one - manifold, axis=1))[3] for one in manifold]
    return float(np.mean([any(np.linalg.norm(manifold - one, axis=1) <= radii) for one in points]))


SET_ORACLES: dict[str, tuple[Callable[[Any, Any], float], float]] = {
    "fid_legacy": (frechet, 1e-6),
    "fid_clean": (frechet, 1e-6),
    "kid_legacy": (kernel_distance, 1e-9),
    "kid_clean": (kernel_distance, 1e-9),
    "precision_legacy": (share_inside, 1e-9),
    "recall_legacy": (lambda restored, truth: share_inside(truth, restored), 1e-9),
    "frechet_dlib": (frechet, 1e-6),
}
"""Set metric -> its value of two (N, D) sets of features, restored and truth, and how far apart the two may be."""


def set_equals_its_oracle(metric: SetMetric) -> None:
    """The score of features that come in parts is the oracle's. Raises BadInput for a metric without a row."""
    value, within = companion(SET_ORACLES, metric.name, f"set metric {metric.name!r}", SET_TABLE)
    a, b = set_laws.normal(60, 1, shift=0.3), set_laws.normal(75, 2)
    found = metric.score(*(metric.statistics(torch.split(part, 13)) for part in (a, b))).value
    wanted = value(a.numpy(), b.numpy())
    assert abs(wanted) > 3 * within, f"the oracle of {metric.name} gives {wanted}, which proves nothing"
    assert abs(found - wanted) <= within, f"{metric.name}: {found!r} is not {wanted!r}"
    with_itself = metric.score(*(metric.statistics([a]) for _ in range(2))).value
    assert metric.best is None or abs(with_itself - metric.best) <= metric.tolerance
    assert gather([a]).n == len(a)
