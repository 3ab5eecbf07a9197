"""Messages between windows of a real Electron."""

import pytest

from demo.electron import ElectronSession
from tests.electron.conftest import Starter


@pytest.mark.requirement("1.1")
async def test_a_message_goes_from_window_to_window(electron: ElectronSession) -> None:
    sender = await electron.window("?sender")
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus && deskbus.state() === 'open'")
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
    electron: ElectronSession,
) -> None:
    sender = await electron.window("?sender")
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus")
    await receiver.evaluate(
        """(() => {
            window.numbers = [];
            return deskbus.subscribe('talk.count', ({ payload }) => numbers.push(payload));
        })()"""
    )

    await sender.until("window.deskbus")
    await sender.evaluate(
        "(() => { for (let n = 0; n < 5000; n += 1) deskbus.publish('talk.count', n); })()"
    )

    await receiver.until("numbers.length >= 5000")
    assert await receiver.evaluate("numbers") == list(range(5000))


async def test_a_window_answers_another_ones_request(electron: ElectronSession) -> None:
    sender = await electron.window("?sender")
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus")
    await receiver.evaluate("deskbus.respond('talk.double', (number) => 2 * number)")

    await sender.until("window.deskbus")
    answer = await sender.evaluate("deskbus.request('talk.double', 21)")

    assert answer["payload"] == 42
    assert answer["app"] == "test.receiver"


async def test_what_a_responder_throws_reaches_the_asking_page_as_an_error(
    electron: ElectronSession,
) -> None:
    sender = await electron.window("?sender")
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus")
    await receiver.evaluate(
        "deskbus.respond('talk.refuse', () => { throw new Error('Not on a Sunday.'); })"
    )

    await sender.until("window.deskbus")
    error = await sender.evaluate("deskbus.request('talk.refuse', null).catch((error) => error)")

    assert error["name"] == "DeskbusError"
    assert error["message"] == "Not on a Sunday."


async def test_a_publish_without_permission_is_told_to_the_page(electron: ElectronSession) -> None:
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus")
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
    electron: ElectronSession, call: str
) -> None:
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus")
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


async def test_a_refusal_is_told_as_an_error_with_all_of_its_members(
    electron: ElectronSession,
) -> None:
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus")
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
