"""Inputs that are taken for the truth, each way in which that could happen: the laws of a report have to notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gfpbench import cli, metrics
from gfpbench.run import engine, parts
from gfpbench.types import Case, GfpbenchError
from tests.unit.run import no_truth_laws

Bug = Callable[[pytest.MonkeyPatch], None]
ASKED = ("piqe", "psnr_rgb", "colour_shift", "frechet_dlib_vs_truth")


def _everything_is_measured(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parts, "without_truth", lambda metrics, sets: (tuple(metrics), tuple(sets), {}))


def _sets_against_the_input(patch: pytest.MonkeyPatch) -> None:
    original = metrics.without_truth
    patch.setattr(parts, "without_truth", lambda metrics, sets: (original(metrics, sets)[0], tuple(sets), {}))


def _a_clean_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metrics, "against_input", lambda metric: replace(metric, needs_truth=False, needs_input=True))


def _a_clean_name_and_record(patch: pytest.MonkeyPatch) -> None:
    original = metrics.without_truth

    def under_its_own_name(given: Any, sets: Any) -> Any:
        measured, kept, _ = original(given, sets)
        names = []
        for one in measured:
            plain: Any = one
            names.append(replace(plain, name=one.name.removesuffix("_vs_input"), needs_input=False))
        return tuple(names), kept, {}

    patch.setattr(parts, "without_truth", under_its_own_name)


def _the_input_against_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parts, "without_itself", lambda metrics: (tuple(metrics), {}))


def _the_input_kept_as_truth(patch: pytest.MonkeyPatch) -> None:
    original = engine.measure_batch

    def with_a_truth(batch: Any, *rest: Any) -> Any:
        return replace(original(batch, *rest), truth=batch.truth())

    patch.setattr(engine, "measure_batch", with_a_truth)


def _read_as_truth(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parts.Parts, "kind_of_faces", property(lambda self: "truth"))


def _a_case_that_does_not_say_so(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Case, "has_truth", property(lambda self: True))


BUGS: tuple[Bug, ...] = (
    _everything_is_measured,
    _sets_against_the_input,
    _a_clean_name,
    _a_clean_name_and_record,
    _the_input_against_itself,
    _the_input_kept_as_truth,
    _read_as_truth,
    _a_case_that_does_not_say_so,
)


def _run_and_look(folder: Path, report: Path) -> None:
    words = ["run", "--faces", str(folder), "--no-truth", "--restorer", "bicubic", "--device", "cpu", "--keep", "1"]
    words += [word for name in ASKED for word in ("--metric", name)]
    done = CliRunner().invoke(cli.app, [*words, "--report", str(report)])
    if isinstance(done.exception, GfpbenchError):
        raise done.exception
    assert done.exit_code == 0, done.output
    no_truth_laws.no_number_needs_a_truth(report, ASKED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return no_truth_laws.low_quality(tmp_path_factory.mktemp("inputs") / "lq", count=2, size_px=64)


def test_sound_code_passes(folder: Path, tmp_path: Path) -> None:
    _run_and_look(folder, tmp_path / "report")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__.strip("_"))
def test_an_input_that_is_taken_for_the_truth_is_noticed(
    bug: Bug, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    with pytest.raises((AssertionError, GfpbenchError)):
        _run_and_look(folder, tmp_path / "report")
