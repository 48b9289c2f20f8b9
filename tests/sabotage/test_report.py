"""Reports that lie, and the laws that notice: the same laws that the real report has to pass."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from gfpbench import report
from gfpbench.baselines import compare
from gfpbench.report import charts, display, formatting, junit, page, row_table, selection, strips, text
from gfpbench.report import summary as summarise
from gfpbench.statistics import Mean
from gfpbench.types import BadInput, Problem, Result, Row
from tests.unit.report import laws, sample, test_display
from tests.unit.report import test_large_pages as large_pages

# The package's function `summary` hides the module of the same name.
summary_module = sys.modules["gfpbench.report.summary"]


def everywhere(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    for module in (summary_module, charts, junit, strips, page, formatting, text):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)


def over_one_more(values: Sequence[float], best: float | None = None) -> Mean:
    return Mean(math.fsum(values) / (len(values) + 1), len(values))


def test_a_failed_image_silently_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(result: Result, metric: str) -> dict[str, float]:
        return {row.id: row.scores[metric] for row in result.rows if row.scores.get(metric) is not None}  # type: ignore[misc]

    everywhere(monkeypatch, "measured", measured)
    with pytest.raises(AssertionError):
        laws.failures_are_in_no_mean(summarise)


def test_a_failed_image_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere(monkeypatch, "problems_of", lambda result: result.problems)
    with pytest.raises(AssertionError):
        laws.failures_are_in_no_mean(summarise)


def test_a_fewer_faces_mark_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def cell(**fields: Any) -> Any:
        return real(**{**fields, "partial": False})

    real = summary_module.Cell
    monkeypatch.setattr(summary_module, "Cell", cell)
    with pytest.raises(AssertionError, match="not marked"):
        laws.failures_are_in_no_mean(summarise)


def test_nan_taken_for_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(result: Result, metric: str) -> dict[str, float]:
        return {row.id: 0.0 if math.isnan(row.scores[metric] or 0) else row.scores[metric] or 0 for row in result.rows}

    everywhere(monkeypatch, "measured", measured)
    with pytest.raises(AssertionError):
        laws.nan_is_no_number(summarise)


def test_nan_shown_as_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def rendered() -> str:
        return page.render([sample.scored("a", {"psnr_rgb": [20.0, 21.0]})], [], "t")

    laws.no_nan_is_shown(rendered())
    everywhere(monkeypatch, "mean_of", lambda values, best: Mean(math.nan, len(values)))
    everywhere(monkeypatch, "shown", lambda value, decimals: f"{value:.{decimals}f}")
    with pytest.raises(AssertionError):
        laws.no_nan_is_shown(rendered())


@pytest.mark.parametrize(
    "broken",
    [
        lambda values, best: Mean(math.fsum(values) / len(values), len(values)),
        lambda values, best: Mean(math.fsum(v for v in values if math.isfinite(v)) / len(values), len(values), 1),
        lambda values, best: Mean(25.0, len(values)),
        lambda values, best: Mean(25.0, len(values), len(values)),
    ],
    ids=["in the mean", "as zero", "left out in silence", "miscounted"],
)
def test_an_identical_pair_is_no_number(monkeypatch: pytest.MonkeyPatch, broken: Any) -> None:
    def rendered() -> str:
        return page.render([sample.scored("a", {"psnr_rgb": [math.inf, 20.0, 30.0]})], [], "t")

    laws.identical_pairs_are_counted(rendered(), {"a": ("25.00", "1 identical")})
    everywhere(monkeypatch, "mean_of", broken)
    with pytest.raises(AssertionError):
        laws.identical_pairs_are_counted(rendered(), {"a": ("25.00", "1 identical")})


def test_a_gate_that_averages_an_identical_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """One image that equals its truth now would outweigh a fall of all the others."""
    before = gate_numbers([25.0, *[20.0 + number / 2 for number in range(11)]])
    now = gate_numbers([math.inf, *[19.0 + number / 2 for number in range(11)]])
    assert compare(now, before).metrics[0].kind == "worse"
    assert compare(now, before).metrics[0].difference == -1.0
    scores_module = sys.modules["gfpbench.baselines.scores"]
    monkeypatch.setattr(scores_module, "is_identical", lambda value, best: False)
    assert compare(now, before).metrics[0].kind != "worse"
    assert compare(now, before).metrics[0].difference == math.inf


def gate_numbers(scores: Sequence[float]) -> Result:
    one = sample.scored("a", {"psnr_rgb": scores})
    metric = {**sample.METRICS["psnr_rgb"], "tolerance": 0.001}
    return dataclasses.replace(one, metrics={"psnr_rgb": metric})


def test_a_mean_over_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum of the measured over the number of all faces: failures count as zero."""
    everywhere(monkeypatch, "mean_of", over_one_more)
    with pytest.raises(AssertionError):
        laws.failures_are_in_no_mean(summarise)
    with pytest.raises(AssertionError):
        laws.means_are_means(summarise)


def test_an_interval_of_single_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spread of images in place of the spread of their mean."""
    everywhere(monkeypatch, "interval_of", lambda values, best, people: (min(values), max(values)))
    with pytest.raises(AssertionError):
        laws.means_are_means(summarise)


def test_the_best_in_the_wrong_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    real = summary_module.best_lines

    def always_higher(rows: Mapping[str, Mapping[str, float]], better: object, best: float | None) -> set[str]:
        return real(rows, "higher", best)

    everywhere(monkeypatch, "best_lines", always_higher)
    with pytest.raises(AssertionError):
        laws.best_is_best(summarise)


def test_the_input_competing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_module, "_role", lambda result: "restorer")
    with pytest.raises(AssertionError):
        laws.best_is_best(summarise)


def test_gains_paired_by_position(monkeypatch: pytest.MonkeyPatch) -> None:
    real = summary_module.gain_over

    def by_position(values: Mapping[str, float], reference: Mapping[str, float], better: Any, _: Any) -> Any:
        return real(dict(zip(reference, values.values(), strict=False)), reference, better)

    everywhere(monkeypatch, "gain_over", by_position)
    with pytest.raises(AssertionError):
        laws.gains_are_paired(summarise)


def test_gains_with_one_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    real = summary_module.gain_over
    everywhere(monkeypatch, "gain_over", lambda values, reference, better, people: real(values, reference, "higher"))
    with pytest.raises(AssertionError):
        laws.gains_are_paired(summarise)


def test_templates_compiled_for_each_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "_compiled", lambda: None)
    with pytest.raises(AssertionError, match="compiled again"):
        laws.templates_are_compiled_once(lambda: page.render([sample.scored("a", {"psnr_rgb": [1.0]})], [], "t"))


def test_names_not_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    one = sample.scored("a", {"psnr_rgb": [1.0, 2.0]})
    hostile = dataclasses.replace(one, rows=(dataclasses.replace(one.rows[0], id=sample.HOSTILE), one.rows[1]))
    hostile = dataclasses.replace(hostile, problems=(Problem("faces", sample.HOSTILE, "x"),))
    laws.names_are_escaped(page.render([hostile], [], "t"))

    real = jinja2.Environment

    def careless(**options: Any) -> jinja2.Environment:
        return real(**{**options, "autoescape": False})

    monkeypatch.setattr(jinja2, "Environment", careless)
    with pytest.raises(AssertionError):
        laws.names_are_escaped(page.render([hostile], [], "t"))


@pytest.mark.parametrize(
    ("file", "addition"),
    [
        ("style.css", "@import url(https://fonts.example/inter.css);"),
        ("style.css", "body { background: url(//cdn.example/paper.png) }"),
        ("page.js", "fetch('https://stats.example/')"),
    ],
)
def test_a_request_to_the_outside(monkeypatch: pytest.MonkeyPatch, file: str, addition: str) -> None:
    real = formatting.own
    for module in (formatting, page):
        monkeypatch.setattr(module, "own", lambda name: real(name) + Markup(addition if name == file else ""))
    with pytest.raises(AssertionError):
        laws.requests_nothing(page.render([sample.scored("a", {"psnr_rgb": [1.0]})], [], "t"))


def test_images_of_another_face(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One restorer's images are listed without the one that is missing, and all after it move up."""
    results = sample.bench(tmp_path, sample.crops(3), {"a": sample.sharpen(1), "b": sample.sharpen(0.3)})
    laws.images_match_by_name(page.render(results, [tmp_path], "t"), results, tmp_path)
    real = strips.kept_files

    def shifted(folder: Path, names: Sequence[str]) -> Any:
        found = real(folder, names)
        others = [*names[1:], names[0]]
        return dict(zip(names, map(found.get, others), strict=True)) if folder.name.startswith("b-") else found

    monkeypatch.setattr(strips, "kept_files", shifted)
    with pytest.raises(AssertionError):
        laws.images_match_by_name(page.render(results, [tmp_path], "t"), results, tmp_path)


def test_numbers_of_another_restorer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    results = sample.bench(tmp_path, sample.crops(2), {"a": sample.sharpen(1), "b": sample.sharpen(0.3)})
    swapped = [
        results[0],
        dataclasses.replace(results[1], rows=results[2].rows),
        dataclasses.replace(results[2], rows=results[1].rows),
        results[3],
    ]
    html = page.render(swapped, [tmp_path], "t")
    with pytest.raises(AssertionError):
        laws.images_match_by_name(html, results, tmp_path)
    with pytest.raises(AssertionError):
        laws.numbers_are_the_results(html, results)


def test_the_best_shown_as_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [3.0, 1.0, 2.0]
    result = sample.scored("a", {"psnr_rgb": values})
    (group,) = summarise([result]).groups
    column = dataclasses.replace(group.columns[0], better="lower")
    wrong = strips.ranking(dataclasses.replace(group, columns=(column,)), "psnr_rgb")
    with pytest.raises(AssertionError):
        laws.worst_comes_first(wrong, dict(zip(result.image_ids, values, strict=True)), "higher")


@pytest.mark.parametrize("loses", ["failures", "means", "counts"])
def test_a_junit_file_that_passes_too_much(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loses: str) -> None:
    results = [sample.scored("a", {"psnr_rgb": [1.0, 2.0, None]}, failures={2: "raised"})]
    if loses == "failures":
        monkeypatch.setattr(junit, "problems_of", lambda result: ())
    elif loses == "means":
        monkeypatch.setattr(junit, "mean_of", over_one_more)
    else:
        monkeypatch.setattr(junit, "measured", lambda result, metric: dict.fromkeys(result.image_ids, 1.5))
    report.write_junit(results, tmp_path / "junit.xml")
    with pytest.raises(AssertionError):
        laws.junit_holds((tmp_path / "junit.xml").read_bytes(), results)


def test_markdown_that_trusts_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "markdown_text", lambda name, limit=None: str(name))
    one = dataclasses.replace(sample.scored("a", {"psnr_rgb": [1.0]}), not_measured={"x": "<img src=x> @team `"})
    with pytest.raises(AssertionError):
        laws.markdown_is_text(report.markdown([one]))


def test_a_table_that_rounds_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere(monkeypatch, "shown", lambda value, decimals: f"{math.trunc(value * 10) / 10}")
    results = [sample.scored("a", {"psnr_rgb": [20.19, 20.19]})]
    with pytest.raises(AssertionError):
        laws.numbers_are_the_results(page.render(results, [], "t"), results)


def test_a_nan_reaches_no_file(tmp_path: Path) -> None:
    nan: Sequence[float] = [math.nan]
    with pytest.raises(BadInput):
        report.write_report([sample.scored("a", {"psnr_rgb": nan})], tmp_path, store=None)


def _cut(results: Any, path: Any, width: int) -> list[str]:
    return [line[:width] for line in report.terminal_lines(results, path, 10_000)]


def _wrapped(results: Any, path: Any, width: int) -> list[str]:
    return [
        line[at : at + width]
        for line in report.terminal_lines(results, path, 10_000)
        for at in range(0, len(line), width)
    ]


def _first_columns(results: Any, path: Any, width: int) -> list[str]:
    lines = report.terminal_lines(results, path, width)
    return lines[:5]


@pytest.mark.parametrize(
    "broken",
    [lambda results, path, width: report.terminal_lines(results, path, 10_000), _cut, _wrapped, _first_columns],
    ids=["too wide", "cut", "wrapped anywhere", "columns that do not fit left out"],
)
def test_a_table_too_wide_for_the_terminal_is_seen(broken: Any) -> None:
    laws.every_figure_is_on_the_terminal(report.terminal_lines, 100)
    with pytest.raises((AssertionError, ValueError, KeyError)):
        laws.every_figure_is_on_the_terminal(broken, 100)


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ("&", "&#64;user"),
        ("<>", "<b>"),
        ("([", "`x`"),
        ("([", "a | b"),
        ("([", "[a](b)"),
        ("(?<![", "_x_"),
        ("@", "@user"),
        ("(?<!&)", "owner/repo#1"),
        (r"\b(GH)", "GH-3"),
        ("://", "https://x.y"),
        (r"\b(www)", "www.x.y"),
        (":(?=", ":tada:"),
        (r"\$", "$x$"),
    ],
)
def test_a_markdown_rule_left_out(monkeypatch: pytest.MonkeyPatch, rules: str, text: str) -> None:
    """Each rule has a text that only it keeps from becoming something on GitHub."""
    laws.github_shows_text(formatting.markdown_text, text)
    away = tuple(rules) if rules == "<>" else (rules,)
    fewer = tuple(rule for rule in formatting._MARKDOWN if not rule[0].pattern.startswith(away))
    assert len(fewer) == len(formatting._MARKDOWN) - len(away)
    monkeypatch.setattr(formatting, "_MARKDOWN", fewer)
    with pytest.raises(AssertionError):
        laws.github_shows_text(formatting.markdown_text, text)


def test_a_page_that_may_send_its_forms_away(monkeypatch: pytest.MonkeyPatch) -> None:
    html = page.render([sample.scored("a", {"psnr_rgb": [1.0]})], [], "t")
    laws.requests_nothing(html)
    for rule in ("; base-uri 'none'", "; form-action 'none'"):
        with pytest.raises(AssertionError):
            laws.requests_nothing(html.replace(rule, ""))


def test_a_strip_of_another_face(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a notebook displays as one face are the images of the next."""
    found = sample.bench(tmp_path, sample.crops(2, 32), {"sharp": sample.sharpen(0.5)})[1]
    test_display.shows_the_face(tmp_path, found)
    real, (first, other) = strips.images_of, found.image_ids
    monkeypatch.setattr(
        strips, "images_of", lambda store, case, name: real(store, case, other if name == first else name)
    )
    with pytest.raises(AssertionError):
        test_display.shows_the_face(tmp_path, found)


def test_names_not_escaped_in_a_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = jinja2.Environment
    monkeypatch.setattr(jinja2, "Environment", lambda **options: real(**{**options, "autoescape": False}))
    for html in (display.summary_html(test_display.hostile()), test_display.hostile_strip(tmp_path)):
        with pytest.raises(AssertionError):
            test_display.nothing_runs_and_names_are_text(html)


def test_the_first_shown_as_a_sample() -> None:
    def first(kept: Sequence[str], badness: Mapping[str, float], seed: int) -> dict[str, str]:
        found = selection.of_many(kept, badness, seed)
        others = [name for name in kept if found.get(name, "sample") == "sample"][: selection.SAMPLE]
        return {name: why for name, why in found.items() if why != "sample"} | dict.fromkeys(others, "sample")

    with pytest.raises(AssertionError, match="sample"):
        large_pages.stands_for_the_others(first)


def test_the_worst_of_the_sample_shown_as_the_median() -> None:
    def low(kept: Sequence[str], badness: Mapping[str, float], seed: int) -> dict[str, str]:
        found = selection.of_many(kept, badness, seed)
        sample_names = [name for name, why in found.items() if why == "sample"]
        others = sorted(sample_names, key=lambda name: -badness[name])[:4]
        return {name: "median" if name in others else why for name, why in found.items() if why != "median"}

    with pytest.raises(AssertionError):
        large_pages.stands_for_the_others(low)


def test_a_page_that_outgrows_its_room() -> None:
    def careless(names: Any, size_of: Any, room: int) -> Any:
        return names, next((one for one in selection.SIZES if size_of(list(names), one) <= room), selection.SIZES[-1])

    with pytest.raises(AssertionError, match="too large"):
        large_pages.keeps_within_its_room(careless)


def test_a_failure_with_a_number_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    scored = [dataclasses.replace(one, rows=tuple(map(_with_a_score, one.rows))) for one in large_pages.many()]
    (group,) = summarise(scored).groups
    large_pages.rows_are_the_results(row_table.row_table(group, 1).text, scored)
    monkeypatch.setattr(row_table, "_score", lambda row, metric: row.scores.get(metric))
    with pytest.raises(AssertionError):
        large_pages.rows_are_the_results(row_table.row_table(group, 1).text, scored)


def _with_a_score(row: Row) -> Row:
    return dataclasses.replace(row, scores={"psnr_rgb": row.scores["psnr_rgb"] or 1.0})
