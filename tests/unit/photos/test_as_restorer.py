"""Whole photos as a restorer: through the engine, with failures named photo by photo."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gfpbench import images, run
from gfpbench.decode import read_rgb
from gfpbench.photos import Pipeline, WholePhoto, is_whole_photo, load_whole_photo, of_photos
from gfpbench.restorers import checked
from gfpbench.restorers.plain import Identity
from gfpbench.types import BadInput, Case, RestorationFailed, Restorer
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place


def by_colour(scene_of):
    """A detector that knows each photo by the colour of its first pixel."""

    class ByColour(scenes.Known):
        calls = 0

        def __call__(self, rgb):
            ByColour.calls += 1
            return scene_of.get(tuple(rgb[0, 0]), [])

    return ByColour([])


@pytest.fixture
def photos():
    made = [scenes.scene(220, 300, [Place((130 + 20 * n, 110), 160, 10 * n, n % 2)], seed=n) for n in range(3)]
    return [photo for photo, _ in made], by_colour({tuple(photo[0, 0]): found for photo, found in made})


def test_photos_of_a_batch_are_restored_as_each_alone(photos) -> None:
    shown, detector = photos
    whole = WholePhoto(Pipeline(scenes.Painter(laws.inverted), detector))
    assert isinstance(whole, Restorer)
    batch = images.batch_from_uint8(shown, ("a", "b", "c"))
    together = whole(batch)
    assert together.ids == batch.ids
    assert set(whole.results) == {"a", "b", "c"}
    for index in range(3):
        alone = whole(images.select(batch, [index]))
        assert torch.equal(alone.pixels[0], together.pixels[index])


def test_a_photo_without_a_face_fails_and_its_neighbours_do_not(photos) -> None:
    shown, detector = photos
    whole = WholePhoto(Pipeline(scenes.Painter(laws.inverted), detector))
    batch = images.batch_from_uint8([shown[0], scenes.ground(220, 300, seed=9), shown[1]], ("a", "empty", "b"))
    restored, failures = checked(whole, batch)
    assert restored is not None
    assert restored.ids == ("a", "b")
    assert list(failures) == ["empty"]
    assert "no face was found by known" in failures["empty"]


def test_a_photo_is_failed_where_one_of_its_faces_is(photos) -> None:
    shown, detector = photos
    broken = scenes.Painter(lambda pixels: pixels)  # it returns its input
    whole = WholePhoto(Pipeline(broken, detector))
    with pytest.raises(RestorationFailed, match="was not restored: painter: returned its input unchanged"):
        whole(images.batch_from_uint8(shown[:1], ("a",)))


def test_the_identity_says_so_through_the_wrapper(photos) -> None:
    shown, detector = photos
    whole = WholePhoto(Pipeline(Identity(), detector))
    assert whole.provenance()["identity"] is True
    assert "identity" not in WholePhoto(Pipeline(scenes.Painter(laws.inverted), detector)).provenance()
    restored, failures = checked(whole, images.batch_from_uint8(shown, ("a", "b", "c")))
    assert not failures
    assert restored is not None


def test_provenance_names_detector_mask_and_restorer() -> None:
    record = WholePhoto(Pipeline(scenes.Painter(laws.inverted), scenes.Known([])), "photo:painter").provenance()
    assert (record["restorer"], record["detector"], record["mask"]) == ("photo:painter", "known", "square")
    assert record["faces_restored_by"] == {"name": "painter", "restorer": "painter"}


def test_names() -> None:
    assert of_photos("gfpgan-1.4") == "photo:gfpgan-1.4" == of_photos("photo:gfpgan-1.4")
    assert is_whole_photo("photo@dlib:codeformer?w=0.7")
    assert not any(is_whole_photo(name) for name in ("nano", "outputs:photo:x", "photograph:x"))
    with pytest.raises(BadInput, match="not of the form photo:RESTORER"):
        load_whole_photo("photo:")
    with pytest.raises(BadInput, match="no restorer named 'nanno'"):
        load_whole_photo("photo@opencv:nanno")
    with pytest.raises(BadInput, match="did you mean 'dlib'"):
        load_whole_photo("photo@dlip:bicubic")
    with pytest.raises(BadInput, match="upscale has to be 1"):
        WholePhoto(Pipeline(scenes.Painter(laws.inverted), scenes.Known([]), upscale=2))


def test_through_the_engine_with_a_real_detector(tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="needs dlib: pip install 'gfpbench[identity]'")
    folder = tmp_path / "photos"
    folder.mkdir()
    images.write_png(folder / "pair.png", scenes.scene(240, 420, [Place((120, 120), 190), Place((310, 120), 170)])[0])
    images.write_png(folder / "street.png", scenes.ground(240, 420))
    case = Case(str(folder), "none", "photo@dlib:nano")
    result = run.measure(case, store=tmp_path / "store", metrics=["psnr_rgb"])
    pair, street = result.rows
    assert pair.failure is None
    assert 15 < (pair.scores["psnr_rgb"] or 0) < 60
    assert street.failure == "no face was found by dlib"
    assert street.scores["psnr_rgb"] is None
    assert result.restorer["detector"] == "dlib"
    assert result.restorer["faces_restored_by"]["restorer"] == "nano"
    kept = read_rgb(run.image_path(tmp_path / "store" / case.id, "pair", "restored"))
    changed = (kept != read_rgb(folder / "pair.png")).any(2)
    assert changed[80:160, 90:150].mean() > 0.5
    assert not changed[:, 414:].any()
