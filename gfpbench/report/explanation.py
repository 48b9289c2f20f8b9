"""An explanation on one set of faces as text, Markdown and JSON: what was described, what was published, what comes
near."""

from __future__ import annotations

from collections.abc import Sequence

from gfpbench.explain import Explanation, Finding
from gfpbench.report.formatting import markdown_text, plural, printable
from gfpbench.types import Json

LIMITS = (
    "The faces are not those of the published row: easier or harder ones move every figure.",
    "One set of faces says as much of its faces as of the row: what holds on other faces, --faces A --faces B tells.",
    "Several causes can give the same figures: what comes near is possible, not proven.",
    "Of pairs, only those that are nearest on the first 12 faces are measured on all.",
)


def measured_on(told: Explanation) -> str:
    """How many faces, of which set, of which size."""
    size = "several sizes" if told.size_px is None else f"{told.size_px[1]}x{told.size_px[0]} px"
    return f"{plural(told.count, 'face')} of {printable(told.faces, 80)}, {size}"


def published_figures(told: Explanation) -> str:
    """The row that is explained."""
    return ", ".join(f"{printable(figure, 40)} {value:g}" for figure, value in told.published.items())


def explanation_lines(told: Explanation) -> list[str]:
    """What was found, nearest first, as lines for a terminal."""
    lines = [
        f"{measured_on(told)}; published: {published_figures(told)}",
        "distance: 1 is the row as described, 0 the published row; * reaches it",
    ]
    lines += _lines([told.described, *told.findings])
    if told.combined:
        lines += ["two together:", *_lines(told.combined)]
    lines += [f"not tested: {printable(name, 60)}: {printable(why, 160)}" for name, why in told.untested.items()]
    return lines


def _lines(findings: Sequence[Finding]) -> list[str]:
    width = max(len(_title(one)) for one in findings)
    return [
        f"  {_title(one).ljust(width)} {'*' if one.reaches else ' '} "
        f"{one.distance:.2f} [{one.distance_low:.2f}, {one.distance_high:.2f}]  "
        + "  ".join(
            f"{printable(name, 40)} {f.mean:.4g} [{f.low:.4g}, {f.high:.4g}]" for name, f in one.figures.items()
        )
        for one in findings
    ]


def _title(one: Finding) -> str:
    return " + ".join(one.names) or "as described"


def explanation_markdown(told: Explanation, title: str) -> str:
    """The same as a Markdown table with the images' names and the limits."""
    size = "several sizes" if told.size_px is None else f"{told.size_px[1]} x {told.size_px[0]} px"
    parts = [
        f"# {markdown_text(title)}\n",
        f"{plural(told.count, 'face')} of {markdown_text(told.faces, 80)}, {size}. Distance: 1 is the row as "
        "described, 0 the published row, with its 95 % interval over faces. In brackets: where the published mean "
        "would lie.\n",
        *figures_table(told),
        "",
        *not_tested(told),
        *(f"- {limit}" for limit in LIMITS),
        *image_links(told, "images"),
    ]
    return "\n".join(parts) + "\n"


def figures_table(told: Explanation) -> list[str]:
    """One row for each finding: its distance and its figures, with intervals."""
    figures = list(told.published)
    rows = [
        f"| | reaches it | distance | {' | '.join(markdown_text(name, 40) for name in figures)} |",
        f"|:--|:--|--:|{'--:|' * len(figures)}",
        f"| published | | 0 | {' | '.join(f'{told.published[name]:.4g}' for name in figures)} |",
    ]
    for one in (told.described, *told.findings, *told.combined):
        cells = [f"{f.mean:.4g} [{f.low:.4g}, {f.high:.4g}]" for f in (one.figures[name] for name in figures)]
        rows.append(
            f"| {markdown_text(_title(one))} | {'yes' if one.reaches else ''} | "
            f"{one.distance:.2f} [{one.distance_low:.2f}, {one.distance_high:.2f}] | {' | '.join(cells)} |"
        )
    return rows


def not_tested(told: Explanation) -> list[str]:
    """What could not be measured, with the reason."""
    return [
        f"- not tested: {markdown_text(name, 60)}: {markdown_text(why, 200)}" for name, why in told.untested.items()
    ]


def image_links(told: Explanation, folder: str) -> list[str]:
    """The images of the findings, which lie in ``folder``, each under what it shows."""
    parts = []
    for one in (told.described, *told.findings, *told.combined):
        if one.image is not None:
            title, words = markdown_text(_title(one)), markdown_text(one.words or _title(one))
            parts.append(f"\n{title}: {words}\n\n![degraded and truth as compared]({folder}/{one.image.name})")
    return parts


def explanation_json(told: Explanation) -> dict[str, Json]:
    """The same as plain JSON values."""

    def one(found: Finding) -> dict[str, Json]:
        return {
            "hypotheses": list(found.names),
            "words": found.words,
            "distance": [found.distance, found.distance_low, found.distance_high],
            "reaches": found.reaches,
            "figures": {name: [figure.mean, figure.low, figure.high] for name, figure in found.figures.items()},
            "image": None if found.image is None else found.image.name,
        }

    return {
        "published": dict(told.published),
        "described": one(told.described),
        "findings": [one(found) for found in told.findings],
        "combined": [one(found) for found in told.combined],
        "untested": dict(told.untested),
        "faces": told.faces,
        "count": told.count,
        "size_px": None if told.size_px is None else list(told.size_px),
        "limits": list(LIMITS),
    }
