"""Collapse points: the severity along a degradation axis at which a restorer's quality collapses.

``definition.py`` says what that means, ``search.py`` finds it, ``point.py`` answers the question for names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gfpbench.lazy import LazyPackage, lazy_package
from gfpbench.types import Progress, Restorer

if TYPE_CHECKING:
    from gfpbench.collapse.definition import CRITERIA, DEFAULT, DEFAULT_AXES, Criterion, default_axes
    from gfpbench.collapse.groups import GroupDifference, group_difference
    from gfpbench.collapse.measuring import at_value, axis_of
    from gfpbench.collapse.point import DEFAULT_DRAWS, collapse_point, collapse_points, loaded, margins_at
    from gfpbench.collapse.record import Collapse, Question, Step, from_json, read, text_of, to_json, write
    from gfpbench.collapse.search import RESOLUTION, Found, find
    from gfpbench.collapse.text import collapse_lines, worst_faces_command

__all__ = [
    "CRITERIA",
    "DEFAULT",
    "DEFAULT_AXES",
    "DEFAULT_DRAWS",
    "RESOLUTION",
    "Collapse",
    "Criterion",
    "Found",
    "GroupDifference",
    "Question",
    "Step",
    "at_value",
    "axis_of",
    "collapse_lines",
    "collapse_point",
    "collapse_points",
    "default_axes",
    "find",
    "from_json",
    "group_difference",
    "loaded",
    "margins_at",
    "read",
    "text_of",
    "to_json",
    "worst_faces_command",
    "write",
]


class CollapsePackage(LazyPackage):
    """This package, which can be called: ``gfpbench.collapse("nano")`` beside ``gfpbench.collapse.find``."""

    def __call__(
        self,
        restorer: str | Restorer | Callable[..., Any] = "nano",
        axis: str = "noise",
        *,
        metric: str = "ssim_rgb",
        criteria: Sequence[str] | None = None,
        faces: str = "embedded",
        size_px: int | None = None,
        limit: int | None = None,
        draws: int | None = None,
        seed: int = 0,
        resolution: int = 64,
        device: str = "auto",
        store: Path | str | None = None,
        progress: Progress | None = None,
    ) -> Collapse:
        """Find where a restorer collapses: the severity of an axis from which on it is of no use.

        Args:
            restorer: a name, a Restorer, or a function (``gfpbench.load_restorer``).
            axis: ``gfpbench list axes``; on the base ``middle`` unless another is named (``noise+none``).
            metric, criteria: how quality is measured, and what counts as useless.
            faces, size_px, limit, draws, seed: on which faces. Of ``embedded`` 4 draws each where None.
            resolution: the point is found to 1/N of the axis; a power of two.
            device: where the restorer works: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            store: a folder for everything that is measured, from which a search that was stopped goes on.
                None: a temporary one.
            progress: told how many severities are measured.

        Returns:
            The point with its interval over images; ``gfpbench.collapse_lines`` says it in words.

        Raises:
            BadInput, AssetMissing: as ``collapse_point``.

        Examples:
            >>> import gfpbench
            >>> found = gfpbench.collapse("bicubic", "noise", limit=2, size_px=32, draws=1, resolution=4)
            >>> found.kind, found.unit, found.images
            ('at once', 'grey levels', 2)
        """
        import gfpbench.collapse as own
        from gfpbench.registry import listed
        from gfpbench.restorers import handed_over

        given = restorer if isinstance(restorer, str) else handed_over(restorer)
        question = own.Question(
            restorer=given if isinstance(given, str) else given.name,
            axis=axis,
            metric=metric,
            criteria=None if criteria is None else listed("criterion", criteria),
            faces=faces,
            size_px=size_px,
            limit=limit,
            draws=own.DEFAULT_DRAWS if draws is None and faces == "embedded" else draws,
            seed=seed,
            resolution=resolution,
        )
        with TemporaryDirectory(prefix="gfpbench-") as own_store:
            found: Collapse = own.collapse_point(
                question,
                store=Path(own_store if store is None else store),
                device=device,
                restorer=None if isinstance(given, str) else given,
                progress=progress,
            )
        return found


lazy_package(__name__, CollapsePackage)
