"""Which deviations are searched, over which inputs, and the sentences that state what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import ROUND_UP, Context, Decimal, localcontext
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.bounds import of_degradation, of_metrics
from tests.bounds.scenes import DRAWN, PHOTOGRAPHS, Scene, scenes, sides

FOUND = Path(__file__).with_name("found.json")
PATHS = ("fast", "tensor")


@dataclass(frozen=True, slots=True)
class Search:
    """One population of inputs, and everything that is measured of each.

    Args:
        samples: the inputs.
        measured: an input -> deviations by name, in the units of the sentences; None where one is undefined.
        bounds: deviation -> what none may exceed.
        read: an input of what found.json holds of it.
        says: file -> sentences in it; ``{examples}`` is how many inputs were tried, ``{bound[NAME]}`` the bound of a
            deviation and ``{worst[NAME]}`` the worst found, rounded up to two digits.
    """

    samples: st.SearchStrategy[Any]
    measured: Callable[[Any], dict[str, float | None]]
    bounds: Mapping[str, float]
    read: Callable[[Mapping[str, Any]], Any]
    says: Mapping[str, tuple[str, ...]]


def _scene(stored: Mapping[str, Any]) -> Scene:
    return Scene(**stored)


def _drawn(stored: Mapping[str, Any]) -> of_degradation.Drawn:
    return of_degradation.Drawn(**{**stored, "scene": _scene(stored["scene"])})


def _restored(stored: Mapping[str, Any]) -> of_metrics.Restored:
    return of_metrics.Restored(**{**stored, "scene": _scene(stored["scene"])})


CHAIN, FAST, TENSOR = (f"gfpbench/degrade/{name}.py" for name in ("chain", "fast", "tensor"))
PSNR, SSIM, GMSD, MS_SSIM, NIQE, PIQE = (
    f"gfpbench/metrics/{name}.py" for name in ("psnr", "ssim", "gmsd", "ms_ssim", "niqe", "piqe")
)
_SAME_GREY = "pyiqa, our grey and a window in double precision"
_SAME_LUMA = "basicsr, the same luma and halved image"
_IN_PHOTOGRAPHS = "in the worst of {examples} photographs searched for it"
SEARCHES: dict[str, Search] = {
    "fast": Search(
        of_degradation.samples(),
        partial(of_degradation.measured, path="fast"),
        {"before JPEG": 5e-4, "tipped": 1e5, "elsewhere": 0, "levels": 64, "mean": 2},
        _drawn,
        {
            CHAIN: (
                "Before JPEG within {bound[before JPEG]} of a grey level of ``exact``.",
                "Worst of {examples} images searched for it",
                "{worst[before JPEG]} levels before JPEG, {worst[levels]} after it, {worst[mean]} in the mean",
            ),
            FAST: ("up to {bound[before JPEG]} of a grey level",),
        },
    ),
    "tensor": Search(
        of_degradation.samples(),
        partial(of_degradation.measured, path="tensor"),
        {"before JPEG": 5e-4, "tipped": 1e5, "elsewhere": 1, "levels": 64, "mean": 2},
        _drawn,
        {
            CHAIN: (
                "Before JPEG within {bound[before JPEG]} of a grey level as well",
                "outside of such blocks within {bound[elsewhere]}.",
                "Worst of {examples}: {worst[before JPEG]} levels before JPEG",
                "{worst[levels]} after it, {worst[mean]} in",
            ),
            TENSOR: ("up to {bound[before JPEG]} of a grey level",),
        },
    ),
    "piqe": Search(
        of_metrics.piqe_samples(),
        of_metrics.piqe,
        {"pyiqa": 50, _SAME_GREY: 1e-6},
        _scene,
        {
            PIQE: (
                f"Within {{bound[{_SAME_GREY}]}} of pyiqa's ``piqe`` given the same grey image",
                f"worst of {{examples}} images of 64 to 384 px (``tests/bounds``): {{worst[{_SAME_GREY}]}}.",
                "by up to {worst[pyiqa]} in those images",
            )
        },
    ),
    "niqe": Search(
        of_metrics.niqe_samples(PHOTOGRAPHS),
        of_metrics.niqe,
        {"basicsr": 0.2, _SAME_LUMA: 0.01},
        _scene,
        {
            NIQE: (
                "Worst of {examples} crops of photographs searched for it",
                f"{{worst[basicsr]}} from basicsr, and {{worst[{_SAME_LUMA}]}} given the same rounded luma",
            )
        },
    ),
    "niqe-drawn": Search(
        of_metrics.niqe_samples(DRAWN),
        of_metrics.niqe,
        {"basicsr": 10, _SAME_LUMA: 0.1},
        _scene,
        {NIQE: (f"worst of {{examples}} drawn images, {{worst[basicsr]}} and {{worst[{_SAME_LUMA}]}}.",)},
    ),
    "ssim": Search(
        scenes(sides(33, 300), sides(33, 300)),
        of_metrics.ssim_windows,
        {"ssim": 1e-12},
        _scene,
        {
            SSIM: (
                "agree within {bound[ssim]} of SSIM",
                "worst of {examples} images searched for it (``tests/bounds``): {worst[ssim]}.",
            )
        },
    ),
    "tipped": Search(
        of_metrics.tipped_samples(),
        of_metrics.tipped,
        {
            "psnr_rgb": 0.2,
            "psnr_y": 0.2,
            "ssim_rgb": 2e-4,
            "ssim_y": 2e-4,
            "gmsd": 2e-4,
            "ms_ssim": 1e-4,
            "niqe": 1.0,
            "piqe": 50.0,
        },
        _restored,
        {
            PSNR: (f"{{worst[psnr_rgb]}} {_IN_PHOTOGRAPHS}",),
            SSIM: (f"{{worst[ssim_y]}} {_IN_PHOTOGRAPHS}",),
            GMSD: (f"{{worst[gmsd]}} {_IN_PHOTOGRAPHS}",),
            MS_SSIM: (f"{{worst[ms_ssim]}} {_IN_PHOTOGRAPHS}",),
            NIQE: (f"{{worst[niqe]}} {_IN_PHOTOGRAPHS}",),
            PIQE: (f"{{worst[piqe]}} {_IN_PHOTOGRAPHS}",),
        },
    ),
}


def stored() -> dict[str, Any]:
    """What found.json holds: search -> inputs by seed, and for each deviation the worst found with its input."""
    return dict(json.loads(FOUND.read_text())) if FOUND.exists() else {}


def rounded_up(value: float) -> str:
    """Two digits, no lower than the value: 0.000213 is "0.00022"."""
    if value == 0:
        return "0"
    with localcontext(Context(prec=2, rounding=ROUND_UP)):
        return f"{float(+Decimal(value)):g}"


def sentences(name: str, found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """File and sentence, with the numbers of what was found."""
    worst = {deviation: rounded_up(one["value"]) for deviation, one in found["worst"].items()}
    bound = {deviation: f"{value:g}" for deviation, value in SEARCHES[name].bounds.items()}
    return [
        (file, said.format(examples=f"{sum(found['seeds'].values()):,}", bound=bound, worst=worst))
        for file, all_said in SEARCHES[name].says.items()
        for said in all_said
    ]


def plain(sample: Any) -> dict[str, Any]:
    """An input as JSON holds it."""
    return asdict(sample)
