"""Files on disk: atomic writes, locks between processes, and one-line errors for a full or read-only disk."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gfpbench.types import GfpbenchError

NAME_BYTES_AT_MOST = 200
"""A file system allows 255 bytes a name; what marks a partial file takes some of them."""


REFUSALS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "EACCES", "EPERM", "ENAMETOOLONG", "ENOTDIR", "EBADF")
    if hasattr(errno, name)
}
"""What a system answers where the disk is full or read-only, a folder not ours, a path none, or a file closed."""


_ADVICE = {
    errno.ENOENT: "its folder was removed, or renamed, while it was in use",
    errno.EMFILE: "close some, or raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close some, or raise the limit of open files",
    errno.EBADF: "it was closed by a model or metric, which closes files not its own",
}
"""What to do where space is not what is missing."""


class DiskRefused(GfpbenchError):
    """The disk is full or read-only, or a path cannot be one. Exit code 2: no test and no gate has failed."""


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into one clear line: full, read-only, not allowed, a file where a folder should be.

    Args:
        place: named where the system's error names no file.

    Raises:
        DiskRefused: in place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise DiskRefused(_line(error, place)) from error


def refusal(error: BaseException) -> str | None:
    """The same line for an error that met no ``disk`` on its way, where it is the disk's; None for any other error."""
    return _line(error, "a file") if isinstance(error, OSError) and error.errno in REFUSALS else None


def _line(error: OSError, place: Path | str) -> str:
    name = os.fsdecode(error.filename if error.filename is not None else place)
    advice = _ADVICE.get(error.errno or 0, "free some space or choose another folder")
    return f"{name}: cannot be written: {error.strerror or error}; {advice}"


def partial_path(path: Path) -> Path:
    """Where this process writes a file before it is complete: hidden, in the same folder, ending in ``.PID.part``."""
    name = path.name
    if len(os.fsencode(name)) > NAME_BYTES_AT_MOST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return path.with_name(f".{name}.{os.getpid()}.part")


WAIT_SECONDS = 0.1
ABANDONED_SECONDS = 60
_PARTIAL = re.compile(r"\..+\.([0-9]+)\.part", re.DOTALL)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to write into, which takes the place of ``path`` when the block ends; a reader never sees half of it.

    Where the block raises, what was at ``path`` stays as it was.

    Args:
        path: its folder is made where it is missing.
        durable: whether it is on the disk itself, not only in the system's memory, when this ends. Waiting for the disk
            is slow where thousands of images are written that can be made again.

    Raises:
        DiskRefused: where the disk refuses; the line names the file.
    """
    partial = partial_path(path)
    with disk(path):
        _made(path.parent)
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            # The partial file's name means nothing to a person, and a full disk names no file at all.
            if error.filename in (None, str(partial)):
                error.filename = str(path)
            raise
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def sweep(folder: Path, *, locked: bool = False) -> None:
    """Remove what killed processes left in a folder between writing a file and renaming it.

    A partial file goes if the process that it names is dead and nobody has written to it for a minute: the process may
    be one of another machine, whose file is there for a moment only.

    Args:
        folder: may be missing.
        locked: the caller holds the lock of the folder and writes nothing yet, so that every partial file in it, and in
            the folders below, is a killed process's.
    """
    with suppress(OSError):
        for path in folder.rglob(".*.part") if locked else folder.glob(".*.part"):
            process = _PARTIAL.fullmatch(path.name)
            if process and (locked or _is_abandoned(path, int(process[1]))):
                path.unlink(missing_ok=True)


def _is_abandoned(path: Path, process: int) -> bool:
    return not _is_alive(process) and time.time() - path.stat().st_mtime > ABANDONED_SECONDS


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # os.kill would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # "File exists" would say nothing of what is wrong with that
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def write_whole(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write a file, whole or not at all; text as UTF-8, in which lone surrogates are written as escapes.

    Raises:
        DiskRefused: see ``replacing``.
    """
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    with replacing(path, durable=durable) as file:
        file.write(data)


def refuse_unwritable(folder: Path) -> None:
    """Find out before hours of work whether files can be written into a folder, which is not made for it.

    Raises:
        DiskRefused: where it, or the nearest folder above it that is there, takes no file.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    with disk(folder):
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
        with tempfile.TemporaryFile(dir=there):
            pass


@contextmanager
def held(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a file as a lock, waiting for the current holder, in this process or another.

    The lock is the system's: it goes when the process goes. The file stays: deleting it would let two processes hold
    two files of one name.

    Args:
        path: in a folder that exists.
        waiting: called once where somebody else holds it.

    Raises:
        OSError: where files cannot be locked there.
    """
    with path.open("a") as file:
        told = False
        while not _is_locked(file):
            if not told:
                waiting()
                told = True
            time.sleep(WAIT_SECONDS)
        yield


@contextmanager
def alone(path: Path, otherwise: str, *, keep: bool = True) -> Iterator[None]:
    """Hold the lock ``path``, a file made for it. The lock is the system's: it goes when the process goes.

    Args:
        path: in a folder that exists.
        otherwise: what is told where another process holds it.
        keep: leave the file there; else it is removed at the end where the system allows it.

    Raises:
        GfpbenchError: where another process holds it.
    """
    while True:
        with path.open("a") as file:
            if not _is_locked(file):
                raise GfpbenchError(f"{otherwise}; wait for it, or give this run a folder of its own")
            if not _is_at(file, path):  # removed by the one who held it: somebody else may hold a new one
                continue
            try:
                yield
            finally:
                if not keep:
                    with suppress(OSError):  # Windows removes no open file
                        path.unlink()
            return


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _is_locked(file: IO[str]) -> bool:
    """Whether this process holds the lock now; False where another does. Raises OSError where there are no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True
