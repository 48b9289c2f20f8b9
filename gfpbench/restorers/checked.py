"""Checks what a restorer returned: wrong ids, size, range, NaN or an unchanged input are failures, never scores."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gfpbench.images import are_equal, images_sha256, only, select, to_uint8
from gfpbench.lazy import LazyModule
from gfpbench.process_guard import called, contained, raised, text_of
from gfpbench.restorers import is_ours
from gfpbench.restorers.degenerate import why_degenerate
from gfpbench.types import ImageBatch, Json, RestorationFailed, Restorer, SaysWhetherOpaque

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

UNCHANGED_WITHIN_LEVELS = 1
"""An image that differs nowhere from its input by more than this many of 255 levels has not been restored."""

HASH_DIGITS = 32
"""Of a sha256, by which images of a run are told apart."""

_NOTICES = (__file__, str(Path(__file__).parents[1] / "types" / "images.py"))
"""Files in which a wrong answer is noticed: the line of the model that gave it says more."""


@dataclass
class Seen:
    """Restored images so far: a restorer that gives one image for two inputs is noticed across batches too.

    ``images`` maps the hash of a restored image to the hash of its degraded one and to its name; JSON, some 200
    bytes an image, so a run can keep it beside its results.
    """

    images: dict[str, tuple[str, str]] = field(default_factory=dict)


def checked(
    restorer: Restorer, degraded: ImageBatch, seen: Seen | None = None
) -> tuple[ImageBatch | None, dict[str, str]]:
    """Restore a batch and keep only what is a restoration of what was given.

    Where the restorer raises on several images, each is tried alone, so that one bad image costs no other.

    Refused for the whole batch: anything but an ImageBatch, other or reordered ids, another size. Refused image by
    image: absent from what was returned, NaN or infinite, outside [0, 1], its input unchanged (unless the restorer's
    provenance says ``"identity": True``), its input overwritten, the same image as for another input, black,
    constant, saturated or nearly empty where its input is not (see ``why_degenerate``). ``degraded`` is never changed:
    the restorer works on a copy.

    Args:
        restorer: called with (B, 3, H, W) float32 RGB in [0, 1], without gradients.
        degraded: B images.
        seen: what earlier batches of this run gave; extended by this one.

    Returns:
        The restorations, in the order and on the device of ``degraded`` (None where none is left), and the reason in
        one line for each image that has none. Every id is in exactly one of the two.

    Raises:
        KeyboardInterrupt and the like pass through. SystemExit does not: a model that calls ``sys.exit(0)`` would
        otherwise end a run as if it had succeeded; see ``contained`` for what else it may not do.
    """
    returned, failures = attempted(restorer, degraded)
    failures |= _outside(returned)
    good = {name: pixels for name, pixels in returned.items() if name not in failures}
    if good:
        answer, given = _batch_of(good), only(degraded, tuple(good))
        failures |= _refused(restorer, given, answer)
        sound = [name for name in good if name not in failures]
        failures |= _repeated(only(given, sound), only(answer, sound), seen) if sound else {}
    kept = [name for name in degraded.ids if name in good and name not in failures]
    restored = only(answer, kept) if kept else None
    return restored, {name: failures[name] for name in degraded.ids if name in failures}


def _batch_of(images: dict[str, torch.Tensor]) -> ImageBatch:
    return ImageBatch(torch.stack(list(images.values())), tuple(images))


def is_opaque(restorer: Restorer) -> bool:
    """Whether a restorer's provenance may leave out something that its answers depend on: a file it reads, a network.

    Restorers of this package name everything, but for those that run somebody's code, which have ``opaque = True``.
    Any other is taken for opaque unless it has ``opaque = False``.
    """
    if isinstance(restorer, SaysWhetherOpaque):
        return bool(restorer.opaque)
    return not is_ours(restorer)


def provenance_of(restorer: Restorer) -> Mapping[str, Json]:
    """What a restorer says that it is. Raises GfpbenchError in one line where it fails to."""
    return called(f"the provenance of restorer {restorer.name!r}", restorer.provenance)


def ignores_input(restorer: Restorer, degraded: ImageBatch) -> bool:
    """Whether the first image and its mirror image are restored to one and the same image: a constant.

    Costs two restorations; meant for the start of a run, where there may be only one image to compare. Not for
    ``outputs:``, which goes by names. False where the image is its own mirror image or cannot be restored.
    """
    first = select(degraded, [0])
    mirrored = ImageBatch(first.pixels.flip(3), first.ids)
    if torch.equal(to_uint8(first), to_uint8(mirrored)):
        return False
    answers = [attempted(restorer, batch)[0].get(first.ids[0]) for batch in (first, mirrored)]
    one, other = answers
    return one is not None and other is not None and one.shape == other.shape and torch.equal(one, other)


@runtime_checkable
class Attempting(Protocol):
    """A restorer that itself tells which images it could not restore, such as one in a process of its own."""

    def attempt(self, degraded: ImageBatch) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
        """As ``attempted``."""
        ...


def attempted(
    restorer: Restorer, degraded: ImageBatch, refused: list[str] | None = None
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """What a restorer returns, before its values are looked at. Tries images alone where the batch raises.

    Args:
        restorer, degraded: as in ``checked``.
        refused: extended by what a batch raised of which each image was restored alone.

    Returns:
        (3, H, W) float32 pixels by name, copied, on the device of ``degraded``; and the reason, by name, for each image
        that has none. Every name is in exactly one of the two.
    """
    if isinstance(restorer, Attempting):
        return called(f"restorer {restorer.name!r}: attempt", restorer.attempt, degraded)
    given = ImageBatch(degraded.pixels.clone(), degraded.ids)
    try:
        with contained(), torch.no_grad():
            answer = restorer(given)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises is a failed restoration
        if len(degraded) == 1:
            return {}, {degraded.ids[0]: _line(error)}
        pixels: dict[str, torch.Tensor] = {}
        reasons: dict[str, str] = {}
        for index in range(len(degraded)):
            alone, why = attempted(restorer, select(degraded, [index]))
            pixels |= alone
            reasons |= why
        if refused is not None and not reasons:
            refused.append(_line(error))
        return pixels, reasons
    reason = _broken_contract(answer, degraded)
    if reason is not None:
        return {}, dict.fromkeys(degraded.ids, reason)
    reasons = {name: "no image was returned for it" for name in degraded.ids if name not in answer.ids}
    whole = given.pixels.shape == degraded.pixels.shape
    untouched = whole and are_equal(given.pixels, degraded.pixels)
    for index, name in enumerate(degraded.ids):
        if not (untouched or (whole and are_equal(given.pixels[index], degraded.pixels[index]))):
            reasons[name] = "overwrote the image it was given: restore into a new tensor"
    # A copy: the restorer may use the same memory for its next answer.
    copied = answer.pixels.detach().to(degraded.pixels.device, copy=True)
    return {name: copied[i] for i, name in enumerate(answer.ids) if name not in reasons}, reasons


def _broken_contract(answer: object, degraded: ImageBatch) -> str | None:
    """What is wrong with an answer as a whole. Does not trust that ImageBatch has been asked."""
    if not isinstance(answer, ImageBatch):
        return f"returned {type(answer).__name__}, not an ImageBatch"
    pixels: object = answer.pixels
    ids: object = answer.ids
    if not isinstance(pixels, torch.Tensor):
        return f"returned pixels of type {type(pixels).__name__}, not a tensor of float32"
    if pixels.dtype != torch.float32 or pixels.is_meta:
        return f"returned pixels of type {pixels.dtype}, not float32 with values"
    if pixels.layout is not torch.strided:
        return f"returned pixels laid out as {pixels.layout}, not as an ordinary tensor"
    if not isinstance(ids, tuple | list):
        return f"returned names of type {type(ids).__name__}, not a tuple"
    if pixels.ndim != 4 or pixels.shape[0] != len(ids) or pixels.shape[1] != 3:
        return f"returned pixels of shape {tuple(pixels.shape)} for {len(ids)} names, not (B, 3, H, W)"
    if tuple(pixels.shape[2:]) != degraded.size:
        height, width = degraded.size
        return f"returned {pixels.shape[3]} x {pixels.shape[2]} px for images of {width} x {height} px"
    strangers = [name for name in ids if name not in degraded.ids]
    if strangers:
        return f"returned an image named {strangers[0]!r}, which it was not given"
    if tuple(ids) != tuple(name for name in degraded.ids if name in ids):  # twice the same name is found here too
        return "returned the names in another order, or one of them twice"
    return None


def _outside(returned: dict[str, torch.Tensor]) -> dict[str, str]:
    """Reasons against single images whose values are no values of an image."""
    reasons: dict[str, str] = {}
    for name, pixels in returned.items():
        low, high = (value.item() for value in torch.aminmax(pixels))  # of NaN both are NaN
        if not (math.isfinite(low) and math.isfinite(high)):
            bad = int((~torch.isfinite(pixels)).sum())
            reasons[name] = f"returned {bad} of {pixels.numel()} values that are NaN or infinite"
        elif not (low >= 0 and high <= 1):
            reasons[name] = f"returned values from {low:.4g} to {high:.4g}, outside [0, 1]"
    return reasons


def _refused(restorer: Restorer, degraded: ImageBatch, returned: ImageBatch) -> dict[str, str]:
    """Reasons against single images: that they are their own input, and that they hold no face."""
    reasons: dict[str, str] = {}
    apart = _levels_apart(to_uint8(returned), to_uint8(degraded))
    may_copy = min(apart) <= UNCHANGED_WITHIN_LEVELS and _says_identity(restorer)
    empty = why_degenerate(returned.pixels, degraded.pixels)
    for name, levels, why in zip(returned.ids, apart, empty, strict=True):
        if levels <= UNCHANGED_WITHIN_LEVELS and not may_copy:
            reasons[name] = f"returned its input unchanged (no value differs by more than {levels} of 255 levels)"
        elif why is not None:
            reasons[name] = why
    return reasons


def _says_identity(restorer: Restorer) -> bool:
    try:
        return restorer.provenance().get("identity") is True
    except Exception:  # noqa: BLE001 - one that cannot describe itself gets no exemption
        return False


def _repeated(degraded: ImageBatch, returned: ImageBatch, seen: Seen | None) -> dict[str, str]:
    """Reasons against images that were also given for another input, in this batch or in one before."""
    reasons: dict[str, str] = {}
    here: dict[str, tuple[str, str]] = {}
    hashes = (images_sha256(batch) for batch in (returned, degraded))
    for name, *both in zip(returned.ids, *hashes, strict=True):
        restored_hash, degraded_hash = (one[:HASH_DIGITS] for one in both)
        for earlier in (here, {} if seen is None else seen.images):
            other_hash, other = earlier.get(restored_hash, (degraded_hash, ""))
            if other_hash != degraded_hash and other != name:
                reasons[name] = f"returned the same image as for {other!r}, whose input is another"
                if earlier is here:  # nobody can tell which of the two it belongs to
                    reasons[other] = f"returned the same image as for {name!r}, whose input is another"
        here.setdefault(restored_hash, (degraded_hash, name))
    if seen is not None:
        for restored_hash, record in here.items():
            seen.images.setdefault(restored_hash, record)
    return reasons


def _levels_apart(one: torch.Tensor, other: torch.Tensor) -> list[int]:
    """By how many levels two (B, 3, H, W) uint8 images differ where they differ most, for each pair."""
    apart = torch.maximum(one, other).sub_(torch.minimum(one, other))
    return [int(levels) for levels in apart.flatten(1).amax(1).tolist()]


def _line(error: BaseException) -> str:
    """Type, message and place of an exception, in one line that is the same on every machine."""
    error = raised(error)
    message = text_of(error)
    if isinstance(error, RestorationFailed):  # a line made for a person
        return message
    frames = traceback.extract_tb(error.__traceback__)
    inner = [f for f in frames if "site-packages" not in f.filename and "<" not in f.filename]
    inner = [f for f in inner if f.filename not in _NOTICES] or list(frames)
    path = Path(inner[-1].filename)
    return f"{type(error).__name__}: {message} ({path.parent.name}/{path.name}:{inner[-1].lineno})"
