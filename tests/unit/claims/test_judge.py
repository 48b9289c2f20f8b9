"""When a claim is held, failed or open: on scores written down, where the answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import claims
from gfpbench.types import BadInput, Result
from tests.unit.claims import results as made
from tests.unit.faces import trees

CLAIMS = {claim.id: claim for claim in claims.claims()}
N = 40
RNG = np.random.default_rng(3)
INPUT = {
    "psnr_rgb": RNG.normal(25, 3, N),
    "ssim_rgb": RNG.uniform(0.5, 0.8, N),
    "gmsd": RNG.uniform(0.1, 0.2, N),
    "lpips_vgg": RNG.uniform(0.3, 0.6, N),
}


def moved(metric: str, by: float, spread: float) -> Result:
    """The input's scores, one metric moved by about so much."""
    scores = {name: values.tolist() for name, values in INPUT.items()}
    scores[metric] = (INPUT[metric] + RNG.normal(by, spread, N)).tolist()
    return made.result("gfpgan-1", scores)


DEGRADED = made.result("input", {name: values.tolist() for name, values in INPUT.items()})
TRUTH = made.result("truth", {"psnr_rgb": [float("inf")] * N, "ssim_rgb": [1.0] * N, "lpips_vgg": [0.0] * N})


@pytest.mark.parametrize(
    ("claim", "metric", "by", "spread", "status"),
    [
        ("gfpgan-2021/lowers-LPIPS", "lpips_vgg", -0.1, 0.05, "held"),
        ("gfpgan-2021/lowers-LPIPS", "lpips_vgg", 0.1, 0.05, "failed"),
        ("gfpgan-2021/lowers-LPIPS", "lpips_vgg", 0.0, 0.05, "failed"),
        # A mean below zero that the spread between images cannot tell from zero is no improvement.
        ("gfpgan-2021/lowers-LPIPS", "lpips_vgg", -0.001, 0.1, "failed"),
        ("gfpgan-2021/PSNR-does-not-rise", "psnr_rgb", -0.3, 0.5, "held"),
        ("gfpgan-2021/PSNR-does-not-rise", "psnr_rgb", 1.0, 0.5, "failed"),
        ("gfpgan-2021/PSNR-does-not-rise", "psnr_rgb", -3.0, 0.5, "failed"),
        ("nano/raises-SSIM", "ssim_rgb", 0.05, 0.02, "held"),
        ("nano/raises-SSIM", "ssim_rgb", -0.05, 0.02, "failed"),
        ("nano/lowers-GMSD", "gmsd", -0.02, 0.01, "held"),
        ("nano/lowers-GMSD", "gmsd", 0.02, 0.01, "failed"),
        ("nano/PSNR-does-not-fall", "psnr_rgb", 0.0, 0.5, "held"),
        ("nano/PSNR-does-not-fall", "psnr_rgb", -1.0, 0.5, "failed"),
    ],
)
def test_held_and_failed(claim: str, metric: str, by: float, spread: float, status: str) -> None:
    told = claims.judge(CLAIMS[claim], moved(metric, by, spread), DEGRADED, TRUTH)
    assert told.status == status, told.reason
    assert told.images == N
    assert told.low is not None
    assert told.got is not None
    assert told.high is not None
    assert told.low <= told.got <= told.high


def of_two_people(result: Result) -> Result:
    rows = [dataclasses.replace(row, id=f"{'ab'[n % 2]}~{n // 2}") for n, row in enumerate(result.rows)]
    return dataclasses.replace(result, rows=tuple(rows), faces={"draws": N // 2})


def test_many_draws_of_two_people_are_not_many_people() -> None:
    """The mean over 40 images is clearly better, for one person it is not: that is no claim about people."""
    steps = np.where(np.arange(N) % 2, -0.005, 0.08)
    scores = {name: values.tolist() for name, values in INPUT.items()}
    scores["ssim_rgb"] = (INPUT["ssim_rgb"] + steps + RNG.normal(0, 0.01, N)).tolist()
    once = made.result("nano", scores)
    assert claims.judge(CLAIMS["nano/raises-SSIM"], once, DEGRADED, TRUTH).status == "held"
    often = [of_two_people(one) for one in (once, DEGRADED, dataclasses.replace(DEGRADED, case=TRUTH.case))]
    told = claims.judge(CLAIMS["nano/raises-SSIM"], *often)
    assert told.status == "failed"
    assert "2 people" in told.reason


def test_equal_images_improve_nothing() -> None:
    for name in ("gfpgan-2021/lowers-LPIPS", "nano/raises-SSIM", "nano/lowers-GMSD"):
        assert claims.judge(CLAIMS[name], DEGRADED, DEGRADED, TRUTH).status == "failed"


@pytest.mark.parametrize("figure", ["PSNR", "SSIM", "LPIPS"])
def test_truth_scores_best_or_the_claim_fails(figure: str) -> None:
    claim = CLAIMS[f"gfpgan-2021/truth-{figure}"]
    assert claims.judge(claim, TRUTH, DEGRADED, TRUTH).status == "held"
    told = claims.judge(claim, DEGRADED, DEGRADED, DEGRADED)
    assert told.status == "failed"
    assert f"{N} of {N} score something else" in told.reason


def test_what_was_not_measured_is_open_and_says_what_it_waits_for() -> None:
    without = made.result("gfpgan-1", {"psnr_rgb": INPUT["psnr_rgb"].tolist()})
    bare = made.result("input", {"psnr_rgb": INPUT["psnr_rgb"].tolist()}, not_measured={"lpips_vgg": "fetch it"})
    told = claims.judge(CLAIMS["gfpgan-2021/lowers-LPIPS"], without, bare, bare)
    assert (told.status, told.reason) == ("open", "waits for lpips_vgg: fetch it")
    told = claims.judge(CLAIMS["gfpgan-2021/lowers-FID"], without, bare, bare)
    assert (told.status, told.reason) == ("open", "waits for fid_legacy_vs_ffhq50k, which this run did not measure")
    told = claims.judge(CLAIMS["gfpgan-2021/truth-Deg"], without, bare, bare)
    assert told.status == "open"


def test_a_failed_restoration_or_a_blank_score_fails_every_claim() -> None:
    scores = {name: (values + 0.2).tolist() for name, values in INPUT.items()}
    failed = made.result("nano", scores, failures={3: "it raised"})
    told = claims.judge(CLAIMS["nano/raises-SSIM"], failed, DEGRADED, TRUTH)
    assert (told.status, told.reason) == ("failed", f"1 of {N} restorations failed")
    scores["ssim_rgb"][5] = None
    told = claims.judge(CLAIMS["nano/raises-SSIM"], made.result("nano", scores), DEGRADED, TRUTH)
    assert told.status == "failed"
    assert "1 of 40 restored images have no ssim_rgb" in told.reason


def test_few_images_leave_it_open_and_other_faces_are_refused() -> None:
    few = [
        made.result(name, {"ssim_rgb": [value] * 4}) for name, value in (("nano", 0.9), ("input", 0.5), ("truth", 1))
    ]
    assert claims.judge(CLAIMS["nano/raises-SSIM"], *few).status == "open"
    with pytest.raises(BadInput, match="same faces"):
        claims.judge(CLAIMS["nano/raises-SSIM"], few[0], DEGRADED, TRUTH)


def with_fid(restorer: str, value: float, half: float | None, n: int = N, **given: Any) -> Result:
    low, high = (None, None) if half is None else (value - half, value + half)
    score = {
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "n_reference": 50_000,
        "better": "lower",
        "tolerance": 0.5,
    }
    return made.result(restorer, {"psnr_rgb": [25.0] * n}, set_scores={"fid_legacy_vs_ffhq50k": score}, **given)


@pytest.mark.parametrize(
    ("claim", "fid", "rival", "half", "status"),
    [
        ("lowers-FID", 42.6, 144.0, 2.0, "held"),
        ("lowers-FID", 144.0, 42.6, 2.0, "failed"),
        ("lowers-FID", 42.6, 43.4, 2.0, "failed"),  # within what other images would give
        ("FID-beats-truth", 42.6, 43.4, 0.2, "held"),
        ("FID-beats-truth", 42.6, 43.4, None, "held"),  # beyond twice the metric's tolerance
        ("FID-beats-truth", 43.0, 43.4, None, "failed"),
        ("FID-beats-truth", 44.0, 43.4, 0.2, "failed"),
    ],
)
def test_numbers_of_whole_sets(claim: str, fid: float, rival: float, half: float | None, status: str) -> None:
    restored, other = with_fid("gfpgan-1", fid, half), with_fid("input", rival, half)
    told = claims.judge(CLAIMS[f"gfpgan-2021/{claim}"], restored, other, other)
    assert told.status == status, told.reason
    assert told.got == pytest.approx(fid - rival)


def test_a_published_number_of_a_whole_set() -> None:
    table, row = claims.row("gfpgan-2021/celeba-test/GFP-GAN")
    given = {"faces": "celeba-test", "degradation": "stored"}
    for fid, n, status in ((43.0, 3000, "held"), (60.0, 3000, "failed"), (43.0, 100, "open")):
        assert claims.judge_row(table, row, "FID", with_fid("gfpgan-1", fid, 1.0, n, **given)).status == status


def row_result(mean: float, count: int = 3000, restorer: str = "gfpgan-1", **given: Any) -> Result:
    values = np.random.default_rng(1).normal(0, 2, count)
    scores = {"psnr_rgb": (values - values.mean() + mean).tolist()}
    return made.result(restorer, scores, **({"faces": "celeba-test", "degradation": "stored"} | given))


def test_a_published_number_is_held_within_its_tolerance_only() -> None:
    table, row = claims.row("gfpgan-2021/celeba-test/GFP-GAN")
    assert claims.judge_row(table, row, "PSNR", row_result(25.08 + 0.09)).status == "held"
    told = claims.judge_row(table, row, "PSNR", row_result(25.08 - 0.11))
    assert told.status == "failed"
    assert "0.11 away, beyond 0.1" in told.reason
    assert claims.judge_row(table, row, "PSNR", row_result(25.08, faces="celeba-test:/data")).status == "held"
    assert claims.judge_row(table, row, "LPIPS", row_result(25.08)).status == "open"
    assert claims.judge_row(table, row, "PSNR", row_result(25.08, count=100)).status == "open"
    truth = row_result(0).scores("psnr_rgb")
    endless = made.result("truth", {"psnr_rgb": [float("inf")] * len(truth)}, faces="celeba-test", degradation="stored")
    assert claims.judge_row(table, table.rows[2], "PSNR", endless).status == "held"
    assert claims.judge_row(table, table.rows[2], "PSNR", row_result(60, restorer="truth")).status == "failed"


def test_a_published_number_is_about_every_folder_and_path_of_its_degradation() -> None:
    table, row = claims.row("gfpgan-2021/celeba-test/GFP-GAN")
    folder = row_result(25.08, degradation="stored:/data/what?.zip")
    assert claims.judge_row(table, row, "PSNR", folder).status == "held"
    drawn = dataclasses.replace(table, degradation="paper")
    along = row_result(25.08, degradation="paper?path=exact")
    assert claims.judge_row(drawn, row, "PSNR", along).status == "held"


@pytest.mark.parametrize("given", [{"faces": "portraits"}, {"degradation": "paper"}, {"restorer": "gfpgan-1.4"}])
def test_a_published_number_is_compared_with_nothing_else(given: dict[str, Any]) -> None:
    table, row = claims.row("gfpgan-2021/celeba-test/GFP-GAN")
    with pytest.raises(BadInput, match="is not about"):
        claims.judge_row(table, row, "PSNR", row_result(25.08, **given))


def test_absent_rows_say_what_they_wait_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    waits = {row.id: claims.waits_for(table, row, "cpu") for table in claims.tables() for row in table.rows}
    assert all(reason.startswith("waits for ") for reason in waits.values())
    assert "dataset 'celeba-test'" in waits["gfpgan-2021/celeba-test/GFP-GAN"]
    assert "a restorer that is VQFR" in waits["pmrf-2024/celeba-test/VQFR"]
    trees.celeba_test(tmp_path / "faces" / "celeba-test")
    table, row = claims.row("gfpgan-2021/celeba-test/GFP-GAN")
    assert "waits for a GPU" in claims.waits_for(table, row, "cpu")
    assert "waits for weights" in claims.waits_for(table, row, "cuda")
    assert claims.waits_for(table, table.rows[0], "cpu") == ""


def identical(result: Result, *places: int) -> Result:
    """The PSNR of these images made infinite: they equal their truth."""
    rows = [
        dataclasses.replace(row, scores={**row.scores, "psnr_rgb": float("inf")}) if number in places else row
        for number, row in enumerate(result.rows)
    ]
    return dataclasses.replace(result, rows=tuple(rows))


def test_a_published_number_is_the_mean_of_the_images_that_have_one() -> None:
    table, row = claims.row("gfpgan-2021/celeba-test/GFP-GAN")
    one = identical(row_result(25.08), 0)
    told = claims.judge_row(table, row, "PSNR", one)
    numbers = [score for score in one.scores("psnr_rgb") if score is not None and np.isfinite(score)]
    assert told.status == "held"
    assert told.got == pytest.approx(np.mean(numbers))
    assert "(1 identical)" in told.reason
    assert told.images == 3000
    # The row of the truth: one image of 3,000 that is not the truth is not an infinite mean.
    other = identical(row_result(60, restorer="truth"), *range(1, 3000))
    assert claims.judge_row(table, table.rows[2], "PSNR", other).status == "failed"


def test_an_identical_image_decides_no_claim_for_the_others() -> None:
    rises, keeps = CLAIMS["gfpgan-2021/PSNR-does-not-rise"], CLAIMS["nano/PSNR-does-not-fall"]
    falls = moved("psnr_rgb", -1.0, 0.5)
    assert claims.judge(keeps, identical(falls, 3), DEGRADED, TRUTH).status == "failed"
    both = claims.judge(rises, identical(moved("psnr_rgb", -0.3, 0.1), 3), identical(DEGRADED, 3), TRUTH)
    assert both.status == "held"
    assert both.got == pytest.approx(-0.3, abs=0.1)
    lost = claims.judge(keeps, moved("psnr_rgb", 1.0, 0.5), identical(DEGRADED, 3), TRUTH)
    assert (lost.status, "1 the other way: an infinite fall" in lost.reason) == ("failed", True)
    gained = claims.judge(rises, identical(moved("psnr_rgb", -0.3, 0.1), 3), DEGRADED, TRUTH)
    assert (gained.status, "an infinite rise" in gained.reason) == ("failed", True)
