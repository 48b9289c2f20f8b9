"""Statistics over images: means, confidence intervals, paired tests and correction for many questions, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.statistics.bootstrap import (
        FEW_PEOPLE,
        LEVEL,
        RESAMPLES,
        Floats,
        Interval,
        bootstrap_mean,
        draws,
        expanded_percentiles,
        independent_difference,
        median_interval,
        predicted_mean,
    )
    from gfpbench.statistics.means import (
        Mean,
        best_of,
        interval_of,
        is_identical,
        mean_of,
        people_of,
        prepare_intervals,
    )
    from gfpbench.statistics.paired import PairedColumns, PairedDifference, holm, paired_columns, paired_difference
    from gfpbench.statistics.ranks import over_images, over_rows

__all__ = [
    "FEW_PEOPLE",
    "LEVEL",
    "RESAMPLES",
    "Floats",
    "Interval",
    "Mean",
    "PairedColumns",
    "PairedDifference",
    "best_of",
    "bootstrap_mean",
    "draws",
    "expanded_percentiles",
    "holm",
    "independent_difference",
    "interval_of",
    "is_identical",
    "mean_of",
    "median_interval",
    "over_images",
    "over_rows",
    "paired_columns",
    "paired_difference",
    "people_of",
    "predicted_mean",
    "prepare_intervals",
]

lazy_package(__name__)
