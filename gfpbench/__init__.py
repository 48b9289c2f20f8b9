"""gfpbench: a benchmark and regression suite for blind face restoration, GFP-GAN first.

What a notebook or a script needs is here; each name is imported when it is first used, so that ``import gfpbench``
loads neither torch nor anything else.

Examples:
    >>> import gfpbench
    >>> result = gfpbench.measure("bicubic", limit=2, metrics=["psnr_rgb"])
    >>> for metric, mean in gfpbench.means(result).items():
    ...     print(f"{metric}: {mean.mean:.1f} dB over {mean.n} images, 95 % from {mean.low:.1f} to {mean.high:.1f}")
    psnr_rgb: ... dB over 2 images, 95 % from ... to ...
"""

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.baselines import Comparison, compare
    from gfpbench.collapse import Collapse, CollapsePackage, collapse_lines
    from gfpbench.degrade import DegradePackage
    from gfpbench.notebook import compute, load_faces, load_restorer, means, measure, show_face, write_report
    from gfpbench.report import comparison_lines, summary_html
    from gfpbench.report.rows import rows
    from gfpbench.statistics import Interval
    from gfpbench.types import BadInput, Case, GfpbenchError, ImageBatch, Result

__version__ = "0.1.0"

__all__ = [
    # what is measured, and what comes of it
    "Case",
    "ImageBatch",
    "Result",
    "Interval",
    "Comparison",
    "Collapse",
    "GfpbenchError",
    "BadInput",
    # from faces to a report
    "load_faces",
    "load_restorer",
    "degrade",
    "measure",
    "means",
    "compare",
    "comparison_lines",
    "write_report",
    "rows",
    # what a notebook displays
    "show_face",
    "summary_html",
    # one metric, and where a restorer collapses
    "compute",
    "collapse",
    "collapse_lines",
]

degrade: "DegradePackage"
"""The package ``gfpbench.degrade``, which can be called: degraded images of clean ones."""
collapse: "CollapsePackage"
"""The package ``gfpbench.collapse``, which can be called: where a restorer collapses on an axis."""

lazy_package(__name__)
