"""What was fetched from addresses: content under its SHA-256, and a note for each address which content it had."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gfpbench import codec
from gfpbench.assets.store import home
from gfpbench.disk import write_whole
from gfpbench.types import BadInput


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file at an address.

    Args:
        url: its own.
        path: what its file system calls it.
        name: its path below the folder that was listed.
        size_bytes: None where that is not told.
        version: what changes when it does; empty where nothing says.
    """

    url: str
    path: str
    name: str
    size_bytes: int | None
    version: str

    def is_unchanged(self, other: RemoteFile) -> bool:
        """Whether it is the same content, as far as its file system says; never where that says nothing."""
        return bool(self.version) and (self.size_bytes, self.version) == (other.size_bytes, other.version)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is noted of an address: the file that was there, and what is kept of it."""

    file: RemoteFile
    sha256: str
    size_bytes: int


def note_of(text: str) -> Path:
    """Where what is known of an address is kept, and its part while it is fetched."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Path(home()) / "remote" / "addresses" / f"{digest}.json"


def _content(sha256: str, suffix: str) -> Path:
    return Path(home()) / "remote" / "content" / sha256[:2] / f"{sha256}{suffix}"


def kept_at(note: Path, suffix: str) -> tuple[RemoteFile, Path] | None:
    """The file that was at an address, and its content; None where it is not here whole."""
    try:
        kept = codec.decode(_Kept, codec.read(note))
    except BadInput:  # not there, or damaged: it is fetched once more
        return None
    path = _content(kept.sha256, suffix)
    return (kept.file, path) if path.is_file() and path.stat().st_size == kept.size_bytes else None


def taken_in(part: Path, note: Path, file: RemoteFile, suffix: str) -> Path:
    with part.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    path = _content(sha256, suffix)
    size_bytes = part.stat().st_size
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)
    write_whole(note, json.dumps(asdict(_Kept(file, sha256, size_bytes))), durable=False)
    for beside in (part.with_suffix(".version"), part.with_name(f"{part.name}.json")):
        beside.unlink(missing_ok=True)
    return path
