"""What a folder of degraded images promises, each promise a function, so that saboteurs face the same checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from gfpbench import images, run
from gfpbench.degraded import MANIFEST, Manifest
from gfpbench.restorers import from_array_function
from gfpbench.types import Case, ImageBatch, Result

# What somebody runs who knows nothing of gfpbench: every PNG of a folder sharpened into another folder.
ELSEWHERE = """
import sys
from pathlib import Path
import cv2
source, target = map(Path, sys.argv[1:])
for path in source.rglob("*.png"):
    image = cv2.imread(str(path))
    sharp = cv2.addWeighted(image, 1.6, cv2.GaussianBlur(image, (0, 0), 2), -0.6, 0)
    (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target / path.relative_to(source)), sharp)
"""
METRICS = ("psnr_rgb", "ssim_rgb", "gmsd")


def sharpen(rgb: np.ndarray) -> np.ndarray:
    """The same as ``ELSEWHERE``, for a run of ours."""
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    sharp = cv2.addWeighted(bgr, 1.6, cv2.GaussianBlur(bgr, (0, 0), 2), -0.6, 0)
    return np.ascontiguousarray(sharp[..., ::-1])


def some_faces(folder: Path, count: int = 4) -> Path:
    """Faces in folders, made of the embedded ones; ``smith/01`` and so on."""
    from gfpbench import faces

    embedded = faces.load("embedded", draws=1)
    for number in range(count):
        face = embedded.load(embedded.ids()[number % 2])
        rgb = images.to_rgb_arrays(ImageBatch(face.pixels[None].roll(number * 5, 3), (face.id,)))[0]
        path = folder / ("smith", "jones")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        images.write_png(path, rgb)
    return folder


def written(case: Case, to: Path, truth_to: Path | None = None) -> Manifest:
    return run.write_degraded(case, run.load(case, device="cpu", metrics=()), to, truth_to=truth_to)


def restored_elsewhere(source: Path, target: Path) -> Path:
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(source), str(target)], check=True, timeout=120)
    return target


def measured(case: Case, store: Path) -> Result:
    return run.measure(case, store=store, metrics=METRICS)


def scores(result: Result) -> dict[str, dict[str, float | None]]:
    assert [row.failure for row in result.rows if row.failure] == []
    return {row.id: dict(row.scores) for row in result.rows}


def elsewhere_and_here_agree(folder: Path) -> None:
    """Degraded, restored elsewhere and measured gives exactly the numbers of the same restorer in a run."""
    faces = some_faces(folder / "faces")
    case = Case(str(faces), "paper", run.TRUTH, seed=3)
    manifest = written(case, folder / "degraded", folder / "truth")
    assert [image.id for image in manifest.images] == ["jones/01", "jones/03", "smith/00", "smith/02"]
    outputs = f"outputs:{restored_elsewhere(folder / 'degraded', folder / 'restored')}"

    parts = run.load(case, device="cpu", metrics=METRICS)
    restorer = from_array_function(sharpen)
    here = run.run_case(
        Case(case.faces, "paper", "here", seed=3),
        run.Parts(parts.faces, parts.degradation, restorer, parts.metrics),
        store=folder / "store",
    )
    for row, image in zip(here.rows, manifest.images, strict=True):
        assert (row.face_sha256, row.parameters) == (image.face_sha256, image.parameters)
        assert row.fingerprint["degraded"]["sha256"] == image.sha256[:16]
    for truth, degradation, seed in (
        (str(faces), "paper", 3),
        (str(faces), f"stored:{folder / 'degraded'}", 0),
        (str(folder / "truth"), f"stored:{folder / 'degraded'}", 0),
    ):
        there = measured(Case(truth, degradation, outputs, seed=seed), folder / "store")
        assert scores(there) == scores(here)
        assert there.rows[0].parameters.items() >= here.rows[0].parameters.items()


def another_set_is_no_restoration(folder: Path) -> None:
    """Restored images whose manifest says that they come from other degraded ones get no number."""
    faces = some_faces(folder / "faces", 2)
    written(Case(str(faces), "paper", run.TRUTH, seed=3), folder / "degraded")
    outputs = f"outputs:{restored_elsewhere(folder / 'degraded', folder / 'degraded' / 'restored')}"
    wrong = measured(Case(str(faces), "paper", outputs, seed=4), folder / "store")
    assert all(
        "another degraded image than the one written there (by paper, seed 3)" in str(r.failure) for r in wrong.rows
    )
    right = measured(Case(str(faces), "paper", outputs, seed=3), folder / "store")
    assert [row.failure for row in right.rows] == [None, None]


def what_was_changed_is_seen(folder: Path) -> None:
    """A face or a degraded image that was replaced since has no number, and costs the others nothing."""
    faces = some_faces(folder / "faces", 4)
    written(Case(str(faces), "paper", run.TRUTH), folder / "degraded")
    for path in (faces / "smith" / "00.png", folder / "degraded" / "jones" / "01.png"):
        pixels: Any = cv2.imread(str(path))
        pixels[5, 5] ^= 1
        cv2.imwrite(str(path), pixels)
    result = measured(Case(str(faces), f"stored:{folder / 'degraded'}", "bicubic"), folder / "store")
    failures = {row.id: row.failure for row in result.rows if row.failure}
    assert sorted(failures) == ["jones/01", "smith/00"]
    assert "was made from another image than this face" in str(failures["smith/00"])
    assert "another degraded image than the one written there" in str(failures["jones/01"])


def it_goes_on_to_the_same_bytes(folder: Path) -> None:
    """Stopped and given again, the folder is that of an undisturbed call; what was lost in it is made again."""
    case = Case(str(some_faces(folder / "faces", 5)), "upstream", run.TRUTH)
    written(case, folder / "whole")
    parts = run.load(case, device="cpu", metrics=())

    def stop(done: int, total: int, what: str) -> None:
        if done == 4:
            raise KeyboardInterrupt

    import pytest

    with pytest.raises(KeyboardInterrupt):
        run.write_degraded(case, parts, folder / "stopped", batch_size=2, progress=stop)
    assert not (folder / "stopped" / MANIFEST).exists()
    (folder / "stopped" / "smith" / "00.png").write_bytes(b"torn")
    (folder / "stopped" / "jones" / "01.png").unlink()
    before = (folder / "stopped" / "jones" / "03.png").stat().st_mtime_ns
    run.write_degraded(case, parts, folder / "stopped")
    assert (folder / "stopped" / "jones" / "03.png").stat().st_mtime_ns == before, "nothing was gone on with"
    assert contents(folder / "stopped") == contents(folder / "whole")
    (folder / "whole" / "smith" / "02.png").unlink()
    run.write_degraded(case, parts, folder / "whole")
    assert contents(folder / "stopped") == contents(folder / "whole")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def images_are_those_of_the_run(folder: Path) -> None:
    """To the last bit, and as files that anybody reads: RGB where RGB belongs."""
    case = Case(str(some_faces(folder / "faces", 2)), "upstream", run.TRUTH, seed=7)
    manifest = written(case, folder / "degraded")
    parts = run.load(case, device="cpu", metrics=())
    for image in manifest.images:
        face = parts.faces.load(image.id)
        truth = ImageBatch(face.pixels[None], (image.id,))
        drawn = parts.degradation.draw(image.id, 7, truth.size)
        made = images.to_rgb_arrays(parts.degradation.apply(truth, [drawn]))[0]
        bgr: Any = cv2.imread(str(folder / "degraded" / image.file))
        file = bgr[..., ::-1].copy()
        assert np.array_equal(file, made)
        assert image.sha256 == images.pixels_sha256(file)
        assert torch.equal(images.from_uint8(made), images.from_uint8(file))
