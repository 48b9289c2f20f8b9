"""A baseline that was degraded along another path: what that moves is told apart from everything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import run
from gfpbench.baselines import Comparison, compare, measured_along
from gfpbench.baselines.paths import ENOUGH, moved_by_the_path
from gfpbench.degrade import fast
from gfpbench.report import comparison_lines
from gfpbench.types import Case, Result, Row
from tests.unit.baselines.sample import baseline, each, fingerprint, image, result, with_scores

FAST, EXACT = {"name": "noise", "path": "fast"}, {"name": "noise", "path": "exact"}
CASE = Case("embedded", "paper", "bicubic", draws=1)


def moved(of: Result, places: Collection[int], levels: int = 1) -> Result:
    """A block of these degraded images moved, as by JPEG, and their restored images with them."""

    def change(i: int, row: Row) -> Row:
        if i not in places:
            return row
        degraded, restored = image(2000 + i).astype(int), image(1000 + i).astype(int)
        degraded[:4, :4] += levels
        restored[:4, :4] += levels
        print_ = fingerprint(restored.clip(0, 255).astype(np.uint8), degraded.clip(0, 255).astype(np.uint8))
        score = row.scores["psnr_rgb"]
        assert score is not None
        return dataclasses.replace(row, fingerprint=print_, scores={**row.scores, "psnr_rgb": score - 0.02})

    return each(of, change)


def now(count: int = 16, degradation: Any = FAST) -> Result:
    return result(count, degradation=degradation)


def stored(count: int = 16, degradation: Any = EXACT) -> Result:
    return baseline(count, degradation=degradation)


def reasons(comparison: Comparison) -> str:
    return "; ".join(f"{verdict.kind} {verdict.metric}: {verdict.reason}" for verdict in comparison.failures)


def told(comparison: Comparison) -> str:
    return " ".join(comparison_lines(comparison))


@pytest.mark.parametrize("before", [EXACT, {"name": "noise"}], ids=["recorded", "older"])
def test_the_same_images_along_another_path_are_the_same(before: Any) -> None:
    """A Result that does not say its path was made along the exact one."""
    comparison = compare(now(), stored(degradation=before))
    assert (comparison.kind, comparison.images) == ("same", 16)
    assert comparison.notes == ("degraded along the path fast, the baseline along exact: into the same images",)
    assert "path" not in told(comparison)
    assert compare(now(degradation=EXACT), stored(degradation=before)).notes == ()


def test_images_that_the_path_moved_are_left_out_and_the_line_says_so() -> None:
    comparison = compare(moved(now(), {3, 7}), stored())
    assert (comparison.kind, comparison.passed, comparison.images) == ("same", True, 14)
    assert "path of the degradation: fast, baseline exact; it moves 2 of 16 degraded images, left out" in told(
        comparison
    )
    assert "--baseline-update" in told(comparison)


def test_the_same_moves_along_one_path_are_a_change() -> None:
    found = reasons(compare(moved(now(degradation=EXACT), {3, 7}), stored()))
    assert "changed degradation: the degradation changed: from the same draw, image face 03" in found
    older = compare(moved(now(degradation={"name": "noise"}), {3, 7}), stored(degradation={"name": "noise"}))
    assert "the degradation changed" in reasons(older)


def test_no_path_moves_an_image_so_far() -> None:
    found = reasons(compare(moved(now(), {3}, levels=40), stored()))
    assert "changed degradation: the degradation changed: from the same draw, image face 03" in found


def test_no_path_moves_most_images() -> None:
    assert compare(moved(now(), range(8)), stored()).passed
    assert "the degradation changed" in reasons(compare(moved(now(), range(9)), stored()))
    few = ENOUGH - 1
    assert compare(moved(now(few), range(few - 1)), stored(few)).passed


def test_where_nothing_is_left_the_verdict_says_what_to_do() -> None:
    found = reasons(compare(moved(now(2), {0, 1}), stored(2)))
    assert found.startswith("changed degradation: path of the degradation: fast, baseline exact; it moves all 2")
    assert "--degradation NAME?path=exact" in found


def test_what_is_worse_on_the_others_still_fails() -> None:
    worse = with_scores(now(), "psnr_rgb", [-0.05] * 16)
    assert "worse psnr_rgb" in reasons(compare(moved(worse, {3}), stored()))


def test_a_restoration_that_fails_on_a_moved_image_fails() -> None:
    broken = each(
        moved(now(), {3}), lambda i, row: dataclasses.replace(row, failure="out of memory") if i == 3 else row
    )
    assert "worse restoration: face 03 fails now: out of memory" in reasons(compare(broken, stored()))


def test_measured_along_the_baselines_path_all_images_are_compared() -> None:
    along = dataclasses.replace(now(), rows=now().rows[3:4])
    comparison = compare(moved(now(), {3}), stored(), along=along)
    assert (comparison.kind, comparison.images) == ("same", 16)
    assert "1 of 16 degraded images, compared as measured along the baseline's path" in told(comparison)


def test_what_is_other_along_the_baselines_path_too_is_a_change_of_the_degradation() -> None:
    other = moved(now(), {3})
    found = compare(other, stored(), along=dataclasses.replace(other, rows=other.rows[3:4]))
    assert "the degradation changed: from the same draw, image face 03" in reasons(found)


def test_a_set_score_may_move_with_the_path_and_not_without() -> None:
    fid = {"value": 20.0, "low": 18.0, "high": 22.0, "better": "lower", "tolerance": 0.001, "unit": "", "n": 16}
    fid |= {"n_reference": 16}
    before = dataclasses.replace(stored(), set_scores={"fid": fid})
    for degradation, passes in ((FAST, True), (EXACT, False)):
        after = dataclasses.replace(now(degradation=degradation), set_scores={"fid": {**fid, "value": 20.02}})
        assert compare(after, before).passed == passes
    far = dataclasses.replace(now(), set_scores={"fid": {**fid, "value": 30.0, "low": 28.0, "high": 32.0}})
    assert "worse fid" in reasons(compare(far, before))


def test_between_machines_too() -> None:
    comparison = compare(
        dataclasses.replace(moved(now(), {3}), environment={**now().environment, "torch": "2.4.0"}), stored()
    )
    assert comparison.passed
    assert "it moves 1 of 16 degraded images, left out" in " ".join(comparison.notes)


def test_moved_images_are_measured_again_along_the_baselines_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast path is moved by hand, by as much as half of the values' rounding; then the restorer changes as well."""
    before = run.measure(
        dataclasses.replace(CASE, degradation="paper?path=exact"), store=tmp_path, metrics=["psnr_rgb"]
    )
    shrunk = fast.blurred_and_downsampled
    monkeypatch.setattr(fast, "blurred_and_downsampled", lambda *given: shrunk(*given) + np.float32(0.5 / 255))
    after = run.measure(CASE, store=tmp_path, metrics=["psnr_rgb"])
    assert "the degradation changed" in reasons(compare(after, before))
    along = measured_along(after, before)
    assert along is not None
    assert {row.id for row in along.rows} == set(before.image_ids)
    comparison = compare(after, before, along=along)
    assert (comparison.kind, comparison.images) == ("same", len(before.rows)), reasons(comparison)
    assert measured_along(before, before, load=lambda: pytest.fail("no restorer is loaded for that")) is None


def test_which_images_the_path_moved() -> None:
    assert moved_by_the_path(moved(now(), {3, 7}), stored()) == ("face 03", "face 07")
    assert moved_by_the_path(now(), stored()) == ()
    assert moved_by_the_path(moved(now(degradation=EXACT), {3}), stored()) == ()
