"""Results to something a person or a machine can read: an HTML page, JUnit XML, Markdown, the last lines of a run."""

from gfpbench.report.junit import junit_properties, write_junit
from gfpbench.report.model import Summary
from gfpbench.report.page import write_report
from gfpbench.report.summary import summary
from gfpbench.report.text import markdown, terminal_lines
from gfpbench.report.verdicts import comparison_lines, comparison_markdown, comparison_table

__all__ = [
    "Summary",
    "comparison_lines",
    "comparison_markdown",
    "comparison_table",
    "junit_properties",
    "markdown",
    "summary",
    "terminal_lines",
    "write_junit",
    "write_report",
]
