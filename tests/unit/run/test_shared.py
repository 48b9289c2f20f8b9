"""Faces and degraded images that cases have in common: made once, and the same as made anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gfpbench import results, run
from gfpbench.degrade.chain import Chain
from gfpbench.faces.folder import Folder
from gfpbench.run.shared import SharedInputs
from gfpbench.types import Case, Result

RESTORERS = ("input", "bicubic", "truth")


def folder_of_faces(made: Path) -> Path:
    """Seven noisy images of two sizes, and a file that is none."""
    made.mkdir()
    noise = np.random.default_rng(3)
    for number in range(7):
        coarse = noise.integers(0, 256, (8, 8, 3), np.uint8)
        side = 64 if number < 5 else 48
        cv2.imwrite(str(made / f"{number}.png"), cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
    (made / "broken.png").write_bytes(b"no image")
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_faces(tmp_path_factory.mktemp("shared") / "faces")


def measured(folder: Path, store: Path, shared: Any, restorers: tuple[str, ...] = RESTORERS) -> list[Result]:
    cases = [Case(str(folder), "paper", name) for name in restorers]
    return [run.measure(case, store=store, metrics=["psnr_rgb"], batch_size=3, shared=shared) for case in cases]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many faces are decoded, and how many batches degraded."""
    calls = {"decoded": 0, "degraded": 0}
    load, apply = Folder.load, Chain.apply

    def loading(self: Folder, face_id: str) -> Any:
        calls["decoded"] += 1
        return load(self, face_id)

    def applying(self: Chain, *arguments: Any) -> Any:
        calls["degraded"] += 1
        return apply(self, *arguments)

    monkeypatch.setattr(Folder, "load", loading)
    monkeypatch.setattr(Chain, "apply", applying)
    return calls


def test_results_are_those_of_cases_measured_alone(folder: Path, tmp_path: Path) -> None:
    together = measured(folder, tmp_path / "together", SharedInputs())
    alone = [measured(folder, tmp_path / name, None, (name,))[0] for name in RESTORERS]
    assert results.text(together) == results.text(alone)
    assert [len(result.rows) for result in together] == [7, 7, 7]
    for result, name in zip(together, RESTORERS, strict=True):
        kept, others = (
            {path.name: path.read_bytes() for path in (tmp_path / place / result.case.id / "images").iterdir()}
            for place in ("together", name)
        )
        assert kept == others


def test_each_face_is_decoded_and_each_batch_degraded_once(
    folder: Path, tmp_path: Path, counted: dict[str, int]
) -> None:
    measured(folder, tmp_path, SharedInputs())
    # Only the file that cannot be read is tried for each case.
    assert counted == {"decoded": 7 + len(RESTORERS), "degraded": 3}


def test_what_has_no_room_is_made_again(folder: Path, tmp_path: Path, counted: dict[str, int]) -> None:
    two_faces = 2 * 3 * 64 * 64
    found = measured(folder, tmp_path / "small", SharedInputs(bytes_at_most=two_faces))
    assert counted == {"decoded": 2 + 3 * (7 - 2 + 1), "degraded": 3 * 3}
    assert results.text(found) == results.text(measured(folder, tmp_path / "large", SharedInputs()))


def nothing_false_is_shared(folder: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    """A case that differs from the one before is measured as if it were alone."""
    shared, words = SharedInputs(), {"faces": str(folder), "degradation": "paper", "restorer": "input"}
    before = measured(folder, tmp_path / "before", shared)[0]
    case = Case(**{**words, **change})
    one, other = (
        run.measure(case, store=tmp_path / name, metrics=["psnr_rgb"], batch_size=3, shared=given)
        for name, given in (("shared", shared), ("alone", None))
    )
    assert results.text([one]) == results.text([other])
    assert one.rows[0].fingerprint != before.rows[0].fingerprint


@pytest.mark.parametrize("change", [{"seed": 1}, {"degradation": "report"}, {"size_px": 32}, {"degradation": "none"}])
def test_another_seed_degradation_or_size_shares_nothing(folder: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    nothing_false_is_shared(folder, tmp_path, change)


def test_what_was_kept_is_never_more_than_was_allowed(folder: Path, tmp_path: Path) -> None:
    shared = SharedInputs(bytes_at_most=100_000)
    measured(folder, tmp_path, shared)
    assert shared.bytes_kept == sum(
        levels.numel()
        for levels in [one[1] for one in shared._faces.values()] + [one[2] for one in shared._degraded.values()]
        if levels is not None
    )
    assert 50_000 < shared.bytes_kept <= 100_000


def test_a_case_that_is_measured_alone_keeps_nothing(folder: Path) -> None:
    parts = run.load(Case(str(folder), "paper", "input"), device="cpu", metrics=["psnr_rgb"])
    assert parts.shared.bytes_at_most == 0
    assert run.Parts(parts.faces, parts.degradation, parts.restorer, parts.metrics).shared.bytes_at_most == 0
