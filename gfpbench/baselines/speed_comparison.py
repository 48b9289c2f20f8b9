"""The decision on speed: as in the baseline, slower, faster, or another thing was measured.

A verdict on time needs size (beyond 25 %, or what measurements of one thing lay apart when the baseline was made),
evidence (intervals that do not touch), and persistence: whatever looks changed is measured again, twice, and each time
has to show it. Memory is nearly exact: size and persistence decide.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from gfpbench import codec
from gfpbench.baselines.comparison import DERIVED, Judged, check_derived, options
from gfpbench.speed import record
from gfpbench.speed.record import Speed
from gfpbench.statistics import median_interval
from gfpbench.types import Case, Json, Verdict, VerdictKind

TIME_TOLERANCE = 0.25
"""Measured: with both cores of a machine taken by others, medians of one restorer lie within 12 % of each other."""
WIDEST_TIME_TOLERANCE = 0.6
"""However noisy the machine of the baseline was, twice the time is seen."""
MEMORY_TOLERANCE = 0.25
MEMORY_TOLERANCE_MIB = 16.0
"""What allocators, threads and libraries may hold more of from one process to the next."""
BUSY = 1.5
REPEATS = 2


@dataclass(frozen=True, slots=True)
class SpeedComparison(Judged):
    """The speed of a restorer beside its baseline.

    Args:
        case: what was measured.
        verdicts: on ``time`` (units of the reference workload) and ``memory`` (MiB), or one on what does not compare.
        notes: what differs and is no failure.
        likely: what kind of change it looks like; empty where nothing changed.
        speed, baseline: the measurement that stands for all of them, and the stored one.
        measured: how many measurements were made.
        command: measures it again.
    """

    case: Case
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    likely: str
    speed: Speed
    baseline: Speed
    measured: int
    command: str

    def to_json(self) -> dict[str, Json]:
        """Plain JSON values."""
        told: dict[str, Json] = codec.encode(replace(self, speed=None, baseline=None))  # type: ignore[arg-type]
        speeds = {"speed": record.to_json(self.speed), "baseline": record.to_json(self.baseline)}
        return told | speeds | {name: getattr(self, name) for name in DERIVED}


@dataclass(frozen=True, slots=True)
class _Fields:
    record: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class _Rest:
    """A SpeedComparison without its two records."""

    case: Case
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    likely: str
    measured: int
    command: str


def speed_comparison_from_json(value: Json, where: str = "") -> SpeedComparison:
    """The inverse of ``SpeedComparison.to_json``. Raises BadInput naming the field for anything else."""
    given = codec.decode(_Fields, {"record": value}, where).record
    at = f"{where}." if where else ""
    now, before = (record.from_json(given.get(name), at + name) for name in ("speed", "baseline"))
    # The two records have rules and a schema of their own: checked above, they leave their places empty here.
    rest = {name: item for name, item in given.items() if name not in ("speed", "baseline")}
    told = codec.decode(_Rest, rest, where, ignored=DERIVED)
    found = SpeedComparison(**{one.name: getattr(told, one.name) for one in fields(_Rest)}, speed=now, baseline=before)
    check_derived(found, given, where)
    return found


def compare_speed(speed: Speed, baseline: Speed) -> SpeedComparison:
    """One measurement beside the baseline. Believe only what ``gate_speed`` says: a single one may be unlucky."""
    return _concluded([speed], baseline)


def gate_speed(measure: Callable[[], Speed], baseline: Speed, *, repeats: int = REPEATS) -> SpeedComparison:
    """Measure and compare; what looks changed is measured again, and believed where every measurement shows it.

    Args:
        measure: makes one measurement.
        baseline: the stored one.
        repeats: how often a suspicion has to be confirmed.
    """
    measured = [measure()]
    while len(measured) <= repeats and not incomparable(measured[0], baseline):
        if not any(len(kinds) == 1 and "same" not in kinds for kinds in _suspicions(measured, baseline)):
            break
        measured.append(measure())
    return _concluded(measured, baseline)


def incomparable(speed: Speed, baseline: Speed) -> str:
    """Why two measurements say nothing about each other, with what to do; empty where they compare."""
    if speed.reference != baseline.reference:
        return f"the reference workload is {speed.reference} now and was {baseline.reference}: make the baseline again"
    if speed.batch_size != baseline.batch_size:
        before = baseline.batch_size
        return f"batches of {speed.batch_size} now, of {before} in the baseline: give --batch-size {before}"
    if tuple(speed.size_px) != tuple(baseline.size_px):
        return f"images of {_size(speed)} now, of {_size(baseline)} in the baseline: the faces have changed"
    return ""


def time_tolerance(baseline: Speed) -> float:
    """How far the ratio may move, relative: twice what it moved by when nothing changed, within bounds."""
    return min(WIDEST_TIME_TOLERANCE, max(TIME_TOLERANCE, 2 * baseline.noise))


def command(case: Case, batch_size: int | None = None) -> str:
    """The command that measures a case and compares it."""
    words = options(case).split(" ", 1)[1]  # the name without its option
    return f"gfpbench speed {words}" + (f" --batch-size {batch_size}" if batch_size is not None else "")


def _concluded(measured: list[Speed], baseline: Speed) -> SpeedComparison:
    stands = sorted(measured, key=lambda speed: speed.ratio)[(len(measured) - 1) // 2]
    case = stands.case
    unlike = incomparable(stands, baseline)
    if unlike:
        verdicts: tuple[Verdict, ...] = (Verdict(case.id, "speed", None, None, None, "changed", unlike),)
    else:
        verdicts = (_time(measured, stands, baseline), *_memory(measured, baseline))
    return SpeedComparison(
        case=case,
        verdicts=verdicts,
        notes=_notes(stands, baseline),
        likely=_likely(verdicts, stands, baseline),
        speed=stands,
        baseline=baseline,
        measured=len(measured),
        command=command(case, stands.batch_size),
    )


def _suspicions(measured: list[Speed], baseline: Speed) -> tuple[set[VerdictKind], set[VerdictKind]]:
    """What each measurement says by its size alone, of time and of memory."""
    peaks = [speed.peak_mib for speed in measured if speed.peak_mib is not None]
    memory = {_memory_kind(peak, baseline.peak_mib) for peak in peaks} if baseline.peak_mib is not None else set()
    return {_time_kind(speed, baseline) for speed in measured}, memory


def _time(measured: list[Speed], stands: Speed, baseline: Speed) -> Verdict:
    """Size and persistence from each measurement, evidence from all their pairs together."""
    kinds, _ = _suspicions(measured, baseline)
    kind = kinds.pop() if len(kinds) == 1 else "same"
    said = "within tolerance"
    if kind == "same" and len(measured) > 1:
        said = "in one measurement, not found again: " + ", ".join(_percent(_change(one, baseline)) for one in measured)
    elif kind != "same":
        pairs = [ratio for speed in measured for ratio in speed.ratios]
        low, high = median_interval(pairs) if pairs else (stands.low, stands.high)
        said = f"{_percent(_change(stands, baseline))} as {_times(len(measured))} found"
        if low <= baseline.high and baseline.low <= high:
            kind, said = "same", f"{said}, and too uncertain for a verdict: the intervals touch"
    return Verdict(stands.case.id, "time", None, baseline.ratio, stands.ratio, kind, said)


def _time_kind(speed: Speed, baseline: Speed) -> VerdictKind:
    """What one measurement says by its size; 25 % more time is undone by 20 % less."""
    change = _change(speed, baseline)
    if change > time_tolerance(baseline):
        return "worse"
    return "better" if baseline.ratio / speed.ratio - 1 > time_tolerance(baseline) else "same"


def _change(speed: Speed, baseline: Speed) -> float:
    return speed.ratio / baseline.ratio - 1


def _memory(measured: list[Speed], baseline: Speed) -> tuple[Verdict, ...]:
    peaks = [speed.peak_mib for speed in measured if speed.peak_mib is not None]
    case, before = measured[0].case.id, baseline.peak_mib
    if before is None:
        return ()
    if not peaks:
        why = f"was measured in the baseline and is not now: {measured[0].memory_note}"
        return (Verdict(case, "memory", None, before, None, "missing", why),)
    now = statistics.median_low(peaks)
    _, kinds = _suspicions(measured, baseline)
    kind = kinds.pop() if len(kinds) == 1 else "same"
    said = "within tolerance"
    if kind != "same":
        said = f"{_percent(now / before - 1)} as {_times(len(peaks))} found" if before else f"by {now:.0f} MiB"
    return (Verdict(case, "memory", None, before, now, kind, said),)


def _memory_kind(peak: float, before: float) -> VerdictKind:
    larger, smaller = max(peak, before), min(peak, before)
    if larger - smaller <= MEMORY_TOLERANCE_MIB or larger <= smaller * (1 + MEMORY_TOLERANCE):
        return "same"
    return "worse" if peak > before else "better"


def _notes(speed: Speed, baseline: Speed) -> tuple[str, ...]:
    notes = []
    slower = speed.reference_seconds / baseline.reference_seconds
    if baseline.noise > TIME_TOLERANCE / 2:
        notes.append(
            f"the baseline's own measurements lay {baseline.noise:.0%} apart: the machine was busy; make it again"
        )
    if slower > BUSY:
        notes.append(f"the reference workload took {slower:.1f} times as long as in the baseline: the machine is busy")
    if speed.restorer != baseline.restorer:
        notes.append("the restorer is not the one of the baseline: other weights, code or settings")
    differ = _differences(speed.environment, baseline.environment)
    return (*notes, *(f"{name}: {was} in the baseline, {now} now" for name, was, now in differ))


def _differences(now: Mapping[str, Json], before: Mapping[str, Json]) -> list[tuple[str, Json, Json]]:
    """What may change a speed, and did; that the code of gfpbench is another is no news to its authors."""
    names = [name for name in dict.fromkeys((*before, *now)) if name not in ("code_sha256", "gfpbench")]
    return [(name, before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)]


def _likely(verdicts: tuple[Verdict, ...], speed: Speed, baseline: Speed) -> str:
    kinds = {verdict.metric: verdict.kind for verdict in verdicts}
    said = []
    if kinds.get("time") == "worse":
        before, now = baseline.processor_ratio, speed.processor_ratio
        if not before or now is None:
            said.append("speed: each call takes longer")
        elif now / before - 1 > _change(speed, baseline) / 2:
            said.append("speed: more is computed, processors work longer on each call")
        else:
            said.append("speed: it waits (sleep, disk, locks, fewer threads), processors work no longer than before")
    if kinds.get("memory") == "worse":
        said.append("memory: more is held at once")
    return "; ".join(said)


def _percent(change: float) -> str:
    return f"{abs(change):.0%} {'more' if change > 0 else 'less'}"


def _times(count: int) -> str:
    return "one measurement" if count == 1 else f"all {count} measurements"


def _size(speed: Speed) -> str:
    return f"{speed.size_px[0]} x {speed.size_px[1]} px"
