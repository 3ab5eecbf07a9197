"""FDC3 in pages of a real Electron: `window.fdc3`, as FINOS's own proxy gives it."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import pytest

from demo.devtools import Page, PageGoneError
from demo.electron import ROOT, ElectronSession
from demo.processes import eventually, kill
from tests.electron.conftest import PAGES, Starter
from tests.electron.mainprocess import in_main, shell_call
from tests.electron.reliability.test_survival import BACK_WITHIN_S, backend_of
from tests.support.finos_page import finos_script
from tests.support.pictures import data_url, png

pytestmark = pytest.mark.requirement("F")

PAGE = (PAGES / "page.html").as_uri()
PICTURES = ROOT / "build/fdc3"

METHODS = {
    *("addContextListener", "addEventListener", "addIntentListener", "broadcast"),
    *("createPrivateChannel", "findInstances", "findIntent", "findIntentsByContext"),
    *("getAppMetadata", "getCurrentChannel", "getInfo", "getOrCreateChannel", "getUserChannels"),
    *("joinUserChannel", "leaveCurrentChannel", "open", "raiseIntent", "raiseIntentForContext"),
}
"""DesktopAgent of FDC3 2.2."""

RECORDS = [
    {
        "appId": "test.blotter",
        "name": "Blotter",
        "type": "web",
        "interop": {"intents": {"listensFor": {"ViewNews": {"contexts": ["fdc3.contact"]}}}},
    },
    {
        "appId": "Chart",
        "name": "Chart",
        "type": "web",
        "icons": [{"src": data_url(png(64)), "size": "64x64"}],
        "hostManifests": {"deskbus": {"app": "test.chart"}},
        "interop": {
            "intents": {
                "listensFor": {
                    "ViewChart": {"displayName": "View chart", "contexts": ["fdc3.instrument"]},
                    "ViewNews": {"displayName": "View news", "contexts": ["fdc3.contact"]},
                }
            }
        },
    },
]

CONFIG = f"""
[[apps]]
id = "test.blotter"
name = "Blotter"
[[apps.windows]]
url = "{PAGE}?blotter"

[[apps]]
id = "test.chart"
name = "Chart"
[[apps.windows]]
url = "{PAGE}?chart"

[[apps]]
id = "example.instruments"
name = "Instruments"
grants = [
    {{ permission = "fdc3.context.read", scope = "*.fdc3.instrument" }},
    {{ permission = "fdc3.context.write", scope = "*.fdc3.instrument" }},
]
[[apps.windows]]
url = "{(ROOT / "examples/fdc3/index.html").as_uri()}"

[fdc3]
consent = "allow"
directories = ["DIRECTORY"]
"""

INSTRUMENT = "{ type: 'fdc3.instrument', id: { ticker: 'EURUSD' } }"
CONTACT = "{ type: 'fdc3.contact', name: 'Jane' }"


@pytest.fixture(scope="module")
async def desk(
    electron_with: Starter, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ElectronSession]:
    directory = tmp_path_factory.mktemp("appd") / "apps.json"
    directory.write_text(json.dumps(RECORDS))
    config = CONFIG.replace("DIRECTORY", str(directory))
    async with electron_with(
        "test.blotter", "test.chart", "example.instruments", config=config
    ) as session:
        yield session


@pytest.fixture
async def blotter(desk: ElectronSession) -> Page:
    return await begin(desk, "?blotter")


@pytest.fixture
async def chart(desk: ElectronSession) -> Page:
    return await begin(desk, "?chart")


async def begin(desk: ElectronSession, name: str) -> Page:
    """The page, loaded anew, so that nothing of an earlier test listens in it."""
    page = await desk.window(name)
    await page.evaluate("(() => { window.old = true; setTimeout(() => location.reload()); })()")
    await page.until("!window.old && window.fdc3")
    await page.evaluate("fdc3.leaveCurrentChannel()")
    return page


async def test_an_unmodified_page_finds_the_agent_by_getagent(
    blotter: Page, chart: Page, tmp_path: Path
) -> None:
    """FINOS's public package, made for the engine of this Electron."""
    script = finos_script(tmp_path, target="chrome83")
    for page in (blotter, chart):
        await page.evaluate(f"(0, eval)({json.dumps(script)}), 1")
        assert await page.evaluate("outcome") == "found"
        await page.evaluate("wanted.then((fdc3) => fdc3.joinUserChannel('fdc3.channel.1'))")
    await chart.evaluate(
        "wanted.then((fdc3) => fdc3.addContextListener('fdc3.instrument',"
        " (context) => heard.push(context))).then(() => 1)"
    )
    await blotter.evaluate(f"wanted.then((fdc3) => fdc3.broadcast({INSTRUMENT}))")
    await chart.until("heard.length > 0")
    heard = await chart.evaluate("heard.map(({ id }) => id.ticker)")
    assert heard == ["EURUSD"]


async def test_a_page_has_the_standards_methods_and_nothing_of_ours(blotter: Page) -> None:
    names = await blotter.evaluate("Object.keys(fdc3)")
    assert set(names) == METHODS | {"getSystemChannels", "joinChannel"}
    info = await blotter.evaluate("fdc3.getInfo()")
    assert (info["fdc3Version"], info["provider"]) == ("2.2", "deskbus")
    assert info["appMetadata"]["appId"] == "test.blotter"


async def test_a_call_that_comes_before_the_agent_is_ready_waits_for_it(chart: Page) -> None:
    reload = "(() => { window.old = true; setTimeout(() => location.reload()); })()"
    await chart.evaluate(reload)
    await chart.until("!window.old && (window.early = fdc3.getInfo(), true)")
    assert await chart.evaluate("early.then(({ provider }) => provider)") == "deskbus"


async def test_methods_work_without_their_object(blotter: Page) -> None:
    channels = await blotter.evaluate(
        "(() => { const { getUserChannels } = fdc3; return getUserChannels(); })()"
    )
    assert len(channels) == 8
    assert channels[0]["displayMetadata"]["color"] == "red"


async def test_pages_share_a_context_with_its_source(blotter: Page, chart: Page) -> None:
    await chart.evaluate(
        """fdc3.addContextListener('fdc3.instrument', (context, metadata) => {
            window.heard = { context, metadata };
        })"""
    )
    await chart.evaluate("fdc3.joinUserChannel('fdc3.channel.1')")
    await blotter.evaluate("fdc3.joinUserChannel('fdc3.channel.1')")
    await blotter.evaluate(f"fdc3.broadcast({INSTRUMENT})")
    heard = await chart.until("window.heard")
    assert heard["context"]["id"] == {"ticker": "EURUSD"}
    assert heard["metadata"]["source"]["appId"] == "test.blotter"
    assert heard["metadata"]["traceId"]


async def test_a_listener_goes_along_from_channel_to_channel(blotter: Page, chart: Page) -> None:
    await chart.evaluate(
        """(() => {
            window.seen = [];
            window.changes = [];
            fdc3.addEventListener('userChannelChanged', ({ details }) => {
                changes.push(details.currentChannelId);
            });
            return fdc3.addContextListener(null, ({ name }) => seen.push(name));
        })()"""
    )
    for number in (2, 3):
        channel = f"'fdc3.channel.{number}'"
        await chart.evaluate(f"fdc3.joinUserChannel({channel})")
        await blotter.evaluate(f"fdc3.joinUserChannel({channel})")
        await blotter.evaluate(f"fdc3.broadcast({{ type: 'fdc3.contact', name: {number} }})")
        await chart.until(f"seen.includes({number})")
    await blotter.evaluate(
        "fdc3.getUserChannels().then(([, two]) => two.broadcast({ type: 'x', name: 'no' }))"
    )
    await chart.evaluate("fdc3.leaveCurrentChannel()")
    assert await chart.evaluate("seen") == [2, 3]
    assert await chart.evaluate("changes") == ["fdc3.channel.2", "fdc3.channel.3", None]


async def test_an_intent_comes_with_its_result(blotter: Page, chart: Page) -> None:
    await chart.evaluate(
        "fdc3.addIntentListener('ViewChart', async ({ id }, { source }) => "
        "({ type: 'seen', id, by: source.appId }))"
    )
    answer = await blotter.evaluate(
        f"""(async () => {{
            const resolution = await fdc3.raiseIntent('ViewChart', {INSTRUMENT});
            const result = await resolution.getResult();
            return {{ source: resolution.source, intent: resolution.intent, result }};
        }})()"""
    )
    assert answer["source"]["appId"] == "Chart"
    assert answer["result"] == {
        "type": "seen", "id": {"ticker": "EURUSD"}, "by": "test.blotter",
    }  # fmt: skip


@pytest.mark.parametrize("handler", ["async () => { throw new Error('no'); }", "() => { bad(); }"])
async def test_a_handler_that_throws_rejects_the_result(
    blotter: Page, chart: Page, handler: str
) -> None:
    await chart.evaluate(f"fdc3.addIntentListener('ViewChart', {handler})")
    error = await blotter.evaluate(
        f"""fdc3.raiseIntent('ViewChart', {INSTRUMENT})
            .then((resolution) => resolution.getResult())
            .then(() => 'fulfilled', ({{ message }}) => message)"""
    )
    assert error == "IntentHandlerRejected"


async def test_a_page_that_goes_away_in_the_middle_of_an_intent_leaves_nobody_waiting(
    blotter: Page, chart: Page
) -> None:
    await chart.evaluate(
        "fdc3.addIntentListener('ViewChart', () => { window.got = true; "
        "return new Promise(() => undefined); })"
    )
    await blotter.evaluate(
        f"""(() => {{
            fdc3.raiseIntent('ViewChart', {INSTRUMENT})
                .then((resolution) => resolution.getResult())
                .catch(({{ message }}) => {{ window.failed = message; }});
        }})()"""
    )
    await chart.until("window.got")
    await chart.evaluate("(() => { setTimeout(() => location.reload()); })()")
    assert await blotter.until("window.failed") == "NoResultReturned"


async def test_a_private_channel_is_the_result_and_tells_of_its_listeners(
    blotter: Page, chart: Page
) -> None:
    await chart.evaluate(
        """fdc3.addIntentListener('ViewChart', async () => {
            const channel = await fdc3.createPrivateChannel();
            window.events = [];
            for (const event of ['addContextListener', 'unsubscribe', 'disconnect']) {
                await channel.addEventListener(event, ({ type }) => events.push(type));
            }
            await channel.addContextListener('fdc3.contact', (context) => {
                window.private = context;
            });
            return channel;
        })"""
    )
    await blotter.evaluate(
        f"""(async () => {{
            const resolution = await fdc3.raiseIntent('ViewChart', {INSTRUMENT});
            const channel = await resolution.getResult();
            const listener = await channel.addContextListener(null, () => undefined);
            await channel.broadcast({CONTACT});
            await listener.unsubscribe();
            await channel.disconnect();
        }})()"""
    )
    assert (await chart.until("window.private"))["name"] == "Jane"
    await chart.until("events.includes('disconnect')")
    assert await chart.evaluate("events") == [
        "addContextListener", "addContextListener", "unsubscribe", "disconnect",
    ]  # fmt: skip


async def test_an_app_opens_with_a_context_in_a_window_of_its_own(
    desk: ElectronSession, blotter: Page, chart: Page
) -> None:
    found = await blotter.evaluate("fdc3.findInstances({ appId: 'Chart' })")
    opened = await blotter.evaluate("fdc3.open('Chart')")
    after = await blotter.evaluate("fdc3.findInstances({ appId: 'Chart' })")
    assert len(after) == len(found) + 1
    assert after[-1]["instanceId"] == opened["instanceId"]
    assert opened["appId"] == "Chart"
    windows = await shell_call(desk, "apps.list")
    chart_app = next(each for each in windows["apps"] if each["app"] == "test.chart")
    assert len(chart_app["windows"]) == 2


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("fdc3.open('none')", "AppNotFound"),
        (f"fdc3.raiseIntent('Nothing', {INSTRUMENT})", "NoAppsFound"),
        ("fdc3.raiseIntent('ViewChart', {})", "MalformedContext"),
        ("fdc3.findIntent('Nothing')", "NoAppsFound"),
        ("fdc3.joinUserChannel('none')", "NoChannelFound"),
        (f"fdc3.raiseIntent('ViewChart', {INSTRUMENT}, {{ appId: 'x' }})", "TargetAppUnavailable"),
        ("fdc3.getAppMetadata({ appId: 'none' })", "TargetAppUnavailable"),
    ],
)
async def test_an_error_is_the_standards(blotter: Page, call: str, error: str) -> None:
    words = await blotter.evaluate(
        f"{call}.then(() => 'fulfilled', (failure) => "
        "failure instanceof Error ? failure.message : 'no error')"
    )
    assert words == error


async def test_where_fdc3_is_off_a_page_has_none(electron_with: Starter, tmp_path: Path) -> None:
    config = CONFIG.partition("[fdc3]")[0]
    async with electron_with("test.blotter", config=config) as session:
        page = await session.window("?blotter")
        await page.until("window.deskbus")
        assert await page.evaluate("typeof fdc3") == "undefined"


async def click(dialog: Page, element: str) -> None:
    """Clicks an element that closes the dialog, perhaps before the click is answered."""
    with suppress(PageGoneError):
        await dialog.evaluate(f"{element}.click()")


RAISE_NEWS = f"""(() => {{
    window.resolved = fdc3.raiseIntent('ViewNews', {CONTACT})
        .then(({{ source }}) => source, ({{ message }}) => message);
}})()"""


async def test_a_person_chooses_the_app_that_takes_an_intent(
    desk: ElectronSession, blotter: Page, chart: Page
) -> None:
    await chart.evaluate(
        "fdc3.addIntentListener('ViewNews', ({ name }) => { window.news = name; })"
    )
    instance = (await chart.evaluate("fdc3.getInfo()"))["appMetadata"]["instanceId"]
    await blotter.evaluate(RAISE_NEWS)
    dialog = await desk.window("choice.html")
    await dialog.until("document.querySelectorAll('.choice').length >= 3")
    words = await dialog.evaluate("document.querySelector('#statement').textContent")
    assert words == "Blotter has contacts for another app. Which one takes it?"
    icons = "[...document.querySelectorAll('.choice')].map((row) => row.querySelector('img'))"
    await dialog.until(f"{icons}.some((icon) => icon && icon.naturalWidth === 64)")
    assert await dialog.evaluate(f"{icons}.some((icon) => !icon)"), "an app without an icon"
    PICTURES.mkdir(parents=True, exist_ok=True)
    await desk.picture(dialog, PICTURES / "choice.png")
    running = """[...document.querySelectorAll('.choice')].find(({ textContent: words }) =>
        words.includes('Chart') && words.includes('running') && !words.includes('window-'))"""
    await click(dialog, running)
    assert (await blotter.evaluate("resolved"))["instanceId"] == instance
    assert await chart.until("window.news") == "Jane"


async def test_a_person_who_wants_none_of_them_cancels_with_the_keyboard(
    desk: ElectronSession, blotter: Page
) -> None:
    await blotter.evaluate(RAISE_NEWS)
    dialog = await desk.window("choice.html")
    await dialog.until("!!document.querySelector('.choice')")
    await dialog.press("Escape", 27)
    assert await blotter.evaluate("resolved") == "UserCancelledResolution"


async def test_the_control_centre_shows_channels_contexts_intents_and_deliveries(
    desk: ElectronSession, blotter: Page, chart: Page
) -> None:
    for page in (blotter, chart):
        await page.evaluate("fdc3.joinUserChannel('fdc3.channel.4')")
    await chart.evaluate("fdc3.addContextListener('fdc3.contact', () => undefined).then(() => 1)")
    await blotter.evaluate(f"fdc3.broadcast({CONTACT})")
    await in_main(desk, "shell.openControlCentre('fdc3').then(() => true)")
    centre = await desk.window("/control.html")
    row = "[...document.querySelectorAll('.grid-row:not([hidden])')].find((e) => {})"
    green = row.format("e.innerText.includes('Channel 4') && e.innerText.includes('fdc3.contact')")
    await centre.until(f"!!{green}")
    PICTURES.mkdir(parents=True, exist_ok=True)
    await centre.evaluate(f"{green}.click()")
    await centre.until("document.querySelector('.drawer').innerText.includes('test.chart')")
    await desk.picture(centre, PICTURES / "control-fdc3.png")
    for view, words in (
        ("contexts", "fdc3.contact"), ("intents", "ViewChart"), ("deliveries", "fdc3.channel.4"),
    ):  # fmt: skip
        await in_main(desk, f"shell.openControlCentre('fdc3/{view}').then(() => true)")
        found = row.format(f"e.innerText.includes('{words}')")
        await centre.until(f"!!{found}")
        await centre.evaluate(f"{found}.click()")
        await centre.until("!document.querySelector('.drawer').hidden")
        await desk.picture(centre, PICTURES / f"control-fdc3-{view}.png")
    await centre.close()


async def test_a_person_moves_a_window_to_a_channel(
    desk: ElectronSession, blotter: Page, chart: Page
) -> None:
    await blotter.evaluate("fdc3.joinUserChannel('fdc3.channel.5')")
    await blotter.evaluate("fdc3.broadcast({ type: 'fdc3.contact', name: 'Cyan' })")
    await chart.evaluate("fdc3.addContextListener(null, ({ name }) => { window.shared = name; })")
    async with anyio.create_task_group() as tasks:
        choose = partial(shell_call, desk, "fdc3.chooseChannel", app="test.chart", client="window")
        tasks.start_soon(choose)
        dialog = await desk.window("choice.html")
        row = "[...document.querySelectorAll('.choice')].find((e) => e.dataset.id === '{}')"
        await dialog.until("!!" + row.format("fdc3.channel.5"))
        assert await dialog.evaluate("document.querySelectorAll('.choice').length") == 9
        await click(dialog, row.format("fdc3.channel.5"))
    assert await chart.until("window.shared") == "Cyan"
    assert (await chart.evaluate("fdc3.getCurrentChannel()"))["id"] == "fdc3.channel.5"


async def test_the_example_that_uses_fdc3_alone_shows_and_shares_what_is_chosen(
    desk: ElectronSession, chart: Page
) -> None:
    page = await desk.window("fdc3/index.html")
    await page.until("fdc3.getCurrentChannel().then((channel) => channel && channel.id)")
    await chart.evaluate("fdc3.joinUserChannel('fdc3.channel.1')")
    await chart.evaluate("fdc3.addContextListener(null, ({ id }) => { window.ticker = id; })")
    await page.evaluate("document.querySelector('button[value=GBPUSD]').click()")
    await chart.until("window.ticker && ticker.ticker === 'GBPUSD'")
    await chart.evaluate(f"fdc3.broadcast({INSTRUMENT})")
    shown = "document.querySelector('output').textContent"
    await page.until(f"{shown} === 'EURUSD, chosen in Chart'")


async def test_a_page_goes_on_listening_when_the_backend_was_killed(
    electron_with: Starter, tmp_path: Path
) -> None:
    (tmp_path / "apps.json").write_text(json.dumps(RECORDS))
    config = CONFIG.replace("DIRECTORY", str(tmp_path / "apps.json"))
    async with electron_with("test.blotter", "test.chart", config=config) as session:
        blotter, chart = [await session.window(name) for name in ("?blotter", "?chart")]
        await chart.until("window.fdc3")
        await chart.evaluate("fdc3.joinUserChannel('fdc3.channel.1')")
        await chart.evaluate(
            "fdc3.addContextListener('fdc3.contact', ({ name }) => { window.heard = name; })"
        )
        await chart.evaluate("fdc3.addIntentListener('ViewChart', () => { window.asked = 1; })")
        backend = backend_of(session)
        assert backend is not None
        kill([backend])
        assert await eventually(lambda: backend_of(session) not in {None, backend}, BACK_WITHIN_S)

        await blotter.until("fdc3.joinUserChannel('fdc3.channel.1').then(() => true, () => false)")
        await blotter.until(
            """fdc3.findIntent('ViewChart')
                .then(({ apps }) => apps.some(({ instanceId }) => instanceId), () => false)"""
        )
        await blotter.evaluate(f"fdc3.broadcast({CONTACT})")
        assert await chart.until("window.heard") == "Jane"
        await blotter.evaluate(f"(() => {{ fdc3.raiseIntent('ViewChart', {INSTRUMENT}); }})()")
        assert await chart.until("window.asked") == 1


async def metadata_goes_along(blotter: Page, chart: Page) -> None:
    """A page's own metadata, on a channel, with an intent, and with its result."""
    await chart.evaluate(
        """(async () => {
            window.told = [];
            const channel = await fdc3.getOrCreateChannel('own');
            await channel.addContextListener(null, (_, metadata) => told.push(metadata));
            await fdc3.addIntentListener('ViewNews', (context, metadata) => {
                told.push(metadata);
                return Promise.resolve({ context, metadata: { signature: 'of the result' } });
            });
        })()"""
    )
    given = {"traceId": "mine", "signature": "s", "custom": {"a": [1]}, "source": {"appId": "x"}}
    metadata = await blotter.evaluate(
        f"""(async () => {{
            const given = {json.dumps(given)};
            const channel = await fdc3.getOrCreateChannel('own');
            await channel.broadcast({CONTACT}, given);
            const [chart] = await fdc3.findInstances({{ appId: 'Chart' }});
            const raised = await fdc3.raiseIntent('ViewNews', {CONTACT}, chart, given);
            await raised.getResult();
            return raised.getResultMetadata();
        }})()"""
    )
    await chart.until("told.length === 2")
    for told in await chart.evaluate("told"):
        assert told["source"]["appId"] == "test.blotter"
        assert {name: told[name] for name in given if name != "source"} == {
            name: value for name, value in given.items() if name != "source"
        }
    assert metadata["signature"] == "of the result"
    assert metadata["source"]["appId"] == "Chart"


async def test_a_page_has_what_fdc3_3_adds_where_the_configuration_says_so(
    electron_with: Starter, tmp_path: Path
) -> None:
    (tmp_path / "apps.json").write_text(json.dumps(RECORDS))
    config = CONFIG.replace("DIRECTORY", str(tmp_path / "apps.json"))
    config = config.replace("[fdc3]", '[fdc3]\nversion = "3.0"')
    async with electron_with("test.blotter", "test.chart", config=config) as session:
        blotter, chart = [await session.window(name) for name in ("?blotter", "?chart")]
        for page in (blotter, chart):
            await page.until("window.fdc3")
        assert (await chart.evaluate("fdc3.getInfo()"))["fdc3Version"] == "3.0"
        await chart.evaluate(
            """(async () => {
                await fdc3.addEventListener('contextCleared', ({ details }) => {
                    window.gone = details;
                });
                await fdc3.addIntentListenerWithContext('ViewChart', ['fdc3.instrument'],
                    () => { throw new Error('no'); });
            })()"""
        )
        told = await blotter.evaluate(
            f"""(async () => {{
                const channel = await fdc3.getOrCreateChannel('own');
                await channel.broadcast({CONTACT});
                const {{ getCurrentContextWithMetadata }} = channel;
                const found = await getCurrentContextWithMetadata('fdc3.contact');
                await channel.clearContext();
                const raised = await fdc3.raiseIntent('ViewChart', {INSTRUMENT}, {{ appId: 'Chart',
                    instanceId: (await fdc3.findInstances({{ appId: 'Chart' }}))[0].instanceId }});
                const error = await raised.getResult().catch(({{ message }}) => message);
                return {{ found, after: await channel.getCurrentContext(), error }};
            }})()"""
        )
        assert told["found"]["context"]["name"] == "Jane"
        assert told["found"]["metadata"]["source"]["appId"] == "test.blotter"
        assert told["after"] is None
        assert told["error"] == "IntentHandlerRejected"
        gone = await chart.until("window.gone")
        assert gone == {"channelId": "own", "contextType": "fdc3.contact"}
        await metadata_goes_along(blotter, chart)
        with suppress(PageGoneError):
            await chart.evaluate("(() => { fdc3.close(); })()")
        await blotter.until(
            "fdc3.findInstances({ appId: 'Chart' }).then(({ length }) => length === 0)"
        )
