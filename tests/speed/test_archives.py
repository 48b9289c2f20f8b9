"""Faces out of archives, beside the same files in a folder: to list them, and to decode each once in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gfpbench import faces
from tests.unit.decode.archives import WRITERS, folder_of, png

COUNT = 400


@pytest.mark.benchmark(group=f"{COUNT} faces of 128 px, listed and decoded")
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_faces_out_of_an_archive(benchmark: Any, tmp_path: Path, kind: str) -> None:
    data = png(0, 128)
    files = {f"{number:05}.png": data for number in range(COUNT)}
    spec = folder_of(files, tmp_path / "folder") if kind == "folder" else WRITERS[kind](files, tmp_path)

    def load() -> None:
        found = faces.load(spec)
        assert len([found.load(face_id).sha256 for face_id in found.ids()]) == COUNT

    benchmark.pedantic(load, rounds=5, warmup_rounds=1)
