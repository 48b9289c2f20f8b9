"""The table of face sets: loader, where to get each, its layout, size and licence; and where its folder is looked for.

One row adds one set: `gfpbench list faces`, `gfpbench doctor`, the message of a set that is not here, what a published
table waits for and the tests of all sets read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gfpbench.registry import companion
from gfpbench.types import AssetMissing, BadInput, GfpbenchError

TABLE = "FACES in gfpbench/assets/datasets.py"

TRUTH_FOLDERS = ("celeba_512_validation", "gt", "hq", "HQ")
DEGRADED_FOLDERS = ("celeba_512_validation_lq", "lq", "LQ", "self_celeba_512_v2")
"""CelebA-Test as GFP-GAN's authors publish it (the first of each), what people rename them to, and DAEFR's inputs."""

INPUTS = {
    "celeba_512_validation_lq": "GFP-GAN's degraded images (input FID 143.98)",
    "self_celeba_512_v2": "DAEFR's degraded images (input FID about 267)",
}
"""Published folder -> which degraded images of CelebA-Test it holds. Papers call both sets CelebA-Test."""


_GFPGAN_PAGE = "https://xinntao.github.io/projects/gfpgan"
_CROPS = "*.png or *.jpg, nested or not, one aligned face of 512 px each"


@dataclass(frozen=True, slots=True)
class FaceSetRow:
    """One face set that is known by name.

    Args:
        loader: "module:attribute" of a callable ``(size_px: int | None = None) -> FaceSet``; of a set with
            ``where_to_get`` it is ``(size_px: int | None = None, path: Path | None = None) -> FaceSet``.
        what: one line for lists.
        licence: SPDX identifier, or words.
        images: how many its authors publish, None where they do not say one number.
        where_to_get: the page and the archives on it; empty for a set that is not to be had from its authors only.
            One that has it is looked for in GFPBENCH_HOME/faces/NAME, or in the folder of ``NAME:PATH``.
        layout: what its folder holds once unpacked; empty where ``where_to_get`` is.
        truth: False for low-quality images of which no clean ones are known: they are restored as they are.
    """

    loader: str
    what: str
    licence: str
    images: int | None = None
    where_to_get: str = ""
    layout: str = ""
    truth: bool = True

    def __post_init__(self) -> None:
        if bool(self.where_to_get) != bool(self.layout):
            raise BadInput(f"{TABLE}: the row of {self.loader} needs where_to_get and layout, or neither")


FACES: dict[str, FaceSetRow] = {
    "embedded": FaceSetRow(
        loader="gfpbench.faces.embedded:Embedded",
        what="The embedded portraits at one size.",
        licence="public domain",
        images=2,
    ),
    "portraits": FaceSetRow(
        loader="gfpbench.faces.portraits:portraits",
        what="Official portraits of members of the US Congress, aligned the FFHQ way.",
        licence="public domain (works of the US government)",
        where_to_get="https://github.com/unitedstates/images (congress/original; align the faces as FFHQ's are)",
        layout="*.png or *.jpg, one aligned face each",
    ),
    "random-face": FaceSetRow(
        loader="gfpbench.faces.random_face:random_face",
        what="Generated faces of people who do not exist, 512 px: `random-face?count=50&truncation=0.6&seed=0`.",
        licence="code Apache-2.0; weights: none stated, presumably non-commercial like FFHQ and StyleGAN2",
    ),
    "celeba-test": FaceSetRow(
        loader="gfpbench.faces.celeba_test:celeba_test",
        what="3,000 aligned faces of CelebA-HQ, 512 px, with their published degraded images (degradation `stored`): "
        "GFP-GAN's own, or DAEFR's in self_celeba_512_v2.",
        licence="CelebA's: non-commercial research only",
        images=3000,
        where_to_get="both archives named CelebA-Test on https://xinntao.github.io/projects/gfpgan",
        layout=f"{TRUTH_FOLDERS[0]}/*.png and {DEGRADED_FOLDERS[0]}/*.png, paired by name",
    ),
    "celeba": FaceSetRow(
        loader="gfpbench.faces.celeba:celeba",
        what="CelebA's aligned images (img_align_celeba), test partition, with their attributes as groups.",
        licence="non-commercial research only",
        images=202_599,
        where_to_get="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (img_align_celeba.zip and the lists beside it)",
        layout="img_align_celeba/*.jpg with list_eval_partition.txt, list_attr_celeba.txt and other lists beside it",
    ),
    "utkface": FaceSetRow(
        loader="gfpbench.faces.utkface:utkface",
        what="UTKFace's aligned and cropped faces, 200 px, with age, gender and group from their names.",
        licence="non-commercial research only",
        where_to_get="https://susanqq.github.io/UTKFace (Aligned&Cropped Faces)",
        layout="UTKFace/AGE_GENDER_GROUP_DATE.jpg.chip.jpg",
    ),
    "wider": FaceSetRow(
        loader="gfpbench.faces.wider:wider",
        what="Faces of WIDER FACE's validation photographs, boxes of 64 px or more, with the annotators' labels as"
        " groups.",
        licence="non-commercial research only",
        where_to_get="http://shuoyang1213.me/WIDERFACE (WIDER_val.zip and wider_face_split.zip)",
        layout="WIDER_val/images/EVENT/*.jpg and wider_face_split/wider_face_val_bbx_gt.txt",
    ),
    "lfw-test": FaceSetRow(
        loader="gfpbench.faces.real_world:lfw_test",
        what="1,711 faces of LFW, 512 px, low quality as they are, without ground truth.",
        licence="not stated; LFW is for research",
        images=1711,
        where_to_get=f"LFW-Test (lfw_cropped_faces) on {_GFPGAN_PAGE}",
        layout=_CROPS,
        truth=False,
    ),
    "webphoto-test": FaceSetRow(
        loader="gfpbench.faces.real_world:webphoto_test",
        what="407 faces of old photographs from the web, 512 px, without ground truth.",
        licence="not stated",
        images=407,
        where_to_get=f"WebPhoto-Test on {_GFPGAN_PAGE}",
        layout=_CROPS,
        truth=False,
    ),
    "celebchild-test": FaceSetRow(
        loader="gfpbench.faces.real_world:celebchild_test",
        what="180 faces of celebrities as children, 512 px, many grey, without ground truth.",
        licence="not stated",
        images=180,
        where_to_get=f"CelebChild-Test on {_GFPGAN_PAGE}",
        layout=_CROPS,
        truth=False,
    ),
    "wider-test": FaceSetRow(
        loader="gfpbench.faces.real_world:wider_test",
        what="970 faces of WIDER FACE as CodeFormer's authors chose them, 512 px, without ground truth.",
        licence="non-commercial research only",
        images=970,
        where_to_get="WIDER-Test, linked in https://github.com/sczhou/CodeFormer/issues/42",
        layout=_CROPS,
        truth=False,
    ),
    "ntire-test": FaceSetRow(
        loader="gfpbench.faces.real_world:ntire_test",
        what="450 faces in five sets, the test of the NTIRE challenge on real-world face restoration, 512 px, without"
        " ground truth.",
        licence="those of its five sets: research only",
        images=450,
        where_to_get="the challenge's test images, https://github.com/zhengchen1999/NTIRE2025_RealWorld_Face_Restoration",
        layout="CelebA, LFW-Test, WebPhoto-Test, Wider-Test and CelebChild-Test with *.png, or test with these in it",
        truth=False,
    ),
}
"""Name -> row. Adding a face set is one row here, and a miniature of its folder in the tests."""


def placed() -> tuple[str, ...]:
    """Sets that each user gets from their authors: ``NAME`` is GFPBENCH_HOME/faces/NAME, ``NAME:PATH`` that folder."""
    return tuple(name for name, row in FACES.items() if row.where_to_get)


def has_truth(faces: str) -> bool:
    """Whether faces, given by name or path, are clean images; False for sets known to have no ground truth."""
    row = FACES.get(faces.partition(":")[0].partition("?")[0])
    return row is None or row.truth


def refuse_without_truth(faces: str, why: str) -> None:
    """Raise BadInput where faces that are known to have no ground truth are given to what needs one."""
    if not has_truth(faces):
        raise BadInput(f"faces {faces!r} have no ground truth, and {why}: give clean ones (`gfpbench list faces`)")


class DatasetMissing(AssetMissing):
    """A dataset that is not on this machine and that no command can fetch: its licence wants each user to get it."""

    def __init__(self, name: str, place: Path, needed_by: str) -> None:
        row = companion(FACES, name, needed_by, TABLE)
        GfpbenchError.__init__(
            self,
            f"{needed_by} needs the dataset {name!r}, which is not in {place}: get it from {row.where_to_get}, "
            f"unpack it there ({row.layout}), or say where it is: {name}:PATH",
        )
        self.asset = name
        self.needed_by = needed_by


def place_of(name: str, path: Path | None, home: Path, needed_by: str) -> Path:
    """The folder of a dataset.

    Args:
        name: as in ``FACES``.
        path: what the user wrote after the colon; None for ``faces/NAME`` in ``home``.
        home: GFPBENCH_HOME.
        needed_by: what cannot go on without it.

    Raises:
        DatasetMissing: where ``path`` is None and nothing is there.
        BadInput: where a path was given and is no folder, and where no row has that name.
    """
    if not companion(FACES, name, needed_by, TABLE).where_to_get:
        raise BadInput(f"{needed_by}: the row {name!r} of {TABLE} lacks where_to_get and layout")
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
