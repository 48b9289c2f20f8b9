"""The page of published tables: ours beside theirs, what is open never shown as held, hostile names harmless."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import claims, faces
from gfpbench.report.claims import claim_lines, sheets, write_claims
from gfpbench.types import FaceSet, Result
from tests.unit.claims import results as made


def measured(psnr: float = 25.1) -> tuple[Result, ...]:
    """CelebA-Test as three restorers would leave it, with PSNR and SSIM alone."""
    values = np.random.default_rng(0).normal(0, 2, 3000)
    values -= values.mean()
    given: dict[str, Any] = {"faces": "celeba-test", "degradation": "stored"}
    rows = (("gfpgan-1", psnr, 0.6777), ("input", 25.35, 0.6848), ("truth", float("inf"), 1.0))
    return tuple(
        made.result(
            name,
            {
                "psnr_rgb": [mean] * 3000 if np.isinf(mean) else (values + mean).tolist(),
                "ssim_rgb": [ssim] * 3000,
            },
            not_measured={"lpips_vgg": "lpips_vgg needs the asset 'vgg16'"},
            **given,
        )
        for name, mean, ssim in rows
    )


def test_without_results_everything_is_open(tmp_path: Path) -> None:
    lines = claim_lines(claims.judged(()))
    assert lines[0] == f"claims: 0 held, 0 failed, {len(claims.claims())} open"
    html = unescape(write_claims(claims.judged(()), tmp_path).read_text())
    measured_parts = re.sub(r'<section id="agreements".*?</section>', "", html, flags=re.S)
    assert len(measured_parts) < len(html)  # papers against each other, for which nothing is measured
    assert ">held<" not in measured_parts
    assert ">failed<" not in measured_parts
    for table in claims.tables():
        assert table.title in html
        for row in table.rows:
            assert row.method in html


def test_papers_stand_against_each_other_with_what_differs(tmp_path: Path) -> None:
    judged = claims.judged(())
    html = unescape(write_claims(judged, tmp_path).read_text())
    shown = dict(re.findall(r'data-agreement="([^"]+)" data-status="(\w+)"', html))
    assert shown == {one.id: one.status for one in judged.agreements}
    assert shown["gfpgan-2021/celeba-test/GFP-GAN/SSIM = pmrf-2024/celeba-test/GFPGAN"] == "held"
    assert "not the same images: DAEFR's degraded images (input FID about 267)" in html
    lines = claim_lines(judged)
    assert any(line.startswith("papers against each other: ") and "0 failed" in line for line in lines)
    assert any("SSIM = pmrf-2024/celeba-test/GFPGAN: 0.0003 away, within 0.001" in line for line in lines)


def test_ours_stands_beside_theirs_with_difference_and_interval(tmp_path: Path) -> None:
    html = write_claims(claims.judged(measured()), tmp_path).read_text()
    cell = re.search(r"25\.08</span>.{0,200}", html, re.S)
    assert cell is not None
    assert "ours 25.10 (25.03 to 25.17)" in cell[0]
    assert "0.02 away, 0.1 allowed" in cell[0]
    assert "ours ∞" in html
    sheet = next(sheet for sheet in sheets(claims.judged(measured())) if sheet.table.id == "gfpgan-2021/celeba-test")
    statuses = {key: told.status for key, told in sheet.cells.items()}
    assert statuses["gfpgan-2021/celeba-test/GFP-GAN", "PSNR"] == "held"
    assert statuses["gfpgan-2021/celeba-test/GFP-GAN", "LPIPS"] == "open"
    assert any("vgg16" in reason for _, reason in sheet.waiting)


def test_a_number_beyond_its_tolerance_is_shown_as_failed(tmp_path: Path) -> None:
    results = measured(24.0)
    lines = claim_lines(claims.judged(results))
    assert any("failed gfpgan-2021/celeba-test/GFP-GAN/PSNR" in line for line in lines)
    html = write_claims(claims.judged(results), tmp_path).read_text()
    assert re.search(r'class="bad">ours 24\.00', html)


def test_claims_are_judged_for_each_restorer_that_makes_them() -> None:
    told = {(one.id, one.restorer): one.status for one in claims.judge_claims(measured())}
    assert told["gfpgan-2021/PSNR-does-not-rise", "gfpgan-1"] == "held"
    assert told["gfpgan-2021/lowers-LPIPS", "gfpgan-1"] == "open"
    assert told["gfpgan-2021/truth-PSNR", "truth"] == "held"
    assert told["nano/raises-SSIM", ""] == "open"
    # Without its input beside it nothing can be said of a restorer.
    alone = {(one.id, one.restorer): one.status for one in claims.judge_claims(measured()[:1])}
    assert alone["gfpgan-2021/PSNR-does-not-rise", ""] == "open"


def test_the_page_is_well_formed_and_names_stay_text(tmp_path: Path) -> None:
    hostile = "checkpoint:<script>alert('gfpgan')</script>\u202e"
    results = measured()
    renamed = replace(results[0], case=replace(results[0].case, restorer=hostile))
    html = write_claims(claims.judged([renamed, *results[1:]]), tmp_path).read_text()
    assert "<script" not in html
    assert "\u202e" not in html
    assert "alert" in html  # it is there, as text

    opened: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "br"):
                opened.append(tag)
            assert not any(name in ("src", "onclick") for name, _ in attrs)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Parser().feed(html)
    assert opened == []
    assert not list(tmp_path.glob(".*.part"))


def test_a_run_opens_no_face_set_that_it_does_not_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    load = faces.load

    def watched(name: str) -> FaceSet:
        opened.append(name)
        return load(name)

    monkeypatch.setattr(faces, "load", watched)
    embedded = tuple(replace(one, case=replace(one.case, faces="embedded")) for one in measured())
    told = [outcome for _, row, outcome in claims.judged(embedded, elsewhere=False).numbers if row.restorer]
    assert opened == []
    assert {outcome.status for outcome in told} == {"open"}
    assert {outcome.reason.partition(" --")[0] for outcome in told} == {"waits for a run: gfpbench run"}
    claims.judged(measured()[:1], elsewhere=False)  # of its own set it says what is missing
    assert set(opened) == {"celeba-test"}
