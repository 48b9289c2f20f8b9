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
SMOKE_INPUTS = 15
"""Inputs for each entry point in the ordinary tests."""
ROUND = 100
"""Inputs between two looks at the clock."""


def seconds() -> float:
    """Time for each entry point, ``GFPBENCH_FUZZ_SECONDS``; 0 for the few fixed inputs of the ordinary tests."""
    return float(os.environ.get("GFPBENCH_FUZZ_SECONDS", "0"))


@dataclass
class Budget:
    """How many inputs an entry point had, and what became of them."""

    tried: int = 0
    answered: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return f"{self.tried:,} inputs: {self.answered:,} answered, {self.refused:,} refused in one line"


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
                return budget
    finally:
        print(f"\n{budget}", end=" ")


def outcome(call: Callable[[], T], budget: Budget) -> T | None:
    """Try one input: its answer, or None where it is refused. Anything else raises, and that is a finding.

    Raises:
        AssertionError: where the refusal is no single printable line, or takes longer than 20 s.
    """
    budget.tried += 1
    try:
        with _no_hang():
            answer = call()
    except GfpbenchError as error:
        line = str(error)
        assert line, "a refusal without a word"
        assert "\n" not in line, f"a refusal of several lines: {line!r}"
        assert len(line) < 2000, f"a refusal of {len(line)} characters: {line[:200]!r}"
        budget.refused += 1
        return None
    budget.answered += 1
    return answer


@contextmanager
def _no_hang() -> Iterator[None]:
    def over(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no answer within {SECONDS_AT_MOST:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_AT_MOST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
