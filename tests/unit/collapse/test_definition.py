"""Criteria of a collapse: their margins by hand, and which metrics have which."""

from __future__ import annotations

import numpy as np

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
    angles = Evidence(own=-np.array([20.0, 35.0]), given=-np.array([25.0, 40.0]))
    np.testing.assert_allclose(CRITERIA["identity"].margin(angles), [10.0, -5.0])


def test_equal_infinities_are_no_gain() -> None:
    known = Evidence(own=np.array([np.inf, 30.0]), given=np.array([np.inf, np.inf]))
    assert CRITERIA["input"].margin(known).tolist() == [0.0, -np.inf]


def test_criteria_of_metrics() -> None:
    assert [c.name for c in criteria_for(metrics.load(["ssim_rgb"])[0], None)[0]] == ["input", "face"]
    chosen, note = criteria_for(metrics.load(["niqe"])[0], None)
    assert [c.name for c in chosen] == ["input"]
    assert "looks at no truth" in note
    assert criteria_for(metrics.load(["deg_dlib"])[0], ["identity"])[0][0].name == "identity"
