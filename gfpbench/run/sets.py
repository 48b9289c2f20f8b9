"""Set metrics in a run: features are kept on disk per batch, then scored once for all images."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from gfpbench.disk import write_whole
from gfpbench.metrics.set_measures import SetMeasure
from gfpbench.types import BadInput, GfpbenchError, Json


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
        write_whole(self._path(start), held.getvalue())
        return hashlib.sha256(held.getbuffer()).hexdigest()

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
                raise GfpbenchError(f"{self._path(start)}: was changed while the run went on; run it again")
            with np.load(io.BytesIO(content), allow_pickle=False) as held:
                if key.replace("/", ":") in held:
                    yield torch.from_numpy(held[key.replace("/", ":")])

    def _content(self, start: int, sha256: str) -> bytes | None:
        try:
            content = self._path(start).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def clear(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what a killed run left half written."""
        for leaving in self.folder.glob(".*.part"):
            leaving.unlink()

    def _path(self, start: int) -> Path:
        return self.folder / f"{start:09d}.npz"


def score_sets(
    sets: Sequence[SetMeasure], features: Features, written: Sequence[tuple[int, str]], blank: Mapping[str, str]
) -> tuple[dict[str, dict[str, Json]], dict[str, str]]:
    """Every set metric's score with its record, and why the others have none.

    Args:
        written: start and sha256 of each batch's features.
        blank: measures that some batch had no features for, with the reason: they get no score from the others.
    """
    scores: dict[str, dict[str, Json]] = {}
    reasons: dict[str, str] = {}
    for measure in sets:
        if measure.name in blank:
            continue
        metric, name = measure.metric, measure.metric.features_name
        try:
            restored = metric.statistics(features.read(f"restored/{name}", written))
            if measure.against_truth:
                reference = metric.statistics(features.read(f"truth/{name}", written))
            else:
                reference = measure.reference.load(measure.name)
            scores[measure.name] = {**measure.record(), **asdict(metric.score(restored, reference))}
        except BadInput as error:
            reasons[measure.name] = str(error)
    return scores, reasons
