"""Whoever drives the actors of a cluster, directly or through a client, hears the same; how a client connects."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gfpbench.run import ray_connection, ray_relay
from gfpbench.run.ray_relay import Direct, Held, Relay, Relayed
from gfpbench.types import BadInput, PackageMissing

NEEDS = {"CPU": 1.0, "GPU": 0.0}
LATE = 2
"""How often an answer is waited for in vain."""


class Coming:
    def __init__(self, value: Any) -> None:
        self.value, self.left = value, LATE


class Handle:
    """An actor in this process, whose calls are run at once and whose answers come late."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any) -> Coming:
            try:
                return Coming(getattr(self._actor, name)(*given))
            except ConnectionError as error:
                return Coming(error if isinstance(self._actor, Counting) else TaskFailed(error))

        return SimpleNamespace(remote=call, options=lambda **_: SimpleNamespace(remote=call))


class TaskFailed(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__("Traceback of the relay")
        self.cause = cause


class Here:
    """In place of the package ``ray``."""

    is_connected = True
    exceptions = SimpleNamespace(RayTaskError=TaskFailed)

    @staticmethod
    def remote(**_: Any) -> Any:
        return lambda kind: SimpleNamespace(remote=lambda: Handle(kind()))

    @classmethod
    def is_initialized(cls) -> bool:
        return cls.is_connected

    @staticmethod
    def wait(all_of: list[Coming], timeout: float) -> tuple[list[Coming], list[Coming]]:
        all_of[0].left -= 1
        return (all_of if all_of[0].left < 0 else []), []

    @staticmethod
    def get(one: Coming) -> Any:
        if isinstance(one.value, Exception):
            raise one.value
        return one.value


class Counting:
    """In place of ``Actor``."""

    def __init__(self) -> None:
        self.answers = 0

    def begin(self, *_: Any) -> str:
        return "begun"

    def answer(self) -> int:
        if self.answers == 3:
            raise ConnectionError("the actor died")
        self.answers += 1
        return self.answers


def check_every_answer_is_heard_once(patch: pytest.MonkeyPatch) -> None:
    """And how an actor ended is heard as it is said. Where the connection is lost no other cluster is asked."""
    for module in (ray_relay, ray_connection):
        patch.setattr(module, "package", lambda: Here)
    patch.setattr(ray_relay, "Actor", Counting)
    relay = Handle(Relay())
    all_held: list[Held] = [Direct(NEEDS), Relayed(relay, 0, NEEDS), Relayed(relay, 1, NEEDS)]
    for held in all_held:
        held.begin("", [], {})
    heard = [[held.answer(1.0) for held in all_held] for _ in range(4 * (LATE + 1))]
    for one in zip(*heard, strict=True):
        assert [answer for answer in one if answer is not None] == ["begun", 1, 2, 3]
    for held in all_held:
        assert [held.answer(1.0) for _ in range(LATE)] == [None] * LATE
        with pytest.raises(ConnectionError, match=r"^the actor died$"):
            held.answer(1.0)
    patch.setattr(Here, "is_connected", False)
    for call in (lambda: Relayed(relay, 2, NEEDS), lambda: all_held[1].ask(b""), all_held[1].kill):
        with pytest.raises(ConnectionError, match=r"^the connection to it is lost$"):
            call()


def check_a_client_asks_again(patch: pytest.MonkeyPatch) -> None:
    """Where the server could start nothing for it; other errors are told at once."""
    patch.setenv("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "20")
    patch.setattr(ray_connection, "reachable", lambda address: address)
    for raised, times in ((ConnectionAbortedError, 3), (ConnectionError, 1), (RuntimeError, 1)):
        asked: list[str] = []

        def init(where: str, raised: type[Exception] = raised, asked: list[str] = asked, **_: Any) -> None:
            asked.append(where)
            if len(asked) < 3 or where.endswith("never"):
                raise raised("Initialization failure from server:\nTraceback (most recent call last):\n\nKind: why\n")

        patch.setattr(ray_connection, "package", lambda init=init: SimpleNamespace(is_initialized=bool, init=init))
        if times == 3:
            assert ray_connection.connected("ray://there")
            asked.clear()
        with pytest.raises(BadInput, match=r"^--engine ray: no cluster at ray://never: Kind: why$"):
            ray_connection.connected("ray://never")
        assert len(asked) == times


@pytest.mark.parametrize("check", [check_every_answer_is_heard_once, check_a_client_asks_again])
def test_the_laws_hold(monkeypatch: pytest.MonkeyPatch, check: Callable[[pytest.MonkeyPatch], None]) -> None:
    check(monkeypatch)


def test_a_client_has_a_limited_number_of_workers() -> None:
    assert [ray_relay.count_through_client(*asked) for asked in ((None, 3), (None, 100), (64, 3))] == [3, 64, 64]
    with pytest.raises(BadInput, match="--workers 65: Ray's client can have 64; give fewer, or start"):
        ray_relay.count_through_client(65, 100)


def test_without_what_the_client_needs_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(*_: Any, **__: Any) -> None:
        raise ImportError("No module named 'grpc'")

    monkeypatch.setenv("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "20")
    monkeypatch.setattr(ray_connection, "reachable", lambda address: address)
    monkeypatch.setattr(ray_connection, "package", lambda: SimpleNamespace(is_initialized=bool, init=init))
    with pytest.raises(PackageMissing, match=r"--address ray:// needs .*pip install 'ray\[client\]'"):
        ray_connection.connected("ray://there")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("", "RuntimeError"),
        ("The actor died.\n\tclass_name: Actor\n", "The actor died."),
        ("Version mismatch: started with:\n    Ray: 2.0.0\n", "Version mismatch: started with: Ray: 2.0.0"),
        ('\x1b[36mray::Relay.call()\x1b[39m (pid=1)\n  File "a.py", line 1, in call\nKeyError: 7', "KeyError: 7"),
        ("It died in \x1b[36mray::Relay\x1b[39m", "It died in ray::Relay"),
    ],
)
def test_what_ray_says_is_one_line(said: str, line: str) -> None:
    assert ray_connection.line_of(RuntimeError(said)) == line
