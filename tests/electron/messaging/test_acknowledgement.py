"""Acknowledged subscriptions of a page in a real Electron."""

from demo.devtools import Page


async def test_a_message_comes_again_until_the_pages_listener_is_done(
    sender: Page,
    receiver: Page,
) -> None:
    await receiver.evaluate(
        """(() => {
            window.seen = [];
            const listener = async ({ payload, redelivery }) => {
                seen.push([payload, redelivery || 0]);
                if (payload === 'second' && !redelivery) throw new Error('not yet');
            };
            return deskbus.subscribe('talk.jobs', listener, { mode: 'acknowledged' });
        })()"""
    )

    for word in ("first", "second"):
        await sender.evaluate(f"deskbus.publish('talk.jobs', '{word}', {{ confirm: true }})")

    # Were the first one not acknowledged, it would have come again before the second.
    await receiver.until("seen.length >= 3")
    assert await receiver.evaluate("seen") == [["first", 0], ["second", 0], ["second", 1]]
