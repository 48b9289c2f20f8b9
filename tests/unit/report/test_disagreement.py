"""The panel of no-reference scores against identity: its correlations, its faces, and where it is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gfpbench import images
from gfpbench.report.disagreement import ENOUGH_IMAGES, ENOUGH_RESTORERS, SHOWN, disagreement_of
from gfpbench.report.page import write_report
from gfpbench.report.strips import strips_of
from gfpbench.report.summary import summary
from gfpbench.run.recorder import image_path
from gfpbench.types import Case, Result, Row

COMMON = {"unit": "", "tolerance": 0.0, "tolerance_reason": "", "minimum_side_px": 1, "source": ""}
METRICS = {
    "piqe": {**COMMON, "better": "lower", "best": None, "needs_truth": False},
    "deg_dlib_vs_input": {**COMMON, "better": "lower", "best": 0.0, "needs_truth": False, "needs_input": True},
    "colour_shift_vs_input": {**COMMON, "better": "lower", "best": 0.0, "needs_truth": False, "needs_input": True},
}


def results_of(restorers: int, count: int, *, gamed: bool = True) -> list[Result]:
    """Restorers of which each sharper one keeps less of the person (or, where not ``gamed``, more)."""
    rng = np.random.default_rng(0)
    found = []
    for place in range(restorers):
        rows = []
        for number in range(count):
            effort = place + number / count + rng.normal() * 0.05
            angle = 10 + 5 * effort if gamed else 40 - 5 * effort
            scores = {"piqe": 60 - 10 * effort, "deg_dlib_vs_input": angle, "colour_shift_vs_input": 1.0}
            rows.append(Row(f"face {number}", f"{number:064x}", (16, 16), {}, {}, scores))
        case = Case("lq", "no-truth", f"tool-{place}")
        found.append(Result(case, tuple(rows), METRICS, {"restorer": f"tool-{place}"}, {}, {}, {}))
    return found


def panel(results: list[Result]) -> tuple[dict[str, tuple[float, str]], int]:
    (group,) = summary(results).groups
    found = disagreement_of(group, strips_of(group, []))
    if found is None:
        return {}, 0
    return {one.over: (float(one.correlation), one.says) for one in found.rows}, len(found.faces)


def test_what_scores_well_and_is_another_person_disagrees() -> None:
    rows, _ = panel(results_of(ENOUGH_RESTORERS, 12))
    assert rows.pop(f"{ENOUGH_RESTORERS} restorers, means of 12 images") == (-1.0, "disagree")
    assert len(rows) == ENOUGH_RESTORERS
    assert all(value < -0.8 and says == "disagree" for value, says in rows.values())
    agreeing, _ = panel(results_of(ENOUGH_RESTORERS, 12, gamed=False))
    assert {says for _, says in agreeing.values()} == {"agree"}


def test_of_too_few_nothing_is_said() -> None:
    assert panel(results_of(ENOUGH_RESTORERS, ENOUGH_IMAGES - 1)) == ({}, 0)
    few, _ = panel(results_of(ENOUGH_RESTORERS - 1, ENOUGH_IMAGES))
    assert not [over for over in few if "restorers" in over]
    assert len(few) == ENOUGH_RESTORERS - 1


def test_without_an_identity_there_is_no_panel() -> None:
    found = [
        replace(
            result,
            metrics={name: METRICS[name] for name in ("piqe", "colour_shift_vs_input")},
            rows=tuple(replace(row, scores={**row.scores, "deg_dlib_vs_input": None}) for row in result.rows),
        )
        for result in results_of(ENOUGH_RESTORERS, 12)
    ]
    assert panel(found) == ({}, 0)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for result in results_of(ENOUGH_RESTORERS, 12):
        for row in result.rows:
            for kind in ("degraded", "restored"):
                path = image_path(tmp_path / "cases" / result.case.id, row.id, kind)
                path.parent.mkdir(parents=True, exist_ok=True)
                images.write_png(path, np.full((16, 16, 3), len(kind) * 20, np.uint8))
    return tmp_path / "cases"


def test_the_page_shows_the_correlations_and_the_faces_farthest_apart(store: Path, tmp_path: Path) -> None:
    results = results_of(ENOUGH_RESTORERS, 12)
    page = write_report(results, tmp_path / "report", store=store).read_text()
    assert "No-reference scores against identity" in page
    assert len(re.findall(r'<tr data-metric="piqe" data-identity="deg_dlib_vs_input">', page)) == ENOUGH_RESTORERS + 1
    shown = re.findall(r'<article data-face="([^"]+)" data-restorer="([^"]+)">', page)
    assert len(shown) == len({face for face, _ in shown}) == SHOWN
    assert {restorer for _, restorer in shown} == {f"tool-{ENOUGH_RESTORERS - 1}"}  # the sharpest, and least alike
    small = write_report(results[:1], tmp_path / "small", store=None).read_text()
    assert "12 images of tool-<wbr>0" in small
    none = write_report(results_of(1, 4), tmp_path / "none", store=None).read_text()
    assert "No-reference scores against identity" not in none


def test_a_score_with_a_truth_is_no_score_without_one() -> None:
    with_truth = {**METRICS, "piqe": {**METRICS["piqe"], "needs_truth": True}}
    found = [replace(result, metrics=with_truth) for result in results_of(ENOUGH_RESTORERS, 12)]
    assert panel(found) == ({}, 0)
