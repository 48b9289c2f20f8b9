"""What a run keeps of its images: PNG files of some, and features for set metrics while it is unfinished."""

from __future__ import annotations

import hashlib
import heapq
import io
import math
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gfpbench import images
from gfpbench.disk import write_whole
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, GfpbenchError, ImageBatch, Json, Row

if TYPE_CHECKING:
    import torch

    from gfpbench.run.journal import Committed
else:
    torch = LazyModule("torch")

KINDS = ("degraded", "restored", "truth")

MANY = 2000
"""Images of one case, above which the best and a sample are kept (and shown) besides the first and the worst."""
FAILED, BEST, SAMPLE = 2, 8, 24


def image_file(image_id: str, kind: str) -> str:
    """What the file of a kept image is called, whatever its id: characters that a file system could mistake are
    replaced, and a hash keeps it apart from its likes."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", image_id).strip("._")[-60:] or "image"
    if plain != image_id:
        plain += "-" + hashlib.sha256(image_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}.{kind}.png"


def image_path(folder: Path, image_id: str, kind: str) -> Path:
    """Where a kept image lies.

    Args:
        folder: of the case, ``store / case.id``.
        image_id: any name.
        kind: ``degraded``, ``restored`` or ``truth``.
    """
    return folder / "images" / image_file(image_id, kind)


def sample_key(image_id: str, seed: int) -> bytes:
    """The images with the smallest keys are the sample of this seed, whichever others there are."""
    return hashlib.sha256(f"{seed}/{image_id}".encode("utf-8", "surrogatepass")).digest()


class _Top:
    """The names of the few entries that rank highest; of equal ones the earlier."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.names: set[str] = set()
        self._heap: list[tuple[float, int, str]] = []  # the lowest of them first

    def add(self, rank: float, number: int, name: str) -> str | None:
        """Take in the ``number``-th entry of all. Returns the name that goes for it, its own where it is too low."""
        # Of two that are equal the earlier one stays: -number makes it the larger entry.
        heapq.heappush(self._heap, (rank, -number, name))
        self.names.add(name)
        if len(self._heap) <= self.count:
            return None
        gone = heapq.heappop(self._heap)[2]
        self.names.discard(gone)
        return gone


class Kept:
    """Which images are kept. Decided by the rows alone, so a resumed run keeps the same ones.

    Args:
        folder: of the case.
        first: how many images from the start are kept.
        worst: how many of the worst are kept besides; failed ones count as worse than any number.
        metrics: their records by name; ``psnr_rgb`` ranks where it is measured, else the first by name.
        images: how many the case has. Of more than ``MANY`` the ``BEST`` best and a sample of ``SAMPLE`` are kept too
            (but where ``first`` is 0), and the first ``FAILED`` failures are kept beside the worst, not among them.
        seed: of the case, and of the sample.
    """

    def __init__(
        self,
        folder: Path,
        first: int,
        worst: int,
        metrics: Mapping[str, Mapping[str, Json]],
        *,
        images: int = 0,
        seed: int = 0,
    ) -> None:
        self.folder, self.first, self.seed = folder, first, seed
        self.many = images > MANY and first > 0
        self._metric = "psnr_rgb" if "psnr_rgb" in metrics else min(metrics, default=None)
        self._sign = -1.0 if self._metric is None or metrics[self._metric]["better"] == "higher" else 1.0
        self._worst, more = _Top(worst), (FAILED, BEST, SAMPLE) if self.many else (0, 0, 0)
        self._failed, self._best, self._sample = map(_Top, more)
        self._tops = (self._worst, self._failed, self._best, self._sample)
        self._seen = 0
        self._first: set[str] = set()
        self._gone: set[str] | None = None  # since the last ``prune``; None before the first

    def add(self, rows: Iterable[Row]) -> None:
        """Take note of the next rows, in the order of the run."""
        for row in rows:
            if self._seen < self.first:
                self._first.add(row.id)
            for top, rank in self._ranks(row):
                gone = top.add(rank, self._seen, row.id)
                if gone is not None and self._gone is not None:
                    self._gone.add(gone)
            self._seen += 1

    def _ranks(self, row: Row) -> Iterator[tuple[_Top, float]]:
        badness = self._badness(row)
        if self.many:
            yield self._sample, -int.from_bytes(sample_key(row.id, self.seed)[:6])
            if row.failure is not None:
                yield self._failed, 0.0
            elif badness is not None:
                yield self._best, -badness
        if badness is not None and not (self.many and row.failure is not None):
            yield self._worst, badness

    @property
    def ids(self) -> set[str]:
        """The names of the images that are kept, as far as the run has come."""
        return self._first.union(*(top.names for top in self._tops))

    def _keeps(self, image_id: str) -> bool:
        return image_id in self._first or any(image_id in top.names for top in self._tops)

    def lacks(self, line: Committed, shown: Mapping[str, ImageBatch | None]) -> bool:
        """Add the rows of a batch that another process measured, and say whether it sent no image of one that is kept.

        What failed is passed over: it may have none.
        """
        self.add(line.rows)
        there = {image_id for batch in shown.values() if batch is not None for image_id in batch.ids}
        return any(row.failure is None and row.id not in there and self._keeps(row.id) for row in line.rows)

    def write(self, rows: Sequence[Row], shown: Mapping[str, ImageBatch | None]) -> dict[str, str]:
        """Save those images of a batch that are kept now. Call it after ``add`` and before the rows are committed.

        Args:
            rows: of the batch.
            shown: its images, by kind.

        Returns:
            the name and the sha256 of each file.
        """
        written: dict[str, str] = {}
        for kind, batch in shown.items():
            there = () if batch is None else batch.ids
            for row in rows:
                if row.id not in there:  # a failed one must not keep the image of an earlier try
                    image_path(self.folder, row.id, kind).unlink(missing_ok=True)
            chosen = [index for index, image_id in enumerate(there) if self._keeps(image_id)]
            if batch is None or not chosen:
                continue
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            chosen_batch = images.select(batch, chosen)
            for image_id, rgb in zip(chosen_batch.ids, images.to_rgb_arrays(chosen_batch), strict=True):
                path = image_path(self.folder, image_id, kind)
                written[path.name] = images.write_png(path, rgb)
        return written

    def prune(self) -> None:
        """Remove every other file among the images: those no longer kept, and at first the leavings of a killed run."""
        if self._gone is None:
            wanted = self._wanted()
            for path in (self.folder / "images").glob("*"):
                if path.name not in wanted:
                    path.unlink()
        for image_id in self._gone or ():
            for kind in KINDS if not self._keeps(image_id) else ():
                image_path(self.folder, image_id, kind).unlink(missing_ok=True)
        self._gone = set()

    def changed(self, written: Mapping[str, str]) -> str | None:
        """The first image that is kept now and is gone or not what was written; None where all are."""
        for name in sorted(self._wanted() & set(written)):
            path = self.folder / "images" / name
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != written[name]:
                return name
        return None

    def _wanted(self) -> set[str]:
        return {image_path(self.folder, image_id, kind).name for image_id in self.ids for kind in KINDS}

    def _badness(self, row: Row) -> float | None:
        if row.failure is not None:
            return math.inf
        score = row.scores.get(self._metric) if self._metric is not None else None
        return None if score is None or math.isinf(score) else self._sign * score


class Features:
    """The features of a run's batches: one file for each, written before the batch is committed to the journal.

    Args:
        folder: of the case.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "features"

    def write(self, start: int, features: Mapping[str, torch.Tensor]) -> str:
        """Keep what one batch gave, whole or not at all; ``start`` is the batch's place in the run.

        Returns:
            the sha256 of the file.
        """
        held = io.BytesIO()
        np.savez(held, **{key.replace("/", ":"): value.numpy() for key, value in features.items()})  # type: ignore[arg-type]
        write_whole(self.path(start), held.getvalue())
        return hashlib.sha256(held.getbuffer()).hexdigest()

    def copy(self, start: int, sha256: str, other: Path) -> None:
        """Take those of one batch from the folder of the same case elsewhere.

        Raises:
            BadInput: where they are not what was written there.
        """
        content = Features(other)._content(start, sha256)
        if content is None:
            raise BadInput(f"{Features(other).path(start)}: is gone or was changed since it was measured")
        write_whole(self.path(start), content)

    def has(self, start: int, sha256: str) -> bool:
        """Whether that batch's features are kept as they were written."""
        return self._content(start, sha256) is not None

    def read(self, key: str, written: Sequence[tuple[int, str]]) -> Iterator[torch.Tensor]:
        """The features of one kind (``restored/inception_clean``), batch by batch, in the order of the run.

        Args:
            written: start and sha256 of each batch; no other file is looked at.

        Raises:
            GfpbenchError: where a file is not what was written.
        """
        for start, sha256 in written:
            content = self._content(start, sha256)
            if content is None:
                raise GfpbenchError(f"{self.path(start)}: was changed while the run went on; run it again")
            with np.load(io.BytesIO(content), allow_pickle=False) as held:
                if key.replace("/", ":") in held:
                    yield torch.from_numpy(held[key.replace("/", ":")])

    def _content(self, start: int, sha256: str) -> bytes | None:
        try:
            content = self.path(start).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def clear(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, start: int) -> Path:
        """The file of one batch."""
        return self.folder / f"{start:09d}.npz"
