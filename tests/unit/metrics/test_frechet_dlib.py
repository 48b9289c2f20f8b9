"""The offline set distance: features against dlib called by hand, the distance against the closed form's code."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from gfpbench import faces
from gfpbench.images import select, to_rgb_arrays
from gfpbench.metrics.fid import frechet_from_features
from gfpbench.metrics.frechet_dlib import BOX, frechet_dlib
from gfpbench.metrics.identity import dlib_embedder
from gfpbench.types import BadInput, ImageBatch, PackageMissing, SetMetric
from tests.unit.metrics import identity_laws as laws


def test_features_are_those_of_dlib_by_hand() -> None:
    import dlib

    truth = laws.portraits(150)
    embedder = dlib_embedder()
    box = dlib.rectangle(*(round(150 * share) for share in BOX))
    got = frechet_dlib.features(truth)
    assert got.shape == (2, 128)
    assert got.dtype == torch.float64
    for row, rgb in zip(got, to_rgb_arrays(truth), strict=True):
        described = embedder.network.compute_face_descriptor(rgb, embedder.landmarks(rgb, box))
        np.testing.assert_array_equal(row.numpy(), np.array(described))


def test_the_box_lies_where_dlib_finds_the_face() -> None:
    import dlib

    detect, embedded = dlib.get_frontal_face_detector(), faces.load("embedded")
    for name in (embedded.ids()[0], embedded.ids()[-1]):
        found = detect(to_rgb_arrays(ImageBatch(embedded.load(name).pixels[None], (name,)))[0], 1)[0]
        edges = found.left(), found.top(), found.right(), found.bottom()
        np.testing.assert_allclose([edge / 128 for edge in edges], BOX, atol=0.1)


def test_the_box_follows_a_crop_that_is_not_square() -> None:
    import dlib

    square = laws.portraits(160)
    wide = ImageBatch(square.pixels[:, :, :120].contiguous(), square.ids)
    embedder = dlib_embedder()
    left, top, right, bottom = BOX
    box = dlib.rectangle(round(160 * left), round(120 * top), round(160 * right), round(120 * bottom))
    for row, rgb in zip(frechet_dlib.features(wide), to_rgb_arrays(wide), strict=True):
        described = embedder.network.compute_face_descriptor(rgb, embedder.landmarks(rgb, box))
        np.testing.assert_array_equal(row.numpy(), np.array(described))


def test_an_image_s_features_do_not_depend_on_its_batch() -> None:
    truth = laws.portraits()
    together = frechet_dlib.features(truth)
    assert torch.equal(frechet_dlib.features(select(truth, [1])), together[1:])


def test_the_distance_is_frechet_s() -> None:
    assert isinstance(frechet_dlib, SetMetric)
    truth = laws.portraits()
    parts = [laws.blurred(truth, sigma) for sigma in (1.0, 2.0, 3.0)]
    restored = frechet_dlib.statistics(frechet_dlib.features(part) for part in parts)
    reference = frechet_dlib.statistics([frechet_dlib.features(truth)])
    score = frechet_dlib.score(restored, reference)
    assert restored.features is not None
    assert reference.features is not None
    assert score.value == pytest.approx(frechet_from_features(restored.features, reference.features))
    assert (score.n, score.n_reference) == (6, 2)
    assert "128 dimensions" in score.note
    assert abs(frechet_dlib.score(reference, reference).value) < 1e-9
    assert score.value > 0.01


def test_one_image_is_no_set() -> None:
    one = frechet_dlib.statistics([frechet_dlib.features(laws.portraits())[:1]])
    with pytest.raises(BadInput, match="frechet_dlib needs two images or more"):
        frechet_dlib.score(one, one)


def test_without_dlib_it_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    dlib_embedder.cache_clear()
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(PackageMissing, match="frechet_dlib needs the package 'dlib'"):
        frechet_dlib.features(laws.portraits())
    dlib_embedder.cache_clear()
