"""FDC3 from end to end: a real backend, real pipes, apps that use the Python API."""

import json
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client.fdc3 import (
    ApiEvent,
    ContextMetadata,
    DesktopAgent,
    Fdc3Error,
    desktop_agent,
)
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.fdc3 import AppIdentifier, channel_topic
from tests.integration.shell import LIMIT_S, TestShell, start_shell

pytestmark = pytest.mark.requirement("F")

RED = "fdc3.channel.1"
INSTRUMENT = {"type": "fdc3.instrument", "id": {"ticker": "EURUSD"}}
CONTACT = {"type": "fdc3.contact", "name": "Jane"}
RED_INSTRUMENTS = "fdc3%2Echannel%2E1.fdc3.instrument"

DIRECTORY = {
    "applications": [
        {"appId": "desk.blotter", "name": "Blotter", "type": "web"},
        {
            "appId": "Chart",
            "name": "Chart",
            "type": "web",
            "hostManifests": {"deskbus": {"app": "desk.chart"}},
            "interop": {
                "intents": {"listensFor": {"ViewChart": {"contexts": ["fdc3.instrument"]}}}
            },
        },
        {
            "appId": "HostedChart",
            "name": "Hosted",
            "type": "web",
            "details": {"url": "https://chart.example.com/"},
            "interop": {
                "intents": {"listensFor": {"ViewHosted": {"contexts": ["fdc3.instrument"]}}}
            },
        },
    ]
}

CONFIG = """
tools = true

[[apps]]
id = "desk.blotter"
name = "Blotter"

[[apps]]
id = "desk.chart"
name = "Chart"

[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{ permission = "messaging.write", scope = "fdc3.channel.user.#" }]

[[apps]]
id = "desk.spy"
name = "Spy"
grants = [
    { permission = "messaging.read", scope = "#" },
    { permission = "messaging.write", scope = "#" },
    { permission = "history", scope = "#" },
]

[persistence]
topics = ["#"]

[fdc3]
directories = ["apps.json"]
consent = "CONSENT"
"""


@asynccontextmanager
async def desk(
    folder: Path, consent: str = "allow", config: str = CONFIG
) -> AsyncIterator[TestShell]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "apps.json").write_text(json.dumps(DIRECTORY))
    async with start_shell(folder, config=config.replace("CONSENT", consent)) as shell:
        yield shell


@asynccontextmanager
async def agent(shell: TestShell, app: str, client: str = "main") -> AsyncIterator[DesktopAgent]:
    async with shell.app(app, client) as connected, desktop_agent(connected) as fdc3:
        yield fdc3


class Heard:
    """A handler that keeps what it is called with."""

    def __init__(self) -> None:
        self._kept: deque[tuple[dict[str, Any], ContextMetadata]] = deque()
        self._came = anyio.Event()

    def __call__(self, context: dict[str, Any], metadata: ContextMetadata) -> None:
        self._kept.append((context, metadata))
        self._came.set()

    async def next(self) -> tuple[dict[str, Any], ContextMetadata]:
        with anyio.fail_after(LIMIT_S):
            while not self._kept:
                self._came = anyio.Event()
                await self._came.wait()
        return self._kept.popleft()

    @property
    def is_empty(self) -> bool:
        return not self._kept


@pytest.mark.requirement("8.1")
async def test_apps_share_a_context_on_a_user_channel(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as shell,
        agent(shell, "desk.blotter") as blotter,
        agent(shell, "desk.chart") as chart,
    ):
        heard = Heard()
        await chart.join_user_channel(RED)
        await chart.add_context_listener("fdc3.instrument", heard)
        await blotter.join_user_channel(RED)
        await blotter.broadcast(INSTRUMENT)
        context, metadata = await heard.next()
        assert context == INSTRUMENT
        assert metadata.source == blotter.identity
        assert isinstance(metadata.trace_id, str)
        assert len(metadata.trace_id) == 32

        late = Heard()
        await chart.add_context_listener(None, late)
        assert (await late.next())[0] == INSTRUMENT

        seen = await delivered(shell)
        assert (seen["app"], seen["traceId"]) == ("desk.blotter", metadata.trace_id)
        assert seen["details"]["contextType"] == "fdc3.instrument"
        assert "desk.chart/main" in seen["details"]["readers"]


async def delivered(shell: TestShell) -> dict[str, Any]:
    """The audit record of the first context that was handed over."""
    wanted = {"types": ["fdc3.delivered"], "order": "oldest"}
    with anyio.fail_after(LIMIT_S):
        while True:
            page = await shell.client.call("audit.query", wanted, result=dict)
            for record in page["records"]:
                return dict(record)
            await anyio.sleep(0.05)


async def test_an_app_without_fdc3_takes_part_by_topics(tmp_path: Path) -> None:
    topic = channel_topic("user", RED, "fdc3.instrument")
    async with (
        desk(tmp_path) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.spy") as spy,
        agent(shell, "desk.chart") as chart,
        spy.subscribe("fdc3.channel.user.#") as seen,
    ):
        heard = Heard()
        await chart.join_user_channel(RED)
        await chart.add_context_listener(None, heard)
        await feed.publish(topic, INSTRUMENT, confirm=True)
        context, metadata = await heard.next()
        assert (context, metadata.source) == (INSTRUMENT, AppIdentifier("desk.feed"))
        with anyio.fail_after(LIMIT_S):
            first = await seen.receive()
            await chart.broadcast(CONTACT)
            second = await seen.receive()
        assert json.loads(bytes(first.payload)) == INSTRUMENT
        assert (json.loads(bytes(second.payload)), second.sender.app) == (CONTACT, "desk.chart")


async def test_an_intent_is_raised_handled_and_answered(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as shell,
        agent(shell, "desk.blotter") as blotter,
        agent(shell, "desk.chart") as chart,
    ):

        async def show(context: dict[str, Any], metadata: ContextMetadata) -> object:
            assert metadata.source == blotter.identity
            if context["id"] == {}:
                raise ValueError("There is nothing to show.")
            channel = await chart.create_private_channel()
            await channel.add_context_listener(None, heard)
            return channel

        heard = Heard()
        await chart.add_intent_listener("ViewChart", show)
        resolution = await blotter.raise_intent("ViewChart", INSTRUMENT)
        assert resolution.source == chart.identity
        with anyio.fail_after(LIMIT_S):
            channel = await resolution.get_result()
        assert not isinstance(channel, dict)
        assert channel is not None
        await channel.broadcast(CONTACT)
        assert (await heard.next())[0] == CONTACT

        rejected = await blotter.raise_intent("ViewChart", {**INSTRUMENT, "id": {}})
        with anyio.fail_after(LIMIT_S), pytest.raises(Fdc3Error, match="IntentHandlerRejected"):
            await rejected.get_result()


async def test_a_page_of_the_directory_is_opened_each_time_in_a_window_of_its_own(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as shell, agent(shell, "desk.blotter") as blotter:
        first = await blotter.open("HostedChart")
        other = await blotter.open("HostedChart")
        found = await blotter.find_instances("HostedChart")
        windows = [each["descriptor"] for each in shell.opened_windows]
        assert [each.instance_id for each in found] == [first.instance_id, other.instance_id]
        assert [each["url"] for each in windows] == ["https://chart.example.com/"] * 2
        assert {each["fdc3"] for each in windows} == {"2.2"}
        assert len({each["client"] for each in windows}) == 2

        await shell.client.notify("ui.windowClosed", {"window": windows[0]["window"]})
        app = windows[0]["app"]
        async with agent(shell, app, windows[1]["client"]) as hosted:
            assert hosted.identity == other


async def test_an_app_that_is_launched_for_an_intent_gets_it_when_it_listens(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as shell, agent(shell, "desk.blotter") as blotter:
        handled = Heard()
        ended = anyio.Event()

        async def window() -> None:
            with anyio.fail_after(LIMIT_S):
                while not shell.opened_windows:
                    await anyio.lowlevel.checkpoint()
            descriptor = shell.opened_windows[0]["descriptor"]
            async with agent(shell, descriptor["app"], descriptor["client"]) as hosted:
                await hosted.add_intent_listener("ViewHosted", handled)
                await ended.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(window)
            resolution = await blotter.raise_intent("ViewHosted", INSTRUMENT)
            assert resolution.source.app_id == "HostedChart"
            assert (await handled.next())[0] == INSTRUMENT
            ended.set()


async def test_nobody_reads_what_is_in_anothers_inbox_or_on_a_private_channel(
    tmp_path: Path,
) -> None:
    async with (
        desk(tmp_path) as shell,
        shell.app("desk.spy") as spy,
        shell.app("desk.blotter") as client,
        spy.subscribe("#") as seen,
        desktop_agent(client) as blotter,
    ):
        assert isinstance(blotter.identity.instance_id, str)
        inbox = f"fdc3.inbox.{blotter.identity.instance_id}"
        channel = await blotter.create_private_channel()
        await channel.broadcast(CONTACT)
        topic = channel_topic("private", channel.id, "fdc3.contact")
        for refused in (inbox, topic):
            with pytest.raises(DeskbusError, match="may not write"):
                await spy.publish(refused, {}, confirm=True)
            with pytest.raises(DeskbusError):
                await spy.call("bus.history", {"topic": refused})
        await spy.publish("last", 1, confirm=True)
        with anyio.fail_after(LIMIT_S):
            assert (await seen.receive()).topic == "last"


async def test_what_was_shared_last_is_there_after_a_restart(tmp_path: Path) -> None:
    async with desk(tmp_path) as shell, agent(shell, "desk.blotter") as blotter:
        await blotter.join_user_channel(RED)
        await blotter.broadcast(INSTRUMENT)
        await (await blotter.get_or_create_channel("orders.own")).broadcast(CONTACT)
    async with desk(tmp_path) as shell, agent(shell, "desk.chart") as chart:
        heard = Heard()
        await chart.join_user_channel(RED)
        await chart.add_context_listener(None, heard)
        assert (await heard.next())[0] == INSTRUMENT
        own = await chart.get_or_create_channel("orders.own")
        assert await own.get_current_context() == CONTACT


async def test_five_hundred_contexts_reach_fifty_listeners_and_none_is_lost(
    tmp_path: Path,
) -> None:
    heard: list[list[int]] = [[] for _ in range(50)]
    whole, all_came = list(range(500)), anyio.Event()

    def listener(seen: list[int]) -> Any:
        def hear(context: dict[str, Any], _: ContextMetadata) -> None:
            seen.append(context["number"])
            if len(seen) == len(whole) and all(len(each) == len(whole) for each in heard):
                all_came.set()

        return hear

    async with desk(tmp_path) as shell, AsyncExitStack() as stack:
        for client in range(5):
            chart = await stack.enter_async_context(agent(shell, "desk.chart", f"window-{client}"))
            channel = await chart.get_or_create_channel("flood")
            for seen in heard[client * 10 : client * 10 + 10]:
                await channel.add_context_listener("test.number", listener(seen))
        blotter = await stack.enter_async_context(agent(shell, "desk.blotter"))
        channel = await blotter.get_or_create_channel("flood")
        for number in whole:
            await channel.broadcast({"type": "test.number", "number": number})
        with anyio.fail_after(LIMIT_S):
            await all_came.wait()
    assert all(seen == whole for seen in heard)


USES: dict[str, tuple[str, str]] = {
    "fdc3.context.read": ("fdc3%2Echannel%2E1.#", "AccessDenied"),
    "fdc3.context.write": (RED_INSTRUMENTS, "AccessDenied"),
    "fdc3.raise": ("ViewChart.fdc3.instrument", "NoAppsFound"),
    "fdc3.handle": ("ViewChart.#", "AccessDenied"),
}
"""By permission: the scope that the call below needs, and the error where that is not granted."""


async def use(permission: str, fdc3: DesktopAgent, chart: DesktopAgent) -> None:
    if permission == "fdc3.context.read":
        red = next(each for each in await fdc3.get_user_channels() if each.id == RED)
        await red.add_context_listener(None, lambda *_: None)
    elif permission == "fdc3.context.write":
        await fdc3.join_user_channel(RED)
        await fdc3.broadcast(INSTRUMENT)
    elif permission == "fdc3.handle":
        await fdc3.add_intent_listener("ViewChart", lambda *_: None)
    else:
        await fdc3.raise_intent("ViewChart", INSTRUMENT, chart.identity)


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("permission", USES)
async def test_without_a_grant_it_is_refused(tmp_path: Path, permission: str) -> None:
    """A person is asked, and says no."""
    async with desk(tmp_path, "ask") as shell:
        shell.person = shell.deny
        await shell.client.call("permissions.grant", grant("desk.chart", "fdc3.handle", "#"))
        async with agent(shell, "desk.blotter") as blotter, agent(shell, "desk.chart") as chart:
            await chart.add_intent_listener("ViewChart", lambda *_: None)
            with pytest.raises(Fdc3Error) as refused:
                await use(permission, blotter, chart)
    scope, error = USES[permission]
    assert refused.value.text == error
    assert [(each.permission, each.scope) for each in shell.dialogs] == [(permission, scope)]


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("permission", USES)
async def test_with_a_grant_it_works(tmp_path: Path, permission: str) -> None:
    async with desk(tmp_path, "ask") as shell:
        await shell.client.call("permissions.grant", grant("desk.chart", "fdc3.handle", "#"))
        scope, _ = USES[permission]
        await shell.client.call("permissions.grant", grant("desk.blotter", permission, scope))
        async with agent(shell, "desk.blotter") as blotter, agent(shell, "desk.chart") as chart:
            await chart.add_intent_listener("ViewChart", lambda *_: None)
            await use(permission, blotter, chart)
    assert shell.dialogs == []


def grant(app: str, permission: str, scope: str) -> dict[str, str]:
    return {"app": app, "permission": permission, "scope": scope}


async def test_a_person_is_asked_in_plain_words(tmp_path: Path) -> None:
    async with desk(tmp_path, "ask") as shell, agent(shell, "desk.blotter") as blotter:
        shell.person = shell.allow
        await blotter.join_user_channel(RED)
        await blotter.broadcast(INSTRUMENT)
    (dialog,) = shell.dialogs
    assert dialog.statement == "Blotter wants to share data with other apps."
    assert dialog.scope_words == "Instruments on the channel fdc3.channel.1"


async def test_what_was_allowed_ends_when_it_is_taken_back(tmp_path: Path) -> None:
    async with (
        desk(tmp_path, "ask") as shell,
        agent(shell, "desk.blotter") as blotter,
        agent(shell, "desk.chart") as chart,
    ):
        heard = Heard()
        for app, permission in (
            ("desk.blotter", "fdc3.context.write"),
            ("desk.chart", "fdc3.context.read"),
        ):
            await shell.client.call("permissions.grant", grant(app, permission, "#"))
        await chart.join_user_channel(RED)
        await chart.add_context_listener(None, heard)
        await blotter.join_user_channel(RED)
        await blotter.broadcast(INSTRUMENT)
        await heard.next()
        await shell.client.call("permissions.revoke", {"app": "desk.chart"})
        await blotter.broadcast(CONTACT)
        await chart.get_info()
        assert heard.is_empty


async def test_without_a_section_in_the_configuration_there_is_no_fdc3(tmp_path: Path) -> None:
    async with desk(tmp_path, config=CONFIG.partition("[fdc3]")[0]) as shell:
        async with shell.app("desk.blotter") as client:
            with pytest.raises(DeskbusError, match="switched off"):
                await client.call("fdc3.connect", {})


async def test_fdc3_3_is_spoken_where_the_configuration_says_so(tmp_path: Path) -> None:
    newer = CONFIG.replace("[fdc3]", '[fdc3]\nversion = "3.0"')
    async with (
        desk(tmp_path, config=newer) as shell,
        agent(shell, "desk.blotter") as blotter,
        agent(shell, "desk.chart") as chart,
    ):
        assert (await blotter.get_info()).fdc3_version == "3.0"
        own = await blotter.get_or_create_channel("own")
        await own.broadcast(CONTACT, {"custom": {"n": 1}, "traceId": "mine"})
        same = await chart.get_or_create_channel("own")
        found = await same.get_current_context_with_metadata()
        assert found is not None
        assert found[0] == CONTACT
        assert (found[1].custom, found[1].source) == ({"n": 1}, blotter.identity)
        told: list[ApiEvent] = []
        cleared = anyio.Event()

        def take(event: ApiEvent) -> None:
            told.append(event)
            cleared.set()

        await chart.add_event_listener("contextCleared", take)
        await own.clear_context("fdc3.contact")
        with anyio.fail_after(LIMIT_S):
            await cleared.wait()
        assert told == [
            ApiEvent("contextCleared", {"channelId": own.id, "contextType": "fdc3.contact"})
        ]
        assert await same.get_current_context_with_metadata() is None
        await chart.add_intent_listener_with_context(
            "ViewChart", "fdc3.instrument", lambda *_: CONTACT
        )
        with pytest.raises(Fdc3Error, match="IntentListenerConflict"):
            await chart.add_intent_listener("ViewChart", lambda *_: None)
        resolution = await blotter.raise_intent("ViewChart", INSTRUMENT, chart.identity)
        with anyio.fail_after(LIMIT_S):
            assert await resolution.get_result() == CONTACT
        with pytest.raises(Fdc3Error, match="ErrorOnClose"):
            await blotter.close()


async def test_operators_see_channels_contexts_intents_and_the_trace(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as shell,
        agent(shell, "desk.blotter") as blotter,
        agent(shell, "desk.chart") as chart,
    ):
        heard = Heard()
        await chart.join_user_channel(RED)
        await chart.add_context_listener(None, heard)
        await chart.add_intent_listener("ViewChart", lambda *_: None)
        await blotter.join_user_channel(RED)
        await blotter.broadcast(INSTRUMENT)
        _, metadata = await heard.next()
        shown = {
            name: await shell.client.call(f"fdc3.{name}", {}, result=dict)
            for name in ("channels", "contexts", "intents", "trace")
        }
        traced = await shell.client.call("fdc3.trace", {"traceId": metadata.trace_id}, result=dict)
    red = next(each for each in shown["channels"]["channels"] if each["id"] == RED)
    assert red["members"] == [blotter.identity.instance_id, chart.identity.instance_id]
    assert shown["contexts"]["contexts"][0]["context"] == INSTRUMENT
    chart_intent = next(
        each for each in shown["intents"]["intents"] if each["intent"] == "ViewChart"
    )
    assert chart_intent["apps"] == ["Chart"]
    (entry,) = traced["entries"]
    assert entry["source"]["app"] == "desk.blotter"
    assert entry["to"] == [{"app": "desk.chart", "client": "main"}]


async def test_the_audit_log_tells_who_saw_a_context_and_what_permitted_it(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as shell,
        agent(shell, "desk.blotter") as blotter,
        agent(shell, "desk.chart") as chart,
    ):
        heard = Heard()
        await chart.join_user_channel(RED)
        await chart.add_context_listener(None, heard)
        await blotter.join_user_channel(RED)
        await blotter.broadcast({**INSTRUMENT, "secret": "not for the log"})
        _, metadata = await heard.next()
        query = {"types": ["fdc3.*"], "correlationId": metadata.trace_id}
        with anyio.fail_after(LIMIT_S):
            while not (found := await shell.client.call("audit.query", query, result=dict))[
                "records"
            ]:
                await anyio.lowlevel.checkpoint()
    (record,) = found["records"]
    assert (record["app"], record["client"]) == ("desk.blotter", "main")
    assert record["details"] == {
        "kind": "broadcast",
        "contextType": "fdc3.instrument",
        "channel": RED,
        "allowedBy": "config",
        "readers": "desk.chart/main (config)",
        "count": 1,
    }


@pytest.fixture(scope="module")
async def shared(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """The data folder of a running desk on which something was shared."""
    folder = tmp_path_factory.mktemp("shared")
    async with desk(folder) as shell, agent(shell, "desk.blotter") as blotter:
        await blotter.join_user_channel(RED)
        await blotter.broadcast(INSTRUMENT)
        yield folder


@pytest.mark.parametrize("what", ["channels", "contexts", "intents", "trace"])
async def test_a_command_shows_it(shared: Path, what: str) -> None:
    command = [sys.executable, "-m", "deskbus", "fdc3", what, "--data-dir", str(shared)]
    with anyio.fail_after(LIMIT_S):
        done = await anyio.run_process(command)
    shown = json.loads(done.stdout)
    assert list(shown) == ["entries" if what == "trace" else what]
    assert next(iter(shown.values()))
