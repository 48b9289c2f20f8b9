"""The reference of restorers, face sets, degradations, protocols and assets, out of their tables."""

from __future__ import annotations

import json
import re

from gfpbench import assets as assets_table
from gfpbench import degrade
from gfpbench.assets.datasets import FACES
from gfpbench.cli.catalogue import readable
from gfpbench.metrics.per_image import VS_INPUT
from gfpbench.metrics.protocols import PROTOCOLS
from gfpbench.restorers import RESTORERS, SCHEMES, describe
from tests.site.markdown import cell, code, facts, table, text


def _needs(name: str) -> str:
    return ", ".join(code(asset) for asset, row in assets_table.ASSETS.items() if name in row.needed_by)


def restorers() -> str:
    """Restorers by name, with what each has to be fetched."""
    what = describe()
    return table(["name", "what it is", "needs"], ([code(name), cell(what[name]), _needs(name)] for name in RESTORERS))


def restorer_forms() -> str:
    """The forms that take a path or a module."""
    what = describe()
    return table(["form", "what it is"], ([code(name), cell(what[name])] for name in SCHEMES))


def faces() -> str:
    """A section for each face set: size, licence, where to get it and its layout."""
    parts = []
    for name, row in FACES.items():
        parts += [
            f"## {name}",
            text(row.what),
            facts(
                (
                    ("images", f"{row.images:,}" if row.images else ""),
                    ("ground truth", "yes" if row.truth else "none: the images are low-quality inputs"),
                    ("licence", text(row.licence)),
                    ("get it from", text(row.where_to_get)),
                    ("layout", text(row.layout)),
                )
            ),
        ]
    return "\n\n".join(parts)


def degradations() -> str:
    """A section for each preset, with its ranges as they are stored with every result."""
    parts = []
    for name in degrade.DEGRADATIONS:
        parts += [f"## {name}", text(degrade.describe(name)) + "."]
        if name != "stored":  # its ranges are those of the folder that it reads
            ranges = _compact(json.dumps(dict(degrade.load(name).describe()), indent=2, ensure_ascii=False))
            parts.append(f"```json\n{ranges}\n```")
    return "\n\n".join(parts)


def _compact(text_of_json: str) -> str:
    """The same JSON with each list of numbers on one line."""
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda held: f"[{' '.join(held[1].split())}]", text_of_json)


def protocols() -> str:
    """A section for each protocol: source, the metric behind each figure, its steps, and what is not measured."""
    parts = []
    for name, protocol in PROTOCOLS.items():
        figures = (
            [cell(figure), f"[`{metric}`](metrics.md#{metric.removesuffix(VS_INPUT)})"]
            for figure, metric in protocol.figures.items()
        )
        parts += [f"## {name}", text(protocol.what), facts([("source", text(protocol.source))])]
        parts += [table(["figure", "metric"], figures)] if protocol.figures else []
        parts += ["\n".join(f"- {text(step)}" for step in protocol.steps)] if protocol.steps else []
        absent = [f"- {text(figure)}: {text(reason)}" for figure, reason in protocol.absent.items()]
        parts += ["Not measured:\n\n" + "\n".join(absent)] if absent else []
    return "\n\n".join(parts)


def assets() -> str:
    """Everything that `gfpbench fetch` brings: licence, size, and what needs it."""
    rows = []
    for row in assets_table.describe():
        needed = assets_table.ASSETS[row["name"]].needed_by
        size = readable("bytes", row["bytes_expected"])
        package = cell(f"{row['package']}") if row["package"] else ""
        rows.append([code(row["name"]), size, package, cell(row["licence"]), ", ".join(map(code, needed))])
    return table(["asset", "size", "also out of the package", "licence", "needed by"], rows)
