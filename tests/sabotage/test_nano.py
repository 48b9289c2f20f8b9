"""Small honest bugs in nano's networks and in latent directions, each of which a law has to notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gfpbench.nano import networks
from gfpbench.nano.direction import found_direction
from tests.unit.nano import laws_direction, test_networks


def hold(found: Callable[..., Any]) -> None:
    for law in laws_direction.LAWS:
        law(found)


def turned_round(*given: Any, **options: Any) -> Any:
    direction = found_direction(*given, **options)
    return replace(direction, vector=tuple(-x for x in direction.vector))


def judged_on_what_it_learnt(name: str, latents: torch.Tensor, has_it: Any) -> Any:
    """No held-out check: every sample is on the side it was put on."""
    direction = found_direction(name, latents, has_it)
    return replace(direction, accuracy=1.0, accuracy_low=0.99)


def against_a_half(*given: Any, **options: Any) -> Any:
    return replace(found_direction(*given, **options), chance=0.5)


def between_means_of_shuffled(name: str, latents: torch.Tensor, has_it: Any) -> Any:
    """Labels beside the wrong samples."""
    return found_direction(name, latents.flip(0), has_it)


@pytest.mark.parametrize(
    "broken",
    [turned_round, judged_on_what_it_learnt, against_a_half, between_means_of_shuffled],
    ids=lambda f: f.__name__,
)
def test_a_wrong_direction_is_noticed(broken: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError):
        hold(broken)


@pytest.mark.parametrize("name", ["EPSILON", "doubled"])
def test_a_network_that_is_not_the_authors_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: Any = 0.1 if name == "EPSILON" else lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest")
    monkeypatch.setattr(networks, name, wrong)
    with pytest.raises(AssertionError):
        test_networks.test_restored_is_the_authors()
