"""Damage done to what a killed run left, and files exchanged behind its back: resumed, it ends as a fresh one does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gfpbench import images, restorers, run
from gfpbench.run.isolated import Isolated
from gfpbench.types import ImageBatch
from tests.unit.run import laws
from tests.unit.run.laws import CASE, Toy, ToyFaces, ToyWithSets

TOY = ToyWithSets(ToyFaces(18))


def killed_run(store: Path, toy: Toy = TOY) -> Path:
    """The folder of a run that was killed after four of six batches."""
    with contextlib.suppress(laws.Stopped):
        toy.measure(store, progress=laws.stop_after(4))
    return store / CASE.id


def _line(folder: Path, number: int, change: Callable[[str], str]) -> None:
    lines = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    changed = change(lines[number])
    assert changed != lines[number]
    lines[number] = changed
    (folder / "rows.jsonl").write_text("".join(lines))


def _score(line: str, value: str) -> str:
    return re.sub(r'"psnr_rgb": [0-9.]+', f'"psnr_rgb": {value}', line, count=1)


def _features(folder: Path, change: Callable[[Path], object]) -> None:
    change(sorted((folder / "features").glob("*.npz"))[1])


def _other_features(path: Path) -> None:
    with np.load(path) as held:
        altered = {key: held[key] + 0.25 for key in held.files}
    np.savez(path, **altered)


def _two_swapped(folder: Path) -> None:
    lines = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    (folder / "rows.jsonl").write_text("".join(lines))


def _batch(line: str, change: Callable[[dict[str, object]], object]) -> str:
    """A line whose hash is right for what is in it, so that only its shape is wrong."""
    from gfpbench.run.journal import _sha256

    data = json.loads(line)
    change(data["batch"])
    data["sha256"] = _sha256("" + json.dumps(data["batch"], sort_keys=True))
    return json.dumps(data) + "\n"


DAMAGE: dict[str, Callable[[Path], object]] = {
    "one digit of a score": lambda folder: _line(folder, 1, lambda line: _score(line, "31.4")),
    "a score that is text": lambda folder: _line(folder, 1, lambda line: _score(line, '"high"')),
    "a line of another shape": lambda folder: _line(folder, 2, lambda line: '{"rows": []}\n'),
    "an empty object": lambda folder: _line(folder, 1, lambda line: "{}\n"),
    "a list": lambda folder: _line(folder, 1, lambda line: "[[1]]\n"),
    "a number": lambda folder: _line(folder, 1, lambda line: "7\n"),
    "deep nesting": lambda folder: _line(folder, 1, lambda line: "[" * 100_000 + "]" * 100_000 + "\n"),
    "a batch of another shape": lambda folder: _line(folder, 1, lambda line: '{"batch": {}, "sha256": "0"}\n'),
    "a field more": lambda folder: _line(folder, 1, lambda line: _batch(line, lambda batch: batch.update(more=1))),
    "a field less": lambda folder: _line(folder, 1, lambda line: _batch(line, lambda batch: batch.pop("seen"))),
    "not UTF-8": lambda folder: (folder / "rows.jsonl").write_bytes(
        (folder / "rows.jsonl").read_bytes().replace(b'"seen"', b'"\xff\xfe"', 1)
    ),
    "a header of another shape": lambda folder: _line(folder, 0, lambda line: "[]\n"),
    "a line lost": lambda folder: _line(folder, 1, lambda line: ""),
    "a line twice": lambda folder: _line(folder, 1, lambda line: line + line),
    "two lines swapped": _two_swapped,
    "features altered": lambda folder: _features(folder, _other_features),
    "features truncated": lambda folder: _features(folder, lambda path: path.write_bytes(path.read_bytes()[:100])),
    "features empty": lambda folder: _features(folder, lambda path: path.write_bytes(b"")),
    "features of another batch": lambda folder: _features(
        folder, lambda path: path.write_bytes(path.with_name("000000000.npz").read_bytes())
    ),
    "features gone": lambda folder: _features(folder, lambda path: path.unlink()),
    "an image altered": lambda folder: images.write_png(
        run.image_path(folder, "face 0001", "restored"), np.zeros((16, 16, 3), np.uint8)
    ),
    "an image gone": lambda folder: run.image_path(folder, "face 0001", "truth").unlink(),
}


def damage_changes_nothing(tmp_path: Path, what: str) -> None:
    """A run whose saved state was damaged ends with the bytes of an undisturbed one."""
    TOY.measure(tmp_path / "undisturbed")
    DAMAGE[what](killed_run(tmp_path / "killed"))
    TOY.measure(tmp_path / "killed")
    laws.check_same(tmp_path / "undisturbed" / CASE.id, tmp_path / "killed" / CASE.id)


LOOKS_UP = '''
"""Answers that somebody made before, one file for each image, looked up by name."""
from pathlib import Path
import numpy as np
import torch
from gfpbench.types import ImageBatch

def restore(batch):
    found = [np.load(Path(__file__).parent / f"{name}.npy") for name in batch.ids]
    return ImageBatch(torch.from_numpy(np.stack(found)), batch.ids)
'''


def write_answers(folder: Path) -> None:
    """A module that looks up its answers, and one for each face."""
    folder.mkdir()
    (folder / "stale_lookup.py").write_text(LOOKS_UP)
    os.utime(folder / "stale_lookup.py", (1e9, 1e9))
    for name in ToyFaces().ids():
        write_answer(folder, name, 0.9)


def write_answer(folder: Path, name: str, share: float) -> None:
    pixels = ToyFaces().load(name).pixels.numpy() * np.float32(share)
    np.save(folder / f"{name}.npy", pixels)
    os.utime(folder / f"{name}.npy", (1e9, 1e9))  # neither the length nor the time tells one from another


def answer_exchanged(tmp_path: Path, answers: Path, name: str, isolated: bool = False) -> None:
    """One answer is exchanged for another of the same length and time, in a batch that was committed before a kill."""

    def toy() -> Toy:
        sys.modules.pop("stale_lookup", None)
        load = Isolated if isolated else restorers.load
        return Toy(restorer=load("python:stale_lookup:restore"))  # type: ignore[arg-type]

    killed_run(tmp_path / "killed", toy())
    write_answer(answers, name, 0.5)
    toy().measure(tmp_path / "killed")
    toy().measure(tmp_path / "fresh")
    laws.check_same(tmp_path / "fresh" / CASE.id, tmp_path / "killed" / CASE.id)


def outputs_exchanged(tmp_path: Path, name: str) -> None:
    """The same for a file of ``outputs:DIR``; the exchanged one is the worst of the run."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    faces = ToyFaces(sizes=((48, 48),))

    def write(of: str, share: float) -> None:
        (rgb,) = images.to_rgb_arrays(ImageBatch(faces.load(of).pixels[None] * share, (of,)))
        Image.fromarray(rgb).save(folder / f"{of}.bmp")
        os.utime(folder / f"{of}.bmp", (1e9, 1e9))

    def toy() -> Toy:
        return Toy(faces, restorer=restorers.load(f"outputs:{folder}"))  # type: ignore[arg-type]

    for each in faces.ids():
        write(each, 0.9)
    killed_run(tmp_path / "killed", toy())
    write(name, 0.5)
    toy().measure(tmp_path / "killed")
    fresh = toy().measure(tmp_path / "fresh")
    laws.check_same(tmp_path / "fresh" / CASE.id, tmp_path / "killed" / CASE.id)
    assert min(fresh.rows, key=lambda row: row.scores["psnr_rgb"] or 0.0).id == name
