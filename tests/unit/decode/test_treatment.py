"""Colour profiles are named and weighed, and two files that were treated differently are told apart."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from gfpbench.decode import Decoded, decode
from gfpbench.decode.decoded import describe
from gfpbench.decode.treatment import unlike

RGB = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def linear_profile() -> bytes:
    """sRGB's primaries with a straight curve: the built-in profile with its three curves exchanged."""
    data = bytearray(SRGB)
    count = int.from_bytes(data[128:132], "big")
    for place in range(count):
        at = 132 + 12 * place
        offset = int.from_bytes(data[at + 4 : at + 8], "big")
        if bytes(data[at : at + 4]) in (b"rTRC", b"gTRC", b"bTRC"):
            data[offset : offset + 16] = b"para" + bytes(4) + bytes(4) + (65536).to_bytes(4, "big")
    return bytes(data)


def png(values: np.ndarray, profile: bytes | None = None) -> Decoded:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG", **({} if profile is None else {"icc_profile": profile}))
    return decode(stream.getvalue(), "x")


def test_srgb_under_any_name_changes_nothing_and_another_profile_is_named() -> None:
    assert describe(SRGB).is_srgb
    linear = describe(linear_profile())
    assert not linear.is_srgb
    assert linear.levels is not None
    assert 60 < linear.levels < 90, "linear 64 is sRGB 137: the largest move of a straight curve is 73 levels"
    assert describe(b"no profile" * 30) == describe(b"")
    assert not describe(b"").is_srgb
    assert describe(SRGB + bytes(9 * 2**20)).name == "too long to be read"


def test_the_numbers_are_kept_whatever_the_profile_says() -> None:
    for profile in (None, SRGB, linear_profile(), b"no profile" * 30):
        assert np.array_equal(png(RGB, profile).rgb, RGB)
    assert png(RGB, SRGB).treatment == ()
    assert png(RGB, SRGB).record()["colour_profile"] == "sRGB built-in"
    (phrase,) = png(RGB, linear_profile()).treatment
    assert phrase.startswith("colour profile not applied: ")
    assert png(RGB, b"no profile" * 30).treatment == ("colour profile not applied: unreadable",)
    assert png(RGB, linear_profile()).record()["colour_profile_levels"] == describe(linear_profile()).levels


def deep() -> Decoded:
    import cv2

    return decode(cv2.imencode(".png", RGB.astype(np.uint16) * 257)[1].tobytes(), "x")


def transparent() -> np.ndarray:
    return np.dstack([RGB, RGB[..., 0]])


@pytest.mark.parametrize(
    ("truth", "output", "expected"),
    [
        (png(RGB), png(RGB), []),
        (png(RGB), png(RGB, SRGB), []),
        (png(RGB, SRGB), png(RGB), []),
        (png(RGB, linear_profile()), png(RGB), []),  # written by a tool that lost the profile and kept the numbers
        (png(RGB, linear_profile()), png(RGB, linear_profile()), []),
        (png(RGB), png(RGB, linear_profile()), ["colour profile none in the truth, sRGB built-in in the output"]),
        (png(RGB, linear_profile()), png(RGB, SRGB), ["colour profile sRGB built-in in the truth, sRGB in the output"]),
        (png(transparent()), png(transparent()), []),
        (png(transparent()), png(RGB), ["alpha composited on white (the truth only)"]),
        (png(RGB), png(transparent()), ["alpha composited on white (the output only)"]),
        (deep(), png(RGB), []),  # every restoration is rounded
    ],
)
def test_what_was_done_to_one_and_not_to_the_other(truth: Decoded, output: Decoded, expected: list[str]) -> None:
    assert list(unlike(truth.record(), output.record())) == expected


def test_somebodys_strange_records_say_nothing() -> None:
    records: tuple[dict[str, Any], ...] = (
        {},
        {"treatment": None},
        {"treatment": "x"},
        {"treatment": [1, None]},
        {"treatment": {}},
    )
    for strange in records:
        assert unlike(strange, strange) == ()
