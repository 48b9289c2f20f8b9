"""An explanation as text, Markdown and JSON: what was described, what was published, what comes near."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gfpbench.disk import write_whole
from gfpbench.explain import Explanation, Figure, Finding
from gfpbench.report.formatting import markdown_text, plural, printable
from gfpbench.types import Json

LIMITS = (
    "The faces are not those of the published row: easier or harder ones move every figure.",
    "Several causes can give the same figures: what comes near is possible, not proven.",
    "Of pairs, only those that are nearest on the first 12 faces are measured on all.",
)


def explanation_lines(told: Explanation) -> list[str]:
    """What was found, nearest first, as lines for a terminal."""
    size = "several sizes" if told.size_px is None else f"{told.size_px[1]}x{told.size_px[0]} px"
    lines = [
        f"{plural(told.count, 'face')} of {printable(told.faces, 80)}, {size}; published: "
        + ", ".join(f"{printable(figure, 40)} {value:g}" for figure, value in told.published.items()),
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


def _figure(name: str, found: Figure) -> str:
    return f"{printable(name, 40)} {found.mean:.4g} [{found.low:.4g}, {found.high:.4g}]"


def _title(one: Finding) -> str:
    return " + ".join(one.names) or "as described"


def explanation_markdown(told: Explanation, title: str) -> str:
    """The same as a Markdown table with the images' names and the limits."""
    figures = list(told.published)
    size = "several sizes" if told.size_px is None else f"{told.size_px[1]} x {told.size_px[0]} px"
    parts = [
        f"# {markdown_text(title)}\n",
        f"{plural(told.count, 'face')} of {markdown_text(told.faces, 80)}, {size}. Distance: 1 is the row as "
        "described, 0 the published row, with its 95 % interval over faces. In brackets: where the published mean "
        "would lie.\n",
        f"| | reaches it | distance | {' | '.join(markdown_text(name, 40) for name in figures)} |",
        f"|:--|:--|--:|{'--:|' * len(figures)}",
        f"| published | | 0 | {' | '.join(f'{told.published[name]:.4g}' for name in figures)} |",
    ]
    for one in (told.described, *told.findings, *told.combined):
        cells = [f"{f.mean:.4g} [{f.low:.4g}, {f.high:.4g}]" for f in (one.figures[name] for name in figures)]
        parts.append(
            f"| {markdown_text(_title(one))} | {'yes' if one.reaches else ''} | "
            f"{one.distance:.2f} [{one.distance_low:.2f}, {one.distance_high:.2f}] | {' | '.join(cells)} |"
        )
    parts.append("")
    parts += [
        f"- not tested: {markdown_text(name, 60)}: {markdown_text(why, 200)}" for name, why in told.untested.items()
    ]
    parts += [f"- {limit}" for limit in LIMITS]
    for one in (told.described, *told.findings, *told.combined):
        if one.image is not None:
            title, words = markdown_text(_title(one)), markdown_text(one.words or _title(one))
            parts.append(f"\n{title}: {words}\n\n![degraded and truth as compared](images/{one.image.name})")
    return "\n".join(parts) + "\n"


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


def write_explanation(told: Explanation, directory: Path, title: str) -> Path:
    """Write ``explain.md`` and ``explain.json`` into a folder, each whole or not at all; the path of the first."""
    texts = {
        "explain.json": json.dumps(explanation_json(told), indent=2, allow_nan=False) + "\n",
        "explain.md": explanation_markdown(told, title),
    }
    for name, text in texts.items():
        write_whole(directory / name, text)
    return directory / "explain.md"
