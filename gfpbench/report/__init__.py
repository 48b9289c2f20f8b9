"""Reports of Results: an HTML page, JUnit XML, Markdown, and the summary on the terminal."""

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.report.collapse import earlier_searches, write_collapse, write_searches
    from gfpbench.report.display import FaceStrip, face_strip, summary_html
    from gfpbench.report.folder import Written, earlier, refuse_to_replace_a_run, told_apart, write_run
    from gfpbench.report.gallery import write_gallery
    from gfpbench.report.gate import Gate, gate_markdown, read_gate, write_gate
    from gfpbench.report.junit import junit_properties, verdict_properties, write_junit
    from gfpbench.report.matrix import Matrix, matrix, matrix_markdown, matrix_table, write_matrix
    from gfpbench.report.model import Summary
    from gfpbench.report.page import write_report
    from gfpbench.report.speed import shown_speed, speed_lines, speed_markdown
    from gfpbench.report.summary import summary
    from gfpbench.report.text import markdown, terminal_lines
    from gfpbench.report.verdicts import comparison_lines, comparison_markdown, comparison_table

__all__ = [
    "FaceStrip",
    "Gate",
    "Matrix",
    "Summary",
    "Written",
    "comparison_lines",
    "comparison_markdown",
    "comparison_table",
    "earlier",
    "earlier_searches",
    "face_strip",
    "gate_markdown",
    "junit_properties",
    "verdict_properties",
    "markdown",
    "matrix",
    "matrix_markdown",
    "matrix_table",
    "read_gate",
    "refuse_to_replace_a_run",
    "shown_speed",
    "speed_lines",
    "speed_markdown",
    "summary",
    "summary_html",
    "terminal_lines",
    "told_apart",
    "write_collapse",
    "write_gallery",
    "write_gate",
    "write_junit",
    "write_matrix",
    "write_report",
    "write_run",
    "write_searches",
]

lazy_package(__name__)
