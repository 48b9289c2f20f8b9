"""Loads weights and statistics from files without executing code that the file contains."""

from __future__ import annotations

import io
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gfpbench.assets.nested_weights import NESTS, FoundWeights, find_table, shown
from gfpbench.assets.resource_limits import MALFORMED, Steps, refuse_bombs, refuse_short_records
from gfpbench.assets.scalars import NAMES as NUMBERS
from gfpbench.assets.scalars import numbers_of_numpy
from gfpbench.codec import refuse_irregular
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
else:
    np, torch = LazyModule("numpy"), LazyModule("torch")

# What torch itself writes into a table of tensors.
_HARMLESS = re.compile(
    r"torch\._utils\._rebuild_\w+|torch(\.storage)?\.\w*Storage|torch\.(Size|device)|collections\.OrderedDict"
)

_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch before 1.6 begin: its magic number, pickled. Version, machine and the object follow."""

_ARRAY_PARTS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
}


def disguise(path: Path) -> str | None:
    """Why a file cannot be weights or statistics at all, told by its first bytes; None where it may be.

    Downloads that went wrong leave web pages, error messages and Git LFS pointers under the right name.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "it is empty"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<script")):
        return "it is a web page"
    if text.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file it points to"
    if text.startswith((b'{"', b"not found", b"404")) and b"\0" not in start:
        return "it is an error message"
    return None


def program_in(path: Path) -> tuple[str, str] | None:
    """The form of restorer that runs a file, and what it is, where it holds a whole program: TorchScript, torch.export.

    Both look like a file of ``torch.save`` from outside; ONNX is told by its name, as it has no mark of its own.
    """
    if path.suffix.lower() == ".onnx":
        return "onnx", "an ONNX network"
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [name.partition("/")[2] or name for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    if "constants.pkl" in inside and any(name.startswith("code/") for name in inside):
        return "torchscript", "a TorchScript network (torch.jit.save)"
    if "archive_format" in inside or "serialized_exported_program.json" in inside:
        return "pt2", "an exported network (torch.export.save)"
    return None


def find_weights(path: Path, nests: tuple[str, ...] = NESTS, key: str = "") -> FoundWeights:
    """Named tensors from a checkpoint, on the CPU, and where in it they lay. Code in the file is never run.

    Args:
        path: safetensors, or a file of ``torch.save`` (both its formats), told by content.
        nests: where to look inside a checkpoint that holds more than weights, best first.
        key: where a person says they lie; then nowhere else is looked.

    Raises:
        BadInput: the file is missing, empty, truncated, a web page, holds code or a program, or holds no table of
            tensors.
    """
    found = find_table(_read_checkpoint(path), path, nests, key)
    refuse_short_records(path, found.weights.values())
    return found


def load_weights(path: Path, nests: tuple[str, ...] = NESTS) -> dict[str, torch.Tensor]:
    """Named tensors from a checkpoint, on the CPU, as ``find_weights`` finds them."""
    return find_weights(path, nests).weights


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Named numpy arrays, such as the mean and covariance of FID statistics, from ``.npz`` or ``torch.save``.

    ``torch.load(weights_only=True)`` refuses numpy arrays, so the pickle is read here with numpy's own array parts
    allowed and nothing else, in both formats of ``torch.save``. Plain words and numbers beside them (BasicSR's files
    say ``name`` and ``size``) come as arrays of no dimension.

    Raises:
        BadInput: the file is missing, empty, truncated, a web page, holds code, or holds something else.
    """
    _check_readable(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as opened:
                pickled = [name for name in opened.namelist() if name.endswith("/data.pkl")]
                if not pickled:
                    with np.load(path, allow_pickle=False) as arrays:
                        return {name: arrays[name] for name in arrays.files}
                found = unpickled_arrays(path, io.BytesIO(opened.read(pickled[0])))
        else:
            found = _legacy_object(path)
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ValueError, TypeError, AttributeError) as problem:
        raise BadInput(f"{path} cannot be read as arrays: {_first_line(problem)}") from problem
    except (LookupError, ArithmeticError, OSError, RuntimeError, MemoryError, zlib.error, struct.error) as problem:
        # What garbage makes of an unpickler, an archive and its compression.
        raise BadInput(f"{path} cannot be read as arrays: it is damaged") from problem
    plain = (np.ndarray, np.generic, str, int, float)
    if not isinstance(found, dict) or not all(isinstance(value, plain) for value in found.values()):
        raise BadInput(f"{path} is not a table of numpy arrays")
    return {str(key): np.asarray(value) for key, value in found.items()}


def _legacy_object(path: Path) -> Any:
    """What a file of torch before 1.6 holds, read as arrays: the fourth of its pickles."""
    with path.open("rb") as file:
        if file.read(len(_LEGACY)) != _LEGACY:
            raise BadInput(f"{path} is neither an npz file nor a torch file, or it is truncated")
        for _ in ("its version of the format", "the machine it was written on"):
            unpickled_arrays(path, file)
        return unpickled_arrays(path, file)


def unpickled_arrays(path: Path, file: IO[bytes]) -> Any:
    """The next pickle of a file, with numpy's array parts allowed and nothing else.

    It is looked through first, because Python's reader does what it is told: told to make an array of a terabyte it
    fails, and prints an error of its own.

    Args:
        path: what error lines call the file.

    Raises:
        BadInput: for one that asks for more memory or time than its size explains.
        pickle.UnpicklingError: for one that names anything else, or is damaged; garbage raises other errors too.
    """
    start = file.tell()
    try:
        Steps(path).look_through(file)
    except MALFORMED as error:
        raise pickle.UnpicklingError("it is damaged or truncated") from error
    file.seek(start)
    return _ArrayUnpickler(file).load()


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ARRAY_PARTS and module != "numpy.dtypes":
            raise pickle.UnpicklingError(f"it asks to run {module}.{name}: refused")
        new = int(np.__version__.split(".")[0]) >= 2
        return super().find_class(module.replace("numpy.core.", "numpy._core.") if new else module, name)


def existing_file(path: Path) -> Path:
    """The path of a file that is there. Raises BadInput where it is not, or where there can be none of that name."""
    spelled = shown(str(path), longest=300)
    try:
        there, folder = path.is_file(), path.is_dir()
    except (OSError, ValueError) as error:  # a name of over 255 bytes, or with a zero byte in it
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"{spelled}: there is no such file ({said})") from error
    if folder:
        raise BadInput(f"{spelled}: is a folder, and a file is needed: give the path of one in it")
    if not there:
        refuse_irregular(path)
        raise BadInput(f"{spelled}: there is no such file")
    return path


def _check_readable(path: Path) -> None:
    existing_file(path)
    if (reason := disguise(path)) is not None:
        raise BadInput(f"{path} is not weights: {reason}")


def _read_checkpoint(path: Path) -> Any:
    _check_readable(path)
    with path.open("rb") as file:
        start = file.read(9)
    if path.suffix == ".safetensors" or start[8:9] == b"{":
        return _read_safetensors(path)
    if (program := program_in(path)) is not None:
        form, what = program
        raise BadInput(f"{path} is {what}, a program and no table of weights: where you trust it, name it {form}:PATH")
    refuse_bombs(path)
    try:
        with warnings.catch_warnings():
            # Checkpoints of old torch versions make torch warn about its own storage classes.
            warnings.simplefilter("ignore")
            with numbers_of_numpy():
                return torch.load(path, map_location="cpu", weights_only=True)
    except (Exception, RecursionError) as problem:  # what garbage makes of an unpickler is of nearly any type
        raise BadInput(f"{path} {_why_not(path, problem)}") from problem


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as problem:
        raise BadInput(f"{path} is damaged, truncated or not safetensors ({_first_line(problem)})") from problem
    return found


def _names_in(path: Path) -> list[str]:
    """What the pickle in a file of ``torch.save`` names, as far as it can be read. Nothing is called."""
    steps = Steps(path)
    # Reading garbage raises nearly anything, and here an error only means that there is no more to read.
    with suppress(Exception), ExitStack() as open_files:
        file: IO[bytes] = open_files.enter_context(path.open("rb"))
        if zipfile.is_zipfile(path):
            inside = open_files.enter_context(zipfile.ZipFile(path))
            file = io.BytesIO(inside.read(next(name for name in inside.namelist() if name.endswith("data.pkl"))))
        while True:  # the old format is several pickles, one after the other
            steps.look_through(file)
    return steps.names


def _why_not(path: Path, problem: BaseException) -> str:
    """What torch's refusal means. Its own message advises to load the file unsafely, so it is not passed on."""
    names = _names_in(path)
    code = [name for name in names if not _HARMLESS.fullmatch(name) and tuple(name.rsplit(".", 1)) not in _ARRAY_PARTS]
    if code:
        return f"holds code ({code[0]}), not only weights: refused, nothing was run"
    if any(name.startswith("numpy.") and name not in NUMBERS for name in names):
        return "holds numpy arrays, not a table of weights"
    if NUMBERS.intersection(names):
        return f"holds values of numpy's that torch {torch.__version__} does not read: save them as plain numbers"
    detail = "" if "weights_only" in str(problem) else f" ({_first_line(problem)})"
    return f"is damaged, truncated or not weights at all{detail}"


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0][:160] if lines else type(problem).__name__
