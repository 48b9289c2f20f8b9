"""Paths and addresses that a person gives: where results are read, and where reports are left."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gfpbench.cli.app import say

if TYPE_CHECKING:
    from gfpbench.types import Result


def report_place(text: str | Path) -> Path:
    """What an option for a report gives: a folder, or an address, of which ``leaves_report`` makes a folder."""
    if not _is_address(text):
        return Path(text)
    from gfpbench.assets.remote_report import RemoteReport

    return RemoteReport(str(text))  # type: ignore[return-value]  # no verb sees it


def fetched(text: str | Path) -> Path:
    """What a person gives as results: a path, or an address, which is fetched to one."""
    if not _is_address(text):
        return Path(text)
    from gfpbench.assets.remote_report import fetched_report

    return fetched_report(str(text))


def fetched_with_images(text: str | Path) -> Path:
    """The same with the images that its run kept."""
    if not _is_address(text):
        return Path(text)
    from gfpbench.assets.remote_report import fetched_report

    return fetched_report(str(text), images=True)


def fetched_whole(text: str | Path) -> Path:
    """The same of a part of a run, with everything that it consists of."""
    if not _is_address(text):
        return Path(text)
    from gfpbench.assets.remote_report import fetched_report

    return fetched_report(str(text), everything=True)


def _is_address(text: str | Path) -> bool:
    return isinstance(text, str) and ("://" in text or "::" in text)


def leaves_report(option: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A verb whose report, given as an address, is written in a folder of this disk and then put there.

    It is put there where the verb ends as it should, with exit code 1 too. Whatever else ends it leaves the folder and
    the mark of an unfinished report, at the address too.

    Args:
        option: of the verb, whose parser is ``report_place``.
    """

    def wrapped(verb: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def run(*arguments: object, **options: object) -> None:
            place = options.get(option)
            if place is None or isinstance(place, str | Path):
                return verb(*arguments, **options)
            from gfpbench.assets.remote_report import RemoteReport
            from gfpbench.completion import is_unfinished

            assert isinstance(place, RemoteReport)
            place.begin()
            code = 0
            try:
                verb(*arguments, **{**options, option: place.folder})
            except typer.Exit as ended:
                code = ended.exit_code
            except BaseException:
                if not is_unfinished(place.folder):
                    place.withdraw()
                raise
            if not place.folder.is_dir():  # it had none to write
                place.withdraw()
                raise typer.Exit(code)
            place.put()
            line = f"{place.url}: the report is there"
            print(line, file=sys.stderr) if options.get("as_json") else say(line)
            if code:
                raise typer.Exit(code)
            return None

        return run

    return wrapped


def refuse_inputs_of(results: Iterable[Result], folder: Path) -> None:
    """Raises BadInput where a report would lie among the faces, or the outputs, that these Results were measured on."""
    from gfpbench import run

    for one in results:
        run.refuse_inside_inputs(one.case, folder)
