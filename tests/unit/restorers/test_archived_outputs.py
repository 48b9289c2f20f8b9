"""Restored images in archives and at addresses are those of the folder that was packed."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gfpbench.images import to_rgb_arrays
from gfpbench.restorers import checked, load
from gfpbench.restorers.outputs import Outputs
from gfpbench.types import BadInput, ImageBatch, PackageMissing
from tests.unit.decode.archives import WRITERS, folder_of
from tests.unit.faces.test_addresses import _home, memory, put  # noqa: F401 - fixtures


@pytest.fixture
def files(degraded: ImageBatch) -> dict[str, bytes]:
    """The mirrored images as files, under the names of the degraded ones; one is torn, one in a folder of its own."""
    found = {}
    for name, rgb in zip(degraded.ids, to_rgb_arrays(degraded), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(rgb[:, ::-1])).save(buffer, "PNG")
        found[f"{name}.png"] = buffer.getvalue()
    return found | {f"{degraded.ids[3]}.png": b"\x89PNG torn", "other/left over.png": buffer.getvalue()}


def measured(restorer: Outputs, degraded: ImageBatch) -> tuple[object, ...]:
    restorer.expect(degraded.ids)
    restored, failures = checked(restorer, degraded)
    assert restored is not None
    records = [{**restorer.read_record(one)} for one in restored.ids]
    about = {name: value for name, value in restorer.provenance().items() if name not in ("folder", "left_out")}
    return restored.ids, restored.pixels, set(failures), records, restorer.unused(degraded.ids), about


def same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    assert isinstance(one[1], torch.Tensor)
    assert isinstance(other[1], torch.Tensor)
    return torch.equal(one[1], other[1]) and (one[0], *one[2:]) == (other[0], *other[2:])


@pytest.mark.parametrize("kind", [*WRITERS])
def test_an_archive_is_the_folder_that_was_packed(
    kind: str, files: dict[str, bytes], degraded: ImageBatch, tmp_path: Path
) -> None:
    expected = measured(Outputs(folder_of(files, tmp_path / "folder")), degraded)
    assert expected[2] == {degraded.ids[3]}
    assert expected[4] == ("other/left over.png",)
    (tmp_path / "packed").mkdir()
    packed = WRITERS[kind](files, tmp_path / "packed")
    found = load(f"outputs:{packed}")
    assert isinstance(found, Outputs)
    assert found.name == f"outputs:{packed}"
    assert same(measured(found, degraded), expected)


def test_an_address_is_that_folder(
    memory: Any,  # noqa: F811
    files: dict[str, bytes],
    degraded: ImageBatch,
    tmp_path: Path,
) -> None:
    expected = measured(Outputs(folder_of(files, tmp_path / "folder")), degraded)
    put(memory, files, "/bucket/restored")
    assert same(measured(Outputs("memory://bucket/restored"), degraded), expected)
    (tmp_path / "packed").mkdir()
    memory.put_file(WRITERS["zip"](files, tmp_path / "packed"), "/bucket/x.zip")
    assert same(measured(Outputs("memory://bucket/x.zip", layout="plain"), degraded), expected)


def test_options_of_the_archive_and_of_the_layout_stand_together(
    files: dict[str, bytes], degraded: ImageBatch, tmp_path: Path
) -> None:
    named = {f"restored_faces/{name.removesuffix('.png')}_00.png": data for name, data in files.items()}
    packed = WRITERS["parquet"](named, tmp_path)
    restorer = load(f"outputs:{packed}?column=image&layout=gfpgan")
    assert isinstance(restorer, Outputs)
    assert restorer.name == f"outputs:{packed}?column=image&layout=gfpgan"
    restorer.expect(degraded.ids)
    assert restorer.find(degraded.ids[0]) == f"restored_faces/{degraded.ids[0]}_00.png"
    assert restorer.provenance()["layout"]["name"] == "gfpgan"
    with pytest.raises(BadInput, match="has no column 'nothing' of images"):
        load(f"outputs:{packed}?column=nothing")


def test_what_is_none_is_one_line(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    for spec, why in (
        (f"outputs:{tmp_path}/none.zip", "none.zip: no such file"),
        (f"outputs:{tmp_path}/broken.zip", "broken.zip: cannot be read as zip"),
        (f"outputs:{tmp_path}/nowhere", "is not a folder or archive; it has to hold the restored images"),
        (f"outputs:{tmp_path}/nowhere?column=x", "is not a folder or archive"),
        ("outputs:memory://bucket/none.zip", "memory://bucket/none.zip: there is no such file"),
    ):
        with pytest.raises(BadInput, match=why) as error:
            load(spec)
        assert "\n" not in str(error.value)
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(PackageMissing, match="fsspec"):
        load("outputs:s3://bucket/restored")


def test_an_archive_that_changes_while_it_is_measured_fails_its_images(
    files: dict[str, bytes], degraded: ImageBatch, tmp_path: Path
) -> None:
    packed = Path(WRITERS["zip"](files, tmp_path))
    restorer = Outputs(str(packed))
    restorer.provenance()
    os.utime(packed, ns=(1, 1))
    restored, failures = checked(restorer, degraded)
    assert restored is None
    assert all("was changed since it was listed" in why for name, why in failures.items() if name != degraded.ids[3])
