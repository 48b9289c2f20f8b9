"""An image axis at a severity is a degradation by name; a scene axis is not, since its truth changes too."""

from __future__ import annotations

import pytest

from gfpbench import degrade
from gfpbench.degrade.axes import AXES, load_axis
from gfpbench.types import BadInput


@pytest.mark.parametrize("name", [name for name in AXES if load_axis(name).acts_on == "image"])
def test_an_image_axis_is_a_degradation_by_name(name: str) -> None:
    expected = load_axis(name).at(0.25)
    assert degrade.load(f"{name}@0.25").draw("face", 1, (128, 128)) == expected.draw("face", 1, (128, 128))


@pytest.mark.parametrize("name", [name for name in AXES if load_axis(name).acts_on == "scene"])
def test_a_scene_axis_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="changes the scene"):
        degrade.load(f"{name}@0.25")


@pytest.mark.parametrize("name", ["noise@2", "noise@", "nois@0.5", "noise@x"])
def test_a_wrong_severity_or_axis_is_told(name: str) -> None:
    with pytest.raises(BadInput):
        degrade.load(name)
