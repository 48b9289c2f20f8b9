"""The detectors: dlib on faces in known places, RetinaFace against facexlib's own, YuNet's answers put in place."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench import assets
from gfpbench.photos import DETECTORS, detect, load_detector, mediapipe
from gfpbench.photos.yunet import YuNet
from gfpbench.types import AssetMissing, BadInput, PackageMissing
from tests.unit.photos import scenes
from tests.unit.photos.scenes import Place

PORTRAITS = Path(__file__).parents[3].parent / "shared" / "faces" / "portraits"


@pytest.fixture
def nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    return tmp_path


def faces_are_found_where_they_are(detector: str) -> None:
    """Three faces of a scene, each landmark near its place and inside its box, the surest first."""
    places = [Place((150, 170), 240, 8), Place((450, 150), 140, -10, 1), Place((450, 360), 110)]
    photo, truth = scenes.scene(460, 600, places)
    found = load_detector(detector)(photo)
    assert len(found) == 3
    for face in truth:
        near = min(found, key=lambda one: float(np.linalg.norm(one.landmarks - face.landmarks)))
        eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
        away = np.linalg.norm(near.landmarks - face.landmarks, axis=1).max()
        assert away < 0.15 * eyes, f"a landmark is {away / eyes:.2f} eye distances off"
        left, top, right, bottom = near.box
        assert (near.landmarks > (left, top)).all()
        assert (near.landmarks < (right, bottom)).all()
    assert [one.confidence for one in found] == sorted((one.confidence for one in found), reverse=True)


class TestDlib:
    @pytest.fixture(autouse=True)
    def _needs_dlib(self) -> None:
        pytest.importorskip("dlib", reason="needs dlib: pip install 'gfpbench[identity]'")

    def test_faces_are_found_where_they_are(self) -> None:
        faces_are_found_where_they_are("dlib")

    def test_nothing_is_found_where_nothing_is(self) -> None:
        assert load_detector("dlib")(scenes.ground(300, 400)) == []

    def test_a_large_photo_is_not_doubled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        detector: Any = load_detector("dlib")
        asked = []

        class Spy:
            def run(self, rgb, doublings, threshold):
                asked.append(doublings)
                return [], [], []

        detector._detector = Spy()
        for size in ((2000, 2000), (2000, 2001)):
            detector(np.broadcast_to(np.zeros(3, np.uint8), (*size, 3)))
        assert asked == [1, 0]

    def test_official_portraits(self) -> None:
        if not PORTRAITS.is_dir():
            pytest.skip(f"no {PORTRAITS}")
        from gfpbench.decode import read_rgb

        detector = load_detector("dlib")
        files = sorted(PORTRAITS.glob("*.jpg"))[::90]
        counts = [len(detector(read_rgb(file))) for file in files]
        assert counts == [1] * len(files)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded weights in the authors' file format, with a head that is sure of some places."""
    module = pytest.importorskip("facexlib.detection.retinaface", reason="needs facexlib")
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = module.RetinaFace(network_name="resnet50", device="cpu")
    for head in network.ClassHead:
        torch.nn.init.normal_(head.conv1x1.weight, std=0.6)
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "detection_Resnet50_Final.pth"
    torch.save(state, path)
    return path


class TestRetinaFace:
    def test_finds_what_facexlib_finds(self, weights: Path) -> None:
        from facexlib.detection import init_detection_model

        from gfpbench.photos.retinaface import RetinaFace

        photo, _ = scenes.scene(120, 160, [Place((80, 60), 100)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = init_detection_model("retinaface_resnet50", device="cpu", model_rootpath=str(weights.parent))
        with torch.no_grad():
            rows = theirs.detect_faces(np.ascontiguousarray(photo[..., ::-1]), 0.97)
        ours = RetinaFace(weights)(photo)
        assert len(ours) == len(rows) > 3, "the seeded head is sure of nothing: this proves nothing"
        for face, row in zip(ours, rows, strict=True):
            assert face.box == tuple(map(float, row[:4]))
            assert (face.landmarks == row[5:].reshape(5, 2)).all()
            assert face.confidence == pytest.approx(float(row[4]))

    def test_a_huge_photo_is_shrunk_and_its_faces_put_back(self, weights: Path, monkeypatch) -> None:
        from gfpbench.photos import retinaface

        detector: Any = retinaface.RetinaFace(weights)
        seen = []

        class Fixed:
            def detect_faces(self, bgr, confidence):
                seen.append(bgr.shape)
                return np.array([[0, 0, 10, 10, 0.99, *range(10)]], np.float32)

        detector._network = Fixed()
        monkeypatch.setattr(retinaface, "MAXIMUM_PIXELS", 10_000)
        (face,) = detector(np.zeros((200, 200, 3), np.uint8))
        assert seen == [(100, 100, 3)]
        assert face.box == (0.5, 0.5, 20.5, 20.5)  # the middle of pixel 10 of 100 is 20.5 of 200
        assert face.landmarks[0].tolist() == [0.5, 2.5]

    def test_other_weights_are_refused(self, tmp_path: Path) -> None:
        from gfpbench.photos.retinaface import RetinaFace

        torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
        with pytest.raises(BadInput, match="does not hold the weights of RetinaFace"):
            RetinaFace(tmp_path / "other.pth")


def stand_in(path: Path) -> Path:
    """A network of YuNet's interface for 320 x 320 px that finds one face in row 5, column 7 of its grid of 32 px."""
    onnx = pytest.importorskip("onnx", reason="needs onnx to write a network")
    from onnx import helper, numpy_helper

    nodes, constants, outputs = [], [], []
    for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            values = np.zeros((1, (320 // stride) ** 2, width), np.float32)
            if stride == 32:
                values[0, 5 * 10 + 7] = np.arange(10) / 10 if kind == "kps" else kind != "bbox"
            name = f"{kind}_{stride}"
            constants += [numpy_helper.from_array(values, f"{name}_values")]
            constants += [numpy_helper.from_array(np.zeros(1, np.float32), f"{name}_zero")]
            nodes += [helper.make_node("ReduceMean", ["input"], [f"{name}_mean"], keepdims=0)]
            nodes += [helper.make_node("Mul", [f"{name}_mean", f"{name}_zero"], [f"{name}_nothing"])]
            nodes += [helper.make_node("Add", [f"{name}_values", f"{name}_nothing"], [name])]
            outputs += [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, values.shape)]
    photo = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, 320, 320])
    graph = helper.make_graph(nodes, "yunet", [photo], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6), path)
    return path


class TestYuNet:
    """Its weights cannot be had here; a network of its interface that is sure of one place stands in."""

    @pytest.mark.parametrize("times", [1, 2])
    def test_answers_are_put_into_the_photo(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        monkeypatch.setattr("gfpbench.photos.yunet.LONGER_SIDES_PX", (320, 160))
        detector = YuNet(stand_in(tmp_path / "yunet.onnx"))
        (face,) = detector(np.full((320 * times, 320 * times, 3), 90, np.uint8))
        assert face.box == pytest.approx(tuple(value * times for value in (208, 144, 240, 176)))
        expected = 32 * np.arange(10).reshape(5, 2) / 10 + (224, 160)
        assert face.landmarks == pytest.approx(times * expected, abs=1e-3)
        assert face.confidence == pytest.approx(1)

    def test_a_close_portrait_is_looked_at_again_smaller(self, tmp_path: Path) -> None:
        detector: Any = YuNet(stand_in(tmp_path / "yunet.onnx"))
        sizes = []

        class Spy:
            def setInputSize(self, size):
                sizes.append(size)

            def detect(self, bgr):
                assert bgr.shape == (*sizes[-1][::-1], 3)
                return 0, None

        detector._network = Spy()
        assert detector(np.zeros((1000, 2000, 3), np.uint8)) == []
        assert detector(np.zeros((100, 200, 3), np.uint8)) == []
        assert sizes == [(1280, 640), (320, 160), (200, 100)]

    @pytest.mark.parametrize("content", [b"", b"nothing at all"])
    def test_other_files_are_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "other.onnx").write_bytes(content)
        with pytest.raises(BadInput, match="is not a YuNet"):
            YuNet(tmp_path / "other.onnx")


class TestMediapipe:
    """Its files are fetched; where they are not, a network that is sure of two places stands in."""

    @pytest.mark.needs_asset("mediapipe-detector")
    @pytest.mark.needs_asset("mediapipe-mesh")
    def test_faces_are_found_where_they_are(self) -> None:
        faces_are_found_where_they_are("mediapipe")
        assert load_detector("mediapipe")(scenes.ground(300, 400)) == []

    @pytest.mark.parametrize("turned", [False, True])
    def test_answers_are_put_into_the_photo(self, monkeypatch: pytest.MonkeyPatch, turned: bool) -> None:
        """One box of a cell 16 px wide and one of 32; the photo is 512 px long, twice what the network sees."""
        sure = [torch.full((1, count, 1), -9.0) for count in (512, 384)]
        places = [torch.zeros(1, count, 16) for count in (512, 384)]
        sure[0][0, 2 * (16 * 3 + 5)] = 2.0  # cell (5, 3): its middle is (88, 56)
        places[0][0, 2 * (16 * 3 + 5), :8] = torch.tensor([2.0, -1, 40, 60, -10, -8, 10, -8])
        sure[1][0, 6 * (8 * 1 + 6) + 4] = 4.0  # cell (6, 1): its middle is (208, 48)
        places[1][0, 6 * (8 * 1 + 6) + 4, :8] = torch.tensor([0.0, 0, 20, 20, -5, -5, 5, -5])
        shown: list[torch.Tensor] = []

        def network(image: torch.Tensor, outputs: Any) -> list[torch.Tensor]:
            shown.append(image)
            return [*sure, *places]

        turns: list[Any] = []

        def mesh(rgb: Any, turn: Any, needed_by: str) -> Any:
            turns.append(turn)
            return np.arange(936, dtype=np.float64).reshape(468, 2)

        monkeypatch.setattr(mediapipe, "Graph", lambda path, side: network)
        monkeypatch.setattr(assets, "path", lambda name, needed_by="": Path(name))
        monkeypatch.setattr("gfpbench.metrics.mediapipe_faces.mesh", mesh)
        photo = np.full((512, 300, 3) if turned else (300, 512, 3), 255, np.uint8)
        second, first = (find.box for find in reversed(mediapipe.BlazeFace(Path("x"))(photo)))
        assert first == pytest.approx((395.5, 75.5, 435.5, 115.5))
        assert second == pytest.approx((139.5, 49.5, 219.5, 169.5))
        image = shown[0][0]
        assert float(image[0, 0, 0]) == 1.0
        border = image[:, 160:] if turned else image[160:]
        assert bool((border == -1).all())
        assert turns[0] @ (416, 96, 1) == pytest.approx([96, 96])  # the middle of the surer box is that of the square
        assert np.hypot(*turns[0][:, 0]) == pytest.approx(192 / (1.5 * 40))

    def test_overlapping_boxes_are_one_as_torchvision_says(self) -> None:
        torchvision = pytest.importorskip("torchvision")
        rng = np.random.default_rng(4)
        for _ in range(30):
            corners = rng.uniform(0, 100, (60, 2))
            boxes = np.hstack([corners, corners + rng.uniform(5, 60, (60, 2))])
            sure = rng.uniform(0.2, 1, 60)
            expected = torchvision.ops.nms(torch.tensor(boxes), torch.tensor(sure), mediapipe.MAXIMUM_OVERLAP)
            assert mediapipe.kept(boxes, sure) == [n for n in expected.tolist() if sure[n] >= 0.5]
        assert mediapipe.kept(boxes, np.zeros(60)) == []


def test_auto_takes_the_first_that_is_here(nothing_fetched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def here(name):
        def make(*, device):
            made.append((name, device))
            return scenes.Known([], name)

        return make

    def absent(*, device):
        raise PackageMissing("dlib", "whole-photo", "pip install something")

    for module, attribute in (target.split(":") for target in DETECTORS.values()):
        monkeypatch.setattr(f"{module}.{attribute}", here(attribute))
    assert load_detector(device="cpu").name == "retinaface"
    monkeypatch.setattr("gfpbench.photos.retinaface.retinaface", absent)
    assert load_detector(device="cpu").name == "dlib_hog"
    monkeypatch.setattr("gfpbench.photos.dlib_hog.dlib_hog", absent)
    assert load_detector(device="cpu").name == "yunet"
    assert made == [("retinaface", "cpu"), ("dlib_hog", "cpu"), ("yunet", "cpu")]
    monkeypatch.setattr("gfpbench.photos.yunet.yunet", absent)
    assert load_detector(device="cpu").name == "blazeface"
    monkeypatch.setattr("gfpbench.photos.mediapipe.blazeface", absent)
    with pytest.raises(AssetMissing, match=r"none is here \(retinaface: .* opencv: whole-photo needs") as caught:
        load_detector()
    assert caught.value.asset == "retinaface-resnet50"


def test_each_says_what_it_lacks(nothing_fetched: Path) -> None:
    for name, asset in (
        ("retinaface", "retinaface-resnet50"),
        ("opencv", "yunet"),
        ("mediapipe", "mediapipe-detector"),
    ):
        with pytest.raises(AssetMissing, match=f"gfpbench fetch {asset}"):
            load_detector(name)
        assert assets.find(asset).needed_by == ("whole-photo",)


def test_a_misspelt_name_is_answered_with_near_ones() -> None:
    with pytest.raises(BadInput, match="did you mean 'retinaface'"):
        load_detector("retinanet")
    assert detect.AUTO not in DETECTORS
