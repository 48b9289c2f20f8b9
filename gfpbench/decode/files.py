"""Image files of a folder: which are read, why others are left out, and lookup by image name."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from gfpbench.decode.formats import HIDDEN, READ, SUFFIXES, suffix_of, why_left_out
from gfpbench.types import BadInput, Json

_File = TypeVar("_File", bound=Hashable)

MAXIMUM_ENTRIES = 1_000_000
"""Files and folders that are looked at below one folder: with more it is no folder of images but a whole disk."""
MAXIMUM_LEFT_OUT = 300_000
"""Of those, the ones that are no images: the largest sets have an annotation or two for each of 100,000 images."""
SYSTEM_FOLDER = "a folder of the system's own (/proc, /sys, /dev), which is not entered"
BELOW = "in a folder below, where none is looked for"
SHOWN = 3
"""Names kept for each reason, beside their number."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is below a folder.

    Args:
        root: the folder.
        files: images by their suffix, in no promised order. Also folders that cannot be listed, and folders named like
            an image with nothing in them: loading them says what is wrong.
        left_out: reason -> the names below ``root`` that are left out for it, sorted, as the file system has them.
    """

    root: Path
    files: tuple[Path, ...]
    left_out: Mapping[str, tuple[str, ...]]

    def record(self, used: Collection[str] = ()) -> dict[str, Json]:
        """What a result keeps of the files left out: reason -> how many, and the first few names.

        Args:
            used: names of files that are no images and are read for what they are, or are gfpbench's own.
        """
        apart = {reason: [name for name in names if name not in used] for reason, names in self.left_out.items()}
        return {
            reason: {"count": len(names), "first": list(map(printable, names[:SHOWN]))}
            for reason, names in sorted(apart.items())
            if names
        }

    def none_taken(self) -> str:
        """One line about a folder without images: what was looked for, and what is there instead."""
        return f"{printable(str(self.root))}: holds no images ({READ}){self.instead()}"

    def instead(self) -> str:
        """What was left out, to end a line with; empty where nothing was."""
        return f"; left out: {summed(self.record())}" if self.left_out else ""


def summed(record: Mapping[str, Json]) -> str:
    """``3 files: 2 not an image by its suffix (a.txt, ...), 1 hidden (.x)`` of a record; empty where none was."""
    if not record:
        return ""
    total = sum(entry["count"] for entry in record.values())
    parts = []
    for reason, entry in sorted(record.items(), key=lambda item: (-item[1]["count"], item[0])):
        names = ", ".join(entry["first"]) + (", ..." if entry["count"] > len(entry["first"]) else "")
        parts.append(f"{entry['count']} {reason}" + (f" [{names}]" if names else ""))
    return f"{total} file{'s' if total != 1 else ''}: {'; '.join(parts)}"


@dataclass(slots=True)
class _Walk:
    root: Path
    files: list[Path] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    entries: int = 0
    without_images: int = 0

    def leave_out(self, below: str, name: str, reason: str) -> None:
        self.left_out[reason].append(f"{below}/{name}" if below else name)
        self.without_images += 1
        self.limit(self.without_images, MAXIMUM_LEFT_OUT, "files that are no images")

    def limit(self, count: int, maximum: int, what: str) -> None:
        if count > maximum:
            raise BadInput(
                f"{printable(str(self.root))}: holds more than {maximum:,} {what}, the limit of what is searched for "
                "images: give the folder of the images themselves"
            )


def list_images(root: Path, *, nested: bool = True) -> Listing:
    """Files below a folder; with ``nested`` False in the folder itself only. Hidden files and folders are left out.

    Each real folder is walked once, under its own name if it is below ``root`` and else under the first link to it, so
    linked loops end.

    Raises:
        BadInput: where ``root`` cannot be listed, is one of the system's own folders, or holds more than a million
            files and folders, or 300,000 that are no images.
    """
    walk = _Walk(root)
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    linked: list[Path] = []
    while waiting or linked:
        if not waiting:  # links last and in order, so that what is found does not depend on the file system
            linked.sort(reverse=True)
            waiting.append(linked.pop())
        folder = waiting.pop()
        below = "" if folder == root else folder.relative_to(root).as_posix()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if status.st_dev in _system_devices():
                if folder == root:
                    raise BadInput(f"{printable(str(root))}: is {SYSTEM_FOLDER}: give a folder of images")
                walk.leave_out("", below, SYSTEM_FOLDER)
                continue
            visible = _visible(folder, below, walk)
        except OSError as error:
            if folder == root:
                raise BadInput(f"{printable(str(root))}: cannot be listed: {error.strerror or error}") from error
            walk.files.append(folder)
            continue
        if not visible and folder != root and suffix_of(folder.name) in SUFFIXES:
            walk.files.append(folder)
        for entry in visible:
            if _is_dir(entry) and not nested:
                walk.leave_out(below, entry.name, BELOW)
            elif _is_dir(entry):
                (linked if entry.is_symlink() else waiting).append(folder / entry.name)
            elif (reason := why_left_out(entry.name)) is None:
                walk.files.append(folder / entry.name)
            else:
                walk.leave_out(below, entry.name, reason)
    return Listing(root, tuple(walk.files), {reason: tuple(sorted(names)) for reason, names in walk.left_out.items()})


def _visible(folder: Path, below: str, walk: _Walk) -> list[os.DirEntry[str]]:
    visible = []
    with os.scandir(folder) as entries:
        for entry in entries:
            walk.entries += 1
            walk.limit(walk.entries, MAXIMUM_ENTRIES, "files and folders")
            if entry.name.startswith("."):
                walk.leave_out(below, entry.name, HIDDEN)
            else:
                visible.append(entry)
    return visible


@cache
def _system_devices() -> frozenset[int]:
    """Device numbers of what the kernel mounts: its folders name processes and devices, lead everywhere, and change."""
    found = set()
    for name in ("/proc", "/sys", "/dev"):
        try:
            found.add(Path(name).stat().st_dev)
        except OSError:
            continue
    return frozenset(found - {Path("/").stat().st_dev})


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def printable(name: str) -> str:
    """A file's name as text: Unicode's composed form, and what cannot be printed or is no UTF-8 written out."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = unicodedata.normalize("NFC", text)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def without_suffix(name: str) -> str:
    """The name without the suffix of an image that is read, in any case; any other name as it is."""
    suffix = suffix_of(PurePosixPath(name).name)
    return name[: -len(suffix)] if suffix in SUFFIXES else name


def named(root: Path, files: Iterable[Path]) -> dict[str, Path]:
    """Give each file its id, in code-point order of the ids: its path below ``root`` without the suffix.

    Files that differ in the suffix only keep it. Names are put in Unicode's composed form (file systems differ), and
    what cannot be printed is written out.

    Raises:
        BadInput: where two names differ in their Unicode form only.
    """
    full = {file: printable(file.relative_to(root).as_posix()) for file in files}
    return told_apart(printable(str(root)), {file: (without_suffix(name), name) for file, name in full.items()})


def told_apart(where: str, names: Mapping[_File, tuple[str, ...]]) -> dict[str, _File]:
    """Give each file the first of its names that no other has, in code-point order of what they are called then.

    Args:
        where: what the files are of, for the message.
        names: as short as it may be called, then ever longer; each file has as many.

    Raises:
        BadInput: where two files have the same last name.
    """
    chosen = dict.fromkeys(names, 0)
    while True:
        owners: dict[str, list[_File]] = defaultdict(list)
        for file, place in chosen.items():
            owners[names[file][place]].append(file)
        clashes = [group for group in owners.values() if len(group) > 1]
        if not clashes:
            return {names[file][chosen[file]]: file for file in sorted(chosen, key=lambda one: names[one][chosen[one]])}
        for group in clashes:
            lowest = min(chosen[file] for file in group)
            for file in group:
                if chosen[file] != lowest:
                    continue
                if lowest + 1 == len(names[file]):
                    raise BadInput(
                        f"{where}: two files are called {names[file][-1]!r}, written in different Unicode forms"
                    )
                chosen[file] = lowest + 1


class Names:
    """Files of a folder to be found by the id of an image, as ``named`` gives ids.

    Args:
        files: their paths below the folder, with slashes.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._whole: dict[str, str] = {}
        self._bare: dict[str, list[str]] = defaultdict(list)
        for file in files:
            name = printable(file)
            self._whole[name] = file
            self._bare[without_suffix(name)].append(file)

    def of(self, image_id: str) -> tuple[str, ...]:
        """The files of an image: named as it is with any image suffix in any case, or exactly as it is.

        An id that carries an image suffix itself (``name.jpg``) matches that file, else the name with another suffix.
        """
        name = printable(image_id)
        exact = [*self._bare.get(name, ()), *([self._whole[name]] if name in self._whole else ())]
        return tuple(dict.fromkeys(exact)) or tuple(self._bare.get(without_suffix(name), ()))
