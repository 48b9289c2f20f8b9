"""What finding a direction has to give, where it is known. Laws take the function, so that broken ones can be given."""

from __future__ import annotations

from typing import Any

import pytest
import torch

SAMPLES = 1500


def samples(seed: int = 0, style: int = 16) -> torch.Tensor:
    return torch.randn(SAMPLES, style, generator=torch.Generator().manual_seed(seed))


def a_known_direction_is_found(found: Any) -> None:
    """Labels cut at a plane: its normal is the answer, whatever its length and wherever the plane lies."""
    latents, normal = samples(), torch.linspace(-1, 1, 16)
    for offset in (0.0, 1.5):
        direction = found("known", latents, (latents @ normal > offset).tolist())
        assert float(torch.tensor(direction.vector) @ normal / normal.norm()) > 0.99
        assert direction.accuracy > 0.95
        assert direction.holds


def it_is_of_unit_length_and_points_to_those_who_have_it(found: Any) -> None:
    latents = samples()
    direction = found("first", latents, (latents[:, 0] > 0).tolist())
    vector = torch.tensor(direction.vector)
    assert float(vector.norm()) == pytest.approx(1, abs=1e-6)
    assert float(vector[0]) > 0.9
    assert direction.spread == pytest.approx(float(latents.double().numpy().dot(vector.numpy()).std()), rel=1e-5)


def chance_does_not_hold(found: Any) -> None:
    """Labels that have nothing to do with the latents: the check on unseen samples says so."""
    for seed in range(5):
        labels = (samples(seed=100 + seed)[:, 0] > 0).tolist()
        assert not found("nothing", samples(), labels).holds


def a_rare_attribute_has_to_beat_guessing_no(found: Any) -> None:
    """Where nine tenths lack it, nine tenths of right answers prove nothing."""
    labels = (samples(seed=200)[:, 0] > 1.28).tolist()
    direction = found("rare", samples(), labels)
    assert direction.chance == pytest.approx(0.9, abs=0.04)
    assert not direction.holds


LAWS = (
    a_known_direction_is_found,
    it_is_of_unit_length_and_points_to_those_who_have_it,
    chance_does_not_hold,
    a_rare_attribute_has_to_beat_guessing_no,
)
