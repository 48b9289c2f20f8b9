"""Quantiles of Student's t, and the normal distribution, without SciPy, whose import outlasts a comparison."""

from __future__ import annotations

import math
from functools import lru_cache

_SMALL = 1e-300
_TERMS = 1_000
_SERIES_FROM = 100.0


def normal_below(z: float) -> float:
    """The probability of a value below z under the standard normal distribution.

    Examples:
        >>> round(normal_below(-1.959964), 6)
        0.025
    """
    return 0.5 * math.erfc(-z / math.sqrt(2))


def student_below(t: float, degrees: int) -> float:
    """The probability of a value below t under Student's t distribution, to a relative 1e-9 in the lower tail.

    The regularised incomplete beta function (Abramowitz & Stegun 1964, 26.7.1), from its continued fraction (26.5.8),
    which is evaluated by Lentz's method as modified by Thompson and Barnett 1986 (Journal of Computational Physics 64).

    Args:
        degrees: of freedom, one or more.
    """
    half, squared = degrees / 2, t * t
    if squared == 0:
        return 0.5
    # In the tail the beta function is that of x = degrees / (degrees + t^2), and near 0 that of what is left to 1.
    x, rest = degrees / (degrees + squared), squared / (degrees + squared)
    if x < (half + 1) / (half + 2.5):
        outside = _incomplete_beta(half, 0.5, x, rest)
    else:
        outside = 1 - _incomplete_beta(0.5, half, rest, x)
    return 0.5 * outside if t < 0 else 1 - 0.5 * outside


@lru_cache(1024)  # every interval of a page asks for that of its number of images
def student_quantile(below: float, degrees: int) -> float:
    """The value below which Student's t lies with this probability.

    Newton's method in t on the logarithm of the tail, which is concave: every step but the first comes from one side.

    Args:
        below: more than 0 and less than 1.
        degrees: of freedom, one or more.

    Examples:
        >>> round(student_quantile(0.025, 15), 4)
        -2.1314
    """
    if below > 0.5:
        return -student_quantile(1 - below, degrees)
    log_density = -_log_beta_of_half(degrees / 2) - 0.5 * math.log(degrees)
    t = 0.0
    for _ in range(100):
        tail = student_below(t, degrees)
        slope = math.exp(log_density - (degrees + 1) / 2 * math.log1p(t * t / degrees)) / tail
        step = math.log(tail / below) / slope
        t -= step
        if abs(step) <= 1e-10 * abs(t):  # the digits double with each step
            break
    return t


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b), where ``rest`` is 1 - x and one of a and b is a half; best for x < (a + 1) / (a + b + 2)."""
    front = math.exp(a * math.log(x) + b * math.log(rest) - _log_beta_of_half(max(a, b))) / a
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _TERMS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_0(1 + factor * d)
            c = _away_from_0(1 + factor / c)
            fraction *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return front * fraction


def _away_from_0(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL


def _log_beta_of_half(a: float) -> float:
    """log B(a, 1/2), for large a from the series of the ratio of two gammas, whose logarithms would cancel."""
    if a < _SERIES_FROM:
        return math.lgamma(a) - math.lgamma(a + 0.5) + 0.5 * math.log(math.pi)
    ratio = 1 / (8 * a) - 1 / (192 * a**3) + 1 / (640 * a**5) - 17 / (14336 * a**7)
    return 0.5 * math.log(math.pi / a) + ratio
