"""`gfpbench run --workers N` beside every other option of `run`: the files of one process, and what it prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from gfpbench import cli, images, results
from gfpbench.decode import read_rgb
from tests.unit.photos import scenes
from tests.unit.run import no_truth_laws
from tests.unit.run.worker_threads import files_of, one_thread, threads_for_processes

pytestmark = pytest.mark.usefixtures("forked_processes")
SCORES = ("--metric", "psnr_rgb")
CASES = {
    "inputs without a truth": ("--faces", "lq", "--no-truth", "--restorer", "bicubic", "--restorer", "outputs:out"),
    "every degraded image kept": ("--faces", "lq", "--restorer", "bicubic", "--keep", "all", *SCORES),
    "outputs in a folder": ("--faces", "lq", "--restorer", "outputs:out", *SCORES),
    "stored inputs": ("--faces", "lq", "--degradation", "stored:lq", "--restorer", "bicubic", *SCORES),
    "whole photos": ("--faces", "photos", "--whole-photo", "--restorer", "bicubic", "--keep", "1", *SCORES),
    "whole photos without a truth": ("--faces", "photos", "--no-truth", "--whole-photo", "--restorer", "bicubic"),
    "results as JSON": ("--faces", "lq", "--restorer", "bicubic", "--json", *SCORES),
}
"""What `run` is given besides; folders are those of ``inputs``."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Low-quality faces, one of them torn, their restorations, and photos with a face each."""
    folder = tmp_path_factory.mktemp("inputs")
    no_truth_laws.low_quality(folder / "lq", count=6, size_px=64)
    (folder / "out").mkdir()
    for number, path in enumerate(sorted((folder / "lq").iterdir())):
        blurred = cv2.GaussianBlur(read_rgb(path), (3, 3), 1) // 2
        images.write_png(folder / "out" / path.name, (blurred + number).astype(np.uint8))  # each another image
    (folder / "lq" / "zz.png").write_bytes(b"\x89PNG torn")
    (folder / "photos").mkdir()
    for number in range(3):
        place = scenes.Place((120, 110 + 4 * number), 150, 0, number % 2)
        photo, _ = scenes.scene(210, 240, [place], seed=number)
        images.write_png(folder / "photos" / f"{number}.png", np.asarray(photo))
    return folder


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with one_thread(), threads_for_processes(monkeypatch):
        yield


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", CASES)
def test_the_report_is_that_of_one_process(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(inputs)
    words = ["run", *CASES[name], "--batch-size", "2", "--device", "cpu", "--max-unreadable", "0.5"]
    if "--no-truth" in words:
        words += ["--metric", "piqe", "--metric", "colour_shift_vs_input"]
    said = {}
    for count in (1, 2):
        done = CliRunner().invoke(cli.app, [*words, "--workers", str(count), "--report", str(tmp_path / "report")])
        assert done.exit_code == 0 or "no face was found" in done.output, done.output  # in a degraded photo
        said[count] = done.exit_code, done.stdout
        shutil.move(tmp_path / "report", tmp_path / str(count))
    assert said[1] == said[2]
    assert all(any(row.scores for row in one.rows) for one in results.read(tmp_path / "1" / "results.json"))
    one, two = (files_of(tmp_path / str(count)) for count in (1, 2))
    assert [name for name in one.keys() | two.keys() if one.get(name) != two.get(name)] == []
