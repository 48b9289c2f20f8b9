"""The page of collapse points: complete, self-contained, and safe with hostile names."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gfpbench import results
from gfpbench.collapse import Collapse, Question, Step, collapse_point
from gfpbench.report import write_collapse
from gfpbench.report.collapse import collapsed_step
from gfpbench.report.curves import curve_chart, x_of
from gfpbench.report.failures import KINDS, failure_kinds


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Collapse, ...]]:
    """Two real searches on one axis and one on another."""
    store = tmp_path_factory.mktemp("collapse")
    asked = [
        Question(name, axis, criteria=("face",), size_px=64, draws=2, resolution=8)
        for name, axis in (("classical", "noise"), ("bicubic", "noise"), ("classical", "roll"))
    ]
    return store, tuple(collapse_point(one, store=store) for one in asked)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def having(self, attribute: str) -> list[str | None]:
        return [found[attribute] for _, found in self.tags if attribute in found]


def test_the_page_says_everything(searched: tuple[Path, tuple[Collapse, ...]], tmp_path: Path) -> None:
    store, found = searched
    path = write_collapse(found, tmp_path, store=store)
    text = path.read_text("utf-8")
    page = Page(text)
    assert page.having("data-axis") == ["noise+middle", "roll"]
    assert [name for tag, found in page.tags if tag == "tr" for name in [found.get("data-restorer")] if name] == [
        "classical",
        "bicubic",
        "classical",
    ]
    assert text.count('class="trained"') == 1  # roll was trained nowhere
    assert "gfpbench collapse --restorer classical --axis noise+middle --at" in text
    severities = [float(value or "nan") for value in page.having("data-severity")]
    assert severities == [one.severity for one in found if one.severity is not None]
    assert [kind for kind in page.having("data-kind") if kind in dict(KINDS)] == [name for name, _ in KINDS]
    images = [found["src"] or "" for tag, found in page.tags if tag == "img"]
    assert len(images) >= 2 * 3 * 5
    assert all(source.startswith("data:image/") for source in images)
    assert not re.search(r"https?://", text)


def test_equal_searches_give_equal_bytes(searched: tuple[Path, tuple[Collapse, ...]], tmp_path: Path) -> None:
    store, found = searched
    one = write_collapse(found, tmp_path, store=store).read_bytes()
    assert write_collapse(found, tmp_path, store=store).read_bytes() == one
    assert [item.name for item in tmp_path.iterdir()] == ["collapse.html"]


def test_without_images_it_still_draws(searched: tuple[Path, tuple[Collapse, ...]], tmp_path: Path) -> None:
    _, found = searched
    text = write_collapse(found, tmp_path, store=tmp_path / "nothing").read_text("utf-8")
    assert "<svg" in text
    assert "no images were kept" in text
    assert "Nothing was searched" in write_collapse([], tmp_path, store=tmp_path).read_text("utf-8")


def test_hostile_names_stay_text(searched: tuple[Path, tuple[Collapse, ...]], tmp_path: Path) -> None:
    store, (first, *_) = searched
    evil = replace(first, question=replace(first.question, restorer='x"><script>alert(1)</script>\u202e'))
    text = write_collapse([evil], tmp_path, store=store).read_text("utf-8")
    assert "<script" not in text
    assert "\u202e" not in text


def test_the_mark_is_where_it_collapses(searched: tuple[Path, tuple[Collapse, ...]]) -> None:
    _, found = searched
    chart = curve_chart(found[:2])
    assert chart is not None
    for line, one in zip(chart.lines, found[:2], strict=True):
        assert one.severity is not None
        assert line.collapse is not None
        assert line.collapse[0] == x_of(one.severity)
        assert len(line.dots) == len(one.steps)
        heights = [y for _, y, _ in line.dots]
        assert heights == sorted(heights)  # SSIM falls along noise, and y grows downwards
        assert line.interval is not None
        assert line.interval[0] <= line.collapse[0] <= line.interval[1]
    assert chart.trained == (x_of(0.0), round(x_of(0.125) - x_of(0.0), 1))


def test_no_finite_value_gives_no_chart(searched: tuple[Path, tuple[Collapse, ...]]) -> None:
    blank = tuple(replace(step, restored=None, given=None) for step in searched[1][0].steps)
    assert curve_chart([replace(searched[1][0], steps=blank)]) is None


def test_failures_are_the_worst_of_their_kind(searched: tuple[Path, tuple[Collapse, ...]]) -> None:
    store, found = searched
    (result,) = results.read(store / collapsed_step(found[0]).case / "result.json")
    kinds = {kind.name: kind for kind in failure_kinds([result], store)}
    assert list(kinds) == [name for name, _ in KINDS]
    for kind in kinds.values():
        assert bool(kind.worst) != bool(kind.not_measured)
        scores = [one.score for one in kind.worst]
        assert scores == sorted(scores, reverse=True)  # every one of these metrics grows with the damage
    noise = kinds["residual noise"].worst
    assert {one.restorer for one in noise} == {"classical"}
    assert all(one.restored is not None for one in noise)


def test_a_metric_that_is_not_here_is_said(
    searched: tuple[Path, tuple[Collapse, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gfpbench import metrics
    from gfpbench.types import AssetMissing

    def absent(names: list[str]) -> None:
        raise AssetMissing(names[0], "a failure kind")

    monkeypatch.setattr(metrics, "load", absent)
    store, found = searched
    (result,) = results.read(store / collapsed_step(found[0]).case / "result.json")
    kinds = failure_kinds([result], store)
    assert [bool(kind.not_measured) for kind in kinds] == [True] * 4 + [False]
    assert "gfpbench fetch deg_dlib" in kinds[0].not_measured


def test_the_step_of_the_collapse(searched: tuple[Path, tuple[Collapse, ...]]) -> None:
    one = searched[1][0]
    assert one.severity is not None
    step: Step = collapsed_step(one)
    assert step.severity >= one.severity
    assert step.severity - one.severity <= 1 / 8
    assert collapsed_step(replace(one, kind="never", severity=None)) == one.steps[-1]
    assert collapsed_step(replace(one, kind="at once", severity=None)) == one.steps[0]
