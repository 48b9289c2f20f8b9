"""Where datasets that may not be redistributed are searched for, and how their unpacked folders are named."""

from __future__ import annotations

from pathlib import Path

from gfpbench.types import AssetMissing, BadInput, GfpbenchError

TRUTH_FOLDERS = ("celeba_512_validation", "gt", "hq", "HQ")
DEGRADED_FOLDERS = ("celeba_512_validation_lq", "lq", "LQ")
"""CelebA-Test as GFP-GAN's authors publish it (the first of each), and what people rename them to."""

_WHERE_TO_GET = {
    "celeba-test": "both archives named CelebA-Test on https://xinntao.github.io/projects/gfpgan",
    "celeba": "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (img_align_celeba.zip and the lists beside it)",
    "utkface": "https://susanqq.github.io/UTKFace (Aligned&Cropped Faces)",
    "wider": "http://shuoyang1213.me/WIDERFACE (WIDER_val.zip and wider_face_split.zip)",
}


class DatasetMissing(AssetMissing):
    """A dataset that is not on this machine and that no command can fetch: its licence wants each user to get it."""

    def __init__(self, name: str, place: Path, needed_by: str) -> None:
        GfpbenchError.__init__(
            self,
            f"{needed_by} needs the dataset {name!r}, which is not in {place}: get it from {_WHERE_TO_GET[name]}, "
            f"unpack it there, or say where it is: {name}:PATH",
        )
        self.asset = name
        self.needed_by = needed_by


def place_of(name: str, path: Path | None, home: Path, needed_by: str) -> Path:
    """The folder of a dataset.

    Args:
        name: as in the table of faces.
        path: what the user wrote after the colon; None for ``faces/NAME`` in ``home``.
        home: GFPBENCH_HOME.
        needed_by: what cannot go on without it.

    Raises:
        DatasetMissing: where ``path`` is None and nothing is there.
        BadInput: where a path was given and is no folder.
    """
    if path is not None:
        given = path.expanduser()
        if not given.is_dir():
            raise BadInput(f"{name}:{path}: {'is a file, give its folder' if given.exists() else 'no such folder'}")
        return given
    place = home / "faces" / name
    if not place.is_dir():
        raise DatasetMissing(name, place, needed_by)
    return place


def folder_named(root: Path, names: tuple[str, ...], what: str) -> Path:
    """The one folder below ``root`` that has one of these names.

    Raises:
        BadInput: where there is none, or more than one.
    """
    # Names are compared as the directory spells them, so that a file system that ignores case finds each once.
    try:
        found = [path for path in sorted(root.iterdir()) if path.name in names and path.is_dir()]
    except OSError as error:
        raise BadInput(f"{root}: cannot be listed: {error.strerror or error}") from error
    if len(found) != 1:
        said = "no folder" if not found else f"{len(found)} folders ({', '.join(path.name for path in found)})"
        raise BadInput(f"{root}: has {said} for {what}; it is looked for as {' or '.join(names)}")
    return found[0]
