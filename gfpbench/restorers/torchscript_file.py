"""A network saved by torch.jit as a restorer: ``torchscript:PATH``. The file is a program, and it is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gfpbench import assets
from gfpbench.options import Options
from gfpbench.process_guard import contained
from gfpbench.restorers.checkpoint_file import file_sha256
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.restorers.network_file import (
    Signature,
    as_number,
    input_value,
    network_from_file,
    number_type,
    output_names,
    refuse_unknown_words,
)
from gfpbench.types import BadInput


def load_torchscript(argument: str, *, device: str = "cpu", **given: str) -> FaceNetwork:
    """A TorchScript file, a program that is run: name only one you trust. In [-1, 1] unless ?range=unit says [0, 1].

    It takes (B, 3, H, W) RGB images first, of the number type its weights have (``type=float16`` says another), and
    further arguments by their names (``torchscript:PATH?w=0.5``); those with a default keep it otherwise. What is no
    part of its signature comes from options: ``range``, ``out_range``, ``layout``, ``order``, ``type``, ``size``,
    ``batch``, ``output``. It runs in evaluation mode and without the interpreter's optimisations, which change the
    arithmetic from the second call on.

    Raises:
        BadInput: where the file is not there, is no TorchScript, or takes no image.
    """
    options = Options(f"torchscript:{argument}", given)
    refuse_unknown_words(options)
    path = Path(argument).expanduser()
    module = _loaded(assets.existing_file(path), device)
    first, extras = _arguments(module, options, path, device)
    weight = next((p for p in module.parameters() if p.is_floating_point()), None)
    told = torch.float32 if weight is None else weight.dtype

    def call(images: torch.Tensor) -> dict[str, Any]:
        with contained(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            answer = module(**{first: images}, **extras)
        return {"": answer}

    return network_from_file(
        options,
        path,
        Signature(number_type(options, told), outputs=_outputs(module)),
        call,
        device,
        {
            "architecture": "TorchScript",
            "implementation": f"torch.jit {torch.__version__}",
            "inputs": {name: float(value) for name, value in extras.items()},
            "weights": path.name,
            "weights_sha256": file_sha256(path),
        },
    )


def _loaded(path: Path, device: str) -> Any:
    try:
        with contained(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer torch calls torch.jit deprecated
            module = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (Exception, SystemExit) as error:
        line = " ".join(str(error).split())[:200]
        raise BadInput(
            f"{path} is not a TorchScript network that torch {torch.__version__} can load: {line}"
        ) from error
    assets.refuse_short_records(path, module.state_dict().values())
    return module


def _arguments(module: Any, options: Options, path: Path, device: str) -> tuple[str, dict[str, Any]]:
    """The name of the argument that takes the images, and the values of those beside it that were given."""
    schema = getattr(module, "forward", None) and module.forward.schema
    arguments = [] if schema is None else schema.arguments[1:]  # without self
    images = next((one.name for one in arguments if str(one.type) == "Tensor" and not one.has_default_value()), None)
    if images is None:
        listed = ", ".join(f"{one.name}: {one.type}" for one in arguments) or "nothing"
        raise BadInput(f"{path}: its forward takes {listed}, and none of that is a tensor of images")
    extras: dict[str, Any] = {}
    for one in arguments:
        if one.name == images:
            continue
        text = input_value(options, one.name, f"a number ({one.type})")
        if text:
            kind = str(one.type).removeprefix("Optional[").removesuffix("]")
            extras[one.name] = _value(as_number(text, one.name, options), kind, one.name, options, device)
        elif not one.has_default_value():
            raise BadInput(
                f"{path} takes {one.name!r} ({one.type}) beside the image, and has no default for it: give it, as in "
                f"{options.name}?{one.name}=0.5"
            )
    return images, extras


def _outputs(module: Any) -> tuple[str, ...] | None:
    """The names of its outputs, where the type of what its forward returns says how many there are."""
    returns = module.forward.schema.returns
    answer = None if len(returns) != 1 else _like(returns[0].type)
    return None if answer is None else output_names({"": answer})


def _like(kind: Any) -> Any:
    """A value in place of each part of a type; None where a part has no fixed number of its own, as lists and dicts."""
    if kind.kind() == "TupleType":
        parts = [_like(part) for part in kind.elements()]
        return None if None in parts else parts
    return 0 if kind.kind() in ("TensorType", "FloatType", "IntType", "BoolType") else None


def _value(number: float, kind: str, name: str, options: Options, device: str) -> Any:
    makers: dict[str, Callable[[float], Any]] = {
        "float": float,
        "int": int,
        "bool": bool,
        "Tensor": lambda value: torch.tensor(value, device=device),
    }
    made = makers.get(kind)
    if made is None or (kind == "int" and number != int(number)):
        raise BadInput(f"{options.spelled}: {name} is {kind}, for which {number:g} cannot be given")
    return made(number)
