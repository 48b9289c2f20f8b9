"""What a part of a case may offer besides its Protocol. Who does not offer it needs no method that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from gfpbench.types.contracts import Degradation
from gfpbench.types.images import Json


@runtime_checkable
class DrawnOften(Protocol):
    """A face set of few faces, with its default number of independent draws per face."""

    default_draws: int


@runtime_checkable
class ReadsImages(Protocol):
    """A degradation or restorer whose images were made elsewhere and are read from files."""

    def read_record(self, image_id: str, /) -> Mapping[str, Json]:
        """How the file of one image was read (``gfpbench.decode.Decoded.record``); empty where it was not."""
        ...


@runtime_checkable
class ComputedTwoWays(Protocol):
    """A degradation that can compute the same by other code, so that the noise of its arithmetic can be measured.

    Its description says under ``path`` by which.
    """

    def using(self, path: Any, /) -> Degradation:
        """The same by the code of this name."""
        ...


@runtime_checkable
class SaysWhetherOpaque(Protocol):
    """A restorer that says whether its answers may depend on something that its provenance leaves out.

    With ``opaque = False`` what was measured before is reused by its provenance alone, without asking it for two
    answers first.
    """

    opaque: bool


@runtime_checkable
class SaysWhatRan(Protocol):
    """A restorer that computes out of torch's sight, and says where and in which number types it did."""

    def what_ran(self) -> Mapping[str, Json]:
        """JSON: ``providers`` in use, ``provider_asked_for``, ``nodes`` by provider, ``weight_types`` by element count.

        Names that are not known are left out.
        """
        ...


@runtime_checkable
class SaysWhatIsFaster(Protocol):
    """A restorer with an option by which it takes a fraction of its time; named where it passes a time limit."""

    @property
    def faster_with(self) -> str:
        """The option as it stands behind the name (``reduce=4``); empty where there is none, or it was given."""
        ...


@runtime_checkable
class TimeLimited(Protocol):
    """A restorer that fails, or ends its process, where an image takes longer."""

    seconds_per_image: float


@runtime_checkable
class OpensFiles(Protocol):
    """A restorer that is watched while it opens files."""

    def files_read(self) -> Mapping[str, str]:
        """Path -> sha256 of those that it was seen to read so far."""
        ...


@runtime_checkable
class HoldsImages(Protocol):
    """A restorer that has a folder of images, some of which may belong to no face."""

    def unused(self, image_ids: Iterable[str], /) -> Sequence[str]:
        """The files that belong to none of these."""
        ...


@runtime_checkable
class FindsImages(Protocol):
    """A restorer that has to know all names before the first image, to decide how its files are named."""

    def expect(self, image_ids: Sequence[str], /) -> None:
        """Decide for these images. Raises BadInput where that cannot be decided."""
        ...


@runtime_checkable
class Identified(Protocol):
    """A metric that says what its figures are computed by."""

    def identity(self) -> Mapping[str, Json]:
        """Package, version or definition, hashes of weights, settings: figures of unlike identity do not compare."""
        ...


@runtime_checkable
class ComparesWithInput(Protocol):
    """A metric that says whether its second argument is the degraded input, where it needs no truth."""

    needs_input: bool
