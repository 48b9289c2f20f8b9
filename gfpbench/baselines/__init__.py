"""Baselines: stored Results, their numerical noise, and the verdict of a comparison: same, better, worse or changed."""

from __future__ import annotations

from gfpbench.baselines.comparison import (
    DERIVED,
    FAILING,
    Comparison,
    Judged,
    MetricComparison,
    check_derived,
    comparison_from_json,
)
from gfpbench.baselines.decide import AnotherFile, compare
from gfpbench.baselines.envelope import measure_envelope
from gfpbench.baselines.inputs import too_many_unreadable
from gfpbench.baselines.pairing import Pairing, paired_cases, vanished
from gfpbench.baselines.repeatability import restored_again
from gfpbench.baselines.store import baseline_path, create, find, leftovers

__all__ = [
    "DERIVED",
    "FAILING",
    "AnotherFile",
    "Comparison",
    "Judged",
    "MetricComparison",
    "Pairing",
    "baseline_path",
    "check_derived",
    "compare",
    "comparison_from_json",
    "create",
    "find",
    "leftovers",
    "measure_envelope",
    "paired_cases",
    "restored_again",
    "too_many_unreadable",
    "vanished",
]
