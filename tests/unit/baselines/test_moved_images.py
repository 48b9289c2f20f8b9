"""Each feature of an image counts on its own, and what a comparison keeps of the worst images."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from gfpbench.baselines import compare
from gfpbench.baselines.image_statistics import FEATURES, ImageStatistics, image_statistics
from gfpbench.baselines.moved_images import beyond
from tests.unit.baselines import sample
from tests.unit.baselines.sample import baseline, result, with_scores


@pytest.mark.parametrize("feature", FEATURES)
def test_a_move_in_any_one_feature_is_seen(feature: str) -> None:
    before = image_statistics(sample.result().rows, "restored")
    assert before is not None
    values = dict(before.values)
    values[feature] = values[feature].copy()
    values[feature][3] += 2 * FEATURES[feature]
    moved, most = beyond(before, ImageStatistics(before.sha256, values), {})
    assert np.flatnonzero(moved).tolist() == [3]
    assert most == feature
    moved, _ = beyond(
        before, ImageStatistics(before.sha256, values), {feature: 1.1 * FEATURES[feature]}
    )  # twice that is allowed
    assert not moved.any()


def test_the_worst_images_keep_both_scores() -> None:
    moves = [0.0] * 16
    moves[5], moves[9] = -3.0, -1.0
    comparison = compare(with_scores(result(), "psnr_rgb", moves), baseline())
    worst = comparison.metrics[0].worst
    assert [change.image for change in worst] == ["face 05", "face 09"]
    for change, move in zip(worst, (-3.0, -1.0), strict=True):
        assert change.expected is not None
        assert change.got == pytest.approx(change.expected + move)


def test_one_case_is_judged_alone_unless_told() -> None:
    assert inspect.signature(compare).parameters["cases"].default == 1
