"""What a report says about each metric: where it comes from, and why differences below its tolerance are the same."""

from __future__ import annotations

import pytest

from gfpbench.metrics import METRICS, load


@pytest.mark.parametrize("metric", load(list(METRICS)), ids=lambda metric: metric.name)
def test_source_and_reason_are_said(metric: object) -> None:
    for field in ("source", "tolerance_reason"):
        said = getattr(metric, field)
        assert isinstance(said, str), field
        assert len(said.split()) >= 2, field
