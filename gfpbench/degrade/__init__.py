"""Degradations by name: each turns clean faces into degraded ones, reproducibly for any single image.

To add one: write an object with ``draw``, ``apply`` and ``describe`` (``gfpbench.types.Degradation``), or another
``Chain`` of steps in ``presets.py``, and add its row to the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from gfpbench.registry import named_alike, resolve
from gfpbench.types import BadInput, Degradation

DEGRADATIONS: Mapping[str, str] = {
    "paper": "gfpbench.degrade.presets:PAPER",
    "upstream": "gfpbench.degrade.presets:UPSTREAM",
    "report": "gfpbench.degrade.presets:REPORT",
    "none": "gfpbench.degrade.presets:NONE",
    "stored": "gfpbench.degrade.stored:STORED",
}
"""Name -> "module:attribute" of a Degradation."""


def load(name: str) -> Degradation:
    """The degradation of that name, of ``stored:PATH``, or of an axis at a severity from 0 to 1 such as ``noise@0.25``.

    Raises BadInput with the nearest names for an unknown one.
    """
    if name.startswith("stored:"):
        from gfpbench.degrade.stored import stored_in

        return cast(Degradation, stored_in(name.removeprefix("stored:")))
    if "@" in name:
        from gfpbench.degrade.axes import load_at, load_axis

        if load_axis(name.rpartition("@")[0]).acts_on == "scene":
            raise BadInput(f"{name!r} changes the scene and its truth, not the image: use `gfpbench collapse --axis`")
        return load_at(name)
    found = cast(Degradation, resolve("degradation", DEGRADATIONS, name, also="or an axis at a severity: noise@0.25"))
    named_alike("degradation", name, found.name, "DEGRADATIONS in gfpbench/degrade/__init__.py")
    return found


def describe(name: str) -> str:
    """One line about a degradation, for lists. Raises BadInput for an unknown name."""
    return str(load(name).describe()["summary"])
