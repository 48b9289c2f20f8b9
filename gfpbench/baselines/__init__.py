"""Baselines: stored Results, their numerical noise, and the verdict of a comparison: same, better, worse or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
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
    from gfpbench.baselines.inputs import (
        holds_scores,
        metrics_without_a_score,
        nothing_measured,
        too_many_unreadable,
    )
    from gfpbench.baselines.pairing import Pairing, paired_cases, vanished
    from gfpbench.baselines.paths import measured_along
    from gfpbench.baselines.quality import QUALITY, create, find, leftovers, under_another_name
    from gfpbench.baselines.repeatability import restored_again
    from gfpbench.baselines.store import Store, Update, is_due

__all__ = [
    "DERIVED",
    "FAILING",
    "QUALITY",
    "AnotherFile",
    "Comparison",
    "Judged",
    "MetricComparison",
    "Pairing",
    "Store",
    "Update",
    "check_derived",
    "compare",
    "comparison_from_json",
    "create",
    "find",
    "holds_scores",
    "is_due",
    "leftovers",
    "measure_envelope",
    "measured_along",
    "metrics_without_a_score",
    "nothing_measured",
    "paired_cases",
    "restored_again",
    "too_many_unreadable",
    "vanished",
    "under_another_name",
]

lazy_package(__name__)
