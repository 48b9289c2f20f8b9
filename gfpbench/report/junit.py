"""JUnit XML: each metric a test case, each failed restoration a failure, each comparison a suite of verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from gfpbench.baselines import FAILING, Comparison
from gfpbench.baselines.speed_comparison import SpeedComparison
from gfpbench.disk import write_whole
from gfpbench.report.formatting import plural, printable
from gfpbench.report.gate import Gate
from gfpbench.report.speed import speed_lines
from gfpbench.report.summary import measured, problems_of
from gfpbench.report.verdicts import comparison_lines
from gfpbench.run.left_out import left_out
from gfpbench.statistics import best_of, interval_of, mean_of, people_of
from gfpbench.types import Problem, Result, Verdict

LISTED_AT_MOST = 100


def metric_properties(result: Result, metric: str, people: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """The figures of one metric: mean, its 95 % interval, n, or why there are none. Floats in full, or ``inf``.

    ``people`` are those of ``people_of``, where they are known already.
    """
    scored, people = measured(result, metric), people_of(result) if people is None else people
    values, best = [*scored.values()], best_of(result.metrics.get(metric, {}))
    mean, interval = mean_of(values, best), interval_of(values, best, [people[name] for name in scored])
    prefix = f"gfpbench.{metric}"
    figures = [(f"{prefix}.n", str(len(values)))]
    if best is not None and math.isinf(best):
        figures.append((f"{prefix}.identical", str(mean.identical)))
    if mean.value is not None:
        figures.append((f"{prefix}.mean", repr(mean.value)))
    if interval is not None:
        figures += [(f"{prefix}.low", repr(interval[0])), (f"{prefix}.high", repr(interval[1]))]
    if metric in result.not_measured:
        figures.append((f"{prefix}.not_measured", printable(result.not_measured[metric])))
    return [(printable(name), value) for name, value in figures]


def metrics_of(result: Result) -> list[str]:
    """Every metric a Result knows of, measured or not, by name."""
    scored = {name for row in result.rows for name in row.scores}
    return sorted({*result.metrics, *result.not_measured, *scored})


def junit_properties(result: Result) -> list[tuple[str, str]]:
    """Each figure of a Result as a (name, value) pair for a JUnit property; names stay the same between runs.

    ``gfpbench.case``, ``gfpbench.images``, ``gfpbench.people`` (whose images they are), ``gfpbench.failures``, and for
    each metric ``gfpbench.<metric>.mean``, ``.low`` and ``.high`` (bootstrap 95 % interval over people), ``.n``, or
    ``.not_measured`` with the reason; where equal images score infinitely, ``.identical``: how many of the n do, which
    the mean leaves out.
    """
    failures, people = sum(row.failure is not None for row in result.rows), people_of(result)
    properties = [("gfpbench.case", printable(result.case.id))]
    properties += [("gfpbench.images", str(len(result.rows))), ("gfpbench.failures", str(failures))]
    properties.append(("gfpbench.people", str(len(set(people.values())))))
    for metric in metrics_of(result):
        properties += metric_properties(result, metric, people)
    return properties


def write_junit(results: Sequence[Result], path: Path, *, gate: Gate | None = None) -> None:
    """Write JUnit XML, whole or not at all: a suite for each Result, in it its faces, its restorations and each metric.

    Where something was compared with baselines, a suite for each comparison follows, in it each verdict.

    A failed restoration or an unusable value is a failure; an unreadable face and a metric that was not measured are
    skipped, with the reason. The same results give the same bytes: no clock, no host.
    """
    root = ET.Element("testsuites", name="gfpbench")
    for result in results:
        root.append(_suite(result))
    for suite in gate_suites(gate or Gate()):
        root.append(suite)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    data = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    write_whole(path, data + b"\n")


def _suite(result: Result) -> ET.Element:
    suite = ET.Element("testsuite", name=printable(result.named))
    properties = ET.SubElement(suite, "properties")
    for name, value in junit_properties(result):
        ET.SubElement(properties, "property", name=name, value=value)
    problems = problems_of(result)
    unreadable = [problem for problem in problems if problem.stage == "faces"]
    unusable = [problem for problem in problems if problem.stage == "metric"]
    failed = [problem for problem in problems if problem.stage not in ("faces", "metric")]

    case = _case(suite, result, "faces")
    if unreadable:
        ET.SubElement(case, "skipped", message=f"{plural(len(unreadable), 'face')} could not be read")
    apart = [f"left out of {printable(one.line)}" for one in left_out([result])]
    if unreadable or apart:
        ET.SubElement(case, "system-out").text = "\n".join([*([_listed(unreadable)] if unreadable else []), *apart])
    case = _case(suite, result, "restoration")
    if failed:
        message = f"{plural(len(failed), 'restoration')} failed, {plural(len(result.rows), 'image')} in all"
        ET.SubElement(case, "failure", message=message, type="RestorationFailed").text = _listed(failed)
    elif not result.rows:
        ET.SubElement(case, "skipped", message="no face was restored")

    people = people_of(result)
    metrics = metrics_of(result)  # looks at every row: once, not for every problem
    for metric in metrics:
        case = _case(suite, result, metric)
        figures = ET.SubElement(case, "properties")
        for name, value in metric_properties(result, metric, people):
            ET.SubElement(figures, "property", name=name, value=value)
        wrong = [problem for problem in unusable if _is_about(problem, metric)]
        if wrong:
            message = f"{metric} failed for {plural(len(wrong), 'image')}"
            ET.SubElement(case, "failure", message=printable(message), type="MetricFailed").text = _listed(wrong)
        elif not measured(result, metric):
            why = result.not_measured.get(metric, "no image has a value")
            ET.SubElement(case, "skipped", message=printable(why))
    for problem in unusable:
        if not any(_is_about(problem, metric) for metric in metrics):
            case = _case(suite, result, problem.subject)
            ET.SubElement(case, "failure", message=printable(problem.reason), type="MetricFailed")

    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    return suite


def _is_about(problem: Problem, metric: str) -> bool:
    """The run names the metric as the subject, or the image, and then begins the reason with the metric."""
    return problem.subject == metric or problem.reason.startswith(f"{metric}: ")


def _case(suite: ET.Element, result: Result, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=printable(result.named), name=printable(name), time="0")


def _listed(problems: Sequence[Problem]) -> str:
    lines = [f"{printable(problem.subject)}: {printable(problem.reason)}" for problem in problems[:LISTED_AT_MOST]]
    more = len(problems) - LISTED_AT_MOST
    return "\n".join(lines + ([f"and {more:,} more"] if more > 0 else []))


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
        yield _gate_suite(f"{compared.case.id} against its baseline", compared, comparison_lines(compared))
    for timed in gate.speeds:
        yield _gate_suite(f"{timed.case.id} against its baseline of speed", timed, speed_lines(timed))


def _gate_suite(name: str, comparison: Comparison | SpeedComparison, lines: list[str]) -> ET.Element:
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
