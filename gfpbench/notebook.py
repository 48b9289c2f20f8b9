"""Functions for notebooks and scripts: faces, restorers and metrics given as names or as objects, with defaults.

They stand at the top of the package: ``gfpbench.measure``, not ``gfpbench.notebook.measure``. The command and pytest do
the same with names.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gfpbench import devices, report, restorers, results, run
from gfpbench import faces as face_sets
from gfpbench.baselines import Comparison
from gfpbench.degrade import DEFAULT as DEGRADATION
from gfpbench.degrade import chosen_by, named_for
from gfpbench.images import as_batch
from gfpbench.metrics import load as load_metrics
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.report.summary import measured
from gfpbench.run.measures import load_measures
from gfpbench.statistics import Interval, best_of, interval_of, mean_of, people_of
from gfpbench.types import NO_TRUTH, BadInput, Case, Degradation, FaceSet, ImageBatch, Progress, Restorer, Result

_asked: WeakKeyDictionary[FaceSet, tuple[int | None, int | None]] = WeakKeyDictionary()
"""Size and draws with which ``load_faces`` was called, which the name of a case holds."""

_images: dict[str, Path] = {}
"""Where ``measure`` left the images of a Result, by the hash of the Result."""


def load_faces(faces: str | Path = "embedded", *, size_px: int | None = None, draws: int | None = None) -> FaceSet:
    """Open clean faces: a set by its name (``gfpbench list faces``), a folder or archives. Nothing is decoded yet.

    Args:
        faces: the name or the folder.
        size_px: side in pixels; the set's own where None.
        draws: how many differently degraded copies of each face. None: 8 for ``embedded``, 1 elsewhere.

    Raises:
        BadInput: for an unknown name, a folder without images, or a size or count out of range.
        AssetMissing: where the set has to be fetched first.

    Examples:
        >>> import gfpbench
        >>> gfpbench.load_faces("embedded", draws=1).ids()
        ('astronaut', 'grace_hopper')
    """
    opened = face_sets.load(str(faces), size_px=size_px, draws=draws)
    _asked[opened] = size_px, draws
    return opened


def load_restorer(
    restorer: str | Restorer | Callable[..., Any], *, device: str = "auto", name: str | None = None
) -> Restorer:
    """A restorer by its name (``gfpbench list restorers``), or of a function of your own.

    Args:
        restorer: a name with its options (``codeformer?w=0.7``), ``checkpoint:net.pth`` and the like; a function on
            one (H, W, 3) uint8 RGB array that returns the same; a function whose argument is annotated with
            ``ImageBatch``; or a Restorer, which is returned as it is.
        device: where a named one works: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        name: what reports call a function; its own name where None.

    Raises:
        BadInput: for a name that is not known, and for what is no restorer.
        AssetMissing: where weights have to be fetched first.

    Examples:
        >>> import gfpbench
        >>> gfpbench.load_restorer("bicubic").name
        'bicubic'
        >>> gfpbench.load_restorer(lambda rgb: rgb[:, ::-1], name="mirror").name
        'mirror'
    """
    if isinstance(restorer, str):
        if name is not None:
            raise BadInput(f"restorer {restorer!r} has a name: name= is for a function")
        return run.guarded(restorer, device)
    return restorers.handed_over(restorer, name=name)


def measure(
    restorer: Case | str | Restorer | Callable[..., Any] = "nano",
    faces: FaceSet | str | Path = "embedded",
    degradation: Degradation | str = "paper",
    *,
    truth: bool | None = None,
    metrics: Sequence[str] | None = None,
    protocols: Sequence[str] = (),
    seed: int = 0,
    size_px: int | None = None,
    limit: int | None = None,
    draws: int | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Degrade faces, restore them, and score what comes out.

    Args:
        restorer: what is measured: a name, a function or a Restorer (see ``load_restorer``); ``input`` for the degraded
            images themselves, ``truth`` for the clean ones. Or a Case, which says all that stands up to ``draws``.
        faces: a name, a folder, or what ``load_faces`` gave.
        degradation: a name (``gfpbench list degradations``, ``noise@0.25``) or a Degradation.
        truth: False where the faces are low-quality images without a ground truth: nothing is degraded, what needs a
            truth is not measured, and identity, landmarks and colours are compared with the input. None: as the face
            set says.
        metrics: names (``gfpbench list metrics``); the default ones where None and no protocol is named.
        protocols: whose way of measuring (``gfpbench list protocols``), beside ``metrics``.
        seed: every random draw depends on it, on the image's name, and on nothing else.
        size_px, draws: as in ``load_faces``; for names only.
        limit: the first so many images only.
        device: where the restorer works: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: faces restored at once; 8 or fewer where None.
        store: a folder for the images and the journal, from which a run that was stopped goes on. None: a temporary
            one, which lasts as long as the process; ``write_report`` finds the images there.
        progress: told how many faces are done.

    Returns:
        One row for each image. A restoration that failed has a reason in place of its scores.

    Raises:
        BadInput: for unknown names, and where not one face can be read.
        AssetMissing: where something has to be fetched first.

    Examples:
        >>> import gfpbench
        >>> result = gfpbench.measure("bicubic", limit=2, metrics=["psnr_rgb"], seed=3)
        >>> result.image_ids, result.case.id
        (('astronaut~0', 'grace_hopper~0'), 'bicubic-embedded-paper-s3-n2')
    """
    device, said = devices.resolve(device), degradation != DEGRADATION
    if isinstance(restorer, Case):
        if (faces, degradation, truth, seed, size_px, limit, draws) != ("embedded", "paper", None, 0, None, None, None):
            raise BadInput("a Case says which faces, degradation, seed, size, limit and draws: change them in the Case")
        case, said = restorer, True
        faces, degradation, restorer, seed = case.faces, case.degradation, case.restorer, case.seed
        size_px, limit, draws = case.size_px, case.limit, case.draws
    measures = load_measures(metrics, protocols)
    if not isinstance(faces, str | Path):
        face_sets.refuse_unfit(faces)
    if isinstance(degradation, str):
        asked = degradation if said else None
        degradation = named_for(faces.name if isinstance(faces, FaceSet) else str(faces), asked, truth)
    elif truth is False:
        raise BadInput("truth=False says that there is no ground truth, so nothing is degraded: leave degradation out")
    applied = chosen_by(degradation)
    opened, size_px, draws = _opened(faces, size_px, draws, once=applied.name == NO_TRUTH)
    loaded = None if restorer == run.TRUTH else load_restorer(restorer, device=device)
    case = Case(
        faces=opened.name if isinstance(faces, FaceSet) else str(faces),
        degradation=applied.name,
        restorer=restorer if isinstance(restorer, str) else run.TRUTH if loaded is None else loaded.name,
        seed=seed,
        size_px=size_px,
        limit=limit,
        draws=draws,
    )
    parts = run.Parts(faces=opened, degradation=applied, restorer=loaded, **vars(measures))
    folder = Path(tempfile.mkdtemp(dir=_session())) if store is None else Path(store)
    size = run.batch_size_for(len(parts.ids(case))) if batch_size is None else batch_size
    result = run.run_case(case, parts, store=folder, device=device, batch_size=size, progress=progress)
    _images[_sha256(result)] = folder
    return result


def means(result: Result) -> dict[str, Interval]:
    """The mean of each metric over the images, as the report shows it, with its 95 % interval over people.

    Images that failed are left out; so are those that equal their truth, where that is an infinite score. The interval
    has no width, and a note, where it cannot be told.

    Examples:
        >>> import gfpbench
        >>> mean = gfpbench.means(gfpbench.measure("input", limit=4, metrics=["ssim_rgb"]))["ssim_rgb"]
        >>> mean.low < mean.mean < mean.high, mean.n
        (True, 4)
    """
    found, people = {}, people_of(result)
    for metric, definition in result.metrics.items():
        scored, best = measured(result, metric), best_of(definition)
        values, of = [*scored.values()], [people[name] for name in scored]
        mean, ends = mean_of(values, best), interval_of(values, best, of)
        if mean.value is not None:
            low, high = ends or (mean.value, mean.value)
            said = [mean.note, f"of {len(set(of))} people" if len(set(of)) < len(of) else ""]
            note = "; ".join(filter(None, (*said, "" if ends else "the spread is not known")))
            found[metric] = Interval(low, high, mean.value, mean.n, note=note)
    return found


def write_report(
    measured: Result | Sequence[Result],
    to: str | Path = "report",
    *,
    comparisons: Sequence[Comparison] = (),
    title: str = "Face restoration report",
    store: str | Path | None = None,
) -> Path:
    """Write a page of Results, with the images that ``measure`` kept, and results.json beside it.

    Args:
        measured: rows in the order in which they shall appear. Several of one case are told apart by a number.
        to: the folder of the report.
        comparisons: what ``gfpbench.compare`` found, for the section of verdicts.
        store: where the images are, for Results that were not measured in this process; None for no others.

    Returns:
        The path of index.html.

    Raises:
        BadInput: for a folder that holds what a run measured, or the faces.

    Examples:
        >>> import gfpbench
        >>> results = [gfpbench.measure(name, limit=2, metrics=["psnr_rgb"]) for name in ("input", "bicubic")]
        >>> gfpbench.write_report(results, "report").name
        'index.html'
    """
    given = [measured] if isinstance(measured, Result) else list(measured)
    folder, counts = Path(to), Counter(result.case.id for result in given)
    seen: Counter[str] = Counter()
    shown, stores = [], {} if store is None else {"": Path(store)}
    for result in given:
        run.refuse_inside_inputs(result.case, folder)
        seen[result.case.id] += 1
        several = counts[result.case.id] > 1 and not result.label
        shown.append(replace(result, label=f"{seen[result.case.id]}") if several else result)
        if (images := _images.get(_sha256(result))) is not None:
            stores[shown[-1].label or result.case.id] = images
    report.refuse_to_replace_a_run(shown, folder)
    gate = report.Gate(tuple(comparisons))
    page = report.write_report(shown, folder, store=stores, title=title, gate=gate)
    report.write_junit(shown, folder / "junit.xml", gate=gate)
    return page


def show_face(result: Result, image_id: str, *, store: str | Path | None = None) -> report.FaceStrip:
    """One face for a notebook: degraded, restored and truth side by side, with its scores. ``Result.show`` calls this.

    Args:
        image_id: one of ``result.image_ids``.
        store: where the images are, for a Result that was not measured in this process: the folder of a report, or
            the ``store`` that its run was given.

    Raises:
        BadInput: for an unknown image, and where no image of it was kept.

    Example:
        >>> import gfpbench
        >>> gfpbench.measure("bicubic", limit=1, metrics=["psnr_rgb"]).show("astronaut~0")
        FaceStrip(id='astronaut~0', case='bicubic-embedded-paper-s0-n1')
    """
    folder = _images.get(_sha256(result)) if store is None else Path(store)
    if folder is None:
        raise BadInput(
            f"{image_id}: it is not known where the images of {result.named} are, which was not measured in this "
            "process: give store=, the folder of its report"
        )
    return report.face_strip(result, image_id, folder)


def compute(
    metric: str, restored: ImageBatch | NDArray[np.uint8], truth: ImageBatch | NDArray[np.uint8] | None = None
) -> float | NDArray[np.float64]:
    """Score images by one metric.

    Args:
        metric: a name (``gfpbench list metrics``) of a metric of single images.
        restored, truth: (H, W, 3) or (B, H, W, 3) uint8 RGB arrays, or an ImageBatch. Arrays are paired by position,
            batches by name. A metric without reference (``niqe``) needs no truth.

    Returns:
        A float for one (H, W, 3) array, else (B,) float64. Infinite where the metric says so of equal images.

    Raises:
        BadInput: for an unknown name, other arrays (of floats the range is not known), images that are no pairs, and
            what the metric is undefined for.
        AssetMissing: where weights have to be fetched first.

    Examples:
        >>> import numpy as np
        >>> import gfpbench
        >>> truth = np.full((16, 16, 3), 100, np.uint8)
        >>> round(gfpbench.compute("psnr_rgb", truth + 1, truth), 2)
        48.13
        >>> gfpbench.compute("psnr_rgb", np.stack([truth + 1, truth]), np.stack([truth, truth])).shape
        (2,)
    """
    if metric in tuple(SET_METRICS):  # a tuple, as a list in place of the name is not hashable
        raise BadInput(f"{metric} is a number of a whole set of images: give it to gfpbench.measure(metrics=[...])")
    (scorer,) = load_metrics([metric])
    ours = as_batch(restored, f"{metric}: restored")
    if truth is None and scorer.needs_truth:
        raise BadInput(f"{metric} compares with the truth: give it as the third argument")
    theirs = ours if truth is None else as_batch(truth, f"{metric}: truth", ours.ids)
    values: NDArray[np.float64] = scorer(ours, theirs).numpy()
    single = isinstance(restored, np.ndarray) and restored.ndim == 3
    return float(values[0]) if single else values


def _opened(
    faces: FaceSet | str | Path, size_px: int | None, draws: int | None, *, once: bool
) -> tuple[FaceSet, int | None, int | None]:
    """A face set with the size and draws that it was asked for. ``once``: each face is one image unless told."""
    if not isinstance(faces, FaceSet):
        return load_faces(faces, size_px=size_px, draws=1 if once and draws is None else draws), size_px, draws
    if (size_px, draws) != (None, None):
        raise BadInput("size_px and draws are for faces given by name: give them to load_faces")
    return faces, *_asked.get(faces, (None, None))


def _sha256(result: Result) -> str:
    return hashlib.sha256(results.text([replace(result, label="")]).encode()).hexdigest()


@cache
def _session() -> str:
    """A folder that lasts as long as this process."""
    folder = tempfile.mkdtemp(prefix="gfpbench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
