"""Started by test_batch.py: kills a run of photos before each thing it does to the disk, and lets it go on.

Forks, and so is a process of its own that has not computed anything before.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from gfpbench import images
from gfpbench.photos import Pipeline, restore_paths
from gfpbench.photos.detect import Found
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place

torch.set_num_threads(1)
EVENTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "fsync"})


def survives(folder: Path, out: Path, found: list[Found], kill_at: int | None = None) -> bool:
    """Restore in a child process that kills itself before its disk event number ``kill_at``, if it comes so far."""
    child = os.fork()
    if child == 0:
        seen = 0

        def before(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event not in EVENTS or (event != "fsync" and not str(arguments[0]).startswith(str(out))):
                return
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

        real = os.fsync

        def fsync(descriptor: int) -> None:
            before("fsync", ())
            real(descriptor)

        os.fsync = fsync  # type: ignore[assignment]
        sys.addaudithook(before)
        pipeline = Pipeline(scenes.Painter(laws.inverted), scenes.Known(found))
        restore_paths([folder], out, pipeline, surroundings={"machine": "this one"})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, f"the child ended with {status}"
    return not os.WIFSIGNALED(status)


def files(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def main(root: Path) -> None:
    photo, found = scenes.scene(120, 160, [Place((80, 60), 90)])
    folder = root / "in"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("a", "deep/b", "deep/c")):
        images.write_png(folder / f"{name}.png", (photo * (1 - 0.2 * number)).astype("uint8"))
    assert survives(folder, root / "whole", found)
    whole = files(root / "whole")
    assert sorted(whole) == ["a.png", "deep/b.png", "deep/c.png", "photos.json"]
    kills = 0
    for kill_at in range(250):
        out = root / f"out{kill_at}"
        if survives(folder, out, found, kill_at):
            break  # there was no such moment any more
        kills += 1
        for name, data in files(out).items() if out.exists() else ():
            assert Path(name).name.startswith(".") or data == whole[name], f"{name} is half-written after {kill_at}"
        assert survives(folder, out, found)
        assert files(out) == whole, f"killed at {kill_at} it ends in other bytes"
    else:
        raise AssertionError("it never came to its end")
    print(kills)
