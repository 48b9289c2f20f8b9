"""What passes the check, what the check costs, and what it leaves alone. Broken restorers are in tests/sabotage."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from gfpbench.images import select
from gfpbench.restorers import Seen, checked, ignores_input, load
from gfpbench.types import ImageBatch, Json
from tests.unit.restorers.repeatable import is_repeatable


class Made:
    """A restorer made of a function, for tests; counts its calls."""

    name = "made"

    def __init__(self, function: Callable[[ImageBatch], ImageBatch], **provenance: Json) -> None:
        self.function, self.record, self.sizes = function, provenance, list[int]()

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        self.sizes.append(len(degraded))
        return self.function(degraded)

    def provenance(self) -> Mapping[str, Json]:
        return self.record


def darker(batch: ImageBatch) -> ImageBatch:
    return ImageBatch(batch.pixels / 2, batch.ids)


@pytest.mark.parametrize("name", ["input", "bicubic", "classical", "nano"])
def test_honest_restorers_pass(name: str, degraded: ImageBatch) -> None:
    restorer = load(name)
    restored, failures = checked(restorer, degraded, Seen())
    assert failures == {}
    assert restored is not None
    assert restored.ids == degraded.ids
    assert torch.equal(restored.pixels, restorer(degraded).pixels)
    assert is_repeatable(restorer, degraded, restored)
    assert not ignores_input(restorer, degraded)


def test_one_bad_image_costs_no_other(degraded: ImageBatch) -> None:
    def picky(batch: ImageBatch) -> ImageBatch:
        if "astronaut~3" in batch.ids:
            raise RuntimeError("no face\nfound")
        return darker(batch)

    restorer = Made(picky)
    restored, failures = checked(restorer, degraded)
    assert restorer.sizes == [8, *[1] * 8]
    assert list(failures) == ["astronaut~3"]
    assert failures["astronaut~3"].startswith("RuntimeError: no face found (restorers/test_checked.py:")
    assert restored is not None
    assert restored.ids == tuple(name for name in degraded.ids if name != "astronaut~3")
    assert torch.equal(restored.pixels, darker(select(degraded, [0, 1, 2, 4, 5, 6, 7])).pixels)


def test_a_batch_that_is_too_large_is_done_in_singles(degraded: ImageBatch) -> None:
    def small_memory(batch: ImageBatch) -> ImageBatch:
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return darker(batch)

    restored, failures = checked(Made(small_memory), degraded)
    assert failures == {}
    assert restored is not None
    assert torch.equal(restored.pixels, darker(degraded).pixels)


@pytest.mark.parametrize("signal", [KeyboardInterrupt, pytest.fail.Exception])
def test_a_person_can_still_stop_it(signal: type[BaseException], degraded: ImageBatch) -> None:
    def stopped(batch: ImageBatch) -> ImageBatch:
        raise signal

    with pytest.raises(signal):
        checked(Made(stopped), degraded)


def test_a_model_cannot_end_the_run(degraded: ImageBatch) -> None:
    def leaves(batch: ImageBatch) -> ImageBatch:
        raise SystemExit(0)

    restored, failures = checked(Made(leaves), degraded)
    assert restored is None
    assert set(failures) == set(degraded.ids)
    assert failures["astronaut~0"].startswith("SystemExit: 0 (")


def test_a_model_is_contained(degraded: ImageBatch, tmp_path: Path) -> None:
    def leaves_at_once(batch: ImageBatch) -> ImageBatch:
        os._exit(0)

    def moves(batch: ImageBatch) -> ImageBatch:
        os.chdir(tmp_path)
        return darker(batch)

    here = Path.cwd()
    restored, failures = checked(Made(leaves_at_once), degraded)
    assert restored is None
    assert failures["astronaut~7"].startswith("SystemExit: os._exit(0) (")
    restored, failures = checked(Made(moves), degraded)
    assert (restored is None, failures, Path.cwd()) == (False, {}, here)


def test_an_exception_without_readable_text_is_still_a_failure(degraded: ImageBatch) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def raising(batch: ImageBatch) -> ImageBatch:
        raise Mute

    restored, failures = checked(Made(raising), degraded)
    assert restored is None
    assert failures["astronaut~0"].startswith("Mute: no message that could be read (")


def test_gradients_and_inference_tensors_are_accepted(degraded: ImageBatch) -> None:
    weight = torch.ones(1, requires_grad=True)

    def asking(batch: ImageBatch) -> ImageBatch:
        with torch.enable_grad():
            return ImageBatch(batch.pixels * weight / 2, batch.ids)

    def inferring(batch: ImageBatch) -> ImageBatch:
        with torch.inference_mode():
            return darker(batch)

    for function in (asking, inferring):
        restored, failures = checked(Made(function), degraded)
        assert failures == {}
        assert restored is not None
        assert not restored.pixels.requires_grad
        restored.pixels.add_(0)  # an inference tensor would refuse this


def test_an_answer_is_kept_though_its_memory_is_used_again(degraded: ImageBatch) -> None:
    buffer = torch.empty_like(degraded.pixels[:1])

    def reusing(batch: ImageBatch) -> ImageBatch:
        buffer.copy_(batch.pixels / 2)
        return ImageBatch(buffer, batch.ids)

    restorer = Made(reusing)
    first, _ = checked(restorer, select(degraded, [0]))
    checked(restorer, select(degraded, [1]))
    assert first is not None
    assert torch.equal(first.pixels, darker(select(degraded, [0])).pixels)


def test_equal_inputs_may_have_equal_answers(degraded: ImageBatch) -> None:
    twins = ImageBatch(degraded.pixels[[0, 0]], ("a", "b"))
    seen = Seen()
    assert checked(Made(darker), twins, seen)[1] == {}
    assert checked(Made(darker), twins, seen)[1] == {}  # and a run that was resumed sees its own images again


def test_it_remembers_across_batches(degraded: ImageBatch) -> None:
    mean = degraded.pixels.mean(0, keepdim=True)
    mean_face = Made(lambda batch: ImageBatch(mean.expand(len(batch), -1, -1, -1), batch.ids))
    seen = Seen()
    checked(mean_face, select(degraded, [0]), seen)
    restored, failures = checked(mean_face, select(degraded, [1]), seen)
    assert restored is None
    assert failures == {"astronaut~1": "returned the same image as for 'astronaut~0', whose input is another"}
    assert ignores_input(mean_face, select(degraded, [0]))


def test_a_restorer_with_memory_is_not_repeatable(degraded: ImageBatch) -> None:
    calls: list[int] = []

    def drifting(batch: ImageBatch) -> ImageBatch:
        calls.append(1)
        return ImageBatch(batch.pixels / (1 + len(calls)), batch.ids)

    def neighbourly(batch: ImageBatch) -> ImageBatch:
        return ImageBatch((batch.pixels - batch.pixels.mean() + 0.5).clamp(0, 1), batch.ids)

    for function in (drifting, neighbourly, lambda b: ImageBatch(torch.rand_like(b.pixels), b.ids)):
        restored, failures = checked(Made(function), degraded)
        assert failures == {}
        assert restored is not None
        assert not is_repeatable(Made(function), degraded, restored)


def test_without_any_image_left_there_is_no_batch(degraded: ImageBatch) -> None:
    restored, failures = checked(Made(lambda batch: batch), degraded)
    assert restored is None
    assert tuple(failures) == degraded.ids
    assert checked(Made(lambda batch: batch, identity=True), degraded)[1] == {}
    assert checked(Made(lambda batch: batch, identity="yes"), degraded)[0] is None  # True, and nothing like it
