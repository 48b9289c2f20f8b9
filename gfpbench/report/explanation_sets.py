"""An explanation over several sets of faces as text, Markdown and JSON: what holds on all, what depends on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gfpbench.disk import write_whole
from gfpbench.explain import Across, OverSets
from gfpbench.explain.across import conclusions
from gfpbench.explain.pipeline import names
from gfpbench.report.explanation import (
    explanation_json,
    explanation_lines,
    explanation_markdown,
    figures_table,
    image_links,
    measured_on,
    not_tested,
    published_figures,
)
from gfpbench.report.formatting import markdown_text, plural, printable
from gfpbench.types import Json

LIMITS = (
    "The faces are not those of the published row. Where the sets agree, others may still differ; where they differ, "
    "the intervals over images say nothing of it.",
    "Distances are scaled by each set's own gap between the described and the published row.",
    "Several causes can give the same figures: what comes near is possible, not proven.",
    "Of pairs, only those whose worst set is nearest on the first 12 faces are measured on all.",
)


def found_lines(found: OverSets) -> list[str]:
    """What was found as lines for a terminal; of one set alone, its explanation."""
    first = found.explanations[0]
    if len(found.explanations) == 1:
        return explanation_lines(first)
    lines = [
        *(f"set {number}: {measured_on(one)}" for number, one in enumerate(found.explanations, 1)),
        f"published: {published_figures(first)}",
        "distance: 1 is the row as described, 0 the published row; * reaches it; the worst set, then each set in turn; "
        "means: lowest to highest set",
        *_lines((found.described, *found.findings)),
    ]
    if found.combined:
        lines += ["two together:", *_lines(found.combined)]
    lines += [f"- {printable(one, 400)}" for one in conclusions(found)]
    for number, one in enumerate(found.explanations, 1):
        lines += [
            f"not tested on set {number}: {printable(what, 60)}: {printable(why, 160)}"
            for what, why in one.untested.items()
        ]
    return lines


def _lines(rows: Sequence[Across]) -> list[str]:
    width = max(len(_title(one)) for one in rows)
    return [
        f"  {_title(one).ljust(width)} {'*' if one.reaches else ' '} {_interval(one.distance, *one.interval)}  "
        + "  ".join(f"{f.distance:.2f}{'*' if f.reaches else ''}" for f in one.findings)
        + "  "
        + "  ".join(f"{printable(name, 40)} {_spread(one, name)}" for name in one.findings[0].figures)
        + (f"  {depends}" if (depends := _depends(one)) else "")
        for one in rows
    ]


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _spread(one: Across, figure: str) -> str:
    low, high = one.spread(figure)
    return f"{low:.4g} to {high:.4g}"


def _depends(one: Across) -> str:
    """What of a hypothesis differs between the sets, or nothing."""
    what = ["whether it reaches the row"] if one.reach_depends else []
    what += [f"its order against {plural(len(one.reordered), 'other')}"] if one.reordered else []
    return f"depends on the faces: {', '.join(what)}" if what else ""


def _title(one: Across) -> str:
    return names(one.names) or "as described"


def found_markdown(found: OverSets, title: str) -> str:
    """The sets side by side, what can be concluded, then each set by itself."""
    if len(found.explanations) == 1:
        return explanation_markdown(found.explanations[0], title)
    first = found.explanations[0]
    figures, labels = list(first.published), [markdown_text(one.faces, 60) for one in found.explanations]
    parts = [
        f"# {markdown_text(title)}\n",
        f"Published: {markdown_text(published_figures(first))}. Measured on "
        + "; ".join(markdown_text(measured_on(one)) for one in found.explanations)
        + ". Distance: 1 is the row as described on that set, 0 the published row, with its 95 % interval over faces; "
        "what reaches the row says so. Ranked by the worst set. Of each figure: lowest and highest mean of the sets.\n",
        f"| | worst distance | {' | '.join(labels)} | "
        f"{' | '.join(f'{markdown_text(name, 40)} over sets' for name in figures)} | |",
        f"|:--|--:|{'--:|' * (len(labels) + len(figures))}:--|",
    ]
    for row in (found.described, *found.findings, *found.combined):
        cells = [
            f"{_interval(one.distance, one.distance_low, one.distance_high)}{' (reaches)' if one.reaches else ''}"
            for one in row.findings
        ]
        cells += [_spread(row, name) for name in figures]
        parts.append(
            f"| {markdown_text(_title(row))} | {_interval(row.distance, *row.interval)} | {' | '.join(cells)} | "
            f"{_depends(row)} |"
        )
    parts += ["", *(f"- {markdown_text(one, 400)}" for one in conclusions(found)), *(f"- {limit}" for limit in LIMITS)]
    for number, one in enumerate(found.explanations, 1):
        parts += [f"\n## {markdown_text(measured_on(one))}\n", *figures_table(one), ""]
        parts += [*not_tested(one), *image_links(one, f"images/set-{number}")]
    return "\n".join(parts) + "\n"


def found_json(found: OverSets) -> dict[str, Json]:
    """The same as plain JSON values; of one set alone, its explanation."""
    if len(found.explanations) == 1:
        return explanation_json(found.explanations[0])

    def across(row: Across) -> dict[str, Json]:
        return {
            "hypotheses": list(row.names),
            "distance": [row.distance, *row.interval],
            "distances": [[one.distance, one.distance_low, one.distance_high] for one in row.findings],
            "reaches": row.reaches,
            "reaches_on": [one.reaches for one in row.findings],
            "spread": {name: list(row.spread(name)) for name in row.findings[0].figures},
            "reordered": [list(other) for other in row.reordered],
            "depends_on_the_faces": row.reach_depends or bool(row.reordered),
        }

    return {
        "published": dict(found.explanations[0].published),
        "described": across(found.described),
        "findings": [across(row) for row in found.findings],
        "combined": [across(row) for row in found.combined],
        "conclusions": list(conclusions(found)),
        "sets": [{**explanation_json(one), "limits": []} for one in found.explanations],
        "limits": list(LIMITS),
    }


def write_explanation(found: OverSets, directory: Path, title: str) -> Path:
    """Write ``explain.md`` and ``explain.json`` into a folder, each whole or not at all; the path of the first."""
    texts = {
        "explain.json": json.dumps(found_json(found), indent=2, allow_nan=False) + "\n",
        "explain.md": found_markdown(found, title),
    }
    for name, text in texts.items():
        write_whole(directory / name, text)
    return directory / "explain.md"
