"""Wraps a face restorer as a restorer of whole photographs, so that a run can measure the complete pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gfpbench import devices
from gfpbench.images import batch_from_uint8, moved, to_rgb_arrays
from gfpbench.photos.background import load_background
from gfpbench.photos.detect import AUTO
from gfpbench.photos.detect import load as load_detector
from gfpbench.photos.face_selection import ALL, check_choice
from gfpbench.photos.masks import load as load_mask
from gfpbench.photos.photo import Pipeline, detected, restore_photo
from gfpbench.photos.result import PhotoResult
from gfpbench.restorers import handed_over, is_opaque
from gfpbench.restorers import load as load_restorer
from gfpbench.types import BadInput, ImageBatch, Json, OpensFiles, RestorationFailed, Restorer

FORM = "photo:RESTORER"
_SPEC = re.compile(r"photo(?:@(?P<detector>[^:]*))?:(?P<restorer>.*)", re.DOTALL)


class WholePhoto:
    """Photos of any size in, the same photos with their faces restored out: same ids, same size.

    Faces are looked for in the degraded photo, as they would be in use: nothing is known of the clean one. A photo in
    which no face is found, or one of whose faces cannot be restored, has failed. Faces left out (eyes under 5 px
    apart, landmarks that are no face) stay as they are where others were restored.

    The lengths of a degradation belong to the shorter side of what is degraded. A face that fills a third of its photo
    is therefore blurred three times as strongly as it would be in a crop of its own: choose photos, or a degradation,
    accordingly.

    Args:
        pipeline: with ``upscale=1``, because a restored photo has the size of the degraded one.
        name: under which it is listed.
    """

    def __init__(self, pipeline: Pipeline, name: str | None = None) -> None:
        if pipeline.upscale != 1:
            raise BadInput("a restored photo is measured against the photo it was made from: upscale has to be 1")
        self.name = name or f"photo@{pipeline.detector.name}:{pipeline.restorer.name}"
        self.pipeline = pipeline
        self.results: dict[str, PhotoResult] = {}
        """The records of the last batch, without its images."""

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Restore (B, 3, H, W) photos. Raises RestorationFailed for the first that cannot be restored."""
        photos = to_rgb_arrays(degraded)
        for name, rgb in zip(degraded.ids, photos, strict=True) if len(photos) > 1 else ():
            # Before anything is restored: where one photo fails, its batch is asked for again photo by photo.
            if not detected(self.pipeline.detector, rgb, name):
                raise RestorationFailed(f"{name}: no face was found by {self.pipeline.detector.name}")
        restored = []
        self.results = {}
        for name, rgb in zip(degraded.ids, photos, strict=True):
            result = restore_photo(rgb, self.pipeline, name)
            if result.restored is None or not result.ok:
                raise RestorationFailed("; ".join(result.problems))
            restored.append(result.restored)
            self.results[name] = result
        return moved(batch_from_uint8(restored, degraded.ids), degraded.pixels.device)

    @property
    def opaque(self) -> bool:
        """Whether the restorer of faces may depend on what its record does not name."""
        return is_opaque(self.pipeline.restorer)

    def files_read(self) -> Mapping[str, str]:
        """The files that the restorer of faces was seen to read, where it is watched."""
        restorer = self.pipeline.restorer
        return restorer.files_read() if isinstance(restorer, OpensFiles) else {}

    def provenance(self) -> Mapping[str, Json]:
        """The pipeline's record: restorer, detector, mask; ``identity`` where the restorer of faces says so."""
        record = self.pipeline.record()
        identity = {"identity": True} if record["restorer"].get("identity") is True else {}
        return {**record, **identity, "restorer": self.name, "faces_restored_by": record["restorer"]}


def is_whole_photo(spec: str) -> bool:
    """Whether a restorer's name asks for whole photos: ``photo:gfpgan-1.4``, ``photo@dlib:gfpgan-1.4``."""
    return _SPEC.fullmatch(spec) is not None


def of_photos(spec: str) -> str:
    """The name under which a restorer of faces restores whole photos; one that does already keeps its name."""
    return spec if is_whole_photo(spec) else f"photo:{spec}"


def load_pipeline(
    restorer: str | Restorer,
    *,
    detector: str = AUTO,
    mask: str = "auto",
    device: str = "auto",
    upscale: int = 1,
    batch_size: int = 8,
    face: str = ALL,
    background: str = "",
) -> Pipeline:
    """Everything a photo goes through, by name; the restorer may be one that is loaded already.

    Raises:
        BadInput: for unknown names, and as ``handed_over``.
        AssetMissing: for absent weights.
    """
    check_choice(face)  # before anything is loaded
    where = devices.resolve(device)
    loaded = load_restorer(restorer, device=where) if isinstance(restorer, str) else handed_over(restorer)
    found_by, shown = load_detector(detector, device=where), load_mask(mask, device=where)
    enlarger = load_background(background, device=where) if background else None
    return Pipeline(loaded, found_by, shown, upscale, where, batch_size, face, enlarger)


def whole_photo(
    restorer: Restorer, detector: str = AUTO, *, device: str = "cpu", name: str | None = None
) -> WholePhoto:
    """Wrap a restorer of faces. Raises AssetMissing where no detector is here, BadInput as ``handed_over``."""
    given = handed_over(restorer)
    pipeline = Pipeline(given, load_detector(detector, device=device), load_mask(device=device), device=device)
    return WholePhoto(pipeline, name)


def load_whole_photo(spec: str, *, device: str = "cpu") -> WholePhoto:
    """What ``photo:RESTORER`` and ``photo@DETECTOR:RESTORER`` name.

    Raises:
        BadInput: for another form, an unknown restorer or detector.
        AssetMissing: where weights, or every detector, are missing.
    """
    parts = _SPEC.fullmatch(spec)
    if parts is None or not parts["restorer"]:
        raise BadInput(f"restorer {spec!r} is not of the form {FORM}, as in photo:gfpgan-1.4 or photo@dlib:gfpgan-1.4")
    return WholePhoto(load_pipeline(parts["restorer"], detector=parts["detector"] or AUTO, device=device), spec)
