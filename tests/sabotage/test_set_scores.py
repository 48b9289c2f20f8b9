"""Set metrics measured wrongly by the engine, and reports that hide a protocol: each fails its check."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from gfpbench.report import side_tables, summary
from gfpbench.run import engine, recorder, sets
from tests.unit.report import test_protocols as told
from tests.unit.run import test_set_scores as real

READ, FEATURES_OF = recorder.Features.read, sets.features_of


def without_the_first_batch(self: Any, key: str, written: Any) -> Iterator[torch.Tensor]:
    parts = READ(self, key, written)
    next(parts)
    return parts


def only_the_last_batch(self: Any, key: str, written: Any) -> Iterator[torch.Tensor]:
    return iter(list(READ(self, key, written))[-1:])


def the_first_batch_twice(self: Any, key: str, written: Any) -> Iterator[torch.Tensor]:
    parts = list(READ(self, key, written))
    return iter([parts[0], *parts[:-1]])


def truth_for_restored(measures: Any, restored: Any, truth: Any, notes: Any) -> Any:
    return FEATURES_OF(measures, truth, truth, notes)


def exchanged(measures: Any, restored: Any, truth: Any, notes: Any) -> Any:
    return FEATURES_OF(measures, restored, restored, notes)


BROKEN = [
    (recorder.Features, "read", without_the_first_batch),
    (recorder.Features, "read", only_the_last_batch),
    (recorder.Features, "read", the_first_batch_twice),
    (engine, "features_of", truth_for_restored),
    (engine, "features_of", exchanged),
]


@pytest.mark.parametrize(("where", "what", "broken"), BROKEN, ids=[broken.__name__ for _, _, broken in BROKEN])
def test_a_set_score_of_other_images_is_noticed(where: Any, what: str, broken: Any, tmp_path: Path) -> None:
    toy = real.ToyWithSets()
    with patch.object(where, what, broken):
        result = toy.measure(tmp_path)
    with pytest.raises(AssertionError):
        real.check_score_is_that_of_all_images(toy, result)


def test_features_written_after_the_commit_are_missed(tmp_path: Path) -> None:
    """A kill between commit and features: the run must not go on as if they were there."""
    with (
        patch.object(recorder.Features, "has", lambda self, start: True),
        patch.object(recorder.Features, "write", lambda self, start, features: None),
        pytest.raises(real.laws.Stopped),
    ):
        real.ToyWithSets().measure(tmp_path, progress=real.laws.stop_after(4))
    result = real.ToyWithSets().measure(tmp_path)
    real.check_score_is_that_of_all_images(real.ToyWithSets(), result)


def test_a_gap_without_its_step_is_noticed() -> None:
    with patch.object(side_tables, "differences", lambda a, b: {}), pytest.raises(AssertionError):
        told.test_each_gap_is_named_by_its_step()


def test_two_protocols_under_one_metric_are_noticed() -> None:
    """The figure of one protocol shown under the other's name."""
    value_of = side_tables.value_of
    one = patch.object(side_tables, "value_of", lambda line, metric: value_of(line, "psnr_rgb"))
    with one, pytest.raises(AssertionError):
        told.test_each_gap_is_named_by_its_step()


def test_failures_in_a_group_mean_are_noticed() -> None:
    def counting_failures(result: Any, metric: str) -> dict[str, float]:
        return {row.id: row.scores[metric] or 0.0 for row in result.rows}

    with patch.object(side_tables, "measured", counting_failures), pytest.raises(AssertionError):
        told.test_failed_and_blank_faces_are_in_no_group_mean()


def test_group_means_of_all_faces_are_noticed(tmp_path: Path) -> None:
    def everybody(line: Any) -> Any:
        ids = list(line.result.image_ids)
        return {"pose": {"front": ids[:3] + ids[3:], "side": ids[3:]}}

    with patch.object(side_tables, "categories", everybody), pytest.raises(AssertionError):
        told.test_groups_have_means_and_intervals_of_their_own(tmp_path)


def test_the_checks_pass_unbroken(tmp_path: Path) -> None:
    toy = real.ToyWithSets()
    real.check_score_is_that_of_all_images(toy, toy.measure(tmp_path))
    told.test_each_gap_is_named_by_its_step()
    assert summary([dataclasses.replace(told.measured())]).groups
