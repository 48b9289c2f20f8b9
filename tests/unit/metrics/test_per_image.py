"""Every offline per-image metric obeys every law, and its table answers for its names."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from gfpbench.metrics import DEFAULT, METRICS, load
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, ImageBatch, Metric
from tests.unit.metrics import per_image_laws

CASES = [(metric, law) for metric in load() for law in per_image_laws.laws_for(metric)]


@pytest.mark.parametrize(("metric", "law"), CASES, ids=[f"{metric.name}-{law.__name__}" for metric, law in CASES])
def test_law(metric: Metric, law: Any) -> None:
    law(metric)


def test_the_table_names_each_metric_as_it_names_itself() -> None:
    assert [metric.name for metric in load(list(METRICS))] == list(METRICS)
    assert [metric.name for metric in load()] == list(DEFAULT)
    assert all(isinstance(metric, Metric) for metric in load())


def test_the_caller_decides_the_order() -> None:
    assert [metric.name for metric in load(["niqe", "psnr_rgb"])] == ["niqe", "psnr_rgb"]
    assert load([]) == ()


@pytest.mark.parametrize(
    ("names", "line"), [(["psnr"], "psnr_rgb"), (["gmsd", "niqe", "gmsd"], "more than once: gmsd")]
)
def test_names_that_are_refused(names: list[str], line: str) -> None:
    with pytest.raises(BadInput, match=line):
        load(names)


def test_one_pixel_has_a_psnr_and_nothing_else() -> None:
    pixel = ImageBatch(torch.full((1, 3, 1, 1), 0.5), ("pixel",))
    other = ImageBatch(torch.full((1, 3, 1, 1), 0.25), ("pixel",))
    for metric in load():
        if metric.minimum_side_px == 1:
            assert 0 < metric(pixel, other).item() < 20
        else:
            with pytest.raises(BadInput, match="1 x 1 px"):
                metric(pixel, other)


def test_a_score_that_is_no_number_is_an_error() -> None:
    image = ImageBatch(torch.full((2, 3, 200, 200), 0.5), ("a", "b"))
    sound = load(["psnr_rgb"])[0]
    assert isinstance(sound, PerImageMetric)
    broken = dataclasses.replace(sound, score=lambda one, other: torch.tensor([1.0, torch.nan]))
    with pytest.raises(BadInput, match=r"psnr_rgb is undefined \(not a number\) for b"):
        broken(image, image)
