"""Is another way to compute a restorer (ONNX, bf16, torch.compile, another file) still the same restorer?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.parity.candidate import Shown
    from gfpbench.parity.measuring import Measured, measure_parity
    from gfpbench.parity.record import Bound, Compared, Control, Difference, Finding, Parity, Quality, Timed, from_json

__all__ = [
    "Bound",
    "Compared",
    "Control",
    "Difference",
    "Finding",
    "Measured",
    "Parity",
    "Quality",
    "Shown",
    "Timed",
    "from_json",
    "measure_parity",
]

lazy_package(__name__)
