"""The 8 x 8 integer DCT and its inverse, with libjpeg's constants and rounding.

Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989, as
libjpeg's "islow" method fixes it: constants scaled by 2^13, two extra bits between the passes. A pass rounds once,
after all of its sums, so it is a product with a matrix of whole numbers, which is exact in float64: one call for all
blocks in place of some sixty.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


Tensor: TypeAlias = "torch.Tensor"
Row: TypeAlias = NDArray[np.int64]

_CONSTANT_BITS = 13
_PASS_BITS = 2


def _fixed(value: float) -> int:
    return round(value * (1 << _CONSTANT_BITS))


_C0298, _C0390, _C0541, _C0765 = _fixed(0.298631336), _fixed(0.390180644), _fixed(0.541196100), _fixed(0.765366865)
_C0899, _C1175, _C1501, _C1847 = _fixed(0.899976223), _fixed(1.175875602), _fixed(1.501321110), _fixed(1.847759065)
_C1961, _C2053, _C2562, _C3072 = _fixed(1.961570560), _fixed(2.053119869), _fixed(2.562915447), _fixed(3.072711026)


def forward_dct(blocks: Tensor) -> Tensor:
    """(..., 8, 8) samples in -128..127 to (..., 8, 8) coefficients, eight times the orthonormal ones.

    Whole numbers in float64, as all that follows can be held in it exactly.
    """
    rows = _passed(blocks, _forward, _CONSTANT_BITS - _PASS_BITS)
    return _passed(rows.transpose(-1, -2), _forward, _CONSTANT_BITS + _PASS_BITS).transpose(-1, -2)


def inverse_dct(blocks: Tensor) -> Tensor:
    """(..., 8, 8) float64 dequantised coefficients to (..., 8, 8) samples around 0, not yet limited to a range."""
    columns = _passed(blocks.transpose(-1, -2), _inverse, _CONSTANT_BITS - _PASS_BITS).transpose(-1, -2)
    return _passed(columns, _inverse, _CONSTANT_BITS + _PASS_BITS + 3)


def _passed(values: Tensor, one_way: Callable[[Row], list[Row]], bits: int) -> Tensor:
    """One pass along the last axis, divided by 2^bits and rounded half up."""
    sums = values.to(torch.float64) @ _matrix(one_way).to(values.device)
    return sums.add_(1 << (bits - 1)).mul_(2.0**-bits).floor_()


@lru_cache(maxsize=2)
def _matrix(one_way: Callable[[Row], list[Row]]) -> Tensor:
    """(8, 8) float64: what a row of eight numbers is multiplied by."""
    return torch.from_numpy(np.stack(one_way(np.eye(8, dtype=np.int64)), -1).astype(np.float64))


def _forward(x: Row) -> list[Row]:
    """The eight sums of the transform, 2^13 times too large."""
    x0, x1, x2, x3, x4, x5, x6, x7 = x
    s0, s1, s2, s3 = x0 + x7, x1 + x6, x2 + x5, x3 + x4
    y0, y4 = (s0 + s3 + s1 + s2) << _CONSTANT_BITS, (s0 + s3 - s1 - s2) << _CONSTANT_BITS
    middle = (s1 - s2 + s0 - s3) * _C0541
    y2 = middle + (s0 - s3) * _C0765
    y6 = middle - (s1 - s2) * _C1847
    y7, y5, y3, y1 = _odd_part(x3 - x4, x2 - x5, x1 - x6, x0 - x7)
    return [y0, y1, y2, y3, y4, y5, y6, y7]


def _inverse(y: Row) -> list[Row]:
    """The eight sums of the inverse transform, 2^13 times too large."""
    y0, y1, y2, y3, y4, y5, y6, y7 = y
    middle = (y2 + y6) * _C0541
    low, high = middle - y6 * _C1847, middle + y2 * _C0765
    total, difference = (y0 + y4) << _CONSTANT_BITS, (y0 - y4) << _CONSTANT_BITS
    e0, e3, e1, e2 = total + high, total - high, difference + low, difference - low
    o3, o2, o1, o0 = _odd_part(y7, y5, y3, y1)
    return [e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0]


def _odd_part(a: Row, b: Row, c: Row, d: Row) -> tuple[Row, Row, Row, Row]:
    """The rotations shared by both directions: the odd half of the transform is its own inverse's mirror."""
    shared = (a + c + b + d) * _C1175
    outer, inner = (a + d) * -_C0899, (b + c) * -_C2562
    even = (a + c) * -_C1961 + shared
    odd = (b + d) * -_C0390 + shared
    return (
        a * _C0298 + outer + even,
        b * _C2053 + inner + odd,
        c * _C3072 + inner + even,
        d * _C1501 + outer + odd,
    )
