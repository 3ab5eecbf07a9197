from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from deskbus.fdc3.ports import Candidate
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import LAUNCH_TIMEOUT_MS, LISTENER_TIMEOUT_MS, choice_scope
from deskbus_protocol.permissions import Grant
from tests.unit.fdc3.desk import CONTACT, INSTRUMENT, Desk, Page, unavailable

RAISED = "raiseIntentResponse"
RESULT = "raiseIntentResultResponse"


async def settled(page: Page, request: str, kind: str = RAISED) -> dict[str, object]:
    """The response, once it is there."""
    with anyio.fail_after(20):
        while (answer := page.answer_to(request, kind)) is None:
            await checkpoint()
    return answer


async def raise_intent(page: Page, intent: str = "ViewChart", **more: object) -> str:
    payload = {"intent": intent, "context": INSTRUMENT, **more}
    return await page.send("raiseIntentRequest", **payload)


async def test_an_intent_reaches_the_one_app_that_runs_and_takes_it() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewChart")
    async with desk.service.running():
        answer = await settled(blotter, await raise_intent(blotter))

    source = {"appId": "chart", "instanceId": chart.instance.id}
    assert answer == {"intentResolution": {"intent": "ViewChart", "source": source}}
    (event,) = chart.events("intentEvent")
    assert event["context"] == INSTRUMENT
    assert event["originatingApp"]["instanceId"] == blotter.instance.id


async def test_a_request_that_fails_is_answered_and_the_next_one_is_served() -> None:
    desk = Desk()
    blotter = desk.join("blotter")

    def broken(_: Sequence[Candidate]) -> Candidate:
        raise LookupError("broken")

    async with desk.service.running():
        for _ in range(2):
            desk.choice = broken
            request = await raise_intent(blotter, "ViewNews")
            assert await settled(blotter, request) == {"error": "ApiTimeout"}
            desk.choice = lambda _: None
            request = await raise_intent(blotter, "ViewNews")
            assert await settled(blotter, request) == {"error": "UserCancelledResolution"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"intentResult": {"context": CONTACT}}, {"intentResult": {"context": CONTACT}}),
        ({"intentResult": {}}, {"intentResult": {}}),
        ({"error": "IntentHandlerRejected"}, {"error": "IntentHandlerRejected"}),
    ],
)
async def test_the_result_goes_to_who_raised_the_intent(
    given: dict[str, object], told: dict[str, object]
) -> None:
    desk = Desk()
    blotter, chart, thief = desk.join("blotter"), desk.join("chart"), desk.join("thief")
    await chart.listen("ViewChart")
    async with desk.service.running():
        request = await raise_intent(blotter)
        await settled(blotter, request)
    (event,) = chart.events("intentEvent")
    key = event["raiseIntentRequestUuid"]

    stolen = await thief.ask("intentResult", raiseIntentRequestUuid=key, intentResult={})
    assert stolen == {"error": "InvalidArguments"}
    assert await chart.ask("intentResult", raiseIntentRequestUuid=key, **given) == {}
    assert blotter.answer_to(request, RESULT) == told
    again = await chart.ask("intentResult", raiseIntentRequestUuid=key, **given)
    assert again == {"error": "InvalidArguments"}


async def test_a_private_channel_as_the_result_is_open_to_both_and_nobody_else() -> None:
    desk = Desk()
    blotter, chart, other = desk.join("blotter"), desk.join("chart"), desk.join("other")
    await chart.listen("ViewChart")
    async with desk.service.running():
        request = await raise_intent(blotter)
        await settled(blotter, request)
    private = (await chart.ask("createPrivateChannel"))["privateChannel"]
    (event,) = chart.events("intentEvent")
    await chart.ask(
        "intentResult",
        raiseIntentRequestUuid=event["raiseIntentRequestUuid"],
        intentResult={"channel": private},
    )

    told = blotter.answer_to(request, RESULT)
    assert told is not None
    assert told["intentResult"]["channel"]["id"] == private["id"]
    await blotter.hear(None, private["id"])
    await chart.ask("broadcast", channelId=private["id"], context=CONTACT)
    assert [each["context"] for each in blotter.events("broadcastEvent")] == [CONTACT]
    refused = await other.ask("addContextListener", channelId=private["id"], contextType=None)
    assert refused == {"error": "AccessDenied"}


async def test_an_app_that_does_not_run_is_launched_and_gets_the_intent_when_it_listens() -> None:
    desk = Desk()
    blotter = desk.join("blotter")
    pages: list[Page] = []

    async def launched(client: ClientId) -> None:
        pages.append(Page(desk, client))

    desk.on_launch = launched
    async with desk.service.running():
        request = await raise_intent(blotter)
        assert blotter.answer_to(request, RAISED) is None
        with anyio.fail_after(20):
            while not pages:
                await checkpoint()
        await pages[0].listen("ViewNews")
        assert pages[0].events("intentEvent") == []
        await pages[0].listen("ViewChart")
        answer = await settled(blotter, request)

    assert answer["intentResolution"]
    assert len(pages[0].events("intentEvent")) == 1
    # The listener is known to the app before its first intent comes.
    kinds = [each["type"] for each in pages[0].messages]
    assert kinds.index("addIntentListenerResponse") < kinds.index("intentEvent")


async def test_an_app_that_does_not_listen_in_time_is_told_of_as_undeliverable() -> None:
    desk = Desk()
    blotter = desk.join("blotter")
    async with desk.service.running():
        request = await raise_intent(blotter)
        with anyio.fail_after(20):
            while not desk.launched:
                await checkpoint()
        await checkpoint()
        desk.now_s += LISTENER_TIMEOUT_MS / 1000 - 1
        desk.agent.tick()
        await checkpoint()
        assert blotter.answer_to(request, RAISED) is None
        desk.now_s += 1
        desk.agent.tick()
        assert await settled(blotter, request) == {"error": "IntentDeliveryFailed"}
    assert LISTENER_TIMEOUT_MS >= 15_000
    assert LAUNCH_TIMEOUT_MS == 100_000


async def test_a_launch_that_fails_is_an_intent_that_was_not_delivered() -> None:
    desk = Desk()
    desk.launch_error = unavailable()
    blotter = desk.join("blotter")
    async with desk.service.running():
        answer = await settled(blotter, await raise_intent(blotter))
        opened = await blotter.send("openRequest", app={"appId": "chart"})
        refused = await settled(blotter, opened, "openResponse")
    assert answer == {"error": "IntentDeliveryFailed"}
    assert refused == {"error": "ErrorOnLaunch"}


async def test_an_app_that_ends_while_it_owes_a_result_leaves_nobody_waiting() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewChart")
    async with desk.service.running():
        request = await raise_intent(blotter)
        await settled(blotter, request)
    desk.agent.client_ended(chart.identity)
    assert blotter.answer_to(request, RESULT) == {"error": "NoResultReturned"}


async def test_a_page_that_navigates_away_before_it_listens_leaves_nobody_waiting() -> None:
    desk = Desk()
    blotter = desk.join("blotter")
    async with desk.service.running():
        request = await raise_intent(blotter)
        with anyio.fail_after(20):
            while not desk.launched:
                await checkpoint()
        await checkpoint()
        desk.agent.client_ended(desk.launched[0])
        assert await settled(blotter, request) == {"error": "IntentDeliveryFailed"}


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"intent": "Nothing"}, "NoAppsFound"),
        ({"context": {"type": "fdc3.order"}}, "NoAppsFound"),
        ({"context": {}}, "MalformedContext"),
        ({"intent": ""}, "InvalidArguments"),
        ({"app": {"appId": "none"}}, "TargetAppUnavailable"),
        ({"app": {"appId": "News@example.com"}}, "IntentDeliveryFailed"),
        ({"app": {"appId": "chart", "instanceId": "none"}}, "TargetInstanceUnavailable"),
    ],
)
async def test_an_intent_that_nobody_takes_has_the_error_of_the_standard(
    payload: dict[str, Any], error: str
) -> None:
    desk = Desk()
    blotter = desk.join("blotter")
    async with desk.service.running():
        assert await settled(blotter, await raise_intent(blotter, **payload)) == {"error": error}


async def test_an_instance_that_does_not_take_the_intent_is_told_of() -> None:
    desk = Desk()
    blotter, other = desk.join("blotter"), desk.join("other")
    async with desk.service.running():
        target = {"appId": "other", "instanceId": other.instance.id}
        request = await raise_intent(blotter, app=target)
        assert await settled(blotter, request) == {"error": "NoAppsFound"}


async def test_a_person_chooses_where_several_apps_take_the_intent() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewNews")
    offered: list[Candidate] = []

    def choose(candidates: Sequence[Candidate]) -> Candidate | None:
        offered.extend(candidates)
        return next(each for each in offered if each.instance_id)

    desk.choice = choose
    async with desk.service.running():
        answer = await settled(blotter, await raise_intent(blotter, "ViewNews"))
        desk.choice = lambda _: None
        cancelled = await settled(blotter, await raise_intent(blotter, "ViewNews"))
        desk.choice = None
        alone = await settled(blotter, await raise_intent(blotter, "ViewNews"))
    assert offered == [
        Candidate("ViewNews", "chart", chart.instance.id),
        Candidate("ViewNews", "chart"),
        Candidate("ViewNews", "News@example.com"),
    ]
    assert answer["intentResolution"]["source"]["instanceId"] == chart.instance.id  # type: ignore[index]
    assert cancelled == {"error": "UserCancelledResolution"}
    assert alone == {"error": "ResolverUnavailable"}


async def test_an_intent_is_raised_for_a_context_by_whoever_takes_that() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewNews")
    async with desk.service.running():
        request = await blotter.send("raiseIntentForContextRequest", context=CONTACT)
        answer = await settled(blotter, request, "raiseIntentForContextResponse")
        nobody = await blotter.send("raiseIntentForContextRequest", context={"type": "x"})
        refused = await settled(blotter, nobody, "raiseIntentForContextResponse")
    assert answer["intentResolution"]["intent"] == "ViewNews"  # type: ignore[index]
    assert refused == {"error": "NoAppsFound"}


async def test_who_may_not_raise_or_handle_an_intent_does_not() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    desk.grants = {"chart": [Grant("fdc3.handle", "ViewNews.#")]}

    refused = await chart.ask("addIntentListener", intent="ViewChart")
    assert refused == {"error": "AccessDenied"}
    await chart.listen("ViewNews")
    async with desk.service.running():
        denied = await settled(blotter, await raise_intent(blotter, "ViewNews"))
        desk.grants["blotter"] = [Grant("fdc3.raise", "#")]
        allowed = await settled(blotter, await raise_intent(blotter, "ViewNews"))
        desk.grants["chart"] = []
        taken_back = await settled(blotter, await raise_intent(blotter, "ViewNews"))
    assert denied == {"error": "NoAppsFound"}
    assert "intentResolution" in allowed
    assert taken_back == {"error": "NoAppsFound"}
    assert desk.asked[-1] == Grant("fdc3.raise", "ViewNews.fdc3.instrument")


async def test_intents_are_found_by_name_context_and_result() -> None:
    desk = Desk()
    page, other = desk.join("blotter"), desk.join("other")
    await other.listen("ViewChart")

    async def apps(**payload: object) -> list[object]:
        answer = await page.ask("findIntent", **payload)
        if "error" in answer:
            return [answer["error"]]
        return [each.get("instanceId", each["appId"]) for each in answer["appIntent"]["apps"]]

    assert await apps(intent="ViewChart") == ["chart", other.instance.id]
    assert await apps(intent="ViewNews", context=CONTACT) == ["chart"]
    assert await apps(intent="ViewNews", resultType="fdc3.order") == ["NoAppsFound"]
    assert await apps(intent="ViewChart", resultType="channel") == ["chart", other.instance.id]
    assert await apps(intent="None") == ["NoAppsFound"]
    found = await page.ask("findIntentsByContext", context=CONTACT)
    assert [each["intent"]["name"] for each in found["appIntents"]] == ["ViewNews"]
    nothing = await page.ask("findIntentsByContext", context={"type": "x"})
    assert nothing == {"error": "NoAppsFound"}


async def test_a_second_listener_of_an_instance_is_a_conflict_from_fdc3_3_on() -> None:
    old, new = Desk().join("chart"), Desk(version="3.0").join("chart")
    for page in (old, new):
        await page.listen("ViewChart")
    assert "listenerUUID" in await old.ask("addIntentListener", intent="ViewChart")
    conflict = await new.ask("addIntentListener", intent="ViewChart")
    assert conflict == {"error": "IntentListenerConflict"}


async def test_listeners_for_contexts_of_other_types_do_not_conflict() -> None:
    desk = Desk(version="3.0")
    blotter, chart = desk.join("blotter"), desk.join("chart")

    async def listen(*types: str) -> dict[str, Any]:
        return await chart.ask("addIntentListener", intent="ViewNews", contextTypes=list(types))

    assert "listenerUUID" in await listen("fdc3.contact")
    assert await listen("fdc3.contact", "x") == {"error": "IntentListenerConflict"}
    async with desk.service.running():
        target = {"appId": "chart", "instanceId": chart.instance.id}
        request = await raise_intent(blotter, "ViewNews", app=target)
        await checkpoint()
        assert blotter.answer_to(request, RAISED) is None
        assert "listenerUUID" in await listen("fdc3.instrument")
        assert "intentResolution" in await settled(blotter, request)


async def test_metadata_of_the_app_is_passed_on_but_for_what_the_agent_knows() -> None:
    desk = Desk(version="3.0")
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewChart")
    given = {
        "traceId": "mine",
        "source": {"appId": "bank"},
        "signature": {"protected": "a", "signature": "b"},
        "antiReplay": {"jti": "c"},
        "custom": {"d": [1, 2.50]},
    }
    async with desk.service.running():
        await settled(blotter, await raise_intent(blotter, metadata=given))
        refused = await settled(blotter, await raise_intent(blotter, metadata=7))
    (event,) = chart.events("intentEvent")
    told = event["metadata"]
    assert [told[name] for name in ("traceId", "signature", "antiReplay", "custom")] == [
        given["traceId"], given["signature"], given["antiReplay"], given["custom"],
    ]  # fmt: skip
    assert told["source"]["appId"] == "blotter"
    assert refused == {"error": "InvalidArguments"}
    # The agent has an id of its own; what it hands out is found by either.
    (entry,) = desk.agent.trace.newest(10, "mine")
    assert entry.trace_id.startswith("trace-")
    assert desk.agent.trace.newest(10, entry.trace_id) == [entry]


async def test_a_result_has_metadata_of_the_agent_and_of_who_gave_it() -> None:
    desk = Desk(version="3.0")
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewChart")
    async with desk.service.running():
        request = await raise_intent(blotter)
        await settled(blotter, request)
        (event,) = chart.events("intentEvent")
        answer = {
            "raiseIntentRequestUuid": event["raiseIntentRequestUuid"],
            "intentEventUuid": "x",
            "intentResult": {"context": CONTACT},
            "metadata": {"signature": "s", "source": {"appId": "bank"}},
        }
        await chart.send("intentResultRequest", **answer)
    result = blotter.answer_to(request, "raiseIntentResultResponse")
    assert result is not None
    assert result["intentResult"] == {"context": CONTACT}
    told = result["resultMetadata"]
    assert (told["signature"], told["source"]["appId"]) == ("s", "chart")
    assert {"timestamp", "traceId"} <= set(told)


async def test_a_choice_that_was_remembered_is_not_asked_for_again() -> None:
    desk = Desk()
    blotter, chart = desk.join("blotter"), desk.join("chart")
    await chart.listen("ViewNews")
    handles = [Grant("fdc3.handle", "#")]
    news = desk.agent.directory.app_of("News@example.com") or ""
    others = {"chart": handles, news: handles}
    raises = Grant("fdc3.raise", "#")
    chosen = Grant("fdc3.choose", choice_scope("ViewNews", "chart", "fdc3.instrument"))
    async with desk.service.running():
        desk.grants = {"blotter": [raises, chosen], **others}
        answer = await settled(blotter, await raise_intent(blotter, "ViewNews"))
        desk.grants = {"blotter": [raises, Grant("fdc3.choose", "#")], **others}
        several = await settled(blotter, await raise_intent(blotter, "ViewNews"))
    assert answer["intentResolution"]["source"]["instanceId"] == chart.instance.id  # type: ignore[index]
    assert several == {"error": "ResolverUnavailable"}
