"""Faces that are taken for clean and look degraded: the two measures, and one warning where most faces do."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import blur_effect

import gfpbench
from gfpbench import images
from gfpbench.run import looks_degraded
from gfpbench.run.looks_degraded import BLOCKY, BLURRED, blocks, blur
from gfpbench.types import ImageBatch
from tests.unit.run import no_truth_laws


def clean(size_px: int = 128) -> np.ndarray:
    faces = gfpbench.load_faces("embedded", size_px=size_px, draws=1)
    stacked = [images.to_rgb_stack(ImageBatch(faces.load(name).pixels[None], (name,))) for name in faces.ids()]
    return np.concatenate(stacked)


def levels(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(rgb.astype(np.float64).mean(-1))


def test_blur_orders_images_as_scikit_image_does() -> None:
    shown = [levels(gfpbench.degrade(clean(), f"blur@{severity}")[0]) for severity in (0.01, 0.05, 0.1, 0.2, 0.4)]
    ours, theirs = [blur(one) for one in shown], [blur_effect(one, h_size=9) for one in shown]
    assert ours == sorted(ours)
    assert theirs == sorted(theirs)
    assert blur(np.full((32, 32), 128.0)) == 0


def test_blocks_have_a_closed_form() -> None:
    coarse = np.kron(np.random.default_rng(0).uniform(0, 255, (4, 4)), np.ones((8, 8))).astype(np.float64)
    assert blocks(coarse) == np.inf
    assert blocks(np.full((32, 32), 7.0)) == 1
    noise = np.random.default_rng(1).uniform(0, 255, (256, 256))
    assert blocks(noise) == pytest.approx(1, abs=0.03)
    ramp = np.tile(np.arange(64.0) + 2.0 * (np.arange(64) // 8), (64, 1))  # none downwards
    assert blocks(ramp.astype(np.float64)) == pytest.approx((3 + 1) / 2)


@pytest.mark.parametrize("size_px", [64, 128, 256])
def test_clean_faces_are_not_accused(size_px: int) -> None:
    for rgb in clean(size_px):
        assert blur(levels(rgb)) < BLURRED
        assert blocks(levels(rgb)) < BLOCKY


def test_degraded_faces_are_found() -> None:
    assert all(blur(levels(rgb)) > BLURRED for rgb in gfpbench.degrade(clean(), "blur@0.2"))
    assert all(blocks(levels(rgb)) > BLOCKY for rgb in gfpbench.degrade(clean(), "jpeg@0.6"))


def test_one_warning_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(looks_degraded, "_told", set())
    folder = no_truth_laws.low_quality(tmp_path / "lq", jpeg=0.6)
    with caplog.at_level(logging.WARNING, logger="gfpbench"):
        for restorer in ("truth", "input"):
            gfpbench.measure(restorer, folder, "none", metrics=["piqe"])
        (line,) = [record.getMessage() for record in caplog.records]
        assert "4 of the first 4 look degraded already (" in line
        assert "use --no-truth" in line
        caplog.clear()
        gfpbench.measure("input", folder, truth=False, metrics=["piqe"])
        gfpbench.measure("truth", "embedded", "none", metrics=["piqe"], size_px=64, draws=1)
        gfpbench.measure("truth", folder, "paper", metrics=["piqe"])
        assert caplog.records == []


def test_where_half_of_the_faces_are_clean_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(looks_degraded, "_told", set())
    folder = no_truth_laws.low_quality(tmp_path / "lq", count=2, jpeg=0.6)
    for place, rgb in enumerate(clean()):
        images.write_png(folder / f"clean_{place}.png", rgb)
    (folder / "torn.png").write_bytes(b"\x89PNG")
    with caplog.at_level(logging.WARNING, logger="gfpbench"):
        result = gfpbench.measure("truth", folder, "none", metrics=["piqe"])
    assert len(result.rows) == 4
    assert caplog.records == []
