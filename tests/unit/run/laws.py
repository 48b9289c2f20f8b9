"""Small parts with closed forms, and the laws a run obeys, written so that a saboteur can be put to them."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from gfpbench import images, run
from gfpbench.metrics import fid
from gfpbench.metrics.feature_sets import FeatureSet, gather
from gfpbench.metrics.set_measures import REFERENCES, SetMeasure
from gfpbench.types import (
    BadInput,
    Better,
    Case,
    Face,
    ImageBatch,
    Json,
    Metric,
    Parameters,
    Progress,
    Result,
    SetScore,
    UnreadableFace,
)

CASE = Case(faces="toy", degradation="noise", restorer="smooth")


def number(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


@dataclass
class ToyFaces:
    """Smooth images made from their names. ``unreadable`` raise; ``sizes`` are taken in turn, in runs of five."""

    count: int = 20
    sizes: tuple[tuple[int, int], ...] = ((16, 16),)
    unreadable: frozenset[str] = frozenset()
    version: int = 0
    name: str = "toy"

    def ids(self) -> tuple[str, ...]:
        return tuple(f"face {index:04d}" for index in range(self.count))

    def load(self, face_id: str) -> Face:
        if face_id in self.unreadable:
            raise UnreadableFace(f"{face_id}: is torn")
        index = int(face_id.split()[1])
        height, width = self.sizes[index // 5 % len(self.sizes)]
        generator = np.random.default_rng(number(face_id, self.version))
        corners = torch.from_numpy(generator.uniform(40, 215, (1, 3, 3, 3)))
        smooth = F.interpolate(corners, size=(height, width), mode="bilinear", align_corners=True)
        rgb = smooth[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
        return Face(face_id, images.from_uint8(rgb), {"index": index}, images.pixels_sha256(rgb))

    def source(self) -> Mapping[str, Json]:
        return {"name": self.name, "count": self.count}


class ToyNoise:
    """Gaussian noise whose strength and seed are drawn from the name."""

    name = "noise"

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        return {"noise_std_255": 10 + number(face_id, seed, "std") % 20, "noise_key": number(face_id, seed, "key")}

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        noise = [
            np.random.default_rng(record["noise_key"]).normal(0, record["noise_std_255"] / 255, (3, *batch.size))
            for record in parameters
        ]
        pixels = batch.pixels + torch.from_numpy(np.stack(noise)).to(torch.float32)
        return images.quantized(ImageBatch(pixels.clamp(0, 1), batch.ids))

    def describe(self) -> Mapping[str, Json]:
        return {"summary": "toy noise", "noise_std_255": [10, 30]}


@dataclass
class Smooth:
    """A 3 x 3 mean, which is better than noise. ``refuses`` are the names of images it raises for."""

    refuses: frozenset[str] = frozenset()
    seconds: float = 0.0
    version: str = "1"
    name: str = "smooth"
    opaque: bool = False

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        time.sleep(self.seconds)
        refused = [name for name in degraded.ids if name in self.refuses]
        if refused:
            raise ValueError(f"{len(refused)} of these make me ill")
        padded = F.pad(degraded.pixels, (1, 1, 1, 1), mode="replicate")
        return ImageBatch(F.avg_pool2d(padded, 3, stride=1).clamp(0, 1), degraded.ids)

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name, "version": self.version}


@dataclass
class ToyMetric:
    """A metric from a function of (B, 3, H, W) float64 images in [0, 1]. Reads the pixels as they are, unrounded."""

    name: str
    value: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    better: Better = "higher"
    best: float | None = math.inf
    minimum_side_px: int = 1
    refuses: frozenset[str] = frozenset()
    unit: str = ""
    tolerance: float = 1e-9
    tolerance_reason: str = "float64 sums"
    needs_truth: bool = True
    source: str = "this file"

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        assert restored.ids == truth.ids
        if self.refuses & set(restored.ids):
            raise BadInput("one of these is flat")
        return self.value(restored.pixels.double(), truth.pixels.double())


def psnr(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return -10 * torch.log10((restored - truth).square().mean((1, 2, 3)))


def mae(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return 255 * (restored - truth).abs().mean((1, 2, 3))


def toy_metrics() -> tuple[Metric, ...]:
    return (ToyMetric("psnr_rgb", psnr), ToyMetric("mae_255", mae, better="lower", best=0.0))


@dataclass
class Toy:
    """A whole run of small parts, changed where a test wants something else."""

    faces: ToyFaces = field(default_factory=ToyFaces)
    degradation: ToyNoise = field(default_factory=ToyNoise)
    restorer: Smooth | None = field(default_factory=Smooth)
    metrics: tuple[Metric, ...] = field(default_factory=toy_metrics)
    case: Case = CASE
    batch_size: int = 3
    keep_images: int = 4

    def but(self, **changes: Any) -> Toy:
        return replace(self, **changes)

    def parts(self) -> run.Parts:
        return run.Parts(self.faces, self.degradation, self.restorer, self.metrics)

    def measure(self, store: Path, **more: Any) -> Result:
        settings = {"batch_size": self.batch_size, "keep_images": self.keep_images, **more}
        return run.run_case(self.case, self.parts(), store=store, **settings)

    def problems(self, result: Result, store: Path | None, count: int | None = 4) -> list[str]:
        found = run.verify(result, parts=self.parts(), store=store, count=count)
        return [f"{problem.stage} {problem.subject}: {problem.reason}" for problem in found]


@dataclass
class ToySet:
    """Mean colours of the four quarters of an image, and the Frechet distance of their Gaussians."""

    name: str = "quarters"
    unit: str = ""
    better: str = "lower"
    best: float | None = 0.0
    tolerance: float = 1e-9
    tolerance_reason: str = "float64 sums"
    minimum_side_px: int = 4
    minimum_images: int = 2
    features_name: str = "quarters"
    source: str = "this file"
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def features(self, batch: ImageBatch) -> torch.Tensor:
        self.calls.append(batch.ids)
        return torch.nn.functional.adaptive_avg_pool2d(batch.pixels.double(), 2).flatten(1)

    def statistics(self, features: Iterable[torch.Tensor]) -> FeatureSet:
        return gather(features)

    def score(self, restored: FeatureSet, reference: FeatureSet) -> SetScore:
        if restored.n < self.minimum_images:
            raise BadInput(f"{self.name} needs two images")
        return fid.fid_legacy.score(restored, reference)


def measure_of(metric: Any, name: str = "quarters_vs_truth") -> SetMeasure:
    return SetMeasure(name, metric, REFERENCES["truth"])


@dataclass
class ToyWithSets(Toy):
    sets: tuple[SetMeasure, ...] = field(default_factory=lambda: (measure_of(ToySet()),))

    def parts(self) -> run.Parts:
        return replace(super().parts(), sets=self.sets)


def closed_form(toy: Toy, face_id: str) -> dict[str, float]:
    """The scores of one face, by the shortest way from the definitions above."""
    face = toy.faces.load(face_id)
    truth = ImageBatch(face.pixels[None], (face_id,))
    record = toy.degradation.draw(face_id, toy.case.seed, truth.size)
    noise = np.random.default_rng(record["noise_key"]).normal(0, record["noise_std_255"] / 255, (3, *truth.size))
    degraded = np.rint(np.clip(face.pixels.numpy() + noise.astype(np.float32), 0, 1) * np.float32(255)) / 255
    rows = np.pad(degraded, ((0, 0), (1, 1), (1, 1)), mode="edge")
    mean = sum(rows[:, y : y + truth.size[0], x : x + truth.size[1]] for y in range(3) for x in range(3)) / 9
    error = np.rint(mean * 255) - np.rint(face.pixels.numpy().astype(np.float64) * 255)
    return {"psnr_rgb": float(10 * np.log10(255**2 / np.mean(error**2))), "mae_255": float(np.mean(np.abs(error)))}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a case that the same-bytes law is about."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("timing.json", ".lock")
    }


class Stopped(BaseException):
    """A kill, as far as the engine can tell: not an Exception, so nothing may catch it."""


def stop_after(batches: int) -> Progress:
    """A progress that ends the run when so many batches are committed."""
    calls = 0

    def progress(done: int, total: int, what: str) -> None:
        nonlocal calls
        calls += 1
        if calls == batches:
            raise Stopped

    return progress


def stopped_and_resumed(toy: Toy, store: Path, batches: int, later: Toy | None = None) -> Result:
    """Stop a run after some batches, and go on with it (as ``later``, where something changed meanwhile)."""
    with contextlib.suppress(Stopped):
        toy.measure(store, progress=stop_after(batches))
    return (later or toy).measure(store)


def check_resuming_changes_nothing(toy: Toy, folder: Path, batches: int, later: Toy | None = None) -> None:
    """A stopped run that goes on ends with the bytes of an undisturbed one."""
    (later or toy).measure(folder / "undisturbed")
    stopped_and_resumed(toy, folder / "stopped", batches, later)
    check_same(folder / "undisturbed" / toy.case.id, folder / "stopped" / toy.case.id)


def check_same(one: Path, other: Path) -> None:
    expected, got = tree(one), tree(other)
    assert set(expected) ^ set(got) == set()
    assert [name for name in expected if expected[name] != got[name]] == []


def check_sound(toy: Toy, store: Path, count: int | None = 6) -> None:
    """Measure, and have the Result verified as a user's suite does it."""
    result = toy.measure(store)
    found = toy.problems(result, store, count)
    assert found == [], found


def killed_at_random(folder: Path, kills: int = 8, seed: int = 3) -> None:
    """For a process of its own: run in children, kill each at a random moment, then let one finish.

    A set metric is measured too, so that kills come while features are written. Prints how many were killed while they
    worked, and how many of these left committed batches to go on from.
    """
    torn, ill = frozenset({"face 0007", "face 0044"}), frozenset({"face 0011"})
    toy = ToyWithSets(ToyFaces(45, unreadable=torn), restorer=Smooth(ill, seconds=0.004))
    run.environment("cpu")  # read once, before forking: somebody may be editing gfpbench while its tests run
    begun = time.monotonic()
    os.waitpid(_child(toy, folder / "undisturbed"), 0)
    length, chance = time.monotonic() - begun, random.Random(seed)
    journal = folder / "killed" / toy.case.id / "rows.jsonl"
    killed = left = 0
    for attempt in range(kills):
        lines = _lines(journal) + chance.randint(1, 4)
        child = _child(toy, folder / "killed")
        if attempt % 2:  # at any moment, the beginning and the end included
            time.sleep(chance.uniform(0, length))
        else:  # somewhere in the middle, however slow the machine is
            patience = time.monotonic() + 20
            while _lines(journal) < lines and time.monotonic() < patience:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        killed += died
        left += died and _lines(journal) > 1
    assert os.waitpid(_child(toy, folder / "killed"), 0)[1] == 0
    print(killed, left)


def _child(toy: Toy, store: Path) -> int:
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        toy.measure(store)
        os._exit(0)
    return child


def _lines(journal: Path) -> int:
    try:
        return journal.read_bytes().count(b"\n")
    except FileNotFoundError:  # not begun, or finished between two looks
        return 0
