"""Results to something a person or a machine can read: an HTML page, JUnit XML, Markdown, the last lines of a run."""

from gfpbench.report.collapse import write_collapse
from gfpbench.report.junit import junit_properties, write_junit
from gfpbench.report.matrix import Matrix, matrix, matrix_markdown, matrix_table, write_matrix
from gfpbench.report.model import Summary
from gfpbench.report.page import write_report
from gfpbench.report.speed import shown_speed, speed_lines, speed_markdown
from gfpbench.report.summary import summary
from gfpbench.report.text import markdown, terminal_lines
from gfpbench.report.verdicts import comparison_lines, comparison_markdown, comparison_table

__all__ = [
    "Matrix",
    "Summary",
    "comparison_lines",
    "comparison_markdown",
    "comparison_table",
    "junit_properties",
    "markdown",
    "matrix",
    "matrix_markdown",
    "matrix_table",
    "shown_speed",
    "speed_lines",
    "speed_markdown",
    "summary",
    "terminal_lines",
    "write_collapse",
    "write_junit",
    "write_matrix",
    "write_report",
]
