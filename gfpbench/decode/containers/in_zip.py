"""A zip archive of images: listed from its central directory, each image unpacked in memory when it is read."""

from __future__ import annotations

import os
import stat
import weakref
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from gfpbench.decode.containers import DEVICE, LEADS_OUT, LINK, BoundedReads, ContainerBroken, Entry, named_inside

DIRECTORY_BYTES = 128 * 2**20
"""Of the central directory: a million images have some 100 bytes each."""
_ENCRYPTED = 0x1


class InZip:
    """One zip archive.

    Args:
        path: the file.
        options: none.
    """

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        del options
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None

    def entries(self) -> Iterator[Entry]:
        """As ``Container``. Folders are passed over; what is encrypted is listed as wrong."""
        try:
            infos = self._zip().infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ContainerBroken(f"cannot be read as zip: {' '.join(str(error).split())}") from error
        for info in infos:
            if info.is_dir():
                continue
            # orig_filename: zipfile turns some dangerous names into harmless ones.
            name = named_inside(info.orig_filename)
            mode = stat.S_IFMT(info.external_attr >> 16)
            if name is None:
                yield Entry(info.orig_filename, left_out=LEADS_OUT)
            elif mode not in (0, stat.S_IFREG):
                yield Entry(name, left_out=LINK if mode == stat.S_IFLNK else DEVICE)
            else:
                wrong = "is encrypted" if info.flag_bits & _ENCRYPTED else ""
                yield Entry(name, info, info.file_size, wrong=wrong)

    def read(self, key: zipfile.ZipInfo, at_most: int) -> bytes:
        """As ``Container``. zipfile stops at the length that the directory states and checks the sum over it."""
        with self._zip().open(key) as file:
            return file.read(at_most)

    def _zip(self) -> zipfile.ZipFile:
        """The open archive; each process has its own, because a position in a file is shared after a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            file = BoundedReads(self.path, DIRECTORY_BYTES)
            weakref.finalize(self, file.close)
            self._opened = os.getpid(), zipfile.ZipFile(file)
            file.at_most = None  # from here on it is read as far as somebody asks
        return self._opened[1]
