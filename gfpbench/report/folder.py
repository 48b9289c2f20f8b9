"""A report folder used by several runs: new cases are added, equal ones replaced, and losses are stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gfpbench import claims
from gfpbench import results as stored
from gfpbench.disk import disk, held
from gfpbench.report.formatting import plural, printable, refuse_foreign
from gfpbench.report.gate import Gate, read_gate
from gfpbench.report.junit import write_junit
from gfpbench.report.page import write_report
from gfpbench.report.summary import summary
from gfpbench.types import BadInput, Result

LISTED_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class Written:
    """What a run left in its report folder.

    Args:
        page: the path of index.html.
        replaced: cases that an earlier run had measured, measured again.
        kept: cases of earlier runs that this one did not measure; they stay in the page and in results.json.
        large: why the rows of a large report are in results.json; empty where they are not, or it is small.
    """

    page: Path
    replaced: tuple[Result, ...]
    kept: tuple[Result, ...]
    large: str = ""

    def lines(self) -> list[str]:
        """What a person is told of earlier runs; nothing where the folder was empty."""
        folder = printable(self.page.parent)
        lines = []
        if self.replaced:
            lines.append(f"{folder}: replaced {plural(len(self.replaced), 'case')} measured before")
        if self.kept:
            names = ", ".join(printable(one.case.id, 60) for one in self.kept[:LISTED_AT_MOST])
            more = f" and {len(self.kept) - LISTED_AT_MOST:,} more" if len(self.kept) > LISTED_AT_MOST else ""
            lines.append(
                f"{folder}: also holds {plural(len(self.kept), 'case')} measured before: {names}{more}; "
                "another --report keeps runs apart"
            )
        if self.large:
            lines.append(f"{folder}: all rows are in results.json, which is large: {self.large}")
        return lines


def earlier(folder: Path) -> tuple[Result, ...]:
    """The Results that earlier runs left in a report folder; none where there is no report.

    Raises:
        BadInput: where its results.json cannot be read or index.html is not gfpbench's: a run could only destroy it.
    """
    refuse_foreign(folder / "index.html")
    path = folder / "results.json"
    if not path.exists():
        return ()
    try:
        return stored.read(path)
    except BadInput as error:
        raise BadInput(f"{error}; remove it, or give another --report folder") from error


def write_run(
    results: Sequence[Result], folder: Path, *, store: Path | None, gate: Gate | None = None, junit: bool = True
) -> Written:
    """Write what a run measured into its report folder: the page, junit.xml, results.json, verdicts.json.

    Cases that earlier runs left there stay beside these, with their verdicts; those measured again are replaced. Two
    runs that end at the same time wait for each other, so that neither loses the other's. ``junit=False`` leaves
    junit.xml to somebody else: pytest writes one of its own tests.

    Raises:
        BadInput: where the folder's results.json cannot be read or contradicts these Results (nothing is written).
        GfpbenchError: where the disk refuses.
    """
    measured = {one.case for one in results}
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / ".lock"):
            before = earlier(folder)
            kept = tuple(one for one in before if one.case not in measured)
            whole = (*results, *kept)
            summary(whole)
            old, new = read_gate([folder]).of(kept), gate or Gate()
            judged = replace(new, comparisons=new.comparisons + old.comparisons, speeds=new.speeds or old.speeds)
            outcomes = claims.judged(whole, elsewhere=False)
            page = write_report(whole, folder, store=store, gate=judged, claims=outcomes)
            if junit:
                write_junit(whole, folder / "junit.xml", gate=judged)
    large = stored.why_together(page) if stored.is_large(whole) else ""
    return Written(page, tuple(one for one in before if one.case in measured), kept, large)


def refuse_to_replace_a_run(results: Sequence[Result], folder: Path) -> None:
    """Before a page of other results is written: a run's own results.json must not be lost to it.

    Raises:
        BadInput: where a run measured into this folder what these Results do not hold.
    """
    lost = [one for one in earlier(folder) if (folder / "cases" / one.case.id).is_dir() and one not in results]
    if lost:
        raise BadInput(
            f"{folder}: holds {plural(len(lost), 'case')} that a run measured ({lost[0].case.id} first), which this "
            "page would replace: give another folder"
        )


def told_apart(read: Sequence[tuple[Path, Sequence[Result]]]) -> tuple[list[Result], dict[str, Path]]:
    """Results of several files, those of one case labelled by the file they come from.

    Args:
        read: each file with its Results.

    Returns:
        The Results in order, and the file of each label.
    """
    counts = Counter(one.case.id for _, found in read for one in found)
    files = list(dict.fromkeys(file for file, _ in read))
    names = dict(zip(files, _names(files), strict=True))
    labelled = [
        replace(one, label=names[file]) if counts[one.case.id] > 1 and not one.label else one
        for file, found in read
        for one in found
    ]
    return labelled, {name: file for file, name in names.items()}


def _names(files: Sequence[Path]) -> list[str]:
    """The shortest parts of the paths that tell the files apart: ``old``, ``new`` for old/ and new/results.json."""
    resolved = [path.resolve() for path in files]
    parts = [list((path.parent if path.name == "results.json" else path).parts) for path in resolved]
    for end in (0, -1):
        while all(len(part) > 1 for part in parts) and len({part[end] for part in parts}) == 1:
            parts = [part[:-1] if end else part[1:] for part in parts]
    return ["/".join(part) for part in parts]
