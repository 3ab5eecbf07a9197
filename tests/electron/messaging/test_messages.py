"""Messages between windows of a real Electron."""

import pytest

from demo.devtools import Page
from tests.electron.conftest import PAGES, Starter
from tests.electron.mainprocess import in_main


@pytest.mark.requirement("1.1")
async def test_a_message_goes_from_window_to_window(sender: Page, receiver: Page) -> None:
    await receiver.evaluate(
        "deskbus.subscribe('talk.hello', (message) => { window.hello = message; })"
    )

    await sender.until("deskbus.publish('talk.hello', { words: 'Grüße' }, { confirm: true })")

    message = await receiver.until("window.hello")
    assert message["topic"] == "talk.hello"
    assert message["payload"] == {"words": "Grüße"}
    assert message["sender"]["app"] == "test.sender"
    assert message["correlationId"]


async def test_messages_of_one_window_arrive_in_order_and_complete(
    sender: Page,
    receiver: Page,
) -> None:
    await receiver.evaluate(
        """(() => {
            window.numbers = [];
            return deskbus.subscribe('talk.count', ({ payload }) => numbers.push(payload));
        })()"""
    )

    await sender.evaluate(
        "(() => { for (let n = 0; n < 5000; n += 1) deskbus.publish('talk.count', n); })()"
    )

    await receiver.until("numbers.length >= 5000")
    assert await receiver.evaluate("numbers") == list(range(5000))


async def test_a_window_answers_another_ones_request(sender: Page, receiver: Page) -> None:
    await receiver.evaluate("deskbus.respond('talk.double', (number) => 2 * number)")

    answer = await sender.evaluate("deskbus.request('talk.double', 21)")

    assert answer["payload"] == 42
    assert answer["app"] == "test.receiver"


async def test_what_a_responder_throws_reaches_the_asking_page_as_an_error(
    sender: Page,
    receiver: Page,
) -> None:
    await receiver.evaluate(
        "deskbus.respond('talk.refuse', () => { throw new Error('Not on a Sunday.'); })"
    )

    error = await sender.evaluate("deskbus.request('talk.refuse', null).catch((error) => error)")

    assert error["name"] == "DeskbusError"
    assert error["message"] == "Not on a Sunday."


async def test_a_publish_without_permission_is_told_to_the_page(receiver: Page) -> None:
    await receiver.evaluate(
        """(() => {
            deskbus.onRefused((refusal) => { window.refusal = refusal; });
            deskbus.publish('talk.forbidden', 1);
        })()"""
    )

    refusal = await receiver.until("window.refusal")

    assert refusal["code"] == -32010
    assert refusal["action"]


FAULTS = {
    "publish": "deskbus.publish('talk.forbidden', 1, { confirm: true })",
    "request": "deskbus.request('talk.forbidden', 1)",
    "subscribe": "deskbus.subscribe('talk..bad', () => undefined)",
    "respond": "deskbus.respond('talk..bad', () => undefined)",
    "send": "deskbus.send('test.sender', 'talk.forbidden', 1)",
    "permissions.request": "deskbus.permissions.request({ permission: 'no.such', scope: '*' })",
    "permissions.query": "deskbus.permissions.query({ permission: 'no.such', scope: '*' })",
    "secrets.get": "deskbus.secrets.get('key')",
    "files.read": "deskbus.files.read('relative')",
    "iab.publish": "deskbus.InterApplicationBus.publish('talk.forbidden', 1)",
    "iab.send": "deskbus.InterApplicationBus.send({ uuid: 'test.sender' }, 'talk.x', 1)",
    "iab.on": "deskbus.InterApplicationBus.on('nothing', () => undefined)",
    "channel.connect": "deskbus.InterApplicationBus.Channel.connect('none', { wait: false })",
}


@pytest.mark.requirement("6.5")
@pytest.mark.parametrize("call", FAULTS.values(), ids=FAULTS.keys())
async def test_whatever_is_refused_rejects_with_an_error_of_the_pages_world(
    receiver: Page, call: str
) -> None:
    told = await receiver.evaluate(
        f"""Promise.resolve().then(() => {call}).then(() => 'fulfilled', (error) => ({{
            isError: error instanceof Error,
            words: String(error),
            name: error.name,
            code: error.code,
            category: error.category,
            action: error.action,
            json: JSON.parse(JSON.stringify(error)),
        }}))"""
    )
    assert told["isError"]
    assert told["name"] == "DeskbusError"
    assert told["words"] == f"DeskbusError: {told['json']['message']}"
    assert told["code"] < -32000
    assert told["category"]
    assert told["action"] == told["json"]["action"] != ""


async def test_a_channels_faults_are_errors_of_the_pages_world(
    electron_with: Starter,
) -> None:
    async with electron_with("test.trader", "test.viewer") as session:
        trader = await session.window("?trader")
        viewer = await session.window("?viewer")
        for page in (trader, viewer):
            await page.until("window.deskbus && deskbus.state() === 'open'")
        await trader.evaluate(
            """(async () => {
                const { Channel } = deskbus.InterApplicationBus;
                const provider = await Channel.create('desk');
                provider.register('fail', () => { throw new Error('Not today.'); });
            })()"""
        )
        faults = await viewer.evaluate(
            """(async () => {
                const { Channel } = deskbus.InterApplicationBus;
                const client = await Channel.connect('desk');
                const told = (error) => [error instanceof Error, error.name, error.message];
                const thrown = await client.dispatch('fail').catch(told);
                const unknown = await client.dispatch('nothing').catch(told);
                await client.disconnect();
                return [thrown, unknown, await client.dispatch('fail').catch(told)];
            })()"""
        )
    assert [fault[:2] for fault in faults] == [[True, "DeskbusError"]] * 3
    assert faults[0][2] == "Not today."


async def test_a_refusal_is_told_as_an_error_with_all_of_its_members(receiver: Page) -> None:
    await receiver.evaluate(
        """(() => {
            deskbus.onRefused((refusal) => {
                window.told = { isError: refusal instanceof Error, ...refusal };
            });
            deskbus.publish('talk.forbidden', 1);
        })()"""
    )
    told = await receiver.until("window.told")
    assert told["isError"]
    assert (told["name"], told["code"]) == ("DeskbusError", -32010)
    assert (told["category"], told["retryable"]) == ("permission", False)
    assert (told["method"], told["topic"]) == ("bus.publish", "talk.forbidden")
    assert told["action"]


UNSAYABLE = {
    "function": "() => 1",
    "nested function": "{ a: [() => 1] }",
    "node": "document.body",
    "nested node": "{ at: document.createElement('p') }",
    "window": "window",
    "BigInt": "1n",
    "nested BigInt": "{ n: 1n }",
    "cycle": "(() => { const all = {}; all.all = all; return all; })()",
    "symbol": "Symbol('x')",
    "toJSON that throws": "{ toJSON() { throw new Error('no'); } }",
    "half a pair": "'cut \\ud83d'",
    "half a pair in a key": "{ '\\ud83d': 1 }",
    "too deep": "JSON.parse('['.repeat(200) + ']'.repeat(200))",
}
EACH = """(async () => {
    const told = {};
    const values = { %s };
    for (const [name, make] of Object.entries(values)) {
        const ways = {
            posted: async () => deskbus.publish('talk.bad', make()),
            published: () => deskbus.publish('talk.bad', make(), { confirm: true }),
            requested: () => deskbus.request('talk.bad', make()),
            sent: () => deskbus.send('test.receiver', 'talk.bad', make()),
            ofOpenFin: () => deskbus.InterApplicationBus.publish('talk.bad', make()),
        };
        for (const [way, call] of Object.entries(ways)) {
            const failed = await call().then(() => 'sent', (error) => error);
            const fine = failed instanceof Error && failed.code === -32602;
            if (!fine) told[`${name} ${way}`] = String(failed);
        }
    }
    let thrown;
    try { deskbus.publish('talk.bad', () => 1); } catch (error) { thrown = error; }
    if (!(thrown instanceof Error) || thrown.code !== -32602) told.thrown = String(thrown);
    await deskbus.publish('talk.good', 'alive', { confirm: true });
    return told;
})()"""


async def test_a_payload_that_can_not_be_sent_is_refused_at_its_call_and_harms_no_other(
    sender: Page,
    receiver: Page,
) -> None:
    await receiver.evaluate(
        "deskbus.subscribe('talk.good', (message) => { window.good = message; })"
    )
    values = ", ".join(f"{name!r}: () => ({text})" for name, text in UNSAYABLE.items())
    assert await sender.evaluate(EACH % values) == {}
    assert (await receiver.until("window.good"))["payload"] == "alive"


async def test_a_responder_that_returns_what_can_not_be_sent_fails_at_once(
    sender: Page,
    receiver: Page,
) -> None:
    values = ", ".join(f"{name!r}: () => ({text})" for name, text in UNSAYABLE.items())
    await receiver.evaluate(f"""(() => {{
        const values = {{ {values} }};
        return Promise.all([
            deskbus.respond('talk.now', (name) => values[name]()),
            deskbus.respond('talk.later', async (name) => values[name]()),
        ]);
    }})()""")
    for topic in ("talk.now", "talk.later"):
        for name in UNSAYABLE:
            failed = await sender.evaluate(
                f"deskbus.request('{topic}', {name!r}, {{ timeout: 9000 }})"
                ".then(() => 'answered', ({ category }) => category)"
            )
            assert failed not in ("answered", "timeout"), (topic, name)


async def test_a_page_cancels_what_it_asked_for_by_a_signal(sender: Page, receiver: Page) -> None:
    await receiver.evaluate("deskbus.respond('talk.never', () => new Promise(() => {}))")
    codes = await sender.evaluate("""(async () => {
        const before = new AbortController();
        before.abort();
        const during = new AbortController();
        const ask = ({ signal }) =>
            deskbus.request('talk.never', 1, { signal }).then(() => 0, ({ code }) => code);
        const asked = ask(during);
        await deskbus.publish('talk.good', 1, { confirm: true });
        during.abort();
        return [await ask(before), await asked];
    })()""")
    assert codes == [-32800, -32800]


BELOW = """
[[apps]]
id = "test.bare"
name = "Bare"
[[apps.windows]]
url = "{page}?bare"

[[apps]]
id = "test.dark"
name = "Dark"
[[apps.windows]]
url = "{page}?dark"
background_color = "#0f1419"
"""

LOWEST_COLOURS = """Object.fromEntries(await Promise.all(
    electron.BrowserWindow.getAllWindows().map(async ({ webContents }) => {
        webContents.invalidate();
        const [blue, green, red] = (await webContents.capturePage()).toBitmap().slice(-4);
        return [new URL(webContents.getURL()).search,
                Buffer.from([red, green, blue]).toString('hex')];
    })))"""
"""Of each window the pixel in the last corner, where its page has drawn nothing."""


@pytest.mark.requirement("6.5")
async def test_a_page_without_css_lies_on_white_or_on_its_windows_colour(
    electron_with: Starter,
) -> None:
    config = BELOW.format(page=(PAGES / "page.html").as_uri())
    async with electron_with("test.bare", "test.dark", config=config) as session:
        for ending in ("?bare", "?dark"):
            await (await session.window(ending)).until("window.deskbus")
        told = await in_main(session, LOWEST_COLOURS)
    assert told == {"?bare": "ffffff", "?dark": "0f1419"}
