"""Nothing changed since the baselines were made. To make them: pytest tests/regression --baseline-update"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from gfpbench import assets, run
from gfpbench.baselines import Comparison, leftovers
from gfpbench.plugin import Bench
from gfpbench.report import comparison_lines
from gfpbench.restorers import RESTORERS
from gfpbench.types import Case

OFFLINE = tuple(name for name in RESTORERS if not assets.for_restorer(name))

EMBEDDED = (
    *(
        Case("embedded", degradation, restorer)
        for degradation, restorer in product(("paper", "upstream", "report"), OFFLINE)
    ),
    *(Case("embedded", "none", restorer) for restorer in ("classical", "nano")),
)
"""Everything that needs no download: these baselines come with gfpbench."""


def check(comparison: Comparison) -> None:
    """Worse, missing and changed fail; better passes and is listed as stale at the end of the run."""
    assert comparison.passed, "\n" + "\n".join(comparison_lines(comparison))


def test_restoration_is_as_its_baseline(comparison: Comparison) -> None:
    check(comparison)


@pytest.mark.parametrize("case", EMBEDDED, ids=lambda case: case.id)
def test_embedded_case_is_as_its_baseline(bench: Bench, tmp_path: Path, case: Case) -> None:
    # What the command line describes is measured in full and shared with other tests, the rest by pixel metrics alone.
    described = case == bench.case(case.restorer)
    check(bench.compare(bench.measure(case) if described else run.measure(case, store=tmp_path, device=bench.device)))


def test_no_baseline_is_left_over(bench: Bench) -> None:
    assert leftovers(bench.baselines, cases=EMBEDDED) == ()
