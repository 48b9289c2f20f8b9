"""The summary table: means over what was measured, marked where they do not compare."""

from __future__ import annotations

import dataclasses
import math
from itertools import groupby

import numpy as np
import pytest

from gfpbench.metrics import ITSELF_REASON, METRICS
from gfpbench.report import junit_properties, markdown, page, summary, terminal_lines
from gfpbench.report.formatting import decimals_for, printable, shown
from gfpbench.report.side_tables import group_lines
from gfpbench.report.summary import best_lines, gain_over
from gfpbench.types import BadInput, Better, Case, Result
from tests.unit.report import laws, sample


@pytest.mark.parametrize(
    "law",
    [
        laws.failures_are_in_no_mean,
        laws.nan_is_no_number,
        laws.means_are_means,
        laws.best_is_best,
        laws.gains_are_paired,
    ],
    ids=lambda law: law.__name__,
)
def test_law(law: object) -> None:
    assert callable(law)
    law(summary)


def test_rows_stand_in_the_order_of_a_paper() -> None:
    names = ("truth", "b", "input", "a")
    (group,) = summary([sample.scored(name, {"psnr_rgb": [1.0, 2.0]}) for name in names]).groups
    assert [line.label for line in group.lines] == ["input (degraded)", "b", "a", "ground truth"]


def test_columns_stand_in_the_order_of_the_field() -> None:
    scores = {"niqe": [4.0], "mae_rgb": [1.0], "ssim_rgb": [0.5], "psnr_rgb": [20.0]}
    (group,) = summary([sample.scored("a", scores)]).groups
    assert [column.metric for column in group.columns] == ["psnr_rgb", "ssim_rgb", "niqe", "mae_rgb"]
    assert [column.arrow for column in group.columns] == ["↑", "↑", "↓", "↓"]


def test_columns_stand_in_the_order_of_the_metric_table_each_family_together() -> None:
    (group,) = summary(sample.wide()).groups
    families = [column.metric.split("_")[0] for column in group.columns]
    assert [family for family, _ in groupby(families)] == list(dict.fromkeys(name.split("_")[0] for name in METRICS))
    assert len(families) == len(METRICS)


def test_what_differs_in_more_than_the_restorer_is_another_table() -> None:
    one = sample.scored("a", {"psnr_rgb": [1.0]})
    others = [
        dataclasses.replace(one, case=dataclasses.replace(one.case, **change))
        for change in ({"seed": 1}, {"faces": "x"}, {"degradation": "x"}, {"size_px": 64}, {"limit": 1}, {"draws": 2})
    ]
    assert len(summary([one, *others]).groups) == 7


def test_identical_pairs_leave_the_mean_and_are_counted() -> None:
    (group,) = summary([sample.scored("a", {"psnr_rgb": [math.inf, 20.0, 30.0]})]).groups
    (cell,) = group.lines[0].cells
    assert (cell.mean, cell.identical, cell.n, cell.note) == (25.0, 1, 3, "1 identical")
    assert cell.interval is not None
    assert cell.interval[0] <= 25.0 <= cell.interval[1]


def test_ties_are_all_best_and_nobody_is_best_alone() -> None:
    def best(means: dict[str, float], better: Better | None) -> set[str]:
        return best_lines({name: {"x": mean} for name, mean in means.items()}, better)

    assert best({"a": 1.0, "b": 1.0, "c": 2.0}, "lower") == {"a", "b"}
    assert best({"a": 1.0}, "lower") == set()
    assert best({"a": 1.0, "b": 2.0}, None) == set()


def test_a_mean_over_fewer_faces_is_never_best() -> None:
    """A restorer that fails on the hard faces would win by leaving them out."""
    survivor = sample.scored("a", {"psnr_rgb": [40.0, None]}, failures={1: "raised"})
    honest = sample.scored("b", {"psnr_rgb": [40.0, 10.0]})
    third = sample.scored("c", {"psnr_rgb": [30.0, 10.0]})
    (group,) = summary([survivor, honest, third]).groups
    cells = {line.label: line.cells[0] for line in group.lines}
    assert (cells["a"].partial, cells["b"].partial) == (True, False)
    assert [name for name, cell in cells.items() if cell.best] == ["b"]


def test_equally_many_but_other_faces_do_not_compare() -> None:
    first = sample.scored("a", {"psnr_rgb": [1.0, None]})
    second = sample.scored("b", {"psnr_rgb": [None, 2.0]})
    (group,) = summary([first, second]).groups
    assert [(line.cells[0].partial, line.cells[0].best) for line in group.lines] == [(True, False), (True, False)]


def test_one_name_for_two_images_is_a_warning() -> None:
    one = sample.scored("a", {"psnr_rgb": [1.0, 2.0]})
    rows = (one.rows[0], dataclasses.replace(one.rows[1], parameters={"r": 3.0}))
    drawn = dataclasses.replace(one, case=Case("bare", "sample", "b"), rows=rows)
    rows = (dataclasses.replace(one.rows[0], face_sha256="1" * 64), one.rows[1])
    face = dataclasses.replace(one, case=Case("bare", "sample", "c"), rows=rows)
    (group,) = summary([one, drawn, face]).groups
    assert len(group.warnings) == 2
    assert "degraded differently" in group.warnings[0]
    assert "first: f1" in group.warnings[0]
    assert "a different image" in group.warnings[1]
    assert summary([one]).groups[0].warnings == ()


def test_the_ground_truth_need_not_be_degraded() -> None:
    one = sample.scored("a", {"psnr_rgb": [1.0]})
    truth = dataclasses.replace(
        one, case=Case("bare", "sample", "truth"), rows=(dataclasses.replace(one.rows[0], parameters={}),)
    )
    assert summary([one, truth]).groups[0].warnings == ()


def test_results_that_disagree_are_refused() -> None:
    one = sample.scored("a", {"psnr_rgb": [1.0]})
    other: Result = dataclasses.replace(one, metrics={"psnr_rgb": {**sample.METRICS["psnr_rgb"], "better": "lower"}})
    with pytest.raises(BadInput, match="disagree about which way psnr_rgb"):
        summary([one, other])
    with pytest.raises(BadInput, match="'f0' twice"):
        summary([dataclasses.replace(one, rows=one.rows * 2)])


def test_blank_metrics_say_why() -> None:
    one = dataclasses.replace(
        sample.scored("a", {"psnr_rgb": [1.0], "niqe": [None], "mae_rgb": [None]}), not_measured={"niqe": "too small"}
    )
    (group,) = summary([one]).groups
    assert [column.metric for column in group.columns] == ["psnr_rgb"]
    assert group.not_measured == {"niqe": "too small", "mae_rgb": "no image has a value"}


def test_a_reason_of_the_inputs_row_is_not_that_of_restorers_without_a_value() -> None:
    """Where every restored image failed, the column is blank for that, and not because the input is itself."""
    restored = sample.scored("a", {"psnr_rgb": [None], "niqe": [3.0]})
    given = dataclasses.replace(sample.scored("input", {"niqe": [5.0]}), not_measured={"psnr_rgb": ITSELF_REASON})
    assert summary([given, restored]).groups[0].not_measured == {"psnr_rgb": "no image has a value"}
    assert summary([given]).groups[0].not_measured == {"psnr_rgb": ITSELF_REASON}


def test_a_failure_is_listed_once() -> None:
    from gfpbench.types import Problem

    one = sample.scored("a", {"psnr_rgb": [None]}, failures={0: "raised"})
    both = dataclasses.replace(one, problems=(Problem("restore", "f0", "raised"),))
    assert len(summary([one]).problems) == len(summary([both]).problems) == 1


def test_gain_needs_pairs_and_a_direction() -> None:
    assert gain_over({"a": 1.0}, {"b": 1.0}, "higher") is None
    assert gain_over({"a": 1.0}, {"a": 1.0}, None) is None
    assert gain_over({"a": math.inf}, {"a": 1.0}, "higher") is None


AS_SHOWN = [
    (25.084, 2, "25.08"),
    (-0.5, 1, "−0.5"),
    (math.inf, 2, "∞"),
    (-math.inf, 2, "−∞"),
    (None, 2, "–"),
    (math.nan, 2, "–"),
]


@pytest.mark.parametrize(("value", "digits", "text"), AS_SHOWN)
def test_numbers_as_shown(value: float | None, digits: int, text: str) -> None:
    assert shown(value, digits) == text


def test_digits_follow_the_size_of_a_column() -> None:
    assert [decimals_for([top, math.inf]) for top in (0.9, 1.0, 9.0, 25.0, 5000.0)] == [4, 4, 3, 2, 1]


def test_printable_keeps_one_line_and_its_ends() -> None:
    assert printable("a\nb\x1b[31m\u202eé脸") == "a\\nb\\x1b[31m\\u202eé脸"
    assert printable("x" * 50 + "end", 11) == "xxxxx…xxend"
    assert len(printable("\ud800" * 100, 20)) == 20


def test_images_of_one_face_are_told_from_faces() -> None:
    one = sample.scored("a", {"psnr_rgb": [1.0, 2.0, 3.0]})
    (group,) = summary([one]).groups
    assert group.counted == "3 images of 1 face"
    rows = tuple(dataclasses.replace(row, face_sha256=str(number) * 64) for number, row in enumerate(one.rows))
    (group,) = summary([dataclasses.replace(one, rows=rows)]).groups
    assert group.counted == "3 images"


def two_people() -> tuple[Result, Result]:
    """16 images of two people that differ by 6 dB, restored 1 dB better for one and 1 dB worse for the other."""
    noise = np.random.default_rng(5).normal(0, 0.3, 16)
    base = [20.0 + 6 * (number % 2) for number in range(16)]
    pair = []
    for name, change in (("input", 0.0), ("a", 1.2)):
        turned = [value + noise[n] + change * (-0.9 if n % 2 else 1) for n, value in enumerate(base)]
        one = sample.scored(name, {"psnr_rgb": turned})
        rows = tuple(
            dataclasses.replace(row, id=f"{'ab'[n % 2]}~{n // 2}", attributes={"subject": ("Ada", "Bob")[n % 2]})
            for n, row in enumerate(one.rows)
        )
        pair.append(dataclasses.replace(one, rows=rows, faces={"draws": 8}))
    return pair[0], pair[1]


def test_draws_of_two_people_have_the_precision_of_two() -> None:
    pair = two_people()
    (group,) = summary(pair).groups
    assert group.counted == "16 images of 2 people"
    assert "over 2 people" in group.interval_note
    cell = group.lines[1].cell("psnr_rgb")
    own = [np.mean([row.scores["psnr_rgb"] for row in pair[1].rows if row.id[0] == who]) for who in "ab"]
    assert cell.interval is not None
    assert cell.interval[0] <= min(own) < max(own) <= cell.interval[1]
    assert cell.gain is not None
    assert cell.gain.low <= -1.07 < 1.19 <= cell.gain.high  # the gain of one person is the loss of the other
    for shown_as in (markdown(pair), page.render(list(pair), [], "t")):
        assert "16 images of 2 people" in shown_as
        assert "The interval is over 2 people" in shown_as
    assert "16 images of 2 people" in "\n".join(terminal_lines(pair, None))
    assert ("gfpbench.people", "2") in junit_properties(pair[1])
    low = float(dict(junit_properties(pair[1]))["gfpbench.psnr_rgb.low"])
    assert low == cell.interval[0]


def test_a_group_of_one_person_keeps_its_own_interval() -> None:
    (group,) = summary(two_people()).groups
    lines = group_lines(group)
    assert [(line.value, line.faces) for line in lines] == [("Ada", 8), ("Bob", 8)]
    for line in lines:
        assert line.means[0].interval is not None
        assert line.means[0].interval[1] - line.means[0].interval[0] < 1.0
