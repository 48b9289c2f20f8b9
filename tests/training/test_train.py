"""Both stages end to end on 16 drawn faces of 32 px, killed in the middle, gone on with, and used as a restorer."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gfpbench import restorers
from gfpbench.images import batch_from_uint8, write_png
from gfpbench.types import BadInput, GfpbenchError
from tests.training.blobs import blobs
from training.config import read_config
from training.data import Mixture, Pairs, Steps, pairs_of
from training.prior import Prior
from training.restore import Restore
from training.start import read_start
from training.train import train

TINY = """
[network]
size_px = 32
style = 16
mlp = 1
narrow = 0.0625
discriminator_width = 8
discriminator_widest = 16
local_width = 4
[data]
workers = 0
held_out = 4
[prior]
batch = 4
r1_every = 2
[restore]
batch = 4
r1_every = 2
warmup_steps = 2
[run]
checkpoint_seconds = 0
look_seconds = 1000000
"""
STEPS = 5
ROOT = Path(__file__).parents[2]
DEVICES = ("cpu", pytest.param("cuda", marks=pytest.mark.gpu))
KILLER = """
import os, signal, sys, torch
from pathlib import Path
from training.train import train
torch.set_num_threads({threads})
save, saved = torch.save, []
def half(state, file):
    saved.append(state)
    if len(saved) == 3:
        file.write(b"PK half of a checkpoint")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(state, file)
torch.save = half
train("{stage}", data={data!r}, out=Path({out!r}), config={config!r}, steps={steps}, device="cpu")
"""
"""Dies while it writes its third checkpoint, in the worst way there is."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    for number, image in enumerate(blobs(16).images):
        write_png(folder / f"{number:02d}.png", image)
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture(scope="module")
def prior(data: Path, config: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prior")
    train("prior", data=str(data), out=out, config=config, steps=STEPS, device="cpu")
    return out


@pytest.fixture(scope="module")
def restored(data: Path, config: str, prior: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("restore")
    start = str(prior / "prior.safetensors")
    train("restore", data=str(data), out=out, config=config, steps=STEPS, device="cpu", start=start)
    return out


def metadata(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return dict(header["__metadata__"])


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.parametrize("stage", ["prior", "restore"])
def test_killed_and_gone_on_with_is_the_same_bit_for_bit(
    stage: str, data: Path, config: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = "prior.safetensors" if stage == "prior" else "nano.safetensors"
    whole, out = tmp_path / "whole", tmp_path / "out"
    if stage == "prior":
        whole = request.getfixturevalue("prior")
    else:
        train("restore", data=str(data), out=whole, config=config, steps=STEPS, device="cpu")
    threads = torch.get_num_threads()
    script = KILLER.format(stage=stage, data=str(data), out=str(out), config=config, steps=STEPS, threads=threads)
    died = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 2
    assert not (out / name).exists()
    train(stage, data=str(data), out=out, config=config, steps=STEPS, device="cpu")
    ours, theirs = (torch.load(folder / "checkpoint.pt", weights_only=True)["state"] for folder in (out, whole))
    assert flat(ours) == flat(theirs)
    weights, expected = (read_start(str(folder / name)).weights for folder in (out, whole))
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def flat(state: Any) -> Any:
    """Nested tensors as something that ``==`` can compare."""
    if isinstance(state, torch.Tensor):
        return (state.shape, state.dtype, state.contiguous().numpy().tobytes())
    if isinstance(state, dict):
        return {key: flat(value) for key, value in state.items()}
    return [flat(value) for value in state] if isinstance(state, list | tuple) else state


def test_the_restorer_loads_as_a_checkpoint(restored: Path) -> None:
    batch = batch_from_uint8(list(blobs(2).images), ("0", "1"))
    answer = restorers.load(f"checkpoint:{restored / 'nano.safetensors'}")(batch)
    assert answer.ids == batch.ids
    assert answer.size == (32, 32)


def test_metadata_says_how_it_came_about(restored: Path, config: str, data: Path) -> None:
    found = metadata(restored / "nano.safetensors")
    assert json.loads(found["config"]) == read_config(config).sizes.config()
    assert set(json.loads(found["degradation"])) == {"paper", "light", "none"}
    assert json.loads(found["losses"])["l1"] == 4.0
    assert found["perceptual_features"] == "discriminator"
    assert found["identity_network"] == "none"
    assert found["steps"] == str(STEPS)
    assert found["seed"] == "0"
    assert found["started_from"].startswith("prior.safetensors, sha256 ")
    assert json.loads(found["faces"])["count"] == 12
    assert str(data) not in json.dumps(found)
    assert found["device"].startswith("CPU, torch ")
    assert found["code"].startswith("gfpbench ")
    assert re.fullmatch("sha256 [0-9a-f]{16}", found["training_code"])
    assert json.loads(found["validation"]).keys() == {"psnr_rgb", "ssim_rgb", "gmsd"}


def test_sheets_and_log_are_left(prior: Path, restored: Path) -> None:
    for folder in (prior, restored):
        assert (folder / f"sheet-{STEPS:07d}.png").stat().st_size > 0
        (line,) = [json.loads(text) for text in (folder / "log.jsonl").read_text().splitlines()]
        assert line["step"] == STEPS


def test_a_prior_begins_a_restorer(prior: Path, restored: Path) -> None:
    """At its first step the restorer's decoder is the prior's, and later it has learnt."""
    start = read_start(str(prior / "prior.safetensors"))
    after = read_start(str(restored / "nano.safetensors")).weights
    assert start.kind == "prior"
    assert start.mean_latent is not None
    key = "stylegan_decoder.constant_input.weight"
    assert not torch.equal(after[key], start.weights["constant_input.weight"])
    assert float((after[key] - start.weights["constant_input.weight"]).abs().max()) < 0.02


@pytest.mark.parametrize("device", DEVICES)
def test_training_learns(device: str, data: Path, tmp_path: Path) -> None:
    """Forty steps on clean faces bring the image nearer: the signs are right."""
    path = tmp_path / "learn.toml"
    path.write_text(TINY + "[degradation]\nnone = 1\n[losses]\nadversarial = 0\nlocal = 0\nstyle = 0\nperceptual = 0\n")
    train("restore", data=str(data), out=tmp_path / "short", config=str(path), steps=3, device=device)
    train("restore", data=str(data), out=tmp_path / "long", config=str(path), steps=40, device=device)
    short, long = (json.loads((tmp_path / run / "log.jsonl").read_text())["psnr_rgb"] for run in ("short", "long"))
    assert long > short + 1


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_goes_on_and_restores_on_its_device(device: str, data: Path, config: str, tmp_path: Path) -> None:
    """Both stages, gone on with after a stop; what comes out restores on the CPU as it does there."""
    options: dict[str, Any] = {"data": str(data), "config": config, "device": device}
    for steps in (2, STEPS):
        train("prior", out=tmp_path / "prior", steps=steps, **options)
    start = str(tmp_path / "prior" / "prior.safetensors")
    for steps in (2, STEPS):
        train("restore", out=tmp_path / "restore", start=start, steps=steps, **options)
    spec = f"checkpoint:{tmp_path / 'restore' / 'nano.safetensors'}"
    batch = batch_from_uint8(list(blobs(4).images), tuple("0123"))
    there, here = (restorers.load(spec, device=where)(batch).pixels.cpu() for where in (device, "cpu"))
    assert float((there - here).abs().max()) < 4 / 255
    assert metadata(tmp_path / "restore" / "nano.safetensors")["steps"] == str(STEPS)


@pytest.mark.parametrize("device", DEVICES)
def test_a_first_step_has_the_cpus_terms(device: str, config: str, tmp_path: Path) -> None:
    """To a hundredth: CUDA's convolutions take TF32 products."""
    path = tmp_path / "exact.toml"
    path.write_text(Path(config).read_text() + 'precision = "fp32"\n')
    settings, faces = read_config(str(path)), blobs(16)
    made = Steps(faces, 4, 0, True, Mixture(settings.degradation)).levels(0)
    for stage in (lambda where: Restore(settings, faces, where, 0, None), lambda where: Prior(settings, where, 0)):
        here, there = (stage(where).step(pairs_of(made, where), 0, 0.0) for where in ("cpu", device))
        assert {name: float(term) for name, term in there.items()} == pytest.approx(
            {name: float(term) for name, term in here.items()}, rel=0.01, abs=1e-4
        )


@pytest.mark.parametrize("checkpoint_seconds", [0, 1000])
def test_what_falls_apart_is_not_written(
    checkpoint_seconds: int, data: Path, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(Path(config).read_text().replace("_seconds = 0", f"_seconds = {checkpoint_seconds}"))
    out = tmp_path / "out"
    train("restore", data=str(data), out=out, config=str(path), steps=2, device="cpu")
    before = {file: file.read_bytes() for file in out.iterdir()}

    def broken(stage: Restore, pairs: Pairs, step: int, progress: float) -> dict[str, torch.Tensor]:
        return {"edge": torch.tensor(0.1), "l1": torch.tensor(math.nan if step >= 3 else 0.1)}

    monkeypatch.setattr(Restore, "step", broken)
    with pytest.raises(GfpbenchError, match=r"training fell apart by step [45]: l1 is not finite"):
        train("restore", data=str(data), out=out, config=str(path), steps=5, device="cpu")
    if checkpoint_seconds:
        assert {file: file.read_bytes() for file in out.iterdir()} == before
    else:
        assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 3


def test_workers_change_nothing(data: Path, config: str, tmp_path: Path) -> None:
    """Not even where OpenCV has threads already, which a forked worker would wait for without end."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(4)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.float32), (31, 31), 3)
    cv2.setNumThreads(before)
    path = tmp_path / "workers.toml"
    path.write_text(Path(config).read_text().replace("workers = 0", "workers = 2"))
    for name, file in (("none", config), ("two", str(path))):
        train("restore", data=str(data), out=tmp_path / name, config=file, steps=2, device="cpu")
    one, other = (read_start(str(tmp_path / name / "nano.safetensors")).weights for name in ("none", "two"))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stage": "restor"}, "no stage 'restor'"),
        ({"steps": None}, "say how long"),
        ({"minutes": 3.0}, "say how long"),
        ({"stage": "prior", "start": "nano"}, "--start is for the stages restore and steer"),
        (
            {"start": "nano"},
            r"does not fit the network of this config: it has .*style = 64.* and not .*style = .*TOML file",
        ),
        ({"start": "nowhere.safetensors"}, "nowhere.safetensors"),
        ({"data": "nowhere"}, "no face set named 'nowhere'"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"seed": 1}, "other settings .seed."),
        ({"config": "cpu"}, "other settings"),
    ],
)
def test_mistakes_are_named(
    options: dict[str, Any], says: str, data: Path, config: str, prior: Path, restored: Path
) -> None:
    given: dict[str, Any] = {"stage": "restore", "data": str(data), "config": config, "steps": 2, "device": "cpu"}
    given |= (
        {"start": str(prior / "prior.safetensors")}
        if "start" not in options and options.get("stage") != "prior"
        else {}
    )
    if options.get("config") == "cpu":
        given["start"] = "nano"
    with pytest.raises(BadInput, match=says) as caught:
        train(**(given | {"out": restored} | options))
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("forked_processes")
def test_the_program_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.train", "restore", "--data", str(tmp_path), "--out", str(tmp_path)]
    done = subprocess.run([*command, "--steps", "1"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "holds no images" in done.stderr
