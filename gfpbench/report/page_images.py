"""The images that a page shows: found among what runs kept, and put into the page as text."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from gfpbench.decode import KEPT_LIMITS, decode
from gfpbench.images import to_bgr
from gfpbench.lazy import LazyModule
from gfpbench.report.model import Group, Line
from gfpbench.report.selection import Drawn
from gfpbench.run.recorder import image_path, image_stem
from gfpbench.types import UnreadableFace

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

Kind: TypeAlias = Literal["degraded", "restored", "truth"]
KINDS: tuple[Kind, ...] = ("degraded", "restored", "truth")

Stores: TypeAlias = Path | Sequence[Path] | Mapping[str, Path]
"""Where runs kept images: a folder, several, or one for each label of a Result."""

EMBEDDED_SIDE_PX = 512
EXACT_SIDE_PX = 160
LOSSY_QUALITY = 90


def any_of(stores: Stores) -> tuple[Path, ...]:
    """All the folders, each once."""
    found = [stores] if isinstance(stores, Path) else stores.values() if isinstance(stores, Mapping) else stores
    return tuple(dict.fromkeys(found))


def images_of(store: Path, case_id: str, row_id: str) -> dict[Kind, Path]:
    """The images that a run kept of one face: ``degraded``, ``restored``, ``truth``, those that are there."""
    paths: dict[Kind, Path] = {kind: image_path(store / case_id, row_id, kind) for kind in KINDS}
    return {kind: path for kind, path in paths.items() if path.is_file()}


def kept_files(folder: Path, names: Sequence[str]) -> dict[str, dict[Kind, Path]]:
    """``images_of`` for many images of one case, by one look into its folder."""
    try:
        there = {one.name for one in (folder / "images").iterdir()}
    except OSError:
        return {}
    found = {}
    for name in names if there else ():
        stem = image_stem(name)
        files = {kind: f"{stem}.{kind}.png" for kind in KINDS}
        paths: dict[Kind, Path] = {kind: folder / "images" / file for kind, file in files.items() if file in there}
        if paths := {kind: path for kind, path in paths.items() if path.is_file()}:
            found[name] = paths
    return found


def data_uri(
    path: Path, exact_side_px: int = EXACT_SIDE_PX, side_px: int = EMBEDDED_SIDE_PX, quality: int = LOSSY_QUALITY
) -> str | None:
    """An image as text: the file itself up to so many px, else WebP of at most ``side_px``. None if unreadable."""
    try:
        encoded = path.read_bytes()
        decoded = decode(encoded, str(path), KEPT_LIMITS)
    except (OSError, UnreadableFace):
        return None
    pixels = to_bgr(decoded.rgb)
    side = max(pixels.shape[:2])
    kind = "png"
    if side > exact_side_px or decoded.format != "PNG":
        if side > side_px:
            scale = side_px / side
            pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        _, buffer = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
        encoded, kind = buffer.tobytes(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode('ascii')}"


def files_of(group: Group, stores: Stores) -> dict[tuple[str, str], dict[Kind, Path]]:
    """What was kept: label of a line and name of an image -> its files; nothing where there are none."""
    files: dict[tuple[str, str], dict[Kind, Path]] = {}
    owners: dict[tuple[str, tuple[Path, ...]], str] = {}  # of one case and folder there are images of one line only
    for line in group.lines:
        own = stores.get(line.result.label) if isinstance(stores, Mapping) else None
        where = any_of(stores) if own is None else (own,)
        if owners.setdefault((line.result.case.id, where), line.label) == line.label:
            for store in where:
                found = kept_files(store / line.result.case.id, line.result.image_ids)
                files |= {(line.label, name): paths for name, paths in found.items() if (line.label, name) not in files}
    return files


class Uris:
    """The kept images as text, each read once."""

    def __init__(self, files: Mapping[tuple[str, str], Mapping[Kind, Path]], drawn: Drawn | None = None) -> None:
        self.files = files
        self.drawn = drawn
        self._made: dict[Path, str | None] = {}

    def of(self, path: Path | None) -> str | None:
        if path is not None and path not in self._made:
            how = () if self.drawn is None else (self.drawn.exact_side_px, self.drawn.side_px, self.drawn.quality)
            self._made[path] = data_uri(path, *how)
        return self._made[path] if path is not None else None

    def restored(self, line: Line, name: str) -> str | None:
        return self.of(self.files.get((line.label, name), {}).get("restored"))

    def common(self, group: Group, kind: Kind, name: str) -> str | None:
        """The degraded image and the truth are the same for every row of a table: the first that was kept."""
        paths = (self.files.get((line.label, name), {}).get(kind) for line in group.lines)
        return self.of(next((path for path in paths if path is not None), None))

    def size(self, group: Group, names: Sequence[str]) -> int:
        """How many characters the images of these take in a page."""
        found = [self.common(group, kind, name) for kind in ("degraded", "truth") for name in names]
        found += [self.restored(line, name) for line in group.restorers for name in names]
        return sum(len(uri or "") for uri in found)
