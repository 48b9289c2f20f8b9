"""Adapts a function on arrays or a torch module to the Restorer protocol."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gfpbench.images import batch_from_uint8, from_signed, moved, to_rgb_arrays, to_signed
from gfpbench.lazy import LazyModule
from gfpbench.restorers import is_ours, refuse_role, refuse_unfit, refuse_unreadable
from gfpbench.restorers.ranges import refuse_other_range
from gfpbench.types import BadInput, ImageBatch, Json, Restorer

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

ArrayFunction = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


class ArrayRestorer:
    """A function on one (H, W, 3) uint8 RGB array as a Restorer. Made by ``from_array_function``."""

    opaque = True  # nothing is known of the function

    def __init__(self, function: ArrayFunction, name: str) -> None:
        self.function = function
        self.name = name

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        restored = (  # one by one: a function may return the same buffer each time
            self._checked(self.function(image), image.shape, face_id)
            for image, face_id in zip(to_rgb_arrays(degraded), degraded.ids, strict=True)
        )
        return moved(batch_from_uint8(restored, degraded.ids), degraded.pixels.device)

    def _checked(self, image: object, shape: tuple[int, ...], face_id: str) -> NDArray[np.uint8]:
        if not isinstance(image, np.ndarray):
            raise BadInput(f"{self.name} returned {type(image).__name__} for {face_id!r}, not a numpy array")
        if image.dtype != np.uint8 or image.shape != shape:
            raise BadInput(
                f"{self.name} returned {image.shape} {image.dtype} for {face_id!r}, not {shape} uint8 (RGB, 0..255)"
            )
        return image

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name, "adapter": "from_array_function", "pixels": "(H, W, 3) uint8 RGB"}


class ModuleRestorer:
    """A torch module on (B, 3, H, W) float32 RGB as a Restorer. Made by ``from_module``."""

    opaque = True  # its record does not hold the weights

    def __init__(self, module: torch.nn.Module, signed: bool, name: str) -> None:
        self.module = module.eval()
        self.signed = signed
        self.name = name
        weight = next(module.parameters(), None)
        self.device = "cpu" if weight is None else str(weight.device)

    def place(self, device: str) -> ModuleRestorer:
        """Move the module to where it shall run."""
        self.device = device
        self.module.to(device)
        return self

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        batch = moved(degraded, self.device)
        with torch.no_grad():
            answer = self.module(to_signed(batch) if self.signed else batch.pixels.clone())
        pixels = answer[0] if isinstance(answer, tuple | list) and answer else answer
        if not isinstance(pixels, torch.Tensor) or pixels.shape[:2] != batch.pixels.shape[:2]:
            got = tuple(pixels.shape) if isinstance(pixels, torch.Tensor) else type(pixels).__name__
            raise BadInput(f"{self.name} returned {got}, not images like the {tuple(batch.pixels.shape)} it was given")
        restored = from_signed(pixels if self.signed else pixels * 2 - 1, batch.ids)
        remedy = "say signed=True or signed=False for what it gives, or map its values"
        refuse_other_range(pixels.float(), "signed" if self.signed else "unit", batch, self.name, remedy)
        return moved(restored, degraded.pixels.device)

    def provenance(self) -> Mapping[str, Json]:
        return {
            "restorer": self.name,
            "adapter": "from_module",
            "module": type(self.module).__name__,
            "weights": sum(parameter.numel() for parameter in self.module.parameters()),
            "pixels": "(B, 3, H, W) float32 RGB in " + ("[-1, 1]" if self.signed else "[0, 1]"),
        }


def from_array_function(function: ArrayFunction) -> ArrayRestorer:
    """Make a Restorer of a function that restores one image: (H, W, 3) uint8 RGB in, the same out.

    OpenCV's functions want BGR: turn the last axis round before and after (``rgb[..., ::-1]``).

    Examples:
        >>> restore = from_array_function(lambda rgb: rgb // 2)  # then: gfpbench run --restorer python:my_file:restore
        >>> restore.name
        '<lambda>'
    """
    if not callable(function):
        raise BadInput(f"from_array_function wants a function, not {type(function).__name__}")
    return ArrayRestorer(function, _name_of(function))


class BatchRestorer:
    """A function ImageBatch -> ImageBatch as a Restorer. Made by ``from_function``."""

    opaque = True  # nothing is known of the function

    def __init__(self, function: Callable[[ImageBatch], ImageBatch], name: str) -> None:
        self.function = function
        self.name = name

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return self.function(degraded)

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name, "adapter": "from_function", "pixels": "ImageBatch"}


def from_function(function: Callable[..., Any], *, name: str | None = None) -> Restorer:
    """Make a Restorer of a function on one (H, W, 3) uint8 RGB array, or of one whose argument is an ``ImageBatch``.

    Args:
        function: its first argument is taken for an array unless it is annotated with ``ImageBatch``.
        name: what reports call it; the function's own unless told.

    Raises:
        BadInput: for what cannot be called, for a torch module (``from_module`` asks for its range), and for a name
            that means something else in a report.
    """
    if isinstance(function, torch.nn.Module):
        raise BadInput("a torch module does not say its range: wrap it in gfpbench.restorers.from_module")
    if not callable(function):
        raise BadInput(f"a restorer is a name, a function or a Restorer, not {type(function).__name__}")
    name = _name_of(function) if name is None else name
    refuse_role(name)
    try:
        first = next(iter(inspect.signature(function).parameters.values()), None)
    except (TypeError, ValueError):  # some compiled functions have no signature
        first = None
    kind = "" if first is None else getattr(first.annotation, "__name__", str(first.annotation))
    return BatchRestorer(function, name) if kind.endswith("ImageBatch") else ArrayRestorer(function, name)


def handed_over(given: Restorer | Callable[..., Any], *, name: str | None = None) -> Restorer:
    """A Restorer as it is; of anything else what ``from_function`` makes of it.

    Args:
        given: what somebody gives in place of a restorer's name.
        name: of a function; a Restorer has its own.

    Raises:
        BadInput: as ``from_function``, and for a Restorer whose name is no text or means something else in a report, or
            one of whose attributes cannot be read or is of another type.
    """
    refuse_unreadable(given)
    if not isinstance(given, Restorer):
        return from_function(given, name=name)
    refuse_unfit(given)
    if not is_ours(given):
        refuse_role(given.name)
    return given


def _name_of(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def from_module(module: torch.nn.Module, *, signed: bool) -> ModuleRestorer:
    """Make a Restorer of a torch module on (B, 3, H, W) float32 RGB; it is put into evaluation mode.

    Args:
        module: returns images of the size it is given, or a tuple that begins with them (as GFP-GAN does). Values
            outside its range are clamped, as they are when an image is saved; NaN is refused.
        signed: True where it works in [-1, 1] (GFP-GAN, CodeFormer), False for [0, 1]. There is no default, because a
            network in the wrong range gives a plausible image.
    """
    if not isinstance(module, torch.nn.Module):
        raise BadInput(f"from_module wants a torch.nn.Module, not {type(module).__name__}")
    return ModuleRestorer(module, signed, type(module).__name__)
