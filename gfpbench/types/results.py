"""What is measured, a Case; what comes of it, a Result with its rows; and what a comparison of Results decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from gfpbench.types.errors import PackageMissing
from gfpbench.types.images import Json, Parameters

if TYPE_CHECKING:
    from pathlib import Path

NO_TRUTH = "no-truth"
"""The degradation of inputs that are of low quality as they come, and have no ground truth: nothing is degraded."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: which faces, degraded how, restored by what, from which seed.

    ``restorer`` is ``truth`` for the reference row: the clean image scored against itself.
    ``degradation`` is ``no-truth`` where the faces are inputs as they are, of which no clean image is known.
    ``limit`` takes the first so many faces. ``draws`` shows each face so many times, each under its own id, to be
    degraded differently each time.
    """

    faces: str
    degradation: str
    restorer: str
    seed: int = 0
    size_px: int | None = None
    limit: int | None = None
    draws: int | None = None

    @property
    def has_truth(self) -> bool:
        """Whether the faces are clean images that results are compared with, and not inputs without a ground truth."""
        return self.degradation != NO_TRUTH

    @property
    def degradation_named(self) -> str:
        """The degradation without its folder, and without the path that it is computed along, as published tables
        name it: ``stored``, ``paper``."""
        return self.degradation.partition(":")[0].partition("?")[0]

    @property
    def degradation_options(self) -> tuple[str, ...]:
        """How a command or pytest is told of the degradation."""
        return ("--degradation", self.degradation) if self.has_truth else ("--no-truth",)

    @property
    def id(self) -> str:
        """The pytest id, the name of the baseline and the row of every report; safe as a file name."""
        import hashlib
        import re

        parts = [self.restorer, self.faces, self.degradation, f"s{self.seed}"]
        parts += [f"{self.size_px}px"] if self.size_px is not None else []
        parts += [f"n{self.limit}"] if self.limit is not None else []
        parts += [f"d{self.draws}"] if self.draws is not None else []
        plain = "-".join(re.sub(r"[^A-Za-z0-9._]+", "_", part).strip("_")[-40:] for part in parts)
        if all(re.fullmatch(r"[A-Za-z0-9._-]{1,40}", part) for part in parts):
            return plain
        # A path need not be UTF-8: Python keeps what it could not decode as surrogates.
        digest = hashlib.sha256(chr(0).join(parts).encode("utf-8", "surrogatepass")).hexdigest()
        return f"{plain}-{digest[:8]}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong or was left out, in a line a person can act on.

    ``stage`` is the step that failed: ``faces``, ``degrade``, ``restore``, ``metric``.
    ``subject`` is an image id, a file or a metric name.
    """

    stage: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a Result: its scores and everything needed to make it again.

    ``scores`` holds a float (``inf`` allowed, NaN never) or None where a metric is undefined or its input failed.
    ``fingerprint`` describes the ``degraded`` and the ``restored`` image in a few numbers, so that two Results can be
    compared without their images (``gfpbench.run.fingerprints``); empty where nothing was recorded.
    ``read`` says how the files behind it were read, by ``truth``, ``degraded`` and ``restored``
    (``gfpbench.decode.Decoded.record``); what comes from no file is not in it.
    """

    id: str
    face_sha256: str
    size_px: tuple[int, int]
    attributes: Mapping[str, Json]
    parameters: Parameters
    scores: Mapping[str, float | None]
    failure: str | None = None
    fingerprint: Mapping[str, Json] = field(default_factory=dict)
    read: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


def any_scored(rows: Iterable[Row], metric: str | None = None) -> bool:
    """Whether any of these rows has a score: of that metric, or of any where None."""
    if metric is None:
        return any(score is not None for row in rows for score in row.scores.values())
    return any(row.scores.get(metric) is not None for row in rows)


class Displayed(Protocol):
    """Something that a notebook displays where it is the last value of a cell."""

    def _repr_html_(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Result:
    """What one Case gave, image by image. A stored baseline is a Result read from disk.

    ``envelope`` says how far its scores move under changes that should change nothing (threads, batch size, a re-run,
    another machine's rounding); empty where that was not measured, as in an ordinary run.
    ``set_scores`` holds numbers of the whole set (FID and its like), which no single row has. ``protocols`` are those
    it was measured under: "PSNR @ vqfr" is the metric ``protocols["vqfr"]["PSNR"]``. ``label`` tells a reader which of
    several Results of one case it is (the file it was read from); empty where there is only one.
    """

    case: Case
    rows: tuple[Row, ...]
    metrics: Mapping[str, Mapping[str, Json]]  # name -> unit, better, best, tolerance, minimum_side_px, source
    restorer: Mapping[str, Json]  # provenance
    degradation: Mapping[str, Json]
    faces: Mapping[str, Json]
    environment: Mapping[str, Json]
    problems: tuple[Problem, ...] = ()  # unreadable faces, failed restorations
    not_measured: Mapping[str, str] = field(default_factory=dict)  # metric -> why it is blank, and what it needs
    envelope: Mapping[str, Json] = field(default_factory=dict)
    set_scores: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)  # metric -> a SetScore and its metric
    protocols: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # protocol -> its figure -> the metric
    label: str = ""

    @property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.rows)

    def scores(self, metric: str) -> tuple[float | None, ...]:
        """One value per image, in the order of ``image_ids``."""
        return tuple(row.scores.get(metric) for row in self.rows)

    @property
    def named(self) -> str:
        """The case's id, with the label where there is one."""
        return f"{self.case.id} ({self.label})" if self.label else self.case.id

    @property
    def unreadable(self) -> tuple[Problem, ...]:
        """The faces that could not be read, each with its reason; none of them has a row."""
        return tuple(problem for problem in self.problems if problem.stage == "faces")

    @property
    def unreadable_share(self) -> float:
        """Which share of the faces that were asked for could not be read, in [0, 1]."""
        return len(self.unreadable) / max(1, len(self.rows) + len(self.unreadable))

    def show(self, image_id: str, *, store: str | Path | None = None) -> Displayed:
        """One face for a notebook: ``gfpbench.show_face`` of this Result."""
        import gfpbench  # its front door, which is loaded wherever this is, and imports what displays at first use

        return gfpbench.show_face(self, image_id, store=store)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each image: the records of ``gfpbench.rows``.

        Raises:
            PackageMissing: where pandas is not installed.
        """
        import gfpbench

        try:
            import pandas
        except ImportError as error:
            raise PackageMissing("pandas", "Result.to_pandas", "pip install gfpbench[pandas]") from error
        return pandas.DataFrame(gfpbench.rows(self))

    def _repr_html_(self) -> str:
        """What a notebook displays in place of ``repr``: ``gfpbench.summary_html`` of this Result."""
        import gfpbench

        return gfpbench.summary_html(self)


VerdictKind: TypeAlias = Literal["same", "alike", "better", "worse", "missing", "changed"]
"""``same``: by the same arithmetic, within its numerical noise. ``alike``: another model, as good as far as is known.
``changed``: what was measured is not what the baseline measured (other faces, degradations, images, metrics)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison decided about one metric of one case, for one image or for all (``image`` is None)."""

    case: str
    metric: str
    image: str | None
    expected: float | None
    got: float | None
    kind: VerdictKind
    reason: str = ""
