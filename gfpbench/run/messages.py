"""What passes between a run and its other processes: JSON and raw values over two pipes.

Nothing is unpickled: what another process sends is read as text and as numbers only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

from gfpbench.images import moved
from gfpbench.lazy import LazyModule
from gfpbench.types import AssetMissing, BadInput, GfpbenchError, ImageBatch, Json

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

_LENGTHS = struct.Struct(">QQ")
_TYPES: Mapping[str, type[np.generic]] = {"float32": np.float32, "uint8": np.uint8}
MAXIMUM_HEADER_BYTES = 64 * 2**20


class BrokenMessage(Exception):
    """The other side has ended, or sent something else than a message."""


class Unheard(OSError):
    """The other side reads no more: it has ended, or wants no answer."""


class MachineLost(BrokenMessage):
    """The machine that the other side was on is gone."""


def send(pipe: IO[bytes], header: Mapping[str, Json], pixels: torch.Tensor | None = None) -> None:
    """Write one message: a JSON header, and values where there are any (their shape is added to the header).

    Args:
        pipe: the other side reads from it.
        header: JSON values.
        pixels: float32 or uint8, on the CPU.

    Raises:
        Unheard: where nobody reads.
    """
    shape = None if pixels is None else list(pixels.shape)
    kind = "float32" if pixels is None else str(pixels.dtype).removeprefix("torch.")
    text = json.dumps({**header, "shape": shape, "type": kind}).encode()
    data = b"" if pixels is None else pixels.contiguous().numpy().tobytes()
    try:
        pipe.write(_LENGTHS.pack(len(text), len(data)) + text)
        pipe.write(data)
        pipe.flush()
    except OSError as error:
        raise Unheard(*error.args) from error


def receive(pipe: IO[bytes]) -> tuple[dict[str, Json], torch.Tensor | None]:
    """Read one message.

    Raises:
        BrokenMessage: where the pipe ends first, or holds something else.
    """
    text_bytes, data_bytes = _LENGTHS.unpack(_exactly(pipe, _LENGTHS.size))
    if text_bytes > MAXIMUM_HEADER_BYTES:
        raise BrokenMessage(f"a header of {text_bytes} bytes")
    try:
        header = json.loads(_exactly(pipe, text_bytes))
        shape, kind = header["shape"], _TYPES[header["type"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenMessage(f"no header: {type(error).__name__}") from error
    if shape is None:
        return header, None
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise BrokenMessage(f"the shape {shape!r}")
    if np.dtype(kind).itemsize * int(np.prod(shape, dtype=object)) != data_bytes:
        raise BrokenMessage(f"{data_bytes} bytes for the shape {shape}")
    values = np.frombuffer(bytearray(_exactly(pipe, data_bytes)), kind)
    return header, torch.from_numpy(values.reshape(shape))


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise BrokenMessage("the pipe ended")
    return data


def error_to_json(error: GfpbenchError) -> dict[str, Json]:
    """An error with one line for a person, to be raised by whoever asked."""
    missing = [error.asset, error.needed_by] if isinstance(error, AssetMissing) else None
    return {"line": str(error), "missing": missing, "bad_input": isinstance(error, BadInput)}


def error_from_json(told: Mapping[str, Json]) -> GfpbenchError:
    """The same error: as AssetMissing, BadInput or GfpbenchError."""
    if told["missing"] is None:
        return BadInput(told["line"]) if told["bad_input"] else GfpbenchError(told["line"])
    asset, needed_by = told["missing"]
    error = AssetMissing(asset, needed_by)
    error.args = (told["line"],)  # that of a package says how to install it
    return error


def send_batch(pipe: IO[bytes], batch: ImageBatch, *, threads: int, way: str = "") -> None:
    """Ask for the restoration of a batch, on so many threads and by a way of ``restorers.arithmetic``."""
    send(pipe, {"ids": list(batch.ids), "threads": threads, "way": way}, moved(batch, "cpu").pixels)


def send_attempt(pipe: IO[bytes], pixels: Mapping[str, torch.Tensor], reasons: Mapping[str, str]) -> None:
    """Answer: (3, H, W) values for each image that was restored, and the reason for each that was not."""
    stacked = torch.stack([values.cpu() for values in pixels.values()]) if pixels else None
    send(pipe, {"ids": list(pixels), "reasons": dict(reasons)}, stacked)


def attempt_of(
    header: Mapping[str, Json], values: torch.Tensor | None, ids: Sequence[str]
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The same two on the other side.

    Raises:
        BrokenMessage: where an image of ``ids`` is in both or in none, or values are missing.
    """
    names, reasons = header.get("ids"), header.get("reasons")
    if not isinstance(names, list) or not isinstance(reasons, dict) or sorted([*names, *reasons]) != sorted(ids):
        raise BrokenMessage("an answer for other images than those that were asked for")
    if len(names) != (0 if values is None else len(values)):
        raise BrokenMessage("an answer without its values")
    return dict(zip(names, values if values is not None else (), strict=True)), {k: str(v) for k, v in reasons.items()}
