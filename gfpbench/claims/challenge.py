"""The standing of one restorer in a challenge: its score, its rows set by set, the images that lost their identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from gfpbench.metrics.protocol import Challenge, Protocol
from gfpbench.types import Result, Row

WITHOUT_POINTS = (
    "the faces were aligned by the mean points of FFHQ; the thresholds are for the challenge's list of five points; "
    "put its CSV (test_face.csv) into the folder of the faces"
)


@dataclass(frozen=True, slots=True)
class Failing:
    """An image whose identity figure lies below the threshold of its set."""

    image_id: str
    part: str
    identity: float
    threshold: float


@dataclass(frozen=True, slots=True)
class PartLine:
    """One set of the challenge.

    Args:
        images: how many the challenge has, here how many are in the Result.
        means: figure -> its mean over the images that have one; None where none has.
        counted: figure -> how many have one.
        failing: how many fail; None where the identity was not measured.
    """

    name: str
    images: int
    here: int
    threshold: float
    means: Mapping[str, float | None]
    counted: Mapping[str, int]
    failing: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a challenge says of one Result.

    Args:
        figures: of all sets together, weighted by their numbers of images; only those of all images.
        score: None where a figure of it was not measured on all images.
        missing: why there is no score, or no verdict on identities, one line each; empty where there are both.
        failing: the images that fail, worst first.
        checked: how many images have an identity figure.
        valid: None where that is not known: not all images are checked, and too few of those fail.
    """

    protocol: Protocol
    restorer: str
    parts: tuple[PartLine, ...]
    figures: Mapping[str, float]
    score: float | None
    missing: tuple[str, ...]
    failing: tuple[Failing, ...]
    checked: int
    valid: bool | None

    @property
    def challenge(self) -> Challenge:
        """The rules."""
        assert self.protocol.challenge is not None
        return self.protocol.challenge

    @property
    def columns(self) -> tuple[str, ...]:
        """Its figures, in the order of the score, and the identity."""
        return tuple(dict.fromkeys((*(term.figure for term in self.challenge.terms), self.challenge.identity)))

    @property
    def lines(self) -> tuple[str, ...]:
        """For a terminal: the score and whether the entry is valid, then what is missing."""
        rules = self.challenge
        score = "not measured" if self.score is None else f"{self.score:.4f}"
        valid = {True: "valid", False: "not valid", None: "validity not known"}[self.valid]
        of = f"{len(self.failing)} of {self.checked} images fail" if self.checked else "no image was checked"
        return (
            f"{self.protocol.name}: {rules.score} {score}, {valid}: {of}, {rules.most_failing} may fail "
            f"({rules.identity} {rules.beside})",
            *(f"  {line}" for line in self.missing),
        )


def standing(protocol: Protocol, result: Result) -> Standing:
    """Score, sets, failing images and validity of a Result under the protocol of a challenge.

    A mean of the images that happen to be there is never taken for the mean of all: with a missing file, a failed
    restoration or a blank figure there is no score, and it is said how many are missing.
    """
    challenge = protocol.challenge
    assert challenge is not None
    rows = {name: [row for row in result.rows if part_of(row, challenge) == name] for name in challenge.parts}
    values = {
        figure: {name: _values(rows[name], metric) for name in rows}
        for figure, metric in protocol.figures.items()
        if metric not in result.set_scores and metric in result.metrics
    }
    if "five_points" not in result.faces:  # aligned otherwise, these are not the identities that the thresholds are for
        values.pop(challenge.identity, None)
    identities = values.get(challenge.identity, {})
    failing = tuple(
        sorted(
            (
                Failing(row.id, name, identity, challenge.parts[name].threshold)
                for name in rows
                for row in rows[name]
                if identities
                and (identity := row.scores.get(protocol.figures[challenge.identity])) is not None
                and challenge.fails(name, identity)
            ),
            key=lambda one: one.identity - one.threshold,
        )
    )
    lines = tuple(
        PartLine(
            name,
            part.images,
            len(rows[name]),
            part.threshold,
            {figure: _mean(values[figure][name]) for figure in values},
            {figure: len(values[figure][name]) for figure in values},
            sum(one.part == name for one in failing) if identities.get(name) else None,
        )
        for name, part in challenge.parts.items()
    )
    figures, missing = _of_all(protocol, challenge, result, values, rows)
    strangers = len(result.rows) - sum(map(len, rows.values()))
    if strangers:
        missing.append(f"{strangers} images belong to none of the sets {', '.join(challenge.parts)}")
    checked = sum(map(len, identities.values()))
    known = checked == challenge.images and not strangers
    told = all(term.figure in figures for term in challenge.terms) and not strangers
    return Standing(
        protocol,
        result.case.restorer,
        lines,
        figures,
        challenge.total(figures) if told else None,
        tuple(missing),
        failing,
        checked,
        challenge.valid(len(failing)) if known or not challenge.valid(len(failing)) else None,
    )


def part_of(row: Row, challenge: Challenge) -> str | None:
    """The set of an image: its attribute ``dataset``, else the innermost folder of its name that is one; or None."""
    dataset = row.attributes.get("dataset")
    if dataset in challenge.parts:
        return str(dataset)
    return next((name for name in reversed(PurePosixPath(row.id).parts[:-1]) if name in challenge.parts), None)


def _of_all(
    protocol: Protocol,
    challenge: Challenge,
    result: Result,
    values: Mapping[str, Mapping[str, list[float]]],
    rows: Mapping[str, list[Row]],
) -> tuple[dict[str, float], list[str]]:
    """Each figure of all sets together, and one line for each that has none."""
    figures: dict[str, float] = {}
    missing: list[str] = []
    short = {
        name: f"{len(rows[name])} of {part.images} of {name}"
        for name, part in challenge.parts.items()
        if len(rows[name]) != part.images
    }
    if short:
        missing.append(f"images are missing: {', '.join(short.values())} are here")
    for figure in dict.fromkeys((*(term.figure for term in challenge.terms), challenge.identity)):
        metric = protocol.figures.get(figure)
        if metric is not None and metric in result.set_scores:
            n = int(result.set_scores[metric]["n"])
            if n == challenge.images:
                figures[figure] = float(result.set_scores[metric]["value"])
            elif not short:
                missing.append(f"{figure}: is of {n} of {challenge.images} images")
        elif figure in values and any(values[figure].values()):
            lost = {name: len(rows[name]) - len(found) for name, found in values[figure].items()}
            if any(lost.values()):
                told = ", ".join(f"{count} of {name}" for name, count in lost.items() if count)
                missing.append(f"{figure}: has no value for {sum(lost.values())} images ({told})")
            elif not short:
                means = {name: sum(found) / len(found) for name, found in values[figure].items()}
                weighted = sum(means[name] * part.images for name, part in challenge.parts.items())
                figures[figure] = weighted / challenge.images
        elif figure == challenge.identity and metric in result.metrics and "five_points" not in result.faces:
            missing.append(f"{figure}: {WITHOUT_POINTS}")
        else:
            missing.append(f"{figure}: {_why(protocol, figure, metric, result)}")
    return figures, missing


def _why(protocol: Protocol, figure: str, metric: str | None, result: Result) -> str:
    if metric is None:
        return protocol.absent.get(figure, "this protocol has no metric for it")
    return result.not_measured.get(metric, f"{metric} was not measured")


def _values(rows: list[Row], metric: str) -> list[float]:
    return [score for row in rows if row.failure is None and (score := row.scores.get(metric)) is not None]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
