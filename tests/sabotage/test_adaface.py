"""An AdaFace that reads colours, points or layers wrongly must not pass for the challenge's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import images
from gfpbench.metrics import adaface, cos_adaface
from tests.unit.metrics import network_oracles as oracles
from tests.unit.metrics import test_adaface


def by_the_usual_fit(points: Any) -> Any:
    """From the points to the reference (Umeyama), as most libraries fit."""
    from skimage.transform import SimilarityTransform

    return SimilarityTransform.from_estimate(np.array(points), np.array(cos_adaface.REFERENCE)).params[:2]


BROKEN = {
    "RGB": (images, "to_form", lambda pixels, form: pixels.contiguous()),
    "the other fit": (cos_adaface, "similarity", by_the_usual_fit),
    "96 px": (cos_adaface, "REFERENCE", tuple((x - 8, y) for x, y in cos_adaface.REFERENCE)),
    "eyes exchanged": (
        cos_adaface,
        "REFERENCE",
        (cos_adaface.REFERENCE[1], cos_adaface.REFERENCE[0], *cos_adaface.REFERENCE[2:]),
    ),
}


@pytest.mark.parametrize("bug", [None, *BROKEN])
def test_another_reading_is_seen(bug: str | None, seeded_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights: Path = oracles.adaface_weights(seeded_folder)
    adaface.adaface.cache_clear()
    if bug is None:
        test_adaface.test_points_of_a_list_align_as_the_script_does(weights, monkeypatch)
        return
    monkeypatch.setattr(*BROKEN[bug])
    with pytest.raises(AssertionError):
        test_adaface.test_points_of_a_list_align_as_the_script_does(weights, monkeypatch)
