"""A list of five points beside the faces reaches the metric that aligns by it; others are aligned as FFHQ's."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench import assets, faces
from gfpbench.decode.point_lists import find_point_list
from gfpbench.metrics import cos_adaface, load
from gfpbench.metrics.per_image import aligned_by
from gfpbench.run import parts
from gfpbench.types import NO_TRUTH, BadInput, Case, ImageBatch
from tests.unit.decode.test_point_lists import line, write
from tests.unit.faces import trees

METRIC = "cos_adaface_vs_input"


def loaded(name: str, restorer: str = "bicubic") -> parts.Parts:
    return parts.load(Case(name, NO_TRUTH, restorer), device="cpu", metrics=[METRIC])


def test_the_challenge_with_its_list(tmp_path: Path) -> None:
    root = trees.ntire_test(tmp_path / "ntire")
    name = f"ntire-test:{root}"
    assert "mean points of FFHQ" in loaded(name).metrics[0].source
    assert "five_points" not in loaded(name).records()["faces"]
    before = faces.load(name).source()
    path = write(root / "test_face.csv", *(line("0412", part) for part in ("CelebA", "LFW-Test")))
    found = loaded(name)
    assert [metric.name for metric in found.metrics] == [METRIC]
    assert f"test_face.csv (sha256 {found.records()['faces']['five_points']['sha256'][:12]})" in found.metrics[0].source
    assert before != found.records()["faces"]  # another list is another measurement
    path.write_text(path.read_text().replace("242.1", "left"))
    with pytest.raises(BadInput, match="left_eye_y is no number"):
        loaded(name)


def test_a_folder_with_a_list_and_images_of_another_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: tmp_path)
    folder = tmp_path / "faces"
    trees.write(folder / "0412.png", (64, 64))
    write(folder / "list.csv", line("0412", "Wider-Test"))
    (metric,) = loaded(str(folder)).metrics
    face = faces.load(str(folder)).load("0412")
    batch = ImageBatch(face.pixels[None], ("0412",))
    with pytest.raises(BadInput, match=f"{METRIC}: the points of list.csv are of 512 px, and these images are 64 x 64"):
        metric(batch, batch)


def test_only_a_metric_that_aligns_takes_a_list(tmp_path: Path) -> None:
    plain = load(["psnr_rgb", METRIC])
    assert [aligned_by(one, None) for one in plain] == list(plain)
    write(tmp_path / "list.csv", line("0412", "Wider-Test"))
    points = find_point_list(tmp_path)
    assert aligned_by(plain[0], points) is plain[0]
    bound = aligned_by(plain[1], points)
    assert (bound.name, bound.needs_truth) == (METRIC, False)
    assert bound.source != plain[1].source
    assert cos_adaface.cos_adaface.by_points is cos_adaface.adaface_metric
