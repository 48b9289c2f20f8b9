"""A photo through the whole pipeline: against facexlib, and against what geometry says."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

from gfpbench.photos import Pipeline, restore_photo
from gfpbench.photos.photo import MINIMUM_EYE_DISTANCE_PX
from gfpbench.photos.result import TINY_BELOW_PX
from gfpbench.types import BadInput, GfpbenchError, ImageBatch
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place

FREE = [name for name in vars(laws) if name.startswith("check_") and name != "check_like_facexlib"]


@pytest.mark.parametrize("law", FREE)
def test_law(law: str) -> None:
    assert list(inspect.signature(getattr(laws, law)).parameters) == ["restore"]
    getattr(laws, law)()


@pytest.mark.parametrize("upscale", [1, 2])
def test_like_facexlib(upscale: int) -> None:
    pytest.importorskip("facexlib", reason="the oracle is facexlib: pip install 'gfpbench[upstream]'")
    laws.check_like_facexlib(upscale=upscale)


def inverting(found, **settings):
    return Pipeline(scenes.Painter(laws.inverted), scenes.Known(found), **settings)


def test_no_face_leaves_nothing_to_write() -> None:
    result = restore_photo(scenes.ground(100, 120), inverting([]), "street")
    assert result.restored is None
    assert result.problems == ("no face was found by known",)
    assert not result.ok
    assert result.line() == "0 faces restored; no face was found by known"


def test_border_and_tiny_faces_are_restored_and_flagged() -> None:
    photo, found = scenes.scene(300, 400, [Place((150, 150), 200), Place((380, 150), 200), Place((60, 250), 40)])
    result = restore_photo(photo, inverting(found))
    assert [face.at_border for face in result.faces] == [False, True, False]
    assert [face.tiny for face in result.faces] == [False, False, True]
    assert result.faces[0].size_px == pytest.approx(200, rel=0.15)
    assert result.faces[2].size_px < TINY_BELOW_PX
    # The second face's square is cut in its middle or so by the border of the photo.
    assert 0.3 < result.faces[1].beyond_photo < 0.5
    assert all(face.restored for face in result.faces)
    assert result.line() == "3 faces restored (1 at the border, 1 under 64 px)"


def test_the_share_beyond_the_photo_is_what_is_filled_with_grey() -> None:
    from gfpbench.photos.align import crop_face, share_beyond, similarity

    _, found = scenes.scene(300, 400, [Place((380, 150), 200, 20), Place((3, 290), 160, -35), Place((200, 150), 100)])
    for face in found:
        matrix = similarity(face.landmarks)
        black = crop_face(np.zeros((300, 400, 3), np.uint8), matrix)
        assert share_beyond(matrix, (300, 400)) == pytest.approx(float((black > 64).mean()), abs=0.01)


def test_a_face_too_small_to_align_is_left_out_and_its_neighbour_restored() -> None:
    photo, found = scenes.scene(300, 400, [Place((150, 150), 200), Place((330, 60), 14)])
    assert np.linalg.norm(found[1].landmarks[1] - found[1].landmarks[0]) < MINIMUM_EYE_DISTANCE_PX
    result = restore_photo(photo, inverting(found))
    assert [face.state for face in result.faces] == ["restored", "left out"]
    assert result.ok
    assert "px apart, 5 are needed" in result.line()
    assert restore_photo(photo, inverting(found[1:])).restored is None


def test_a_face_the_restorer_fails_on_stays_as_it_was() -> None:
    photo, found = scenes.scene(300, 500, [Place((130, 150), 200), Place((370, 150), 200)])

    class Half:
        name = "half"

        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            if "photo#1" in degraded.ids:
                raise RuntimeError("CUDA out of memory\nand more")
            return ImageBatch(1 - degraded.pixels, degraded.ids)

        def provenance(self):
            return {}

    result = restore_photo(photo, Pipeline(Half(), scenes.Known(found)))
    assert [face.state for face in result.faces] == ["restored", "failed"]
    assert "out of memory" in (result.faces[1].reason or "")
    assert not result.ok
    assert result.restored is not None
    assert (result.restored[:, 300:] == photo[:, 300:]).all()
    assert (result.restored[100:200, 100:160] != photo[100:200, 100:160]).mean() > 0.9


def test_the_restorer_that_returns_its_input_has_failed() -> None:
    photo, found = scenes.scene(300, 300, [Place((150, 150), 200)])
    result = restore_photo(photo, Pipeline(scenes.Painter(lambda pixels: pixels), scenes.Known(found)))
    assert result.restored is None
    assert "returned its input unchanged" in (result.faces[0].reason or "")


def test_many_faces_in_any_batch_size_give_the_same_photo() -> None:
    places = [Place((70 + 110 * (n % 5), 70 + 110 * (n // 5)), 96, 7 * n, n % 2) for n in range(15)]
    photo, found = scenes.scene(400, 600, places)
    one, many = (restore_photo(photo, inverting(found, batch_size=size)) for size in (1, 8))
    assert len(one.faces) == 15
    assert one.restored is not None
    assert many.restored is not None
    assert (one.restored == many.restored).all()


def test_a_grey_photo_is_said_to_be_grey() -> None:
    photo, found = scenes.scene(300, 300, [Place((150, 150), 200)])
    grey = np.repeat(photo.mean(2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert restore_photo(grey, inverting(found)).grey
    assert not restore_photo(photo, inverting(found)).grey


def test_the_photo_is_not_changed_by_a_detector_that_draws_on_it() -> None:
    photo, found = scenes.scene(300, 300, [Place((150, 150), 200)])

    class Draws(scenes.Known):
        def __call__(self, rgb):
            rgb[:] = 0
            return self.found

    before = photo.copy()
    result = restore_photo(photo, Pipeline(scenes.Painter(laws.inverted), Draws(found)))
    assert (photo == before).all()
    assert result.restored is not None
    assert (result.restored[:3] == before[:3]).all()


def test_a_detector_that_fails_is_named() -> None:
    class Broken(scenes.Known):
        def __call__(self, rgb):
            raise ValueError("two\nlines")

    with pytest.raises(GfpbenchError, match=r"^street: the detector known failed: ValueError: two lines$"):
        restore_photo(scenes.ground(60, 60), Pipeline(scenes.Painter(laws.inverted), Broken([])), "street")


@pytest.mark.parametrize("upscale", [0, 5])
def test_upscale_has_limits(upscale: int) -> None:
    with pytest.raises(BadInput, match="1 to 4 times"):
        inverting([], upscale=upscale)


def test_what_would_not_fit_is_refused_before_anything_is_done() -> None:
    huge = np.broadcast_to(np.zeros(3, np.uint8), (6000, 6000, 3))
    with pytest.raises(BadInput, match="12000 x 12000 px restored is above the limit"):
        restore_photo(huge, inverting([], upscale=2), "huge")
    long = np.broadcast_to(np.zeros(3, np.uint8), (40, 33_000, 3))
    with pytest.raises(BadInput, match="32000 px for a side"):
        restore_photo(long, inverting([]), "long")


@pytest.mark.parametrize("bad", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))])
def test_other_arrays_are_refused(bad) -> None:
    with pytest.raises(BadInput, match=r"a photo is \(H, W, 3\) uint8"):
        restore_photo(bad, inverting([]))


def test_records_are_json_of_a_few_digits() -> None:
    import json

    photo, found = scenes.scene(300, 400, [Place((150, 150), 200), Place((330, 60), 14)])
    pipeline = inverting([replace(found[0], landmarks=found[0].landmarks + 1e-7), found[1]])
    record = restore_photo(photo, pipeline).to_json()
    json.dumps({**record, **pipeline.record()}, allow_nan=False)
    assert record["faces_found"] == 2
    assert record["faces_restored"] == 1


DEGENERATE = {
    "black": torch.zeros_like,
    "white": torch.ones_like,
    "grey": lambda pixels: torch.full_like(pixels, 0.5),
    "one colour": lambda pixels: pixels.new_tensor([0.8, 0.2, 0.1]).view(1, 3, 1, 1).expand_as(pixels).clone(),
    "black with a speck": lambda pixels: torch.zeros_like(pixels).index_fill_(3, torch.tensor([256]), 0.5),
    "NaN": lambda pixels: torch.full_like(pixels, float("nan")),
}


@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize("faces", [1, 2])
def test_an_image_without_a_face_in_it_is_no_restored_face(kind: str, faces: int) -> None:
    """Alone it has no duplicate by which it could be told, and the photo must not say that a face was restored."""
    photo, found = scenes.scene(300, 500, [Place((130, 150), 200), Place((370, 150), 200, portrait=1)][:faces])

    class Degenerate:
        name = "degenerate"

        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            made = object.__new__(ImageBatch)  # NaN would be refused by its constructor
            object.__setattr__(made, "pixels", DEGENERATE[kind](degraded.pixels))
            object.__setattr__(made, "ids", degraded.ids)
            return made

        def provenance(self):
            return {}

    result = restore_photo(photo, Pipeline(Degenerate(), scenes.Known(found)))
    assert [face.state for face in result.faces] == ["failed"] * faces
    assert result.restored is None
    assert not result.ok
    assert result.line().startswith(f"0 faces restored ({faces} found); face 0 at ")


def test_one_black_face_among_sound_ones_is_left_as_it_was() -> None:
    photo, found = scenes.scene(300, 500, [Place((130, 150), 200), Place((370, 150), 200, portrait=1)])

    class Half:
        name = "half"

        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            made = 1 - degraded.pixels
            made[1:] = 0
            return ImageBatch(made, degraded.ids)

        def provenance(self):
            return {}

    result = restore_photo(photo, Pipeline(Half(), scenes.Known(found)))
    assert [face.state for face in result.faces] == ["restored", "failed"]
    assert result.restored is not None
    assert (result.restored[:, 300:] == photo[:, 300:]).all()
    assert result.line().startswith("1 face restored (2 found); face 1 at ")
