"""The folder of one training stage: checkpoints, sample sheets, log and weights."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from gfpbench.images import from_signed
from gfpbench.types import BadInput, GfpbenchError, Json
from training.config import Config
from training.data import Faces, Levels, Mixture, Pairs, Steps, pairs_of
from training.export import about_network, about_run, write_weights
from training.learning import read_whole, save_whole
from training.prior import TRUNCATION, Prior, mean_latent
from training.progress import Shown
from training.restore import Restore
from training.start import DISCRIMINATOR
from training.validation import COLUMNS, Validation, write_sheet

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
READ_SECONDS = 0.25


class Training:
    """One run of one stage in its folder.

    Args:
        stage: what learns.
        config, faces, device, seed: what it learns by and from.
        validation: held-out faces.
        out: the folder; made if it is not there.
        steps, minutes: how long; one of them is None.
        started_from: for the metadata.
    """

    def __init__(
        self,
        stage: Prior | Restore,
        config: Config,
        faces: Faces,
        validation: Validation,
        out: Path,
        *,
        device: str,
        seed: int,
        steps: int | None,
        minutes: float | None,
        started_from: str,
    ) -> None:
        self.stage, self.config, self.faces, self.validation, self.out = stage, config, faces, validation, out
        self.device, self.seed, self.steps, self.minutes = device, seed, steps, minutes
        self.started_from = started_from
        self.step, self.elapsed_s = 0, 0.0
        self.mixture = Mixture(config.degradation) if isinstance(stage, Restore) else None

    @property
    def progress(self) -> float:
        """0 at the beginning, 1 at the end."""
        if self.steps is not None:
            return self.step / self.steps
        return self.elapsed_s / (60 * (self.minutes or 1))

    def run(self, shown: Shown) -> dict[str, float]:
        """Train to the end, from where an earlier run of the same settings was stopped; the last validation numbers."""
        self.resume()
        batches = self._batches()
        saved = looked = time.monotonic()
        before, first_s, read_s = time.monotonic(), self.elapsed_s, 0.0
        terms: dict[str, float] = {}
        while self.progress < 1:
            learnt = self.stage.step(next(batches), self.step, self.progress)
            self.step += 1
            now = time.monotonic()
            self.elapsed_s = first_s + now - before
            ends = self.progress >= 1
            looks = not ends and now - looked >= self.config.run["look_seconds"]
            saves = not ends and now - saved >= self.config.run["checkpoint_seconds"]
            # A GPU is waited for here and nowhere else. What falls apart stays so: it is seen before it is written.
            if ends or looks or saves or now - read_s >= READ_SECONDS:
                terms, read_s = {name: float(term) for name, term in learnt.items()}, now
                self.refuse_broken(terms)
                shown.update(self.progress, self.step, terms)
            if looks:
                self.export(self.look(terms, shown))
                looked = time.monotonic()
            if saves:
                self.save()
                saved = time.monotonic()
        scores = self.look({}, shown)
        self.save()
        self.export(scores)
        return scores

    def refuse_broken(self, terms: Mapping[str, float]) -> None:
        """Raise GfpbenchError where a term of the last step is NaN or infinite."""
        broken = [name for name, value in terms.items() if not math.isfinite(value)]
        if broken:
            raise GfpbenchError(
                f"training fell apart by step {self.step}: {broken[0]} is not finite; {self.out / CHECKPOINT} "
                "is from before: lower the learning rates"
            )

    def _batches(self) -> Iterator[Pairs]:
        settings = self.config.prior if isinstance(self.stage, Prior) else self.config.restore
        made = Steps(self.faces, settings["batch"], self.seed, self.config.data["augment"], self.mixture)
        workers = min(self.config.data["workers"], _processors())
        if not workers:
            return (pairs_of(made.levels(step), self.device) for step in range(self.step, sys.maxsize))
        loader = torch.utils.data.DataLoader(
            _Levels(made),
            batch_size=None,
            sampler=range(self.step, sys.maxsize),
            num_workers=workers,
            # A forked process inherits OpenCV's pool without its threads, and waits for them for ever.
            multiprocessing_context="spawn",
            prefetch_factor=4,
            worker_init_fn=_one_thread,
            collate_fn=_as_they_are,
        )
        return (pairs_of(levels, self.device) for levels in loader)

    def identity(self) -> dict[str, Json]:
        """What has to be the same for a run to go on: everything but where it runs and for how long."""
        tables = {name: dict(table) for name, table in self.config.tables.items() if name not in ("run", "about")}
        tables["data"].pop("workers")
        images = hashlib.sha256(self.faces.images.tobytes()).hexdigest()
        return {"stage": self.stage.name, "seed": self.seed, "faces": images, "start": self.started_from, **tables}

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "identity": json.dumps(self.identity(), sort_keys=True),
        }
        save_whole(self.out / CHECKPOINT, {**state, "state": self.stage.state()})

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one. Raises BadInput where it is of other settings."""
        path = self.out / CHECKPOINT
        if not path.exists():
            return
        state = read_whole(path)
        ours, theirs = json.loads(json.dumps(self.identity())), json.loads(state["identity"])
        other = [name for name in ours if ours[name] != theirs.get(name)]
        if other:
            raise BadInput(f"{path} is of a run with other settings ({', '.join(other)}): give another --out")
        self.stage.load(state["state"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]

    def look(self, terms: dict[str, float], shown: Shown) -> dict[str, float]:
        """Sheet, validation numbers, a line in the log."""
        sheet = self.out / f"sheet-{self.step:07d}.png"
        scores: dict[str, float] = {}
        if isinstance(self.stage, Prior):
            rows = [self.stage.sampled(2 * COLUMNS, psi) for psi in (1.0, TRUNCATION)]
            names = tuple(f"face {number}" for number in range(COLUMNS))
            write_sheet(sheet, [from_signed(part, names) for row in rows for part in torch.split(row, COLUMNS)])
        else:
            images = self.validation.restored(self.stage.shown)
            scores = self.validation.scores(images)
            self.validation.sheet(images, sheet)
        line = {"step": self.step, "seconds": round(self.elapsed_s, 1), **terms, **scores}
        with (self.out / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        shown.say(f"step {self.step}", scores or terms)
        return scores

    def _names_only(self) -> dict[str, Json]:
        """Folders of the machine it ran on say nothing to others, and are nobody's business."""
        source = self.faces.source
        return {key: Path(str(source[key])).name for key in ("name", "from") if key in source}

    def export(self, scores: dict[str, float]) -> None:
        """Write the averaged weights under the stage's name for them."""
        averaged, sizes = self.stage.averaged.network, self.config.sizes
        weights = dict(averaged.state_dict())
        config = sizes.config()
        if isinstance(self.stage, Prior):
            weights |= {f"{DISCRIMINATOR}{name}": tensor for name, tensor in self.stage.judge.state_dict().items()}
            weights["mean_latent"] = mean_latent(averaged)
        metadata: dict[str, Json] = {
            "name": self.stage.title,
            **about_network(self.stage.arch, config, self.config.about),
            **about_run(self.device, self.seed, self.step),
            **self.stage.facts(),
            "faces": {**self.faces.source, **self._names_only()},
            "started_from": self.started_from,
            "minutes": f"{self.elapsed_s / 60:.1f}",
            "settings": {name: dict(table) for name, table in self.config.tables.items() if name != "about"},
        }
        if self.mixture is not None:
            metadata["degradation"] = self.mixture.describe()
            metadata["validation"] = {name: round(score, 4) for name, score in scores.items()}
        write_weights(self.out / self.stage.file, weights, metadata)


class _Levels(torch.utils.data.Dataset[Levels]):
    """What the processes that degrade are asked for."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def __getitem__(self, step: int) -> Levels:
        return self.steps.levels(step)


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _as_they_are(levels: Any) -> Any:
    return levels


def _one_thread(worker: int) -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
