"""Closed forms of averaged weights and learning rates. Laws take the classes, so that broken ones can be given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn


def line(value: float) -> nn.Linear:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def an_average_of_constant_weights(average_of: Any, _: Any) -> None:
    """w' = d^n w0 + (1 - d^n) w, far from the start where d is ``decay``."""
    average, decay, far = average_of(line(1.0), 0.9), 0.9, 10_000
    for step in range(far, far + 7):
        average.update(line(3.0), step)
    assert float(average.network.weight.detach()) == pytest.approx(decay**7 * 1.0 + (1 - decay**7) * 3.0, rel=1e-5)


def early_weights_are_forgotten(average_of: Any, _: Any) -> None:
    """In step n d is at most (1 + n) / (10 + n): after the first, nine tenths are new."""
    average = average_of(line(1.0), 0.9999)
    average.update(line(3.0), 0)
    assert float(average.network.weight.detach()) == pytest.approx(0.1 * 1.0 + 0.9 * 3.0)


def an_average_leaves_the_network_alone(average_of: Any, _: Any) -> None:
    network = line(1.0)
    average = average_of(network, 0.5)
    with torch.no_grad():
        network.weight.fill_(3.0)
    assert float(average.network.weight.detach()) == 1.0
    average.update(network, 100)
    assert float(network.weight.detach()) == 3.0


def a_rate_rises_stays_and_falls(_: Any, schedule: Any) -> None:
    rates = schedule(warmup_steps=4, flat_until=0.5, least_rate=0.1)
    assert [rates.at(step, 0.0) for step in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates.at(4, 0.0) == rates.at(100, 0.5) == 1.0
    assert rates.at(100, 0.75) == pytest.approx((1.0 + 0.1) / 2)
    assert rates.at(100, 1.0) == rates.at(100, 1.2) == pytest.approx(0.1)


LAWS = (
    an_average_of_constant_weights,
    early_weights_are_forgotten,
    an_average_leaves_the_network_alone,
    a_rate_rises_stays_and_falls,
)
