"""Small honest bugs in the folder of degraded images: its laws have to notice each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import degraded, images
from gfpbench.run import degraded_images, engine
from tests.unit.run import degraded_laws as laws

Bug = Callable[[pytest.MonkeyPatch], None]


def faces_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(degraded.Manifest, "check_face", lambda *_: None)


def images_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(degraded.Manifest, "check_degraded", lambda *_: None)


def red_and_blue_exchanged(patch: pytest.MonkeyPatch) -> None:
    real = images.write_png
    patch.setattr(images, "write_png", lambda path, rgb: real(path, np.ascontiguousarray(rgb[..., ::-1])))


def another_seed(patch: pytest.MonkeyPatch) -> None:
    real = engine.degrade_alone
    patch.setattr(engine, "degrade_alone", lambda degradation, truth, seed: real(degradation, truth, seed + 1))


def named_by_position(patch: pytest.MonkeyPatch) -> None:
    real = engine.degrade_alone

    def rolled(*arguments: Any) -> Any:
        batch, problems = real(*arguments)
        assert batch is not None
        return replace(batch, pixels=batch.pixels.roll(1, 0)), problems

    patch.setattr(engine, "degrade_alone", rolled)


def whatever_lies_there_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(degraded_images._Folder, "still_holds", lambda *_: True)


def nothing_is_gone_on_with(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(degraded_images._Folder, "still_holds", lambda *_: False)


def the_truth_is_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine, "degrade_alone", lambda degradation, truth, seed: (truth, ()))


@pytest.mark.parametrize(
    ("bug", "law"),
    [
        (faces_unchecked, laws.what_was_changed_is_seen),
        (images_unchecked, laws.what_was_changed_is_seen),
        (images_unchecked, laws.another_set_is_no_restoration),
        (red_and_blue_exchanged, laws.images_are_those_of_the_run),
        (another_seed, laws.images_are_those_of_the_run),
        (named_by_position, laws.images_are_those_of_the_run),
        (the_truth_is_written, laws.images_are_those_of_the_run),
        (named_by_position, laws.elsewhere_and_here_agree),
        (another_seed, laws.elsewhere_and_here_agree),
        (whatever_lies_there_is_kept, laws.it_goes_on_to_the_same_bytes),
        (nothing_is_gone_on_with, laws.it_goes_on_to_the_same_bytes),
    ],
)
def test_it_is_caught(bug: Bug, law: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)
    with pytest.raises(AssertionError):
        law(tmp_path)
