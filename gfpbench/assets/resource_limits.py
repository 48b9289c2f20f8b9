"""Bounds the memory and time that reading a ``torch.save`` file can take, checked before the file is read.

torch's reader runs no code, but it does what it is told: it inflates, allocates, and hashes keys of any depth. A file
of a megabyte can keep it busy for hours.
"""

from __future__ import annotations

import io
import pickletools
import re
import struct
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

LARGEST_PICKLE_BYTES = 16 << 20
"""Names and shapes take some 200 bytes a tensor; the largest published restorers have a few thousand tensors."""
MOST_STEPS = 1_000_000
"""Of a pickle: some 40 for each tensor. torch's reader takes a microsecond or two for each."""
MOST_IN_A_TUPLE = 100_000
"""Parts of a tuple, those of the tuples in it counted as often as they occur. Hashing visits each of them."""
DEEPEST = 100
INFLATION = 4
"""Times the size of the file that its parts may have. torch writes them as they are, so that 1 is what it comes to."""
FREE_BYTES = 64 << 20

_ALLOCATING = ("bytearray", "Tensor", "UntypedStorage", "TypedStorage")
"""Ends of names of what makes as much memory as it is told to when it is called with a number."""

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    struct.error,
)
"""What a damaged archive makes Python's reader raise."""

_Part: TypeAlias = tuple[int, int, str]  # how many parts in all, how deep, and its text where it is a name


def refuse_bombs(path: Path) -> None:
    """Raise BadInput where reading a file would take memory or time beyond what its size explains.

    A pickle that makes no sense passes: what is wrong with it is said by who reads it.
    """
    steps = Steps(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(4) == b"PK\x03\x04"  # as torch tells them; Python looks at the end of a file instead
        if zipped:
            with zipfile.ZipFile(path) as archive:
                _refuse_inflation(path, archive)
                for info in archive.infolist():
                    if info.filename.endswith("data.pkl"):
                        with archive.open(info) as file:
                            _refuse_long_work_at_the_start(steps, file, 1)
        else:
            with path.open("rb") as file:
                _refuse_long_work_at_the_start(steps, file, 5)
    except _UNREADABLE as error:
        # An archive that cannot be looked through is not handed to another reader, which may see more in it.
        raise BadInput(f"{path} is damaged, truncated or not weights at all ({_short(error)})") from error


def refuse_short_records(path: Path, tensors: Iterable[torch.Tensor]) -> None:
    """Raise BadInput where an archive of torch's holds fewer bytes for a tensor than the tensor has.

    torch.jit.load, and torch.load of older versions, take what lies behind the record in memory for its values.

    Args:
        path: of the archive; any other file passes.
        tensors: read from it, on the CPU or elsewhere.
    """
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            inside = archive.infolist()
    except _UNREADABLE as error:  # torch's own reader sees more in it
        raise BadInput(f"{path} is damaged: it cannot be looked through ({_short(error)})") from error
    records = [info for info in inside if re.search(r"/(data|constants)/\d+$", info.filename)]
    held = Counter(info.file_size for info in records)
    plain = [tensor for tensor in tensors if tensor.layout is torch.strided and not tensor.is_meta]
    # Not by data_ptr(): where a record is empty, that raises.
    storages = {one._cdata: one.nbytes() for one in (tensor.untyped_storage() for tensor in plain)}
    short = Counter(size for size in storages.values() if size) - held
    if records and short:
        raise BadInput(
            f"{path} is damaged: its tensors have {', '.join(f'{size:,}' for size in sorted(short)[:3])} bytes, and no "
            "record in it is that long"
        )


def _short(error: Exception) -> str:
    """The first line of an error. Those of damaged archives hold what stands where a name should."""
    return "".join(c if c.isprintable() else "?" for c in (str(error).strip().splitlines() or [""])[0][:160])


def _refuse_inflation(path: Path, archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    size = path.stat().st_size
    inflated, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    if inflated > INFLATION * size + FREE_BYTES:
        raise BadInput(f"{path} is refused: its {size:,} bytes inflate to {inflated:,}, and weights do not")
    if packed > size:
        raise BadInput(f"{path} is refused: its parts overlap ({packed:,} bytes in a file of {size:,})")


def _refuse_long_work_at_the_start(steps: Steps, file: IO[bytes], pickles: int) -> None:
    """Look through the pickles that a file begins with, running none of them."""
    start = file.read(LARGEST_PICKLE_BYTES + 1)
    stream = io.BytesIO(start[:LARGEST_PICKLE_BYTES])
    try:
        for _ in range(pickles):
            steps.look_through(stream)
    except MALFORMED as error:
        cut = stream.tell() >= LARGEST_PICKLE_BYTES or "exhausted" in str(error)
        if cut and len(start) > LARGEST_PICKLE_BYTES and steps.taken > 0:
            raise BadInput(
                f"{steps.path} is refused: its table of names is longer than {LARGEST_PICKLE_BYTES >> 20} MiB, and no "
                "network's is"
            ) from error


MALFORMED = (ValueError, IndexError, KeyError, TypeError, AttributeError)
"""What looking through bytes that are no pickle raises."""


class Steps:
    """Follows what pickles would put together, by size and depth alone.

    Args:
        path: of the file they are in, for messages.

    Attributes:
        taken: how many steps were looked at so far.
        names: the functions and classes that they name, as ``module.name``, none of which is looked up.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken = 0
        self.names: list[str] = []

    def look_through(self, stream: IO[bytes]) -> None:
        """One pickle, to its end. Raises BadInput where it is refused, one of MALFORMED where it is none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in texts, which Python would complain of in source code
            self._look_through(stream)

    def _look_through(self, stream: IO[bytes]) -> None:
        stack: list[_Part | None] = []
        memo: dict[int, _Part | None] = {}
        for step, argument, _ in pickletools.genops(stream):
            self.taken += 1
            if self.taken > MOST_STEPS:
                raise BadInput(f"{self.path} is refused: putting its table together takes over {MOST_STEPS:,} steps")
            name = step.name
            if name == "MARK":
                stack.append(None)
            elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
                memo[int(str(argument))] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[int(str(argument))])
            else:
                taken = self._popped(stack, step)
                made = self._made(name, argument, taken)
                stack += [made] * len(step.stack_after)

    @staticmethod
    def _popped(stack: list[_Part | None], step: pickletools.OpcodeInfo) -> list[_Part]:
        taken: list[_Part] = []
        kinds = list(step.stack_before)
        if pickletools.markobject in kinds:
            while (part := stack.pop()) is not None:
                taken.append(part)
            kinds = kinds[: kinds.index(pickletools.markobject)]
        for _ in kinds:
            part = stack.pop()
            if part is not None:
                taken.append(part)
        return taken[::-1]

    def _made(self, name: str, argument: object, taken: list[_Part]) -> _Part:
        if name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX") and taken and taken[0][2].endswith(_ALLOCATING):
            raise BadInput(f"{self.path} is refused: it asks to call {taken[0][2][-60:]}, which only takes memory")
        if name == "BYTEARRAY8":
            raise BadInput(f"{self.path} is refused: it holds an array of bytes, and neither weights nor statistics do")
        size = 1 + sum(part[0] for part in taken)
        depth = 1 + max((part[1] for part in taken), default=0)
        if name.startswith("TUPLE") and (size > MOST_IN_A_TUPLE or depth > DEEPEST):
            raise BadInput(
                f"{self.path} is refused: a key in it is nested {depth} deep with {min(size, 10**15):,} parts or more"
            )
        text = ""
        if isinstance(argument, str) and len(argument) < 256:
            text = argument
        elif name == "STACK_GLOBAL":
            text = ".".join(part[2] for part in taken)
        if name in ("GLOBAL", "INST", "STACK_GLOBAL"):
            self.names.append(text.replace(" ", ".", 1))
        container = name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD", "ADDITEMS")
        # A container's own size does not count: it cannot be hashed, and whole files are one container.
        return (1, 1, text) if container else (size, depth, text)
