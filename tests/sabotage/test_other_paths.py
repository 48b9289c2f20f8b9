"""Gates that mistake what another path of the degradation moves, each of which a law has to catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gfpbench.baselines import decide, inputs, paths
from gfpbench.degrade import chain, presets
from tests.degradation import test_paths as of_degradations
from tests.unit.baselines import test_decide as of_decisions
from tests.unit.baselines import test_paths as laws

Patch = pytest.MonkeyPatch


def _older() -> None:
    laws.test_the_same_images_along_another_path_are_the_same({"name": "noise"})


# name: (where, what, by what, the law that catches it)
BROKEN: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "everything put down to the path": (
        decide,
        "moved_by_more",
        lambda before, now, moved: moved & ~moved,
        laws.test_no_path_moves_an_image_so_far,
    ),
    "any share put down to the path": (paths, "MOST", 1.0, laws.test_no_path_moves_most_images),
    "nothing put down to the path": (
        decide,
        "different_paths",
        lambda result, baseline: None,
        laws.test_images_that_the_path_moved_are_left_out_and_the_line_says_so,
    ),
    "one path taken for two": (
        decide,
        "different_paths",
        lambda result, baseline: paths.Paths("fast", "exact"),
        laws.test_the_same_moves_along_one_path_are_a_change,
    ),
    "moved inputs compared as if they were the baseline's": (
        decide,
        "other_inputs",
        lambda pairs: (),
        laws.test_images_that_the_path_moved_are_left_out_and_the_line_says_so,
    ),
    "nothing compared, and passed": (
        paths.Paths,
        "nothing_left",
        lambda self, of: "",
        laws.test_where_nothing_is_left_the_verdict_says_what_to_do,
    ),
    "older Results taken for the new path": (paths, "BEFORE_IT_WAS_RECORDED", "fast", _older),
    "an older baseline taken for another machine's": (
        inputs,
        "_NOT_RECORDED_BEFORE",
        frozenset(),
        of_decisions.test_a_machine_that_rounds_otherwise_is_another_one_where_both_say_how,
    ),
    "rounding not looked at": (
        inputs,
        "_NOT_OF_THE_MACHINE",
        inputs._NOT_OF_THE_MACHINE | {"rounding"},
        of_decisions.test_a_machine_that_rounds_otherwise_is_another_one_where_both_say_how,
    ),
    "the path left out of the description": (
        chain.Chain,
        "describe",
        lambda self: {"name": self.name},
        of_degradations.test_a_name_takes_its_path,
    ),
    "the path of a name not taken": (
        chain.Chain,
        "using",
        lambda self, path: self,
        of_degradations.test_a_name_takes_its_path,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_gate_is_caught(name: str, monkeypatch: Patch) -> None:
    owner, attribute, broken, law = BROKEN[name]
    monkeypatch.setattr(owner, attribute, broken)
    with pytest.raises((AssertionError, KeyError)):
        law()


def test_upstream_along_the_fast_path_is_caught(monkeypatch: Patch) -> None:
    """Its bytes are promised."""
    monkeypatch.setattr(presets, "UPSTREAM", presets.UPSTREAM.using("fast"))
    law = of_degradations.test_auto_is_fast_on_the_cpu_unless_the_authors_bytes_are_promised
    with pytest.raises(AssertionError):
        law("upstream", "exact", monkeypatch)


def test_an_unknown_path_that_is_let_through_is_caught(monkeypatch: Patch) -> None:
    monkeypatch.setattr(chain, "PATHS", (*chain.PATHS, "quick"))
    with pytest.raises(pytest.fail.Exception):
        of_degradations.test_a_path_that_there_is_not_is_refused_in_one_line("paper?path=quick", "cannot be used")
