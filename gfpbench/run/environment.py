"""The environment record of a Result: versions, device, threads and the hash of gfpbench's code."""

from __future__ import annotations

import functools
import hashlib
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import gfpbench
from gfpbench.lazy import LazyModule
from gfpbench.types import Json

if TYPE_CHECKING:
    import cv2
    import PIL
    import torch
else:
    torch, cv2, PIL = LazyModule("torch"), LazyModule("cv2"), LazyModule("PIL")

PACKAGE = Path(gfpbench.__file__).parent


def environment(device: str) -> dict[str, Json]:
    """A record without times, paths or names of people, equal on two runs of one machine.

    Args:
        device: as torch names it (``cpu``, ``cuda``, ``cuda:1``).
    """
    record: dict[str, Json] = {
        "gfpbench": gfpbench.__version__,
        "code_sha256": code_sha256(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "device": device.partition(":")[0],  # which of several equal GPUs it was changes nothing
        "device_name": _processor(),
        "torch_threads": torch.get_num_threads(),
        "vector_unit": torch.backends.cpu.get_cpu_capability(),  # AVX2 and AVX-512 add in another order
        "rounding": _rounding(cv2.useOptimized()),
    }
    if device.startswith("cuda"):
        gpu = torch.cuda.get_device_properties(torch.device(device))
        record |= {
            "device_name": gpu.name,
            "gpu_capability": f"{gpu.major}.{gpu.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call,unused-ignore]
            "gpu_driver": _driver(),
        }
    return record


def device_key(environment: Mapping[str, Json]) -> str:
    """The device and the release of torch as the name of a folder: ``nvidia_h100-torch2.15``.

    Args:
        environment: a record as ``environment`` gives.
    """
    device = str(environment.get("device_name") or environment.get("device", "cpu"))
    name = re.sub(r"[^a-z0-9]+", "_", device.lower()).strip("_")
    release = ".".join(str(environment.get("torch", "")).split("+")[0].split(".")[:2])
    return f"{name or 'unknown'}-torch{release}"


@functools.cache
def code_sha256(package: Path = PACKAGE) -> str:
    """Hash of a package's source files, gfpbench's own unless told: the same hash means measured by the same code."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


@functools.cache
def _rounding(optimized: bool) -> str:
    """How OpenCV and NumPy's BLAS round here: a hash of what they make of fixed numbers, in floats.

    The same processor and releases may round otherwise: BLAS chooses its kernels by a processor's model or a variable,
    and the builds of one release differ. Where this is the same, degraded images have the same bytes. It is of the
    operations and shapes that degrading is made of, not of our code, whose bugs must not look like another machine.

    Args:
        optimized: whether OpenCV uses its tuned code, as it is set now.
    """
    del optimized  # part of the key
    source, made = np.random.default_rng(0), []
    for rows, inner, columns in ((1, 48, 512), (4, 56, 512), (64, 120, 16), (300, 20, 30)):
        one, other = (source.random(shape, np.float32) for shape in ((rows, inner), (inner, columns)))
        made.append(np.matmul(one, other))
    plane, kernel = source.random((96, 96), np.float32), source.random((41, 41))
    column = kernel[:, :1] / kernel[:, :1].sum()
    made += [cv2.filter2D(plane, -1, part / part.sum()) for part in (kernel, kernel[:5, :5])]
    made += [cv2.sepFilter2D(plane, -1, column, column), cv2.dft(plane), cv2.resize(plane, (37, 29))]
    return hashlib.sha256(b"".join(np.asarray(values, np.float32).tobytes() for values in made)).hexdigest()[:16]


@functools.cache
def _driver() -> str | None:
    """The NVIDIA driver's version, from the file the kernel module keeps; None where there is no such file."""
    try:
        return Path("/sys/module/nvidia/version").read_text().strip()
    except OSError:
        return None
