"""Recognises gfpbench's own fixtures and values by definition and type, never by name alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from gfpbench.plugin.options import acts_on_all_markers

RESULT = "gfpbench_result"
SPEED = "gfpbench_speed"

_FIXTURES = "gfpbench.plugin.fixtures"
_COMPARISONS = (
    ("gfpbench.baselines.comparison", "Comparison"),
    ("gfpbench.baselines.speed_comparison", "SpeedComparison"),
)


def fixtures_of(item: Any) -> frozenset[str]:
    """Which of our fixtures a test uses, itself or through others, by their long names.

    Args:
        item: a test, or a test function as ``metafunc.definition`` describes it.
    """
    info = getattr(item, "_fixtureinfo", None)
    known = getattr(info, "name2fixturedefs", {})
    reached: set[str] = set()
    ours: set[str] = set()
    waiting = list(getattr(info, "initialnames", ()))
    # Followed from the test itself: what pytest keeps also names fixtures whose values a `parametrize` has replaced.
    while waiting:
        name = waiting.pop()
        if name in reached or name not in known:
            continue
        reached.add(name)
        for definition in _used(name, known[name]):
            ours |= {name} if _is_ours(definition) else set()
            waiting += definition.argnames
    return frozenset(ours)


def _used(name: str, definitions: Any) -> Iterator[Any]:
    """The definitions of a fixture that are called: the last, and the one before where the last asks for it."""
    for definition in reversed(definitions):
        yield definition
        if name not in definition.argnames:
            return


def _is_ours(definition: Any) -> bool:
    return getattr(definition.func, "__module__", "") == _FIXTURES


def marker_is_ours(item: pytest.Item) -> bool:
    """Whether we act on a mark such as ``gpu`` of this test: it uses a fixture of ours, or its project asked for it."""
    return bool(fixtures_of(item)) or acts_on_all_markers(item.config)


def is_parametrized_by_hand(metafunc: pytest.Metafunc, fixture: str) -> bool:
    """Whether a ``parametrize`` mark of the test gives the values of a fixture."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        given = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if fixture in {word.strip() for word in (given.split(",") if isinstance(given, str) else given)}:
            return True
    return False


def results_among(values: Iterable[Any], measured: Iterable[Any]) -> list[Any]:
    """Those values that are Results which this session measured, each once, in order. Never a baseline."""
    ours = {id(result) for result in measured}
    return list({id(value): value for value in values if id(value) in ours}.values())


def comparisons_among(values: Iterable[Any]) -> list[Any]:
    """Those values that are comparisons of ours, by type, each once. Nothing is imported to find out."""
    found = (value for value in values if (type(value).__module__, type(value).__qualname__) in _COMPARISONS)
    return list({id(value): value for value in found}.values())
