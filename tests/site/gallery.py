"""The cases of the gallery, and its page, measured while the site is built."""

from __future__ import annotations

from gfpbench.gallery import CASES
from tests.site.markdown import cell, table


def gallery() -> str:
    """A link to the page, and a row for each case: what is wrong, and the two metrics that it is about."""
    rows = (
        [f"[{cell(case.title)}](gallery.html#{case.name})", _whole(case.sees), _whole(case.blind), cell(case.text)]
        for case in CASES
    )
    return "[**Open the gallery**](gallery.html)\n\n" + table(["case", "sees it", "does not", "why"], rows)


def _whole(metric: str) -> str:
    """A name as code that is not broken to fit its column."""
    return f'<code style="white-space: nowrap">{metric}</code>'


def gallery_page() -> str:
    """The page that ``gfpbench gallery`` writes."""
    from gfpbench.gallery import measure
    from gfpbench.report.gallery import render

    return render(measure())
