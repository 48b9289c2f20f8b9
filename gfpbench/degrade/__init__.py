"""Degradations by name: each turns clean faces into degraded ones, reproducibly for any single image.

To add one: write an object with ``draw``, ``apply`` and ``describe`` (``gfpbench.types.Degradation``), or another
``Chain`` of steps in ``presets.py``, and add its row to the table below.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, cast, overload

from gfpbench.assets.datasets import has_truth
from gfpbench.options import Options, split_options
from gfpbench.process_guard import refuse_unreadable
from gfpbench.registry import named_alike, resolve, whole
from gfpbench.types import NO_TRUTH, BadInput, ComputedTwoWays, Degradation, ImageBatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEGRADATIONS: Mapping[str, str] = {
    "paper": "gfpbench.degrade.presets:PAPER",
    "upstream": "gfpbench.degrade.presets:UPSTREAM",
    "report": "gfpbench.degrade.presets:REPORT",
    "none": "gfpbench.degrade.presets:NONE",
    "no-truth": "gfpbench.degrade.presets:AS_THEY_ARE",
    "stored": "gfpbench.degrade.stored:STORED",
}
"""Name -> "module:attribute" of a Degradation."""

OFFERED = ("name", "draw", "apply", "describe", "using", "read_record")
"""The attributes that a degradation has, and those that it may have besides (``gfpbench.types``)."""

DEFAULT = "paper"
"""How clean faces are degraded unless told otherwise."""


def load(name: str) -> Degradation:
    """The degradation of that name, of ``stored:PATH``, or of an axis at a severity from 0 to 1 such as ``noise@0.25``.

    The path that it is computed along follows a question mark (``gfpbench.degrade.chain.Chain``): ``paper?path=exact``.

    Raises BadInput with the nearest names for an unknown one, and for options that it does not have.
    """
    if name.startswith("stored:"):
        from gfpbench.degrade.stored import stored_in

        return cast(Degradation, stored_in(name.removeprefix("stored:")))
    bare, given = split_options(name, "degradation")
    if "@" in bare:
        from gfpbench.degrade.axes import load_at, load_axis

        if load_axis(bare.rpartition("@")[0]).acts_on == "scene":
            raise BadInput(f"{bare!r} changes the scene and its truth, not the image: use `gfpbench collapse --axis`")
        return _along(load_at(bare), Options(bare, given))
    found = cast(Degradation, resolve("degradation", DEGRADATIONS, bare, also="or an axis at a severity: noise@0.25"))
    named_alike("degradation", bare, found.name, "DEGRADATIONS in gfpbench/degrade/__init__.py")
    return _along(found, Options(bare, given))


def _along(degradation: Degradation, options: Options) -> Degradation:
    """The same along the path that the options name; itself where there are none."""
    if not options.given:
        return degradation
    if not isinstance(degradation, ComputedTwoWays):
        raise BadInput(f"degradation {degradation.name!r} takes no options, and {options.spelled!r} gives it some")
    from gfpbench.degrade.chain import PATHS

    path = options.choice("path", PATHS)
    options.finished()
    return degradation.using(path)


def chosen_by(given: Degradation | str) -> Degradation:
    """A degradation given as a name or as an object.

    Raises BadInput for what is neither, and as ``load`` and ``refuse_unfit``.
    """
    if isinstance(given, str):
        return load(given)
    refuse_unfit(given)
    if not isinstance(given, Degradation):
        raise BadInput(f"a degradation is a name or a Degradation, not {type(given).__name__}")
    return given


def refuse_unfit(degradation: object) -> None:
    """Raise BadInput for an object given as a degradation of which an attribute cannot be read."""
    refuse_unreadable(f"a degradation ({type(degradation).__name__})", degradation, OFFERED)


def named_for(faces: str, degradation: str | None, truth: bool | None) -> str:
    """The degradation of a case, from what a person said.

    Args:
        faces: a name or a folder.
        degradation: a name; None where nothing was said.
        truth: False where the faces are said to have no truth; None where nothing was said.

    Returns:
        The name; ``DEFAULT`` for faces with a truth where nothing was said, and ``no-truth`` for those without.

    Raises:
        BadInput: where faces without a truth are to be degraded.
    """
    if has_truth(faces) and truth is not False:
        return DEFAULT if degradation is None else degradation
    if degradation not in (None, NO_TRUTH):
        why = "--no-truth (truth=False) says" if truth is False else f"faces {faces!r} say"
        raise BadInput(f"{why} that there is no ground truth, so nothing is degraded: leave out {degradation!r}")
    if truth:
        raise BadInput(f"faces {faces!r} have no ground truth: leave truth=True out")
    return NO_TRUTH


def describe(name: str) -> str:
    """One line about a degradation, for lists. Raises BadInput for an unknown name."""
    return str(load(name).describe()["summary"])


class DegradePackage(ModuleType):
    """This package, which can be called: ``gfpbench.degrade(images)`` beside ``from gfpbench.degrade import load``."""

    @overload
    def __call__(
        self, images: ImageBatch, degradation: Degradation | str = "paper", *, seed: int = 0
    ) -> ImageBatch: ...
    @overload
    def __call__(
        self,
        images: NDArray[np.uint8],
        degradation: Degradation | str = "paper",
        *,
        seed: int = 0,
        ids: Sequence[str] | None = None,
    ) -> NDArray[np.uint8]: ...
    def __call__(
        self,
        images: ImageBatch | NDArray[np.uint8],
        degradation: Degradation | str = "paper",
        *,
        seed: int = 0,
        ids: Sequence[str] | None = None,
    ) -> ImageBatch | NDArray[np.uint8]:
        """Degrade clean images as a run does.

        Args:
            images: an ImageBatch, or (H, W, 3) or (B, H, W, 3) uint8 RGB arrays.
            degradation: a name (``gfpbench list degradations``, ``noise@0.25``) or a Degradation.
            seed: what is drawn depends on it and on the image's name, and on nothing else.
            ids: names of the arrays; "0", "1", ... where None. An ImageBatch has its own.

        Returns:
            What was given, degraded: the same type, shape and names; 8-bit values.

        Raises:
            BadInput: for an unknown name, float arrays, and images that cannot be degraded so.

        Examples:
            >>> import numpy as np
            >>> import gfpbench
            >>> clean = np.full((64, 64, 3), 128, np.uint8)
            >>> degraded = gfpbench.degrade(clean, "noise@0.25", seed=0)
            >>> degraded.shape, degraded.dtype, bool((degraded == clean).all())
            ((64, 64, 3), dtype('uint8'), False)
        """
        from gfpbench.images import as_batch, to_rgb_stack

        clean = as_batch(images, "gfpbench.degrade", ids)
        chosen, key = chosen_by(degradation), whole("seed", seed)
        degraded = chosen.apply(clean, [chosen.draw(name, key, clean.size) for name in clean.ids])
        if isinstance(images, ImageBatch):
            return degraded
        stacked = to_rgb_stack(degraded)
        return stacked[0] if images.ndim == 3 else stacked


sys.modules[__name__].__class__ = DegradePackage
