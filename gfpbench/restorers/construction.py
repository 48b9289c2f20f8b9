"""Builds a network whose sizes come from a file, with bounded memory and time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gfpbench.types import BadInput

TIMES_THE_FILE = 8
"""What a constructor may allocate for each byte of weights: the weights once, and what it draws them with."""
FREE_BYTES = 256 << 20
"""Beside that: attention masks and position tables, which files do not hold."""
MOST_OPERATIONS = 400_000
"""Of torch, until a network stands. The largest that spandrel knows take some 50,000."""


@contextmanager
def within_size_of(weights: Mapping[str, torch.Tensor], path: Path) -> Iterator[None]:
    """While active, torch's allocations are counted and refused beyond what the file's size explains.

    Architectures are rebuilt from the shapes of their weights: a bias of a million values asks for a layer of a million
    by a million, and a name that ends in a billion for a billion blocks.

    Raises:
        BadInput: at the operation that would go beyond.
    """
    held = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    with _Counting(TIMES_THE_FILE * held + FREE_BYTES, path):
        yield


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations and the bytes that they return in new memory."""

    def __init__(self, most_bytes: int, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most_bytes = most_bytes
        self.path = path
        self.bytes = 0
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        self.operations += 1
        name = func.__name__.partition(".")[0]
        if name in _SIZED:
            size = args[0] if args and isinstance(args[0], Sequence) else ()
            self._count(math.prod(int(side) for side in size) * _bytes(options.get("dtype")))
            return func(*args, **options)
        answer = func(*args, **options)
        if isinstance(answer, torch.Tensor) and not getattr(func, "is_view", False) and not name.endswith("_"):
            self._count(answer.numel() * answer.element_size())
        return answer

    def _count(self, taken: int) -> None:
        self.bytes += taken
        if self.bytes > self.most_bytes or self.operations > MOST_OPERATIONS:
            asked = f"over {self.bytes:,} bytes" if self.bytes > self.most_bytes else f"{self.operations:,} operations"
            raise BadInput(
                f"{self.path} is refused: the network that its shapes describe takes {asked} to build, "
                f"and its weights explain {self.most_bytes:,} bytes"
            )


_SIZED = ("empty", "zeros", "ones", "full", "rand", "randn", "empty_strided")
"""Operations whose first argument is the shape of what they allocate: stopped before, not after."""


def _bytes(dtype: torch.dtype | None) -> int:
    return 4 if dtype is None else dtype.itemsize
