"""Collapse points: the severity along a degradation axis at which a restorer's quality collapses.

``definition.py`` says what that means, ``search.py`` finds it, ``point.py`` answers the question for names.
"""

from __future__ import annotations

from gfpbench.collapse.definition import CRITERIA, DEFAULT, DEFAULT_AXES, Criterion, default_axes
from gfpbench.collapse.groups import GroupDifference, group_difference
from gfpbench.collapse.measuring import at_value, axis_of
from gfpbench.collapse.point import DEFAULT_DRAWS, collapse_point, loaded, margins_at
from gfpbench.collapse.record import Collapse, Question, Step, from_json, read, text_of, to_json, write
from gfpbench.collapse.search import RESOLUTION, Found, find
from gfpbench.collapse.text import collapse_lines, worst_faces_command

__all__ = [
    "CRITERIA",
    "DEFAULT",
    "DEFAULT_AXES",
    "DEFAULT_DRAWS",
    "RESOLUTION",
    "Collapse",
    "Criterion",
    "Found",
    "GroupDifference",
    "Question",
    "Step",
    "at_value",
    "axis_of",
    "collapse_lines",
    "collapse_point",
    "default_axes",
    "find",
    "from_json",
    "group_difference",
    "loaded",
    "margins_at",
    "read",
    "text_of",
    "to_json",
    "worst_faces_command",
    "write",
]
