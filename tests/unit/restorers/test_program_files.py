"""TorchScript and torch.export files as restorers: run when they are named for what they are, and never otherwise."""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.images import resized, select
from gfpbench.restorers import checked, load
from gfpbench.types import BadInput, ImageBatch


class Halving(torch.nn.Module):
    """y = w x + 1/4; beside it, in a list, what a GFP-GAN gives too."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((), 1.0, dtype=dtype))

    def forward(self, x: torch.Tensor, w: float = 0.5) -> tuple[torch.Tensor, list[torch.Tensor]]:
        y = x * w * self.weight + 0.25
        return y, [x[:, :, ::2, ::2]]


class Weighted(torch.nn.Module):
    def forward(self, x: torch.Tensor, w: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mean": x.mean(), "image": x * w.view(-1, 1, 1, 1) + 0.25}


def scripted(module: torch.nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch calls torch.jit deprecated
        torch.jit.script(module).save(path)
    return path


def exported(module: torch.nn.Module, path: Path, *inputs: Any, free: bool = True) -> Path:
    dims = (
        {0: torch.export.Dim("b"), 2: torch.export.Dim("h", min=4), 3: torch.export.Dim("w", min=4)} if free else None
    )
    shapes = (dims, *[None] * (len(inputs) - 1)) if free else None
    torch.export.save(torch.export.export(module.eval(), inputs, dynamic_shapes=shapes), path)
    return path


@pytest.fixture(scope="module")
def faces(degraded: ImageBatch) -> ImageBatch:
    return select(degraded, [0, 1, 2])


def test_torchscript_runs_in_the_range_that_was_said(faces: ImageBatch, tmp_path: Path) -> None:
    path = scripted(Halving(), tmp_path / "net.pt")
    restorer = load(f"torchscript:{path}?range=unit")
    assert (restorer(faces).pixels - (faces.pixels / 2 + 0.25)).abs().max() < 1e-6
    assert (load(f"torchscript:{path}")(faces).pixels - (faces.pixels / 2 + 0.375)).abs().max() < 1e-6
    weighted = load(f"torchscript:{path}?range=unit&w=0.25")
    assert (weighted(faces).pixels - (faces.pixels / 4 + 0.25)).abs().max() < 1e-6
    record = weighted.provenance()
    json.dumps(record, allow_nan=False)
    assert (record["architecture"], record["inputs"], len(record["weights_sha256"])) == ("TorchScript", {"w": 0.25}, 64)
    assert checked(restorer, faces)[1] == {}


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-6), (torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_torchscript_of_another_number_type(
    dtype: torch.dtype, bound: float, faces: ImageBatch, tmp_path: Path
) -> None:
    path = scripted(Halving(dtype), tmp_path / "net.pt")
    assert (load(f"torchscript:{path}?range=unit")(faces).pixels - (faces.pixels / 2 + 0.25)).abs().max() < bound
    assert load(f"torchscript:{path}?type=float32").provenance()["number_type"] == "float32"


def test_torchscript_with_what_its_signature_does_not_say(faces: ImageBatch, tmp_path: Path) -> None:
    class Bytes(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x[:, :, :, 0:1] // 2).expand_as(x)

    path = scripted(Bytes(), tmp_path / "net.pt")
    restorer = load(f"torchscript:{path}?type=uint8&layout=nhwc&order=bgr&size=64")
    small = resized(faces, (64, 64))
    levels = (small.pixels[:, [2]] * 255).round().div(2).floor().expand(-1, 3, -1, -1)
    wanted = resized(ImageBatch(levels / 255, faces.ids), faces.size)
    assert (restorer(faces).pixels - wanted.pixels).abs().max() < 1e-6


def test_an_output_of_an_unknown_name_is_refused_before_anything_is_restored(faces: ImageBatch, tmp_path: Path) -> None:
    class Several(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
            return x.mean(), (x / 2 + 0.25, x / 4)

    class Named(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"image": x / 2 + 0.25, "mask": x[:, :1]}

    one = (torch.rand(2, 3, 16, 16),)
    for kind, path in (
        ("torchscript", scripted(Several(), tmp_path / "net.pt")),
        ("pt2", exported(Several(), tmp_path / "net.pt2", *one)),
    ):
        with pytest.raises(BadInput, match=r"has no output '7'; it has: 0, 1\.0, 1\.1$"):
            load(f"{kind}:{path}?output=7")
        quarter = load(f"{kind}:{path}?range=unit&output=1.1")(faces)
        assert (quarter.pixels - faces.pixels / 4).abs().max() < 1e-6
    path = exported(Named(), tmp_path / "named.pt2", *one)
    with pytest.raises(BadInput, match=r"has no output 'images'; it has: image, mask$"):
        load(f"pt2:{path}?output=images")
    # What a dict of TorchScript holds is known when it comes.
    late = load(f"torchscript:{scripted(Named(), tmp_path / 'named.pt')}?output=images")
    with pytest.raises(BadInput, match=r"has no output 'images'; it has: image, mask$"):
        late(faces)


def test_exported_runs_in_the_range_that_was_said(faces: ImageBatch, tmp_path: Path) -> None:
    path = exported(Halving(), tmp_path / "net.pt2", torch.rand(2, 3, 16, 16))
    restorer = load(f"pt2:{path}?range=unit")
    assert (restorer(faces).pixels - (faces.pixels / 2 + 0.25)).abs().max() < 1e-6
    assert restorer.provenance()["architecture"] == "torch.export"
    assert checked(restorer, faces)[1] == {}
    fixed = exported(Halving(), tmp_path / "fixed.pt2", torch.rand(2, 3, 64, 64), 0.25, free=False)
    restorer = load(f"pt2:{fixed}?range=unit")
    small = resized(faces, (64, 64))
    wanted = resized(ImageBatch(small.pixels / 4 + 0.25, small.ids), faces.size)
    assert (restorer(faces).pixels - wanted.pixels).abs().max() < 1e-6
    record = restorer.provenance()
    assert (record["fixed_batch"], record["works_at_px"], record["inputs"]) == (2, 64, {"w": 0.25})


def test_exported_with_a_further_tensor(faces: ImageBatch, tmp_path: Path) -> None:
    path = exported(Weighted(), tmp_path / "net.pt2", torch.rand(2, 3, 16, 16), torch.rand(1))
    with pytest.raises(BadInput, match=r"takes 'w' \(torch.float32 \(1,\)\) beside the image: give it, as in"):
        load(f"pt2:{path}")
    restorer = load(f"pt2:{path}?range=unit&w=0.25")
    assert (restorer(faces).pixels - (faces.pixels / 4 + 0.25)).abs().max() < 1e-6


@pytest.mark.parametrize("form", ["torchscript", "pt2"])
def test_files_that_are_none(form: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    with pytest.raises(BadInput, match="there is no such file"):
        load(f"{form}:{path}")
    torch.save({"weight": torch.ones(3)}, path)
    for content in (path.read_bytes(), b"not a network", b""):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"is not (a TorchScript|an exported) network") as caught:
            load(f"{form}:{path}")
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=r"give range=signed\|unit\|255"):
        load(f"{form}:{path}?range=bytes")


def test_torchscript_that_takes_no_image_or_fails(faces: ImageBatch, tmp_path: Path) -> None:
    class Nothing(torch.nn.Module):
        def forward(self, w: float) -> float:
            return w

    class Fails(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(7, -1)

    with pytest.raises(BadInput, match="its forward takes w: float, and none of that is a tensor of images"):
        load(f"torchscript:{scripted(Nothing(), tmp_path / 'net.pt')}")
    restored, failures = checked(load(f"torchscript:{scripted(Fails(), tmp_path / 'fails.pt')}"), faces)
    assert restored is None
    assert all(
        "could not restore images of shape (1, 3, 128, 128): RuntimeError: shape" in r for r in failures.values()
    )


class Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.mkdir, (self.path,))


@pytest.mark.parametrize("inside", ["sample_inputs/model.pt", "weights/weight_0", "constants/custom_obj_0"])
def test_pickled_code_in_an_exported_file_does_not_run(inside: str, faces: ImageBatch, tmp_path: Path) -> None:
    path = exported(Halving(), tmp_path / "net.pt2", torch.rand(2, 3, 16, 16))
    ran = tmp_path / "ran"
    torch.save(Runs(ran), tmp_path / "code.pt")
    code = (tmp_path / "code.pt").read_bytes() if inside.endswith(".pt") else pickle.dumps(Runs(ran))
    spoilt = tmp_path / "spoilt.pt2"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(spoilt, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("model_weights_config.json") and "weight_0" in inside:
                content = content.replace(b'"use_pickle": false', b'"use_pickle": true')
                assert b"true" in content
            archive.writestr(name, code if name.endswith(inside) else content)
        if "custom_obj" in inside:
            archive.writestr(f"net/data/{inside}", code)
    with pytest.raises(BadInput, match=r"is not an exported network|holds pickled objects"):
        load(f"pt2:{spoilt}")
    assert not ran.exists()


@pytest.mark.parametrize("missing", [1, 40])
def test_a_torchscript_file_that_lacks_values_is_refused(missing: int, faces: ImageBatch, tmp_path: Path) -> None:
    """torch.jit.load fills up what a record lacks with what lies behind it in memory."""

    class Weighted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = (torch.nn.Parameter(torch.full((3, 1, 1), value)) for value in (0.5, 0.25))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.first + self.second

    whole, short = scripted(Weighted(), tmp_path / "net.pt"), tmp_path / "short.pt"
    assert checked(load(f"torchscript:{whole}?range=unit"), faces)[1] == {}
    with zipfile.ZipFile(whole) as one, zipfile.ZipFile(short, "w") as other:
        for info in one.infolist():
            content = one.read(info)
            cut = max(0, len(content) - missing) if info.filename.endswith("/data/1") else None
            other.writestr(info.filename, content[:cut])
    with pytest.raises(BadInput, match=r"short\.pt is damaged: its tensors have 12 bytes, and no record in it is that"):
        load(f"torchscript:{short}")


def test_a_torchscript_file_whose_directory_is_damaged_is_refused(tmp_path: Path) -> None:
    """torch's reader of archives looks past what Python's stumbles over, so that nothing says how long a record is."""
    path = scripted(torch.nn.Conv2d(3, 3, 1), tmp_path / "net.pt")
    whole = path.read_bytes()
    start = int.from_bytes(whole[-6:-2], "little")
    assert whole[start : start + 4] == b"PK\x01\x02"
    said = []
    for damage in range(start, len(whole)):
        path.write_bytes(whole[:damage] + b"\xff" + whole[damage + 1 :])
        try:
            load(f"torchscript:{path}")
        except BadInput as error:
            said.append(str(error))
    assert any("net.pt is damaged: it cannot be looked through (" in line for line in said)
    assert all(len(line.splitlines()) == 1 for line in said)
