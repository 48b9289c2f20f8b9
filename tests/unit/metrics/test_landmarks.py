"""AWing's 98 landmarks against facexlib's own network, loader and arithmetic, on the same seeded weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench import assets
from gfpbench.images import select, to_rgb_arrays
from gfpbench.metrics import landmarks as subject
from gfpbench.metrics import protocols
from gfpbench.types import AssetMissing, BadInput, ImageBatch, PackageMissing
from tests.unit.metrics import network_oracles as networks

pytest.importorskip("facexlib", reason="facexlib is not installed: the network is its")


def test_points_are_facexlibs(seeded_folder: Path) -> None:
    """To the last bit. Their distance is compared with VQFR's script among the protocols."""
    rgb = to_rgb_arrays(networks.photographs(96))[0][:, :90]
    theirs = networks.facexlibs_landmarks(rgb, seeded_folder)
    network = subject.awing(networks.awing_weights(seeded_folder))
    np.testing.assert_array_equal(subject.landmarks_of(network, rgb, torch.device("cpu")), theirs)
    assert len({tuple(point) for point in theirs.round(1).tolist()}) > 30  # the points differ from one another


class Corners(torch.nn.Module):
    """Stands in for the network, which takes seconds: each map is highest where the image is brightest."""

    def forward(self, pixels: torch.Tensor) -> Any:
        peaks = torch.nn.functional.max_pool2d(pixels.mean(1, keepdim=True), 4)
        return [torch.zeros(1, 99, 64, 64), peaks.expand(-1, 99, -1, -1)], []


@pytest.mark.parametrize("where", networks.PEAKS)
def test_places_of_peaks_are_facexlibs(where: str) -> None:
    networks.peaks_are_where_facexlib_sees_them(subject.points_of, networks.PEAKS[where])


def test_a_peak_between_two_cells_leans_to_the_higher() -> None:
    flat = np.zeros((1, 64, 64), np.float32)
    flat[0, 30, 20], flat[0, 30, 21], flat[0, 29, 20] = 1.0, 0.5, 0.5
    assert subject.points_of(flat).tolist() == [[20.75, 30.25]]


def test_the_last_cell_has_a_place() -> None:
    assert np.isfinite(subject.points_of(networks.heat_maps([(63, 63), (5, 5)]))).all()


def spots(*places: tuple[int, int]) -> Any:
    """Black images of 128 x 64 px with one white square of 4 px at (x, y) each."""
    pixels = torch.zeros(len(places), 3, 64, 128)
    for image, (x, y) in zip(pixels, places, strict=True):
        image[:, y : y + 4, x : x + 4] = 1
    return ImageBatch(pixels, tuple(f"spot {i}" for i in range(len(places))))


def test_distances_are_in_pixels_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 cells to the right of an image 128 px wide are 16 px; 8 cells down, 64 px high, 8 px. Each image alone."""
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: Path("any"))
    monkeypatch.setattr(subject, "awing", lambda path: Corners())
    truth, restored = spots((40, 24), (40, 24), (40, 24)), spots((56, 24), (40, 32), (40, 24))
    assert subject.lmd_awing(restored, truth).tolist() == pytest.approx([16, 8, 0], abs=1.1)
    alone = [subject.lmd_awing(select(restored, [i]), select(truth, [i])) for i in range(3)]
    assert torch.equal(torch.cat(alone), subject.lmd_awing(restored, truth))


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match=r"lmd_awing needs the asset 'awing-wflw98'.*gfpbench fetch awing-wflw98"):
        subject.lmd_awing(networks.photographs(64), networks.photographs(64))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, seeded_folder: Path) -> None:
    subject.awing.cache_clear()
    monkeypatch.setitem(sys.modules, "facexlib.alignment.awing_arch", None)
    with pytest.raises(PackageMissing, match=r"lmd_awing needs the package 'facexlib'.*upstream"):
        subject.awing(networks.awing_weights(seeded_folder))


def test_weights_of_another_network_are_refused(tmp_path: Path, seeded_folder: Path) -> None:
    torch.save({"conv1.weight": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match="AWing"):
        subject.awing(tmp_path / "other.pth")
    held = torch.load(networks.awing_weights(seeded_folder), weights_only=True)["state_dict"]
    del held["bn1.weight"]
    torch.save(held, tmp_path / "lacking.pth")
    with pytest.raises(BadInput, match=r"bn1\.weight"):
        subject.awing(tmp_path / "lacking.pth")


def test_the_protocols_that_publish_it_use_it() -> None:
    assert {name for name, one in protocols.PROTOCOLS.items() if "lmd_awing" in one.metrics} == {"vqfr", "pmrf"}
