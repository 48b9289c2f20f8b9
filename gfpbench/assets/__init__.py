"""External assets (weights, statistics): the asset table, downloads, verification by hash, and safe loading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.assets.archive import extract
    from gfpbench.assets.download import Patience, ResumingDownloader
    from gfpbench.assets.errors import FetchFailed, LicenceNotAccepted, MirrorFailed
    from gfpbench.assets.fetching import Fetched, Source, fetch, fetch_many, offline
    from gfpbench.assets.licences import ask_on_terminal, is_accepted
    from gfpbench.assets.loading import disguise, existing_file, find_weights, load_arrays, load_weights, program_in
    from gfpbench.assets.nested_weights import FoundWeights
    from gfpbench.assets.resource_limits import refuse_short_records
    from gfpbench.assets.store import Status, describe, home, path, status
    from gfpbench.assets.table import ASSETS, TABLE, Asset, find, for_restorer, needed_for

__all__ = [
    # what there is
    "ASSETS",
    "TABLE",
    "Asset",
    "find",
    "for_restorer",
    "needed_for",
    # what is here
    "Status",
    "describe",
    "home",
    "path",
    "status",
    # bring it here
    "Fetched",
    "Patience",
    "ResumingDownloader",
    "Source",
    "ask_on_terminal",
    "extract",
    "fetch",
    "fetch_many",
    "is_accepted",
    "offline",
    # read it
    "FoundWeights",
    "disguise",
    "existing_file",
    "find_weights",
    "load_arrays",
    "load_weights",
    "program_in",
    "refuse_short_records",
    # what can go wrong
    "FetchFailed",
    "LicenceNotAccepted",
    "MirrorFailed",
]

lazy_package(__name__)
