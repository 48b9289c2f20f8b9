"""Criteria of a collapse: their margins by hand, and which metrics have which."""

from __future__ import annotations

import numpy as np
import pytest

from gfpbench import metrics
from gfpbench.collapse.definition import CRITERIA, Evidence, criteria_for


def test_margins_by_hand() -> None:
    known = Evidence(
        own=np.array([0.8, 0.5]),
        given=np.array([0.6, 0.5]),
        other=np.array([0.2, 0.4]),
        reference=np.array([0.8, 0.8]),
    )
    np.testing.assert_allclose(CRITERIA["input"].margin(known), [0.2, 0.0])
    np.testing.assert_allclose(CRITERIA["face"].margin(known), [0.6 - 0.2, 0.1 - 0.2])


@pytest.mark.parametrize("stranger", [20.0, 34.0, 60.0])
def test_identity_is_judged_by_the_sets_own_strangers(stranger: float) -> None:
    """The same answers on faces twice as alike are judged the same: no angle is fixed."""
    assert CRITERIA["identity"].needs_other

    def margin(own: float, other: float) -> float:
        angles = [np.array([-share * stranger]) for share in (own, own, other)]
        known = Evidence(angles[0], angles[1], angles[2], reference=np.array([stranger]))
        return float(CRITERIA["identity"].margin(known)[0]) / stranger

    assert margin(0.0, 1.0) == pytest.approx(0.75)  # the truth itself
    assert margin(1.0, 2**0.5) == pytest.approx(0.164, abs=1e-3)  # as far as the other, at right angles to it
    assert margin(2.0, 5**0.5) < 0  # farther
    assert margin(2**-0.5, 2**-0.5) == pytest.approx(-0.25)  # the mean face: of all faces alike
    assert margin(1.0, 0.0) == pytest.approx(-1.25)  # the other person


def test_equal_infinities_are_no_gain() -> None:
    known = Evidence(own=np.array([np.inf, 30.0]), given=np.array([np.inf, np.inf]))
    assert CRITERIA["input"].margin(known).tolist() == [0.0, -np.inf]


def test_criteria_of_metrics() -> None:
    assert [c.name for c in criteria_for(metrics.load(["ssim_rgb"])[0], None)[0]] == ["input", "face"]
    chosen, note = criteria_for(metrics.load(["niqe"])[0], None)
    assert [c.name for c in chosen] == ["input"]
    assert "looks at no truth" in note
    assert criteria_for(metrics.load(["deg_dlib"])[0], ["identity"])[0][0].name == "identity"
