"""The same images in every kind of archive: one row for each kind of ``gfpbench.decode.containers.KINDS``."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def png(seed: int, side_px: int = 40) -> bytes:
    """The bytes of a small image that differs from those of other seeds."""
    values = np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def folder_of(files: Mapping[str, bytes], to: Path) -> str:
    for name, data in files.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(data)
    return str(to)


def zip_of(files: Iterable[tuple[str, bytes]], to: Path) -> str:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return str(to)


def tar_of(files: Iterable[tuple[str, bytes]], to: Path) -> str:
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(to.suffix, "w")
    with tarfile.open(to, mode) as archive:  # type: ignore[call-overload]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(to)


def _two_shards(files: Mapping[str, bytes], to: Path) -> str:
    rows = list(files.items())
    for number in range(2):
        tar_of(rows[number::2], to / f"shard-{number:03}.tar")
    return str(to / "shard-{000..001}.tar")


WRITERS: dict[str, Callable[[Mapping[str, bytes], Path], str]] = {
    "zip": lambda files, to: zip_of(files.items(), to / "faces.zip"),
    "tar": lambda files, to: tar_of(files.items(), to / "faces.tar"),
    "tar.gz": lambda files, to: tar_of(files.items(), to / "faces.tar.gz"),
    "tar.bz2": lambda files, to: tar_of(files.items(), to / "faces.tar.bz2"),
    "tar.xz": lambda files, to: tar_of(files.items(), to / "faces.tar.xz"),
    "shards of tar": _two_shards,
}
"""How the images are packed -> a function that writes them below a folder and returns what --faces is given. The first
word of a name without its compression is the kind."""
