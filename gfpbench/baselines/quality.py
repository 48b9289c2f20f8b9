"""Baselines of quality: a Result with its envelope of numerical noise, made only of what is fit to be a standard."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import gfpbench.degrade as degrade
from gfpbench import faces, restorers, results, run
from gfpbench.baselines.envelope import measure_envelope
from gfpbench.baselines.inputs import nothing_measured, too_many_unreadable
from gfpbench.baselines.store import Store
from gfpbench.types import BadInput, Case, GfpbenchError, Result

REPEATS = 0.02
"""The share of the blocks of restored images that may differ when nothing was changed (GPUs add in any order)."""

QUALITY: Store[Result] = Store(
    "quality", "Result", results.read, lambda result: result.case, lambda result: result.environment, devices="GPUs"
)


def find(root: Path, result: Result) -> tuple[Result, str] | None:
    """The baseline of a Result, and a note where it is not one of this device. None where there is none.

    A GPU without a baseline of its own is compared with the CPU's: both compute in float32, and the envelope of other
    machines covers how they differ.

    Raises:
        BadInput: for a file that is broken or holds another case.
    """
    found = QUALITY.find(root, result.case, result.environment)
    if found is None:
        return None
    own = found[1] == QUALITY.path_of(root, result)
    device = result.environment.get("device_name")
    return found[0], "" if own else f"no baseline of {device}: compared with the CPU's"


def under_another_name(root: Path, result: Result) -> Case | None:
    """The case of a baseline of the same images that differs in nothing but how its faces are named, as where a folder
    was renamed or is given by another path. None where there is none."""
    here = [(row.id, row.face_sha256) for row in result.rows]
    for path in sorted(QUALITY.path_of(root, result).parent.glob("*.json")):
        try:
            found = QUALITY.at(root, path)
        except GfpbenchError:  # a broken one is told where it is asked for
            continue
        same = replace(found.case, faces=result.case.faces) == result.case
        if same and [(row.id, row.face_sha256) for row in found.rows] == here:
            return found.case
    return None


def create(
    root: Path, result: Result, *, device: str = "cpu", max_unreadable: float = 0.0, parts: run.Parts | None = None
) -> Path:
    """Make the baseline of a Result: measure its envelope of numerical noise, and write both to the file it belongs in.

    Args:
        root: the folder of the baselines.
        result: as measured.
        device: where the restorer works.
        max_unreadable: the share of the faces that may be unreadable, in [0, 1].
        parts: already loaded (isolated, say); loaded by the names in the case where None.

    Raises:
        BadInput: where mere repetition gives other images, where a restoration failed, or where more than the share
            ``max_unreadable`` of the faces could not be read: a baseline would make that the standard.
        GfpbenchError: where the disk refuses.
    """
    failed = [row.id for row in result.rows if row.failure is not None]
    if failed:
        raise BadInput(
            f"{result.case.id}: {len(failed)} of {len(result.rows)} restorations failed ({failed[0]!r} first): "
            "no baseline is made of a failure"
        )
    unread = too_many_unreadable(result, max_unreadable)
    if unread:
        raise BadInput(f"{result.case.id}: no baseline is made: {unread}")
    if empty := nothing_measured(result):
        raise BadInput(f"{result.case.id}: no baseline is made: {empty}")
    path = QUALITY.path_of(root, result)
    envelope = measure_envelope(result, device=device, parts=parts)
    if envelope["repeat"]["once_more"] > REPEATS:
        raise BadInput(
            f"{result.case.id}: no baseline is made: the same images restored once more are others "
            f"({envelope['repeat']['once_more']:.0%} of their blocks): seed whatever the restorer draws"
        )
    results.write([replace(result, envelope=envelope)], path)
    return path


def leftovers(root: Path, *, cases: Collection[Case] | None = None, of_faces: str = "embedded") -> tuple[str, ...]:
    """Baseline files that nothing can ever use again, each with the reason in one line (``Store.leftovers``).

    A file is also left over where its restorer, faces or degradation is no longer known, and where its images are no
    longer those of its faces.

    Args:
        root: the folder of the baselines.
        cases: the complete list of cases with the faces ``of_faces``, where there is one: a file of another such case
            is left over.
    """

    def unused(stored: Result) -> str:
        case = stored.case
        degrade.load(case.degradation)
        scheme, colon, _ = case.restorer.partition(":")
        forms = {form.partition(":")[0] for form in restorers.SCHEMES}
        if case.restorer not in restorers.RESTORERS and not (colon and scheme in forms) and case.restorer != "truth":
            return f"its restorer {case.restorer!r} is not known any more"
        if case.faces != of_faces:
            return ""
        if cases is not None and case not in cases:
            return f"no test asks for the case {case.id} any more"
        ids = faces.load(case.faces, size_px=case.size_px, draws=case.draws).ids()[: case.limit]
        return "" if tuple(ids) == stored.image_ids else "its images are not those of its faces any more"

    return QUALITY.leftovers(root, unused)
