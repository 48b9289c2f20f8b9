"""The context of a comparison: paired rows, the noise envelope that applies, and how strict to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gfpbench.types import Json, Row, Verdict, VerdictKind

SAFETY = 2.0
"""Noise of sixteen images and a few settings is measured; twice its largest move is allowed."""
UNMEASURED = 10.0
"""Between machines, without a measured envelope, so many tolerances are allowed (measured there: one to three)."""


@dataclass(frozen=True, slots=True)
class Context:
    """Rows in pairs (baseline, now), the envelope that applies, and how many cases are judged together.

    Between machines the envelope of other machines applies; on another model images may move, on the same one not.
    ``another`` says that the model's file or name is another one; where its images may not move either (``same_model``
    is then true), it is judged as the same. ``better`` holds the metrics in order, with their directions.
    """

    case: str
    pairs: tuple[tuple[Row, Row], ...]
    same_machine: bool
    same_model: bool
    envelope: Mapping[str, Json]
    questions: int
    another: str = ""
    better: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(now.id for _, now in self.pairs)

    def rows(self, side: int) -> list[Row]:
        return [pair[side] for pair in self.pairs]

    def verdict(
        self,
        subject: str,
        kind: VerdictKind,
        reason: str,
        image: str | None = None,
        numbers: tuple[float | None, float | None] = (None, None),
    ) -> Verdict:
        return Verdict(self.case, subject, image, *numbers, kind=kind, reason=reason)
