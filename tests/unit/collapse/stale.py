"""Things that change between two searches in one store, and the law that a search then answers as a fresh one does."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from gfpbench import faces, images
from gfpbench.collapse import Question, collapse_point, to_json
from gfpbench.types import ImageBatch, Json, Restorer

ASKED = Question("toy", "noise", resolution=4, size_px=64, draws=2)
TIMES = itertools.count(1e9, 100)
MODEL = '''
"""Blends its input with a box filter, as much as a file says that it reads at every call."""
from pathlib import Path
import numpy as np
import torch.nn.functional as F
from gfpbench.types import ImageBatch
{more}
def restore(batch):
    share = float(np.fromfile(Path(__file__).with_name("weights.bin"))[0]) * {factor}
    smooth = F.avg_pool2d(F.pad(batch.pixels, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return ImageBatch((share * smooth + (1 - share) * batch.pixels).clamp(0, 1), batch.ids)
'''


def write_model(folder: Path, share: float, *, neighbour: float | None = None) -> None:
    """``stale_model.py`` with its weights, and a module that it imports where ``neighbour`` is given."""
    folder.mkdir(exist_ok=True)
    more, factor = ("", "1.0") if neighbour is None else ("import stale_neighbour", "stale_neighbour.FACTOR")
    (folder / "stale_model.py").write_text(MODEL.format(more=more, factor=factor))
    np.array([share]).tofile(folder / "weights.bin")
    if neighbour is not None:
        (folder / "stale_neighbour.py").write_text(f"FACTOR = {neighbour!r}\n")
    os.utime(folder / "weights.bin", (1e9, 1e9))  # neither its length nor its time tells one from another
    for source in folder.glob("*.py"):  # of another time than before, or Python would take the old compiled code
        os.utime(source, (next(TIMES),) * 2)
    forget_models()


def forget_models() -> None:
    """As in a new process."""
    for name in ("stale_model", "stale_neighbour"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def write_faces(folder: Path, mirrored: bool = False) -> None:
    """The embedded faces as BMP files, which have one length whatever they show."""
    folder.mkdir(exist_ok=True)
    embedded = faces.load("embedded", size_px=64, draws=1)
    for name in embedded.ids():
        (rgb,) = images.to_rgb_arrays(ImageBatch(embedded.load(name).pixels[None], (name,)))
        shown = np.ascontiguousarray(255 - rgb if mirrored else rgb)
        Image.fromarray(shown).save(folder / f"{name}.bmp")


def searched_again_as_fresh(
    tmp_path: Path, asked: Question, change: Callable[[], None], restorer: Callable[[], Restorer] | None = None
) -> None:
    """A search in a store that holds another's cases, after ``change``, answers as one in an empty store."""

    def answer(store: str) -> dict[str, Json]:
        made = None if restorer is None else restorer()
        return to_json(collapse_point(asked, store=tmp_path / store, restorer=made))

    before = answer("store")
    change()
    again, fresh = answer("store"), answer("fresh")
    assert fresh != before, "the change changes nothing, so nothing was proved"
    assert again == fresh, "stale numbers"


def weights_changed(tmp_path: Path) -> None:
    """The weights file of a python: restorer was trained further."""
    model = tmp_path / "model"
    write_model(model, 0.3)
    searched_again_as_fresh(
        tmp_path, replace(ASKED, restorer="python:stale_model:restore"), lambda: write_model(model, 0.9)
    )


def neighbour_changed(tmp_path: Path) -> None:
    """A module that the restorer's module imports was edited."""
    model = tmp_path / "model"
    write_model(model, 0.3, neighbour=1.0)
    searched_again_as_fresh(
        tmp_path, replace(ASKED, restorer="python:stale_model:restore"), lambda: write_model(model, 0.3, neighbour=3.0)
    )


def faces_replaced(tmp_path: Path) -> None:
    """Other faces of the same names and lengths lie in the folder."""
    folder = tmp_path / "faces"
    write_faces(folder)
    searched_again_as_fresh(
        tmp_path,
        replace(ASKED, restorer="classical", faces=str(folder)),
        lambda: write_faces(folder, mirrored=True),
    )


CHANGES = {"weights": weights_changed, "neighbour": neighbour_changed, "faces": faces_replaced}
