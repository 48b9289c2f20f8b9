"""The base of per-image metrics: the stated convention, the shared input checks, and the score function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from gfpbench.images import moved
from gfpbench.lazy import LazyModule
from gfpbench.metrics.figure_identity import own_identity
from gfpbench.types import BadInput, Better, ImageBatch, Json, Metric

if TYPE_CHECKING:
    import torch

    from gfpbench.decode.point_lists import PointList
else:
    torch = LazyModule("torch")


VS_INPUT = "_vs_input"
"""How the name of a metric ends that compares with the degraded input."""


@dataclass(frozen=True, slots=True, eq=False)
class PerImageMetric:
    """A number for each image, under one fixed convention (see ``gfpbench.types.Metric`` for the contract).

    Args:
        name: with its convention: ``psnr_rgb``, never ``psnr``.
        unit: ``"dB"``, or ``""`` where there is none.
        better: ``"higher"`` or ``"lower"``.
        best: its value on equal images; None for a no-reference metric.
        tolerance: a difference below this is the same.
        tolerance_reason: why.
        minimum_side_px: the shorter side below which the metric is undefined.
        needs_truth: False for a no-reference metric, which never looks at ``truth``.
        needs_input: True where ``truth`` has to be the degraded input (``against_input``).
        source: paper and equation, or repository at a commit.
        score: the arithmetic: two checked batches on one device to (B,) float64. Never called with anything else.
        by_points: of a metric that aligns faces: the same by a list of five points; None for any other.
        definition: raised whenever the same images would score otherwise, by more than the tolerance.
        computed_by: the identity of a metric that another package or a list of points takes part in; else None.
    """

    name: str
    unit: str
    better: Better
    best: float | None
    tolerance: float
    tolerance_reason: str
    minimum_side_px: int
    needs_truth: bool
    source: str
    score: Callable[[ImageBatch, ImageBatch], torch.Tensor]
    needs_input: bool = False
    by_points: Callable[[PointList], PerImageMetric] | None = None
    definition: int = 1
    computed_by: Callable[[], Mapping[str, Json]] | None = None

    def identity(self) -> Mapping[str, Json]:
        """What its figures are computed by (``figure_identity``)."""
        return own_identity(self.name, self.definition) if self.computed_by is None else self.computed_by()

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        """Score each image: (B,) float64 on the CPU, in the order of ``restored.ids``. ``inf`` allowed, NaN never.

        Raises:
            BadInput: where the batches are not pairs (other ids, another order, another size), where a side is
                shorter than ``minimum_side_px``, and where the metric is undefined for an image.
            TypeError: where ``score`` returns anything but one real number for each image.
        """
        if self.needs_truth or self.needs_input:
            check_pairs(self.name, restored, truth)
        if min(restored.size) < self.minimum_side_px:
            height, width = restored.size
            raise BadInput(
                f"{self.name} is undefined below {self.minimum_side_px} px on the shorter side; "
                f"these images are {height} x {width} px: use larger ones or leave {self.name} out"
            )
        with torch.no_grad():
            looked_at = self.needs_truth or self.needs_input
            values = self.score(restored, moved(truth, restored.pixels.device) if looked_at else truth)
        if not isinstance(values, torch.Tensor) or values.shape != (len(restored),) or values.is_complex():
            got = f"{tuple(values.shape)} {values.dtype}" if isinstance(values, torch.Tensor) else type(values).__name__
            raise TypeError(f"its score returned {got}, not ({len(restored)},) real numbers, one for each image")
        values = values.to("cpu", torch.float64)
        undefined = [name for name, value in zip(restored.ids, values.tolist(), strict=True) if value != value]
        if undefined:
            raise BadInput(
                f"{self.name} is undefined (not a number) for {', '.join(undefined)}: leave these images out"
            )
        return values


def against_input(metric: PerImageMetric) -> PerImageMetric:
    """The same arithmetic between the restored image and the degraded input, under a name that says so.

    Its numbers compare with no published one: an input that is hard to recognise lowers them for every restorer, and
    the input returned as it is has the best of all. Its messages speak of the input where the metric's own name the
    truth.
    """
    name = f"{metric.name}{VS_INPUT}"

    def score(restored: ImageBatch, degraded: ImageBatch) -> torch.Tensor:
        try:
            return metric.score(restored, degraded)
        except BadInput as error:
            said = str(error).replace("the true image", "the input").removeprefix(f"{metric.name}: ")
            raise BadInput(f"{name}: {said}") from error

    return replace(
        metric,
        name=name,
        needs_truth=False,
        needs_input=True,
        source=f"{metric.source}; against the degraded input in place of the truth",
        score=score,
    )


def aligned_by(metric: Metric, points: PointList | None) -> Metric:
    """The metric with faces aligned by a list of five points; the metric itself where there is none, or no aligning."""
    if points is None or not isinstance(metric, PerImageMetric) or metric.by_points is None:
        return metric
    listed = metric.by_points(points)
    return cast("Metric", against_input(listed) if metric.needs_input else listed)


def check_pairs(metric: str, restored: ImageBatch, truth: ImageBatch) -> None:
    """Pairs match by name. Raises BadInput naming the first difference; nothing is ever reordered or dropped."""
    if restored.ids != truth.ids:
        missing = [name for name in truth.ids if name not in restored.ids]
        extra = [name for name in restored.ids if name not in truth.ids]
        parts = [f"missing from restored: {', '.join(missing)}"] if missing else []
        parts += [f"not in truth: {', '.join(extra)}"] if extra else []
        if not parts:
            pairs = zip(restored.ids, truth.ids, strict=True)
            position, (ours, theirs) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
            parts = [f"position {position} holds {ours!r} in restored and {theirs!r} in truth"]
        raise BadInput(f"{metric} compares images of one name, in one order: {'; '.join(parts)}")
    if restored.size != truth.size:
        ours_px, theirs_px = (" x ".join(map(str, batch.size)) for batch in (restored, truth))
        raise BadInput(
            f"{metric} compares images of one size: restored is {ours_px} px and truth {theirs_px} px "
            f"(first image {restored.ids[0]!r}): resize one of them first"
        )


def image_by_image(score: Callable[..., torch.Tensor], *views: torch.Tensor) -> torch.Tensor:
    """Apply ``score`` to one image at a time: (C, H, W) each to a scalar, stacked to (B,).

    One image's planes stay in the processor's cache, and a value cannot depend on the images beside it:
    whatever the batch size and order, the bits are the same.
    """
    return torch.stack([score(*(plane.contiguous() for plane in planes)) for planes in zip(*views, strict=True)])


def mean_of(plane: torch.Tensor) -> torch.Tensor:
    """Mean over all elements, summed row by row so that the number of threads cannot change the order of additions."""
    return plane.flatten(0, -2).sum(-1).sum() / plane.numel()


def means_of_four(plane: torch.Tensor) -> torch.Tensor:
    """Means of 2 x 2 pixels of an (H, W) plane with even sides. Torch's float64 pooling takes five times as long."""
    rows = plane[0::2] + plane[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]).mul_(0.25)
