"""Rates of topics as operators see them: of a first look from the last messages, then from seqs."""

import pytest
from msgspec import Raw

from deskbus.bus.route import HISTORY_MESSAGES
from deskbus.bus.traffic import Traffic
from deskbus_protocol.envelope import ClientId
from tests.support.linked_backend import LinkedBackend, linked_backend


def publish(backend: LinkedBackend, times: int, topic: str = "t.x") -> None:
    writer = backend.bus.member(ClientId("app.one", "main"))
    for _ in range(times):
        backend.bus.broker.publish(writer.client, topic, Raw(b"1"))


async def rate(traffic: Traffic, topic: str = "t.x") -> float:
    (found,) = (await traffic.look(topic, 10)).topics
    return found.rate


@pytest.mark.requirement("7.1")
async def test_two_messages_of_one_moment_are_no_thousand_a_second() -> None:
    async with linked_backend() as backend:
        await backend.connect("app.one")
        publish(backend, 2)
        backend.now_ms += 1
        assert await rate(Traffic(backend.bus, lambda: backend.now_ms)) < 2


@pytest.mark.requirement("7.1")
async def test_a_first_look_tells_the_rate_of_the_last_messages() -> None:
    async with linked_backend() as backend:
        await backend.connect("app.one")
        for _ in range(21):
            publish(backend, 1)
            backend.now_ms += 100
        assert await rate(Traffic(backend.bus, lambda: backend.now_ms)) == pytest.approx(
            10, rel=0.1
        )


@pytest.mark.requirement("7.1")
async def test_a_later_look_tells_what_came_since_the_one_before() -> None:
    async with linked_backend() as backend:
        await backend.connect("app.one")
        traffic = Traffic(backend.bus, lambda: backend.now_ms)
        publish(backend, 1)
        await rate(traffic)
        publish(backend, 50)
        backend.now_ms += 2_000
        assert await rate(traffic) == 25
        backend.now_ms += 2_000
        assert await rate(traffic) == 0


@pytest.mark.requirement("7.1")
async def test_a_writer_that_the_last_messages_miss_is_told_from_those_before() -> None:
    async with linked_backend() as backend:
        await backend.connect("app.one")
        await backend.connect("app.two")
        traffic = Traffic(backend.bus, lambda: backend.now_ms)
        other = backend.bus.member(ClientId("app.two", "main")).client
        backend.bus.broker.publish(other, "t.x", Raw(b"1"))
        publish(backend, 1)
        shares = []
        for _ in range(12):
            (found,) = (await traffic.look("t.x", 10)).topics
            shares.append({writer.app: writer.share for writer in found.writers})
            publish(backend, HISTORY_MESSAGES)
            backend.now_ms += 1_000
    assert shares[0] == {"app.one": 0.5, "app.two": 0.5}
    assert shares[1]["app.two"] == pytest.approx(0.3)
    assert all(sum(each.values()) == pytest.approx(1) for each in shares)
    assert shares[-1] == {"app.one": 1}
