"""A Python object as a restorer: ``python:module:attribute``."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from gfpbench.process_guard import contained, raised, text_of
from gfpbench.restorers.adapt import ModuleRestorer, from_array_function
from gfpbench.restorers.opened_files import Opened
from gfpbench.restorers.own_modules import own_modules
from gfpbench.types import BadInput, ImageBatch, Json

ACCEPTED = (
    "a callable ImageBatch -> ImageBatch, a function annotated as numpy array -> numpy array ((H, W, 3) uint8 RGB), "
    "what from_array_function or from_module gives, or a class or function that builds one of these (device=...)"
)

NO_ARRAY = (
    "it was given an ImageBatch; annotate a function of one (H, W, 3) uint8 array (rgb: np.ndarray), or wrap it in "
    "from_array_function"
)

_OPENED: dict[str, Opened] = {}
"""Module -> the files that it read while it was imported, which happens once in a process."""


class PythonRestorer:
    """What ``python:module:attribute`` loads: the user's callable, under the name that was given."""

    opaque = True  # it may read files and use packages that its record does not name

    def __init__(
        self,
        spec: str,
        restore: Callable[[ImageBatch], ImageBatch],
        provenance: Mapping[str, Json],
        opened: Opened | None = None,
    ) -> None:
        self.name = spec
        self._restore = restore
        self._provenance = dict(provenance)
        self._opened = opened or Opened()

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        with self._opened.watching():
            try:
                return self._restore(degraded)
            except Exception as error:
                if _wants_an_array(self._restore, error):
                    error.args = (f"{NO_ARRAY}: {error}",)  # the same error, which came from where it came from
                raise

    def files_read(self) -> Mapping[str, str]:
        """Path -> sha256 of the files that it was seen to read so far, from its import on (see ``Opened``)."""
        return dict(self._opened.files)

    def provenance(self) -> Mapping[str, Json]:
        return self._provenance


def load_python_object(argument: str, *, device: str = "cpu") -> PythonRestorer:
    """Your own: a callable, a function on arrays, or a factory, found at MODULE:ATTRIBUTE (the working folder counts).

    What the attribute may be: a callable ImageBatch -> ImageBatch; a function whose first argument is annotated as a
    numpy array, (H, W, 3) uint8 RGB -> the same; what ``from_array_function`` or ``from_module`` gives; or a class or
    function that needs no positional argument and builds one of these. ``device`` is passed on where it is accepted.

    Raises:
        BadInput: for a module or attribute that is not there (near names are shown), or that is none of the above.
    """
    spec = f"python:{argument}"
    module_name, colon, attribute = argument.partition(":")
    if not (module_name and colon and attribute):
        raise BadInput(f"{spec!r} is not of the form python:MODULE:ATTRIBUTE, as in python:my_model:restore")
    if module_name not in sys.modules:
        _OPENED.pop(module_name, None)  # it was forgotten and is imported anew
    imported, opened = _OPENED.setdefault(module_name, Opened()), Opened()
    with imported.watching():
        module = _import(module_name)
    found = _attribute(module, attribute)
    with opened.watching():
        restore = _as_restorer(spec, _built(spec, found, device), device)
    opened.files = {**imported.files, **opened.files}
    return PythonRestorer(spec, restore, _provenance(spec, module, restore), opened)


def _import(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as `python -m` does; left there, because a model may import its neighbours later
    importlib.invalidate_caches()
    try:
        with contained():
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent is not None and (name == absent or name.startswith(f"{absent}.")):
            here = [path.stem for path in Path(folder).glob("*.py") if path.is_file()]
            near = difflib.get_close_matches(name, here, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise BadInput(f"no module named {absent!r}, looked in {folder} and in the environment{hint}") from error
        found = raised(error)
        last = traceback.extract_tb(found.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        raise BadInput(f"importing {name!r} failed: {type(found).__name__}: {text_of(found)} ({where})") from error


def _attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            public = [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
            near = difflib.get_close_matches(part, public, n=3, cutoff=0.5) or sorted(public)[:8]
            raise BadInput(f"module {module.__name__!r} has no {path!r}; it has: {', '.join(near) or 'nothing public'}")
        found = getattr(found, part)
    return found


def _parameters(function: Any) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some compiled functions have no signature: taken as functions of a batch
        return None


def _takes_device(parameters: list[inspect.Parameter]) -> bool:
    keyword = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(parameter.name == "device" and parameter.kind in keyword for parameter in parameters)


def _needed(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    bare = [p for p in parameters if p.default is p.empty and p.name != "device"]
    return [p for p in bare if p.kind in positional]


def _built(spec: str, found: Any, device: str) -> Any:
    """What a factory builds; anything else as it is."""
    is_factory = inspect.isclass(found)
    parameters = _parameters(found)
    if inspect.isfunction(found) and parameters is not None:
        takes_images = any(p.kind is p.VAR_POSITIONAL for p in parameters) or _needed(parameters)
        is_factory = not takes_images
    if not is_factory:
        return found
    if parameters and _needed(parameters):
        names = ", ".join(parameter.name for parameter in _needed(parameters))
        raise BadInput(f"{spec}: {found.__name__} cannot be built without {names}; name a function that builds it")
    try:
        with contained():
            return found(device=device) if parameters and _takes_device(parameters) else found()
    except (Exception, SystemExit) as error:
        found = raised(error)
        raise BadInput(f"{spec}: building it failed: {type(found).__name__}: {text_of(found)}") from error


def _as_restorer(spec: str, found: Any, device: str) -> Callable[[ImageBatch], ImageBatch]:
    if isinstance(found, torch.nn.Module):
        raise BadInput(
            f"{spec} is a torch module, which does not say its range: wrap it in "
            "gfpbench.restorers.from_module(module, signed=True) for [-1, 1], or signed=False for [0, 1]"
        )
    if isinstance(found, ModuleRestorer):
        return found.place(device)
    if not callable(found):
        raise BadInput(f"{spec} is {type(found).__name__}, which cannot be called; it has to be {ACCEPTED}")
    parameters = _parameters(found)
    if parameters is not None and not parameters:
        raise BadInput(f"{spec} takes no images; it has to be {ACCEPTED}")
    if parameters is not None and len(_needed(parameters)) > 1:
        names = ", ".join(parameter.name for parameter in _needed(parameters))
        raise BadInput(f"{spec} wants {names}, but a restorer is given the degraded images alone")
    if parameters is not None and _takes_device(parameters):
        found = functools.partial(found, device=device)
    if parameters and "ndarray" in _annotation(parameters[0]).lower():
        return from_array_function(found)
    restore: Callable[[ImageBatch], ImageBatch] = found
    return restore


def _annotation(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    return kind.__name__ if isinstance(kind, type) else str(kind)  # str: NDArray[...] and postponed annotations


def _wants_an_array(restore: object, error: Exception) -> bool:
    """Whether a function that says nothing of its argument failed as one that takes a numpy array does."""
    parameters = _parameters(restore) if inspect.isfunction(restore) else None
    if not parameters or parameters[0].annotation is not inspect.Parameter.empty:
        return False
    # Python's own words about our class, and OpenCV's about what is no array.
    return "ImageBatch" in str(error) or "is not a numpy array" in str(error)


def _provenance(spec: str, module: ModuleType, restore: Any) -> dict[str, Json]:
    source = Path(getattr(module, "__file__", None) or "")
    record: dict[str, Json] = {"restorer": spec}
    if source.is_file():
        record["source_sha256"] = hashlib.sha256(source.read_bytes()).hexdigest()
    neighbours = {name: sha256 for name, sha256 in own_modules(module).items() if name != module.__name__}
    if neighbours:
        record["imported_sha256"] = neighbours
    try:
        with contained():
            own = getattr(restore, "provenance", None)
            record = {**(dict(own()) if callable(own) else {}), **record}
    except (Exception, SystemExit) as error:
        found = raised(error)
        raise BadInput(f"{spec}: its provenance() failed: {type(found).__name__}: {text_of(found)}") from error
    try:
        json.dumps(record, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{spec}: its provenance() is not JSON: {error}") from error
    return record
