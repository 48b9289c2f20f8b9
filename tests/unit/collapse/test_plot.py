"""The chart of a collapse search holds what the record says: every step, the point, its interval, and nothing more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from gfpbench.collapse import Collapse, Step
from tests.unit.collapse.sample import FOUND

STEPS = tuple(
    Step(severity, 120 * severity, restored, given, {}, 0, "")
    for severity, restored, given in [(0.0, 0.6, 0.5), (0.5, 0.5, 0.45), (0.75, None, 0.4), (1.0, 0.3, 0.35)]
)
SEARCHED = replace(FOUND, steps=STEPS)


def drawn(found: Collapse, plot: Callable[..., object] = Collapse.plot) -> dict[str, Any]:
    """What the chart shows, by the words of its legend: (x, y) of curves, x of the point, ends of shaded ranges."""
    axes = Figure().subplots()
    assert plot(found, axes) is axes
    lines = {str(line.get_label()): np.asarray(line.get_xydata()).T.tolist() for line in axes.lines}
    spans = {
        str(patch.get_label()): patch.get_window_extent().transformed(axes.transData.inverted())
        for patch in axes.patches
    }
    return {**lines, **{name: (box.x0, box.x1) for name, box in spans.items()}}


def shows_what_was_found(plot: Callable[..., object] = Collapse.plot) -> None:
    """The point stands at its severity, its interval spans its ends, and a step without a mean is a gap."""
    shown = drawn(SEARCHED, plot)
    assert set(shown) == {
        "trained on in GFP-GAN's paper",
        "input",
        "nano",
        "95 % interval",
        "collapses at 78 grey levels",
    }
    assert shown["collapses at 78 grey levels"][0] == [0.65, 0.65]
    assert shown["95 % interval"] == pytest.approx((0.5, 0.75))
    assert shown["trained on in GFP-GAN's paper"] == pytest.approx((0.0, 0.125))
    (severities, means), (_, given) = shown["nano"], shown["input"]
    assert severities == [0.0, 0.5, 0.75, 1.0]
    assert given == [0.5, 0.45, 0.4, 0.35]
    assert math.isnan(means[2])
    assert means[:2] + means[3:] == [0.6, 0.5, 0.3]
    beyond = drawn(replace(SEARCHED, interval=(0.5, None), value_interval=(60.0, None)), plot)
    assert beyond["95 % interval"] == pytest.approx((0.5, 1.0))


def test_the_chart_shows_what_was_found() -> None:
    shows_what_was_found()


@pytest.mark.parametrize("kind", ["never", "at once"])
def test_without_a_point_none_is_drawn(kind: str) -> None:
    shown = drawn(replace(SEARCHED, kind=kind, severity=None, value=None, trained=None))
    assert set(shown) == {"input", "nano"}


def test_the_axis_is_in_the_unit_of_the_degradation() -> None:
    axes = Figure().subplots()
    SEARCHED.plot(axes)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "30", "60", "90", "120"]
    assert axes.get_xlabel() == "noise+middle, grey levels"
    assert axes.get_ylabel() == "ssim_rgb, higher is better"
    assert "collapses at 78 grey levels (95 % interval 60 to 90" in axes.get_title(loc="left")


def test_a_figure_is_made_where_none_is_given() -> None:
    before = pyplot.get_fignums()
    axes = SEARCHED.plot()
    try:
        assert pyplot.gcf() is axes.figure
        axes.figure.canvas.draw()
    finally:
        pyplot.close(axes.figure)  # type: ignore[arg-type]
    assert pyplot.get_fignums() == before
