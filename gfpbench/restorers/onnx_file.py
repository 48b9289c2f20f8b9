"""A network in an ONNX file as a restorer: ``onnx:PATH``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gfpbench.restorers.checkpoint_file import file_sha256
from gfpbench.restorers.face_network import FaceNetwork, Settings
from gfpbench.restorers.onnx_data import external_data
from gfpbench.restorers.options import Options
from gfpbench.types import BadInput, PackageMissing

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def load_onnx(argument: str, *, device: str = "cpu", **given: str) -> FaceNetwork:
    """A network in an ONNX file, run by onnxruntime; in [-1, 1] unless onnx:PATH?range=unit says [0, 1].

    It takes one (B, 3, H, W) float tensor of RGB pictures and returns the same (or a multiple of the size). A side that
    the file leaves open takes pictures as they come; ``size=512`` fixes it. A file says nothing about its range, and
    the wrong one gives a plausible picture: [-1, 1] is what GFP-GAN, RestoreFormer and CodeFormer were trained in.
    Options: ``range``, ``size``, ``batch``.

    Raises:
        BadInput: where the file is not there, not ONNX, or does not turn an RGB picture into one.
        PackageMissing: without onnxruntime.
    """
    options = Options(f"onnx:{argument}", given)
    signed = options.choice("range", ("signed", "unit")) == "signed"
    size = options.whole("size", 0, 0, 8192)
    batch = options.whole("batch", 8, 1, 1024)
    options.finished()
    path = Path(argument).expanduser()
    session = _session(path, options, device)
    taken, shape = _picture_input(session, path)
    if shape[0] is not None and shape[0] != 1:
        raise BadInput(f"{path} takes {shape[0]} pictures at a time: export it for one, or with a free first dimension")
    side = size or None
    height, width = shape[2] or side, shape[3] or side
    if (height is None) != (width is None):
        raise BadInput(
            f"{path} fixes one side of its pictures and leaves the other open: give {options.restorer}?size=..."
        )

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        array = pixels.contiguous().cpu().numpy().astype(_TYPES[taken.type])
        try:
            answers = session.run(None, {taken.name: array})
        except Exception as error:  # onnxruntime's errors have no common type of their own
            line = " ".join(str(error).split())[:200]
            raise BadInput(f"{path} could not restore pictures of shape {tuple(array.shape)}: {line}") from error
        pictures = [a for a in answers if isinstance(a, np.ndarray) and a.ndim == 4 and a.shape[:2] == array.shape[:2]]
        if not pictures:
            got = ", ".join(str(getattr(answer, "shape", type(answer).__name__)) for answer in answers)
            raise BadInput(
                f"{path} returned {got}, and none of that is pictures like the {tuple(array.shape)} it was given"
            )
        return torch.from_numpy(np.ascontiguousarray(pictures[0], dtype=np.float32)).to(pixels.device)

    return FaceNetwork(
        options.spelled,
        forward,
        Settings(device=device, batch=1 if shape[0] == 1 else batch),
        signed=signed,
        size_px=None if height is None or width is None else (height, width),
        identity={
            "architecture": "ONNX",
            "implementation": f"onnxruntime {_version()}",
            "providers": session.get_providers(),
            "range_given": "range" in given,
            "weights": path.name,
            "weights_sha256": file_sha256(path),
            **external_data(path),
        },
    )


def _session(path: Path, options: Options, device: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise PackageMissing("onnxruntime", options.restorer, "pip install onnxruntime") from error
    if not path.is_file():
        raise BadInput(f"{options.restorer}: there is no such file")
    cuda = torch.device(device).type == "cuda"
    if cuda and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise BadInput(
            f"{options.restorer}: this onnxruntime has no CUDA: pip install onnxruntime-gpu, or use --device cpu"
        )
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"] if cuda else ["CPUExecutionProvider"]
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors come as exceptions; warnings about opsets help nobody here
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common type of their own
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"{path} is not an ONNX network that onnxruntime can run: {line}") from error


def _picture_input(session: Any, path: Path) -> tuple[Any, tuple[int | None, ...]]:
    """The one input, and its shape with None where the file leaves a dimension open."""
    inputs = session.get_inputs()
    listed = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    if len(inputs) != 1:
        raise BadInput(
            f"{path} takes {len(inputs)} inputs ({listed}), not one picture: export it with the others fixed"
        )
    (taken,) = inputs
    shape = tuple(d if isinstance(d, int) and d > 0 else None for d in taken.shape)
    if taken.type not in _TYPES or len(shape) != 4:
        raise BadInput(f"{path} takes {listed}, not a (B, 3, H, W) float tensor")
    if shape[1] != 3:
        hint = " (channels last: export it with channels first)" if shape[3] == 3 else ""
        raise BadInput(f"{path} takes {listed}, not pictures with 3 channels in second place{hint}")
    return taken, shape


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
