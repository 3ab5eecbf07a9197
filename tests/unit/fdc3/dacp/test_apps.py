import anyio
import pytest
from anyio.lowlevel import checkpoint

from deskbus.fdc3.dacp.table import REQUESTS
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.fdc3 import HEARTBEAT_MS, LISTENER_TIMEOUT_MS
from tests.unit.fdc3.dacp.test_intents import raise_intent, settled
from tests.unit.fdc3.desk import CONTACT, INSTRUMENT, Desk, Page

OPENED = "openResponse"
PAYLOADS: list[dict[str, object]] = [
    {},
    {"context": 3},
    {"channelId": {}},
    {"app": []},
    {"intent": 1},
]


async def test_an_app_is_opened_as_a_new_instance_each_time() -> None:
    desk = Desk()
    page = desk.join("blotter")
    async with desk.service.running():
        first = await settled(page, await page.send("openRequest", app={"appId": "chart"}), OPENED)
        other = await settled(page, await page.send("openRequest", app={"appId": "chart"}), OPENED)
    found = await page.ask("findInstances", app={"appId": "chart"})
    ids = [first["appIdentifier"]["instanceId"], other["appIdentifier"]["instanceId"]]  # type: ignore[index]
    assert [each["instanceId"] for each in found["appIdentifiers"]] == ids
    assert ids[0] != ids[1]


@pytest.mark.parametrize("listens_to", ["fdc3.instrument", None])
async def test_an_app_that_is_opened_with_a_context_gets_it_once_it_listens(
    listens_to: str | None,
) -> None:
    desk = Desk()
    page = desk.join("blotter")
    pages: list[Page] = []

    async def launched(client: ClientId) -> None:
        pages.append(Page(desk, client))
        await pages[0].hear("fdc3.contact")

    desk.on_launch = launched
    async with desk.service.running():
        request = await page.send("openRequest", app={"appId": "chart"}, context=INSTRUMENT)
        with anyio.fail_after(20):
            while not pages:
                await checkpoint()
        assert page.answer_to(request, OPENED) is None
        await pages[0].hear(listens_to)
        answer = await settled(page, request, OPENED)
    assert answer["appIdentifier"]["instanceId"] == pages[0].instance.id  # type: ignore[index]
    (event,) = pages[0].events("broadcastEvent")
    assert (event["channelId"], event["context"]) == (None, INSTRUMENT)
    kinds = [each["type"] for each in pages[0].messages]
    assert kinds.index("broadcastEvent") > kinds.index("addContextListenerResponse")


async def test_an_app_that_does_not_listen_to_its_context_in_time_is_a_timeout() -> None:
    desk = Desk()
    page = desk.join("blotter")
    async with desk.service.running():
        request = await page.send("openRequest", app={"appId": "chart"}, context=CONTACT)
        with anyio.fail_after(20):
            while not desk.launched:
                await checkpoint()
        await checkpoint()
        desk.now_s += LISTENER_TIMEOUT_MS / 1000
        desk.agent.tick()
        assert await settled(page, request, OPENED) == {"error": "AppTimeout"}


async def test_an_app_that_is_not_known_is_not_opened() -> None:
    desk = Desk()
    page = desk.join("blotter")
    answer = await page.ask("open", app={"appId": "none"})
    assert answer == {"error": "AppNotFound"}
    malformed = await page.ask("open", app={"appId": "chart"}, context={"no": "type"})
    assert malformed == {"error": "MalformedContext"}
    assert await page.ask("open") == {"error": "InvalidArguments"}


async def test_who_may_not_launch_an_app_does_not_open_it() -> None:
    desk = Desk()
    page = desk.join("blotter")
    desk.grants = {}
    assert await page.ask("open", app={"appId": "chart"}) == {"error": "ErrorOnLaunch"}
    assert desk.launched == []


async def test_an_app_is_described_as_its_record_says() -> None:
    desk = Desk()
    page, chart = desk.join("blotter"), desk.join("chart")
    bare = await page.ask("getAppMetadata", app={"appId": "chart"})
    assert bare["appMetadata"]["description"] == "Draws prices."
    assert "instanceId" not in bare["appMetadata"]
    target = {"appId": "chart", "instanceId": chart.instance.id}
    one = await page.ask("getAppMetadata", app=target)
    assert one["appMetadata"]["instanceId"] == chart.instance.id
    unknown = await page.ask("getAppMetadata", app={"appId": "none"})
    assert unknown == {"error": "TargetAppUnavailable"}
    gone = await page.ask("getAppMetadata", app={"appId": "chart", "instanceId": "none"})
    assert gone == {"error": "TargetInstanceUnavailable"}


async def test_an_app_learns_who_it_is_and_which_version_is_spoken() -> None:
    page = Desk().join("blotter")
    info = (await page.ask("getInfo"))["implementationMetadata"]
    assert info["fdc3Version"] == "2.2"
    assert info["provider"] == "deskbus"
    assert info["appMetadata"]["instanceId"] == page.instance.id
    newer = await Desk(version="3.0").join("blotter").ask("getInfo")
    assert newer["implementationMetadata"]["fdc3Version"] == "3.0"


async def test_who_gives_no_sign_of_life_is_not_raised_intents_to() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewChart")
    target = {"appId": "chart", "instanceId": chart.instance.id}
    async with desk.service.running():
        for _ in range(13):
            desk.now_s += HEARTBEAT_MS / 1000
            desk.agent.tick()
            await blotter.send("heartbeatAcknowledgementRequest")
        hung = await settled(blotter, await raise_intent(blotter, app=target))
        await chart.send("heartbeatAcknowledgementRequest")
        back = await settled(blotter, await raise_intent(blotter, app=target))
    assert len(chart.events("heartbeatEvent")) >= 12
    assert hung == {"error": "TargetInstanceUnavailable"}
    assert "intentResolution" in back


@pytest.mark.parametrize("message", ["1", "{}", '{"type": "x"}', '{"type":"x","meta":{}}'])
async def test_what_is_no_request_is_refused(message: str) -> None:
    from msgspec import Raw

    desk = Desk()
    page = desk.join("blotter")
    with pytest.raises(DeskbusError, match="DACP"):
        await desk.service.send(page.identity, Raw(message.encode()))


async def test_who_has_not_connected_is_refused() -> None:
    desk = Desk()
    page = desk.join("blotter")
    await page.send("WCP6Goodbye")
    with pytest.raises(DeskbusError, match="not begun"):
        await page.send("getInfoRequest")


async def test_every_request_is_answered_whatever_its_payload_is() -> None:
    desk = Desk()
    page = desk.join("blotter")
    async with desk.service.running():
        for kind in REQUESTS:
            response = kind.removesuffix("Request") + "Response"
            for payload in PAYLOADS:
                answer = await settled(page, await page.send(kind, **payload), response)
                assert "error" not in answer or str(answer["error"]).isalpha()


async def test_an_app_closes_its_own_window_from_fdc3_3_on() -> None:
    desk = Desk(version="3.0")
    page, program = desk.join("blotter"), desk.join("feed", "main")
    async with desk.service.running():
        done = await settled(page, await page.send("closeRequest"), "closeResponse")
        refused = await settled(program, await program.send("closeRequest"), "closeResponse")
    assert done == {}
    assert refused == {"error": "ErrorOnClose"}
    assert desk.closed == [page.identity, program.identity]
