"""The same images in every kind of archive: one row for each kind of ``gfpbench.decode.containers.KINDS``."""

from __future__ import annotations

import io
import json
import shutil
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


def parquet_of(files: Mapping[str, bytes], to: Path, group: int = 2) -> str:
    """As Hugging Face writes them: a struct of bytes and path, and the note which columns are images."""
    import pyarrow
    from pyarrow import parquet

    struct = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    rows = [{"bytes": data, "path": name} for name, data in files.items()]
    note = {"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "Value", "dtype": "int64"}}}}
    table = pyarrow.table({"image": pyarrow.array(rows, struct), "label": list(range(len(rows)))})
    parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(note)}), to, row_group_size=group)
    return str(to)


def lmdb_of(files: Mapping[str, bytes], to: Path) -> str:
    """As basicsr.utils.lmdb_util writes it: keys without suffix, PNG only, and a line for each in meta_info.txt."""
    import lmdb

    shutil.rmtree(to, ignore_errors=True)
    with lmdb.open(str(to), map_size=2**24) as environment, environment.begin(write=True) as writing:
        for name, data in files.items():
            writing.put(name[:-4].encode(), data)
    (to / "lock.mdb").unlink()
    lines = [f"{name[:-4]}.png (40,40,3) 1\n" for name in files]
    (to / "meta_info.txt").write_text("".join(lines), encoding="utf-8")
    return str(to)


def _images(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those that a folder would be asked for: these two kinds hold nothing else."""
    return {name: data for name, data in files.items() if name.lower().endswith(".png") and not name.startswith(".")}


def _two_parquets(files: Mapping[str, bytes], to: Path) -> str:
    rows = list(_images(files).items())
    for number in range(2):
        parquet_of(dict(rows[number::2]), to / f"train-{number:05}-of-00002.parquet")
    return str(to / "train-*.parquet")


WRITERS: dict[str, Callable[[Mapping[str, bytes], Path], str]] = {
    "zip": lambda files, to: zip_of(files.items(), to / "faces.zip"),
    "tar": lambda files, to: tar_of(files.items(), to / "faces.tar"),
    "tar.gz": lambda files, to: tar_of(files.items(), to / "faces.tar.gz"),
    "tar.bz2": lambda files, to: tar_of(files.items(), to / "faces.tar.bz2"),
    "tar.xz": lambda files, to: tar_of(files.items(), to / "faces.tar.xz"),
    "shards of tar": _two_shards,
    "parquet": lambda files, to: parquet_of(_images(files), to / "faces.parquet"),
    "shards of parquet": _two_parquets,
    "lmdb": lambda files, to: lmdb_of(_images(files), to / "faces.lmdb"),
}
"""How the images are packed -> a function that writes them below a folder and returns what --faces is given. The first
word of a name without its compression is the kind."""
