"""What FID, KID, precision and recall have to obey, as functions of them, so that a broken one meets the same check."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

Distance = Callable[[torch.Tensor, torch.Tensor], float]
Inside = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
D = 24


def normal(n: int, seed: int, *, shift: float = 0.0, d: int = D) -> torch.Tensor:
    """(n, d) float64 features of a correlated normal source that depends on d only, moved by ``shift``."""
    mix = torch.randn(d, d, generator=torch.Generator().manual_seed(d), dtype=torch.float64) / d**0.5
    drawn = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn @ (mix + 0.5 * torch.eye(d, dtype=torch.float64)) + shift


def exact(n: int, mean: torch.Tensor, variances: torch.Tensor, seed: int) -> torch.Tensor:
    """(n, d) features whose sample mean and covariance (n - 1) are exactly ``mean`` and ``diag(variances)``."""
    drawn = torch.randn(n, len(mean), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    whitened = torch.linalg.qr(drawn - drawn.mean(0)).Q * (n - 1) ** 0.5
    return whitened * variances.sqrt() + mean


@cache
def pairs() -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """More images than dimensions, fewer, and one of each."""
    return (
        (normal(60, 1), normal(75, 2, shift=0.3)),
        (normal(10, 3), normal(13, 4, shift=0.3)),
        (normal(9, 5), normal(80, 6, shift=0.3)),
        (normal(80, 7), normal(9, 8, shift=0.3)),
    )


def near(got: float, expected: float, bound: float) -> None:
    assert abs(got - expected) <= bound * max(1.0, abs(expected)), f"{got!r} is not {expected!r} within {bound:g}"


def gaussians_with_known_moments(distance: Distance, bound: float = 1e-8) -> None:
    """Diagonal covariances: |m1 - m2|^2 + sum (s1 - s2)^2, s being standard deviations."""
    rng = np.random.default_rng(0)
    for n in (40, 26):
        m1, m2, v1, v2 = (torch.from_numpy(rng.uniform(0.5, 2, D)) for _ in range(4))
        expected = float((m1 - m2).square().sum() + (v1.sqrt() - v2.sqrt()).square().sum())
        near(distance(exact(n, m1, v1, 1), exact(n + 7, m2, v2, 2)), expected, bound)


def fewer_images_than_dimensions(distance: Distance, bound: float = 1e-8) -> None:
    """The same with variance along 5 axes only, and more axes than images."""
    rng = np.random.default_rng(1)
    m1, m2, v1, v2 = (torch.from_numpy(rng.uniform(0.5, 2, 5)) for _ in range(4))
    a, b = exact(8, m1, v1, 3), exact(9, m2, v2, 4)
    padded = [torch.cat([rows, torch.ones(len(rows), D - 5, dtype=torch.float64)], dim=1) for rows in (a, b)]
    expected = float((m1 - m2).square().sum() + (v1.sqrt() - v2.sqrt()).square().sum())
    near(distance(*padded), expected, bound)


def equal_sets_are_at_zero(distance: Distance, bound: float = 1e-8) -> None:
    for a, _ in pairs():
        assert abs(distance(a, a.clone())) <= 100 * bound


def symmetric(distance: Distance, bound: float = 1e-8) -> None:
    for a, b in pairs():
        near(distance(a, b), distance(b, a), bound)


def order_and_rotation_change_nothing(distance: Distance, bound: float = 1e-8) -> None:
    turn = torch.linalg.qr(torch.randn(D, D, generator=torch.Generator().manual_seed(9), dtype=torch.float64)).Q
    for a, b in pairs():
        expected = distance(a, b)
        near(distance(a.flip(0), b), expected, bound)
        near(distance(a @ turn, b @ turn), expected, bound)


def a_shift_of_both_changes_nothing(distance: Distance, bound: float = 1e-8) -> None:
    """A mean a thousand times the spread, as float32 sums would lose."""
    for a, b in pairs():
        near(distance(a + 1000, b + 1000), distance(a, b), 10 * bound)


def scale_goes_squared(distance: Distance, bound: float = 1e-8) -> None:
    for a, b in pairs():
        near(distance(3 * a, 3 * b), 9 * distance(a, b), bound)


def moments_of_a_stream(make: Callable[[], Any]) -> None:
    """Batches of any size, far from 0, give numpy's mean and covariance of the whole."""
    whole = normal(50, 17, d=5, shift=1e4)
    for cuts in ([50], [1, 7, 42], [10] * 5, [49, 1]):
        moments = make()
        for part in torch.split(whole, cuts):
            moments.add(part)
        np.testing.assert_allclose(moments.mean.numpy(), whole.numpy().mean(0), rtol=1e-12)
        np.testing.assert_allclose(moments.covariance.numpy(), np.cov(whole.numpy(), rowvar=False), rtol=1e-9)


FRECHET = (
    gaussians_with_known_moments,
    fewer_images_than_dimensions,
    equal_sets_are_at_zero,
    symmetric,
    order_and_rotation_change_nothing,
    a_shift_of_both_changes_nothing,
    scale_goes_squared,
)


def kernel_pair_by_pair(distance: Distance) -> None:
    """Equation 3 of Gretton et al. 2012 written out."""

    def k(x: torch.Tensor, y: torch.Tensor) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    for n, m in ((5, 5), (4, 7)):
        a, b = normal(n, 10, d=6), normal(m, 11, d=6, shift=0.5)
        among_a = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        among_b = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
        between = sum(k(x, y) for x in a for y in b) / (n * m)
        near(distance(a, b), among_a + among_b - 2 * between, 1e-10)


def no_bias_between_samples_of_one_source(distance: Distance) -> None:
    values = np.array([distance(normal(12, 2 * i, d=8), normal(12, 2 * i + 1, d=8)) for i in range(300)])
    assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5


KERNEL = (kernel_pair_by_pair, no_bias_between_samples_of_one_source, symmetric)


def within_itself(inside: Inside) -> None:
    a = normal(20, 12)
    assert bool(inside(a, a.clone()).all())
    repeated = a[:1].expand(6, -1)  # balls of no size still hold their centre
    assert bool(inside(repeated, repeated.clone()).all())


def far_away_is_outside(inside: Inside) -> None:
    assert not bool(inside(normal(20, 13), normal(20, 14, shift=50)).any())


def balls_on_a_line(inside: Inside) -> None:
    """Features 0, 1, 2, 3, 10 with k = 3: the balls reach to -3 .. 19 but not beyond."""
    line = torch.tensor([0.0, 1, 2, 3, 10], dtype=torch.float64)[:, None]
    points = torch.tensor([-3.1, -2.9, 5, 18.9, 19.1], dtype=torch.float64)[:, None]
    # reach: 0 -> 3, 1 -> 2, 2 -> 2, 3 -> 3 (neighbours 2, 1, 0), 10 -> 9 (neighbours 3, 2, 1)
    assert inside(points, line).tolist() == [False, True, True, True, False]


def dropping_a_mode_costs_recall_only(inside: Inside) -> None:
    """Restored faces of one kind, real ones of two: all look real, half of the real ones are not covered."""
    real = torch.cat([normal(30, 15), normal(30, 16, shift=50)])
    restored = real[:30]
    assert bool(inside(restored, real).all())
    assert float(inside(real, restored).double().mean()) == 0.5


MANIFOLD = (within_itself, far_away_is_outside, balls_on_a_line, dropping_a_mode_costs_recall_only)
