"""A gallery of what goes wrong in face restoration: each case with a metric that sees it and one that does not.

``cases.py`` lists them, ``defects.py`` makes the mistakes, ``measured.py`` measures both.
"""

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.gallery.cases import CASES, COLUMNS, GalleryCase
    from gfpbench.gallery.measured import Bench, Gallery, Score, Shown, Untouched, measure, open_bench, shown, untouched

__all__ = [
    "CASES",
    "COLUMNS",
    "Bench",
    "Gallery",
    "GalleryCase",
    "Score",
    "Shown",
    "Untouched",
    "measure",
    "open_bench",
    "shown",
    "untouched",
]

lazy_package(__name__)
