"""How the authors' scripts name the files that they write: rules as data, and which of them fits a folder."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from gfpbench.decode.files import Names, printable, without_suffix
from gfpbench.types import BadInput

Part: TypeAlias = Literal["any", "faces", "whole"]
PARTS: Mapping[str, Part] = {"any": "any", "faces": "faces", "whole": "whole"}
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a script leaves the restoration of an image.

    Args:
        layout: the script, as ``?layout=`` names it.
        part: ``faces`` for one file a face, ``whole`` for the whole image, ``any`` where the script does not tell.
        folder: below the folder of its results; empty for that folder itself.
        tail: what follows the name of the input, before the suffix of an image; ``NN`` stands for the face's number.
    """

    layout: str
    part: Part
    folder: str
    tail: str = ""

    def files(self, suffix: str = "") -> str:
        """``restored_faces/NAME_NN.png``, for a person to read."""
        return f"{self.folder}{'/' if self.folder else ''}NAME{self.tail}{suffix}"


RULES: tuple[Rule, ...] = (
    Rule("plain", "any", ""),
    # TencentARC/GFPGAN inference_gfpgan.py; TencentARC/VQFR demo.py and wzhouxiff/RestoreFormerPlusPlus inference.py
    # write the same, wzhouxiff/RestoreFormer scripts/test.py all of it but cmp. Without --aligned restored_imgs too.
    Rule("gfpgan", "faces", "restored_faces", "_NN"),
    Rule("gfpgan", "whole", "restored_imgs"),
    # sczhou/CodeFormer inference_codeformer.py; the second with --has_aligned, the third without.
    Rule("codeformer", "faces", "restored_faces", "_NN"),
    Rule("codeformer", "faces", "restored_faces"),
    Rule("codeformer", "whole", "final_results"),
    # yangxy/GPEN demo.py: with --aligned the file is the face, without it the whole image.
    Rule("gpen", "any", "", "_GPEN"),
    # What people call a folder's files after the tool (--suffix of GFPGAN's script, without its folders).
    Rule("named", "any", "", "_GFPGAN"),
    Rule("named", "any", "", "_CodeFormer"),
    Rule("named", "any", "", "_RestoreFormer"),
    Rule("named", "any", "", "_VQFR"),
)
SAME_AS: Mapping[str, str] = {"vqfr": "gfpgan", "restoreformer": "gfpgan"}
"""Scripts that write what another one writes."""
LAYOUTS = ("auto", *dict.fromkeys(rule.layout for rule in RULES), *SAME_AS)
SIGNS: Mapping[str, tuple[str, ...]] = {"gfpgan": ("restored_imgs", "cmp"), "codeformer": ("final_results",)}
"""Folders that only one script writes: of two rules that give the same files, that of this script is named."""
BESIDE: Mapping[str, str] = {
    "cropped_faces": "a script's crops of its input",
    "cmp": "a script's comparison of input and output",
    "restored_faces": "a script's restored faces, where whole images are measured",
    "restored_imgs": "a script's whole images, where faces are measured",
    "final_results": "a script's whole images, where faces are measured",
}
"""Folders that scripts write beside the one that is measured."""
_GPEN_BESIDE = re.compile(r"(?P<name>.+)_(COMP|face\d{2,})")
_NUMBERED = re.compile(r"(?P<name>.+)_(?P<face>\d{2,})")
_NO_LETTER = re.compile(r"[^0-9A-Za-z/]")
OTHER_FACE = "another face of the same image"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person said of the files.

    Args:
        layout: one of ``LAYOUTS``.
        part: ``any`` where it was not said.
        face: number of the face in each image; None where it was not said.
        suffix: between the name that the script gives and the suffix of the image (its ``--suffix``, with the ``_``).
    """

    layout: str = "auto"
    part: Part = "any"
    face: int | None = None
    suffix: str = ""

    def allows(self, rule: Rule) -> bool:
        """Whether a rule is one of those that were asked for."""
        layout = SAME_AS.get(self.layout, self.layout)
        if layout != "auto" and rule.layout != layout:
            return False
        if self.face is not None and "NN" not in rule.tail:
            return False
        return self.part == "any" or rule.part in ("any", self.part)


@dataclass(frozen=True, slots=True)
class Reading:
    """The files of a folder by one rule.

    Args:
        rule: the rule; its folder is empty where the folder itself is the one that the rule names.
        found: image -> its files; more than one where that cannot be decided.
        faces: image -> number of each face -> its files, by a rule with numbers.
    """

    rule: Rule
    found: Mapping[str, tuple[str, ...]]
    faces: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def files(self) -> frozenset[str]:
        """All files that it takes."""
        return frozenset(file for files in self.found.values() for file in files)


class Folder:
    """The image files of a folder, to be read by rules.

    Args:
        name: how the restorer is called, for messages.
        files: their paths below the folder, with slashes.
    """

    def __init__(self, name: str, files: Sequence[str]) -> None:
        self.name = name
        self.files = files
        self.names = Names(files)
        self.folders = {part for file in files for part in PurePosixPath(file).parts[:-1]}
        self._bare: dict[str, list[str]] = defaultdict(list)
        for file in files:
            self._bare[without_suffix(printable(file))].append(file)

    def read(self, image_ids: Sequence[str], wanted: Wanted) -> tuple[Reading, bool]:
        """The rule by which these images are found, and whether it was guessed.

        Raises:
            BadInput: where no rule finds an image, where two rules find different files, and where an image has several
                faces and nobody said which.
        """
        readings = [self._by(rule, image_ids, wanted) for rule in RULES if wanted.allows(rule)]
        readings = self._told_apart([one for one in readings if one.found])
        if not readings:
            raise BadInput(self._nothing_fits(image_ids))
        if len(readings) > 1:
            raise BadInput(self._several_fit(readings))
        numbers = readings[0].faces if wanted.face is None else {}
        several = {name: readings[0].found[name] for name, each in numbers.items() if len(each) > 1}
        if several:
            first, files = next(iter(several.items()))
            shown = ", ".join(PurePosixPath(printable(file)).name for file in files[:SHOWN])
            raise BadInput(
                f"{self.name}: {len(several)} of {len(image_ids)} images have several restored faces "
                f"({printable(first)}: {shown}): choose one with face=0 (or 1, ...) behind the folder's name"
                + (", or the whole images with part=whole" if self._whole() else "")
            )
        return readings[0], wanted.layout == "auto" and readings[0].rule.layout != "plain"

    def _whole(self) -> bool:
        return bool(self.folders & {rule.folder for rule in RULES if rule.part == "whole"})

    def _by(self, rule: Rule, image_ids: Sequence[str], wanted: Wanted) -> Reading:
        if rule.folder and rule.folder not in self.folders:  # the folder that was given is that of the rule itself
            if not rule.tail and wanted.layout == "auto":
                return Reading(rule, {})
            rule = replace(rule, folder="")
        numbered = self._numbered(wanted.suffix) if "NN" in rule.tail else {}
        found: dict[str, tuple[str, ...]] = {}
        faces: dict[str, dict[int, tuple[str, ...]]] = {}
        for image_id in image_ids:
            name = printable(image_id)
            if rule.layout == "plain":
                files = self.names.of(name) if not wanted.suffix else self._exactly(without_suffix(name), wanted.suffix)
            else:
                place = PurePosixPath(without_suffix(name))
                below = (place.parent / rule.folder / place.name).as_posix()
                if "NN" in rule.tail:
                    faces[image_id] = numbered.get(below, {})
                    numbers = faces[image_id] if wanted.face is None else (wanted.face,)
                    files = tuple(file for number in numbers for file in faces[image_id].get(number, ()))
                else:
                    files = self._exactly(below, rule.tail + wanted.suffix)
            if files:
                found[image_id] = files
        return Reading(rule, found, faces)

    def _exactly(self, name: str, tail: str) -> tuple[str, ...]:
        return tuple(self._bare.get(name + tail, ()))

    def _numbered(self, suffix: str) -> dict[str, dict[int, tuple[str, ...]]]:
        """Name -> number of the face -> files, of those that are called NAME_NN and the suffix."""
        found: dict[str, dict[int, tuple[str, ...]]] = defaultdict(dict)
        for bare, files in self._bare.items():
            if bare.endswith(suffix) and (match := _NUMBERED.fullmatch(bare[: len(bare) - len(suffix)])):
                found[match["name"]][int(match["face"])] = tuple(files)
        return {name: dict(sorted(faces.items())) for name, faces in found.items()}

    def _told_apart(self, readings: Sequence[Reading]) -> list[Reading]:
        """One reading for each choice of files; one that gives some of another's files to fewer images is dropped."""
        by_script = sorted(readings, key=lambda one: -len(self.folders & set(SIGNS.get(one.rule.layout, ()))))
        kept: list[Reading] = []
        for one in by_script:
            if not any(one.found == other.found for other in kept):
                kept.append(one)
        return [
            one
            for one in kept
            if not any(one.files <= other.files and len(one.found) < len(other.found) for other in kept)
        ]

    def _several_fit(self, readings: Sequence[Reading]) -> str:
        layouts, parts = ([getattr(one.rule, name) for one in readings] for name in ("layout", "part"))
        ways = []
        for layout, part, one in zip(layouts, parts, readings, strict=True):
            image, files = next(iter(one.found.items()))
            options = [f"layout={layout}"] if layouts.count(layout) == 1 else []
            options += [f"part={part}"] if part != "any" and layouts.count(layout) > 1 else []
            ways.append(f"{'&'.join(options)} takes {printable(files[0])} for {printable(image)!r}")
        listed = ", ".join(ways)
        return f"{self.name}: its files can be read in {len(ways)} ways: {listed}: say which, behind a question mark"

    def _nothing_fits(self, image_ids: Sequence[str]) -> str:
        hint = self._that_would_match(image_ids)
        return (
            f"{self.name}: no file is named as one of the {len(image_ids)} images: images {_first(image_ids)}; "
            f"files {_first(self.files)}; " + (hint or "no option matches them: rename the files")
        )

    def _that_would_match(self, image_ids: Sequence[str]) -> str:
        """The folder and options by which most images would be found; empty where there are none."""
        known = {without_suffix(printable(image_id)) for image_id in image_ids}
        ways: Counter[tuple[str, str]] = Counter()
        for bare in self._bare:
            place = PurePosixPath(bare)
            for start in range(len(place.parts)):
                below, name = "/".join(place.parts[:start]), "/".join(place.parts[start:])
                cuts = (cut for cut in range(len(name), 0, -1) if name[:cut] in known)
                cut = next((cut for cut in cuts if cut == len(name) or _NO_LETTER.match(name[cut])), None)
                if cut is not None:
                    ways[below, name[cut:]] += 1
        for (below, rest), count in ways.most_common():
            if any(sign in rest for sign in "&?/"):
                continue
            folder = self.name.partition("?")[0].rstrip("/") + (f"/{below}" if below else "")
            number = re.fullmatch(r"_\d{2,}(.*)", rest)
            options = f"layout=gfpgan&suffix={number[1]}" if number and number[1] else f"suffix={rest}" if rest else ""
            if number and not number[1]:
                options = "layout=gfpgan"
            if (spec := folder + (f"?{options}" if options else "")) != self.name:
                return f"'{spec}' would match {count} of them"
        return ""

    def beside(self, reading: Reading, image_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Files that a script writes beside those that are measured: reason -> the files, sorted."""
        if reading.rule.layout == "plain":
            return {}
        used, left_out = reading.files, defaultdict(list)
        other_faces = {file for faces in reading.faces.values() for files in faces.values() for file in files}
        known = {without_suffix(printable(image_id)) for image_id in image_ids}
        for file in self.files:
            if file in used:
                continue
            folder, bare = PurePosixPath(file).parent.name, without_suffix(printable(file))
            other = _GPEN_BESIDE.fullmatch(bare)
            if folder in BESIDE and folder != reading.rule.folder:
                left_out[BESIDE[folder]].append(file)
            elif reading.rule.layout == "gpen" and other and other["name"] in known:
                left_out[BESIDE["cmp"]].append(file)
            elif file in other_faces:
                left_out[OTHER_FACE].append(file)
        return {reason: tuple(files) for reason, files in left_out.items()}


def _first(names: Sequence[str]) -> str:
    return ", ".join(printable(name) for name in names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
