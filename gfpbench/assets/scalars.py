"""Single numbers of numpy's that people leave beside the weights of a checkpoint: a loss, a learning rate, a score.

torch's reader of tensors refuses them, because it would have to call functions of numpy with what a file says. Here two
functions of ours stand for those, and they make a plain number out of eight bytes or fewer, or raise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import torch
else:
    np, torch = LazyModule("numpy"), LazyModule("torch")

NAMES = frozenset({"numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"})
"""What the pickle of such a number calls, by old and new names."""

_KINDS = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
_ORDERS = {"<": "<", ">": ">", "|": "", "=": "="}


class _Kind:
    """Stands for ``numpy.dtype``: the name of a kind of number, and the order of its bytes."""

    def __init__(self, name: object, align: object = False, copy: object = True) -> None:
        if not isinstance(name, str) or name not in _KINDS:
            raise ValueError("it holds a value of numpy's that is no single number")
        self.name, self.order = name, "="

    def __setstate__(self, state: object) -> None:
        # (version, order of bytes, and what only arrays of records have)
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if not isinstance(order, str) or order not in _ORDERS:
            raise ValueError("it holds a number of numpy's that is damaged")
        self.order = _ORDERS[order]


def _number(kind: object, data: object = b"") -> int | float | bool:
    """Stands for ``numpy.core.multiarray.scalar``: a number of Python's own."""
    if not isinstance(kind, _Kind) or not isinstance(data, bytes):
        raise ValueError("it holds a value of numpy's that is no single number")
    dtype = np.dtype(f"{kind.order}{kind.name}")
    if len(data) != dtype.itemsize:
        raise ValueError("it holds a number of numpy's that is damaged")
    value: int | float | bool = np.frombuffer(data, dtype)[0].item()
    return value


def _named(stand_in: Any, module: str, name: str) -> Any:
    """torch asks an allowed function for its name: that which it stands for."""
    stand_in.__module__, stand_in.__qualname__, stand_in.__name__ = module, name, name
    return stand_in


def _old_number(kind: object, data: object = b"") -> int | float | bool:
    return _number(kind, data)


def _new_number(kind: object, data: object = b"") -> int | float | bool:
    return _number(kind, data)


_STAND_INS = [
    _named(_Kind, "numpy", "dtype"),
    _named(_old_number, "numpy.core.multiarray", "scalar"),
    _named(_new_number, "numpy._core.multiarray", "scalar"),
]


@contextmanager
def numbers_of_numpy() -> Iterator[None]:
    """While active, ``torch.load(weights_only=True)`` reads them as Python numbers; torch before 2.5 refuses them."""
    allowed = getattr(torch.serialization, "safe_globals", None)
    if allowed is None:
        yield
        return
    with allowed(_STAND_INS):
        yield
