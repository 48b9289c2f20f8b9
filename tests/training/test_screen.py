"""Copies of training faces, images without a face and repeated samples are refused; new faces are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gfpbench import faces
from gfpbench.images import to_rgb_arrays, write_png
from gfpbench.types import BadInput, ImageBatch
from tests.training.blobs import blobs
from tests.training.laws_screen import LAWS, embed_by_colour
from training import screen as screening
from training.data import Faces
from training.screen import Known, Limits, screened


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: object) -> None:
    assert callable(law)
    law(Known, screened)


def test_limits_are_how_near_training_faces_are_to_each_other() -> None:
    known = Known(blobs(12, side=64), embed_by_colour)
    limits = known.limits(quantile=0.0)
    nearest = []
    for one in range(12):
        small = known.small[one]
        others = [other for other in range(12) if other != one]
        pairs = [np.sqrt(np.mean((known.small[o] - small) ** 2)) for o in others]
        pairs += [np.sqrt(np.mean((known.mirrored[o] - small) ** 2)) for o in others]
        nearest.append(min(pairs))
    assert limits.pixels == pytest.approx(min(nearest))
    assert limits.angle_degrees > 0


def test_by_dlib_a_copy_is_refused_and_another_person_kept() -> None:
    pytest.importorskip("dlib", reason="needs dlib: pip install gfpbench[identity]")
    found = faces.load("embedded", size_px=128, draws=1)
    loaded = {name: found.load(name).pixels for name in found.ids()}
    astronaut, hopper = (to_rgb_arrays(ImageBatch(loaded[n][None], ("x",)))[0] for n in ("astronaut", "grace_hopper"))
    darker, brighter = (cv2.convertScaleAbs(astronaut, alpha=gain) for gain in (0.8, 1.2))
    known = Known(Faces(np.stack([astronaut, darker, brighter]), ("a", "darker", "brighter"), {}))
    noise: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    softened = cv2.GaussianBlur(astronaut[:, ::-1], (5, 5), 1)
    given = list(enumerate([astronaut, np.asarray(softened, np.uint8), noise, hopper]))
    kept, verdicts = screened(given, known, Limits(angle_degrees=15, pixels=10), 4)
    assert [number for number, _ in kept] == [3]
    assert ["too like a" in v.reason or "too like" in v.reason for v in verdicts] == [True, True, False, False]
    assert verdicts[2].reason == "no face is found in it"


def test_the_program_writes_faces_and_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a prior's file; the detector is a stand-in, for a generator that has learnt nothing draws no faces."""
    from tests.training.test_train import TINY
    from training.train import train

    data, prior = tmp_path / "data", tmp_path / "prior"
    data.mkdir()
    for number, image in enumerate(blobs(16).images):
        write_png(data / f"{number:02d}.png", image)
    (tmp_path / "tiny.toml").write_text(TINY)
    train("prior", data=str(data), out=prior, config=str(tmp_path / "tiny.toml"), steps=1, device="cpu")
    monkeypatch.setattr(screening.Known.__init__, "__defaults__", (embed_by_colour,))
    options: dict[str, Any] = {"prior": prior / "prior.safetensors", "data": str(data), "truncation": 0.9, "seed": 1}
    screening.screen(**options, out=tmp_path / "out", count=2)
    record = json.loads((tmp_path / "out" / "screening.json").read_text())
    assert len(list((tmp_path / "out").glob("nobody-*.png"))) == len(record["kept"]) == 2
    assert record["truncation"] == 0.9
    assert "2 of" in capsys.readouterr().out
    screening.screen(**options, out=tmp_path / "again", count=2)
    assert json.loads((tmp_path / "again" / "screening.json").read_text()) == record
    with pytest.raises(BadInput, match="holds neither a GFP-GAN network nor a prior"):
        screening.screen(prior=_other(tmp_path), data=str(data), out=tmp_path / "x", count=1, truncation=1.0, seed=0)


def _other(folder: Path) -> Path:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, folder / "other.safetensors")
    return folder / "other.safetensors"
