"""Archives of images (zip, tar, parquet, LMDB): listed without decoding, read one image at a time, never unpacked.

To add a kind, write one file with a class that takes a path and is a ``Container``, and add its row to ``KINDS``.
"""

from __future__ import annotations

import io
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Protocol

from gfpbench.codec import refuse_irregular
from gfpbench.registry import attribute_of
from gfpbench.types import BadInput

LMDB_DATA = "data.mdb"
"""A folder with this file in it is an LMDB, whatever it is called."""
LEADS_OUT = "a path that leads out of the archive"
LINK = "a link inside of an archive, which is not followed"
DEVICE = "no regular file"


class ContainerBroken(Exception):
    """Why a container, or what follows in it, cannot be listed; who lists it adds its name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in a container.

    Args:
        name: its path inside, with slashes; its id is made of it.
        key: by what the container finds it.
        length: its bytes; None where only reading tells.
        place: where it is, each with its own; empty for its name.
        is_image: whether it is an image whatever its suffix says.
        left_out: why it is no image; empty for an image or for what its suffix decides.
        wrong: why it cannot be read; empty where that can be tried.
    """

    name: str
    key: Hashable = None
    length: int | None = None
    place: str = ""
    is_image: bool = False
    left_out: str = ""
    wrong: str = ""


class Container(Protocol):
    """One archive, or one shard of several."""

    def entries(self) -> Iterator[Entry]:
        """What it holds, in any order, without reading the images.

        Raises:
            ContainerBroken: also after some entries, which stay valid.
            BadInput: where an option or a package is missing, or a limit exceeded.
        """
        ...

    def read(self, key: Any, at_most: int) -> bytes:
        """The bytes of an entry, ``at_most`` of them. Raises anything where it is damaged."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of container.

    Args:
        suffixes: by which a file is known to be one, in lower case.
        loader: "module:attribute" of a callable ``(path: Path, options: Mapping[str, str]) -> Container``.
        what: one line for lists.
        options: what may be said behind the path, ``PATH?column=image``.
        example: how it is given.
    """

    suffixes: tuple[str, ...]
    loader: str
    what: str
    example: str
    options: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "zip": Kind(
        (".zip",),
        "gfpbench.decode.containers.in_zip:InZip",
        "A zip archive of images; each keeps its path as its name.",
        "faces.zip",
    ),
    "tar": Kind(
        (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"),
        "gfpbench.decode.containers.in_tar:InTar",
        "tar archives, WebDataset's shards among them; those that are compressed are unpacked to GFPBENCH_HOME once.",
        "shards-{000..015}.tar",
    ),
    "parquet": Kind(
        (".parquet",),
        "gfpbench.decode.containers.in_parquet:InParquet",
        "Parquet with the images' bytes, as Hugging Face data sets have them; `?column=` where several have some, "
        "`&id=` for a column of names. Needs gfpbench[parquet].",
        "train-*.parquet",
        ("column", "id"),
    ),
    "lmdb": Kind(
        (".lmdb",),
        "gfpbench.decode.containers.in_lmdb:InLmdb",
        "An LMDB folder as BasicSR writes it, with its meta_info.txt. Needs gfpbench[lmdb].",
        "faces.lmdb",
    ),
}
"""Name -> row. Adding a kind of archive is one row here, and one of ``WRITERS`` in tests/unit/decode/archives.py."""


def kind_of(path: str) -> str | None:
    """The kind that the end of a name tells; None where it tells none."""
    name = PurePosixPath(path).name.lower()
    return next((kind for kind, row in KINDS.items() if name.endswith(row.suffixes)), None)


def open_container(path: Path, kind: str, options: Mapping[str, str]) -> Container:
    """One container of a kind in ``KINDS``; nothing is read yet.

    Raises:
        BadInput: for an option that the kind does not take, and for a pipe or device.
        PackageMissing: where the package that reads it is not installed.
    """
    row = KINDS[kind]
    strange = [name for name in options if name not in row.options]
    if strange:
        taken = f"takes {', '.join(row.options)}" if row.options else "takes none"
        raise BadInput(f"{path}: there is no option {strange[0]!r} here: {kind} {taken}")
    refuse_irregular(path)
    opened: Container = attribute_of("kind of archive", kind, row.loader)(path, options)
    return opened


def named_inside(name: str) -> str | None:
    """A path inside of an archive without ``./`` in front; None where it is absolute, has ``..`` in it or is empty."""
    windows = PureWindowsPath(name)  # splits at / and \\, and knows drives and roots of both worlds
    if windows.drive or windows.root or ".." in windows.parts or "\0" in name or not windows.parts:
        return None
    return PurePosixPath(name).as_posix()


class BoundedReads(io.BufferedReader):
    """A file of which only so many bytes are read at once: what a header says of its own length may be anything."""

    def __init__(self, path: Path, at_most: int) -> None:
        super().__init__(io.FileIO(path))
        self.at_most: int | None = at_most

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file. Raises ContainerBroken for more than ``at_most`` bytes."""
        if self.at_most is None:
            return super().read(size)
        if size is None or size < 0:
            size = self.at_most + 1
            data = super().read(size)
        else:
            data = super().read(min(size, self.at_most + 1))
        if len(data) > self.at_most:
            raise ContainerBroken(f"has a header of more than {self.at_most} bytes, the limit")
        return data
