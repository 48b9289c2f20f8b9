"""A network in an ONNX file as a restorer: ``onnx:PATH``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gfpbench import assets
from gfpbench.options import Options
from gfpbench.restorers import arithmetic
from gfpbench.restorers.checkpoint_file import file_sha256
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.restorers.network_file import Signature, as_number, input_value, network_from_file, refuse_unknown_words
from gfpbench.restorers.onnx_data import external_data, weight_types
from gfpbench.types import BadInput, Json, PackageMissing

_TYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
    "tensor(uint8)": torch.uint8,
}
_NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


PROVIDERS: Mapping[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
"""What ``onnx:PATH?provider=NAME`` takes, and onnxruntime's name of each."""
OF_DEVICE = {"cuda": "cuda", "mps": "coreml", "directml": "directml", "privateuseone": "directml", "xpu": "openvino"}
"""The provider that a device of torch stands for where none is named; the CPU's for any other."""


def load_onnx(argument: str, *, device: str = "cpu", **given: str) -> FaceNetwork:
    """A network in an ONNX file, run by onnxruntime; in [-1, 1] unless onnx:PATH?range=unit says [0, 1].

    It takes RGB images and returns them restored, of the same size or enlarged. Number type (float32, float16,
    float64, uint8), layout, a fixed batch and a fixed size are what the file's own signature says; an input beside the
    images is given by its name (``onnx:PATH?w=0.5``) and keeps the file's default otherwise. A file says nothing
    about its range, and the wrong one gives a plausible image: [-1, 1] is what GFP-GAN, RestoreFormer and CodeFormer
    were trained in. Options: ``provider`` (the execution provider that has to run it: cpu, cuda, tensorrt, directml,
    coreml, ...), ``range``, ``out_range``, ``layout``, ``order``, ``size``, ``batch``, ``output``, and the names of
    further inputs.

    Raises:
        BadInput: where the file is not there, not ONNX, or does not turn an RGB image into one.
        PackageMissing: without onnxruntime.
    """
    options = Options(f"onnx:{argument}", given)
    refuse_unknown_words(options)
    path = Path(argument).expanduser()
    provider = _provider(options, device)
    assets.existing_file(path)
    if (reason := assets.disguise(path)) is not None:
        raise BadInput(f"{path} is not an ONNX network: {reason}")
    beside = external_data(path)  # first: its lines say what is missing and where
    session = _session(path, options, provider)
    taken = _image_input(session, path)
    extras = _extra_inputs(session, taken, options, path)
    names = [output.name for output in session.get_outputs()]
    other: dict[str, Any] = {}  # the session of another way to compute, while noise is measured

    def session_now() -> Any:
        way = arithmetic.way_now()
        if way not in arithmetic.IN_ONNXRUNTIME:
            other.clear()
            return session
        if way not in other:
            other.clear()
            other[way] = _session(path, options, provider, **arithmetic.IN_ONNXRUNTIME[way])
        return other[way]

    def call(images: torch.Tensor) -> Mapping[str, Any]:
        feeds = {name: np.full(_filled(shape, len(images)), value) for name, (value, shape) in extras.items()}
        answers = session_now().run(None, {taken.name: images.cpu().numpy(), **feeds})
        return {name: _tensor(answer) for name, answer in zip(names, answers, strict=True)}

    kinds = [output.type for output in session.get_outputs()]
    whole = all(kind == "tensor(uint8)" for kind in kinds)
    known = tuple(names) if all(kind.startswith("tensor(") for kind in kinds) else None  # a sequence has any number

    def what_ran() -> dict[str, Json]:
        return {
            "providers": session.get_providers(),
            "provider_asked_for": provider,
            "nodes": _nodes(session),
            "weight_types": weight_types(path),
            "output_types": kinds,
        }

    network = network_from_file(
        options,
        path,
        Signature(_TYPES[taken.type], _sides(taken.shape), whole, known),
        call,
        device,
        {
            "architecture": "ONNX",
            "implementation": f"onnxruntime {_version()}",
            "providers": session.get_providers(),
            "inputs": {name: value.item() for name, (value, _) in extras.items()},
            "weights": path.name,
            "weights_sha256": file_sha256(path),
            **beside,
        },
    )
    network.ran = what_ran
    return network


def _provider(options: Options, device: str) -> str:
    """onnxruntime's name of the provider that has to run the network. Raises BadInput where it is not here."""
    runtime = _onnxruntime(options)
    here = runtime.get_available_providers()
    named = {own: name for name, own in PROVIDERS.items()}
    listed = ", ".join(named[one] for one in here if one in named)
    asked = options.text("provider", listed)
    if asked and asked not in PROVIDERS:
        raise BadInput(f"{options.spelled}: there is no provider {asked!r}; this onnxruntime has: {listed}")
    name = asked or OF_DEVICE.get(device.partition(":")[0], "cpu")
    if PROVIDERS[name] not in here:
        remedy = (
            "pip install onnxruntime-gpu, or use --device cpu" if name == "cuda" and not asked else f"it has: {listed}"
        )
        said = {"cuda": "CUDA"}.get(name, name)
        raise BadInput(f"{options.name}: this onnxruntime has no {said}: {remedy}")
    return PROVIDERS[name]


def _onnxruntime(options: Options) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise PackageMissing("onnxruntime", options.name, "pip install onnxruntime") from error
    return onnxruntime


def _session(path: Path, options: Options, provider: str, *, optimised: int = 1, threads: int = 0) -> Any:
    """The network, ready to run. ``threads`` 0 lets onnxruntime choose.

    Raises:
        BadInput: for what is no network, and where onnxruntime left the provider aside and would run on the CPU.
    """
    onnxruntime = _onnxruntime(options)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    if not optimised:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 4  # errors come as exceptions; warnings about opsets help nobody here
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")  # see ``_nodes``
    try:
        session = onnxruntime.InferenceSession(
            str(path), settings, providers=list(dict.fromkeys([provider, "CPUExecutionProvider"]))
        )
    except Exception as error:  # onnxruntime's errors have no common type of their own
        line = " ".join(str(error).split())
        line = line if len(line) <= 300 else f"... {line[-280:]}"  # places in its source come first, the reason last
        raise BadInput(f"{path} is not an ONNX network that onnxruntime can run: {line}") from error
    if provider not in session.get_providers():
        raise BadInput(
            f"{options.name}: {provider} is part of this onnxruntime and did not start (its libraries or its "
            f"device are missing); what would run is {', '.join(session.get_providers())}"
        )
    return session


def _nodes(session: Any) -> dict[str, int]:
    """How many nodes of the network each provider runs; empty where this onnxruntime does not say."""
    if not hasattr(session, "get_provider_graph_assignment_info"):  # before 1.24
        return {}
    counts: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counts[str(part.ep_name)] = counts.get(str(part.ep_name), 0) + len(part.get_nodes())
    return counts


def _image_input(session: Any, path: Path) -> Any:
    """The input that takes the images: the only one of four sides, three of them channels or open."""
    inputs = session.get_inputs()
    listed = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    able = [i for i in inputs if i.type in _TYPES and len(i.shape) == 4]
    if not able:
        raise BadInput(f"{path} takes {listed}, not a (B, 3, H, W) float tensor")
    images = [i for i in able if 3 in (_sides(i.shape)[1], _sides(i.shape)[3])] or [
        i for i in able if None in (_sides(i.shape)[1], _sides(i.shape)[3])
    ]
    if not images:
        raise BadInput(f"{path} takes {listed}, not images with 3 channels in second place")
    if len(images) > 1:
        raise BadInput(f"{path} takes {len(images)} inputs that may be the image ({listed}): export it with one")
    return images[0]


def _extra_inputs(
    session: Any, taken: Any, options: Options, path: Path
) -> dict[str, tuple[NDArray[Any], tuple[int | None, ...]]]:
    """Value and shape of every other input that is given; those with a default in the file may be left alone."""
    needed = [one for one in session.get_inputs() if one.name != taken.name]
    values: dict[str, tuple[NDArray[Any], tuple[int | None, ...]]] = {}
    # Some exporters list every weight as an input with a default: only what is one number is an option.
    optional = [one for one in session.get_overridable_initializers() if math.prod(_filled(_sides(one.shape), 1)) == 1]
    for one in [*needed, *optional]:
        text = input_value(options, one.name, f"a number ({one.type} {one.shape} of the network)")
        if not text and one in needed:
            raise BadInput(
                f"{path} takes {one.name!r} ({one.type} {one.shape}) beside the image, and has no default for it: "
                f"give it, as in {options.name}?{one.name}=0.5"
            )
        if text and one.type not in _NUMBERS:
            raise BadInput(f"{options.spelled}: {one.name} is {one.type}, for which no value can be given here")
        if text:
            values[one.name] = (np.array(as_number(text, one.name, options), _NUMBERS[one.type]), _sides(one.shape))
    return values


def _filled(shape: tuple[int | None, ...], batch: int) -> tuple[int, ...]:
    """A shape without open sides: the first of them is the batch."""
    return tuple((batch if place == 0 else 1) if side is None else side for place, side in enumerate(shape))


def _sides(shape: Any) -> tuple[int | None, ...]:
    return tuple(side if isinstance(side, int) and side > 0 else None for side in shape)


def _tensor(answer: Any) -> Any:
    return torch.from_numpy(np.ascontiguousarray(answer)) if isinstance(answer, np.ndarray) else answer


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
