"""Finds the state dict inside a checkpoint, which may also hold an optimiser, counters and other networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, Json

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

NESTS = (
    "params_ema",
    "params-ema",
    "g_ema",
    "ema",
    "model_ema",
    "state_dict_ema",
    "params",
    "net_g",
    "netG",
    "generator",
    "model_state_dict",
    "state_dict",
    "model",
    "net",
    "network",
    "weights",
)
"""Names under which authors keep the weights of what restores, best first: averaged ones before plain ones.

basicsr: params_ema, params (Real-ESRGAN's forks: params-ema); StyleGAN2 in torch: g_ema; timm: state_dict_ema; GAN
training scripts: net_g, generator; torch's own tutorial: model_state_dict; Lightning: state_dict; the rest is usage.
"""

_MOST_TENSORS = 50_000
_TIMES_SHARED = 8
"""Tensors may share their values: tied weights, or a weight saved under two names."""
_FREE_BYTES = 64 << 20

_DEEPEST = 4
"""Tables within tables that are looked through: {"state": {"generator": {"params_ema": {...}}}}."""


@dataclass(frozen=True, slots=True)
class FoundWeights:
    """Named tensors of a checkpoint, and where they lay.

    Args:
        weights: name to tensor.
        key: the keys that lead to them, joined by a slash; empty where the file holds nothing else.
        left_out: what lay beside them and was not taken.
    """

    weights: dict[str, torch.Tensor]
    key: str
    left_out: tuple[str, ...]

    def record(self) -> dict[str, Json]:
        """For a provenance: nothing where the file holds one table of tensors alone."""
        left_out = {"left_out_of_file": list(self.left_out)} if self.left_out else {}
        return {**({"weights_key": self.key} if self.key else {}), **left_out}


def find_table(found: Any, path: Path, nests: tuple[str, ...] = NESTS, key: str = "") -> FoundWeights:
    """The table of tensors in what a file holds.

    Known names are followed, best first, as deep as they lead. Without one, the tensors that lie there are taken, or
    the only table that has any; of several tables with unknown names none is guessed.

    Args:
        found: what ``torch.load`` returned.
        path: of the file, for messages.
        nests: the names that are followed.
        key: the name a person chose, or several joined by slashes; then nothing else is looked at.

    Raises:
        BadInput: where there is no table of tensors, or nobody can say which of several is meant.
    """
    keys: list[str] = []
    if key:
        for part in key.split("/"):
            if not isinstance(found, Mapping) or not _has_tensors(found.get(part)):
                there = _listed(_tables(found)) or "none"
                raise BadInput(f"{path} holds no table of weights under key={key}; tables there: {there}")
            found = found[part]
            keys.append(part)
    if not isinstance(found, Mapping):
        raise BadInput(f"{path} holds no table of weights but {type(found).__name__}")
    if not found:
        raise BadInput(f"{path} holds an empty table of weights")
    beside: list[str] = []
    while len(keys) < _DEEPEST:
        chosen = _chosen(found, nests, path)
        if chosen is None:
            break
        beside += [shown(other) for other in found if other != chosen]
        found = found[chosen]
        keys.append(chosen)
    weights = {name: value for name, value in found.items() if _is_weight(name, value)}
    strange = [shown(name) for name, value in found.items() if not _is_weight(name, value)]
    if not weights:
        raise BadInput(
            f"{path} holds no table of weights: {', '.join(strange[:3]) or 'nothing there'} is not a tensor; "
            f"looked in {', '.join(nests)}"
        )
    _refuse_strange(weights, path)
    return FoundWeights(weights, "/".join(keys), (*beside, *strange))


def _refuse_strange(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise where a tensor is of a kind that no network can be given, or declares more values than the file holds."""
    if len(weights) > _MOST_TENSORS:
        raise BadInput(f"{path} holds {len(weights):,} tensors; no network that restores has over {_MOST_TENSORS:,}")
    declared, held = 0, 0
    storages: set[int] = set()
    for name, tensor in weights.items():
        kind = _kind(tensor)
        if kind:
            raise BadInput(f"{path}: {shown(name)!r} is {kind}, not a plain tensor of values: save it as one")
        declared += tensor.numel() * tensor.element_size()
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in storages:
            storages.add(storage.data_ptr())
            held += storage.nbytes()
        if declared > _TIMES_SHARED * held + _FREE_BYTES:
            raise BadInput(
                f"{path} is refused: up to {shown(name)!r} its tensors declare {declared:,} bytes, "
                f"and the file holds {held:,} of them"
            )


def _kind(tensor: torch.Tensor) -> str:
    """What a tensor is where it is no plain one; an empty string where it is."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout != torch.strided:
        return f"a sparse tensor ({str(tensor.layout).removeprefix('torch.')})"
    if tensor.is_meta or tensor.device.type != "cpu":
        return f"a tensor on the device {tensor.device.type}, without values"
    if tensor.is_quantized:
        return f"a quantised tensor ({str(tensor.dtype).removeprefix('torch.')})"
    if tensor.is_complex():
        return "a tensor of complex numbers"
    return ""


def shown(name: object, longest: int = 80) -> str:
    """A name out of a file as a line can hold it: short, and without anything that a terminal obeys."""
    if not isinstance(name, str):
        return type(name).__name__  # not its text: a nested key may have text without end
    short = name if len(name) <= longest else f"{name[: longest - 20]}...{name[-10:]}"
    return "".join(letter if letter.isprintable() else "?" for letter in short)


def _chosen(found: Mapping[Any, Any], nests: tuple[str, ...], path: Path) -> str | None:
    """The table within this one that leads to the weights; None where they are here."""
    tables = _tables(found)
    known = next((name for name in nests if name in tables), None)
    if known is not None or any(_is_weight(name, value) for name, value in found.items()):
        return known
    if len(tables) > 1:
        raise BadInput(
            f"{path} holds several tables of weights, and no name tells which restores: {_listed(tables)}; "
            f"choose one: checkpoint:PATH?key={shown(tables[0])}"
        )
    return tables[0] if tables else None


def _tables(found: Any) -> list[str]:
    return [name for name, value in found.items() if isinstance(name, str) and _has_tensors(value)]


def _has_tensors(value: Any, depth: int = _DEEPEST, without: set[int] | None = None) -> bool:
    """Whether tensors lie in a table, or in one that lies in it. An optimiser's state is filed under numbers.

    ``without`` holds the tables that were found to have none: a hostile file may nest one in itself a million times.
    """
    without = set() if without is None else without
    if not isinstance(value, Mapping) or depth == 0 or id(value) in without:
        return False
    without.add(id(value))
    if any(_is_weight(name, tensor) for name, tensor in value.items()):
        return True
    return any(_has_tensors(table, depth - 1, without) for name, table in value.items() if isinstance(name, str))


def _is_weight(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, torch.Tensor)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(shown(name) for name in names[:6]) + more
