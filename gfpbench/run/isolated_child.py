"""The process that holds an isolated restorer: it loads what it is told and answers one batch after the other."""

from __future__ import annotations

import sys
from typing import IO


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Load the restorer that the first message names, then answer one batch after the other until the pipe ends."""
    from gfpbench.run.messages import BrokenMessage, receive, send, send_attempt

    told, _ = receive(incoming)
    import torch

    from gfpbench.devices import repeatable
    from gfpbench.images import moved
    from gfpbench.restorers import arithmetic
    from gfpbench.restorers.checked import attempted, is_opaque
    from gfpbench.run.key import read_by
    from gfpbench.run.parts import load_restorer, plain
    from gfpbench.types import AssetMissing, GfpbenchError, ImageBatch

    torch.set_num_threads(told["threads"])
    try:
        restorer = load_restorer(told["restorer"], told["device"])
        provenance = plain(restorer.provenance(), "the restorer's provenance")
    except AssetMissing as error:
        send(outgoing, {"missing": [error.asset, error.needed_by], "error": str(error)})
        return
    except GfpbenchError as error:
        send(outgoing, {"error": str(error)})
        return
    send(outgoing, {"name": restorer.name, "provenance": provenance, "opaque": is_opaque(restorer)})
    while True:
        try:
            asked, pixels = receive(incoming)
        except BrokenMessage:  # nobody asks any more
            return
        if pixels is None:
            provenance = plain(restorer.provenance(), "the restorer's provenance")
            send(outgoing, {"provenance": provenance, "files_read": dict(read_by(restorer))})
            continue
        torch.set_num_threads(asked["threads"])
        with repeatable(), arithmetic.computed(asked["way"]):
            answer, reasons = attempted(restorer, moved(ImageBatch(pixels, tuple(asked["ids"])), told["device"]))
        sys.stdout.flush()  # what it printed is seen even if this process is killed
        send_attempt(outgoing, answer, reasons)
