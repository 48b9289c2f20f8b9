"""The page: whole, bounded, self-contained, escaped, the same each time, and its numbers are the Result's."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench import claims
from gfpbench import results as stored
from gfpbench.images import write_png
from gfpbench.report import write_report
from gfpbench.report.charts import spread, ticks
from gfpbench.report.page import render, reproduce
from gfpbench.report.strips import FIRST, WORST, data_uri, ranking
from gfpbench.report.summary import summary
from gfpbench.types import BadInput, Case, Problem, Result
from tests.unit.report import laws, sample

RESTORERS = {"strong": sample.sharpen(1.5), "mild": sample.sharpen(0.5)}
FAILING = {("mild", "astronaut-02"): "RuntimeError: out of memory"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Result, ...]]:
    store = tmp_path_factory.mktemp("bench") / "cases"
    return store, sample.bench(store, sample.crops(6), RESTORERS, FAILING)


def test_the_page_tells_what_the_results_say(bench: tuple[Path, tuple[Result, ...]], tmp_path: Path) -> None:
    store, results = bench
    path = write_report(results, tmp_path / "out", store=store, claims=claims.judged(results))
    assert path == tmp_path / "out" / "index.html"
    html = path.read_text(encoding="utf-8")
    laws.requests_nothing(html)
    laws.numbers_are_the_results(html, results)
    laws.images_match_by_name(html, results, store)
    laws.no_nan_is_shown(html)
    page = laws.parsed(html)
    assert len(list(page.every("article", cls="strip"))) == 6
    assert "RuntimeError: out of memory" in page.one("section", id="failed").text
    unmeasured = page.one("section", id="not-measured")
    assert [node.text for node in unmeasured.every("code")] == ["gfpbench fetch lpips-vgg"]
    how = page.one("section", id="how").text
    for fact in ("public domain", "2.15.0", "jpeg_quality", "40, 95", "unsharp mask"):
        assert fact in how
    assert "--restorer strong --restorer mild --faces astronaut --degradation sample --seed 0" in how
    assert stored.read(tmp_path / "out" / "results.json") == results
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["claims.html", "index.html", "results.json"]
    assert 'href="claims.html"' in html


def test_without_judged_claims_there_is_no_page_of_them(bench: tuple[Path, tuple[Result, ...]], tmp_path: Path) -> None:
    store, results = bench
    path = write_report(results, tmp_path, store=store)
    assert "claims.html" not in path.read_text(encoding="utf-8")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["index.html", "results.json"]


def test_every_id_is_unique_and_every_link_leads_somewhere(bench: tuple[Path, tuple[Result, ...]]) -> None:
    page = laws.parsed(render(bench[1], [bench[0]], "t"))
    ids = [node.attributes["id"] for node in page.every() if "id" in node.attributes]
    assert len(set(ids)) == len(ids)
    targets = {node.attributes["href"][1:] for node in page.every("a") if node.attributes["href"].startswith("#")}
    targets |= {node.attributes["aria-labelledby"] for node in page.every() if "aria-labelledby" in node.attributes}
    assert targets <= set(ids)
    filled_by_script = ("viewer-img", "viewer-other")
    assert all(
        node.attributes.get("alt") for node in page.every("img") if node.attributes.get("id") not in filled_by_script
    )
    assert all(node.attributes.get("scope") for node in page.every("th"))


def test_the_script_is_the_one_the_policy_allows(bench: tuple[Path, tuple[Result, ...]]) -> None:
    import base64
    import hashlib

    page = laws.parsed(render(bench[1], [bench[0]], "t"))
    digest = base64.b64encode(hashlib.sha256(page.one("script").text.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]


def test_same_results_same_bytes(bench: tuple[Path, tuple[Result, ...]], tmp_path: Path) -> None:
    """Also in another process with another hash seed, and from results read back from disk."""
    store, results = bench
    first = write_report(results, tmp_path / "a", store=store).read_bytes()
    program = (
        "import sys; from pathlib import Path; from gfpbench import report, results;"
        "a, b, store = map(Path, sys.argv[1:]); report.write_report(results.read(a / 'results.json'), b, store=store)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    words = [sys.executable, "-c", program, str(tmp_path / "a"), str(tmp_path / "b"), str(store)]
    subprocess.run(words, check=True, env=environment)
    assert (tmp_path / "b" / "index.html").read_bytes() == first
    assert (tmp_path / "b" / "results.json").read_bytes() == (tmp_path / "a" / "results.json").read_bytes()


def test_templates_are_compiled_once(bench: tuple[Path, tuple[Result, ...]]) -> None:
    laws.templates_are_compiled_once(lambda: render(bench[1], [bench[0]], "t"))


def test_hostile_names_are_text(tmp_path: Path) -> None:
    faces = {sample.HOSTILE: next(iter(sample.crops(1).values()))}
    case = Case(faces=f"./{sample.HOSTILE}", degradation=sample.HOSTILE, restorer="", seed=0)
    results = sample.bench(tmp_path / "cases", faces, {sample.HOSTILE: sample.sharpen(1)}, case=case)
    problem = Problem(sample.HOSTILE, sample.HOSTILE, sample.HOSTILE)
    record = {sample.HOSTILE: {sample.HOSTILE: [sample.HOSTILE]}}
    results = tuple(
        dataclasses.replace(
            result,
            metrics={**result.metrics, sample.HOSTILE: {**sample.METRICS["psnr_rgb"], "source": sample.HOSTILE}},
            rows=tuple(
                dataclasses.replace(
                    row, scores={**row.scores, sample.HOSTILE: 1.5}, parameters=record, attributes={"x": sample.HOSTILE}
                )
                for row in result.rows
            ),
            restorer=record,
            environment=record,
            problems=(problem,),
            not_measured={sample.HOSTILE + "2": sample.HOSTILE},
        )
        for result in results
    )
    html = write_report(results, tmp_path / "out", store=tmp_path / "cases", title=sample.HOSTILE).read_text()
    laws.names_are_escaped(html)
    laws.requests_nothing(html)
    laws.parsed(html).one("article", cls="strip")


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(name=st.text(st.characters(), min_size=1, max_size=30))
def test_any_name_makes_a_page(name: str) -> None:
    """Surrogates, controls, quotes: the page encodes, parses, and holds exactly our elements."""
    plain = render([_named("plain")], [], "plain")
    html = render([_named(name)], [], name).encode("utf-8", "backslashreplace").decode()
    tags = [node.tag for node in laws.parsed(html).every() if node.tag != "wbr"]
    known = [node.tag for node in laws.parsed(plain).every() if node.tag != "wbr"]
    if "`" not in name:  # a pair of backticks sets code
        assert tags == known
    assert all(char == "\n" or char.isprintable() for char in html)


def _named(name: str) -> Result:
    result = sample.scored("a", {"psnr_rgb": [20.0, 21.0]})
    rows = (dataclasses.replace(result.rows[0], id=name), dataclasses.replace(result.rows[1], id=name + "2"))
    return dataclasses.replace(
        result,
        case=Case(name, "d", "r" + name),
        rows=rows,
        environment={"host": name},
        problems=(Problem("faces", name, name),),
    )


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    html = write_report([], tmp_path, store=None).read_text()
    laws.requests_nothing(html)
    assert "Nothing was measured" in html


def test_a_result_without_rows_or_values_is_a_page(tmp_path: Path) -> None:
    empty = dataclasses.replace(sample.scored("a", {"psnr_rgb": [1.0]}), rows=(), not_measured={"psnr_rgb": "why"})
    html = write_report([empty], tmp_path, store=tmp_path / "absent").read_text()
    laws.requests_nothing(html)
    assert "No images were kept" in html


def test_one_row_is_a_page(tmp_path: Path) -> None:
    results = sample.bench(tmp_path / "cases", sample.crops(1), {"a": sample.sharpen(1)})
    html = write_report(results, tmp_path / "out", store=tmp_path / "cases").read_text()
    laws.numbers_are_the_results(html, results)
    laws.images_match_by_name(html, results, tmp_path / "cases")


def test_thousands_of_rows_stay_a_small_page(tmp_path: Path) -> None:
    results = sample.numbers(5000)
    html = write_report(results, tmp_path, store=tmp_path / "cases").read_text()
    laws.numbers_are_the_results(html, results)
    laws.requests_nothing(html)
    assert len(html) < 100_000
    assert "400 of 5,000 dots drawn" in html


def test_strips_are_capped_and_the_rest_is_counted(tmp_path: Path) -> None:
    """The first 24 and, of the 36 others, the 8 worst by PSNR."""
    store = tmp_path / "cases"
    faces = {f"face-{number:02d}": image for number, image in enumerate(sample.crops(60, side=24).values())}
    results = sample.bench(store, faces, {"a": sample.sharpen(1)})
    html = render(results, [store], "t")
    laws.images_match_by_name(html, results, store)
    page = laws.parsed(html)
    shown = [strip.attributes["data-id"] for strip in page.every("article", cls="strip")]
    names = list(faces)
    psnr = {row.id: float(row.scores["psnr_rgb"] or 0) for row in results[1].rows}
    worst = sorted(names[FIRST:], key=lambda name: psnr[name])[:WORST]
    assert shown[:FIRST] == names[:FIRST]
    assert set(shown[FIRST:]) == set(worst)
    note = page.one("section", id="faces").text
    assert "32 of 60 images" in note
    assert "28 images not shown" in note
    places = [int(strip.attributes["data-places"].split()[1]) for strip in page.every("article", cls="strip")]
    assert sorted(places) == list(range(32))
    by_worst = [name for _, name in sorted(zip(places, shown, strict=True))]
    assert [psnr[name] for name in by_worst] == sorted(psnr[name] for name in by_worst)


def test_worst_first_in_both_directions() -> None:
    values: list[float | None] = [3.0, 1.0, 2.0, None]
    result = sample.scored("a", {"psnr_rgb": values, "mae_rgb": values}, failures={3: "raised"})
    (group,) = summary([result]).groups
    named = dict(zip(result.image_ids, values, strict=True))
    laws.worst_comes_first(ranking(group, "psnr_rgb"), named, "higher")
    laws.worst_comes_first(ranking(group, "mae_rgb"), named, "lower")


def test_a_case_measured_twice_shows_its_images_once(tmp_path: Path) -> None:
    """Two Results of one case (another day) share a folder: images of the one are not shown as the other's."""
    store = tmp_path / "cases"
    results = sample.bench(store, sample.crops(1), {"a": sample.sharpen(1)})
    page = laws.parsed(render([*results, results[1]], [store], "t"))
    figures = [figure for figure in page.every("figure") if figure.attributes.get("data-kind") == "restored"]
    assert [figure.attributes["data-restorer"] for figure in figures] == ["a", "a (2)"]
    assert [len(list(figure.every("img"))) for figure in figures] == [1, 0]


def test_nan_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="NaN"):
        write_report([sample.scored("a", {"psnr_rgb": [float("nan")]})], tmp_path / "out", store=None)
    assert list((tmp_path / "out").iterdir()) == []


def test_small_images_are_exact_and_large_ones_bounded(tmp_path: Path) -> None:
    import base64

    import cv2

    small, large, broken = (tmp_path / f"{name}.png" for name in ("small", "large", "broken"))
    write_png(small, np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8))
    enlarged: Any = cv2.resize(next(iter(sample.crops(1).values())), (1024, 768))
    write_png(large, enlarged)
    broken.write_bytes(b"\x89PNG not an image")
    assert base64.b64decode(str(data_uri(small)).partition(",")[2]) == small.read_bytes()
    head, _, data = str(data_uri(large)).partition(",")
    assert head == "data:image/webp;base64"
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (384, 512, 3)
    assert data_uri(broken) is None


def test_the_command_is_quoted_for_a_shell() -> None:
    import shlex

    result = sample.scored("python:mine:restore", {"psnr_rgb": [1.0]})
    case = Case("my faces; rm -rf *", "paper", result.case.restorer, seed=3, size_px=128, limit=5, draws=2)
    (group,) = summary([dataclasses.replace(result, case=case)]).groups
    assert shlex.split(reproduce(group)) == [
        *["gfpbench", "run", "--restorer", "python:mine:restore", "--faces", "my faces; rm -rf *"],
        *["--degradation", "paper", "--seed", "3", "--limit", "5", "--draws", "2", "--size", "128"],
    ]


def test_dots_are_thinned_evenly_with_their_extremes() -> None:
    values = [(f"n{number}", float(number)) for number in range(1000)]
    picked = [value for _, value in spread(values[::-1], 100)]
    assert len(set(picked)) == 100
    assert (picked[0], picked[-1]) == (0.0, 999.0)
    assert max(np.diff(picked)) <= 11
    assert spread(values[::-1], 100) == spread(values, 100)
    assert spread(values[:5], 100) == values[:5]


RANGES = [(0.0, 1.0), (19.5, 31.0), (-3.0, 2.0), (1e-5, 3e-5), (0.98, 0.99), (1.0, 90000.0)]


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    marks = ticks(low, high)
    assert 2 <= len(marks) <= 7
    assert low - 1e-9 <= marks[0]
    assert marks[-1] <= high + (high - low) * 1e-9
    step = marks[1] - marks[0]
    assert np.allclose(np.diff(marks), step)
    assert f"{step:.0e}"[0] in "125"


def test_dots_stand_where_their_values_are(bench: tuple[Path, tuple[Result, ...]]) -> None:
    """Every named dot's position is a linear function of the value in the Result, the same for all rows of a chart."""
    page = laws.parsed(render(bench[1], [bench[0]], "t"))
    chart = next(chart for chart in page.every("figure", cls="chart") if chart.text.strip().startswith("psnr_rgb"))
    xs, values = [], []
    by_label = {"input (degraded)": 0, "strong": 1, "mild": 2}
    for image in chart.every("svg"):
        result = bench[1][by_label[image.attributes["aria-label"].partition(":")[0]]]
        scores = {row.id: row.scores["psnr_rgb"] for row in result.rows if row.failure is None}
        dots = list(image.every("path", cls="dots"))
        assert len(dots) == len(scores)
        for dot in dots:
            values.append(scores[dot.one("title").text.partition(":")[0]])
            xs.append(float(dot.attributes["d"][1:].split()[0]))
    slope, offset = np.polyfit(np.array(values, float), xs, 1)
    assert np.allclose(slope * np.array(values, float) + offset, xs, atol=0.2)
    assert min(xs) > 0
    assert max(xs) < 1000
