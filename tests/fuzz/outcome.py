"""What is owed for any input: an answer, or one line; no traceback, no hang, and no more than asked for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gfpbench.types import GfpbenchError

T = TypeVar("T")
SECONDS_AT_MOST = 20.0
"""Of processor time, for one input: a busy machine makes nobody late."""
TIMES_BY_THE_CLOCK = 10
"""As many times as long by the clock, for what waits and computes nothing."""
SMOKE_INPUTS = 15
"""Inputs for each entry point in the ordinary tests."""
ROUND = 100
"""Inputs between two looks at the clock."""


def seconds() -> float:
    """Time for each entry point, ``GFPBENCH_FUZZ_SECONDS``; 0 for the few fixed inputs of the ordinary tests."""
    return float(os.environ.get("GFPBENCH_FUZZ_SECONDS", "0"))


@dataclass
class Budget:
    """How many inputs an entry point had, and what became of them.

    ``crashed`` are those of compiled parsers: they ended the process that read the file, which is a line elsewhere.
    """

    tried: int = 0
    answered: int = 0
    refused: int = 0
    crashed: int = 0
    slowest_seconds: float = 0.0

    def __str__(self) -> str:
        ended = f", {self.crashed:,} ended a reader's process" if self.crashed else ""
        return (
            f"{self.tried:,} inputs: {self.answered:,} answered, {self.refused:,} refused in one line{ended}, "
            f"slowest {self.slowest_seconds:.1f} s of processor time"
        )

    def add(self, other: Budget) -> None:
        self.tried += other.tried
        self.answered += other.answered
        self.refused += other.refused
        self.crashed += other.crashed
        self.slowest_seconds = max(self.slowest_seconds, other.slowest_seconds)


TOTAL = Budget()
"""Of all entry points that were tried in this process."""


def fuzz(inputs: st.SearchStrategy[T], use: Callable[[T, Budget], object]) -> Budget:
    """Try one input after the other: for ``seconds()``, new ones each time, or the same few in the ordinary tests.

    Args:
        inputs: what it is given.
        use: opens it with one input, by ``outcome``.

    Raises:
        AssertionError or whatever else ``use`` raises, with the smallest input found that does so.
    """
    budget, began, thorough = Budget(), time.monotonic(), seconds() > 0

    @settings(
        max_examples=ROUND if thorough else SMOKE_INPUTS,
        derandomize=not thorough,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def one_round(given_input: T) -> None:
        use(given_input, budget)

    try:
        while True:
            one_round()
            if time.monotonic() - began >= seconds():
                break
    finally:
        TOTAL.add(budget)
        print(f"\n{budget}", end=" ")
    assert budget.tried >= SMOKE_INPUTS, f"the entry point was tried {budget.tried} times: {budget}"
    return budget


def outcome(call: Callable[[], T], budget: Budget) -> T | None:
    """Try one input: its answer, or None where it is refused. Anything else raises, and that is a finding.

    Raises:
        AssertionError: where the refusal is no single printable line, or takes longer than 20 s of processor time.
    """
    budget.tried += 1
    began = time.process_time()
    try:
        with _no_hang():
            answer = call()
    except GfpbenchError as error:
        one_line(str(error))
        budget.refused += 1
        return None
    finally:
        budget.slowest_seconds = max(budget.slowest_seconds, time.process_time() - began)
    budget.answered += 1
    return answer


def one_line(text: str) -> None:
    """Raises AssertionError where a refusal or a reason is no single line of a length that is read."""
    assert text, "a refusal without a word"
    assert "\n" not in text, f"a refusal of several lines: {text!r}"
    assert len(text) < 2000, f"a refusal of {len(text)} characters: {text[:200]!r}"


@contextmanager
def _no_hang() -> Iterator[None]:
    limits = (
        (signal.SIGPROF, signal.ITIMER_PROF, SECONDS_AT_MOST, " of processor time"),
        (signal.SIGALRM, signal.ITIMER_REAL, SECONDS_AT_MOST * TIMES_BY_THE_CLOCK, ""),
    )
    said = {int(number): f"no answer within {seconds:g} s{unit}" for number, _, seconds, unit in limits}

    def over(number: int, frame: FrameType | None) -> None:
        raise AssertionError(said[number])

    before = [(number, signal.signal(number, over)) for number, *_ in limits]
    for _, clock, seconds, _ in limits:
        signal.setitimer(clock, seconds)
    try:
        yield
    finally:
        for _, clock, _, _ in limits:
            signal.setitimer(clock, 0)
        for number, handler in before:
            signal.signal(number, handler)
