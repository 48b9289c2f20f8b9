"""Measures one value of an axis as an ordinary case, for the worst faces at a collapse point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gfpbench import devices, run
from gfpbench.collapse.measuring import INPUT, load_metric, open_bench
from gfpbench.collapse.point import axis_of
from gfpbench.collapse.record import Question
from gfpbench.types import Restorer, Result


def at_value(
    question: Question,
    value: float,
    *,
    store: Path,
    device: str = "cpu",
    metrics: Sequence[str] = (),
    restorer: Restorer | None = None,
) -> tuple[Result, Result, Result]:
    """The degraded input, the restorer and the truth at one value of the axis, with images kept: what a report shows.

    Args:
        question: as for ``collapse_point``; its criteria are not looked at.
        value: in the axis's unit.
        metrics: measured besides the question's own.

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
    )
    extra = tuple(load_metric(name) for name in metrics if name != question.metric)
    given = bench.result(severity, bench.given, INPUT, extra)
    own = given if question.restorer == INPUT else bench.result(severity, bench.restorer, question.restorer, extra)
    truth = run.run_case(
        bench.case(severity, run.TRUTH), bench.parts(severity, None, extra), store=store, device=device
    )
    return given, own, truth
