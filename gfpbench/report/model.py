"""The summary table as plain data: its rows, columns and cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gfpbench.report.formatting import plural
from gfpbench.run.recorder import MANY
from gfpbench.statistics import FEW_PEOPLE, Mean, people_of
from gfpbench.types import Better, Case, Json, Problem, Result

IDENTITY = ("deg", "rad", "cos")
"""First parts of the names of metrics that compare identities."""

Role: TypeAlias = Literal["input", "restorer", "truth"]


def is_identity(metric: str) -> bool:
    """Whether a metric compares identities, by its name."""
    return metric.partition("_")[0] in IDENTITY


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of a table: its convention is its name; ``decimals`` aligns its rows."""

    metric: str
    unit: str
    better: Better | None
    best: float | None
    source: str
    definition: Mapping[str, Json]
    decimals: int

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", None: ""}[self.better]


@dataclass(frozen=True, slots=True)
class Gain:
    """One restorer against the input, face by face: a positive ``mean`` is better, whatever the direction."""

    mean: float
    low: float
    high: float
    wins: int
    losses: int
    n: int


@dataclass(frozen=True, slots=True)
class Cell:
    """The mean of one metric for one restorer over the faces it was measured on, and nothing else.

    ``n`` faces have a value; ``blanks`` were restored but have none. ``identical`` of the ``n`` equal their truth, have
    an infinite value for it, and are counted instead of averaged (``gfpbench.statistics.means``).
    ``interval`` is a bootstrap 95 % interval of the mean over people, None below two images in it or where one is
    infinite.
    ``partial``: another row of the table was measured on faces that this one lacks, so the means do not compare.
    """

    metric: str
    mean: float | None
    interval: tuple[float, float] | None
    n: int
    blanks: int
    identical: int
    partial: bool = False
    best: bool = False
    gain: Gain | None = None

    @property
    def note(self) -> str:
        """``2 identical``, where the mean leaves so many out; else empty."""
        return Mean(self.mean, self.n, self.identical).note


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: a restorer, the degraded input, or the ground truth."""

    label: str
    role: Role
    result: Result
    total: int
    failures: int
    cells: tuple[Cell, ...]

    def cell(self, metric: str) -> Cell:
        return next(cell for cell in self.cells if cell.metric == metric)


@dataclass(frozen=True, slots=True)
class Group:
    """One table: everything measured on the same faces, degraded in the same way from the same seed."""

    case: Case
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    not_measured: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def title(self) -> str:
        given = f"degradation {self.case.degradation}" if self.case.has_truth else "inputs as they are, no ground truth"
        parts = [self.case.faces, given, f"seed {self.case.seed}"]
        parts += [f"{self.case.size_px} px"] if self.case.size_px is not None else []
        parts += [f"limit {self.case.limit}"] if self.case.limit is not None else []
        parts += [f"{self.case.draws} draws each"] if self.case.draws not in (None, 1) else []
        return " · ".join(parts)

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Every face of any row of the table, in the order of the first that has it."""
        return tuple(dict.fromkeys(name for line in self.lines for name in line.result.image_ids))

    @property
    def is_large(self) -> bool:
        """Whether a page shows a selection of its images by kind, and has the others in a file beside it."""
        return len(self.image_ids) > MANY

    @property
    def people(self) -> str:
        """``2 people`` or ``20 faces``, where there are more images than that; else empty."""
        behind = {name: who for line in self.lines for name, who in people_of(line.result).items()}
        count = len(set(behind.values()))
        known = any(isinstance(row.attributes.get("subject"), str) for row in self.lines[0].result.rows)
        one, many = ("person", "people") if known else ("face", "faces")
        return f"{count:,} {one if count == 1 else many}" if count < len(behind) else ""

    @property
    def interval_note(self) -> str:
        """What the intervals of the table are over, where some images are of one person; else empty."""
        if not (people := self.people):
            return ""
        count = int(people.split()[0].replace(",", ""))
        if count == 1:
            return f"The interval is over images of {people} and says nothing of others."
        few = " So few are no sample: it spans little more than these." if count < FEW_PEOPLE else ""
        return f"The interval is over {people}: each counts as one draw, with all of its images.{few}"

    @property
    def counted(self) -> str:
        """``20 images``, or ``80 images of 20 faces``."""
        return plural(len(self.image_ids), "image") + (f" of {self.people}" if self.people else "")

    @property
    def restorers(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.role == "restorer")


@dataclass(frozen=True, slots=True)
class Summary:
    """Every table of a report, and everything that went wrong, with the case it happened in."""

    groups: tuple[Group, ...]
    problems: tuple[tuple[str, Problem], ...]
