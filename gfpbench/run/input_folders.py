"""The folders that a case reads, into which nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gfpbench import assets
from gfpbench.assets.datasets import FACES, placed
from gfpbench.options import split_folder
from gfpbench.types import BadInput, Case


def input_folders(case: Case) -> Iterator[tuple[str, Path]]:
    """What a case reads whole folders for (``faces``, ``restored images``, ``degraded images``), and those folders."""
    name, colon, path = case.faces.partition(":")
    if colon and name in placed():
        yield "faces", Path(path)
    elif name in placed():
        yield "faces", assets.home() / "faces" / name
    elif case.faces not in FACES:
        yield "faces", Path(case.faces)
    for what, text, prefix in (
        ("restored images", case.restorer, "outputs:"),
        ("degraded images", case.degradation, "stored:"),
    ):
        if text.startswith(prefix):
            argument = text.removeprefix(prefix)
            yield what, Path(split_folder(argument)[0] if prefix == "outputs:" else argument)


def refuse_inside_inputs(case: Case, folder: Path) -> None:
    """Refuse to write into a folder that a case reads. Links are followed.

    Raises:
        BadInput: where ``folder`` is one of them or lies below one.
    """
    place = folder.expanduser().absolute().resolve()
    for what, given in input_folders(case):
        try:
            source = given.expanduser().absolute().resolve()
        except (OSError, ValueError, RuntimeError):  # no folder's name; whoever reads it says so
            continue
        if source.is_dir() and (place == source or source in place.parents):
            raise BadInput(
                f"{folder}: lies in the folder of the {what} ({given}), where nothing is written: "
                "choose a folder outside of it"
            )
