"""A tar archive of images: its headers are read once, each image then from its place in the file."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gfpbench.assets.archive import MAX_BYTES
from gfpbench.assets.store import home
from gfpbench.decode.containers import DEVICE, LEADS_OUT, LINK, BoundedReads, ContainerBroken, Entry, named_inside
from gfpbench.disk import replacing

HEADER_BYTES = 2**20
"""Of one header: its extensions hold a long name or some lines of text."""
EXPANDS_AT_MOST = 50
"""Times: images are compressed already. Beyond ``SMALL_BYTES`` what grows more is meant to fill a disk."""
SMALL_BYTES = 2**30
_CHUNK = 1 << 20
_BLOCK = 512

_PACKED: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.GzipFile,
    ".tgz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}


class InTar:
    """One tar archive, with or without compression.

    In a compressed one no image can be reached but by decompressing all that lies before it, so it is unpacked to a
    plain tar file in ``GFPBENCH_HOME/unpacked`` once, under the SHA-256 of its bytes. That file may be deleted at any
    time.

    Args:
        path: the file.
        options: none.
    """

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        del options
        self.path = path
        self._plain: Path | None = None if path.suffix.lower() in _PACKED else path

    def entries(self) -> Iterator[Entry]:
        """As ``Container``. What lies before the place where a file breaks off is listed first."""
        with BoundedReads(self._plain_file(), HEADER_BYTES) as file:
            try:
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    yield from _entries(tar)
                    file.seek(tar.offset)
                    # tarfile takes a damaged header for the end of the archive.
                    if file.read(_BLOCK) != bytes(_BLOCK):
                        raise ContainerBroken(f"breaks off, or has an unreadable header, at byte {tar.offset}")
            except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError) as error:
                raise ContainerBroken(f"cannot be read as tar: {' '.join(str(error).split())}") from error

    def read(self, key: tuple[int, int], at_most: int) -> bytes:
        """As ``Container``. Raises EOFError where the file ends before the image does."""
        start, length = key
        with self._plain_file().open("rb", buffering=0) as file:
            file.seek(start)
            wanted = min(length, at_most)
            data = file.read(wanted)
        if len(data) < wanted:
            raise EOFError(f"breaks off after {len(data)} of {length} bytes")
        return data

    def _plain_file(self) -> Path:
        if self._plain is None:
            self._plain = _unpacked(self.path)
        return self._plain


def _entries(tar: tarfile.TarFile) -> Iterator[Entry]:
    offset = -1
    while (info := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # else it keeps a kilobyte for each of a million files
        if tar.offset <= offset or info.size < 0:
            raise ContainerBroken(f"has a header that leads back, at byte {info.offset}")
        offset = tar.offset
        if info.isdir():
            continue
        name = named_inside(info.name)
        if name is None:
            yield Entry(info.name, left_out=LEADS_OUT)
        elif not info.isreg():
            yield Entry(name, left_out=LINK if info.issym() or info.islnk() else DEVICE)
        else:
            wrong = "is stored with holes (a sparse file)" if info.issparse() else ""
            yield Entry(name, (info.offset_data, info.size), info.size, wrong=wrong)


def _unpacked(path: Path) -> Path:
    """The plain tar file of a compressed one, made where it is not here yet.

    Raises:
        ContainerBroken: where it is damaged, or grows beyond the limits.
        DiskRefused: where it does not fit on the disk.
    """
    try:
        with path.open("rb") as packed:
            sha256 = hashlib.file_digest(packed, "sha256").hexdigest()
        plain: Path = home() / "unpacked" / f"{sha256}.tar"
        if plain.is_file():
            return plain
        packed_bytes = path.stat().st_size
        source = _PACKED[path.suffix.lower()](path)
    except OSError as error:
        raise ContainerBroken(f"cannot be read: {error.strerror or error}") from error
    limit = min(MAX_BYTES, max(SMALL_BYTES, EXPANDS_AT_MOST * packed_bytes))
    done = 0
    with source, replacing(plain) as file:
        while data := _piece(source):
            done += len(data)
            if done > limit:
                raise ContainerBroken(f"unpacks to more than {limit} bytes, the limit for {packed_bytes} packed ones")
            file.write(data)
    return plain


def _piece(source: Any) -> bytes:
    try:
        return bytes(source.read(_CHUNK))
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        raise ContainerBroken(f"cannot be unpacked: {' '.join(str(error).split())}") from error
