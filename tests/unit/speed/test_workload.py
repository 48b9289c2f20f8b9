"""What is timed: images never given twice, and a reference that is the same work each time."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from gfpbench.speed.stopwatch import one_thread
from gfpbench.speed.workload import degraded_batch, ever_changing, load_restorer, reference_workload
from gfpbench.types import BadInput, Case


def test_the_reference_is_the_same_work_each_time() -> None:
    with one_thread():
        first, second = reference_workload("cpu")(), reference_workload("cpu")()
        assert torch.get_num_threads() == 1
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert torch.equal(first, second)
    assert 0.1 < float(first.std()) < 10  # neither vanishes nor explodes, which would change how long it takes


def test_no_image_is_given_twice() -> None:
    batch = degraded_batch(Case("embedded", "paper", "input", limit=2), 2)
    seen = {given.pixels.numpy().tobytes() for given in islice(ever_changing(batch), 600)}
    assert len(seen) == 600
    assert batch.pixels.min() >= 0


@pytest.mark.parametrize("name", ["truth", "outputs:somewhere"])
def test_what_restores_nothing_has_no_speed(name: str) -> None:
    with pytest.raises(BadInput, match="has no speed"):
        load_restorer(Case("embedded", "paper", name), "cpu")
