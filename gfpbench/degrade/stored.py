"""Degraded pictures that somebody published beside the clean ones, looked up by name instead of being made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gfpbench import images
from gfpbench.assets.store import home
from gfpbench.datasets import DEGRADED_FOLDERS, folder_named, place_of
from gfpbench.types import BadInput, ImageBatch, Json, Parameters

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class Stored:
    """The degraded half of published pairs: CelebA-Test's, or any folder with ``lq`` in it.

    Args:
        name: ``stored``, or ``stored:PATH`` as it was asked for.
        path: the folder of the dataset, or of the degraded pictures themselves; None for CelebA-Test's own place.
    """

    name: str = "stored"
    path: Path | None = None

    def folder(self) -> Path:
        """Where the pictures are. Raises DatasetMissing or BadInput where they are not."""
        root = place_of("celeba-test", self.path, home(), f"the degradation {self.name!r}")
        if self.path is not None and not any((root / name).is_dir() for name in DEGRADED_FOLDERS):
            return root
        return folder_named(root, DEGRADED_FOLDERS, "the degraded pictures")

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        """Nothing is drawn: the record names the file and hashes it, the same for every seed; null where there is none.

        The hash is what tells a picture from another that was put in its place.
        """
        folder = self.folder()
        file = next((f"{face_id}{suffix}" for suffix in SUFFIXES if (folder / f"{face_id}{suffix}").is_file()), None)
        sha256 = None if file is None else hashlib.sha256((folder / file).read_bytes()).hexdigest()
        return {"height_px": int(size[0]), "width_px": int(size[1]), "stored_file": file, "stored_sha256": sha256}

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        """Read each picture; one of another size is resized as the faces are (areas averaged when shrinking).

        Raises:
            BadInput: for a picture that is not there, cannot be decoded or has another shape than its face.
        """
        if len(parameters) != len(batch):
            raise BadInput(f"{len(batch)} pictures need as many degradation records, not {len(parameters)}")
        folder = self.folder()
        read = [_read(folder, record, name, batch.size) for record, name in zip(parameters, batch.ids, strict=True)]
        return images.moved(images.from_bgr_arrays(read, batch.ids), batch.pixels.device)

    def describe(self) -> Mapping[str, Json]:
        return {
            "name": self.name,
            "summary": "the degraded pictures published with the faces (CelebA-Test), or of `stored:PATH`, by name",
            "source": "the dataset itself",
        }


def _read(folder: Path, record: Parameters, name: str, size: tuple[int, int]) -> images.Bytes:
    file = record.get("stored_file")
    if not isinstance(file, str):
        raise BadInput(f"{folder}: has no degraded picture named {name} ({', '.join(SUFFIXES)})")
    data = np.frombuffer((folder / file).read_bytes(), np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise BadInput(f"{folder / file}: cannot be decoded as a picture")
    height, width = bgr.shape[:2]
    if height * size[1] != width * size[0]:
        raise BadInput(f"{folder / file}: is {width}x{height} px, another shape than its face of {size[1]}x{size[0]}")
    resized = images.resized(images.from_bgr_arrays([np.asarray(bgr, dtype=np.uint8)], (name,)), size)
    return images.to_bgr_arrays(resized)[0]


STORED = Stored()


def stored_in(path: str) -> Stored:
    """The degradation ``stored:PATH``. Raises BadInput where that is no folder."""
    degradation = Stored(f"stored:{path}", Path(path).expanduser())
    degradation.folder()
    return degradation
