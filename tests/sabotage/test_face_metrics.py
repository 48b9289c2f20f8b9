"""Broken face metrics and protocols: each is a mistake somebody has made, and fails the law named beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch

from gfpbench import images
from gfpbench.metrics import colour_shift as colour_file
from gfpbench.metrics import dlib_faces, load, protocols
from gfpbench.metrics import eye_mismatch as eye_file
from gfpbench.metrics import hallucination as detail_file
from gfpbench.metrics import landmarks as landmark_file
from gfpbench.metrics.identity import dlib_embedder
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, ImageBatch
from tests.unit.metrics import face_laws as laws
from tests.unit.metrics import protocol_laws

Score = Callable[[ImageBatch, ImageBatch], torch.Tensor]
REAL: dict[str, Any] = {name: load([name])[0] for name in laws.LAWS}


def pair_by_pair(pair: Callable[[Any, Any, str], float]) -> Score:
    def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        both = zip(images.to_rgb_arrays(restored), images.to_rgb_arrays(truth), truth.ids, strict=True)
        return torch.tensor([pair(*one) for one in both], dtype=torch.float64)

    return score


def box_of_its_own(ours: Any, theirs: Any, name: str) -> float:
    """The restored face is searched for; where none is found it leaves as 0."""
    box = dlib_embedder().find(ours)
    theirs_at = dlib_faces.landmarks(theirs, dlib_faces.face_box(theirs, name, "lmd_dlib"), "lmd_dlib")
    if box is None:
        return 0.0
    return landmark_file.mean_point_distance(dlib_faces.landmarks(ours, box, "lmd_dlib"), theirs_at)


def with_distance(distance: Callable[[Any, Any], float]) -> Score:
    def pair(ours: Any, theirs: Any, name: str) -> float:
        box = dlib_faces.face_box(theirs, name, "lmd_dlib")
        return distance(*(dlib_faces.landmarks(one, box, "lmd_dlib") for one in (ours, theirs)))

    return pair_by_pair(pair)


def faceless_counts_as_perfect(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    try:
        return REAL["lmd_dlib"].score(restored, truth)
    except BadInput:
        return torch.zeros(len(truth), dtype=torch.float64)


def eyes(pair: Callable[[Any, Any], Any]) -> Score:
    """From the three differences of the restored image and those of the truth."""

    def one(ours: Any, theirs: Any, name: str) -> float:
        points = dlib_faces.landmarks(theirs, dlib_faces.face_box(theirs, name, "eye_mismatch"), "eye_mismatch")
        return float(np.mean(pair(eye_file.mismatch(ours, points), eye_file.mismatch(theirs, points))))

    return pair_by_pair(one)


def eyes_against_the_truth(ours: Any, theirs: Any, name: str) -> float:
    """Compares each eye with the true one, not left with right."""
    points = dlib_faces.landmarks(theirs, dlib_faces.face_box(theirs, name, "eye_mismatch"), "eye_mismatch")
    apart = [
        np.abs(eye_file.flat_eye(ours, points[eye], False)[0] - eye_file.flat_eye(theirs, points[eye], False)[0])
        for eye in (eye_file.LEFT, eye_file.RIGHT)
    ]
    return float(np.mean(apart))


def brightness_of_the_eyes_only(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    def grey(batch: ImageBatch) -> ImageBatch:
        return ImageBatch((images.to_gray_255(batch) / 255).float().expand(-1, 3, -1, -1).contiguous(), batch.ids)

    return REAL["eye_mismatch"].score(grey(restored), grey(truth)) * 0.3


def patched(file: Any, **broken: Any) -> Callable[[str], Score]:
    def of(name: str) -> Score:
        def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
            with patch.multiple(file, **broken):
                return REAL[name].score(restored, truth)

        return score

    return of


def absolute_excess(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """Missing detail counts as invented."""
    planes = [[np.ascontiguousarray(p[0]) for p in images.to_full_range_luma_255(b).numpy()] for b in (restored, truth)]
    maps = [np.abs(detail_file.detail(a) - detail_file.detail(b)) for a, b in zip(*planes, strict=True)]
    return torch.tensor([float(one.mean()) for one in maps], dtype=torch.float64)


def plain_lab_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first - second).square().sum(-3).sqrt()


def linear_light(rgb: torch.Tensor) -> torch.Tensor:
    return images.to_lab(rgb**2.2)


def single_pixels(image: torch.Tensor) -> torch.Tensor:
    return image / 255


def of_the_batch(name: str) -> Score:
    return lambda restored, truth: REAL[name].score(restored, truth).mean().expand(len(truth)).clone()


def no_dilation(*arguments: Any, **_: Any) -> Any:
    return arguments[0]


BROKEN: list[tuple[str, str, Score]] = [
    ("lmd_dlib", "a_restoration_without_a_face_counts", pair_by_pair(box_of_its_own)),
    ("lmd_dlib", "distance_is_that_of_dlib_by_hand", with_distance(lambda a, b: float(np.square(a - b).sum(1).mean()))),
    ("lmd_dlib", "distance_is_that_of_dlib_by_hand", with_distance(lambda a, b: float(np.abs(a - b).sum(1).mean()))),
    (
        "lmd_dlib",
        "distance_is_that_of_dlib_by_hand",
        with_distance(lambda a, b: float(np.hypot(*(a - b).T).mean() / np.ptp(b[:, 0]))),
    ),
    ("lmd_dlib", "a_truth_without_a_face_is_named", faceless_counts_as_perfect),
    ("lmd_dlib", "scores_each_image_alone", of_the_batch("lmd_dlib")),
    ("eye_mismatch", "both_recoloured_eyes_are_not", pair_by_pair(eyes_against_the_truth)),
    ("eye_mismatch", "the_truths_own_mismatch_is_forgiven", eyes(lambda ours, theirs: ours)),
    ("eye_mismatch", "the_truths_own_mismatch_is_forgiven", eyes(lambda ours, theirs: np.abs(ours - theirs))),
    ("eye_mismatch", "zero_on_equal_images", eyes(lambda ours, theirs: ours)),
    ("eye_mismatch", "one_recoloured_eye_is_seen", eyes(lambda ours, theirs: np.maximum(theirs - ours, 0))),
    ("eye_mismatch", "one_recoloured_eye_is_seen", brightness_of_the_eyes_only),
    ("eye_mismatch", "one_recoloured_eye_is_seen", patched(eye_file, RIGHT=eye_file.LEFT)("eye_mismatch")),
    ("hallucination", "blur_invents_nothing", absolute_excess),
    ("hallucination", "blur_invents_nothing", patched(detail_file, TOLERANCE_LEVELS=-1.0)("hallucination")),
    ("hallucination", "agrees_with_scipy", patched(detail_file, TOLERANCE_LEVELS=0.0)("hallucination")),
    ("hallucination", "agrees_with_scipy", patched(detail_file, _DETAIL_PX=8.0)("hallucination")),
    ("hallucination", "agrees_with_scipy", patched(cv2, dilate=no_dilation)("hallucination")),
    (
        "hallucination",
        "sharpening_and_texture_are_seen",
        lambda restored, truth: REAL["hallucination"].score(truth, restored),
    ),
    ("hallucination", "scores_each_image_alone", of_the_batch("hallucination")),
    ("colour_shift", "agrees_with_skimage", patched(colour_file, ciede2000=plain_lab_distance)("colour_shift")),
    ("colour_shift", "agrees_with_skimage", patched(colour_file, to_lab=linear_light)("colour_shift")),
    ("colour_shift", "agrees_with_skimage", patched(colour_file, CELLS=4)("colour_shift")),
    ("colour_shift", "texture_is_left_aside", patched(colour_file, cell_colours=single_pixels)("colour_shift")),
    (
        "colour_shift",
        "agrees_with_skimage",
        lambda restored, truth: REAL["colour_shift"].score(*map(images.with_red_and_blue_exchanged, (restored, truth))),
    ),
    ("colour_shift", "zero_on_equal_images", lambda restored, truth: REAL["colour_shift"].score(restored, truth) + 1),
]


@pytest.mark.parametrize(
    ("name", "law", "score"), BROKEN, ids=[f"{name}-{law}-{place}" for place, (name, law, _) in enumerate(BROKEN)]
)
def test_a_broken_metric_fails_its_law(name: str, law: str, score: Score) -> None:
    check = next(one for one in laws.LAWS[name] if one.__name__ == law)
    check(REAL[name])
    with pytest.raises(AssertionError):
        check(replace(REAL[name], score=score))


WRONG_FIGURES: list[tuple[str, str, str, str]] = [
    ("colour correction silently on", "gfpgan-paper", "PSNR", "psnr_rgb_fitted"),
    ("colour correction silently on", "gfpgan-paper", "SSIM", "ssim_rgb_fitted"),
    ("colour correction forgotten", "vqfr", "PSNR", "psnr_rgb"),
    ("colour correction forgotten", "vqfr", "SSIM", "ssim_rgb"),
    ("luma under the name of RGB", "gfpgan-paper", "PSNR", "psnr_y"),
    ("near pairs dropped where they count", "gfpgan-paper", "Deg", "deg_arcface_vqfr"),
    ("near pairs kept where they are dropped", "vqfr", "Deg", "deg_arcface"),
    ("radians under the name of degrees", "gfpgan-paper", "Deg", "rad_arcface_bgr"),
    ("degrees under the name of radians", "restoreformer", "IDD", "deg_arcface"),
    ("LPIPS in [0, 1]", "restoreformer", "LPIPS", "lpips_vgg_bgr_01"),
    ("LPIPS on RGB", "restoreformer", "LPIPS", "lpips_vgg"),
    ("LPIPS on BGR", "gfpgan-paper", "LPIPS", "lpips_vgg_bgr"),
    ("AlexNet for VGG", "gfpgan-paper", "LPIPS", "lpips_alex"),
    ("VGG for AlexNet", "pyiqa-default", "lpips", "lpips_vgg"),
    ("BT.601 for YIQ", "pyiqa-default", "psnry", "psnr_y"),
    ("YIQ for BT.601 in SSIM", "pyiqa-default", "ssim", "ssim_y"),
    ("BT.601 for YIQ in NIQE", "ntire-2025", "NIQE", "niqe"),
    ("no cap", "pyiqa-default", "psnr", "psnr_yiq_cap80"),
]


@pytest.mark.parametrize(
    ("what", "protocol", "figure", "metric"), WRONG_FIGURES, ids=[f"{what} @ {p}" for what, p, _, _ in WRONG_FIGURES]
)
def test_the_wrong_convention_is_noticed(
    what: str, protocol: str, figure: str, metric: str, seeded_folder: Path
) -> None:
    assert protocols.find(protocol).figures[figure] != metric
    with pytest.raises(AssertionError, match="is not"):
        protocol_laws.same_as_the_script(protocol, figure, seeded_folder, load([metric])[0])


def test_yiq_under_the_name_of_psnr_y_is_noticed() -> None:
    """The law of psnr_y meets pyiqa's luma."""
    right, wrong = load(["psnr_y", "psnr_yiq_cap80"])
    assert isinstance(right, PerImageMetric)
    assert isinstance(wrong, PerImageMetric)
    metric = replace(right, score=wrong.score)
    with pytest.raises(AssertionError):
        protocol_laws.laws.agrees_with_oracle(metric)


def test_radians_are_noticed_whatever_their_input(seeded_folder: Path) -> None:
    """The right angle in the wrong unit."""
    (real,) = load(["deg_arcface"])
    assert isinstance(real, PerImageMetric)
    score = real.score
    metric = replace(real, score=lambda restored, truth: torch.deg2rad(score(restored, truth)))
    with pytest.raises(AssertionError, match="is not"):
        protocol_laws.same_as_the_script("gfpgan-paper", "Deg", seeded_folder, metric)


def test_a_correction_applied_once_is_noticed(seeded_folder: Path) -> None:
    """Shift before stretch, once: the mean ends up stretched."""
    from gfpbench.metrics import colour_fit

    def once(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        moved = restored - restored.mean((1, 2), keepdim=True) + truth.mean((1, 2), keepdim=True)
        spread = truth.flatten(1).std(1, correction=0) / restored.flatten(1).std(1, correction=0)
        return moved * spread[:, None, None]

    with patch.object(colour_fit, "fitted", once), pytest.raises(AssertionError, match="is not"):
        protocol_laws.same_as_the_script("vqfr", "PSNR", seeded_folder)
