"""Other people's networks with seeded random weights, in the file formats that are published."""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from skimage import data
from torch import nn

from gfpbench.images import batch_from_uint8
from gfpbench.metrics import faceres
from gfpbench.types import ImageBatch


@cache
def photographs(side: int = 128) -> ImageBatch:
    """Three photographs, 8-bit: a face, a cat, a cup."""
    pieces = (data.astronaut()[20 : 20 + side, 150 : 150 + side], data.chelsea()[40:], data.coffee()[120:, 200:])
    return batch_from_uint8([np.ascontiguousarray(piece[:side, :side]) for piece in pieces], ("face", "cat", "cup"))


def noisy(std: float = 12.0, side: int = 128) -> ImageBatch:
    clean = photographs(side)
    noise = torch.randn(clean.pixels.shape, generator=torch.Generator().manual_seed(3)) * std / 255
    return ImageBatch((clean.pixels + noise).clamp(0, 1), clean.ids)


def seeded(network: nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights under which signals neither vanish nor explode and every layer matters, batch norms included."""
    generator = torch.Generator().manual_seed(seed)

    def draw(name: str, like: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(like.shape, generator=generator)
        if like.ndim >= 2:
            return noise * (2 / like[0].numel()) ** 0.5
        if name.endswith(("running_var", "weight")):
            return noise * 0.1 + 1 if like.numel() > 1 else noise * 0.05 + 0.25  # a PReLU has one weight
        return noise * 0.1

    return {
        name: draw(name, value)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def _module(name: str, file: str) -> Any:
    package, _, inside = file.partition("/")
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    spec = importlib.util.spec_from_file_location(name, Path(found.submodule_search_locations[0]) / inside)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def unfilled() -> Iterator[None]:
    """Networks that are made meanwhile get no initial values, which take seconds for VGG's classifier: they are given
    the values of a file, or never used."""
    names = ("kaiming_normal_", "kaiming_uniform_", "normal_", "trunc_normal_", "uniform_", "xavier_uniform_")
    with ExitStack() as patches:
        for name in names:
            patches.enter_context(patch.object(nn.init, name, lambda tensor, *_, **__: tensor))
        yield


@cache
def basicsr_inception(weights: Path) -> nn.Module:
    """basicsr 1.4.2's FID Inception, which reads its weights from a file of a fixed name."""
    module = _module("basicsr_inception", "basicsr/archs/inception.py")
    module.LOCAL_FID_WEIGHTS = str(weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its torchvision arguments are of another time
        network: nn.Module = module.InceptionV3([3], normalize_input=False)
    return network.eval()


@cache
def faceres_weights(folder: Path) -> Path:
    """A file like that of FaceRes: features of any image are told apart, and few of them lie at ReLU6's ends."""
    generator, made = torch.Generator().manual_seed(5), {}
    for name, shape in faceres.shapes().items():
        noise = torch.randn(shape, generator=generator)
        if name.endswith("weight"):
            made[name] = noise * (2 / noise[0].numel()) ** 0.5 / (60 if name == "conv1.weight" else 1)
        else:
            made[name] = noise * 0.1 + (1.0 if name.endswith("scale") else 0.1)
    path = folder / "faceres.safetensors"
    save_file(made, path)
    return path


@cache
def _faceres_by_onnx(folder: Path) -> Any:
    """The graph written down node by node, with ONNX's own "same" padding, for onnxruntime."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = {name: value.numpy() for name, value in load_file(faceres_weights(folder)).items()}
    constants = [numpy_helper.from_array(np.asarray(end, np.float32), word) for word, end in (("low", 0), ("high", 6))]
    nodes: list[Any] = []
    last = "image"

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [f"n{len(nodes)}"], **attributes))
        return f"n{len(nodes) - 1}"

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    layers = ["conv1", *(f"conv_{kind}_{number}" for number in range(1, 14) for kind in ("dw", "pw"))]
    halving = {"conv1", "conv_dw_2", "conv_dw_4", "conv_dw_6", "conv_dw_12"}
    for layer in layers:
        kernel = weights[f"{layer}.weight"]
        stride = 2 if layer in halving else 1
        group = kernel.shape[0] if "_dw_" in layer else 1
        shape = {"strides": [stride, stride], "group": group, "auto_pad": "SAME_UPPER"}
        last = add("Conv", [last, constant(f"{layer}.weight", kernel)], **shape)
        if "_dw_" in layer:
            last = add("Mul", [last, constant(f"{layer}.scale", weights[f"{layer}.scale"].reshape(1, -1, 1, 1))])
        last = add("Add", [last, constant(f"{layer}.bias", weights[f"{layer}.bias"].reshape(1, -1, 1, 1))])
        last = add("Clip", [last, "low", "high"])
    last = add("GlobalAveragePool", [last])
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])
    told = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 1024, 1, 1])
    graph = helper.make_graph(nodes, "faceres", [given], [told], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def faceres_angle(restored: Any, truth: Any, folder: Path) -> float:
    """The authors' script (facial_analysis.py) with onnxruntime in place of TensorFlow."""
    import cv2

    found = []
    for rgb in (restored, truth):
        x = cv2.resize(rgb, (224, 224)).astype(np.float32)[..., ::-1].copy()
        x[..., 0] -= 103.939
        x[..., 1] -= 116.779
        x[..., 2] -= 123.68
        found.append(_faceres_by_onnx(folder).run(None, {"image": x.transpose(2, 0, 1)[None]})[0].reshape(-1))
    a, b = (one.astype(np.float64) for one in found)
    return float(np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


@cache
def inception_weights(folder: Path) -> Path:
    """A file like pt_inception-2015-12-05: 1008 classes, no counters of the batch norms."""
    from torchvision.models import inception_v3

    path = folder / "inception.pth"
    with torch.device("meta"):  # shapes only
        bare = inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    torch.save(seeded(bare), path)
    return path


@cache
def gfpgan_arcface() -> Any:
    """gfpgan 1.3.8's ResNetArcFace, without the rest of basicsr, which does not import on today's torchvision."""
    registry = types.ModuleType("basicsr.utils.registry")
    registry.ARCH_REGISTRY = types.SimpleNamespace(register=lambda: lambda made: made)  # type: ignore[attr-defined]
    stand_ins = {name: types.ModuleType(name) for name in ("basicsr", "basicsr.utils")}
    with patch.dict(sys.modules, {**stand_ins, "basicsr.utils.registry": registry}):
        return _module("gfpgan_arcface", "gfpgan/archs/arcface_arch.py").ResNetArcFace


@cache
def arcface_weights(folder: Path) -> Path:
    """A file like arcface_resnet18.pth."""
    path = folder / "arcface.pth"
    with unfilled():
        torch.save(seeded(gfpgan_arcface()("IRBlock", [2, 2, 2, 2], use_se=False)), path)
    return path


@cache
def awing_weights(folder: Path) -> Path:
    """A file like alignment_WFLW_4HG.pth, under the name by which facexlib finds it without a download."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from facexlib.alignment.awing_arch import FAN

    with torch.device("meta"):  # shapes only
        bare = FAN(num_modules=4, num_landmarks=98, device="cpu")
    weights = seeded(bare)
    counters = {name: torch.zeros((), dtype=torch.long) for name in bare.state_dict() if name not in weights}
    path = folder / "alignment_WFLW_4HG.pth"
    torch.save({"state_dict": weights | counters}, path)
    return path


@cache
def facexlibs_awing(folder: Path) -> Any:
    """facexlib's own network, loaded by facexlib's own function."""
    awing_weights(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from facexlib.alignment import init_alignment_model

    with unfilled():
        return init_alignment_model("awing_fan", device="cpu", model_rootpath=str(folder))


def facexlibs_landmarks(rgb: Any, folder: Path) -> Any:
    """(98, 2) by facexlib's get_landmarks, which asks numpy for a name that is gone."""
    with torch.no_grad(), patch.object(np, "float", float, create=True):
        return facexlibs_awing(folder).get_landmarks(np.ascontiguousarray(rgb[..., ::-1]))


def gfpgans_network(weights: Path) -> nn.Module:
    """gfpgan's identity network with the weights of a file."""
    with unfilled():
        network: nn.Module = gfpgan_arcface()("IRBlock", [2, 2, 2, 2], use_se=False)
    network.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    return network.eval()


@cache
def backbone_weights(backbone: str, folder: Path) -> Path:
    """A file like torchvision's alexnet and vgg16, classifier left out."""
    import torchvision

    with torch.device("meta"):  # shapes only: filling VGG's classifier takes seconds
        bare = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}[backbone](weights=None)
    path = folder / f"{backbone}.pth"
    torch.save({f"features.{name}": value for name, value in seeded(bare.features).items()}, path)
    return path


@cache
def lpips_network(backbone: str, folder: Path) -> nn.Module:
    """The lpips package's own class, its backbone filled layer by layer in the order of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lpips

        with unfilled():
            network: Any = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    weights = torch.load(backbone_weights(backbone, folder), weights_only=True)
    layers = [layer for layer in network.net.modules() if isinstance(layer, nn.Conv2d)]
    assert len(weights) == 2 * len(layers)
    values = iter(weights.values())
    with torch.no_grad():
        for layer in layers:
            layer.weight.copy_(next(values))
            assert layer.bias is not None
            layer.bias.copy_(next(values))
    return network.eval()


@cache
def basicsr_features(weights: Path) -> torch.Tensor:
    with torch.no_grad():
        features: torch.Tensor = basicsr_inception(weights)(photographs().pixels * 2 - 1)[0].flatten(1)
    return features


def same_features_as_basicsr(extract: Callable[[ImageBatch], torch.Tensor], weights: Path) -> None:
    """Legacy FID features of 8-bit images, from the same file."""
    ours, theirs = extract(photographs()), basicsr_features(weights)
    assert ours.shape == (3, 2048)
    assert ours.dtype == torch.float64
    assert float(ours.std(0).mean()) > 1e-3  # the images are told apart, so equality means something
    assert float((ours - theirs).abs().max()) < 1e-5


def same_as_the_lpips_package(
    score: Callable[[ImageBatch, ImageBatch], torch.Tensor], backbone: str, folder: Path
) -> None:
    """The same distances from the same weights, the package turning [0, 1] to [-1, 1] itself."""
    restored, truth = noisy(side=64), photographs(64)
    ours = score(restored, truth)
    rounded = (restored.pixels * 255).round() / 255
    with torch.no_grad():
        theirs = lpips_network(backbone, folder)(rounded, truth.pixels, normalize=True).flatten()
    assert float((ours - theirs).abs().max()) < 1e-6
    assert len(set(ours.tolist())) == 3
    assert float(ours.min()) > 1e-4


def heat_maps(places: list[tuple[int, int]], seed: int = 0) -> Any:
    """Noise with one peak for each (x, y): (N, 64, 64) float32."""
    made = np.random.default_rng(seed).random((len(places), 64, 64)).astype(np.float32)
    for one, (x, y) in zip(made, places, strict=True):
        one[y, x] = 2
    return made


PEAKS = {
    "inside": [(10, 20), (30, 40), (50, 5)],
    "left and right rim": [(0, 20), (63, 40), (1, 1)],
    "last row": [(10, 63), (30, 40), (50, 5)],
    "first row": [(10, 0), (30, 40), (50, 5)],
    "both": [(0, 1), (30, 40), (62, 63)],
    "first cell": [(0, 0), (30, 40)],
}


def peaks_are_where_facexlib_sees_them(points_of: Callable[[Any], Any], places: list[tuple[int, int]]) -> None:
    """The places of heat maps by facexlib's calculate_points, to the last bit, its oddities at the rim included."""
    from facexlib.alignment.awing_arch import calculate_points

    for seed in range(8):
        made = heat_maps(places, seed)
        with patch.object(np, "float", float, create=True):
            expected = calculate_points(made[None])[0]
        np.testing.assert_array_equal(points_of(made), expected)


@cache
def dists_weights(folder: Path) -> Path:
    """A file of alpha and beta for all 1,475 channels, as DISTS is published."""
    from gfpbench.metrics.dists import CHANNELS

    generator = torch.Generator().manual_seed(5)
    path = folder / "dists.pth"
    shape = (1, sum(CHANNELS), 1, 1)
    torch.save({name: torch.rand(shape, generator=generator) for name in ("alpha", "beta")}, path)
    return path


def pyiqa_dists(
    vgg16: Path, learned: Path, *, double: bool = True
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """pyiqa's DISTS, its VGG-16 and its alpha and beta filled from these files."""
    import torchvision
    from pyiqa.archs import dists_arch

    with unfilled():
        bare = torchvision.models.vgg16(weights=None)
    weights = torch.load(vgg16, weights_only=True)
    bare.features.load_state_dict({name.removeprefix("features."): value for name, value in weights.items()})
    with patch.object(dists_arch.models, "vgg16", lambda weights=None: bare):
        network: Any = dists_arch.DISTS(pretrained=False)
    given = torch.load(learned, weights_only=True)
    network.alpha.data, network.beta.data = given["alpha"], given["beta"]
    precision = torch.float64 if double else torch.float32
    network = network.to(precision).eval()

    def score(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            value: torch.Tensor = network(restored.to(precision), truth.to(precision))
        return value

    return score


ADAFACE_STAGES = ((64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3))


def adaface_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of IR_50 in CVLface@d3d09c9 (models/iresnet/model.py), written out by hand."""

    def norm(name: str, channels: int, affine: bool = True) -> dict[str, tuple[int, ...]]:
        parts = (*(("weight", "bias") if affine else ()), "running_mean", "running_var")
        return {f"{name}.{part}": (channels,) for part in parts}

    shapes = {"input_layer.0.weight": (64, 3, 3, 3), **norm("input_layer.1", 64), "input_layer.2.weight": (64,)}
    block = 0
    for inside, outside, count in ADAFACE_STAGES:
        for channels in (inside, *[outside] * (count - 1)):
            body = f"body.{block}"
            if channels != outside:
                shapes[f"{body}.shortcut_layer.0.weight"] = (outside, channels, 1, 1)
                shapes |= norm(f"{body}.shortcut_layer.1", outside)
            shapes |= norm(f"{body}.res_layer.0", channels)
            shapes[f"{body}.res_layer.1.weight"] = (outside, channels, 3, 3)
            shapes |= norm(f"{body}.res_layer.2", outside)
            shapes[f"{body}.res_layer.3.weight"] = (outside,)
            shapes[f"{body}.res_layer.4.weight"] = (outside, outside, 3, 3)
            shapes |= norm(f"{body}.res_layer.5", outside)
            block += 1
    shapes |= norm("output_layer.0", 512)
    shapes |= {"output_layer.3.weight": (512, 25088), "output_layer.3.bias": (512,)}
    return shapes | norm("output_layer.4", 512, affine=False)


@cache
def adaface_weights(folder: Path) -> Path:
    """A file like cvlface_adaface_ir50_ms1mv2's model.safetensors: the names of the layers behind ``model.net.``."""
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)

    def draw(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            return noise * (2 / noise[0].numel()) ** 0.5
        slope = name.endswith(("input_layer.2.weight", "res_layer.3.weight"))  # of a PReLU
        if slope or name.endswith(("weight", "running_var")):
            return noise * 0.05 + (0.25 if slope else 1.0)
        return noise * 0.1

    path = folder / "adaface.safetensors"
    save_file({f"model.net.{name}": draw(name, shape) for name, shape in adaface_shapes().items()}, path)
    return path


def adaface_by_hand(path: Path, bgr: torch.Tensor) -> torch.Tensor:
    """(B, 3, 112, 112) in [-1, 1] to (B, 512): the published network as plain functions of its file."""
    import torch.nn.functional as F
    from safetensors.torch import load_file

    held = {name.removeprefix("model.net."): value for name, value in load_file(path).items()}

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, variance, scale, shift = (
            held.get(f"{name}.{part}") for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, scale, shift)

    def weight(name: str) -> torch.Tensor:
        return held[f"{name}.weight"]

    with torch.no_grad():
        x = F.conv2d(bgr, weight("input_layer.0"), padding=1)
        x = F.prelu(norm(x, "input_layer.1"), weight("input_layer.2"))
        block = 0
        for inside, outside, count in ADAFACE_STAGES:
            for place in range(count):
                body, stride = f"body.{block}", 2 if place == 0 else 1
                if place == 0 and inside != outside:
                    kept = norm(F.conv2d(x, weight(f"{body}.shortcut_layer.0"), stride=2), f"{body}.shortcut_layer.1")
                else:
                    kept = x[..., ::stride, ::stride]
                inner = F.conv2d(norm(x, f"{body}.res_layer.0"), weight(f"{body}.res_layer.1"), padding=1)
                inner = F.prelu(norm(inner, f"{body}.res_layer.2"), weight(f"{body}.res_layer.3"))
                inner = F.conv2d(inner, weight(f"{body}.res_layer.4"), stride=stride, padding=1)
                x = norm(inner, f"{body}.res_layer.5") + kept
                block += 1
        flat = norm(x, "output_layer.0").flatten(1)
        return norm(F.linear(flat, weight("output_layer.3"), held["output_layer.3.bias"]), "output_layer.4")
