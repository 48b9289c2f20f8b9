"""The direction in which two labelled kinds of samples differ, by logistic regression, checked on samples held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEWTON_STEPS = 50
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """What tells samples that have something from those that have not.

    Args:
        vector: (D,) of unit length, towards "has it".
        spread: standard deviation of all samples along it.
        accuracy: share of held-out samples on the right side.
        accuracy_low: lower end of its 95 % interval (Wilson).
        chance: the larger class's share among the held-out samples: what guessing gets right.
        auc: how often a held-out sample that has it lies further along than one that has not; 0.5 is guessing, and is
            also what is said where one of the two kinds is not among them.
    """

    vector: Numbers
    spread: float
    accuracy: float
    accuracy_low: float
    chance: float
    auc: float


def parted(count: int, held_out: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of ``count`` samples are held out, and which are learnt from."""
    order = np.random.Generator(np.random.Philox(seed)).permutation(count)
    checked, learnt = np.split(order, [round(held_out * count)])
    return checked, learnt


def separation(
    samples: Numbers, has_it: Numbers, *, held_out: float = 0.25, seed: int = 0, ridge: float = 1e-3
) -> Separation:
    """The direction that best tells (N, D) samples labelled 1 from those labelled 0.

    Args:
        held_out: share that is kept for the check.
        ridge: weight of the squared length, per sample, so that separable samples have an answer.
    """
    from scipy.stats import binomtest

    checked, learnt = parted(len(samples), held_out, seed)
    mean, scale = samples[learnt].mean(0), float(samples[learnt].std()) or 1.0
    weights = _logistic((samples[learnt] - mean) / scale, has_it[learnt], ridge)
    normal = weights[:-1]
    along, has = (samples[checked] - mean) / scale @ normal + weights[-1], has_it[checked] > 0.5
    right, share = (along > 0) == has, float(has.mean())
    auc = float((along[has][:, None] > along[~has]).mean()) if 0 < share < 1 else 0.5
    vector = normal / np.linalg.norm(normal)
    low = float(binomtest(int(right.sum()), len(checked)).proportion_ci(method="wilson").low)
    return Separation(vector, float((samples @ vector).std()), float(right.mean()), low, max(share, 1 - share), auc)


def _logistic(x: Numbers, y: Numbers, ridge: float) -> Numbers:
    """Weights and, last, the offset of a logistic regression, by Newton's method; convex, so there is one answer."""
    design = np.column_stack([x, np.ones(len(x))])
    penalty = np.full(design.shape[1], ridge * len(x))
    penalty[-1] = 1e-9
    weights = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (probability - y) + penalty * weights
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights
