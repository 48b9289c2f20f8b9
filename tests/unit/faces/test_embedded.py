"""The embedded portraits: the recorded files, the recorded pixels, the recorded crops."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from gfpbench import faces, images
from gfpbench.decode import decode_rgb
from gfpbench.faces.embedded import Embedded, aligned_face, check_decoded, file_bytes
from gfpbench.faces.manifest import read_manifest
from gfpbench.types import BadInput, FaceSet, ImageBatch
from tests.unit.faces import laws


def test_the_crops_are_the_recorded_ones() -> None:
    laws.check_embedded(Embedded())


def test_crops_are_of_what_is_given() -> None:
    entry = read_manifest()[0]
    laws.check_crops_are_of_what_is_given(aligned_face, entry, decode_rgb(file_bytes(entry), entry.file))


def test_two_sets_share_no_pixels() -> None:
    laws.check_apart(lambda: Embedded(48))


def test_it_is_a_face_set_of_128_px() -> None:
    faces_128 = Embedded()
    assert isinstance(faces_128, FaceSet)
    assert faces_128.ids() == ("astronaut", "grace_hopper")
    for face_id in faces_128.ids():
        face = faces_128.load(face_id)
        assert face.id == face_id
        assert face.pixels.shape == (3, 128, 128)
        batch = ImageBatch(face.pixels[None], (face_id,))
        assert torch.equal(images.quantized(batch).pixels, face.pixels[None])
        assert images.pixels_sha256(images.to_rgb_arrays(batch)[0]) == face.sha256
        assert faces_128.load(face_id) is face, "decoded once"


def test_another_size_is_the_same_face() -> None:
    small, large = Embedded(128), Embedded(512)
    for face_id in small.ids():
        one, other = small.load(face_id), large.load(face_id)
        assert other.pixels.shape == (3, 512, 512)
        shrunk = torch.nn.functional.interpolate(other.pixels[None], size=(128, 128), mode="area")[0]
        assert float((shrunk - one.pixels).abs().mean()) * 255 < 2
        for part, place in one.attributes["landmarks_px"].items():
            bigger = other.attributes["landmarks_px"][part]
            assert [(value + 0.5) * 4 - 0.5 for value in place] == pytest.approx(bigger, abs=0.01)


@pytest.mark.parametrize("size_px", [32, 100, 511])
def test_any_size(size_px: int) -> None:
    assert Embedded(size_px).load("astronaut").pixels.shape == (3, size_px, size_px)


def test_eyes_are_level_and_the_skin_is_skin() -> None:
    for face_id in Embedded().ids():
        face = Embedded().load(face_id)
        left, right, mouth = (face.attributes["landmarks_px"][part] for part in ("eye_left", "eye_right", "mouth"))
        assert abs(left[1] - right[1]) < 0.5
        assert 30 < right[0] - left[0] < 34
        assert mouth[1] > left[1] + 25
        cheek = face.pixels[:, int(left[1]) + 14, int(left[0])]
        red, green, blue = (float(value) for value in cheek)
        assert red > green > blue, "a cheek is redder than green and greener than blue"


def test_source_is_json_and_names_licence_and_files() -> None:
    source = Embedded(128).source()
    assert json.loads(json.dumps(source, allow_nan=False)) == source
    assert source["count"] == 2
    assert {face["from"].split("/")[0] for face in source["faces"]} == {"skimage", "matplotlib"}
    assert all(face["licence"].startswith("public domain") for face in source["faces"])


def test_eight_draws_unless_told() -> None:
    ids = faces.load("embedded").ids()
    assert ids[:3] == ("astronaut~0", "grace_hopper~0", "astronaut~1")
    assert len(ids) == 16
    assert faces.load("embedded", draws=1).ids() == ("astronaut", "grace_hopper")


def test_a_changed_file_is_refused() -> None:
    entry = read_manifest()[0]
    with pytest.raises(BadInput, match=r"skimage/data/astronaut.png is not the recorded image.*reinstall scikit-image"):
        file_bytes(replace(entry, sha256="0" * 64))


def test_an_absent_package_or_file_is_named() -> None:
    entry = read_manifest()[0]
    with pytest.raises(BadInput, match="install scikit-image"):
        file_bytes(replace(entry, package="no_such_package"))
    with pytest.raises(BadInput, match="install scikit-image"):
        file_bytes(replace(entry, file="data/none.png"))


def test_another_decoder_is_noted_and_another_image_refused() -> None:
    entry = read_manifest()[0]
    random = np.random.default_rng(0)
    grey = random.integers(0, 255, (*entry.size_px, 3), dtype=np.uint8)
    entry = replace(entry, mean_rgb=tuple(grey.mean((0, 1))), pixels_sha256=images.pixels_sha256(grey))
    assert check_decoded(entry, grey)
    assert not check_decoded(entry, grey + (random.random(grey.shape) < 0.2).astype(np.uint8))
    with pytest.raises(BadInput, match="did not decode to the recorded image"):
        check_decoded(entry, grey + np.uint8(1))
    with pytest.raises(BadInput, match="did not decode to the recorded image"):
        check_decoded(entry, np.ascontiguousarray(grey[:-1]))


def test_an_unknown_face_is_named() -> None:
    with pytest.raises(BadInput, match="no embedded face 'lena'"):
        Embedded().load("lena")
