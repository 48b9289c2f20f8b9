"""Which faces of a photo are restored: against facexlib's choice, and what becomes of the others."""

from __future__ import annotations

import numpy as np
import pytest

from gfpbench.photos import Found, Pipeline, restore_photo
from gfpbench.photos.face_selection import chosen
from gfpbench.types import BadInput
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place


def test_like_facexlib() -> None:
    helper = pytest.importorskip(
        "facexlib.utils.face_restoration_helper", reason="the oracle is facexlib: pip install 'gfpbench[upstream]'"
    )
    rng = np.random.default_rng(0)
    for _ in range(300):
        height, width = (int(side) for side in rng.integers(50, 500, 2))
        corners = rng.uniform(-100, 600, (int(rng.integers(1, 7)), 2, 2))
        corners.sort(axis=1)
        boxes = corners.reshape(-1, 4)
        found = {
            n: Found((x, y, right, low), np.zeros((5, 2)), 0.9) for n, (x, y, right, low) in enumerate(boxes.tolist())
        }
        assert chosen("largest", found, (height, width)) == {helper.get_largest_face(boxes, height, width)[1]}
        assert chosen("centre", found, (height, width)) == {helper.get_center_face(boxes, height, width)[1]}


SMALL, LARGE, MIDDLE = Place((80, 80), 100), Place((560, 150), 220), Place((330, 250), 120)
UNALIGNABLE = Place((330, 60), 14)


@pytest.mark.parametrize(("face", "number"), [("largest", 1), ("centre", 2), ("0", 0), ("2", 2)])
def test_only_the_chosen_face_changes(face: str, number: int) -> None:
    photo, found = scenes.scene(500, 700, [SMALL, LARGE, MIDDLE, UNALIGNABLE])
    painter = scenes.Painter(laws.inverted)
    result = restore_photo(photo, Pipeline(painter, scenes.Known(found), face=face))
    assert [one.state == "restored" for one in result.faces] == [n == number for n in range(4)]
    assert sum(len(batch.ids) for batch in painter.seen) == 1, "a face that nobody asked for went to the restorer"
    assert result.restored is not None
    untouched = ~laws.touched(photo, [found[number]])
    assert (result.restored[untouched] == photo[untouched]).all()
    assert result.ok
    assert result.line() == "1 face restored (4 found, 2 not chosen)"


def test_a_face_that_cannot_be_aligned_is_never_the_largest() -> None:
    photo, found = scenes.scene(500, 700, [SMALL, UNALIGNABLE])
    huge = Found((0.0, 0.0, 700.0, 500.0), found[1].landmarks, 0.9)
    result = restore_photo(
        photo, Pipeline(scenes.Painter(laws.inverted), scenes.Known([found[0], huge]), face="largest")
    )
    assert [face.state for face in result.faces] == ["restored", "left out"]


def test_a_number_that_no_face_has_is_said() -> None:
    photo, found = scenes.scene(500, 700, [SMALL, UNALIGNABLE])
    painter = scenes.Painter(laws.inverted)
    result = restore_photo(photo, Pipeline(painter, scenes.Known(found), face="2"))
    assert (result.restored, result.ok, painter.seen) == (None, False, [])
    assert result.problems == ("there is no face 2: 2 found, counted from 0",)
    left_out = restore_photo(photo, Pipeline(painter, scenes.Known(found), face="1"))
    assert not left_out.ok
    assert left_out.problems[0].startswith("face 1 at ")
    assert "px apart, 5 are needed" in left_out.problems[0]


@pytest.mark.parametrize("face", ["", "-1", "first", "1.5", "²", "٣", "1" * 5000])
def test_other_words_are_refused(face: str) -> None:
    with pytest.raises(BadInput, match="which face: all, largest, centre or a number"):
        Pipeline(scenes.Painter(laws.inverted), scenes.Known([]), face=face)


def test_the_record_names_the_choice_only_where_one_was_made() -> None:
    pipelines = [Pipeline(scenes.Painter(laws.inverted), scenes.Known([]), face=face) for face in ("all", "0")]
    assert [pipeline.record().get("face") for pipeline in pipelines] == [None, "0"]
