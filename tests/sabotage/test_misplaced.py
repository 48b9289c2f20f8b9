"""A warning about misplaced outputs that is silent, or cries wolf, is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gfpbench.baselines import diagnosis
from gfpbench.report import misplaced
from tests.unit.report import test_misplaced as laws

Patch = pytest.MonkeyPatch

SABOTEURS: dict[str, tuple[Callable[[Patch], None], Callable[[], None]]] = {
    "no arrangement is looked for": (
        lambda patch: patch.setattr(diagnosis, "rearranged", lambda inputs: {"geometry: as they are": inputs}),
        lambda: laws.test_what_outputs_look_like_is_said("mirrored left to right"),
    ),
    "other inputs are not looked at": (
        lambda patch: patch.setattr(misplaced, "_nearest_others", lambda outputs, inputs: inputs),
        laws.test_outputs_one_place_off_are_said,
    ),
    "the nearer of two explains, however far it is": (
        lambda patch: patch.setattr(misplaced, "EXPLAINED", 0.0),
        lambda: laws.test_of_others_nothing_is_said("unlike anything"),
    ),
    "inputs are enlarged twice": (
        lambda patch: patch.setattr(
            diagnosis,
            "rearranged",
            lambda inputs, f=diagnosis.rearranged: f(misplaced._set_aside(inputs, misplaced._LIGHT)),
        ),
        lambda: laws.test_light_and_colour_of_the_input_are_no_sign("dark and grey"),
    ),
    "a cast is a channel": (
        lambda patch: patch.setattr(misplaced, "_LIGHT_AND_COLOUR", misplaced._LIGHT),
        lambda: laws.test_light_and_colour_of_the_input_are_no_sign("cool, made sepia"),
    ),
    "an input is a restoration": (
        lambda patch: patch.setattr(misplaced, "NOT_RESTORED", ()),
        laws.test_one_image_is_no_sign_and_the_input_itself_is_none,
    ),
}


@pytest.mark.parametrize("name", SABOTEURS)
def test_a_warning_that_is_wrong_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saboteur, law = SABOTEURS[name]
    law()
    saboteur(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        law()
