"""CelebA-Test: the 3,000 pairs of 512 px on which GFP-GAN and its successors publish their tables."""

from __future__ import annotations

from pathlib import Path

from gfpbench.assets.datasets import DEGRADED_FOLDERS, FACES, TRUTH_FOLDERS, folder_named, place_of
from gfpbench.assets.store import home
from gfpbench.decode.files import list_images, named
from gfpbench.faces.dataset import Aligned, Dataset
from gfpbench.types import BadInput

SHOWN = 3  # names in an error line


def celeba_test(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """3,000 aligned faces of CelebA-HQ, 512 px, with their published degraded images (degradation `stored`).

    The folder holds ``celeba_512_validation`` and ``celeba_512_validation_lq`` as published (``gt`` or ``hq`` and
    ``lq`` are understood too), each with ``00000000.png`` and so on. In ``self_celeba_512_v2`` are DAEFR's degraded
    images of the same faces: another test set that papers call CelebA-Test as well. Pairs match by name. The faces are
    aligned by their authors and used as they are.

    Raises:
        DatasetMissing: where it is not here.
        BadInput: for folders that are missing or do not pair.
    """
    root = place_of("celeba-test", path, home(), "the face set 'celeba-test'")
    truth = folder_named(root, TRUTH_FOLDERS, "the clean images")
    degraded = folder_named(root, DEGRADED_FOLDERS, "the degraded images")
    listing = list_images(truth)
    files = named(truth, listing.files)
    pairs = named(degraded, list_images(degraded).files)
    for lacking, where in ((files.keys() - pairs.keys(), degraded), (pairs.keys() - files.keys(), truth)):
        if lacking:
            names = ", ".join(sorted(lacking)[:SHOWN])
            raise BadInput(
                f"{where}: {len(lacking)} images are missing ({names}{', ...' if len(lacking) > SHOWN else ''}): "
                "each clean image has one degraded image of its name"
            )
    return Dataset(
        "celeba-test" if path is None else f"celeba-test:{path}",
        {face_id: Aligned(file) for face_id, file in files.items()},
        size_px,
        {
            "from": str(root),
            "what": "CelebA-Test as published with GFP-GAN (Wang et al. 2021)",
            "licence": FACES["celeba-test"].licence,
            "alignment": "by its authors at 512 px, used as it is",
            "complete": len(files) == FACES["celeba-test"].images,
            **({"left_out": listing.record()} if listing.left_out else {}),
        },
    )
