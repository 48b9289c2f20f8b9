"""The context and the outcome of comparing a Result with its baseline: one record per metric, and the verdicts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from shlex import quote

from gfpbench import codec
from gfpbench.types import BadInput, Better, Case, Json, Row, Verdict, VerdictKind

FAILING: tuple[VerdictKind, ...] = ("worse", "missing", "changed")
"""Verdicts that fail a test. ``better`` passes, and the baseline is named as stale."""

VANISHED = "case"
"""The subject of the verdict on a case that was measured for the baseline and not now."""

NOT_COMPARED = "not compared: "
"""How a note begins that names a metric which one of the two lacks."""

ALONG_ANOTHER_PATH = "path of the degradation: "
"""How a note begins that tells of images whose inputs are not the baseline's, because another path made them."""

DERIVED = ("kind", "passed", "stale")
"""The summary fields in the JSON of a comparison, derived from its verdicts."""


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


@dataclass(frozen=True, slots=True)
class ImageChange:
    """One image's score in the baseline and now."""

    image: str
    expected: float | None
    got: float | None


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric over the images that can be compared.

    Args:
        n: images that have a score in both.
        expected, got: means over them in the baseline and now, without those that equal their truth in either
            (``gfpbench.statistics.means``); where no others are left, over all of them.
        difference: got - expected, with the interval [low, high] over images.
        p_value: how often chance alone gives as much, corrected for the number of questions asked.
        slack: how far numerical noise may move one image.
        largest: how far the image that moved most has moved.
        moved: images that moved beyond the slack.
        worst: the three that lost most, worst first.
        identical_before, identical_now: images that equal their truth, whose score is infinite.
        averaged: of the n, those that both means are of; None in files made before it was counted. A table of one run
            alone averages more than these where an image is identical in the other run only.
    """

    metric: str
    unit: str
    better: Better
    n: int
    expected: float
    got: float
    difference: float
    low: float
    high: float
    p_value: float
    slack: float
    largest: float
    moved: int
    worst: tuple[ImageChange, ...]
    kind: VerdictKind
    identical_before: int = 0
    identical_now: int = 0
    averaged: int | None = None

    @property
    def notes(self) -> tuple[str, str]:
        """``2 identical``, beside the mean of the baseline and of now; both empty where no image equals its truth.

        ``1 identical, mean of 9 of 12`` where this is not the mean that the run's own table shows, which leaves out its
        own identical images alone.
        """
        if not self.identical_before and not self.identical_now:
            return "", ""
        return self._note(self.identical_before), self._note(self.identical_now)

    def _note(self, identical: int) -> str:
        own = self.n - identical
        if self.averaged is None or self.averaged in (own, self.n):
            return f"{identical} identical"
        return f"{identical} identical, mean of {self.averaged:,} of {self.n:,}"


class Judged:
    """What follows from verdicts, whatever they are about."""

    __slots__ = ()
    verdicts: tuple[Verdict, ...]

    @property
    def failures(self) -> tuple[Verdict, ...]:
        """The verdicts that fail."""
        return tuple(verdict for verdict in self.verdicts if verdict.kind in FAILING)

    @property
    def passed(self) -> bool:
        """Whether no verdict fails."""
        return not self.failures

    @property
    def stale(self) -> bool:
        """Better than the baseline, and nothing worse: the baseline should be renewed."""
        return self.passed and any(verdict.kind == "better" for verdict in self.verdicts)

    @property
    def kind(self) -> VerdictKind:
        """The gravest verdict."""
        order: tuple[VerdictKind, ...] = ("worse", "changed", "missing", "better", "alike", "same")
        return next((kind for kind in order if any(verdict.kind == kind for verdict in self.verdicts)), "same")


_LATER: Mapping[type, Collection[str]] = {MetricComparison: ("identical_before", "identical_now", "averaged")}
"""Files made before these were counted lack them."""


@dataclass(frozen=True, slots=True)
class Comparison(Judged):
    """A Result beside its baseline.

    Args:
        case, baseline_case: what each of them measured.
        metrics: one record for each metric that both hold.
        verdicts: one for each metric, and one for each other finding.
        notes: what differs and is no failure (versions, weights, threads), each in one line.
        likely: what kind of change it looks like, in one line; empty where nothing changed.
        same_machine: versions, processor and device are those of the baseline.
        same_model: the restorer is the one of the baseline, by name and hash.
        images: how many images could be compared.
        command: shows the images.
        path: where the restorer computed, which is all that the verdicts speak of: ``the CPU``, or the name of a GPU.
    """

    case: Case
    baseline_case: Case
    metrics: tuple[MetricComparison, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    likely: str
    same_machine: bool
    same_model: bool
    images: int
    command: str
    path: str = ""

    @property
    def kind(self) -> VerdictKind:
        """The gravest verdict; another model is never ``same``."""
        kind = Judged.kind.fget(self)  # type: ignore[attr-defined]
        return "alike" if kind == "same" and not self.same_model else kind

    @property
    def vanished(self) -> bool:
        """Whether the case was not measured at all any more, so that nothing could be compared."""
        return not self.images and any(verdict.metric == VANISHED for verdict in self.verdicts)

    def to_json(self) -> dict[str, Json]:
        """Plain JSON values; an infinite number becomes the text "inf"."""
        record: dict[str, Json] = codec.encode(self, infinite=True)
        return record | {name: getattr(self, name) for name in DERIVED}


def comparison_from_json(record: Json, where: str = "") -> Comparison:
    """The inverse of ``Comparison.to_json``. Raises BadInput naming the field for anything else."""
    found = codec.decode(
        Comparison, record, where, infinite=True, optional={**_LATER, Comparison: ("path",)}, ignored=DERIVED
    )
    # Another model that is as good was called the same before ``alike`` had a name.
    before = {**record, "kind": found.kind} if (record.get("kind"), found.kind) == ("same", "alike") else record
    check_derived(found, before, where)
    return found


def check_derived(found: Judged, record: Mapping[str, Json], where: str) -> None:
    """Refuse a file whose summary of the verdicts is not what its verdicts say."""
    for name in DERIVED:
        if record.get(name) != getattr(found, name):
            at = f"{where}.{name}" if where else name
            raise BadInput(f"{at}: is {codec.shown(record.get(name))}, and the verdicts say {getattr(found, name)}")


def options(case: Case) -> str:
    """A case as options of pytest and of ``gfpbench run``."""
    words = [f"--restorer {quote(case.restorer)}", f"--faces {quote(case.faces)}"]
    words += [" ".join(map(quote, case.degradation_options))]
    words += [f"--seed {case.seed}"] if case.seed else []
    words += [f"--size {case.size_px}"] if case.size_px is not None else []
    words += [f"--limit {case.limit}"] if case.limit is not None else []
    words += [f"--draws {case.draws}"] if case.draws is not None else []
    return " ".join(words)
