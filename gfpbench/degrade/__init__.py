"""Clean faces to degraded ones: a visible table of named degradations, each repeatable for any single image.

To add one: write an object with ``draw``, ``apply`` and ``describe`` (``gfpbench.types.Degradation``), or another
``Chain`` of steps in ``presets.py``, and add its row to the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from gfpbench.tables import resolve
from gfpbench.types import Degradation

DEGRADATIONS: Mapping[str, str] = {
    "paper": "gfpbench.degrade.presets:PAPER",
    "upstream": "gfpbench.degrade.presets:UPSTREAM",
    "report": "gfpbench.degrade.presets:REPORT",
    "none": "gfpbench.degrade.presets:NONE",
    "stored": "gfpbench.degrade.stored:STORED",
}
"""Name -> "module:attribute" of a Degradation."""


def load(name: str) -> Degradation:
    """The degradation of that name, or of ``stored:PATH``. Raises BadInput with the nearest names for an unknown one."""
    if name.startswith("stored:"):
        from gfpbench.degrade.stored import stored_in

        return stored_in(name.removeprefix("stored:"))
    return cast(Degradation, resolve("degradation", DEGRADATIONS, name))


def describe(name: str) -> str:
    """One line about a degradation, for lists. Raises BadInput for an unknown name."""
    return str(load(name).describe()["summary"])
