"""Traces a network of torch and writes it as an ONNX file, by whichever exporter of torch can."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gfpbench.types import BadInput

OPSET = 18
"""The version of ONNX's operators that is written: the first with every operator that torch's exporter uses."""
ANY_SIZE_PX = 64
"""The side with which a network is traced that takes any size; its file takes any size too, where it can be traced."""


def write_onnx(network: torch.nn.Module, side: int | None, path: Path, opset: int) -> str:
    """Write the file by torch's exporter of traced programs, for any batch, else for one image, else by the older one.

    Returns:
        Which one, and why not the one before.
    """
    seeded = torch.Generator().manual_seed(0)
    traced = side or ANY_SIZE_PX
    images = torch.rand(2, 3, traced, traced, generator=seeded) * 2 - 1  # a batch of one would be taken for a constant
    version, names = f"torch.onnx {torch.__version__}", {"input_names": ["image"], "output_names": ["restored"]}
    why = []
    sides = {} if side else {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    batch = {"image": {0: torch.export.Dim.AUTO, **sides}}
    for given, shapes, said in ((images, batch, "any batch"), (images[:1], {"image": sides}, "one image")):
        try:
            _exported(
                network,
                given,
                path,
                dynamo=True,
                external_data=False,
                opset_version=opset,
                dynamic_shapes=shapes,
                verbose=False,
                **names,
            )
        except Exception as error:  # noqa: BLE001 - of any type: whatever the exporter cannot trace
            why.append(f"dynamo for {said}: {' '.join(str(error).split())[:120]}")
            continue
        if given is not images or not _fixed_batch(path):
            return "; ".join([f"{version}, dynamo, {said}", *why])
        why.append("dynamo took the batch for a constant")
    try:
        _exported(network, images[:1], path, dynamo=False, opset_version=min(opset, 17), **names)
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"torch {torch.__version__} cannot export this network: {'; '.join([*why, line])}") from error
    return "; ".join([f"{version}, TorchScript, one image", *why])


def _exported(network: torch.nn.Module, given: torch.Tensor, path: Path, **options: Any) -> None:
    with quiet(), torch.no_grad():
        torch.onnx.export(network, (given,), str(path), **options)


def _fixed_batch(path: Path) -> bool:
    import onnx

    (first, *_) = onnx.load(str(path), load_external_data=False).graph.input
    return bool(first.type.tensor_type.shape.dim[0].dim_value)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' remarks on standard output and their warnings, which are about their own insides."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
