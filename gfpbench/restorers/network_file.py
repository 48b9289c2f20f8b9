"""A whole network in one file (ONNX, TorchScript, torch.export): what its signature says, and what a person adds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from gfpbench.images import Form, Range, from_form, to_form
from gfpbench.options import Options
from gfpbench.restorers.batching import is_out_of_memory
from gfpbench.restorers.face_network import FaceNetwork, Settings, fits
from gfpbench.types import BadInput, Json, RestorationFailed

Call = Callable[[torch.Tensor], Mapping[str, Any]]
"""Images in the network's own form to its outputs by name."""

OPTIONS = ("range", "out_range", "layout", "order", "type", "size", "batch", "output", "provider")
"""What the options are called; an input of the network that has one of these names is reached as ``input.NAME``."""

RANGES: tuple[Range, ...] = ("signed", "unit", "255")

_NUMBERS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float64": torch.float64,
    "uint8": torch.uint8,
}


@dataclass(frozen=True, slots=True)
class Signature:
    """What a file says about its input and output.

    Args:
        dtype: number type of the images it takes.
        shape: their four sides, None where the file leaves one open.
        whole_numbers: it gives images of uint8, which are 0..255 whatever else is said.
        outputs: their names, as ``output_names`` makes them; None where they are known after the first call only.
    """

    dtype: torch.dtype
    shape: tuple[int | None, ...] = (None, None, None, None)
    whole_numbers: bool = False
    outputs: tuple[str, ...] | None = None


def network_from_file(
    options: Options, path: Path, signature: Signature, call: Call, device: str, identity: Mapping[str, Json]
) -> FaceNetwork:
    """The network as a restorer. A fixed batch is filled up by repeating its last image, which is then dropped.

    Options that every such file has, for what its signature does not say: ``range`` (signed: [-1, 1], the default;
    unit: [0, 1]; 255), ``out_range`` (as it takes), ``layout`` (nchw, nhwc), ``order`` (rgb, bgr), ``size``,
    ``batch``, ``output`` (which of several).

    Raises:
        BadInput: for options that the signature contradicts, and a signature that takes no RGB images.
    """
    form = Form(signature.dtype, _layout(options, signature, path), _order(options))
    batch_dim, *others = signature.shape
    height, width = others[1:] if form.layout == "nchw" else others[:2]
    takes, gives = _ranges(options, signature, path)
    side = options.whole("size", 0, 0, 8192) or None
    batch = options.whole("batch", batch_dim or 8, 1, 1024)
    wanted = options.text("output", "NAME of one output")
    options.finished()
    if wanted and signature.outputs is not None:
        refuse_unknown_output(wanted, signature.outputs, path)
    if batch_dim is not None and batch != batch_dim:
        raise BadInput(f"{path} takes exactly {batch_dim} images at a time: leave batch={batch} away")
    height, width = height or side, width or side
    if (height is None) != (width is None):
        raise BadInput(f"{path} fixes one side of its images and leaves the other open: give {options.name}?size=...")

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        missing = 0 if batch_dim is None else batch_dim - len(pixels)
        filled = torch.cat([pixels, pixels[-1:].expand(missing, -1, -1, -1)]) if missing > 0 else pixels
        outputs = _called(path, call, to_form(filled, form))
        answer = picked(outputs, tuple(filled.shape), wanted, path)
        return from_form(answer, form, gives).to(pixels.device)[: len(pixels)]

    return FaceNetwork(
        options.spelled,
        forward,
        Settings(device=device, batch=batch),
        takes=takes,
        gives=gives,
        size_px=None if height is None or width is None else (height, width),
        remedy="say which it is with out_range=signed|unit|255 (and range=, for what it takes)",
        scale=None,
        identity={
            "range_given": "range" in options.given,
            "number_type": str(signature.dtype).removeprefix("torch."),
            "layout": form.layout,
            "order": form.order,
            "fixed_batch": batch_dim,
            **identity,
        },
    )


def refuse_unknown_words(options: Options) -> None:
    """Raise BadInput for a range, layout or order that no network has: before a file is opened, which may take long."""
    for key in ("range", "out_range"):
        options.choice(key, RANGES)
    options.choice("layout", ("nchw", "nhwc"))
    _order(options)


def picked(outputs: Mapping[str, Any], given: tuple[int, ...], wanted: str, path: Path) -> torch.Tensor:
    """The restored images among a network's outputs: of those that are images, the first that is large enough.

    Args:
        outputs: by name; lists in it are looked through.
        given: (B, 3, H, W) of what the network was given.
        wanted: the name of the output to take, where a person said it.
        path: of the network, for messages.

    Raises:
        BadInput: where none of them is images, or the one that was asked for is not there.
    """
    flat = dict(_flat("", outputs))
    if wanted:
        refuse_unknown_output(wanted, flat, path)
    images = [
        value
        for name, value in flat.items()
        if isinstance(value, torch.Tensor)
        and value.ndim == 4
        and value.shape[0] == given[0]
        and 3 in (value.shape[1], value.shape[3])
        and (not wanted or name == wanted)
    ]
    if not images:
        got = ", ".join(f"{name} {_shape(value)}" for name, value in list(flat.items())[:6])
        raise BadInput(f"{path} returned {got}, and none of that is images like the {given} it was given")
    return next((image for image in images if fits(_sides(image), given[2:])), images[0])


def output_names(answer: Any) -> tuple[str, ...]:
    """What the outputs of a network are called that answers like this: by their keys and places in dicts and lists."""
    return tuple(name for name, _ in _flat("", answer))


def refuse_unknown_output(wanted: str, outputs: Iterable[str], path: Path) -> None:
    """Raise BadInput where a network has no output of that name."""
    there = list(outputs)
    if wanted not in there:
        raise BadInput(f"{path} has no output {wanted!r}; it has: {', '.join(there)}")


def input_value(options: Options, name: str, kind: str) -> str:
    """What a person gives for an input beside the images, as text; empty where nothing was given.

    Args:
        options: of the restorer.
        name: of the input.
        kind: its type, for a refusal.
    """
    spelled = re.sub(r"[^A-Za-z0-9_.]", "_", name)
    key = f"input.{spelled}" if spelled in OPTIONS or not spelled[:1].isalpha() else spelled
    return options.text(key, kind)


def as_number(text: str, name: str, options: Options) -> float:
    """A finite number, or yes and no as 1 and 0. Raises BadInput for anything else."""
    word = {"yes": "1", "true": "1", "no": "0", "false": "0"}.get(text.lower(), text)
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{options.spelled}: {name}={text} is not a number")
    return value


def number_type(options: Options, told: torch.dtype) -> torch.dtype:
    """The option ``type``, for files that do not declare what they take; ``told`` is what their weights suggest."""
    names = {dtype: name for name, dtype in _NUMBERS.items()}
    first = names.get(told, "float32")
    return _NUMBERS[options.choice("type", (first, *(name for name in _NUMBERS if name != first)))]


def _layout(options: Options, signature: Signature, path: Path) -> Any:
    _, second, third, fourth = signature.shape
    told = "nhwc" if second != 3 and fourth == 3 else "nchw"
    chosen = options.choice("layout", (told, "nhwc" if told == "nchw" else "nchw"))
    channels, other = (second, fourth) if chosen == "nchw" else (fourth, second)
    if channels not in (3, None) or (channels is None and other == 3):
        sides = tuple(signature.shape)
        where = "second" if chosen == "nchw" else "last"
        raise BadInput(
            f"{path} takes a tensor of shape {sides}, not images with 3 channels in {where} place (third side: {third})"
        )
    return chosen


def _order(options: Options) -> Any:
    return options.choice("order", ("rgb", "bgr"))


def _ranges(options: Options, signature: Signature, path: Path) -> tuple[Range, Range]:
    whole = not signature.dtype.is_floating_point
    takes = options.choice("range", ("255",) if whole else RANGES)
    first: Range = "255" if signature.whole_numbers else cast("Range", takes)
    rest = () if signature.whole_numbers else tuple(one for one in RANGES if one != first)
    return cast("Range", takes), cast("Range", options.choice("out_range", (first, *rest)))


def _called(path: Path, call: Call, images: torch.Tensor) -> Mapping[str, Any]:
    try:
        return call(images)
    except (BadInput, RestorationFailed):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no message"]
        # The interpreter of TorchScript puts a listing of the program first, and what went wrong last.
        line = lines[-1] if lines[0].startswith("The following operation failed") else " ".join(lines)
        raise RestorationFailed(
            f"{path} could not restore images of shape {tuple(images.shape)}: {line[:200]}"
        ) from error


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [pair for key, one in value.items() for pair in _flat(f"{name}.{key}" if name else str(key), one)]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _flat(name, {str(number): one for number, one in enumerate(value)})
    return [(name or "0", value)]


def _sides(image: torch.Tensor) -> tuple[int, ...]:
    return tuple(image.shape[2:]) if image.shape[1] == 3 else tuple(image.shape[1:3])


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__
