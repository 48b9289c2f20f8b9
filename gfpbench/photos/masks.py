"""Masks for pasting a restored face: the whole square, or the face region from a parsing network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch

from gfpbench import assets
from gfpbench.images import Bytes, batch_from_uint8, to_signed
from gfpbench.photos.align import CROP_PX
from gfpbench.photos.paste import FaceMask
from gfpbench.registry import unknown
from gfpbench.types import AssetMissing, BadInput, Json, PackageMissing

ASSET = "parsing-parsenet"
MASKS = ("auto", "square", "parsed")
# ParseNet's 19 classes; these are hidden: background, cloth, a necklace and what hangs behind the head.
_HIDDEN = (0, 14, 16, 17, 18)
_BLANK_EDGE_PX = 10


class MaskMaker(Protocol):
    """A restored (512, 512, 3) uint8 RGB face to its mask; None shows the whole square with soft edges."""

    name: str

    def __call__(self, face: Bytes) -> FaceMask | None: ...

    def provenance(self) -> Mapping[str, Json]: ...


class Square:
    """The whole square, drawn in and blurred at its edges: facexlib without a parsing network."""

    name = "square"

    def __call__(self, face: Bytes) -> FaceMask | None:
        return None

    def provenance(self) -> Mapping[str, Json]:
        return {"mask": self.name}


class Parsed:
    """Skin, features and hair without the background, by facexlib's ParseNet: what GFPGANer pastes.

    Blurred twice by 11 px, without the outermost 10 px (FaceRestoreHelper in xinntao/facexlib@v0.3.0, use_parse=True).

    Args:
        path: ``parsing_parsenet.pth``.
        device: where the network runs.

    Raises:
        BadInput: for a file that is not these weights.
        PackageMissing: without facexlib.
    """

    name = "parsed"

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self._network = _network().to(device)
        self._device = device
        try:
            self._network.load_state_dict(assets.load_weights(path), strict=True)
        except RuntimeError as error:
            line = " ".join(str(error).split())[:200]
            raise BadInput(f"{path} does not hold the weights of ParseNet: {line}") from error
        self._network.requires_grad_(False).eval()

    def __call__(self, face: Bytes) -> FaceMask | None:
        pixels = to_signed(batch_from_uint8([face], ("face",))).to(self._device)
        with torch.no_grad():
            classes = self._network(pixels)[0].argmax(dim=1)[0].cpu().numpy()
        mask = np.where(np.isin(classes, _HIDDEN), 0.0, 255.0)
        for _ in range(2):
            mask = np.asarray(cv2.GaussianBlur(mask, (101, 101), 11), dtype=np.float64)
        kept = np.zeros_like(mask)
        inner = slice(_BLANK_EDGE_PX, CROP_PX - _BLANK_EDGE_PX)
        kept[inner, inner] = mask[inner, inner] / 255
        return kept

    def provenance(self) -> Mapping[str, Json]:
        return {"mask": self.name, "mask_weights_sha256": assets.find(ASSET).sha256}


def load(name: str = "auto", *, device: str = "cpu") -> MaskMaker:
    """Load a mask by name; ``auto`` is GFPGANer's own (``parsed``) where its weights are here, else ``square``.

    Raises:
        BadInput: for a name that is not known.
        AssetMissing: for ``parsed`` without its weights or facexlib.
    """
    if name not in MASKS:
        raise unknown("mask", name, MASKS)
    if name == "square":
        return Square()
    try:
        return Parsed(assets.path(ASSET, needed_by="whole-photo"), device)
    except AssetMissing:
        if name == "parsed":
            raise
        return Square()


def _network() -> Any:
    try:
        from facexlib.parsing.parsenet import ParseNet
    except ModuleNotFoundError as error:
        raise PackageMissing("facexlib", "whole-photo", "pip install 'gfpbench[upstream]'") from error
    with torch.random.fork_rng(devices=[]):
        return ParseNet(in_size=CROP_PX, out_size=CROP_PX, parsing_ch=19)
