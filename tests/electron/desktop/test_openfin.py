"""OpenFin's shapes in pages of a real Electron, over the ordinary bus and its permissions."""

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import pytest

from demo.devtools import DevToolsError, Page
from demo.electron import ROOT, ElectronSession
from tests.electron.conftest import Starter
from tests.electron.reliability.test_survival import backend_of

PERMISSION_DENIED, NO_SUBSCRIBER, INVALID_PARAMS = -32010, -32014, -32602
GUIDE = (ROOT / "docs" / "migration.md").read_text()
MISSED_WITHIN_S = 12.0
BACK_WITHIN_S = 20.0
SAMPLE = re.compile(r"^```js (\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

SHOWN: dict[str, tuple[list[Any], list[Any]]] = {
    "Publish and subscribe": (
        [],
        [
            [
                {"headline": "Rates unchanged"},
                {"uuid": "test.trader", "name": "window"},
                "desk.news",
            ]
        ],
    ),
    "One sender alone": ([], [["from the trader"]]),
    "Send": ([["No client of test.viewer listens on desk.nowhere."]], [["for you"]]),
    "Who subscribes": ([["desk.late", "test.viewer", "window"]], []),
    "A channel": (
        [["hello desk"]],
        [
            ["For the rates desk alone."],
            ["price of EURUSD for test.viewer"],
            ["no volume here"],
            ["test.trader has closed"],
        ],
    ),
}
"""The output of each section's samples in the guide, the trader's and the viewer's."""


@pytest.fixture(scope="module")
async def shells(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    """One Electron with two apps that may use channels, whose pages each test reloads."""
    async with electron_with("test.trader", "test.viewer") as session:
        yield session


@pytest.fixture
async def trader(shells: ElectronSession) -> Page:
    return await fresh(await shells.window("?trader"))


@pytest.fixture
async def viewer(shells: ElectronSession) -> Page:
    return await fresh(await shells.window("?viewer"))


async def fresh(page: Page) -> Page:
    await page.until("window.deskbus")
    await reload(page)
    return page


async def reload(page: Page) -> None:
    await page.evaluate("window.old = true")
    await page.call("Page.reload")
    await page.until("!window.old && window.deskbus && deskbus.state() === 'open'")
    await page.evaluate("window.shown = []")


async def run(page: Page, body: str) -> Any:
    """Runs statements with what they need at hand; `show` keeps its arguments in `shown`."""
    return await page.evaluate(
        f"""(async () => {{
            const show = (...words) => void shown.push(words);
            const bus = deskbus.InterApplicationBus;
            const error = (promise) => promise.then(() => undefined, (reason) => reason);
            {body}
        }})()"""
    )


@pytest.mark.parametrize("section", SHOWN)
async def test_the_samples_of_the_migration_guide_do_what_they_say(
    trader: Page, viewer: Page, section: str
) -> None:
    pages = {"trader": trader, "viewer": viewer}
    text = GUIDE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    samples = SAMPLE.findall(text)
    assert samples

    for who, sample in samples:
        await run(pages[who], sample)

    for page, shown in zip((trader, viewer), SHOWN[section], strict=True):
        await page.until(f"shown.length >= {len(shown)}")
        assert await page.evaluate("shown") == shown


async def test_every_sample_of_the_guide_is_run() -> None:
    sections = [f"\n## {section}\n" for section in SHOWN]
    run_here = sum(len(SAMPLE.findall(GUIDE.split(s)[1].split("\n## ")[0])) for s in sections)
    assert len(SAMPLE.findall(GUIDE)) == run_here == GUIDE.count("```js")


async def test_the_same_function_ends_its_own_subscription_and_no_other(
    trader: Page, viewer: Page
) -> None:
    await run(
        viewer,
        """
        window.one = (message) => show('one', message);
        window.two = (message) => show('two', message);
        for (const listener of [one, two, one]) {
            await bus.subscribe({ uuid: '*' }, 'desk.same', listener);
        }
        await bus.unsubscribe({ uuid: 'test.trader' }, 'desk.same', two);
        """,
    )
    await run(trader, "await bus.publish('desk.same', 1);")
    await viewer.until("shown.length >= 2")
    await run(viewer, "await bus.unsubscribe({ uuid: '*' }, 'desk.same', one);")
    await run(trader, "await bus.publish('desk.same', 2);")
    await viewer.until("shown.length >= 3")
    assert await viewer.evaluate("shown") == [["one", 1], ["two", 1], ["two", 2]]

    await run(viewer, "await bus.unsubscribe({ uuid: '*' }, 'desk.same', two);")
    published = "deskbus.publish('desk.same', 3, { confirm: true })"
    assert (await trader.evaluate(published))["receivers"] == 0


async def test_event_listeners_are_taken_off_by_the_same_function(
    trader: Page, viewer: Page
) -> None:
    await run(
        trader,
        """
        window.off = () => show('off');
        await bus.on('subscriber-removed', off);
        await bus.on('subscriber-removed', ({ topic }) => show(topic));
        await bus.removeListener('subscriber-removed', off);
        """,
    )
    await run(
        viewer,
        """
        const listener = () => undefined;
        await bus.subscribe({ uuid: '*' }, 'desk.off', listener);
        await bus.unsubscribe({ uuid: '*' }, 'desk.off', listener);
        """,
    )
    await trader.until("shown.length")
    assert await trader.evaluate("shown") == [["desk.off"]]
    refused = await run(trader, "return error(bus.on('other', () => undefined));")
    assert refused["code"] == INVALID_PARAMS


async def test_refusals_carry_code_and_action(trader: Page, viewer: Page) -> None:
    nobody = await run(trader, "return error(bus.send({ uuid: 'test.viewer' }, 'desk.no', 1));")
    assert (nobody["code"], nobody["category"]) == (NO_SUBSCRIBER, "not_found")
    assert nobody["action"]
    denied = await run(viewer, "return error(bus.publish('elsewhere', 1));")
    assert denied["code"] == PERMISSION_DENIED
    may_not = await run(viewer, "return error(bus.Channel.create('not mine'));")
    assert may_not["code"] == PERMISSION_DENIED
    absent = await run(viewer, "return error(bus.Channel.connect('absent', { wait: false }));")
    assert absent["code"] == NO_SUBSCRIBER
    late = await run(viewer, "return error(bus.Channel.connect('absent', { timeout: 50 }));")
    assert late["category"] == "timeout"


async def test_a_client_waits_for_its_provider_and_there_is_one_alone(
    trader: Page, viewer: Page
) -> None:
    await viewer.evaluate(
        """void deskbus.InterApplicationBus.Channel.connect('Zürich.*/#').then((client) => {
            window.client = client;
        })"""
    )
    await run(
        trader,
        """
        await bus.Channel.onChannelConnect(({ channelName, uuid }) => show(channelName, uuid));
        window.provider = await bus.Channel.create('Zürich.*/#');
        provider.register('add', async ([a, b]) => a + b);
        provider.register('fail', async () => { throw new Error('no luck'); });
        provider.onError((action, reason) => show(action, reason.message));
        """,
    )
    await viewer.until("window.client")
    assert await run(viewer, "return client.dispatch('add', [1, 2]);") == 3
    failed = await run(viewer, "return error(client.dispatch('fail'));")
    assert failed["message"] == "no luck"
    assert (await trader.evaluate("shown"))[0] == ["Zürich.*/#", "test.trader"]
    assert (await trader.evaluate("shown"))[1][0] == "fail"
    twice = await run(trader, "return error(bus.Channel.create('Zürich.*/#'));")
    assert twice["category"] == "conflict"
    own = "return (await bus.Channel.connect('Zürich.*/#')).dispatch('add', [3, 4]);"
    assert await run(trader, own) == 7


async def test_a_provider_reaches_each_client_and_hears_who_leaves(
    trader: Page, viewer: Page
) -> None:
    await run(
        trader,
        """
        window.provider = await bus.Channel.create('desk');
        provider.onConnection(async (identity, payload) => {
            if (payload !== 'please') throw new Error('Say please.');
        });
        provider.onDisconnection(({ uuid, endpointId }) => show(uuid, endpointId));
        """,
    )
    refused = await run(viewer, "return error(bus.Channel.connect('desk'));")
    assert refused["message"] == "Say please."
    await run(
        viewer,
        """
        window.clients = [];
        for (const name of ['one', 'two']) {
            const client = await bus.Channel.connect('desk', { payload: 'please' });
            client.register('who', () => name);
            clients.push(client);
        }
        """,
    )
    clients = await run(trader, "return provider.getAllClientInfo();")
    assert [client["uuid"] for client in clients] == ["test.viewer", "test.viewer"]
    names = await run(trader, "return Promise.all(provider.publish('who'));")
    assert names == ["one", "two"]
    second = "return provider.dispatch((await provider.getAllClientInfo())[1], 'who');"
    assert await run(trader, second) == "two"
    none = await run(trader, "return error(provider.dispatch({ uuid: 'test.other' }, 'who'));")
    assert none["code"] == NO_SUBSCRIBER

    await run(viewer, "await clients[0].disconnect();")
    await trader.until("shown.length")
    assert await trader.evaluate("shown") == [["test.viewer", clients[0]["endpointId"]]]
    gone = await run(viewer, "return error(clients[0].dispatch('anything'));")
    assert gone["category"] == "unavailable"


@pytest.mark.parametrize("unsayable", ["() => 1", "document.body", "{ deep: [() => 1] }"])
async def test_what_a_channel_cannot_carry_is_refused_at_that_call(
    trader: Page, viewer: Page, unsayable: str
) -> None:
    await run(
        trader,
        f"""
        window.provider = await bus.Channel.create('plain');
        provider.register('echo', (payload) => payload);
        provider.register('bad', () => ({unsayable}));
        provider.register('later', async () => ({unsayable}));
        """,
    )
    to_connect = f"bus.Channel.connect('plain', {{ payload: ({unsayable}) }})"
    refused = await run(viewer, f"return error({to_connect});")
    assert refused["code"] == INVALID_PARAMS
    await run(viewer, "window.client = await bus.Channel.connect('plain');")
    refused = await run(viewer, f"return error(client.dispatch('echo', ({unsayable})));")
    assert refused["code"] == INVALID_PARAMS
    for action in ("bad", "later"):
        assert await run(viewer, f"return error(client.dispatch('{action}'));")
    to_dispatch = f"provider.dispatch(all[0], 'any', ({unsayable}))"
    to_publish = f"provider.publish('any', ({unsayable}))[0]"
    for call in (to_dispatch, to_publish):
        body = f"const all = await provider.getAllClientInfo(); return error({call});"
        assert (await run(trader, body))["code"] == INVALID_PARAMS
    assert await run(viewer, "return client.dispatch('echo', { still: [1] });") == {"still": [1]}


async def test_a_reload_clears_subscriptions_and_channels_and_is_told(
    trader: Page, viewer: Page
) -> None:
    await run(
        trader,
        """
        window.provider = await bus.Channel.create('reload');
        provider.register('never', () => new Promise(() => undefined));
        provider.onDisconnection(({ uuid }) => show(uuid));
        """,
    )
    await run(
        viewer,
        """
        await bus.subscribe({ uuid: '*' }, 'desk.reload', () => undefined);
        await bus.Channel.connect('reload');
        """,
    )
    await reload(viewer)
    await trader.until("shown.length")
    assert await trader.evaluate("shown") == [["test.viewer"]]
    published = "deskbus.publish('desk.reload', 1, { confirm: true })"
    await trader.until(f"{published}.then(({{ receivers }}) => receivers === 0)")

    await run(
        viewer,
        """
        const client = await bus.Channel.connect('reload');
        client.onDisconnection(({ uuid }) => show(uuid));
        client.dispatch('never').catch(({ code, category }) => show(category));
        await client.dispatch('other').catch(() => undefined);
        """,
    )
    await reload(trader)
    await viewer.until("shown.length >= 2")
    assert sorted(await viewer.evaluate("shown")) == [["test.trader"], ["unavailable"]]
    absent = await run(viewer, "return error(bus.Channel.connect('reload', { wait: false }));")
    assert absent["code"] == NO_SUBSCRIBER


async def test_a_provider_whose_page_crashes_is_missed(electron_with: Starter) -> None:
    async with electron_with("test.trader", "test.viewer") as session:
        trader = await fresh(await session.window("?trader"))
        viewer = await fresh(await session.window("?viewer"))
        never = "provider.register('never', () => new Promise(() => undefined));"
        await run(trader, f"window.provider = await bus.Channel.create('crash'); {never}")
        await run(
            viewer,
            """
            const client = await bus.Channel.connect('crash');
            client.onDisconnection(({ uuid }) => show(uuid));
            client.dispatch('never').catch(({ category }) => show(category));
            """,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(crash, trader)
            await viewer.until("shown.length >= 2", timeout_s=MISSED_WITHIN_S)
            tasks.cancel_scope.cancel()
        # The backend answers for it, or the channel notices first.
        told = {word for (word,) in await viewer.evaluate("shown")}
        assert told in ({"test.trader", "unavailable"}, {"test.trader", "not_found"})


async def crash(page: Page) -> None:
    """The browser does not answer this."""
    with suppress(DevToolsError):
        await page.call("Page.crash")


async def test_a_channel_outlives_its_backend(electron_with: Starter) -> None:
    async with electron_with("test.trader", "test.viewer") as session:
        trader = await fresh(await session.window("?trader"))
        viewer = await fresh(await session.window("?viewer"))
        await run(
            trader,
            """
            window.provider = await bus.Channel.create('lasting');
            provider.register('add', ([a, b]) => a + b);
            provider.onDisconnection(() => show('left'));
            """,
        )
        await run(
            viewer,
            """
            window.client = await bus.Channel.connect('lasting');
            client.onDisconnection(() => show('closed'));
            deskbus.onState((state) => show(state));
            """,
        )
        backend = backend_of(session)
        assert backend is not None
        backend.kill()

        await viewer.until("shown.length >= 2", timeout_s=BACK_WITHIN_S)
        added = "client.dispatch('add', [1, 2]).catch(() => undefined)"
        await viewer.until(f"{added}.then((sum) => sum === 3)", timeout_s=BACK_WITHIN_S)
        assert await viewer.evaluate("shown") == [["resuming"], ["open"]]
        assert await trader.evaluate("shown") == []
