"""The identity restorer ``input``: returns the degraded image, the reference row for every restorer."""

from __future__ import annotations

from collections.abc import Mapping

from gfpbench.types import ImageBatch, Json


class Identity:
    """The degraded image as it is: what a restorer has to beat.

    It is the one restorer that may return its input, and says so in its provenance (``"identity": True``).
    """

    name = "input"

    def __init__(self, *, device: str = "cpu") -> None:
        del device  # nothing is computed

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return ImageBatch(degraded.pixels.clone(), degraded.ids)

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name, "identity": True}
