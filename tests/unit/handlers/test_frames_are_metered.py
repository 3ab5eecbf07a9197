"""An app with limits is held to them in every frame that it sends, whatever is in it."""

import pytest

from deskbus.bus.ingress.rate_limit import LEAST_CALLS_PER_S
from deskbus_protocol.errors import RATE_LIMITED
from deskbus_protocol.manifest import Limits
from tests.unit.handlers.house import House, Visitor, house

APP, LIMIT = "app.one", 5


async def limited(home: House) -> Visitor:
    home.sessions.rate_limits.limit(APP, Limits(messages_per_s=LIMIT))
    return await home.visit(APP)


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
    async with house() as home:
        visitor = await limited(home)
        errors = [(await visitor.ask(method, params)).error for _ in range(10 * LIMIT)]
        refused = [each for each in errors if each and each["code"] == RATE_LIMITED.code]
        assert len(refused) >= 10 * LIMIT - 3 * LIMIT


@pytest.mark.parametrize("kilobytes", [1, 100])
async def test_an_app_whose_bytes_alone_are_limited_is_metered_by_call(kilobytes: int) -> None:
    async with house() as home:
        home.sessions.rate_limits.limit(APP, Limits(bus_kb_per_s=kilobytes))
        visitor = await home.visit(APP)
        budget = max(kilobytes, LEAST_CALLS_PER_S)
        errors = [(await visitor.ask("session.ping", {})).error for _ in range(3 * budget)]
        refused = [each for each in errors if each and each["code"] == RATE_LIMITED.code]
        assert 3 * budget - len(refused) >= budget
        assert len(refused) > budget / 2


async def test_a_call_takes_its_length_from_the_bytes_that_its_app_may_send() -> None:
    async with house() as home:
        home.sessions.rate_limits.limit(APP, Limits(bus_kb_per_s=1))
        visitor = await home.visit(APP)
        large = {"pattern": "x" * 100_000}
        assert (await visitor.ask("bus.subscribe", large)).error is not None
        error = (await visitor.ask("session.ping", {})).error
        assert error is not None
        assert error["code"] == RATE_LIMITED.code


async def test_an_app_that_says_all_that_it_may_can_still_call() -> None:
    async with house() as home:
        visitor = await limited(home)
        for _ in range(10 * LIMIT):
            visitor.say("bus.publish", {"topic": "a.b", "payload": 1})
        assert (await visitor.ask("session.ping", {})).error is None


async def test_an_app_without_limits_is_not_metered() -> None:
    async with house() as home:
        visitor = await home.visit(APP)
        errors = [(await visitor.ask("session.ping", {})).error for _ in range(10 * LIMIT)]
        assert errors == [None] * 10 * LIMIT


async def test_another_app_is_not_held_to_it() -> None:
    async with house() as home:
        visitor = await limited(home)
        other = await home.visit("app.two")
        for _ in range(10 * LIMIT):
            await visitor.ask("session.ping", {})
            assert (await other.ask("session.ping", {})).error is None
