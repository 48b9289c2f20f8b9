"""What a restorer took on one device: a record that is read and compared later."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gfpbench.disk import write_whole
from gfpbench.types import BadInput, Case, Json

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Speed:
    """Time and memory of one restorer, in calls of ``batch_size`` pictures.

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
        size_px: (height, width) of the pictures.
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

    @property
    def images_per_second(self) -> float:
        return self.batch_size / self.seconds if self.seconds else math.inf


def to_json(speed: Speed) -> dict[str, Json]:
    """Plain JSON values, rounded to what such a measurement can tell."""
    record = {"schema": SCHEMA, **asdict(speed)}
    for name in ("ratio", "low", "high", "seconds", "reference_seconds", "processor_ratio", "peak_mib", "noise"):
        record[name] = None if record[name] is None else float(f"{record[name]:.5g}")
    del record["ratios"]
    return record | {"size_px": list(speed.size_px)}


def from_json(record: Json) -> Speed:
    """The inverse of ``to_json``. Raises BadInput for anything else."""
    if not isinstance(record, Mapping) or record.get("schema") != SCHEMA:
        raise BadInput(f"is not a record of speed with schema {SCHEMA}")
    given = {name: value for name, value in record.items() if name != "schema"}
    try:
        speed = Speed(**given | {"case": Case(**given["case"]), "size_px": tuple(given["size_px"])})
    except (TypeError, KeyError) as error:
        raise BadInput(f"is not a complete record of speed: {error}") from error
    for name in ("ratio", "low", "high", "seconds", "reference_seconds"):
        value = getattr(speed, name)
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise BadInput(f"holds no speed: {name} is {value!r}")
    if speed.peak_mib is not None and not isinstance(speed.peak_mib, int | float):
        raise BadInput(f"holds no speed: peak_mib is {speed.peak_mib!r}")
    return speed


def write(speed: Speed, path: Path) -> None:
    """Write one record, whole or not at all; one line for each figure, so that differences can be read."""
    write_whole(path, json.dumps(to_json(speed), indent=1, allow_nan=False) + "\n")


def read(path: Path) -> Speed:
    """Read one record. Raises BadInput naming the file where it is broken."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read as a record of speed: {error}") from error
    try:
        return from_json(record)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
