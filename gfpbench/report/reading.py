"""Conversions applied while files were read, and outputs that look as if they had been read wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gfpbench.decode.treatment import phrases_of, unlike
from gfpbench.report.formatting import plural
from gfpbench.report.misplaced import misplaced
from gfpbench.types import Json, Result

KINDS = {"truth": "faces", "degraded": "degraded images", "restored": "outputs"}
"""What the files of a row are called, by the name under which it keeps how they were read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Files of one kind in whose values something was changed while they were read, or that were treated unlike.

    ``of`` names the faces or the restorer; ``warning`` is True where values may not mean the same in truth and output,
    or not of the same place.
    """

    of: str
    what: str
    count: int
    first: str
    warning: bool = False

    @property
    def line(self) -> str:
        """``faces of FOLDER: alpha composited on white for 2 images (first: a)``."""
        return f"{self.of}: {self.what} for {plural(self.count, 'image')} (first: {self.first})"


def readings(results: Sequence[Result]) -> tuple[Reading, ...]:
    """What was done to files of the faces, of stored degraded images and of outputs, then where these differ and where
    outputs look like their inputs turned or in another order."""
    done: dict[tuple[str, str], dict[str, None]] = {}
    differ: dict[tuple[str, str], dict[str, None]] = {}
    for result in results:
        given = result.case.degradation if result.case.has_truth else result.case.faces
        owners = {"truth": result.case.faces, "degraded": given, "restored": result.case.restorer}
        first = "truth" if result.case.has_truth else "degraded"
        if phrase := _layout(result.restorer.get("layout")):
            ids = {row.id: None for row in result.rows if row.read.get("restored")}
            done.setdefault((f"outputs of {result.case.restorer}", phrase), {}).update(ids)
        for row in result.rows:
            for kind in KINDS if row.read else ():
                for phrase in phrases_of(row.read.get(kind, {})):
                    of = f"{KINDS[kind] if kind != first else 'faces'} of {owners[kind]}"
                    done.setdefault((of, phrase), {})[row.id] = None
            if first in row.read and "restored" in row.read:
                for phrase in unlike(row.read[first], row.read["restored"]):
                    what = f"read otherwise than the {'truth' if result.case.has_truth else 'input'}: {phrase}"
                    differ.setdefault((result.case.restorer, what), {})[row.id] = None
        what, names = misplaced(result)
        differ.setdefault((result.case.restorer, what), {}).update(dict.fromkeys(names))
    return tuple(
        Reading(of, what, len(ids), next(iter(ids)), warning)
        for warning, group in ((False, done), (True, differ))
        for (of, what), ids in group.items()
        if ids
    )


def _layout(record: Json) -> str:
    """How the files of ``outputs:`` are named, where that is not as the images are (``restorers.output_layouts``)."""
    if not isinstance(record, Mapping) or not {"name", "files"} <= record.keys():
        return ""
    how = "guessed from all names" if record.get("guessed") else "as asked for"
    face = f", face {record['face']}" if "face" in record else ""
    return f"named {record['files']}, layout {record['name']}{face} ({how}),"
