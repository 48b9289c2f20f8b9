"""Read fixtures/manifest.toml: the images gfpbench uses from other packages, with hashes, licences and landmarks."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gfpbench
from gfpbench import codec
from gfpbench.types import BadInput, Json

_TEXTS = ("name", "subject", "package", "distribution", "file", "licence", "source", "landmarks_from")
_HASHES = ("sha256", "pixels_sha256")


@dataclass(frozen=True, slots=True)
class Entry:
    """One image that another package carries.

    Args:
        name: the face id.
        subject: who is seen.
        package: import name of the package that carries it.
        distribution: what to install to have it.
        file: path inside the package.
        sha256: of the file.
        pixels_sha256: of the decoded image, as ``images.pixels_sha256`` counts.
        mean_rgb: mean of each channel of the decoded image, 0..255.
        size_px: height and width of the decoded image.
        licence: in words.
        source: where it comes from.
        landmarks_from: how the landmarks were obtained.
        landmarks: 68 x, y pairs in the iBUG order, in pixels of the image.
    """

    name: str
    subject: str
    package: str
    distribution: str
    file: str
    sha256: str
    pixels_sha256: str
    mean_rgb: tuple[float, float, float]
    size_px: tuple[int, int]
    licence: str
    source: str
    landmarks_from: str
    landmarks: tuple[tuple[float, float], ...]


def manifest_path() -> Path:
    """Where the manifest is: inside an installed package, or beside the package in a checkout.

    Raises:
        BadInput: where it is in neither place.
    """
    package = Path(gfpbench.__file__).parent
    places = (package / "_fixtures" / "manifest.toml", package.parent / "fixtures" / "manifest.toml")
    for place in places:
        if place.is_file():
            return place
    raise BadInput(
        f"the manifest of the embedded faces is missing ({' and '.join(map(str, places))}): reinstall gfpbench"
    )


def read_manifest(path: Path | None = None) -> tuple[Entry, ...]:
    """The images of the manifest, ordered by name.

    Raises:
        BadInput: naming the file, the entry and the key that is wrong.
    """
    path = path or manifest_path()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    except RecursionError:
        raise BadInput(f"{path}: is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits is one too
        raise BadInput(f"{path}: is not TOML: {' '.join(str(error).split())}") from error
    tables = document.get("face")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise BadInput(f"{path}: has no [[face]] tables")
    entries = sorted((_entry(f"{path}: face {number}", table) for number, table in enumerate(tables, 1)), key=_name)
    for first, second in itertools.pairwise(entries):
        if first.name == second.name:
            raise BadInput(f"{path}: two faces are called {first.name!r}")
    return tuple(entries)


def _name(entry: Entry) -> str:
    return entry.name


def _entry(where: str, table: Mapping[str, Json]) -> Entry:
    entry = codec.decode(Entry, table, where)
    for key in _TEXTS:
        if not getattr(entry, key).strip():
            raise BadInput(f"{where}.{key}: is empty")
    for key in _HASHES:
        if not re.fullmatch("[0-9a-f]{64}", getattr(entry, key)):
            raise BadInput(f"{where}.{key}: must be 64 hexadecimal digits, not {codec.shown(getattr(entry, key))}")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", entry.name):
        raise BadInput(f"{where}.name: may hold letters, digits, and _ . - only, not {codec.shown(entry.name)}")
    if len(entry.landmarks) != 68:
        raise BadInput(f"{where}.landmarks: must be 68 pairs, not {len(entry.landmarks)}")
    height, width = entry.size_px
    outside = [point for point in entry.landmarks if not (0 <= point[0] < width and 0 <= point[1] < height)]
    if outside:
        raise BadInput(f"{where}.landmarks: {outside[0]} lies outside the image of {width}x{height}")
    return entry
