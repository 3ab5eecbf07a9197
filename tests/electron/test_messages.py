"""Messages between windows of a real Electron."""

import pytest

from demo.electron import ElectronSession


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
