"""A network saved by torch.export as a restorer: ``pt2:PATH``. The file is a program, and it is run."""

from __future__ import annotations

import logging
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    output_names,
    refuse_unknown_words,
)
from gfpbench.types import BadInput

_FORCED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_exported(argument: str, *, device: str = "cpu", **given: str) -> FaceNetwork:
    """A torch.export file (.pt2), a program that is run: name only one you trust. In [-1, 1] unless ?range=unit.

    Number type, sizes and batch are what the program was exported for. Further inputs that are tensors are given by
    their names (``pt2:PATH?w=0.5``); numbers were fixed when it was exported. What is no part of its signature comes
    from options: ``range``, ``out_range``, ``layout``, ``order``, ``size``, ``batch``, ``output``. Files that hold
    compiled libraries or pickled objects beside the program are refused.

    Raises:
        BadInput: where the file is not there, is no exported program, or takes no image.
    """
    options = Options(f"pt2:{argument}", given)
    refuse_unknown_words(options)
    path = Path(argument).expanduser()
    program = _loaded(assets.existing_file(path))
    inputs = _inputs(program)
    images = next((name for name, value in inputs.items() if _is_image(value)), None)
    if images is None:
        listed = ", ".join(f"{name} {_said(value)}" for name, value in inputs.items())
        raise BadInput(f"{path} takes {listed or 'nothing'}, and none of that is a tensor of RGB images")
    extras = {name: _extra(name, value, options, path) for name, value in inputs.items() if name != images}
    module = _placed(program, device).module()
    leaves_of = program.call_spec.in_spec

    def call(pixels: torch.Tensor) -> dict[str, Any]:
        from torch.utils._pytree import tree_unflatten

        sizes = {name: _filled(value, len(pixels)) for name, value in extras.items()}
        filled = {
            name: torch.full(sizes[name], value[0], dtype=value[1].dtype, device=device)
            if isinstance(value, tuple)
            else value
            for name, value in extras.items()
        }
        leaves = [pixels if name == images else filled[name] for name in inputs]
        arguments, keywords = tree_unflatten(leaves, leaves_of)
        with contained():
            return {"": module(*arguments, **keywords)}

    taken = inputs[images]
    return network_from_file(
        options,
        path,
        Signature(taken.dtype, _sides(taken), outputs=_outputs(program)),
        call,
        device,
        {
            "architecture": "torch.export",
            "implementation": f"torch.export {torch.__version__}",
            "inputs": {name: value[0] if isinstance(value, tuple) else value for name, value in extras.items()},
            "weights": path.name,
            "weights_sha256": file_sha256(path),
        },
    )


def _loaded(path: Path) -> Any:
    _refuse_passengers(path)
    try:
        with contained(), _tensors_only(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(str(path))
    except (Exception, SystemExit) as error:
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"{path} is not an exported network that torch {torch.__version__} can load: {line}") from error


def _refuse_passengers(path: Path) -> None:
    """Raise where the archive holds what is neither a program of torch's operations nor tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadInput(f"{path} is not an exported network: it is no archive, or it is truncated") from error
    compiled = [name for name in names if "/aotinductor/" in name or name.endswith((".so", ".dll", ".dylib"))]
    objects = [name for name in names if "custom_obj" in name]
    if compiled or objects:
        what = "compiled code" if compiled else "pickled objects"
        raise BadInput(f"{path} holds {what} ({(compiled or objects)[0][-80:]}): refused, nothing was run")


@contextmanager
def _tensors_only() -> Iterator[None]:
    """While active, torch reads only tensors from pickles; its reader would otherwise fall back to executing them."""
    before, log = os.environ.get(_FORCED), logging.getLogger("torch")
    level = log.level
    os.environ[_FORCED] = "1"
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        if before is None:
            del os.environ[_FORCED]
        else:
            os.environ[_FORCED] = before


def _inputs(program: Any) -> dict[str, Any]:
    """What a person passes, in order: a fake tensor with type and shape, or the number that was fixed."""
    from torch.export.graph_signature import ConstantArgument, InputKind

    held = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    given = [spec.arg for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT]
    return {arg.name: arg.value if isinstance(arg, ConstantArgument) else held.get(arg.name) for arg in given}


def _outputs(program: Any) -> tuple[str, ...]:
    from torch.utils._pytree import tree_unflatten

    leaves_of = program.call_spec.out_spec
    return output_names({"": tree_unflatten(list(range(leaves_of.num_leaves)), leaves_of)})


def _extra(name: str, value: Any, options: Options, path: Path) -> Any:
    """A number that was fixed as it is; for a tensor, the number a person gives and the tensor whose shape it fills."""
    if not isinstance(value, torch.Tensor):
        return value
    text = input_value(options, name, f"a number ({_said(value)})")
    if not text:
        raise BadInput(
            f"{path} takes {name!r} ({_said(value)}) beside the image: give it, as in {options.name}?{name}=0.5"
        )
    return as_number(text, name, options), value


def _filled(extra: Any, batch: int) -> tuple[int, ...]:
    if not isinstance(extra, tuple):
        return ()
    return tuple((batch if place == 0 else 1) if side is None else side for place, side in enumerate(_sides(extra[1])))


def _is_image(value: Any) -> bool:
    if not isinstance(value, torch.Tensor) or value.ndim != 4:
        return False
    sides = _sides(value)
    return 3 in (sides[1], sides[3]) or None in (sides[1], sides[3])


def _sides(value: torch.Tensor) -> tuple[int | None, ...]:
    return tuple(side if isinstance(side, int) else None for side in value.shape)


def _said(value: Any) -> str:
    return f"{value.dtype} {_sides(value)}" if isinstance(value, torch.Tensor) else f"{value!r}, fixed"


def _placed(program: Any, device: str) -> Any:
    from torch.export.passes import move_to_device_pass

    return program if device == "cpu" else move_to_device_pass(program, device)
