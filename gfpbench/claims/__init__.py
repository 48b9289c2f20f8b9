"""Claims: published tables as data, checked against measured Results.

Adding a paper: one ``.toml`` file in this folder. See ``gfpgan-2021.toml`` for every field.
"""

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.claims.agreement import agreements
    from gfpbench.claims.challenge import Standing, standing
    from gfpbench.claims.inputs import Held, held_inputs, other_inputs
    from gfpbench.claims.judge import Outcome, Status, judge, judge_row, open_outcome
    from gfpbench.claims.published import Claim, Paper, Row, Table, claims, papers, read, row, tables
    from gfpbench.claims.stored import Judged, judge_claims, judge_numbers, judged, waits_for

__all__ = [
    "Claim",
    "Held",
    "Judged",
    "Outcome",
    "Paper",
    "Row",
    "Standing",
    "Status",
    "Table",
    "agreements",
    "claims",
    "held_inputs",
    "judge",
    "judge_claims",
    "judge_numbers",
    "judge_row",
    "judged",
    "open_outcome",
    "other_inputs",
    "papers",
    "read",
    "row",
    "standing",
    "tables",
    "waits_for",
]

lazy_package(__name__)
