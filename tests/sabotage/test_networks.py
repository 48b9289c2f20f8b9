"""Ways to run a network from a file wrongly without a word, and the laws that have to notice each."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import images
from gfpbench.assets import loading, nested_weights, resource_limits
from gfpbench.images import batch_from_uint8, resized, select
from gfpbench.restorers import checked, checkpoint, checkpoint_file, construction, face_network, load, network_file
from gfpbench.restorers.face_network import FaceNetwork, Settings
from gfpbench.types import BadInput, ImageBatch

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def faces() -> ImageBatch:
    from skimage import data

    crops = [data.astronaut()[top : top + 192, 120:312].copy() for top in (0, 10, 20)]
    return resized(batch_from_uint8(crops, ("a", "b", "c")), (64, 64))


def made(forward: Any, takes: images.Range = "signed", scale: int | None = None) -> FaceNetwork:
    return FaceNetwork("made", forward, Settings(), takes=takes, size_px=None, identity={}, scale=scale)


def resizes_no_answer(faces: ImageBatch) -> None:
    """Features of 8 x 8, and half an image, are no restored face, though a resize would make them one."""
    for size in ((8, 8), (64, 32)):
        small = made(lambda x, size=size: torch.nn.functional.interpolate(x, size=size, mode="bilinear"))
        assert checked(small, faces)[0] is None, "an answer of another size was measured"


def says_the_range(faces: ImageBatch) -> None:
    for count in (1, 3):
        _, failures = checked(made(lambda x: (x + 1) * 127.5), select(faces, list(range(count))))
        assert len(failures) == count, "values of 0..255 were measured"
        assert all("look like 0..255" in reason for reason in failures.values()), "the range is not said"


def fills_a_fixed_batch(faces: ImageBatch, path: Path) -> None:
    """y = x / 2, two at a time, of three images: each comes back as its own, and none twice."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Mul", ["x", "half"], ["y"])
    half = onnx.numpy_helper.from_array(torch.tensor(0.5).numpy(), "half")
    kind = onnx.TensorProto.FLOAT
    ends = [onnx.helper.make_tensor_value_info(name, kind, [2, 3, 64, 64]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([node], "net", ends[:1], ends[1:], [half])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    restored, failures = checked(load(f"onnx:{path}?range=unit"), faces)
    assert failures == {}, f"three images through a batch of two: {failures}"
    assert restored is not None
    assert (restored.pixels - faces.pixels / 2).abs().max() < 1e-6, "another image than its own"


def runs_no_program_by_stealth(path: Path) -> None:
    """A program named as a checkpoint is refused, and the refusal says how it would be named."""

    class Halved(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 2

    torch.export.save(torch.export.export(Halved(), (torch.ones(1, 3, 8, 8),)), path)
    said = ""
    try:
        load(f"checkpoint:{path}")
    except BadInput as error:
        said = str(error)
    assert said, "a program was loaded as weights"
    assert "name it pt2:PATH" in said, "it is not said what the file is"


def guesses_no_table(path: Path) -> None:
    torch.save({"first": {"a": torch.ones(2)}, "second": {"a": torch.zeros(2)}}, path)
    try:
        loading.find_weights(path)
    except BadInput:
        return
    raise AssertionError("one of two tables was guessed")


def test_ours_keeps_the_laws(faces: ImageBatch, tmp_path: Path) -> None:
    resizes_no_answer(faces)
    says_the_range(faces)
    fills_a_fixed_batch(faces, tmp_path / "net.onnx")
    runs_no_program_by_stealth(tmp_path / "net.pt2")
    guesses_no_table(tmp_path / "net.pth")


def everything_fits(patch: Patch) -> None:
    patch.setattr(face_network, "fits", lambda sides, given: True)


def only_the_aspect_counts(patch: Patch) -> None:
    patch.setattr(face_network, "fits", lambda sides, given: sides[0] * given[1] == sides[1] * given[0])


def only_the_side_counts(patch: Patch) -> None:
    patch.setattr(face_network, "fits", lambda sides, given: sides[0] >= given[0])


@pytest.mark.parametrize("sabotage", [everything_fits, only_the_aspect_counts, only_the_side_counts])
def test_an_answer_that_is_resized_is_seen(
    sabotage: Callable[[Patch], None], faces: ImageBatch, monkeypatch: Patch
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(AssertionError, match="another size was measured"):
        resizes_no_answer(faces)


def test_a_range_that_is_clamped_without_a_word_is_seen(faces: ImageBatch, monkeypatch: Patch) -> None:
    monkeypatch.setattr(face_network, "refuse_other_range", lambda *anything: None)
    with pytest.raises(AssertionError, match=r"were measured|is not said"):
        says_the_range(faces)


@pytest.mark.parametrize("kept", [lambda image, count: image, lambda image, count: image[-count:]])
def test_images_that_only_fill_a_batch_are_not_returned(
    kept: Callable[[torch.Tensor, int], torch.Tensor], faces: ImageBatch, monkeypatch: Patch, tmp_path: Path
) -> None:
    """The last image first, or more images than were given."""

    class Slippery(torch.Tensor):
        def __getitem__(self, key: Any) -> torch.Tensor:
            plain = self.as_subclass(torch.Tensor)
            return kept(plain, key.stop) if isinstance(key, slice) else plain[key]

    right = images.from_form
    monkeypatch.setattr(network_file, "from_form", lambda *given: right(*given).flip(0).as_subclass(Slippery))
    with pytest.raises(AssertionError, match=r"three images through|another image"):
        fills_a_fixed_batch(faces, tmp_path / "net.onnx")


def test_a_program_that_is_not_looked_for_is_seen(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading, "program_in", lambda path: None)
    with pytest.raises(AssertionError, match="not said what the file is"):
        runs_no_program_by_stealth(tmp_path / "net.pt2")


def test_a_table_that_is_guessed_is_seen(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        nested_weights, "_chosen", lambda found, names, path: next(iter(nested_weights._tables(found)), None)
    )
    with pytest.raises(AssertionError, match="one of two tables was guessed"):
        guesses_no_table(tmp_path / "net.pth")
    assert vars(checkpoint_file)["NESTS"] is nested_weights.NESTS


def refuses_bombs(folder: Path) -> None:
    """A key whose parts nobody can count, a file that inflates, and a tensor of terabytes in a file of a kilobyte."""
    for number, body in enumerate((b"\x80\x02})q\x00" + b"h\x00h\x00\x86q\x00" * 40 + b"Ns.", b"N0" * (1 << 26))):
        path = folder / f"{number}.pth"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("net/data.pkl", body)
        said = _refusal(partial(resource_limits.refuse_bombs, path))
        assert "is refused" in said or "nested" in said, "a bomb was let through"
    table = {"a.weight": torch.zeros(1).expand(1 << 20, 1 << 20)}
    assert "declare" in _refusal(lambda: nested_weights.find_table(table, folder / "net.pth")), (
        "terabytes were let through"
    )


def keeps_numbers(folder: Path) -> None:
    """Whole numbers are not taken for the weights of a network."""
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    state = Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=2, act_type="prelu").state_dict()
    path = folder / "net.pth"
    torch.save({name: (100 * tensor).int() for name, tensor in state.items()}, path)
    assert "where the network has float32" in _refusal(lambda: load(f"checkpoint:{path}")), "truncated weights were run"


def builds_within_reason(folder: Path) -> None:
    def build() -> None:
        with construction.within_size_of({}, folder / "net.pth"):
            torch.nn.Linear(1 << 15, 1 << 15)

    assert "is refused" in _refusal(build), "a layer of 4 GiB was built"


def _refusal(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except BadInput as error:
        return str(error)
    return ""


def test_ours_refuses_what_is_hostile(tmp_path: Path) -> None:
    refuses_bombs(tmp_path)
    keeps_numbers(tmp_path)
    builds_within_reason(tmp_path)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (resource_limits, "MOST_IN_A_TUPLE", 1 << 60),
        (resource_limits, "FREE_BYTES", 1 << 40),
        (nested_weights, "_FREE_BYTES", 1 << 60),
        (resource_limits.Steps, "_made", lambda self, name, argument, taken: (1, 1, "")),
    ],
)
def test_a_limit_that_limits_nothing_is_seen(
    module: Any, name: str, value: object, monkeypatch: Patch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, name, value)
    if name == "FREE_BYTES":  # the length of the table of names would refuse it too
        monkeypatch.setattr(resource_limits, "MOST_STEPS", 1 << 60)
        monkeypatch.setattr(resource_limits, "LARGEST_PICKLE_BYTES", 1 << 12)
        monkeypatch.setattr(resource_limits, "_refuse_long_work_at_the_start", lambda *anything: None)
    with pytest.raises(AssertionError, match=r"let through"):
        refuses_bombs(tmp_path)


def test_truncated_weights_that_are_run_are_seen(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoint, "refuse_other_numbers", lambda *anything: None)
    with pytest.raises(AssertionError, match="truncated weights were run"):
        keeps_numbers(tmp_path)


def test_a_construction_without_limit_is_seen(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setattr(construction._Counting, "_count", lambda self, taken: None)
    monkeypatch.setattr(torch.nn, "Linear", lambda *sizes: torch.empty(sizes))  # not drawn, so not touched
    with pytest.raises(AssertionError, match="4 GiB was built"):
        builds_within_reason(tmp_path)
