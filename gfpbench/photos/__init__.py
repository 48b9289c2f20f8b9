"""Whole photographs: detects each face, restores it aligned at 512 px, and pastes it back.

To add a detector: a file here with a factory ``(*, device: str) -> Detector``, and a row in ``detect.DETECTORS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.photos.as_restorer import (
        WholePhoto,
        is_whole_photo,
        load_pipeline,
        load_whole_photo,
        of_photos,
        whole_photo,
    )
    from gfpbench.photos.batch import restore_paths
    from gfpbench.photos.detect import DETECTORS, Detector, Found
    from gfpbench.photos.detect import load as load_detector
    from gfpbench.photos.masks import load as load_mask
    from gfpbench.photos.photo import Pipeline, restore_photo
    from gfpbench.photos.result import FaceRecord, PhotoResult

__all__ = [
    "DETECTORS",
    "Detector",
    "FaceRecord",
    "Found",
    "PhotoResult",
    "Pipeline",
    "WholePhoto",
    "is_whole_photo",
    "load_detector",
    "load_mask",
    "load_pipeline",
    "load_whole_photo",
    "of_photos",
    "restore_paths",
    "restore_photo",
    "whole_photo",
]

lazy_package(__name__)
