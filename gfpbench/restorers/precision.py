"""Deterministic mode and numerical precision of a network call, independent of global torch settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TypeAlias, cast

import torch

from gfpbench.options import Options
from gfpbench.types import BadInput

Precision: TypeAlias = Literal["fp32", "tf32", "bf16"]

FP16_REFUSED = (
    "is not offered: GFP-GAN divides by the root of a sum plus 1e-8, which is zero in fp16, "
    "so a layer with small weights gives NaN: use dtype=bf16"
)

SAYS: dict[Precision, str] = {
    "fp32": "float32, no TF32",
    "tf32": "float32 with TF32 products",
    "bf16": "bfloat16 products, float32 styles and image",
}
"""What a provenance calls each."""


def read_precision(options: Options, device: str) -> Precision:
    """The option ``dtype``: fp32 (default), tf32 (NVIDIA GPUs), bf16. fp16 is refused with the reason."""
    words = ("fp32", "tf32", "bf16")
    refused = {"fp16": FP16_REFUSED, "float16": FP16_REFUSED, "half": FP16_REFUSED}
    chosen = options.choice("dtype", words, refused)
    if chosen == "tf32" and torch.device(device).type != "cuda":
        raise BadInput(f"{options.spelled}: tf32 is a mode of NVIDIA GPUs, and this runs on {device}: use dtype=fp32")
    return cast("Precision", chosen)


@contextmanager
def arithmetic(precision: Precision, device: str, autocast: bool) -> Iterator[None]:
    """Run networks in this precision, whatever was set globally, without gradients; everything is put back afterwards.

    Args:
        precision: fp32 turns TF32 off, which torch leaves on for convolutions.
        device: where the network runs.
        autocast: for bf16, let torch choose operation by operation; False for networks that were converted themselves.
    """
    tf32 = precision != "fp32"
    before: str | None = None
    with suppress(RuntimeError):  # torch refuses to say where the newer switches were used too
        before = torch.get_float32_matmul_precision()
    kind = torch.device(device).type
    use_autocast = precision == "bf16" and autocast
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        with (
            torch.no_grad(),
            # enabled: flags() turns cuDNN off unless it is told otherwise.
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32),
            torch.autocast(kind, dtype=torch.bfloat16, enabled=use_autocast),
        ):
            yield
    finally:
        if before is not None:
            torch.set_float32_matmul_precision(before)
