"""Unpack an archive from outside without letting it write anywhere but where it was told to."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

from gfpbench.disk import partial_path
from gfpbench.types import BadInput

MAX_BYTES = 50 * 10**9
"""More than any data set of the field; a small archive that claims more than this is meant to fill a disk."""


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size_bytes: int
    kind: str  # "file", "folder" or what it is instead
    open: Callable[[], IO[bytes] | None]


def extract(archive: Path, to: Path, max_bytes: int = MAX_BYTES) -> Path:
    """Unpack a zip or tar file into a new folder, whole or not at all.

    Args:
        archive: .zip or .tar, compressed or not; told by its content.
        to: the folder to make. It must not exist, or be empty.
        max_bytes: what the content may measure when unpacked.

    Raises:
        BadInput: a member is absolute, climbs out with ``..``, or is a link or a device; nothing is written then.
            Also for a damaged archive, one that unpacks to more than ``max_bytes``, and a folder that is not empty.
    """
    if not archive.is_file():
        raise BadInput(f"{archive}: there is no such file")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BadInput(f"{to} is already there and not an empty folder: {archive.name} is not unpacked over it")
    partial = partial_path(to)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _unpack(archive, partial, max_bytes)
        if to.exists():
            to.rmdir()
        partial.replace(to)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return to


def _unpack(archive: Path, folder: Path, max_bytes: int) -> None:
    damaged = (
        *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
        *(EOFError, RuntimeError, NotImplementedError),
    )
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _write(archive, list(_zip_members(opened)), folder, max_bytes)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                _write(archive, list(_tar_members(tar)), folder, max_bytes)
        else:
            raise BadInput(f"{archive} is neither a zip nor a tar file")
    except damaged as problem:
        raise BadInput(f"{archive} cannot be unpacked: it is damaged or encrypted ({problem})") from problem


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        mode = info.external_attr >> 16
        kind = "folder" if info.is_dir() else "file"
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = "link" if stat.S_ISLNK(mode) else "device"
        # orig_filename: zipfile turns some dangerous names into harmless ones, and we would rather refuse.
        yield _Member(info.orig_filename, info.file_size, kind, lambda info=info: opened.open(info))  # type: ignore[misc]


def _check_end(tar: tarfile.TarFile) -> None:
    """tarfile takes a damaged header for the end of the archive, and would leave out everything after it."""
    members, stream = tar.getmembers(), tar.fileobj
    assert stream is not None
    end = tar.offset if members else 0
    stream.seek(end)
    if stream.read(512) != bytes(512):
        raise tarfile.ReadError("it breaks off, or a header is unreadable")
    while stream.read(1 << 20):  # to the end, where compressed archives keep their checksum
        pass


def _tar_members(tar: tarfile.TarFile) -> Iterator[_Member]:
    _check_end(tar)
    for info in tar.getmembers():
        kind = (
            "folder"
            if info.isdir()
            else "file"
            if info.isreg()
            else "link"
            if info.issym() or info.islnk()
            else "device"
        )
        yield _Member(info.name, info.size, kind, lambda info=info: tar.extractfile(info))  # type: ignore[misc]


def _write(archive: Path, members: list[_Member], folder: Path, max_bytes: int) -> None:
    """Check every member first, then write: a bad one at the end must not find the others already on disk."""
    targets = [_safe_target(archive, member, folder) for member in members]
    if (total := sum(member.size_bytes for member in members)) > max_bytes:
        raise BadInput(f"{archive} unpacks to {total} bytes, more than the {max_bytes} that are allowed: refused")
    folder.mkdir(parents=True)
    for member, target in zip(members, targets, strict=True):
        if member.kind == "folder":
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        source = member.open()
        assert source is not None  # only files come here
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


def _safe_target(archive: Path, member: _Member, folder: Path) -> Path:
    if member.kind not in ("file", "folder"):
        raise BadInput(f"{archive} holds a {member.kind}, {member.name!r}, where only files belong: refused")
    windows = PureWindowsPath(member.name)  # splits at / and \\, and knows drives and roots of both worlds
    if windows.drive or windows.root or ".." in windows.parts or "\0" in member.name or not windows.parts:
        if member.kind == "folder" and not windows.parts:
            return folder
        raise BadInput(f"{archive} holds {member.name!r}, which would be written outside its folder: refused")
    return folder.joinpath(*windows.parts)
