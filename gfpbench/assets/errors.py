"""Errors of downloading and verifying assets, each with a one-line message."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.types import GfpbenchError

if TYPE_CHECKING:
    import requests
    import urllib3
else:
    requests, urllib3 = LazyModule("requests"), LazyModule("urllib3")

MAX_REDIRECTS = 10


class FetchFailed(GfpbenchError):
    """A file that could not be had: every mirror with its reason, or what stands in the way here."""


class LicenceNotAccepted(GfpbenchError):
    """A licence that forbids commercial use and has not been accepted yet."""


class MirrorFailed(GfpbenchError):
    """One address that did not give the file; the next one is tried."""


class Dropped(MirrorFailed):
    """The connection ended before the file did: worth asking again."""


def _root(problem: BaseException) -> BaseException:
    """The first cause of a chain of network errors, which urllib3 and requests wrap in several layers."""
    seen: set[int] = set()
    while id(problem) not in seen:
        seen.add(id(problem))
        inner = getattr(problem, "reason", None)
        below = inner if isinstance(inner, BaseException) else (problem.__cause__ or problem.__context__)
        problem = below if below is not None else problem
    return problem


@contextmanager
def plain_words(connect_seconds: float, stall_seconds: float) -> Iterator[None]:
    """Network errors as one line for a person; those of a connection that ended early are worth another try."""
    try:
        yield
    except requests.TooManyRedirects as problem:
        raise MirrorFailed(f"it redirects in a circle (more than {MAX_REDIRECTS} times)") from problem
    except (
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
    ) as problem:
        raise MirrorFailed(f"it leads to an address that is not http or https ({problem})") from problem
    except requests.exceptions.SSLError as problem:
        raise MirrorFailed(f"its certificate cannot be trusted ({_root(problem)})") from problem
    except requests.exceptions.ProxyError as problem:
        raise MirrorFailed(f"the proxy does not answer ({_root(problem)})") from problem
    except requests.exceptions.ConnectTimeout as problem:
        raise MirrorFailed(f"no connection within {connect_seconds:g} s") from problem
    except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as problem:
        raise MirrorFailed(f"nothing came for {stall_seconds:g} s") from problem
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError) as problem:
        raise Dropped(f"the file is short: the connection ended early ({_root(problem)})") from problem
    except requests.exceptions.ConnectionError as problem:
        cause = _root(problem)
        if isinstance(cause, socket.gaierror):
            raise MirrorFailed("its name cannot be resolved: is there a network?") from problem
        raise MirrorFailed(f"no connection ({getattr(cause, 'strerror', None) or cause})") from problem
    except (requests.RequestException, urllib3.exceptions.HTTPError) as problem:
        raise MirrorFailed(f"{type(problem).__name__}: {problem}") from problem
