"""``python:module:attribute``: what may stand there, and what is said where something else does."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench.restorers import checked, from_array_function, from_module, load
from gfpbench.types import BadInput, ImageBatch, Restorer

SOURCE = textwrap.dedent(
    '''
    """A restorer as somebody might write it."""
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from gfpbench.restorers import from_array_function, from_module
    from gfpbench.types import ImageBatch

    def mirror(batch):
        return ImageBatch(batch.pixels.flip(3), batch.ids)

    def typed(batch: ImageBatch) -> ImageBatch:
        return mirror(batch)

    def negative(rgb):
        return 255 - rgb

    def flipped(rgb):
        import cv2
        return cv2.flip(rgb, 1)

    def typed_negative(batch: ImageBatch) -> ImageBatch:
        return 255 - batch

    def on_device(batch, device):
        assert device == "cpu"
        return mirror(batch)

    def array(rgb: np.ndarray) -> np.ndarray:
        assert rgb.dtype == np.uint8 and rgb.shape[2] == 3
        return rgb[:, ::-1]

    def postponed(rgb: "NDArray[np.uint8]"):
        return rgb[:, ::-1]

    marked = from_array_function(lambda rgb: rgb[:, ::-1])

    class Restorer:
        name = "mine"
        def __init__(self, *, device):
            self.device = device
        def __call__(self, batch):
            return mirror(batch)
        def provenance(self):
            return {"weights_sha256": "abc", "device": self.device}

    class Bare:
        def __call__(self, batch):
            return mirror(batch)

    instance = Bare()

    def factory(device="cpu"):
        return Restorer(device=device)

    def plain_factory():
        return array

    class Flip(torch.nn.Module):
        def forward(self, x):
            assert not self.training
            return x.flip(3), []

    wrapped = from_module(Flip(), signed=True)
    unsigned = from_module(Flip(), signed=False)
    raw = Flip()
    number = 3
    def two(batch, weights): ...
    class Needs:
        def __init__(self, path): ...
    def fails(*, device):
        raise OSError("no weights\\nhere")
    def nothing(): ...
    class Odd(Bare):
        def provenance(self):
            return {"tensor": torch.zeros(1)}
    class Silent(Bare):
        def provenance(self):
            raise KeyError("weights")
    class Closed(Bare):
        provenance = property(lambda self: 1 / 0)
    class Box:
        inner = mirror
    '''
)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module in the working folder, forgotten again afterwards."""
    name = "somebodys_model"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    for imported in (name, "somebodys_broken", "somebodys_needy"):
        sys.modules.pop(imported, None)


@pytest.mark.parametrize(
    "attribute",
    [
        *("mirror", "typed", "on_device", "array", "postponed", "marked", "Restorer", "Bare", "instance", "factory"),
        *("plain_factory", "wrapped", "unsigned", "Box.inner"),
    ],
)
def test_what_may_stand_there(module: str, attribute: str, degraded: ImageBatch) -> None:
    spec = f"python:{module}:{attribute}"
    restorer = load(spec)
    assert isinstance(restorer, Restorer)
    assert restorer.name == spec
    assert restorer.provenance()["restorer"] == spec
    assert len(restorer.provenance()["source_sha256"]) == 64
    restored, failures = checked(restorer, degraded)
    assert failures == {}
    assert restored is not None
    assert (restored.pixels - degraded.pixels.flip(3)).abs().max() < 1e-6


def test_its_own_provenance_is_kept(module: str) -> None:
    record = load(f"python:{module}:Restorer").provenance()
    assert (record["weights_sha256"], record["device"]) == ("abc", "cpu")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("mirrors", "module 'somebodys_model' has no 'mirrors'; it has: mirror"),
        ("Box.outer", "has no 'Box.outer'; it has: inner"),
        ("raw", r"is a torch module, which does not say its range: wrap it in gfpbench.restorers.from_module"),
        ("Flip", "is a torch module"),
        ("number", "is int, which cannot be called; it has to be a callable ImageBatch"),
        ("nothing", "is NoneType, which cannot be called"),
        ("two", "wants batch, weights, but a restorer is given the degraded images alone"),
        ("Needs", "Needs cannot be built without path"),
        ("fails", "building it failed: OSError: no weights here"),
        ("Odd", r"its provenance\(\) is not JSON"),
        ("Silent", r"python:somebodys_model:Silent: its provenance\(\) failed: KeyError: 'weights'"),
        ("Closed", r"its provenance\(\) failed: ZeroDivisionError: division by zero"),
        ("", "is not of the form python:MODULE:ATTRIBUTE"),
    ],
)
def test_what_may_not(module: str, attribute: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        load(f"python:{module}:{attribute}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("attribute", ["negative", "flipped"])
def test_a_function_of_arrays_that_does_not_say_so_is_told_how(
    module: str, attribute: str, degraded: ImageBatch
) -> None:
    restored, failures = checked(load(f"python:{module}:{attribute}"), degraded)
    assert restored is None
    for reason in failures.values():
        assert "rgb: np.ndarray" in reason
        assert "from_array_function" in reason
        assert "\n" not in reason


def test_one_that_says_what_it_takes_is_not(module: str, degraded: ImageBatch) -> None:
    _, failures = checked(load(f"python:{module}:typed_negative"), degraded)
    assert all("ImageBatch" in reason and "from_array_function" not in reason for reason in failures.values())


def test_modules_that_are_not_there(module: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no module named 'somebody_model', .*did you mean 'somebodys_model'\?"):
        load("python:somebody_model:mirror")
    with pytest.raises(BadInput, match=r"no module named 'torch.absent'"):
        load("python:torch.absent:x")
    (tmp_path / "somebodys_broken.py").write_text("x = 1\n1 / 0\n")
    with pytest.raises(
        BadInput, match=r"importing 'somebodys_broken' failed: ZeroDivisionError: .*somebodys_broken.py:2"
    ):
        load("python:somebodys_broken:x")
    (tmp_path / "somebodys_needy.py").write_text("import a_package_nobody_has\n")
    with pytest.raises(
        BadInput, match=r"importing 'somebodys_needy' failed: ModuleNotFoundError: .*a_package_nobody_has"
    ):
        load("python:somebodys_needy:x")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda rgb: rgb[..., 0], r"returned \(128, 128\) uint8 for 'astronaut~0', not \(128, 128, 3\) uint8"),
        (lambda rgb: rgb / 255, "float64"),
        (lambda rgb: rgb[::2], r"\(64, 128, 3\)"),
        (lambda rgb: None, "returned NoneType for 'astronaut~0', not a numpy array"),
    ],
)
def test_array_functions_that_return_something_else(function: Any, message: str, degraded: ImageBatch) -> None:
    with pytest.raises(BadInput, match=message):
        from_array_function(function)(degraded)


def test_an_array_function_may_return_one_buffer_each_time(degraded: ImageBatch) -> None:
    buffer = np.empty((*degraded.size, 3), np.uint8)

    def into_the_buffer(rgb: Any) -> Any:
        np.subtract(255, rgb, out=buffer)
        return buffer

    restored, failures = checked(from_array_function(into_the_buffer), degraded)
    assert failures == {}
    assert restored is not None
    assert len(restored) > 1
    assert torch.equal(restored.pixels, from_array_function(lambda rgb: 255 - rgb)(degraded).pixels)


@pytest.mark.parametrize("signed", [True, False])
def test_modules_see_the_range_they_were_made_for(signed: bool, degraded: ImageBatch) -> None:
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.clone())
            return x.mul_(2)  # in place: the images themselves must not change

    before = degraded.pixels.clone()
    restored = from_module(Spy(), signed=signed)(degraded)
    assert torch.equal(degraded.pixels, before)
    expected = (before - 0.5) / 0.5 if signed else before
    assert torch.equal(seen[0], expected)
    doubled = (expected * 2).clamp(-1, 1) / 2 + 0.5 if signed else (before * 2).clamp(0, 1)
    assert (restored.pixels - doubled).abs().max() < 1e-6


@pytest.mark.parametrize(
    "answer", [None, [], torch.zeros(1), torch.zeros(2, 3, 8, 8), torch.full((8, 3, 8, 8), torch.nan)]
)
def test_module_answers_that_are_no_images(answer: object, degraded: ImageBatch) -> None:
    class Fixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> object:
            return answer

    with pytest.raises(BadInput, match=r"returned|not finite"):
        from_module(Fixed(), signed=True)(degraded)


def test_each_helper_refuses_what_the_other_takes() -> None:
    with pytest.raises(BadInput, match=r"wants a torch\.nn\.Module, not function"):
        from_module(lambda x: x, signed=True)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="wants a function, not ndarray"):
        from_array_function(np.zeros(3))  # type: ignore[arg-type]
