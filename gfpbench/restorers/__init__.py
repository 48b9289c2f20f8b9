"""Every restorer that gfpbench knows by name, and how to load one.

To add one: a file here with a factory ``(*, device: str) -> Restorer`` whose docstring's first line says what it is, a
row in ``RESTORERS``, a unit test, and its baselines (``pytest tests/regression --baseline-update-new``); of one that
needs weights, in place of baselines, a row in ``ASSETS`` that names it in ``needed_by``. A family with an argument (a
path, a folder) gets a row in ``SCHEMES`` instead.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gfpbench import devices, process_guard
from gfpbench.codec.text import cut
from gfpbench.lazy import lazy_package
from gfpbench.options import split_options
from gfpbench.registry import attribute_of, first_line, unknown
from gfpbench.types import BadInput, Restorer

if TYPE_CHECKING:
    from gfpbench.restorers.adapt import from_array_function, from_function, from_module, handed_over
    from gfpbench.restorers.checked import Seen, checked, ignores_input, is_opaque

RESTORERS: dict[str, str] = {
    "input": "gfpbench.restorers.plain:Identity",
    "bicubic": "gfpbench.restorers.plain:Bicubic",
    "classical": "gfpbench.restorers.plain:Classical",
    "nano": "gfpbench.restorers.nano:nano",
    "gfpgan-1": "gfpbench.restorers.official:gfpgan_1",
    "gfpgan-1.2": "gfpbench.restorers.official:gfpgan_1_2",
    "gfpgan-1.3": "gfpbench.restorers.official:gfpgan_1_3",
    "gfpgan-1.4": "gfpbench.restorers.official:gfpgan_1_4",
    "restoreformer": "gfpbench.restorers.official:restoreformer",
    "codeformer": "gfpbench.restorers.official:codeformer",
    "realesrgan-x4plus": "gfpbench.restorers.official:realesrgan_x4plus",
    "ffdnet": "gfpbench.restorers.ffdnet:ffdnet",
    "waifu2x-photo": "gfpbench.restorers.waifu2x:waifu2x_photo",
}
"""Name -> "module:attribute" of a factory ``(*, device: str) -> Restorer``; with ``**given: str`` it takes options."""

SCHEMES: dict[str, str] = {
    "python:MODULE:ATTRIBUTE": "gfpbench.restorers.python_object:load_python_object",
    "outputs:DIR": "gfpbench.restorers.outputs:Outputs",
    "checkpoint:PATH": "gfpbench.restorers.checkpoint:load_checkpoint",
    "onnx:PATH": "gfpbench.restorers.onnx_file:load_onnx",
    "torchscript:PATH": "gfpbench.restorers.torchscript_file:load_torchscript",
    "pt2:PATH": "gfpbench.restorers.exported_file:load_exported",
}
"""Form -> "module:attribute" of a factory ``(argument: str, *, device: str) -> Restorer``."""

__all__ = [
    "RESTORERS",
    "SCHEMES",
    "Seen",
    "checked",
    "describe",
    "from_array_function",
    "from_function",
    "from_module",
    "handed_over",
    "ignores_input",
    "is_opaque",
    "is_ours",
    "load",
    "refuse_role",
    "refuse_unfit",
    "refuse_unreadable",
]


OFFERED = (
    "name",
    "provenance",
    "__call__",
    "attempt",
    "expect",
    "faster_with",
    "files_read",
    "opaque",
    "read_record",
    "seconds_per_image",
    "unused",
    "what_ran",
)
"""The attributes that a restorer has, and those that it may have besides (``gfpbench.types``)."""

_WANTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "name": ("a text that is not empty", lambda said: isinstance(said, str) and bool(said)),
    "faster_with": ("a text, or None", lambda said: said is None or isinstance(said, str)),
    # NumPy's truth values are called either.
    "opaque": ("True, False or None", lambda said: said is None or type(said).__name__ in ("bool", "bool_")),
    "seconds_per_image": (
        "a number of seconds, or None where there is no limit",
        lambda said: said is None or (isinstance(said, int | float) and said is not True and 0 < said < math.inf),
    ),
}
"""What is no method -> what it has to be, in words, and whether it is."""

ROLES = ("input", "truth")
"""Restorers that a report shows as rows of their own: the degraded input, and the ground truth."""


def load(spec: str, *, device: str = "cpu") -> Restorer:
    """Load a restorer by name, or by a form such as ``python:my_model:restore`` and ``outputs:my_results``.

    Args:
        spec: a name in ``RESTORERS``, or one of the forms in ``SCHEMES`` with its argument. Options follow a question
            mark: ``codeformer?w=0.7&dtype=bf16``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, ``xpu``, ``directml``.

    Raises:
        BadInput: for a name that is not known (near ones are shown), a device that is not there, or a restorer that
            cannot be loaded, and for options it does not have.
        AssetMissing: where weights have to be fetched first.
    """
    device = device if device.startswith("privateuseone") else devices.resolve(device)
    refuse_unknown(spec)
    scheme, colon, argument = spec.partition(":")
    forms = {form.partition(":")[0]: form for form in SCHEMES}
    if colon and scheme in forms:
        factory = attribute_of("restorer", forms[scheme], SCHEMES[forms[scheme]])
        # A folder may be called "what?a=b": only a factory that takes options has its argument taken apart.
        path, given = split_options(argument) if _takes_options(factory) else (argument, {})
        restorer: Restorer = factory(path, device=device, **given)
        return restorer
    name, given = split_options(spec)
    factory = attribute_of("restorer", name, RESTORERS[name])
    if given and not _takes_options(factory):
        raise BadInput(f"restorer {name!r} takes no options, and {spec!r} gives it {', '.join(given)}")
    named: Restorer = factory(device=device, **given)
    return named


def refuse_unknown(spec: str) -> None:
    """Raise BadInput for what is neither a name in ``RESTORERS`` nor a form with its argument. Nothing is opened."""
    scheme, colon, argument = spec.partition(":")
    forms = {form.partition(":")[0]: form for form in SCHEMES}
    if colon and scheme in forms:
        if not argument:
            raise BadInput(f"restorer {spec!r} lacks its argument: write {forms[scheme]}")
    elif (name := split_options(spec)[0]) not in RESTORERS:
        raise unknown("restorer", name, RESTORERS, also=f"or one of the forms {', '.join(SCHEMES)}")


def refuse_unreadable(given: object) -> None:
    """Raise BadInput where one of the ``OFFERED`` attributes is a property that raises; others may be missing."""
    process_guard.refuse_unreadable(f"a restorer ({type(given).__name__})", given, OFFERED)


def refuse_unfit(restorer: Restorer | None) -> None:
    """Raise BadInput for a class in place of a restorer, and for one of whose attributes one is of another type.

    Its name names rows and files, and a limit on its time is part of what a run is told by. Raises as
    ``refuse_unreadable`` does, too.
    """
    if restorer is None:
        return
    refuse_unreadable(restorer)
    if isinstance(restorer, type):
        raise BadInput(f"{restorer.__name__} is a class, not a restorer: give an object of it, {restorer.__name__}()")
    for attribute, (wanted, fits) in _WANTED.items():
        said = getattr(restorer, attribute, None)
        if (attribute == "name" or hasattr(restorer, attribute)) and not fits(said):
            kind = type(restorer).__name__
            raise BadInput(f"a restorer ({kind}): {attribute} has to be {wanted}, not {cut(ascii(said))}")


def is_ours(restorer: object) -> bool:
    """Whether an object is of a class of this package. One of a subclass that somebody made of such a class is not."""
    return str(type(restorer).__module__).partition(".")[0] == "gfpbench"


def refuse_role(name: str) -> None:
    """Raise BadInput for the name of another row of every report, which somebody's own restorer would pass for."""
    if name in ROLES:
        raise BadInput(f"a restorer of your own cannot be called {name!r}, which is another row of every report")


def describe() -> dict[str, str]:
    """One line about each restorer and each form, in the order of the tables. Loads no weights."""
    return {name: first_line("restorer", name, target) for name, target in {**RESTORERS, **SCHEMES}.items()}


def _takes_options(factory: Any) -> bool:
    parameters = inspect.signature(factory).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


lazy_package(__name__)
