"""The record of a collapse search, to be stored, compared and plotted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench import codec
from gfpbench.disk import sweep, write_whole
from gfpbench.results import dumps
from gfpbench.types import BadInput, Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA = 1
PLACED = ("collapses", "not monotone")
KINDS = (*PLACED, "never", "at once")
"""What a search can find; those that are ``PLACED`` have a point."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: where on an axis a restorer collapses, by which metric and criteria, on which faces.

    ``axis`` is a name with its base (``noise+middle``); ``criteria`` None for the default ones.
    """

    restorer: str
    axis: str
    metric: str = "ssim_rgb"
    criteria: tuple[str, ...] | None = None
    faces: str = "embedded"
    size_px: int | None = None
    limit: int | None = None
    draws: int | None = None
    seed: int = 0
    resolution: int = 64


@dataclass(frozen=True, slots=True)
class Step:
    """One severity that was measured; means over the images, intervals of the margins."""

    severity: float
    value: float
    restored: float | None
    given: float | None
    margins: Mapping[str, tuple[float | None, float | None, float | None]]  # criterion -> mean, low, high
    failed: int
    case: str  # folder of its Result; empty where none was kept


@dataclass(frozen=True, slots=True)
class Collapse:
    """The answer to a Question. Severities lie in [0, 1]; values are what they mean in the axis's unit.

    Args:
        kind: ``collapses``, ``never``, ``at once`` or ``not monotone`` (see ``search.Found``).
        severity, value: of the collapse point; None for ``never`` and ``at once``.
        interval, value_interval: its confidence interval over images; an end of None lies beyond the axis.
        onset: the severity from which on it is useful; None where it never is.
        recovers: where it is surely useful again after the collapse; None where it is not.
        fails: the criteria that fail there.
        restorations: images that the restorer was given; ``grid_restorations``: what a grid of the same resolution
            would have given it.
    """

    question: Question
    kind: str
    severity: float | None
    value: float | None
    interval: tuple[float, float | None]
    value_interval: tuple[float, float | None]
    onset: float | None
    recovers: float | None
    fails: tuple[str, ...]
    unit: str
    trained: tuple[float, float] | None
    steps: tuple[Step, ...]
    images: int
    faces: int
    restorations: int
    grid_restorations: int
    better: str
    notes: tuple[str, ...] = ()
    environment: Mapping[str, Json] = field(default_factory=dict)

    @property
    def saved(self) -> float:
        """How many times as many restorations a grid of the same resolution takes."""
        return self.grid_restorations / self.restorations

    @property
    def order(self) -> float:
        """For comparing restorers: the severity of the point, 0 for ``at once``, beyond 1 for ``never``."""
        if self.severity is not None:
            return self.severity
        return 0.0 if self.kind == "at once" else float("inf")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw quality over severity with the collapse point and its interval (``gfpbench.collapse.plot``).

        Args:
            ax: where to draw; a new figure where None.

        Returns:
            The axes of matplotlib that were drawn on.
        """
        from gfpbench.collapse.plot import plot

        return plot(self, ax)


@dataclass(frozen=True, slots=True)
class _File:
    collapses: tuple[Json, ...]
    schema: int


def to_json(collapse: Collapse) -> dict[str, Json]:
    """Plain JSON values. Raises BadInput for NaN or an infinity, which no field may hold."""
    plain: dict[str, Json] = codec.encode(collapse, f"{collapse.question.restorer} on {collapse.question.axis}")
    return plain


def from_json(data: Json, where: str = "collapse") -> Collapse:
    """What ``to_json`` wrote. Raises BadInput naming what is missing or strange."""
    found = codec.decode(Collapse, data, where)
    if found.kind not in KINDS:
        raise BadInput(f"{where}.kind: expected {', '.join(KINDS)}, not {codec.shown(found.kind)}")
    if (found.kind in PLACED) != (found.severity is not None) or (found.severity is None) != (found.value is None):
        raise BadInput(f"{where}.severity: {found.kind!r} {'lacks' if found.kind in PLACED else 'has'} a point")
    severities = [("severity", found.severity), ("onset", found.onset), ("recovers", found.recovers)]
    severities += [("interval", end) for end in found.interval]
    severities += [(f"steps[{number}].severity", step.severity) for number, step in enumerate(found.steps)]
    severities += [("trained", end) for end in found.trained or ()]
    for name, severity in severities:
        if severity is not None and not 0 <= severity <= 1:
            raise BadInput(f"{where}.{name}: a severity lies in [0, 1], not {severity}")
    counts = {name: getattr(found, name) for name in ("images", "faces", "restorations", "grid_restorations")}
    for name, count in (counts | {"steps": len(found.steps)}).items():
        if count < 1:
            raise BadInput(f"{where}.{name}: expected 1 or more, not {count}")
    return found


def text_of(collapses: Sequence[Collapse]) -> str:
    """Records as a file holds them. Equal records give equal text."""
    lines = ",\n".join(dumps(to_json(collapse)) for collapse in collapses)
    return f'{{"collapses": [\n{lines}\n], "schema": {SCHEMA}}}\n'


def write(collapses: Sequence[Collapse], path: Path) -> None:
    """Write records to one file, whole or not at all."""
    write_whole(path, text_of(collapses))
    sweep(path.parent)


def read(path: Path) -> tuple[Collapse, ...]:
    """The records of a file. Raises BadInput naming the file where it is missing, broken or of another schema."""
    data = codec.read(path)
    try:
        codec.check_schema(data, SCHEMA)
        listed = codec.decode(_File, data).collapses
        return tuple(from_json(item, f"collapses[{number}]") for number, item in enumerate(listed))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
