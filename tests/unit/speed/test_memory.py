"""Memory of a restorer, measured for real in a process of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gfpbench.speed.memory import in_a_process
from gfpbench.types import Case, RestorationFailed


def test_memory_is_that_of_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restorer that fills 200 MiB is seen to, and a service that it starts is not waited for; one that dies is a
    failure with its last line."""
    (tmp_path / "hungry_model.py").write_text(
        "import subprocess\n"
        f"service = subprocess.Popen('sleep 30; touch ended', shell=True, cwd={str(tmp_path)!r})\n"
        f"open({str(tmp_path / 'pids')!r}, 'a').write(f'{{service.pid}} ')\n"
        "import numpy as np\n"
        "from gfpbench.types import ImageBatch\n"
        "def restorer(batch: ImageBatch) -> ImageBatch:\n"
        "    filled = np.ones(200 * 2**20, np.uint8)\n"
        "    return ImageBatch(batch.pixels * float(filled[7]) * 0.5, batch.ids)\n"
        "def dying(batch: ImageBatch) -> ImageBatch:\n"
        "    raise MemoryError('no room left')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("gfpbench.speed.memory.PROCESSES", 1)
    found = in_a_process(Case("embedded", "paper", "python:hungry_model:restorer", limit=1), 1)
    assert not (tmp_path / "ended").exists()
    if found.peak_mib is None:
        pytest.skip(found.note)
    assert 195 < found.peak_mib < 260
    with pytest.raises(RestorationFailed, match="no room left"):
        in_a_process(Case("embedded", "paper", "python:hungry_model:dying", limit=1), 1)
    for pid in (tmp_path / "pids").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
