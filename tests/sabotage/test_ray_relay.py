"""Small honest bugs put into what drives the actors of a Ray cluster: what it hears is no longer what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gfpbench.run import ray_connection, ray_relay
from gfpbench.run.ray_relay import Direct, Relay, Relayed
from gfpbench.types import BadInput, Json
from tests.unit.run.test_ray_relay import Here, TaskFailed, check_a_client_asks_again, check_every_answer_is_heard_once

Bug = Callable[[pytest.MonkeyPatch], None]


def _asks_anew_each_time(patch: pytest.MonkeyPatch) -> None:
    """What was asked for and came late is lost."""
    original = Direct.answer

    def answer(self: Direct, seconds: float) -> Any:
        found = original(self, seconds)
        self._coming = None
        return found

    patch.setattr(Direct, "answer", answer)


def _keeps_what_was_heard(patch: pytest.MonkeyPatch) -> None:
    original = Direct.answer

    def answer(self: Direct, seconds: float) -> Any:
        coming = self._coming
        found = original(self, seconds)
        self._coming = coming if found is not None else self._coming
        return found

    patch.setattr(Direct, "answer", answer)


def _one_actor_for_all(patch: pytest.MonkeyPatch) -> None:
    original = Relay.call

    def call(self: Relay, number: int, method: str, *given: Json | bytes) -> Any:
        return original(self, 0, method, *given)

    patch.setattr(Relay, "call", call)


def _tells_of_the_relay(patch: pytest.MonkeyPatch) -> None:
    def call(self: Relayed, method: str, *given: Any) -> Any:
        return Here.get(self._relay.call.remote(self._number, method, *given))

    patch.setattr(Relayed, "_call", call)


RELAY: dict[str, Bug] = {
    "a late answer is forgotten": _asks_anew_each_time,
    "an answer is heard twice": _keeps_what_was_heard,
    "workers hear each other's answers": _one_actor_for_all,
    "another cluster is asked where the connection is lost": lambda patch: patch.setattr(
        ray_relay, "still_connected", lambda: Here
    ),
    "the traceback of the relay hides what ended the actor": _tells_of_the_relay,
}
CONNECTION: dict[str, Bug] = {
    "it gives up at once": lambda patch: patch.setattr(ray_connection, "CLIENT_TRIES", 1),
    "of a traceback its first line is told": lambda patch: patch.setattr(
        ray_connection, "line_of", lambda error: str(error).splitlines()[0]
    ),
}


@pytest.mark.parametrize("name", RELAY)
def test_a_bug_in_the_relay_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    RELAY[name](monkeypatch)
    with pytest.raises((AssertionError, ConnectionError, TaskFailed, AttributeError, pytest.fail.Exception)):
        check_every_answer_is_heard_once(monkeypatch)


@pytest.mark.parametrize("name", CONNECTION)
def test_a_bug_in_the_connection_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    CONNECTION[name](monkeypatch)
    with pytest.raises((AssertionError, BadInput)):
        check_a_client_asks_again(monkeypatch)
