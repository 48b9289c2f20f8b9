"""The default measurement once more on faces of another source, where they are here: one table below the first.

Two people are embedded, and what holds for them need not hold for others. Generated faces (``random-face``) are an
optional package whose terms forbid to ship anything made with it, so there is no baseline of this case, and it is left
out with the reason where the faces are neither made nor can be.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from gfpbench import faces
from gfpbench.plugin import Bench
from gfpbench.types import AssetMissing, Result
from tests.reproduction.test_restoration import blanks_without_a_reason

FACES = "random-face?count=8"
SIDE_PX = 128
"""The size of the embedded faces, so that the two tables differ in their faces alone."""


def why_not(bench: Bench) -> str:
    """Why the other faces cannot be measured now; empty where they can."""
    if bench.case("input").faces != "embedded":
        return "open: --faces names what is measured"
    try:
        opened = faces.load(FACES)
    except AssetMissing as missing:
        return f"open: {missing}"
    made = all((opened.folder_of(0, 0.6) / f"{name}.png").is_file() for name in opened.ids())  # type: ignore[attr-defined]
    if not made and importlib.util.find_spec("openvino") is None:
        return "open: the faces are not made yet, and openvino, which makes them, is not installed"
    return ""


@pytest.fixture(scope="module")
def others(bench: Bench) -> dict[str, Result]:
    if reason := why_not(bench):
        pytest.fail(f"{reason} (--strict-assets)") if bench.setting("strict-assets") else pytest.skip(reason)
    cases = [replace(bench.case(name), faces=FACES, size_px=SIDE_PX) for name in (*bench.restorers, "input")]
    return {case.restorer: bench.measure(case) for case in cases}


def test_every_other_face_is_restored(others: dict[str, Result], bench: Bench) -> None:
    for name in (*bench.restorers, "input"):
        rows = others[name].rows
        assert len(rows) == 8
        assert [f"{name}: {row.id}: {row.failure}" for row in rows if row.failure] == []
        assert [row.parameters for row in rows] == [row.parameters for row in others["input"].rows]
        assert blanks_without_a_reason(others[name]) == []


def test_the_two_tables_differ_in_their_faces_alone(others: dict[str, Result], bench: Bench) -> None:
    for name in (*bench.restorers, "input"):
        here, there = bench.measure(bench.case(name)), others[name]
        assert here.degradation == there.degradation
        assert {row.size_px for row in here.rows} == {row.size_px for row in there.rows} == {(SIDE_PX, SIDE_PX)}
        assert set(here.metrics) == set(there.metrics)
        assert not {row.face_sha256 for row in here.rows} & {row.face_sha256 for row in there.rows}
