"""The parsed mask against facexlib with seeded weights: the published ones cannot be had here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench.photos import Pipeline, masks, restore_photo
from gfpbench.types import AssetMissing, BadInput
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place


class Parser(torch.nn.Module):
    """19 classes in coarse patches by a seeded convolution: ParseNet's interface without its 20 seconds a face."""

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.score = torch.nn.Conv2d(3, 19, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, None]:
        coarse = torch.nn.functional.avg_pool2d(pixels, 32)
        return torch.nn.functional.interpolate(self.score(coarse), size=512, mode="nearest"), None


def check_like_facexlib(path: Path, make: Callable[[], torch.nn.Module]) -> None:
    """Pasted as facexlib pastes with use_parse=True and the same network."""
    photo, found = scenes.scene(300, 420, [Place((150, 150), 220, 12)])
    ours = restore_photo(
        photo, Pipeline(scenes.Painter(laws.inverted), scenes.Known(found), masks.Parsed(path))
    ).restored
    helper = scenes.upstream_helper(1, np.ascontiguousarray(photo[..., ::-1]), [face.landmarks for face in found])
    network = make()
    network.load_state_dict(torch.load(path, weights_only=True))
    helper.use_parse, helper.face_parse = True, network.eval()
    helper.align_warp_face()
    helper.add_restored_face(255 - helper.cropped_faces[0])
    helper.get_inverse_affine()
    theirs = helper.paste_faces_to_input_image()[..., ::-1]
    assert ours is not None
    shown = np.abs(theirs.astype(int) - photo).max(2) > 8
    assert 0.02 < shown.mean() < 0.9, "the seeded network shows nothing, or everything: this proves nothing"
    apart = np.abs(ours.astype(int) - theirs)
    # OpenCV warps a float64 mask in steps of 1/32 px: where it is cut off, the step taken shows.
    assert apart.max() <= 12, f"{apart.max()} levels"
    assert (apart > 2).mean() < 1e-3, f"{(apart > 2).mean():.2%} differ by more than 2 levels"
    assert (apart > 0).mean() < 0.01


def test_pasted_like_facexlib_with_a_parsing_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("facexlib", reason="the oracle is facexlib: pip install 'gfpbench[upstream]'")
    torch.manual_seed(5)
    torch.save(Parser().state_dict(), tmp_path / "parser.pth")
    monkeypatch.setattr(masks, "_network", Parser)
    check_like_facexlib(tmp_path / "parser.pth", Parser)


def test_the_square_is_used_without_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    assert masks.load("auto").name == "square"
    with pytest.raises(AssetMissing, match="gfpbench fetch parsing-parsenet"):
        masks.load("parsed")
    with pytest.raises(BadInput, match="did you mean 'parsed'"):
        masks.load("parse")


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "_network", Parser)
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match="does not hold the weights of ParseNet"):
        masks.Parsed(tmp_path / "other.pth")


def test_parsenet_itself(tmp_path: Path) -> None:
    """facexlib's own network: its file is read, and its first answer is the 19 classes (at 512 px it takes seconds)."""
    module = pytest.importorskip("facexlib.parsing.parsenet", reason="needs facexlib: pip install 'gfpbench[upstream]'")
    torch.manual_seed(5)
    saved = module.ParseNet(in_size=512, out_size=512, parsing_ch=19).eval()
    torch.save(saved.state_dict(), tmp_path / "parsing_parsenet.pth")
    network = masks.Parsed(tmp_path / "parsing_parsenet.pth")._network
    pixels = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        ours, theirs = network(pixels)[0], saved(pixels)[0]
    assert ours.shape == (1, 19, 64, 64)
    assert torch.equal(ours, theirs)
    assert not network.training
