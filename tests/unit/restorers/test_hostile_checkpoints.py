"""Checkpoints that are made to break or to stall whoever reads them: one line each, in bounded memory and time."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.restorers import load
from gfpbench.types import BadInput
from tests import child
from tests.preloaded import Preloaded
from tests.unit.restorers import upstream_gfpgan as upstream

Weights = dict[str, torch.Tensor]
Make = Callable[[Path, Weights], None]
NAME = "final_conv.weight"


def with_weight(change: Callable[[torch.Tensor], Any], name: str = NAME) -> Make:
    def make(path: Path, weights: Weights) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says of most of these kinds that they are new, or that they go
            torch.save({"params_ema": {**weights, name: change(weights[name])}}, path)

    return make


def holding(found: Callable[[], Any], **options: Any) -> Make:
    return lambda path, weights: torch.save(found(), path, **options)


def pickled(body: bytes | Callable[[], bytes]) -> Make:
    """A zip archive as torch.save writes it, around a pickle of our own; deflated, so that it may be long. A function
    makes it with the file: a quarter of a gibibyte would be kept by every process that collects this."""

    def make(path: Path, weights: Weights) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("net/data.pkl", body() if callable(body) else body)
            archive.writestr("net/version", "3\n")
            archive.writestr("net/byteorder", "little")

    return make


def inflating(path: Path, weights: Weights) -> None:
    """The weights, and a part of a gibibyte of zeros in a few megabytes."""
    buffer = io.BytesIO()
    torch.save({"params_ema": weights}, buffer)
    with zipfile.ZipFile(buffer) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in whole.namelist():
            if name.endswith("data/0"):
                with archive.open(name, "w") as part:
                    for _ in range(1024):
                        part.write(bytes(1 << 20))
            else:
                archive.writestr(name, whole.read(name))


def long_legacy(path: Path, weights: Weights) -> None:
    """The old format, whose third pickle never ends: 32 MiB of nothing done."""
    from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

    start = pickle.dumps(MAGIC_NUMBER, protocol=2) + pickle.dumps(PROTOCOL_VERSION, protocol=2)
    path.write_bytes(start + b"\x80\x02" + b"N0" * (1 << 24))


def doubled_tuple(times: int) -> bytes:
    """A pickle of {(...): None} whose key is a tuple of the same tuple twice, so many times over."""
    body = b"\x80\x02}" + b")q\x00"
    for _ in range(times):
        body += b"h\x00h\x00\x86q\x00"
    return body + b"Ns."


def calling(module: str, name: str, number: int) -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"\x8a\x08" + struct.pack("<q", number) + b"\x85R."


def codeformer(**changes: Any) -> Callable[[], Weights]:
    """Names and shapes by which a CodeFormer is known, with nothing behind them."""
    names = {
        "position_emb": torch.zeros(256, 512),
        "idx_pred_layer.1.weight": torch.zeros(1024, 512),
        "encoder.blocks.0.weight": torch.zeros(64, 3, 3, 3),
        "quantize.embedding.weight": torch.zeros(1024, 256),
        "feat_emb.weight": torch.zeros(512, 256),
        "ft_layers.0.self_attn.in_proj_weight": torch.zeros(3, 512),
        "ft_layers.0.linear1.weight": torch.zeros(1024, 512),
    }
    return lambda: {**names, **changes}


def restoreformer() -> Weights:
    return {
        "quantize.embedding.weight": torch.zeros(2, 2),
        "encoder.conv_in.weight": torch.zeros(2, 3, 3, 3),
        "quant_conv.weight": torch.zeros(2, 2, 1, 1),
    }


def wide_compact() -> Weights:
    """A super-resolution network whose body would be a million channels wide, told by two small tensors."""
    return {
        "body.0.weight": torch.zeros(1, 3, 3, 3).expand(1_000_000, 3, 3, 3)[:60_000].clone(),
        "body.0.bias": torch.zeros(60_000),
        "body.1.weight": torch.zeros(60_000),
        "body.2.weight": torch.zeros(48, 1, 3, 3),
    }


HOSTILE: dict[str, tuple[Make, str]] = {
    # name: how it is made, what is said of it
    "sparse": (with_weight(lambda t: t.reshape(-1, 4).to_sparse()), "is a sparse tensor \\(sparse_coo\\)"),
    "CSR": (with_weight(lambda t: t.reshape(-1, 4).to_sparse_csr()), "is a sparse tensor \\(sparse_csr\\)"),
    "meta": (with_weight(lambda t: t.to("meta")), "a tensor on the device meta, without values"),
    "quantised": (
        with_weight(lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8)),
        "is a quantised tensor \\(qint8\\)",
    ),
    "complex": (with_weight(lambda t: t.to(torch.complex64)), "a tensor of complex numbers"),
    "integers": (with_weight(lambda t: (100 * t).int()), "is int32, where the network has float32"),
    "bytes": (with_weight(lambda t: (100 * t).abs().byte()), "is uint8, where the network has float32"),
    "booleans": (with_weight(lambda t: t > 0), "is bool, where the network has float32"),
    "half as wide": (with_weight(lambda t: t[:1]), "have another shape"),
    "without sides": (with_weight(lambda t: t.sum()), "have another shape"),
    "no values": (with_weight(lambda t: t[:0]), "have another shape"),
    "terabytes of stride 0": (
        with_weight(lambda t: torch.zeros(1).expand(1 << 20, 1 << 20)),
        "declare 4,398,0.* bytes, and the file holds",
    ),
    "one tensor under many names": (
        holding(lambda: dict.fromkeys((f"a.{n}" for n in range(2000)), torch.zeros(1 << 20))),
        "its tensors declare .* bytes, and the file holds 4,194,304 of them",
    ),
    "too many tensors": (
        holding(lambda: dict.fromkeys((f"a.{n}" for n in range(60_000)), torch.zeros(1))),
        r"takes over 1,000,000 steps|holds 60,000 tensors",
    ),
    "a part that inflates": (inflating, "bytes inflate to 1,0"),
    "a pickle that inflates": (pickled(lambda: b"\x80\x02" + b"N0" * (1 << 27) + b"N."), "bytes inflate to 268,"),
    "a long pickle": (pickled(lambda: b"\x80\x02" + b"N0" * (1 << 24) + b"N."), r"takes over 1,000,000 steps"),
    "a long pickle of the old format": (long_legacy, r"takes over 1,000,000 steps"),
    "a key of a billion parts": (pickled(doubled_tuple(40)), "a key in it is nested"),
    "a key that is deep": (
        pickled(b"\x80\x02}N" + b"\x85" * 200_000 + b"Ns."),
        "a key in it is nested 101 deep",
    ),
    "a gigabyte of bytes": (
        pickled(calling("builtins", "bytearray", 1 << 36)),
        "asks to call builtins bytearray",
    ),
    "a gigabyte of bytes, by its old name": (
        pickled(calling("__builtin__", "bytearray", 1 << 36)),
        "asks to call",
    ),
    "a tensor without a file": (
        pickled(calling("torch", "FloatTensor", 1 << 36)),
        "asks to call torch FloatTensor",
    ),
    "a storage without a file": (
        pickled(calling("torch.storage", "UntypedStorage", 1 << 36)),
        "asks to call torch",
    ),
    "a table in itself": (
        lambda path, weights: torch.save((lambda d: (d.update(params=d), d)[1])(dict[str, Any]()), path),
        "holds no table of weights",
    ),
    "a fake CodeFormer": (holding(codeformer()), "does not fit CodeFormer|needs the package"),
    "a CodeFormer without sides": (holding(codeformer(position_emb=torch.tensor(1.0))), "CodeFormer|needs the package"),
    "a CodeFormer of an endless codebook": (
        holding(codeformer(position_emb=torch.zeros(1, 4_000_000))),
        "is refused: the network that its shapes describe|needs the package",
    ),
    "a CodeFormer of endless layers": (
        holding(codeformer(**{f"ft_layers.{n}.norm1.weight": torch.zeros(1) for n in range(5000)})),
        "CodeFormer|is refused|needs the package",
    ),
    "a fake RestoreFormer": (holding(restoreformer), "does not fit RestoreFormer"),
    "a network too wide for its weights": (
        holding(wide_compact),
        "is refused: the network|not fit|no architecture",
    ),
    "a GFP-GAN of a billion levels": (
        with_weight(lambda t: t, "stylegan_decoder.to_rgbs.0.modulated_conv.weight"),
        "",
    ),
}


def a_billion_levels(path: Path, weights: Weights) -> None:
    name = "stylegan_decoder.to_rgbs.999999999.modulated_conv.weight"
    first = weights["stylegan_decoder.to_rgbs.0.modulated_conv.weight"]
    shift = weights["condition_shift.0.2.weight"]
    torch.save({**weights, name: first, "condition_shift.999999999.2.weight": shift}, path)


HOSTILE["a GFP-GAN of a billion levels"] = (a_billion_levels, "does not hold the weights of a GFP-GAN network")


@pytest.fixture(scope="module")
def weights() -> Weights:
    return dict(upstream.clean(upstream.TINY).state_dict())


LOADED = """
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    resident = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
except ImportError:  # the limits are POSIX's
    resident = lambda: 0
from gfpbench.restorers import load
from gfpbench.types import BadInput, PackageMissing
before = resident()
for path in sys.argv[1:]:
    try:
        load(f"checkpoint:{path}")
        kind = said = "it was loaded"
    except (BadInput, PackageMissing) as error:
        kind, said = "refused", str(error)
    except Exception as error:
        kind, said = type(error).__name__, str(error)[:2000]
    print(json.dumps((path, kind, said, (resident() - before) // 1024)), flush=True)
"""


@pytest.fixture(scope="module")
def told(
    weights: Weights, tmp_path_factory: pytest.TempPathFactory, preloaded: Preloaded
) -> dict[str, tuple[str, str, int]]:
    """What became of each file: how it ended, what was said, and how many MiB the process had grown by then.

    All of them in one process, which the system ends where they take over two minutes of its time together.
    """
    folder = tmp_path_factory.mktemp("hostile")
    paths = {str(folder / f"{number}.pth"): name for number, name in enumerate(HOSTILE)}
    for path, name in paths.items():
        HOSTILE[name][0](Path(path), weights)
    words = preloaded.words([sys.executable, "-c", LOADED, *paths])
    done = child.run_group(words, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = {paths[path]: (kind, said, grown) for path, kind, said, grown in rows}
    ended = f"its process ended with status {done.returncode}: {done.stderr[-2000:]}"
    return {name: found.get(name, (ended, "", 0)) for name in HOSTILE}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_in_one_line(name: str, told: dict[str, tuple[str, str, int]]) -> None:
    kind, said, _ = told[name]
    assert kind == "refused", (kind, said)
    assert re.search(HOSTILE[name][1], said), said
    assert "\n" not in said
    assert len(said) < 600, said


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_stays_bounded(name: str, told: dict[str, tuple[str, str, int]]) -> None:
    assert told[name][2] < 1024, f"{told[name][2]} MiB more than before"


def test_names_that_a_terminal_obeys_are_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"\x1b[31mred\nline.weight": torch.ones(3), "a" * 5000: torch.ones(3)}, path)
    with pytest.raises(BadInput, match="no architecture that spandrel") as caught:
        load(f"checkpoint:{path}")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500 + len(str(path))


@pytest.mark.parametrize("form", ["checkpoint", "onnx", "torchscript", "pt2"])
@pytest.mark.parametrize("name", ["a" * 300 + ".pth", "a\0b.pth", "a" * 5000])
def test_a_name_that_no_file_can_have(form: str, name: str) -> None:
    with pytest.raises(BadInput, match="there is no such file") as caught:
        load(f"{form}:{name}")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 450
