"""MediaPipe's networks by two other runtimes, its points on real faces, and files that are no such network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from gfpbench import assets, faces
from gfpbench.assets import converters
from gfpbench.images import to_rgb_arrays
from gfpbench.metrics import dlib_faces, mediapipe_faces
from gfpbench.metrics.tfjs_graph import Graph
from gfpbench.types import AssetMissing, BadInput, ImageBatch
from tests.unit.metrics import identity_laws, mediapipe_oracles

MESH, IRIS = "mediapipe-mesh", "mediapipe-iris"


def ramp(side: int) -> torch.Tensor:
    values = (np.arange(side * side * 3, dtype=np.int64) * 7919) % 256
    return torch.from_numpy(values.astype(np.float32) / np.float32(255)).reshape(1, side, side, 3)


def embedded(size_px: int) -> ImageBatch:
    opened = faces.load("embedded", draws=1, size_px=size_px)
    loaded = [opened.load(name) for name in opened.ids()]
    return ImageBatch(torch.stack([face.pixels for face in loaded]), tuple(face.id for face in loaded))


@pytest.mark.needs_asset(MESH)
def test_the_mesh_is_that_of_tensorflow_js_and_of_mediapipes_own_file() -> None:
    """@tensorflow/tfjs-converter 4.22 on the package's files, and OpenVINO 2026.4 on face_landmark.tflite of the
    package mediapipe 0.10.21: both give these, within 2e-4 px."""
    (found,) = Graph(assets.path(MESH, "a test"), 192)(ramp(192), ["Identity_2"])
    expected = [99.36555, 114.88085, -12.86267, 100.31905, 100.43015, -26.51380]
    assert found[0, :6].tolist() == pytest.approx(expected, abs=1e-3)
    assert float(found.double().sum()) == pytest.approx(88398.04, abs=0.1)


@pytest.mark.needs_asset(IRIS)
def test_the_iris_is_that_of_tensorflow_js_and_of_mediapipes_own_file() -> None:
    """As above, on iris_landmark.tflite."""
    (found,) = Graph(assets.path(IRIS, "a test"), 64)(ramp(64), ["Identity"])
    expected = [36.76306, 34.56805, 1.21832, 40.92253, 33.97337, 1.19055]
    assert found.flatten()[-15:-9].tolist() == pytest.approx(expected, abs=1e-3)
    assert float(found.double().sum()) == pytest.approx(5122.361, abs=0.05)


@pytest.mark.needs_asset(MESH)
@pytest.mark.needs_asset(IRIS)
@pytest.mark.parametrize("size_px", [128, 512])
def test_eyes_and_irises_are_where_dlib_sees_eyes(size_px: int) -> None:
    pytest.importorskip("dlib")
    for name, rgb in zip(("astronaut", "grace_hopper"), to_rgb_arrays(embedded(size_px)), strict=True):
        turn = mediapipe_faces.face_square(rgb, "a test")
        points = mediapipe_faces.mesh(rgb, turn, "a test")
        irises = mediapipe_faces.irises(rgb, points, "a test")
        theirs = dlib_faces.landmarks(rgb, dlib_faces.face_box(rgb, name, "a test"), "a test")
        for iris, eye, corners in zip(irises, (slice(36, 42), slice(42, 48)), mediapipe_faces.EYES, strict=True):
            width = float(np.hypot(*(points[corners[1]] - points[corners[0]])))
            assert np.hypot(*(iris[0] - theirs[eye].mean(0) - 0.5)) < 0.15 * width
            across = 2 * np.hypot(*(iris[1:] - iris[0]).T).mean()
            assert 0.3 < across / width < 0.55  # a human iris takes some two fifths of the eye


@pytest.mark.needs_asset(MESH)
@pytest.mark.needs_asset(IRIS)
def test_damage_grows_and_a_moved_iris_is_a_mismatch_of_the_eyes() -> None:
    truth = embedded(128)
    far = [float(mediapipe_faces.lmd_mediapipe(identity_laws.blurred(truth, s), truth).mean()) for s in (1.0, 3.0, 6.0)]
    assert 0 < far[0] < far[1] < far[2]

    def one_eye_shifted(rgb: Any) -> Any:
        points = mediapipe_faces.mesh(rgb, mediapipe_faces.face_square(rgb, "a test"), "a test")
        (left, top), (right, bottom) = points[33] - (0, 4), points[133] + (0, 4)
        changed = rgb.copy()
        rows, columns = slice(int(top), int(bottom) + 1), slice(int(left), int(right))
        changed[rows, columns] = np.roll(rgb[rows, columns], 2, axis=1)
        return changed

    moved = identity_laws.changed(truth, one_eye_shifted)
    assert bool((mediapipe_faces.gaze_mismatch(moved, truth) > 2).all())


def test_without_the_files_the_line_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match=r"lmd_mediapipe needs the asset 'mediapipe-mesh'.*fetch mediapipe-mesh"):
        mediapipe_faces.lmd_mediapipe(embedded(128), embedded(128))


def test_other_files_and_other_sizes_are_refused(tmp_path: Path) -> None:
    path = mediapipe_oracles.weights_file("iris", tmp_path)
    with pytest.raises(BadInput, match=r"takes an image of 192 px, not \(1, 64, 64, 3\)"):
        Graph(path, 192)(ramp(64), ["Identity"])
    with pytest.raises(BadInput, match="no network that can be computed: 'Identity_2'"):
        Graph(path, 64)(ramp(64), ["Identity_2"])
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "weights.safetensors")
    with pytest.raises(BadInput, match=r"holds no network of TensorFlow\.js"):
        Graph(tmp_path / "weights.safetensors", 64)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([{"name": "a", "op": "ResizeBilinear"}], "operations that are not computed here: ResizeBilinear"),
        ([{"name": "a", "op": "Relu", "input": ["b"]}, {"name": "b", "op": "Relu", "input": ["a"]}], "no model"),
        ([{"name": "a", "op": "Relu", "input": ["nowhere"]}], "no model"),
        ([{"name": "a", "op": "MaxPool", "attr": {"strides": {"list": {"i": ["1", "2", "3", "1"]}}}}], "by direction"),
        ([{"name": "a", "op": "MaxPool", "attr": {"dilations": {"list": {"i": ["1", "2", "2", "1"]}}}}], "dilated"),
        (["no node"], "no model"),
    ],
)
def test_graphs_that_cannot_be_computed_are_one_line(nodes: list[Any], said: str) -> None:
    graph = {"modelTopology": {"node": nodes}, "weightsManifest": []}
    with pytest.raises(BadInput, match=said) as told:
        converters.graph_of_tfjs(json.dumps(graph).encode())
    assert "\n" not in str(told.value)
