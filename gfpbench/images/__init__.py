"""Conversions of range, colour order, dtype and layout of images. No other module of the package converts them.

Each is imported from here, and not from the file that it stands in.
"""

from __future__ import annotations

from gfpbench.images.batches import moved, only, resized, select
from gfpbench.images.colour import (
    BT601_LUMA,
    to_full_range_luma_255,
    to_gray_255,
    to_lab,
    to_luma_255,
    to_rounded_luma_255,
    with_red_and_blue_exchanged,
)
from gfpbench.images.levels import (
    Bytes,
    are_equal,
    are_shared_views_of,
    as_batch,
    batch_from_uint8,
    from_levels,
    from_uint8,
    images_sha256,
    is_quantized,
    pixels_sha256,
    quantized,
    to_255,
    to_rgb_arrays,
    to_rgb_stack,
    to_uint8,
)
from gfpbench.images.networks import (
    Form,
    Range,
    from_form,
    from_range,
    from_signed,
    in_range,
    signed,
    to_form,
    to_signed,
)
from gfpbench.images.opencv import (
    Floats,
    bgr_of_planes,
    encode_png,
    from_bgr_arrays,
    from_bgr_floats,
    to_bgr,
    to_bgr_arrays,
    to_bgr_floats,
    to_depth,
    to_planes,
    write_bgr,
    write_png,
)

__all__ = [
    # 8-bit values
    "from_uint8",
    "batch_from_uint8",
    "from_levels",
    "as_batch",
    "to_uint8",
    "to_255",
    "to_rgb_arrays",
    "to_rgb_stack",
    "quantized",
    "is_quantized",
    "are_shared_views_of",
    "are_equal",
    "pixels_sha256",
    "images_sha256",
    "Bytes",
    # as OpenCV has them
    "to_bgr_arrays",
    "to_bgr",
    "from_bgr_arrays",
    "write_bgr",
    "to_depth",
    "to_bgr_floats",
    "to_planes",
    "bgr_of_planes",
    "from_bgr_floats",
    "encode_png",
    "write_png",
    "Floats",
    # luma, grey, L*a*b*
    "to_luma_255",
    "to_rounded_luma_255",
    "to_gray_255",
    "to_full_range_luma_255",
    "with_red_and_blue_exchanged",
    "to_lab",
    "BT601_LUMA",
    # as networks have them
    "to_signed",
    "signed",
    "from_signed",
    "in_range",
    "from_range",
    "Form",
    "to_form",
    "from_form",
    "Range",
    # a batch out of another one
    "select",
    "only",
    "moved",
    "resized",
]
