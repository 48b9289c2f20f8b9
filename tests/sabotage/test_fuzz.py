"""Broken readers, which the fuzzers have to report; and broken fuzzers, which those readers catch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from gfpbench.types import BadInput
from tests.fuzz import conftest as ends
from tests.fuzz import outcome as law
from tests.fuzz.outcome import Budget, fuzz, outcome

BYTES = st.binary(max_size=6)


def sound(data: bytes) -> int:
    """A reader that is as it should be."""
    if len(data) % 2:
        raise BadInput("x.bin: has an odd number of bytes")
    return len(data)


def type_error(data: bytes) -> int:
    return sound(data) if len(data) < 3 else len(data) + None  # type: ignore[operator]


def several_lines(data: bytes) -> int:
    if len(data) > 2:
        raise BadInput("x.bin: is\nwrong")
    return sound(data)


def without_a_word(data: bytes) -> int:
    if len(data) > 2:
        raise BadInput("")
    return sound(data)


def without_end(data: bytes) -> int:
    if len(data) > 2:
        raise BadInput("x" * 5000)
    return sound(data)


def leaves(data: bytes) -> int:
    if len(data) > 2:
        raise SystemExit(0)
    return sound(data)


def waits(data: bytes) -> int:
    if len(data) > 2:
        time.sleep(30)
    return sound(data)


def computes(data: bytes) -> int:
    while len(data) > 2:
        pass
    return sound(data)


def wrong_number(data: bytes) -> int:
    return sound(data) + (len(data) > 4)


READERS: dict[str, tuple[Callable[[bytes], int], type[BaseException]]] = {
    "lets a TypeError through": (type_error, TypeError),
    "refuses in two lines": (several_lines, AssertionError),
    "refuses without a word": (without_a_word, AssertionError),
    "refuses without end": (without_end, AssertionError),
    "ends the process": (leaves, SystemExit),
    "waits without end": (waits, AssertionError),
    "computes without end": (computes, AssertionError),
    "answers with a wrong number": (wrong_number, AssertionError),
}


def fuzzed(reader: Callable[[bytes], int]) -> Budget:
    def one(data: bytes, budget: Budget) -> None:
        found = outcome(lambda: reader(data), budget)
        assert found in (None, len(data)), "a wrong number"

    return fuzz(BYTES, one)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law, "SMOKE_INPUTS", 60)
    monkeypatch.setattr(law, "TOTAL", Budget())
    monkeypatch.delenv("GFPBENCH_FUZZ_SECONDS", raising=False)


def test_a_sound_reader_is_not_reported() -> None:
    budget = fuzzed(sound)
    assert budget.tried == budget.answered + budget.refused >= 60
    assert budget.answered
    assert budget.refused
    assert law.TOTAL.tried == budget.tried


@pytest.mark.parametrize("kind", READERS)
def test_a_broken_reader_is_reported(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, error = READERS[kind]
    if call in (waits, computes):
        monkeypatch.setattr(law, "SECONDS_AT_MOST", 0.05)
    with pytest.raises(error):
        fuzzed(call)
    assert law.TOTAL.tried > 0  # what was tried before the finding counts


def _swallows(call: Callable[[], Any], budget: Budget) -> Any:
    budget.tried += 1
    with contextlib.suppress(Exception):
        return call()


def _refuses_all(call: Callable[[], Any], budget: Budget) -> Any:
    budget.tried += 1
    try:
        return call()
    except Exception:  # noqa: BLE001 - this is the bug
        budget.refused += 1


@pytest.mark.parametrize(
    ("name", "broken", "kind"),
    [
        ("outcome", _swallows, "lets a TypeError through"),
        ("outcome", _refuses_all, "lets a TypeError through"),
        ("one_line", lambda text: None, "refuses in two lines"),
        ("one_line", lambda text: None, "refuses without a word"),
        ("one_line", lambda text: None, "refuses without end"),
    ],
)
def test_a_broken_fuzzer_is_noticed(
    name: str, broken: Callable[..., Any], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With these in place of the law, the broken reader above passes: the test above fails."""
    monkeypatch.setattr(law, name, broken)
    monkeypatch.setitem(globals(), "outcome", law.outcome)
    with pytest.raises(pytest.fail.Exception):
        test_a_broken_reader_is_reported(kind, monkeypatch)


def test_a_fuzzer_that_tries_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="the entry point was tried 0 times"):
        fuzz(BYTES, lambda data, budget: None)


@pytest.mark.parametrize(("tried", "status"), [(4999, 1), (5000, 0)])
def test_too_few_inputs_in_all_fail(tried: int, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_FUZZ_SECONDS", "1")
    monkeypatch.setenv(ends.VARIABLE, "5000")
    monkeypatch.setattr(ends, "_all", Budget(tried=tried))
    option = SimpleNamespace(collectonly=False)
    session: Any = SimpleNamespace(config=SimpleNamespace(option=option), exitstatus=0)
    ends.pytest_sessionfinish(session)
    assert int(session.exitstatus) == status
