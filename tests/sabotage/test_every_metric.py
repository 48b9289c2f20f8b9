"""Metrics that say nothing, and registries that say nothing: each is caught by the laws over all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from gfpbench import registry
from gfpbench.metrics import METRICS, faceres, load, mediapipe_faces, set_measures
from gfpbench.metrics.faceres import prepared
from gfpbench.metrics.mediapipe_faces import _back as true_back
from gfpbench.metrics.mediapipe_faces import _shown as true_shown
from gfpbench.types import BadInput, ImageBatch, SetScore
from tests.unit import test_registries
from tests.unit.metrics import every_metric as table
from tests.unit.metrics.protocol_laws import seeded_weights

SETS = {one.metric.name: one.metric for one in set_measures.load(list(set_measures.SET_METRICS))}


@pytest.fixture(scope="module")
def folder(seeded_folder: Path) -> Iterator[Path]:
    with seeded_weights(seeded_folder):
        yield seeded_folder


def always_zero(restored: Any, truth: Any) -> torch.Tensor:
    return torch.zeros(len(restored), dtype=torch.float64)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_that_is_always_0_is_caught(name: str, folder: Path) -> None:
    broken = dataclasses.replace(cast("Any", load([name])[0]), score=always_zero)
    with pytest.raises(AssertionError):
        table.equals_its_oracle(broken, folder)


def padded_on_both_sides(maps: torch.Tensor, stride: int) -> torch.Tensor:
    return torch.nn.functional.pad(maps, (1, 1, 1, 1))


def in_rgb(batch: Any) -> torch.Tensor:
    return prepared(ImageBatch(batch.pixels.flip(1), batch.ids))


@pytest.mark.parametrize(("name", "broken"), [("_padded", padded_on_both_sides), ("prepared", in_rgb)])
def test_faceres_of_another_framework_or_colour_order_is_caught(
    name: str, broken: Any, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (metric,) = load(["deg_faceres"])
    table.equals_its_oracle(metric, folder)
    monkeypatch.setattr(faceres, name, broken)
    again = dataclasses.replace(cast("Any", metric), tolerance=metric.tolerance / 2)  # scores are kept by metric
    with pytest.raises(AssertionError):
        table.equals_its_oracle(again, folder)


def a_pixel_late(points: Any, turn: Any) -> Any:
    return true_back(points, turn) + 0.5 * points / 64


def seen_from_corners(rgb: Any, turn: Any, pixels: int) -> torch.Tensor:
    """OpenCV's whole numbers taken for the corners of pixels."""
    return true_shown(rgb, turn + np.array([[0, 0, 0.5]] * 2), pixels)


@pytest.mark.parametrize("name", ["lmd_mediapipe", "gaze_mismatch"])
@pytest.mark.parametrize(("part", "broken"), [("_back", a_pixel_late), ("_shown", seen_from_corners)])
def test_points_put_back_wrongly_are_caught(
    name: str, part: str, broken: Any, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (metric,) = load([name])
    table.equals_its_oracle(metric, folder)
    monkeypatch.setattr(mediapipe_faces, part, broken)
    again = dataclasses.replace(cast("Any", metric), tolerance=metric.tolerance / 2)  # scores are kept by metric
    with pytest.raises(AssertionError):
        table.equals_its_oracle(again, folder)


def test_a_new_metric_that_is_always_0_is_caught(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Following the recipe, with the metric listed among the oracles as its own: 0 is no oracle's answer."""
    new = dataclasses.replace(cast("Any", load(["gmsd"])[0]), name="always_zero", score=always_zero)
    with pytest.raises(BadInput, match=f"needs a row 'always_zero', which {table.TABLE} lacks"):
        table.equals_its_oracle(new, folder)
    row = table.Oracle(lambda restored, truth, _: 0.0, 1e-9, table.photographs)
    monkeypatch.setitem(table.ORACLES, "always_zero", row)
    with pytest.raises(AssertionError, match="which proves nothing"):
        table.equals_its_oracle(new, folder)


@pytest.mark.parametrize("name", SETS)
def test_a_set_metric_that_is_always_0_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = SETS[name]
    said = metric.score(*(metric.statistics([table.set_laws.normal(60, seed)]) for seed in (1, 2)))
    zero: SetScore = dataclasses.replace(said, value=0.0)
    monkeypatch.setattr(type(metric), "score", lambda self, restored, reference: zero)
    with pytest.raises(AssertionError):
        table.set_equals_its_oracle(metric)


def a_bare_key_error(rows: Any, key: str, needed_by: str, where: str) -> Any:
    return rows[key]


def without_the_file(rows: Any, key: str, needed_by: str, where: str) -> Any:
    if key not in rows:
        raise BadInput(f"{needed_by} needs a row {key!r}, and something lacks it")
    return rows[key]


def an_empty_row(rows: Any, key: str, needed_by: str, where: str) -> Any:
    return rows.get(key)


@pytest.mark.parametrize("broken", [a_bare_key_error, without_the_file, an_empty_row])
def test_a_registry_that_does_not_tell_what_is_missing_is_caught(
    broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = next(one for one in test_registries.COMPANIONS if one.entry.startswith("set metric"))
    monkeypatch.setattr(set_measures, "companion", broken)
    with pytest.raises((AssertionError, KeyError, AttributeError, pytest.fail.Exception)):
        test_registries.is_told(missing, monkeypatch)


def test_the_law_holds_for_the_honest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = next(one for one in test_registries.COMPANIONS if one.entry.startswith("set metric"))
    monkeypatch.setattr(set_measures, "companion", registry.companion)
    test_registries.is_told(missing, monkeypatch)
