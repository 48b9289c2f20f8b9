"""That each axis does what its unit says: against another implementation or a closed form, by the axis's name."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping

import numpy as np
import scipy.ndimage
import skimage.color
import skimage.exposure
from numpy.typing import NDArray
from PIL import Image

from gfpbench.degrade.axes import Axis
from gfpbench.images import to_rgb_arrays
from gfpbench.types import ImageBatch
from tests.degradation.image_cases import batch, face, flat, pattern
from tests.degradation.laws_axes import changed, plain

Levels = NDArray[np.float64]
SEVERITIES = (0.1, 0.4, 0.75, 1.0)


def spread(axis: Axis, severity: float, side: int) -> tuple[Levels, NDArray[np.float64]]:
    """Centroid (x, y) and covariance, in px, of what becomes of a bright square of 5 px in the middle."""
    dot = np.zeros((side, side, 3), np.uint8)
    middle = side // 2
    dot[middle - 2 : middle + 3, middle - 2 : middle + 3] = 255
    light = changed(axis, batch(dot), severity)[0].mean(axis=2)
    light[light < light.max() * 0.02] = 0  # rounding leaves a haze of single levels that reaches far
    y, x = np.mgrid[:side, :side] - middle
    weight = light / light.sum()
    centre = np.array([(x * weight).sum(), (y * weight).sum()])
    away = np.stack([(x - centre[0]).ravel(), (y - centre[1]).ravel()])
    return centre, np.asarray((away * weight.ravel()) @ away.T)


def blur_is_as_wide_as_said(axis: Axis) -> None:
    for side in (128, 192):
        for sigma_at_512 in (4.0, 8.0, 14.0):
            centre, covariance = spread(axis, axis.severity_of(sigma_at_512), side)
            sigma = sigma_at_512 * side / 512
            width = math.sqrt((covariance[0, 0] + covariance[1, 1]) / 2 - 2)  # 2: the square's own variance
            assert np.abs(centre).max() < 0.05, f"blur moves the image by {centre}"
            assert abs(width / sigma - 1) < 0.08, f"sigma {sigma:.2f} px spreads by {width:.2f} px"


def noise_is_as_loud_as_said(axis: Axis) -> None:
    for severity in (0.05, 0.1, 0.2):
        got = changed(axis, flat(128, 128, 128), severity)[0] - 128
        expected = math.hypot(axis.value_at(severity), math.sqrt(1 / 12))
        assert abs(got.std() / expected - 1) < 0.02, f"noise of {axis.value_at(severity)} has std {got.std():.2f}"
        assert abs(got.mean()) < 0.1 * expected, "noise is not about 0"


def through_pillow(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(stream))


def jpeg_is_pillows(axis: Axis) -> None:
    rgb = face(80, 64)
    for quality in (99, 75, 40, 12, 1):
        got = changed(axis, batch(rgb), axis.severity_of(quality))[0]
        assert np.abs(got - through_pillow(rgb, quality)).max() <= 2, f"not a JPEG of quality {quality}"


def double_jpeg_is_pillows_twice(axis: Axis) -> None:
    rgb = face(80, 64)
    shifts = set()
    for seed in range(12):
        for quality in (95, 50, 20):
            severity = axis.severity_of(quality)
            record = axis.draw(severity, "image 0", seed, (80, 64))
            x, y = record["double_jpeg_grid_shift_x"], record["double_jpeg_grid_shift_y"]
            shifts.add((x, y))
            padded = np.pad(through_pillow(rgb, quality), ((y, 0), (x, 0), (0, 0)), mode="reflect")
            expected = through_pillow(padded, quality)[y:, x:]
            got = changed(axis, batch(rgb), severity, seed)[0]
            assert np.abs(got - expected).mean() < 0.5, f"not two JPEGs of quality {quality} shifted by {x}, {y}"
    values = {value for shift in shifts for value in shift}
    assert min(values) >= 1, "a shift of 0 puts both grids on each other"
    assert max(values) <= 7, "a shift of 8 is none"
    assert len(shifts) > 6, "the grid is always shifted alike"


def downscale_keeps_so_many_pixels(axis: Axis) -> None:
    rgb = pattern(96, 96)
    for ratio in (2.0, 4.0, 8.0, 32.0):
        got = changed(axis, batch(rgb), axis.severity_of(ratio))[0]
        rank = np.linalg.matrix_rank(got.mean(axis=2), tol=20)
        assert rank <= 96 // ratio, f"{rank} independent rows are left at 1/{ratio:g} of 96"
        assert rank > 96 // ratio / 2.5, f"only {rank} independent rows are left at 1/{ratio:g} of 96"


def diagonal_is_the_papers(axis: Axis) -> None:
    """At extent 1 the four far ends of Eq. 7, at 1/2 halfway there, at 2 twice as far."""
    for extent, (sigma, ratio, noise, quality) in {
        0.5: (5, 4.5, 7.5, 80),
        1.0: (10, 8, 15, 60),
        2.0: (20, 15, 30, 20),
    }.items():
        record = axis.draw(axis.severity_of(extent), "face", 0, (256, 256))
        got = [record[key] for key in ("blur_sigma_x_px", "downsample_ratio", "noise_std_grey_levels", "jpeg_quality")]
        assert np.allclose(got, (sigma / 2, ratio, noise, quality)), f"extent {extent} is {got}"
        assert record["blur_kernel_size_px"] >= 5 * record["blur_sigma_x_px"], "the window cuts the blur off"


def motion_is_a_line(axis: Axis) -> None:
    for side in (128, 192):
        for seed, length_at_512 in ((0, 40.0), (1, 80.0), (2, 120.0)):
            severity = axis.severity_of(length_at_512)
            dot = ImageBatch(flat(0, side, side).pixels, ("image 0",))
            angle = axis.draw(severity, "image 0", seed, dot.size)["motion_angle_rad"]
            lit = np.zeros((side, side, 3), np.uint8)
            lit[side // 2 - 2 : side // 2 + 3, side // 2 - 2 : side // 2 + 3] = 255
            light = changed(axis, batch(lit), severity, seed)[0].mean(axis=2)
            y, x = np.mgrid[:side, :side] - side // 2
            weight = light / light.sum()
            along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
            length = math.sqrt(max(0, ((along**2 * weight).sum() - 2) * 12))
            assert abs((along * weight).sum()) < 0.1, "motion moves the image"
            assert abs(length / (length_at_512 * side / 512) - 1) < 0.06, f"{length:.1f} px long at {length_at_512}"
            assert (across**2 * weight).sum() < 2.6, "motion is no thin line"


def luminance(levels: Levels) -> Levels:
    """CIE Y of an sRGB image in levels: linear light."""
    return np.asarray(skimage.color.rgb2xyz(levels / 255)[..., 1])


def ramp() -> ImageBatch:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    return batch(np.stack([grey] * 3, axis=2))


def exposure_is_in_stops(axis: Axis) -> None:
    before = luminance(to_rgb_arrays(ramp())[0].astype(np.float64))
    for severity in SEVERITIES:
        got = changed(axis, ramp(), severity)[0]
        expected = np.minimum(before * 2 ** axis.value_at(severity), 1)
        error = np.abs(got - 255 * skimage.color.xyz2rgb(expected[..., None] * D65))
        assert error.max() <= 1, f"{axis.value_at(severity):.2f} stops are off by {error.max():.1f} levels"


D65 = skimage.color.rgb2xyz(np.ones((1, 1, 3)))[0, 0]


def gamma_is_skimages(axis: Axis) -> None:
    rgb = face(48, 48)
    for severity in SEVERITIES:
        expected = skimage.exposure.adjust_gamma(rgb / 255.0, axis.value_at(severity)) * 255
        assert np.abs(changed(axis, batch(rgb), severity)[0] - expected).max() <= 0.51, "another curve than gamma"


def colour_is_in_stops(axis: Axis) -> None:
    """On grey, red over blue light is 2 to the stops where nothing clips, and green stays."""
    for severity in SEVERITIES:
        stops = axis.value_at(severity)
        red, green, blue = changed(axis, flat(120, 4, 4), severity)[0][0, 0]
        assert green == 120, "green changes"
        light = [luminance(np.full((1, 1, 3), level))[0, 0] for level in (red, 120.0, blue)]
        raised = 2 ** (stops / 2)
        assert abs(light[0] / light[1] / min(raised, 1 / light[1]) - 1) < 0.06, f"red is {light[0] / light[1]:.2f}"
        assert abs(light[2] / light[1] / min(1 / raised, 1 / light[1]) - 1) < 0.06, f"blue is {light[2] / light[1]:.2f}"


def side_light_is_a_ramp(axis: Axis) -> None:
    """Twice the level in the middle means twice the stops at the dark corner; the lit corner stays."""
    clean = flat(230, 64, 64, 1)
    before = luminance(np.full((1, 1, 3), 230.0))[0, 0]
    for severity in (0.1, 0.3, 0.5):
        stops = axis.value_at(severity)
        got = np.log2(luminance(changed(axis, clean, severity)[0]) / before)
        assert abs(got[31:33, 31:33].mean() + stops / 2) < 0.08, f"the middle has {got[32, 32]:.2f} stops of {stops}"
        assert abs(got.max()) < 0.1, "the lit corner is dimmed"
        assert abs(got.min() + stops) < 0.06 * stops + 0.1, f"the dark corner has {got.min():.2f} of {stops} stops"
        columns = got.mean(axis=0)
        assert abs(columns[-1] - columns[0]) > 0.5 * stops, "the light does not come from a side"


def half_shadow_is_a_half(axis: Axis) -> None:
    clean = flat(230, 64, 64, 1)
    before = luminance(np.full((1, 1, 3), 230.0))[0, 0]
    for severity in (0.2, 0.5):
        stops, record = axis.value_at(severity), axis.draw(severity, "image 0", 0, (64, 64))
        got = np.log2(luminance(changed(axis, clean, severity)[0]) / before)
        left, right = got[:, :28], got[:, 36:]
        dark, lit = (right, left) if record["half_shadow_side"] == "right" else (left, right)
        assert np.abs(lit).max() < 1e-9, "the lit half changes"
        assert np.abs(dark + stops).max() < 0.1 * max(1, stops), f"the shadow is {-dark.mean():.2f} stops, not {stops}"


def half_blur_is_a_half(axis: Axis) -> None:
    rgb = pattern(128, 128)
    sides = set()
    for seed in range(12):
        sigma_at_512 = 16.0
        severity = axis.severity_of(sigma_at_512)
        side = axis.draw(severity, "image 0", seed, (128, 128))["half_blur_side"]
        sides.add(side)
        got = changed(axis, batch(rgb), severity, seed)[0]
        soft = scipy.ndimage.gaussian_filter(rgb.astype(np.float64), (4, 4, 0), mode="mirror", truncate=3)
        left, right = slice(0, 57), slice(71, 128)
        dark, kept = (right, left) if side == "right" else (left, right)
        assert (got[:, kept] == rgb[:, kept]).all(), "the good half changes"
        assert np.abs(got[:, dark] - soft[:, dark]).max() < 2, "the bad half is not that Gaussian"
    assert sides == {"left", "right"}, f"it is always the {sides}"


def roll_is_scipys(axis: Axis) -> None:
    rgb = face(96, 96)
    smooth = scipy.ndimage.gaussian_filter(rgb.astype(np.float64), (1.5, 1.5, 0))
    clean = batch(np.rint(smooth).astype(np.uint8))
    for seed in range(4):
        for severity in (0.1, 0.5, 1.0):
            degrees = axis.draw(severity, "image 0", seed, (96, 96))["roll_deg"]
            got = changed(axis, clean, severity, seed)[0]
            # scipy turns the other way for positive angles: counter-clockwise as seen.
            expected = scipy.ndimage.rotate(smooth, -degrees, reshape=False, order=3, mode="mirror")
            inner = slice(20, 76)
            assert np.abs(got - expected)[inner, inner].max() < 4, f"not a turn by {degrees} degrees"
            if abs(degrees) == 90:
                assert (got == np.rot90(to_rgb_arrays(clean)[0], -int(degrees / 90))).all(), (
                    "a right angle is not exact"
                )


def misalignment_is_a_shift(axis: Axis) -> None:
    rgb = pattern(100, 100)
    for seed in range(6):
        for severity in (0.1, 0.5, 1.0):
            record = axis.draw(severity, "image 0", seed, (100, 100))
            x, y = record["shift_x_px"], record["shift_y_px"]
            assert abs(math.hypot(x, y) - axis.value_at(severity)) < 0.75, f"{x}, {y} px are not what was said"
            got = changed(axis, batch(rgb), severity, seed)[0]
            rows, columns = slice(max(0, y), 100 + min(0, y)), slice(max(0, x), 100 + min(0, x))
            expected = np.roll(rgb, (y, x), (0, 1))
            assert (got[rows, columns] == expected[rows, columns]).all(), f"not a shift by {x}, {y} px"


def face_scale_is_pillows(axis: Axis) -> None:
    for size in ((96, 96), (97, 80)):
        rgb = pattern(*size)
        for severity in (0.1, 0.5, 1.0):
            got = changed(axis, batch(rgb), severity)[0]
            share = axis.value_at(severity) / 100
            height, width = (
                axis.draw(severity, "image 0", 0, size)[key] for key in ("face_height_px", "face_width_px")
            )
            assert abs(height - share * size[0]) <= 1, f"{height} px are not {share:.2f} of {size[0]}"
            assert abs(width - share * size[1]) <= 1, f"{width} px are not {share:.2f} of {size[1]}"
            assert (size[0] - height) % 2 == (size[1] - width) % 2 == 0, "the face is off the middle by half a pixel"
            top, left = (size[0] - height) // 2, (size[1] - width) // 2
            expected = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX), dtype=np.float64)
            inner = got[top : top + height, left : left + width]
            # Pillow's box rounds to whole pixels of its input, areas do not; and each has its own 8 bits.
            assert np.abs(inner - expected).mean() < 8, f"the face is not the crop at {share:.2f}"
            assert np.abs(inner.mean() - rgb.mean()) < 3, "light is lost on the way"


def follows_its_map(axis: Axis) -> None:
    """What was at a place is found where ``moved`` says, and the map does not fold."""
    side = 160
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    places = np.array([(62.0, 75.0), (98.0, 75.0), (80.0, 97.0), (70.0, 116.0), (50.0, 60.0), (80.0, 50.0)])
    # Each place has a colour of its own: red grows along x and green along y.
    clean = batch(np.stack([40 + x, 40 + y, 0 * x + 128], axis=2).astype(np.uint8))
    for severity in (0.2, 0.6, 1.0):
        for seed in range(3):
            record = axis.draw(severity, "image 0", seed, (side, side))
            goals = axis.effect.moved(places, record, (side, side))  # type: ignore[attr-defined]
            got = changed(axis, clean, severity, seed)[0] - 40
            for index in (0, 1):
                found = scipy.ndimage.map_coordinates(got[..., index], goals.T[::-1], order=1, mode="nearest")
                seen = ((goals > 0) & (goals < side - 1)).all(axis=1)
                off = np.abs(found - places[:, index])[seen].max()
                # The middle of 10 % of the frame holds its colours in steps of ten.
                assert off < (6 if plain(axis) == "face-scale" else 1.2), f"found {off:.1f} px away at {severity}"
            points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
            grid = axis.effect.moved(points, record, (side, side)).reshape(side, side, 2)  # type: ignore[attr-defined]
            right, down = np.diff(grid, axis=1)[:-1], np.diff(grid, axis=0)[:, :-1]
            turn = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
            assert (turn > 0).all(), f"the map folds at severity {severity}"
            middle = np.full((1, 2), (side - 1) / 2)
            if plain(axis) in ("roll", "face-scale"):
                off = np.abs(axis.effect.moved(middle, record, (side, side)) - middle).max()  # type: ignore[attr-defined]
                assert off < 1e-9, "the middle does not stay where it is"


def head_turn_is_in_degrees(axis: Axis) -> None:
    """The middle of the head goes where a sphere's would, nothing outside the head moves, and mirrors agree."""
    index = 0 if plain(axis) == "yaw" else 1
    key, radius = ("yaw_deg", 0.32) if index == 0 else ("pitch_deg", 0.46)
    side = 400
    for severity in SEVERITIES:
        record = axis.draw(severity, "image 0", 0, (side, side))
        degrees = record[key]
        # Beside the nose for both: high up on the midline for yaw, out on the cheek's level for pitch.
        middle = np.array([[0.5, 0.3]]) if index == 0 else np.array([[0.3, 0.5]])
        chord = math.sqrt(1 - (0.2 / 0.46) ** 2) if index == 0 else math.sqrt(1 - (0.2 / 0.32) ** 2)
        shift = axis.effect.moved(middle * side - 0.5, record, (side, side)) - (middle * side - 0.5)  # type: ignore[attr-defined]
        expected = radius * chord * math.sin(math.radians(degrees)) * side
        assert abs(shift[0, index] - expected) < 1.0, (
            f"{degrees} degrees move by {shift[0, index]:.1f}, not {expected:.1f}"
        )
        assert shift[0, 1 - index] == 0, "the head turns about a tilted axis"
        rgb = pattern(128, 128)
        got = changed(axis, batch(rgb), severity)[0]
        y, x = (np.mgrid[:128, :128] + 0.5) / 128 - 0.5
        outside = (x / 0.33) ** 2 + (y / 0.475) ** 2 > 1
        assert (got == rgb)[outside].all(), "something outside the head moves"
        assert np.abs(got - rgb)[~outside].mean() > 1, "nothing inside the head moves"
        mirror = (slice(None), slice(None, None, -1)) if index == 0 else (slice(None, None, -1), slice(None))
        if index == 0:
            other = axis.applied(batch(rgb[mirror].copy()), [{**record, key: -degrees}])
            assert np.abs(to_rgb_arrays(other)[0][mirror] - got).max() <= 1, "left and right are not mirror images"
    follows_its_map(axis)


def half_drop_is_a_half(axis: Axis) -> None:
    rgb = pattern(128, 128)
    for seed in range(4):
        record = axis.draw(1.0, "image 0", seed, (128, 128))
        side = record["half_drop_side"]
        kept = slice(0, 64) if side == "right" else slice(64, 128)
        assert (changed(axis, batch(rgb), 1.0, seed)[0][:, kept] == rgb[:, kept]).all(), "the other half moves"
        x = 100.0 if side == "right" else 27.0
        # The drop is read off where it arrives: at the middle of the crop it is whole.
        start = np.array([[x, 63.5 - axis.value_at(1.0) / 100 * 128]])
        (end,) = axis.effect.moved(start, record, (128, 128))  # type: ignore[attr-defined]
        assert abs(end[1] - 63.5) < 0.05, f"the half drops by {end[1] - start[0, 1]:.2f} px of 12.8"
    follows_its_map(axis)


def moves_as_said(first: Callable[[Axis], None]) -> Callable[[Axis], None]:
    def law(axis: Axis) -> None:
        first(axis)
        follows_its_map(axis)

    return law


PLACES = {"eyes": (0.5, 0.47), "nose": (0.5, 0.59), "mouth": (0.5, 0.73), "glasses": (0.5, 0.47), "mask": (0.5, 0.74)}
MAGENTA = np.array([255, 3, 251], np.uint8)  # a colour that no occluder has


def masks_cover_what_they_say(axis: Axis, severity: float | None = None, size: tuple[int, int] = (90, 80)) -> None:
    """That share of the face's ellipse to a pixel, at the named place, whatever the image; nothing else changes."""
    height, width = size
    y, x = (np.mgrid[:height, :width] + 0.5) / np.array([height, width])[:, None, None]
    on_face = ((x - 0.5) / 0.27) ** 2 + ((y - 0.55) / 0.36) ** 2 <= 1
    sides = set()
    for seed in range(4):
        for one in SEVERITIES if severity is None else (severity,):
            masks = []
            for clean in (np.full((height, width, 3), MAGENTA), pattern(height, width)):
                masks.append((changed(axis, batch(clean), one, seed)[0] != clean).any(axis=2))
            wanted = axis.value_at(one) / 100
            share = masks[0][on_face].mean()
            assert abs(share - wanted) <= 1 / on_face.sum(), f"{share:.4f} of the face is covered, not {wanted:.4f}"
            assert not (masks[1] & ~masks[0]).any(), "something outside the mask changes"
            pieces = scipy.ndimage.label(masks[0], np.ones((3, 3)))[1]
            several = {"glasses": 5, "hand": 8}.get(plain(axis).removeprefix("occlusion-"), 1)
            assert one < 0.3 or pieces <= several, f"something beside the mask changes: {pieces} pieces"
            assert masks[1].sum() >= 0.97 * masks[0].sum(), "the mask depends on the image"
            if one in (0.1, 0.4) and share > 0:
                weight = masks[0] & on_face
                centre = float(x[weight].mean()), float(y[weight].mean())
                sides.add(centre[0] < 0.5)
                wanted_at = PLACES.get(plain(axis).removeprefix("occlusion-"))
                if wanted_at is not None:
                    assert np.abs(np.subtract(centre, wanted_at)).max() < 0.04, f"it lies at {centre}, not {wanted_at}"
    if severity is None and plain(axis) in ("occlusion-half", "occlusion-hand", "occlusion-bar"):
        record = [axis.draw(0.5, "image 0", seed, size) for seed in range(8)]
        assert len({r["occlusion_side"] for r in record}) == 2, "it always comes from one side"


PHYSICS: Mapping[str, Callable[[Axis], None]] = {
    "blur": blur_is_as_wide_as_said,
    "noise": noise_is_as_loud_as_said,
    "jpeg": jpeg_is_pillows,
    "downscale": downscale_keeps_so_many_pixels,
    "all": diagonal_is_the_papers,
    "motion-blur": motion_is_a_line,
    "double-jpeg": double_jpeg_is_pillows_twice,
    "face-scale": moves_as_said(face_scale_is_pillows),
    "roll": moves_as_said(roll_is_scipys),
    "yaw": head_turn_is_in_degrees,
    "pitch": head_turn_is_in_degrees,
    "misalignment": moves_as_said(misalignment_is_a_shift),
    **{f"occlusion-{shape}": masks_cover_what_they_say for shape in ("eyes", "nose", "mouth", "half", "bar")},
    **{f"occlusion-{shape}": masks_cover_what_they_say for shape in ("glasses", "mask", "hand")},
    "side-light": side_light_is_a_ramp,
    "overexposure": exposure_is_in_stops,
    "underexposure": exposure_is_in_stops,
    "gamma-dark": gamma_is_skimages,
    "gamma-bright": gamma_is_skimages,
    "colour-warm": colour_is_in_stops,
    "colour-cool": colour_is_in_stops,
    "asymmetry-light": half_shadow_is_a_half,
    "asymmetry-detail": half_blur_is_a_half,
    "asymmetry-shape": half_drop_is_a_half,
}
