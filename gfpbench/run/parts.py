"""What a Case names, loaded: faces, degradation, restorer and metrics of one run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gfpbench import degrade
from gfpbench import faces as face_sets
from gfpbench.assets.datasets import has_truth
from gfpbench.decode.point_lists import HoldsPoints
from gfpbench.metrics import refuse_undeclared, without_itself, without_truth
from gfpbench.metrics.per_image import aligned_by
from gfpbench.metrics.set_measures import OFFERED as SET_OFFERED
from gfpbench.metrics.set_measures import SetMeasure
from gfpbench.process_guard import called, refuse_unreadable
from gfpbench.registry import whole
from gfpbench.restorers import refuse_unfit
from gfpbench.restorers.checked import provenance_of
from gfpbench.results import dumps
from gfpbench.run.guarded import guarded
from gfpbench.run.measures import load_measures, metric_record
from gfpbench.run.shared import SharedInputs
from gfpbench.types import NO_TRUTH, BadInput, Case, Degradation, FaceSet, FindsImages, Json, Metric, Restorer

TRUTH = "truth"
"""The restorer name of the reference row: the clean image is scored against itself."""


@dataclass(frozen=True, slots=True)
class LoadedBy:
    """How another process loads the same parts of a case.

    Args:
        module: of this package; its ``loader()`` is called once a process and gives what is then called for each case
            with the case, ``device``, ``shared`` and the options, as ``load`` is.
        options: by name, as JSON holds them.
    """

    module: str
    options: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that meets in a run, as objects.

    Args:
        faces: the clean images.
        degradation: clean to degraded.
        restorer: degraded to restored; None where the truth itself is scored.
        metrics: what is measured.
        unavailable: metrics that were asked for and cannot be loaded here, with the reason.
        sets: numbers of the whole set that are measured.
        protocols: those the metrics were asked for by: name -> its figure -> the metric.
        clean_faces_sha256: of what ``faces`` were made from, where they were changed on the way (``key.faces_sha256``).
        answers: of the restorer to a probe, where they are known already (``key.answers_of``).
        files: that it had read by then (``key.read_by``).
        shared: decoded faces and degraded images, which other cases may have in common with this one.
        loaded_by: how worker processes load them; None for ``load``, with the options that these were loaded with.
    """

    faces: FaceSet
    degradation: Degradation
    restorer: Restorer | None
    metrics: tuple[Metric, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    sets: tuple[SetMeasure, ...] = ()
    protocols: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    clean_faces_sha256: str | None = None
    answers: Mapping[str, str] | None = None
    files: Mapping[str, str] | None = None
    shared: SharedInputs = field(default_factory=partial(SharedInputs, bytes_at_most=0))
    loaded_by: LoadedBy | None = None

    def __post_init__(self) -> None:
        """Leave out what cannot be measured: without a truth, and against the input where that is what is measured.

        Raises:
            BadInput: where faces without a truth are to be degraded, drawn more than once or compared with themselves,
                and for a part that does not say about itself what it has to, or an attribute of which cannot be read.
        """
        face_sets.refuse_unfit(self.faces)
        degrade.refuse_unfit(self.degradation)
        refuse_undeclared(self.metrics)
        for measure in self.sets:
            refuse_unreadable(f"set metric {measure.name!r}", measure.metric, SET_OFFERED)
        refuse_unfit(self.restorer)
        metrics, sets, reasons = self.metrics, self.sets, dict[str, str]()
        if not self.has_truth:
            if self.restorer is None:
                raise BadInput("without a ground truth there is no row of it: leave out the restorer 'truth'")
            if self._source().get("draws", 1) != 1:
                raise BadInput("without a ground truth nothing is degraded, so every draw is the same image: draw once")
            metrics, sets, reasons = without_truth(metrics, sets)
        elif not has_truth(self.faces.name):
            raise BadInput(f"faces {self.faces.name!r} have no ground truth to degrade or to compare with: --no-truth")
        if self.restorer is not None and self.restorer.name == "input":
            metrics, against_itself = without_itself(metrics)
            reasons |= against_itself
        for name, value in (("metrics", metrics), ("sets", sets), ("unavailable", {**self.unavailable, **reasons})):
            object.__setattr__(self, name, value)
        if self.restorer is not None and isinstance(self.restorer, FindsImages):
            called(f"restorer {self.restorer.name!r}: expect", self.restorer.expect, self._names())

    @property
    def has_truth(self) -> bool:
        """Whether the faces are clean images, and not inputs without a ground truth."""
        return self.degradation.name != NO_TRUTH

    @property
    def kind_of_faces(self) -> str:
        """Which of the images of a row the faces are: ``truth``, or ``degraded`` where there is none."""
        return "truth" if self.has_truth else "degraded"

    def ids(self, case: Case) -> tuple[str, ...]:
        """The faces of the case, in order. Raises BadInput where there are none."""
        refuse_limit(case.limit)
        ids = self._names()[: case.limit]
        if not ids:
            raise BadInput(f"faces {case.faces!r}: there are none")
        if len(set(ids)) != len(ids):
            raise BadInput(f"faces {case.faces!r}: a name is listed twice, so nothing can be matched by name")
        return ids

    def records(self) -> dict[str, Json]:
        """What is kept in a Result about each part, keyed by the Result's fields."""
        provenance: Mapping[str, Json] = {"kind": TRUTH}
        if self.restorer is not None:
            provenance = provenance_of(self.restorer)
        described = called(f"degradation {self.degradation.name!r}: describe", self.degradation.describe)
        sets = {measure.name: measure.record() for measure in self.sets}
        return {
            **({"set_metrics": sets} if sets else {}),
            **({"protocols": plain(self.protocols, "the protocols")} if self.protocols else {}),
            "metrics": {metric.name: metric_record(metric) for metric in self.metrics},
            "restorer": plain(provenance, "the restorer's provenance"),
            "degradation": plain(described, "the degradation's description"),
            "faces": plain(self._source(), "the faces' source"),
        }

    def _names(self) -> tuple[str, ...]:
        return called(f"faces {self.faces.name!r}: ids", self.faces.ids)

    def _source(self) -> Mapping[str, Json]:
        return called(f"faces {self.faces.name!r}: source", self.faces.source)


def refuse_limit(limit: int | None) -> None:
    """Raise BadInput for a number of faces that leaves nothing to measure."""
    if limit is not None and whole("limit", limit) < 1:
        raise BadInput(f"a limit of {limit} faces leaves nothing to measure")


def load(
    case: Case,
    *,
    device: str,
    metrics: Sequence[str] | None = None,
    protocols: Sequence[str] = (),
    isolate: bool = False,
    seconds_per_image: float | None = None,
    shared: SharedInputs | None = None,
) -> Parts:
    """Load everything a Case names.

    Args:
        case: what is measured.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        metrics: names, of sets too; the default ones where None and no protocol is named. One that lacks an asset is
            left out and named in ``unavailable``.
        protocols: names; what they need is measured once for all of them, beside ``metrics``.
        isolate: the restorer works in a process of its own: one that hangs, crashes or ends its process has failed, and
            the run goes on. The numbers are the same.
        seconds_per_image: how long the restorer may take for an image, a batch so many times longer. Without
            ``isolate`` a restorer that takes longer ends the process. None: no limit; 120 with ``isolate``.
        shared: what cases that are measured one after the other have in common; None where it is measured alone.

    Raises:
        BadInput: for a name that nobody knows.
        AssetMissing: where the faces or the restorer need something that is not here.
    """
    # Imported here so that a run with parts of one's own needs none of the tables.
    from gfpbench import faces
    from gfpbench.degrade import load as load_degradation

    measures = load_measures(metrics, protocols)  # first: to load a network takes longer
    shared = SharedInputs(bytes_at_most=0) if shared is None else shared
    draws = case.draws if case.has_truth or case.draws is not None else 1
    named = (case.faces, case.size_px, draws)
    face_set = shared.opened(named, lambda: faces.load(case.faces, size_px=case.size_px, draws=draws))
    points = face_set.point_list() if isinstance(face_set, HoldsPoints) else None
    measures = replace(measures, metrics=tuple(aligned_by(metric, points) for metric in measures.metrics))
    return Parts(
        faces=face_set,
        degradation=load_degradation(case.degradation),
        restorer=None
        if case.restorer == TRUTH
        else guarded(case.restorer, device, isolate=isolate, seconds_per_image=seconds_per_image),
        shared=shared,
        **vars(measures),
    )


def identity(record: Mapping[str, Json]) -> dict[str, Json]:
    """What a record says of the thing itself: files that were left out of a folder are no part of what was measured."""
    return {name: value for name, value in record.items() if name != "left_out"}


def plain(value: Mapping[str, Json], what: str) -> dict[str, Json]:
    """A copy made of JSON values only. Raises BadInput saying what holds something else."""
    try:
        copy: dict[str, Json] = json.loads(dumps(dict(value)))
    except (TypeError, ValueError) as error:
        raise BadInput(f"{what} must hold JSON values only: {error}") from error
    return copy
