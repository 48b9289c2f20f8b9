"""Inputs restored once more: dependence on order, other images, state or chance is seen; what has none passes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import baselines, restorers, run
from gfpbench.baselines.repeatability import INPUTS, restored_again
from gfpbench.types import BadInput, Case, ImageBatch, Result

CASE = Case("embedded", "paper", "bicubic", draws=5)


class Mine:
    """Bicubic, with something done to each batch."""

    def __init__(self, change: Any) -> None:
        self.name, self.inner, self.change = "python:mine:net", restorers.load("bicubic"), change

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        restored = self.inner(degraded)
        return ImageBatch(self.change(restored.pixels.clone()).clamp(0, 1), restored.ids)

    def provenance(self) -> dict[str, str]:
        return {"restorer": self.name}


def flipped_at_will(x: torch.Tensor) -> torch.Tensor:
    """Test-time augmentation that nobody seeded: the mean of two flips, or not."""
    return (x + x.roll(1, 3)) / 2 if torch.rand(()) < 0.5 else x


def mixed(x: torch.Tensor) -> torch.Tensor:
    """Normalised by the statistics of the batch."""
    return x - 0.2 * (x.mean() - 0.5)


class Counting:
    """Another answer the longer it lives."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * (1 - 0.02 * self.calls)


def over_its_buffer(x: torch.Tensor) -> torch.Tensor:
    """Right for as many images as somebody once tried at a time."""
    return x if len(x) < INPUTS else x.flip(3)


def measured(change: Any, folder: Path) -> tuple[Result, run.Parts]:
    bare = run.load(CASE, device="cpu", metrics=["psnr_rgb"])
    parts = dataclasses.replace(bare, restorer=Mine(change))
    return run.run_case(CASE, parts, store=folder, keep_images=0, batch_size=3), parts


@pytest.mark.parametrize(
    "change",
    [flipped_at_will, mixed, Counting(), over_its_buffer],
    ids=["chance", "other images", "state", "full batches"],
)
def test_answers_that_depend_on_more_than_the_input_are_seen(change: Any, tmp_path: Path) -> None:
    torch.manual_seed(3)
    result, parts = measured(change, tmp_path)
    again = restored_again(result, parts=parts)
    assert again is not None
    comparison = baselines.compare(result, result, again=again)
    (verdict,) = comparison.failures
    assert (verdict.metric, verdict.kind) == ("repeat", "changed")
    assert "restored again in another order and company" in verdict.reason
    # Noise that was measured of such a restorer allows nothing.
    wide = {"scores": {}, "restored": {"thumbnail_rgb": 200.0, "mean_levels": 100.0, "std_levels": 100.0}}
    hidden = dataclasses.replace(result, envelope={"repeat": wide})
    assert not baselines.compare(result, hidden, again=again).passed


def test_answers_that_depend_on_the_input_alone_pass(tmp_path: Path) -> None:
    result, parts = measured(lambda x: x * 0.9, tmp_path)
    again = restored_again(result, parts=parts)
    assert again is not None
    assert len(again.rows) == min(INPUTS, len(result.rows))
    assert list(again.image_ids) == sorted(again.image_ids, key=result.image_ids.index, reverse=True)
    assert baselines.compare(result, result, again=again).passed


def test_of_few_images_each_has_other_company(tmp_path: Path) -> None:
    """One batch of all of them, as in the run, would say nothing of a restorer that mixes the images of a batch."""
    few = dataclasses.replace(CASE, draws=1)
    parts = dataclasses.replace(run.load(few, device="cpu", metrics=["psnr_rgb"]), restorer=Mine(mixed))
    result = run.run_case(few, parts, store=tmp_path, keep_images=0)
    again = restored_again(result, parts=parts)
    assert again is not None
    assert [verdict.metric for verdict in baselines.compare(result, result, again=again).failures] == ["repeat"]


def test_a_failure_the_second_time_is_seen(tmp_path: Path) -> None:
    result, parts = measured(lambda x: x * 0.9, tmp_path)

    def raising(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of memory")

    again = restored_again(result, parts=dataclasses.replace(parts, restorer=Mine(raising)))
    assert again is not None
    assert [verdict.metric for verdict in baselines.compare(result, result, again=again).failures] == ["repeat"]


def test_the_truth_is_not_restored_again(tmp_path: Path) -> None:
    case = dataclasses.replace(CASE, restorer="truth")
    assert restored_again(run.measure(case, store=tmp_path, metrics=["psnr_rgb"])) is None


def test_no_baseline_is_made_of_a_restorer_that_draws_lots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, parts = measured(lambda x: x + torch.randn(x.shape) / 255, tmp_path)
    monkeypatch.setattr(run, "load", lambda *given, **named: parts)
    with pytest.raises(BadInput, match="no baseline is made: the same images restored once more are others"):
        baselines.create(tmp_path / "baselines", result)
    assert not (tmp_path / "baselines").exists()


@pytest.mark.parametrize(("images", "size"), [(16, 7), (8, 7), (5, 8), (20, 8), (56, 6), (840, 9), (1, 8)])
def test_the_last_batch_is_smaller_where_nobody_says(images: int, size: int) -> None:
    assert run.batch_size_for(images) == size
