"""The embedded network against spandrel's own code, and against everything that may quietly change it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from spandrel.architectures.GFPGAN import GFPGAN

from gfpbench import metrics
from gfpbench.images import resized, select
from gfpbench.restorers import load
from gfpbench.restorers import nano as nano_file
from gfpbench.types import BadInput, ImageBatch, Restorer

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def nano() -> Restorer:
    return load("nano")


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """Spandrel's network with the same weights, put together here by hand."""
    with safetensors.safe_open(str(nano_file.WEIGHTS), "pt") as opened:
        config = json.loads(opened.metadata()["config"])
    built = GFPGAN(**config)
    built.load_state_dict({k: v.float() for k, v in safetensors.torch.load_file(nano_file.WEIGHTS).items()})
    return built.eval()


def test_it_is_spandrels_network(nano: Restorer, network: torch.nn.Module, degraded: ImageBatch) -> None:
    """Bit for bit in the authors' code; in ours within a thousandth of a grey level (measured: 1.2e-4)."""
    with torch.no_grad():
        answer, _ = network((degraded.pixels - 0.5) / 0.5, randomize_noise=False)
    wanted = (answer.clamp(-1, 1) + 1) / 2
    assert torch.equal(load("nano?code=authors")(degraded).pixels, wanted)
    for restorer in (nano, load("nano?batch=8")):
        assert (restorer(degraded).pixels - wanted).abs().max() * 255 < 1e-3


def test_it_brings_a_face_nearer_to_the_truth(nano: Restorer, truth: ImageBatch, degraded: ImageBatch) -> None:
    upright = [0, 1, 2, 6, 7]  # faces upside down or in false colours are not its subject

    def gained(name: str) -> torch.Tensor:
        (metric,) = metrics.load([name])
        return (metric(nano(degraded), truth) - metric(degraded, truth))[upright]

    assert gained("psnr_rgb").mean() > 0.1
    assert gained("ssim_rgb").min() > 0.01
    assert gained("gmsd").max() < -0.002


def test_a_batch_is_its_images_one_by_one(nano: Restorer, degraded: ImageBatch) -> None:
    alone = torch.cat([nano(select(degraded, [i])).pixels for i in range(len(degraded))])
    assert torch.equal(nano(degraded).pixels, alone)


def test_the_random_state_neither_moves_nor_matters(nano: Restorer, degraded: ImageBatch) -> None:
    one = select(degraded, [0])
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = nano(one)
    load("nano")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(nano(one).pixels, first.pixels)


def test_the_test_above_can_fail(network: torch.nn.Module, degraded: ImageBatch) -> None:
    """Its stored noise strengths are not zero, so drawn noise would be seen."""
    signed = select(degraded, [0]).pixels * 2 - 1
    with torch.no_grad():
        answers = [network(signed, randomize_noise=True)[0] for seed in (1, 2) if torch.manual_seed(seed)]
    assert (answers[0] - answers[1]).abs().max() > 0.001


def test_memory_layout_does_not_matter(nano: Restorer, degraded: ImageBatch) -> None:
    last = ImageBatch(degraded.pixels.contiguous(memory_format=torch.channels_last), degraded.ids)
    assert torch.equal(nano(last).pixels, nano(degraded).pixels)


@pytest.mark.parametrize("size", [(256, 256), (97, 97), (64, 64), (130, 100)])
def test_other_sizes_go_through_128(nano: Restorer, degraded: ImageBatch, size: tuple[int, int]) -> None:
    other = resized(select(degraded, [0, 2]), size)
    restored = nano(other)
    assert restored.size == size
    assert restored.ids == other.ids
    assert torch.equal(restored.pixels, resized(nano(resized(other, (128, 128))), size).pixels)


def test_its_provenance_names_weights_and_settings(nano: Restorer) -> None:
    record = nano.provenance()
    assert record["weights_sha256"] == nano_file.WEIGHTS_SHA256
    assert record["works_at_px"] == 128
    assert record["randomize_noise"] is False
    assert record["channels_last"] is True
    assert "shared" in record["implementation"]
    assert load("nano?code=authors").provenance()["implementation"].startswith("spandrel")
    assert "identity" not in record
    json.dumps(record, allow_nan=False)


def test_no_weight_asks_for_gradients(nano: Restorer, degraded: ImageBatch) -> None:
    asking = ImageBatch(select(degraded, [0]).pixels.clone().requires_grad_(), degraded.ids[:1])
    assert not nano(asking).pixels.requires_grad


def test_one_flipped_byte_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = bytearray(nano_file.WEIGHTS.read_bytes())
    data[-1] ^= 1
    damaged = tmp_path / "nano.safetensors"
    damaged.write_bytes(data)
    monkeypatch.setattr(nano_file, "WEIGHTS", damaged)
    with pytest.raises(
        BadInput, match=r"nano\.safetensors: sha256 is .*the weights are damaged: install gfpbench again"
    ):
        load("nano")
    damaged.unlink()
    with pytest.raises(BadInput, match="cannot read the weights"):
        load("nano")
