"""The outputs of one restorer over a comparison: its answers, failures, scores against the truth, and what ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gfpbench import images
from gfpbench.images import only
from gfpbench.lazy import LazyModule
from gfpbench.parity import ran
from gfpbench.parity.differences import is_eight_bit
from gfpbench.parity.inputs import Inputs
from gfpbench.restorers.checked import attempted, provenance_of
from gfpbench.run.fingerprints import described
from gfpbench.types import BadInput, ImageBatch, Json, Metric, Restorer, Row

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

Answers = Mapping[str, "torch.Tensor"]
"""Outputs by name of the input: (3, H, W) float32 in [0, 1], on the CPU, not rounded."""


@dataclass
class Side:
    """The reference or a candidate, and what is kept of it: rows, counts, and no image.

    Args:
        restorer: as loaded.
        device: where it works.
        rows: of the faces, with scores against the truth.
        eight_bit: every output so far held 8-bit values only.
        products: convolutions and products that torch computed, by device and number type.
        outputs: how many.
        refused: what batches raised of which each input was restored alone.
    """

    restorer: Restorer
    device: str
    rows: list[Row] = field(default_factory=list)
    eight_bit: bool = True
    products: Counter[str] = field(default_factory=Counter)
    outputs: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.restorer.name

    def restored(self, given: ImageBatch) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
        """One call: outputs by name, and why others have none (raised, not finite, out of range)."""
        answers, failures = attempted(self.restorer, images.moved(given, self.device), self.refused)
        found: dict[str, torch.Tensor] = {}
        for name, pixels in answers.items():
            low, high = torch.aminmax(pixels)
            if bool(low >= 0) and bool(high <= 1):  # NaN fails both
                found[name] = pixels.cpu()
            elif bool(torch.isfinite(pixels).all()):
                failures[name] = f"values from {float(low):.4g} to {float(high):.4g}, outside of [0, 1]"
            else:
                failures[name] = "values that are not finite"
        return found, failures

    def taken(self, inputs: Inputs, metrics: Sequence[Metric]) -> tuple[Answers, Mapping[str, str]]:
        """Restore a batch of inputs, score it where there is a truth, and keep its rows."""
        answers, failures = self.restored(inputs.given)
        self.outputs += len(answers)
        if inputs.group == "face":
            self.eight_bit &= all(is_eight_bit(pixels) for pixels in answers.values())
            if inputs.truth is not None:
                self._score(inputs, answers, failures, metrics)
        return answers, failures

    def watch(self, given: ImageBatch) -> None:
        """Restore once more to see what torch computes with; not where torch.compile would see the watcher."""
        if provenance_of(self.restorer).get("compiled"):
            return
        with ran.watched(self.products):
            attempted(self.restorer, images.moved(given, self.device))

    def what_ran(self) -> dict[str, Json]:
        """See ``gfpbench.parity.ran``."""
        return {"device": self.device, **ran.record(self.restorer, self.products, self.outputs)}

    def _score(self, inputs: Inputs, answers: Answers, failures: Mapping[str, str], metrics: Sequence[Metric]) -> None:
        assert inputs.truth is not None
        names = [name for name in inputs.given.ids if name in answers]
        scores: dict[str, dict[str, float]] = {name: {} for name in names}
        looks: dict[str, Json] = {}
        if names:
            restored = images.quantized(ImageBatch(torch.stack([answers[name] for name in names]), tuple(names)))
            looks = described(restored)
            for metric in metrics:
                for name, value in scored(metric, restored, only(inputs.truth, names)).items():
                    scores[name][metric.name] = value
        for name, sha256 in zip(inputs.given.ids, inputs.sha256, strict=True):
            self.rows.append(
                Row(
                    id=name,
                    face_sha256=sha256,
                    size_px=inputs.given.size,
                    attributes={},
                    parameters={},
                    scores={metric.name: scores.get(name, {}).get(metric.name) for metric in metrics},
                    failure=failures.get(name),
                    fingerprint={"restored": looks[name]} if name in looks else {},
                )
            )


def scored(metric: Metric, restored: ImageBatch, truth: ImageBatch) -> dict[str, float]:
    """A metric's values by name; images that it cannot score are left out."""
    if min(truth.size) < metric.minimum_side_px:
        return {}
    try:
        return dict(zip(restored.ids, (float(value) for value in metric(restored, truth)), strict=True))
    except BadInput:
        if len(restored) == 1:
            return {}
        alone = [scored(metric, only(restored, (name,)), only(truth, (name,))) for name in restored.ids]
        return {name: value for one in alone for name, value in one.items()}
