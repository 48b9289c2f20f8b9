"""The gallery keeps what it says: each defect is where it belongs, one metric sees it, another does not."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gfpbench.cli import look
from gfpbench.gallery import CASES, COLUMNS, Gallery, Score, Shown, measure
from gfpbench.images import Bytes
from gfpbench.report.formatting import shown
from gfpbench.report.gallery import PAGE, render, write_gallery
from gfpbench.types import BadInput
from tests.unit.gallery.laws import keeps_its_promise, stays_in_its_place
from tests.unit.report.laws import parsed

NAMES = [case.name for case in CASES]
Y, X = (np.mgrid[:128, :128] + 0.5) / 128
OUTSIDE: dict[str, np.ndarray] = {
    "mismatched-eyes": (np.abs(X - 0.63) > 0.05) | (np.abs(Y - 0.47) > 0.05),
    "odd-hair": (np.hypot((X - 0.5) / 0.22, (Y - 0.6) / 0.2) < 1) | (Y > 0.85),
    "lost-identity": (np.abs(X - 0.5) > 0.25) | (np.abs(Y - 0.6) > 0.3),
}
"""Where nothing of a defect may be, in fractions of an FFHQ crop."""


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return measure()


@pytest.fixture
def one(gallery: Gallery, request: pytest.FixtureRequest) -> Shown:
    return gallery.shown[NAMES.index(request.param)]


@pytest.mark.parametrize("one", NAMES, indirect=True)
def test_one_metric_sees_it_and_another_does_not(one: Shown) -> None:
    keeps_its_promise(one)


@pytest.mark.parametrize("one", OUTSIDE, indirect=True)
def test_a_defect_is_where_it_belongs(one: Shown) -> None:
    stays_in_its_place(one, OUTSIDE[one.case.name])


def test_cases_are_whole(gallery: Gallery) -> None:
    assert [one.case for one in gallery.shown] == [*CASES]
    assert len(set(NAMES)) == len(NAMES)
    for one in gallery.shown:
        assert tuple(one.scores) == COLUMNS
        assert {one.case.sees, one.case.blind} <= set(COLUMNS)
        blank = [score.metric for score in one.scores.values() if score.untouched is None]
        assert blank == (["deg_dlib", "lmd_dlib", "eye_mismatch"] if one.case.name == "occlusion" else [])
        assert all("no face is found in the true image" in one.scores[metric].why for metric in blank)


def test_no_metric_sees_every_case_and_only_one_sees_the_eyes(gallery: Gallery) -> None:
    """As the page says."""
    seen = {metric: [one.case.name for one in gallery.shown if one.scores[metric].moved] for metric in COLUMNS}
    assert all(len(names) < len(CASES) for names in seen.values())
    assert [metric for metric, names in seen.items() if "mismatched-eyes" in names] == ["eye_mismatch"]


@pytest.mark.parametrize(
    ("untouched", "defect", "noise", "moved", "times"),
    [
        (1.0, 1.25, 0.5, False, 0.5),
        (1.0, 0.0, 0.5, True, 2.0),
        (1.0, 1.5, 0.5, False, 1.0),  # as large as the noise is not beyond it
        (20.0, np.inf, 0.5, True, np.inf),
        (1.0, 1.0, 0.0, False, 0.0),
        (1.0, 1.1, 0.0, True, np.inf),
        (None, None, None, False, None),
    ],
)
def test_a_score_moves_beyond_its_noise(
    untouched: float | None, defect: float | None, noise: float | None, moved: bool, times: float | None
) -> None:
    score = Score("ssim_rgb", "", "higher", untouched, defect, noise)
    assert (score.moved, score.times_noise) == (moved, times)


def test_the_page_shows_what_was_measured(gallery: Gallery, tmp_path: Path) -> None:
    path = write_gallery(gallery, tmp_path / "new")
    assert path == tmp_path / "new" / PAGE
    html = path.read_text(encoding="utf-8")
    assert "http" not in html.replace('http-equiv="', "")
    page = parsed(html)
    assert list(page.every("script")) == []
    for one in gallery.shown:
        section = page.one("section", id=one.case.name)
        assert one.case.text in section.text
        images = [_decoded(node.attributes["src"]) for node in section.every("img")]
        assert all(np.array_equal(*pair) for pair in zip(images, (one.truth, one.untouched, one.defect), strict=True))
        for role, metric in (("sees", one.case.sees), ("blind", one.case.blind)):
            row, score = section.one("tr", cls=role), one.scores[metric]
            assert row.attributes["data-metric"] == metric
            before, after, change, noise, said = (cell.text for cell in row.every("td"))
            digits = len(before.partition(".")[2])
            assert (before, after) == (shown(score.untouched, digits), shown(score.defect, digits))
            assert change.lstrip("+") == shown(score.change, digits)
            assert noise == f"± {shown(score.noise, digits)}"
            assert said == ("sees it" if role == "sees" else "does not see it")
    cells = [cell for row in page.one("section", id="all").one("tbody").every("tr") for cell in row.every("td")]
    assert len(cells) == len(CASES) * len(COLUMNS)
    every = [score for one in gallery.shown for score in one.scores.values()]
    assert ["moved" in cell.attributes.get("class", "") for cell in cells] == [score.moved for score in every]


def test_a_promise_that_is_not_kept_is_shown_as_it_is(gallery: Gallery) -> None:
    first = gallery.shown[0]
    name = first.case.sees
    scores = {**first.scores, name: replace(first.scores[name], defect=first.scores[name].untouched)}
    page = parsed(render(replace(gallery, shown=(replace(first, scores=scores),))))
    assert [*page.one("tr", cls="sees").every("td")][-1].text == "does not see it"


def test_the_command_writes_the_page(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gfpbench.gallery.measure", lambda: gallery)
    look.gallery_(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CASES) + 1
    assert lines[1].startswith("Eyes that do not match: eye_mismatch sees it (0.")
    assert "; deg_dlib does not (" in lines[1]
    assert lines[-1] == f"page: {tmp_path / PAGE}"
    assert (tmp_path / PAGE).exists()


def test_what_is_not_ours_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gfpbench.gallery.measure", None)  # it is told before anything is measured
    (tmp_path / PAGE).write_text("<p>mine</p>")
    with pytest.raises(BadInput, match="was not written by gfpbench"):
        look.gallery_(tmp_path)
    with pytest.raises(BadInput, match=r"--to .*: is a file; give a folder"):
        look.gallery_(tmp_path / PAGE)
    assert (tmp_path / PAGE).read_text() == "<p>mine</p>"


def _decoded(uri: str) -> Bytes:
    encoded = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    return np.asarray(cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)  # type: ignore[arg-type]
