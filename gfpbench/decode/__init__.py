"""Image decoding: the only reader of image files in the package, with one list of formats and limits.

``read_rgb`` gives the pixels alone, ``read`` also what the file carried beside them and what was done to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.decode.decoded import FACE_LIMITS, KEPT_LIMITS, Decoded, Limits
    from gfpbench.decode.formats import SUFFIXES
    from gfpbench.decode.reader import decode, decode_rgb, read, read_rgb

__all__ = ["FACE_LIMITS", "KEPT_LIMITS", "SUFFIXES", "Decoded", "Limits", "decode", "decode_rgb", "read", "read_rgb"]

lazy_package(__name__)
