"""Differences between groups of people: by hand, at their level, and seen where they are."""

from __future__ import annotations

import numpy as np
import pytest

from gfpbench.collapse import group_difference
from gfpbench.types import BadInput, Case, Result, Row


def grouped(scores: dict[str, list[list[float]]]) -> Result:
    """A Result with faces of groups: group -> faces -> scores of their copies."""
    rows = [
        Row(f"{group}{face}~{copy}", f"{group}{face}", (64, 64), {"group": group}, {}, {"psnr_rgb": score})
        for group, people in scores.items()
        for face, copies in enumerate(people)
        for copy, score in enumerate(copies)
    ]
    return Result(Case("x", "paper", "toy"), tuple(rows), {"psnr_rgb": {}}, {}, {}, {}, {})


def test_groups_by_hand() -> None:
    result = grouped({"a": [[1, 3], [4]], "b": [[10], [12]], "alone": [[5]]})
    (found,) = group_difference(result, "psnr_rgb", "group")
    assert found.groups == ("a", "b")
    assert found.means == (3.0, 11.0)
    assert found.counts == (2, 2)
    assert found.difference == -8.0
    assert found.low <= -8.0 <= found.high
    assert found.sure
    assert group_difference(result, "psnr_rgb", "age") == ()
    with pytest.raises(BadInput, match="ssim_rgb"):
        group_difference(result, "ssim_rgb", "group")


def test_groups_hold_their_level() -> None:
    """Two groups from one distribution: told apart about one time in twenty, not more."""
    rng = np.random.default_rng(0)
    sure = 0
    for _ in range(200):
        people = {name: [[float(score)] for score in rng.normal(0, 1, 12)] for name in "ab"}
        sure += group_difference(grouped(people), "psnr_rgb", "group")[0].sure
    assert sure <= 18


def test_a_difference_between_groups_is_seen() -> None:
    rng = np.random.default_rng(1)
    people = {name: [[float(score)] for score in rng.normal(shift, 1, 12)] for name, shift in (("a", 0.0), ("b", 3.0))}
    (found,) = group_difference(grouped(people), "psnr_rgb", "group")
    assert found.sure
    assert found.low <= -3.0 <= found.high
