"""Budgets of messages: over all connections of an app, refused beyond, nobody else's business."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import UNSET, Raw

from deskbus.bus.ingress.rate_limit import HOLD_S, RateLimitedPublisher, RateLimits
from deskbus_protocol.errors import RATE_LIMITED, DeskbusError
from deskbus_protocol.manifest import Limits
from tests.support.clocks import ManualClock


class Publisher:
    """The publisher behind the rate limit."""

    def __init__(self) -> None:
        self.routed: list[str] = []

    def publish_plain(self, messages: Any, refuse: Any) -> str:
        self.routed += [message.topic for message in messages]
        return "routed"

    def publish(self, topic: str, payload: Raw, options: Any) -> str:
        self.routed.append(topic)
        return "routed"

    check_durable = when_durable = acknowledge = respond = publish


def message(topic: str, size: int = 10) -> Any:
    return SimpleNamespace(topic=topic, payload=Raw(b"x" * size), durable=False)


def metered(limits: Limits) -> tuple[Any, Publisher, list[float], ManualClock, RateLimits]:
    clock, holds, behind = ManualClock(0.0), list[float](), Publisher()
    rate_limits = RateLimits(lambda _: None, clock)
    rate_limits.limit("desk.app", limits)
    rate_limit = rate_limits.of("desk.app")
    assert rate_limit is not None
    return RateLimitedPublisher(behind, rate_limit, holds.append), behind, holds, clock, rate_limits  # type: ignore[arg-type]


def test_an_app_without_limits_has_no_meter() -> None:
    heard: list[str] = []
    rate_limits = RateLimits(heard.append)
    rate_limits.limit("desk.app", Limits())
    assert rate_limits.of("desk.app") is None
    assert rate_limits.excess_per_s("desk.app") == (0, 0)
    rate_limits.check("desk.app", 10**9)
    assert heard == []
    rate_limits.limit("desk.app", Limits(messages_per_s=1))
    rate_limits.limit("desk.app", Limits())
    assert heard == ["desk.app", "desk.app"], "both ways, its connections are told"


@pytest.mark.requirement("4.4")
def test_what_is_beyond_the_budget_is_refused_and_the_app_held_back() -> None:
    publisher, behind, holds, clock, rate_limits = metered(Limits(messages_per_s=3))
    refused: list[tuple[str, str]] = []

    def refuse(error: DeskbusError, topic: str) -> None:
        refused.append((error.kind.name, topic))

    assert publisher.publish_plain([message("a"), message("b")], refuse) == "routed"
    assert holds == []
    assert publisher.publish_plain([message("c"), message("d"), message("e")], refuse) is None
    assert behind.routed == ["a", "b", "c"]
    assert refused == [("rate_limited", "d"), ("rate_limited", "e")]
    assert holds == [HOLD_S]
    clock.now_s = 1.0
    assert rate_limits.excess_per_s("desk.app") == (5, 0)
    assert publisher.publish_plain([message("f")], refuse) == "routed"
    assert rate_limits.excess_per_s("desk.app") == (0, 0)


def test_a_large_message_is_paid_for_afterwards() -> None:
    publisher, behind, _, clock, rate_limits = metered(Limits(bus_kb_per_s=1))
    assert publisher.publish_plain([message("large", 4096)], print)
    with pytest.raises(DeskbusError) as refused:
        publisher.publish("more", Raw(b"x"), UNSET)
    assert refused.value.kind is RATE_LIMITED
    assert refused.value.kind.retryable
    clock.now_s = 2.0
    assert rate_limits.excess_per_s("desk.app")[1] > 1024
    with pytest.raises(DeskbusError):
        rate_limits.check("desk.app", 1)
    clock.now_s = 3.5
    assert publisher.publish("more", Raw(b"x"), UNSET)
    assert behind.routed == ["large", "more"]
