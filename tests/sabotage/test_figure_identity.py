"""A metric whose version changed must be refused in every comparison: each place that forgets to ask is noticed."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest

from gfpbench.metrics import figure_identity
from tests.unit.metrics import figure_identity_laws as laws

PLACES = (
    (laws.compare_refuses, importlib.import_module("gfpbench.baselines.decide")),
    (laws.set_scores_refuse, importlib.import_module("gfpbench.baselines.scores")),
    (laws.matrix_refuses, importlib.import_module("gfpbench.baselines.decide")),
    (laws.history_says, importlib.import_module("gfpbench.baselines.decide")),
    (laws.summary_says, importlib.import_module("gfpbench.report.summary")),
    (laws.claims_stay_open, importlib.import_module("gfpbench.claims.judge")),
)


@pytest.mark.parametrize(("law", "place"), PLACES, ids=lambda one: getattr(one, "__name__", ""))
def test_a_place_that_does_not_ask_is_noticed(
    law: Callable[[str], None], place: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "version 0.1.16, not 0.1.11"
    law(said)
    monkeypatch.setattr(place, "unlike", lambda one, other: "")
    with pytest.raises((AssertionError, ValueError)):
        law(said)


@pytest.mark.parametrize("forgotten", ["version", "weights", "settings", "package"])
def test_a_part_of_the_identity_that_is_not_compared_is_noticed(
    forgotten: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = figure_identity._differing

    def without(*records: object) -> list[object]:
        return [one for one in honest(*records) if forgotten not in one[0]]  # type: ignore[arg-type]

    said = next(one for one in laws.BEFORE if one.startswith(forgotten))
    monkeypatch.setattr(figure_identity, "_differing", without)
    with pytest.raises((AssertionError, ValueError)):
        laws.compare_refuses(said)
