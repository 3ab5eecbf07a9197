"""FDC3's part of a layout: contexts and channels that come back, and those that do not."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from deskbus.fdc3 import layout as module
from deskbus.fdc3.layout import ChannelLayout
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import LastContext
from tests.unit.fdc3.desk import CONTACT, INSTRUMENT, Desk

pytestmark = pytest.mark.requirement("F")

RED = "fdc3.channel.1"
CHART = ClientId("chart", "window")


def last(context: dict[str, Any], channel: str = RED) -> LastContext:
    return LastContext(
        channel=channel,
        type=context["type"],
        context=Raw(msgspec.json.encode(context)),
        source=CHART,
        timestamp=1,
        trace_id="t",
    )


async def share(desk: Desk, *contexts: dict[str, Any]) -> None:
    blotter = desk.join("blotter")
    for context in contexts:
        await blotter.ask("broadcast", channelId=RED, context=context)


async def test_contexts_come_back_in_their_order_and_never_in_the_place_of_newer_ones() -> None:
    desk = Desk()
    await share(desk, {**CONTACT, "name": "newer"})
    ChannelLayout(desk.agent).bring_back([last(INSTRUMENT), last(CONTACT), last({"type": "old"})])
    red = desk.agent.channels.get(RED)
    assert red is not None
    found = [(name, msgspec.json.decode(kept.context)) for name, kept in red.newest()]
    assert [name for name, _ in found] == ["fdc3.contact", "fdc3.instrument", "old"]
    assert found[0][1]["name"] == "newer"


def test_what_can_be_no_channel_or_context_is_passed_over() -> None:
    desk = Desk()
    part = ChannelLayout(desk.agent)
    part.bring_back([last(CONTACT, channel="x" * 200), last({"type": "x" * 500})])
    part.bring_back([last(CONTACT, channel="orders.own")])
    made = desk.agent.channels.get("orders.own")
    assert made is not None
    assert made.type == "app"
    part.join(CHART, "orders.own")
    part.join(CHART, "gone")
    assert desk.agent.instances.of(CHART) is None


def test_a_client_that_was_expected_and_does_not_come_is_forgotten() -> None:
    desk = Desk()
    part = ChannelLayout(desk.agent)
    moves: list[tuple[ClientId, str | None]] = []
    part.on_moved(lambda *moved: moves.append(moved))
    part.join(CHART, RED)
    assert moves == [(CHART, RED)]
    part.give_up(CHART)
    assert desk.agent.instances.of(CHART) is None


async def test_a_layout_has_no_sensitive_context_and_no_more_than_it_can_carry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    await share(desk, {"type": "small"}, {"type": "large", "of": "x" * 500}, CONTACT, INSTRUMENT)
    part = ChannelLayout(desk.agent)
    monkeypatch.setattr(module, "MAX_CONTEXT_BYTES", 300)
    kept = part.last_contexts(lambda topic: topic.endswith("fdc3.contact"), 10)
    assert [each.type for each in kept] == ["fdc3.instrument", "small"]
    assert len(part.last_contexts(lambda _: False, 1)) == 1
