"""The 8 x 8 integer DCT and its inverse, with libjpeg's constants and rounding.

Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989, as
libjpeg's "islow" method fixes it: constants scaled by 2^13, two extra bits between the passes. All exact in int32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


Tensor: TypeAlias = "torch.Tensor"

_CONSTANT_BITS = 13
_PASS_BITS = 2


def _fixed(value: float) -> int:
    return round(value * (1 << _CONSTANT_BITS))


_C0298, _C0390, _C0541, _C0765 = _fixed(0.298631336), _fixed(0.390180644), _fixed(0.541196100), _fixed(0.765366865)
_C0899, _C1175, _C1501, _C1847 = _fixed(0.899976223), _fixed(1.175875602), _fixed(1.501321110), _fixed(1.847759065)
_C1961, _C2053, _C2562, _C3072 = _fixed(1.961570560), _fixed(2.053119869), _fixed(2.562915447), _fixed(3.072711026)


def _descaled(value: Tensor, bits: int) -> Tensor:
    """Division by 2^bits, rounded half up."""
    return (value + (1 << (bits - 1))) >> bits


def forward_dct(blocks: Tensor) -> Tensor:
    """(..., 8, 8) int32 samples in -128..127 to (..., 8, 8) int32 coefficients, eight times the orthonormal ones."""
    rows = _forward_pass(blocks, last=False)
    return _forward_pass(rows.transpose(-1, -2), last=True).transpose(-1, -2)


def inverse_dct(blocks: Tensor) -> Tensor:
    """(..., 8, 8) int32 dequantised coefficients to (..., 8, 8) int32 samples around 0, not yet limited to a range."""
    columns = _inverse_pass(blocks.transpose(-1, -2), bits=_CONSTANT_BITS - _PASS_BITS).transpose(-1, -2)
    return _inverse_pass(columns, bits=_CONSTANT_BITS + _PASS_BITS + 3)


def _odd_part(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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


def _forward_pass(x: Tensor, last: bool) -> Tensor:
    """One transform along the last axis."""
    bits = _CONSTANT_BITS + _PASS_BITS if last else _CONSTANT_BITS - _PASS_BITS
    x0, x1, x2, x3, x4, x5, x6, x7 = x.unbind(-1)
    s0, s1, s2, s3 = x0 + x7, x1 + x6, x2 + x5, x3 + x4
    total, difference = s0 + s3 + s1 + s2, s0 + s3 - s1 - s2
    y0 = _descaled(total, _PASS_BITS) if last else total << _PASS_BITS
    y4 = _descaled(difference, _PASS_BITS) if last else difference << _PASS_BITS
    middle = (s1 - s2 + s0 - s3) * _C0541
    y2 = _descaled(middle + (s0 - s3) * _C0765, bits)
    y6 = _descaled(middle - (s1 - s2) * _C1847, bits)
    y7, y5, y3, y1 = (_descaled(part, bits) for part in _odd_part(x3 - x4, x2 - x5, x1 - x6, x0 - x7))
    return torch.stack((y0, y1, y2, y3, y4, y5, y6, y7), -1)


def _inverse_pass(y: Tensor, bits: int) -> Tensor:
    """One inverse transform along the last axis."""
    y0, y1, y2, y3, y4, y5, y6, y7 = y.unbind(-1)
    middle = (y2 + y6) * _C0541
    low, high = middle - y6 * _C1847, middle + y2 * _C0765
    total, difference = (y0 + y4) << _CONSTANT_BITS, (y0 - y4) << _CONSTANT_BITS
    e0, e3, e1, e2 = total + high, total - high, difference + low, difference - low
    o3, o2, o1, o0 = _odd_part(y7, y5, y3, y1)
    parts = (e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0)
    return torch.stack([_descaled(part, bits) for part in parts], -1)
