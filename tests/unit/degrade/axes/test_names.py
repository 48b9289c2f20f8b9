"""The table of axes: names, near misses, names of severities, strips."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from gfpbench.degrade.axes import AXES, describe, load_at, load_axis, strip
from gfpbench.degrade.axes.occluders import OCCLUDERS
from gfpbench.faces import load as load_faces
from gfpbench.images import from_uint8, pixels_sha256
from gfpbench.types import BadInput, Face
from tests.degradation.image_cases import face
from tests.degradation.laws_axes import PROMISED
from tests.degradation.laws_axes_physics import PHYSICS


def test_every_axis_is_named_as_in_the_table_and_tested() -> None:
    assert [load_axis(name).name for name in AXES] == list(AXES)
    assert set(AXES) == set(PROMISED) == set(PHYSICS)
    assert {f"occlusion-{shape}" for shape in OCCLUDERS} <= set(AXES)


def test_every_axis_of_the_package_is_in_the_table() -> None:
    package = importlib.import_module("gfpbench.degrade.axes")
    here = {row.partition(":")[0].rpartition(".")[2] for row in AXES.values()}
    for path in Path(str(package.__file__)).parent.glob("*.py"):
        if "= Axis(" in path.read_text(encoding="utf-8"):
            assert path.stem in here, f"{path.stem} defines an axis that the table does not hold"


@pytest.mark.parametrize("name", sorted(AXES))
def test_descriptions_are_json_and_lines(name: str) -> None:
    axis = load_axis(name)
    for record in (axis.describe(), axis.at(0.3).describe()):
        assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert "\n" not in describe(name)
    assert axis.unit in describe(name)
    assert axis.source


def test_unknown_names_show_near_ones() -> None:
    with pytest.raises(BadInput, match="did you mean 'noise'"):
        load_axis("noize")
    with pytest.raises(BadInput, match="did you mean 'middle'"):
        load_axis("noise+midle")
    with pytest.raises(BadInput, match=r"write it as noise@0\.5"):
        load_at("noise")
    for severity in ("1.5", "-0.1", "nan", "hard", ""):
        with pytest.raises(BadInput, match="between 0"):
            load_at(f"noise@{severity}")


def test_a_severity_is_loaded_by_its_name() -> None:
    for name in ("noise@0.25", "blur+middle@0.1", "roll@0.0", "roll+none@1.0", "occlusion-eyes@0.3333333333333333"):
        assert load_at(name).name == name
    assert load_at("noise@.5").describe()["value"] == 60
    assert load_axis("roll+middle").name == "roll"  # its own base goes without saying


def test_a_strip_shows_the_severities_in_order() -> None:
    rgb = face(64, 64)
    one = Face("x", from_uint8(rgb), {}, pixels_sha256(rgb))
    images = strip(load_axis("underexposure"), one, (0, 0.5, 1))
    assert len(images) == 3
    assert (images[0] == rgb).all()
    assert images[0].mean() > images[1].mean() > images[2].mean()
    roll = load_axis("roll")
    truth, degraded = (strip(roll, one, (1.0,), show=show)[0] for show in ("truth", "degraded"))
    assert any((truth == np.rot90(rgb, turn)).all() for turn in (1, 3))
    assert (truth != degraded).any()


def test_a_strip_of_an_embedded_face() -> None:
    faces = load_faces("embedded", size_px=64, draws=1)
    images = strip(load_axis("occlusion-hand"), faces.load("astronaut"), show="truth")
    assert [image.shape for image in images] == [(64, 64, 3)] * 5
    assert len({image.tobytes() for image in images}) == 5
