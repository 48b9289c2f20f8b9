"""Landmark distance, eye mismatch, hallucination, colour shift: their laws, and what each is built of."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench.images import to_lab, to_rgb_arrays
from gfpbench.metrics import colour_shift, eye_mismatch, hallucination, load
from gfpbench.metrics.identity import DlibEmbedder, dlib_embedder
from gfpbench.types import PackageMissing
from tests.unit.metrics import face_laws as laws

CASES = [(name, law) for name, all_of_them in laws.LAWS.items() for law in all_of_them]


@pytest.mark.parametrize(("name", "law"), CASES, ids=[f"{name}-{law.__name__}" for name, law in CASES])
def test_law(name: str, law: Any) -> None:
    law(load([name])[0])


# Sharma, Wu and Dalal 2005, Table 1: pairs that catch mistakes in the hue, and their differences.
SHARMA = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
    ((50, 2.8361, -74.0200), (50, 0, -82.7485), 3.4412),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0011), 7.2195),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_published_colour_differences(first: Any, second: Any, expected: float) -> None:
    colours = (torch.tensor(colour, dtype=torch.float64).reshape(3, 1, 1) for colour in (first, second))
    assert float(colour_shift.ciede2000(*colours)) == pytest.approx(expected, abs=5e-5)


def test_lab_of_known_colours() -> None:
    """White, mid grey and red as any converter gives them."""
    rgb = torch.tensor([[1.0, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0]], dtype=torch.float64).T.reshape(3, 1, 3)
    expected: Any = [[100, 0, 0], [53.389, 0, 0], [53.241, 80.092, 67.203]]
    np.testing.assert_allclose(to_lab(rgb)[:, 0].T.numpy(), expected, atol=6e-3)


def test_the_map_shows_where_detail_was_invented() -> None:
    found = hallucination.hallucination_maps(laws.textured(15.0), laws.truth())
    half = laws.SIDE // 2
    assert found.shape == (2, laws.SIDE, laws.SIDE)
    inside = found[:, : half + 6, : half + 6].sum((1, 2)) / found.sum((1, 2))
    assert bool((inside > 0.99).all())


def test_detail_a_pixel_away_is_not_invented() -> None:
    moved = laws.changed(lambda image: np.hstack([image[:, :1], image[:, :-1]]))
    score = load(["hallucination"])[0]
    assert bool((score(moved, laws.truth()) < 0.05).all())


def test_lengths_scale_with_the_crop() -> None:
    assert hallucination._scaled(6, 512, 3.0) == 6
    assert hallucination._scaled(6, 1024, 3.0) == 12
    assert hallucination._scaled(6, 128, 3.0) == 3.0


def test_flat_eyes_have_their_corners_where_they_belong() -> None:
    image, points = to_rgb_arrays(laws.truth())[0], laws.dlib_landmarks(0)
    for which, mirrored, outer, inner in ((eye_mismatch.LEFT, False, 0, 3), (eye_mismatch.RIGHT, True, 3, 0)):
        eye, flat = eye_mismatch.flat_eye(image, points[which], mirrored)
        assert eye.shape == (eye_mismatch.HEIGHT, eye_mismatch.WIDTH, 3)
        np.testing.assert_allclose(flat[outer], (4, 12), atol=1e-4)
        np.testing.assert_allclose(flat[inner], (44, 12), atol=1e-4)
        lids = flat[[1, 2]] if not mirrored else flat[[2, 1]]
        assert (lids[:, 1] < 12).all()  # the upper lid is above the corners in both
        iris, sclera = eye_mismatch.regions(flat)
        assert iris.sum() > 20
        assert sclera.sum() > 20
        assert not (iris & sclera).any()


def test_eyes_of_a_mirrored_image_are_as_unlike() -> None:
    """Mirroring exchanges the eyes: with mirrored landmarks the same three differences, to the resampling."""
    image, points = to_rgb_arrays(laws.painted_eyes((laws.LEFT,)))[0], laws.dlib_landmarks(0)
    mirrored = points * [-1, 1] + [laws.SIDE - 1, 0]
    order = [*range(36), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, *range(48, 68)]
    plain = eye_mismatch.mismatch(image, points)
    turned = eye_mismatch.mismatch(np.ascontiguousarray(image[:, ::-1]), mirrored[order])
    np.testing.assert_allclose(turned, plain, rtol=0.02, atol=0.05)
    assert math.isfinite(plain.sum())


def test_a_truth_is_searched_for_a_face_once_by_all_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    find = DlibEmbedder.find

    def counted(self: DlibEmbedder, rgb: Any) -> Any:
        searched.append(1)
        return find(self, rgb)

    monkeypatch.setattr(DlibEmbedder, "find", counted)
    dlib_embedder.cache_clear()
    for metric in load(["deg_dlib", "lmd_dlib", "eye_mismatch"]) * 2:
        metric(laws.truth(), laws.truth())
    assert len(searched) == len(laws.truth())
    dlib_embedder.cache_clear()


def test_without_dlib_the_metric_that_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    dlib_embedder.cache_clear()
    monkeypatch.setitem(sys.modules, "dlib", None)
    for name in ("lmd_dlib", "eye_mismatch"):
        with pytest.raises(PackageMissing, match=f"{name} needs the package 'dlib'"):
            load([name])[0](laws.truth(), laws.truth())
    dlib_embedder.cache_clear()
