"""Converts weights of other frameworks, read as data, into safetensors with torchvision's or the authors' names."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfpbench.types import BadInput

ALEXNET_CONVOLUTIONS = (0, 3, 6, 8, 10)
VGG16_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Where the convolutions stand in torchvision's ``features``."""
_PARTS = {
    *(("numpy.core.multiarray", name) for name in ("_reconstruct", "scalar")),
    *(("numpy", name) for name in ("ndarray", "dtype")),
}


def as_it_is(content: bytes) -> bytes:
    """A file that needs no conversion."""
    return content


def alexnet_of_flax(content: bytes) -> bytes:
    """torchvision's ``features.N.weight`` and ``.bias`` out of a pickled tree of flax: kernels are HWIO there."""
    return _features(_tree(content), "AlexNet_0", ALEXNET_CONVOLUTIONS)


def vgg16_of_flax(content: bytes) -> bytes:
    """The same of VGG-16."""
    return _features(_tree(content), "VGG16_0", VGG16_CONVOLUTIONS)


def _features(tree: Mapping[str, Any], network: str, places: Sequence[int]) -> bytes:
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {}
    try:
        layers = tree[network]
        if len(layers) != len(places):
            raise BadInput(f"{network} has {len(layers)} convolutions, expected {len(places)}")
        for number, place in enumerate(places):
            layer = layers[f"Conv_{number}"]
            kernel, bias = np.asarray(layer["kernel"]), np.asarray(layer["bias"])
            if kernel.ndim != 4 or bias.shape != kernel.shape[-1:]:
                raise BadInput(f"{network}/Conv_{number}: a kernel of {kernel.shape} with a bias of {bias.shape}")
            tensors[f"features.{place}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32)
            tensors[f"features.{place}.bias"] = np.ascontiguousarray(bias, np.float32)
    except (KeyError, TypeError) as problem:
        raise BadInput(f"no {network} with kernels and biases in this file: {problem}") from problem
    return bytes(save(tensors))


def _tree(content: bytes) -> Mapping[str, Any]:
    """A pickle of nested dictionaries of numpy arrays. Nothing else in it is ever called."""
    try:
        found = _Arrays(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError, LookupError) as problem:
        raise BadInput(f"the file is no pickle of numpy arrays: {problem}") from problem
    if not isinstance(found, dict):
        raise BadInput("the file holds no table of arrays")
    return found


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        plain = module.replace("numpy._core.", "numpy.core.")
        if (plain, name) not in _PARTS:
            raise pickle.UnpicklingError(f"it asks to run {module}.{name}: refused")
        if plain == "numpy.core.multiarray" and int(np.__version__.split(".")[0]) >= 2:
            module = "numpy._core.multiarray"
        return super().find_class(module, name)
