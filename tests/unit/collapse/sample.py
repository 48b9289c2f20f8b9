"""A collapse point made of numbers, for what is written to disk and said about it."""

from __future__ import annotations

from gfpbench.collapse import Collapse, Question, Step

FOUND = Collapse(
    question=Question("nano", "noise+middle", criteria=("input", "face"), draws=4),
    kind="collapses",
    severity=0.65,
    value=78.0,
    interval=(0.5, 0.75),
    value_interval=(60.0, 90.0),
    onset=0.0,
    recovers=None,
    fails=("face",),
    unit="grey levels",
    trained=(0.0, 0.125),
    steps=(Step(0.0, 0.0, 0.6, 0.5, {"input": (0.1, 0.05, 0.15), "face": (None, None, None)}, 0, "nano-x"),),
    images=8,
    faces=2,
    restorations=96,
    grid_restorations=520,
    better="higher",
    notes=("two faces",),
    environment={"torch": "2"},
)
