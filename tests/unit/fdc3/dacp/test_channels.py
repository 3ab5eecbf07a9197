import pytest

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.fdc3 import AGENT_APP, channel_of, channel_topic
from deskbus_protocol.permissions import Grant
from tests.unit.fdc3.desk import CONTACT, INSTRUMENT, Desk

RED = "fdc3.channel.1"
RED_TOPIC = channel_topic("user", RED, "fdc3.instrument")


async def test_a_context_reaches_who_has_joined_the_channel_and_wants_its_type() -> None:
    desk = Desk()
    blotter, chart, news, off = (desk.join(app) for app in ("blotter", "chart", "news", "off"))
    for page in (blotter, chart, news):
        await page.ask("joinUserChannel", channelId=RED)
    await blotter.hear()
    await chart.hear("fdc3.instrument")
    await news.hear("fdc3.contact")
    await off.hear()

    assert await blotter.ask("broadcast", channelId=RED, context=INSTRUMENT) == {}

    (event,) = chart.events("broadcastEvent")
    assert event["context"] == INSTRUMENT
    assert event["channelId"] == RED
    assert event["originatingApp"] == {"appId": "blotter", "instanceId": blotter.instance.id}
    assert [page.events("broadcastEvent") for page in (blotter, news, off)] == [[], [], []]


async def test_what_an_app_says_of_its_source_counts_for_nothing() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.hear(channel=RED)

    await blotter.ask("broadcast", channelId=RED, context={**INSTRUMENT, "source": "bank"})

    (event,) = chart.events("broadcastEvent")
    assert event["originatingApp"]["appId"] == "blotter"
    assert event["metadata"]["source"]["appId"] == "blotter"
    assert event["metadata"]["traceId"].startswith("trace-")
    assert event["context"]["source"] == "bank"


async def test_an_app_without_fdc3_takes_part_by_the_topic() -> None:
    desk = Desk()
    chart = desk.join("chart")
    await chart.hear("fdc3.instrument", RED)

    desk.deliver(ClientId("feed", "main"), RED_TOPIC, INSTRUMENT)
    desk.deliver(ClientId("feed", "main"), RED_TOPIC, INSTRUMENT, origin="desk-b")
    desk.deliver(ClientId("feed", "main"), RED_TOPIC, ["no context"])

    here, there = chart.events("broadcastEvent")
    assert here["originatingApp"] == {"appId": "feed"}
    assert there["originatingApp"] == {"appId": "feed", "desktopAgent": "desk-b"}


async def test_the_last_context_of_each_type_is_kept_and_the_newest_comes_first() -> None:
    desk = Desk()
    page = desk.join("blotter")
    await page.ask("broadcast", channelId=RED, context=CONTACT)
    await page.ask("broadcast", channelId=RED, context=INSTRUMENT)
    await page.ask("broadcast", channelId=RED, context={**CONTACT, "name": "John"})

    async def current(context_type: str | None) -> object:
        answer = await page.ask("getCurrentContext", channelId=RED, contextType=context_type)
        return answer["context"]

    assert await current("fdc3.instrument") == INSTRUMENT
    assert await current(None) == {**CONTACT, "name": "John"}
    assert await current("fdc3.order") is None


async def test_a_context_of_an_earlier_run_is_the_last_one_until_another_comes() -> None:
    desk, page_of = Desk(), Desk()
    lines: list[bytes] = []
    page_of.agent.take = lines.append  # type: ignore[assignment, method-assign]
    page_of.deliver(ClientId("feed", "main"), RED_TOPIC, INSTRUMENT)
    desk.agent.take_back(lines[0])

    page = desk.join("chart")
    answer = await page.ask("getCurrentContext", channelId=RED, contextType=None)
    assert answer["context"] == INSTRUMENT


@pytest.mark.parametrize(
    ("method", "payload", "error"),
    [
        ("joinUserChannel", {"channelId": "none"}, "NoChannelFound"),
        ("broadcast", {"channelId": "none", "context": INSTRUMENT}, "NoChannelFound"),
        ("broadcast", {"channelId": RED, "context": {"id": 1}}, "MalformedContext"),
        ("broadcast", {"channelId": RED, "context": "text"}, "MalformedContext"),
        ("broadcast", {"channelId": RED, "context": None}, "MalformedContext"),
        ("broadcast", {"channelId": RED}, "MalformedContext"),
        ("broadcast", {"context": INSTRUMENT}, "InvalidArguments"),
        ("broadcast", {"channelId": RED, "context": {"type": "x" * 200}}, "MalformedContext"),
        ("addContextListener", {"channelId": "none", "contextType": None}, "NoChannelFound"),
        ("addContextListener", {"channelId": None, "contextType": 7}, "InvalidArguments"),
        ("contextListenerUnsubscribe", {"listenerUUID": "none"}, "InvalidArguments"),
        ("getCurrentContext", {"channelId": "none", "contextType": None}, "NoChannelFound"),
        ("getOrCreateChannel", {"channelId": "x" * 500}, "CreationFailed"),
        ("privateChannelDisconnect", {"channelId": "none"}, "NoChannelFound"),
        ("privateChannelDisconnect", {"channelId": RED}, "NoChannelFound"),
    ],
)
async def test_a_request_that_can_not_be_answered_has_an_error_of_the_standard(
    method: str, payload: dict[str, object], error: str
) -> None:
    assert await Desk().join("blotter").ask(method, **payload) == {"error": error}


async def test_an_app_channel_is_made_once_and_a_private_one_can_not_be_had_by_its_id() -> None:
    desk = Desk()
    one, other = desk.join("blotter"), desk.join("chart")
    made = await one.ask("getOrCreateChannel", channelId="orders of today.x")
    assert made["channel"]["type"] == "app"
    assert await other.ask("getOrCreateChannel", channelId="orders of today.x") == made
    private = (await one.ask("createPrivateChannel"))["privateChannel"]["id"]

    for answer in (
        await other.ask("getOrCreateChannel", channelId=private),
        await other.ask("addContextListener", channelId=private, contextType=None),
        await other.ask("broadcast", channelId=private, context=INSTRUMENT),
        await other.ask("getCurrentContext", channelId=private, contextType=None),
        await other.ask("privateChannelAddEventListener", privateChannelId=private),
    ):
        assert answer == {"error": "AccessDenied"}


async def test_a_private_channel_tells_of_listeners_that_come_and_go() -> None:
    desk = Desk()
    page = desk.join("blotter")
    private = (await page.ask("createPrivateChannel"))["privateChannel"]["id"]
    await page.ask("privateChannelAddEventListener", privateChannelId=private, listenerType=None)

    listener = await page.hear("fdc3.contact", private)
    await page.ask("contextListenerUnsubscribe", listenerUUID=listener)
    await page.hear("fdc3.instrument", private)
    await page.ask("privateChannelDisconnect", channelId=private)

    (came,) = page.events("privateChannelOnAddContextListenerEvent")[:1]
    assert came == {"privateChannelId": private, "contextType": "fdc3.contact"}
    gone = page.events("privateChannelOnUnsubscribeEvent")
    assert [each["contextType"] for each in gone] == ["fdc3.contact", "fdc3.instrument"]
    assert page.events("privateChannelOnDisconnectEvent") == [{"privateChannelId": private}]


async def test_a_private_channel_that_nobody_can_use_any_more_is_forgotten() -> None:
    desk = Desk()
    page = desk.join("blotter")
    private = (await page.ask("createPrivateChannel"))["privateChannel"]["id"]
    await page.ask("broadcast", channelId=private, context=INSTRUMENT)

    desk.agent.client_ended(page.identity)

    assert desk.agent.channels.get(private) is None
    assert channel_topic("private", private, "fdc3.instrument") in desk.forgotten


async def test_an_app_that_joins_a_channel_is_told_and_can_leave_it() -> None:
    page = Desk().join("blotter")
    await page.ask("addEventListener", type="USER_CHANNEL_CHANGED")
    await page.ask("joinUserChannel", channelId=RED)
    assert (await page.ask("getCurrentChannel"))["channel"]["displayMetadata"]["color"] == "red"
    await page.ask("leaveCurrentChannel")
    assert await page.ask("getCurrentChannel") == {"channel": None}
    changes = page.events("channelChangedEvent")
    assert [change["newChannelId"] for change in changes] == [RED, None]


async def test_without_the_permission_nothing_is_shared_or_seen() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    desk.grants = {"blotter": [Grant("fdc3.context.write", "fdc3%2Echannel%2E1.fdc3.contact")]}

    denied = {"error": "AccessDenied"}
    assert await blotter.ask("broadcast", channelId=RED, context=INSTRUMENT) == denied
    assert await blotter.ask("broadcast", channelId=RED, context=CONTACT) == {}
    assert await chart.ask("addContextListener", channelId=RED, contextType=None) == denied
    look = await chart.ask("getCurrentContext", channelId=RED, contextType="fdc3.contact")
    assert look == denied
    assert desk.asked == [
        Grant("fdc3.context.write", "fdc3%2Echannel%2E1.fdc3.instrument"),
        Grant("fdc3.context.read", "fdc3%2Echannel%2E1.#"),
        Grant("fdc3.context.read", "fdc3%2Echannel%2E1.fdc3.contact"),
    ]


async def test_an_app_that_may_see_some_types_gets_those_and_no_other() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    desk.grants = {
        "blotter": [Grant("fdc3.context.write", "#")],
        "chart": [Grant("fdc3.context.read", "*.fdc3.contact")],
    }
    await chart.hear(None, RED)
    await blotter.ask("broadcast", channelId=RED, context=CONTACT)
    await blotter.ask("broadcast", channelId=RED, context=INSTRUMENT)

    assert [event["context"] for event in chart.events("broadcastEvent")] == [CONTACT]
    newest = await chart.ask("getCurrentContext", channelId=RED, contextType=None)
    assert newest["context"] == CONTACT

    desk.grants["chart"] = []
    desk.agent.listeners_changed()
    await blotter.ask("broadcast", channelId=RED, context=CONTACT)
    assert len(chart.events("broadcastEvent")) == 1


async def test_a_page_that_comes_anew_keeps_its_identity_and_channel_and_no_listener() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.ask("joinUserChannel", channelId=RED)
    await chart.hear()

    again = desk.join("chart")
    await blotter.ask("broadcast", channelId=RED, context=INSTRUMENT)

    assert again.instance is chart.instance
    assert again.events("broadcastEvent") == []
    assert (await again.ask("getCurrentChannel"))["channel"]["id"] == RED


async def test_a_context_that_is_cleared_is_gone_for_everybody_and_told() -> None:
    desk = Desk(version="3.0")
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.ask("addEventListener", type="CONTEXT_CLEARED")
    for context in (CONTACT, INSTRUMENT):
        await blotter.ask("broadcast", channelId=RED, context=context)

    assert await blotter.ask("clearContext", channelId=RED, contextType="fdc3.contact") == {}
    newest = await chart.ask("getCurrentContext", channelId=RED, contextType=None)
    assert newest["context"] == INSTRUMENT
    assert await blotter.ask("clearContext", channelId=RED, contextType=None) == {}
    nothing = await chart.ask("getCurrentContext", channelId=RED, contextType=None)

    assert nothing == {"context": None}
    assert chart.events("contextClearedEvent") == [
        {"channelId": RED, "contextType": "fdc3.contact"},
        {"channelId": RED, "contextType": "fdc3.instrument"},
    ]


async def test_who_may_not_write_on_a_channel_does_not_clear_it() -> None:
    desk = Desk(version="3.0")
    blotter = desk.join("blotter")
    desk.grants = {"blotter": [Grant("fdc3.context.read", "#")]}
    refused = await blotter.ask("clearContext", channelId=RED, contextType=None)
    assert refused == {"error": "AccessDenied"}


async def test_what_fdc3_3_adds_is_no_request_of_2_2() -> None:
    page = Desk().join("blotter")
    with pytest.raises(DeskbusError, match="no such request"):
        await page.send("clearContextRequest", channelId=RED, contextType=None)


async def test_metadata_of_a_context_comes_along_in_a_header_that_any_app_can_read() -> None:
    desk = Desk(version="3.0")
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.hear(None, RED)
    custom = {"custom": {"n": 1}, "timestamp": "never"}
    await blotter.ask("broadcast", channelId=RED, context=CONTACT, metadata=custom)
    desk.deliver(
        ClientId("feed", "main"), RED_TOPIC, INSTRUMENT, headers={"fdc3-metadata": "no JSON"}
    )
    one, other = chart.events("broadcastEvent")
    assert one["metadata"]["custom"] == {"n": 1}
    assert one["metadata"]["timestamp"].startswith("2023-")
    assert "custom" not in other["metadata"]


async def test_five_hundred_contexts_reach_fifty_listeners_in_order() -> None:
    desk = Desk()
    blotter = desk.join("blotter")
    readers = [desk.join("chart", f"window-{n}") for n in range(50)]
    for reader in readers:
        await reader.hear("fdc3.instrument", RED)
    for number in range(500):
        await blotter.ask("broadcast", channelId=RED, context={**INSTRUMENT, "n": number})
    for reader in readers:
        got = [event["context"]["n"] for event in reader.events("broadcastEvent")]
        assert got == list(range(500))


@pytest.mark.parametrize("channel", ["red", "a.b", "ä ö", "x*#%/", "fdc3.channel.1"])
@pytest.mark.parametrize("context_type", ["fdc3.instrument", "plain", "a..b", "com.*.x", "#"])
def test_a_topic_names_any_channel_and_type(channel: str, context_type: str) -> None:
    topic = channel_topic("app", channel, context_type)
    assert channel_of(topic) == ("app", channel)
    assert "*" not in topic
    assert "#" not in topic


def test_other_topics_are_no_channels() -> None:
    assert [channel_of(topic) for topic in ("fdc3.channel", "fdc3.inbox.x.y.z.a")] == [None, None]
    assert channel_of("fdc3.channel.other.red.x") is None
    assert AGENT_APP.startswith("deskbus.")
