"""Speed and memory of a reference and its candidates, measured one after the other, beside their verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gfpbench.parity.record import Parity, Timed
from gfpbench.speed import Speed, measure_speed
from gfpbench.speed.measure import PAIRS

BATCHES = (1, 8)


def with_speed(
    parity: Parity,
    *,
    device: str = "cpu",
    batches: Sequence[int] = BATCHES,
    measure: Callable[..., Speed] = measure_speed,
    pairs: int = PAIRS,
) -> Parity:
    """The same comparison with the time and memory of every restorer, as ``gfpbench speed`` measures them.

    Each call of a restorer lies between two of one fixed workload, so that restorers that are measured minutes apart
    compare. Restorers that are no names cannot be loaded into the process that measures memory, and are refused.

    Args:
        batches: images in a call; the limit of the case is raised to them, since here no face is compared.
        measure: for tests, which must not depend on time.

    Raises:
        BadInput, RestorationFailed: as ``measure_speed``.
    """

    def speeds(name: str) -> list[Speed]:
        found: dict[int, Speed] = {}
        for size in batches:
            case = replace(parity.case, restorer=name, limit=max(size, parity.case.limit or size))
            one = measure(case, device=device, batch_size=size, pairs=pairs)
            found.setdefault(one.batch_size, one)  # of fewer faces than that there is no batch of that size
        return list(found.values())

    own = speeds(parity.case.restorer)
    candidates = tuple(
        replace(one, timed=tuple(_timed(*pair) for pair in zip(speeds(one.name), own, strict=True)))
        for one in parity.candidates
    )
    return replace(parity, candidates=candidates, reference_timed=tuple(_timed(one, one) for one in own))


def _timed(speed: Speed, reference: Speed) -> Timed:
    """In units of the reference; the interval is that of both ends against both, which is wider than 95 %."""
    same = speed is reference
    return Timed(
        batch_size=speed.batch_size,
        seconds_an_image=speed.seconds / speed.batch_size,
        relative=speed.ratio / reference.ratio,
        low=1.0 if same else speed.low / reference.high,
        high=1.0 if same else speed.high / reference.low,
        peak_mib=speed.peak_mib,
    )
