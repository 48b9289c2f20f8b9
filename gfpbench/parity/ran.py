"""What really ran: device and number type of every product, execution provider of every node, the file read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gfpbench.parity.bounds import ORDER
from gfpbench.parity.record import Finding
from gfpbench.process_guard import called
from gfpbench.restorers.checked import provenance_of
from gfpbench.run.parts import plain
from gfpbench.types import BadInput, Json, Restorer, SaysWhatRan

_PRODUCTS = ("convolution", "mm", "addmm", "bmm", "baddbmm", "scaled_dot_product", "conv2d", "linear", "quantized")
_NAMES = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "int8": "int8", "uint8": "int8"}


@contextmanager
def watched(counts: Counter[str]) -> Iterator[None]:
    """Count every convolution and product that torch computes within, by the device and the type of its factors."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call,misc,unused-ignore]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if any(word in func.__name__ for word in _PRODUCTS):
                factor = next((one for one in args if _is_tensor(one)), None)
                if factor is not None:
                    counts[f"{factor.device.type} {str(factor.dtype).removeprefix('torch.')}"] += 1
            return func(*args, **(kwargs or {}))

    with Watch():  # type: ignore[no-untyped-call,unused-ignore]
        yield


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter)


def record(restorer: Restorer, products: Mapping[str, int], outputs: int) -> dict[str, Json]:
    """Everything that is known of how one restorer computed, as JSON values.

    Returns:
        ``products``: what torch computed for one image, by device and number type; ``outputs``: how many there were;
        ``weights_sha256`` and ``weights`` from the provenance; and what a restorer that computes out of torch's sight
        says of itself (``SaysWhatRan``).
    """
    provenance = provenance_of(restorer)
    names = ("weights", "weights_sha256", "external_weights_sha256", "implementation", "precision", "compiled")
    told = {name: provenance[name] for name in (*names, "channels_last", "providers") if name in provenance}
    what = f"restorer {restorer.name!r}: what_ran"
    own = called(what, restorer.what_ran) if isinstance(restorer, SaysWhatRan) else {}
    return plain({**told, "products": dict(products), "outputs": outputs, **own}, "what ran")


def precision_of(ran: Mapping[str, Json]) -> str:
    """The coarsest number type in which products were computed or weights are held; fp32 where nothing was seen."""
    found = [_NAMES.get(name.partition(" ")[2], "") for name in ran.get("products", {})]
    found += [_NAMES.get(str(name), "") for name in ran.get("weight_types", {})]
    if "TF32" in str(ran.get("precision", "")) and "no TF32" not in str(ran.get("precision", "")):
        found.append("tf32")
    if str(ran.get("precision", "")).startswith("bfloat16"):
        found.append("bf16")  # a compiled network computes out of sight
    return max((name for name in found if name), key=ORDER.index, default="fp32")


def refuse_one_file_twice(reference: Restorer, candidates: Sequence[Restorer]) -> None:
    """Raise BadInput where two restorers differ by name only: they loaded one file in one way."""
    seen: dict[str, str] = {}
    for one in (reference, *candidates):
        record = provenance_of(one)
        key = _identity(record)
        if key is None:
            continue
        if key in seen:
            raise BadInput(
                f"{one.name} and {seen[key]} loaded the same file in the same way (sha256 "
                f"{str(record['weights_sha256'])[:16]}...): there is nothing to compare; is one stale?"
            )
        seen[key] = one.name


def _identity(provenance: Mapping[str, Json]) -> str | None:
    """Everything that says how a file is run, but its name; None where no file is known."""
    if not provenance.get("weights_sha256"):
        return None
    named = {"restorer", "weights", "licence", "url", "source"}
    return repr(sorted((key, repr(value)) for key, value in provenance.items() if key not in named))


def refuse_other_provider(restorer: Restorer, ran: Mapping[str, Json]) -> None:
    """Raise BadInput where an execution provider was asked for and not one node ran on it."""
    wanted, nodes = ran.get("provider_asked_for"), ran.get("nodes")
    if wanted and wanted not in (ran.get("providers") or ()):
        raise BadInput(f"{restorer.name}: {wanted} was asked for and did not run; what ran: {ran.get('providers')}")
    if wanted and nodes and not nodes.get(str(wanted)):
        ran_on = ", ".join(f"{count} nodes on {name}" for name, count in nodes.items())
        raise BadInput(f"{restorer.name}: {wanted} was asked for and ran no node of the network: {ran_on}")


def other_device(ran: Mapping[str, Json], device: str) -> list[Finding]:
    """A reason to look where everything that torch computed was computed on another device than the one asked for."""
    kind, seen = device.partition(":")[0], {name.partition(" ")[0] for name in ran.get("products", {})}
    if not seen or kind in seen:
        return []
    return [Finding("device", f"{device} was asked for, and it computed on {', '.join(sorted(seen))}", unsafe=False)]
