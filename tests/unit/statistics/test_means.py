"""A mean with identical pairs: the mean of the others, and how many; never an infinity that hides the rest."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpbench.statistics import Mean, best_of, bootstrap_mean, interval_of, is_identical, mean_of, people_of
from gfpbench.types import Case, Result, Row

INF = math.inf


@pytest.mark.parametrize(
    ("values", "best", "expected", "note"),
    [
        ([30.0, 32.0, INF], INF, Mean(31.0, 3, 1), "1 identical"),
        ([INF, INF], INF, Mean(INF, 2, 2), ""),
        ([30.0, 32.0], INF, Mean(31.0, 2, 0), ""),
        ([], INF, Mean(None, 0, 0), ""),
        ([1.0, -INF], -INF, Mean(1.0, 2, 1), "1 identical"),
        # An infinity that is not the best is no identical pair: without it the mean would flatter.
        ([30.0, -INF, INF], INF, Mean(-INF, 3, 1), "1 identical"),
        ([30.0, INF], None, Mean(INF, 2, 0), ""),
        ([1.0, INF], 0.0, Mean(INF, 2, 0), ""),
        ([0.0, 0.0, 0.5], 0.0, Mean(0.5 / 3, 3, 0), ""),
        ([INF, -INF], None, Mean(None, 2, 0), ""),
    ],
)
def test_by_hand(values: list[float], best: float | None, expected: Mean, note: str) -> None:
    assert mean_of(values, best) == expected
    assert mean_of(values, best).note == note


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(0, 5))
def test_identical_pairs_move_no_mean(values: list[float], identical: int) -> None:
    mean = mean_of([*values, *[INF] * identical], INF)
    assert mean.value == math.fsum(values) / len(values)
    assert (mean.n, mean.identical) == (len(values) + identical, identical)


def test_the_interval_is_that_of_the_images_in_the_mean() -> None:
    whole = bootstrap_mean([20.0, 25.0, 30.0])
    assert interval_of([20.0, INF, 25.0, 30.0], INF) == (whole.low, whole.high)
    assert interval_of([20.0, INF], INF) is None
    assert interval_of([20.0, 21.0, -INF], INF) is None


def test_the_best_of_a_record() -> None:
    assert best_of({"best": INF}) == INF
    assert [best_of(record) for record in ({}, {"best": None}, {"best": "inf"}, {"best": True})] == [None] * 4
    assert not is_identical(1.0, 1.0)  # SSIM of 1 is a number like others


def result_of(ids: list[str], faces: dict[str, object], subjects: dict[str, str] | None = None) -> Result:
    rows = tuple(
        Row(one, f"sha256 of {one}", (8, 8), {"subject": subjects[one]} if subjects else {}, {}, {"ssim_rgb": 0.5})
        for one in ids
    )
    return Result(Case("some", "none", "input"), rows, {}, {}, {}, faces, {})


def test_whose_face_an_image_is() -> None:
    drawn = people_of(result_of(["a~0", "b~0", "a~1", "b~1"], {"draws": 2}))
    assert drawn["a~0"] == drawn["a~1"] != drawn["b~0"] == drawn["b~1"]
    alone = people_of(result_of(["a~0", "a~1"], {}))  # a name like that, of a file
    assert alone["a~0"] != alone["a~1"]
    told = people_of(result_of(["a", "b", "c"], {"draws": 1}, {"a": "Ada", "b": "Ada", "c": "Bob"}))
    assert told["a"] == told["b"] != told["c"]


def test_the_interval_of_people_leaves_out_who_is_identical() -> None:
    whole = bootstrap_mean([20.0, 25.0, 30.0], people=["a", "a", "b"])
    assert interval_of([20.0, INF, 25.0, 30.0], INF, ["a", "c", "a", "b"]) == (whole.low, whole.high)
