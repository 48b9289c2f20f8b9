"""The whole pipeline with gfpbench's own faces, degradations, restorers and metrics, everything given by name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from gfpbench import images, run
from gfpbench.types import BadInput, Case
from tests.unit.run import laws

CASE = Case(faces="embedded", degradation="paper", restorer="classical", size_px=64, draws=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def test_every_row_is_scored_as_skimage_scores_the_kept_images(store: Path) -> None:
    import cv2

    result = run.measure(CASE, store=store)
    assert len(result.rows) >= 6
    assert result.problems == ()
    for row in result.rows:
        restored, truth = (
            cv2.imread(str(run.image_path(store / CASE.id, row.id, kind))) for kind in ("restored", "truth")
        )
        assert restored is not None
        assert truth is not None
        assert row.scores["psnr_rgb"] == pytest.approx(peak_signal_noise_ratio(truth, restored), abs=1e-9)
        assert images.pixels_sha256(np.ascontiguousarray(truth[..., ::-1])) == row.face_sha256
    assert "192 px" in result.not_measured["niqe"]


@pytest.mark.parametrize("restorer", ["input", "truth", "bicubic", "classical"])
def test_what_was_measured_can_be_verified(store: Path, restorer: str) -> None:
    result = run.measure(replace(CASE, restorer=restorer), store=store)
    assert run.verify(result, store=store) == ()


def test_restored_files_score_as_the_restorer_that_made_them(store: Path, tmp_path: Path) -> None:
    result = run.measure(CASE, store=store)
    for row in result.rows:
        shutil.copy(run.image_path(store / CASE.id, row.id, "restored"), tmp_path / f"{row.id}.png")
    (tmp_path / "stranger.png").write_bytes((tmp_path / f"{result.rows[0].id}.png").read_bytes())
    files = run.measure(replace(CASE, restorer=f"outputs:{tmp_path}"), store=store)
    assert [row.scores for row in files.rows] == [row.scores for row in result.rows]
    assert [problem.subject for problem in files.problems] == ["stranger.png"]
    (tmp_path / f"{result.rows[1].id}.png").unlink()
    fewer = run.measure(replace(CASE, restorer=f"outputs:{tmp_path}"), store=store)
    assert [row.id for row in fewer.rows if row.failure is not None] == [result.rows[1].id]
    assert [row.scores for row in fewer.rows[2:]] == [row.scores for row in result.rows[2:]]


def test_one_metric_at_a_time_gives_the_same_numbers(store: Path) -> None:
    result = run.measure(CASE, store=store)
    alone = run.measure(CASE, store=store / "alone", metrics=["ssim_y"])
    assert list(alone.metrics) == ["ssim_y"]
    assert alone.scores("ssim_y") == result.scores("ssim_y")


def test_a_stopped_run_of_real_parts_ends_with_the_same_bytes(tmp_path: Path) -> None:
    case = replace(CASE, faces="embedded", degradation="upstream")
    run.measure(case, store=tmp_path / "undisturbed", batch_size=2)
    with pytest.raises(laws.Stopped):
        run.measure(case, store=tmp_path / "stopped", batch_size=2, progress=laws.stop_after(2))
    run.measure(case, store=tmp_path / "stopped", batch_size=2)
    laws.check_same(tmp_path / "undisturbed" / case.id, tmp_path / "stopped" / case.id)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"restorer": "classicle"}, "classical"),
        ({"degradation": "papers"}, "paper"),
        ({"faces": "embeded"}, "embedded"),
        ({"limit": 0}, "limit of 0"),
    ],
)
def test_misspelt_names_are_answered_with_near_ones(tmp_path: Path, change: dict[str, object], line: str) -> None:
    with pytest.raises(BadInput, match=line):
        run.measure(replace(CASE, **change), store=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="psnr_rgb"):
        run.measure(CASE, store=tmp_path, metrics=["psnr_rbg"])
    with pytest.raises(BadInput, match="batch size of 0"):
        run.measure(CASE, store=tmp_path, batch_size=0)
    with pytest.raises(BadInput, match="here are auto, cpu"):
        run.measure(CASE, store=tmp_path, device="tpu")


def test_a_draw_count_is_part_of_the_name() -> None:
    assert CASE.id == "classical-embedded-paper-s0-64px-d3"
    assert replace(CASE, draws=None).id != CASE.id
