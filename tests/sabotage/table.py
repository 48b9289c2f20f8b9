"""The whole table: every saboteur against gate and suite, and every innocent change against the gate.

Not collected by default, because it takes minutes: ``tox run -e sabotage``, or

    pytest tests/sabotage/table.py && python -m tests.sabotage.written

Each test leaves a line under report/sabotage/; ``written.py`` makes the table of them, and says whether all is well.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gfpbench import baselines, run
from gfpbench.types import Case, GfpbenchError, Result
from tests.sabotage import innocent, patches, saboteurs
from tests.sabotage.argued import ARGUED
from tests.sabotage.harder_images import IMAGES
from tests.sabotage.harder_measurement import MEASUREMENT
from tests.sabotage.harder_models import MODELS
from tests.sabotage.saboteurs import FULL, SABOTEURS, Saboteur

FIRST = tuple(dataclasses.replace(row, case=FULL) for row in SABOTEURS)
ALL: tuple[Saboteur, ...] = (*FIRST, *IMAGES, *MODELS, *MEASUREMENT)


@pytest.fixture(scope="session")
def lines(request: pytest.FixtureRequest) -> Path:
    folder = Path(request.config.rootpath) / "report" / "sabotage"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def leave(folder: Path, **line: Any) -> None:
    key = hashlib.sha256(f"{line['table']} {line['name']} {line.get('case')}".encode()).hexdigest()[:16]
    (folder / f"{key}.json").write_text(json.dumps(line), encoding="utf-8")


_sound: dict[Case, Result] = {}


def sound(case: Case) -> Result:
    """The baseline of a case, made once in this process as ``--baseline-update`` makes it."""
    if case not in _sound:
        with tempfile.TemporaryDirectory() as folder:
            result = saboteurs.measured(Path(folder), case)
        _sound[case] = dataclasses.replace(result, envelope=baselines.measure_envelope(result))
    return _sound[case]


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_saboteur(row: Saboteur, tmp_path: Path, lines: Path) -> None:
    baseline, remade = sound(row.case), ""
    with pytest.MonkeyPatch.context() as patch:
        row.apply(patch)
        found: Result | GfpbenchError
        try:
            found = saboteurs.measured(tmp_path, row.case, **row.settings)
        except GfpbenchError as error:
            found = error
        else:
            try:  # as tests/reproduction does with what was measured
                remade = "; ".join(problem.reason for problem in run.verify(found))
            except GfpbenchError as error:
                remade = f"refused: {error}"
    here, there = saboteurs.caught(found, baseline), saboteurs.caught(found, saboteurs.elsewhere(baseline))
    leave(lines, table="saboteurs", name=row.name, kind=row.kind, here=here, elsewhere=there, remade=remade)
    caught = bool(here or remade)
    assert caught or row.name in ARGUED, f"{row.name}: nothing noticed it"
    assert not (caught and row.name in ARGUED), f"{row.name}: is noticed, so nothing has to be argued"


@pytest.mark.parametrize("patch", patches.PATCHES, ids=lambda patch: patch.name)
def test_bug_in_the_source(patch: patches.Patch, tmp_path: Path, lines: Path) -> None:
    noticed = patches.noticed_by(patches.patched(patch, tmp_path / "gfpbench"), patch.tests)
    leave(lines, table="source", name=patch.name, kind=patch.kind, file=patch.file, noticed=noticed)
    assert noticed, f"{patch.name} in {patch.file}: the suite passes"


def judged(lines: Path, name: str, case: Case, found: Result, bytes_move: bool) -> None:
    baseline = sound(case)
    here = "" if bytes_move else saboteurs.caught(found, baseline)
    there = saboteurs.caught(found, saboteurs.elsewhere(baseline))
    leave(lines, table="innocent", name=name, case=case.id, here=here, elsewhere=there, elsewhere_only=bytes_move)
    assert (here, there) == ("", "")


@pytest.mark.parametrize("case", innocent.CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("change", innocent.INNOCENT, ids=lambda change: change.name)
def test_innocent(change: innocent.Innocent, case: Case, tmp_path: Path, lines: Path) -> None:
    sound(case)  # before anything is patched
    with pytest.MonkeyPatch.context() as patch:
        found = change.measure(patch, case, tmp_path)
    judged(lines, change.name, case, found, change.bytes_move)


@pytest.mark.parametrize("name", ["once more", "batches of 3", "saved as TIFF", "without oneDNN"])
def test_innocent_at_full_size(name: str, tmp_path: Path, lines: Path) -> None:
    change = next(change for change in innocent.INNOCENT if change.name == name)
    sound(innocent.FULL_SIZE)
    with pytest.MonkeyPatch.context() as patch:
        found = change.measure(patch, innocent.FULL_SIZE, tmp_path)
    judged(lines, change.name, innocent.FULL_SIZE, found, change.bytes_move)


@pytest.mark.parametrize("name", [name for name, _, _ in innocent.ENVIRONMENTS])
def test_innocent_in_another_process(name: str, tmp_path: Path, lines: Path) -> None:
    variables, bytes_move = next((v, moves) for other, v, moves in innocent.ENVIRONMENTS if other == name)
    for case, found in zip(innocent.IN_A_PROCESS, innocent.in_a_process(variables, tmp_path / "run"), strict=True):
        judged(lines, name, case, found, bytes_move)


@pytest.mark.parametrize("number", range(12))
def test_innocent_on_a_gpu_that_rounds_as_tf32_does(number: int, tmp_path: Path, lines: Path) -> None:
    """A pretended baseline of a GPU, whose envelope holds noise of 5e-4 on [-1, 1]; every run has noise of its own."""
    case = innocent.CASES[number % 3]
    with pytest.MonkeyPatch.context() as patch:
        draw = innocent.rounding_noise(5e-4, 1000 + number)
        before = innocent.restoring(draw)(patch, case, tmp_path / "before")
        before = dataclasses.replace(before, envelope=baselines.measure_envelope(before))
        found = innocent.plain(case, tmp_path / "now")
    here, there = saboteurs.caught(found, before), saboteurs.caught(found, saboteurs.elsewhere(before))
    leave(
        lines,
        table="innocent",
        name=f"noise of a GPU in TF32, {number}",
        case=case.id,
        here=here,
        elsewhere=there,
        elsewhere_only=False,
    )
    assert (here, there) == ("", "")
