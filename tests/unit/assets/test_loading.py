"""Reading weights: tensors come out, code never runs, and what is wrong with a file is said in one line."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gfpbench.assets import load_arrays, load_weights, loading
from gfpbench.types import BadInput
from tests.unit.assets.laws import Code, law_code_never_runs

WEIGHTS = OrderedDict({"a.weight": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(4, dtype=torch.float16)})
STATISTICS: dict[str, Any] = {"mean": np.arange(4.0), "cov": np.eye(4)}


def same(found: dict[str, torch.Tensor]) -> bool:
    return list(found) == list(WEIGHTS) and all(torch.equal(found[key], WEIGHTS[key]) for key in WEIGHTS)


@pytest.mark.parametrize("nest", [None, "params_ema", "params", "state_dict"])
@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_of_the_authors(tmp_path: Path, nest: str | None, zipped: bool) -> None:
    found = WEIGHTS if nest is None else {"epoch": 3, nest: WEIGHTS}
    torch.save(found, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(load_weights(tmp_path / "w.pth"))


def test_averaged_weights_come_before_plain_ones(tmp_path: Path) -> None:
    plain = {key: value + 1 for key, value in WEIGHTS.items()}
    torch.save({"params": plain, "params_ema": WEIGHTS}, tmp_path / "w.pth")
    assert same(load_weights(tmp_path / "w.pth"))
    assert not same(load_weights(tmp_path / "w.pth", nests=("params",)))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_safetensors_under_any_name(tmp_path: Path, name: str) -> None:
    save_file(WEIGHTS, tmp_path / name)
    found = load_weights(tmp_path / name)
    assert same({key: found[key] for key in WEIGHTS})


@pytest.mark.parametrize(("load", "good"), [(load_weights, {"params_ema": WEIGHTS}), (load_arrays, STATISTICS)])
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_is_refused_and_does_not_run(tmp_path: Path, load: Any, good: Any, protocol: int) -> None:
    law_code_never_runs(tmp_path, load, good, protocol)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_plain_pickle_with_code_is_refused(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Code(tmp_path / "ran"), protocol=protocol))
    with pytest.raises(BadInput, match="mkdir") as caught:
        load_weights(tmp_path / "w.pth")
    assert not (tmp_path / "ran").exists()
    assert "\n" not in str(caught.value)


HUGE = b"\x96" + (1 << 40).to_bytes(8, "little")
"""An opcode that asks for an array of a terabyte. CPython fails to make it, and prints an error of its own."""


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("load", [load_weights, load_arrays])
@pytest.mark.parametrize("program", [HUGE + b".", b"}" + HUGE + b"0.", b"\x96" + bytes(8) + b"."])
def test_arrays_of_bytes_are_refused_without_a_word_from_python(
    tmp_path: Path, load: Any, zipped: bool, program: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    torch.save(WEIGHTS, tmp_path / "good.pth", _use_new_zipfile_serialization=zipped)
    hostile = b"\x80\x02" + program
    if zipped:
        with zipfile.ZipFile(tmp_path / "good.pth") as good, zipfile.ZipFile(tmp_path / "w.pth", "w") as bad:
            for name in good.namelist():
                bad.writestr(name, hostile if name.endswith("data.pkl") else good.read(name))
    else:
        (tmp_path / "w.pth").write_bytes((tmp_path / "good.pth").read_bytes()[:14] + hostile * 4)
    for path in (tmp_path / "w.pth", tmp_path / "bare.pth"):
        if path.name == "bare.pth":
            path.write_bytes(hostile)
        with pytest.raises(BadInput) as caught:
            load(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_pythons_warnings_about_escapes_in_a_name_are_not_passed_on(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"\x80\x02c\\\x00\n.")
    for load in (load_weights, load_arrays):
        with pytest.raises(BadInput):
            load(tmp_path / "w.pth")


NUMBERS: tuple[Any, ...] = (
    np.float64(0.25), np.float32(-1.5), np.float16(2), np.int64(-7), np.uint8(255), np.bool_(True),
    np.array(3.5, dtype=">f8")[()],
)  # fmt: skip


@pytest.mark.skipif(not hasattr(torch.serialization, "safe_globals"), reason="torch before 2.5 cannot be told to")
@pytest.mark.parametrize("zipped", [True, False])
def test_single_numbers_of_numpys_beside_the_weights_are_plain_numbers(tmp_path: Path, zipped: bool) -> None:
    allowed = set(torch.serialization.get_safe_globals())  # torch lists a set, in any order
    told = {"params_ema": WEIGHTS, "loss": NUMBERS[0], "best": {"psnr": NUMBERS[1]}, "all": list(NUMBERS)}
    torch.save(told, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(load_weights(tmp_path / "w.pth"))
    found = loading._read_checkpoint(tmp_path / "w.pth")
    assert found["all"] == [0.25, -1.5, 2.0, -7, 255, True, 3.5]
    assert {type(value) for value in found["all"]} == {float, int, bool}
    assert set(torch.serialization.get_safe_globals()) == allowed


@pytest.mark.parametrize(
    "value",
    [np.ones(3), np.str_("x"), np.datetime64(0, "s"), np.zeros(1, "f8,i4")[0], np.complex128(1j), np.dtype("O")],
)
def test_other_things_of_numpys_are_refused(tmp_path: Path, value: Any) -> None:
    torch.save({"params": WEIGHTS, "beside": value}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match="numpy"):
        load_weights(tmp_path / "w.pth")


class Called:
    """Pickled as a call of what stands for numpy, with something else than numpy would write."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


SCALAR = np.float64(0).__reduce__()[0]


@pytest.mark.parametrize(
    "call",
    [
        Called(np.dtype, "O"),
        Called(np.dtype, "(1000,1000,1000)f8"),
        Called(np.dtype, ["f8", "f8"]),
        Called(SCALAR, np.dtype("f8"), b"1234567"),
        Called(SCALAR, "f8", b"12345678"),
        Called(SCALAR, np.dtype("f8"), [1]),
        Called(SCALAR),
    ],
)
def test_no_call_of_numpys_is_made_for_a_file(tmp_path: Path, call: Called) -> None:
    torch.save({"params": WEIGHTS, "beside": call}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match="numpy"):
        load_weights(tmp_path / "w.pth")


def test_a_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    with pytest.raises(BadInput, match=r"holds code \(torch\.nn\.modules\.linear\.Linear\)"):
        load_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.98])
def test_a_truncated_file_is_one_line(tmp_path: Path, suffix: str, zipped: bool, share: float) -> None:
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=zipped)
    else:
        save_file(WEIGHTS, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match=r"damaged|empty") as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><title>404</title>", "it is a web page"),
        (b"\n\n  <HTML>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
        (b'{"error": "rate limited"}', "error message"),
        (b"just some words", "damaged, truncated or not weights"),
        (bytes(5000), "damaged, truncated or not weights"),
    ],
)
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(BadInput, match=reason):
        load_weights(tmp_path / "w.pth")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none.pth", "there is no such file"),
        (tmp_path, "is a folder, and a file is needed"),
    ):
        with pytest.raises(BadInput, match=said):
            load_weights(path)


@pytest.mark.parametrize(
    "found", [{}, {"a": 3}, [torch.ones(2)], {"params": {}}, {"params": {"a": [1]}}, torch.ones(3)]
)
def test_a_checkpoint_without_weights(tmp_path: Path, found: Any) -> None:
    torch.save(found, tmp_path / "w.pth")
    with pytest.raises(BadInput, match="table of weights"):
        load_weights(tmp_path / "w.pth")


def test_statistics_in_both_formats(tmp_path: Path) -> None:
    torch.save(STATISTICS, tmp_path / "s.pth")
    np.savez(tmp_path / "s.npz", **STATISTICS)
    with pytest.raises(BadInput, match="holds numpy arrays"):
        load_weights(tmp_path / "s.pth")  # torch's own reader refuses numpy arrays: that is why load_arrays exists
    for name in ("s.pth", "s.npz"):
        found = load_arrays(tmp_path / name)
        assert found.keys() == STATISTICS.keys()
        assert all(np.array_equal(found[key], STATISTICS[key]) for key in STATISTICS)


def test_statistics_pickled_by_another_numpy(tmp_path: Path) -> None:
    torch.save(STATISTICS, tmp_path / "s.pth")
    with zipfile.ZipFile(tmp_path / "s.pth") as here, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        for name in here.namelist():
            content = here.read(name)
            if name.endswith("data.pkl"):
                assert b"multiarray" in content
                names = (b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n")
                ours, theirs = names if names[0] in content else reversed(names)
                content = content.replace(ours, theirs)
            old.writestr(name, content)
    assert np.array_equal(load_arrays(tmp_path / "old.pth")["cov"], np.eye(4))


def test_statistics_as_basicsr_writes_them(tmp_path: Path) -> None:
    """scripts/metrics/calculate_fid_stats_from_datasets.py: torch's old format, a name and a size beside the arrays."""
    path = tmp_path / "inception_FFHQ_512.pth"
    mean = np.linspace(0, 1, 2048, dtype=np.float32)
    cov = np.cov(np.random.default_rng(0).normal(size=(50, 64)), rowvar=False)
    torch.save({"name": "FFHQ", "size": 512, "mean": mean, "cov": cov}, path, _use_new_zipfile_serialization=False)
    found = load_arrays(path)
    assert np.array_equal(found["mean"], mean)
    assert found["mean"].dtype == np.float32
    assert np.array_equal(found["cov"], cov)
    assert (str(found["name"]), int(found["size"])) == ("FFHQ", 512)
    with pytest.raises(BadInput, match="holds numpy arrays"):
        load_weights(path)


@pytest.mark.parametrize("place", range(4))
def test_code_in_an_old_file_is_refused_wherever_it_stands(tmp_path: Path, place: int) -> None:
    path = tmp_path / "s.pth"
    torch.save(STATISTICS, path, _use_new_zipfile_serialization=False)
    with path.open("rb") as file:
        held = [pickle.load(file), pickle.load(file), pickle.load(file)]
        rest = file.read()
    code = pickle.dumps({"mean": Code(tmp_path / "ran")}, protocol=2)
    parts = [pickle.dumps(one, protocol=2) for one in held] + [rest]
    path.write_bytes(b"".join([*parts[:place], code, *parts[place + 1 :]]))
    with pytest.raises(BadInput):
        load_arrays(path)
    assert not (tmp_path / "ran").exists()


def test_tensors_are_no_arrays(tmp_path: Path) -> None:
    for zipped in (True, False):
        torch.save({"mean": torch.ones(3)}, tmp_path / "s.pth", _use_new_zipfile_serialization=zipped)
        with pytest.raises(BadInput):
            load_arrays(tmp_path / "s.pth")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["s.pth", "s.npz", "legacy.pth"])
def test_truncated_statistics(tmp_path: Path, name: str, share: float) -> None:
    torch.save(STATISTICS, tmp_path / "s.pth")
    torch.save(STATISTICS, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "s.npz", **STATISTICS)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput):
        load_arrays(tmp_path / name)


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", mean=np.array([Code(tmp_path / "ran")], dtype=object))
    with pytest.raises(BadInput):
        load_arrays(tmp_path / "s.npz")
    assert not (tmp_path / "ran").exists()
