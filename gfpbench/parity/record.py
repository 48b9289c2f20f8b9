"""What a parity comparison found: differences of each image, bounds, findings, and the verdict on each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gfpbench import codec
from gfpbench.types import Case, Json, Problem

SCHEMA = 1

Outcome: TypeAlias = Literal["bit-equal", "equal within the arithmetic", "different but as good", "worse", "broken"]
"""``bit-equal``: every value of every image. ``equal within the arithmetic``: within the bound of the candidate's
precision. ``broken``: an answer that no arithmetic explains (see ``Finding``) or that is missing."""
Safety: TypeAlias = Literal["safe", "look", "unsafe"]
"""``look``: nothing is known against it, and it is not the same: a person has to look at the images."""
Group: TypeAlias = Literal["face", "random", "extreme"]


@dataclass(frozen=True, slots=True)
class Bound:
    """How far two computations of one function may lie apart, in grey levels, and where that is known from.

    Args:
        precision: of the candidate: ``fp32``, ``bf16``, ...
        unit_roundoff: the largest relative error of rounding to it.
        max_levels: of one value of an image.
        mean_levels: of the mean over an image.
        how: the derivation, in a line.
    """

    precision: str
    unit_roundoff: float
    max_levels: float
    mean_levels: float
    how: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One output of the candidate beside the reference's, in grey levels (255 x the difference, not rounded).

    Args:
        id, group: of the input.
        max_levels, mean_levels: of the absolute difference over all values.
        over_1, over_2, over_4: share of the values that differ by more levels than that.
        scores: PSNR and SSIM between the two outputs, and of the worst images further metrics.
        equal: every value is the same.
        within: both figures are within the bound.
        failure: why the candidate has no output where the reference has one; the figures are then 0.
    """

    id: str
    group: Group
    max_levels: float = 0.0
    mean_levels: float = 0.0
    over_1: float = 0.0
    over_2: float = 0.0
    over_4: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    equal: bool = False
    within: bool = False
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a candidate's outputs that has a name.

    Args:
        kind: ``failure``, ``not finite``, ``flat``, ``unchanged``, ``another image``, ``shift``, ``turned``,
            ``channels``, ``colour``, ``range``, ``gamma``, ``clipped``, ``detail``, ``compression``, ``seams``,
            ``single values``, ``patch``, ``branch``, ``batch``, ``state``, ``not repeatable``, ``device``, ``quality``.
        reason: one line, with figures.
        image: the image that shows it best.
        unsafe: whether it decides the verdict; else it is a reason to look.
    """

    kind: str
    reason: str
    image: str = ""
    unsafe: bool = True


@dataclass(frozen=True, slots=True)
class Quality:
    """One metric against the truth: means of reference and candidate, and the gate's paired evidence."""

    metric: str
    unit: str
    reference: float
    candidate: float
    difference: float
    low: float
    high: float
    p_value: float
    kind: str


@dataclass(frozen=True, slots=True)
class Timed:
    """Speed and memory at one size of a batch: seconds an image, its time in units of the reference's (interval), and
    the peak memory in MiB (None where it cannot be measured)."""

    batch_size: int
    seconds_an_image: float
    relative: float
    low: float
    high: float
    peak_mib: float | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One candidate beside the reference.

    Args:
        name: of the restorer, with its options.
        outcome, safety: the verdict.
        reasons: why it is not ``safe``, or what makes it so; one line each.
        precision: the lowest in which it computes, as far as that was seen.
        bounds: for faces, and for all other inputs.
        images: every compared image, worst first.
        findings: what the differences look like.
        quality: against the truth; empty where no metric could be measured.
        ran: what really ran (``gfpbench.parity.ran``).
        timed: where speed was asked for.
    """

    name: str
    outcome: Outcome
    safety: Safety
    reasons: tuple[str, ...]
    precision: str
    bounds: Mapping[str, Bound]
    images: tuple[Difference, ...]
    findings: tuple[Finding, ...] = ()
    quality: tuple[Quality, ...] = ()
    ran: Mapping[str, Json] = field(default_factory=dict)
    timed: tuple[Timed, ...] = ()

    @property
    def safe(self) -> bool:
        """Whether nothing has to be looked at."""
        return self.safety == "safe"

    def __str__(self) -> str:
        return f"{self.name}: {self.safety}: {self.outcome}; {'; '.join(self.reasons)}"


@dataclass(frozen=True, slots=True)
class Control:
    """A candidate whose verdict is known beforehand: the reference itself, or a damaged copy of its outputs."""

    name: str
    expected: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Parity:
    """A reference and its candidates on the same inputs.

    Args:
        case: faces, degradation and reference.
        inputs: how many of each group were compared.
        controls: all of them passed, else there is no table.
        problems: faces that could not be read, and inputs that the reference itself does not restore.
        not_measured: metrics that were asked for, with what they lack.
    """

    case: Case
    inputs: Mapping[str, int]
    reference: Mapping[str, Json]
    controls: tuple[Control, ...]
    candidates: tuple[Compared, ...]
    problems: tuple[Problem, ...] = ()
    not_measured: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Json] = field(default_factory=dict)
    reference_timed: tuple[Timed, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no candidate is unsafe."""
        return all(one.safety != "unsafe" for one in self.candidates)

    def to_json(self) -> dict[str, Json]:
        """Plain JSON values; an infinite number becomes the text "inf"."""
        record: dict[str, Json] = codec.encode(self, infinite=True)
        return {"schema": SCHEMA, "passed": self.passed, **record}


def from_json(record: Json, where: str = "") -> Parity:
    """The inverse of ``Parity.to_json``. Raises BadInput naming the field for anything else."""
    codec.check_schema(record, SCHEMA)
    return codec.decode(Parity, record, where, infinite=True, ignored=("schema", "passed"))
