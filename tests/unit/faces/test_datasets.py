"""CelebA-Test, CelebA, UTKFace and WIDER FACE, from miniature trees in their published layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gfpbench import degrade, faces, images
from gfpbench.assets.datasets import FACES, TABLE, FaceSetRow, placed
from gfpbench.cli import catalogue, doctor
from gfpbench.decode.containers import KINDS
from gfpbench.faces.dataset import sampled
from gfpbench.faces.folder import Folder
from gfpbench.faces.utkface import attributes_of, utkface
from gfpbench.faces.wider import MARGIN, read_boxes
from gfpbench.types import AssetMissing, BadInput, FaceSet, ImageBatch, UnreadableFace
from tests.unit.faces import laws, trees

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FACES)
def test_every_face_set_keeps_the_law(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    trees.check_row(name, tmp_path)


def test_each_miniature_belongs_to_a_face_set() -> None:
    assert set(trees.TREES) | {"embedded"} == set(FACES)


def test_a_set_without_its_miniature_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FACES, "mine", FaceSetRow("gfpbench.faces.utkface:utkface", "Mine.", "mine", None, "a", "b"))
    with pytest.raises(BadInput, match=r"face set 'mine' needs a row 'mine', which TREES in tests/unit/faces/trees"):
        trees.check_row("mine", tmp_path)


def test_a_set_whose_row_says_half_of_where_it_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="needs where_to_get and layout, or neither"):
        FaceSetRow("gfpbench.faces.utkface:utkface", "Mine.", "mine", where_to_get="https://example.org")
    monkeypatch.delitem(FACES, "utkface")
    with pytest.raises(BadInput, match=f"the face set 'utkface' needs a row 'utkface', which {TABLE} lacks"):
        utkface()
    monkeypatch.setitem(FACES, "utkface", FaceSetRow("gfpbench.faces.utkface:utkface", "Mine.", "mine"))
    with pytest.raises(BadInput, match=f"the row 'utkface' of {TABLE} lacks where_to_get and layout"):
        utkface()


def test_lists_and_doctor_know_every_face_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    listed = {row["name"]: row for row in catalogue.faces()}
    assert set(listed) == {*FACES, "PATH", "s3://BUCKET/PATH", *(kind.example for kind in KINDS.values())}
    examined = {row["subject"]: row for row in doctor._faces()}
    assert set(examined) == {f"faces {name}" for name in FACES}
    for name in placed():
        assert listed[name]["get_it_from"] == FACES[name].where_to_get
        assert examined[f"faces {name}"]["state"] == "absent"
        assert FACES[name].where_to_get in examined[f"faces {name}"]["says"]
        assert FACES[name].layout in examined[f"faces {name}"]["says"]
        assert f"`{name}`" in README, f"the README's list of face sets lacks {name}"


@pytest.mark.parametrize("name", placed())
def test_each_is_opened_by_path_and_in_its_own_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    trees.miniature(name)(home / "faces" / name)
    monkeypatch.setenv("GFPBENCH_HOME", str(home))
    by_path = f"{name}:{home / 'faces' / name}"
    trees.check_face_set(lambda: faces.load(by_path))
    trees.check_face_set(lambda: faces.load(name))
    assert isinstance(faces.load(name), FaceSet)
    assert faces.load(name).name == name
    assert faces.load(by_path).name == by_path
    assert faces.load(name).ids() == faces.load(by_path).ids()
    sized = faces.load(name, size_px=96)
    assert {tuple(sized.load(face_id).pixels.shape) for face_id in sized.ids()} == {(3, 96, 96)}
    assert "licence" in sized.source()


@pytest.mark.parametrize("name", placed())
def test_an_absent_one_says_where_it_was_looked_for_and_where_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing) as missing:
        faces.load(name)
    assert missing.value.asset == name
    assert str(tmp_path / "faces" / name) in str(missing.value)
    assert "http" in str(missing.value)
    assert f"{name}:PATH" in str(missing.value)
    with pytest.raises(BadInput, match="no such folder"):
        faces.load(f"{name}:{tmp_path / 'nowhere'}")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is a file"):
        faces.load(f"{name}:{tmp_path / 'file'}")


@pytest.mark.parametrize("name", placed())
def test_an_empty_folder_is_refused_in_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=str(tmp_path)):
        faces.load(f"{name}:{tmp_path}")


def test_the_first_n_are_a_sample_that_grows() -> None:
    names = [f"{number:06d}" for number in range(20_000)]
    order = sampled(names)
    assert sorted(order) == names
    assert order == sampled(reversed(names))
    assert order[:100] != tuple(names[:100])
    # An image fewer moves nobody else.
    without = [name for name in names if name != order[50]]
    assert sampled(without)[:99] == tuple(name for name in order[:100] if name != order[50])
    # A fair sample: the mean rank of 2,000 lies within 4 standard errors of the middle.
    mean = np.mean([int(name) for name in order[:2000]])
    assert abs(mean - 9999.5) < 4 * 20_000 / np.sqrt(12 * 2000)


@pytest.mark.parametrize("truth", ["celeba_512_validation", "gt", "hq"])
def test_celeba_test_pairs_by_name(tmp_path: Path, truth: str) -> None:
    root = trees.celeba_test(tmp_path, truth=truth)
    opened = faces.load(f"celeba-test:{root}")
    assert sorted(opened.ids()) == ["00000000", "00000001", "00000002", "00000003"]
    assert opened.source()["complete"] is False
    stored = degrade.load(f"stored:{root}")
    for face_id in opened.ids():
        face = opened.load(face_id)
        height, width = face.pixels.shape[1:]
        record = stored.draw(face_id, 0, (height, width))
        assert record == stored.draw(face_id, 7, (height, width))
        got = stored.apply(ImageBatch(face.pixels[None], (face_id,)), [record])
        lq = next(folder for folder in tmp_path.iterdir() if folder.name.endswith("lq")) / f"{face_id}.png"
        expected = images.from_uint8(trees.read_rgb(lq))
        assert torch.equal(got.pixels[0], expected)


def test_celeba_test_with_the_degraded_images_of_daefr_says_so(tmp_path: Path) -> None:
    """Two published sets of degraded images have the same clean ones; the folder's name tells which is here."""
    for folder, told in (("celeba_512_validation_lq", True), ("self_celeba_512_v2", True), ("lq", False)):
        root = trees.celeba_test(tmp_path / folder)
        (root / "celeba_512_validation_lq").rename(root / folder)
        assert len(faces.load(f"celeba-test:{root}").ids()) == 4
        record = degrade.load(f"stored:{root}").describe()
        assert record.get("inputs") == (folder if told else None)
    assert "inputs" not in degrade.load("stored").describe()  # it is described where it is not


def test_celeba_test_refuses_what_does_not_pair(tmp_path: Path) -> None:
    root = trees.celeba_test(tmp_path)
    (root / "celeba_512_validation_lq" / "00000002.png").unlink()
    with pytest.raises(BadInput, match=r"validation_lq: 1 images are missing \(00000002\)"):
        faces.load(f"celeba-test:{root}")
    trees.write(root / "celeba_512_validation_lq" / "00000002.png", (64, 64))
    (root / "celeba_512_validation" / "00000001.png").unlink()
    with pytest.raises(BadInput, match=r"validation: 1 images are missing \(00000001\)"):
        faces.load(f"celeba-test:{root}")
    (root / "gt").mkdir()
    with pytest.raises(BadInput, match="2 folders"):
        faces.load(f"celeba-test:{root}")


def test_stored_images_are_resized_as_faces_are_and_refused_where_they_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = trees.celeba_test(tmp_path / "faces" / "celeba-test")
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    stored = degrade.load("stored")
    clean = ImageBatch(faces.load("celeba-test", size_px=32).load("00000001").pixels[None], ("00000001",))
    got = stored.apply(clean, [stored.draw("00000001", 0, (32, 32))])
    rgb = trees.read_rgb(root / "celeba_512_validation_lq" / "00000001.png").astype(float)
    mean = rgb.reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(got.pixels[0].permute(1, 2, 0).numpy() * 255 - mean).max() <= 0.51
    for name, said in (("missing", "no degraded image named missing"), ("broken", "cannot be decoded")):
        (root / "celeba_512_validation_lq" / "broken.png").write_bytes(b"\x89PNG, and no more")
        batch = ImageBatch(clean.pixels, (name,))
        with pytest.raises(BadInput, match=said):
            stored.apply(batch, [stored.draw(name, 0, (32, 32))])
    trees.write(root / "celeba_512_validation_lq" / "wide.png", (64, 96))
    with pytest.raises(BadInput, match="another shape"):
        stored.apply(ImageBatch(clean.pixels, ("wide",)), [stored.draw("wide", 0, (32, 32))])
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(AssetMissing, match="celeba-test"):
        stored.draw("00000001", 0, (32, 32))


@pytest.mark.parametrize("layout", ["flat", "official", "csv"])
def test_celeba_in_each_of_its_layouts(tmp_path: Path, layout: str) -> None:
    root = trees.celeba_csv(tmp_path) if layout == "csv" else trees.celeba(tmp_path, official=layout == "official")
    opened = faces.load(f"celeba:{root}")
    assert sorted(opened.ids()) == ["000006", "000007", "000008"]
    for face_id in opened.ids():
        face = opened.load(face_id)
        assert tuple(face.pixels.shape) == (3, 218, 178)
        young = int(face_id) % 2 == 1
        expected = {"Eyeglasses": True, "Male": False, "Smiling": True, "Young": young, "partition": "test"}
        assert dict(face.attributes) == expected
    assert opened.source()["partition"] == "test"
    (apart,) = opened.source()["left_out"].values()
    assert apart["count"] == 5, "the first five of eight are not of the test partition"


def test_celeba_without_its_lists_says_so(tmp_path: Path) -> None:
    root = trees.celeba(tmp_path)
    (root / "list_eval_partition.txt").unlink()
    (root / "list_attr_celeba.txt").unlink()
    opened = faces.load(f"celeba:{root}")
    assert len(opened.ids()) == 8
    assert dict(opened.load("000001").attributes) == {}
    assert "no list_eval_partition" in opened.source()["partition"]
    assert "no list_attr_celeba" in opened.source()["attributes"]


def test_celeba_is_cut_by_its_landmarks(tmp_path: Path) -> None:
    """Against FFHQ's rule worked out in the complex plane."""
    root = trees.celeba(tmp_path, landmarks=True)
    points = laws.landmarks_of(69 + 109j, 106 + 113j, 73 + 152j, 108 + 154j)
    image = trees.read_rgb(root / "img_align_celeba" / "000006.jpg")
    opened = faces.load(f"celeba:{root}", size_px=64)
    ours = opened.load("000006").pixels.permute(1, 2, 0).numpy() * 255
    theirs = laws.skimage_crop(image, points, 64)
    assert np.abs(ours - theirs).mean() < 0.5
    assert "five landmarks" in opened.source()["alignment"]
    native = faces.load(f"celeba:{root}").load("000006").pixels.shape
    assert 140 < native[1] == native[2] < 165


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("000007.jpg  -1", "000007.jpg  x"), "line 9 holds something else"),
        (lambda text: text.replace("000007.jpg  -1", "000007.jpg "), "line 9 holds 4 numbers, not 5"),
        (lambda text: text.replace("000007.jpg", "000006.jpg"), "line 9 names an image twice"),
        (lambda text: text.replace("000007.jpg", "../7.jpg"), "line 9 names a path"),
        (lambda text: text.replace("000007.jpg", "seventh"), "line 9 names no .jpg"),
        (lambda text: text.replace("8\n", "9\n", 1), "holds 8 images and says 9"),
        (lambda text: "\n".join(text.splitlines()[:-1]).replace("8\n", "7\n", 1), "no line for 000008.jpg"),
        (lambda text: text.replace("000007.jpg  -1 1", "000007.jpg  -1 3"), "000007.jpg has an attribute of 3"),
    ],
)
def test_a_broken_list_of_celeba_is_named_with_its_line(tmp_path: Path, change: object, said: str) -> None:
    root = trees.celeba(tmp_path)
    path = root / "list_attr_celeba.txt"
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(BadInput, match=said):
        faces.load(f"celeba:{root}")


def test_an_image_that_a_list_promises_is_missed_and_not_passed_over(tmp_path: Path) -> None:
    root = trees.celeba(tmp_path)
    (root / "img_align_celeba" / "000007.jpg").unlink()
    opened = faces.load(f"celeba:{root}")
    assert "000007" in opened.ids()
    with pytest.raises(UnreadableFace, match="000007"):
        opened.load("000007")


def test_utkface_reads_its_names(tmp_path: Path) -> None:
    root = trees.utkface(tmp_path)
    for given in (root, root / "UTKFace"):
        opened = faces.load(f"utkface:{given}")
        assert len(opened.ids()) == len(trees.UTK_NAMES)
        for name, expected in trees.UTK_NAMES.items():
            assert dict(opened.load(name.removesuffix(".jpg")).attributes) == expected, name
        wrong = sorted(name for name, expected in trees.UTK_NAMES.items() if not expected)
        assert opened.source()["names_without_attributes"] == wrong


@pytest.mark.parametrize(
    "name", ["117_0_0_20170116174525125.jpg", "25_2_0_20170116174525125.jpg", "25_0_5_20170116174525125.jpg",
             "25_0_2.jpg", "-5_0_2_20170116174525125.jpg", "a_0_2_20170116174525125.jpg"]
)  # fmt: skip
def test_a_name_out_of_range_says_nothing(name: str) -> None:
    assert attributes_of(name) == {}


def test_any_other_folder_is_no_utkface(tmp_path: Path) -> None:
    trees.write(tmp_path / "holiday.jpg", (64, 64))
    with pytest.raises(BadInput, match=r"the first is holiday\.jpg"):
        faces.load(f"utkface:{tmp_path}")


def test_wider_cuts_the_boxes_that_are_large_and_valid(tmp_path: Path) -> None:
    root = trees.wider(tmp_path)
    opened = faces.load(f"wider:{root}")
    band = "0--Parade/0_Parade_marchingband_1_465"
    assert sorted(opened.ids()) == [f"{band}/000", f"{band}/001", "3--Riot/3_Riot_Riot_3_26/000"]
    said = opened.source()
    assert (said["boxes"], said["left_out_invalid"], said["left_out_small"]) == (5, 1, 1)
    assert said["left_out"] == {
        "its box is marked invalid": {"count": 1, "first": [], "what": "face"},
        "its box is under 64 px": {"count": 1, "first": [], "what": "face"},
    }
    assert dict(opened.load(f"{band}/001").attributes) == {
        "event": "0--Parade", "blur": "heavy", "expression": "exaggerated", "illumination": "extreme",
        "occlusion": "heavy", "pose": "atypical", "box_px": [150, 60, 64, 90],
    }  # fmt: skip
    assert tuple(opened.load(f"{band}/000").pixels.shape) == (3, 120, 120)
    assert tuple(opened.load(f"{band}/001").pixels.shape) == (3, 135, 135)


def test_wider_shows_the_box_in_the_middle(tmp_path: Path) -> None:
    root = trees.wider(tmp_path)
    box = (40, 30, 70, 80)
    photograph = np.zeros((200, 260, 3), np.uint8)
    photograph[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 255
    name = "0--Parade/0_Parade_marchingband_1_465"
    cv2.imwrite(str(root / "WIDER_val" / "images" / f"{name}.jpg"), photograph)
    for size in (None, 64):
        face = faces.load(f"wider:{root}", size_px=size).load(f"{name}/000")
        trees.check_box_is_centred(face.pixels.permute(1, 2, 0).numpy() * 255, box, MARGIN)


def test_an_entry_without_faces_may_lack_its_line_of_zeros(tmp_path: Path) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text(trees.WIDER_LINES.replace("0 0 0 0 0 0 0 0 0 0\n", "", 1))
    found = read_boxes(path)
    assert [len(boxes) for boxes in found.values()] == [0, 4, 1]
    path.write_text(trees.WIDER_LINES)
    assert read_boxes(path) == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("40 30 70 80 0", "40 30 70 80"), "line 6 should hold 10"),
        (lambda text: text.replace("40 30 70", "40.5 30 70"), "line 6 should hold 10"),
        (lambda text: text.replace("150 60 64 90 2", "150 60 64 90 3"), "line 7 has blur 3"),
        (lambda text: text.replace("465.jpg\n4\n", "465.jpg\n3\n"), "line 9 should name another photograph"),
        (lambda text: text.replace("26.jpg\n1\n", "26.jpg\nmany\n"), "line 11 should say how many"),
        (lambda text: text.replace("26.jpg\n1\n", "26.jpg\n2\n"), "ends before the 2 faces"),
        (lambda text: text.replace("3--Riot/3", "../3"), "should name another photograph"),
        (lambda text: text.replace("3--Riot/3", "/3"), "should name another photograph"),
    ],
)
def test_a_broken_list_of_wider_is_named_with_its_line(tmp_path: Path, change: object, said: str) -> None:
    root = trees.wider(tmp_path)
    path = root / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(BadInput, match=said):
        faces.load(f"wider:{root}")


@pytest.mark.parametrize("name", placed())
def test_the_hash_sees_another_file_and_another_label(name: str, tmp_path: Path) -> None:
    root = trees.miniature(name)(tmp_path)

    def hashed() -> str:
        return str(faces.load(f"{name}:{root}").source()["files_sha256"])

    before = hashed()
    opened: Any = faces.load(f"{name}:{root}")
    file = next(iter(opened._files.values() if isinstance(opened, Folder) else opened._members.values()))
    file = getattr(file, "file", file)
    file.write_bytes(file.read_bytes() + b"\0")
    changed = hashed()
    assert changed != before
    for label in root.rglob("*.txt"):
        label.write_text(label.read_text() + "\n")
        assert hashed() != changed
        changed = hashed()
