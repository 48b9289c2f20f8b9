"""Joins the parts that the shards of one run left, into the bytes of a run that was not divided."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from gfpbench import completion, images
from gfpbench.disk import disk, sweep
from gfpbench.metrics import set_measures
from gfpbench.restorers.checked import Seen
from gfpbench.run.assembly import finish
from gfpbench.run.case import KEPT_WORST, SHARE
from gfpbench.run.course import Found, Task
from gfpbench.run.environment import code_sha256
from gfpbench.run.input_folders import refuse_inside_inputs
from gfpbench.run.journal import CannotGoOn, Committed, Journal, changed_fields, committed_batches, locked
from gfpbench.run.key import packages
from gfpbench.run.recorder import KINDS, Features, Kept, image_path
from gfpbench.run.shards import CasePart, Part, read_case, read_part
from gfpbench.run.workers import Workers
from gfpbench.types import BadInput, ImageBatch, Json, Progress, Result


def merge(folders: Sequence[Path], report: Path, *, progress: Progress | None = None) -> tuple[Result, ...]:
    """The Results of all cases, as one run would have left them in ``report / "cases"``; the report is marked as
    unfinished once it is known that the parts fit together.

    Args:
        folders: the parts, in any order; nothing is written there.
        report: the folder of the report.
        progress: told how many faces are done.

    Raises:
        BadInput: for a folder that is no finished part, parts that are missing, there twice or of different runs, and
            where other code is installed here than where they were measured.
        GfpbenchError: where the disk refuses, or an image that two parts gave has to be looked at again and cannot be.
    """
    ordered = _in_order(folders)
    cases = [_Joined.of([folder / "cases" / name for folder in ordered]) for name in read_part(ordered[0]).cases]
    for one in cases:  # everything is known to fit before anything is written
        refuse_inside_inputs(one.part.case, report)
    completion.begin(report)
    return tuple(one.written(report / "cases" / one.part.case.id, progress) for one in cases)


def _in_order(folders: Sequence[Path]) -> list[Path]:
    """The parts by number. Raises BadInput where they are not the whole of one run."""
    found: dict[int, tuple[Path, Part]] = {}
    for folder in folders:
        part = read_part(folder)
        if (folder / completion.MARK).exists():
            raise BadInput(f"{folder}: shard {part.number}/{part.of} has not finished: run it to its end")
        first, other = next(iter(found.values()), (folder, part))
        if part.of != other.of:
            raise BadInput(f"{folder} is shard {part.number}/{part.of}, and {first} is {other.number}/{other.of}")
        if part.cases != other.cases:
            raise BadInput(f"{folder} holds other cases than {first}: {', '.join(part.cases)}")
        if part.number in found:
            raise BadInput(f"{found[part.number][0]} and {folder} are both shard {part.number}/{part.of}")
        found[part.number] = folder, part
    if not found:
        raise BadInput("no parts to merge: give the --report folders of gfpbench run --shard")
    of = next(iter(found.values()))[1].of
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in found]
    if missing:
        raise BadInput(f"shards are missing: {', '.join(missing)}")
    return [found[number][0] for number in sorted(found)]


@dataclass(frozen=True, slots=True)
class _Joined:
    """One case of all parts, which are known to belong together."""

    folders: tuple[Path, ...]
    header: Mapping[str, Json]
    part: CasePart

    @classmethod
    def of(cls, folders: Sequence[Path]) -> _Joined:
        """Raises BadInput where one was measured otherwise than the first, or batches are missing or there twice."""
        headers = [_header(folder) for folder in folders]
        parts = [read_case(folder) for folder in folders]
        for folder, header, part in zip(folders, headers, parts, strict=True):
            of_both = (
                changed_fields(headers[0], header),
                changed_fields(asdict(replace(parts[0], share=part.share)), asdict(part)),
            )
            if differing := [name for names in of_both for name in names]:
                raise BadInput(f"{folder}: was measured otherwise than {folders[0]} ({', '.join(differing[:5])})")
        here = {"code": code_sha256(), "packages": dict(packages())}
        there = {"code": headers[0]["environment"]["code_sha256"], "packages": headers[0]["packages"]}
        if differing := changed_fields(there, here):
            raise BadInput(
                f"{folders[0]}: was measured with another installation ({', '.join(differing[:5])}): merge where the "
                "same is installed"
            )
        joined = cls(tuple(folders), headers[0], parts[0])
        done = 0
        for folder, line in joined.lines():
            if line.start != done:
                what = "are there twice" if line.start < done else "are missing"
                raise BadInput(f"{folder}: faces {min(done, line.start) + 1} to {max(done, line.start)} {what}")
            done = line.stop
        if done != len(joined.part.about.ids):
            raise BadInput(f"{folders[-1]}: faces {done + 1} to {len(joined.part.about.ids)} are missing")
        return joined

    def lines(self) -> Iterator[tuple[Path, Committed]]:
        """Every batch in the order of the run, with the folder that it lies in."""
        for folder in self.folders:
            journal = Journal(folder)
            try:
                journal.header()
                for line in committed_batches(journal):
                    yield folder, line
            except CannotGoOn as error:
                raise BadInput(f"{folder}: {error}") from error

    def written(self, folder: Path, progress: Progress | None) -> Result:
        """The case in a folder of its own, as if it had been measured there."""
        began, case, about = time.monotonic(), self.part.case, self.part.about
        sets = set_measures.load(self.part.sets)
        with disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                sweep(folder, locked=True)
                shutil.rmtree(folder / "images", ignore_errors=True)
                features, journal, seen = Features(folder), Journal(folder), Seen()
                features.clear()
                journal.begin(self.header)
                metrics = {name: {"better": one["better"]} for name, one in about.records["metrics"].items()}
                count, seed = len(about.ids), case.seed
                kept = Kept(folder, self.part.keep_images, KEPT_WORST, metrics, images=count, seed=seed)
                copied: dict[str, Path] = {}
                known: dict[Path, dict[str, str]] = {}
                failed: set[str] = set()
                repeated: dict[Path, _Repeated] = {}
                for place, line in self.lines():
                    if repeated.setdefault(place, _Repeated()).decide(line, seen):
                        line, shown, files = self._measured_again(folder, line.start, seen)
                        _save(folder, shown)
                        line = replace(line, files=files)
                    else:
                        for one, record in line.seen.items():
                            seen.images.setdefault(one, record)
                        if line.features_sha256 is not None:
                            features.copy(line.start, line.features_sha256, place)
                        copied.update(dict.fromkeys((row.id for row in line.rows), place))
                        known.setdefault(place, {}).update(line.images)
                    kept.add(line.rows)
                    failed.update(row.id for row in line.rows if row.failure is not None)
                    journal.append(line.to_json())
                    if progress is not None:
                        progress(line.stop, len(about.ids), case.id)
                for name in sorted(kept.ids & copied.keys()):
                    _copy(copied[name], folder, name, known[copied[name]])
                self._show({name for name in kept.ids - failed if not _has_images(folder, name)}, folder, seen)
                kept.prune()
                return finish(folder, journal, self.header, case, about, sets, (began, 0))

    def _show(self, names: set[str], folder: Path, seen: Seen) -> None:
        """Make the images of these once more: a part kept those of its own worst, and one that failed only beside an
        earlier part has made room for another."""
        for _, line in self.lines() if names else ():
            wanted = names.intersection(row.id for row in line.rows)
            if wanted:
                _, shown, _ = self._measured_again(folder, line.start, seen)
                _save(folder, shown, wanted)

    def _measured_again(self, folder: Path, start: int, seen: Seen) -> Found:
        """One batch by a process that loads everything as the shards did."""
        part, before = self.part, torch.get_num_threads()
        how = part.device, part.batch_size, part.keep_images
        task = Task(part.case, self.header, folder, *how, total=len(part.about.ids))
        torch.set_num_threads(self.header["environment"]["torch_threads"])
        try:
            with Workers(1, part.options) as workers:
                return next(workers.measured(task, start, seen))
        finally:
            torch.set_num_threads(before)


class _Repeated:
    """Finds the batches of one part that have to be measured again, because a restorer gave an image of theirs in an
    earlier part too: which of its rows fail, and what the failure says, is decided where it is measured."""

    def __init__(self) -> None:
        self._any = False
        self._inputs: list[Json] = []  # fingerprints of the degraded images for which this part gave such an image

    def decide(self, line: Committed, seen: Seen) -> bool:
        """Whether a batch is one of them. Ask in the order of the run.

        Args:
            line: its ``seen`` holds the images that were new in its part.
            seen: what all earlier batches gave.
        """
        known = {name: given != seen.images[one][0] for one, (given, name) in line.seen.items() if one in seen.images}
        self._any = self._any or bool(known)
        again = any(known.values()) or (self._any and any(row.failure is not None for row in line.rows))
        inputs = [row.fingerprint.get("degraded") for row in line.rows]
        again = again or any(one in self._inputs for one in inputs)
        self._inputs += [one for row, one in zip(line.rows, inputs, strict=True) if row.id in known]
        return again


def _header(folder: Path) -> dict[str, Json]:
    """The key that a part was measured under."""
    try:
        header = Journal(folder).header()
    except CannotGoOn as error:
        raise BadInput(f"{folder}: {error}") from error
    if header.pop(SHARE, None) is None:
        raise BadInput(f"{folder}: is of no shard")
    return header


def _save(folder: Path, shown: Mapping[str, ImageBatch | None], wanted: set[str] | None = None) -> None:
    """Write the images of these names, of all where None."""
    for kind, batch in shown.items():
        if batch is not None:
            for name, rgb in zip(batch.ids, images.to_rgb_arrays(batch), strict=True):
                if wanted is None or name in wanted:
                    images.write_png(image_path(folder, name, kind), rgb)


def _has_images(folder: Path, image_id: str) -> bool:
    return any(image_path(folder, image_id, kind).exists() for kind in KINDS)


def _copy(place: Path, folder: Path, image_id: str, known: Mapping[str, str]) -> None:
    """The kept images of one face. A part keeps those of its own worst, so that it has those of the worst of all.

    None of them where one is gone or is not what was written (``known``: name to sha256); ``_show`` makes them again.
    """
    (folder / "images").mkdir(exist_ok=True)
    written = [path for kind in KINDS if (path := image_path(place, image_id, kind)).name in known]
    if all(path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == known[path.name] for path in written):
        for path in written:
            shutil.copyfile(path, folder / "images" / path.name)
