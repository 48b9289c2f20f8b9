"""The reference of degradation axes, each with the embedded face at four severities."""

from __future__ import annotations

import numpy as np

from gfpbench.degrade.axes import AXES, load_axis, strip
from gfpbench.degrade.axes.axis import Axis
from gfpbench.faces import load
from gfpbench.images import Bytes
from tests.site.markdown import facts, text

SEVERITIES = (0.25, 0.5, 0.75, 1.0)
FACE = "astronaut"
SIDE_PX = 192


def file_of(name: str) -> str:
    """The image of an axis, as the page names it."""
    return f"axis-{name}.png"


def image(name: str, side_px: int = SIDE_PX) -> Bytes:
    """(side, 4 side, 3) uint8 RGB: what a restorer is given at the four severities, weakest first."""
    faces = load("embedded", size_px=side_px, draws=1)
    (face_id,) = (one for one in faces.ids() if FACE in one)
    return np.concatenate(strip(load_axis(name), faces.load(face_id), SEVERITIES), axis=1)


def axes() -> str:
    """A section for each axis: image, quantity, ends, trained range, what it acts on."""
    return "\n\n".join(_section(load_axis(name)) for name in AXES)


def _section(axis: Axis) -> str:
    values = [f"{axis.value_at(severity):.3g}" for severity in SEVERITIES]
    shown = f"Severity 0.25, 0.5, 0.75 and 1: {', '.join(values)} {axis.unit}"
    trained = f"{axis.trained_range[0]:g} to {axis.trained_range[1]:g} {axis.unit}" if axis.trained_range else "none"
    acts = (
        "the image; the truth stays the clean face"
        if axis.acts_on == "image"
        else "the scene; the truth is changed alike"
    )
    known = [
        ("from harmless to hardest", f"{axis.harmless:g} to {axis.hardest:g} {axis.unit}, {axis.spacing} steps"),
        ("trained range of GFP-GAN's paper", trained),
        ("changes", acts),
        ("base", f"`{axis.base}`"),
        ("source", text(axis.source)),
    ]
    summary = text(axis.summary)
    return "\n\n".join(
        (
            f"## {axis.name}",
            f"{summary[0].upper()}{summary[1:]}.",
            f"![{axis.name}: the embedded face at four severities]({file_of(axis.name)})",
            f"{shown}.",
            facts(known),
        )
    )
