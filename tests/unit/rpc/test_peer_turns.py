"""Calls that one app sends at once are begun a few in each turn of the loop, over all its links."""

from collections.abc import Iterator

import anyio.lowlevel
import pytest

from deskbus.rpc import frames
from tests.support.linked_backend import LinkClient, linked_backend

AT_ONCE = 40


def pile_up(caller: LinkClient) -> None:
    for number in range(AT_ONCE):
        caller.say_as(1000 + number, "session.ping", {})


async def test_another_app_is_answered_before_all_that_one_has_piled_up() -> None:
    async with linked_backend() as backend:
        busy = [await backend.connect("app.busy", f"client-{number}") for number in range(4)]
        other = await backend.connect("app.other")
        for link in busy:
            pile_up(link)
        await other.call("session.ping", {})
        answered = sum(len(link.unasked) for link in busy)
        assert answered < len(busy) * AT_ONCE / 2
        with anyio.fail_after(20):
            while sum(len(link.unasked) for link in busy) < len(busy) * AT_ONCE:
                await anyio.lowlevel.checkpoint()


async def test_calls_of_a_link_that_closed_before_their_turn_hold_nothing() -> None:
    async with linked_backend() as backend:
        stays = await backend.connect("app.busy")
        leaves = await backend.connect("app.busy", "other")
        pile_up(leaves)
        await leaves.leave()
        for _ in range(AT_ONCE):
            await stays.call("session.ping", {})
        connection = next(c for who, c in backend.sessions._open.items() if who.client == "main")
        assert connection.peer.calls.pending.calls <= 1


async def test_a_frame_that_breaks_its_link_leaves_the_apps_other_links_their_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checking = frames.checking

    def breaks(frame: bytes) -> Iterator[bool]:
        if b"poison" in frame:
            raise LookupError("broken")
        return checking(frame)

    monkeypatch.setattr(frames, "checking", breaks)
    async with linked_backend() as backend:
        broken = await backend.connect("app.busy", "broken")
        other = await backend.connect("app.busy", "other")
        pile_up(broken)
        broken.say_as(1, "session.ping", {"poison": True})
        pile_up(other)
        with anyio.fail_after(20):
            await broken.closed.wait()
            while len(other.unasked) < AT_ONCE:
                await anyio.lowlevel.checkpoint()
        with anyio.fail_after(20):
            while any(who.client == "broken" for who in backend.sessions._open):
                await anyio.lowlevel.checkpoint()
