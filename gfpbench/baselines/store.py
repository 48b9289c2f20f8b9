"""Baselines on disk: their paths, how they are created, and which files no case uses any more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from gfpbench import degrade, faces, restorers, results
from gfpbench.baselines.envelope import measure_envelope
from gfpbench.baselines.inputs import too_many_unreadable
from gfpbench.run.environment import device_key
from gfpbench.types import BadInput, Case, GfpbenchError, Result

REPEATS = 0.02
"""The share of the blocks of restored images that may differ when nothing was changed (GPUs add in any order)."""
FOLDER = Path("baselines") / "quality"
"""Where baselines lie in a project, seen from pytest's root folder."""


def baseline_path(root: Path, result: Result) -> Path:
    """Where the baseline of a Result lies: ``<case id>.json``.

    What a GPU gave lies in a folder for each kind of GPU and release of torch, such as ``nvidia_h100-torch2.15``.
    """
    if result.environment.get("device", "cpu") == "cpu":
        return root / f"{result.case.id}.json"
    return root / device_key(result.environment) / f"{result.case.id}.json"


def find(root: Path, result: Result) -> tuple[Result, str] | None:
    """The baseline of a Result, and a note where it is not one of this device. None where there is none.

    A GPU without a baseline of its own is compared with the CPU's: both compute in float32, and the envelope of other
    machines covers how they differ.

    Raises:
        BadInput: for a file that is broken or holds another case.
    """
    own, shared = baseline_path(root, result), root / f"{result.case.id}.json"
    for path in dict.fromkeys((own, shared)):
        if path.exists():
            note = (
                ""
                if path == own
                else f"no baseline of {result.environment.get('device_name')}: compared with the CPU's"
            )
            return read(path, result.case), note
    return None


def read(path: Path, case: Case | None = None) -> Result:
    """The one Result of a baseline file. Raises BadInput where it is broken, or of another case than it should be."""
    stored = results.read(path)
    if len(stored) != 1:
        raise BadInput(f"{path}: a baseline holds one Result, not {len(stored)}")
    if case is not None and stored[0].case != case:
        raise BadInput(f"{path}: holds the case {stored[0].case.id}, not {case.id}: renamed by hand? make it again")
    return stored[0]


def create(root: Path, result: Result, *, device: str = "cpu", max_unreadable: float = 0.0) -> Path:
    """Make the baseline of a Result: measure its envelope of numerical noise, and write both to the file it belongs in.

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
    path = baseline_path(root, result)
    envelope = measure_envelope(result, device=device)
    if envelope["repeat"]["once_more"] > REPEATS:
        raise BadInput(
            f"{result.case.id}: no baseline is made: the same images restored once more are others "
            f"({envelope['repeat']['once_more']:.0%} of their blocks): seed whatever the restorer draws"
        )
    results.write([replace(result, envelope=envelope)], path)
    return path


def options(case: Case) -> str:
    """A case as options of pytest and of ``gfpbench run``."""
    words = [f"--restorer {_quoted(case.restorer)}", f"--faces {_quoted(case.faces)}"]
    words += [f"--degradation {_quoted(case.degradation)}"]
    words += [f"--seed {case.seed}"] if case.seed else []
    words += [f"--size {case.size_px}"] if case.size_px is not None else []
    words += [f"--limit {case.limit}"] if case.limit is not None else []
    words += [f"--draws {case.draws}"] if case.draws is not None else []
    return " ".join(words)


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


def leftovers(root: Path, *, cases: Collection[Case] | None = None, of_faces: str = "embedded") -> tuple[str, ...]:
    """Baseline files that nothing can ever use again, each with the reason in one line.

    A file is left over where it cannot be read, where its name is not that of its case, where its restorer, faces or
    degradation is no longer known, and where its images are no longer those of its faces.

    Args:
        root: the folder of the baselines.
        cases: the complete list of cases with the faces ``of_faces``, where there is one: a file of another such case
            is left over.
    """
    found = []
    for path in sorted(root.rglob("*.json")):
        try:
            reason = _left_over(root, path, cases, of_faces)
        except GfpbenchError as error:
            reason = str(error).removeprefix(f"{path}: ")
        if reason:
            found.append(f"{path}: {reason}; remove it, or make it again with --baseline-update")
    return tuple(found)


def _left_over(root: Path, path: Path, cases: Collection[Case] | None, of_faces: str) -> str:
    stored = read(path)
    case = stored.case
    if path not in (baseline_path(root, stored), root / f"{case.id}.json"):
        return f"is not where the baseline of {case.id} belongs"
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
