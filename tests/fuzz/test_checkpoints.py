"""Weights from anywhere: damaged, hostile or strange files give tensors or one line, and no code of theirs runs."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from safetensors.torch import save as save_safetensors

from gfpbench import assets
from gfpbench.restorers import load
from gfpbench.restorers.checkpoint_file import find_weights
from tests.fuzz import mutations
from tests.fuzz.outcome import Budget, fuzz, outcome

WEIGHTS = OrderedDict(
    {"conv.weight": torch.arange(54, dtype=torch.float32).reshape(2, 3, 3, 3) / 54, "conv.bias": torch.zeros(2)}
)


def saved(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, mu=np.zeros(4), sigma=np.eye(4))
    return file.getvalue()


CHECKPOINTS = {
    "safetensors": save_safetensors(dict(WEIGHTS)),
    "torch.save": saved(WEIGHTS),
    "torch.save of old": saved(WEIGHTS, _use_new_zipfile_serialization=False),
    "nested": saved({"params_ema": WEIGHTS, "epoch": 3}),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_damaged_checkpoints(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "weights.pth"
    through(path, mutations.damaged([CHECKPOINTS[kind]]))


def through(path: Path, files: st.SearchStrategy[bytes]) -> None:
    def one(data: bytes, budget: Budget) -> None:
        path.write_bytes(data)
        found = outcome(lambda: find_weights(path), budget)
        for tensor in {} if found is None else found.weights.values():
            assert isinstance(tensor, torch.Tensor)
            assert bool(torch.isfinite(tensor).all()), "weights that are no numbers were accepted"
        outcome(lambda: load(f"checkpoint:{path}"), Budget())

    fuzz(files, one)


class Touched:
    """Unpickling it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
WORDS = [
    b"cos\nsystem\n",
    b"cbuiltins\neval\n",
    b"X\x04\x00\x00\x00true",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"}",
    b".",
]


def test_programs_of_pickle(tmp_path: Path) -> None:
    """Opcodes in any order, in the old format and inside the new one: a stack that underflows, loops, or calls."""
    trap = tmp_path / "touched"
    whole = pickle.dumps({"a": Touched(trap)})
    piece = st.sampled_from([*OPCODES, *WORDS, whole]) | st.binary(max_size=4)
    through(
        tmp_path / "weights.pth", st.lists(piece, max_size=12).map(lambda parts: b"\x80\x02" + b"".join(parts) + b".")
    )
    assert not trap.exists(), "code of a checkpoint ran"


@pytest.mark.parametrize("good", [arrays(), saved({"mean": np.zeros(4), "cov": np.eye(4)})], ids=["npz", "torch.save"])
def test_statistics_of_features(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "stats.npz"

    def one(data: bytes, budget: Budget) -> None:
        path.write_bytes(data)
        outcome(lambda: assets.load_arrays(path), budget)

    fuzz(mutations.damaged([good]), one)


def test_the_good_files_are_read(tmp_path: Path) -> None:
    for data in CHECKPOINTS.values():
        (tmp_path / "w.pth").write_bytes(data)
        assert set(find_weights(tmp_path / "w.pth").weights) == set(WEIGHTS)
    (tmp_path / "w.pth").write_bytes(arrays())
    assert set(assets.load_arrays(tmp_path / "w.pth")) == {"mu", "sigma"}
