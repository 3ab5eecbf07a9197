"""An operator sees every link, closes one, and says how many there may be."""

from typing import Any

import anyio
import pytest

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    CONFLICT,
    INVALID_PARAMS,
    NOT_FOUND,
    OVERLOADED,
    PERMISSION_DENIED,
    TICKET_REFUSED,
    UNAVAILABLE,
)
from deskbus_protocol.events import LinkClosed, LinkLimitsChanged
from tests.support.linked_backend import LinkClient, LinkedBackend, linked_backend


async def links_of(operator: LinkClient, app: str) -> list[dict[str, Any]]:
    found = await operator.call("links.list", {"app": app})
    assert found["total"] == len(found["links"])
    return list(found["links"])


async def try_to_open(
    backend: LinkedBackend, app: str, client: str = "late"
) -> dict[str, Any] | None:
    """The error of one more session; None where it opened."""
    ticket = backend.tickets.mint(ClientId(app, client))
    params = {"ticket": ticket, "app": app, "protocolVersion": PROTOCOL_VERSION}
    return (await backend.link().ask("session.open", params)).error


async def test_a_link_tells_whose_it_is_and_what_it_carried() -> None:
    async with linked_backend() as backend:
        operator, app = await backend.operator(), await backend.connect("app.one", "window-1")
        (before,) = await links_of(operator, "app.one")
        await app.call("session.ping", {})
        (after,) = await links_of(operator, "app.one")
    assert (after["app"], after["client"]) == ("app.one", "window-1")
    assert after["transport"] == "memory"
    assert after["number"] == before["number"]
    assert after["sentFrames"] == before["sentFrames"] + 1
    assert after["receivedBytes"] > before["receivedBytes"]
    assert after["sentBytes"] > before["sentBytes"]
    assert after["age"] >= before["age"] >= 0
    assert not after["slow"]


async def test_frames_of_one_turn_go_out_together() -> None:
    async with linked_backend() as backend:
        operator, reader = await backend.operator(), await backend.connect("app.reader")
        await reader.call("bus.subscribe", {"pattern": "t.#"})
        (before,) = await links_of(operator, "app.reader")
        sender = await backend.connect("app.sender")
        for number in range(10):
            sender.say("bus.publish", {"topic": "t.x", "payload": number})
        await sender.call("session.ping", {})
        (after,) = await links_of(operator, "app.reader")
    frames = after["sentFrames"] - before["sentFrames"]
    assert frames == 10
    # One where the ten took less than a turn may.
    assert 1 <= after["writes"] - before["writes"] < frames


async def test_a_link_without_a_session_is_listed_without_an_app() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        backend.link()
        found = await operator.call("links.list", {})
    assert [link.get("app") for link in found["links"]].count(None) == 1
    assert found["total"] == 2


async def test_more_links_than_are_asked_for_are_counted() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        for number in range(5):
            await backend.connect("app.many", f"client-{number}")
        found = await operator.call("links.list", {"app": "app.many", "limit": 2})
    assert (len(found["links"]), found["total"]) == (2, 5)


async def test_a_closed_link_is_recorded_first() -> None:
    async with linked_backend() as backend:
        operator, app = await backend.operator(), await backend.connect("app.one")
        (link,) = await links_of(operator, "app.one")
        await operator.call("links.close", {"number": link["number"]})
        with anyio.fail_after(20):
            await app.closed.wait()
        assert await links_of(operator, "app.one") == []
    assert backend.trail.committed == [
        LinkClosed(app="app.one", client="main", actor="person", transport="memory")
    ]


async def test_a_link_that_is_gone_can_not_be_closed() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        refused = await operator.ask("links.close", {"number": 1000})
    assert refused.error
    assert refused.error["code"] == NOT_FOUND.code
    assert backend.trail.committed == []


@pytest.mark.parametrize("method", ["links.list", "links.close", "links.setLimits"])
async def test_no_app_sees_or_closes_links(method: str) -> None:
    async with linked_backend() as backend:
        app = await backend.connect("app.one")
        params = {"number": 1} if method == "links.close" else {}
        refused = await app.ask(method, params)
    assert refused.error
    assert refused.error["code"] == PERMISSION_DENIED.code


@pytest.mark.requirement("7.1")
async def test_an_app_has_as_many_sessions_as_the_limit_allows() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        await operator.call("links.setLimits", {"maxLinksOfApp": 2})
        first = await backend.connect("app.one", "a")
        await backend.connect("app.one", "b")
        refused = await try_to_open(backend, "app.one")
        assert refused
        assert refused["code"] == OVERLOADED.code
        assert "max_links_of_app" in refused["data"]["action"]
        assert await try_to_open(backend, "app.two") is None
        await first.leave()
        with anyio.fail_after(20):
            while len(await links_of(operator, "app.one")) > 1:
                await anyio.lowlevel.checkpoint()
        assert await try_to_open(backend, "app.one") is None


async def test_a_client_that_comes_back_in_its_own_place_takes_no_other() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        await operator.call("links.setLimits", {"maxLinksOfApp": 1})
        caller = await backend.connect("app.one")
        params = {
            "resumeToken": caller.token,
            "lastSeqs": {},
            "protocolVersion": PROTOCOL_VERSION,
        }
        assert (await backend.link().ask("session.resume", params)).error is None
        assert len(await links_of(operator, "app.one")) == 1


async def with_ticket(backend: LinkedBackend, ticket: str, **more: object) -> Any:
    """The error of `session.open` on a new link; None where it opened."""
    params = {"ticket": ticket, "app": "app.one", "protocolVersion": PROTOCOL_VERSION, **more}
    return (await backend.link().ask("session.open", params)).error


@pytest.mark.requirement("6.3")
@pytest.mark.parametrize("more", [{}, {"resume": True}, {"resume": True, "lastSeqs": {}}])
async def test_a_client_takes_its_own_place_with_a_new_ticket_at_the_limit(
    more: dict[str, object],
) -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        await operator.call("links.setLimits", {"maxLinksOfApp": 1})
        first = await backend.connect("app.one", "a")
        ticket = backend.tickets.mint(ClientId("app.one", "a"))
        assert await with_ticket(backend, ticket, **more) is None
        with anyio.fail_after(20):
            await first.closed.wait()
        assert len(await links_of(operator, "app.one")) == 1


async def test_a_ticket_that_finds_no_room_stays_good_and_a_wrong_one_learns_nothing() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        await operator.call("links.setLimits", {"maxLinksOfApp": 1})
        first = await backend.connect("app.one", "a")
        ticket = backend.tickets.mint(ClientId("app.one", "b"))
        assert (await with_ticket(backend, ticket))["code"] == OVERLOADED.code
        assert (await with_ticket(backend, "x" * 43))["code"] == TICKET_REFUSED.code
        await first.leave()
        with anyio.fail_after(20):
            while await links_of(operator, "app.one"):
                await anyio.lowlevel.checkpoint()
        assert await with_ticket(backend, ticket) is None


async def test_clients_that_come_back_at_the_same_time_are_no_more_than_the_limit() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        tokens = []
        for client in "abcdef":
            caller = await backend.connect("app.one", client)
            tokens.append(caller.token)
            await caller.leave()
        await operator.call("links.setLimits", {"maxLinksOfApp": 2})
        # Many topics are looked through in many turns of the loop.
        feed = await backend.connect("app.two")
        for number in range(4000):
            feed.say("bus.publish", {"topic": f"prices.{number}", "payload": 1})
        await feed.call("session.ping", {})
        seqs = {f"prices.{number}": 0 for number in range(0, 4000, 4)}
        refusals: list[int] = []

        async def come_back(token: str) -> None:
            params = {"resumeToken": token, "lastSeqs": seqs, "protocolVersion": PROTOCOL_VERSION}
            error = (await backend.link().ask("session.resume", params)).error
            if error:
                refusals.append(error["code"])

        async with anyio.create_task_group() as tasks:
            for token in tokens:
                tasks.start_soon(come_back, token)
        assert refusals == [OVERLOADED.code] * 4
        assert len(await links_of(operator, "app.one")) == 2


async def test_a_client_that_finds_no_room_keeps_its_way_back() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        away = await backend.connect("app.one", "away")
        await away.leave()
        await operator.call("links.setLimits", {"maxLinksOfApp": 1})
        here = await backend.connect("app.one", "here")
        params = {"resumeToken": away.token, "lastSeqs": {}, "protocolVersion": PROTOCOL_VERSION}
        refused = await backend.link().ask("session.resume", params)
        assert refused.error
        assert refused.error["code"] == OVERLOADED.code
        await here.leave()
        with anyio.fail_after(20):
            while await links_of(operator, "app.one"):
                await anyio.lowlevel.checkpoint()
        assert (await backend.link().ask("session.resume", params)).error is None


async def test_a_link_beyond_the_limit_of_all_is_told_why() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        await operator.call("links.setLimits", {"maxLinks": 1})
        late = backend.link()
        with anyio.fail_after(20):
            await late.closed.wait()
        (told,) = late.unasked
        assert told.error
        assert told.error["code"] == UNAVAILABLE.code
        assert "max_links" in told.error["data"]["action"]
        await operator.call("links.setLimits", {"maxLinks": 2})
        await backend.connect("app.one")


async def test_changed_limits_are_recorded_and_an_impossible_one_changes_nothing() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        changed = await operator.call("links.setLimits", {"maxLinks": 10})
        assert changed == {"maxLinks": 10, "maxLinksOfApp": 1024}
        refused = await operator.ask("links.setLimits", {"maxLinks": 0, "maxLinksOfApp": 1})
        assert refused.error
        assert refused.error["code"] == INVALID_PARAMS.code
        found = await operator.call("links.list", {})
        assert found["limits"] == changed
    assert backend.trail.committed == [
        LinkLimitsChanged(actor="person", max_links=10, max_links_of_app=1024)
    ]


async def test_the_shells_link_is_not_closed() -> None:
    async with linked_backend() as backend:
        operator = await backend.operator()
        backend.shell_link()
        await anyio.lowlevel.checkpoint()
        found = await operator.call("links.list", {})
        (shell,) = [link for link in found["links"] if link["shell"]]
        refused = await operator.ask("links.close", {"number": shell["number"]})
    assert refused.error
    assert refused.error["code"] == CONFLICT.code
