"""The bus's own health: it is well only while it loses nothing."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from deskbus.bus.delivery import dead_letters, offline_queue
from deskbus.bus.delivery.dead_letters import DeadLetterQueue
from deskbus.bus.delivery.offline_queue import OfflineQueue
from deskbus.components.monitoring.health_checks import bus_check
from deskbus_protocol.envelope import ClientId


def bus(*, slow: int = 0, waiting: OfflineQueue | None = None, letters: Any = None) -> Any:
    statistics = SimpleNamespace(clients=2, subscriptions=3, slow_readers=slow)
    return SimpleNamespace(
        statistics=lambda: statistics,
        members=[SimpleNamespace(queue=waiting or OfflineQueue(lambda *_: None))],
        dead_letters=letters or DeadLetterQueue(lambda: 0),
    )


@pytest.mark.requirement("6.4")
def test_a_bus_that_loses_nothing_is_well() -> None:
    health = bus_check(cast("Any", bus()))()
    assert (health.status, health.detail) == ("ok", "2 clients, 3 subscriptions")


@pytest.mark.requirement("6.4")
def test_slow_readers_full_queues_and_full_dead_letters_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dead_letters, "MAX_LETTERS", 1)
    letters = DeadLetterQueue(lambda: 0)
    letters.add("expired", ClientId("a", "b"), b"{}", "t", 1)
    monkeypatch.setattr(offline_queue, "MAX_MESSAGES", 0)
    for lossy, words in (
        (bus(slow=1), "1 slow reader,"),
        (bus(waiting=OfflineQueue(lambda *_: None)), "1 full queue "),
        (bus(letters=letters), "dead letters are full"),
    ):
        health = bus_check(lossy)()
        assert health.status == "degraded"
        assert words in str(health.detail)
