"""Claims: published tables as data, checked against measured Results.

Adding a paper: one ``.toml`` file in this folder. See ``gfpgan-2021.toml`` for every field.
"""

from gfpbench.claims.judge import Outcome, Status, judge, judge_all, judge_row
from gfpbench.claims.prerequisites import open_outcome, waits_for
from gfpbench.claims.published import Claim, Paper, Row, Table, claims, papers, read, row, tables
from gfpbench.claims.stored import judge_claims, judge_numbers

__all__ = [
    "Claim",
    "Outcome",
    "Paper",
    "Row",
    "Status",
    "Table",
    "claims",
    "judge",
    "judge_all",
    "judge_claims",
    "judge_numbers",
    "judge_row",
    "open_outcome",
    "papers",
    "read",
    "row",
    "tables",
    "waits_for",
]
