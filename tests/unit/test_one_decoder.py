"""Image files are decoded in one place: no other source calls a decoder, by whatever name it comes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gfpbench"

MODULES = (
    *(
        "imageio",
        "tifffile",
        "rawpy",
        "pillow_heif",
        "pillow_avif",
        "pyvips",
        "wand",
        "turbojpeg",
        "simplejpeg",
        "imagecodecs",
    ),
    *("skimage.io", "torchvision.io", "torchvision.datasets", "matplotlib.image", "matplotlib.pyplot", "PIL.ImageFile"),
    *("PIL.features", "kornia.io", "mmcv", "pydicom", "cairosvg", "fitz", "av", "decord", "tensorflow", "nvidia.dali"),
)
"""What decodes image files by being imported, or is imported for nothing else."""

FUNCTIONS = frozenset(
    {
        *(
            "imread",
            "imreadmulti",
            "imreadanimation",
            "imreadWithMetadata",
            "imdecode",
            "imdecodemulti",
            "imdecodeanimation",
        ),
        *("imdecodeWithMetadata", "imcount", "VideoCapture", "read_image", "decode_image", "decode_jpeg", "decode_png"),
        *("decode_webp", "decode_gif", "decode_avif", "decode_heic", "load_rgb_image", "load_grayscale_image"),
        *("load_image_file", "default_loader", "pil_loader", "ImageFolder", "open_image", "preinit"),
    }
)
"""Functions of any library that turn a file, or the bytes of one, into pixels."""

ALLOWED = {
    ("collapse/plot.py", "matplotlib.pyplot"): "draws a figure and reads no file",
    ("decode/high_bit_depth.py", "tifffile"): "16-bit and floating-point TIFF",
    ("decode/reader.py", "tifffile"): "its logger is quieted",
    ("decode/high_bit_depth.py", "imagecodecs"): "what tifffile's message says it lacks",
    ("decode/high_bit_depth.py", "imdecode"): "16-bit PNG, TIFF and JPEG 2000 that Pillow would cut",
    ("decode/pillow.py", "PIL.Image.open"): "everything else, with the list of formats",
    ("decode/pillow.py", "PIL.ImageFile"): "its tolerance of truncated files is switched off",
    ("degrade/jpeg.py", "imdecode"): "no file: what the line before has encoded, as the published degradations do",
}


def decoders(source: str) -> Iterator[str]:
    """Every decoder that a source names: modules, ``PIL.Image.open``, and functions however they are reached."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                yield from _modules(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield from _modules(f"{node.module}.{alias.name}")
                if alias.name in FUNCTIONS:
                    yield alias.name
                if f"{node.module}.{alias.name}" == "PIL.Image.open":
                    yield "PIL.Image.open"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in FUNCTIONS:
                yield node.attr
            if _dotted(node, known) == "PIL.Image.open":
                yield "PIL.Image.open"
            yield from _modules(_dotted(node, known))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # getattr and import_module take names
            if node.value in FUNCTIONS:
                yield node.value
            if node.value in MODULES:
                yield node.value


def _modules(name: str) -> Iterator[str]:
    yield from (module for module in MODULES if name == module or name.startswith(f"{module}."))


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([known.get(node.id, node.id), *reversed(names)])


def test_every_decode_goes_through_the_one_function() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in decoders(path.read_text(encoding="utf-8"))
    }
    assert found == set(ALLOWED), "read image files with gfpbench.decode, which has the list of formats and the limits"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from PIL import Image\nImage.open('x')", "PIL.Image.open"),
        ("from PIL import Image as I\nimage = I.open('x').convert('RGB')", "PIL.Image.open"),
        ("import PIL.Image\nPIL.Image.open('x')", "PIL.Image.open"),
        ("import PIL.Image as P\nP.open('x')", "PIL.Image.open"),
        ("from PIL.Image import open as look\nlook('x')", "PIL.Image.open"),
        ("def f():\n    from PIL import Image\n    return Image.open", "PIL.Image.open"),
        ("from PIL import ImageFile\nImageFile.Parser()", "PIL.ImageFile"),
        ("import cv2\ncv2.imread('x')", "imread"),
        ("import cv2 as c\nread = c.imread", "imread"),
        ("from cv2 import imdecode as d\nd(x, 1)", "imdecode"),
        ("import cv2\ngetattr(cv2, 'imread')('x')", "imread"),
        ("import cv2\ncv2.VideoCapture('x')", "VideoCapture"),
        ("import tifffile", "tifffile"),
        ("import importlib\nimportlib.import_module('tifffile')", "tifffile"),
        ("from skimage import io\nio.imread('x')", "skimage.io"),
        ("import skimage.io as s", "skimage.io"),
        ("import skimage\nskimage.io.ImageCollection('x')", "skimage.io"),
        ("from torchvision.io import read_image", "torchvision.io"),
        ("import torchvision\ntorchvision.io.decode_image(x)", "torchvision.io"),
        ("import matplotlib.pyplot as plt\nplt.imread('x')", "matplotlib.pyplot"),
        ("from matplotlib import image\nimage.imread('x')", "matplotlib.image"),
        ("import imageio.v3 as iio", "imageio"),
        ("import dlib\ndlib.load_rgb_image('x')", "load_rgb_image"),
    ],
)
def test_another_decoder_is_seen(source: str, expected: str) -> None:
    assert expected in set(decoders(source))


@pytest.mark.parametrize(
    "source",
    [
        "from PIL import Image\nImage.fromarray(x).resize((1, 1))",
        "import cv2\ncv2.imencode('.png', x)",
        "path.open('rb')\nopen('x')",
        "from skimage.data import astronaut",
        "import torchvision\ntorchvision.models",
    ],
)
def test_what_decodes_nothing_is_left_alone(source: str) -> None:
    assert list(decoders(source)) == []
