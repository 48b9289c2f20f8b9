"""What a published evaluation protocol is: its figures, its steps, and for a challenge the formula of its score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gfpbench.types import BadInput

FAILING, VALID = "failing", "valid"
"""Figures of every challenge: how many images fail, and 1 for an entry that is valid, else 0."""


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a score: ``figure / divisor``, or ``max(0, (worst - figure) / divisor)`` where lower is better.

    Args:
        figure: in the protocol's words.
        divisor: what brings it to about [0, 1].
        worst: for a figure of which lower is better, the value from which on it earns nothing; None where higher is.
    """

    figure: str
    divisor: float = 1.0
    worst: float | None = None

    def value(self, figure: float) -> float:
        """What the figure adds to the score."""
        return figure / self.divisor if self.worst is None else max(0.0, (self.worst - figure) / self.divisor)

    @property
    def words(self) -> str:
        """As in the source: ``max(0, (10 - NIQE) / 10)``."""
        if self.worst is not None:
            return f"max(0, ({self.worst:g} - {self.figure}) / {self.divisor:g})"
        return self.figure if self.divisor == 1 else f"{self.figure} / {self.divisor:g}"


@dataclass(frozen=True, slots=True)
class Part:
    """One of the sets that a challenge is measured on.

    Args:
        images: how many of them the challenge has.
        threshold: an output whose identity figure is below this (strictly) fails.
    """

    images: int
    threshold: float


@dataclass(frozen=True, slots=True)
class Challenge:
    """How a challenge ranks: one score of the figures of all sets, and a bound on images that lose their identity.

    Args:
        score: the name of the total.
        terms: what it is the sum of.
        parts: the sets by name. A figure per image counts as the mean of the means of the sets, weighted by their
            numbers of images; a figure of a whole set is measured once on all outputs together.
        identity: the figure per image that the thresholds bound.
        most_failing: an entry with more failing images than this is not valid.
        beside: what a reader must know beside the identity figure.
    """

    score: str
    terms: tuple[Term, ...]
    parts: Mapping[str, Part]
    identity: str
    most_failing: int
    beside: str

    FAILED = "failed"

    @property
    def derived(self) -> tuple[str, str, str]:
        """The figures that are made of others: the score, how many images fail, and whether the entry is valid."""
        return self.score, FAILING, VALID

    @property
    def images(self) -> int:
        """Of all sets together."""
        return sum(part.images for part in self.parts.values())

    @property
    def formula(self) -> str:
        """The score in words."""
        return " + ".join(term.words for term in self.terms)

    def total(self, figures: Mapping[str, float]) -> float:
        """The score of the figures of all sets. Raises BadInput naming those that are missing."""
        missing = [term.figure for term in self.terms if term.figure not in figures]
        if missing:
            raise BadInput(f"{self.score} needs {', '.join(missing)}")
        return sum(term.value(figures[term.figure]) for term in self.terms)

    def fails(self, part: str, identity: float) -> bool:
        """Whether an image of a set fails: strictly below its threshold."""
        return identity < self.parts[part].threshold

    def valid(self, failing: float) -> bool:
        """Whether an entry with so many failing images counts."""
        return failing <= self.most_failing


@dataclass(frozen=True, slots=True)
class Protocol:
    """How one source measures: what it calls each figure, and which metric of ours computes that.

    Args:
        name: after its source.
        what: one sentence.
        source: repository at a commit, or paper and section.
        figures: the source's name of a figure -> our metric, whose name carries the convention. Several protocols that
            share a metric share its one measurement.
        steps: what its script does beside the metrics themselves, in words.
        absent: figures of the source that cannot be measured with anything here -> why.
        challenge: how it ranks, where it is one of a challenge.
    """

    name: str
    what: str
    source: str
    figures: Mapping[str, str]
    steps: tuple[str, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    challenge: Challenge | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics it needs, each once, in its order."""
        return tuple(dict.fromkeys(self.figures.values()))

    @property
    def not_measured(self) -> dict[str, str]:
        """What it cannot measure, as ``FID @ pmrf``, with the reason."""
        return {f"{figure} @ {self.name}": why for figure, why in self.absent.items()}

    @property
    def derived(self) -> tuple[str, ...]:
        """Figures that are made of its other figures."""
        return self.challenge.derived if self.challenge is not None else ()
