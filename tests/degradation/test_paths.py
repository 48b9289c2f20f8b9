"""The fast and the tensor path stay within bounds of the exact one; a step alone is the chain with the others off."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench.degrade import fast, load, tensor
from gfpbench.degrade.chain import Chain, Path
from gfpbench.degrade.presets import PAPER, REPORT, UPSTREAM
from gfpbench.images import to_255, to_rgb_arrays
from gfpbench.types import BadInput, Degradation
from tests.degradation import laws_apply
from tests.degradation.image_cases import batch, face, pattern
from tests.degradation.laws_apply import NOTHING

# The tensor path's transforms may move a value by 1e-5 of a level with the size of the batch: bytes are no promise.
LAWS_OF_ALL_PATHS = [law for law in laws_apply.LAWS if law is not laws_apply.other_images_do_not_matter]

PREFIXES: dict[str, str | tuple[str, ...]] = {
    "blur": "blur_",
    "downsample": "downsample_",
    "noise": "noise_",
    "jpeg": "jpeg_",
    "colour": ("shift_", "is_grey", "jitter_", "brightness_", "contrast_", "saturation_", "hue_"),
}


@pytest.mark.parametrize("law", LAWS_OF_ALL_PATHS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("path", ["fast", "tensor"])
def test_law(path: Path, law: Callable[[Degradation], None]) -> None:
    law(UPSTREAM.using(path))


def test_other_images_do_not_matter_on_the_fast_path() -> None:
    laws_apply.other_images_do_not_matter(UPSTREAM.using("fast"))


def _differences(chain: Chain, path: Path, seeds: range, side: int, **steps: Any) -> torch.Tensor:
    """(images, values) absolute differences from the exact path, in levels."""
    clean = batch(face(side, side), pattern(side, side))
    found = []
    for seed in seeds:
        records = [{**chain.draw(name, seed, clean.size), **steps} for name in clean.ids]
        exact, other = (to_255(chain.using(way).apply(clean, records)) for way in ("exact", path))
        found.append((exact - other).abs().flatten(1))
    return torch.cat(found)


@pytest.mark.parametrize("chain", [PAPER, UPSTREAM, REPORT], ids=lambda chain: chain.name)
@pytest.mark.parametrize("path", ["fast", "tensor"])
def test_the_paths_differ_within_their_bounds(path: Path, chain: Chain) -> None:
    difference = _differences(chain, path, range(8), 512)
    assert difference.max() <= 16
    assert difference.mean(1).max() <= 0.05
    assert difference.mean() <= 0.005
    assert (difference > 1).double().mean() <= 1e-3


@pytest.mark.parametrize("path", ["fast", "tensor"])
def test_without_jpeg_the_paths_differ_by_a_level_at_most(path: Path) -> None:
    """What JPEG would magnify is a single rounding in few values."""
    for side in (48, 128):
        difference = _differences(PAPER, path, range(12), side, jpeg_quality=None)
        assert difference.max() <= 1
        assert difference.mean() <= 0.002


def test_images_degraded_in_parts_come_back_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several parts of a batch, sorted by size, some of whose images have no noise, no blur or no JPEG."""
    monkeypatch.setattr(tensor, "_AT_ONCE", 3)
    clean = batch(*[(face, pattern)[number % 2](48 + number, 48)[:48] for number in range(8)])
    records = [PAPER.draw(name, 3, clean.size) for name in clean.ids]
    off = {"noise_std_grey_levels": 0.0, "blur_kernel_size_px": 1, "downsample_ratio": 1}
    for at, (name, value) in enumerate(off.items()):
        records[2 * at] = {**records[2 * at], name: value}
    without_jpeg = [{**record, "jpeg_quality": None} if at % 3 else record for at, record in enumerate(records)]
    for wanted in (records, without_jpeg):
        exact, other = (to_255(PAPER.using(way).apply(clean, wanted)) for way in ("exact", "tensor"))
        assert (exact - other).abs().flatten(1).mean(1).max() <= 0.02
        assert (exact - exact.roll(1, 0)).abs().flatten(1).mean(1).min() > 1, "the images are alike: nothing is tested"


def test_most_images_are_equal_on_the_fast_path() -> None:
    difference = _differences(PAPER, "fast", range(20), 128)
    assert (difference.amax(1) == 0).double().mean() >= 0.8


@pytest.mark.parametrize("step", PREFIXES)
def test_a_step_alone_equals_the_chain_with_the_others_off(step: str) -> None:
    """Same draws and same bytes, so that a test along one axis measures that step of the whole."""
    off: dict[str, Any] = {name: None for name in PREFIXES if name != step}
    alone = replace(UPSTREAM, **off)
    clean = batch(face(96, 96), pattern(96, 96))
    for seed in range(6):
        drawn = [UPSTREAM.draw(name, seed, clean.size) for name in clean.ids]
        single = [alone.draw(name, seed, clean.size) for name in clean.ids]
        for whole, part in zip(drawn, single, strict=True):
            for name in whole:
                if name.startswith(PREFIXES[step]):
                    assert part[name] == whole[name], f"{name} is drawn differently alone"
        kept = [
            {**whole, **{name: part.get(name, NOTHING[name]) for name in NOTHING}}
            for whole, part in zip(drawn, single, strict=True)
        ]
        for one, other in zip(
            to_rgb_arrays(alone.apply(clean, single)), to_rgb_arrays(UPSTREAM.apply(clean, kept)), strict=True
        ):
            assert np.array_equal(one, other)


def test_other_processes_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh worker, whose strings hash differently, draws and degrades as this process does."""
    monkeypatch.setenv("PYTHONHASHSEED", "123")
    clean = batch(face(64, 64), pattern(64, 64))
    records = [UPSTREAM.draw(name, 5, clean.size) for name in clean.ids]
    expected = to_rgb_arrays(UPSTREAM.apply(clean, records))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        draws = [pool.submit(UPSTREAM.draw, name, 5, clean.size) for name in clean.ids]
        assert [future.result() for future in draws] == records
        made = pool.submit(UPSTREAM.apply, clean, records).result()
        assert all((a == b).all() for a, b in zip(to_rgb_arrays(made), expected, strict=True))


@pytest.mark.gpu
@pytest.mark.parametrize("chain", [PAPER, UPSTREAM], ids=lambda chain: chain.name)
def test_a_gpu_makes_the_same_images_within_the_bounds(chain: Chain) -> None:
    clean = batch(face(512, 512), pattern(512, 512))
    for seed in range(8):
        records = [chain.draw(name, seed, clean.size) for name in clean.ids]
        on_gpu = chain.apply(replace(clean, pixels=clean.pixels.cuda()), records)
        assert on_gpu.pixels.is_cuda
        difference = (to_255(on_gpu).cpu() - to_255(chain.apply(clean, records))).abs()
        assert difference.max() <= 16
        assert difference.flatten(1).mean(1).max() <= 0.05


@pytest.mark.parametrize(("name", "path"), [("paper", "fast"), ("report", "fast"), ("upstream", "exact")])
def test_auto_is_fast_on_the_cpu_unless_the_authors_bytes_are_promised(
    name: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = load(name)
    assert isinstance(chain, Chain)
    assert (chain.path_on("cpu"), chain.path_on("cuda"), chain.describe()["path"]) == (path, "tensor", path)
    clean = batch(pattern(96, 96))
    records = [chain.draw(one, 0, clean.size) for one in clean.ids]
    shrunk = fast.blurred_and_downsampled
    monkeypatch.setattr(fast, "blurred_and_downsampled", lambda *given: shrunk(*given) + np.float32(0.1))
    is_exact = torch.equal(chain.apply(clean, records).pixels, chain.using("exact").apply(clean, records).pixels)
    assert is_exact == (path == "exact")


def test_a_name_takes_its_path() -> None:
    for name in ("paper", "upstream", "noise@0.25"):
        for path in ("exact", "fast", "tensor"):
            found = load(f"{name}?path={path}")
            assert (found.name, found.describe()["path"]) == (name, path)
        assert load(f"{name}?path=auto").describe() == load(name).describe()
        rest = {key: value for key, value in load(name).describe().items() if key != "path"}
        assert rest == {key: value for key, value in load(f"{name}?path=tensor").describe().items() if key != "path"}


def test_an_axis_takes_the_path_of_its_name() -> None:
    clean = batch(pattern(96, 96), face(96, 96))
    records = [load("blur@0.2").draw(name, 0, clean.size) for name in clean.ids]
    chain = Chain(name="steps", summary="", source="")
    for path in ("exact", "fast", "tensor"):
        made = load(f"blur@0.2?path={path}").apply(clean, records)
        assert torch.equal(made.pixels, chain.using(path).apply(clean, records).pixels)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("paper?path=quick", r"paper\?path=quick: path=quick cannot be used; give path=auto\|exact\|fast\|tensor"),
        ("paper?way=fast", "there is no option 'way'; there are: path="),
        ("noise@0.25?path=", "cannot be used; give path="),
        ("none?path=fast", r"'none' takes no options"),
        ("papr?path=fast", "no degradation named 'papr': did you mean 'paper'"),
        ("paper?path=fast&path=exact", "degradation .* gives the option 'path' twice"),
    ],
)
def test_a_path_that_there_is_not_is_refused_in_one_line(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        load(name)
    assert "\n" not in str(caught.value)
