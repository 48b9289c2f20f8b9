"""Averages, learning rates and checkpoints do what they say, in closed form."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from gfpbench.types import BadInput
from tests.training.laws_learning import LAWS
from training.learning import Average, Schedule, read_whole, save_whole


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_closed_form(law: object) -> None:
    assert callable(law)
    law(Average, Schedule)


def test_an_average_is_a_copy_that_asks_for_no_gradient() -> None:
    network = nn.Linear(2, 2)
    average = Average(network, 0.9)
    assert not any(weight.requires_grad for weight in average.network.parameters())
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_checkpoint_is_whole_or_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_whole(path, {"step": 1})

    def half_written(state: object, file: object) -> None:
        file.write(b"PK")  # type: ignore[attr-defined]
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half_written)
        with pytest.raises(OSError, match="No space"):
            save_whole(path, {"step": 2})
    assert read_whole(path) == {"step": 1}


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"checkpoint.pt is no checkpoint .* delete it to begin again"):
        read_whole(path)
