"""Every offline per-image metric obeys every law, and its table answers for its names."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest.mock import Mock

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


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("12", "str"),
        (None, "NoneType"),
        ([1.0, 2.0], "list"),
        (1.5, "float"),
        (torch.zeros(3), r"\(3,\) torch.float32"),
        (torch.zeros(2, 1), r"\(2, 1\) torch.float32"),
        (torch.zeros(2, dtype=torch.complex128), r"\(2,\) torch.complex128"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_score_of_another_form_is_named(returned: Any, said: str) -> None:
    image = ImageBatch(torch.full((2, 3, 16, 16), 0.5), ("a", "b"))
    (sound,) = load(["psnr_rgb"])
    assert isinstance(sound, PerImageMetric)
    with pytest.raises(TypeError, match=rf"its score returned {said}, not \(2,\) real numbers"):
        dataclasses.replace(sound, score=lambda one, other: returned)(image, image)
    for fine in (torch.zeros(2), torch.zeros(2, dtype=torch.int64)):
        score = Mock(return_value=fine)
        assert dataclasses.replace(sound, score=score)(image, image).dtype == torch.float64
