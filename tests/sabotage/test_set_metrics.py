"""Broken intervals, set metrics, LPIPS and identity angles: each is a mistake somebody has made, and a law sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.linalg import lapack

from gfpbench import assets, images, statistics
from gfpbench.metrics import (
    feature_sets,
    fid,
    identity,
    inception,
    inception_network,
    kid,
    landmarks,
    lpips,
    precision_recall,
)
from gfpbench.statistics import student
from gfpbench.types import ImageBatch
from tests.unit.metrics import identity_laws
from tests.unit.metrics import network_oracles as networks
from tests.unit.metrics import set_laws as sets
from tests.unit.statistics import interval_laws
from tests.unit.statistics.test_student import check_the_same_draws_bound_every_interval

student_quantile = student.student_quantile
SEEN = (AssertionError, pytest.fail.Exception)


def caught(law: Callable[..., None], *arguments: Any) -> None:
    """The law must object, and not by crashing."""
    with pytest.raises(SEEN):
        law(*arguments)


# --- intervals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", [lambda below, degrees: -1.959964, lambda below, degrees: 1.0001 * student_quantile(below, degrees)]
)
def test_quantiles_of_another_distribution_read_off_other_draws(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student, "student_quantile", broken)
    caught(check_the_same_draws_bound_every_interval, range(2, 400))


def test_an_interval_of_one_standard_error_is_too_short() -> None:
    def broken(values: Any, **_: Any) -> statistics.Interval:
        mean, error = float(np.mean(values)), float(np.std(values) / len(values) ** 0.5)
        return statistics.Interval(mean - error, mean + error, mean, len(values))

    caught(interval_laws.covers_as_often_as_promised, broken, 50)


def test_an_interval_of_the_values_and_not_of_their_mean_is_too_long() -> None:
    def broken(values: Any, **_: Any) -> statistics.Interval:
        low, high = np.percentile(values, [2.5, 97.5]).tolist()
        return statistics.Interval(low, high, float(np.mean(values)), len(values))

    caught(interval_laws.covers_as_often_as_promised, broken, 50)


def test_a_level_taken_for_one_side_is_seen() -> None:
    def broken(values: Any, **settings: Any) -> statistics.Interval:
        return statistics.bootstrap_mean(values, level=0.8, **settings)

    caught(interval_laws.covers_as_often_as_promised, broken, 50)


def test_draws_of_a_face_taken_for_faces_are_too_sure() -> None:
    def broken(values: Any, people: Any = None, **settings: Any) -> statistics.Interval:
        return statistics.bootstrap_mean(values, **settings)

    caught(interval_laws.holds_for_other_people, broken, 12)


def test_people_alike_by_chance_taken_for_a_certainty() -> None:
    def broken(values: Any, people: Any = None, **settings: Any) -> statistics.Interval:
        if people is None:
            return statistics.bootstrap_mean(values, **settings)
        means = [np.mean([v for v, who in zip(values, people, strict=True) if who == one]) for one in set(people)]
        return statistics.bootstrap_mean(means, **settings)

    caught(interval_laws.is_no_shorter_for_people_who_are_alike, broken)


def test_groups_drawn_alike_are_seen() -> None:
    def broken(a: Any, b: Any, **settings: Any) -> statistics.Interval:
        return statistics.paired_difference(a, b, **settings).interval

    caught(interval_laws.draws_groups_apart, broken)


def test_a_prediction_by_the_normal_distribution_is_too_sure() -> None:
    def broken(values: Any, others: int) -> statistics.Interval:
        mean, half = np.mean(values), 1.96 * np.std(values, ddof=1) * (1 / len(values) + 1 / others) ** 0.5
        return statistics.Interval(float(mean - half), float(mean + half), float(mean), len(values))

    caught(interval_laws.predicts_as_often_as_promised, broken, 5)


def test_pairs_that_were_not_kept_together_are_seen() -> None:
    def broken(a: Any, b: Any, **settings: Any) -> statistics.PairedDifference:
        return statistics.paired_difference(a, np.sort(b), **settings)

    caught(interval_laws.sees_a_small_steady_difference, broken)


def test_a_one_sided_p_value_alarms_too_often() -> None:
    def broken(a: Any, b: Any, **settings: Any) -> statistics.PairedDifference:
        sides: tuple[Any, Any] = ("less", "greater")
        smaller = min(sides, key=lambda side: statistics.paired_difference(a, b, alternative=side).p_value)
        return statistics.paired_difference(a, b, alternative=smaller, **settings)

    caught(interval_laws.alarms_falsely_as_rarely_as_promised, broken)


@pytest.mark.parametrize(
    "broken",
    [lambda p: p, lambda p: [min(1, len(p) * one) for one in p]],
    ids=["uncorrected", "bonferroni"],
)
def test_another_correction_is_seen(broken: Any) -> None:
    caught(interval_laws.rejects_what_the_step_down_rule_rejects, broken)


# --- FID ---------------------------------------------------------------------------------------------------------


def _moments(a: torch.Tensor, b: torch.Tensor) -> float:
    return fid.frechet_distance(feature_sets.gather([a]).moments, feature_sets.gather([b]).moments)


def _without_mean(a: torch.Tensor, b: torch.Tensor) -> float:
    return fid.frechet_from_features(a, b) - float((a.mean(0) - b.mean(0)).square().sum())


def _float32_covariances(a: torch.Tensor, b: torch.Tensor) -> float:
    """E[x x^T] - m m^T in float32, as a quick accumulator does."""

    def moments(rows: torch.Tensor) -> feature_sets.Moments:
        rows, n = rows.to(torch.float32), len(rows)
        mean = rows.mean(0)
        covariance = (rows.T @ rows / n - torch.outer(mean, mean)) * n / (n - 1)
        return feature_sets.Moments.of(mean, covariance, n)

    return fid.frechet_distance(moments(a), moments(b))


def _biased_factor(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = features.mean(0)
    return mean, (features - mean) / len(features) ** 0.5


def _uncentred_factor(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return features.mean(0), features / (len(features) - 1) ** 0.5


def _singular_moments(frechet: Any) -> None:
    """A feature that never varies leaves a covariance without Cholesky's factor: both orders are alike."""
    seeded = torch.Generator().manual_seed(0)
    first, second = (torch.randn(40, 6, generator=seeded, dtype=torch.float64) * scale for scale in (1.0, 3.0))
    first[:, 0] = 1.0
    assert frechet(first, second) == pytest.approx(frechet(second, first), rel=1e-7)


def _no_root(eigenvalues: torch.Tensor) -> torch.Tensor:
    return eigenvalues.clamp(min=0)


@pytest.mark.parametrize(
    ("attribute", "broken", "law"),
    [
        ("_factor", _biased_factor, sets.fewer_images_than_dimensions),
        ("_factor", _uncentred_factor, sets.fewer_images_than_dimensions),
        ("_thin", lambda factor: factor[: factor.shape[1]], sets.order_and_rotation_change_nothing),
        ("_roots", _no_root, sets.gaussians_with_known_moments),
        ("_symmetric_root", lambda covariance: covariance, _singular_moments),
    ],
    ids=["n for n - 1", "uncentred", "rows cut off", "trace without root", "product without root"],
)
def test_a_broken_piece_of_fid_is_seen(attribute: str, broken: Any, law: Any) -> None:
    law(fid.frechet_from_features)
    with patch.object(fid, attribute, broken):
        caught(law, fid.frechet_from_features)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (_without_mean, sets.gaussians_with_known_moments),
        (_float32_covariances, sets.a_shift_of_both_changes_nothing),
        (lambda a, b: fid.frechet_from_features(a, b) ** 0.5, sets.scale_goes_squared),
        (lambda a, b: abs(fid.frechet_from_features(a[: len(b)], b[: len(a)])), sets.order_and_rotation_change_nothing),
    ],
    ids=["no mean term", "float32 moments", "distance not squared", "longer set cut"],
)
def test_a_broken_fid_is_seen(broken: Any, law: Any) -> None:
    caught(law, broken)


def test_a_covariance_over_n_is_seen() -> None:
    unbiased: Any = feature_sets.Moments.covariance.fget  # type: ignore[attr-defined]
    broken = property(lambda self: unbiased(self) * (self.n - 1) / self.n)
    with patch.object(feature_sets.Moments, "covariance", broken):
        caught(sets.gaussians_with_known_moments, _moments)


def test_a_covariance_of_which_one_triangle_is_stale_is_seen() -> None:
    with patch.object(feature_sets.Moments, "covariance", property(lambda self: self._scatter / (self.n - 1))):
        caught(sets.moments_of_a_stream, feature_sets.Moments)


def test_another_generalized_eigenproblem_is_seen() -> None:
    real = lapack.dsygst
    broken = SimpleNamespace(dsygst=lambda a, b, **given: real(a, b, **{**given, "itype": 1}))
    with patch.object(fid, "lapack", broken):
        caught(sets.gaussians_with_known_moments, _moments)


def _join_without_between(self: Any, count: int, mean: torch.Tensor, centred: torch.Tensor) -> None:
    if not self.n:
        self._mean, self._scatter = torch.zeros_like(mean), mean.new_zeros(len(mean), len(mean))
    self._scatter += centred.T @ centred
    self._mean = (self.n * self._mean + count * mean) / (self.n + count)
    self.n += count


def _join_by_batches(self: Any, count: int, mean: torch.Tensor, centred: torch.Tensor) -> None:
    before, parts = self.n, getattr(self, "parts", 0)
    original(self, count, mean, centred)
    if before:  # every batch weighs the same, the last short one too
        self._mean = (parts * self.held + mean) / (parts + 1)
    self.parts, self.held = parts + 1, self._mean


original = feature_sets.Moments._join


@pytest.mark.parametrize("broken", [_join_without_between, _join_by_batches], ids=["means forgotten", "mean of means"])
def test_moments_joined_wrongly_are_seen(broken: Any) -> None:
    sets.moments_of_a_stream(feature_sets.Moments)
    with patch.object(feature_sets.Moments, "_join", broken):
        caught(sets.moments_of_a_stream, feature_sets.Moments)


# --- KID, precision and recall -----------------------------------------------------------------------------------


def _biased_mmd(x: torch.Tensor, y: torch.Tensor) -> float:
    k = kid.polynomial_kernel
    return float(k(x, x).mean() + k(y, y).mean() - 2 * k(x, y).mean())


@pytest.mark.parametrize("law", [sets.kernel_pair_by_pair, sets.no_bias_between_samples_of_one_source])
def test_a_biased_kid_is_seen(law: Any) -> None:
    caught(law, _biased_mmd)


@pytest.mark.parametrize(
    "kernel",
    [
        lambda x, y: (x @ y.T / x.shape[1] + 1) ** 2,
        lambda x, y: (x @ y.T + 1) ** 3,
        lambda x, y: (x @ y.T / len(x) + 1) ** 3,
    ],
    ids=["degree 2", "not divided", "divided by N"],
)
def test_another_kernel_is_seen(kernel: Any) -> None:
    with patch.object(kid, "polynomial_kernel", kernel):
        caught(sets.kernel_pair_by_pair, kid.squared_mmd)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (lambda a, b: precision_recall.inside(a, b, 2), sets.balls_on_a_line),
        (lambda a, b: precision_recall.inside(a, b, 4), sets.balls_on_a_line),
        (lambda a, b: precision_recall.inside(b, a), sets.dropping_a_mode_costs_recall_only),
        (lambda a, b: torch.cdist(a, b).min(1).values < 1e9, sets.far_away_is_outside),
        (
            lambda a, b: (torch.cdist(a, b) < torch.cdist(b, b).kthvalue(4, dim=1).values).any(1),
            sets.within_itself,
        ),
    ],
    ids=["itself counted", "one too far", "swapped", "one ball for all", "open balls"],
)
def test_a_broken_manifold_is_seen(broken: Any, law: Any) -> None:
    caught(law, broken)


# --- networks ----------------------------------------------------------------------------------------------------


def _prepared(batch: ImageBatch, *, scale: float = 127.5, offset: float = 1.0, **how: Any) -> torch.Tensor:
    pixels = images.to_uint8(batch).to(torch.float32) / scale - offset
    return F.interpolate(pixels, size=(299, 299), **{"mode": "bilinear", "align_corners": False, **how})


@pytest.mark.parametrize(
    "broken",
    [
        lambda batch, resize: _prepared(batch, scale=255.0, offset=0.0),
        lambda batch, resize: _prepared(batch).flip(1),
        lambda batch, resize: _prepared(batch, align_corners=True),
        lambda batch, resize: _prepared(batch, mode="bicubic"),
        lambda batch, resize: inception.prepare(batch, "clean"),
    ],
    ids=["[0, 1]", "BGR", "align_corners", "bicubic", "clean for legacy"],
)
def test_other_images_for_the_inception_are_seen(broken: Any, seeded_folder: Path) -> None:
    weights = networks.inception_weights(seeded_folder)
    network = inception_network.fid_inception(weights)

    def extract(batch: ImageBatch) -> torch.Tensor:
        with torch.no_grad():
            features: torch.Tensor = network(broken(batch, "legacy")).double()
        return features

    caught(networks.same_features_as_basicsr, extract, weights)


@pytest.mark.parametrize("oddity", ["padding", "maximum"])
def test_an_inception_without_an_oddity_is_seen(oddity: str, seeded_folder: Path) -> None:
    weights = networks.inception_weights(seeded_folder)
    network = inception_network.fid_inception(weights)

    def extract(batch: ImageBatch) -> torch.Tensor:
        with torch.no_grad():
            return network(inception.prepare(batch, "legacy")).double()

    def with_padding(pixels: torch.Tensor, **how: Any) -> torch.Tensor:
        return F.avg_pool2d(pixels, **(how | {"count_include_pad": True}))

    def mean_for_maximum(pixels: torch.Tensor, **how: Any) -> torch.Tensor:
        return F.avg_pool2d(pixels, **how, count_include_pad=False)

    # Only our file's view of torch is changed: the oracle goes on with the true one.
    theirs = {"avg_pool2d": F.avg_pool2d, "max_pool2d": F.max_pool2d, "interpolate": F.interpolate}
    wrong = {"avg_pool2d": with_padding} if oddity == "padding" else {"max_pool2d": mean_for_maximum}
    with patch.object(inception_network, "F", SimpleNamespace(**(theirs | wrong))):
        caught(networks.same_features_as_basicsr, extract, weights)


@pytest.mark.parametrize(
    "broken",
    [
        lambda batch: batch.pixels,
        lambda batch: batch.pixels * 255 - 1,
        lambda batch: (batch.pixels - 0.5).flip(1) * 2,
        lambda batch: (batch.pixels - 0.5) / 0.25,
    ],
    ids=["[0, 1]", "[0, 255]", "BGR", "[-2, 2]"],
)
def test_lpips_in_another_range_or_order_is_seen(broken: Any, seeded_folder: Path) -> None:
    weights = networks.backbone_weights("alex", seeded_folder)
    with patch.object(assets, "path", lambda name, needed_by=None: weights):
        networks.same_as_the_lpips_package(lpips.lpips_alex, "alex", seeded_folder)
        with patch.object(lpips, "to_signed", broken):
            caught(networks.same_as_the_lpips_package, lpips.lpips_alex, "alex", seeded_folder)


# --- identity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        lambda a, b: torch.deg2rad(identity.angle_degrees(a, b)),
        lambda a, b: torch.rad2deg(torch.arccos(torch.cosine_similarity(a, b))),
        lambda a, b: torch.rad2deg(torch.arccos((a * b).sum(1).clamp(-1, 1))),
        lambda a, b: 1 - torch.cosine_similarity(a, b),
        lambda a, b: identity.angle_degrees(a, b).clamp(max=90),
    ],
    ids=["radians", "arccos", "lengths forgotten", "cosine distance", "half the circle"],
)
def test_another_angle_is_seen(broken: Any) -> None:
    caught(identity_laws.angles_of_known_vectors, broken)


def test_bgr_for_dlib_is_seen(tmp_path: Path) -> None:
    with patch.object(identity, "to_rgb_arrays", images.to_bgr_arrays):
        identity.dlib_embedder.cache_clear()
        caught(identity_laws.same_as_dlib_by_hand, identity.deg_dlib, tmp_path)
    identity.dlib_embedder.cache_clear()


def _own_box(restored: ImageBatch, truth: ImageBatch, lost: float | None) -> torch.Tensor:
    """Each image's own detection: faces that are not found get ``lost``, or leave the list."""
    embedder = identity.dlib_embedder()
    angles = []
    for ours, theirs in zip(images.to_rgb_arrays(restored), images.to_rgb_arrays(truth), strict=True):
        boxes = embedder.find(ours), embedder.find(theirs)
        if None not in boxes:
            pair = [embedder.embed(rgb, box)[None] for rgb, box in zip((ours, theirs), boxes, strict=True)]
            angles.append(float(identity.angle_degrees(*pair)))
        elif lost is not None:
            angles.append(lost)
    return torch.tensor(angles, dtype=torch.float64)


@pytest.mark.parametrize("lost", [None, 0.0], ids=["dropped", "counted as 0"])
def test_detecting_on_the_restored_face_is_seen(lost: float | None) -> None:
    def broken(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        return _own_box(restored, truth, lost)

    caught(identity_laws.beyond_recognition_keeps_its_score, broken)
    caught(identity_laws.a_lost_truth_is_named, broken)


def test_a_cache_by_name_instead_of_content_is_seen(tmp_path: Path) -> None:
    """Two truths of one size must not share an embedding."""
    with patch.object(identity, "pixels_sha256", lambda rgb: str(rgb.shape)):
        identity.dlib_embedder.cache_clear()
        caught(identity_laws.same_as_dlib_by_hand, identity.deg_dlib, tmp_path)
    identity.dlib_embedder.cache_clear()


@pytest.mark.parametrize(
    "broken",
    [
        lambda batch: _grey(batch) / 255,
        lambda batch: (_grey(ImageBatch(batch.pixels.flip(1), batch.ids)) - 127.5) / 127.5,
    ],
    ids=["[0, 1]", "BGR weights"],
)
def test_other_images_for_arcface_are_seen(broken: Any, seeded_folder: Path, tmp_path: Path) -> None:
    weights = networks.arcface_weights(seeded_folder)
    network = networks.gfpgans_network(weights)
    with patch.object(assets, "path", lambda name, needed_by=None: weights):
        identity_laws.same_as_vqfrs_script(identity.deg_arcface, network, tmp_path)
        with patch.object(identity, "arcface_input", broken):
            caught(identity_laws.same_as_vqfrs_script, identity.deg_arcface, network, tmp_path)


def _grey(batch: ImageBatch) -> torch.Tensor:
    return true_arcface_input(batch) * 127.5 + 127.5


true_arcface_input = identity.arcface_input


# --- landmarks ---------------------------------------------------------------------------------------------------

true_points_of = landmarks.points_of


def _cells_only(maps: Any) -> Any:
    return np.floor(true_points_of(maps)) + 0.5


@pytest.mark.parametrize(
    "broken",
    [
        lambda maps: true_points_of(maps)[:, ::-1],
        _cells_only,
        lambda maps: true_points_of(maps) - 0.5,
        lambda maps: 2 * _cells_only(maps) - true_points_of(maps),
        lambda maps: true_points_of(maps.transpose(0, 2, 1)),
    ],
    ids=["y before x", "no quarter step", "corner of the cell", "away from the neighbour", "rows for columns"],
)
def test_other_places_of_landmarks_are_seen(broken: Any) -> None:
    caught(networks.peaks_are_where_facexlib_sees_them, broken, networks.PEAKS["inside"])


def test_maps_taken_apart_at_the_rim_are_seen() -> None:
    """One peak in the last row changes the neighbours of all the others: alone, none knows."""

    def broken(maps: Any) -> Any:
        return np.concatenate([true_points_of(one[None]) for one in maps])

    caught(networks.peaks_are_where_facexlib_sees_them, broken, networks.PEAKS["last row"])
