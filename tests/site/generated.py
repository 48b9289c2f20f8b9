"""Everything that a page of the site may name as ``<!-- generated: NAME -->``."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.site.api import api
from tests.site.axes import axes
from tests.site.commands import commands, pytest_fixtures, pytest_markers, pytest_options
from tests.site.gallery import gallery
from tests.site.metrics import metrics, set_metrics
from tests.site.registries import assets, degradations, faces, protocols, restorer_forms, restorers

MARK = re.compile(r"^<!-- generated: (.*?) -->$", re.MULTILINE)

GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands,
    "pytest options": pytest_options,
    "pytest fixtures": pytest_fixtures,
    "pytest markers": pytest_markers,
    "restorers": restorers,
    "restorer forms": restorer_forms,
    "faces": faces,
    "degradations": degradations,
    "axes": axes,
    "metrics": metrics,
    "set metrics": set_metrics,
    "protocols": protocols,
    "assets": assets,
    "api": api,
    "gallery": gallery,
}


def filled(markdown: str, page: str) -> str:
    """A page with what it names in place of the marks.

    Args:
        page: its file, for the error.

    Raises:
        ValueError: for a NAME that there is not.
    """

    def made(found: re.Match[str]) -> str:
        if found[1] not in GENERATED:
            raise ValueError(f"{page}: nothing is generated as {found[1]!r}; there are: {', '.join(GENERATED)}")
        return GENERATED[found[1]]()

    return MARK.sub(made, markdown)
