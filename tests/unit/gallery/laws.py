"""What every case of the gallery keeps: its promise, and its defect where it belongs."""

from __future__ import annotations

import numpy as np

from gfpbench.gallery import Shown


def keeps_its_promise(one: Shown) -> None:
    """The metric that is named as seeing it moves beyond its noise, and to the worse; the other one stays within."""
    case = one.case
    sees, blind = one.scores[case.sees], one.scores[case.blind]
    for score in (sees, blind):
        assert score.change is not None
        assert score.noise is not None
        assert score.noise > 0, f"{case.name}: {score.metric} has no noise, so nothing is within it"
    assert abs(sees.change or 0) > (sees.noise or 0), f"{case.name}: {sees.metric} does not see it"
    assert abs(blind.change or 0) <= (blind.noise or 0), f"{case.name}: {blind.metric} sees it"
    got_worse = (sees.change or 0) < 0 if sees.better == "higher" else (sees.change or 0) > 0
    assert got_worse == (case.name != "perfect"), f"{case.name}: {sees.metric} moves the wrong way"


def stays_in_its_place(one: Shown, outside: np.ndarray) -> None:
    """A defect changes nothing at pixels where there is none of it, and something elsewhere."""
    changed = (one.untouched != one.defect).any(axis=-1)
    assert changed.any(), f"{one.case.name}: nothing is changed"
    assert not changed[outside].any(), f"{one.case.name}: changes other parts of the image"
