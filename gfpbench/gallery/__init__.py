"""A gallery of what goes wrong in face restoration: each case with a metric that sees it and one that does not.

``defects.py`` makes the cases from an embedded face, ``cases.py`` lists them and measures them.
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
