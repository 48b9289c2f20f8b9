"""The page and the terminal of a challenge: score, sets, failing images, and what leaves the score out."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from gfpbench.metrics import ITSELF_REASON, protocols
from gfpbench.report.page import write_report
from gfpbench.report.text import terminal_lines
from gfpbench.types import Result
from tests.unit.claims import test_challenge as made


def page(given: Result, folder: Path) -> str:
    return unescape(write_report([given], folder, store=None).read_text())


@pytest.fixture
def _measurable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol with a metric for each figure, whatever this machine can measure."""
    monkeypatch.setitem(protocols.PROTOCOLS, "ntire-2025", made.protocol())


@pytest.mark.usefixtures("_measurable")
def test_the_score_stands_beside_the_verdict_and_what_its_identity_means(tmp_path: Path) -> None:
    given = made.result(failing=3)
    html = page(given, tmp_path)
    score = made.told(given).score
    assert score is not None
    assert re.search(rf'data-challenge="ntire-2025" data-restorer="theirs" data-score="{score}"', html)
    assert f"Score {score:.4f}" in html
    assert "3 of 450 images fail; 10 may" in re.sub(r"\s+", " ", html)
    assert "AdaFace compares each output with its own low-quality input: doing nothing scores 1." in html
    assert re.findall(r'data-part="([^"]+)"', html) == [*made.protocol().challenge.parts, "all"]  # type: ignore[union-attr]
    for lost in made.told(given).failing:
        assert lost.image_id in html.replace("<wbr>", "")
    lines = terminal_lines([given], None)
    assert any(
        line.startswith(f"  theirs under ntire-2025: Score {score:.4f}, valid: 3 of 450 images fail") for line in lines
    )
    assert "doing nothing scores 1" in "\n".join(lines)


@pytest.mark.usefixtures("_measurable")
def test_more_than_ten_failing_images_are_not_valid_on_the_page(tmp_path: Path) -> None:
    html = page(made.result(failing=11), tmp_path)
    assert re.search(r'class="bad">Not valid</b>', html)


@pytest.mark.usefixtures("_measurable")
def test_missing_images_leave_the_score_out_in_words(tmp_path: Path) -> None:
    given = made.without(made.result(), 3, "WebPhoto-Test")
    html = page(given, tmp_path)
    assert "Score not measured" in html
    assert "data-score=" not in re.findall(r"<p[^>]*data-challenge[^>]*>", html)[0]
    assert "images are missing: 97 of 100 of WebPhoto-Test are here" in html
    assert "images are missing: 97 of 100 of WebPhoto-Test are here" in "\n".join(terminal_lines([given], None))


def test_a_score_whose_weights_are_not_here_names_them(tmp_path: Path) -> None:
    """The protocol as it is, on a machine that measured nothing of it."""
    real = protocols.find("ntire-2025")
    given = replace(
        made.result(),
        protocols={"ntire-2025": dict(real.figures)},
        set_scores={},
        not_measured={
            **real.not_measured,
            "cos_adaface_vs_input": "cos_adaface needs the asset 'adaface-ir50', which is not here",
            "fid_legacy_vs_ffhq50k": "fid_legacy needs the asset 'inception-fid', which is not here",
        },
    )
    html = page(given, tmp_path)
    assert "Score not measured" in html
    assert "Validity not known" in html
    assert "AdaFace: cos_adaface needs the asset 'adaface-ir50'" in html
    assert "MUSIQ: pyiqa_musiq was not measured" in html
    assert "FID: fid_legacy needs the asset 'inception-fid'" in html


def test_what_one_restorer_alone_lacks_is_said_of_that_one() -> None:
    """The row of the inputs has no identity; beside a restorer that has one, that is no line about both."""
    real = protocols.find("ntire-2025")
    both = {"pyiqa_musiq": "pyiqa_musiq needs an asset"}
    theirs = replace(made.result(), set_scores={}, protocols={"ntire-2025": dict(real.figures)}, not_measured=both)
    given = replace(
        theirs,
        case=replace(theirs.case, restorer="input"),
        not_measured={**both, "cos_adaface_vs_input": ITSELF_REASON},
        metrics={},
        rows=tuple(replace(row, scores={}) for row in theirs.rows),
    )
    lines = terminal_lines([given, theirs], None)
    assert f"    input: AdaFace: {ITSELF_REASON}" in lines
    assert [line for line in lines if "MUSIQ: pyiqa_musiq needs an asset" in line] == [
        "    MUSIQ: pyiqa_musiq needs an asset"
    ]


def test_other_protocols_have_no_such_section(tmp_path: Path) -> None:
    given = replace(made.result(), protocols={"gfpgan-paper": dict(protocols.find("gfpgan-paper").figures)})
    assert "data-challenge" not in page(given, tmp_path)
