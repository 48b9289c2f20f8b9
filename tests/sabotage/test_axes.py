"""Broken axes that their laws have to catch, and harmless changes that they must not mistake for broken ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gfpbench.degrade import rng
from gfpbench.degrade.axes import (
    Axis,
    asymmetry,
    axis,
    light,
    load_axis,
    occluders,
    occlusion,
    pose,
    strength,
)
from tests.degradation.laws_axes import LAWS, plain, with_effect
from tests.degradation.laws_axes_physics import PHYSICS

Patch = pytest.MonkeyPatch
Broken = Callable[[Patch], Axis]


def hold(broken: Axis) -> None:
    """Every law on one axis."""
    for law in (*LAWS, PHYSICS[plain(broken)]):
        law(broken)


def effect(name: str, **methods: Any) -> Broken:
    return lambda patch: with_effect(load_axis(name), **methods)


def changed(name: str, **fields: Any) -> Broken:
    return lambda patch: replace(load_axis(name), **fields)


def patched(name: str, *targets: tuple[Any, str, Any]) -> Broken:
    def breaks(patch: Patch) -> Axis:
        for owner, attribute, value in targets:
            patch.setattr(owner, attribute, value)
        return load_axis(name)

    return breaks


def drawn(**edits: Callable[[Any], Any]) -> Any:
    """A draw whose record is edited afterwards."""

    def draw(original: Any, value: float, source: Any, size: Any) -> Any:
        record = dict(original(value, source, size))
        return {**record, **{name: edit(record[name]) for name, edit in edits.items()}}

    return draw


def read_as(**edits: Callable[[Any], Any]) -> Any:
    """An apply that reads another value than the record's."""
    return lambda original, bgr, record: original(
        bgr, {**record, **{name: edit(record[name]) for name, edit in edits.items()}}
    )


def in_crop_px(original: Any, value: float, source: Any, size: Any) -> Any:
    return original(value, source, (512, 512))


def shifted_by_one(original: Any, bgr: Any, record: Any) -> Any:
    return np.roll(original(bgr, record), 1, axis=1)


def redrawn_with_severity(original: Any, value: float, source: Any, size: Any) -> Any:
    source.random(int(value * 10))
    return original(value, source, size)


def from_global_generator(original: Any, value: float, source: Any, size: Any) -> Any:
    return original(value, np.random.Generator(np.random.Philox(int(np.random.randint(2**31)))), size)


def first_image_for_all(original: Any, self: Any, batch: Any, parameters: Any) -> Any:
    return original(self, batch, [parameters[0]] * len(batch))


effect_of, truth_of, draw_at = axis.Axis._effect, axis.Axis.truth, axis.AxisDegradation.draw
grid_turned, line, exposed, occluder = pose.turned, strength.line_kernel, light.exposed, occluders.OCCLUDERS


def noise_field_of_severity(self: Any, face_id: str, seed: int, size: Any) -> Any:
    record = dict(draw_at(self, face_id, seed, size))
    return {**record, "noise_key": rng.key(seed, face_id, f"noise field {self.severity}")}


def one_field_for_all(self: Any, face_id: str, seed: int, size: Any) -> Any:
    return {**draw_at(self, face_id, seed, size), "noise_key": "1" * 32}


def shape_at(name: str, levels: Any) -> dict[str, Any]:
    return {**occluder, name: occluders.Occluder(levels, occluder[name].paint)}


def stray_pixel(original: Any, bgr: Any, record: Any) -> Any:
    got = original(bgr, record).copy()
    if record["occlusion_fraction"] > 0.02:
        got[0, 0] = 1 - got[0, 0]
    return got


def swapped_channels(original: Any, bgr: Any, record: Any) -> Any:
    return original(bgr[..., ::-1], record)[..., ::-1]


def clipped_in_encoded(bgr: Any, stops: Any) -> Any:
    return np.clip(bgr * np.exp2(np.asarray(stops, np.float32)), 0, 1)


def no_roll_of_landmarks(original: Any, points: Any, record: Any, size: Any) -> Any:
    return points


def mirrored_frame(original: Any, bgr: Any, record: Any) -> Any:
    """Off the middle by the pixel that an odd difference of sides would leave."""
    return np.roll(original(bgr, record), (1, 1), (0, 1)) if record["face_width_px"] < bgr.shape[1] else bgr


def half_severity_truth(self: Any, clean: Any, severity: float, seed: int) -> Any:
    return truth_of(self, clean, severity / 2, seed)


SABOTAGE: dict[str, Broken] = {
    "severity reversed": changed("noise", harmless=120.0, hardest=0.0),
    "the hardest value is not reached": changed("blur", hardest=20.0),
    "the trained range is another": changed("jpeg", trained_range=(30.0, 100.0)),
    "the ends of a geometric axis swapped": changed("downscale", harmless=32.0, hardest=1.0),
    "a scene whose truth stays clean": changed("occlusion-mask", acts_on="image"),
    "a fault whose truth is changed alike": changed("gamma-dark", acts_on="scene"),
    "severity reversed in the draw": effect("motion-blur", draw=lambda old, v, s, z: old(120 - v, s, z)),
    "a JPEG of quality 100 for none": effect("jpeg", draw=drawn(jpeg_quality=lambda q: q or 100)),
    "the quality off by a few": effect("jpeg", draw=drawn(jpeg_quality=lambda q: q and max(1, q - 8))),
    "blur in px of the crop": effect("blur", draw=in_crop_px),
    "motion in px of the crop": effect("motion-blur", draw=in_crop_px),
    "half blur in px of the crop": effect("asymmetry-detail", draw=in_crop_px),
    "shift in px of 512": effect("misalignment", draw=in_crop_px),
    "noise drawn anew at each severity": patched("noise", (axis.AxisDegradation, "draw", noise_field_of_severity)),
    "one noise field for all faces": patched("noise", (axis.AxisDegradation, "draw", one_field_for_all)),
    "noise twice as loud": effect("noise", draw=drawn(noise_std_grey_levels=lambda std: 2 * std)),
    "noise of variance for deviation": effect("noise", draw=drawn(noise_std_grey_levels=lambda std: std**2 / 60)),
    "direction drawn anew at each severity": effect("motion-blur", draw=redrawn_with_severity),
    "side drawn anew at each severity": effect("yaw", draw=redrawn_with_severity),
    "a global generator": effect("side-light", draw=from_global_generator),
    "one direction for all faces": effect("motion-blur", draw=drawn(motion_angle_rad=lambda angle: 0.5)),
    "always to the same side": effect("roll", draw=drawn(roll_deg=abs)),
    "half a pixel off at severity 0": effect("roll", apply=lambda old, b, r: cv2.blur(b, (1, 2))),
    "one pixel off at severity 0": effect("asymmetry-shape", apply=shifted_by_one),
    "one pixel off at every severity but 0": effect("face-scale", apply=mirrored_frame),
    "the first record for every image": patched(
        "motion-blur", (axis.Axis, "_effect", lambda self, b, p: first_image_for_all(effect_of, self, b, p))
    ),
    "unrounded truth": patched("roll", (axis, "quantized", lambda batch: batch)),
    "truth at another severity": patched("occlusion-bar", (axis.Axis, "truth", half_severity_truth)),
    "a mask that covers half of what it says": effect("occlusion-eyes", draw=drawn(occlusion_fraction=lambda f: f / 2)),
    "a mask that covers a share of the frame": effect(
        "occlusion-nose", apply=read_as(occlusion_fraction=lambda f: f * 1.4)
    ),
    "a mask at another place": patched(
        "occlusion-eyes",
        (occlusion, "OCCLUDERS", shape_at("eyes", occluder["mouth"].levels)),
    ),
    "a mask that wanders": effect(
        "occlusion-bar", apply=lambda old, b, r: old(b, {**r, "occlusion_angle_rad": r["occlusion_fraction"] * 9})
    ),
    "something outside the mask changes": effect("occlusion-nose", apply=stray_pixel),
    "gamma the wrong way": effect("gamma-dark", apply=read_as(gamma=lambda gamma: 1 / gamma)),
    "gamma of the square": effect("gamma-bright", apply=read_as(gamma=lambda gamma: gamma**1.2)),
    "a cast on BGR for RGB": effect("colour-warm", apply=swapped_channels),
    "a cast that is too strong": effect("colour-cool", apply=read_as(red_stops=lambda s: 2 * s)),
    "exposure on encoded values": patched("overexposure", (light, "exposed", clipped_in_encoded)),
    "exposure the wrong way": effect("underexposure", apply=read_as(exposure_stops=lambda s: -s)),
    "a light that raises the other side": patched(
        "side-light", (light, "exposed", lambda bgr, stops: exposed(bgr, stops - stops.min() / 2))
    ),
    "half of the stops": effect("asymmetry-light", apply=read_as(half_shadow_stops=lambda s: s / 2)),
    "the shadow on the other half": effect(
        "asymmetry-light", apply=read_as(half_shadow_side=lambda s: {"left": "right", "right": "left"}[s])
    ),
    "both halves blurred": patched("asymmetry-detail", (asymmetry, "half", lambda bgr, side: np.float32(1))),
    "the roll the other way": effect("roll", apply=read_as(roll_deg=lambda d: -d)),
    "roll in the wrong unit": effect("roll", apply=read_as(roll_deg=lambda d: d * 0.9)),
    "landmarks that stay behind": effect("misalignment", moved=no_roll_of_landmarks),
    "a turn by less than was said": patched(
        "yaw", (pose, "turned", lambda a, c, theta, axis: grid_turned(a, c, 0.8 * theta, axis))
    ),
    "a turn that folds": patched(
        "pitch", (pose, "turned", lambda a, c, theta, axis: grid_turned(a, c, 2.2 * theta, axis))
    ),
    "a turn that moves the background": effect(
        "yaw", apply=lambda old, b, r: old(np.roll(b, int(abs(r["yaw_deg"])) // 9, 1), r)
    ),
    "a line half as long": patched(
        "motion-blur", (strength, "line_kernel", lambda length, angle: line(length / 2, angle))
    ),
    "a line off its middle": patched(
        "motion-blur", (strength, "line_kernel", lambda length, angle: np.roll(line(length, angle), 1, axis=1))
    ),
    "an unshifted second JPEG": effect(
        "double-jpeg", draw=drawn(double_jpeg_grid_shift_x=lambda s: 0, double_jpeg_grid_shift_y=lambda s: 0)
    ),
    "one JPEG for two": effect(
        "double-jpeg",
        apply=lambda old, b, r: old(b, {**r, "double_jpeg_quality": None}) if r["double_jpeg_quality"] else b,
    ),
    "the diagonal without noise": effect("all", draw=drawn(noise_std_grey_levels=lambda std: 0.0)),
    "the diagonal of other ranges": effect("all", draw=drawn(downsample_ratio=lambda r: 1 + (r - 1) * 1.3)),
    "downscaling by the square": effect("downscale", draw=drawn(downsample_ratio=lambda r: r**0.6)),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_broken_axis_is_caught(name: str, monkeypatch: Patch) -> None:
    broken = SABOTAGE[name](monkeypatch)
    with pytest.raises(AssertionError):
        hold(broken)


def other_ties(patch: Patch) -> Axis:
    mouth = occluder["mouth"].levels
    patch.setattr(occlusion, "OCCLUDERS", shape_at("mouth", lambda x, y, r: mouth(x, y, r) * 1.5))
    return load_axis("occlusion-mouth")


HARMLESS: dict[str, Broken] = {
    "another summary": changed("noise", summary="noise"),
    "levels on another scale": other_ties,
    "a finer line": patched("motion-blur", (strength, "_POINTS_PER_PX", 32)),
    "a copy of the image": effect("gamma-dark", apply=lambda old, b, r: old(b.copy(), r)),
    "the other base": lambda patch: load_axis("occlusion-glasses+none"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_is_not(name: str, monkeypatch: Patch) -> None:
    random.seed(1)
    torch.manual_seed(1)
    hold(HARMLESS[name](monkeypatch))
