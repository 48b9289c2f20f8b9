"""A restorer by its name, of faces or of whole photos; in a process of its own or with a time limit, where asked."""

from __future__ import annotations

import faulthandler
from collections.abc import Mapping

from gfpbench import devices
from gfpbench.restorers import is_opaque
from gfpbench.types import ImageBatch, Json, OpensFiles, Restorer


def guarded(spec: str, device: str, *, isolate: bool = False, seconds_per_image: float | None = None) -> Restorer:
    """A restorer by name, in a process of its own or with a limit on its time, as ``parts.load`` says.

    Raises:
        BadInput, AssetMissing: as ``restorers.load`` does.
    """
    device = devices.resolve(device)
    if spec == "input" or spec.startswith("outputs:"):  # these run nobody's code
        return load_restorer(spec, device)
    if isolate:
        from gfpbench.run.isolated import SECONDS_PER_IMAGE, Isolated

        return Isolated(spec, device=device, seconds_per_image=seconds_per_image or SECONDS_PER_IMAGE)
    restorer = load_restorer(spec, device)
    return restorer if seconds_per_image is None else Watched(restorer, seconds_per_image)


class Watched:
    """A restorer with a limit on its time, for commands: at the limit the process writes where it is, and ends.

    The limit is kept by a thread outside of Python, so that it holds for native code too. What was measured before is
    on the disk. In a process of its own (``Isolated``) a restorer that is too slow costs its images only.

    Args:
        restorer: called as before.
        seconds_per_image: a batch may take as many times longer as it has images.
    """

    def __init__(self, restorer: Restorer, seconds_per_image: float) -> None:
        self.restorer, self.seconds_per_image = restorer, seconds_per_image
        self.name = restorer.name
        self.opaque = is_opaque(restorer)

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Restore a batch; raises what the restorer raises."""
        faulthandler.dump_traceback_later(self.seconds_per_image * len(degraded), exit=True, file=2)
        try:
            return self.restorer(degraded)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def provenance(self) -> Mapping[str, Json]:
        """The restorer's own."""
        return self.restorer.provenance()

    def files_read(self) -> Mapping[str, str]:
        """The restorer's own; none where it is not watched."""
        return self.restorer.files_read() if isinstance(self.restorer, OpensFiles) else {}


def load_restorer(spec: str, device: str) -> Restorer:
    """Load a restorer, of faces or of whole photos, into this process. Raises as ``restorers.load`` does."""
    from gfpbench import restorers

    if spec.startswith("photo"):
        from gfpbench import photos

        if photos.is_whole_photo(spec):
            return photos.load_whole_photo(spec, device=device)
    return restorers.load(spec, device=device)
