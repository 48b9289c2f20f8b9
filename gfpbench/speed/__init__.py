"""How long a restorer takes and how much memory; never measured together with quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.speed.measure import measure_speed
    from gfpbench.speed.record import Speed, from_json, to_json

__all__ = ["Speed", "from_json", "measure_speed", "to_json"]

lazy_package(__name__)
