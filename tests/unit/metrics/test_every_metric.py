"""Every metric of the tables equals its oracle and keeps the laws that all metrics share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gfpbench.metrics import METRICS, load, set_measures
from gfpbench.types import BadInput, Metric, SetMetric
from tests.unit.metrics import every_metric as table
from tests.unit.metrics import pyiqa_oracles
from tests.unit.metrics.protocol_laws import seeded_weights

CASES = [(metric, law) for metric in load(list(METRICS)) for law in table.LAWS]
SETS = {one.metric.name: one.metric for one in set_measures.load(list(set_measures.SET_METRICS))}


@pytest.fixture(scope="module")
def folder(seeded_folder: Path) -> Iterator[Path]:
    with seeded_weights(seeded_folder), pyiqa_oracles.small():
        yield seeded_folder


@pytest.mark.parametrize(("metric", "law"), CASES, ids=[f"{metric.name}-{law.__name__}" for metric, law in CASES])
def test_law(metric: Metric, law: Any, folder: Path) -> None:
    law(metric, folder)


@pytest.mark.parametrize("metric", SETS.values(), ids=SETS)
def test_a_set_metric_equals_its_oracle(metric: SetMetric) -> None:
    table.set_equals_its_oracle(metric)


def test_the_oracles_are_as_many_as_the_metrics() -> None:
    assert set(table.ORACLES) == set(METRICS)
    assert set(table.SET_ORACLES) == set(SETS)


def test_a_metric_without_a_row_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(table.ORACLES, "gmsd")
    with pytest.raises(BadInput, match=f"metric 'gmsd' needs a row 'gmsd', which {table.TABLE} lacks"):
        table.equals_its_oracle(load(["gmsd"])[0], Path())
    monkeypatch.delitem(table.SET_ORACLES, "kid_clean")
    with pytest.raises(BadInput, match=f"'kid_clean' needs a row 'kid_clean', which {table.SET_TABLE} lacks"):
        table.set_equals_its_oracle(SETS["kid_clean"])
