"""What a face set, a degradation, a restorer and a metric have to offer: a Protocol for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from gfpbench.types.images import Face, ImageBatch, Json, Parameters

if TYPE_CHECKING:
    import torch

Better: TypeAlias = Literal["higher", "lower"]


@runtime_checkable
class FaceSet(Protocol):
    """A named, ordered collection of clean faces, decoded one at a time so that memory does not grow with it."""

    name: str

    def ids(self) -> tuple[str, ...]:
        """Names in a fixed order that does not depend on the file system. Cheap: nothing is decoded."""
        ...

    def load(self, face_id: str) -> Face:
        """Decode one face. Raises UnreadableFace with the reason where that is impossible."""
        ...

    def source(self) -> Mapping[str, Json]:
        """Where the faces come from, their licence and size; kept in the Result."""
        ...


@runtime_checkable
class Degradation(Protocol):
    """Clean faces to degraded ones, in a way that can be repeated for any single image."""

    @property
    def name(self) -> str: ...

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        """Draw for one face of (height, width) pixels. Depends on its arguments and nothing else."""
        ...

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        """Degrade each image by its own record. Same ids, same size, 8-bit values. Deterministic."""
        ...

    def describe(self) -> Mapping[str, Json]:
        """The ranges, for the report and for baselines."""
        ...


@runtime_checkable
class Restorer(Protocol):
    """Degraded faces to restored ones: any size in, the same size and ids out. Raises; never returns its input.

    What a restorer may have besides: ``SaysWhetherOpaque``, ``SaysWhatRan``, ``OpensFiles``, ``ReadsImages``,
    ``HoldsImages``, ``FindsImages``.
    """

    name: str

    def __call__(self, degraded: ImageBatch) -> ImageBatch: ...

    def provenance(self) -> Mapping[str, Json]:
        """What identifies it: hash of weights, architecture, settings, sizes it works at. JSON."""
        ...


@runtime_checkable
class Metric(Protocol):
    """A number for each pair of images, under one fixed convention."""

    name: str  # with its convention: psnr_rgb, never psnr
    unit: str  # "dB", "degrees", "" where there is none
    better: Better
    best: float | None  # its value on equal images; None for a no-reference metric
    tolerance: float  # a difference below this is the same, for the reason given
    tolerance_reason: str
    minimum_side_px: int  # undefined below; the run leaves a blank and says so
    needs_truth: bool
    source: str  # paper and equation, or repository at a commit

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        """Score each image: (B,) float64 on the CPU. Never NaN; raises BadInput for what it cannot score."""
        ...


@dataclass(frozen=True, slots=True)
class SetScore:
    """One number for a whole set of images, with how far it can be trusted.

    Args:
        value: the score as its protocol defines it, for this many images.
        low, high: where it would lie for other images of the same number; None where that cannot be told.
        n, n_reference: images scored, images of the reference.
        extrapolated: the score for infinitely many images, as far as these tell; None where unknown.
        note: what a reader must know before trusting it, or empty.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    n_reference: int
    level: float = 0.95
    extrapolated: float | None = None
    note: str = ""


@runtime_checkable
class SetMetric(Protocol):
    """A number for a set of images against a reference set: features of images, statistics of features, a score."""

    name: str  # with its convention: fid_legacy, never fid
    unit: str
    better: Better
    best: float | None  # its value on equal sets; None where even that depends on the images
    tolerance: float
    tolerance_reason: str
    minimum_side_px: int
    minimum_images: int  # in either set; BadInput below
    features_name: str  # metrics that name the same features share one pass over the images
    source: str

    def features(self, batch: ImageBatch) -> torch.Tensor:
        """(B, D) float64 on the CPU. Raises AssetMissing where the network's weights are not here."""
        ...

    def statistics(self, features: Iterable[torch.Tensor]) -> Any:
        """What ``score`` needs of a set whose features come in parts of (B, D)."""
        ...

    def score(self, restored: Any, reference: Any) -> SetScore:
        """The number. Raises BadInput for sets too small to have one."""
        ...


class Progress(Protocol):
    """Told how far a long piece of work has come."""

    def __call__(self, done: int, total: int, what: str) -> None: ...
