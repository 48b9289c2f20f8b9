"""What a photo carries beside its 8-bit colours is in the restored photo too: depth, alpha, colour profile, EXIF."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from gfpbench import images
from gfpbench.decode import read
from gfpbench.photos import Pipeline, restore_paths
from gfpbench.photos.output import upright_exif
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place

PHOTO, FOUND = scenes.scene(220, 300, [Place((130, 110), 160)])
TOUCHED = laws.touched(PHOTO, FOUND)
INSIDE = tuple(slice(int(at) - 12, int(at) + 12) for at in FOUND[0].landmarks[2][::-1])
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATION = 0x0112


def restored(path: Path, **settings):
    """The entry of one photo, and its restored file as the reader sees it."""
    out = path.parent / "out"
    pipeline = Pipeline(scenes.Painter(laws.inverted), scenes.Known(FOUND), **settings)
    (entry,) = restore_paths([path], out, pipeline)["photos"]
    assert entry["ok"], entry["problems"]
    return entry, read(out / entry["output"])


def exif_of(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[0x010F], block[0x0132], block[ORIENTATION] = "Maker", "2020:01:02 03:04:05", orientation
    details = block.get_ifd(0x8769)
    details[0x829A], details[0x927C], details[0xA002], details[0xA003] = 1 / 60, b"Note\0\1\2", 300, 220
    block.get_ifd(0x8825)[1] = "N"
    return block


# Depth


def deep(rgb):
    """16 bits whose low byte says something of its own."""
    return rgb.astype(np.uint16) * 257 ^ 1


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_stay_sixteen(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        path.write_bytes(images.encode_png(deep(PHOTO)))
    else:
        tifffile.imwrite(path, deep(PHOTO), photometric="rgb")
    entry, seen = restored(path)
    assert seen.samples.dtype == np.uint16
    assert (seen.samples[~TOUCHED] == deep(PHOTO)[~TOUCHED]).all(), "16-bit values changed outside the face"
    assert np.abs(seen.rgb[INSIDE].astype(int) - (255 - PHOTO[INSIDE])).mean() < 10
    assert entry["written"]["bits"] == 16
    assert entry["read"]["bits"] == 16


def test_a_deep_photo_shows_the_same_as_its_8_bits(tmp_path: Path) -> None:
    images.write_png(tmp_path / "shallow.png", PHOTO)
    (tmp_path / "deep.png").write_bytes(images.encode_png(PHOTO.astype(np.uint16) * 257))
    apart = restored(tmp_path / "shallow.png")[1].rgb.astype(int) - restored(tmp_path / "deep.png")[1].rgb
    assert np.abs(apart).max() <= 1


def test_floating_point_is_written_with_16_bits(tmp_path: Path) -> None:
    values = deep(PHOTO).astype(np.float32) / 65535
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    entry, seen = restored(tmp_path / "a.tif")
    assert np.abs(seen.samples.astype(int) - deep(PHOTO))[~TOUCHED].max() <= 0
    assert (entry["read"]["bits"], entry["written"]["bits"]) == (32, 16)


def test_a_deep_grey_photo(tmp_path: Path) -> None:
    grey = deep(PHOTO[..., 1])
    assert cv2.imwrite(str(tmp_path / "a.png"), grey)
    _, seen = restored(tmp_path / "a.png")
    assert (seen.samples[~TOUCHED] == grey[~TOUCHED][:, None]).all()


# Alpha


def cut_out(dtype=np.uint8):
    """A ramp of alpha through the face, from nothing to all."""
    ramp = np.clip((np.arange(300) - 60) / 120, 0, 1)
    return np.rint(np.broadcast_to(ramp, (220, 300)) * np.iinfo(dtype).max).astype(dtype)


def on_white(seen):
    alpha = seen.alpha[..., None] / float(np.iinfo(seen.alpha.dtype).max)
    return seen.samples[..., :3] / float(np.iinfo(seen.samples.dtype).max) * alpha + 1 - alpha


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_is_kept_and_the_face_shows_through_it_as_restored(tmp_path: Path, dtype) -> None:
    colour = PHOTO if dtype == np.uint8 else deep(PHOTO)
    (tmp_path / "a.png").write_bytes(images.encode_png(colour, cut_out(dtype)))
    given = read(tmp_path / "a.png")
    entry, seen = restored(tmp_path / "a.png")
    assert (seen.alpha == cut_out(dtype)).all()
    assert (seen.samples[~TOUCHED] == np.dstack([colour, cut_out(dtype)])[~TOUCHED]).all()
    assert entry["written"]["alpha"] is True
    # The restorer inverts what it is given, which is the photo on white: seen on white, that is what has to come out,
    # as far as alpha lets anything darker than its own share of white be shown.
    given_on_white, shown = given.rgb / 255, on_white(seen)
    wanted = np.maximum(1 - given_on_white, 1 - (seen.alpha / np.iinfo(dtype).max)[..., None])
    face = np.zeros(TOUCHED.shape, bool)
    x, y = FOUND[0].landmarks.mean(0).astype(int)
    face[y - 40 : y + 40, x - 40 : x + 40] = True
    assert np.abs(shown - wanted)[face].mean() < 0.03


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.fromarray(PHOTO).quantize(64)
    image.save(tmp_path / "a.png", transparency=image.getpixel((2, 2)))
    given = read(tmp_path / "a.png")
    _, seen = restored(tmp_path / "a.png")
    assert given.alpha is not None
    assert (given.alpha == 0).any()
    assert (seen.alpha == given.alpha).all()


def test_premultiplied_colours_are_written_as_png_wants_them(tmp_path: Path) -> None:
    alpha = np.maximum(cut_out(np.uint16), 40_000)
    stored = np.rint(deep(PHOTO) * (alpha[..., None] / 65535)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([stored, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    assert read(tmp_path / "a.tif").premultiplied
    _, seen = restored(tmp_path / "a.tif")
    assert np.abs(seen.samples[..., :3].astype(int) - deep(PHOTO))[~TOUCHED].max() <= 1
    assert (seen.alpha == alpha).all()


def test_alpha_is_enlarged_with_the_photo(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.encode_png(PHOTO, cut_out()))
    _, seen = restored(tmp_path / "a.png", upscale=2)
    assert seen.alpha.shape == (440, 600)
    assert np.abs(seen.alpha[::2, ::2].astype(int) - cut_out()).max() <= 3


# Colour profile


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_the_colour_profile_is_kept(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(PHOTO).save(tmp_path / f"a.{suffix}", icc_profile=PROFILE, quality=95)
    entry, seen = restored(tmp_path / f"a.{suffix}")
    assert seen.icc_profile == PROFILE
    assert entry["written"]["icc_profile"] is True
    assert entry["written"]["left_out"] == []


def test_a_profile_of_other_colours_is_left_out_and_named(tmp_path: Path) -> None:
    grey = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    Image.fromarray(PHOTO).convert("L").save(tmp_path / "a.png", icc_profile=grey)
    entry, seen = restored(tmp_path / "a.png")
    assert seen.icc_profile is None
    assert entry["written"]["left_out"] == ["a colour profile for GRAY, which an RGB file cannot carry"]
    assert "left out: a colour profile for GRAY" in entry["line"]


def test_no_profile_is_invented(tmp_path: Path) -> None:
    images.write_png(tmp_path / "a.png", PHOTO)
    entry, seen = restored(tmp_path / "a.png")
    assert (seen.icc_profile, seen.exif, seen.alpha) == (None, None, None)
    assert entry["written"] == {"bits": 8, "alpha": False, "icc_profile": False, "exif": False, "left_out": []}


# EXIF


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_exif_is_kept(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(PHOTO).save(tmp_path / f"a.{suffix}", exif=exif_of(), quality=95)
    restored(tmp_path / f"a.{suffix}", upscale=2)
    with Image.open(tmp_path / "out" / "a.png") as image:
        block = image.getexif()
        details = block.get_ifd(0x8769)
        assert (block[0x010F], block[0x0132], block[ORIENTATION]) == ("Maker", "2020:01:02 03:04:05", 1)
        assert (details[0x829A], details[0x927C], details[0xA002], details[0xA003]) == (
            pytest.approx(1 / 60),
            b"Note\0\1\2",
            600,
            440,
        )
        assert block.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_turned_once(tmp_path: Path, orientation: int) -> None:
    """Stored turned, with the number that says so; restored, it is upright whether or not a viewer knows EXIF."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's Transpose that stores what the number undoes
    stored = Image.fromarray(PHOTO)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    stored.save(tmp_path / "a.png", exif=exif_of(orientation))
    _, seen = restored(tmp_path / "a.png")
    assert seen.orientation == 1
    assert (seen.rgb[~TOUCHED] == PHOTO[~TOUCHED]).all()
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert image.getexif()[ORIENTATION] == 1
        assert image.size == (300, 220)


def test_a_thumbnail_of_the_photo_as_it_was_is_not_kept(tmp_path: Path) -> None:
    block = exif_of().tobytes()
    # A second directory behind the first: what a camera writes for its thumbnail.
    thumbnail = io.BytesIO()
    Image.fromarray(PHOTO).resize((160, 120)).save(thumbnail, "JPEG")
    body = bytearray(block[6:])
    order = ">" if body[:2] == b"MM" else "<"
    (first,) = struct.unpack_from(f"{order}I", body, 4)
    (count,) = struct.unpack_from(f"{order}H", body, first)
    struct.pack_into(f"{order}I", body, first + 2 + 12 * count, len(body))
    at = len(body) + 2 + 24 + 4
    body += struct.pack(f"{order}H", 2)
    body += struct.pack(f"{order}HHII", 0x0201, 4, 1, at) + struct.pack(
        f"{order}HHII", 0x0202, 4, 1, len(thumbnail.getvalue())
    )
    body += struct.pack(f"{order}I", 0) + thumbnail.getvalue()
    with_thumbnail = block[:6] + bytes(body)
    kept = upright_exif(with_thumbnail, (220, 300))
    assert kept is not None
    assert len(kept) < len(block) + 100
    assert b"\xff\xd8\xff" not in kept


@pytest.mark.parametrize("damage", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"junk" * 9])
def test_damaged_exif_is_left_out(damage: bytes) -> None:
    assert upright_exif(damage, (10, 10)) is None


def test_every_cut_of_a_block_is_kept_or_left_out() -> None:
    block = exif_of().tobytes()
    for length in range(len(block)):
        kept = upright_exif(block[:length], (10, 10))
        assert not kept or kept[:2] in (b"II", b"MM")


def test_an_empty_block_is_no_loss(tmp_path: Path) -> None:
    """Seen in official portraits."""
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg", exif=Image.Exif().tobytes(), quality=95)
    assert read(tmp_path / "a.jpg").exif
    entry, seen = restored(tmp_path / "a.jpg")
    assert (seen.exif, entry["written"]["exif"], entry["line"]) == (None, False, "1 face restored")


def test_damaged_exif_is_named(tmp_path: Path) -> None:
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=95)
    entry, _ = restored(tmp_path / "a.jpg")
    assert entry["written"]["left_out"] == ["EXIF that is damaged"]
    assert entry["line"] == "1 face restored; left out: EXIF that is damaged"
