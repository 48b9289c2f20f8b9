"""The result for one photograph and each of its faces, as records and as a line of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gfpbench.photos.canvas import Canvas
from gfpbench.photos.paste import Levels
from gfpbench.types import Json

State: TypeAlias = Literal["restored", "not chosen", "left out", "failed"]
TINY_BELOW_PX = 64
"""A face whose square has a smaller side is restored and flagged: the networks were trained on faces down to an eighth
of 512 px (r up to 8 in Eq. 7 of the GFP-GAN paper), and smaller ones come out invented."""


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """What became of one face. Places and lengths are pixels of the photo before it is enlarged.

    Args:
        box: left, top, right, bottom, as detected.
        landmarks: five (x, y): eyes, tip of the nose, corners of the mouth; the viewer's left first.
        confidence: the detector's own score.
        size_px: side of the square that becomes the 512-px crop; 0 where the face could not be aligned.
        beyond_photo: share of that square, 0 to 1, that lies beyond the photo and was filled with grey.
        state: ``restored`` and pasted; ``not chosen`` because another face was asked for; ``left out`` because it
            cannot be aligned or is too small; ``failed`` where the restorer gave no restoration.
        reason: why it was left out or failed; None otherwise.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    confidence: float
    size_px: float
    beyond_photo: float
    state: State
    reason: str | None = None

    @property
    def restored(self) -> bool:
        return self.state == "restored"

    @property
    def at_border(self) -> bool:
        """Part of what the restorer was given is no photo."""
        return self.beyond_photo > 0

    @property
    def tiny(self) -> bool:
        """Smaller than anything the networks were trained on."""
        return 0 < self.size_px < TINY_BELOW_PX

    def to_json(self) -> dict[str, Json]:
        return {
            "box": [round(value, 2) for value in self.box],
            "landmarks": [[round(x, 2), round(y, 2)] for x, y in self.landmarks],
            "confidence": round(self.confidence, 4),
            "size_px": round(self.size_px, 1),
            "tiny": self.tiny,
            "at_border": self.at_border,
            "beyond_photo": round(self.beyond_photo, 4),
            "state": self.state,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, eq=False)
class PhotoResult:
    """A photo after all that.

    Args:
        name: of the photo.
        size_px: height and width of the photo that was given.
        whole: the restored photo, enlarged, with its depth and alpha; None where not one face was restored. Never the
            photo as it was.
        faces: every face that was found, in the order of the detector.
        grey: the photo has no colour; restored faces may have.
        problems: why faces were not restored, a line each; empty where every face that was asked for was.
    """

    name: str
    size_px: tuple[int, int]
    whole: Canvas | None
    faces: tuple[FaceRecord, ...]
    grey: bool
    problems: tuple[str, ...]

    @property
    def restored(self) -> Levels | None:
        """(H, W, 3) uint8 RGB, or uint16 where the photo has more than 8 bits; not multiplied by alpha."""
        return None if self.whole is None else self.whole.colour

    @property
    def ok(self) -> bool:
        """At least one face was restored, and the restorer failed on none."""
        return self.restored is not None and not any(face.state == "failed" for face in self.faces)

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "size_px": list(self.size_px),
            "grey": self.grey,
            "ok": self.ok,
            "faces_found": len(self.faces),
            "faces_restored": sum(face.restored for face in self.faces),
            "faces": [face.to_json() for face in self.faces],
            "problems": list(self.problems),
        }

    def line(self) -> str:
        """What a person is told: how many faces, and what is special about them."""
        done = sum(face.restored for face in self.faces)
        notes = [f"{len(self.faces)} found"] if len(self.faces) != done else []
        for what, number in (
            ("not chosen", sum(face.state == "not chosen" for face in self.faces)),
            ("at the border", sum(face.restored and face.at_border for face in self.faces)),
            (f"under {TINY_BELOW_PX} px", sum(face.restored and face.tiny for face in self.faces)),
        ):
            notes += [f"{number} {what}"] if number else []
        notes += ["a grey photo"] if self.grey else []
        aside = f" ({', '.join(notes)})" if notes else ""
        return "; ".join([f"{done} {'face' if done == 1 else 'faces'} restored{aside}", *self.problems])
