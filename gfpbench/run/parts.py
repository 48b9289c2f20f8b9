"""What a Case names, loaded: faces, degradation, restorer and metrics of one run, and the folders it only reads."""

from __future__ import annotations

import faulthandler
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from gfpbench import assets, devices
from gfpbench.assets.datasets import FACES, has_truth, placed
from gfpbench.decode.point_lists import HoldsPoints
from gfpbench.metrics import needs_input, refuse_undeclared, set_measures, without_itself, without_truth
from gfpbench.metrics.figure_identity import identity_record
from gfpbench.metrics.per_image import aligned_by
from gfpbench.metrics.set_measures import SetMeasure
from gfpbench.options import split_folder
from gfpbench.registry import listed, unknown, whole
from gfpbench.restorers import is_opaque, refuse_unnamed
from gfpbench.restorers.process_guard import contained, raised, text_of
from gfpbench.results import dumps
from gfpbench.run.shared import SharedInputs
from gfpbench.types import (
    NO_TRUTH,
    AssetMissing,
    BadInput,
    Case,
    Degradation,
    FaceSet,
    FindsImages,
    GfpbenchError,
    ImageBatch,
    Json,
    Metric,
    OpensFiles,
    Restorer,
)

_T = TypeVar("_T")

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
                and for a metric or restorer that does not say about itself what it has to.
        """
        refuse_undeclared(self.metrics)
        refuse_unnamed(self.restorer)
        metrics, sets, reasons = self.metrics, self.sets, dict[str, str]()
        if not self.has_truth:
            if self.restorer is None:
                raise BadInput("without a ground truth there is no row of it: leave out the restorer 'truth'")
            if self.faces.source().get("draws", 1) != 1:
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
            called(f"restorer {self.restorer.name!r}", self.restorer.expect, self.faces.ids())

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
        ids = self.faces.ids()[: case.limit]
        if not ids:
            raise BadInput(f"faces {case.faces!r}: there are none")
        if len(set(ids)) != len(ids):
            raise BadInput(f"faces {case.faces!r}: a name is listed twice, so nothing can be matched by name")
        return ids

    def records(self) -> dict[str, Json]:
        """What is kept in a Result about each part, keyed by the Result's fields."""
        provenance: Mapping[str, Json] = {"kind": TRUTH}
        if self.restorer is not None:
            provenance = called(f"the provenance of restorer {self.restorer.name!r}", self.restorer.provenance)
        sets = {measure.name: measure.record() for measure in self.sets}
        return {
            **({"set_metrics": sets} if sets else {}),
            **({"protocols": plain(self.protocols, "the protocols")} if self.protocols else {}),
            "metrics": {metric.name: metric_record(metric) for metric in self.metrics},
            "restorer": plain(provenance, "the restorer's provenance"),
            "degradation": plain(self.degradation.describe(), "the degradation's description"),
            "faces": plain(self.faces.source(), "the faces' source"),
        }


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


@dataclass(frozen=True)
class Measures:
    """What is measured, as ``Parts`` holds it."""

    metrics: tuple[Metric, ...]
    unavailable: Mapping[str, str]
    sets: tuple[SetMeasure, ...]
    protocols: Mapping[str, Mapping[str, str]]


def load_measures(metrics: Sequence[str] | None, protocols: Sequence[str]) -> Measures:
    """The metrics of these names and of these protocols, as ``load`` says."""
    from gfpbench import metrics as metric_table
    from gfpbench.metrics import protocols as protocol_table

    loaded: list[Metric] = []
    sets: list[SetMeasure] = []
    unavailable: dict[str, str] = {}
    metrics, protocols = None if metrics is None else listed("metric", metrics), listed("protocol", protocols)
    if metrics is None and not protocols:
        loaded = list(metric_table.load(None))
    wanted = [*(metrics or ()), *(protocol_table.metrics_of(protocols) if protocols else ())]
    for name in dict.fromkeys(wanted):
        try:
            if name not in {*metric_table.every_name(), *set_measures.SET_METRICS}:
                raise unknown("metric", name, {*metric_table.every_name(), *set_measures.SET_METRICS})
            if name in set_measures.SET_METRICS:
                sets += _set_measure(name)
            else:
                loaded += metric_table.load([name])
        except AssetMissing as error:
            unavailable[name] = str(error)
    for name in protocols:
        unavailable |= protocol_table.find(name).not_measured
    return Measures(
        metrics=tuple(loaded),
        unavailable=unavailable,
        sets=tuple(sets),
        protocols={name: dict(protocol_table.find(name).figures) for name in protocols},
    )


def _set_measure(name: str) -> tuple[SetMeasure, ...]:
    """The measure, once it is sure that its reference is here: features are not computed to be thrown away."""
    measures = set_measures.load([name])
    for measure in measures:
        if measure.reference.asset is not None:
            assets.path(measure.reference.asset, name)
    return measures


def guarded(spec: str, device: str, *, isolate: bool = False, seconds_per_image: float | None = None) -> Restorer:
    """A restorer by name, in a process of its own or with a limit on its time, as ``load`` says.

    Raises:
        BadInput, AssetMissing: as ``restorers.load`` does.
    """
    device = devices.resolve(device)
    if spec == "input" or spec.startswith("outputs:"):  # these run nobody's code
        return load_restorer(spec, device)
    if isolate:
        from gfpbench.run.isolated import SECONDS_PER_IMAGE, Isolated

        return Isolated(spec, device=device, seconds_per_image=seconds_per_image or SECONDS_PER_IMAGE)
    restorer = load_restorer(spec, device)
    return restorer if seconds_per_image is None else Watched(restorer, seconds_per_image)


class Watched:
    """A restorer with a limit on its time, for commands: at the limit the process writes where it is, and ends.

    The limit is kept by a thread outside of Python, so that it holds for native code too. What was measured before is
    on the disk. In a process of its own (``Isolated``) a restorer that is too slow costs its images only.

    Args:
        restorer: called as before.
        seconds_per_image: a batch may take as many times longer as it has images.
    """

    def __init__(self, restorer: Restorer, seconds_per_image: float) -> None:
        self.restorer, self.seconds_per_image = restorer, seconds_per_image
        self.name = restorer.name
        self.opaque = is_opaque(restorer)

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Restore a batch; raises what the restorer raises."""
        faulthandler.dump_traceback_later(self.seconds_per_image * len(degraded), exit=True, file=2)
        try:
            return self.restorer(degraded)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def provenance(self) -> Mapping[str, Json]:
        """The restorer's own."""
        return self.restorer.provenance()

    def files_read(self) -> Mapping[str, str]:
        """The restorer's own; none where it is not watched."""
        return self.restorer.files_read() if isinstance(self.restorer, OpensFiles) else {}


def load_restorer(spec: str, device: str) -> Restorer:
    """Load a restorer, of faces or of whole photos, into this process. Raises as ``restorers.load`` does."""
    from gfpbench import restorers

    if spec.startswith("photo"):
        from gfpbench import photos

        if photos.is_whole_photo(spec):
            return photos.load_whole_photo(spec, device=device)
    return restorers.load(spec, device=device)


def metric_record(metric: Metric) -> dict[str, Json]:
    """What a Result keeps about a metric, so that it can be read without the code that measured it."""
    return {
        "unit": metric.unit,
        "better": metric.better,
        "best": metric.best,
        "tolerance": metric.tolerance,
        "tolerance_reason": metric.tolerance_reason,
        "minimum_side_px": metric.minimum_side_px,
        "needs_truth": metric.needs_truth,
        **({"needs_input": True} if needs_input(metric) else {}),
        "source": metric.source,
        **called(f"the identity of metric {metric.name!r}", identity_record, metric),
    }


def identity(record: Mapping[str, Json]) -> dict[str, Json]:
    """What a record says of the thing itself: files that were left out of a folder are no part of what was measured."""
    return {name: value for name, value in record.items() if name != "left_out"}


def called(what: str, function: Callable[..., _T], *arguments: object) -> _T:
    """Call foreign code: whatever it raises becomes one line that says whose error it is, and it can neither end the
    process nor pass for a skipped test (``contained``)."""
    try:
        with contained():
            return function(*arguments)
    except GfpbenchError:
        raise
    except (Exception, SystemExit) as error:
        own = raised(error)
        raise GfpbenchError(f"{what} failed: {type(own).__name__}: {text_of(own)}") from error


def plain(value: Mapping[str, Json], what: str) -> dict[str, Json]:
    """A copy made of JSON values only. Raises BadInput saying what holds something else."""
    try:
        copy: dict[str, Json] = json.loads(dumps(dict(value)))
    except (TypeError, ValueError) as error:
        raise BadInput(f"{what} must hold JSON values only: {error}") from error
    return copy


def input_folders(case: Case) -> Iterator[tuple[str, Path]]:
    """What a case reads whole folders for (``faces``, ``restored images``, ``degraded images``), and those folders."""
    name, colon, path = case.faces.partition(":")
    if colon and name in placed():
        yield "faces", Path(path)
    elif name in placed():
        yield "faces", assets.home() / "faces" / name
    elif case.faces not in FACES:
        yield "faces", Path(case.faces)
    for what, text, prefix in (
        ("restored images", case.restorer, "outputs:"),
        ("degraded images", case.degradation, "stored:"),
    ):
        if text.startswith(prefix):
            argument = text.removeprefix(prefix)
            yield what, Path(split_folder(argument)[0] if prefix == "outputs:" else argument)


def refuse_inside_inputs(case: Case, folder: Path) -> None:
    """Refuse to write into a folder that a case reads. Links are followed.

    Raises:
        BadInput: where ``folder`` is one of them or lies below one.
    """
    place = folder.expanduser().absolute().resolve()
    for what, given in input_folders(case):
        try:
            source = given.expanduser().absolute().resolve()
        except (OSError, ValueError, RuntimeError):  # no folder's name; whoever reads it says so
            continue
        if source.is_dir() and (place == source or source in place.parents):
            raise BadInput(
                f"{folder}: lies in the folder of the {what} ({given}), where nothing is written: "
                "choose a folder outside of it"
            )
