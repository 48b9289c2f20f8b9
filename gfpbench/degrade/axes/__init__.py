"""Degradation axes: severity 0 is harmless, 1 is beyond any training range; values in physical units.

To add one: write an ``Effect`` (``axis.py``) and an ``Axis`` in the file of its family, and add its row to
the table below, to ``PROMISED`` (``tests/degradation/laws_axes.py``) and to ``PHYSICS`` (``laws_axes_physics.py``).

Examples:
    >>> import torch
    >>> from gfpbench.types import ImageBatch
    >>> batch = ImageBatch(torch.full((1, 3, 64, 64), 0.5), ("grey",))
    >>> axis = load_axis("noise")
    >>> axis.value_at(0.5), axis.unit
    (60.0, 'grey levels')
    >>> axis.degraded(batch, 0.5, seed=0).size
    (64, 64)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from gfpbench.degrade.axes.axis import Axis, severity_in
from gfpbench.degrade.axes.faces import faces_to_restore, strip
from gfpbench.degrade.axes.steps import BASES
from gfpbench.registry import companion, named_alike, resolve
from gfpbench.types import BadInput, Degradation

__all__ = ["AXES", "Axis", "describe", "faces_to_restore", "load_at", "load_axis", "strip"]

TABLE = "AXES in gfpbench/degrade/axes/__init__.py"

AXES: Mapping[str, str] = {
    "blur": "gfpbench.degrade.axes.strength:BLUR",
    "noise": "gfpbench.degrade.axes.strength:NOISE",
    "jpeg": "gfpbench.degrade.axes.strength:JPEG",
    "downscale": "gfpbench.degrade.axes.strength:DOWNSCALE",
    "all": "gfpbench.degrade.axes.strength:ALL",
    "motion-blur": "gfpbench.degrade.axes.strength:MOTION_BLUR",
    "double-jpeg": "gfpbench.degrade.axes.strength:DOUBLE_JPEG",
    "face-scale": "gfpbench.degrade.axes.pose:FACE_SCALE",
    "roll": "gfpbench.degrade.axes.pose:ROLL",
    "yaw": "gfpbench.degrade.axes.pose:YAW",
    "pitch": "gfpbench.degrade.axes.pose:PITCH",
    "misalignment": "gfpbench.degrade.axes.pose:MISALIGNMENT",
    "occlusion-eyes": "gfpbench.degrade.axes.occlusion:EYES",
    "occlusion-nose": "gfpbench.degrade.axes.occlusion:NOSE",
    "occlusion-mouth": "gfpbench.degrade.axes.occlusion:MOUTH",
    "occlusion-half": "gfpbench.degrade.axes.occlusion:HALF",
    "occlusion-bar": "gfpbench.degrade.axes.occlusion:BAR",
    "occlusion-glasses": "gfpbench.degrade.axes.occlusion:GLASSES",
    "occlusion-mask": "gfpbench.degrade.axes.occlusion:MASK",
    "occlusion-hand": "gfpbench.degrade.axes.occlusion:HAND",
    "side-light": "gfpbench.degrade.axes.light:SIDE_LIGHT",
    "overexposure": "gfpbench.degrade.axes.light:OVEREXPOSURE",
    "underexposure": "gfpbench.degrade.axes.light:UNDEREXPOSURE",
    "gamma-dark": "gfpbench.degrade.axes.light:GAMMA_DARK",
    "gamma-bright": "gfpbench.degrade.axes.light:GAMMA_BRIGHT",
    "colour-warm": "gfpbench.degrade.axes.light:COLOUR_WARM",
    "colour-cool": "gfpbench.degrade.axes.light:COLOUR_COOL",
    "asymmetry-light": "gfpbench.degrade.axes.light:ASYMMETRY_LIGHT",
    "asymmetry-detail": "gfpbench.degrade.axes.asymmetry:ASYMMETRY_DETAIL",
    "asymmetry-shape": "gfpbench.degrade.axes.asymmetry:ASYMMETRY_SHAPE",
}
"""Name -> "module:attribute" of an Axis."""


def load_axis(name: str) -> Axis:
    """The axis of that name; ``noise+middle`` is the axis ``noise`` on the base ``middle`` (see ``Axis.on``).

    Raises BadInput with the nearest names for an axis or a base that there is not.
    """
    plain, plus, base = name.partition("+")
    axis = cast(Axis, resolve("axis", AXES, plain))
    named_alike("axis", plain, axis.name, TABLE)
    companion(BASES, axis.base, f"axis {plain!r}", "BASES in gfpbench/degrade/axes/steps.py")
    return axis.on(base) if plus else axis


def load_at(name: str) -> Degradation:
    """The degradation that ``Axis.at`` names, such as ``noise@0.25``: what a stored Result says can be run again.

    For axes that change the scene this is the half that a camera and a file do; ``faces_to_restore`` is the other.
    Raises BadInput for a name that is no axis, or a severity outside 0 to 1.
    """
    axis, at, severity = name.rpartition("@")
    if not at:
        raise BadInput(f"{name!r} names no severity: write it as {name}@0.5, with 0 harmless and 1 hardest")
    return load_axis(axis).at(severity_in(severity))


def describe(name: str) -> str:
    """One line about an axis, for lists. Raises BadInput for an unknown name."""
    axis = load_axis(name)
    return f"{axis.summary} ({axis.harmless:g} to {axis.hardest:g} {axis.unit})"
