"""The page in a real browser: links into it, the viewer's ways of comparing, the filter of the strips."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

from gfpbench.report import write_report
from gfpbench.report.page import render
from gfpbench.report.strips import images_of
from gfpbench.types import Result
from tests import child
from tests.child import BROWSER
from tests.unit.report import laws, sample

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt install chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, tuple[Result, ...]]:
    """The page, the folder of its images, and its Results."""
    folder = tmp_path_factory.mktemp("page")
    results = sample.bench(folder / "cases", sample.crops(3), {"a": sample.sharpen(1), "b": sample.sharpen(0.3)})
    return write_report(results, folder / "report", store=folder / "cases"), folder / "cases", results


def shown(path: Path, profile: Path, **fragment: object) -> laws.Node:
    """The document after its scripts ran, opened by a link with these words behind the #."""
    words = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    words += ["--virtual-time-budget=4000", "--dump-dom", f"{path.as_uri()}#{urlencode(fragment)}"]
    done = child.run_group(words, timeout=120)  # Chromium has children, which hold the pipe
    assert done.returncode == 0, done.stderr
    return laws.parsed(done.stdout)


def test_a_link_opens_the_face_in_its_version(page: tuple[Path, Path, tuple[Result, ...]], tmp_path: Path) -> None:
    face = page[2][0].image_ids[1]
    seen = shown(page[0], tmp_path, face=face, version="b")
    viewer = seen.one("dialog")
    assert "open" in viewer.attributes
    assert seen.one("b", id="viewer-what").text == "b"
    assert face in seen.one("span", id="viewer-id").text
    strip = next(one for one in seen.every("article") if one.attributes.get("data-id") == face)
    wanted = next(one for one in strip.every("figure") if one.attributes.get("data-restorer") == "b").one("img")
    assert seen.one("img", id="viewer-img").attributes["src"] == wanted.attributes["src"]
    assert "open" not in shown(page[0], tmp_path, face="nobody").one("dialog").attributes
    assert "open" not in shown(page[0], tmp_path).one("dialog").attributes


def test_the_difference_is_that_of_the_images(page: tuple[Path, Path, tuple[Result, ...]], tmp_path: Path) -> None:
    path, store, results = page
    face = results[0].image_ids[0]
    wanted = {"face": face, "version": "a", "mode": "difference", "with": "ground truth", "gain": 8}
    note = shown(path, tmp_path, **wanted).one("span", id="viewer-note").text
    case = next(result.case.id for result in results if result.case.restorer == "a")
    files = images_of(store, case, face)
    a, b = (np.asarray(Image.open(files[kind]).convert("RGB"), np.int32) for kind in ("restored", "truth"))
    apart = np.abs(a - b)
    assert html.unescape(note) == (
        f"a − ground truth: mean {apart.mean():.2f}, at most {apart.max()} of 255; shown 8 times"
    )


def test_the_slider_shows_the_other_version_right_of_the_line(
    page: tuple[Path, Path, tuple[Result, ...]], tmp_path: Path
) -> None:
    face = page[2][0].image_ids[0]
    wanted = {"face": face, "version": "a", "mode": "slider", "with": "b", "at": 30}
    other = shown(page[0], tmp_path, **wanted).one("img", id="viewer-other")
    assert re.search(r"clip-path: inset\(0(px)? 0(px)? 0(px)? 30%\)", other.attributes["style"])


@pytest.mark.parametrize(
    ("text", "those"),
    [
        ("{first}", lambda names, scores: {names[0]}),
        ("a.psnr_rgb<{middle}", lambda names, scores: {n for n in names if scores[n] < sorted(scores.values())[1]}),
        ("A.PSNR_RGB>={middle}", lambda names, scores: {n for n in names if scores[n] >= sorted(scores.values())[1]}),
        ("{first} a.psnr_rgb<0", lambda names, scores: set()),
        ("nobody", lambda names, scores: set()),
    ],
)
def test_the_filter_shows_what_fulfils_it(
    page: tuple[Path, Path, tuple[Result, ...]], tmp_path: Path, text: str, those: object
) -> None:
    assert callable(those)
    result = next(one for one in page[2] if one.case.restorer == "a")
    scores = {row.id: float(row.scores["psnr_rgb"] or 0) for row in result.rows}
    names = list(scores)
    asked = text.format(first=names[0], middle=repr(sorted(scores.values())[1]))
    strips = shown(page[0], tmp_path, filter=asked).every("article")
    visible = {one.attributes["data-id"] for one in strips if "hidden" not in one.attributes}
    assert visible == those(names, scores)


def test_columns_are_picked_where_they_are_many(tmp_path: Path) -> None:
    wide, narrow = sample.wide()[:1], [sample.scored("a", {"psnr_rgb": [1.0, 2.0]})]
    (tmp_path / "wide.html").write_text(render(wide, [], "t"), encoding="utf-8")
    (tmp_path / "narrow.html").write_text(render(narrow, [], "t"), encoding="utf-8")
    boxes = shown(tmp_path / "wide.html", tmp_path / "profile").one("details", cls="columns").every("input")
    assert len(list(boxes)) == len(wide[0].metrics) > 7
    assert not list(shown(tmp_path / "narrow.html", tmp_path / "profile").every("details", cls="columns"))


def test_scores_are_drawn_against_what_was_drawn(page: tuple[Path, Path, tuple[Result, ...]], tmp_path: Path) -> None:
    figure = shown(page[0], tmp_path).one("figure", cls="scatter")
    assert "hidden" not in figure.attributes
    names = [option.text for option in figure.one("select", cls="across").every("option")]
    assert names == list(sample.drawn(0))
    dots = list(figure.every("circle"))
    images = len(page[2][0].rows)
    assert len(dots) == 3 * images  # input, a and b
    titles = {dot.one("title").text for dot in dots}
    row = next(one for one in page[2] if one.case.restorer == "a").rows[0]
    value, at = (float(f"{one:.5g}") for one in (row.scores["psnr_rgb"], row.parameters["blur_sigma_px"]))
    assert f"{row.id} · a: {value:g} at {at:g}" in titles
