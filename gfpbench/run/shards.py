"""A share of one run, measured on its own and left as a part, which ``gfpbench merge`` joins with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gfpbench import codec, results
from gfpbench.completion import PART
from gfpbench.disk import write_whole
from gfpbench.results import dumps
from gfpbench.run.assembly import Recorded, recorded
from gfpbench.run.batches import batches
from gfpbench.run.case import SHARE, CaseRun, Share, opened
from gfpbench.run.parts import Parts
from gfpbench.run.shared import SharedFaces
from gfpbench.run.workers import Workers
from gfpbench.types import BadInput, Case, Json, Progress

SCHEMA = 1
INFINITE = ("best", "tolerance")
"""The fields of a metric's record that may be infinite, which JSON holds as text."""


@dataclass(frozen=True, slots=True)
class CasePart:
    """What a part says of one case, beside the journal of its batches, their features and images.

    Args:
        schema: of this file.
        case: what was measured.
        share: which of its batches.
        about: what the Result says besides its rows.
        sets: names of the set metrics.
        device, batch_size, keep_images, options: how it was measured, as ``Workers`` needs it to do that again.
    """

    schema: int
    case: Case
    share: Share
    about: Recorded
    sets: tuple[str, ...]
    device: str
    batch_size: int
    keep_images: int
    options: Mapping[str, Json]


def number_of(text: str) -> tuple[int, int]:
    """``3/16`` as two numbers. Raises BadInput for anything else."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise BadInput(f"--shard {text}: give K/N, such as 3/16 for the third of sixteen")
    return int(number), int(of)


def share_of(case: Case, parts: Parts, number: int, of: int, *, batch_size: int, progress: Progress | None) -> Share:
    """The batches that begin in the K-th of N equal stretches of the faces. Whole batches of the undivided run: where
    they begin is known once all faces before are decoded."""
    ids = parts.ids(case)
    begin, end = (len(ids) * part // of for part in (number - 1, number))
    first = 0
    for batch in batches(SharedFaces(parts.faces, parts.shared), ids, batch_size) if begin else ():
        if batch.start >= begin:
            break
        first = batch.stop
        if progress is not None:
            progress(min(first, begin), begin, "faces before this shard")
    return Share(number, of, min(first, end), end)


def run_shard(
    case: Case,
    parts: Parts,
    share: Share,
    *,
    store: Path,
    options: Mapping[str, Json],
    device: str,
    batch_size: int,
    keep_images: int,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> None:
    """Measure a share of a case; its journal, features, images and ``part.json`` stay in ``store / case.id``.

    A share that was stopped goes on where it was. Arguments and errors are those of ``run_case``; ``options`` are those
    that ``parts`` were loaded with.
    """
    with opened(case, parts, store, device=device, batch_size=batch_size, keep_images=keep_images) as (folder, key):
        (folder / PART).unlink(missing_ok=True)
        run = CaseRun(case, parts, folder, device, batch_size, keep_images, progress, workers, share)
        run.journalled({**key, SHARE: asdict(share)})
        sets = tuple(measure.name for measure in parts.sets)
        how = device, batch_size, keep_images, options
        about = recorded(case, parts)
        metrics = {name: results.metric_to_json(name, one) for name, one in about.records["metrics"].items()}
        about = replace(about, records={**about.records, "metrics": metrics})
        part = CasePart(SCHEMA, case, share, about, sets, *how)
        write_whole(folder / PART, dumps(codec.encode(part)) + "\n")


def read_case(folder: Path) -> CasePart:
    """What ``run_shard`` left in the folder of a case. Raises BadInput where that is missing or broken."""
    if not (folder / PART).exists():
        raise BadInput(f"{folder}: is not there or not finished: run its --shard to the end")
    part = codec.decode(CasePart, codec.read(folder / PART), str(folder / PART))
    metrics = {
        name: {key: float(value) if key in INFINITE and isinstance(value, str) else value for key, value in one.items()}
        for name, one in part.about.records["metrics"].items()
    }
    return replace(part, about=replace(part.about, records={**part.about.records, "metrics": metrics}))


@dataclass(frozen=True, slots=True)
class Part:
    """A report folder that holds a share of a run: the K-th of N, and the ids of its cases, in order."""

    schema: int
    number: int
    of: int
    cases: tuple[str, ...]


def write_part(report: Path, cases: Sequence[Case], number: int, of: int) -> None:
    """Mark a report folder as a part: no result before it is joined with the others."""
    write_whole(report / PART, dumps(codec.encode(Part(SCHEMA, number, of, tuple(case.id for case in cases)))) + "\n")


def read_part(report: Path) -> Part:
    """What ``write_part`` wrote. Raises BadInput where a folder is no part."""
    if not (report / PART).exists():
        raise BadInput(f"{report}: is no part of a run (no {PART}): give --report folders of gfpbench run --shard")
    part = codec.decode(Part, codec.read(report / PART), str(report / PART))
    if not part.cases or not 1 <= part.number <= part.of:
        raise BadInput(
            f"{report / PART}: is shard {part.number}/{part.of} of {len(part.cases)} cases, which is no part"
        )
    return part
