"""Files and faces that were left out of what was measured: counted wherever its numbers are read, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gfpbench.types import Json, Result


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files of one folder (or faces of one dataset) left out for one reason, and the names of the first few."""

    of: str
    reason: str
    count: int
    first: tuple[str, ...] = ()
    what: str = "file"

    @property
    def line(self) -> str:
        """``FOLDER: 3 files: REASON (a, b, ...)``."""
        names = ", ".join([*self.first, *(["..."] if self.count > len(self.first) else [])])
        counted = f"{self.count:,} {self.what}{'s' * (self.count != 1)}"
        return f"{self.of}: {counted}: {self.reason}" + (f" ({names})" if names else "")


def left_out(results: Sequence[Result]) -> tuple[LeftOut, ...]:
    """Every reason of every folder once, whoever was measured on it; the largest number of a folder first."""
    found: dict[LeftOut, None] = {}
    for result in results:
        case = result.case
        records = {case.faces: result.faces, case.degradation: result.degradation, case.restorer: result.restorer}
        for name, record in records.items():
            found |= dict.fromkeys(sorted(_entries(name, record), key=lambda entry: (-entry.count, entry.reason)))
    return tuple(found)


def _entries(name: str, record: Mapping[str, Json]) -> Iterator[LeftOut]:
    """What a results file says of files left out; values of another shape are ignored."""
    entries = record.get("left_out")
    for reason, entry in entries.items() if isinstance(entries, Mapping) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("count"), int):
            first = entry.get("first")
            yield LeftOut(
                name,
                reason,
                entry["count"],
                tuple(map(str, first)) if isinstance(first, list) else (),
                str(entry.get("what", "file")),
            )
