"""Every restorer that gfpbench knows by name, and how to load one.

To add one: a file here with a factory ``(*, device: str) -> Restorer`` whose docstring's first line says what it is, a
row in ``RESTORERS``, and a unit test. A family with an argument (a path, a folder) gets a row in ``SCHEMES`` instead.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import torch

from gfpbench.restorers.adapt import from_array_function, from_module
from gfpbench.restorers.checked import Seen, checked, ignores_input, is_repeatable
from gfpbench.tables import unknown
from gfpbench.types import BadInput, Restorer

RESTORERS: dict[str, str] = {
    "input": "gfpbench.restorers.identity:Identity",
    "bicubic": "gfpbench.restorers.bicubic:Bicubic",
    "classical": "gfpbench.restorers.classical:Classical",
    "nano": "gfpbench.restorers.nano:nano",
}
"""Name -> "module:attribute" of a factory ``(*, device: str) -> Restorer``."""

SCHEMES: dict[str, str] = {
    "python:MODULE:ATTRIBUTE": "gfpbench.restorers.python_object:load_python_object",
    "outputs:DIR": "gfpbench.restorers.outputs:Outputs",
}
"""Form -> "module:attribute" of a factory ``(argument: str, *, device: str) -> Restorer``."""

__all__ = [
    "RESTORERS",
    "SCHEMES",
    "Seen",
    "checked",
    "describe",
    "from_array_function",
    "from_module",
    "ignores_input",
    "is_repeatable",
    "load",
]


def load(spec: str, *, device: str = "cpu") -> Restorer:
    """Load a restorer by name, or by a form such as ``python:my_model:restore`` and ``outputs:my_results``.

    Args:
        spec: a name in ``RESTORERS``, or one of the forms in ``SCHEMES`` with its argument.
        device: what torch calls it: ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        BadInput: for a name that is not known (near ones are shown), a device that is not there, or a restorer that
            cannot be loaded.
        AssetMissing: where weights have to be fetched first.
    """
    _refuse_absent(device)
    scheme, colon, argument = spec.partition(":")
    forms = {form.partition(":")[0]: form for form in SCHEMES}
    if colon and scheme in forms:
        if not argument:
            raise BadInput(f"restorer {spec!r} lacks its argument: write {forms[scheme]}")
        restorer: Restorer = _resolve(SCHEMES[forms[scheme]])(argument, device=device)
        return restorer
    if spec not in RESTORERS:
        raise unknown("restorer", spec, RESTORERS, also=f"or one of the forms {', '.join(SCHEMES)}")
    named: Restorer = _resolve(RESTORERS[spec])(device=device)
    return named


def describe() -> dict[str, str]:
    """One line about each restorer and each form, in the order of the tables. Loads no weights."""
    rows = {**RESTORERS, **SCHEMES}
    return {name: (inspect.getdoc(_resolve(target)) or "").partition("\n")[0] for name, target in rows.items()}


def _resolve(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _refuse_absent(device: str) -> None:
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise BadInput(f"no device named {device!r}: use cpu, cuda or cuda:N") from error
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise BadInput(f"device {device!r} was asked for, but torch {torch.__version__} finds no GPU here: use cpu")
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise BadInput(f"device {device!r} was asked for, but there are only {torch.cuda.device_count()} GPUs here")
