"""How far a reference's outputs may move by arithmetic alone, for each precision: measured on the reference itself.

A bound is derived, not chosen. The reference restores a few of the inputs again with every sum computed otherwise: in
float64, which shows its own rounding error e, or, for a candidate of lower precision, with the factors and results of
every convolution and product rounded to that precision, which shows the error e_p that this precision has in this
network on these images. Two computations that err by e and e_p lie at most e + e_p apart; twice that is allowed
(``SAFETY``), because a few images were measured and not all. Rounding the result itself to the precision is the least
that is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gfpbench import images
from gfpbench.baselines.comparison import SAFETY
from gfpbench.lazy import LazyModule
from gfpbench.parity.record import Bound
from gfpbench.restorers.checked import attempted
from gfpbench.types import ImageBatch, Restorer

if TYPE_CHECKING:
    import torch

    from gfpbench.restorers import arithmetic
else:
    torch, arithmetic = LazyModule("torch"), LazyModule("gfpbench.restorers.arithmetic")

UNIT_ROUNDOFF: Mapping[str, float] = {
    "fp64": 2.0**-53,
    "fp32": 2.0**-24,
    "tf32": 2.0**-11,
    "fp16": 2.0**-11,
    "bf16": 2.0**-8,
    "int8": 1 / 254,
}
"""The largest relative error of rounding to each: half a unit in the last of 53, 24, 11, 11, 8 significant bits (IEEE
754; bfloat16 has 8); int8 has 127 steps up to the largest value of a tensor, and errs by half a step."""

ORDER = ("fp64", "fp32", "tf32", "fp16", "bf16", "int8")
"""From the finest to the coarsest."""

PRODUCTS = frozenset(
    ("conv1d", "conv2d", "conv_transpose2d", "linear", "matmul", "__matmul__", "bmm", "addmm", "baddbmm", "einsum")
)
_HALF_LARGEST = 65504.0


class Bounds:
    """The bounds of one reference on some of its inputs.

    Args:
        reference: restores.
        groups: for each group the inputs to measure on, and the answers that the reference gave to them.
        device: where it works.
    """

    def __init__(
        self, reference: Restorer, groups: Mapping[str, tuple[ImageBatch, Mapping[str, torch.Tensor]]], device: str
    ) -> None:
        self.reference, self.groups, self.device = reference, groups, device
        self._inputs = dict(groups)
        self._more: dict[str, list[str]] = {group: [] for group in groups}
        self._errors: dict[tuple[str, str], tuple[float, float, str]] = {}

    def of(self, precision: str) -> dict[str, Bound]:
        """The bound of each group, measured at the first call for a precision.

        What faces may differ by, other inputs may too: one input was measured of those.
        """
        found = {group: self._bound(group, precision) for group in self.groups}
        if "face" in found and "other" in found:
            face, other = found["face"], found["other"]
            found["other"] = replace(
                other,
                max_levels=max(face.max_levels, other.max_levels),
                mean_levels=max(face.mean_levels, other.mean_levels),
            )
        return found

    def also_on(self, group: str, name: str, given: torch.Tensor, answer: torch.Tensor) -> None:
        """Measure the error on one more input of a group: (3, H, W) as it was given, and the reference's output."""
        if name not in self._inputs:
            self._inputs[name] = ImageBatch(given[None], (name,)), {name: answer}
            self._more[group].append(name)

    def _bound(self, group: str, precision: str) -> Bound:
        own = self._error(group, "fp32")
        its = own if precision in ("fp32", "fp64") else self._error(group, precision)
        least = 255 * UNIT_ROUNDOFF[precision]
        return Bound(
            precision=precision,
            unit_roundoff=UNIT_ROUNDOFF[precision],
            max_levels=SAFETY * max(own[0] + its[0], least),
            # The mean of a rounding error of at most u is u / 2.
            mean_levels=SAFETY * max(own[1] + its[1], least / 2),
            how=f"{SAFETY:g} x (error of the reference in fp32 + error in {precision}): {its[2]}; "
            f"at least {SAFETY:g} x 255 x {UNIT_ROUNDOFF[precision]:.3g}, the rounding of the result",
        )

    def _error(self, group: str, precision: str) -> tuple[float, float, str]:
        """Largest and mean difference in grey levels, and how it was measured."""
        found = [self._once(key, precision) for key in (group, *self._more[group])]
        more = f", and {', '.join(self._more[group])}" if self._more[group] else ""
        return max(one[0] for one in found), max(one[1] for one in found), found[0][2] + more

    def _once(self, key: str, precision: str) -> tuple[float, float, str]:
        if (key, precision) not in self._errors:
            self._errors[key, precision] = self._measured(key, precision)
        return self._errors[key, precision]

    def _measured(self, key: str, precision: str) -> tuple[float, float, str]:
        given, answers = self._inputs[key]
        if precision == "fp32":
            otherwise = arithmetic.in_float64()
            said = f"{len(given)} inputs with every sum in float64"
        else:
            otherwise = arithmetic.Otherwise(_products_rounded(precision))
            said = f"{len(given)} inputs with factors and results of every product rounded to {precision}"
        apart = self._again(given, answers, [lambda: otherwise])
        if otherwise.count and apart is not None:  # None: a device that has no float64
            return *apart, said
        if precision == "fp32" and self.reference.provenance().get("architecture") == "ONNX":
            ways = [lambda way=way: arithmetic.computed(way) for way in arithmetic.IN_ONNXRUNTIME]
            return *(self._again(given, answers, ways) or (0.0, 0.0)), "the graph as it is written, and on one thread"
        if precision != "fp32" and self.reference.provenance().get("architecture") == "ONNX":
            # To first order an error is proportional to the unit roundoff (Higham 2002, section 3.1).
            times = UNIT_ROUNDOFF[precision] / UNIT_ROUNDOFF["fp32"]
            own = self._once(key, "fp32")
            return own[0] * times, own[1] * times, f"that of fp32 x {times:g}, the ratio of the unit roundoffs"
        rounded = ImageBatch(_jittered(given.pixels, UNIT_ROUNDOFF[precision]), given.ids)
        moved = self._again(rounded, answers, [nullcontext]) or (0.0, 0.0)
        return *moved, f"its answer to inputs off by {precision}'s roundoff"

    def _again(
        self, given: ImageBatch, answers: Mapping[str, torch.Tensor], ways: Sequence[Callable[[], Any]]
    ) -> tuple[float, float] | None:
        """Largest and mean difference over these ways; None where one of them restores nothing."""
        most, mean = 0.0, 0.0
        for way in ways:
            with way():
                found, _ = attempted(self.reference, images.moved(given, self.device))
            if not found:
                return None
            for name, pixels in found.items():
                apart = 255 * (pixels.cpu() - answers[name]).abs().double()
                most, mean = max(most, float(apart.max())), max(mean, float(apart.mean()))
        return most, mean


def quantized_slack(bound: Bound, how_many: int, values: int) -> tuple[float, float]:
    """What 8-bit outputs add to a bound, (largest, mean) in grey levels.

    A value that lies near the middle between two levels falls to either side: where both outputs are rounded, a
    difference d of the unrounded ones becomes a whole level in a share d of the values, the same mean, with the scatter
    of a count. Where one of the two is rounded, it is half a level off at most, a quarter in the mean.

    Args:
        how_many: of the two outputs are 8-bit: 0, 1 or 2.
        values: of one image.
    """
    if how_many == 2:
        return 1.0, 4 * math.sqrt(bound.mean_levels / values) + 4 / values
    return (0.5, 0.26) if how_many else (0.0, 0.0)


def _jittered(pixels: torch.Tensor, by: float) -> torch.Tensor:
    seeded = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, pixels.shape, generator=seeded).to(pixels.dtype) * 2 - 1
    return (pixels * (1 + by * signs.to(pixels.device))).clamp(0, 1)


def _products_rounded(precision: str) -> Callable[..., Any]:
    """For ``arithmetic.Otherwise``: products with their factors rounded, and, but for int8, every result too."""

    def change(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        product = getattr(func, "__name__", "") in PRODUCTS
        if not product and precision in ("int8", "tf32"):
            return func(*args, **kwargs)

        def rounded(value: Any) -> Any:
            if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
                return rounded_to(value, precision)
            if isinstance(value, tuple | list):
                return type(value)(rounded(item) for item in value)
            return value

        answer = func(*rounded(args), **{name: rounded(value) for name, value in kwargs.items()})
        return rounded(answer) if precision in ("fp16", "bf16") else answer

    return change


def rounded_to(values: torch.Tensor, precision: str) -> torch.Tensor:
    """float32 values with what a precision leaves of them, in float32 again. Its range is not emulated: fp16's largest
    number stands for everything beyond, since an overflow is a fault and no arithmetic."""
    if precision == "bf16":
        return values.bfloat16().float()
    if precision == "fp16":
        return values.clamp(-_HALF_LARGEST, _HALF_LARGEST).half().float()
    if precision == "tf32":  # 10 bits of the fraction, to nearest
        return ((values.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)
    if precision == "int8":
        step = values.abs().max().clamp_min(1e-12) / 127
        return (values / step).round() * step
    return values
