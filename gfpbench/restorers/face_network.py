"""Runs a published network as its authors run it, in batches that fit into memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from gfpbench.images import Range, from_range, from_signed, in_range, moved, resized, to_signed
from gfpbench.options import Options
from gfpbench.restorers.batching import in_parts
from gfpbench.restorers.precision import SAYS, Precision, arithmetic, read_precision
from gfpbench.restorers.ranges import SPELLED, refuse_other_range
from gfpbench.types import BadInput, ImageBatch, Json, RestorationFailed

Forward = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is run: the options that every network has.

    Args:
        device: what torch calls it.
        precision: of the arithmetic.
        batch: the most images in one pass.
        channels_last: keep feature maps with the channels innermost, which tensor cores prefer.
        compiled: through torch.compile; the first call takes minutes.
    """

    device: str = "cpu"
    precision: Precision = "fp32"
    batch: int = 8
    channels_last: bool = False
    compiled: bool = False


def read_settings(options: Options, device: str, *, batch: int = 8, channels_last: bool = False) -> Settings:
    """The options ``dtype``, ``batch``, ``layout`` and ``compile``. Raises BadInput for values that cannot be used.

    Args:
        batch, channels_last: of a network that is given neither.
    """
    return Settings(
        device=device,
        precision=read_precision(options, device),
        batch=options.whole("batch", batch, 1, 1024),
        channels_last=_channels_last(options, channels_last),
        compiled=options.choice("compile", ("no", "yes")) == "yes",
    )


def _channels_last(options: Options, default: bool) -> bool:
    """``layout=channels-last``, or ``channels_last=yes``."""
    layout = options.choice("layout", ("contiguous", "channels-last"))
    said = options.choice("channels_last", ("no", "yes"))
    if "layout" in options.given and "channels_last" in options.given and (said == "yes") != (layout != "contiguous"):
        raise BadInput(f"{options.spelled}: layout and channels_last say different things: give one of them")
    if not {"layout", "channels_last"} & options.given.keys():
        return default
    return said == "yes" or layout == "channels-last"


class FaceNetwork:
    """A network as a Restorer: range and size as its authors have them, and what it was recorded in the provenance.

    Args:
        name: under which it is listed, options and all.
        forward: (B, 3, H, W) in the authors' range to the restored (B, 3, sH, sW); already on its device.
        settings: device, precision, size of a batch, layout.
        takes: the authors' range of what the network is given.
        gives: of what it returns; None for the same.
        size_px: (height, width) the network works at; None where it takes any.
        autocast: bf16 by torch.autocast; False where the network was converted itself.
        scale: how many times larger than what it was given its images are; None where nobody says, which allows any
            enlargement of the same aspect. An answer of another size is a failed restoration.
        reduce: how many times smaller (by area) images are made before a network that enlarges sees them.
        remedy: what a person can do where its values are plainly in another range.
        identity: what else belongs in the provenance.
    """

    def __init__(
        self,
        name: str,
        forward: Forward,
        settings: Settings,
        *,
        takes: Range,
        size_px: tuple[int, int] | None,
        identity: Mapping[str, Json],
        gives: Range | None = None,
        scale: int | None = 1,
        reduce: int = 1,
        remedy: str = "the weights or the way it is called are not its authors'",
        autocast: bool = True,
    ) -> None:
        self.name = name
        self.settings = settings
        self.takes: Range = takes
        self.gives: Range = gives or takes
        self.size_px = size_px
        self.autocast = autocast
        self.scale = scale
        if reduce > (scale or 1):
            raise BadInput(f"{name}: reduce={reduce} would lose detail: the network enlarges {scale or 1} times")
        self.reduce = reduce
        self.remedy = remedy
        self.batch_that_fits = settings.batch
        self.ran: Callable[[], Mapping[str, Json]] = dict
        self.forward = forward
        self._forward = _compiled(forward) if settings.compiled else forward
        self._identity = dict(identity)

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Restore (B, 3, H, W).

        Raises:
            BadInput: where the network's answer is not finite or not images.
            RestorationFailed: where one image alone does not fit into memory, where the answer has another size, and
                where its values are plainly in another range. Whatever else torch raises passes.
        """
        given = moved(degraded, self.settings.device)
        smaller = tuple(max(1, round(side / self.reduce)) for side in degraded.size)
        size_px = self.size_px or (smaller[0], smaller[1])
        fitted = given if size_px == degraded.size else resized(given, size_px)
        return moved(resized(self.enlarged(fitted), degraded.size), degraded.pixels.device)

    def enlarged(self, batch: ImageBatch) -> ImageBatch:
        """The network's own answer, ``scale`` times as large as (B, 3, H, W), which has the size the network works at.

        Raises:
            BadInput, RestorationFailed: as a call.
        """
        given = moved(batch, self.settings.device)
        pixels = to_signed(given) if self.takes == "signed" else in_range(given, self.takes)
        layout = torch.channels_last if self.settings.channels_last else torch.contiguous_format
        pixels = pixels.contiguous(memory_format=layout)
        with arithmetic(self.settings.precision, self.settings.device, self.autocast):
            answer, self.batch_that_fits = in_parts(pixels, self._answer, self.batch_that_fits)
        answer = answer.float()
        images = from_signed(answer, batch.ids) if self.gives == "signed" else from_range(answer, self.gives, batch.ids)
        refuse_other_range(answer, self.gives, given, self.name, self.remedy)
        return images

    @property
    def faster_with(self) -> str:
        """For a network that enlarges images of any size (``gfpbench.types.SaysWhatIsFaster``)."""
        plain = self.reduce == 1 and self.size_px is None
        return f"reduce={self.scale}" if plain and self.scale is not None and self.scale > 1 else ""

    def what_ran(self) -> Mapping[str, Json]:
        """What is known of how a network computes that torch does not see (``gfpbench.types.SaysWhatRan``)."""
        return self.ran()

    def provenance(self) -> Mapping[str, Json]:
        """JSON: name, weights, arithmetic, sizes. The same for every call."""
        height, width = self.size_px or (0, 0)
        return {
            "restorer": self.name,
            "works_at_px": ("any size" if self.size_px is None else height if height == width else [height, width]),
            "other_sizes": "area when shrinking, bicubic when enlarging; the same on the way back",
            **({} if self.reduce == 1 else {"reduced_first": self.reduce}),
            "range": SPELLED[self.takes],
            **({} if self.gives == self.takes else {"range_of_answer": SPELLED[self.gives]}),
            "precision": SAYS[self.settings.precision],
            "channels_last": self.settings.channels_last,
            "compiled": self.settings.compiled,
            "largest_batch": self.settings.batch,
            **self._identity,
        }

    def _answer(self, pixels: torch.Tensor) -> torch.Tensor:
        answer = self._forward(pixels)
        if not isinstance(answer, torch.Tensor) or answer.ndim != 4 or answer.shape[:2] != pixels.shape[:2]:
            got = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
            raise BadInput(f"{self.name} returned {got}, not images like the {tuple(pixels.shape)} it was given")
        sides, given = tuple(answer.shape[2:]), tuple(pixels.shape[2:])
        allowed = fits(sides, given) if self.scale is None else sides == tuple(side * self.scale for side in given)
        if not allowed:
            times = {None: "", 1: ""}.get(self.scale, f", {self.scale} times as large")
            raise RestorationFailed(
                f"{self.name} returned {sides[1]} x {sides[0]} px for images of {given[1]} x {given[0]} px{times}: "
                "that is no restored image, and it is not resized into one"
            )
        return answer


def _compiled(forward: Forward) -> Forward:
    """``forward`` through torch.compile, which advises TF32 where it finds it off: that was chosen, by ``dtype``."""
    program = torch.compile(forward)

    def called(pixels: torch.Tensor) -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores", category=UserWarning)
            return program(pixels)

    return called


def read_reduction(options: Options) -> int:
    """The option ``reduce`` of networks that enlarge, 1 to 16: see ``FaceNetwork``.

    A degraded face was enlarged to the size of a face crop, and what enlarges images was trained on small ones: 4
    before a network that enlarges four times costs a sixteenth of the time.
    """
    return options.whole("reduce", 1, 1, 16)


def fits(sides: tuple[int, ...], given: tuple[int, ...]) -> bool:
    """Whether (height, width) may be that of what was given, enlarged: the same aspect, and 1 to 16 times as large."""
    return sides[0] * given[1] == sides[1] * given[0] and given[0] <= sides[0] <= 16 * given[0]


def placed(network: torch.nn.Module, settings: Settings) -> torch.nn.Module:
    """The network in evaluation mode, without gradients, on its device and in its layout."""
    network = network.requires_grad_(False).eval().to(settings.device)
    # nn.Module.to(memory_format=...) turns 4-D weights only, which is what convolutions read.
    return network.to(memory_format=torch.channels_last) if settings.channels_last else network
