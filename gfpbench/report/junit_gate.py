"""Verdicts as JUnit XML: a suite for each comparison, in it a test case for each verdict, failed where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from gfpbench.baselines import FAILING, Comparison
from gfpbench.baselines.speed_comparison import SpeedComparison
from gfpbench.report.formatting import printable
from gfpbench.report.gate import Gate
from gfpbench.report.speed import speed_lines
from gfpbench.report.verdicts import comparison_lines
from gfpbench.types import Verdict


def verdict_properties(comparison: Comparison | SpeedComparison) -> list[tuple[str, str]]:
    """Each figure of a comparison as a (name, value) pair for a JUnit property; names stay the same between runs.

    ``gfpbench.verdict``, ``gfpbench.likely``, ``gfpbench.<metric>.verdict``, and of quality ``.difference``,
    ``.difference_low``, ``.difference_high`` (95 % interval) and ``.p``; of speed ``gfpbench.time.references`` and its
    interval, ``gfpbench.time.seconds``, ``gfpbench.memory.mib``. Where images equal their truth (and an infinite score
    is in no mean), ``gfpbench.<metric>.identical_before`` and ``.identical_now`` count them, and ``.averaged`` the
    images that the difference is of.
    """
    found: list[tuple[str, str]] = [("gfpbench.verdict", comparison.kind)]
    found += [("gfpbench.likely", comparison.likely)] if comparison.likely else []
    found += [(f"gfpbench.{verdict.metric}.verdict", verdict.kind) for verdict in comparison.verdicts]
    if isinstance(comparison, SpeedComparison):
        now = comparison.speed
        found += [
            ("gfpbench.time.references", repr(now.ratio)),
            ("gfpbench.time.low", repr(now.low)),
            ("gfpbench.time.high", repr(now.high)),
            ("gfpbench.time.seconds", repr(now.seconds)),
        ]
        found += [("gfpbench.memory.mib", repr(now.peak_mib))] if now.peak_mib is not None else []
    else:
        for metric in comparison.metrics:
            found += [
                (f"gfpbench.{metric.metric}.difference", repr(metric.difference)),
                (f"gfpbench.{metric.metric}.difference_low", repr(metric.low)),
                (f"gfpbench.{metric.metric}.difference_high", repr(metric.high)),
                (f"gfpbench.{metric.metric}.p", repr(metric.p_value)),
            ]
            if any(metric.notes):
                found += [
                    (f"gfpbench.{metric.metric}.identical_before", str(metric.identical_before)),
                    (f"gfpbench.{metric.metric}.identical_now", str(metric.identical_now)),
                    (f"gfpbench.{metric.metric}.averaged", str(metric.averaged)),
                ]
    return [(printable(name), printable(value)) for name, value in found]


def gate_suites(gate: Gate) -> Iterator[ET.Element]:
    """A suite for each comparison of quality and of speed."""
    for compared in gate.comparisons:
        yield _suite(f"{compared.case.id} against its baseline", compared, comparison_lines(compared))
    for timed in gate.speeds:
        yield _suite(f"{timed.case.id} against its baseline of speed", timed, speed_lines(timed))


def _suite(name: str, comparison: Comparison | SpeedComparison, lines: list[str]) -> ET.Element:
    suite = ET.Element("testsuite", name=printable(name))
    properties = ET.SubElement(suite, "properties")
    for key, value in verdict_properties(comparison):
        ET.SubElement(properties, "property", name=key, value=value)
    by_metric: dict[str, list[Verdict]] = {}
    for verdict in comparison.verdicts:
        by_metric.setdefault(verdict.metric, []).append(verdict)
    for metric, verdicts in by_metric.items():
        case = ET.SubElement(suite, "testcase", classname=printable(name), name=printable(metric), time="0")
        failing = [verdict for verdict in verdicts if verdict.kind in FAILING]
        if failing:
            message = "; ".join(f"{verdict.kind}: {verdict.reason}" for verdict in failing)
            ET.SubElement(case, "failure", message=printable(message), type="Verdict").text = "\n".join(lines)
    suite.set("tests", str(len(by_metric)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in suite.iter("testcase"))))
    suite.set("errors", "0")
    suite.set("skipped", "0")
    return suite
