"""The page of a large table: images that stand for the others, bounded in size, and all rows in a script beside it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from gfpbench.images import write_png
from gfpbench.report import model, page, write_report
from gfpbench.report.row_table import row_table
from gfpbench.report.selection import SAMPLE, SIZES, WORST, Drawn, fitting, of_many
from gfpbench.report.summary import summary
from gfpbench.run import recorder
from gfpbench.run.recorder import BEST, Kept, image_path, sample_key
from gfpbench.types import BadInput, Result
from tests.child import BROWSER
from tests.unit.report import laws, sample
from tests.unit.report.test_viewer import shown

MANY, IMAGES = 30, 60
SCORES = [float(score) for score in np.random.default_rng(0).permutation(IMAGES)]


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (model, recorder):
        monkeypatch.setattr(module, "MANY", MANY)


def many(store: Path | None = None) -> list[Result]:
    """Input and one restorer on 60 images, of which one failed; with ``store``, an image of each was kept."""
    results = [
        sample.scored("input", {"psnr_rgb": [20.0] * IMAGES}),
        sample.scored(
            "a", {"psnr_rgb": [None if n == 7 else SCORES[n] for n in range(IMAGES)]}, failures={7: "raised"}
        ),
    ]
    if store is not None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        for result in results:
            for name in result.image_ids:
                write_png(image_path(store / result.case.id, name, "restored"), noise)
    return results


def stands_for_the_others(choose: Callable[[Sequence[str], dict[str, float], int], dict[str, str]]) -> None:
    """The law: each image is of the kind that it is called, and the sample depends on nothing but names and seed."""
    names = [f"f{number}" for number in range(200)]
    bad = {name: float(place) for place, name in enumerate(reversed(names))} | {"f3": math.inf, "f5": -math.inf}
    found = choose(names, bad, 0)
    ranked = sorted((name for name in names if math.isfinite(bad[name])), key=lambda name: -bad[name])
    of = {why: [name for name in found if found[name] == why] for why in ("worst", "median", "best", "sample")}
    assert of["worst"] == ["f3", *ranked[: WORST - 1]], "the worst, failures first"
    assert of["best"] == ranked[: -BEST - 1 : -1], "the best"
    assert {abs(ranked.index(name) - (len(ranked) - 1) / 2) for name in of["median"]} <= {0, 0.5, 1, 1.5, 2}, "median"
    others = [name for name in names if name not in {*of["worst"], *of["best"], *of["median"]}]
    assert of["sample"] == sorted(others, key=lambda name: sample_key(name, 0))[:SAMPLE], "the sample"
    assert [name for name, why in choose(names, bad, 1).items() if why == "sample"] != of["sample"], "the seed"


def test_those_shown_stand_for_the_others() -> None:
    stands_for_the_others(of_many)
    assert of_many(["a", "b"], {}, 0).keys() == {"a", "b"}  # no metric that says which is worse: all are a sample


def test_the_page_of_many_images(tmp_path: Path) -> None:
    results = many(tmp_path / "cases")
    path = write_report(results, tmp_path / "out", store=tmp_path / "cases")
    html = path.read_text()
    laws.requests_nothing(html)
    seen = laws.parsed(html)
    policy = seen.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert re.search(r"script-src 'sha256-[^']+' 'strict-dynamic'$", policy)
    faces = seen.one("section", id="faces").text
    assert "32 of 60 images, of 60 whose images were kept: the 8 worst, 4 nearest the median, the 8 best" in faces
    assert "a sample of 12; by psnr_rgb" in faces
    assert len(list(seen.every("article", cls="strip"))) == 32
    assert seen.one("details", cls="rows").attributes["data-file"] == "rows-1.js"
    assert sorted(file.name for file in path.parent.iterdir()) == ["index.html", "results.json", "rows-1.js"]


def test_a_small_page_is_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(model, "MANY", IMAGES)
    html = page.render(many(), [tmp_path], "t")
    assert "strict-dynamic" not in html
    assert "gfpbenchRows" not in html
    assert "details.rows" not in html
    assert 'class="rows"' not in html


def rows_are_the_results(text: str, results: Sequence[Result]) -> None:
    """The law: the file holds every number of every row, six digits of it, and every failure."""
    data = json.loads(json.loads(re.fullmatch(r'// .*\ngfpbenchRows\("[0-9a-f]{16}", (".*")\);\n', text)[1]))  # type: ignore[index]
    assert data["ids"] == list(results[0].image_ids)
    for result, line in zip(results, data["lines"].values(), strict=True):
        for place, row in enumerate(result.rows):
            assert line["failed"].get(str(place)) == row.failure
            wanted = None if row.failure or row.scores["psnr_rgb"] is None else f"{row.scores['psnr_rgb']:.5g}"
            value = line["scores"]["psnr_rgb"][place]
            assert (None if value is None else f"{value:.5g}") == wanted, row.id


def test_all_rows_lie_beside_it() -> None:
    (group,) = summary(many()).groups
    table = row_table(group, 3)
    rows_are_the_results(table.text, many())
    assert table.file == "rows-3.js"
    assert table.text.isascii()
    assert table.digest in table.text


def test_infinite_scores_and_hostile_names_are_data() -> None:
    result = sample.scored(sample.HOSTILE, {"psnr_rgb": [math.inf, *[1.0] * MANY]})
    (group,) = summary([result]).groups
    text = row_table(group, 1).text
    assert text.count("\n") == 2
    assert '\\"psnr_rgb\\":[\\"inf\\",1.0' in text


def test_files_of_an_earlier_page_go_and_those_of_others_stay(tmp_path: Path) -> None:
    write_report(many(), tmp_path, store=None)
    other = tmp_path / "rows-mine.js"
    other.write_text("mine")
    write_report([sample.scored("a", {"psnr_rgb": [1.0]})], tmp_path, store=None)
    assert sorted(file.name for file in tmp_path.glob("rows-*")) == ["rows-mine.js"]
    (tmp_path / "rows-1.js").write_text("mine")
    with pytest.raises(BadInput, match=r"rows-1\.js: was not written by gfpbench"):
        write_report(many(), tmp_path, store=None)
    assert (tmp_path / "rows-1.js").read_text() == "mine"


def keeps_within_its_room(fit: Callable[..., tuple[dict[str, str], Drawn]]) -> None:
    """The law: what is chosen fits, whatever images there are; all kinds stay while there is room for one of each."""
    names = {f"{why}{number}": why for why in ("worst", "median", "best") for number in range(8)}

    def size_of(some: Sequence[str], drawn: Drawn) -> int:
        return len(some) * (drawn.side_px**2 + drawn.exact_side_px)

    for room in (24 * 512**2, 24 * 300**2, 24 * 128**2, 10 * 128**2, 3 * 128**2):
        found, drawn = fit(names, size_of, room)
        assert size_of(list(found), drawn) <= room, "too large"
        assert set(found.values()) == {"worst", "median", "best"}
    largest = size_of(list(names), SIZES[0])
    assert fit(names, size_of, largest) == (names, SIZES[0])
    assert fit(names, size_of, largest - 1) == (names, SIZES[1])


def test_images_keep_within_their_room() -> None:
    keeps_within_its_room(fitting)


def test_the_images_of_the_page_are_drawn_smaller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "ROOM", 100_000)
    html = page.render(many(tmp_path), [tmp_path], "t")
    images = re.findall(r'src="(data:image/\w+)[^"]*"', html)
    assert set(images) == {"data:image/webp"}
    assert sum(map(len, re.findall(r'src="data:[^"]*"', html))) < 110_000


def kept_of(rows: Sequence[float | None], images: int, *, first: int = 5) -> set[str]:
    kept = Kept(Path(), first, 8, {"psnr_rgb": {"better": "higher"}}, images=images, seed=3)
    failures = {number: "raised" for number, score in enumerate(rows) if score is None}
    result = sample.scored("a", {"psnr_rgb": list(rows)}, failures=failures)
    for start in range(0, len(rows), 8):
        kept.add(result.rows[start : start + 8])
    return kept.ids


def test_a_large_run_keeps_the_best_and_a_sample_too() -> None:
    rows = [None if number in (4, 9, 14) else SCORES[number] for number in range(IMAGES)]
    names = [f"f{number}" for number in range(IMAGES)]
    by_score = sorted((n for n in range(IMAGES) if rows[n] is not None), key=SCORES.__getitem__)
    ranked = [names[number] for number in by_score]
    sampled = sorted(names, key=lambda name: sample_key(name, 3))[: recorder.SAMPLE]
    assert kept_of(rows, IMAGES) == {*names[:5], *ranked[:8], *ranked[-BEST:], *sampled, "f4", "f9"}
    assert kept_of(rows, MANY) == {*names[:5], "f4", "f9", "f14", *ranked[:5]}
    assert kept_of(rows, IMAGES, first=0) == kept_of(rows, MANY, first=0)


def test_files_go_with_their_names(tmp_path: Path) -> None:
    """Whatever stands among the images at first is removed, and later what is no longer kept."""
    image_path(tmp_path, "f0", "restored").parent.mkdir(parents=True)
    for name in ("leaving", *(f"f{number}" for number in range(IMAGES))):
        image_path(tmp_path, name, "restored").touch()
    kept = Kept(tmp_path, 5, 8, {"psnr_rgb": {"better": "higher"}}, images=IMAGES, seed=3)
    result = sample.scored("a", {"psnr_rgb": list(SCORES)})
    for start in range(0, IMAGES, 8):
        kept.add(result.rows[start : start + 8])
        for row in result.rows[start : start + 8]:
            if row.id in kept.ids:
                image_path(tmp_path, row.id, "restored").touch()
        kept.prune()
        left = {path.name for path in (tmp_path / "images").iterdir()}
        assert left == {image_path(tmp_path, name, "restored").name for name in kept.ids}


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt install chromium")
def test_the_table_in_a_browser(tmp_path: Path) -> None:
    path = write_report(many(tmp_path / "cases"), tmp_path / "out", store=tmp_path / "cases")
    wanted = {"rows": 1}
    table = shown(path, tmp_path / "profile", **wanted).one("details", cls="rows")
    assert table.one("output").text == "1 – 60 of 60"
    assert [one.text for one in table.one("thead").every("button")] == ["image", "psnr_rgb"]
    body = [[cell.text for cell in row.every("td")] for row in table.one("tbody").every("tr")]
    assert [cells[0] for cells in body] == ["–" if n == 7 else f"{SCORES[n]:g}" for n in range(IMAGES)]
    assert "failed: raised" in list(table.one("tbody").every("tr"))[7].text
    rows = path.parent / "rows-1.js"
    text = rows.read_text()
    for damage, says in ((text[:-200], "is damaged, or belongs to another page"), (None, "is not beside this page")):
        rows.write_text(damage) if damage is not None else rows.unlink()
        found = shown(path, tmp_path / "profile", **wanted)
        assert f"rows-1.js {says}" in found.one("span", cls="said").text
        assert len(list(found.every("article", cls="strip"))) == 32
