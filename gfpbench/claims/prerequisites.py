"""Prerequisites of a published row that this machine lacks: its face set, its weights, a GPU."""

from __future__ import annotations

from gfpbench.claims.judge import Outcome
from gfpbench.claims.published import Row, Table
from gfpbench.types import AssetMissing

SLOW_ABOVE_IMAGES = 200
"""More faces of 512 px than this take a network hours on a CPU: seven for the 3,000 of CelebA-Test."""


def waits_for(table: Table, row: Row, device: str) -> str:
    """Why a row cannot be measured here, in one line; empty where it can. Decodes no image."""
    from gfpbench import faces, restorers

    if row.restorer is None:
        return f"waits for a restorer that is {row.method}: none is built in (files restored elsewhere: outputs:DIR)"
    try:
        faces.load(table.faces)
    except AssetMissing as missing:
        return f"waits for the dataset {table.faces!r}: {missing}"
    if row.restorer in ("truth", "input"):
        return ""
    if device == "cpu" and table.images > SLOW_ABOVE_IMAGES:
        return f"waits for a GPU: {table.images} images of 512 px take a CPU hours"
    try:
        restorers.load(row.restorer)
    except AssetMissing as missing:
        return f"waits for weights: {missing}"
    return ""


def open_outcome(table: Table, row: Row, figure: str, reason: str) -> Outcome:
    """The outcome of a published number that could not be measured."""
    expected = row.figures[figure]
    return Outcome(
        f"{row.id}/{figure}",
        table.source,
        f"{row.method}: {figure} {expected:g} @ {table.protocol.name}",
        "open",
        reason,
        expected,
        restorer=row.restorer or "",
    )
