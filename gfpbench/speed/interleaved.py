"""Interleaved timing of restorer and reference (A B A B A), so that machine load affects both."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gfpbench.speed.stopwatch import Lap, Stopwatch
from gfpbench.statistics import median_interval

WARM_UP = 3
SHORTEST_SECONDS = 0.1
"""Shorter work is done several times in one lap: below, the clock and the scheduler are what is measured."""
REFERENCE_SHARE = 0.5
"""The reference is repeated until it takes this share of the restorer's time, so that both see the same load."""
REPEATED_AT_MOST = 100
ENOUGH_SECONDS, FEWEST = 40.0, 6
"""A restorer that takes seconds for each call is called less often, never less than so many times."""
STEADY = 1.3
"""Two references that differ by more were not measured under one load."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What the restorer took, in units of the reference.

    Args:
        ratio: median over pairs of restorer / reference, with its 95 % interval [low, high].
        ratios: of each pair.
        seconds, reference_seconds: medians of one call each.
        processor_ratio: as ``ratio``, of the time that processors worked; None where the reference needs none (a GPU).
    """

    ratio: float
    low: float
    high: float
    ratios: tuple[float, ...]
    seconds: float
    reference_seconds: float
    processor_ratio: float | None


def interleaved(
    restore: Callable[[], object], reference: Callable[[], object], stopwatch: Stopwatch, pairs: int
) -> Timing:
    """Time a restorer against the reference, each call of the one between two of the other.

    Args:
        restore, reference: do the work once.
        stopwatch: times one piece of work.
        pairs: calls of the restorer that count, two or more, fewer where they are slow; the first ``WARM_UP`` do not.
    """
    spent = 0.0
    for _ in range(WARM_UP):
        one = stopwatch(restore), stopwatch(reference)
        spent += one[0].seconds
        if spent > ENOUGH_SECONDS / 2:
            break
    pairs = max(min(pairs, FEWEST), min(pairs, int(ENOUGH_SECONDS / max(one[0].seconds, SHORTEST_SECONDS))))
    times = _times(one[0].seconds, SHORTEST_SECONDS)
    wanted = max(SHORTEST_SECONDS, REFERENCE_SHARE * one[0].seconds * times)
    reference_times = _times(one[1].seconds, wanted)
    laps, references = [], []
    with _undisturbed():
        references.append(_lap(stopwatch, reference, reference_times))
        for _ in range(pairs):
            laps.append(_lap(stopwatch, restore, times))
            references.append(_lap(stopwatch, reference, reference_times))
    ratios = _ratios([lap.seconds for lap in laps], [lap.seconds for lap in references])
    worked = [lap.processor_seconds for lap in references]
    processor = _ratios([lap.processor_seconds for lap in laps], worked) if min(worked) > 0 else []
    low, high = median_interval(ratios)
    return Timing(
        ratio=statistics.median(ratios),
        low=low,
        high=high,
        ratios=tuple(ratios),
        seconds=statistics.median(lap.seconds for lap in laps),
        reference_seconds=statistics.median(lap.seconds for lap in references),
        processor_ratio=statistics.median(processor) if processor else None,
    )


def _times(seconds: float, wanted: float) -> int:
    return REPEATED_AT_MOST if seconds <= 0 else max(1, min(REPEATED_AT_MOST, round(wanted / seconds)))


def _lap(stopwatch: Stopwatch, work: Callable[[], object], times: int) -> Lap:
    def repeated() -> None:
        for _ in range(times):
            work()

    lap = stopwatch(repeated)
    return Lap(lap.seconds / times, lap.processor_seconds / times)


def _ratios(laps: Sequence[float], references: Sequence[float]) -> list[float]:
    """Each lap in units of the mean of the two references around it.

    Where these two differ, the load changed in between, and the lap belongs to neither: such pairs are left out, the
    worst first, until half of all are left.
    """
    around = list(zip(laps, references[:-1], references[1:], strict=True))
    apart = [max(before, after) / min(before, after) for _, before, after in around]
    bound = max(STEADY, sorted(apart)[len(apart) // 2])
    return [2 * lap / (before + after) for (lap, before, after), by in zip(around, apart, strict=True) if by <= bound]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection within: it would strike at random."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
