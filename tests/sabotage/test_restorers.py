"""Broken restorers that the check has to refuse, and broken nanos that its laws have to notice."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from gfpbench.images import batch_from_uint8, from_signed, select, to_signed
from gfpbench.restorers import Seen, checked, ignores_input, load
from gfpbench.types import ImageBatch, Json
from tests.unit import test_process_guard
from tests.unit.restorers.gfpgan_laws import module_of
from tests.unit.restorers.repeatable import is_repeatable

Function = Callable[[ImageBatch], object]
Images = Callable[[torch.Tensor], torch.Tensor]


def _images() -> tuple[ImageBatch, ImageBatch]:
    """Four crops of the astronaut (NASA, public domain) around the face, clean and degraded, 128 px."""
    clean: list[Any] = []
    rough: list[Any] = []
    for seed, (top, left, side) in enumerate([(0, 120, 200), (10, 130, 190), (5, 115, 210), (15, 130, 180)]):
        crop = np.ascontiguousarray(data.astronaut()[top : top + side, left : left + side])
        clean.append(cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA))
        small = cv2.resize(cv2.GaussianBlur(clean[-1], (0, 0), 1.5), (32, 32), interpolation=cv2.INTER_LINEAR)
        noise = 12 * np.random.default_rng(seed).standard_normal(small.shape)
        rough.append(cv2.resize(np.clip(small + noise, 0, 255).astype(np.uint8), (128, 128)))
    ids = ("a", "b", "c", "d")
    return batch_from_uint8(clean, ids), batch_from_uint8(rough, ids)


TRUTH, DEGRADED = _images()


class Broken:
    """A restorer made of a function that may return anything."""

    name = "broken"

    def __init__(self, function: Function) -> None:
        self.function = function

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return self.function(degraded)  # type: ignore[return-value]

    def provenance(self) -> Mapping[str, Json]:
        return {}


def honest(batch: ImageBatch) -> ImageBatch:
    """Something that changes every image and keeps them apart."""
    return ImageBatch(batch.pixels.flip(3) * 0.5 + 0.25, batch.ids)


def smuggled(pixels: object, ids: object) -> ImageBatch:
    """An ImageBatch whose own checks were got round."""
    batch = object.__new__(ImageBatch)
    object.__setattr__(batch, "pixels", pixels)
    object.__setattr__(batch, "ids", ids)
    return batch


def with_value(value: float, index: int = 0) -> Function:
    def restore(batch: ImageBatch) -> ImageBatch:
        pixels = honest(batch).pixels
        pixels[min(index, len(pixels) - 1), 1, 5, 5] = value
        return smuggled(pixels, batch.ids)

    return restore


def raises(batch: ImageBatch) -> ImageBatch:
    raise RuntimeError("CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA")


def input_on_error(batch: ImageBatch) -> ImageBatch:
    """As GFPGANer.enhance does."""
    try:
        return raises(batch)
    except RuntimeError:
        return batch


def in_place(batch: ImageBatch) -> ImageBatch:
    batch.pixels.mul_(0.5)
    return ImageBatch(batch.pixels.clone(), batch.ids)


def in_place_one(batch: ImageBatch) -> ImageBatch:
    batch.pixels[0].mul_(0.5)
    return honest(batch)


def overwritten_and_restored(batch: ImageBatch) -> ImageBatch:
    """Returns the very memory it was given, changed."""
    batch.pixels.mul_(0.5)
    return batch


def resized_to(side: int) -> Function:
    size = (side, side)
    return lambda b: ImageBatch(torch.nn.functional.interpolate(b.pixels, size).clamp(0, 1), b.ids)


ALL = set(DEGRADED.ids)
SABOTEURS: dict[str, tuple[Function, str, set[str]]] = {
    # name: what it does, what is said of it, whom it costs
    "raises": (raises, r"^RuntimeError: CUDA error: .* \(sabotage/test_restorers.py:\d+\)$", ALL),
    "raises without a word": (lambda b: (_ for _ in ()).throw(ValueError()), "^ValueError: no message", ALL),
    "asserts": (lambda b: dict[str, int]()["weights"], "^KeyError: 'weights'", ALL),
    "runs out of memory": (lambda b: (_ for _ in ()).throw(MemoryError()), "^MemoryError", ALL),
    "exits": (lambda b: exit(0), "^SystemExit: 0", ALL),
    "exits without a word": (lambda b: os._exit(0), r"^SystemExit: os._exit\(0\)", ALL),
    "recurses": (lambda b: SABOTEURS["recurses"][0](b), "^RecursionError", ALL),
    "returns None": (lambda b: None, "returned NoneType, not an ImageBatch", ALL),
    "returns a tensor": (lambda b: b.pixels * 0.5, "returned Tensor, not an ImageBatch", ALL),
    "returns an array": (lambda b: b.pixels.numpy() / 2, "returned ndarray, not an ImageBatch", ALL),
    "returns a tuple": (lambda b: (honest(b), None), "returned tuple, not an ImageBatch", ALL),
    "uint8": (lambda b: ImageBatch((b.pixels * 127).byte(), b.ids), "float32 tensors, not torch.uint8", ALL),
    "uint8, smuggled": (lambda b: smuggled((b.pixels * 127).byte(), b.ids), "of type torch.uint8, not float32", ALL),
    "half": (lambda b: smuggled(honest(b).pixels.half(), b.ids), "of type torch.float16, not float32", ALL),
    "double": (lambda b: smuggled(honest(b).pixels.double(), b.ids), "of type torch.float64, not float32", ALL),
    "array, smuggled": (
        lambda b: smuggled(b.pixels.numpy(), b.ids),
        "returned pixels of type ndarray, not a tensor of float32",
        ALL,
    ),
    "meta": (lambda b: smuggled(b.pixels.to("meta"), b.ids), "not float32 with values", ALL),
    "0..255": (
        lambda b: ImageBatch(b.pixels * 255, b.ids),
        r"pixels must lie in \[0, 1\].* \(sabotage/test_restorers.py:\d+\)$",  # its own line, not ImageBatch's
        ALL,
    ),
    "0..255, smuggled": (lambda b: smuggled(b.pixels * 200, b.ids), r"outside \[0, 1\]", ALL),
    "[-1, 1]": (lambda b: ImageBatch(b.pixels * 2 - 1, b.ids), r"pixels must lie in \[0, 1\]", ALL),
    "[-1, 1], smuggled": (lambda b: smuggled(b.pixels * 2 - 1, b.ids), r"outside \[0, 1\]", ALL),
    "NaN": (lambda b: ImageBatch(b.pixels * torch.nan, b.ids), "finite", ALL),
    "one NaN": (with_value(torch.nan, 2), "returned 1 of 49152 values that are NaN or infinite", {"c"}),
    "inf": (with_value(torch.inf), "NaN or infinite", {"a"}),
    "-inf": (with_value(-torch.inf), "NaN or infinite", {"a"}),
    "a hair over 1": (with_value(1.001, 3), r"returned values from .* to 1.001, outside \[0, 1\]", {"d"}),
    "twice the size": (resized_to(256), "returned 256 x 256 px for images of 128 x 128 px", ALL),
    "half the size": (resized_to(64), "returned 64 x 64 px for images of 128 x 128 px", ALL),
    "one row short": (lambda b: ImageBatch(b.pixels[:, :, 1:], b.ids), "returned 128 x 127 px", ALL),
    "grey": (lambda b: ImageBatch(b.pixels[:, :1], b.ids), r"an ImageBatch is \(B, 3, H, W\)", ALL),
    "grey, smuggled": (lambda b: smuggled(b.pixels[:, :1], b.ids), r"shape \(4, 1, 128, 128\)", ALL),
    "with alpha": (lambda b: smuggled(b.pixels[:, [0, 1, 2, 0]], b.ids), r"shape \(4, 4, 128, 128\)", ALL),
    "channels last": (lambda b: smuggled(b.pixels.permute(0, 2, 3, 1), b.ids), r"shape \(4, 128, 128, 3\)", ALL),
    "an extra axis": (lambda b: smuggled(honest(b).pixels[None], b.ids), r"shape \(1, 4, 3, 128, 128\)", ALL),
    "no batch axis": (lambda b: smuggled(honest(b).pixels[0], b.ids), r"shape \(3, 128, 128\)", ALL),
    "drops one": (lambda b: ImageBatch(honest(b).pixels[:3], b.ids[:3]), "no image was returned for it", {"d"}),
    "drops one without a word": (lambda b: smuggled(honest(b).pixels[1:], b.ids), r"\(3, .* for 4 names", ALL),
    "drops all": (lambda b: smuggled(b.pixels[:0], ()), "no image was returned for it", ALL),
    "one for all": (lambda b: smuggled(honest(b).pixels[:1], b.ids), r"shape \(1, .* for 4 names", ALL),
    "the same twice": (
        lambda b: smuggled(honest(b).pixels[[0, 0, 1, 2]], tuple(b.ids[i] for i in (0, 0, 1, 2))),
        "in another order, or one of them twice",
        ALL,
    ),
    "one too many": (
        lambda b: ImageBatch(honest(b).pixels[[0, 1, 2, 3, 3]], (*b.ids, "e")),
        "returned an image named 'e', which it was not given",
        ALL,
    ),
    "other names": (
        lambda b: ImageBatch(honest(b).pixels, tuple(f"{name}.png" for name in b.ids)),
        "returned an image named 'a.png', which it was not given",
        ALL,
    ),
    "names in another order": (lambda b: ImageBatch(honest(b).pixels, b.ids[::-1]), "in another order", ALL),
    "its input": (lambda b: b, "returned its input unchanged", ALL),
    "a copy of its input": (lambda b: ImageBatch(b.pixels.clone(), b.ids), "returned its input unchanged", ALL),
    "its input on error": (input_on_error, "returned its input unchanged", ALL),
    "its input, all but": (
        lambda b: ImageBatch((b.pixels * 0.997).clamp(0, 1), b.ids),
        "no value differs by more than 1 of 255 levels",
        ALL,
    ),
    "its input through 8 bits, truncated": (
        lambda b: ImageBatch((b.pixels * 254.99).byte().float() / 255, b.ids),
        "returned its input unchanged",
        ALL,
    ),
    "its input for one": (
        lambda b: ImageBatch(torch.cat([honest(b).pixels[:1], b.pixels[1:2], honest(b).pixels[2:]]), b.ids),
        "returned its input unchanged",
        {"b"},
    ),
    "overwrites its input": (in_place, "overwrote the image it was given", ALL),
    "overwrites and returns its input": (overwritten_and_restored, "overwrote the image it was given", ALL),
    "overwrites one": (in_place_one, "overwrote the image it was given", {"a"}),
    "shrinks its input": (
        lambda b: (b.pixels.resize_(1, 1), honest(DEGRADED))[1],
        "overwrote the image it was given",
        ALL,
    ),
    "a mean face": (
        lambda b: ImageBatch(DEGRADED.pixels.mean(0, keepdim=True).expand(len(b), 3, 128, 128), b.ids),
        "returned the same image as for '[abcd]', whose input is another",
        ALL,
    ),
    "black": (
        lambda b: ImageBatch(torch.zeros_like(b.pixels), b.ids),
        r"^returned an image of one colour \(mostly 0, 0, 0 of 255\): over large areas it varies by 0.0 levels, what",
        ALL,
    ),
    "one colour": (lambda b: ImageBatch(torch.full_like(b.pixels, 0.4), b.ids), "mostly 102, 102, 102 of 255", ALL),
    "the mean colour of each": (
        lambda b: ImageBatch(b.pixels.mean((2, 3), keepdim=True).expand_as(b.pixels), b.ids),
        "returned an image of one colour",
        ALL,
    ),
    "black for one": (
        lambda b: ImageBatch(honest(b).pixels * torch.tensor([name != "c" for name in b.ids]).view(-1, 1, 1, 1), b.ids),
        "returned an image of one colour",
        {"c"},
    ),
    "grain alone": (
        lambda b: ImageBatch(0.4 + 0.1 * torch.rand(b.pixels.shape, generator=torch.Generator().manual_seed(0)), b.ids),
        "returned a nearly empty image",
        ALL,
    ),
    "a ghost of its input": (
        lambda b: ImageBatch(0.5 + 0.05 * honest(b).pixels, b.ids),
        "returned a nearly empty image",
        ALL,
    ),
    "black but for a corner": (
        lambda b: ImageBatch(torch.nn.functional.pad(honest(b).pixels[:, :, :30, :30], (0, 98, 0, 98)), b.ids),
        r"returned a nearly empty image \(mostly 0, 0, 0 of 255\)",
        ALL,
    ),
    "0..255, clamped": (
        lambda b: ImageBatch((b.pixels * 255).clamp(0, 1), b.ids),
        r"returned (a nearly empty|an image of one colour|a saturated image: \d+ % of its values are 0 or 255)",
        ALL,
    ),
    "black and white": (
        lambda b: ImageBatch((b.pixels > b.pixels.mean()).float(), b.ids),
        r"returned a saturated image: \d+ % of its values are 0 or 255",
        ALL,
    ),
    "skips the test": (lambda b: pytest.skip("no GPU today"), r"^Skipped: no GPU today \(", ALL),
    "the image before": (
        lambda b: ImageBatch(honest(b).pixels[[0, 0, 2, 3]], b.ids),
        "returned the same image as for '[ab]'",
        {"a", "b"},
    ),
}


@pytest.mark.parametrize("name", SABOTEURS)
def test_it_is_refused(name: str) -> None:
    function, message, whom = SABOTEURS[name]
    before = DEGRADED.pixels.clone()
    restored, failures = checked(Broken(function), DEGRADED)
    assert set(failures) == whom
    for reason in failures.values():
        assert re.search(message, reason), reason
        assert "\n" not in reason
        assert len(reason) < 400
    kept = () if restored is None else restored.ids
    assert kept == tuple(face_id for face_id in DEGRADED.ids if face_id not in whom)
    if restored is not None:  # what is kept is what an honest restorer gives
        expected = select(honest(DEGRADED), [DEGRADED.ids.index(face_id) for face_id in kept])
        assert torch.equal(restored.pixels, expected.pixels)
    assert torch.equal(DEGRADED.pixels, before)
    json.dumps(failures)


def test_the_honest_one_is_not_refused() -> None:
    restored, failures = checked(Broken(honest), DEGRADED, Seen())
    assert failures == {}
    assert restored is not None
    assert torch.equal(restored.pixels, honest(DEGRADED).pixels)


def test_one_that_raises_now_and_then_costs_only_those_images() -> None:
    calls = []

    def sometimes(batch: ImageBatch) -> ImageBatch:
        calls.append(len(batch))
        if len(calls) in (1, 3):
            raise RuntimeError("now and then")
        return honest(batch)

    restored, failures = checked(Broken(sometimes), DEGRADED)
    assert set(failures) == {"b"}
    assert restored is not None
    assert restored.ids == ("a", "c", "d")


def test_one_that_cannot_describe_itself_may_not_return_its_input() -> None:
    class Silent(Broken):
        def provenance(self) -> Mapping[str, Json]:
            raise AttributeError("weights")

    assert set(checked(Silent(lambda b: b), DEGRADED)[1]) == ALL
    assert checked(Silent(honest), DEGRADED)[1] == {}


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_constant_is_found_whatever_the_batch_size(batch_size: int) -> None:
    constant = Broken(lambda b: ImageBatch(honest(DEGRADED).pixels[:1].expand(len(b), -1, -1, -1), b.ids))
    seen, failed = Seen(), set[str]()
    for start in range(0, 4, batch_size):
        batch = select(DEGRADED, list(range(start, start + batch_size)))
        assert ignores_input(constant, batch)
        failed |= set(checked(constant, batch, seen)[1])
    assert failed >= ALL - {"a"}  # nothing tells the first apart until the second has come; ignores_input does


def test_an_image_behind_is_not_repeatable() -> None:
    previous = [honest(select(DEGRADED, [0])).pixels]

    def late(batch: ImageBatch) -> ImageBatch:
        answer, previous[0] = previous[0], honest(batch).pixels
        return ImageBatch(answer, batch.ids)

    batch = select(DEGRADED, [1])
    restored, failures = checked(Broken(late), batch)
    assert failures == {}  # one look cannot tell
    assert restored is not None
    assert not is_repeatable(Broken(late), batch, restored)
    assert is_repeatable(Broken(honest), batch, ImageBatch(honest(batch).pixels, batch.ids))


# Nano's laws, and nanos that break them


def gain_db(restore: Function) -> float:
    """How much nearer to the truth the restored images are than the degraded ones: mean PSNR, dB."""

    def psnr_db(batch: ImageBatch) -> torch.Tensor:
        return -10 * (batch.pixels - TRUTH.pixels).square().mean((1, 2, 3)).log10()

    restored = restore(DEGRADED)
    assert isinstance(restored, ImageBatch)
    return float((psnr_db(restored) - psnr_db(DEGRADED)).mean())


def altered(before: Images | None = None, after: Images | None = None, **call: bool) -> Function:
    """Nano's network in the authors' code, with something done to its images before or after, or to its call."""
    network = module_of(load("nano?code=authors"))

    def restore(batch: ImageBatch) -> ImageBatch:
        signed = to_signed(batch)
        with torch.no_grad():
            answer = network(before(signed) if before else signed, **{"randomize_noise": False, **call})[0]
        return from_signed(after(answer) if after else answer, batch.ids)

    return restore


def test_nano_restores() -> None:
    assert gain_db(load("nano")) > 0.4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (lambda x: x.flip(1), None),  # BGR in
        (None, lambda x: x.flip(1)),  # BGR out
        (lambda x: (x + 1) / 2, None),  # [0, 1] in
        (None, lambda x: (x + 1) / 2),  # [0, 1] out
        (lambda x: x.flip(2), lambda x: x),  # upside down
        (None, lambda x: x.roll(1, 3)),  # one pixel aside
        (None, lambda x: x.roll(1, 0)),  # somebody else's face
        (None, lambda x: x * 0.9),  # a little flat
    ],
)
def test_a_misused_nano_does_not_restore(before: Images | None, after: Images | None) -> None:
    assert gain_db(altered(before, after)) < 0.4


def test_drawn_noise_is_not_repeatable() -> None:
    noisy = Broken(altered(randomize_noise=True))
    restored = noisy(DEGRADED)
    assert not is_repeatable(noisy, DEGRADED, restored)
    assert is_repeatable(load("nano"), DEGRADED, load("nano")(DEGRADED))


def test_output_that_stays_closed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "dup2", lambda copy, number: None)
    with pytest.raises(OSError, match="Bad file descriptor"):
        test_process_guard.test_a_descriptor_has_its_file_again(tmp_path)
