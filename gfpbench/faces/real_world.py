"""Real low-quality faces that are published without a ground truth, as aligned crops of 512 px."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gfpbench.assets.datasets import FACES, place_of
from gfpbench.assets.store import home
from gfpbench.decode.files import list_images, named
from gfpbench.decode.point_lists import find_point_list
from gfpbench.faces.dataset import Aligned, Dataset
from gfpbench.types import BadInput, Json

NTIRE_COUNTS: Mapping[str, int] = {
    "CelebA": 100,
    "LFW-Test": 100,
    "WebPhoto-Test": 100,
    "Wider-Test": 100,
    "CelebChild-Test": 50,
}
"""Folder of the NTIRE challenge's test -> how many images it holds."""


def lfw_test(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """1,711 faces: the first image of each person of LFW's validation set. Raises as ``crops``."""
    return crops("lfw-test", size_px, path)


def webphoto_test(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """407 faces of old photographs from the web. Raises as ``crops``."""
    return crops("webphoto-test", size_px, path)


def celebchild_test(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """180 faces of celebrities as children, many in black and white. Raises as ``crops``."""
    return crops("celebchild-test", size_px, path)


def wider_test(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """970 faces of WIDER FACE. Raises as ``crops``."""
    return crops("wider-test", size_px, path)


def ntire_test(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """450 faces in five folders, the test of the NTIRE challenge on real-world face restoration (2025 and 2026).

    The folder holds the five sets, or ``test`` with them in it, as the challenge's ``input_LQ_dir`` does. An image is
    named ``LFW-Test/NAME``, and its set is the attribute ``dataset``.

    Raises:
        DatasetMissing: where it is not here.
        BadInput: where one of the five folders is missing or holds no image.
    """
    root = place_of("ntire-test", path, home(), "the face set 'ntire-test'")
    place = root / "test" if (root / "test").is_dir() else root
    members: dict[str, Aligned] = {}
    for name in NTIRE_COUNTS:
        folder = place / name
        if not folder.is_dir():
            raise BadInput(f"{place}: has no folder {name}; the challenge's five are {', '.join(NTIRE_COUNTS)}")
        listing = list_images(folder)
        if not listing.files:
            raise BadInput(listing.none_taken())
        for face_id, file in named(folder, listing.files).items():
            members[f"{name}/{face_id}"] = Aligned(file, known={"dataset": name})
    return _set("ntire-test", path, root, members, size_px)


def crops(name: str, size_px: int | None, path: Path | None) -> Dataset:
    """Every image below the folder of a set, as it is: nothing is detected or turned.

    Raises:
        DatasetMissing: where it is not here.
        BadInput: where it holds no image.
    """
    root = place_of(name, path, home(), f"the face set {name!r}")
    listing = list_images(root)
    if not listing.files:
        raise BadInput(listing.none_taken())
    members = {face_id: Aligned(file) for face_id, file in named(root, listing.files).items()}
    points = find_point_list(root)
    return _set(name, path, root, members, size_px, listing.record(() if points is None else (points.file,)))


def _set(
    name: str,
    path: Path | None,
    root: Path,
    members: Mapping[str, Aligned],
    size_px: int | None,
    left_out: Mapping[str, Json] | None = None,
) -> Dataset:
    row = FACES[name]
    return Dataset(
        name if path is None else f"{name}:{path}",
        members,
        size_px,
        {
            "from": str(root),
            "what": row.what,
            "licence": row.licence,
            "alignment": "by its publishers at 512 px, used as it is",
            "truth": False,
            "published": row.images,
            "complete": len(members) == row.images,
            **({"left_out": left_out} if left_out else {}),
        },
    )
