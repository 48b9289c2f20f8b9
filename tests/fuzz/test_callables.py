"""Any callable as a restorer: whatever it returns, raises or does, each image is restored as returned or failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from gfpbench.restorers import checked
from gfpbench.types import ImageBatch
from tests.fuzz.outcome import Budget, fuzz, outcome

IDS = ("a", "b", "c")
DEGRADED = torch.rand((3, 3, 32, 32), generator=torch.Generator().manual_seed(0)).mul(255).round().div(255)


def unchecked(pixels: Any, ids: Any) -> ImageBatch:
    """An ImageBatch that was never checked, as code that goes around its rules would make it."""
    made = object.__new__(ImageBatch)
    object.__setattr__(made, "pixels", pixels)
    object.__setattr__(made, "ids", ids)
    return made


def raises(error: BaseException) -> Callable[[ImageBatch], Any]:
    def restore(batch: ImageBatch) -> Any:
        raise error

    return restore


class Strange:
    """An answer whose every attribute raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("\x1b[2J\nno attribute for you")

    def __repr__(self) -> str:
        raise RuntimeError("nor a name")


PIXELS: dict[str, Callable[[torch.Tensor], Any]] = {
    "mirrored": lambda x: x.flip(3),
    "as given": lambda x: x,
    "over by a little": lambda x: x.flip(3) + 1e-6,
    "over": lambda x: x.flip(3) * 2,
    "0..255": lambda x: x.flip(3) * 255,
    "negative": lambda x: -x,
    "NaN in one": lambda x: torch.cat([x[:1] * torch.nan, x[1:].flip(3)]),
    "infinite": lambda x: x.flip(3) / 0,
    "black": lambda x: torch.zeros_like(x),
    "one for all": lambda x: x[:1].flip(3).expand_as(x),
    "half": lambda x: x.flip(3).half(),
    "double": lambda x: x.flip(3).double(),
    "whole numbers": lambda x: (x.flip(3) * 255).to(torch.uint8),
    "complex": lambda x: x.to(torch.complex64),
    "boolean": lambda x: x > 0.5,
    "meta": lambda x: x.to("meta"),
    "sparse": lambda x: x.to_sparse(),
    "smaller": lambda x: x[..., ::2, ::2],
    "larger": lambda x: x.repeat(1, 1, 2, 2),
    "grey": lambda x: x[:, :1],
    "channels last": lambda x: x.permute(0, 2, 3, 1),
    "one too few": lambda x: x[1:].flip(3),
    "one too many": lambda x: torch.cat([x, x[:1]]).flip(3),
    "flat": lambda x: x.flatten(),
    "empty": lambda x: x[:0],
    "array": lambda x: x.flip(3).numpy(),
    "array of objects": lambda x: np.array([object()] * len(x)),
    "list": lambda x: x.tolist(),
    "overwritten input": lambda x: x.mul_(0.5),
    "with gradient": lambda x: x.flip(3).requires_grad_(),
    "None": lambda x: None,
    "text": lambda x: "restored",
    "strange": lambda x: Strange(),
}
NAMES: dict[str, Callable[[tuple[str, ...]], Any]] = {
    "the same": lambda ids: ids,
    "reversed": lambda ids: ids[::-1],
    "others": lambda ids: tuple(f"{name}x" for name in ids),
    "twice": lambda ids: ids[:1] * len(ids),
    "fewer": lambda ids: ids[1:],
    "a list": lambda ids: list(ids),
    "numbers": lambda ids: tuple(range(len(ids))),
    "None": lambda ids: None,
}
ERRORS: tuple[BaseException, ...] = (
    RuntimeError("out of paint"), ValueError(), KeyError("x"), MemoryError(), RecursionError("deep"), SystemExit(0),
    OSError(28, "No space left on device"), AssertionError("\x1b[2J\nline\nline"), StopIteration(), UnicodeDecodeError(
        "utf-8", b"\xff", 0, 1, "bad"
    ), Exception("a" * 100_000), torch.OutOfMemoryError("CUDA out of memory"),
)  # fmt: skip
CLOTHES = ("ImageBatch", "unchecked", "bare", "tuple", "dict")


@st.composite
def restorers(draw: st.DrawFn) -> tuple[str, Callable[[ImageBatch], Any]]:
    """A callable with its description: what it returns, under which names, in what form; what it raises, and when."""
    pixels, names = draw(st.sampled_from(list(PIXELS))), draw(st.sampled_from(list(NAMES)))
    form = draw(st.sampled_from(CLOTHES))
    error = draw(st.none() | st.sampled_from(range(len(ERRORS))))
    only = draw(st.sampled_from(["always", "for b", "in a batch"]))

    def restore(batch: ImageBatch) -> Any:
        due = {"always": True, "for b": "b" in batch.ids, "in a batch": len(batch) > 1}[only]
        if error is not None and due:
            raise ERRORS[error]
        made, ids = PIXELS[pixels](batch.pixels), NAMES[names](batch.ids)
        if form == "ImageBatch":
            return ImageBatch(made, ids)
        if form == "unchecked":
            return unchecked(made, ids)
        return {"bare": made, "tuple": (made, ids), "dict": {"pixels": made, "ids": ids}}[form]

    said = f"{form} of {pixels} as {names}" + ("" if error is None else f", raising {type(ERRORS[error])} {only}")
    return said, restore


class Named:
    def __init__(self, call: Callable[[ImageBatch], Any]) -> None:
        self.call, self.name = call, "fuzzed"
        self.returned: dict[str, torch.Tensor] = {}

    def __call__(self, degraded: ImageBatch) -> Any:
        answer = self.call(degraded)
        if (
            type(answer) is ImageBatch
            and isinstance(answer.pixels, torch.Tensor)
            and isinstance(answer.ids, tuple | list)
        ):
            if answer.pixels.is_meta or answer.pixels.layout is not torch.strided or not answer.pixels.ndim:
                return answer
            self.returned |= dict(zip(answer.ids, answer.pixels.detach().clone(), strict=False))
        return answer

    def provenance(self) -> dict[str, Any]:
        return {}


def test_whatever_a_callable_does() -> None:
    def one(given: tuple[str, Callable[[ImageBatch], Any]], budget: Budget) -> None:
        degraded = ImageBatch(DEGRADED.clone(), IDS)
        restorer = Named(given[1])
        found = outcome(lambda: checked(restorer, degraded), budget)
        assert found is not None, "the run was refused for what one restorer did"
        restored, failures = found
        kept = () if restored is None else restored.ids
        assert sorted([*kept, *failures]) == list(IDS), "an image is in neither list, or in both"
        assert torch.equal(degraded.pixels, DEGRADED), "the restorer changed what it was given"
        for reason in failures.values():
            assert reason
            assert "\n" not in reason
            assert len(reason) < 2000
        if restored is not None:
            assert bool(torch.isfinite(restored.pixels).all())
            assert 0 <= float(restored.pixels.min()) <= float(restored.pixels.max()) <= 1
            for name, pixels in zip(restored.ids, restored.pixels, strict=True):
                assert torch.equal(pixels, restorer.returned[name].float()), "scored is another image than was returned"

    fuzz(restorers(), one)


def test_a_good_one_is_kept() -> None:
    restored, failures = checked(
        Named(lambda batch: ImageBatch(batch.pixels.flip(3), batch.ids)), ImageBatch(DEGRADED, IDS)
    )
    assert failures == {}
    assert restored is not None
    assert restored.ids == IDS
