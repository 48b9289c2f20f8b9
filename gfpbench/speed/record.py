"""The record of a restorer's speed and memory on one device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gfpbench import codec
from gfpbench.disk import sweep, write_whole
from gfpbench.types import BadInput, Case, Json

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Speed:
    """Time and memory of one restorer, in calls of ``batch_size`` images.

    Args:
        case: whose faces were restored.
        ratio: time of a call in units of the reference workload: the median over pairs, its 95 % interval [low, high].
        pairs: calls behind the ratio.
        seconds: of a call. It belongs to one moment of one machine; the ratio is what is compared.
        reference_seconds: of the reference workload.
        processor_ratio: the ratio of the time that processors worked. Far below ``ratio``: the restorer waits.
        peak_mib: the most memory at any time from loading the restorer to its second call, in MiB above what was in use
            before. None where it was not measured, for the reason in ``memory_note``.
        ratios: of each pair, for as long as the record is in memory; its file holds the interval.
        noise: how far the ratios of several measurements lay apart when a baseline was made, relative.
        size_px: (height, width) of the images.
    """

    case: Case
    ratio: float
    low: float
    high: float
    pairs: int
    seconds: float
    reference_seconds: float
    processor_ratio: float | None
    peak_mib: float | None
    memory_note: str
    batch_size: int
    size_px: tuple[int, int]
    reference: str
    restorer: Mapping[str, Json] = field(default_factory=dict)
    environment: Mapping[str, Json] = field(default_factory=dict)
    noise: float = 0.0
    ratios: tuple[float, ...] = ()


def to_json(speed: Speed) -> dict[str, Json]:
    """Plain JSON values, rounded to what such a measurement can tell."""
    record = {"schema": SCHEMA, **asdict(speed)}
    for name in ("ratio", "low", "high", "seconds", "reference_seconds", "processor_ratio", "peak_mib", "noise"):
        record[name] = None if record[name] is None else float(f"{record[name]:.5g}")
    del record["ratios"]
    return record | {"size_px": list(speed.size_px)}


def from_json(record: Json, where: str = "") -> Speed:
    """The inverse of ``to_json``. Raises BadInput naming the field for anything else."""
    try:
        codec.check_schema(record, SCHEMA)
    except BadInput as error:
        raise BadInput(f"{where}.{error}" if where else str(error)) from error
    speed = codec.decode(Speed, record, where, optional={Speed: ("ratios",)}, ignored=("schema",))
    at = f"{where}." if where else ""
    above = {name: getattr(speed, name) for name in ("ratio", "low", "high", "seconds", "reference_seconds")}
    above |= {"batch_size": speed.batch_size, "pairs": speed.pairs, "size_px": min(speed.size_px)}
    for name, number in above.items():
        if not number > 0:
            raise BadInput(f"{at}{name}: expected more than 0, not {number}: that is no speed")
    for name in ("processor_ratio", "peak_mib", "noise"):
        if (getattr(speed, name) or 0) < 0:
            raise BadInput(f"{at}{name}: expected 0 or more, not {getattr(speed, name)}")
    return speed


def write(speed: Speed, path: Path) -> None:
    """Write one record, whole or not at all; one line for each figure, so that differences can be read."""
    write_whole(path, json.dumps(to_json(speed), indent=1, allow_nan=False) + "\n")
    sweep(path.parent)


def read(path: Path) -> Speed:
    """Read one record. Raises BadInput naming the file and the field where it is broken."""
    record = codec.read(path)
    try:
        return from_json(record)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
