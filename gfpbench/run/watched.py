"""The time limit of a restorer in this process: the process is ended when a call takes too long."""

from __future__ import annotations

import faulthandler
from collections.abc import Mapping

from gfpbench.restorers import is_opaque
from gfpbench.types import ImageBatch, Json, OpensFiles, Restorer


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
        """The restorer's own; none where nobody watches."""
        return self.restorer.files_read() if isinstance(self.restorer, OpensFiles) else {}
