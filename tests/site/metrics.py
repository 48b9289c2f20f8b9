"""The reference of metrics: what their objects say, their docstrings, and ``metrics.toml`` beside this file.

``metrics.toml`` holds for each metric what its object does not: the formula, the range, and when it misleads.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gfpbench.assets import ASSETS
from gfpbench.metrics import DEFAULT, METRICS, input_form
from gfpbench.metrics.protocols import PROTOCOLS
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.metrics.set_measures import load as load_sets
from tests.site.markdown import code, docstring, facts, text

NOTES = Path(__file__).with_name("metrics.toml")
FIELDS = ("formula", "range", "misleads")


class Undocumented(ValueError):
    """A metric that ``metrics.toml`` or its own module does not describe, or a note of one that there is not."""


def notes(path: Path = NOTES) -> dict[str, dict[str, str]]:
    """Metric -> formula, range and when it misleads.

    Raises:
        Undocumented: where a metric of the tables has no note, or an incomplete one, or a note has no metric.
    """
    found: dict[str, dict[str, str]] = {}
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["metric"]:
        for name in row["names"]:
            if name in found:
                raise Undocumented(f"{path.name}: {name} has two notes")
            found[name] = {field: row.get(field, "").strip() for field in FIELDS}
    lacking = [name for name in (*METRICS, *SET_METRICS) if not all(found.get(name, {}).values()) or name not in found]
    if lacking:
        raise Undocumented(f"{path.name}: {', '.join(lacking)}: needs {', '.join(FIELDS)}")
    if extra := [name for name in found if name not in METRICS and name not in SET_METRICS]:
        raise Undocumented(f"{path.name}: there is no metric {', '.join(extra)}")
    return found


def attribute_docstring(target: str) -> str:
    """The text below an assignment: "module:attribute" to what stands there, read from the source."""
    module, _, attribute = target.partition(":")
    body = ast.parse(inspect.getsource(importlib.import_module(module))).body
    for node, after in itertools.pairwise(body):
        names = [one.id for one in getattr(node, "targets", ()) if isinstance(one, ast.Name)]
        said = after.value if isinstance(after, ast.Expr) else None
        if attribute in names and isinstance(said, ast.Constant) and isinstance(said.value, str):
            return inspect.cleandoc(said.value)
    raise Undocumented(f"{module.replace('.', '/')}.py: {attribute} needs a text below it that states its convention")


def metrics() -> str:
    """A section for each metric of single images."""
    return "\n\n".join(
        _section(name, target, importlib_object(target), notes()[name]) for name, target in METRICS.items()
    )


def set_metrics() -> str:
    """A section for each metric of a whole set."""
    parts = []
    for measure in load_sets(tuple(SET_METRICS)):
        extra = [
            ("reference", text(measure.reference.what)),
            ("least images", f"{measure.metric.minimum_images}"),
        ]
        target = SET_METRICS[measure.name][0]
        parts.append(_section(measure.name, target, measure.metric, notes()[measure.name], extra))
    return "\n\n".join(parts)


def importlib_object(target: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _section(
    name: str, target: str, metric: Any, note: Mapping[str, str], extra: list[tuple[str, str]] | None = None
) -> str:
    known = [
        ("range", text(note["range"])),
        ("unit", text(metric.unit) or "none"),
        ("better", metric.better),
        ("value of equal images", _number(metric.best)),
        ("source", text(metric.source)),
        *(extra or []),
        ("needs a ground truth", "" if not hasattr(metric, "needs_truth") else "yes" if metric.needs_truth else "no"),
        ("least side", f"{metric.minimum_side_px} px"),
        ("differences below this count as equal", f"{metric.tolerance:g}: {text(metric.tolerance_reason)}"),
        ("measured by default", "yes" if name in DEFAULT else ""),
        ("needs", ", ".join(code(asset) for asset, row in ASSETS.items() if name in row.needed_by)),
        ("against the input, where there is no truth", code(input_form(name) or "")),
        ("protocols", ", ".join(f"[{one}](protocols.md#{one})" for one in _protocols(name))),
    ]
    return "\n\n".join(
        (
            f"### {name}",
            f"```text\n{note['formula']}\n```",
            facts(known),
            f"**When it misleads.** {text(note['misleads'])}",
            "**Convention.** " + docstring(attribute_docstring(target)),
        )
    )


def _protocols(name: str) -> list[str]:
    return [protocol.name for protocol in PROTOCOLS.values() if name in protocol.figures.values()]


def _number(value: float | None) -> str:
    if value is None:
        return "none"
    return "infinity" if math.isinf(value) else f"{value:g}"
