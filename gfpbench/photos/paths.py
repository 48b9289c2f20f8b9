"""Finds photo files, their names, and the output path of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gfpbench.decode.files import Listing, list_images, named, printable
from gfpbench.types import BadInput, Json

MAXIMUM_NAME_BYTES = 255
"""Of one part of a path, on every file system in common use."""


@dataclass(frozen=True, slots=True)
class Source:
    """A photo that was given.

    Args:
        name: printable; below a folder its path without the suffix.
        path: the file.
        output: of the restored photo, relative to the folder of all, with slashes.
    """

    name: str
    path: Path
    output: str


@dataclass(frozen=True, slots=True)
class Given:
    """What was given to be restored.

    Args:
        sources: each photo once, in order.
        left_out: folder -> reason -> how many files in it are taken for no photo, and the first few names.
    """

    sources: tuple[Source, ...]
    left_out: Mapping[str, Json]


def photos_in(paths: Sequence[Path], out: Path) -> Given:
    """Each photo that was given, and where it goes.

    Args:
        paths: photos and folders of photos.
        out: the folder of restored photos.

    Raises:
        BadInput: where there is none, two would have one name, or ``out`` is a file, lies in a folder of photos that
            was given, or holds a photo that would be overwritten.
    """
    photos: dict[str, Path] = {}
    left_out: dict[str, Json] = {}
    for path in paths:
        named_here, listing = _in(path)
        if listing is not None and listing.left_out:
            left_out[printable(str(path))] = listing.record()
        for name, file in named_here.items():
            if name in photos and os.path.realpath(photos[name]) != os.path.realpath(file):
                raise BadInput(f"{photos[name]} and {file} would both be written as {name}.png: restore them apart")
            photos[name] = file
    sources = tuple(Source(name, path, output_of(name)) for name, path in photos.items())
    _refuse_overwriting(sources, out)
    written = {os.path.realpath(out), *(os.path.realpath((out / source.output).parent) for source in sources)}
    for folder in filter(os.path.isdir, paths):
        for place in written:
            if Path(place).is_relative_to(os.path.realpath(folder)):
                raise BadInput(f"{out} lies in {folder}, whose photos are restored: give another folder")
    return Given(sources, left_out)


def output_of(name: str) -> str:
    """The path of a restored photo below the folder of all; parts too long for a file system end in a hash."""
    *folders, last = name.split("/")
    return "/".join([*(_fitting(folder, "") for folder in folders), _fitting(last, ".png")])


def _fitting(part: str, suffix: str) -> str:
    room = MAXIMUM_NAME_BYTES - len(suffix)
    data = part.encode("utf-8", "surrogatepass")
    if len(data) <= room:
        return part + suffix
    tail = f"-{hashlib.sha256(data).hexdigest()[:16]}"
    return data[: room - len(tail)].decode("utf-8", "ignore") + tail + suffix


def _in(path: Path) -> tuple[dict[str, Path], Listing | None]:
    """The photos that one argument names, by their names; and of a folder what else is in it."""
    if os.path.isdir(path):  # noqa: PTH112 - unlike Path.is_dir, it says no to a name that is too long
        listing = list_images(path)
        if not listing.files:
            raise BadInput(listing.none_taken())
        return named(path, listing.files), listing
    if not os.path.exists(path):  # noqa: PTH110 - for the same reason
        raise BadInput(f"{printable(str(path))}: is no existing photo or folder")
    return named(path.parent, [path]), None


def _refuse_overwriting(sources: Sequence[Source], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: is a file; give a folder")
    given = {os.path.realpath(source.path) for source in sources}
    for source in sources:
        if os.path.realpath(out / source.output) in given:
            raise BadInput(f"{out / source.output} is one of the photos and would be overwritten: give another folder")
