"""The core types (ImageBatch, Face, Case, Result, ...). Imports no other module of gfpbench."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import torch

Json: TypeAlias = Any
"""A value that ``json.dumps(..., allow_nan=False)`` accepts."""

Parameters: TypeAlias = Mapping[str, Json]
"""Everything drawn to degrade one image: a flat JSON record with units in its names (``blur_sigma_x_px``)."""

NO_TRUTH = "no-truth"
"""The degradation of inputs that are of low quality as they come, and have no ground truth: nothing is degraded."""

Better: TypeAlias = Literal["higher", "lower"]
VerdictKind: TypeAlias = Literal["same", "alike", "better", "worse", "missing", "changed"]
"""``same``: by the same arithmetic, within its numerical noise. ``alike``: another model, as good as far as is known.
``changed``: what was measured is not what the baseline measured (other faces, degradations, images, metrics)."""


class GfpbenchError(Exception):
    """An error with one clear line for a person: what was wrong, where, and what to do. Exit code 2."""


class BadInput(GfpbenchError):
    """A file, option or value that cannot be used."""


class UnreadableFace(BadInput):
    """One image that cannot be decoded or makes no sense; it is named in the report and the run goes on."""


class RestorationFailed(GfpbenchError):
    """A restorer that raised, or returned something that is not a restoration of what it was given."""


class AssetMissing(GfpbenchError):
    """Something from outside that is not here: weights, statistics, a dataset."""

    def __init__(self, asset: str, needed_by: str) -> None:
        super().__init__(f"{needed_by} needs the asset {asset!r}, which is not here: run `gfpbench fetch {asset}`")
        self.asset = asset
        self.needed_by = needed_by


class PackageMissing(AssetMissing):
    """An optional Python package that is not installed."""

    def __init__(self, package: str, needed_by: str, install: str) -> None:
        GfpbenchError.__init__(self, f"{needed_by} needs the package {package!r}, which is not here: run `{install}`")
        self.asset = package
        self.needed_by = needed_by


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ImageBatch:
    """Images of one size, with the names under which every report lists them.

    Args:
        pixels: (B, 3, H, W) float32 RGB in [0, 1], on any device.
        ids: B distinct names.

    Raises:
        BadInput: for any other shape, type or range, for NaN, and where names and images do not match.
    """

    pixels: torch.Tensor
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        import torch  # takes seconds to load; whoever has pixels has loaded it

        pixels, ids = self.pixels, self.ids
        if not isinstance(pixels, torch.Tensor) or pixels.dtype != torch.float32:
            raise BadInput(f"an ImageBatch holds float32 tensors, not {getattr(pixels, 'dtype', type(pixels))}")
        if pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape:
            raise BadInput(f"an ImageBatch is (B, 3, H, W) with nothing empty, not {tuple(pixels.shape)}")
        if not isinstance(ids, tuple) or len(ids) != pixels.shape[0] or len(set(ids)) != len(ids):
            raise BadInput(f"{pixels.shape[0]} images need as many distinct names in a tuple, not {ids!r}")
        low, high = (value.item() for value in torch.aminmax(pixels.detach()))
        if not (low >= 0 and high <= 1):  # NaN fails both comparisons
            raise BadInput(f"pixels must lie in [0, 1] and be finite, not {low:.4g} to {high:.4g}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[2]), int(self.pixels.shape[3])


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One clean image with what is known of it.

    Args:
        id: the name in every report; unique in its set.
        pixels: (3, H, W) float32 RGB in [0, 1], 8-bit values.
        attributes: facts such as ``age``, ``group``, ``pose``, ``occlusion``; JSON values.
        sha256: of the decoded pixels (uint8 RGB, HWC, with the shape), so that a changed image is seen.
        read: how its file was read (``gfpbench.decode.Decoded.record``); empty where it comes from no file.
    """

    id: str
    pixels: torch.Tensor
    attributes: Mapping[str, Json]
    sha256: str
    read: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong or was left out, in a line a person can act on.

    ``stage`` is the step that failed: ``faces``, ``degrade``, ``restore``, ``metric``.
    ``subject`` is an image id, a file or a metric name.
    """

    stage: str
    subject: str
    reason: str


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
class SaysWhetherOpaque(Protocol):
    """A restorer that says whether its answers may depend on something that its provenance leaves out.

    With ``opaque = False`` what was measured before is reused by its provenance alone, without asking it for two
    answers first.
    """

    opaque: bool


@runtime_checkable
class SaysWhatRan(Protocol):
    """A restorer that computes out of torch's sight, and says where and in which number types it did."""

    def what_ran(self) -> Mapping[str, Json]:
        """JSON: ``providers`` in use, ``provider_asked_for``, ``nodes`` by provider, ``weight_types`` by element count.

        Names that are not known are left out.
        """
        ...


@runtime_checkable
class SaysWhatIsFaster(Protocol):
    """A restorer with an option by which it takes a fraction of its time; named where it passes a time limit."""

    @property
    def faster_with(self) -> str:
        """The option as it stands behind the name (``reduce=4``); empty where there is none, or it was given."""
        ...


@runtime_checkable
class TimeLimited(Protocol):
    """A restorer that fails, or ends its process, where an image takes longer."""

    seconds_per_image: float


@runtime_checkable
class OpensFiles(Protocol):
    """A restorer that is watched while it opens files."""

    def files_read(self) -> Mapping[str, str]:
        """Path -> sha256 of those that it was seen to read so far."""
        ...


@runtime_checkable
class ReadsImages(Protocol):
    """A degradation or restorer whose images were made elsewhere and are read from files."""

    def read_record(self, image_id: str, /) -> Mapping[str, Json]:
        """How the file of one image was read (``gfpbench.decode.Decoded.record``); empty where it was not."""
        ...


@runtime_checkable
class HoldsImages(Protocol):
    """A restorer that has a folder of images, some of which may belong to no face."""

    def unused(self, image_ids: Iterable[str], /) -> Sequence[str]:
        """The files that belong to none of these."""
        ...


@runtime_checkable
class FindsImages(Protocol):
    """A restorer that has to know all names before the first image, to decide how its files are named."""

    def expect(self, image_ids: Sequence[str], /) -> None:
        """Decide for these images. Raises BadInput where that cannot be decided."""
        ...


@runtime_checkable
class DrawnOften(Protocol):
    """A face set of few faces, with its default number of independent draws per face."""

    default_draws: int


@runtime_checkable
class ComputedTwoWays(Protocol):
    """A degradation that can compute the same by other code, so that the noise of its arithmetic can be measured.

    Its description says under ``path`` by which.
    """

    def using(self, path: Any, /) -> Degradation:
        """The same by the code of this name."""
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


@runtime_checkable
class Identified(Protocol):
    """A metric that says what its figures are computed by."""

    def identity(self) -> Mapping[str, Json]:
        """Package, version or definition, hashes of weights, settings: figures of unlike identity do not compare."""
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
class ComparesWithInput(Protocol):
    """A metric that says whether its second argument is the degraded input, where it needs no truth."""

    needs_input: bool


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


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: which faces, degraded how, restored by what, from which seed.

    ``restorer`` is ``truth`` for the reference row: the clean image scored against itself.
    ``degradation`` is ``no-truth`` where the faces are inputs as they are, of which no clean image is known.
    ``limit`` takes the first so many faces. ``draws`` shows each face so many times, each under its own id, to be
    degraded differently each time.
    """

    faces: str
    degradation: str
    restorer: str
    seed: int = 0
    size_px: int | None = None
    limit: int | None = None
    draws: int | None = None

    @property
    def has_truth(self) -> bool:
        """Whether the faces are clean images that results are compared with, and not inputs without a ground truth."""
        return self.degradation != NO_TRUTH

    @property
    def degradation_named(self) -> str:
        """The degradation without its folder, and without the path that it is computed along, as published tables
        name it: ``stored``, ``paper``."""
        return self.degradation.partition(":")[0].partition("?")[0]

    @property
    def degradation_options(self) -> tuple[str, ...]:
        """How a command or pytest is told of the degradation."""
        return ("--degradation", self.degradation) if self.has_truth else ("--no-truth",)

    @property
    def id(self) -> str:
        """The pytest id, the name of the baseline and the row of every report; safe as a file name."""
        import hashlib
        import re

        parts = [self.restorer, self.faces, self.degradation, f"s{self.seed}"]
        parts += [f"{self.size_px}px"] if self.size_px is not None else []
        parts += [f"n{self.limit}"] if self.limit is not None else []
        parts += [f"d{self.draws}"] if self.draws is not None else []
        plain = "-".join(re.sub(r"[^A-Za-z0-9._]+", "_", part).strip("_")[-40:] for part in parts)
        if all(re.fullmatch(r"[A-Za-z0-9._-]{1,40}", part) for part in parts):
            return plain
        # A path need not be UTF-8: Python keeps what it could not decode as surrogates.
        digest = hashlib.sha256(chr(0).join(parts).encode("utf-8", "surrogatepass")).hexdigest()
        return f"{plain}-{digest[:8]}"


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a Result: its scores and everything needed to make it again.

    ``scores`` holds a float (``inf`` allowed, NaN never) or None where a metric is undefined or its input failed.
    ``fingerprint`` describes the ``degraded`` and the ``restored`` image in a few numbers, so that two Results can be
    compared without their images (``gfpbench.run.fingerprints``); empty where nothing was recorded.
    ``read`` says how the files behind it were read, by ``truth``, ``degraded`` and ``restored``
    (``gfpbench.decode.Decoded.record``); what comes from no file is not in it.
    """

    id: str
    face_sha256: str
    size_px: tuple[int, int]
    attributes: Mapping[str, Json]
    parameters: Parameters
    scores: Mapping[str, float | None]
    failure: str | None = None
    fingerprint: Mapping[str, Json] = field(default_factory=dict)
    read: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What one Case gave, image by image. A stored baseline is a Result read from disk.

    ``envelope`` says how far its scores move under changes that should change nothing (threads, batch size, a re-run,
    another machine's rounding); empty where that was not measured, as in an ordinary run.
    ``set_scores`` holds numbers of the whole set (FID and its like), which no single row has. ``protocols`` are those
    it was measured under: "PSNR @ vqfr" is the metric ``protocols["vqfr"]["PSNR"]``. ``label`` tells a reader which of
    several Results of one case it is (the file it was read from); empty where there is only one.
    """

    case: Case
    rows: tuple[Row, ...]
    metrics: Mapping[str, Mapping[str, Json]]  # name -> unit, better, best, tolerance, minimum_side_px, source
    restorer: Mapping[str, Json]  # provenance
    degradation: Mapping[str, Json]
    faces: Mapping[str, Json]
    environment: Mapping[str, Json]
    problems: tuple[Problem, ...] = ()  # unreadable faces, failed restorations
    not_measured: Mapping[str, str] = field(default_factory=dict)  # metric -> why it is blank, and what it needs
    envelope: Mapping[str, Json] = field(default_factory=dict)
    set_scores: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)  # metric -> a SetScore and its metric
    protocols: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # protocol -> its figure -> the metric
    label: str = ""

    @property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.rows)

    def scores(self, metric: str) -> tuple[float | None, ...]:
        """One value per image, in the order of ``image_ids``."""
        return tuple(row.scores.get(metric) for row in self.rows)

    @property
    def named(self) -> str:
        """The case's id, with the label where there is one."""
        return f"{self.case.id} ({self.label})" if self.label else self.case.id

    @property
    def unreadable(self) -> tuple[Problem, ...]:
        """The faces that could not be read, each with its reason; none of them has a row."""
        return tuple(problem for problem in self.problems if problem.stage == "faces")

    @property
    def unreadable_share(self) -> float:
        """Which share of the faces that were asked for could not be read, in [0, 1]."""
        return len(self.unreadable) / max(1, len(self.rows) + len(self.unreadable))

    def show(self, image_id: str, *, store: str | Path | None = None) -> Displayed:
        """One face for a notebook: ``gfpbench.show_face`` of this Result."""
        import gfpbench  # its front door, which is loaded wherever this is, and imports what displays at first use

        return gfpbench.show_face(self, image_id, store=store)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each image: the records of ``gfpbench.rows``.

        Raises:
            PackageMissing: where pandas is not installed.
        """
        import gfpbench

        try:
            import pandas
        except ImportError as error:
            raise PackageMissing("pandas", "Result.to_pandas", "pip install gfpbench[pandas]") from error
        return pandas.DataFrame(gfpbench.rows(self))

    def _repr_html_(self) -> str:
        """What a notebook displays in place of ``repr``: ``gfpbench.summary_html`` of this Result."""
        import gfpbench

        return gfpbench.summary_html(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison decided about one metric of one case, for one image or for all (``image`` is None)."""

    case: str
    metric: str
    image: str | None
    expected: float | None
    got: float | None
    kind: VerdictKind
    reason: str = ""


class Displayed(Protocol):
    """Something that a notebook displays where it is the last value of a cell."""

    def _repr_html_(self) -> str: ...


class Progress(Protocol):
    """Told how far a long piece of work has come."""

    def __call__(self, done: int, total: int, what: str) -> None: ...


def batched(items: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    """Cut names into consecutive groups of ``size``; the last may be shorter."""
    group: list[str] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)
