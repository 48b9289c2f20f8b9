"""The published networks on a GPU: the CPU's image, bounded precision, batches, memory. ``pytest -m gpu``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from gfpbench.images import quantized, resized, select, to_uint8
from gfpbench.restorers import load
from gfpbench.types import ImageBatch, Restorer
from tests.unit.restorers import upstream_gfpgan as upstream

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]
MIB = 2**20


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full-size clean network with seeded weights in the authors' file format."""
    return upstream.saved(upstream.clean(upstream.FULL), tmp_path_factory.mktemp("weights") / "GFPGANv1.4.pth")


@pytest.fixture(scope="module")
def faces(degraded: ImageBatch) -> ImageBatch:
    """Eight 512-px degraded faces, on the CPU."""
    return quantized(resized(degraded, (512, 512)))


@pytest.fixture(autouse=True)
def memory_is_given_back() -> Iterator[None]:
    yield
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1.0)


def apart(a: ImageBatch, b: ImageBatch) -> tuple[float, int, float]:
    """Mean difference in [0, 1], the most levels of 255, and the share of values that differ in their level."""
    levels = (to_uint8(a).int() - to_uint8(b).int()).abs()
    return float((a.pixels - b.pixels).abs().mean()), int(levels.max()), float((levels > 0).float().mean())


def peak_mib(restorer: Restorer, batch: ImageBatch) -> float:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    restorer(batch)
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / MIB


@pytest.mark.parametrize("name", ["clean", "original"])
@pytest.mark.parametrize("options", ["", "?layout=channels-last"])
def test_small_networks_give_the_cpus_image(name: str, options: str, degraded: ImageBatch, tmp_path: Path) -> None:
    path = upstream.saved(getattr(upstream, name)(upstream.SMALL), tmp_path / "net.pth")
    small = quantized(resized(degraded, (64, 64)))
    there, here = load(f"checkpoint:{path}{options}", device="cuda")(small), load(f"checkpoint:{path}")(small)
    assert there.pixels.device.type == "cpu", "restored images come back to where the degraded ones were"
    assert (there.pixels - here.pixels).abs().max() < 1 / 2550
    assert apart(there, here)[2] < 1e-3


def test_full_size_gives_the_cpus_and_upstreams_image(full: Path, faces: ImageBatch, record_property: Record) -> None:
    one = select(faces, [0])
    there = load(f"checkpoint:{full}", device="cuda")(one)
    here = load(f"checkpoint:{full}")(one)
    network = upstream.clean(upstream.FULL).cuda()
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        theirs = upstream.by_gfpganer(network, one, randomize_noise=False)
    for name, other in (("cpu", here), ("upstream", theirs)):
        mean, levels, share = apart(there, other)
        record_property(f"share_of_values_unlike_{name}", share)
        assert levels <= 1, name
        assert share < 5e-3, name
    # Upstream as it comes runs its convolutions in TF32: that is what a user of it sees.
    mean, levels, _ = apart(there, upstream.by_gfpganer(network, one, randomize_noise=False))
    record_property("mean_difference_of_upstreams_tf32", mean)
    assert mean < 1 / 255


@pytest.mark.parametrize(
    "options", ["dtype=tf32", "dtype=bf16", "dtype=bf16&layout=channels-last", "layout=channels-last", "code=authors"]
)
def test_every_way_to_run_it_is_within_its_bound(
    options: str, full: Path, faces: ImageBatch, record_property: Record
) -> None:
    exact = load(f"checkpoint:{full}", device="cuda")(faces)
    mean, levels, _ = apart(load(f"checkpoint:{full}?{options}", device="cuda")(faces), exact)
    record_property("mean_difference", mean)
    record_property("levels_at_most", levels)
    if "dtype" in options:
        assert 0 < mean < 1 / 255
    else:
        assert levels <= 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_batches_of_any_size_are_their_images(
    precision: str, full: Path, faces: ImageBatch, record_property: Record
) -> None:
    alone = load(f"checkpoint:{full}?dtype={precision}&batch=1", device="cuda")(faces)
    for batch in (8, 32):
        ids = tuple(f"{name}-{copy}" for copy in range(batch // 8) for name in faces.ids)
        many = ImageBatch(faces.pixels.repeat(batch // 8, 1, 1, 1), ids)
        restorer = load(f"checkpoint:{full}?dtype={precision}&batch={batch}", device="cuda")
        record_property(f"peak_memory_mib_batch_{batch}", peak_mib(restorer, many))
        together = restorer(many)
        assert restorer.batch_that_fits == batch  # type: ignore[attr-defined]
        last = ImageBatch(together.pixels[-8:], faces.ids)
        mean, levels, _ = apart(last, alone)
        assert mean < (1e-5 if precision == "fp32" else 1 / 255), batch
        assert levels <= (1 if precision == "fp32" else 40), batch


def test_running_out_of_memory_halves_the_batch(full: Path, faces: ImageBatch, record_property: Record) -> None:
    """Really out of memory: the process is allowed what two images take, and given eight."""
    restorer = load(f"checkpoint:{full}?batch=8", device="cuda")
    wanted = restorer(faces)
    room = peak_mib(restorer, select(faces, [0, 1])) * MIB * 1.15
    restorer = load(f"checkpoint:{full}?batch=8", device="cuda")
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, room / torch.cuda.get_device_properties(0).total_memory))
    squeezed = restorer(faces)
    record_property("batch_that_fits", restorer.batch_that_fits)  # type: ignore[attr-defined]
    assert restorer.batch_that_fits < 8  # type: ignore[attr-defined]
    assert apart(squeezed, wanted)[0] < 1e-5


def test_it_repeats_itself(full: Path, faces: ImageBatch) -> None:
    for options in ("", "?dtype=bf16&layout=channels-last"):
        restorer = load(f"checkpoint:{full}{options}", device="cuda")
        assert torch.equal(restorer(faces).pixels, restorer(faces).pixels), options


def test_a_compiled_network_is_the_same_image(full: Path, faces: ImageBatch) -> None:
    two = select(faces, [0, 1])
    exact = load(f"checkpoint:{full}", device="cuda")(two)
    assert apart(load(f"checkpoint:{full}?compile=yes", device="cuda")(two), exact)[1] <= 1


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.needs_asset(name))
        for name in ("gfpgan-1", "gfpgan-1.2", "gfpgan-1.3", "gfpgan-1.4", "restoreformer", "codeformer")
    ],
)
def test_published_weights(name: str, degraded: ImageBatch, truth: ImageBatch, record_property: Record) -> None:
    """On a GPU as on the CPU, and nearer to the truth than noise: the face that went in comes out."""
    one = select(degraded, [0])
    there, here = load(name, device="cuda")(one), load(name)(one)
    mean, _, share = apart(there, here)
    record_property("mean_difference_from_cpu", mean)
    record_property("share_of_values_unlike_cpu", share)
    assert mean < 1e-4
    assert (there.pixels - truth.pixels[:1]).square().mean() < 0.02
    if name.startswith("gfpgan"):
        half = load(f"{name}?dtype=bf16&layout=channels-last", device="cuda")(one)
        record_property("mean_difference_of_bf16", apart(half, there)[0])
        assert apart(half, there)[0] < 1 / 255
