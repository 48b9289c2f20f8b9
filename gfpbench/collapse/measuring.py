"""Measures one severity after another: the same faces, degraded along an axis, restored and scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gfpbench import devices, faces, metrics, restorers, run
from gfpbench.assets.datasets import refuse_without_truth
from gfpbench.collapse.definition import Criterion
from gfpbench.collapse.other_face import AgainstOther, pair_with_others
from gfpbench.collapse.record import Question
from gfpbench.degrade.axes import Axis, faces_to_restore, load_axis
from gfpbench.run.parts import LoadedBy, Parts
from gfpbench.run.shared import SharedInputs
from gfpbench.types import BadInput, Case, FaceSet, Json, Metric, Restorer, Result

if TYPE_CHECKING:
    from gfpbench.run import Workers

INPUT = "input"
KEPT_IMAGES = 24


@dataclass
class Bench:
    """Everything that stays the same from severity to severity, and the Results so far.

    A severity measured before, by this search or an earlier one in the same ``store``, is read back instead of
    measured, if it was measured with the same restorer, faces, metric, code and machine. The faces are decoded for that
    once a search, and a restorer that its provenance does not describe is asked what it makes of two of them. The
    engine writes each Result whole or not at all and goes on with an unfinished one, so a killed search ends in the
    same bytes.

    Args:
        question: what is asked; its names are not looked up here.
        axis: along which.
        clean: the clean faces.
        restorer: what is tested; ``given`` is the degraded image itself.
        metric: by which quality is measured.
        needs_other: whether scores against other faces are needed.
        store: the folder of the cases.
        workers: processes that measure them; None for this one.
        others, clean_sha256, answers: found out where they are not given.
    """

    question: Question
    axis: Axis
    clean: FaceSet
    restorer: Restorer
    given: Restorer
    metric: Metric
    needs_other: bool
    store: Path
    device: str = "cpu"
    batch_size: int = 8
    workers: Workers | None = None
    ids: tuple[str, ...] = ()
    others: dict[str, str] = field(default_factory=dict)
    clean_sha256: str = ""
    answers: dict[str, str] | None = None
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids = self.clean.ids()[: self.question.limit]
        if not self.ids:
            raise BadInput(f"faces {self.question.faces!r}: there are none")
        if self.needs_other and not self.others:
            self.others = pair_with_others(self.clean, self.ids)
        self.clean_sha256 = self.clean_sha256 or run.faces_sha256(self.clean, self.ids)
        if restorers.is_opaque(self.restorer) and self.answers is None:
            self.answers = run.answers_of(self.restorer, self.clean, self.ids, self.device)
        self.files = dict(run.read_by(self.restorer))

    def case(self, severity: float, restorer: str) -> Case:
        """The case of one severity; faces of scene axes are changed as its degradation's name says."""
        asked = self.question
        degradation = self.axis.at(severity).name
        return Case(asked.faces, degradation, restorer, asked.seed, asked.size_px, asked.limit, asked.draws)

    def parts(self, severity: float, restorer: Restorer | None, extra: Sequence[Metric] = ()) -> Parts:
        """What meets at one severity; the truth itself is scored where ``restorer`` is None."""
        truths = faces_to_restore(self.axis, self.clean, severity, self.question.seed)
        scored: list[Metric] = [self.metric]
        if self.needs_other:
            scored.append(cast(Metric, AgainstOther(self.metric, truths, self.others)))
            scored.append(cast(Metric, AgainstOther(self.metric, truths, self.others, of_truth=True)))
        return Parts(
            truths,
            self.axis.at(severity),
            restorer,
            (*scored, *extra),
            clean_faces_sha256=self.clean_sha256,
            answers=self.answers if restorer is self.restorer else None,
            files=self.files if restorer is self.restorer else None,
            loaded_by=None if self.workers is None else self._loaded_by(severity, extra),
        )

    def _loaded_by(self, severity: float, extra: Sequence[Metric]) -> LoadedBy:
        named: dict[str, Json] = {"question": asdict(self.question), "severity": severity, "others": self.others}
        named |= {"needs_other": self.needs_other, "clean_sha256": self.clean_sha256}
        return LoadedBy(__name__, {**named, "extra": [metric.name for metric in extra]})

    def expect(self, severity: float) -> None:
        """Have worker processes with nothing else to do begin with a severity that will be asked for."""
        named = {INPUT: self.given, self.question.restorer: self.given}
        if self.question.restorer != INPUT:
            named[self.question.restorer] = self.restorer
        for name, restorer in named.items() if self.workers is not None else ():
            how = {"device": self.device, "batch_size": self.batch_size, "keep_images": KEPT_IMAGES}
            case, parts = self.case(severity, name), self.parts(severity, restorer)
            task = run.task_ahead(case, parts, store=self.store, **how)  # type: ignore[arg-type]
            if task is not None and self.workers is not None:
                self.workers.expect(task)

    def result(self, severity: float, restorer: Restorer, name: str, extra: Sequence[Metric] = ()) -> Result:
        """The Result of one severity, from the store where it is there."""
        return run.run_case(
            self.case(severity, name),
            self.parts(severity, restorer, extra),
            store=self.store,
            device=self.device,
            batch_size=self.batch_size,
            keep_images=KEPT_IMAGES,
            reuse=True,
            workers=self.workers,
        )

    def both(self, severity: float) -> tuple[Result, Result]:
        """The Results of the restorer and of its input."""
        given = self.result(severity, self.given, INPUT)
        if self.question.restorer == INPUT:
            return given, given
        return self.result(severity, self.restorer, self.question.restorer), given


def open_bench(
    question: Question,
    axis: Axis,
    metric: Metric,
    criteria: Sequence[Criterion],
    *,
    store: Path,
    device: str = "cpu",
    batch_size: int = 8,
    restorer: Restorer | None = None,
    workers: Workers | None = None,
) -> Bench:
    """Load what a question names. ``restorer`` takes the place of the one it names, where it is at hand already.

    Raises:
        BadInput: for faces without a ground truth.
    """
    refuse_without_truth(question.faces, "collapse degrades clean faces")
    return Bench(
        question=question,
        axis=axis,
        clean=faces.load(question.faces, size_px=question.size_px, draws=question.draws),
        restorer=restorer or restorers.load(question.restorer, device=device),
        given=restorers.load(INPUT),
        metric=metric,
        needs_other=any(criterion.needs_other for criterion in criteria),
        store=store,
        device=device,
        batch_size=batch_size,
        workers=workers,
    )


def loader() -> Callable[..., Parts]:
    """What a worker process loads the cases of searches with (``parts.LoadedBy``)."""
    return _Loader().parts


class _Loader:
    """Loads each restorer once, and asks it once what it makes of some faces, for all searches of a command."""

    def __init__(self) -> None:
        self._restorers: dict[str, Restorer] = {}
        self._answers: dict[tuple[object, ...], dict[str, str] | None] = {}

    def parts(
        self,
        case: Case,
        *,
        device: str,
        shared: SharedInputs,
        question: Mapping[str, Json],
        severity: float,
        extra: Sequence[str],
        needs_other: bool,
        others: Mapping[str, str],
        clean_sha256: str,
        isolate: bool,
        seconds_per_image: float | None,
    ) -> Parts:
        """The parts of one case, as the ``Bench`` of the command has them."""
        asked, name = Question(**question), question["restorer"]
        if name not in self._restorers:
            loaded = run.guarded(name, device, isolate=isolate, seconds_per_image=seconds_per_image)
            self._restorers[name] = loaded
        named = asked.faces, asked.size_px, asked.draws
        bench = Bench(
            question=asked,
            axis=axis_of(asked.axis),
            clean=shared.opened(named, lambda: faces.load(asked.faces, size_px=asked.size_px, draws=asked.draws)),
            restorer=self._restorers[name],
            given=restorers.load(INPUT),
            metric=load_metric(asked.metric),
            needs_other=needs_other,
            store=Path(),  # nothing is written
            device=device,
            others=dict(others),
            clean_sha256=clean_sha256,
            answers=self._answers.get((name, asked.limit, *named)),
        )
        self._answers[(name, asked.limit, *named)] = bench.answers
        restorer = {INPUT: bench.given, run.TRUTH: None}.get(case.restorer, bench.restorer)
        return bench.parts(severity, restorer, [load_metric(one) for one in extra])


def axis_of(name: str) -> Axis:
    """The axis a search runs on: one that acts on the image is put on the base ``middle`` unless a base is named.

    Over clean faces there is nothing to restore at severity 0 and any restorer loses to its input there; over the
    middle of the paper's ranges a restorer has something to do at every severity. ``noise+none`` asks for the bare
    axis. ``all`` varies everything the base would fix, and stays as it is.
    """
    plain, plus, base = name.partition("+")
    if plus and base == "none":
        return load_axis(plain).on("none")
    axis = load_axis(name)
    return axis if plus or axis.base != "none" or plain == "all" else axis.on("middle")


def axis_name(axis: Axis) -> str:
    """The name by which ``axis_of`` gives this axis again."""
    return f"{axis.name}+none" if axis_of(axis.name).base != axis.base else axis.name


def load_metric(name: str) -> Metric:
    """The metric of that name. Raises BadInput for an unknown one, AssetMissing for one that lacks its network."""
    return metrics.load([name])[0]


def at_value(
    question: Question,
    value: float,
    *,
    store: Path,
    device: str = "cpu",
    metrics: Sequence[str] = (),
    restorer: Restorer | None = None,
    workers: Workers | None = None,
) -> tuple[Result, Result, Result]:
    """The degraded input, the restorer and the truth at one value of the axis, with images kept: what a report shows.

    Args:
        question: as for ``collapse_point``; its criteria are not looked at.
        value: in the axis's unit.
        metrics: measured besides the question's own.
        workers: as for ``collapse_points``.

    Raises:
        BadInput, AssetMissing: as ``collapse_point`` does; BadInput for a value that is not on the axis.
    """
    device = devices.resolve(device)
    axis = axis_of(question.axis)
    severity = axis.severity_of(value)
    bench = open_bench(
        question,
        axis,
        load_metric(question.metric),
        (),
        store=store,
        device=device,
        restorer=restorer,
        workers=workers,
    )
    extra = tuple(load_metric(name) for name in metrics if name != question.metric)
    given = bench.result(severity, bench.given, INPUT, extra)
    own = given if question.restorer == INPUT else bench.result(severity, bench.restorer, question.restorer, extra)
    parts = bench.parts(severity, None, extra)
    truth = run.run_case(bench.case(severity, run.TRUTH), parts, store=store, device=device, workers=workers)
    return given, own, truth
