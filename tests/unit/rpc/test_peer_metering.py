"""An app with limits is held to them in every frame that it sends, whatever is in it."""

import pytest

from deskbus.bus.ingress.rate_limit import LEAST_CALLS_PER_S
from deskbus_protocol.errors import RATE_LIMITED
from deskbus_protocol.manifest import Limits
from tests.support.linked_backend import LinkClient, LinkedBackend, linked_backend

APP, LIMIT = "app.one", 5


async def limited(backend: LinkedBackend) -> LinkClient:
    backend.sessions.rate_limits.limit(APP, Limits(messages_per_s=LIMIT))
    return await backend.connect(APP)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("session.ping", {}),
        ("bus.subscribe", {"pattern": "a.b"}),
        ("bus.stats", {}),
        ("no.such", {}),
        ("bus.ack", {"topic": "a", "seqs": [1]}),
        ("session.mintTicket", {"app": "a.b", "client": "main"}),
    ],
)
async def test_calls_beyond_the_limit_are_refused(method: str, params: dict[str, object]) -> None:
    async with linked_backend() as backend:
        caller = await limited(backend)
        errors = [(await caller.ask(method, params)).error for _ in range(10 * LIMIT)]
        refused = [each for each in errors if each and each["code"] == RATE_LIMITED.code]
        assert len(refused) >= 10 * LIMIT - 3 * LIMIT


@pytest.mark.parametrize("kilobytes", [1, 100])
async def test_an_app_whose_bytes_alone_are_limited_is_metered_by_call(kilobytes: int) -> None:
    async with linked_backend() as backend:
        backend.sessions.rate_limits.limit(APP, Limits(bus_kb_per_s=kilobytes))
        caller = await backend.connect(APP)
        budget = max(kilobytes, LEAST_CALLS_PER_S)
        errors = [(await caller.ask("session.ping", {})).error for _ in range(3 * budget)]
        refused = [each for each in errors if each and each["code"] == RATE_LIMITED.code]
        assert 3 * budget - len(refused) >= budget
        assert len(refused) > budget / 2


async def test_a_call_takes_its_length_from_the_bytes_that_its_app_may_send() -> None:
    async with linked_backend() as backend:
        backend.sessions.rate_limits.limit(APP, Limits(bus_kb_per_s=1))
        caller = await backend.connect(APP)
        large = {"pattern": "x" * 100_000}
        assert (await caller.ask("bus.subscribe", large)).error is not None
        error = (await caller.ask("session.ping", {})).error
        assert error is not None
        assert error["code"] == RATE_LIMITED.code


async def test_an_app_that_says_all_that_it_may_can_still_call() -> None:
    async with linked_backend() as backend:
        caller = await limited(backend)
        for _ in range(10 * LIMIT):
            caller.say("bus.publish", {"topic": "a.b", "payload": 1})
        assert (await caller.ask("session.ping", {})).error is None


async def test_an_app_without_limits_is_not_metered() -> None:
    async with linked_backend() as backend:
        caller = await backend.connect(APP)
        errors = [(await caller.ask("session.ping", {})).error for _ in range(10 * LIMIT)]
        assert errors == [None] * 10 * LIMIT


async def test_another_app_is_not_held_to_it() -> None:
    async with linked_backend() as backend:
        caller = await limited(backend)
        other = await backend.connect("app.two")
        for _ in range(10 * LIMIT):
            await caller.ask("session.ping", {})
            assert (await other.ask("session.ping", {})).error is None
